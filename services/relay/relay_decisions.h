// relay_decisions.h - who got an event, who did not and why: kept for each event and peer, counted
// Shape:    one table of the relay's store; its layout stands in relay_decisions_parts.h.
// Promise:  a decision is committed with the release that it is about, in one transaction.
// Threads:  an object belongs to the thread that opened it.
// Cost:     one byte an event and peer, 100 bytes a run; beyond the limit the oldest runs go.

#ifndef RELAY_DECISIONS_H
#define RELAY_DECISIONS_H

#include "common/base.h"
#include "common/directory.h"
#include "common/event.h"
#include "common/metrics.h"
#include "common/store.h"

typedef struct relay_decisions relay_decisions_t;

// Open for the peers of `directory`, in their order. Borrows `store`, `directory` and `metrics`;
// all must outlive the result. Errors: NRS_E_IO, NRS_E_FULL, NRS_E_VERSION (written by a newer
// build), NRS_E_CORRUPT.
NRS_MUST_CHECK nrs_err_t
relay_decisions_open(nrs_store_t *store, const nrs_directory_t *directory, uint64_t bytes_max,
                     nrs_metrics_t *metrics, relay_decisions_t **ret_decisions);
void
relay_decisions_destroy(relay_decisions_t **self_p);

// Note what was decided about the event from `place`: one nrs_policy_reason_t for each peer, in the
// directory's order. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
relay_decisions_put(relay_decisions_t *self, nrs_txn_t *txn, const nrs_origin_place_t *place,
                    const uint8_t *reasons);
// Write all of the batch into its transaction, and drop a few of the oldest runs when there is too
// much. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
relay_decisions_save(relay_decisions_t *self, nrs_txn_t *txn);
// The batch is durable: count it in the metrics. Or it has failed: as if nothing had been put since
// the last commit.
void
relay_decisions_committed(relay_decisions_t *self);
void
relay_decisions_forget(relay_decisions_t *self);
// Bytes that the kept runs take, as the limit counts them.
uint64_t
relay_decisions_bytes(const relay_decisions_t *self);

// --- questions: JSON, appended to `reply`; of what is committed in `txn` -------------------------

// "INSTANCE/LANE/EPOCH/OFFSET". Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
relay_place_parse(nrs_bytes_t text, nrs_origin_place_t *ret_place);
// {"known":true,"policy":1,"peers":[{"id":"ncfta","name":"NCFTA","outcome":"refused","reason":"tlp-red","text":"..."}]};
// {"known":false,"peers":[]} when nothing is kept (any more). Errors: NRS_E_IO, NRS_E_CORRUPT.
NRS_MUST_CHECK nrs_err_t
relay_decisions_why(relay_decisions_t *self, nrs_txn_t *txn, const nrs_origin_place_t *place,
                    nrs_buf_t *reply);
// {"peers":[{"id":"ncfta","name":"NCFTA","released":1,"projected":0,"held":0,"refused":2,"reasons":{"tlp-red":2,...}}]}
NRS_MUST_CHECK nrs_err_t
relay_decisions_totals(relay_decisions_t *self, nrs_txn_t *txn, nrs_buf_t *reply);

#endif
