#include "common/filter.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 64, BITS_A_KEY = 5, BIT_BITS = 9 }; // 2^9 bits in a block

struct nrs_filter {
    uint64_t *blocks; // of 8 words
    uint64_t mask;    // blocks - 1
};

nrs_filter_t *
nrs_filter_new(size_t bytes)
{
    size_t blocks = 1;
    while (blocks * 2 * BLOCK_BYTES <= bytes)
        blocks *= 2;
    nrs_filter_t *self = nrs_new0(nrs_filter_t);
    self->blocks = nrs_alloc0(blocks, BLOCK_BYTES);
    self->mask = blocks - 1;
    return self;
}

void
nrs_filter_destroy(nrs_filter_t **self_p)
{
    if (!*self_p)
        return;
    free((*self_p)->blocks);
    free(*self_p);
    *self_p = NULL;
}

// The key's first word chooses the block, its second the bits in it.
static uint64_t *
s_block(const nrs_filter_t *self, const uint8_t *key)
{
    return self->blocks + (nrs_get_le64(key) & self->mask) * (BLOCK_BYTES / sizeof(uint64_t));
}

void
nrs_filter_put(nrs_filter_t *self, const uint8_t key[16])
{
    uint64_t *block = s_block(self, key), bits = nrs_get_le64(key + 8);
    for (int i = 0; i < BITS_A_KEY; i++, bits >>= BIT_BITS)
        block[bits >> 6 & 7] |= UINT64_C(1) << (bits & 63);
}

bool
nrs_filter_has(const nrs_filter_t *self, const uint8_t key[16])
{
    const uint64_t *block = s_block(self, key);
    uint64_t bits = nrs_get_le64(key + 8);
    for (int i = 0; i < BITS_A_KEY; i++, bits >>= BIT_BITS)
        if (!(block[bits >> 6 & 7] >> (bits & 63) & 1))
            return false;
    return true;
}
