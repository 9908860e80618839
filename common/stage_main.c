// stage_main.c - the program around a stage: options, help, exit status, what the supervisor is told

#include "common/stage_part.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_WRONG = 2,   // usage or configuration
    EXIT_DAMAGED = 3, // what is stored fails its checks
    EXIT_DISK = 4,    // the disk is full or fails
};

static const char *const s_levels[] = { "error", "warn", "info", "debug", NULL };

#define OPTION(member) offsetof(nrs_stage_options_t, member)
const nrs_option_t nrs_stage_option_table[] = {
    { "batch_events", NRS_OPTION_NUMBER, OPTION(batch_events), "4096", 1, 65536, NULL,
      "Events in one commit at the most; more only adds delay." },
    { "batch_bytes", NRS_OPTION_BYTES, OPTION(batch_bytes), "2MiB", 65536, INT64_C(64) << 20, NULL,
      "Bytes in one commit at the most." },
    { "replay", NRS_OPTION_DURATION, OPTION(replay_ms), "24h", 0, INT64_C(86400000) * 3660, NULL,
      "How long events stay for replay after all followers have acknowledged them." },
    { "replay_bytes", NRS_OPTION_BYTES, OPTION(replay_bytes), "1GiB", 0, INT64_MAX, NULL,
      "How much of a topic stays for replay at the most." },
    { "backlog_bytes", NRS_OPTION_BYTES, OPTION(backlog_bytes), "8GiB", 1 << 20, INT64_MAX, NULL,
      "How much is kept for a peer that does not come; beyond, its oldest releases go, and it is told." },
    { "store_bytes", NRS_OPTION_BYTES, OPTION(store_bytes), "64GiB", 16 << 20, INT64_MAX, NULL,
      "Limit of the store's file; at 85 % nothing more is taken in." },
    { "dead_max", NRS_OPTION_NUMBER, OPTION(dead_max), "100000", 1, INT64_MAX, NULL,
      "Dead letters kept at the most; beyond, what brings more is refused." },
    { "dead_bytes", NRS_OPTION_BYTES, OPTION(dead_bytes), "256MiB", 1 << 20, INT64_MAX, NULL,
      "Bytes of dead letters kept at the most." },
    { "log_level", NRS_OPTION_WORD, OPTION(log_level), "info", 0, 0, s_levels,
      "Which lines are logged: error, warn, info, debug." },
    { 0 },
};

// --- telling the supervisor ----------------------------------------------------------------------

// sd_notify(3): a datagram to $NOTIFY_SOCKET, where there is one.
static void
s_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || strlen(path) >= sizeof address.sun_path)
        return;
    strcpy(address.sun_path, path);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@'));
    if (path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    NRS_IGNORE(sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0);
    close(fd); // a supervisor that is gone has no use for it
}

// --- options -------------------------------------------------------------------------------------

static size_t
s_rows(const nrs_option_t *table)
{
    size_t rows = 0;
    while (table && table[rows].key)
        rows++;
    return rows;
}

// The stage's table and the runtime's as one, for one struct: the stage's own, then the runtime's.
static nrs_option_t *
s_join_tables(const nrs_stage_t *stage, size_t *ret_shared_at)
{
    size_t own = s_rows(stage->options), shared = s_rows(nrs_stage_option_table);
    size_t shared_at = (stage->options_bytes + 15) & ~(size_t)15;
    nrs_option_t *table = nrs_alloc0(own + shared + 1, sizeof *table);
    if (own)
        memcpy(table, stage->options, own * sizeof *table);
    memcpy(table + own, nrs_stage_option_table, shared * sizeof *table);
    for (size_t i = own; i < own + shared; i++)
        table[i].offset += shared_at;
    *ret_shared_at = shared_at;
    return table;
}

static nrs_err_t
s_read_options(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    size_t shared_at;
    run->option_table = s_join_tables(run->stage, &shared_at);
    run->own_options = nrs_alloc0(1, shared_at + sizeof run->options);
    nrs_err_t err = nrs_options_read(run->plan->config, run->instance->options, run->option_table,
                                     run->own_options, reterr);
    if (!err)
        memcpy(&run->options, (uint8_t *)run->own_options + shared_at, sizeof run->options);
    return err;
}

// --- program -------------------------------------------------------------------------------------

static int
s_exit_status(nrs_err_t err)
{
    switch (err) {
    case NRS_OK:
        return EXIT_GOOD;
    case NRS_E_CONFIG:
    case NRS_E_USAGE:
    case NRS_E_DENIED:
    case NRS_E_ABSENT:
        return EXIT_WRONG;
    case NRS_E_CORRUPT:
    case NRS_E_VERSION:
    case NRS_E_REWOUND:
        return EXIT_DAMAGED;
    case NRS_E_FULL:
        return EXIT_DISK;
    default:
        return EXIT_FAILED;
    }
}

static int
s_fail(nrs_err_t err, const nrs_problem_t *problem)
{
    char text[1024];
    nrs_log_error("stage.failed", F_ERR(err), F_STR("why", nrs_problem_print(problem, text, sizeof text)));
    return s_exit_status(err);
}

