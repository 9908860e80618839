#include "services/noroshi/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/files.h"
#include "common/world.h"
#include "services/noroshi/notify.h"
#include "services/noroshi/programs.h"

typedef struct supervisor {
    const supervisor_options_t *options; // borrowed
    child_t *children;                   // owned, in the order of the flow
    size_t count;
    char *notify_path; // owned
    int notify;
    int signals;    // signalfd
    int64_t now_ms; // one reading a turn
    int64_t settle_at_ms;
    bool settled;
    bool stopping;
    int64_t kill_at_ms;
} supervisor_t;

static int64_t
s_now(void)
{
    nrs_world_t *world = nrs_world_real();
    return world->mono_ms(world);
}

static void
s_tell(supervisor_t *self, supervisor_event_t event, const child_t *child, nrs_bytes_t line)
{
    supervisor_report_t report = { event, child, line, self->children, self->count, self->now_ms };
    self->options->tell(self->options->me, &report);
}

// --- open and close ------------------------------------------------------------------------------

static nrs_err_t
s_make_dir(const char *home, const char *name, nrs_problem_t *reterr)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", home, name ? "/" : "", name ? name : "");
    return nrs_files_make_directory(path, reterr);
}

static nrs_err_t
s_open_children(supervisor_t *self, nrs_problem_t *reterr)
{
    const nrs_plan_t *plan = self->options->plan;
    self->children = nrs_alloc0(plan->instance_count, sizeof *self->children);
    for (size_t i = 0; i < plan->instance_count; i++) {
        if (!programs_local(&plan->instances[i]))
            continue;
        child_t *child = &self->children[self->count++];
        child_init(child, &plan->instances[i], self->options->programs);
        if (access(child->program, X_OK) != 0)
            return nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0,
                                   "%s needs the program %s: %s; is the stage's name right?",
                                   child->instance->name, child->program, strerror(errno));
        char path[4096];
        snprintf(path, sizeof path, "%s/log/%s.log", plan->home, child->instance->name);
        if (self->options->log_files && logfile_open(path, 0, &child->log))
            return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "cannot write %s: %s", path,
                                   strerror(errno));
        child->start_at_ms = self->now_ms;
    }
    if (self->count == 0)
        return nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0,
                               "no instance of the configuration has this machine as its host");
    return NRS_OK;
}

static nrs_err_t
s_open_signals(supervisor_t *self)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&wanted, numbers[i]);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    self->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return self->signals < 0 ? NRS_E_IO : NRS_OK;
}

static nrs_err_t
s_open(supervisor_t *self, nrs_problem_t *reterr)
{
    const char *home = self->options->plan->home;
    nrs_err_t err = s_make_dir(home, NULL, reterr);
    if (!err)
        err = s_make_dir(home, "run", reterr);
    if (!err)
        err = s_make_dir(home, "log", reterr);
    if (!err)
        err = s_open_children(self, reterr);
    if (err)
        return err;
    nrs_buf_t path = { 0 };
    nrs_buf_printf(&path, "%s/run/notify", home);
    self->notify_path = nrs_buf_cstr(&path);
    err = notify_open(self->notify_path, &self->notify);
    if (err == NRS_E_LIMIT)
        return nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0,
                               "%s is too long for a socket (107 bytes); choose a shorter home",
                               self->notify_path);
    if (!err)
        err = s_open_signals(self);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "cannot listen at %s: %s",
                               self->notify_path, strerror(errno));
    return NRS_OK;
}

static void
s_close(supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        child_clear(&self->children[i]);
    free(self->children);
    if (self->notify >= 0) {
        close(self->notify);
        unlink(self->notify_path);
    }
    if (self->signals >= 0)
        close(self->signals);
    free(self->notify_path);
}

// --- children ------------------------------------------------------------------------------------

static void
s_line(void *me, child_t *child, nrs_bytes_t line)
{
    supervisor_t *self = me;
    logfile_put(&child->log, line);
    nrs_buf_t text = { 0 };
    logs_brief(line, &text);
    snprintf(child->said, sizeof child->said, "%s", nrs_buf_cstr(&text));
    nrs_buf_free(&text);
    s_tell(self, SUPERVISOR_LINE, child, line);
}

static void
s_start_due(supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        child_t *child = &self->children[i];
        if (child->state != CHILD_WAITING || child->start_at_ms > self->now_ms)
            continue;
        if (child_start(child, self->options->config, NULL, self->notify_path, self->now_ms))
            child->start_at_ms = self->now_ms + CHILD_BACKOFF_MAX_MS; // no process to be had now
    }
}

static void
s_ended(supervisor_t *self, child_t *child, int status)
{
    if (child->output >= 0 && child_read(child, s_line, self)) {
        close(child->output); // a grandchild still holds the other end
        child->output = -1;
    }
    child_now_ended(child, status, self->stopping, self->now_ms);
    if (child->state == CHILD_WAITING)
        s_tell(self, SUPERVISOR_ENDED, child, NRS_NONE);
    else if (child->state == CHILD_GIVEN_UP)
        s_tell(self, SUPERVISOR_GIVEN_UP, child, NRS_NONE);
}

