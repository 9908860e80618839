// store_memory.c - stores in memory. A table is a tree that keeps its past: a snapshot is one more owner of its root,
// an abort lets go of the new roots, a commit puts them in place of the old ones.

#include "common/disk_part.h"

#include <stdlib.h>

enum {
    KEY_MAX = 511,     // as LMDB's
    COPIES_SHARE = 32, // one part in so many of the limit is for the copies that a transaction makes
};

typedef struct s_store {
    nrs_store_t base;
    nrs_disk_image_t *image;
    uint64_t cuts;         // of the image, when this was opened
    unsigned tables;
    unsigned numbers[NRS_STORE_TABLES_MAX]; // of our tables among the image's
    bool writing;          // a transaction of each kind is open: as LMDB, one of each in a thread
    bool reading;
} s_store_t;

typedef struct s_txn {
    nrs_txn_t base;
    bool write;
    bool failed;            // as LMDB: after a write that found no room, nothing works but to abort
    nrs_disk_moment_t seen; // with its own writes
} s_txn_t;

typedef struct s_scan {
    nrs_scan_t base;
    s_txn_t *txn;
    nrs_store_table_t table;
    bool placed;           // a seek has found something
    bool standing;         // the entry is there; else: dropped, and next is what follows
    size_t key_size;
    uint8_t key[KEY_MAX];  // where it stands
} s_scan_t;

static const nrs_store_ops_t s_ops;

// --- stores --------------------------------------------------------------------------------------

static s_store_t *
s_store(nrs_store_t *store)
{
    return (s_store_t *)store;
}

static bool
s_has_power(const s_store_t *self)
{
    return self->cuts == self->image->cuts;
}

static void
s_destroy(nrs_store_t *store)
{
    s_store_t *self = s_store(store);
    NRS_ASSERT(!self->writing && !self->reading);
    if (!store->read_only && s_has_power(self))
        self->image->has_writer = false;
    self->image->open_stores--;
    free(self);
}

nrs_store_t *
nrs_store_memory_new(nrs_disk_image_t *image, const nrs_store_options_t *options)
{
    s_store_t *self = nrs_new0(s_store_t);
    nrs_store_init(&self->base, &s_ops, options);
    self->image = image;
    self->cuts = image->cuts;
    image->open_stores++;
    if (!options->read_only)
        image->made = image->has_writer = true;
    return &self->base;
}

static nrs_err_t
s_table(nrs_store_t *store, const char *name, nrs_store_table_t *ret_table)
{
    s_store_t *self = s_store(store);
    nrs_disk_image_t *image = self->image;
    NRS_ASSERT(self->tables < NRS_STORE_TABLES_MAX && !self->writing);
    if (!s_has_power(self))
        return NRS_E_IO;
    unsigned number = 0;
    while (number < image->now.count && strcmp(image->names[number], name) != 0)
        number++;
    if (number == image->now.count) {
        if (store->read_only)
            return NRS_E_ABSENT;
        NRS_ASSERT(number < NRS_STORE_TABLES_MAX);
        image->names[image->now.count++] = nrs_strdup(name);
    }
    self->numbers[self->tables] = number;
    *ret_table = self->tables++;
    return NRS_OK;
}

static void
s_use(nrs_store_t *store, uint64_t *ret_file_bytes, uint64_t *ret_used_bytes)
{
    const nrs_disk_image_t *image = s_store(store)->image;
    *ret_used_bytes = nrs_disk_moment_bytes(&image->now);
    *ret_file_bytes = image->file_bytes > *ret_used_bytes ? image->file_bytes : *ret_used_bytes;
}

static bool
s_below(nrs_store_t *store, uint64_t limit_bytes)
{
    return nrs_disk_moment_bytes(&s_store(store)->image->now) < limit_bytes;
}

// --- transactions --------------------------------------------------------------------------------

static s_txn_t *
s_txn(nrs_txn_t *txn)
{
    return (s_txn_t *)txn;
}

// The table as the transaction sees it; NULL: it began before the table was made, or it can do nothing any more.
static nrs_disk_table_t *
s_seen(s_txn_t *self, nrs_store_table_t table)
{
    const s_store_t *store = s_store(self->base.store);
    NRS_ASSERT(table < store->tables);
    unsigned number = store->numbers[table];
    return self->failed || number >= self->seen.count ? NULL : &self->seen.tables[number];
}

