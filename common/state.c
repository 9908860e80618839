// state.c - a large keyed table
//
// Memory is an array of buckets of 16 entries. A key's bucket is its first bits, so buckets stand in the order of
// the keys, and a range of buckets is a range of B-tree pages.
//
//      bucket 0          bucket 1                    bucket n-1
//     [16 entries]      [16 entries]     ...        [16 entries]
//          ^ folding goes round and round, a few buckets a commit, while enough has changed
//
// An entry is CLEAN (the B-tree has it), UNFOLDED (a delta record has it) or CHANGED (only memory has it, until the
// next save writes it into a delta record). All that is not CLEAN is in memory, so memory and B-tree together are
// the whole table. A filter over the B-tree's keys spares a look at the disk for most keys that are new; after a start it
// is filled little by little, and asked only when it is complete. When folding has gone round once, every delta written before that round is of no more use.

#include "common/state.h"

#include "common/buf.h"
#include "common/filter.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SLOTS = 16,             // entries in a bucket
    VALUE_MAX = 240,
    VERSION = 1,
    DROPS_PER_SAVE = 64,    // delta records dropped in one commit: a few, so that no commit is long
    FOLD_LEAST = 64,        // entries folded in one commit at the least, once folding has begun
    FILTER_BYTES = 16 << 20,// good for ten million keys
    FILTER_STEP = 2048,     // keys of the B-tree that it takes in with each save, until it has all
};

static const size_t s_memory_default = (size_t)64 << 20;

enum s_mark {
    CLEAN = 0,
    USED = 1,
    UNFOLDED = 2,
    CHANGED = 4,
    FRESH = 8,   // the B-tree does not have the key yet
    RECENT = 16, // used since the last time an entry was sought to be given up
};

struct nrs_state {
    nrs_store_t *store;      // borrowed
    nrs_store_table_t tree;
    nrs_store_table_t deltas;
    size_t value_bytes;
    size_t entry_bytes;      // key and value
    uint32_t buckets;        // a power of two
    unsigned shift;          // of a key's first 64 bits, to give its bucket
    uint8_t *marks;          // buckets * SLOTS
    uint8_t *tags;           // buckets * SLOTS: a byte of each key, so that a look into a bucket meets one cache line
    uint8_t *entries;        // buckets * SLOTS * entry_bytes
    nrs_buf_t changed;       // slots (u32) that have changed since the last save
    nrs_buf_t delta;         // the next record; begins with what was folded before it was saved
    uint64_t next_delta;     // sequence of the next delta record; the first is 1
    uint64_t first_delta;    // the oldest still stored
    uint64_t dead_deltas;    // all below are folded and may be dropped
    uint64_t round_delta;    // next_delta when the present round of folding began
    uint64_t delta_bytes;    // stored in delta records
    uint32_t fold_at;        // bucket that folding comes to next
    uint64_t unfolded;       // entries that are not CLEAN
    uint64_t fresh;          // entries that the B-tree does not know
    nrs_filter_t *filter;    // of the B-tree's keys
    bool filter_whole;       // it has them all
    uint8_t filter_at[NRS_STATE_KEY_BYTES]; // the next key that it takes in
};

// --- places --------------------------------------------------------------------------------------

static inline uint32_t
s_bucket(const nrs_state_t *self, const uint8_t *key)
{
    return self->shift == 64 ? 0 : (uint32_t)(nrs_get_be64(key) >> self->shift);
}

// A byte that the bucket does not follow from.
static inline uint8_t
s_tag(const uint8_t *key)
{
    return key[NRS_STATE_KEY_BYTES - 1];
}

static inline uint8_t *
s_entry(const nrs_state_t *self, uint32_t slot)
{
    return self->entries + (size_t)slot * self->entry_bytes;
}

static nrs_bytes_t
s_key(const uint8_t *entry)
{
    return nrs_bytes(entry, NRS_STATE_KEY_BYTES);
}

static nrs_bytes_t
s_value(const nrs_state_t *self, const uint8_t *entry)
{
    return nrs_bytes(entry + NRS_STATE_KEY_BYTES, self->value_bytes);
}

