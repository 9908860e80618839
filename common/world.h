// world.h - time and randomness, injected: the real ones, or ones that a test moves by hand
// Units:    wall time in UTC milliseconds since 1970-01-01; monotonic time in milliseconds.
// Threads:  the real world may be used from any thread; a test's world belongs to its thread.

#ifndef NRS_WORLD_H
#define NRS_WORLD_H

#include "common/base.h"

typedef struct nrs_world nrs_world_t;
struct nrs_world {
    int64_t (*now_ms)(nrs_world_t *self);
    int64_t (*mono_ms)(nrs_world_t *self);
    void (*random)(nrs_world_t *self, void *into, size_t bytes);
};

// The machine's clocks and the system's randomness.
nrs_world_t *
nrs_world_real(void);

// A world for tests and simulation: time stands still until it is moved, randomness follows from
// the seed.
typedef struct nrs_world_made {
    nrs_world_t world; // hand out &made.world
    int64_t now;
    int64_t mono;
    uint64_t seed;
} nrs_world_made_t;

void
nrs_world_made_init(nrs_world_made_t *self, int64_t now_ms, uint64_t seed);
void
nrs_world_made_pass(nrs_world_made_t *self, int64_t ms);

#endif
