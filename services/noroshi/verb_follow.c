// follow - read a topic durably, from any place, to the end or for ever

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/flow.h"
#include "common/follower.h"
#include "common/topic.h"
#include "common/world.h"
#include "services/noroshi/follow_out.h"
#include "services/noroshi/mirror.h"
#include "services/noroshi/verbs.h"

enum { SOURCES_MAX = 64, PROBLEM_BYTES = 256, TAKE_SEGMENTS = 256, STEP_MS = 1000 };

typedef struct follow {
    cli_t *cli;
    const char *topic;
    // options
    const char *name;
    const char *state;
    const char *from;
    const char *as;
    const char *where_text;
    const char *count_by;
    const char *endpoint;
    const char *key;
    const char *server_key;
    const char *realm;
    const char *centre;
    uint64_t count;
    bool until_head;
    bool kept;
    bool quiet;
    // what they come to
    int64_t from_ms;
    nrs_expr_t *where;    // owned
    follow_out_t *out;    // owned
    mirror_t *mirror;     // owned; NULL: no copy is kept
    size_t source_count;
    nrs_follower_t *followers[SOURCES_MAX]; // owned
    const char *sources[SOURCES_MAX];       // their names in the mirror
    char problems[SOURCES_MAX][PROBLEM_BYTES]; // last one told of each, so that it is told once; "": none
    uint64_t taken;
    uint64_t began_at;    // events that were behind us when we began
    term_progress_t progress;
} follow_t;

// --- options -------------------------------------------------------------------------------------

static int64_t
s_mono(void)
{
    return nrs_world_real()->mono_ms(nrs_world_real());
}

static cli_exit_t
s_read_from(follow_t *self)
{
    uint64_t time;
    if (!self->from || strcmp(self->from, "start") == 0)
        return CLI_GOOD;
    if (strcmp(self->from, "now") == 0) {
        self->from_ms = INT64_MAX;
        return CLI_GOOD;
    }
    if (nrs_time_parse(nrs_text(self->from), 0, &time))
        return cli_usage(self->cli, "--from: \"%s\" is neither start, now nor a time such as 2026-11-22T09:00:00Z",
                         self->from);
    self->from_ms = (int64_t)time;
    return CLI_GOOD;
}

static cli_exit_t
s_read_where(follow_t *self)
{
    nrs_problem_t problem = { 0 };
    if (!self->where_text || !nrs_expr_compile(nrs_text(self->where_text), &problem, &self->where))
        return CLI_GOOD;
    return cli_fail(self->cli, CLI_USAGE, "--where: column %u: %s", problem.column, problem.text);
}

static cli_exit_t
s_open_out(follow_t *self)
{
    follow_out_options_t options = {
        .form = self->cli->json ? FOLLOW_JSON : FOLLOW_LINES,
        .realm = self->realm,
        .centre = self->centre,
        .topic = self->topic,
        .where = self->where,
        .count_max = self->count,
        .colour = self->cli->colour,
        .json = self->cli->json,
    };
    if (self->as && strcmp(self->as, "stix") == 0)
        options.form = FOLLOW_STIX;
    else if (self->as && strcmp(self->as, "json") == 0)
        options.form = FOLLOW_JSON;
    else if (self->as && strcmp(self->as, "lines") != 0)
        return cli_usage(self->cli, "--as: lines, json or stix");
    if (self->count_by) {
        options.form = FOLLOW_COUNT;
        options.count_by = nrs_field_find(nrs_text(self->count_by));
        if (options.count_by == NRS_FIELD_MAX)
            return cli_usage(self->cli, "--count-by: there is no field %s; proto/event_fields.md lists them",
                             self->count_by);
    }
    if (self->quiet)
        options.form = FOLLOW_QUIET;
    self->out = follow_out_new(&options);
    return CLI_GOOD;
}

// --- sources -------------------------------------------------------------------------------------

