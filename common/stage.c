// stage.c - the program that every stage is: take what needs rights, look after what the last run left, say READY, then
// loop: receive, verify, apply, commit, serve, acknowledge

#include "common/stage_part.h"

#include "common/files.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    IDLE_MS = 1000,      // keep-alives and ages are looked at this often
    SAVE_ACKS_MS = 1000, // acknowledgements alone are worth a commit this often
    RATE_MS = 1000,
};

// --- start ---------------------------------------------------------------------------------------

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
    static const char denied[] = "Who was not let in: connections by their key, followers by their topic.";
    run->denied_keys = nrs_metrics_counter(metrics, "noroshi_denied_total", "by=\"key\"", denied);
    run->denied_topics = nrs_metrics_counter(metrics, "noroshi_denied_total", "by=\"topic\"", denied);
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
    nrs_err_t err = run->world->store_open(run->world, &options, reterr, &run->store);
    if (err)
        return err;
    err = nrs_topic_tables_open(run->store, &run->tables);
    err = err ? err : nrs_dead_letters_open(run->store, (uint64_t)run->options.dead_max,
                                            (uint64_t)run->options.dead_bytes, &run->dead);
    return err ? nrs_problem_set(reterr, err, run->instance->data, 0, 0, "the store cannot be read") : NRS_OK;
}

// Directories of the deployment that nobody else makes.
static nrs_err_t
s_make_directories(const nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    static const char *const names[] = { "data", "run", "keys", "log" };
    nrs_err_t err = NRS_OK;
    for (size_t i = 0; !err && i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", run->plan->home, names[i]);
        err = nrs_files_make_directory(path, reterr);
    }
    return err;
}

nrs_err_t
nrs_stage_load_keys(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    char path[4096];
    if (!run->instance->curve && !run->instance->release)
        return NRS_OK;
    snprintf(path, sizeof path, "%s/keys/%s.key", run->plan->home, run->instance->name);
    nrs_err_t err = nrs_keys_load(path, reterr, &run->keys);
    if (err == NRS_E_IO && access(path, F_OK) != 0)
        return nrs_problem_set(reterr, err, path, 0, 0, "is not there; `noroshi key new %s` makes the pair",
                               run->instance->name);
    return err;
}

static nrs_err_t
s_open_topic(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    size_t number;
    if (!run->flow->writes)
        return NRS_OK;
    nrs_err_t err = nrs_stage_topic_open(run, run->flow->writes, false, 0, &number);
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

nrs_err_t
nrs_stage_start(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    run->world = nrs_world_real();
    run->started_mono_ms = run->world->mono_ms(run->world);
    s_open_metrics(run);
    nrs_err_t err = s_make_directories(run, reterr);
    err = err ? err : s_open_signals(run);
    err = err ? err : nrs_stage_load_keys(run, reterr);
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

void
nrs_stage_stop(nrs_stage_run_t *run)
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

// --- what the stage may ask of the runtime -------------------------------------------------------

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

// --- loop ----------------------------------------------------------------------------------------

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
    nrs_stage_count_denied(run);
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
    bool input = run->flow->reads ? nrs_stage_inputs_ready(run) : own || run->wake_now || run->wake_every_ms > 0;
    nrs_err_t err = NRS_OK;
    if (input || s_acks_due(run))
        err = nrs_stage_batch(run);
    err = err ? err : nrs_stage_serve(run, &more);
    err = err ? err : nrs_stage_ask_step(run);
    s_take_rates(run);
    *ret_busy = more || run->wake_now || (nrs_stage_inputs_ready(run) && !run->full);
    return err;
}

nrs_err_t
nrs_stage_loop(nrs_stage_run_t *run)
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

