// relay_config.c - see relay_config.h
#include "services/relay/relay_config.h"

const nrs_option_t relay_option_table[] = {
    { .key = "decisions_max_bytes",
      .type = NRS_OPTION_BYTES,
      .offset = offsetof(relay_options_t, decisions_max_bytes),
      .fallback = "1GiB",
      .min = 1 << 20,
      .max = (int64_t)1 << 40,
      .doc = "How much the kept decisions (who got what, who did not and why) may take; the oldest "
             "go first. An event "
             "takes about one byte a peer." },
    { 0 },
};
