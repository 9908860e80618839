// ingest_submit.h - the server of the submit protocol (proto/submit.md): who may, credit, receipts
// Promise:  a receipt, and credit, go out only when what they speak of is committed.
// Threads:  an object belongs to the thread of the stage.
// Cost:     memory is bounded by the options: open submissions, credit, and the data that they hold
//           together.

#ifndef INGEST_SUBMIT_H
#define INGEST_SUBMIT_H

#include "common/bus.h"
#include "common/zap.h"
#include "services/ingest/ingest_config.h"
#include "services/ingest/ingest_tally.h"

#define INGEST_SUBMIT_DOMAIN "submit"       // ZAP domain of the socket
#define INGEST_SUBMIT_OPERATOR "(operator)" // name there of the key that may submit for every source; no member's id

typedef struct ingest_submit ingest_submit_t;

typedef struct ingest_submit_options {
    const ingest_config_t *config; // borrowed, as all below
    const ingest_sources_t *sources;
    nrs_store_t *store; // is there room?
    nrs_zap_t *zap;     // NULL: the socket does not authenticate, its file mode says who may
    ingest_batch_t *batch;
    nrs_metrics_t *metrics;
} ingest_submit_options_t;

// `bus` is a bound ROUTER; it is taken over.
ingest_submit_t *
ingest_submit_new(nrs_bus_t **bus_p, const ingest_submit_options_t *options);
void
ingest_submit_destroy(ingest_submit_t **self_p);

// Take what has arrived, while the batch has room. *ret_more is set when something was left over.
// Errors: those of the batch.
NRS_MUST_CHECK nrs_err_t
ingest_submit_step(ingest_submit_t *self, int64_t now_ms, bool *ret_more);
// What was taken is durable: send credit and receipts.
void
ingest_submit_committed(ingest_submit_t *self);
// The last batch was not committed: every open submission is refused, and can be sent again.
void
ingest_submit_failed(ingest_submit_t *self);

#endif
