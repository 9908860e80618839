#include "services/classify/classify_config.h"

const nrs_option_t classify_options[] = {
    { "rules", NRS_OPTION_PATH, offsetof(classify_options_t, rules), "rules/default.yaml", 1, 4096,
      NULL,
      "the rules file, read at the start and on SIGHUP (services/classify/README.md, \"Rules\")" },
    { 0 },
};
