// zap.h - who may connect: our ZAP handler (ZeroMQ RFC 27) over the member and peer table
// Shape:    a domain is a text of at most 64 bytes, a key 40 characters of Z85.
// Threads:  the handler is a thread of its own; the calls below may be made from the thread that
//           opened it. If the handler dies, the process is aborted: without it nobody could be
//           refused.
// Log:      each refusal is one line `peer.denied` (domain, address, key, reason).

#ifndef NRS_ZAP_H
#define NRS_ZAP_H

#include "common/base.h"

typedef struct nrs_zap nrs_zap_t;

// Start the handler; one a process, before any CURVE socket is bound. It refuses everything until
// told otherwise. Errors: NRS_E_EXISTS (there is one), NRS_E_IO (no descriptor or thread left).
NRS_MUST_CHECK nrs_err_t
nrs_zap_open(nrs_zap_t **ret_zap);
void
nrs_zap_destroy(nrs_zap_t **self_p);
// Let a key into a domain. `name` is who it is, for the log. Both are copied. The User-Id of its
// messages is the key (Z85).
void
nrs_zap_allow(nrs_zap_t *self, const char *domain, const char *key_text, const char *name);
// Take it back. Live connections stay until they are cut (nrs_bus_cut()): who serves checks
// nrs_zap_allowed() at each grant of credit.
void
nrs_zap_revoke(nrs_zap_t *self, const char *domain, const char *key_text);
// The name behind a key in a domain, or NULL when it is not allowed (any more). Valid until the key
// is revoked or allowed anew.
const char *
nrs_zap_allowed(nrs_zap_t *self, const char *domain, const char *key_text);
// How many connections were refused so far.
uint64_t
nrs_zap_denied(nrs_zap_t *self);

#endif
