// stage.c - the program that every stage is: take what needs rights, look after what the last run left, say READY, then
// loop: receive, verify, apply, commit, serve, acknowledge

#include "common/stage_part.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_WRONG = 2,   // usage or configuration
    EXIT_DAMAGED = 3, // what is stored fails its checks
    EXIT_DISK = 4,    // the disk is full or fails
};

enum {
    IDLE_MS = 1000,      // keep-alives and ages are looked at this often
    SAVE_ACKS_MS = 1000, // acknowledgements alone are worth a commit this often
    RATE_MS = 1000,
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

// --- telling the supervisor ------------------------------------------------------------------------

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

// --- options ---------------------------------------------------------------------------------------

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

// --- start -----------------------------------------------------------------------------------------

// Signals are read from a descriptor; blocked before any thread is made, so that every thread has them blocked.
static nrs_err_t
s_open_signals(nrs_stage_run_t *run)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return run->signals < 0 ? NRS_E_IO : NRS_OK;
}

static void
s_open_metrics(nrs_stage_run_t *run)
{
    nrs_metrics_t *metrics = run->metrics = nrs_metrics_new();
    run->in_total = nrs_metrics_counter(metrics, "noroshi_events_in_total", NULL, "Events taken in.");
    run->out_total = nrs_metrics_counter(metrics, "noroshi_events_out_total", NULL, "Events put out.");
    run->repeated_total = nrs_metrics_counter(metrics, "noroshi_events_repeated_total", NULL,
                                              "Events sent again by an upstream that began anew, and left out.");
    run->dead_total = nrs_metrics_counter(metrics, "noroshi_dead_total", NULL, "Dead letters made.");
    run->batches_total = nrs_metrics_counter(metrics, "noroshi_commits_total", NULL, "Batches committed.");
    run->commit_seconds = nrs_metrics_histogram(metrics, "noroshi_commit_seconds", NULL, "Time of a commit.");
    run->lag_gauge = nrs_metrics_gauge(metrics, "noroshi_lag_events", NULL,
                                       "Events upstream that are not taken in yet.");
    run->store_gauge = nrs_metrics_gauge(metrics, "noroshi_store_used_bytes", NULL, "Bytes in use in the store.");
}

static nrs_err_t
s_open_store(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    nrs_store_options_t options = {
        .path = run->instance->data,
        .bytes_max = (uint64_t)run->options.store_bytes,
    };
    nrs_err_t err = nrs_store_open(&options, reterr, &run->store);
    if (err)
        return err;
    err = nrs_topic_tables_open(run->store, &run->tables);
    err = err ? err : nrs_dead_letters_open(run->store, (uint64_t)run->options.dead_max,
                                            (uint64_t)run->options.dead_bytes, &run->dead);
    return err ? nrs_problem_set(reterr, err, run->instance->data, 0, 0, "the store cannot be read") : NRS_OK;
}

// Directories of the deployment that nobody else makes.
static void
s_make_directories(const nrs_stage_run_t *run)
{
    static const char *const names[] = { "", "/data", "/run", "/keys", "/log" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", run->plan->home, names[i]);
        NRS_IGNORE(mkdir(path, 0700)); // there already, or the next call that needs it says so
    }
}

static nrs_err_t
s_load_keys(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    char path[4096];
    if (!run->instance->curve && !run->instance->release)
        return NRS_OK;
    snprintf(path, sizeof path, "%s/keys/%s.key", run->plan->home, run->instance->name);
    return nrs_keys_load(path, reterr, &run->keys);
}

static nrs_err_t
s_open_topic(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    size_t number;
    if (!run->stage->writes)
        return NRS_OK;
    nrs_err_t err = nrs_stage_topic_open(run, run->stage->writes, false, 0, &number);
    if (err == NRS_E_CONFIG)
        return nrs_problem_set(reterr, err, run->instance->data, 0, 0,
                               "was made with another number of lanes; lanes are fixed for a deployment");
    return err ? nrs_problem_set(reterr, err, run->instance->data, 0, 0, "the topic cannot be read") : NRS_OK;
}