enum { NO_SLOT = UINT32_MAX };

static uint32_t
s_find(const nrs_state_t *self, const uint8_t *key)
{
    uint32_t first = s_bucket(self, key) * SLOTS;
    for (uint32_t slot = first; slot < first + SLOTS; slot++)
        if (self->tags[slot] == s_tag(key) && self->marks[slot] &&
            memcmp(s_entry(self, slot), key, NRS_STATE_KEY_BYTES) == 0)
            return slot;
    return NO_SLOT;
}

// --- folding -------------------------------------------------------------------------------------

static nrs_err_t
s_fold_slot(nrs_state_t *self, nrs_txn_t *txn, uint32_t slot)
{
    uint8_t *entry = s_entry(self, slot);
    nrs_err_t err = nrs_txn_put(txn, self->tree, s_key(entry), s_value(self, entry));
    if (err)
        return err;
    if (self->marks[slot] & CHANGED) // or an older delta of the same key would come back at the next start
        nrs_buf_put(&self->delta, entry, self->entry_bytes);
    self->unfolded--;
    if (self->marks[slot] & FRESH) {
        self->fresh--;
        nrs_filter_put(self->filter, entry);
    }
    self->marks[slot] &= (uint8_t)~(UNFOLDED | CHANGED | FRESH);
    return NRS_OK;
}

// Put a bucket's changes into the B-tree in key order, so that neighbours meet the same page.
static nrs_err_t
s_fold_bucket(nrs_state_t *self, nrs_txn_t *txn, uint32_t bucket, uint32_t *ret_folded)
{
    uint32_t order[SLOTS], count = 0;
    for (uint32_t slot = bucket * SLOTS; slot < (bucket + 1) * SLOTS; slot++) {
        if (!(self->marks[slot] & (UNFOLDED | CHANGED)))
            continue;
        uint32_t i = count++;
        for (; i > 0 && memcmp(s_entry(self, order[i - 1]), s_entry(self, slot), NRS_STATE_KEY_BYTES) > 0; i--)
            order[i] = order[i - 1];
        order[i] = slot;
    }
    for (uint32_t i = 0; i < count; i++) {
        nrs_err_t err = s_fold_slot(self, txn, order[i]);
        if (err)
            return err;
    }
    *ret_folded = count;
    return NRS_OK;
}

// --- entries -------------------------------------------------------------------------------------

// An entry of the bucket that may be given up: empty, or clean and not used of late.
static uint32_t
s_spare(nrs_state_t *self, uint32_t bucket)
{
    uint32_t clean = NO_SLOT;
    for (uint32_t slot = bucket * SLOTS; slot < (bucket + 1) * SLOTS; slot++) {
        if (!self->marks[slot])
            return slot;
        if (self->marks[slot] & (UNFOLDED | CHANGED))
            continue;
        if (!(self->marks[slot] & RECENT))
            return slot;
        self->marks[slot] &= (uint8_t)~RECENT;
        if (clean == NO_SLOT)
            clean = slot;
    }
    return clean;
}

// A place for a new key; folds the bucket when nothing in it can be given up.
static nrs_err_t
s_make_room(nrs_state_t *self, nrs_txn_t *txn, const uint8_t *key, uint32_t *ret_slot)
{
    uint32_t bucket = s_bucket(self, key), folded;
    uint32_t slot = s_spare(self, bucket);
    if (slot == NO_SLOT) {
        nrs_err_t err = s_fold_bucket(self, txn, bucket, &folded);
        if (err)
            return err;
        slot = s_spare(self, bucket);
    }
    memcpy(s_entry(self, slot), key, NRS_STATE_KEY_BYTES);
    self->marks[slot] = USED | RECENT;
    self->tags[slot] = s_tag(key);
    *ret_slot = slot;
    return NRS_OK;
}

