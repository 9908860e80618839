// enrich_facts.h - what can be known about an indicator without asking its owner
// Threads:  an object belongs to the thread that uses it.

#ifndef ENRICH_FACTS_H
#define ENRICH_FACTS_H

#include "common/event.h"
#include "common/geo.h"
#include "common/suffix.h"
#include "enrich_lists.h"

// What is looked into; all borrowed.
typedef struct enrich_sources {
    nrs_suffixes_t *suffixes;
    nrs_geo_t *geo;
    const enrich_lists_t *lists;
} enrich_sources_t;

// One indicator under work. The context borrows from the value and from here, until the next
// enrich_facts_start().
typedef struct enrich_facts {
    uint64_t kind;
    nrs_bytes_t value;
    nrs_bytes_t host;    // host name in it, empty where that is an address
    bool placed;         // `prefix` is set
    nrs_prefix_t prefix; // address or prefix in it
    nrs_geo_place_t place;
    char ip[46];
    nrs_buf_t unicode; // owned by whoever keeps the struct: nrs_buf_free(&facts.unicode)
} enrich_facts_t;

// Find out what the indicator names: a host, an address, or neither.
void
enrich_facts_start(enrich_facts_t *self, uint64_t kind, nrs_bytes_t value);
// Registrable domain, public suffix, the name in Unicode.
void
enrich_name(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context);
// Country and autonomous system.
void
enrich_place(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context);
// Lists that hold it.
void
enrich_list(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context);

#endif
