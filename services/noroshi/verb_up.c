// up - run the pipeline on this machine: in the foreground with everything said on the terminal, or
// as a daemon.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/event.h"
#include "common/files.h"
#include "common/world.h"
#include "services/noroshi/pidfile.h"
#include "services/noroshi/programs.h"
#include "services/noroshi/supervisor.h"
#include "services/noroshi/verbs.h"

typedef struct up {
    cli_t *cli;
    bool daemon;
    int to_parent; // daemon: the pipe to the process that a person waits for; -1: closed
    logfile_t log; // daemon: HOME/log/noroshi.log
    nrs_buf_t text;
} up_t;

// A message to the waiting parent is one character for what it is, a text, and a NUL.
enum { s_to_stdout = 'o', s_to_stderr = 'e', s_exit = 'x' };

static void
s_send_parent(up_t *self, char what, const char *text)
{
    if (self->to_parent < 0)
        return;
    nrs_buf_t message = { 0 };
    nrs_buf_put(&message, &what, 1);
    nrs_buf_put(&message, text, strlen(text) + 1);
    ssize_t written = write(self->to_parent, message.data, message.size);
    nrs_buf_free(&message);
    if (written < 0 || what == s_exit) { // it is gone, or has all that it waited for
        close(self->to_parent);
        self->to_parent = -1;
    }
}

typedef enum s_reach {
    S_ALL,      // the log, and the person who waits
    S_LOG_ONLY, // daemon: the log
} s_reach_t;

// One line for the person, wherever that is.
static void
s_say(up_t *self, bool good, s_reach_t reach, const char *line)
{
    if (!self->daemon) {
        fprintf(good ? stdout : stderr, "%s\n", line);
        fflush(good ? stdout : stderr);
        return;
    }
    char time[25];
    nrs_world_t *world = nrs_world_real();
    nrs_time_print((uint64_t)world->now_ms(world), time);
    nrs_buf_t logged = { 0 };
    nrs_buf_printf(&logged, "%s %s", time, line);
    logfile_put(&self->log, nrs_buf_bytes(&logged));
    nrs_buf_free(&logged);
    if (reach == S_ALL)
        s_send_parent(self, good ? s_to_stdout : s_to_stderr, line);
}

// --- what the supervisor reports -----------------------------------------------------------------

static const char *
s_event_name(supervisor_event_t event)
{
    static const char *const names[] = {
        [SUPERVISOR_LINE] = "line",       [SUPERVISOR_READY] = "ready",
        [SUPERVISOR_ENDED] = "ended",     [SUPERVISOR_GIVEN_UP] = "given-up",
        [SUPERVISOR_SETTLED] = "settled", [SUPERVISOR_STOPPING] = "stopping",
        [SUPERVISOR_KILLED] = "killed",
    };
    return names[event];
}

static void
s_put_json(up_t *self, const supervisor_report_t *report)
{
    nrs_buf_printf(&self->text, "{\"event\":\"%s\"", s_event_name(report->event));
    const child_t *child = report->child;
    if (child) {
        nrs_buf_put_text(&self->text, ",\"instance\":");
        nrs_buf_put_json_string(&self->text, nrs_text(child->instance->name));
    }
    if (report->event == SUPERVISOR_READY)
        nrs_buf_printf(&self->text, ",\"ms\":%lld",
                       (long long)(child->ready_ms - child->started_ms));
    if (report->event == SUPERVISOR_ENDED || report->event == SUPERVISOR_GIVEN_UP) {
        char end[96];
        nrs_buf_put_text(&self->text, ",\"end\":");
        nrs_buf_put_json_string(&self->text, nrs_text(child_end_text(child->status, end)));
        nrs_buf_put_text(&self->text, ",\"said\":");
        nrs_buf_put_json_string(&self->text, nrs_text(child->said));
    }
    nrs_buf_put_text(&self->text, "}");
}

// The end of an instance in words, with its last line as the reason.
static void
s_put_end(up_t *self, const child_t *child, int64_t now_ms)
{
    char end[96], wait[32];
    nrs_buf_printf(&self->text, "%s ended with %s", child->instance->name,
                   child_end_text(child->status, end));
    if (child->state == CHILD_WAITING) {
        int64_t left_ms = child->start_at_ms - now_ms;
        nrs_buf_printf(&self->text, ", starting it again in %s",
                       term_span((uint64_t)(left_ms > 0 ? left_ms : 0), wait));
    } else {
        nrs_buf_put_text(&self->text,
                         "; it is NOT started again: correct this, then `noroshi down` "
                         "and `noroshi up`");
    }
    if (child->said[0])
        nrs_buf_printf(&self->text, "\n    %s", child->said);
}

static const char *
s_not_ready_why(const child_t *child)
{
    switch (child->state) {
    case CHILD_GIVEN_UP:
        return "given up";
    case CHILD_WAITING:
        return "keeps ending";
    default:
        return "runs, but is not ready yet";
    }
}

