#include "services/noroshi/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { s_line_max = 16384 }; // a longer line is handed out in pieces
enum { s_exit_no_exec = 127 };

void
child_init(child_t *self, const nrs_instance_t *instance, const char *programs)
{
    *self = (child_t){
        .instance = instance, .output = -1, .backoff_ms = CHILD_BACKOFF_MIN_MS, .log = { .fd = -1 }
    };
    nrs_buf_t path = { 0 };
    nrs_buf_printf(&path, "%s/noroshi-%s", programs, instance->stage);
    self->program = nrs_buf_cstr(&path);
}

void
child_clear(child_t *self)
{
    if (self->output >= 0)
        close(self->output);
    logfile_close(&self->log);
    nrs_buf_free(&self->line);
    free(self->program);
    self->program = NULL;
}

// --- start ---------------------------------------------------------------------------------------

// Between fork and exec: only calls that are safe there.
__attribute__((noreturn)) static void
s_become(char *const argv[], char *const env[], int output, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) // it died before the line above
        _exit(0);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execve(argv[0], argv, env);
    static const char text[] = "this program cannot be executed\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(written > 0 ? s_exit_no_exec : s_exit_no_exec);
}

// Our environment with NOTIFY_SOCKET for the child, or without it. The caller frees the array and
// *ret_own.
static char **
s_environment(const char *notify_path, char **ret_own)
{
    size_t count = 0, to = 0;
    while (environ[count])
        count++;
    char **env = nrs_alloc0(count + 2, sizeof *env);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
            env[to++] = environ[i];
    *ret_own = NULL;
    if (notify_path) {
        nrs_buf_t text = { 0 };
        nrs_buf_printf(&text, "NOTIFY_SOCKET=%s", notify_path);
        env[to++] = *ret_own = nrs_buf_cstr(&text);
    }
    return env;
}

static char *
s_unconst(const char *text)
{
    return (char *)(uintptr_t)text; // execve(2) does not write through its arguments
}

nrs_err_t
child_start(child_t *self, const char *config, const char *extra, const char *notify_path,
            int64_t now_ms)
{
    NRS_ASSERT(self->pid == 0);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return NRS_E_IO;
    fcntl(ends[1], F_SETFL, 0); // only our end must not wait
    char *argv[] = { self->program,
                     s_unconst("--config"),
                     s_unconst(config),
                     s_unconst("--instance"),
                     s_unconst(self->instance->name),
                     s_unconst(extra),
                     NULL };
    char *own = NULL;
    char **env = s_environment(notify_path, &own);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        s_become(argv, env, ends[1], parent);
    free(own);
    free(env);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return NRS_E_IO;
    }
    if (self->output >= 0)
        close(self->output);
    self->output = ends[0];
    self->pid = pid;
    self->state = CHILD_STARTING;
    self->started_ms = now_ms;
    self->ready_ms = 0;
    self->said[0] = 0;
    return NRS_OK;
}

// --- what happens to it --------------------------------------------------------------------------

void
child_now_ready(child_t *self, int64_t now_ms)
{
    if (self->state != CHILD_STARTING)
        return;
    self->state = CHILD_READY;
    self->ready_ms = now_ms;
}

static bool
s_final(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return code == 2 || code == 3 || code == s_exit_no_exec;
}

void
child_now_ended(child_t *self, int status, bool asked, int64_t now_ms)
{
    bool steady = self->ready_ms && now_ms - self->ready_ms >= CHILD_STEADY_MS;
    self->pid = 0;
    self->status = status;
    if (asked) {
        self->state = CHILD_STOPPED;
        return;
    }
    if (s_final(status)) {
        self->state = CHILD_GIVEN_UP;
        return;
    }
    if (steady)
        self->backoff_ms = CHILD_BACKOFF_MIN_MS;
    self->state = CHILD_WAITING;
    self->start_at_ms = now_ms + self->backoff_ms;
    self->restarts++;
    self->backoff_ms *= 2;
    if (self->backoff_ms > CHILD_BACKOFF_MAX_MS)
        self->backoff_ms = CHILD_BACKOFF_MAX_MS;
}

// --- what it writes ------------------------------------------------------------------------------

static void
s_hand_out(child_t *self, child_line_t *line, void *me)
{
    size_t from = 0;
    for (;;) {
        size_t left = self->line.size - from;
        const uint8_t *start = self->line.data + from;
        const uint8_t *feed = left ? memchr(start, '\n', left) : NULL;
        if (!feed && left < s_line_max)
            break;
        size_t length = feed ? (size_t)(feed - start) : left;
        line(me, self, nrs_bytes(start, length));
        from += length + (feed ? 1 : 0);
    }
    if (from > 0) {
        memmove(self->line.data, self->line.data + from, self->line.size - from);
        self->line.size -= from;
    }
}

bool
child_read(child_t *self, child_line_t *line, void *me)
{
    enum { piece = 4096 };
    for (;;) {
        uint8_t *end = nrs_buf_reserve(&self->line, piece);
        ssize_t got = read(self->output, end, piece);
        if (got > 0) {
            self->line.size += (size_t)got;
            s_hand_out(self, line, me);
            continue;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return true;
        break;
    }
    if (self->line.size > 0)
        line(me, self, nrs_buf_bytes(&self->line));
    nrs_buf_reset(&self->line);
    close(self->output);
    self->output = -1;
    return false;
}

const char *
child_end_text(int status, char into[96])
{
    static const char *const meanings[] = {
        [1] = " (failed)",
        [2] = " (wrong configuration)",
        [3] = " (data damaged)",
        [4] = " (disk)",
    };
    if (WIFSIGNALED(status)) {
        int signal_number = WTERMSIG(status);
        snprintf(into, 96, "signal %d (%s)", signal_number, strsignal(signal_number));
        return into;
    }
    int code = WEXITSTATUS(status);
    const char *meaning = code > 0 && code <= 4 ? meanings[code] : "";
    if (code == s_exit_no_exec)
        meaning = " (the program cannot be executed)";
    snprintf(into, 96, "exit status %d%s", code, meaning);
    return into;
}