// The key's entry in memory, brought in from the B-tree when it is there. Errors: NRS_E_ABSENT.
static nrs_err_t
s_bring(nrs_state_t *self, nrs_txn_t *txn, const uint8_t *key, uint32_t *ret_slot)
{
    uint32_t slot = s_find(self, key);
    if (slot == NO_SLOT) {
        uint8_t copy[VALUE_MAX];
        nrs_bytes_t value;
        if (self->filter_whole && !nrs_filter_has(self->filter, key))
            return NRS_E_ABSENT;
        nrs_err_t err = nrs_txn_get(txn, self->tree, s_key(key), &value);
        if (err)
            return err;
        if (value.size != self->value_bytes)
            return NRS_E_CORRUPT;
        memcpy(copy, value.data, value.size); // making room may write to the tree
        err = s_make_room(self, txn, key, &slot);
        if (err)
            return err;
        memcpy(s_entry(self, slot) + NRS_STATE_KEY_BYTES, copy, self->value_bytes);
    }
    self->marks[slot] |= RECENT;
    *ret_slot = slot;
    return NRS_OK;
}

nrs_err_t
nrs_state_get(nrs_state_t *self, nrs_txn_t *txn, const uint8_t key[NRS_STATE_KEY_BYTES], const void **ret_value)
{
    uint32_t slot;
    nrs_err_t err = s_bring(self, txn, key, &slot);
    if (err)
        return err;
    *ret_value = s_entry(self, slot) + NRS_STATE_KEY_BYTES;
    return NRS_OK;
}

nrs_err_t
nrs_state_edit(nrs_state_t *self, nrs_txn_t *txn, const uint8_t key[NRS_STATE_KEY_BYTES], bool *ret_new,
               void **ret_value)
{
    uint32_t slot;
    nrs_err_t err = s_bring(self, txn, key, &slot);
    bool made = err == NRS_E_ABSENT;
    if (made)
        err = s_make_room(self, txn, key, &slot);
    if (err)
        return err;
    if (made) {
        memset(s_entry(self, slot) + NRS_STATE_KEY_BYTES, 0, self->value_bytes);
        self->marks[slot] |= FRESH;
        self->fresh++;
    }
    if (!(self->marks[slot] & (UNFOLDED | CHANGED)))
        self->unfolded++;
    if (!(self->marks[slot] & CHANGED))
        nrs_buf_put(&self->changed, &slot, sizeof slot);
    self->marks[slot] |= CHANGED;
    *ret_new = made;
    *ret_value = s_entry(self, slot) + NRS_STATE_KEY_BYTES;
    return NRS_OK;
}

uint64_t
nrs_state_count(nrs_state_t *self, nrs_txn_t *txn)
{
    return nrs_txn_count(txn, self->tree) + self->fresh;
}

// --- saving --------------------------------------------------------------------------------------

static nrs_err_t
s_put_delta(nrs_state_t *self, nrs_txn_t *txn, uint32_t *ret_count)
{
    for (size_t at = 0; at < self->changed.size; at += sizeof(uint32_t)) {
        uint32_t slot = nrs_get_le32(self->changed.data + at);
        if (!(self->marks[slot] & CHANGED))
            continue; // folded in the meantime: it is in the record already
        nrs_buf_put(&self->delta, s_entry(self, slot), self->entry_bytes);
        self->marks[slot] = (uint8_t)((self->marks[slot] & ~CHANGED) | UNFOLDED);
    }
    nrs_buf_reset(&self->changed);
    *ret_count = (uint32_t)(self->delta.size / self->entry_bytes);
    if (self->delta.size == 0)
        return NRS_OK;
    uint8_t key[8];
    nrs_put_be64(key, self->next_delta++);
    self->delta_bytes += self->delta.size;
    nrs_err_t err = nrs_txn_put(txn, self->deltas, nrs_bytes(key, sizeof key), nrs_buf_bytes(&self->delta));
    nrs_buf_reset(&self->delta);
    return err;
}

