#include "services/ingest/ingest_config.h"

#define ROW(name) offsetof(ingest_config_t, name)

const nrs_option_t ingest_options[] = {
    { "spool", NRS_OPTION_PATH, ROW(spool), "", 0, 4000, NULL,
      "Directory of the spool: files moved to SOURCE/incoming are read, then moved to SOURCE/done "
      "or SOURCE/failed. "
      "Empty: there is no spool." },
    { "spool_period", NRS_OPTION_DURATION, ROW(spool_period_ms), "30s", 1000, 3600000, NULL,
      "How often to look into the spool when the system has not told of a new file, as on a "
      "network file system." },
    { "known_max", NRS_OPTION_NUMBER, ROW(known_max), "20000000", 1000, 4000000000, NULL,
      "How many event ids are remembered to recognise a report that comes again; about 130 bytes "
      "of disk each." },
    { "line_max", NRS_OPTION_BYTES, ROW(line_max), "1MiB", 1024, 64 << 20, NULL,
      "Longest line; of a longer one the first 64 KiB become a dead letter." },
    { "document_max", NRS_OPTION_BYTES, ROW(document_max), "64MiB", 1024, 1 << 30, NULL,
      "Largest JSON document or STIX bundle; reading one takes about six times its size in "
      "memory." },
    { "documents_held_max", NRS_OPTION_BYTES, ROW(documents_held_max), "128MiB", 1024,
      (int64_t)4 << 30, NULL,
      "Memory for the data of all open submissions together; beyond it new data is refused as "
      "busy." },
    { "submissions_max", NRS_OPTION_NUMBER, ROW(submissions_max), "64", 1, 4096, NULL,
      "How many submissions can be open at the same time." },
    { "submission_idle", NRS_OPTION_DURATION, ROW(submission_idle_ms), "10m", 1000, 86400000, NULL,
      "After this silence an open submission is given up; what was complete is in." },
    { "credit", NRS_OPTION_NUMBER, ROW(credit), "8", 1, 64, NULL,
      "How many data messages (up to 1 MiB each) a submitter may send ahead." },
    { .key = NULL },
};