static void
s_usage(const nrs_stage_t *stage)
{
    printf("usage: noroshi-%s --config FILE --instance NAME\n\n"
           "One instance of the stage %s. `noroshi up` starts all of them on this machine.\n\n"
           "  --config FILE    noroshi.yaml\n"
           "  --instance NAME  which of its instances this is; may be left out where the stage has one\n"
           "  --check          read the configuration, open nothing, and say what is wrong\n"
           "  --help-config    the options of this stage, as they stand in noroshi.yaml\n"
           "  --version\n"
           "  --help\n\n"
           "Exit status: 0 good, 1 failed, 2 wrong usage or configuration, 3 stored data damaged, 4 disk.\n"
           "SIGHUP reads rules and lists again; SIGTERM stops.\n",
           stage->name, stage->name);
}

static void
s_help_config(const nrs_stage_t *stage)
{
    size_t shared_at;
    nrs_option_t *table = s_join_tables(stage, &shared_at);
    nrs_buf_t text = { 0 };
    nrs_buf_printf(&text, "stages:\n  %s:\n    options:\n", stage->name);
    nrs_options_print(table, 6, &text);
    fwrite(text.data, 1, text.size, stdout);
    nrs_buf_free(&text);
    free(table);
}

typedef struct s_arguments {
    const char *config;
    const char *instance;
    bool check;
    bool done; // what was asked for has been printed
} s_arguments_t;

static nrs_err_t
s_parse(const nrs_stage_t *stage, int argc, char **argv, s_arguments_t *arguments)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "instance", required_argument, NULL, 'i' },
        { "check", no_argument, NULL, 'k' },        { "help", no_argument, NULL, 'h' },
        { "help-config", no_argument, NULL, 'H' },  { "version", no_argument, NULL, 'V' },
        { 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "c:i:h", options, NULL)) != -1;) {
        arguments->done |= c == 'h' || c == 'H' || c == 'V';
        if (c == 'c')
            arguments->config = optarg;
        else if (c == 'i')
            arguments->instance = optarg;
        else if (c == 'k')
            arguments->check = true;
        else if (c == 'h')
            s_usage(stage);
        else if (c == 'H')
            s_help_config(stage);
        else if (c == 'V')
            printf("noroshi-%s %s\n", stage->name, NOROSHI_VERSION);
        else
            return NRS_E_USAGE;
    }
    if (!arguments->done && (!arguments->config || optind < argc))
        return NRS_E_USAGE;
    return NRS_OK;
}

// Read what the configuration says about this instance.
static nrs_err_t
s_configure(nrs_stage_run_t *run, const s_arguments_t *arguments, nrs_problem_t *reterr)
{
    nrs_err_t err = nrs_plan_open(arguments->config, reterr, &run->plan);
    if (err)
        return err;
    const char *name = arguments->instance;
    run->instance = name ? nrs_plan_instance(run->plan, name) : nrs_plan_next(run->plan, run->stage->name, NULL);
    if (!run->instance || strcmp(run->instance->stage, run->stage->name) != 0)
        return nrs_problem_set(reterr, NRS_E_CONFIG, arguments->config, 0, 0,
                               "there is no instance %s of stage %s", name ? name : "at all", run->stage->name);
    err = nrs_directory_open(run->plan->config, reterr, &run->directory);
    return err ? err : s_read_options(run, reterr);
}

int
nrs_stage_main(const nrs_stage_t *stage, int argc, char **argv)
{
    s_arguments_t arguments = { 0 };
    nrs_problem_t problem = { 0 };
    if (s_parse(stage, argc, argv, &arguments)) {
        fprintf(stderr, "noroshi-%s: --config FILE is needed; see --help\n", stage->name);
        return EXIT_WRONG;
    }
    if (arguments.done)
        return EXIT_GOOD;
    nrs_log_setup(stage->name, arguments.instance ? arguments.instance : stage->name, NRS_LOG_INFO);
    nrs_stage_run_t *run = nrs_new0(nrs_stage_run_t);
    run->stage = stage;
    run->flow = nrs_flow_of(stage->name);
    NRS_ASSERT(run->flow);
    nrs_err_t err = s_configure(run, &arguments, &problem);
    if (!err)
        nrs_log_setup(stage->name, run->instance->name, (nrs_log_level_t)run->options.log_level);
    if (!err && arguments.check)
        err = nrs_stage_load_keys(run, &problem);
    if (!err && !arguments.check) {
        err = nrs_stage_start(run, &problem);
        if (!err) {
            nrs_log_info("stage.ready", F_U64("number", run->instance->number));
            s_notify("READY=1\nSTATUS=running\n");
            err = nrs_stage_loop(run);
            if (err)
                nrs_problem_set(&problem, err, run->instance->data, 0, 0,
                                "the batch could not be made durable; nothing of it was acknowledged");
        }
        s_notify("STOPPING=1\n");
    }
    int status = err ? s_fail(err, &problem) : EXIT_GOOD;
    if (!err && !arguments.check)
        nrs_log_info("stage.stopped");
    nrs_stage_stop(run);
    return status;
}
