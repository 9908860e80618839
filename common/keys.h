// keys.h - CURVE certificates on disk (ZeroMQ RFC 26; the file layout is czmq's zcert, ZPL)
// Shape:    NAME.key holds both keys (mode 0600), NAME.pub the public one.
#ifndef NRS_KEYS_H
#define NRS_KEYS_H

#include "common/base.h"
#include "common/directory.h"

enum { NRS_KEY_NAME_BYTES = 65 };

typedef struct nrs_keys {
    char name[NRS_KEY_NAME_BYTES];
    char public_text[NRS_KEY_TEXT_BYTES];
    char secret_text[NRS_KEY_TEXT_BYTES]; // "" when only the public half is known
} nrs_keys_t;

// A new pair, written to DIR/NAME.key and DIR/NAME.pub and synced. Refuses to overwrite; after a
// failure neither file of the new pair is left. NAME is 1 to 64 of [A-Za-z0-9._-] and does not
// begin with a dot. Errors: NRS_E_EXISTS, NRS_E_FORMAT (name), NRS_E_IO, each with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_keys_new(const char *dir, const char *name, nrs_problem_t *reterr, nrs_keys_t *ret_keys);
// Read a .key or .pub file. A secret file that others can read is refused, and so are two halves
// that do not belong together. Errors: NRS_E_IO, NRS_E_FORMAT, NRS_E_DENIED, each with *reterr,
// which never quotes the file.
NRS_MUST_CHECK nrs_err_t
nrs_keys_load(const char *path, nrs_problem_t *reterr, nrs_keys_t *ret_keys);
// Overwrite the secret half.
void
nrs_keys_wipe(nrs_keys_t *keys);
// 40 characters of Z85 that decode to 32 bytes?
bool
nrs_key_text_ok(nrs_bytes_t text);

#endif