// After a start: take some more of the B-tree's keys into the filter.
static nrs_err_t
s_fill_filter(nrs_state_t *self, nrs_txn_t *txn)
{
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_bytes_t key, value;
    nrs_err_t err = nrs_scan_open(txn, self->tree, &scan);
    err = err ? err : nrs_scan_seek(scan, nrs_bytes(self->filter_at, sizeof self->filter_at), &key, &value);
    for (int i = 0; !err && i < FILTER_STEP; i++) {
        nrs_filter_put(self->filter, key.data);
        err = nrs_scan_next(scan, &key, &value);
    }
    if (err == NRS_E_ABSENT) {
        self->filter_whole = true;
        return NRS_OK;
    }
    if (!err)
        memcpy(self->filter_at, key.data, sizeof self->filter_at);
    return err;
}

// Is there enough to fold? A full page of neighbours is cheaper than many with one change each; what bounds the
// waiting is memory and the time to read the deltas at the next start.
static bool
s_should_fold(const nrs_state_t *self)
{
    uint64_t slots = (uint64_t)self->buckets * SLOTS;
    return self->unfolded > slots / 2 || self->delta_bytes > slots * self->entry_bytes;
}

static nrs_err_t
s_fold_some(nrs_state_t *self, nrs_txn_t *txn, uint32_t wanted)
{
    uint32_t folded = 0;
    for (uint32_t passed = 0; folded < wanted && passed < self->buckets; passed++) {
        uint32_t count;
        nrs_err_t err = s_fold_bucket(self, txn, self->fold_at, &count);
        if (err)
            return err;
        folded += count;
        if (++self->fold_at < self->buckets)
            continue;
        self->fold_at = 0;
        self->dead_deltas = self->round_delta;
        self->round_delta = self->next_delta;
    }
    return NRS_OK;
}

static nrs_err_t
s_drop_deltas(nrs_state_t *self, nrs_txn_t *txn)
{
    for (int i = 0; i < DROPS_PER_SAVE && self->first_delta < self->dead_deltas; i++) {
        uint8_t key[8];
        nrs_put_be64(key, self->first_delta);
        nrs_bytes_t record;
        nrs_err_t err = nrs_txn_get(txn, self->deltas, nrs_bytes(key, sizeof key), &record);
        if (err && err != NRS_E_ABSENT)
            return err;
        if (!err) {
            self->delta_bytes -= record.size;
            err = nrs_txn_drop(txn, self->deltas, nrs_bytes(key, sizeof key));
            if (err)
                return err;
        }
        self->first_delta++;
    }
    return NRS_OK;
}

nrs_err_t
nrs_state_save(nrs_state_t *self, nrs_txn_t *txn)
{
    uint32_t changed;
    nrs_err_t err = s_put_delta(self, txn, &changed);
    if (!err && !self->filter_whole)
        err = s_fill_filter(self, txn);
    if (!err && s_should_fold(self))
        err = s_fold_some(self, txn, changed + changed / 2 + FOLD_LEAST);
    return err ? err : s_drop_deltas(self, txn);
}

// --- opening -------------------------------------------------------------------------------------

static const uint8_t s_about_key[8]; // sequence 0 of the delta table says what the rest is

static nrs_err_t
s_check_about(nrs_state_t *self, nrs_txn_t *txn)
{
    uint8_t about[4] = { 'S', VERSION, (uint8_t)self->value_bytes, 0 };
    nrs_bytes_t key = nrs_bytes(s_about_key, sizeof s_about_key), found;
    nrs_err_t err = nrs_txn_get(txn, self->deltas, key, &found);
    if (err == NRS_E_ABSENT)
        return nrs_txn_put(txn, self->deltas, key, nrs_bytes(about, sizeof about));
    if (err)
        return err;
    if (found.size != sizeof about || found.data[0] != 'S')
        return NRS_E_CORRUPT;
    return memcmp(found.data, about, sizeof about) == 0 ? NRS_OK : NRS_E_VERSION;
}

