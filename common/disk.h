// disk.h - a disk in memory, and the stores on it: for tests and simulation
// Shape:    a store is found by its path again, as it was last committed, until the disk is destroyed. Memory only: the
//           same calls, the same bytes, on every run.
// Promise:  what store.h says of a store, with the mistakes that LMDB would answer with an error or a deadlock asserted
//           or answered alike. A store to look at (read_only) may be open beside its writer in the same process.
// Threads:  a disk and the stores on it belong to one thread.
// Cost:     O(log n) a call; a snapshot is O(tables).

#ifndef NRS_DISK_H
#define NRS_DISK_H

#include "common/store.h"

typedef struct nrs_disk nrs_disk_t;

nrs_disk_t *
nrs_disk_new(void);
// No store on it may be open.
void
nrs_disk_destroy(nrs_disk_t **self_p);

// nrs_store_open(), on this disk: the same errors. Borrows `self`, which must outlive the store.
NRS_MUST_CHECK nrs_err_t
nrs_disk_open(nrs_disk_t *self, const nrs_store_options_t *options, nrs_problem_t *reterr, nrs_store_t **ret_store);

// --- what goes wrong -----------------------------------------------------------------------------

// The `nth` commit of a write transaction from now on (1: the next) to the store at `path` fails with `err` (NRS_E_IO,
// NRS_E_FULL), and nothing of it is stored; those after it succeed. 0: none does. Making a table is not counted;
// a store that is new writes its own record when it is opened, which is. The store need not exist yet.
void
nrs_disk_fail_commit(nrs_disk_t *self, const char *path, unsigned nth, nrs_err_t err);

// The power of whoever has the store at `path` open is cut: what it writes from now on reaches nothing (to begin, to
// commit a write and to look for a table answer NRS_E_IO), and the path can be opened again at once, as it was last
// committed. The objects of before the cut are still to be destroyed. Does nothing when there is no such store.
void
nrs_disk_cut(nrs_disk_t *self, const char *path);

#endif
