// enrich.h - the stage enrich: adds what can be known about an indicator without asking its owner
#ifndef ENRICH_H
#define ENRICH_H

#include "common/stage.h"

extern const nrs_stage_t enrich_stage;

#endif
