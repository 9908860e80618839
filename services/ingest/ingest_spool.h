// ingest_spool.h - files moved into SPOOL/<source>/incoming become reports, then go to done/ or
// failed/
// Promise:  how far a file has been read is committed with the events that it brought: a restart
//           repeats nothing and leaves nothing out. A file moves on only when all of it is durable.
// Threads:  an object belongs to the thread of the stage.

#ifndef INGEST_SPOOL_H
#define INGEST_SPOOL_H

#include "services/ingest/ingest_config.h"
#include "services/ingest/ingest_tally.h"

typedef struct ingest_spool ingest_spool_t;

typedef struct ingest_spool_options {
    const ingest_config_t *config; // borrowed, as all below; `spool` is not empty
    const ingest_sources_t *sources;
    nrs_store_t *store;
    ingest_batch_t *batch;
} ingest_spool_options_t;

// Make the directories of every source and watch them. Errors: NRS_E_IO with *reterr.
NRS_MUST_CHECK nrs_err_t
ingest_spool_open(const ingest_spool_options_t *options, nrs_problem_t *reterr,
                  ingest_spool_t **ret_spool);
void
ingest_spool_destroy(ingest_spool_t **self_p);
// Readable when a file has come.
int
ingest_spool_fd(const ingest_spool_t *self);

// Read on, while the batch has room. *ret_more is set when something was left over. Errors: those
// of the batch.
NRS_MUST_CHECK nrs_err_t
ingest_spool_step(ingest_spool_t *self, int64_t now_ms, bool *ret_more);
// What was read is durable: move the files that are done.
void
ingest_spool_committed(ingest_spool_t *self);
// The last batch was not committed: begin again at the places that are.
void
ingest_spool_failed(ingest_spool_t *self);

#endif
