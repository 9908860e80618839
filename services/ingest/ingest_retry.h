// ingest_retry.h - a dead letter is read once more, when its source or our code can read it by now
// Threads:  an object belongs to the thread of the stage.

#ifndef INGEST_RETRY_H
#define INGEST_RETRY_H

#include "services/ingest/ingest_tally.h"

// Read the letter as a record of its source. What can't be read now, or not alone, becomes a letter
// again, with the reason. Errors: NRS_E_FULL, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
ingest_retry(const ingest_sources_t *sources, const nrs_dead_kept_t *dead, ingest_batch_t *batch);

#endif
