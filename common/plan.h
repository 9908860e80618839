// plan.h - the deployment: realm, lanes, stage instances and where they are (proto/noroshi_yaml.md)
// Threads:  const once read.

#ifndef NRS_PLAN_H
#define NRS_PLAN_H

#include "common/base.h"
#include "common/config.h"

enum { NRS_LANES_MAX = 64 };
enum { NRS_IPC_PATH_MAX = 107 }; // sun_path of a unix socket without its NUL

// One process of one stage. Its number is `number:` in the file, or the place of its stage in the
// flow (1, 2, ...) with 100 more for each instance of the stage that stands before it.
typedef struct nrs_instance {
    const char *name;    // "enrich-1"; unique in the file
    const char *stage;   // "enrich"
    uint16_t number;     // unique in the file and stable; see below
    const char *host;    // machine that it runs on; "" when the file does not say
    uint64_t lanes;      // bit i: owns lane i
    const char *data;    // absolute path of its data directory
    const char *follow;  // endpoint of its topics, for downstream stages: ipc://... or tcp://...
    const char *tap;     // endpoint of its taps
    const char *ask;     // endpoint for status, show and dead letters
    const char *submit;  // ingest: endpoint for reports; else NULL
    const char *release; // relay: endpoint for peers, always CURVE; else NULL
    const char *metrics; // "127.0.0.1:9464", or NULL for none
    bool curve;          // follow, tap, ask and submit speak CURVE (needed when they are tcp://)
    const nrs_config_node_t *options; // mapping `options:` of its stage, or NULL
} nrs_instance_t;

typedef struct nrs_plan {
    nrs_config_t *config; // owned
    const char *realm;    // "live"
    const char *centre;   // display name
    const char *home;     // absolute: data/, run/, keys/, log/ are below it
    uint16_t lanes;       // 1..NRS_LANES_MAX
    size_t instance_count;
    nrs_instance_t *instances; // in the order of the flow
} nrs_plan_t;

// Read and check noroshi.yaml: every stage's lanes are owned exactly once, endpoints are distinct,
// tcp endpoints have CURVE. A stage that the file does not name gets one instance with all lanes.
// Errors: NRS_E_IO, NRS_E_CONFIG with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_plan_open(const char *path, nrs_problem_t *reterr, nrs_plan_t **ret_plan);
// The same from a file that is read already. Takes the config on success; on failure it is still
// the caller's, and nrs_config_mistake() tells every mistake that was found. Errors: NRS_E_CONFIG.
NRS_MUST_CHECK nrs_err_t
nrs_plan_read(nrs_config_t **config_p, nrs_problem_t *reterr, nrs_plan_t **ret_plan);
void
nrs_plan_destroy(nrs_plan_t **self_p);

// NULL when there is none.
const nrs_instance_t *
nrs_plan_instance(const nrs_plan_t *self, const char *name);
// The next instance of `stage` after `previous` (NULL: the first).
const nrs_instance_t *
nrs_plan_next(const nrs_plan_t *self, const char *stage, const nrs_instance_t *previous);

#endif
