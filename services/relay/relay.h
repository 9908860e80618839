// relay.h - the stage that gives each peer what it may have, and remembers why it did or did not
#ifndef RELAY_H
#define RELAY_H

#include "common/stage.h"

extern const nrs_stage_t relay_stage;

#endif
