// relay_decisions_parts.h - the layout of the kept decisions, for those who write and who answer
//
// One table, "relay-decisions"; a key's first byte tells what the entry is, numbers are big-endian:
//
//   key                                      value
//   h                                        head: "NRSR", version 1, bytes of all runs 8,
//                                            next sequence 8
//   p SET(4)                                 ids of the peers of a time, in order: msgpack texts
//   r LANE(2) INSTANCE(2) EPOCH(4) OFFSET(8) run: version 1, policy 4, SET 4, then one row an event
//                                            from OFFSET on
//   o SEQUENCE(8)                            the run's key 17, its bytes 4: runs as written
//   t PEER                                   totals: 8 bytes a reason, by its number
//
// A row has one byte a peer, an nrs_policy_reason_t; 0 stands where an offset of the run never came
// by (it is a dead letter of a stage before).

#ifndef RELAY_DECISIONS_PARTS_H
#define RELAY_DECISIONS_PARTS_H

#include "common/buf.h"
#include "common/policy.h"
#include "services/relay/relay_decisions.h"

enum { RELAY_DECISIONS_VERSION = 1 };
enum { RELAY_RUN_KEY_BYTES = 17, RELAY_RUN_HEAD_BYTES = 9 };
enum { RELAY_ROWS_BYTES_MAX = 4000 }; // a run's value and LMDB's page head fit one page
enum { RELAY_PEER_ID_MAX = 64 }; // bytes of a peer's id (proto/event_fields.def, release.recipient)

// What is not yet written of one lane of one ingest instance.
typedef struct relay_run {
    nrs_origin_place_t first;
    uint64_t next;  // offset that would continue it
    nrs_buf_t rows; // empty: nothing is open
} relay_run_t;

typedef struct relay_head {
    uint64_t bytes; // of all runs
    uint64_t next;  // sequence of the next run
} relay_head_t;

struct relay_decisions {
    nrs_store_table_t table;
    const nrs_directory_t *directory; // borrowed
    size_t peer_count;
    uint32_t set; // the entry with today's peers
    uint64_t bytes_max;
    relay_head_t head, durable; // with this batch; without it
    size_t run_count, run_last;
    relay_run_t
        *runs;      // owned; one a lane and ingest instance, so their number is bounded by the plan
    size_t written; // runs, in this batch
    uint64_t *added;        // owned: [peer][reason], in this batch
    nrs_metric_t **metrics; // owned array: [peer][reason]
};

static inline nrs_bytes_t
relay_run_key(const nrs_origin_place_t *place, uint8_t into[RELAY_RUN_KEY_BYTES])
{
    into[0] = 'r';
    nrs_put_be16(into + 1, place->lane);
    nrs_put_be16(into + 3, place->instance);
    nrs_put_be32(into + 5, place->epoch);
    nrs_put_be64(into + 9, place->offset);
    return nrs_bytes(into, RELAY_RUN_KEY_BYTES);
}

static inline nrs_bytes_t
relay_set_key(uint32_t set, uint8_t into[5])
{
    into[0] = 'p';
    nrs_put_be32(into + 1, set);
    return nrs_bytes(into, 5);
}

// A reason's count in an entry of totals; one that an older build wrote has fewer.
static inline uint64_t
relay_total(nrs_bytes_t totals, nrs_policy_reason_t reason)
{
    return totals.size / 8 > reason ? nrs_get_be64(totals.data + 8 * (size_t)reason) : 0;
}

#endif
