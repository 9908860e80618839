#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"

static const int64_t s_start_ms = INT64_C(1732266000123); // 2024-11-22T09:00:00.123Z

// Stderr, caught: what was written, and the world that the log takes its time from.
typedef struct s_caught {
    int saved;
    int pipe[2];
    nrs_world_made_t made;
    nrs_buf_t text;
} s_caught_t;

static void
s_catch(s_caught_t *self, nrs_log_level_t down_to)
{
    *self = (s_caught_t){ .saved = dup(STDERR_FILENO) };
    assert_return_code(pipe2(self->pipe, O_NONBLOCK | O_CLOEXEC), errno);
    assert_return_code(fcntl(self->pipe[1], F_SETPIPE_SZ, 1 << 20), errno);
    assert_return_code(dup2(self->pipe[1], STDERR_FILENO), errno);
    nrs_world_made_init(&self->made, s_start_ms, 1);
    nrs_log_clock(&self->made.world);
    nrs_log_setup("enrich", "enrich-1", down_to);
}

// What came since the last time.
static const char *
s_text(s_caught_t *self)
{
    nrs_buf_reset(&self->text);
    uint8_t *into = nrs_buf_reserve(&self->text, 1 << 20);
    ssize_t got = read(self->pipe[0], into, 1 << 20);
    self->text.size = got > 0 ? (size_t)got : 0;
    return nrs_buf_cstr(&self->text);
}

static void
s_release(s_caught_t *self)
{
    nrs_log_flush();
    nrs_log_clock(NULL);
    dup2(self->saved, STDERR_FILENO);
    close(self->saved);
    close(self->pipe[0]);
    close(self->pipe[1]);
    nrs_buf_free(&self->text);
}

static size_t
s_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void
test_log_writes_one_line_of_json(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    nrs_log_warn("peer.denied", F_STR("key", "a\"b\n\x01\xff"), F_U64("count", UINT64_MAX),
                 F_I64("lag", -2), F_BYTES("raw", nrs_bytes("x\0y", 3)), F_STR("none", NULL),
                 F_ERR(NRS_E_DENIED));
    const char *text = s_text(&it);
    static const char expected[] =
        "{\"time\":\"2024-11-22T09:00:00.123Z\",\"level\":\"warn\",\"service\":\"enrich\","
        "\"instance\":\"enrich-1\",\"event\":\"peer.denied\","
        "\"key\":\"a\\\"b\\n\\u0001\xef\xbf\xbd\",\"count\":18446744073709551615,\"lag\":-2,"
        "\"raw\":\"x\\u0000y\",\"none\":null,\"error\":\"denied\"}\n";
    bool same = strcmp(text, expected) == 0;
    char got[600];
    snprintf(got, sizeof got, "%s", text);
    s_release(&it);
    if (!same)
        fail_msg("got      %s\nexpected %s", got, expected);
}

static void
test_log_leaves_out_what_is_below_its_level(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_WARN);
    nrs_log_debug("a.b");
    nrs_log_info("a.b");
    size_t none = s_lines(s_text(&it));
    nrs_log_warn("a.b");
    nrs_log_error("a.b");
    size_t two = s_lines(s_text(&it));
    s_release(&it);
    assert_int_equal(none, 0);
    assert_int_equal(two, 2);
}

static void
test_log_counts_repeats_and_says_how_many(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    for (int i = 0; i < 100; i++)
        nrs_log_warn("peer.denied");
    nrs_log_info("other.thing");
    size_t first = s_lines(s_text(&it));
    nrs_world_made_pass(&it.made, 999);
    nrs_log_warn("peer.denied");
    size_t early = s_lines(s_text(&it));
    nrs_world_made_pass(&it.made, 1);
    nrs_log_info("other.thing");
    char late[1000];
    snprintf(late, sizeof late, "%s", s_text(&it));
    nrs_log_warn("peer.denied");
    size_t again = s_lines(s_text(&it));
    s_release(&it);
    assert_int_equal(first, NRS_LOG_REPEATS_MAX + 1);
    assert_int_equal(early, 0);
    assert_int_equal(s_lines(late), 2);
    assert_non_null(strstr(late, "\"level\":\"warn\""));
    assert_non_null(
        strstr(late, "\"event\":\"log.repeated\",\"of\":\"peer.denied\",\"count\":81}"));
    assert_int_equal(again, 1);
}

