#include "common/plan.h"

#include "common/http.h"
#include "common/flow.h"
#include "common/plan_check.h"

#include <errno.h>
#include <stdlib.h>

enum { FORMAT_VERSION = 1 };  // of noroshi.yaml
enum { INSTANCES_MAX = 256 }; // in one file
enum { NUMBER_STEP = 100 };   // from one instance of a stage to the next, where the file gives none

// --- the tables ----------------------------------------------------------------------------------

typedef struct s_top {
    int64_t version, lanes;
    const char *realm, *centre, *home;
    const nrs_config_node_t *stages;
    const nrs_config_node_t *ignored; // sections that the directory and ingest read
} s_top_t;

#define ROW(struct_, key, type, member, fallback, min, max, doc)                                   \
    {                                                                                              \
        key, NRS_OPTION_##type, offsetof(struct_, member), fallback, min, max, NULL, doc           \
    }

static const nrs_option_t s_top_table[] = {
    ROW(s_top_t, "noroshi", NUMBER, version, NULL, 1, INT64_MAX,
        "Version of this file's format; 1."),
    ROW(s_top_t, "realm", TEXT, realm, "live", 1, NRS_CONFIG_NAME_MAX,
        "The world that this deployment works in: live, or the name of an exercise."),
    ROW(s_top_t, "centre", TEXT, centre, "", 1, 200, "The centre's name, as people should see it."),
    ROW(s_top_t, "home", PATH, home, "var", 1, 4096,
        "Directory with data/, run/, keys/ and log/ below it."),
    ROW(s_top_t, "lanes", NUMBER, lanes, "16", 1, NRS_LANES_MAX,
        "Partitions of every topic; fixed once there is data."),
    ROW(s_top_t, "stages", NODE, stages, NULL, 0, 0, "Stages that differ from the default."),
    ROW(s_top_t, "agreements", NODE, ignored, NULL, 0, 0, "Terms of members and peers."),
    ROW(s_top_t, "members", NODE, ignored, NULL, 0, 0, "Organisations that report."),
    ROW(s_top_t, "peers", NODE, ignored, NULL, 0, 0, "Counterparts that receive feeds."),
    ROW(s_top_t, "sources", NODE, ignored, NULL, 0, 0, "Feeds that ingest reads."),
    { 0 },
};

// What can be said of an instance; in a stage with one instance also of the stage.
typedef struct s_entry {
    const char *name, *host, *data, *follow, *tap, *ask, *submit, *release, *metrics;
    int64_t number;
    bool curve;
    const nrs_config_node_t *lanes, *instances, *options;
} s_entry_t;

#define INSTANCE_ROWS                                                                              \
    ROW(s_entry_t, "name", TEXT, name, "", 1, NRS_CONFIG_NAME_MAX,                                 \
        "Unique name; STAGE-1, STAGE-2 and so on by default."),                                    \
        ROW(s_entry_t, "number", NUMBER, number, "0", 0, UINT16_MAX,                               \
            "Unique number, never given to another instance; 0 takes it from the stage."),         \
        ROW(s_entry_t, "host", TEXT, host, "", 1, 253, "The machine that it runs on."),            \
        ROW(s_entry_t, "lanes", NODE, lanes, NULL, 0, 0,                                           \
            "The lanes that it owns; all by default."),                                            \
        ROW(s_entry_t, "data", PATH, data, "", 1, 4096,                                            \
            "Data directory; HOME/data/NAME by default."),                                         \
        ROW(s_entry_t, "follow", TEXT, follow, "", 1, 512, "Endpoint of its topics."),             \
        ROW(s_entry_t, "tap", TEXT, tap, "", 1, 512, "Endpoint of its taps."),                     \
        ROW(s_entry_t, "ask", TEXT, ask, "", 1, 512, "Endpoint for the command line."),            \
        ROW(s_entry_t, "submit", TEXT, submit, "", 1, 512, "ingest: endpoint for reports."),       \
        ROW(s_entry_t, "release", TEXT, release, "", 1, 512, "relay: endpoint for peers."),        \
        ROW(s_entry_t, "metrics", TEXT, metrics, "", 1, 64,                                        \
            "Loopback address for metrics and probes; none by default."),                          \
        ROW(s_entry_t, "curve", BOOL, curve, "false", 0, 0,                                        \
            "CURVE on follow, tap, ask and submit; needed on tcp.")

static const nrs_option_t s_instance_table[] = { INSTANCE_ROWS, { 0 } };

static const nrs_option_t s_stage_table[] = {
    INSTANCE_ROWS,
    ROW(s_entry_t, "instances", NODE, instances, NULL, 0, 0, "Its processes."),
    ROW(s_entry_t, "options", NODE, options, NULL, 0, 0, "The stage's own table."),
    { 0 },
};

