// stage_part.h - what the files of the stage runtime share; nobody else includes this
//
//   stage_main.c   the program: options, help, exit status
//   stage.c        start, loop, stop
//   stage_input.c  the topics upstream: followers, cursors, which events have been had
//   stage_out.c    the batch: outputs, dead letters, the one transaction
//   stage_serve.c  the sockets downstream: follow, tap, metrics
//   stage_ask.c    questions of the command line

#ifndef NRS_STAGE_PART_H
#define NRS_STAGE_PART_H

#include "common/flow.h"
#include "common/follow_server.h"
#include "common/follower.h"
#include "common/http.h"
#include "common/stage.h"
#include "common/tap.h"
#include "common/topic.h"

enum {
    NRS_STAGE_TOPICS_MAX = 65,  // a relay has one for each peer
    NRS_STAGE_INPUTS_MAX = 64,  // instances upstream
    NRS_STAGE_WATCHES_MAX = 32,
    NRS_STAGE_ORIGINS_MAX = 64, // ingest instances
};

// Options that every stage has, beside its own.
typedef struct nrs_stage_options {
    int64_t batch_events;
    int64_t batch_bytes;
    int64_t replay_ms;
    int64_t replay_bytes;
    int64_t backlog_bytes;
    int64_t store_bytes;
    int64_t dead_max;
    int64_t dead_bytes;
    int64_t log_level;
} nrs_stage_options_t;

extern const nrs_option_t nrs_stage_option_table[];

// One topic of the stage, with the segments that the batch is building.
typedef struct nrs_stage_topic {
    nrs_topic_t *topic;
    bool release;              // for one peer, who follows it at the release endpoint
    bool open_lanes;           // any build is not empty
    nrs_segment_build_t builds[NRS_LANES_MAX];
    uint64_t published[NRS_LANES_MAX]; // offset that the tap has come to
} nrs_stage_topic_t;

// One instance upstream.
typedef struct nrs_stage_input {
    const nrs_instance_t *from;
    nrs_follower_t *follower;
    nrs_place_t stored[NRS_LANES_MAX]; // cursors as the store has them
    uint64_t moved;                    // lanes taken from in this batch
    uint64_t behind;                   // lanes whose epoch changed: what comes may have been had already
} nrs_stage_input_t;

struct nrs_out {
    struct nrs_stage_run *run;
    nrs_txn_t *txn;
    int64_t now_ms;
    uint16_t lane;    // of the event being applied
    size_t events;    // taken in
    size_t bytes;
    size_t written;   // events put out
};

typedef struct nrs_stage_run {
    const nrs_stage_t *stage;
    const nrs_flow_t *flow;     // what it reads and writes
    void *me;
    nrs_plan_t *plan;
    nrs_directory_t *directory;
    const nrs_instance_t *instance;
    nrs_stage_options_t options;
    void *own_options;          // the stage's own struct
    nrs_option_t *option_table; // both tables in one
    nrs_world_t *world;
    nrs_store_t *store;
    nrs_metrics_t *metrics;
    nrs_zap_t *zap;
    nrs_stage_context_t context;
    nrs_keys_t keys;            // of this instance, when it speaks CURVE

    nrs_topic_tables_t tables;
    size_t topic_count;
    nrs_stage_topic_t *topics[NRS_STAGE_TOPICS_MAX];
    nrs_dead_letters_t *dead;
    nrs_buf_t scratch;          // one event that did not fit into its segment

    nrs_store_table_t cursors;  // instance (be16) lane (be16) -> epoch, offset, chain, behind
    nrs_store_table_t origins;  // lane (be16) instance (be16) -> epoch, offset
    size_t input_count;
    nrs_stage_input_t *inputs[NRS_STAGE_INPUTS_MAX];
    nrs_origin_place_t had[NRS_LANES_MAX][NRS_STAGE_ORIGINS_MAX]; // the furthest event of each ingest instance
    uint8_t had_count[NRS_LANES_MAX];
    uint64_t had_moved;         // lanes whose `had` changed in this batch

    nrs_follow_server_t *inside;  // to downstream stages
    nrs_follow_server_t *release; // to peers; NULL but for a relay
    nrs_tap_t *tap;
    const char *tap_topics[NRS_STAGE_TOPICS_MAX]; // their names, which the tap borrows
    nrs_bus_t *ask;
    nrs_http_t *http;

    int signals;                // signalfd
    size_t watch_count;
    nrs_wait_t watches[NRS_STAGE_WATCHES_MAX]; // the stage's own
    int64_t wake_every_ms;
    bool wake_now;
    bool stopping;
    bool reload;
    bool full;                  // the store has no room: nothing is taken in

    int64_t started_mono_ms;
    int64_t acks_saved_ms;
    char problem[256];          // what is stuck and why, in words; empty: nothing

    nrs_metric_t *in_total;
    nrs_metric_t *out_total;
    nrs_metric_t *repeated_total;
    nrs_metric_t *dead_total;
    nrs_metric_t *batches_total;
    nrs_metric_t *commit_seconds;
    nrs_metric_t *denied_keys;    // connections that the ZAP handler refused
    nrs_metric_t *denied_topics;  // followers refused: a topic that is not theirs, or no topic at all
    nrs_metric_t *lag_gauge;
    nrs_metric_t *store_gauge;
    uint64_t rate_in_last, rate_out_last; // counters when the rates were last taken
    int64_t rate_ms;
    uint64_t rate_in, rate_out;           // events a second
} nrs_stage_run_t;

