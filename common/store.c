#include "common/store.h"

#include "common/files.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TABLES_MAX = 32,
    STORE_VERSION = 1,     // of the table set and of the store's own record
    PATH_ROOM = 4096,
    TOUCHES = 256,         // look-ups and writes between two looks at what is mapped in: 16 MiB at the most
    ROOM_PERCENT = 85,     // intake stops here, so that trimming always has pages to copy into,
    ROOM_BYTES = 8 << 20,  // and a batch of the usual size always fits
};

static const uint64_t s_bytes_max_default = UINT64_C(64) << 30;
static const uint64_t s_map_start = UINT64_C(1) << 30;
static const uint64_t s_resident_default = UINT64_C(24) << 20;
static const char s_record_key[] = "noroshi.store";
static const char s_record_magic[] = "NRSTORE";

struct nrs_store {
    MDB_env *env;
    int lock_fd;           // held while a writer has the store open
    bool read_only;
    unsigned tables;
    MDB_dbi dbis[TABLES_MAX];
    uint64_t bytes_max;
    uint64_t resident_bytes;
    uint64_t commits;
    uint64_t map_bytes;    // size of the map now; grows towards bytes_max
    void *map;             // where it is; NULL: not looked for yet
    uint64_t map_found_bytes;
    int statm_fd;          // /proc/self/statm
    unsigned touches;      // look-ups and writes since what is mapped was last looked at
    unsigned open_txns;    // the map can only grow while there is none
};

struct nrs_txn {
    nrs_store_t *store;
    MDB_txn *txn;
};

struct nrs_scan {
    MDB_cursor *cursor;
};

// LMDB's codes as ours. Everything that is not a question of room or presence is the world failing.
static nrs_err_t
s_err(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return NRS_OK;
    case MDB_NOTFOUND:
        return NRS_E_ABSENT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return NRS_E_FULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return NRS_E_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return NRS_E_VERSION;
    default:
        return NRS_E_IO;
    }
}

static MDB_val
s_val(nrs_bytes_t bytes)
{
    return (MDB_val){ bytes.size, (void *)(uintptr_t)bytes.data };
}

static nrs_bytes_t
s_bytes(MDB_val value)
{
    return nrs_bytes(value.mv_data, value.mv_size);
}

// --- open ----------------------------------------------------------------------------------------

// One writer at a time: an advisory lock on a file of its own, let go by the kernel whatever becomes of us.
static nrs_err_t
s_take_lock(nrs_store_t *self, const char *path, nrs_problem_t *reterr)
{
    char name[PATH_ROOM];
    snprintf(name, sizeof name, "%s/writer", path);
    self->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be written to: %s",
                               strerror(errno));
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return nrs_problem_set(reterr, NRS_E_EXISTS, path, 0, 0,
                               "another process has this store open; stop it first");
    return NRS_OK;
}

static nrs_err_t
s_open_env(nrs_store_t *self, const char *path, nrs_problem_t *reterr)
{
    int code = mdb_env_create(&self->env);
    if (code == 0)
        code = mdb_env_set_maxdbs(self->env, TABLES_MAX);
    if (code == 0)
        code = mdb_env_set_mapsize(self->env, self->map_bytes);
    unsigned flags = MDB_NORDAHEAD | (self->read_only ? MDB_RDONLY : 0);
    if (code == 0)
        code = mdb_env_open(self->env, path, flags, 0600);
    if (code != 0)
        return nrs_problem_set(reterr, s_err(code), path, 0, 0, "cannot be opened: %s",
                               mdb_strerror(code));
    MDB_envinfo info; // a file that has grown beyond the start brings its own size
    if (mdb_env_info(self->env, &info) == 0)
        self->map_bytes = info.me_mapsize;
    int dead_readers;
    mdb_reader_check(self->env, &dead_readers); // a killed reader would pin pages for ever
    return NRS_OK;
}

