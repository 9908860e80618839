// relay_config.h - the options of the relay
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include "common/config.h"

typedef struct relay_options {
    int64_t decisions_max_bytes;
} relay_options_t;

extern const nrs_option_t relay_option_table[];

#endif
