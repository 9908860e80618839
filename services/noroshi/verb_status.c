// status - the whole pipeline at a glance, and in words what is stuck and why.
#include <poll.h>
#include <stdio.h>

#include "common/event.h"
#include "common/world.h"
#include "services/noroshi/status.h"
#include "services/noroshi/verbs.h"

enum { s_watch_every_ms = 1000 };

// --- for people ----------------------------------------------------------------------------------

static void
s_put_down(term_table_t *table, const status_row_t *row)
{
    term_table_put(table, TERM_PLAIN, "%s", row->instance->name);
    term_table_put(table, TERM_RED, "down");
    for (int column = 0; column < 7; column++)
        term_table_put(table, TERM_PLAIN, "%s", "");
}

static void
s_put_row(term_table_t *table, const status_row_t *row)
{
    if (!row->answer) {
        s_put_down(table, row);
        return;
    }
    char text[32], limit[32];
    const nrs_json_value_t *root = &row->answer->root;
    nrs_json_value_t rates = answer_get(root, "rates"), store = answer_get(root, "store");
    bool stuck = answer_text(root, "problem").size > 0;
    bool ready = answer_true(root, "ready");
    uint64_t lag = status_lag(row->answer), dead = answer_number(root, "dead");
    term_table_put(table, TERM_PLAIN, "%s", row->instance->name);
    term_table_put(table, stuck || !ready ? TERM_RED : TERM_GREEN, "%s",
                   stuck   ? "stuck"
                   : ready ? "ready"
                           : "starting");
    term_table_put(table, TERM_PLAIN, "%s", term_count(status_place(row->answer), text));
    term_table_put(table, lag > 0 ? TERM_YELLOW : TERM_PLAIN, "%s",
                   status_has_inputs(row->answer) ? term_count(lag, text) : "-");
    term_table_put(table, TERM_PLAIN, "%s", term_count(answer_number(&rates, "in_per_s"), text));
    term_table_put(table, TERM_PLAIN, "%s", term_count(answer_number(&rates, "out_per_s"), text));
    term_table_put(table, TERM_PLAIN, "%s of %s",
                   term_bytes(answer_number(&store, "used_bytes"), text),
                   term_bytes(answer_number(&store, "bytes_max"), limit));
    term_table_put(table, dead > 0 ? TERM_YELLOW : TERM_PLAIN, "%s", term_count(dead, text));
    term_table_put(table, TERM_PLAIN, "%s", term_span(answer_number(root, "uptime_ms"), text));
}

static void
s_put_instances(const cli_t *cli, const status_t *status, nrs_buf_t *into)
{
    static const term_column_t columns[] = {
        { "instance", false }, { "state", false }, { "place", true },
        { "lag", true },       { "in/s", true },   { "out/s", true },
        { "disk", true },      { "dead", true },   { "up", true },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < status->count; i++)
        s_put_row(table, &status->rows[i]);
    term_table_print(table, cli->colour, into);
}

static size_t
s_put_topic(term_table_t *table, const status_row_t *row, const nrs_json_value_t *topic)
{
    nrs_json_value_t followers = answer_get(topic, "followers"), follower;
    nrs_json_walk_t walk = nrs_json_walk(&followers);
    size_t count = 0;
    for (; nrs_json_walk_next(&walk, NULL, &follower); count++) {
        char text[32];
        nrs_bytes_t name = answer_text(topic, "name"), who = answer_text(&follower, "name");
        bool connected = answer_true(&follower, "connected");
        uint64_t lag = answer_number(&follower, "lag");
        term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(name));
        term_table_put(table, TERM_PLAIN, "%s", row->instance->name);
        term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(who));
        term_table_put(table, lag > 0 ? TERM_YELLOW : TERM_PLAIN, "%s", term_count(lag, text));
        term_table_put(table, connected ? TERM_GREEN : TERM_YELLOW, "%s",
                       connected ? "connected" : "away");
    }
    return count;
}

