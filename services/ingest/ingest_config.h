// ingest_config.h - the options of an ingest instance (noroshi.yaml: stages, ingest, options)
#ifndef INGEST_CONFIG_H
#define INGEST_CONFIG_H

#include "common/config.h"

typedef struct ingest_config {
    char *spool;                // directory, or "" for none
    int64_t spool_period_ms;    // between looks when nothing has told us
    int64_t known_max;          // ids
    int64_t line_max;           // bytes
    int64_t document_max;       // bytes
    int64_t documents_held_max; // bytes, all open submissions together
    int64_t submissions_max;    // open at the same time
    int64_t submission_idle_ms; // until a silent one is given up
    int64_t credit;             // DATA messages in flight, for each submission
} ingest_config_t;

extern const nrs_option_t ingest_options[];

#endif
