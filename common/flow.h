// flow.h - which stage writes which topic, and which stage reads it: the picture in README.md as a table
#ifndef NRS_FLOW_H
#define NRS_FLOW_H

#include "common/base.h"

typedef struct nrs_flow {
    const char *stage;
    const char *reads;  // NULL: its input comes from outside
    const char *writes; // NULL: it names its topics itself
} nrs_flow_t;

// In the order of the flow; NULL past the end.
const nrs_flow_t *
nrs_flow_at(size_t i);
// A stage's row; NULL when there is no such stage.
const nrs_flow_t *
nrs_flow_of(const char *stage);
// The stage that writes a topic ("releases/..." is the relay's); NULL when none does.
const char *
nrs_flow_writer(const char *topic);

#endif
