// The supervisor and its parts. Called as noroshi-STAGE this program plays a stage, so that real
// processes are run.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/noroshi/notify.h"
#include "services/noroshi/pidfile.h"
#include "services/noroshi/supervisor.h"

// --- as a stage ----------------------------------------------------------------------------------

static void
s_say_ready(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "%s", getenv("NOTIFY_SOCKET"));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    static const char text[] = "STATUS=fine\nREADY=1\n";
    ssize_t sent = sendto(fd, text, sizeof text - 1, 0, (struct sockaddr *)&to, sizeof to);
    close(fd);
    if (sent < 0)
        _exit(1);
}

// argv: --config FILE --instance NAME. What it does follows from its name.
static int
s_play_stage(char **argv)
{
    char marker[256];
    const char *name = argv[4];
    snprintf(marker, sizeof marker, "%s.died", argv[2]);
    if (strcmp(name, "wrong") == 0) {
        fputs("{\"time\":\"2026-11-22T09:30:00.000Z\",\"level\":\"error\",\"instance\":\"wrong\","
              "\"event\":\"config.wrong\",\"line\":9}\n",
              stderr);
        return 2;
    }
    if (strcmp(name, "dies") == 0 && access(marker, F_OK) != 0) {
        close(open(marker, O_CREAT | O_WRONLY, 0600));
        fputs("one line\nand half of another", stderr);
        return 1;
    }
    if (strcmp(name, "deaf") == 0)
        signal(SIGTERM, SIG_IGN);
    s_say_ready();
    for (;;)
        pause();
}

// --- fixture -------------------------------------------------------------------------------------

static char s_dir[64];

static int
s_setup(void **state)
{
    (void)state;
    strcpy(s_dir, "/tmp/noroshi-up-XXXXXX");
    return mkdtemp(s_dir) ? 0 : -1;
}

static int
s_teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", s_dir);
    return system(command);
}

static const char *
s_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", s_dir, name);
    return path;
}

// --- the child's next state ----------------------------------------------------------------------

static void
test_child_waits_longer_each_time(void **state)
{
    (void)state;
    nrs_instance_t instance = { .name = "enrich-1", .stage = "enrich" };
    child_t child;
    child_init(&child, &instance, "/nowhere");
    static const int64_t waits[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        child.state = CHILD_STARTING;
        child_now_ended(&child, SIGKILL, false, 1000);
        assert_int_equal(child.state, CHILD_WAITING);
        assert_int_equal(child.start_at_ms, 1000 + waits[i]);
    }
    child.state = CHILD_STARTING;
    child_now_ready(&child, 2000); // it ran well for a while
    child_now_ended(&child, SIGSEGV, false, 2000 + CHILD_STEADY_MS);
    assert_int_equal(child.start_at_ms, 2000 + CHILD_STEADY_MS + CHILD_BACKOFF_MIN_MS);
    child_clear(&child);
}

static void
test_child_is_given_up_when_it_says_so(void **state)
{
    (void)state;
    static const struct {
        int status;
        bool asked;
        child_state_t state;
        const char *text;
    } cases[] = {
        { 0, false, CHILD_WAITING, "exit status 0" },
        { 1 << 8, false, CHILD_WAITING, "exit status 1 (failed)" },
        { 2 << 8, false, CHILD_GIVEN_UP, "exit status 2 (wrong configuration)" },
        { 3 << 8, false, CHILD_GIVEN_UP, "exit status 3 (data damaged)" },
        { 4 << 8, false, CHILD_WAITING, "exit status 4 (disk)" },
        { 127 << 8, false, CHILD_GIVEN_UP, "exit status 127 (the program cannot be executed)" },
        { SIGKILL, false, CHILD_WAITING, "signal 9 (Killed)" },
        { 2 << 8, true, CHILD_STOPPED, "exit status 2 (wrong configuration)" },
    };
    nrs_instance_t instance = { .name = "enrich-1", .stage = "enrich" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        child_t child;
        char text[96];
        child_init(&child, &instance, "/nowhere");
        child_now_ended(&child, cases[i].status, cases[i].asked, 0);
        assert_int_equal(child.state, cases[i].state);
        assert_string_equal(child_end_text(cases[i].status, text), cases[i].text);
        child_clear(&child);
    }
}