static nrs_err_t
s_begin(nrs_store_t *base, bool write, nrs_txn_t **ret_txn)
{
    s_store_t *store = s_store(base);
    NRS_ASSERT(!write || !store->writing); // LMDB would wait for ever
    if (!s_has_power(store) || (write && base->read_only) || (!write && store->reading))
        return NRS_E_IO;
    *(write ? &store->writing : &store->reading) = true;
    s_txn_t *self = nrs_new0(s_txn_t);
    self->base = (nrs_txn_t){ &s_ops, base };
    self->write = write;
    nrs_disk_moment_keep(&self->seen, &store->image->now);
    *ret_txn = &self->base;
    return NRS_OK;
}

static void
s_abort(nrs_txn_t *txn)
{
    s_txn_t *self = s_txn(txn);
    s_store_t *store = s_store(txn->store);
    *(self->write ? &store->writing : &store->reading) = false;
    nrs_disk_moment_let_go(&self->seen);
    free(self);
}

// Does this commit reach the disk?
static nrs_err_t
s_commit_err(const s_txn_t *self, nrs_disk_image_t *image)
{
    if (self->failed || !s_has_power(s_store(self->base.store)))
        return NRS_E_IO;
    return image->fail_in > 0 && --image->fail_in == 0 ? image->fail_err : NRS_OK;
}

static nrs_err_t
s_commit(nrs_txn_t *txn)
{
    s_txn_t *self = s_txn(txn);
    nrs_disk_image_t *image = s_store(txn->store)->image;
    nrs_err_t err = self->write ? s_commit_err(self, image) : NRS_OK;
    if (self->write && !err) {
        nrs_disk_moment_t before = image->now;
        image->now = self->seen;
        self->seen = before; // let go with the transaction
        uint64_t bytes = nrs_disk_moment_bytes(&image->now);
        image->file_bytes = bytes > image->file_bytes ? bytes : image->file_bytes;
    }
    s_abort(txn);
    return err;
}

static nrs_err_t
s_get(nrs_txn_t *txn, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t *ret_value)
{
    const nrs_disk_table_t *seen = s_seen(s_txn(txn), table);
    if (!seen || key.size == 0)
        return NRS_E_IO;
    nrs_bytes_t found;
    return nrs_tree_find(seen->root, NRS_TREE_AT, key, &found, ret_value) ? NRS_OK : NRS_E_ABSENT;
}

static nrs_err_t
s_drop(nrs_txn_t *txn, nrs_store_table_t table, nrs_bytes_t key)
{
    s_txn_t *self = s_txn(txn);
    nrs_disk_table_t *seen = s_seen(self, table);
    if (!seen || !self->write || key.size == 0)
        return NRS_E_IO;
    nrs_bytes_t found, value;
    if (!nrs_tree_find(seen->root, NRS_TREE_AT, key, &found, &value))
        return NRS_E_ABSENT;
    nrs_disk_table_reckon(seen, found.size, value.size, -1);
    nrs_tree_drop(&seen->root, key);
    return NRS_OK;
}

// Put a value, or room for one (no data). The copy is made before the old value goes: it may be what is put.
static nrs_err_t
s_write(nrs_txn_t *txn, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value, uint8_t **ret_room)
{
    s_txn_t *self = s_txn(txn);
    nrs_disk_table_t *seen = s_seen(self, table);
    if (!seen || !self->write || key.size == 0 || key.size > KEY_MAX)
        return NRS_E_IO;
    nrs_disk_table_t before = *seen;
    nrs_bytes_t found, old;
    if (nrs_tree_find(seen->root, NRS_TREE_AT, key, &found, &old))
        nrs_disk_table_reckon(seen, found.size, old.size, -1);
    nrs_disk_table_reckon(seen, key.size, value.size, 1);
    uint64_t limit = txn->store->bytes_max - txn->store->bytes_max / COPIES_SHARE;
    if (nrs_disk_moment_bytes(&self->seen) > limit) {
        *seen = before;
        self->failed = true;
        return NRS_E_FULL;
    }
    *ret_room = nrs_tree_put(&seen->root, key, value);
    return NRS_OK;
}

