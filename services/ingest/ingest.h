// ingest.h - the stage: takes reports in, from the submit socket and the spool, and gives each its
// origin layer
#ifndef INGEST_H
#define INGEST_H

#include "common/stage.h"

extern const nrs_stage_t ingest_stage;

#endif
