// classify_config.h - the options of the stage

#ifndef CLASSIFY_CONFIG_H
#define CLASSIFY_CONFIG_H

#include "common/config.h"

typedef struct classify_options {
    const char *rules; // path of the rules file
} classify_options_t;

extern const nrs_option_t classify_options[];

#endif
