// follower.h - read a topic durably: ask from a place, verify what comes, acknowledge what is kept (proto/follow.md)
// Promise:  segments of a lane come in order, each exactly once, verified (checksum, stream, epoch, offset, chain); after a
//           break of the connection or of the server they go on behind the last one taken.
// Threads:  an object belongs to the thread that opened it.

#ifndef NRS_FOLLOWER_H
#define NRS_FOLLOWER_H

#include "common/base.h"
#include "common/bus.h"
#include "common/plan.h"
#include "common/segment.h"
#include "common/world.h"

typedef struct nrs_follower nrs_follower_t;

typedef struct nrs_follower_options {
    const char *endpoint;
    const nrs_keys_t *keys;  // own pair, for CURVE; else NULL
    const char *server_key;  // with CURVE: the server's public key
    const char *realm;
    const char *topic;
    const char *name;        // how the server knows this follower across restarts
    uint64_t lanes;          // bit mask
    const nrs_place_t *places; // NRS_LANES_MAX of them: where to begin; NULL: at the beginning
    const char *filter;      // expression, or NULL
    int64_t from_ms;         // begin at this time in lanes whose place is zero; 0: at the beginning
    uint64_t credit_bytes;   // 0: 4 MiB
    uint64_t credit_events;  // 0: 32768
    nrs_world_t *world;
} nrs_follower_options_t;

// All texts are copied; `world` is borrowed. Errors: those of nrs_bus_open().
NRS_MUST_CHECK nrs_err_t
nrs_follower_open(const nrs_follower_options_t *options, nrs_problem_t *reterr, nrs_follower_t **ret_follower);
void
nrs_follower_destroy(nrs_follower_t **self_p);
nrs_bus_t *
nrs_follower_bus(nrs_follower_t *self);

// Take in what has arrived, keep the session alive; never waits. Call when the bus is readable and once a second, and only
// when everything taken so far is durable: after a break the server is told so.
void
nrs_follower_step(nrs_follower_t *self);
// The next segment, verified; borrowed until the next call of this function or of nrs_follower_step().
// Errors: NRS_E_AGAIN (none there yet), NRS_E_CORRUPT, NRS_E_FORMAT, NRS_E_VERSION, NRS_E_REWOUND: what came does not fit;
// it is asked for again in a while, and nrs_follower_problem() says what happened.
NRS_MUST_CHECK nrs_err_t
nrs_follower_next(nrs_follower_t *self, nrs_segment_t *ret_segment);
// Are there segments to be had without waiting?
bool
nrs_follower_ready(const nrs_follower_t *self);
// Everything taken so far is durable: tell the server, and grant as much credit as was used.
void
nrs_follower_acknowledge(nrs_follower_t *self);

// Place behind the last segment taken from a lane.
const nrs_place_t *
nrs_follower_place(const nrs_follower_t *self, uint16_t lane);

typedef struct nrs_follower_info {
    bool connected;       // a session is open
    uint64_t lag;         // events that the server has and we have not taken, as far as we know
    uint16_t instance;    // number of the server's instance; 0: unknown yet
    const char *problem;  // NULL: none
    uint64_t head;        // sum over the lanes of the next offset at the server
} nrs_follower_info_t;
void
nrs_follower_info(const nrs_follower_t *self, nrs_follower_info_t *ret_info);
// The server's next offset in a lane, as of the last that it told.
uint64_t
nrs_follower_head(const nrs_follower_t *self, uint16_t lane);

#endif
