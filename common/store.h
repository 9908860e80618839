// store.h - tables and transactions: LMDB, wrapped once, one environment for each instance; or memory (disk.h)
// Choice:   a stage opens its store through its world (world.h); what it gets follows from there, not the calls below.
// Shape:    a table is an ordered map of bytes to bytes; keys up to 511 bytes.
// Promise:  what nrs_txn_commit() has accepted survives process and power loss (default sync mode, always).
// Threads:  an object belongs to the thread that opened it; one write transaction at a time.

#ifndef NRS_STORE_H
#define NRS_STORE_H

#include "common/base.h"

typedef struct nrs_store nrs_store_t;
typedef struct nrs_txn nrs_txn_t;
typedef struct nrs_scan nrs_scan_t;
typedef unsigned nrs_store_table_t;

typedef struct nrs_store_options {
    const char *path;        // directory, made when missing (mode 0700)
    uint64_t bytes_max;      // the file never grows beyond; 0: 64 GiB
    uint64_t resident_bytes; // how much of the file may stay mapped in this process; 0: 24 MiB
    bool read_only;          // for a look from outside; no writer is disturbed
} nrs_store_options_t;

// Open in LMDB, and check the store's own record (magic, version, who made it). The caller owns *ret_store.
// Errors: NRS_E_IO, NRS_E_VERSION, NRS_E_CORRUPT, NRS_E_EXISTS (another process has it open); *reterr says what to do.
NRS_MUST_CHECK nrs_err_t
nrs_store_open(const nrs_store_options_t *options, nrs_problem_t *reterr, nrs_store_t **ret_store);
void
nrs_store_destroy(nrs_store_t **self_p);

// Find a table by name, or make it. Inside a write transaction of its own. Errors: NRS_E_IO, NRS_E_ABSENT (read only).
NRS_MUST_CHECK nrs_err_t
nrs_store_table(nrs_store_t *self, const char *name, nrs_store_table_t *ret_table);

typedef struct nrs_store_use {
    uint64_t bytes_max;   // limit of the file
    uint64_t file_bytes;  // size of the file
    uint64_t used_bytes;  // pages that hold something
    uint64_t commits;     // since it was opened
} nrs_store_use_t;
void
nrs_store_use(nrs_store_t *self, nrs_store_use_t *ret_use);
// Is there room for new input: below 85 % of the limit, with 8 MiB left? Trimming and acknowledging work beyond it.
bool
nrs_store_has_room(nrs_store_t *self);

// --- transactions --------------------------------------------------------------------------------

// Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_txn_begin(nrs_store_t *store, bool write, nrs_txn_t **ret_txn);
// Errors: NRS_E_FULL (map or disk), NRS_E_IO. After any failure nothing of it is stored, and the process must not go on
// to acknowledge: reopen and look (a failed sync may have lost pages that look written).
NRS_MUST_CHECK nrs_err_t
nrs_txn_commit(nrs_txn_t **self_p);
// Abort when it is still open.
void
nrs_txn_destroy(nrs_txn_t **self_p);

// Borrowed until the transaction ends or writes. Errors: NRS_E_ABSENT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_txn_get(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t *ret_value);
NRS_MUST_CHECK nrs_err_t
nrs_txn_put(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, nrs_bytes_t value);
// Room for a value of `bytes`, to be filled before the next call on the transaction.
NRS_MUST_CHECK nrs_err_t
nrs_txn_reserve(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key, size_t bytes, uint8_t **ret_room);
// Errors: NRS_E_ABSENT, NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_txn_drop(nrs_txn_t *self, nrs_store_table_t table, nrs_bytes_t key);
// Entries in the table.
uint64_t
nrs_txn_count(nrs_txn_t *self, nrs_store_table_t table);

// --- scans: an ordered walk; valid until its transaction ends or writes to the table -------------

NRS_MUST_CHECK nrs_err_t
nrs_scan_open(nrs_txn_t *txn, nrs_store_table_t table, nrs_scan_t **ret_scan);
void
nrs_scan_destroy(nrs_scan_t **self_p);
// Go to the first entry with a key >= `key` (NRS_NONE: to the first of all); to the last with a key <= `key`; on; back.
// Errors: NRS_E_ABSENT (no such entry), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_scan_seek(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
NRS_MUST_CHECK nrs_err_t
nrs_scan_seek_back(nrs_scan_t *self, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
NRS_MUST_CHECK nrs_err_t
nrs_scan_next(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
NRS_MUST_CHECK nrs_err_t
nrs_scan_back(nrs_scan_t *self, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);
// Drop the entry under the scan and stand before the next one.
NRS_MUST_CHECK nrs_err_t
nrs_scan_drop(nrs_scan_t *self);

#endif
