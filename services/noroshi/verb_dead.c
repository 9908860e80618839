// dead - dead letters: what could not be read or decided, with its bytes and the reason.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "services/noroshi/answer.h"
#include "services/noroshi/base64.h"
#include "services/noroshi/verbs.h"

typedef struct dead {
    cli_t *cli;
    const nrs_plan_t *plan;
    const char *instance; // --instance, or NULL: all
    uint64_t from, limit;
    bool yes;
    nrs_buf_t out;
    bool bad;
    bool any; // --json: something was put already
} dead_t;

static bool
s_concerns(const dead_t *self, const nrs_instance_t *instance)
{
    return !self->instance || strcmp(self->instance, instance->name) == 0;
}

// Ask; NULL, told on stderr, when there is no answer.
static answer_t *
s_ask(dead_t *self, const nrs_instance_t *instance, const char *verb, const char *argument)
{
    nrs_problem_t problem = { 0 };
    answer_t *answer = NULL;
    nrs_err_t err = answer_ask(self->plan, instance, verb, nrs_text(argument), &problem, &answer);
    if (err) {
        self->bad = true;
        cli_problem(self->cli, err, &problem);
    }
    return answer;
}

// An id as text, whether the instance writes ids as numbers or as texts.
static void
s_put_id(const nrs_json_value_t *letter, nrs_buf_t *into)
{
    nrs_json_value_t id = answer_get(letter, "id");
    nrs_buf_reset(into);
    if (id.type == NRS_JSON_TEXT)
        nrs_buf_put(into, id.text.data, id.text.size);
    else
        nrs_json_print(&id, into);
}

// --- list ----------------------------------------------------------------------------------------

static void
s_put_letter(term_table_t *table, const nrs_instance_t *instance, const nrs_json_value_t *letter)
{
    nrs_buf_t id = { 0 };
    char size[32];
    s_put_id(letter, &id);
    nrs_bytes_t at = answer_text(letter, "at"), reason = answer_text(letter, "reason");
    nrs_bytes_t source = answer_text(letter, "source"), place = answer_text(letter, "place");
    nrs_bytes_t text = answer_text(letter, "text");
    term_table_put(table, TERM_PLAIN, "%s/%s", instance->name, nrs_buf_cstr(&id));
    term_table_put(table, TERM_DIM, "%.*s", at.size > 19 ? 19 : (int)at.size,
                   at.size ? (const char *)at.data : "");
    term_table_put(table, TERM_YELLOW, "%.*s", ANSWER_F(reason));
    term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(source));
    term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(place));
    term_table_put(table, TERM_PLAIN, "%s", term_bytes(answer_number(letter, "size"), size));
    term_table_put(table, TERM_PLAIN, "%.*s", ANSWER_F(text));
    nrs_buf_free(&id);
}

static void
s_put_list_json(dead_t *self, const nrs_instance_t *instance, const answer_t *answer)
{
    nrs_buf_put_text(&self->out, self->any ? ",{\"instance\":" : "{\"instance\":");
    nrs_buf_put_json_string(&self->out, nrs_text(instance->name));
    nrs_buf_put_text(&self->out, ",\"answer\":");
    nrs_json_print(&answer->root, &self->out);
    nrs_buf_put_text(&self->out, "}");
    self->any = true;
}

// One instance's letters into the table; returns how many there are altogether.
static uint64_t
s_list_one(dead_t *self, const nrs_instance_t *instance, term_table_t *table)
{
    char argument[96];
    snprintf(argument, sizeof argument, "{\"from\":%llu,\"limit\":%llu}",
             (unsigned long long)self->from, (unsigned long long)self->limit);
    NRS_AUTO(answer) answer = s_ask(self, instance, "dead.list", argument);
    if (!answer)
        return 0;
    if (self->cli->json) {
        s_put_list_json(self, instance, answer);
        return 0;
    }
    nrs_json_value_t letters = answer_get(&answer->root, "dead"), letter;
    nrs_json_walk_t walk = nrs_json_walk(&letters);
    while (nrs_json_walk_next(&walk, NULL, &letter))
        s_put_letter(table, instance, &letter);
    return answer_number(&answer->root, "total");
}