// --- one instance --------------------------------------------------------------------------------

// What one instance is made from; what its own entry does not say, the stage's does.
typedef struct s_source {
    const s_entry_t *own, *stage;
    const nrs_config_node_t *own_node, *stage_node; // either may be NULL
    size_t flow;                                    // place in the flow
    size_t place, count;                            // among the instances of its stage
} s_source_t;

static const nrs_config_node_t *
s_node(const nrs_plan_t *self, const s_source_t *source, const char *key)
{
    const nrs_config_node_t *node = nrs_config_get(source->own_node, key);
    node = node ? node : nrs_config_get(source->stage_node, key);
    node = node ? node : source->own_node;
    node = node ? node : source->stage_node;
    return node ? node : nrs_config_root(self->config);
}

static const char *
s_choose(const char *own, const char *stage)
{
    return own[0] ? own : stage;
}

// Fill in an endpoint: the one from the file, made absolute when it is ipc, or
// HOME/run/NAME.SUFFIX.
static nrs_err_t
s_endpoint(nrs_plan_t *self, const s_source_t *source, const char *instance, const char *suffix,
           const char *given, const char **ret_endpoint, nrs_problem_t *reterr)
{
    if (!given[0])
        *ret_endpoint =
            nrs_config_print(self->config, "ipc://%s/run/%s.%s", self->home, instance, suffix);
    else if (strncmp(given, "ipc://", 6) == 0 && given[6] && given[6] != '@')
        *ret_endpoint =
            nrs_config_print(self->config, "ipc://%s", nrs_config_path(self->config, given + 6));
    else
        *ret_endpoint = given;
    return nrs_plan_check_endpoint(*ret_endpoint, suffix, s_node(self, source, suffix), reterr);
}

static nrs_err_t
s_endpoints(nrs_plan_t *self, const s_source_t *source, nrs_instance_t *into, nrs_problem_t *reterr)
{
    const s_entry_t *own = source->own, *stage = source->stage;
    const struct {
        const char *suffix, *given;
        const char **slot;
        bool wanted;
    } rows[] = {
        { "follow", s_choose(own->follow, stage->follow), &into->follow, true },
        { "tap", s_choose(own->tap, stage->tap), &into->tap, true },
        { "ask", s_choose(own->ask, stage->ask), &into->ask, true },
        { "submit", s_choose(own->submit, stage->submit), &into->submit,
          !nrs_flow_at(source->flow)->reads }, // its input comes from outside
        { "release", s_choose(own->release, stage->release), &into->release,
          !nrs_flow_at(source->flow)->writes }, // its topics go outside
    };
    nrs_err_t first = NRS_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        nrs_problem_t *where = first ? NULL : reterr;
        nrs_err_t err = NRS_OK;
        if (rows[i].wanted)
            err = s_endpoint(self, source, into->name, rows[i].suffix, rows[i].given, rows[i].slot,
                             where);
        else if (rows[i].given[0])
            err = nrs_config_key_problem(s_node(self, source, rows[i].suffix), where,
                                         "%s has no endpoint '%s'", into->stage, rows[i].suffix);
        first = first ? first : err;
    }
    return first;
}

static nrs_err_t
s_metrics(nrs_plan_t *self, const s_source_t *source, nrs_instance_t *into, nrs_problem_t *reterr)
{
    const char *given = s_choose(source->own->metrics, source->stage->metrics);
    if (!given[0])
        return NRS_OK;
    into->metrics = given;
    if (nrs_http_address_ok(given))
        return NRS_OK;
    return nrs_config_problem(s_node(self, source, "metrics"), reterr,
                              "metrics: '%s' is not a loopback address and a port, such as "
                              "127.0.0.1:9461 or [::1]:9461",
                              given);
}

static nrs_err_t
s_lanes(nrs_plan_t *self, const s_source_t *source, nrs_instance_t *into, nrs_problem_t *reterr)
{
    const nrs_config_node_t *node = source->own->lanes ? source->own->lanes : source->stage->lanes;
    if (node)
        return nrs_plan_read_lanes(node, self->lanes, &into->lanes, reterr);
    if (source->count > 1)
        return nrs_config_problem(s_node(self, source, "lanes"), reterr,
                                  "%s has %zu instances, so each needs `lanes:`, such as 0-7",
                                  into->stage, source->count);
    into->lanes = nrs_plan_all_lanes(self->lanes);
    return NRS_OK;
}