// How the start went, once. Returns the exit status of `up -d`.
static cli_exit_t
s_put_settled(up_t *self, const supervisor_report_t *report)
{
    char span[32];
    size_t ready = 0;
    int64_t last_ms = 0, first_ms = INT64_MAX;
    for (size_t i = 0; i < report->child_count; i++) {
        const child_t *child = &report->children[i];
        ready += child->state == CHILD_READY;
        last_ms = child->ready_ms > last_ms ? child->ready_ms : last_ms;
        first_ms = child->started_ms < first_ms ? child->started_ms : first_ms;
    }
    if (ready == report->child_count) {
        nrs_buf_printf(&self->text, "all %zu instances are ready after %s", ready,
                       term_span((uint64_t)(last_ms - first_ms), span));
        return CLI_GOOD;
    }
    nrs_buf_printf(&self->text, "%zu of %zu instances are not ready:", report->child_count - ready,
                   report->child_count);
    cli_exit_t status = CLI_FAILED;
    for (size_t i = 0; i < report->child_count; i++) {
        const child_t *child = &report->children[i];
        if (child->state == CHILD_READY)
            continue;
        nrs_buf_printf(&self->text, "\n  %-12s %s", child->instance->name, s_not_ready_why(child));
        if (child->state == CHILD_GIVEN_UP && WIFEXITED(child->status) &&
            WEXITSTATUS(child->status) == CLI_USAGE)
            status = CLI_USAGE;
    }
    if (self->daemon)
        nrs_buf_put_text(&self->text, "\nthe others run on; `noroshi status` shows how, "
                                      "`noroshi down` stops all");
    return status;
}

// The line for people. Returns the exit status that SETTLED gives; else CLI_GOOD for good news.
static cli_exit_t
s_put_people(up_t *self, const supervisor_report_t *report)
{
    const child_t *child = report->child;
    char span[32];
    switch (report->event) {
    case SUPERVISOR_READY:
        nrs_buf_printf(&self->text, "ready  %-12s %s", child->instance->name,
                       term_span((uint64_t)(child->ready_ms - child->started_ms), span));
        return CLI_GOOD;
    case SUPERVISOR_ENDED:
    case SUPERVISOR_GIVEN_UP:
        s_put_end(self, child, report->now_ms);
        return CLI_FAILED;
    case SUPERVISOR_SETTLED:
        return s_put_settled(self, report);
    case SUPERVISOR_STOPPING:
        nrs_buf_put_text(&self->text, "stopping: waiting for what is under way");
        return CLI_GOOD;
    case SUPERVISOR_KILLED:
        nrs_buf_printf(&self->text, "%s did not stop in time and is killed; nothing is lost",
                       child->instance->name);
        return CLI_FAILED;
    case SUPERVISOR_LINE:
        break;
    }
    return CLI_GOOD;
}

static void
s_tell_line(up_t *self, const supervisor_report_t *report)
{
    if (self->daemon)
        return; // it stands in the instance's own file
    if (self->cli->json) {
        nrs_buf_put(&self->text, report->line.data, report->line.size);
        nrs_buf_put_text(&self->text, "\n");
    } else {
        logs_print(report->line, report->child->instance->name, self->cli->colour, &self->text);
    }
    cli_print(&self->text);
}

static void
s_tell(void *me, const supervisor_report_t *report)
{
    up_t *self = me;
    nrs_buf_reset(&self->text);
    if (report->event == SUPERVISOR_LINE) {
        s_tell_line(self, report);
        return;
    }
    cli_exit_t status = s_put_people(self, report);
    if (self->cli->json) {
        nrs_buf_reset(&self->text);
        s_put_json(self, report);
    }
    bool repeated = report->event == SUPERVISOR_ENDED && report->child->restarts > 1;
    s_say(self, status == CLI_GOOD || self->cli->json, repeated ? S_LOG_ONLY : S_ALL,
          nrs_buf_cstr(&self->text));
    if (report->event == SUPERVISOR_SETTLED)
        s_send_parent(self, s_exit, status == CLI_GOOD ? "0" : status == CLI_USAGE ? "2" : "1");
}

// --- running -------------------------------------------------------------------------------------

static nrs_err_t
s_take_pidfile(const nrs_plan_t *plan, nrs_problem_t *reterr)
{
    char path[4096];
    pid_t holder = 0;
    snprintf(path, sizeof path, "%s/run", plan->home);
    nrs_err_t err = nrs_files_make_directory(path, reterr);
    if (err)
        return err;
    snprintf(path, sizeof path, "%s/run/noroshi.pid", plan->home);
    err = pidfile_take(path, &holder);
    if (err == NRS_E_EXISTS)
        return nrs_problem_set(
            reterr, err, NULL, 0, 0,
            "the pipeline runs already, under process %d; `noroshi status` looks "
            "at it, `noroshi down` stops it",
            (int)holder);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "cannot lock %s: %s", path,
                               strerror(errno));
    return NRS_OK;
}

static nrs_err_t
s_run(up_t *self, const nrs_plan_t *plan, const char *config, nrs_problem_t *reterr)
{
    nrs_err_t err = s_take_pidfile(plan, reterr);
    if (err)
        return err;
    char *programs = programs_dir();
    supervisor_options_t options = { .plan = plan,
                                     .config = config,
                                     .programs = programs ? programs : ".",
                                     .log_files = self->daemon,
                                     .tell = s_tell,
                                     .me = self };
    err = supervisor_run(&options, reterr);
    free(programs);
    return err;
}