// Follow one endpoint, from where the copy ends.
static cli_exit_t
s_add_source(follow_t *self, const char *source, const nrs_bus_options_t *bus, uint64_t lanes)
{
    nrs_place_t places[NRS_LANES_MAX] = { 0 };
    nrs_problem_t problem = { 0 };
    nrs_err_t err = self->mirror ? mirror_places(self->mirror, source, places) : NRS_OK;
    if (err)
        return cli_fail(self->cli, CLI_FAILED, "the places in %s cannot be read (%s)", self->state,
                        nrs_err_name(err));
    nrs_follower_options_t options = {
        .endpoint = bus->endpoint,
        .keys = bus->keys,
        .server_key = bus->server_key,
        .realm = self->realm,
        .topic = self->topic,
        .name = self->name,
        .lanes = lanes,
        .places = places,
        .filter = self->mirror ? NULL : self->where_text, // a copy is whole, and its chain can be checked
        .from_ms = self->from_ms,
        .world = nrs_world_real(),
    };
    err = nrs_follower_open(&options, &problem, &self->followers[self->source_count]);
    if (err)
        return cli_problem(self->cli, err, &problem);
    for (size_t lane = 0; lane < NRS_LANES_MAX; lane++)
        self->began_at += places[lane].offset;
    self->sources[self->source_count++] = source;
    return CLI_GOOD;
}

// A peer has no noroshi.yaml: it is told where, and with which keys.
static cli_exit_t
s_add_endpoint(follow_t *self)
{
    nrs_keys_t keys = { 0 }, server = { 0 };
    nrs_bus_options_t bus = { .endpoint = self->endpoint };
    cli_exit_t status = cli_outside(self->cli, self->key, self->server_key, &keys, &server, &bus);
    if (status == CLI_GOOD)
        status = s_add_source(self, self->endpoint, &bus, UINT64_MAX);
    nrs_keys_wipe(&keys);
    return status;
}

static cli_exit_t
s_add_instance(follow_t *self, const nrs_plan_t *plan, const nrs_instance_t *instance)
{
    nrs_problem_t problem = { 0 };
    nrs_keys_t keys = { 0 }, server = { 0 };
    nrs_bus_options_t bus = { .endpoint = instance->follow };
    nrs_err_t err = nrs_ask_options(plan, instance, &keys, &server, &problem, &bus);
    cli_exit_t status = err ? cli_problem(self->cli, err, &problem)
                            : s_add_source(self, instance->name, &bus, instance->lanes);
    nrs_keys_wipe(&keys);
    return status;
}

static cli_exit_t
s_add_sources(follow_t *self, const nrs_plan_t *plan)
{
    if (self->endpoint)
        return s_add_endpoint(self);
    const char *stage = nrs_flow_writer(self->topic);
    if (!stage)
        return cli_usage(self->cli, "there is no topic %s; there are reports, enriched, classified and releases/PEER",
                         self->topic);
    cli_exit_t status = CLI_GOOD;
    for (const nrs_instance_t *instance = NULL;
         status == CLI_GOOD && self->source_count < SOURCES_MAX && (instance = nrs_plan_next(plan, stage, instance));)
        status = s_add_instance(self, plan, instance);
    return status;
}

// --- loop ----------------------------------------------------------------------------------------

// Take what is there, keep it, make it durable, print it, and only then say so to the server.
static nrs_err_t
s_take(follow_t *self, size_t i)
{
    nrs_segment_t segment;
    nrs_err_t err = NRS_OK, said = NRS_OK;
    for (int n = 0; n < TAKE_SEGMENTS && !said; n++) {
        if (nrs_follower_next(self->followers[i], &segment))
            break; // nothing there, or the follower asks again and says why
        self->taken += segment.head.count;
        err = self->mirror ? mirror_append(self->mirror, self->sources[i], &segment) : NRS_OK;
        if (err)
            return err;
        said = follow_out_segment(self->out, &segment);
    }
    err = self->mirror ? mirror_commit(self->mirror) : NRS_OK;
    err = err ? err : follow_out_flush(self->out);
    if (err)
        return err;
    nrs_follower_acknowledge(self->followers[i]);
    return said;
}

// What a follower has to say: each problem once.
static void
s_tell(follow_t *self, const nrs_follower_info_t *info, size_t i)
{
    char *told = self->problems[i];
    if (info->problem && strncmp(told, info->problem, PROBLEM_BYTES - 1) != 0)
        cli_fail(self->cli, CLI_FAILED, "%s: %s", self->sources[i], info->problem);
    snprintf(told, PROBLEM_BYTES, "%s", info->problem ? info->problem : "");
}

