// enrich_sightings.h - when each indicator was seen first and last, how often, by how many, and
// whether a report repeats one
// Shape:    tables "sightings" (common/state.h; 64 bytes an indicator, layout in
//           enrich_sightings.c) and "enrich" (version, seed of the keys, numbers of the reporters).
//           The key is the XXH3-128 of the canonical value, seeded with a random number and the
//           kind.
// Promise:  the same reports in the same order give the same answers: no clock is read here.
// Units:    times are UTC milliseconds since 1970-01-01.
// Threads:  an object belongs to the thread that opened it.

#ifndef ENRICH_SIGHTINGS_H
#define ENRICH_SIGHTINGS_H

#include "common/event.h"
#include "common/store.h"
#include "common/world.h"

enum { ENRICH_REPORTERS_EXACT = 128 }; // members up to which distinct reporters are counted exactly

typedef struct enrich_sightings enrich_sightings_t;

typedef struct enrich_sightings_options {
    int64_t repeat_window_ms; // 0: nothing is a repeat
    size_t memory_bytes;
} enrich_sightings_options_t;

// Borrows `store`. Draws the seed from `world` when the store is new.
// Errors: NRS_E_IO, NRS_E_FULL, NRS_E_CORRUPT, NRS_E_VERSION (written by a newer build).
NRS_MUST_CHECK nrs_err_t
enrich_sightings_open(nrs_store_t *store, const enrich_sightings_options_t *options,
                      nrs_world_t *world, enrich_sightings_t **ret_sightings);
void
enrich_sightings_destroy(enrich_sightings_t **self_p);

// What is known of an indicator, the present report included.
typedef struct enrich_sighting {
    uint64_t first_seen_at, last_seen_at;
    uint64_t count;
    uint64_t reporters; // distinct members; beyond ENRICH_REPORTERS_EXACT members a lower bound
                        // that never falls
    bool repeat;        // passed whole within the window: this report goes on as a short update
    uint8_t first_id[NRS_ID_BYTES]; // event that was the first
} enrich_sighting_t;

// What a report says that matters here; texts are borrowed for the call.
typedef struct enrich_report {
    uint64_t kind;
    nrs_bytes_t value; // canonical
    nrs_bytes_t id;    // NRS_ID_BYTES
    nrs_bytes_t originator;
    uint64_t observed_at;
    uint64_t received_at; // the clock of the window
    uint64_t tlp;         // label and condition of this report; 0: the narrowest
    uint64_t onward;
} enrich_report_t;

// Count a report. Errors: NRS_E_IO, NRS_E_FULL, NRS_E_CORRUPT, NRS_E_VERSION.
NRS_MUST_CHECK nrs_err_t
enrich_sightings_count(enrich_sightings_t *self, nrs_txn_t *txn, const enrich_report_t *report,
                       enrich_sighting_t *ret_sighting);
// Look without counting: for what is no report. Errors: NRS_E_ABSENT (never seen), NRS_E_IO,
// NRS_E_CORRUPT, NRS_E_VERSION.
NRS_MUST_CHECK nrs_err_t
enrich_sightings_get(enrich_sightings_t *self, nrs_txn_t *txn, uint64_t kind, nrs_bytes_t value,
                     enrich_sighting_t *ret_sighting);
// Once before each commit. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
enrich_sightings_save(enrich_sightings_t *self, nrs_txn_t *txn);
uint64_t
enrich_sightings_known(enrich_sightings_t *self, nrs_txn_t *txn);

#endif
