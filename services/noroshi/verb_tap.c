// tap - listen to what passes, live. Best effort: a slow listener misses some, and is told so.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/expr.h"
#include "common/world.h"
#include "services/noroshi/tapline.h"
#include "services/noroshi/verbs.h"

typedef struct tap {
    cli_t *cli;
    const nrs_plan_t *plan;
    nrs_buf_t prefix;  // what is subscribed to
    bool whole_topics; // the prefix leaves out no event of a topic, so a missing offset is a gap
    bool several_topics;
    const char *where_text;
    nrs_expr_t *where; // owned; NULL: all
    uint64_t count;    // stop after so many; 0: never
    uint64_t shown;
    uint64_t missed;
    nrs_bus_t **buses;    // owned; one an instance, NULL where it is not listened to
    tapline_gaps_t *gaps; // owned
    nrs_buf_t out;
    bool reader_gone;
} tap_t;

// --- what to listen to ---------------------------------------------------------------------------

// "classified.green" means "live.classified.green"; the realm may be said too.
static void
s_make_prefix(tap_t *self, const char *given, const char *topic)
{
    size_t realm = strlen(self->plan->realm);
    bool with_realm = given && strncmp(given, self->plan->realm, realm) == 0 &&
                      (given[realm] == '.' || given[realm] == 0);
    if (with_realm)
        nrs_buf_put_text(&self->prefix, given);
    else
        nrs_buf_printf(&self->prefix, "%s.%s%s", self->plan->realm,
                       topic   ? topic
                       : given ? given
                               : "",
                       topic ? "." : "");
    size_t dots = 0;
    for (size_t i = 0; i < self->prefix.size; i++)
        dots += self->prefix.data[i] == '.';
    bool ends_at_dot = self->prefix.data[self->prefix.size - 1] == '.';
    self->whole_topics = dots < 2 || (dots == 2 && ends_at_dot);
    self->several_topics = dots < 2;
}

static cli_exit_t
s_listen_to(tap_t *self, size_t i)
{
    const nrs_instance_t *instance = &self->plan->instances[i];
    nrs_problem_t problem = { 0 };
    nrs_keys_t keys = { 0 }, server = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_SUB, .endpoint = instance->tap };
    nrs_err_t err = nrs_ask_options(self->plan, instance, &keys, &server, &problem, &options);
    if (!err)
        err = nrs_bus_open(&options, &problem, &self->buses[i]);
    nrs_keys_wipe(&keys);
    if (err)
        return cli_problem(self->cli, err, &problem);
    err = nrs_bus_subscribe(self->buses[i], nrs_buf_bytes(&self->prefix));
    if (err)
        return cli_fail(self->cli, CLI_FAILED, "%s cannot be listened to (%s)", instance->name,
                        nrs_err_name(err));
    return CLI_GOOD;
}

static cli_exit_t
s_listen(tap_t *self)
{
    size_t absent = 0;
    self->buses = nrs_alloc0(self->plan->instance_count, sizeof(nrs_bus_t *));
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        const nrs_instance_t *instance = &self->plan->instances[i];
        if (!nrs_ask_listening(instance->ask)) {
            cli_fail(self->cli, CLI_FAILED, "%s is not running; it is heard once it is",
                     instance->name);
            absent++;
        }
        cli_exit_t status = s_listen_to(self, i);
        if (status != CLI_GOOD)
            return status;
    }
    if (absent == self->plan->instance_count)
        return cli_fail(self->cli, CLI_FAILED, "nothing runs here; start it with `noroshi up`");
    return CLI_GOOD;
}

// --- what is heard -------------------------------------------------------------------------------

static void
s_tell_gap(tap_t *self, size_t instance, const tapline_t *line, uint64_t missing)
{
    char count[32];
    self->missed += missing;
    fprintf(stderr, "   ... %s event%s of %.*s missed in lane %u of %s (before offset %llu)\n",
            term_count(missing, count), missing == 1 ? "" : "s", (int)line->topic.size,
            (const char *)line->topic.data, line->lane, self->plan->instances[instance].name,
            (unsigned long long)line->offset);
}

static bool
s_wanted(const tap_t *self, const tapline_t *line)
{
    nrs_event_t event;
    nrs_world_t *world = nrs_world_real();
    if (!self->where)
        return true;
    return !nrs_event_open(line->event, &event) &&
           nrs_expr_match(self->where, &event, world->now_ms(world));
}

