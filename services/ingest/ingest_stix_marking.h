// ingest_stix_marking.h - what the markings of STIX objects allow (STIX 2.1, section 7.2; TLP 2.0;
// PAP)
// Shape:    several markings: the most restrictive counts. A marking that we do not know, or one
//           that has the id of a fixed one and says something else, is RED.

#ifndef INGEST_STIX_MARKING_H
#define INGEST_STIX_MARKING_H

#include "common/event.h"
#include "common/json.h"

enum { INGEST_MARKINGS_MAX = 64 }; // forged ones of a bundle; with more, everything in it is RED

// Fixed markings whose definition in this bundle is not what it must be.
typedef struct ingest_markings {
    size_t count;
    size_t forged[INGEST_MARKINGS_MAX]; // numbers in the table of fixed markings
} ingest_markings_t;

// Look at a marking-definition of the bundle.
void
ingest_markings_learn(ingest_markings_t *self, const nrs_json_value_t *definition);
// The labels of an object; 0 where its markings say nothing about it.
void
ingest_markings_of(const ingest_markings_t *self, const nrs_json_value_t *object, uint64_t *ret_tlp,
                   uint64_t *ret_pap);

#endif