static void
s_list(dead_t *self)
{
    static const term_column_t columns[] = {
        { "id", false },    { "at", false },  { "reason", false }, { "source", false },
        { "place", false }, { "size", true }, { "why", false },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    uint64_t total = 0;
    char count[32];
    if (self->cli->json)
        nrs_buf_put_text(&self->out, "{\"instances\":[");
    for (size_t i = 0; i < self->plan->instance_count; i++)
        if (s_concerns(self, &self->plan->instances[i]))
            total += s_list_one(self, &self->plan->instances[i], table);
    if (self->cli->json) {
        nrs_buf_put_text(&self->out, "]}\n");
    } else if (total == 0) {
        nrs_buf_put_text(&self->out, self->bad ? "" : "no dead letters\n");
    } else {
        term_table_print(table, self->cli->colour, &self->out);
        nrs_buf_printf(&self->out, "%s in all; `noroshi dead show ID` shows the bytes of one\n",
                       term_count(total, count));
    }
}

// --- show ----------------------------------------------------------------------------------------

static bool
s_printable(nrs_bytes_t bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] < 0x20 && !strchr("\t\n\r", bytes.data[i]))
            return false;
    return nrs_utf8_ok(bytes);
}

// Text line by line, cleaned; anything else as hex with its printable characters beside it.
static void
s_put_bytes(nrs_bytes_t bytes, nrs_buf_t *into)
{
    enum { a_row = 16 };
    if (s_printable(bytes)) {
        for (size_t at = 0; at < bytes.size;) {
            const uint8_t *feed = memchr(bytes.data + at, '\n', bytes.size - at);
            size_t length = feed ? (size_t)(feed - bytes.data) - at : bytes.size - at;
            nrs_buf_put_text(into, "  | ");
            term_put_clean(into, nrs_bytes(bytes.data + at, length));
            nrs_buf_put_text(into, "\n");
            at += length + (feed ? 1 : 0);
        }
        return;
    }
    for (size_t row = 0; row < bytes.size; row += a_row) {
        nrs_buf_printf(into, "  %06zx ", row);
        for (size_t i = row; i < row + a_row; i++)
            if (i < bytes.size)
                nrs_buf_printf(into, " %02x", bytes.data[i]);
            else
                nrs_buf_put_text(into, "   ");
        nrs_buf_put_text(into, "  ");
        for (size_t i = row; i < row + a_row && i < bytes.size; i++)
            nrs_buf_printf(into, "%c",
                           bytes.data[i] >= 0x20 && bytes.data[i] < 0x7f ? bytes.data[i] : '.');
        nrs_buf_put_text(into, "\n");
    }
}

static void
s_put_one(dead_t *self, const answer_t *answer)
{
    static const char *const names[] = { "at", "reason", "text", "source", "place" };
    nrs_buf_t bytes = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        nrs_bytes_t text = answer_text(&answer->root, names[i]);
        if (text.size == 0)
            continue;
        nrs_buf_printf(&self->out, "%-7s ", names[i]);
        term_put_clean(&self->out, text);
        nrs_buf_put_text(&self->out, "\n");
    }
    uint64_t size = answer_number(&answer->root, "size");
    if (base64_decode(answer_text(&answer->root, "base64"), &bytes))
        nrs_buf_put_text(&self->out, "bytes   cannot be read\n");
    else
        nrs_buf_printf(&self->out, "bytes   %zu%s\n", bytes.size,
                       size > bytes.size ? " (the beginning of a longer record)" : "");
    s_put_bytes(nrs_buf_bytes(&bytes), &self->out);
    nrs_buf_free(&bytes);
}

// --- one letter, or all --------------------------------------------------------------------------

// "ingest-1/17": the instance, and behind the slash its own id.
static const nrs_instance_t *
s_split(dead_t *self, const char *id, const char **ret_own)
{
    const char *slash = strchr(id, '/');
    if (!slash || !slash[1]) {
        cli_usage(self->cli, "\"%s\" is no id; they look like ingest-1/17 (`noroshi dead list`)",
                  id);
        return NULL;
    }
    char *name = nrs_strndup(id, (size_t)(slash - id));
    const nrs_instance_t *instance = cli_instance(self->plan, name);
    free(name);
    *ret_own = slash + 1;
    return instance;
}

static cli_exit_t
s_show(dead_t *self, const char *id)
{
    const char *own = NULL;
    const nrs_instance_t *instance = s_split(self, id, &own);
    if (!instance)
        return CLI_USAGE;
    NRS_AUTO(answer) answer = s_ask(self, instance, "dead.show", own);
    if (!answer)
        return CLI_FAILED;
    if (self->cli->json) {
        nrs_json_print(&answer->root, &self->out);
        nrs_buf_put_text(&self->out, "\n");
    } else {
        s_put_one(self, answer);
    }
    return CLI_GOOD;
}

