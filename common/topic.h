// topic.h - a durable, ordered, replayable log in lanes: append, fetch, acknowledge, trim
// Shape:    what is appended and fetched are segments (proto/segment.md); a lane's segments follow each other without a
//           gap, each with the checksum of the one before.
// Promise:  what was appended in a transaction is there when, and only when, that transaction is durable.
// Threads:  an object belongs to the thread that opened it.
//
// One interface, two implementations: nrs_topic_open() keeps the log in a store, nrs_topic_new() in memory for tests.

#ifndef NRS_TOPIC_H
#define NRS_TOPIC_H

#include "common/base.h"
#include "common/plan.h"
#include "common/segment.h"
#include "common/store.h"

enum { NRS_TOPIC_NAME_MAX = 64, NRS_FOLLOWER_NAME_MAX = 64, NRS_TOPIC_FOLLOWERS_MAX = 64 };

typedef struct nrs_topic nrs_topic_t;

typedef struct nrs_topic_options {
    const char *realm;
    const char *name;        // "enriched", "releases/ncfta"
    uint16_t instance;       // number of the instance that writes
    uint16_t lanes;
    uint64_t replay_bytes;   // acknowledged segments are kept until the topic is larger than this,
    int64_t replay_ms;       // or they are older than this
    uint64_t backlog_bytes;  // beyond this, unacknowledged segments go as well; 0: never
    uint32_t epoch;          // for lanes that begin now (see nrs_topic_epoch())
} nrs_topic_options_t;

typedef struct nrs_lane {
    uint32_t epoch;
    uint64_t first;      // oldest offset still there
    uint64_t next;       // offset that the next event gets
    nrs_hash128_t chain; // checksum of the last segment
    uint64_t bytes;      // of its segments
} nrs_lane_t;

// A lane that starts from nothing gets an epoch greater than any earlier one, although nothing tells which there
// were: seconds since 2020-01-01.
uint32_t
nrs_topic_epoch(int64_t now_ms);

// The tables that all topics of a store share.
typedef struct nrs_topic_tables {
    nrs_store_table_t names;
    nrs_store_table_t log;
    nrs_store_table_t lanes;
    nrs_store_table_t acks;
} nrs_topic_tables_t;

NRS_MUST_CHECK nrs_err_t
nrs_topic_tables_open(nrs_store_t *store, nrs_topic_tables_t *ret_tables);

// Open or begin a topic in a store, which is borrowed. Errors: NRS_E_IO, NRS_E_CORRUPT, NRS_E_FULL,
// NRS_E_CONFIG (the store was made with another number of lanes).
NRS_MUST_CHECK nrs_err_t
nrs_topic_open(nrs_store_t *store, const nrs_topic_tables_t *tables, const nrs_topic_options_t *options,
               nrs_topic_t **ret_topic);
// The same in memory; transactions are ignored and may be NULL.
nrs_topic_t *
nrs_topic_new(const nrs_topic_options_t *options);
void
nrs_topic_destroy(nrs_topic_t **self_p);

const char *
nrs_topic_name(const nrs_topic_t *self);
uint64_t
nrs_topic_stream(const nrs_topic_t *self);
uint16_t
nrs_topic_lanes(const nrs_topic_t *self);
// Borrowed; changes with append and trim.
const nrs_lane_t *
nrs_topic_lane(const nrs_topic_t *self, uint16_t lane);

// Append what was built as one segment; the build is empty afterwards. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_topic_append(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, nrs_segment_build_t *build, int64_t now_ms);

// The segment that holds `offset`, borrowed until the transaction ends or writes (memory: until the next trim).
// Errors: NRS_E_ABSENT (not there yet, or trimmed), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_topic_fetch(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint64_t offset, nrs_bytes_t *ret_segment);

// The first offset whose segment ends at or after a time. Errors: NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_topic_seek_time(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, int64_t time_ms, uint64_t *ret_offset);

// The event with a given origin position, which must be in this lane: its offset here and its bytes (borrowed as above).
// `reported` says that the topic is the one where events get their origin position. Errors: NRS_E_ABSENT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_topic_find(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint16_t instance, uint32_t epoch, uint64_t offset,
               uint64_t *ret_offset, nrs_bytes_t *ret_event);

// --- followers -----------------------------------------------------------------------------------

// One who must have everything: nothing is trimmed before it has acknowledged. Known by name across restarts.
// Errors: NRS_E_LIMIT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_topic_register(nrs_topic_t *self, nrs_txn_t *txn, const char *follower, uint64_t lanes);
// It has everything before `place` durably. Kept in memory until nrs_topic_save_acks(). An older place, or one of another
// epoch, changes nothing. Errors: NRS_E_ABSENT (not registered), NRS_E_REWOUND (beyond what was ever appended).
NRS_MUST_CHECK nrs_err_t
nrs_topic_acknowledge(nrs_topic_t *self, const char *follower, uint16_t lane, const nrs_place_t *place);
NRS_MUST_CHECK nrs_err_t
nrs_topic_save_acks(nrs_topic_t *self, nrs_txn_t *txn);
// Are there acknowledgements that nrs_topic_save_acks() has not written yet?
bool
nrs_topic_acks_wait(const nrs_topic_t *self);
// Drop up to `segments_max` segments that nobody needs any more. Errors: NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_topic_trim(nrs_topic_t *self, nrs_txn_t *txn, int64_t now_ms, size_t segments_max);

typedef struct nrs_topic_follower_info {
    const char *name;
    uint64_t lag; // events that it has not acknowledged
} nrs_topic_follower_info_t;
size_t
nrs_topic_follower_count(const nrs_topic_t *self);
void
nrs_topic_follower(const nrs_topic_t *self, size_t i, nrs_topic_follower_info_t *ret_info);

#endif
