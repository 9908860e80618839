// batches.h - the stage runtime's side of a batch, for tests: notes what would be committed, and
// can refuse it
// Shape:    defines nrs_out_*() itself, so that the real runtime is not linked in.

#ifndef BATCHES_H
#define BATCHES_H

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/ingest/ingest_tally.h"
#include "tests/unit/ingest/inputs.h"

struct nrs_out {
    nrs_txn_t *txn;
    size_t taken, room;   // records; room 0: no limit
    size_t reports, dead; // of all batches
    size_t dead_max;      // 0: no limit
    char last_reason[64]; // of the last dead letter
    char last_place[200];
};

int64_t
nrs_out_now(const nrs_out_t *out)
{
    (void)out;
    return INPUTS_NOW_MS;
}

nrs_txn_t *
nrs_out_txn(nrs_out_t *out)
{
    return out->txn;
}

bool
nrs_out_room(const nrs_out_t *out)
{
    return out->room == 0 || out->taken < out->room;
}

nrs_err_t
nrs_out_report(nrs_out_t *out, const nrs_origin_t *origin, nrs_origin_place_t *ret_place)
{
    (void)origin;
    out->taken++;
    *ret_place = (nrs_origin_place_t){ .lane = 3, .epoch = 1, .offset = out->reports++ };
    return NRS_OK;
}

nrs_err_t
nrs_out_dead(nrs_out_t *out, const nrs_dead_t *dead)
{
    if (out->dead_max && out->dead >= out->dead_max)
        return NRS_E_FULL;
    out->taken++;
    out->dead++;
    snprintf(out->last_reason, sizeof out->last_reason, "%s", dead->reason);
    inputs_copy(out->last_place, sizeof out->last_place, dead->place);
    return NRS_OK;
}

// A store in a scratch directory, and what an ingest has around it.
typedef struct batches {
    inputs_t inputs;
    char dir[64];
    nrs_store_t *store;
    nrs_metrics_t *metrics;
    ingest_known_t *known;
    ingest_batch_t batch;
    nrs_out_t out;
} batches_t;

static inline void
batches_open(batches_t *self, const char *sources_yaml)
{
    memset(self, 0, sizeof *self);
    inputs_open(&self->inputs, sources_yaml);
    snprintf(self->dir, sizeof self->dir, "/tmp/noroshi-ingest-XXXXXX");
    nrs_problem_t problem = { .text[0] = 0 };
    char path[128];
    if (!mkdtemp(self->dir))
        abort();
    snprintf(path, sizeof path, "%s/store", self->dir);
    nrs_store_options_t options = { .path = path, .bytes_max = 64 << 20 };
    if (nrs_store_open(&options, &problem, &self->store) ||
        ingest_known_open(self->store, 1000, &self->known)) {
        fprintf(stderr, "%s\n", problem.text);
        abort();
    }
    self->metrics = nrs_metrics_new();
    nrs_metric_t *any = nrs_metrics_counter(self->metrics, "any_total", NULL, "any");
    self->batch = (ingest_batch_t){ .out = &self->out,
                                    .known = self->known,
                                    .accepted = any,
                                    .knew = any,
                                    .rejected = any,
                                    .skipped = any };
}

static inline int
batches_remove(const char *path, const struct stat *status, int flag, struct FTW *place)
{
    (void)status, (void)flag, (void)place;
    return remove(path);
}

static inline void
batches_close(batches_t *self)
{
    ingest_known_destroy(&self->known);
    nrs_metrics_destroy(&self->metrics);
    nrs_store_destroy(&self->store);
    NRS_IGNORE(nftw(self->dir, batches_remove, 8, FTW_DEPTH | FTW_PHYS)); // a scratch directory
    inputs_close(&self->inputs);
}

static inline void
batches_begin(batches_t *self)
{
    self->out.taken = 0;
    if (nrs_txn_begin(self->store, true, &self->out.txn))
        abort();
}

static inline void
batches_commit(batches_t *self)
{
    if (ingest_known_save(self->known, self->out.txn) || nrs_txn_commit(&self->out.txn))
        abort();
    self->batch.wrote = false;
}

#endif
