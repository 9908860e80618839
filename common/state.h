// state.h - a large keyed table: memory holds what is hot, each commit appends what changed, the B-tree follows
// Shape:    keys are NRS_STATE_KEY_BYTES of a good hash; values have one fixed size. Zeroed when new.
// Why:      random keys updated in a B-tree cost a page each; a delta record a commit, folded in key order, a tenth.
// Promise:  changes belong to the transaction in which nrs_state_save() was called, and survive with it. When that transaction
//           is aborted, the table in memory is ahead of the store: destroy it and open it again.
// Threads:  an object belongs to the thread that opened it.
// Cost:     a hit is one look into memory; a miss one look-up in the B-tree; memory is bounded.

#ifndef NRS_STATE_H
#define NRS_STATE_H

#include "common/base.h"
#include "common/store.h"

enum { NRS_STATE_KEY_BYTES = 16 };

typedef struct nrs_state nrs_state_t;

typedef struct nrs_state_options {
    const char *name;      // of its tables in the store
    size_t value_bytes;    // 8..240
    size_t memory_bytes;   // bound of the table in memory; 0: 64 MiB
} nrs_state_options_t;

// Open and take in what the last run had not folded yet. Borrows `store`. Errors: NRS_E_IO, NRS_E_CORRUPT, NRS_E_VERSION.
NRS_MUST_CHECK nrs_err_t
nrs_state_open(nrs_store_t *store, const nrs_state_options_t *options, nrs_state_t **ret_state);
void
nrs_state_destroy(nrs_state_t **self_p);

// The value under `key`, read only; valid until the next call. `txn` must write: making room may fold.
// Errors: NRS_E_ABSENT, NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_state_get(nrs_state_t *self, nrs_txn_t *txn, const uint8_t key[NRS_STATE_KEY_BYTES], const void **ret_value);
// The value under `key` to be changed, made when missing; valid until the next call.
// Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_state_edit(nrs_state_t *self, nrs_txn_t *txn, const uint8_t key[NRS_STATE_KEY_BYTES], bool *ret_new,
               void **ret_value);
// Write what changed since the last save into the transaction, and fold a part of the older changes. Call once before
// each commit. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_state_save(nrs_state_t *self, nrs_txn_t *txn);
// How many keys it knows (memory and B-tree together, an estimate while changes wait to be folded).
uint64_t
nrs_state_count(nrs_state_t *self, nrs_txn_t *txn);

#endif
