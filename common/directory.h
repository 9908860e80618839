// directory.h - who is who: members, peers and their agreements, as noroshi.yaml lists them
// Threads:  const once read.

#ifndef NRS_DIRECTORY_H
#define NRS_DIRECTORY_H

#include "common/base.h"
#include "common/config.h"
#include "common/event.h"

enum { NRS_KEY_TEXT_BYTES = 41 }; // a CURVE key in Z85 (ZeroMQ RFC 32) and a NUL

// The terms under which a member gives or a peer receives.
typedef struct nrs_agreement {
    const char *id;
    const char *title;
    uint64_t version;
    uint64_t tlp;            // the most restrictive label that may pass under it (peers), enum TLP
    bool third_party;        // may what others reported be passed under it at all
    bool projected;          // release without what tells who reported it
    uint64_t until_ms;       // 0: no end
    const char *const *from; // only reports of these members; NULL: of all
    size_t from_count;
} nrs_agreement_t;

typedef struct nrs_member {
    const char *id;
    const char *name;
    const nrs_agreement_t *agreement;
    uint64_t tlp;       // default marking of its reports; RED when the file does not say
    uint64_t pap;       // default, or 0
    uint64_t onward;    // default condition for third parties; DENY when the file does not say
    uint64_t clearance; // most restrictive label that it may tap; 0: none
    char key[NRS_KEY_TEXT_BYTES]; // public CURVE key; "" when it has none
} nrs_member_t;

typedef struct nrs_peer {
    const char *id;
    const char *name;
    const nrs_agreement_t *agreement;
    const char *scope; // expression: what the peer wants; NULL: all
    char key[NRS_KEY_TEXT_BYTES];
} nrs_peer_t;

typedef struct nrs_directory {
    size_t agreement_count;
    nrs_agreement_t *agreements;
    size_t member_count;
    nrs_member_t *members;
    size_t peer_count;
    nrs_peer_t *peers;
} nrs_directory_t;

// Keys may stand in the file as text or as the path of a certificate (common/keys.h).
// Errors: NRS_E_CONFIG with *reterr: unknown agreement, key twice, unknown word, scope that does
// not compile. Texts borrow from `config`, which must outlive the result.
NRS_MUST_CHECK nrs_err_t
nrs_directory_open(nrs_config_t *config, nrs_problem_t *reterr, nrs_directory_t **ret_directory);
void
nrs_directory_destroy(nrs_directory_t **self_p);

const nrs_member_t *
nrs_directory_member(const nrs_directory_t *self, const char *id);
const nrs_peer_t *
nrs_directory_peer(const nrs_directory_t *self, const char *id);

#endif