static void
s_heard(tap_t *self, size_t instance, const nrs_message_t *message, size_t columns)
{
    tapline_t line;
    if (message->count != 2 ||
        tapline_decode(nrs_message_frame(message, 0), nrs_message_frame(message, 1), &line)) {
        cli_fail(self->cli, CLI_FAILED, "%s said something that is no event",
                 self->plan->instances[instance].name);
        return;
    }
    uint64_t missing = tapline_gaps_step(self->gaps, instance, &line);
    if (missing > 0 && self->whole_topics) {
        self->reader_gone = self->reader_gone || !cli_print(&self->out);
        s_tell_gap(self, instance, &line, missing);
    }
    if (!s_wanted(self, &line))
        return;
    if (self->cli->json)
        tapline_json(&line, &self->out);
    else
        tapline_print(&line, self->several_topics, self->cli->colour, columns, &self->out);
    self->shown++;
}

static bool
s_enough(const tap_t *self)
{
    return self->reader_gone || (self->count > 0 && self->shown >= self->count);
}

// Everything that has arrived, printed in one go.
static void
s_drain(tap_t *self)
{
    nrs_message_t message = { 0 };
    size_t columns = term_columns();
    for (size_t i = 0; i < self->plan->instance_count; i++)
        while (!s_enough(self) && !nrs_bus_recv(self->buses[i], &message)) {
            s_heard(self, i, &message, columns);
            nrs_message_clear(&message);
        }
    if (self->out.size > 0 && !cli_print(&self->out))
        self->reader_gone = true;
}

static void
s_loop(tap_t *self, int signals)
{
    size_t count = self->plan->instance_count;
    nrs_wait_t *items = nrs_alloc0(count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (nrs_wait_t){ .bus = self->buses[i] };
    items[count] = (nrs_wait_t){ .fd = signals };
    while (!s_enough(self) && !items[count].ready) {
        nrs_bus_wait(items, count + 1, -1);
        s_drain(self);
    }
    free(items);
}

// --- the verb ------------------------------------------------------------------------------------

static cli_exit_t
s_prepare(tap_t *self)
{
    nrs_problem_t problem = { 0 };
    if (!self->where_text)
        return CLI_GOOD;
    nrs_err_t err = nrs_expr_compile(nrs_text(self->where_text), &problem, &self->where);
    if (!err)
        return CLI_GOOD;
    fprintf(stderr, "  %s\n", self->where_text);
    if (problem.column > 0)
        fprintf(stderr, "  %*s\n", (int)problem.column, "^");
    return cli_fail(self->cli, CLI_USAGE, "--where: %s", problem.text);
}

static cli_exit_t
s_run(tap_t *self)
{
    int signals = cli_signals(); // before the sockets, so that their threads leave signals to us
    cli_exit_t status = s_prepare(self);
    if (status == CLI_GOOD)
        status = s_listen(self);
    if (status == CLI_GOOD) {
        self->gaps = tapline_gaps_new();
        s_loop(self, signals);
    }
    for (size_t i = 0; self->buses && i < self->plan->instance_count; i++)
        nrs_bus_destroy(&self->buses[i]);
    free(self->buses);
    close(signals);
    return status;
}

static cli_exit_t
s_tap(cli_t *cli, int argc, char **argv)
{
    tap_t self = { .cli = cli };
    const char *topic = NULL;
    const cli_option_t options[] = {
        { "topic", 't', CLI_TEXT, &topic, "TOPIC",
          "only this topic: reports, enriched, classified" },
        { "where", 'w', CLI_TEXT, &self.where_text, "EXPR",
          "only events that satisfy this, e.g. 'kind = url and severity >= high'" },
        { "count", 'n', CLI_NUMBER, &self.count, "N", "end after N events" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc > 2 || (argc == 2 && topic))
        return cli_usage(cli, "give one PREFIX, or --topic");
    self.plan = cli_plan(cli);
    if (!self.plan)
        return CLI_USAGE;
    s_make_prefix(&self, argc == 2 ? argv[1] : NULL, topic);
    status = s_run(&self);
    nrs_expr_destroy(&self.where);
    tapline_gaps_destroy(&self.gaps);
    nrs_buf_free(&self.prefix);
    nrs_buf_free(&self.out);
    return status;
}

const cli_verb_t verb_tap = {
    .name = "tap",
    .arguments = "[PREFIX]",
    .summary = "listen live to what passes any stage",
    .text =
        "Prints one line for each event that passes: when it was received, kind, value, "
        "class/type,\n"
        "severity, TLP label, source. PREFIX is the beginning of\n"
        "    [REALM.]TOPIC.TLP.CLASS.TYPE.KIND.SOURCE\n"
        "A tap is best effort: nobody waits for a slow listener. What it missed is told on stderr.",
    .examples = "  noroshi tap\n"
                "  noroshi tap classified.green.fraud\n"
                "  noroshi tap --topic classified --where 'domain = \"example.jp\"'\n"
                "  noroshi tap --json --count 100 | jq .event",
    .run = s_tap,
};
