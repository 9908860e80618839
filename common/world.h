// world.h - time, randomness and the disk, injected: the real ones, or ones that a test makes and moves by hand
// Units:    wall time in UTC milliseconds since 1970-01-01; monotonic time in milliseconds.
// Threads:  the real world may be used from any thread; a test's world belongs to its thread.

#ifndef NRS_WORLD_H
#define NRS_WORLD_H

#include "common/base.h"

struct nrs_disk;          // common/disk.h
struct nrs_store;         // common/store.h
struct nrs_store_options;

typedef struct nrs_world nrs_world_t;
struct nrs_world {
    int64_t (*now_ms)(nrs_world_t *self);
    int64_t (*mono_ms)(nrs_world_t *self);
    void (*random)(nrs_world_t *self, void *into, size_t bytes);
    // Promise and errors: nrs_store_open(). The store may borrow from the world, which must outlive it.
    nrs_err_t (*store_open)(nrs_world_t *self, const struct nrs_store_options *options, nrs_problem_t *reterr,
                            struct nrs_store **ret_store);
};

// The machine's clocks, the system's randomness, stores in LMDB.
nrs_world_t *
nrs_world_real(void);

// A world for tests and simulation: time stands still until it is moved, randomness follows from
// the seed, stores are in memory.
typedef struct nrs_world_made {
    nrs_world_t world; // hand out &made.world
    int64_t now;
    int64_t mono;
    uint64_t seed;
    struct nrs_disk *disk; // borrowed, worlds may share one; NULL: set one before a store is opened
} nrs_world_made_t;

void
nrs_world_made_init(nrs_world_made_t *self, int64_t now_ms, uint64_t seed);
void
nrs_world_made_pass(nrs_world_made_t *self, int64_t ms);

#endif