static nrs_err_t
s_put(nrs_txn_t *txn, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value)
{
    uint8_t *room;
    return s_write(txn, table, key, value, &room);
}

static nrs_err_t
s_reserve(nrs_txn_t *txn, nrs_store_table_t table, nrs_bytes_t key, size_t bytes, uint8_t **ret_room)
{
    return s_write(txn, table, key, nrs_bytes(NULL, bytes), ret_room);
}

static uint64_t
s_count(nrs_txn_t *txn, nrs_store_table_t table)
{
    const nrs_disk_table_t *seen = s_seen(s_txn(txn), table);
    return seen ? seen->count : 0;
}

// --- scans: a scan knows the key that it stands on, and looks for its neighbour anew at each step -

static s_scan_t *
s_scan(nrs_scan_t *scan)
{
    return (s_scan_t *)scan;
}

static nrs_err_t
s_scan_open(nrs_txn_t *txn, nrs_store_table_t table, nrs_scan_t **ret_scan)
{
    if (!s_seen(s_txn(txn), table))
        return NRS_E_IO;
    s_scan_t *self = nrs_new0(s_scan_t);
    self->base.ops = &s_ops;
    self->txn = s_txn(txn);
    self->table = table;
    *ret_scan = &self->base;
    return NRS_OK;
}

static void
s_scan_destroy(nrs_scan_t *scan)
{
    free(s_scan(scan));
}

static nrs_err_t
s_scan_to(s_scan_t *self, nrs_tree_at_t at, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    const nrs_disk_table_t *seen = s_seen(self->txn, self->table);
    if (!seen)
        return NRS_E_IO;
    if (!nrs_tree_find(seen->root, at, key, ret_key, ret_value))
        return NRS_E_ABSENT;
    self->placed = self->standing = true;
    self->key_size = ret_key->size;
    memcpy(self->key, ret_key->data, ret_key->size);
    return NRS_OK;
}

static nrs_err_t
s_scan_seek(nrs_scan_t *scan, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    s_scan_t *self = s_scan(scan);
    self->placed = false;
    return s_scan_to(self, NRS_TREE_FROM, key, ret_key, ret_value);
}

static nrs_err_t
s_scan_seek_back(nrs_scan_t *scan, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    s_scan_t *self = s_scan(scan);
    self->placed = false;
    return key.size == 0 ? NRS_E_IO : s_scan_to(self, NRS_TREE_UP_TO, key, ret_key, ret_value);
}

// At the end of the table it stays where it is.
static nrs_err_t
s_scan_step(s_scan_t *self, nrs_tree_at_t at, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    NRS_ASSERT(self->placed);
    return s_scan_to(self, at, nrs_bytes(self->key, self->key_size), ret_key, ret_value);
}

static nrs_err_t
s_scan_next(nrs_scan_t *scan, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return s_scan_step(s_scan(scan), NRS_TREE_AFTER, ret_key, ret_value);
}

static nrs_err_t
s_scan_back(nrs_scan_t *scan, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return s_scan_step(s_scan(scan), NRS_TREE_BEFORE, ret_key, ret_value);
}

static nrs_err_t
s_scan_drop(nrs_scan_t *scan)
{
    s_scan_t *self = s_scan(scan);
    NRS_ASSERT(self->placed && self->standing);
    self->standing = false;
    return s_drop(&self->txn->base, self->table, nrs_bytes(self->key, self->key_size));
}

static const nrs_store_ops_t s_ops = {
    .destroy = s_destroy,
    .table = s_table,
    .use = s_use,
    .below = s_below,
    .begin = s_begin,
    .commit = s_commit,
    .abort = s_abort,
    .get = s_get,
    .put = s_put,
    .reserve = s_reserve,
    .drop = s_drop,
    .count = s_count,
    .scan_open = s_scan_open,
    .scan_destroy = s_scan_destroy,
    .scan_seek = s_scan_seek,
    .scan_seek_back = s_scan_seek_back,
    .scan_next = s_scan_next,
    .scan_back = s_scan_back,
    .scan_drop = s_scan_drop,
};