// Is everything taken that was there when we last heard? Errors: NRS_E_AGAIN (not yet), NRS_E_DENIED (a source
// refuses, and has been told).
static nrs_err_t
s_at_head(follow_t *self)
{
    nrs_err_t err = NRS_OK;
    for (size_t i = 0; i < self->source_count; i++) {
        nrs_follower_info_t info;
        nrs_follower_info(self->followers[i], &info);
        s_tell(self, &info, i);
        if (info.problem)
            err = NRS_E_DENIED;
        else if (!err && (!info.connected || info.lag > 0))
            err = NRS_E_AGAIN;
    }
    return err;
}

static void
s_show_progress(follow_t *self)
{
    uint64_t head = 0;
    for (size_t i = 0; i < self->source_count; i++) {
        nrs_follower_info_t info;
        nrs_follower_info(self->followers[i], &info);
        head += info.head;
    }
    self->progress.total = head > self->began_at ? head - self->began_at : 0;
    if (self->until_head)
        term_progress_step(&self->progress, self->taken, s_mono());
}

static nrs_err_t
s_loop(follow_t *self, int signals)
{
    nrs_wait_t items[SOURCES_MAX + 1];
    nrs_err_t err = NRS_OK;
    bool stopped = false;
    while (!err && !stopped) {
        size_t count = 0;
        bool busy = false;
        for (size_t i = 0; i < self->source_count; i++) {
            items[count++] = (nrs_wait_t){ .bus = nrs_follower_bus(self->followers[i]) };
            busy |= nrs_follower_ready(self->followers[i]);
        }
        items[count++] = (nrs_wait_t){ .fd = signals };
        nrs_bus_wait(items, count, busy ? 0 : STEP_MS);
        stopped = items[count - 1].ready;
        for (size_t i = 0; i < self->source_count && !err; i++) {
            nrs_follower_step(self->followers[i]);
            err = s_take(self, i);
        }
        s_show_progress(self);
        nrs_err_t head = s_at_head(self);
        if (!err && self->until_head && head != NRS_E_AGAIN)
            return head;
    }
    return err;
}

// --- the verb ------------------------------------------------------------------------------------

static nrs_err_t
s_show_kept(void *me, const nrs_segment_t *segment)
{
    follow_t *self = me;
    self->taken += segment->head.count;
    return follow_out_segment(self->out, segment);
}

static cli_exit_t
s_end(follow_t *self, nrs_err_t err)
{
    term_progress_end(&self->progress);
    if (err == NRS_E_LIMIT)
        err = NRS_OK; // --count is reached
    nrs_err_t end = follow_out_end(self->out);
    err = err ? err : end;
    if (err == NRS_E_CORRUPT)
        return cli_fail(self->cli, CLI_FAILED, "%s is damaged: a segment fails its checksum or its chain", self->state);
    if (err == NRS_E_FULL)
        return cli_fail(self->cli, CLI_FAILED, "there is no room for the copy in %s; nothing of it was acknowledged",
                        self->state);
    if (err && err != NRS_E_IO && err != NRS_E_DENIED)
        return cli_fail(self->cli, CLI_FAILED, "%s", nrs_err_name(err));
    if (self->quiet && self->state) {
        char count[32];
        fprintf(stderr, "%s events\n", term_count(self->taken, count));
    }
    return err ? CLI_FAILED : CLI_GOOD;
}

static cli_exit_t
s_open_mirror(follow_t *self)
{
    nrs_problem_t problem = { 0 };
    if (self->kept && !self->state)
        return cli_usage(self->cli, "--kept reads a copy: give --state DIR");
    if (!self->state)
        return CLI_GOOD;
    nrs_err_t err = mirror_open(self->state, nrs_segment_stream(self->realm, self->topic),
                                self->kept ? MIRROR_READ : MIRROR_KEEP, &problem, &self->mirror);
    return err ? cli_problem(self->cli, err, &problem) : CLI_GOOD;
}