static nrs_err_t
s_open_stage(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    run->context = (nrs_stage_context_t){
        .plan = run->plan,
        .instance = run->instance,
        .directory = run->directory,
        .config = run->plan->config,
        .options = run->own_options,
        .store = run->store,
        .world = run->world,
        .metrics = run->metrics,
        .zap = run->zap,
        .run = run,
    };
    return run->stage->open(&run->context, reterr, &run->me);
}

static nrs_err_t
s_start(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    run->world = nrs_world_real();
    run->started_mono_ms = run->world->mono_ms(run->world);
    s_open_metrics(run);
    s_make_directories(run);
    nrs_err_t err = s_open_signals(run);
    err = err ? err : s_load_keys(run, reterr);
    err = err ? err : s_open_store(run, reterr);
    err = err ? err : nrs_zap_open(&run->zap);
    err = err ? err : s_open_topic(run, reterr);
    err = err ? err : nrs_stage_serve_open(run, reterr);
    err = err ? err : s_open_stage(run, reterr);
    err = err ? err : nrs_stage_serve_topics(run, reterr);
    err = err ? err : nrs_stage_inputs_open(run, reterr);
    err = err ? err : nrs_stage_ask_open(run, reterr);
    return err;
}

static void
s_stop(nrs_stage_run_t *run)
{
    nrs_stage_inputs_close(run);
    nrs_bus_destroy(&run->ask);
    nrs_stage_serve_close(run);
    if (run->me)
        run->stage->close(&run->me);
    nrs_stage_topics_close(run);
    nrs_dead_letters_destroy(&run->dead);
    nrs_zap_destroy(&run->zap);
    nrs_store_destroy(&run->store);
    nrs_metrics_destroy(&run->metrics);
    nrs_keys_wipe(&run->keys);
    nrs_buf_free(&run->scratch);
    free(run->own_options);
    free(run->option_table);
    nrs_directory_destroy(&run->directory);
    nrs_plan_destroy(&run->plan);
    if (run->signals > 0)
        close(run->signals);
    free(run);
}

// --- what the stage may ask of the runtime ---------------------------------------------------------

static void
s_watch(nrs_stage_run_t *run, nrs_wait_t item)
{
    NRS_ASSERT(run->watch_count < NRS_STAGE_WATCHES_MAX);
    run->watches[run->watch_count++] = item;
}

void
nrs_stage_watch(nrs_stage_run_t *run, nrs_bus_t *bus)
{
    s_watch(run, (nrs_wait_t){ .bus = bus });
}

void
nrs_stage_watch_fd(nrs_stage_run_t *run, int fd)
{
    s_watch(run, (nrs_wait_t){ .fd = fd });
}

void
nrs_stage_wake_every(nrs_stage_run_t *run, int64_t period_ms)
{
    run->wake_every_ms = period_ms;
}

void
nrs_stage_wake_now(nrs_stage_run_t *run)
{
    run->wake_now = true;
}

// --- loop ------------------------------------------------------------------------------------------

static void
s_take_signals(nrs_stage_run_t *run)
{
    struct signalfd_siginfo signal;
    while (read(run->signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP)
            run->reload = true;
        else
            run->stopping = true;
    }
}

static void
s_reload(nrs_stage_run_t *run)
{
    nrs_problem_t problem = { 0 };
    char text[1024];
    run->reload = false;
    if (!run->stage->reload)
        return;
    nrs_err_t err = run->stage->reload(run->me, &problem);
    if (err)
        nrs_log_warn("reload.refused", F_STR("why", nrs_problem_print(&problem, text, sizeof text)));
    else
        nrs_log_info("reload.done");
}

static void
s_take_rates(nrs_stage_run_t *run)
{
    int64_t now = run->world->mono_ms(run->world), passed = now - run->rate_ms;
    if (passed < RATE_MS)
        return;
    uint64_t in = nrs_metric_value(run->in_total), out = nrs_metric_value(run->out_total), lag = 0;
    run->rate_in = (in - run->rate_in_last) * 1000 / (uint64_t)passed;
    run->rate_out = (out - run->rate_out_last) * 1000 / (uint64_t)passed;
    run->rate_in_last = in;
    run->rate_out_last = out;
    run->rate_ms = now;
    for (size_t i = 0; i < run->input_count; i++) {
        nrs_follower_info_t info;
        nrs_follower_info(run->inputs[i]->follower, &info);
        lag += info.lag;
    }
    nrs_metric_set(run->lag_gauge, lag);
}