static nrs_err_t
s_open_daemon(up_t *self, const nrs_plan_t *plan, nrs_problem_t *reterr)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/log", plan->home);
    nrs_err_t err = nrs_files_make_directory(path, reterr);
    if (err)
        return err;
    snprintf(path, sizeof path, "%s/log/noroshi.log", plan->home);
    if (logfile_open(path, 0, &self->log))
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "cannot write %s: %s", path,
                               strerror(errno));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(self->log.fd, STDOUT_FILENO);
    dup2(self->log.fd, STDERR_FILENO); // what only a crash would say
    close(null);
    return NRS_OK;
}

// In the daemon: run, and tell the waiting parent when it cannot.
static cli_exit_t
s_daemon(up_t *self, const nrs_plan_t *plan, const char *config)
{
    nrs_problem_t problem = { 0 };
    char text[1024];
    setsid();
    nrs_err_t err = s_open_daemon(self, plan, &problem);
    if (!err && chdir("/") != 0)
        err = nrs_problem_set(&problem, NRS_E_IO, NULL, 0, 0, "cannot leave the directory");
    if (!err)
        err = s_run(self, plan, config, &problem);
    if (err) {
        s_say(self, false, S_ALL, nrs_problem_print(&problem, text, sizeof text));
        s_send_parent(self, s_exit, err == NRS_E_CONFIG ? "2" : "1");
    }
    logfile_close(&self->log);
    return err ? CLI_FAILED : CLI_GOOD;
}

// In the process that a person waits for: say what the daemon says until it has settled.
static cli_exit_t
s_await(const up_t *self, int from_daemon)
{
    FILE *stream = fdopen(from_daemon, "r");
    char *message = NULL;
    size_t room = 0;
    int status = -1;
    while (stream && getdelim(&message, &room, 0, stream) > 0) {
        if (message[0] == s_exit)
            status = message[1] - '0';
        else
            fprintf(message[0] == s_to_stdout ? stdout : stderr, "%s\n", message + 1);
        fflush(stdout);
    }
    free(message);
    if (stream)
        fclose(stream);
    if (status < 0)
        return cli_fail(
            self->cli, CLI_FAILED,
            "the supervisor ended before the pipeline was up; see log/noroshi.log below "
            "the home");
    return (cli_exit_t)status;
}

static cli_exit_t
s_detach(up_t *self, const nrs_plan_t *plan, const char *config)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return cli_fail(self->cli, CLI_FAILED, "no pipe to be had: %s", strerror(errno));
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return cli_fail(self->cli, CLI_FAILED, "no process to be had: %s", strerror(errno));
    close(ends[pid == 0 ? 0 : 1]);
    if (pid == 0) {
        self->to_parent = ends[1];
        return s_daemon(self, plan, config);
    }
    return s_await(self, ends[0]);
}

static cli_exit_t
s_foreground(up_t *self, const nrs_plan_t *plan, const char *config)
{
    nrs_problem_t problem = { 0 };
    nrs_err_t err = s_run(self, plan, config, &problem);
    return err ? cli_problem(self->cli, err, &problem) : CLI_GOOD;
}

static cli_exit_t
s_up(cli_t *cli, int argc, char **argv)
{
    up_t self = { .cli = cli, .to_parent = -1, .log = { .fd = -1 } };
    const cli_option_t options[] = {
        { "daemon", 'd', CLI_FLAG, &self.daemon, NULL, "go to the background once all are ready" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc > 1)
        return cli_usage(cli, "up takes no argument, but \"%s\" is given", argv[1]);
    const nrs_plan_t *plan = cli_plan(cli);
    if (!plan)
        return CLI_USAGE;
    char *config = programs_absolute(cli_config(cli, false));
    if (!config)
        return cli_fail(cli, CLI_USAGE, "%s: %s", cli_config(cli, false), strerror(errno));
    status = self.daemon ? s_detach(&self, plan, config) : s_foreground(&self, plan, config);
    nrs_buf_free(&self.text);
    free(config);
    return status;
}

const cli_verb_t verb_up = {
    .name = "up",
    .arguments = "",
    .summary = "run the whole pipeline on this machine, restarting what dies",
    .text =
        "Starts every instance of the configuration in the order of the flow, each as a process "
        "of\n"
        "its own, and says when each is ready. One that dies is started again after 100 ms, then\n"
        "later and later up to 5 s. One that says that its configuration is wrong (exit status 2)\n"
        "or its data damaged (3) is not, because that would not help.\n"
        "Without -d it stays, shows what the instances log, and stops them on ^C. With -d it\n"
        "returns when all are ready, or with the reason why one is not; logs are in HOME/log/.",
    .examples = "  noroshi up                         run here, ^C stops\n"
                "  noroshi up -d && noroshi status    run in the background\n"
                "  noroshi up --config drill.yaml     another deployment",
    .run = s_up,
};