// --- notifications, the pid file, logs -----------------------------------------------------------

static void
test_notify_knows_who_said_what(void **state)
{
    (void)state;
    int fd = -1;
    notify_message_t message;
    assert_int_equal(notify_open(s_path("notify"), &fd), NRS_OK);
    assert_int_equal(notify_recv(fd, &message), NRS_E_AGAIN);
    assert_int_equal(setenv("NOTIFY_SOCKET", s_path("notify"), 1), 0);
    s_say_ready();
    assert_int_equal(notify_recv(fd, &message), NRS_OK);
    assert_int_equal(message.pid, getpid());
    assert_true(message.ready);
    assert_string_equal(message.status, "fine");
    close(fd);
    unsetenv("NOTIFY_SOCKET");
    static char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    assert_int_equal(notify_open(longer, &fd), NRS_E_LIMIT);
}

static void
test_pidfile_names_its_holder_until_that_ends(void **state)
{
    (void)state;
    int ready[2], stop[2];
    char byte = 0;
    pid_t holder = 0;
    const char *path = s_path("noroshi.pid");
    assert_int_equal(pidfile_holder(path), 0);
    assert_int_equal(pipe(ready) | pipe(stop), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(stop[1]);
        nrs_err_t err = pidfile_take(path, &holder);
        ssize_t done = write(ready[1], "x", 1) + read(stop[0], &byte, 1);
        _exit(err || done < 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(pidfile_holder(path), pid);
    assert_int_equal(pidfile_take(path, &holder), NRS_E_EXISTS);
    assert_int_equal(holder, pid);
    close(stop[1]);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(pidfile_holder(path), 0); // the file is still there, and means nothing
    close(ready[0]);
    close(ready[1]);
    close(stop[0]);
}

static void
test_logfile_turns_over_once(void **state)
{
    (void)state;
    logfile_t file;
    struct stat now, older;
    char path[128];
    snprintf(path, sizeof path, "%s", s_path("x.log"));
    assert_int_equal(logfile_open(path, 100, &file), NRS_OK);
    for (int i = 0; i < 100; i++)
        logfile_put(&file, nrs_text("nine byte"));
    logfile_close(&file);
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(stat(s_path("x.log.1"), &older), 0);
    assert_int_equal(now.st_size, 100);
    assert_int_equal(older.st_size, 100);
}

static void
test_logs_are_readable_and_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        { "{\"time\":\"2026-11-22T09:30:00.123Z\",\"level\":\"warn\",\"service\":\"enrich\","
          "\"instance\":\"e\",\"event\":\"peer.denied\",\"key\":\"a\\u001bb\",\"n\":3}",
          "09:30:00.123 enrich-1     warn  peer.denied key=a\\x1bb n=3\n" },
        { "plain \x1b[2J", "             enrich-1     plain \\x1b[2J\n" },
        { "{\"no\":\"event\"}", "             enrich-1     {\"no\":\"event\"}\n" },
        { "", "             enrich-1     \n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_buf_t out = { 0 };
        logs_print(nrs_text(cases[i].line), "enrich-1", false, &out);
        assert_string_equal(nrs_buf_cstr(&out), cases[i].text);
        nrs_buf_free(&out);
    }
}

// --- the whole -----------------------------------------------------------------------------------

typedef struct s_story {
    nrs_buf_t text;          // "ready good, ..."
    supervisor_event_t stop; // ask to stop when this comes
} s_story_t;

static void
s_tell(void *me, const supervisor_report_t *report)
{
    static const char *const names[] = { "line",    "ready",    "ended", "given-up",
                                         "settled", "stopping", "killed" };
    s_story_t *self = me;
    nrs_buf_printf(&self->text, "[%s %s]", names[report->event],
                   report->child ? report->child->instance->name : "-");
    if (report->event == SUPERVISOR_GIVEN_UP)
        assert_string_equal(report->child->said, "config.wrong line=9");
    if (report->event == SUPERVISOR_ENDED)
        assert_string_equal(report->child->said, "and half of another");
    if (report->event == self->stop)
        kill(getpid(), SIGTERM); // blocked: the supervisor reads it
}

static nrs_err_t
s_run(s_story_t *story, nrs_instance_t *instances, size_t count)
{
    char self_path[512] = "", link[128];
    assert_true(readlink("/proc/self/exe", self_path, sizeof self_path - 1) > 0);
    snprintf(link, sizeof link, "%s", s_path("noroshi-fake"));
    unlink(link);
    assert_int_equal(symlink(self_path, link), 0);
    nrs_plan_t plan = { .home = s_dir, .instance_count = count, .instances = instances };
    char config[128];
    snprintf(config, sizeof config, "%s", s_path("noroshi.yaml"));
    supervisor_options_t options = { &plan, config, s_dir, true, s_tell, story };
    nrs_problem_t problem = { 0 };
    nrs_err_t err = supervisor_run(&options, &problem);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child is left
    return err;
}

static void
test_supervisor_starts_restarts_gives_up_and_stops(void **state)
{
    (void)state;
    nrs_instance_t instances[] = {
        { .name = "good", .stage = "fake" },
        { .name = "wrong", .stage = "fake" },
        { .name = "dies", .stage = "fake" },
        { .name = "elsewhere", .stage = "fake", .host = "another.example" },
    };
    s_story_t story = { .stop = SUPERVISOR_SETTLED };
    assert_int_equal(s_run(&story, instances, 4), NRS_OK);
    const char *text = nrs_buf_cstr(&story.text);
    assert_non_null(strstr(text, "[ready good]"));
    assert_non_null(strstr(text, "[given-up wrong]"));
    const char *ended = strstr(text, "[ended dies]");
    assert_non_null(ended);
    assert_non_null(strstr(ended, "[ready dies]"));
    assert_non_null(strstr(ended, "[settled -][stopping -]"));
    assert_null(strstr(text, "elsewhere"));
    assert_int_equal(access(s_path("log/wrong.log"), F_OK), 0);
    nrs_buf_free(&story.text);
}

static void
test_supervisor_ends_when_nothing_can_be_run(void **state)
{
    (void)state;
    nrs_instance_t instances[] = { { .name = "wrong", .stage = "fake" } };
    s_story_t story = { .stop = SUPERVISOR_KILLED };
    assert_int_equal(s_run(&story, instances, 1), NRS_E_CONFIG);
    assert_string_equal(nrs_buf_cstr(&story.text), "[line wrong][given-up wrong][settled -]");
    nrs_buf_free(&story.text);
}

static void
test_supervisor_kills_the_deaf_when_asked_twice(void **state)
{
    (void)state;
    nrs_instance_t instances[] = { { .name = "deaf", .stage = "fake" } };
    s_story_t story = { .stop = SUPERVISOR_STOPPING };
    // The first request comes from here: it waits until the supervisor blocks and reads signals.
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    kill(getpid(), SIGTERM);
    assert_int_equal(s_run(&story, instances, 1), NRS_OK);
    assert_non_null(strstr(nrs_buf_cstr(&story.text), "[stopping -][killed deaf]"));
    nrs_buf_free(&story.text);
}

int
main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    if (argc >= 5 && strncmp(slash ? slash + 1 : argv[0], "noroshi-", 8) == 0)
        return s_play_stage(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_waits_longer_each_time),
        cmocka_unit_test(test_child_is_given_up_when_it_says_so),
        cmocka_unit_test(test_notify_knows_who_said_what),
        cmocka_unit_test(test_pidfile_names_its_holder_until_that_ends),
        cmocka_unit_test(test_logfile_turns_over_once),
        cmocka_unit_test(test_logs_are_readable_and_harmless),
        cmocka_unit_test(test_supervisor_starts_restarts_gives_up_and_stops),
        cmocka_unit_test(test_supervisor_ends_when_nothing_can_be_run),
        cmocka_unit_test(test_supervisor_kills_the_deaf_when_asked_twice),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
