// follow_server.h - serve topics to followers: sessions, credit, acknowledgements (proto/follow.md)
// Threads:  an object belongs to the thread that opened it.
// Cost:     a session without news or credit costs nothing; a dead one is forgotten.

#ifndef NRS_FOLLOW_SERVER_H
#define NRS_FOLLOW_SERVER_H

#include "common/base.h"
#include "common/bus.h"
#include "common/topic.h"
#include "common/world.h"
#include "common/zap.h"

enum { NRS_FOLLOW_SESSIONS_MAX = 256, NRS_FOLLOW_SILENCE_MS = 15000 };

typedef struct nrs_follow_server nrs_follow_server_t;

typedef struct nrs_follow_server_options {
    const char *realm;
    uint16_t instance;
    nrs_world_t *world;
    nrs_zap_t *zap;         // asked at each grant of credit; NULL where the socket does not authenticate
    const char *zap_domain;
} nrs_follow_server_options_t;

// Takes over the bound ROUTER `*bus_p` on success; borrows everything in `options`.
NRS_MUST_CHECK nrs_err_t
nrs_follow_server_open(nrs_bus_t **bus_p, const nrs_follow_server_options_t *options,
                       nrs_follow_server_t **ret_server);
void
nrs_follow_server_destroy(nrs_follow_server_t **self_p);
nrs_bus_t *
nrs_follow_server_bus(nrs_follow_server_t *self);

// Offer a topic (borrowed). With `key` only the follower with that CURVE key (Z85) may have it, and it goes by `name`,
// whatever it calls itself; without, anyone whom the socket lets in.
void
nrs_follow_server_offer(nrs_follow_server_t *self, nrs_topic_t *topic, const char *key, const char *name);

// Take in what followers have sent; never waits.
NRS_MUST_CHECK nrs_err_t
nrs_follow_server_step(nrs_follow_server_t *self, nrs_txn_t *txn);
// Send what is there and has credit, at most `messages_max`. Returns how many went.
NRS_MUST_CHECK nrs_err_t
nrs_follow_server_serve(nrs_follow_server_t *self, nrs_txn_t *txn, size_t messages_max, size_t *ret_sent);

typedef struct nrs_follow_server_counts {
    uint64_t sessions;      // open now
    uint64_t refused;       // OPENs refused so far
    uint64_t denied;        // of those: a topic that is not there for the asker, or a key that is not allowed any more
    uint64_t bad_messages;  // that could not be read
    uint64_t credit_events; // granted and not yet used, over all sessions
} nrs_follow_server_counts_t;
void
nrs_follow_server_counts(const nrs_follow_server_t *self, nrs_follow_server_counts_t *ret_counts);
// Is a follower of this name connected to this topic?
bool
nrs_follow_server_connected(const nrs_follow_server_t *self, const char *topic, const char *follower);

#endif
