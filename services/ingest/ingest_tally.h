// ingest_tally.h - where records go: into the batch, to the dead letters, or nowhere as they are
// known; and the count of it
// Threads:  an object belongs to the thread of the stage.

#ifndef INGEST_TALLY_H
#define INGEST_TALLY_H

#include "common/metrics.h"
#include "common/stage.h"
#include "common/submit.h"
#include "services/ingest/ingest_known.h"
#include "services/ingest/ingest_reader.h"

enum { INGEST_BATCH_RECORDS_MAX = 16384 }; // records of a batch, those included that bring no event
enum { INGEST_BATCH_DEAD_MAX = 4 << 20 };  // bytes of dead letters in a batch

// The batch under way, and what all inputs share.
typedef struct ingest_batch {
    nrs_out_t *out;        // borrowed; valid within intake()
    ingest_known_t *known; // borrowed
    bool wrote;            // something that is not yet committed
    size_t records;        // looked at in this batch
    size_t dead_bytes;     // of dead letters in this batch
    nrs_metric_t *accepted, *knew, *rejected, *skipped;
} ingest_batch_t;

// A rejection as the receipt tells it.
typedef struct ingest_told {
    char place[INGEST_INPUT_MAX + 32];
    const char *reason;
    char text[256];
    uint8_t bytes[NRS_SUBMIT_REJECTION_BYTES_MAX];
    size_t bytes_size;
} ingest_told_t;

// What became of one input's records.
typedef struct ingest_tally {
    ingest_batch_t *batch;         // borrowed
    const ingest_source_t *source; // borrowed
    uint64_t accepted, known, rejected, skipped;
    const char *full; // why no more can be taken ("dead-letters-full", "store-full"), or NULL
    size_t told_count;
    ingest_told_t *told; // owned: the first NRS_SUBMIT_REJECTIONS_MAX
} ingest_tally_t;

void
ingest_tally_free(ingest_tally_t *self);
// The sink for ingest_reader_step(); borrows `self`. Its calls give NRS_E_FULL with `full` set.
ingest_sink_t
ingest_tally_sink(ingest_tally_t *self);

#endif
