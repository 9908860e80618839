// show - one event's life: what each stage added, which rule decided, who got it, who did not and
// why.
#include <stdio.h>
#include <stdlib.h>

#include "common/event.h"
#include "services/noroshi/answer.h"
#include "services/noroshi/verbs.h"

enum { s_place_max = 64 };

typedef struct show {
    cli_t *cli;
    const nrs_plan_t *plan;
    const char *id;          // 32 hex digits
    char place[s_place_max]; // "1/3/1/17": ingest instance, lane, epoch, offset; "" while not found
    answer_t **stages;       // owned; what each instance has of it, NULL: nothing
    answer_t **whys;         // owned; what each relay decided, NULL: nothing
    nrs_buf_t out;
    bool bad; // somebody did not answer: the story may have holes
} show_t;

// --- asking --------------------------------------------------------------------------------------

// Ask one instance; NULL when it has nothing of it. A failure is told, and the story goes on
// without.
static answer_t *
s_ask(show_t *self, const nrs_instance_t *instance, const char *verb, const char *argument)
{
    nrs_problem_t problem = { 0 };
    answer_t *answer = NULL;
    nrs_err_t err = answer_ask(self->plan, instance, verb, nrs_text(argument), &problem, &answer);
    if (err && err != NRS_E_ABSENT) {
        self->bad = true;
        cli_problem(self->cli, err, &problem);
    }
    return answer;
}

// Which ingest took it in, and where it put it.
static bool
s_find(show_t *self)
{
    const nrs_instance_t *at = NULL;
    while (!self->place[0] && (at = nrs_plan_next(self->plan, "ingest", at))) {
        NRS_AUTO(answer) answer = s_ask(self, at, "find", self->id);
        if (answer && answer_number(&answer->root, "instance") > 0) // else null: it does not know the event
            snprintf(self->place, sizeof self->place, "%llu/%llu/%llu/%llu",
                     (unsigned long long)answer_number(&answer->root, "instance"),
                     (unsigned long long)answer_number(&answer->root, "lane"),
                     (unsigned long long)answer_number(&answer->root, "epoch"),
                     (unsigned long long)answer_number(&answer->root, "offset"));
    }
    return self->place[0] != 0;
}

static void
s_gather(show_t *self)
{
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        const nrs_instance_t *instance = &self->plan->instances[i];
        self->stages[i] = s_ask(self, instance, "show", self->place);
        if (strcmp(instance->stage, "relay") == 0)
            self->whys[i] = s_ask(self, instance, "why", self->place);
    }
}

// The event with the most to say: the one that the last stage of the flow has, releases left aside
// because they may leave fields out. ABSENT when nobody has it any more.
static nrs_json_value_t
s_fullest(const show_t *self)
{
    nrs_json_value_t fullest = { 0 }, one;
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        if (!self->stages[i])
            continue;
        nrs_json_value_t found = answer_get(&self->stages[i]->root, "found");
        nrs_json_walk_t walk = nrs_json_walk(&found);
        while (nrs_json_walk_next(&walk, NULL, &one)) {
            nrs_bytes_t topic = answer_text(&one, "topic");
            bool release = topic.size > 9 && memcmp(topic.data, "releases/", 9) == 0;
            if (!release || fullest.type == NRS_JSON_ABSENT)
                fullest = answer_get(&one, "event");
        }
    }
    return fullest;
}

// --- for people ----------------------------------------------------------------------------------

static void
s_put_value(const nrs_json_value_t *value, nrs_buf_t *into)
{
    nrs_json_value_t item;
    if (value->type == NRS_JSON_TEXT) {
        term_put_clean(into, value->text);
    } else if (value->type == NRS_JSON_LIST) {
        nrs_json_walk_t walk = nrs_json_walk(value);
        for (size_t i = 0; nrs_json_walk_next(&walk, NULL, &item); i++) {
            nrs_buf_put_text(into, i > 0 ? "; " : "");
            s_put_value(&item, into);
        }
    } else {
        nrs_json_print(value, into);
    }
}

static void
s_put_title(show_t *self, const char *title)
{
    nrs_buf_put_text(&self->out, "\n");
    term_put_colour(&self->out, self->cli->colour, TERM_BOLD, title);
    nrs_buf_put_text(&self->out, "\n");
}