// --- stage.c -------------------------------------------------------------------------------------

// Open everything that the instance has; after a failure as after a success nrs_stage_stop() gives it back.
NRS_MUST_CHECK nrs_err_t
nrs_stage_start(nrs_stage_run_t *run, nrs_problem_t *reterr);
// The instance's own pair, where it speaks CURVE.
NRS_MUST_CHECK nrs_err_t
nrs_stage_load_keys(nrs_stage_run_t *run, nrs_problem_t *reterr);
// Until told to stop, or until a batch cannot be made durable.
NRS_MUST_CHECK nrs_err_t
nrs_stage_loop(nrs_stage_run_t *run);
void
nrs_stage_stop(nrs_stage_run_t *run);

// --- stage_input.c -------------------------------------------------------------------------------

NRS_MUST_CHECK nrs_err_t
nrs_stage_inputs_open(nrs_stage_run_t *run, nrs_problem_t *reterr);
void
nrs_stage_inputs_close(nrs_stage_run_t *run);
bool
nrs_stage_inputs_ready(const nrs_stage_run_t *run);
// Take segments and hand their events to the stage, until the batch is full or nothing is there.
NRS_MUST_CHECK nrs_err_t
nrs_stage_inputs_apply(nrs_stage_run_t *run, nrs_out_t *out);
NRS_MUST_CHECK nrs_err_t
nrs_stage_inputs_save(nrs_stage_run_t *run, nrs_txn_t *txn);
// The batch is durable: say so upstream.
void
nrs_stage_inputs_acknowledge(nrs_stage_run_t *run);
// One event to the stage; what it cannot decide becomes a dead letter.
NRS_MUST_CHECK nrs_err_t
nrs_stage_apply(nrs_stage_run_t *run, nrs_out_t *out, nrs_bytes_t event, uint16_t lane, uint64_t offset);

// --- stage_out.c ---------------------------------------------------------------------------------

// The first half of a batch's end: outputs, states, cursors, acknowledgements, trimming; then the commit.
NRS_MUST_CHECK nrs_err_t
nrs_stage_batch(nrs_stage_run_t *run);
// A batch of dead letters: `id` alone, or the first `most` of all when it is 0. They go, and with `retry` they are tried
// once more (what fails again becomes a new letter).
NRS_MUST_CHECK nrs_err_t
nrs_stage_dead_batch(nrs_stage_run_t *run, bool retry, uint64_t id, uint64_t most, uint64_t *ret_done);
NRS_MUST_CHECK nrs_err_t
nrs_stage_topic_open(nrs_stage_run_t *run, const char *name, bool release, uint64_t backlog_bytes, size_t *ret_topic);
void
nrs_stage_topics_close(nrs_stage_run_t *run);

// --- stage_serve.c -------------------------------------------------------------------------------

NRS_MUST_CHECK nrs_err_t
nrs_stage_serve_open(nrs_stage_run_t *run, nrs_problem_t *reterr);
void
nrs_stage_serve_close(nrs_stage_run_t *run);
NRS_MUST_CHECK nrs_err_t
nrs_stage_serve_topics(nrs_stage_run_t *run, nrs_problem_t *reterr);
// Take in what followers and listeners sent, send what is there. *ret_more: there is more to send right away.
NRS_MUST_CHECK nrs_err_t
nrs_stage_serve(nrs_stage_run_t *run, bool *ret_more);

// Take the counts of who was denied into the metrics; returns their sum.
uint64_t
nrs_stage_count_denied(nrs_stage_run_t *run);

// --- stage_ask.c ---------------------------------------------------------------------------------

NRS_MUST_CHECK nrs_err_t
nrs_stage_ask_open(nrs_stage_run_t *run, nrs_problem_t *reterr);
NRS_MUST_CHECK nrs_err_t
nrs_stage_ask_step(nrs_stage_run_t *run);

// The CURVE domains of the ZAP table.
#define NRS_ZAP_INSIDE "inside"   // instances of this deployment, and its operators
#define NRS_ZAP_RELEASE "release" // peers
#define NRS_ZAP_LISTEN "listen"   // taps: members with a clearance, and all of the inside

#endif