// The store's own record says who wrote the rest.
static nrs_err_t
s_check_record(nrs_store_t *self, const char *path, nrs_problem_t *reterr)
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

nrs_err_t
nrs_store_open(const nrs_store_options_t *options, nrs_problem_t *reterr, nrs_store_t **ret_store)
{
    NRS_AUTO(nrs_store) self = nrs_new0(nrs_store_t);
    self->lock_fd = -1;
    self->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    self->read_only = options->read_only;
    self->bytes_max = options->bytes_max ? options->bytes_max : s_bytes_max_default;
    self->map_bytes = self->bytes_max < s_map_start ? self->bytes_max : s_map_start;
    self->resident_bytes = options->resident_bytes ? options->resident_bytes : s_resident_default;
    nrs_err_t err = self->read_only ? NRS_OK : nrs_files_make_directory(options->path, reterr);
    err = err || self->read_only ? err : s_take_lock(self, options->path, reterr);
    err = err ? err : s_open_env(self, options->path, reterr);
    err = err ? err : s_check_record(self, options->path, reterr);
    if (err)
        return err;
    *ret_store = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_store_destroy(nrs_store_t **self_p)
{
    nrs_store_t *self = *self_p;
    if (!self)
        return;
    if (self->env)
        mdb_env_close(self->env);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    if (self->statm_fd >= 0)
        close(self->statm_fd);
    free(self);
    *self_p = NULL;
}

nrs_err_t
nrs_store_table(nrs_store_t *self, const char *name, nrs_store_table_t *ret_table)
{
    NRS_ASSERT(self->tables < TABLES_MAX);
    MDB_txn *txn;
    int code = mdb_txn_begin(self->env, NULL, self->read_only ? MDB_RDONLY : 0, &txn);
    if (code)
        return s_err(code);
    MDB_dbi dbi;
    code = mdb_dbi_open(txn, name, self->read_only ? 0 : MDB_CREATE, &dbi);
    if (code) {
        mdb_txn_abort(txn);
        return s_err(code);
    }
    code = mdb_txn_commit(txn);
    if (code)
        return s_err(code);
    self->dbis[self->tables] = dbi;
    *ret_table = self->tables++;
    return NRS_OK;
}

// --- how full it is ------------------------------------------------------------------------------

// Pages in use: those of every table. What LMDB keeps on its free list is room.
static uint64_t
s_used_pages(nrs_store_t *self)
{
    MDB_txn *txn;
    if (mdb_txn_begin(self->env, NULL, MDB_RDONLY, &txn))
        return 0;
    uint64_t pages = 0;
    for (unsigned i = 0; i < self->tables; i++) {
        MDB_stat stat;
        if (mdb_stat(txn, self->dbis[i], &stat) == 0)
            pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    mdb_txn_abort(txn);
    return pages;
}

static uint64_t
s_page_bytes(nrs_store_t *self)
{
    MDB_stat stat;
    return mdb_env_stat(self->env, &stat) == 0 ? stat.ms_psize : 4096;
}

void
nrs_store_use(nrs_store_t *self, nrs_store_use_t *ret_use)
{
    MDB_envinfo info;
    uint64_t page = s_page_bytes(self);
    uint64_t last = mdb_env_info(self->env, &info) == 0 ? info.me_last_pgno + 1 : 0;
    *ret_use = (nrs_store_use_t){
        .bytes_max = self->bytes_max,
        .file_bytes = last * page,
        .used_bytes = s_used_pages(self) * page,
        .commits = self->commits,
    };
}

bool
nrs_store_has_room(nrs_store_t *self)
{
    MDB_envinfo info;
    uint64_t page = s_page_bytes(self);
    uint64_t limit = self->bytes_max / 100 * ROOM_PERCENT;
    if (self->bytes_max - limit < ROOM_BYTES)
        limit = self->bytes_max > ROOM_BYTES ? self->bytes_max - ROOM_BYTES : 0;
    if (mdb_env_info(self->env, &info) == 0 && (info.me_last_pgno + 1) * page < limit)
        return true; // the file itself is below: the usual case, without a transaction
    return s_used_pages(self) * page < limit;
}

// Where the file is mapped: LMDB does not tell, the kernel does. The map moves when it grows.
static void
s_find_map(nrs_store_t *self)
{
    struct stat file;
    int fd;
    char line[512];
    self->map = NULL;
    if (mdb_env_get_fd(self->env, &fd) || fstat(fd, &file) != 0)
        return;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to, inode;
        if (sscanf(line, "%lx-%lx %*s %*x %*x:%*x %lu", &from, &to, &inode) == 3 && inode == file.st_ino) {
            self->map = (void *)from;
            self->map_found_bytes = to - from;
            break;
        }
    }
    if (maps)
        fclose(maps);
}

// Bytes of files that this process has mapped in now (proc(5), statm: the third number, in pages).
static uint64_t
s_mapped_in(const nrs_store_t *self)
{
    char text[128];
    unsigned long pages = 0;
    ssize_t got = self->statm_fd < 0 ? -1 : pread(self->statm_fd, text, sizeof text - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = 0;
    return sscanf(text, "%*u %*u %lu", &pages) == 1 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

// Let go of mapped pages when they have become many: they stay in the page cache, but no longer count as this process's
// memory.
static void
s_trim_resident(nrs_store_t *self)
{
    if (s_mapped_in(self) <= self->resident_bytes)
        return;
    if (!self->map || self->map_found_bytes != self->map_bytes)
        s_find_map(self);
    if (self->map)
        madvise(self->map, self->map_found_bytes, MADV_DONTNEED);
}

// --- transactions --------------------------------------------------------------------------------

// Double the map while the file fills more than half of it: one batch never writes that much.
static void
s_grow_map(nrs_store_t *self)
{
    MDB_envinfo info;
    if (self->map_bytes >= self->bytes_max || mdb_env_info(self->env, &info))
        return;
    if ((info.me_last_pgno + 1) * s_page_bytes(self) < self->map_bytes / 2)
        return;
    uint64_t next = self->map_bytes * 2 < self->bytes_max ? self->map_bytes * 2 : self->bytes_max;
    if (mdb_env_set_mapsize(self->env, next) == 0)
        self->map_bytes = next;
}

nrs_err_t
nrs_txn_begin(nrs_store_t *store, bool write, nrs_txn_t **ret_txn)
{
    if (write && store->open_txns == 0)
        s_grow_map(store);
    NRS_AUTO(nrs_txn) self = nrs_new0(nrs_txn_t);
    self->store = store;
    int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &self->txn);
    if (code == MDB_MAP_RESIZED && store->open_txns == 0) { // looking from outside, and the writer has grown it
        code = mdb_env_set_mapsize(store->env, 0);
        code = code ? code : mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &self->txn);
    }
    if (code)
        return s_err(code);
    store->open_txns++;
    *ret_txn = NRS_TAKE(self);
    return NRS_OK;
}

nrs_err_t
nrs_txn_commit(nrs_txn_t **self_p)
{
    nrs_txn_t *self = *self_p;
    nrs_store_t *store = self->store;
    MDB_txn *txn = self->txn;
    self->txn = NULL;
    store->open_txns--;
    int code = mdb_txn_commit(txn);
    nrs_txn_destroy(self_p);
    if (code)
        return s_err(code);
    store->commits++;
    return NRS_OK;
}

void
nrs_txn_destroy(nrs_txn_t **self_p)
{
    nrs_txn_t *self = *self_p;
    if (!self)
        return;
    if (self->txn) {
        mdb_txn_abort(self->txn);
        self->store->open_txns--;
    }
    free(self);
    *self_p = NULL;
}

// One page more may be mapped in, with its neighbours. Letting go of a page does no harm at any time: it is read again
// from the page cache when it is wanted, at the same address.
static inline void
s_touch(nrs_store_t *self)
{
    if (++self->touches < TOUCHES)
        return;
    self->touches = 0;
    s_trim_resident(self);
}

nrs_err_t
nrs_txn_get(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t *ret_value)
{
    MDB_val k = s_val(key), v;
    s_touch(self->store);
    int code = mdb_get(self->txn, self->store->dbis[table], &k, &v);
    if (code)
        return s_err(code);
    *ret_value = s_bytes(v);
    return NRS_OK;
}

nrs_err_t
nrs_txn_put(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value)
{
    MDB_val k = s_val(key), v = s_val(value);
    s_touch(self->store);
    return s_err(mdb_put(self->txn, self->store->dbis[table], &k, &v, 0));
}

nrs_err_t
nrs_txn_reserve(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, size_t bytes, uint8_t **ret_room)
{
    MDB_val k = s_val(key), v = { bytes, NULL };
    s_touch(self->store);
    int code = mdb_put(self->txn, self->store->dbis[table], &k, &v, MDB_RESERVE);
    if (code)
        return s_err(code);
    *ret_room = v.mv_data;
    return NRS_OK;
}

nrs_err_t
nrs_txn_drop(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key)
{
    MDB_val k = s_val(key);
    return s_err(mdb_del(self->txn, self->store->dbis[table], &k, NULL));
}

uint64_t
nrs_txn_count(nrs_txn_t *self, nrs_store_table_t table)
{
    MDB_stat stat;
    return mdb_stat(self->txn, self->store->dbis[table], &stat) == 0 ? stat.ms_entries : 0;
}

// --- scans ---------------------------------------------------------------------------------------

nrs_err_t
nrs_scan_open(nrs_txn_t *txn, nrs_store_table_t table, nrs_scan_t **ret_scan)
{
    NRS_AUTO(nrs_scan) self = nrs_new0(nrs_scan_t);
    int code = mdb_cursor_open(txn->txn, txn->store->dbis[table], &self->cursor);
    if (code)
        return s_err(code);
    *ret_scan = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_scan_destroy(nrs_scan_t **self_p)
{
    nrs_scan_t *self = *self_p;
    if (!self)
        return;
    if (self->cursor)
        mdb_cursor_close(self->cursor);
    free(self);
    *self_p = NULL;
}

static nrs_err_t
s_scan(nrs_scan_t *self, MDB_cursor_op op, MDB_val *key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    MDB_val value;
    int code = mdb_cursor_get(self->cursor, key, &value, op);
    if (code)
        return s_err(code);
    *ret_key = s_bytes(*key);
    *ret_value = s_bytes(value);
    return NRS_OK;
}

nrs_err_t
nrs_scan_seek(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    MDB_val k = s_val(key);
    return s_scan(self, key.size ? MDB_SET_RANGE : MDB_FIRST, &k, ret_key, ret_value);
}

nrs_err_t
nrs_scan_seek_back(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    MDB_val k = s_val(key);
    nrs_err_t err = s_scan(self, MDB_SET_RANGE, &k, ret_key, ret_value);
    if (err == NRS_OK && nrs_bytes_equal(*ret_key, key))
        return NRS_OK;
    if (err && err != NRS_E_ABSENT)
        return err;
    MDB_val other;
    return s_scan(self, err ? MDB_LAST : MDB_PREV, &other, ret_key, ret_value);
}

nrs_err_t
nrs_scan_next(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    MDB_val key;
    return s_scan(self, MDB_NEXT, &key, ret_key, ret_value);
}

nrs_err_t
nrs_scan_back(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    MDB_val key;
    return s_scan(self, MDB_PREV, &key, ret_key, ret_value);
}

nrs_err_t
nrs_scan_drop(nrs_scan_t *self)
{
    return s_err(mdb_cursor_del(self->cursor, 0));
}