static void
s_put_layer(show_t *self, const nrs_json_value_t *event, nrs_layer_t layer)
{
    bool any = false;
    for (nrs_field_t field = 0; field < NRS_FIELD_MAX; field++) {
        const nrs_field_info_t *info = nrs_field_info(field);
        if (info->layer != layer || info->type == NRS_TYPE_POS)
            continue;
        nrs_json_value_t value = answer_get(event, info->name);
        if (value.type == NRS_JSON_ABSENT)
            continue;
        if (!any)
            s_put_title(self, nrs_layer_name(layer));
        any = true;
        char name[32];
        snprintf(name, sizeof name, "  %-14s ", strchr(info->name, '.') + 1);
        term_put_colour(&self->out, self->cli->colour, TERM_DIM, name);
        s_put_value(&value, &self->out);
        nrs_buf_put_text(&self->out, "\n");
    }
}

static void
s_put_places(show_t *self)
{
    static const term_column_t columns[] = {
        { "  topic", false }, { "instance", false }, { "lane", true },
        { "epoch", true },    { "offset", true },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    nrs_json_value_t one;
    size_t count = 0;
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        if (!self->stages[i])
            continue;
        nrs_json_value_t found = answer_get(&self->stages[i]->root, "found");
        nrs_json_walk_t walk = nrs_json_walk(&found);
        for (; nrs_json_walk_next(&walk, NULL, &one); count++) {
            nrs_bytes_t topic = answer_text(&one, "topic");
            term_table_put(table, TERM_PLAIN, "  %.*s", ANSWER_F(topic));
            term_table_put(table, TERM_PLAIN, "%s", self->plan->instances[i].name);
            static const char *const numbers[] = { "lane", "epoch", "offset" };
            for (size_t n = 0; n < 3; n++)
                term_table_put(table, TERM_PLAIN, "%llu",
                               (unsigned long long)answer_number(&one, numbers[n]));
        }
    }
    s_put_title(self, "where it is");
    if (count > 0)
        term_table_print(table, self->cli->colour, &self->out);
    else
        nrs_buf_put_text(&self->out, "  nowhere any more: it was trimmed from every topic\n");
}

static term_colour_t
s_outcome_colour(nrs_bytes_t outcome)
{
    if (nrs_bytes_is(outcome, "released") || nrs_bytes_is(outcome, "projected"))
        return TERM_GREEN;
    return nrs_bytes_is(outcome, "held") ? TERM_YELLOW : TERM_RED;
}

static void
s_put_peers(show_t *self)
{
    static const term_column_t columns[] = {
        { "  peer", false },
        { "outcome", false },
        { "reason", false },
        { "", false },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    nrs_json_value_t peer;
    size_t count = 0;
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        if (!self->whys[i])
            continue;
        nrs_json_value_t peers = answer_get(&self->whys[i]->root, "peers");
        nrs_json_walk_t walk = nrs_json_walk(&peers);
        for (; nrs_json_walk_next(&walk, NULL, &peer); count++) {
            nrs_bytes_t outcome = answer_text(&peer, "outcome"), id = answer_text(&peer, "id");
            nrs_bytes_t reason = answer_text(&peer, "reason"), text = answer_text(&peer, "text");
            term_table_put(table, TERM_PLAIN, "  %.*s", ANSWER_F(id));
            term_table_put(table, s_outcome_colour(outcome), "%.*s", ANSWER_F(outcome));
            term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(reason));
            term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(text));
        }
    }
    s_put_title(self, "who got it, who did not and why");
    if (count > 0)
        term_table_print(table, self->cli->colour, &self->out);
    else
        nrs_buf_put_text(&self->out, "  nobody: it has not come to a decision of the relay\n");
}

static void
s_put_people(show_t *self)
{
    nrs_json_value_t event = s_fullest(self);
    term_put_colour(&self->out, self->cli->colour, TERM_BOLD, "event ");
    nrs_buf_printf(&self->out, "%s  entered at %s (instance/lane/epoch/offset)\n", self->id,
                   self->place);
    for (nrs_layer_t layer = NRS_LAYER_ORIGIN; layer < NRS_LAYER_RELEASE; layer++)
        s_put_layer(self, &event, layer);
    s_put_places(self);
    s_put_peers(self);
}