static nrs_err_t
s_take_delta(nrs_state_t *self, nrs_txn_t *txn, nrs_bytes_t record)
{
    if (record.size % self->entry_bytes != 0)
        return NRS_E_CORRUPT;
    for (size_t at = 0; at < record.size; at += self->entry_bytes) {
        const uint8_t *entry = record.data + at;
        bool made;
        void *value;
        nrs_err_t err = nrs_state_edit(self, txn, entry, &made, &value);
        if (err)
            return err;
        memcpy(value, entry + NRS_STATE_KEY_BYTES, self->value_bytes);
    }
    return NRS_OK;
}

// Bring the deltas of the last run back into memory. They stay stored until they are folded.
static nrs_err_t
s_replay(nrs_state_t *self, nrs_txn_t *txn)
{
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->deltas, &scan);
    if (err)
        return err;
    nrs_bytes_t key, record;
    self->first_delta = 0;
    uint8_t from[8];
    nrs_put_be64(from, 1);
    err = nrs_scan_seek(scan, nrs_bytes(from, sizeof from), &key, &record);
    while (!err) {
        self->next_delta = nrs_get_be64(key.data) + 1;
        if (self->first_delta == 0)
            self->first_delta = self->next_delta - 1;
        self->delta_bytes += record.size;
        err = s_take_delta(self, txn, record);
        err = err ? err : nrs_scan_next(scan, &key, &record);
    }
    if (err != NRS_E_ABSENT)
        return err;
    if (self->first_delta == 0)
        self->first_delta = self->next_delta;
    self->round_delta = self->next_delta;
    self->dead_deltas = self->first_delta;
    for (size_t at = 0; at < self->changed.size; at += sizeof(uint32_t)) { // a delta has them already
        uint8_t *mark = &self->marks[nrs_get_le32(self->changed.data + at)];
        if (*mark & CHANGED)
            *mark = (uint8_t)((*mark & ~CHANGED) | UNFOLDED);
    }
    nrs_buf_reset(&self->changed);
    nrs_buf_reset(&self->delta);
    return NRS_OK;
}

static void
s_size(nrs_state_t *self, size_t memory_bytes)
{
    size_t bucket_bytes = SLOTS * (self->entry_bytes + 2);
    self->buckets = 1;
    self->shift = 64;
    while ((size_t)self->buckets * 2 * bucket_bytes <= memory_bytes) {
        self->buckets *= 2;
        self->shift--;
    }
    self->marks = nrs_alloc0((size_t)self->buckets * SLOTS, 1);
    self->tags = nrs_alloc0((size_t)self->buckets * SLOTS, 1);
    self->entries = nrs_alloc0((size_t)self->buckets * SLOTS, self->entry_bytes);
}

nrs_err_t
nrs_state_open(nrs_store_t *store, const nrs_state_options_t *options, nrs_state_t **ret_state)
{
    NRS_ASSERT(options->value_bytes >= 8 && options->value_bytes <= VALUE_MAX);
    NRS_AUTO(nrs_state) self = nrs_new0(nrs_state_t);
    self->store = store;
    self->value_bytes = options->value_bytes;
    self->entry_bytes = NRS_STATE_KEY_BYTES + options->value_bytes;
    self->next_delta = 1;
    s_size(self, options->memory_bytes ? options->memory_bytes : s_memory_default);
    self->filter = nrs_filter_new(FILTER_BYTES);
    char name[64];
    snprintf(name, sizeof name, "%s.delta", options->name);
    nrs_err_t err = nrs_store_table(store, options->name, &self->tree);
    err = err ? err : nrs_store_table(store, name, &self->deltas);
    if (err)
        return err;
    NRS_AUTO(nrs_txn) txn = NULL;
    err = nrs_txn_begin(store, true, &txn);
    err = err ? err : s_check_about(self, txn);
    err = err ? err : s_replay(self, txn);
    err = err ? err : nrs_txn_commit(&txn);
    if (err)
        return err;
    *ret_state = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_state_destroy(nrs_state_t **self_p)
{
    nrs_state_t *self = *self_p;
    if (!self)
        return;
    nrs_buf_free(&self->changed);
    nrs_buf_free(&self->delta);
    nrs_filter_destroy(&self->filter);
    free(self->marks);
    free(self->tags);
    free(self->entries);
    free(self);
    *self_p = NULL;
}