static void
s_put_followers(const cli_t *cli, const status_t *status, nrs_buf_t *into)
{
    static const term_column_t columns[] = {
        { "topic", false }, { "of", false }, { "follower", false }, { "lag", true }, { "", false },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    size_t count = 0;
    for (size_t i = 0; i < status->count; i++) {
        if (!status->rows[i].answer)
            continue;
        nrs_json_value_t topics = answer_get(&status->rows[i].answer->root, "topics"), topic;
        nrs_json_walk_t walk = nrs_json_walk(&topics);
        while (nrs_json_walk_next(&walk, NULL, &topic))
            count += s_put_topic(table, &status->rows[i], &topic);
    }
    if (count == 0)
        return;
    nrs_buf_put_text(into, "\n");
    term_table_print(table, cli->colour, into);
}

typedef struct s_sentences {
    const cli_t *cli;
    nrs_buf_t *into;
    bool any;
} s_sentences_t;

static void
s_say(void *me, status_weight_t weight, const char *sentence)
{
    s_sentences_t *self = me;
    nrs_buf_put_text(self->into, self->any ? "" : "\n");
    self->any = true;
    term_put_colour(self->into, self->cli->colour, weight == STATUS_BAD ? TERM_RED : TERM_YELLOW,
                    weight == STATUS_BAD ? "!! " : "   ");
    term_put_clean(self->into, nrs_text(sentence));
    nrs_buf_put_text(self->into, "\n");
}

static bool
s_put_people(const cli_t *cli, const status_t *status, nrs_buf_t *into)
{
    s_sentences_t sentences = { .cli = cli, .into = into };
    s_put_instances(cli, status, into);
    s_put_followers(cli, status, into);
    return status_judge(status, s_say, &sentences);
}

// --- for programs --------------------------------------------------------------------------------

static void
s_say_json(void *me, status_weight_t weight, const char *sentence)
{
    s_sentences_t *self = me;
    nrs_buf_printf(self->into, "%s{\"weight\":\"%s\",\"text\":", self->any ? "," : "",
                   weight == STATUS_BAD ? "bad" : "note");
    nrs_buf_put_json_string(self->into, nrs_text(sentence));
    nrs_buf_put_text(self->into, "}");
    self->any = true;
}

static bool
s_put_json(const status_t *status, nrs_buf_t *into)
{
    nrs_buf_put_text(into, "{\"realm\":");
    nrs_buf_put_json_string(into, nrs_text(status->plan->realm));
    nrs_buf_put_text(into, ",\"instances\":[");
    for (size_t i = 0; i < status->count; i++) {
        const status_row_t *row = &status->rows[i];
        nrs_buf_put_text(into, i > 0 ? "," : "");
        if (row->answer) {
            nrs_json_print(&row->answer->root, into);
            continue;
        }
        nrs_buf_put_text(into, "{\"instance\":");
        nrs_buf_put_json_string(into, nrs_text(row->instance->name));
        nrs_buf_put_text(into, ",\"stage\":");
        nrs_buf_put_json_string(into, nrs_text(row->instance->stage));
        nrs_buf_put_text(into, ",\"ready\":false,\"down\":true,\"problem\":");
        nrs_buf_put_json_string(into, nrs_text(row->problem.text));
        nrs_buf_put_text(into, "}");
    }
    s_sentences_t sentences = { .into = into };
    nrs_buf_put_text(into, "],\"says\":[");
    bool good = status_judge(status, s_say_json, &sentences);
    nrs_buf_printf(into, "],\"healthy\":%s}\n", good ? "true" : "false");
    return good;
}

// --- the verb ------------------------------------------------------------------------------------

static bool
s_look(const cli_t *cli, const nrs_plan_t *plan, bool watch, nrs_buf_t *into)
{
    NRS_AUTO(status) status = status_new(plan);
    if (cli->json)
        return s_put_json(status, into);
    if (watch) {
        char time[25];
        nrs_world_t *world = nrs_world_real();
        nrs_time_print((uint64_t)world->now_ms(world), time);
        nrs_buf_printf(into, "%s%s  %s  ^C ends\n\n", term_columns() > 0 ? "\x1b[H\x1b[2J" : "",
                       plan->realm, time);
    }
    return s_put_people(cli, status, into);
}

static cli_exit_t
s_status(cli_t *cli, int argc, char **argv)
{
    bool watch = false;
    const cli_option_t options[] = {
        { "watch", 'w', CLI_FLAG, &watch, NULL, "look again every second, until ^C" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc > 1)
        return cli_usage(cli, "status takes no argument, but \"%s\" is given", argv[1]);
    const nrs_plan_t *plan = cli_plan(cli);
    if (!plan)
        return CLI_USAGE;
    nrs_buf_t text = { 0 };
    bool good = s_look(cli, plan, watch, &text);
    while (cli_print(&text) && watch) {
        poll(NULL, 0, s_watch_every_ms);
        good = s_look(cli, plan, watch, &text);
    }
    nrs_buf_free(&text);
    return good ? CLI_GOOD : CLI_FAILED;
}

const cli_verb_t verb_status = {
    .name = "status",
    .arguments = "",
    .summary = "every instance at a glance: state, place, lag, rates, disk, followers",
    .text =
        "Asks every instance of the configuration. `place` is how many events its topics have "
        "had,\n"
        "`lag` how many it has not yet taken from upstream, `dead` its dead letters. Below the\n"
        "tables stands in words what is stuck and why. Exit status 1 when something is down, "
        "stuck,\n"
        "cut off or full (lines with !!), so it serves as a monitoring probe.",
    .examples = "  noroshi status\n"
                "  noroshi status --watch\n"
                "  noroshi status --json | jq '.instances[] | {instance, dead}'",
    .run = s_status,
};