static cli_exit_t
s_run(follow_t *self, const nrs_plan_t *plan)
{
    int signals = cli_signals(); // before the sockets, so that their threads leave signals to us
    cli_exit_t status = s_read_from(self);
    status = status == CLI_GOOD ? s_read_where(self) : status;
    status = status == CLI_GOOD ? s_open_out(self) : status;
    status = status == CLI_GOOD ? s_open_mirror(self) : status;
    if (status == CLI_GOOD && self->kept)
        return s_end(self, mirror_walk(self->mirror, s_show_kept, self));
    status = status == CLI_GOOD ? s_add_sources(self, plan) : status;
    if (status == CLI_GOOD) {
        term_progress_begin(&self->progress, self->topic, 0, s_mono());
        status = s_end(self, s_loop(self, signals));
    }
    close(signals);
    return status;
}

static cli_exit_t
s_follow(cli_t *cli, int argc, char **argv)
{
    follow_t self = { .cli = cli };
    const cli_option_t options[] = {
        { "state", 's', CLI_TEXT, &self.state, "DIR", "keep what comes, and the place, durably in DIR" },
        { "kept", 0, CLI_FLAG, &self.kept, NULL, "show what DIR holds, verified anew; connects to nobody" },
        { "from", 'f', CLI_TEXT, &self.from, "PLACE", "start (default), now, or a time; DIR's place goes before it" },
        { "until-head", 'u', CLI_FLAG, &self.until_head, NULL, "end when everything there is has come" },
        { "count", 'n', CLI_NUMBER, &self.count, "N", "end after N events" },
        { "where", 'w', CLI_TEXT, &self.where_text, "EXPR", "only events that satisfy this" },
        { "as", 'a', CLI_TEXT, &self.as, "FORM", "lines (default), json or stix" },
        { "count-by", 'c', CLI_TEXT, &self.count_by, "FIELD", "print how often each value occurs, at the end" },
        { "quiet", 'q', CLI_FLAG, &self.quiet, NULL, "print no events" },
        { "name", 0, CLI_TEXT, &self.name, "NAME", "who follows (default: operator-PID)" },
        { "endpoint", 'e', CLI_TEXT, &self.endpoint, "URL", "as a peer: the centre's release endpoint" },
        { "key", 'k', CLI_TEXT, &self.key, "FILE", "as a peer: your NAME.key" },
        { "server-key", 0, CLI_TEXT, &self.server_key, "FILE", "as a peer: the centre's .pub" },
        { "realm", 0, CLI_TEXT, &self.realm, "REALM", "as a peer: default live" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc != 2)
        return cli_usage(cli, "give one TOPIC: reports, enriched, classified or releases/PEER");
    if (self.count && self.state && !self.kept && !self.quiet) // what comes is kept by segments, shown or not
        return cli_usage(cli, "with --state, --count would keep more than it shows: add --quiet, or show what is --kept");
    self.topic = argv[1];
    char name[32]; // two at a time must not take each other's place
    snprintf(name, sizeof name, "operator-%d", (int)getpid());
    self.name = self.name ? self.name : name;
    bool alone = self.endpoint || self.kept;
    const nrs_plan_t *plan = alone ? NULL : cli_plan(cli);
    if (!alone && !plan)
        return CLI_USAGE;
    self.realm = self.realm ? self.realm : plan ? plan->realm : "live";
    self.centre = plan ? plan->centre : "Noroshi";
    status = s_run(&self, plan);
    for (size_t i = 0; i < self.source_count; i++)
        nrs_follower_destroy(&self.followers[i]);
    mirror_destroy(&self.mirror);
    follow_out_destroy(&self.out);
    nrs_expr_destroy(&self.where);
    return status;
}

const cli_verb_t verb_follow = {
    .name = "follow",
    .arguments = "TOPIC",
    .summary = "read a topic durably, from any place",
    .text = "Reads every event of a topic in the order of its lanes, from the beginning, from a time or from where\n"
            "--state ended the last time. With --state each event comes exactly once, whatever breaks: events and place\n"
            "are made durable in one commit, and only then acknowledged.",
    .examples = "  noroshi follow classified --until-head --count-by verdict.type\n"
                "  noroshi follow classified --from 2026-11-22 --where 'severity >= high' --json\n"
                "  noroshi follow releases/ncfta --endpoint tcp://192.0.2.1:7461 --key ncfta.key \\\n"
                "      --server-key relay-1.pub --state ./from-centre --as stix\n"
                "  noroshi follow releases/ncfta --state ./from-centre --kept --count-by verdict.type",
    .run = s_follow,
};
