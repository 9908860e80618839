#include "common/flow.h"

static const nrs_flow_t s_flow[] = {
    { "ingest", NULL, "reports" },
    { "enrich", "reports", "enriched" },
    { "classify", "enriched", "classified" },
    { "relay", "classified", NULL },
};

enum { STAGES = sizeof s_flow / sizeof s_flow[0] };

const nrs_flow_t *
nrs_flow_at(size_t i)
{
    return i < STAGES ? &s_flow[i] : NULL;
}

const nrs_flow_t *
nrs_flow_of(const char *stage)
{
    for (size_t i = 0; i < STAGES; i++)
        if (strcmp(s_flow[i].stage, stage) == 0)
            return &s_flow[i];
    return NULL;
}

const char *
nrs_flow_writer(const char *topic)
{
    for (size_t i = 0; i < STAGES; i++)
        if (s_flow[i].writes && strcmp(s_flow[i].writes, topic) == 0)
            return s_flow[i].stage;
    return strncmp(topic, "releases/", strlen("releases/")) == 0 ? "relay" : NULL;
}
