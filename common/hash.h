// hash.h - fast checksums and keyed-table hashes (XXH3). Not for identity, signatures or proofs: see crypto.h.
#ifndef NRS_HASH_H
#define NRS_HASH_H

#include "common/base.h"

typedef struct nrs_hash128 {
    uint64_t low;
    uint64_t high;
} nrs_hash128_t;

uint64_t
nrs_hash64(nrs_bytes_t bytes, uint64_t seed);
nrs_hash128_t
nrs_hash128(nrs_bytes_t bytes, uint64_t seed);

#endif