// Each child is asked for by its pid, so nobody else's end is taken away.
static void
s_reap(supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        child_t *child = &self->children[i];
        int status = 0;
        if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            s_ended(self, child, status);
    }
}

// To every child that runs, the last of the flow first.
static void
s_signal(supervisor_t *self, int number)
{
    for (size_t i = self->count; i-- > 0;)
        if (self->children[i].pid > 0)
            kill(self->children[i].pid, number);
}

static void
s_kill(supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i].pid > 0)
            s_tell(self, SUPERVISOR_KILLED, &self->children[i], NRS_NONE);
    s_signal(self, SIGKILL);
    self->kill_at_ms = self->now_ms + SUPERVISOR_STOP_MS;
}

static void
s_stop(supervisor_t *self)
{
    if (self->stopping) {
        s_kill(self); // asked twice: no more patience
        return;
    }
    self->stopping = true;
    self->kill_at_ms = self->now_ms + SUPERVISOR_STOP_MS;
    s_tell(self, SUPERVISOR_STOPPING, NULL, NRS_NONE);
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i].state == CHILD_WAITING)
            self->children[i].state = CHILD_STOPPED;
    s_signal(self, SIGTERM);
}

// --- what arrives --------------------------------------------------------------------------------

static void
s_take_signals(supervisor_t *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            s_reap(self);
        else if (info.ssi_signo == SIGHUP)
            s_signal(self, SIGHUP);
        else
            s_stop(self);
    }
}

static void
s_take_notifications(supervisor_t *self)
{
    notify_message_t message;
    nrs_err_t err;
    while ((err = notify_recv(self->notify, &message)) != NRS_E_AGAIN) {
        for (size_t i = 0; !err && i < self->count; i++) {
            child_t *child = &self->children[i];
            bool news = message.pid == child->pid && message.ready;
            if (!news || child->state != CHILD_STARTING)
                continue;
            child_now_ready(child, self->now_ms);
            s_tell(self, SUPERVISOR_READY, child, NRS_NONE);
        }
    }
}

static size_t
s_in_state(const supervisor_t *self, child_state_t state)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += self->children[i].state == state;
    return count;
}

// Is it known how the start of this child went? One that has ended a few times in a row will not be
// ready soon.
static bool
s_decided(const child_t *child)
{
    return child->state == CHILD_READY || child->state == CHILD_GIVEN_UP ||
           child->restarts >= SUPERVISOR_SETTLE_ENDS;
}

static void
s_settle(supervisor_t *self)
{
    size_t decided = 0;
    for (size_t i = 0; i < self->count; i++)
        decided += s_decided(&self->children[i]);
    if (self->settled || (decided < self->count && self->now_ms < self->settle_at_ms))
        return;
    self->settled = true;
    s_tell(self, SUPERVISOR_SETTLED, NULL, NRS_NONE);
}

// --- the loop ------------------------------------------------------------------------------------

static int
s_wait_ms(const supervisor_t *self)
{
    int64_t until = INT64_MAX;
    if (!self->settled)
        until = self->settle_at_ms;
    if (self->stopping && self->kill_at_ms < until)
        until = self->kill_at_ms;
    for (size_t i = 0; i < self->count; i++) {
        const child_t *child = &self->children[i];
        if (child->state == CHILD_WAITING && child->start_at_ms < until)
            until = child->start_at_ms;
    }
    if (until == INT64_MAX)
        return -1;
    return until > self->now_ms ? (int)(until - self->now_ms) : 0;
}

static void
s_turn(supervisor_t *self, struct pollfd *items)
{
    items[0] = (struct pollfd){ .fd = self->signals, .events = POLLIN };
    items[1] = (struct pollfd){ .fd = self->notify, .events = POLLIN };
    for (size_t i = 0; i < self->count; i++)
        items[2 + i] = (struct pollfd){ .fd = self->children[i].output, .events = POLLIN };
    poll(items, 2 + self->count, s_wait_ms(self));
    self->now_ms = s_now();
    for (size_t i = 0; i < self->count; i++)
        if (items[2 + i].revents && self->children[i].output == items[2 + i].fd)
            child_read(&self->children[i], s_line, self);
    if (items[1].revents)
        s_take_notifications(self);
    if (items[0].revents)
        s_take_signals(self);
    if (self->stopping && self->now_ms >= self->kill_at_ms)
        s_kill(self);
    s_start_due(self);
    if (!self->stopping)
        s_settle(self);
}

nrs_err_t
supervisor_run(const supervisor_options_t *options, nrs_problem_t *reterr)
{
    NRS_ASSERT(options && options->plan && options->tell);
    supervisor_t self = { .options = options, .notify = -1, .signals = -1, .now_ms = s_now() };
    self.settle_at_ms = self.now_ms + SUPERVISOR_SETTLE_MS;
    nrs_err_t err = s_open(&self, reterr);
    if (!err) {
        struct pollfd *items = nrs_alloc0(2 + self.count, sizeof *items);
        s_start_due(&self);
        while (s_in_state(&self, CHILD_STOPPED) + s_in_state(&self, CHILD_GIVEN_UP) < self.count)
            s_turn(&self, items);
        if (!self.stopping)
            err = nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0, "no instance could be run");
        free(items);
    }
    s_close(&self);
    return err;
}
