#include "services/ingest/ingest_known.h"

#include <stdlib.h>

enum { S_VALUE_BYTES = 14 };
enum { S_AGE_IDS_MAX = 4000 }; // in one record of the age table: 64,000 bytes
enum {
    S_DROP_FACTOR = 2
}; // at most so many times what the batch brought goes: the table shrinks, slowly

typedef struct s_entry {
    uint8_t id[NRS_ID_BYTES];
    nrs_origin_place_t place;
} s_entry_t;

struct ingest_known {
    nrs_store_table_t table, age;
    uint64_t max;
    uint64_t batch; // number of the next record of the age table; 0: not yet looked up

    // What the batch under way brings: a list, and a table of open addressing into it (0: free,
    // else index + 1).
    s_entry_t *entries; // owned
    size_t count, room;
    uint32_t *slots; // owned; twice `room` of them
};

nrs_err_t
ingest_known_open(nrs_store_t *store, uint64_t max, ingest_known_t **ret_known)
{
    NRS_AUTO(ingest_known) self = nrs_new0(ingest_known_t);
    self->max = max;
    self->room = 4096;
    self->entries = nrs_alloc0(self->room, sizeof *self->entries);
    self->slots = nrs_alloc0(2 * self->room, sizeof *self->slots);
    nrs_err_t err = nrs_store_table(store, "known", &self->table);
    if (!err)
        err = nrs_store_table(store, "known-age", &self->age);
    if (err)
        return err;
    *ret_known = NRS_TAKE(self);
    return NRS_OK;
}