// All but lanes and endpoints.
static nrs_err_t
s_identity(nrs_plan_t *self, const s_source_t *source, nrs_instance_t *into, nrs_problem_t *reterr)
{
    const s_entry_t *own = source->own, *stage = source->stage;
    into->stage = nrs_flow_at(source->flow)->stage;
    into->name = s_choose(own->name, stage->name);
    if (!into->name[0])
        into->name = nrs_config_print(self->config, "%s-%zu", into->stage, source->place + 1);
    int64_t number = own->number ? own->number : stage->number;
    if (!number)
        number = (int64_t)(source->flow + 1 + source->place * NUMBER_STEP);
    into->number = (uint16_t)number;
    into->host = s_choose(own->host, stage->host);
    into->data = s_choose(own->data, stage->data);
    if (!into->data[0])
        into->data = nrs_config_print(self->config, "%s/data/%s", self->home, into->name);
    into->curve = nrs_config_get(source->own_node, "curve") ? own->curve : stage->curve;
    into->options = stage->options;
    if (nrs_config_name_ok(into->name))
        return NRS_OK;
    return nrs_config_problem(s_node(self, source, "name"), reterr,
                              "name: '%s' must be lower-case letters, digits and hyphens",
                              into->name);
}

static nrs_err_t
s_add(nrs_plan_t *self, const s_source_t *source, nrs_problem_t *reterr)
{
    if (self->instance_count == INSTANCES_MAX)
        return nrs_config_problem(s_node(self, source, "name"), reterr,
                                  "more than %d instances in one file", INSTANCES_MAX);
    nrs_instance_t *into = &self->instances[self->instance_count++];
    nrs_err_t first = s_identity(self, source, into, reterr);
    nrs_err_t err = s_endpoints(self, source, into, first ? NULL : reterr);
    first = first ? first : err;
    err = s_metrics(self, source, into, first ? NULL : reterr);
    first = first ? first : err;
    err = s_lanes(self, source, into, first ? NULL : reterr);
    first = first ? first : err;
    if (!first && !into->curve)
        first = nrs_plan_check_curve(into, s_node(self, source, "curve"), reterr);
    return first ? first : nrs_plan_check_new(self, into, s_node(self, source, "name"), reterr);
}

// --- one stage -----------------------------------------------------------------------------------

// What belongs to one instance cannot be said of a stage that has several.
static nrs_err_t
s_check_shared(const nrs_config_node_t *stage_node, size_t count, nrs_problem_t *reterr)
{
    if (count < 2)
        return NRS_OK;
    for (const nrs_option_t *option = s_instance_table; option->key; option++) {
        const nrs_config_node_t *node = nrs_config_get(stage_node, option->key);
        if (node && strcmp(option->key, "curve") != 0)
            return nrs_config_key_problem(node, reterr,
                                          "'%s' belongs to one instance, and there are %zu; "
                                          "move it below `instances:`",
                                          option->key, count);
    }
    return NRS_OK;
}

static nrs_err_t
s_instances(nrs_plan_t *self, s_source_t *source, nrs_problem_t *reterr)
{
    const nrs_config_node_t *list = source->stage->instances;
    if (nrs_config_shape(list) != NRS_CONFIG_LIST || nrs_config_count(list) == 0)
        return nrs_config_problem(list, reterr, "instances: must be a list such as [{name: %s-1}]",
                                  nrs_flow_at(source->flow)->stage);
    source->count = nrs_config_count(list);
    nrs_err_t first = s_check_shared(source->stage_node, source->count, reterr);
    for (source->place = 0; source->place < source->count; source->place++) {
        s_entry_t own = { 0 };
        source->own = &own;
        source->own_node = nrs_config_at(list, source->place, NULL);
        nrs_err_t err = nrs_options_read(self->config, source->own_node, s_instance_table, &own,
                                         first ? NULL : reterr);
        if (!err)
            err = s_add(self, source, first ? NULL : reterr);
        first = first ? first : err;
    }
    return first;
}

static nrs_err_t
s_stage(nrs_plan_t *self, size_t flow, const nrs_config_node_t *node, nrs_problem_t *reterr)
{
    s_entry_t stage = { 0 };
    nrs_err_t err = nrs_options_read(self->config, node, s_stage_table, &stage, reterr);
    if (err)
        return err;
    s_source_t source = {
        .stage = &stage, .own = &stage, .stage_node = node, .flow = flow, .count = 1
    };
    size_t start = self->instance_count;
    err = stage.instances ? s_instances(self, &source, reterr) : s_add(self, &source, reterr);
    if (err)
        return err;
    return nrs_plan_check_holes(self, start, node ? node : nrs_config_root(self->config), reterr);
}

