// check - is the configuration right? Every mistake with its file, line and column.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/directory.h"
#include "services/noroshi/child.h"
#include "services/noroshi/programs.h"
#include "services/noroshi/verbs.h"

typedef struct check {
    cli_t *cli;
    nrs_buf_t rows; // --json: one object a thing checked, separated by commas
    nrs_buf_t said; // what the program under check wrote
    bool bad;
} check_t;

static void
s_result(check_t *self, const char *what, bool good, const char *text)
{
    self->bad = self->bad || !good;
    if (self->cli->json) {
        nrs_buf_put_text(&self->rows, self->rows.size ? ",{\"what\":" : "{\"what\":");
        nrs_buf_put_json_string(&self->rows, nrs_text(what));
        nrs_buf_printf(&self->rows, ",\"ok\":%s,\"text\":", good ? "true" : "false");
        nrs_buf_put_json_string(&self->rows, nrs_text(text));
        nrs_buf_put_text(&self->rows, "}");
        return;
    }
    nrs_buf_t line = { 0 };
    term_put_colour(&line, self->cli->colour, good ? TERM_GREEN : TERM_RED, good ? "ok " : "bad");
    nrs_buf_printf(&line, "  %-12s %s\n", what, text);
    cli_print(&line);
    nrs_buf_free(&line);
}

// --- the file ------------------------------------------------------------------------------------

static void
s_mistakes(check_t *self, const nrs_config_t *config)
{
    const nrs_problem_t *mistake;
    char text[1024];
    for (size_t i = 0; (mistake = nrs_config_mistake(config, i)); i++)
        s_result(self, "file", false, nrs_problem_print(mistake, text, sizeof text));
}

// Read the plan and the directory; NULL when the file has mistakes, all of which are told.
static nrs_plan_t *
s_file(check_t *self, const char *path)
{
    NRS_AUTO(nrs_config) config = NULL;
    NRS_AUTO(nrs_directory) directory = NULL;
    NRS_AUTO(nrs_plan) plan = NULL;
    nrs_problem_t problem = { 0 };
    char text[1024];
    if (nrs_config_open(path, &problem, &config)) {
        s_result(self, "file", false, nrs_problem_print(&problem, text, sizeof text));
        return NULL;
    }
    nrs_err_t members = nrs_directory_open(config, &problem, &directory);
    const nrs_config_t *file = config;
    nrs_err_t stages = nrs_plan_read(&config, &problem, &plan);
    if (members || stages) {
        s_mistakes(self, file);
        return NULL;
    }
    snprintf(text, sizeof text, "%s: realm %s, %u lanes, %zu instances, %zu members, %zu peers",
             path, plan->realm, plan->lanes, plan->instance_count, directory->member_count,
             directory->peer_count);
    s_result(self, "file", true, text);
    return NRS_TAKE(plan);
}

// --- the stages' own options ---------------------------------------------------------------------

static void
s_line(void *me, child_t *child, nrs_bytes_t line)
{
    check_t *self = me;
    (void)child;
    if (self->said.size > 0)
        nrs_buf_put_text(&self->said, "\n                  ");
    term_put_clean(&self->said, line);
}

static void
s_instance(check_t *self, const char *config, const char *programs, const nrs_instance_t *instance)
{
    child_t child;
    int status = 0;
    char end[96];
    nrs_buf_reset(&self->said);
    child_init(&child, instance, programs);
    if (child_start(&child, config, "--check", NULL, 0)) {
        s_result(self, instance->name, false, "its program cannot be started");
        child_clear(&child);
        return;
    }
    struct pollfd item = { .fd = child.output, .events = POLLIN };
    while (poll(&item, 1, -1) < 0 || child_read(&child, s_line, self))
        continue;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const char *text = self->said.size ? nrs_buf_cstr(&self->said) : good ? "" : NULL;
    s_result(self, instance->name, good, text ? text : child_end_text(status, end));
    child_clear(&child);
}

static cli_exit_t
s_check(cli_t *cli, int argc, char **argv)
{
    check_t self = { .cli = cli };
    cli_exit_t status;
    if (!cli_parse(cli, NULL, argc, argv, &argc, &status))
        return status;
    if (argc > 1)
        cli->config = argv[1];
    const char *path = cli_config(cli, false);
    if (!path)
        return CLI_USAGE;
    cli->plan = s_file(&self, path);
    char *config = programs_absolute(path);
    char *programs = programs_dir();
    for (size_t i = 0; cli->plan && config && programs && i < cli->plan->instance_count; i++)
        s_instance(&self, config, programs, &cli->plan->instances[i]);
    free(config);
    free(programs);
    if (cli->json)
        printf("{\"ok\":%s,\"checks\":[%s]}\n", self.bad ? "false" : "true",
               nrs_buf_cstr(&self.rows));
    nrs_buf_free(&self.rows);
    nrs_buf_free(&self.said);
    return self.bad ? CLI_USAGE : CLI_GOOD;
}

const cli_verb_t verb_check = {
    .name = "check",
    .arguments = "[FILE]",
    .summary = "check the configuration, the stages' options and rules included",
    .text =
        "Reads the configuration as `noroshi up` would, then lets each stage check what is its "
        "own\n"
        "(options, rules, sources). Every mistake is told with file, line and column. Nothing is\n"
        "started and nothing is changed. Exit status 2 when something is wrong.",
    .examples = "  noroshi check\n"
                "  noroshi check new.yaml && mv new.yaml noroshi.yaml",
    .run = s_check,
};
