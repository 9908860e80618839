// world.h - time, randomness, disk and network, injected: the real ones, or ones that a test makes and moves by hand
// Units:    wall time in UTC milliseconds since 1970-01-01; monotonic time in milliseconds.
// Threads:  the real world may be used from any thread; a test's world belongs to its thread.

#ifndef NRS_WORLD_H
#define NRS_WORLD_H

#include "common/base.h"

typedef struct nrs_bus nrs_bus_t; // common/bus.h
typedef struct nrs_bus_options nrs_bus_options_t;
typedef struct nrs_net nrs_net_t; // common/bus_memory.h
typedef struct nrs_disk nrs_disk_t; // common/disk.h
typedef struct nrs_store nrs_store_t; // common/store.h
typedef struct nrs_store_options nrs_store_options_t;

typedef struct nrs_world nrs_world_t;
struct nrs_world {
    int64_t (*now_ms)(nrs_world_t *self);
    int64_t (*mono_ms)(nrs_world_t *self);
    void (*random)(nrs_world_t *self, void *into, size_t bytes);
    // Promise and errors: nrs_store_open(). The store may borrow from the world, which must outlive it.
    nrs_err_t (*store_open)(nrs_world_t *self, const nrs_store_options_t *options, nrs_problem_t *reterr,
                            nrs_store_t **ret_store);
    // As nrs_bus_open().
    nrs_err_t (*bus_open)(nrs_world_t *self, const nrs_bus_options_t *options,
                          nrs_problem_t *reterr, nrs_bus_t **ret_bus);
};

// The machine's clocks, the system's randomness, stores in LMDB, ZeroMQ.
nrs_world_t *
nrs_world_real(void);

// A world for tests and simulation: time stands still until it is moved, randomness follows from
// the seed, stores are in memory.
typedef struct nrs_world_made {
    nrs_world_t world; // hand out &made.world
    int64_t now;
    int64_t mono;
    uint64_t seed;
    nrs_disk_t *disk; // borrowed, worlds may share one; NULL: set one before a store is opened
    nrs_net_t *net; // borrowed: where sockets open; NULL, as it is at first: over ZeroMQ
} nrs_world_made_t;

void
nrs_world_made_init(nrs_world_made_t *self, int64_t now_ms, uint64_t seed);
void
nrs_world_made_pass(nrs_world_made_t *self, int64_t ms);

#endif
