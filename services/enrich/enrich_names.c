#include "enrich_names.h"

#include "common/hash.h"

#include <stdlib.h>

enum { SLOTS_LEAST = 1024 };

struct enrich_names {
    uint64_t seed;
    uint64_t *hashes; // owned; 0: free
    uint32_t *masks;  // owned
    size_t slots;     // a power of two
    size_t count;
};

enrich_names_t *
enrich_names_new(uint64_t seed)
{
    enrich_names_t *self = nrs_new0(enrich_names_t);
    self->seed = seed;
    self->slots = SLOTS_LEAST;
    self->hashes = nrs_alloc0(self->slots, sizeof *self->hashes);
    self->masks = nrs_alloc0(self->slots, sizeof *self->masks);
    return self;
}

void
enrich_names_destroy(enrich_names_t **self_p)
{
    enrich_names_t *self = *self_p;
    if (!self)
        return;
    free(self->hashes);
    free(self->masks);
    free(self);
    *self_p = NULL;
}

static uint64_t
s_hash(const enrich_names_t *self, nrs_bytes_t text)
{
    uint64_t hash = nrs_hash64(text, self->seed);
    return hash ? hash : 1;
}

// The slot that has the hash, or the free one where it belongs.
static size_t
s_slot(const enrich_names_t *self, uint64_t hash)
{
    size_t slot = hash & (self->slots - 1);
    while (self->hashes[slot] && self->hashes[slot] != hash)
        slot = (slot + 1) & (self->slots - 1);
    return slot;
}

static void
s_grow(enrich_names_t *self)
{
    enrich_names_t old = *self;
    self->slots *= 2;
    self->hashes = nrs_alloc0(self->slots, sizeof *self->hashes);
    self->masks = nrs_alloc0(self->slots, sizeof *self->masks);
    for (size_t i = 0; i < old.slots; i++) {
        if (!old.hashes[i])
            continue;
        size_t slot = s_slot(self, old.hashes[i]);
        self->hashes[slot] = old.hashes[i];
        self->masks[slot] = old.masks[i];
    }
    free(old.hashes);
    free(old.masks);
}

void
enrich_names_add(enrich_names_t *self, nrs_bytes_t text, unsigned list)
{
    NRS_ASSERT(list < 32);
    if ((self->count + 1) * 3 > self->slots * 2)
        s_grow(self);
    uint64_t hash = s_hash(self, text);
    size_t slot = s_slot(self, hash);
    self->count += self->hashes[slot] == 0;
    self->hashes[slot] = hash;
    self->masks[slot] |= UINT32_C(1) << list;
}

uint32_t
enrich_names_find(const enrich_names_t *self, nrs_bytes_t text)
{
    return self->count ? self->masks[s_slot(self, s_hash(self, text))] : 0;
}
