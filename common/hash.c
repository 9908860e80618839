#include "common/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
nrs_hash64(nrs_bytes_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

nrs_hash128_t
nrs_hash128(nrs_bytes_t bytes, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data, bytes.size, seed);
    return (nrs_hash128_t){ .low = hash.low64, .high = hash.high64 };
}