void
ingest_known_destroy(ingest_known_t **self_p)
{
    ingest_known_t *self = *self_p;
    if (!self)
        return;
    free(self->entries);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

// The slot that holds the id, or the free one where it would go. The end of an id is part of a
// SHA-256.
static uint32_t *
s_slot(const ingest_known_t *self, const uint8_t *id)
{
    size_t mask = 2 * self->room - 1;
    size_t i = nrs_get_le64(id + NRS_ID_BYTES - 8) & mask;
    while (self->slots[i] && memcmp(self->entries[self->slots[i] - 1].id, id, NRS_ID_BYTES) != 0)
        i = (i + 1) & mask;
    return &self->slots[i];
}

static void
s_grow(ingest_known_t *self)
{
    self->room *= 2;
    self->entries = nrs_realloc(self->entries, self->room * sizeof *self->entries);
    free(self->slots);
    self->slots = nrs_alloc0(2 * self->room, sizeof *self->slots);
    for (size_t i = 0; i < self->count; i++)
        *s_slot(self, self->entries[i].id) = (uint32_t)(i + 1);
}

nrs_err_t
ingest_known_get(ingest_known_t *self, nrs_txn_t *txn, const uint8_t id[NRS_ID_BYTES],
                 nrs_origin_place_t *ret_place)
{
    uint32_t pending = *s_slot(self, id);
    if (pending) {
        *ret_place = self->entries[pending - 1].place;
        return NRS_OK;
    }
    nrs_bytes_t value;
    nrs_err_t err = nrs_txn_get(txn, self->table, nrs_bytes(id, NRS_ID_BYTES), &value);
    if (err)
        return err;
    if (value.size != S_VALUE_BYTES)
        return NRS_E_CORRUPT;
    *ret_place = (nrs_origin_place_t){ .lane = nrs_get_be16(value.data),
                                       .epoch = nrs_get_be32(value.data + 2),
                                       .offset = nrs_get_be64(value.data + 6) };
    return NRS_OK;
}

void
ingest_known_put(ingest_known_t *self, const uint8_t id[NRS_ID_BYTES],
                 const nrs_origin_place_t *place)
{
    if (self->count == self->room)
        s_grow(self);
    s_entry_t *entry = &self->entries[self->count++];
    memcpy(entry->id, id, NRS_ID_BYTES);
    entry->place = *place;
    *s_slot(self, id) = (uint32_t)self->count;
}

void
ingest_known_forget(ingest_known_t *self)
{
    if (self->count == 0)
        return;
    self->count = 0;
    memset(self->slots, 0, 2 * self->room * sizeof *self->slots);
}

// --- save ----------------------------------------------------------------------------------------

static int
s_by_id(const void *a, const void *b)
{
    return memcmp(((const s_entry_t *)a)->id, ((const s_entry_t *)b)->id, NRS_ID_BYTES);
}

static nrs_err_t
s_save_places(ingest_known_t *self, nrs_txn_t *txn)
{
    for (size_t i = 0; i < self->count; i++) {
        uint8_t value[S_VALUE_BYTES];
        nrs_put_be16(value, self->entries[i].place.lane);
        nrs_put_be32(value + 2, self->entries[i].place.epoch);
        nrs_put_be64(value + 6, self->entries[i].place.offset);
        nrs_err_t err = nrs_txn_put(txn, self->table, nrs_bytes(self->entries[i].id, NRS_ID_BYTES),
                                    nrs_bytes(value, sizeof value));
        if (err)
            return err;
    }
    return NRS_OK;
}

// The number behind the last record of the age table.
static nrs_err_t
s_find_batch(ingest_known_t *self, nrs_txn_t *txn)
{
    static const uint8_t last[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    nrs_bytes_t key, value;
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->age, &scan);
    if (!err)
        err = nrs_scan_seek_back(scan, nrs_bytes(last, sizeof last), &key, &value);
    if (err && err != NRS_E_ABSENT)
        return err;
    self->batch = err ? 1 : nrs_get_be64(key.data) + 1;
    return NRS_OK;
}

static nrs_err_t
s_save_age(ingest_known_t *self, nrs_txn_t *txn)
{
    if (self->batch == 0) {
        nrs_err_t err = s_find_batch(self, txn);
        if (err)
            return err;
    }
    for (size_t from = 0; from < self->count;) {
        size_t count = self->count - from < S_AGE_IDS_MAX ? self->count - from : S_AGE_IDS_MAX;
        uint8_t key[8], *room;
        nrs_put_be64(key, self->batch++);
        nrs_err_t err = nrs_txn_reserve(txn, self->age, nrs_bytes(key, sizeof key),
                                        count * NRS_ID_BYTES, &room);
        if (err)
            return err;
        for (size_t i = 0; i < count; i++)
            memcpy(room + i * NRS_ID_BYTES, self->entries[from + i].id, NRS_ID_BYTES);
        from += count;
    }
    return NRS_OK;
}

static nrs_err_t
s_drop_ids(ingest_known_t *self, nrs_txn_t *txn, nrs_bytes_t ids)
{
    for (size_t i = 0; i + NRS_ID_BYTES <= ids.size; i += NRS_ID_BYTES) {
        nrs_err_t err = nrs_txn_drop(txn, self->table, nrs_bytes(ids.data + i, NRS_ID_BYTES));
        if (err && err != NRS_E_ABSENT)
            return err;
    }
    return NRS_OK;
}

// The ids that came first go: one record of the age table.
static nrs_err_t
s_drop_oldest(ingest_known_t *self, nrs_txn_t *txn, size_t *ret_dropped)
{
    nrs_bytes_t key, value;
    uint8_t number[8];
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->age, &scan);
    if (!err)
        err = nrs_scan_seek(scan, nrs_bytes("", 1), &key, &value);
    if (err)
        return err;
    if (key.size != sizeof number)
        return NRS_E_CORRUPT;
    memcpy(number, key.data, sizeof number);
    nrs_scan_destroy(&scan); // before the transaction writes
    nrs_buf_t ids = { 0 };   // the value does not outlive the first drop
    nrs_buf_put(&ids, value.data, value.size);
    err = s_drop_ids(self, txn, nrs_buf_bytes(&ids));
    *ret_dropped = ids.size / NRS_ID_BYTES;
    nrs_buf_free(&ids);
    return err ? err : nrs_txn_drop(txn, self->age, nrs_bytes(number, sizeof number));
}

nrs_err_t
ingest_known_save(ingest_known_t *self, nrs_txn_t *txn)
{
    if (self->count == 0)
        return NRS_OK;
    qsort(self->entries, self->count, sizeof *self->entries, s_by_id);
    nrs_err_t err = s_save_places(self, txn);
    if (!err)
        err = s_save_age(self, txn);
    size_t budget = S_DROP_FACTOR * self->count;
    while (!err && budget > 0 && nrs_txn_count(txn, self->table) > self->max) {
        size_t dropped = 0;
        err = s_drop_oldest(self, txn, &dropped);
        budget = dropped < budget ? budget - dropped : 0;
    }
    ingest_known_forget(self);
    return err == NRS_E_ABSENT ? NRS_OK : err;
}
