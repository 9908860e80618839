// ingest_known.h - which events are here already, and where in the flow they entered
// Shape:    table "known": 16 bytes of event id -> lane (2), epoch (4), offset (8), big-endian.
//           Table "known-age": number of the batch (8, big-endian) -> the ids that it brought, so
//           that the oldest can go.
// Promise:  what a batch brings is stored in its transaction, so it is known exactly when the event
//           is durable.
// Threads:  an object belongs to the thread that opened it.
// Cost:     ids begin with the time, so a batch's ids stand close together in the table: a fraction
//           of a microsecond each.

#ifndef INGEST_KNOWN_H
#define INGEST_KNOWN_H

#include "common/event.h"
#include "common/store.h"

typedef struct ingest_known ingest_known_t;

// `max` ids are kept. Borrows `store`. Errors: NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
ingest_known_open(nrs_store_t *store, uint64_t max, ingest_known_t **ret_known);
void
ingest_known_destroy(ingest_known_t **self_p);

// Where the event with this id entered, in this batch or an earlier one; `instance` is not set.
// Errors: NRS_E_ABSENT, NRS_E_IO, NRS_E_CORRUPT.
NRS_MUST_CHECK nrs_err_t
ingest_known_get(ingest_known_t *self, nrs_txn_t *txn, const uint8_t id[NRS_ID_BYTES],
                 nrs_origin_place_t *ret_place);
// Remember an id that is not known.
void
ingest_known_put(ingest_known_t *self, const uint8_t id[NRS_ID_BYTES],
                 const nrs_origin_place_t *place);
// Write the batch's ids, in key order, and drop as many of the oldest as are too many. Once before
// each commit. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
ingest_known_save(ingest_known_t *self, nrs_txn_t *txn);
// Forget what was put since the last save: its batch has failed.
void
ingest_known_forget(ingest_known_t *self);

#endif
