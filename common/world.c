#include "common/world.h"

#include "common/bus.h"
#include "common/bus_memory.h"
#include "common/disk.h"
#include "common/store.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

// --- the real one --------------------------------------------------------------------------------

static int64_t
s_clock_ms(clockid_t clock)
{
    struct timespec now;
    NRS_ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
s_real_now_ms(nrs_world_t *self)
{
    (void)self;
    return s_clock_ms(CLOCK_REALTIME);
}

static int64_t
s_real_mono_ms(nrs_world_t *self)
{
    (void)self;
    return s_clock_ms(CLOCK_MONOTONIC);
}

static void
s_real_random(nrs_world_t *self, void *into, size_t bytes)
{
    (void)self;
    uint8_t *next = into;
    while (bytes > 0) {
        ssize_t got = getrandom(next, bytes, 0);
        NRS_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            next += got;
            bytes -= (size_t)got;
        }
    }
}

static nrs_err_t
s_real_store_open(nrs_world_t *self, const nrs_store_options_t *options, nrs_problem_t *reterr,
                  nrs_store_t **ret_store)
{
    (void)self;
    return nrs_store_open(options, reterr, ret_store);
}

static nrs_err_t
s_real_bus_open(nrs_world_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr,
                nrs_bus_t **ret_bus)
{
    (void)self;
    return nrs_bus_open(options, reterr, ret_bus);
}

nrs_world_t *
nrs_world_real(void)
{
    // Holds no state; it is not const only because a made world does.
    static nrs_world_t real = {
        .now_ms = s_real_now_ms,
        .mono_ms = s_real_mono_ms,
        .random = s_real_random,
        .bus_open = s_real_bus_open,
        .store_open = s_real_store_open,
    };
    return &real;
}

// --- one that a test made ------------------------------------------------------------------------

static int64_t
s_made_now_ms(nrs_world_t *self)
{
    return ((nrs_world_made_t *)self)->now;
}

static int64_t
s_made_mono_ms(nrs_world_t *self)
{
    return ((nrs_world_made_t *)self)->mono;
}

// SplitMix64 (Steele, Lea, Flood 2014): any seed will do, and the next state is one addition.
static uint64_t
s_split_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void
s_made_random(nrs_world_t *self, void *into, size_t bytes)
{
    uint64_t *state = &((nrs_world_made_t *)self)->seed;
    for (uint8_t *next = into; bytes > 0;) {
        uint64_t number = s_split_mix(state);
        size_t part = bytes < sizeof number ? bytes : sizeof number;
        memcpy(next, &number, part);
        next += part;
        bytes -= part;
    }
}

static nrs_err_t
s_made_store_open(nrs_world_t *self, const nrs_store_options_t *options, nrs_problem_t *reterr,
                  nrs_store_t **ret_store)
{
    nrs_disk_t *disk = ((nrs_world_made_t *)self)->disk;
    NRS_ASSERT(disk);
    return nrs_disk_open(disk, options, reterr, ret_store);
}

static nrs_err_t
s_made_bus_open(nrs_world_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr,
                nrs_bus_t **ret_bus)
{
    nrs_net_t *net = ((nrs_world_made_t *)self)->net;
    return net ? nrs_net_open(net, options, reterr, ret_bus)
               : nrs_bus_open(options, reterr, ret_bus);
}

void
nrs_world_made_init(nrs_world_made_t *self, int64_t now_ms, uint64_t seed)
{
    *self = (nrs_world_made_t){
        .world = {
            .now_ms = s_made_now_ms,
            .mono_ms = s_made_mono_ms,
            .random = s_made_random,
            .bus_open = s_made_bus_open,
            .store_open = s_made_store_open,
        },
        .now = now_ms,
        .mono = 0,
        .seed = seed,
    };
}

void
nrs_world_made_pass(nrs_world_made_t *self, int64_t ms)
{
    self->now += ms;
    self->mono += ms;
}
