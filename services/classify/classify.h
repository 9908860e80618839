// classify.h - decides what each event is, by the rules

#ifndef CLASSIFY_H
#define CLASSIFY_H

#include "common/stage.h"

extern const nrs_stage_t classify_stage;

#endif
