// store.c - what is the same for every store: its own record, its limits, and the way to its implementation

#include "common/store_part.h"

enum {
    STORE_VERSION = 1,     // of the table set and of the store's own record
    ROOM_PERCENT = 85,     // intake stops here, so that trimming always has pages to copy into,
    ROOM_BYTES = 8 << 20,  // and a batch of the usual size always fits
};

static const uint64_t s_bytes_max_default = UINT64_C(64) << 30;
static const char s_record_key[] = "noroshi.store";
static const char s_record_magic[] = "NRSTORE";

void
nrs_store_init(nrs_store_t *self, const nrs_store_ops_t *ops, const nrs_store_options_t *options)
{
    self->ops = ops;
    self->read_only = options->read_only;
    self->bytes_max = options->bytes_max ? options->bytes_max : s_bytes_max_default;
}

nrs_err_t
nrs_store_check_record(nrs_store_t *self, const char *path, nrs_problem_t *reterr)
{
    nrs_store_table_t table;
    nrs_err_t err = nrs_store_table(self, "store", &table);
    if (err)
        return nrs_problem_set(reterr, err, path, 0, 0, "is no store of Noroshi");
    NRS_AUTO(nrs_txn) txn = NULL;
    err = nrs_txn_begin(self, !self->read_only, &txn);
    if (err)
        return nrs_problem_set(reterr, err, path, 0, 0, "cannot be read");
    uint8_t record[sizeof s_record_magic + 1];
    memcpy(record, s_record_magic, sizeof s_record_magic);
    record[sizeof s_record_magic] = STORE_VERSION;
    nrs_bytes_t found = NRS_NONE;
    err = nrs_txn_get(txn, table, nrs_text(s_record_key), &found);
    if (err == NRS_E_ABSENT && !self->read_only) {
        err = nrs_txn_put(txn, table, nrs_text(s_record_key), nrs_bytes(record, sizeof record));
        err = err ? err : nrs_txn_commit(&txn);
        return err ? nrs_problem_set(reterr, err, path, 0, 0, "cannot be written to") : NRS_OK;
    }
    if (err || found.size != sizeof record || memcmp(found.data, record, sizeof s_record_magic) != 0)
        return nrs_problem_set(reterr, NRS_E_CORRUPT, path, 0, 0, "is no store of Noroshi");
    if (found.data[sizeof record - 1] > STORE_VERSION)
        return nrs_problem_set(reterr, NRS_E_VERSION, path, 0, 0,
                               "was written by a newer version (%u; this one knows %d)",
                               found.data[sizeof record - 1], STORE_VERSION);
    return NRS_OK;
}

void
nrs_store_destroy(nrs_store_t **self_p)
{
    if (*self_p)
        (*self_p)->ops->destroy(*self_p);
    *self_p = NULL;
}

nrs_err_t
nrs_store_table(nrs_store_t *self, const char *name, nrs_store_table_t *ret_table)
{
    return self->ops->table(self, name, ret_table);
}

void
nrs_store_use(nrs_store_t *self, nrs_store_use_t *ret_use)
{
    *ret_use = (nrs_store_use_t){ .bytes_max = self->bytes_max, .commits = self->commits };
    self->ops->use(self, &ret_use->file_bytes, &ret_use->used_bytes);
}

bool
nrs_store_has_room(nrs_store_t *self)
{
    uint64_t limit = self->bytes_max / 100 * ROOM_PERCENT;
    if (self->bytes_max - limit < ROOM_BYTES)
        limit = self->bytes_max > ROOM_BYTES ? self->bytes_max - ROOM_BYTES : 0;
    return self->ops->below(self, limit);
}

// --- transactions --------------------------------------------------------------------------------

nrs_err_t
nrs_txn_begin(nrs_store_t *store, bool write, nrs_txn_t **ret_txn)
{
    return store->ops->begin(store, write, ret_txn);
}

nrs_err_t
nrs_txn_commit(nrs_txn_t **self_p)
{
    nrs_txn_t *self = NRS_TAKE(*self_p);
    nrs_store_t *store = self->store;
    nrs_err_t err = self->ops->commit(self);
    if (!err)
        store->commits++;
    return err;
}

void
nrs_txn_destroy(nrs_txn_t **self_p)
{
    if (*self_p)
        (*self_p)->ops->abort(*self_p);
    *self_p = NULL;
}

nrs_err_t
nrs_txn_get(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t *ret_value)
{
    return self->ops->get(self, table, key, ret_value);
}

nrs_err_t
nrs_txn_put(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value)
{
    return self->ops->put(self, table, key, value);
}

nrs_err_t
nrs_txn_reserve(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, size_t bytes, uint8_t **ret_room)
{
    return self->ops->reserve(self, table, key, bytes, ret_room);
}

nrs_err_t
nrs_txn_drop(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key)
{
    return self->ops->drop(self, table, key);
}

uint64_t
nrs_txn_count(nrs_txn_t *self, nrs_store_table_t table)
{
    return self->ops->count(self, table);
}

// --- scans ---------------------------------------------------------------------------------------

nrs_err_t
nrs_scan_open(nrs_txn_t *txn, nrs_store_table_t table, nrs_scan_t **ret_scan)
{
    return txn->ops->scan_open(txn, table, ret_scan);
}

void
nrs_scan_destroy(nrs_scan_t **self_p)
{
    if (*self_p)
        (*self_p)->ops->scan_destroy(*self_p);
    *self_p = NULL;
}

nrs_err_t
nrs_scan_seek(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return self->ops->scan_seek(self, key, ret_key, ret_value);
}

nrs_err_t
nrs_scan_seek_back(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return self->ops->scan_seek_back(self, key, ret_key, ret_value);
}

nrs_err_t
nrs_scan_next(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return self->ops->scan_next(self, ret_key, ret_value);
}

nrs_err_t
nrs_scan_back(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    return self->ops->scan_back(self, ret_key, ret_value);
}

nrs_err_t
nrs_scan_drop(nrs_scan_t *self)
{
    return self->ops->scan_drop(self);
}