static nrs_err_t
s_unknown_stages(const nrs_config_node_t *stages, nrs_problem_t *reterr)
{
    const char *key = NULL;
    const nrs_config_node_t *node;
    nrs_err_t first = NRS_OK;
    for (size_t i = 0; (node = nrs_config_at(stages, i, &key)); i++) {
        bool known = false;
        for (size_t flow = 0; nrs_flow_at(flow); flow++)
            known = known || strcmp(key, nrs_flow_at(flow)->stage) == 0;
        if (known)
            continue;
        nrs_err_t err = nrs_config_key_problem(node, first ? NULL : reterr,
                                               "there is no stage '%.100s'; the stages are ingest, "
                                               "enrich, classify and relay",
                                               key);
        first = first ? first : err;
    }
    return first;
}

static nrs_err_t
s_stages(nrs_plan_t *self, const nrs_config_node_t *stages, nrs_problem_t *reterr)
{
    nrs_config_shape_t shape = nrs_config_shape(stages);
    if (shape != NRS_CONFIG_MAP && shape != NRS_CONFIG_NOTHING)
        return nrs_config_problem(stages, reterr, "stages must be a mapping, such as `ingest: {}`");
    nrs_err_t first = s_unknown_stages(stages, reterr);
    self->instances = nrs_alloc0(INSTANCES_MAX, sizeof *self->instances);
    for (size_t flow = 0; nrs_flow_at(flow); flow++) {
        const nrs_config_node_t *node = nrs_config_get(stages, nrs_flow_at(flow)->stage);
        nrs_err_t err = s_stage(self, flow, node, first ? NULL : reterr);
        first = first ? first : err;
    }
    return first ? first : nrs_plan_check_hosts(self, reterr);
}

// --- the file ------------------------------------------------------------------------------------

static nrs_err_t
s_top(nrs_plan_t *self, s_top_t *top, nrs_problem_t *reterr)
{
    const nrs_config_node_t *root = nrs_config_root(self->config);
    nrs_err_t first = nrs_options_read(self->config, root, s_top_table, top, reterr);
    if (top->version > FORMAT_VERSION)
        return nrs_config_problem(nrs_config_get(root, "noroshi"), first ? NULL : reterr,
                                  "this file is of version %lld; this program knows version %d",
                                  (long long)top->version, FORMAT_VERSION);
    if (!first && !nrs_config_name_ok(top->realm))
        first = nrs_config_problem(nrs_config_get(root, "realm"), reterr,
                                   "realm: '%s' must be lower-case letters, digits and hyphens",
                                   top->realm);
    self->realm = top->realm;
    self->centre = top->centre;
    self->home = top->home;
    self->lanes = (uint16_t)top->lanes;
    return first;
}

nrs_err_t
nrs_plan_read(nrs_config_t **config_p, nrs_problem_t *reterr, nrs_plan_t **ret_plan)
{
    NRS_ASSERT(config_p && *config_p && ret_plan);
    NRS_AUTO(nrs_plan) self = nrs_new0(nrs_plan_t);
    self->config = *config_p;
    s_top_t top = { 0 };
    nrs_err_t first = s_top(self, &top, reterr);
    nrs_err_t err = s_stages(self, top.stages, first ? NULL : reterr);
    first = first ? first : err;
    if (first) {
        self->config = NULL; // still the caller's
        return first;
    }
    *config_p = NULL;
    *ret_plan = NRS_TAKE(self);
    return NRS_OK;
}

nrs_err_t
nrs_plan_open(const char *path, nrs_problem_t *reterr, nrs_plan_t **ret_plan)
{
    NRS_AUTO(nrs_config) config = NULL;
    nrs_err_t err = nrs_config_open(path, reterr, &config);
    return err ? err : nrs_plan_read(&config, reterr, ret_plan);
}

void
nrs_plan_destroy(nrs_plan_t **self_p)
{
    nrs_plan_t *self = *self_p;
    if (!self)
        return;
    free(self->instances);
    nrs_config_destroy(&self->config);
    free(self);
    *self_p = NULL;
}

const nrs_instance_t *
nrs_plan_instance(const nrs_plan_t *self, const char *name)
{
    for (size_t i = 0; i < self->instance_count; i++)
        if (strcmp(self->instances[i].name, name) == 0)
            return &self->instances[i];
    return NULL;
}

const nrs_instance_t *
nrs_plan_next(const nrs_plan_t *self, const char *stage, const nrs_instance_t *previous)
{
    size_t i = previous ? (size_t)(previous - self->instances) + 1 : 0;
    for (; i < self->instance_count; i++)
        if (strcmp(self->instances[i].stage, stage) == 0)
            return &self->instances[i];
    return NULL;
}