static void
test_log_keeps_counting_with_more_events_than_slots(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    for (int i = 0; i < 500; i++) {
        char event[32];
        snprintf(event, sizeof event, "event.number-%d", i);
        nrs_log_info(event);
    }
    size_t lines = s_lines(s_text(&it));
    s_release(&it);
    assert_int_equal(lines, 500);
}

static void
test_log_flush_writes_the_counts_that_wait(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    for (int i = 0; i < NRS_LOG_REPEATS_MAX + 1; i++)
        nrs_log_info("a.b");
    NRS_IGNORE(s_text(&it) == NULL);
    nrs_log_flush();
    char text[500];
    snprintf(text, sizeof text, "%s", s_text(&it));
    nrs_log_flush();
    size_t more = s_lines(s_text(&it));
    s_release(&it);
    assert_non_null(strstr(text, "\"count\":1}"));
    assert_int_equal(more, 0);
}

static void
test_log_line_fits_into_a_pipe_whatever_is_in_it(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    char japanese[3 * 2000 + 1], control[2001];
    for (size_t i = 0; i < 2000; i++)
        memcpy(japanese + 3 * i, "\xe7\x8b\xbc", 3);
    japanese[6000] = 0;
    memset(control, 1, 2000);
    control[2000] = 0;
    nrs_log_info("a.b", F_STR("japanese", japanese));
    size_t cut_text = strlen(s_text(&it));
    bool whole =
        nrs_utf8_ok(nrs_buf_bytes(&it.text)) && !strstr((char *)it.text.data, "\xef\xbf\xbd");
    nrs_log_info("a.b", F_STR("control", control), F_U64("n", 5), F_STR("control", control));
    char line[NRS_LOG_LINE_MAX + 1];
    snprintf(line, sizeof line, "%s", s_text(&it));
    s_release(&it);
    assert_true(cut_text < 1300 && cut_text > 1000);
    assert_true(whole);
    assert_non_null(strstr(line, "\"n\":5,\"cut\":true}\n"));
}

enum { THREADS = 4, THREAD_LINES = 200 };

static void *
s_talk(void *name)
{
    for (int i = 0; i < THREAD_LINES; i++) {
        char event[32];
        snprintf(event, sizeof event, "%s.number-%d", (const char *)name, i);
        nrs_log_info(event, F_STR("who", name));
    }
    return NULL;
}

static void
test_log_lines_of_threads_do_not_mix(void **unused)
{
    (void)unused;
    s_caught_t it;
    s_catch(&it, NRS_LOG_INFO);
    static char names[THREADS][4] = { "one", "two", "tri", "for" };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, s_talk, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = strdup(s_text(&it));
    s_release(&it);
    assert_int_equal(s_lines(text), THREADS * THREAD_LINES);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_int_equal(strncmp(line, "{\"time\":", 8), 0);
        assert_string_equal(line + strlen(line) - 2, "\"}");
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_writes_one_line_of_json),
        cmocka_unit_test(test_log_leaves_out_what_is_below_its_level),
        cmocka_unit_test(test_log_counts_repeats_and_says_how_many),
        cmocka_unit_test(test_log_keeps_counting_with_more_events_than_slots),
        cmocka_unit_test(test_log_flush_writes_the_counts_that_wait),
        cmocka_unit_test(test_log_line_fits_into_a_pipe_whatever_is_in_it),
        cmocka_unit_test(test_log_lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
