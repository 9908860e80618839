// store_part.h - what the two implementations of a store share; nobody else includes this

#ifndef NRS_STORE_PART_H
#define NRS_STORE_PART_H

#include "common/store.h"

enum { NRS_STORE_TABLES_MAX = 32 };

// The functions of store.h, each for one implementation; what they promise is written there.
typedef struct nrs_store_ops {
    void (*destroy)(nrs_store_t *self);
    nrs_err_t (*table)(nrs_store_t *self, const char *name, nrs_store_table_t *ret_table);
    void (*use)(nrs_store_t *self, uint64_t *ret_file_bytes, uint64_t *ret_used_bytes);
    bool (*below)(nrs_store_t *self, uint64_t limit_bytes); // is less than the limit in use?

    nrs_err_t (*begin)(nrs_store_t *self, bool write, nrs_txn_t **ret_txn);
    nrs_err_t (*commit)(nrs_txn_t *self); // takes the object, whatever comes of it
    void (*abort)(nrs_txn_t *self);       // takes the object
    nrs_err_t (*get)(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t *ret_value);
    nrs_err_t (*put)(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value);
    nrs_err_t (*reserve)(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, size_t bytes, uint8_t **ret_room);
    nrs_err_t (*drop)(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key);
    uint64_t (*count)(nrs_txn_t *self, nrs_store_table_t table);

    nrs_err_t (*scan_open)(nrs_txn_t *txn, nrs_store_table_t table, nrs_scan_t **ret_scan);
    void (*scan_destroy)(nrs_scan_t *self);
    nrs_err_t (*scan_seek)(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
    nrs_err_t (*scan_seek_back)(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
    nrs_err_t (*scan_next)(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
    nrs_err_t (*scan_back)(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
    nrs_err_t (*scan_drop)(nrs_scan_t *self);
} nrs_store_ops_t;

// Each implementation's own structs begin with these.
struct nrs_store {
    const nrs_store_ops_t *ops;
    bool read_only;
    uint64_t bytes_max;
    uint64_t commits;
};

struct nrs_txn {
    const nrs_store_ops_t *ops;
    nrs_store_t *store;
};

struct nrs_scan {
    const nrs_store_ops_t *ops;
};

// Fill in what both have in common.
void
nrs_store_init(nrs_store_t *self, const nrs_store_ops_t *ops, const nrs_store_options_t *options);

// The store's own record says who wrote the rest: check it, or write it into a store that is new. The last step of
// opening. Errors: those of nrs_store_open(), in *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_store_check_record(nrs_store_t *self, const char *path, nrs_problem_t *reterr);

#endif