// --- for programs --------------------------------------------------------------------------------

static void
s_put_json_each(show_t *self, const char *name, answer_t *const *answers, const char *member)
{
    bool any = false;
    nrs_buf_printf(&self->out, ",\"%s\":[", name);
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        if (!answers[i])
            continue;
        nrs_json_value_t value = answer_get(&answers[i]->root, member);
        nrs_buf_put_text(&self->out, any ? ",{\"instance\":" : "{\"instance\":");
        nrs_buf_put_json_string(&self->out, nrs_text(self->plan->instances[i].name));
        nrs_buf_printf(&self->out, ",\"%s\":", member);
        if (value.type == NRS_JSON_LIST)
            nrs_json_print(&value, &self->out);
        else
            nrs_buf_put_text(&self->out, "[]");
        nrs_buf_put_text(&self->out, "}");
        any = true;
    }
    nrs_buf_put_text(&self->out, "]");
}

static void
s_put_json(show_t *self)
{
    nrs_json_value_t event = s_fullest(self);
    nrs_buf_printf(&self->out,
                   "{\"id\":\"%s\",\"place\":\"%s\",\"complete\":%s,\"event\":", self->id,
                   self->place, self->bad ? "false" : "true");
    if (event.type == NRS_JSON_OBJECT)
        nrs_json_print(&event, &self->out);
    else
        nrs_buf_put_text(&self->out, "null");
    s_put_json_each(self, "stages", self->stages, "found");
    s_put_json_each(self, "relays", self->whys, "peers");
    nrs_buf_put_text(&self->out, "}\n");
}

// --- the verb ------------------------------------------------------------------------------------

static cli_exit_t
s_tell(show_t *self)
{
    if (!s_find(self)) {
        if (!self->bad)
            cli_fail(self->cli, CLI_FAILED, "no ingest knows an event %s (any more)", self->id);
        return CLI_FAILED;
    }
    s_gather(self);
    if (self->cli->json)
        s_put_json(self);
    else
        s_put_people(self);
    cli_print(&self->out);
    return self->bad ? CLI_FAILED : CLI_GOOD;
}

static cli_exit_t
s_show(cli_t *cli, int argc, char **argv)
{
    cli_exit_t status;
    uint8_t id[NRS_ID_BYTES];
    if (!cli_parse(cli, NULL, argc, argv, &argc, &status))
        return status;
    if (argc != 2)
        return cli_usage(cli, "name one event by its id");
    if (nrs_id_parse(nrs_text(argv[1]), id))
        return cli_usage(cli, "\"%s\" is no event id: those are 32 hex digits", argv[1]);
    show_t self = { .cli = cli, .id = argv[1], .plan = cli_plan(cli) };
    if (!self.plan)
        return CLI_USAGE;
    size_t count = self.plan->instance_count;
    self.stages = nrs_alloc0(count, sizeof(answer_t *));
    self.whys = nrs_alloc0(count, sizeof(answer_t *));
    status = s_tell(&self);
    for (size_t i = 0; i < count; i++) {
        answer_destroy(&self.stages[i]);
        answer_destroy(&self.whys[i]);
    }
    free(self.stages);
    free(self.whys);
    nrs_buf_free(&self.out);
    return status;
}

const cli_verb_t verb_show = {
    .name = "show",
    .arguments = "EVENT",
    .summary = "one event's life: layers, rule, who got it, who did not and why",
    .text = "EVENT is an id of 32 hex digits, as `noroshi tap --json` has it in origin.id. Asks "
            "ingest\n"
            "where the event entered, every stage what it has of it, and the relay what it decided "
            "for\n"
            "each peer. Exit status 1 when nobody knows the event, or somebody did not answer.",
    .examples = "  noroshi show 1f0c6a5be2d94c7f8a3b5c6d7e8f9012\n"
                "  noroshi show 1f0c6a5be2d94c7f8a3b5c6d7e8f9012 --json | jq .relays",
    .run = s_show,
};
