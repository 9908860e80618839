// stage.h - the runtime that every stage shares: sockets, cursors, credit, one transaction a batch, signals, reload
// Shape:    a service hands its nrs_stage_t to nrs_stage_main(); the rest of its code is what it decides.
// Threads:  every callback runs on the one thread of the stage.

#ifndef NRS_STAGE_H
#define NRS_STAGE_H

#include "common/base.h"
#include "common/bus.h"
#include "common/config.h"
#include "common/dead.h"
#include "common/directory.h"
#include "common/event.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/plan.h"
#include "common/store.h"
#include "common/world.h"
#include "common/zap.h"

// What a stage may lean on; borrowed, valid from open() to close().
typedef struct nrs_stage_context {
    const nrs_plan_t *plan;
    const nrs_instance_t *instance;
    const nrs_directory_t *directory;
    nrs_config_t *config;
    const void *options;    // the struct of the stage's option table
    nrs_store_t *store;     // for tables of its own
    nrs_world_t *world;
    nrs_metrics_t *metrics;
    nrs_zap_t *zap;
    struct nrs_stage_run *run; // for nrs_stage_watch() and nrs_stage_topic()
} nrs_stage_context_t;

// Where the output of one batch goes, all of it in the batch's transaction.
typedef struct nrs_out nrs_out_t;

// The time of the batch (one clock reading for all of it), and its transaction for the stage's own tables.
int64_t
nrs_out_now(const nrs_out_t *out);
nrs_txn_t *
nrs_out_txn(nrs_out_t *out);
// Has the batch room for more? An intake stops when it has not.
bool
nrs_out_room(const nrs_out_t *out);

// The event with one more layer, to the stage's topic, in the lane that it came in. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
nrs_out_append(nrs_out_t *out, nrs_event_t *in, nrs_layer_t layer, const void *values);
// The same as a short update: the core of the origin layer, and this context.
NRS_MUST_CHECK nrs_err_t
nrs_out_append_short(nrs_out_t *out, nrs_event_t *in, const nrs_context_t *context);
// To another topic of the stage, one that nrs_stage_topic() gave.
NRS_MUST_CHECK nrs_err_t
nrs_out_append_to(nrs_out_t *out, size_t topic, nrs_event_t *in, nrs_layer_t layer, const void *values);
// The same without the fields in `drop` (see nrs_event_append_without()).
NRS_MUST_CHECK nrs_err_t
nrs_out_append_projected(nrs_out_t *out, size_t topic, nrs_event_t *in, const nrs_field_t *drop, size_t count,
                         const nrs_release_t *release);
// A new event (ingest): the runtime sets instance, lane, epoch and offset. The lane follows from kind and value.
// `ret_place` may be NULL. Errors: NRS_E_FULL (the store has no room: refuse the input), NRS_E_LIMIT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_out_report(nrs_out_t *out, const nrs_origin_t *origin, nrs_origin_place_t *ret_place);

// Keep a dead letter (common/dead.h).
// Errors: NRS_E_FULL (the limit of dead letters is reached: refuse the input), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_out_dead(nrs_out_t *out, const nrs_dead_t *dead);

typedef struct nrs_stage {
    const char *name; // what it reads and writes stands in common/flow.c

    const nrs_option_t *options;
    size_t options_bytes;

    // Load what is needed; refuse to start with a clear *reterr.
    nrs_err_t (*open)(const nrs_stage_context_t *context, nrs_problem_t *reterr, void **ret_me);
    // Decide about one event. NRS_E_FORMAT and NRS_E_LIMIT make it a dead letter; other errors end the batch.
    nrs_err_t (*apply)(void *me, nrs_event_t *in, nrs_out_t *out);
    // Only where the stage reads no topic: take what has arrived on the watched sockets, up to nrs_out_room().
    nrs_err_t (*intake)(void *me, nrs_out_t *out);
    // Only where it reads no topic: take a dead letter's bytes once more. Errors as for apply().
    nrs_err_t (*retry)(void *me, const nrs_dead_kept_t *dead, nrs_out_t *out);
    // Once a batch, after the last event and before the commit: save states.
    nrs_err_t (*tick)(void *me, nrs_out_t *out);
    // After the commit is durable: receipts may go out. Never called for a batch that failed.
    void (*committed)(void *me);
    // SIGHUP: read rules and lists again. On failure the old ones stay, and *reterr is logged.
    nrs_err_t (*reload)(void *me, nrs_problem_t *reterr);
    // A question of the command line that only this stage can answer: JSON into `reply`. NRS_E_ABSENT when it knows no
    // such verb. `txn` is a read transaction. May be NULL.
    nrs_err_t (*ask)(void *me, const char *verb, nrs_bytes_t argument, nrs_txn_t *txn, nrs_buf_t *reply);
    void (*close)(void **me_p);
} nrs_stage_t;

// In open(): wake the loop when `bus` has something to read, or `fd` has, or after `period_ms` at the latest.
void
nrs_stage_watch(struct nrs_stage_run *run, nrs_bus_t *bus);
void
nrs_stage_watch_fd(struct nrs_stage_run *run, int fd);
void
nrs_stage_wake_every(struct nrs_stage_run *run, int64_t period_ms);
// In intake(): there is more to take; do not wait before the next batch.
void
nrs_stage_wake_now(struct nrs_stage_run *run);
// In open(): one more topic, e.g. "releases/ncfta", followed at the release endpoint by `follower` alone (its CURVE key),
// or by anyone on the inside when it is NULL. Returns its number for nrs_out_append_to(). On failure *reterr says why.
NRS_MUST_CHECK nrs_err_t
nrs_stage_topic(struct nrs_stage_run *run, const char *name, const char *follower_key, const char *follower_name,
                nrs_problem_t *reterr, size_t *ret_topic);

// The whole program: options --config F --instance NAME --check --help --help-config --version. Returns the exit status:
// 0 good, 1 failed, 2 wrong usage or configuration, 3 data damaged, 4 disk.
int
nrs_stage_main(const nrs_stage_t *stage, int argc, char **argv);

#endif