// Wait until something happens. Returns whether one of the stage's own sockets has something.
static bool
s_wait(nrs_stage_run_t *run, bool busy)
{
    nrs_wait_t items[NRS_STAGE_WATCHES_MAX + NRS_STAGE_INPUTS_MAX + 8];
    size_t count = 0;
    for (size_t i = 0; i < run->watch_count; i++)
        items[count++] = run->watches[i];
    for (size_t i = 0; i < run->input_count; i++)
        items[count++] = (nrs_wait_t){ .bus = nrs_follower_bus(run->inputs[i]->follower) };
    items[count++] = (nrs_wait_t){ .bus = nrs_follow_server_bus(run->inside) };
    if (run->release)
        items[count++] = (nrs_wait_t){ .bus = nrs_follow_server_bus(run->release) };
    if (run->tap)
        items[count++] = (nrs_wait_t){ .bus = nrs_tap_bus(run->tap) };
    if (run->http)
        items[count++] = (nrs_wait_t){ .fd = nrs_http_fd(run->http) };
    items[count++] = (nrs_wait_t){ .bus = run->ask };
    items[count++] = (nrs_wait_t){ .fd = run->signals };
    int64_t timeout = busy ? 0 : run->wake_every_ms > 0 && run->wake_every_ms < IDLE_MS ? run->wake_every_ms : IDLE_MS;
    nrs_bus_wait(items, count, timeout);
    bool own = false;
    for (size_t i = 0; i < run->watch_count; i++)
        own |= items[i].ready;
    return own;
}

static bool
s_acks_due(const nrs_stage_run_t *run)
{
    if (run->world->mono_ms(run->world) - run->acks_saved_ms < SAVE_ACKS_MS)
        return false;
    for (size_t i = 0; i < run->topic_count; i++)
        if (nrs_topic_acks_wait(run->topics[i]->topic))
            return true;
    return false;
}

// One turn. *ret_busy: there is more to do right away.
static nrs_err_t
s_turn(nrs_stage_run_t *run, bool own, bool *ret_busy)
{
    bool more = false;
    for (size_t i = 0; i < run->input_count; i++)
        nrs_follower_step(run->inputs[i]->follower);
    bool input = run->stage->reads ? nrs_stage_inputs_ready(run) : own || run->wake_now || run->wake_every_ms > 0;
    nrs_err_t err = NRS_OK;
    if (input || s_acks_due(run))
        err = nrs_stage_batch(run);
    err = err ? err : nrs_stage_serve(run, &more);
    err = err ? err : nrs_stage_ask_step(run);
    s_take_rates(run);
    *ret_busy = more || run->wake_now || (nrs_stage_inputs_ready(run) && !run->full);
    return err;
}

static nrs_err_t
s_loop(nrs_stage_run_t *run)
{
    nrs_err_t err = NRS_OK;
    bool busy = true;
    while (!err && !run->stopping) {
        bool own = s_wait(run, busy);
        s_take_signals(run);
        if (run->reload)
            s_reload(run);
        err = s_turn(run, own, &busy);
    }
    return err;
}

// --- program ---------------------------------------------------------------------------------------

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
    nrs_err_t err = s_configure(run, &arguments, &problem);
    if (!err)
        nrs_log_setup(stage->name, run->instance->name, (nrs_log_level_t)run->options.log_level);
    if (!err && !arguments.check) {
        err = s_start(run, &problem);
        if (!err) {
            nrs_log_info("stage.ready", F_U64("number", run->instance->number));
            s_notify("READY=1\nSTATUS=running\n");
            err = s_loop(run);
            if (err)
                nrs_problem_set(&problem, err, run->instance->data, 0, 0,
                                "the batch could not be made durable; nothing of it was acknowledged");
        }
        s_notify("STOPPING=1\n");
    }
    int status = err ? s_fail(err, &problem) : EXIT_GOOD;
    if (!err && !arguments.check)
        nrs_log_info("stage.stopped");
    s_stop(run);
    return status;
}