static uint64_t
s_do_one(dead_t *self, const nrs_instance_t *instance, const char *verb, const char *own)
{
    NRS_AUTO(answer) answer = s_ask(self, instance, verb, own);
    return answer ? answer_number(&answer->root, "done") : 0;
}

// Dropping everything cannot be taken back: ask, or want --yes where nobody can be asked.
static bool
s_confirmed(const dead_t *self, const char *verb)
{
    char line[16];
    if (strcmp(verb, "dead.drop") != 0 || self->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_usage(self->cli, "dropping all cannot be taken back; say --yes");
        return false;
    }
    fputs("drop all dead letters for good? [y/N] ", stderr);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static cli_exit_t
s_do(dead_t *self, const char *verb, int count, char **ids)
{
    uint64_t done = 0;
    char text[32];
    for (int i = 0; i < count; i++) {
        const char *own = NULL;
        if (strcmp(ids[i], "all") == 0) {
            if (!s_confirmed(self, verb))
                return CLI_USAGE;
            for (size_t n = 0; n < self->plan->instance_count; n++)
                if (s_concerns(self, &self->plan->instances[n]))
                    done += s_do_one(self, &self->plan->instances[n], verb, "all");
            continue;
        }
        const nrs_instance_t *instance = s_split(self, ids[i], &own);
        if (!instance)
            return CLI_USAGE;
        done += s_do_one(self, instance, verb, own);
    }
    if (self->cli->json)
        nrs_buf_printf(&self->out, "{\"done\":%llu}\n", (unsigned long long)done);
    else
        nrs_buf_printf(&self->out, "%s %s\n", term_count(done, text),
                       strcmp(verb, "dead.drop") == 0 ? "dropped" : "tried again");
    return CLI_GOOD;
}

// --- the verb ------------------------------------------------------------------------------------

static cli_exit_t
s_dispatch(dead_t *self, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "list";
    if (strcmp(what, "list") == 0 && argc <= 2) {
        s_list(self);
        return CLI_GOOD;
    }
    if (strcmp(what, "show") == 0 && argc == 3)
        return s_show(self, argv[2]);
    if (strcmp(what, "retry") == 0 && argc > 2)
        return s_do(self, "dead.retry", argc - 2, argv + 2);
    if (strcmp(what, "drop") == 0 && argc > 2)
        return s_do(self, "dead.drop", argc - 2, argv + 2);
    return cli_usage(self->cli, "say `dead list`, `dead show ID`, `dead retry ID|all` or "
                                "`dead drop ID|all`");
}

static cli_exit_t
s_dead(cli_t *cli, int argc, char **argv)
{
    dead_t self = { .cli = cli, .limit = 50 };
    const cli_option_t options[] = {
        { "instance", 'i', CLI_TEXT, &self.instance, "NAME", "only this instance's (list, all)" },
        { "from", 0, CLI_NUMBER, &self.from, "N",
          "list: letters with an id above N (the last one shown, to go on)" },
        { "limit", 'n', CLI_NUMBER, &self.limit, "N", "list: at most N an instance (default 50)" },
        { "yes", 'y', CLI_FLAG, &self.yes, NULL, "drop all: do not ask" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    self.plan = cli_plan(cli);
    if (!self.plan || (self.instance && !cli_instance(self.plan, self.instance)))
        return CLI_USAGE;
    status = s_dispatch(&self, argc, argv);
    cli_print(&self.out);
    nrs_buf_free(&self.out);
    return status == CLI_GOOD && self.bad ? CLI_FAILED : status;
}

const cli_verb_t verb_dead = {
    .name = "dead",
    .arguments = "[list | show ID | retry ID|all... | drop ID|all...]",
    .summary = "dead letters: list, show, try again, drop",
    .text = "What could not be read or decided is kept with its bytes and the reason until someone "
            "looks.\n"
            "list   the oldest of each instance; an ID is INSTANCE/NUMBER\n"
            "show   one with all its bytes\n"
            "retry  put it through once more, after a rule, a source or a member was corrected\n"
            "drop   forget it",
    .examples = "  noroshi dead\n"
                "  noroshi dead list --instance ingest-1 --limit 500\n"
                "  noroshi dead show ingest-1/17\n"
                "  noroshi dead retry all",
    .run = s_dead,
};
