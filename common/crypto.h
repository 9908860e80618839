// crypto.h - OpenSSL 3, wrapped once: digests, random bytes, UUIDs made of digests
// Threads:  calls may be made from any thread.

#ifndef NRS_CRYPTO_H
#define NRS_CRYPTO_H

#include "common/base.h"

// SHA-256 of several pieces, one after the other (FIPS 180-4).
void
nrs_sha256(const nrs_bytes_t *pieces, size_t count, uint8_t ret_digest[32]);
void
nrs_sha1(nrs_bytes_t data, uint8_t ret_digest[20]);
// Random bytes for keys and salts. Errors: NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_random(void *into, size_t bytes);
// UUID version 5 (RFC 9562, section 5.5) of `name` in `space`, as 36 characters and a NUL.
void
nrs_uuid5(const uint8_t space[16], nrs_bytes_t name, char ret_text[37]);

#endif
