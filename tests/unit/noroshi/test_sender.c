// Files on their way to an ingest that is played here: one that restarts, falls silent, or wants it
// all again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/noroshi/sender.h"

enum { PATIENCE_MS = 10000 };
enum { FILE_BYTES = 2 * SENDER_PIECE_BYTES + 7 }; // three pieces

typedef struct desk {
    char dir[64], endpoint[128], path[128];
    bool probe;
    int fd; // the file, or the end of a pipe
    nrs_bus_t *ingest;
    sender_t *sender;
    int64_t now_ms;
    nrs_message_t in;             // what ingest got last
    nrs_submit_request_t request; // borrows from it
    nrs_submit_reply_t reply;
    nrs_problem_t problem;
    char told[512];
} desk_t;

static void
s_bind(desk_t *self)
{
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER,
                                  .bind = true,
                                  .probe = self->probe,
                                  .endpoint = self->endpoint,
                                  .message_bytes_max = 2 << 20 };
    assert_int_equal(nrs_bus_open(&options, &self->problem, &self->ingest), NRS_OK);
}

static void
s_tell(void *me, const char *line)
{
    desk_t *self = me;
    snprintf(self->told, sizeof self->told, "%s", line);
}

static int
s_setup(void **state)
{
    desk_t *self = nrs_new0(desk_t);
    strcpy(self->dir, "/tmp/noroshi-sender-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    snprintf(self->endpoint, sizeof self->endpoint, "ipc://%s/submit", self->dir);
    snprintf(self->path, sizeof self->path, "%s/file", self->dir);
    FILE *file = fopen(self->path, "w+");
    for (int i = 0; i < FILE_BYTES; i++)
        fputc('a' + i % 26, file);
    rewind(file);
    self->fd = dup(fileno(file));
    fclose(file);
    self->probe = true;
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    desk_t *self = *state;
    nrs_message_clear(&self->in);
    sender_destroy(&self->sender);
    nrs_bus_destroy(&self->ingest);
    close(self->fd);
    NRS_IGNORE(unlink(self->path));
    NRS_IGNORE(rmdir(self->dir));
    free(self);
    return 0;
}

static void
s_open(desk_t *self)
{
    sender_options_t options = { .bus = { .endpoint = self->endpoint },
                                 .name = "ingest-1",
                                 .source = "feed",
                                 .tell = s_tell,
                                 .me = self };
    s_bind(self);
    assert_int_equal(sender_open(&options, &self->problem, &self->sender), NRS_OK);
    assert_int_equal(
        sender_begin(self->sender, self->fd, "file", "file", self->now_ms, &self->problem), NRS_OK);
}

// --- as an ingest --------------------------------------------------------------------------------

static nrs_submit_verb_t
s_take(desk_t *self)
{
    nrs_wait_t item = { .bus = self->ingest };
    assert_int_equal(nrs_bus_wait(&item, 1, PATIENCE_MS), 1);
    assert_int_equal(nrs_bus_recv(self->ingest, &self->in), NRS_OK);
    assert_int_equal(nrs_submit_decode_request(nrs_message_frame(&self->in, 1), &self->request),
                     NRS_OK);
    return self->request.verb;
}

// The pieces of the whole file from its beginning, and its end.
static void
s_take_file(desk_t *self)
{
    uint64_t bytes = 0;
    for (uint64_t sequence = 1; s_take(self) == NRS_SUBMIT_DATA; sequence++) {
        nrs_bytes_t data = nrs_message_frame(&self->in, 2);
        assert_int_equal(self->request.sequence, sequence);
        assert_int_equal(data.data[0], 'a' + bytes % 26);
        bytes += data.size;
    }
    assert_int_equal(self->request.verb, NRS_SUBMIT_END);
    assert_int_equal(bytes, FILE_BYTES);
}

static void
s_answer(desk_t *self, nrs_submit_reply_t reply)
{
    nrs_buf_t header = { 0 };
    nrs_message_t out = { 0 };
    memcpy(reply.id, self->request.id, sizeof reply.id);
    nrs_submit_encode_reply(&reply, &header);
    nrs_message_put(&out, nrs_message_frame(&self->in, 0));
    nrs_message_put(&out, nrs_buf_bytes(&header));
    assert_int_equal(nrs_bus_send(self->ingest, &out), NRS_OK);
    nrs_buf_free(&header);
}

static void
s_grant(desk_t *self, uint64_t credit)
{
    s_answer(self, (nrs_submit_reply_t){ .verb = NRS_SUBMIT_CREDIT, .credit = credit });
}

static void
s_give_receipt(desk_t *self)
{
    s_answer(self, (nrs_submit_reply_t){ .verb = NRS_SUBMIT_RECEIPT,
                                         .state = NRS_SUBMIT_DONE,
                                         .accepted = 5,
                                         .bytes = FILE_BYTES });
}

static void
s_refuse(desk_t *self, const char *reason)
{
    s_answer(self, (nrs_submit_reply_t){ .verb = NRS_SUBMIT_RECEIPT,
                                         .state = NRS_SUBMIT_REFUSED,
                                         .reason = nrs_text(reason),
                                         .text = nrs_text("why") });
}

static void
s_restart(desk_t *self)
{
    nrs_bus_destroy(&self->ingest);
    s_bind(self);
}

// --- as the sender -------------------------------------------------------------------------------

// One step, as soon as something came. The ROUTER is waited on as well: it is in the wait that it
// takes new connections in, and probes them.
static nrs_err_t
s_step(desk_t *self)
{
    nrs_wait_t items[] = { { .bus = sender_bus(self->sender) }, { .bus = self->ingest } };
    while (!items[0].ready)
        assert_int_not_equal(nrs_bus_wait(items, 2, PATIENCE_MS), 0);
    return sender_step(self->sender, self->now_ms, &self->problem, &self->reply);
}

// Step until the sender has said something (`told`) or is done.
static nrs_err_t
s_step_until_told(desk_t *self)
{
    nrs_err_t err = NRS_E_AGAIN;
    self->told[0] = 0;
    while (err == NRS_E_AGAIN && !self->told[0])
        err = s_step(self);
    return err;
}

// Step until `bytes` of the file were sent.
static void
s_step_until_sent(desk_t *self, uint64_t bytes)
{
    while (sender_sent(self->sender) < bytes)
        assert_int_equal(s_step(self), NRS_E_AGAIN);
    assert_int_equal(sender_sent(self->sender), bytes);
}

static void
s_finish(desk_t *self)
{
    while (s_take(self) != NRS_SUBMIT_BEGIN)
        assert_int_equal(self->request.verb, NRS_SUBMIT_DATA); // what still waited in the connection before
    assert_true(nrs_bytes_is(self->request.source, "feed"));
    s_grant(self, 8);
    s_step_until_sent(self, FILE_BYTES);
    s_take_file(self);
    s_give_receipt(self);
    assert_int_equal(s_step(self), NRS_OK);
    assert_int_equal(self->reply.accepted, 5);
}

// --- stories -------------------------------------------------------------------------------------

static void
test_sender_brings_a_file_and_gets_the_receipt(void **state)
{
    desk_t *self = *state;
    s_open(self);
    s_finish(self);
    assert_string_equal(self->told, "");
}

static void
test_sender_sends_no_more_than_the_credit(void **state)
{
    desk_t *self = *state;
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    s_grant(self, 1);
    s_step_until_sent(self, SENDER_PIECE_BYTES);
    s_grant(self, 1);
    s_step_until_sent(self, 2 * SENDER_PIECE_BYTES);
}

static void
test_sender_starts_over_when_ingest_restarts(void **state)
{
    desk_t *self = *state;
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    uint8_t id[NRS_SUBMIT_ID_BYTES];
    memcpy(id, self->request.id, sizeof id);
    s_grant(self, 2);
    s_step_until_sent(self, 2 * SENDER_PIECE_BYTES);
    s_restart(self);
    assert_int_equal(s_step_until_told(self), NRS_E_AGAIN);
    assert_string_equal(
        self->told,
        "the connection was lost: file is sent to ingest-1 again from its start; what was "
        "taken counts as known");
    s_finish(self);
    assert_memory_equal(self->request.id, id, sizeof id);
}

static void
test_sender_starts_over_when_ingest_lost_some_of_it(void **state)
{
    static const char *const reasons[] = { "unknown", "sequence" };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        s_setup(state);
        desk_t *self = *state;
        s_open(self);
        assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
        s_grant(self, 1);
        s_step_until_sent(self, SENDER_PIECE_BYTES);
        s_refuse(self, reasons[i]);
        assert_int_equal(s_step_until_told(self), NRS_E_AGAIN);
        while (s_take(self) != NRS_SUBMIT_BEGIN) // what was on its way over the first connection
            continue;
        s_grant(self, 8);
        s_step_until_sent(self, FILE_BYTES);
        s_teardown(state);
    }
}

static void
test_sender_takes_any_other_refusal_for_the_receipt(void **state)
{
    desk_t *self = *state;
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    s_refuse(self, "denied");
    nrs_err_t err;
    while ((err = s_step(self)) == NRS_E_AGAIN)
        continue;
    assert_int_equal(err, NRS_OK);
    assert_int_equal(self->reply.state, NRS_SUBMIT_REFUSED);
    assert_true(nrs_bytes_is(self->reply.reason, "denied"));
}

// A pipe brings its bytes once.
static void
s_use_pipe(desk_t *self, const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    close(self->fd);
    self->fd = ends[0];
}

static void
test_sender_cannot_start_a_pipe_over(void **state)
{
    desk_t *self = *state;
    s_use_pipe(self, "a.example\n");
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    s_grant(self, 8);
    s_step_until_sent(self, 10);
    s_restart(self);
    assert_int_equal(s_step_until_told(self), NRS_E_ABSENT);
    assert_non_null(strstr(self->problem.text, "cannot be read from its start again"));
}

static void
test_sender_starts_a_pipe_over_that_it_has_not_read_yet(void **state)
{
    desk_t *self = *state;
    s_use_pipe(self, "a.example\n");
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    assert_int_equal(s_step(self), NRS_E_AGAIN); // the probe
    s_restart(self);
    assert_int_equal(s_step_until_told(self), NRS_E_AGAIN);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    s_grant(self, 8);
    s_step_until_sent(self, 10);
}

// What the clock alone brings about.
static nrs_err_t
s_pass(desk_t *self, int64_t ms)
{
    self->now_ms += ms;
    return sender_step(self->sender, self->now_ms, &self->problem, &self->reply);
}

static void
test_sender_begins_again_after_silence_and_gives_up_in_the_end(void **state)
{
    desk_t *self = *state;
    self->probe = false;
    s_open(self);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    assert_int_equal(s_pass(self, SENDER_SILENCE_MS - 1), NRS_E_AGAIN);
    assert_string_equal(self->told, "waiting for ingest-1, which takes nothing just now");
    assert_int_equal(s_pass(self, 1), NRS_E_AGAIN);
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    assert_int_equal(s_pass(self, 2 * SENDER_SILENCE_MS - 1), NRS_E_AGAIN);
    assert_int_equal(s_pass(self, 1), NRS_E_AGAIN);
    assert_string_equal(
        self->told,
        "no word for 20 s: file is sent to ingest-1 again from its start; what was taken "
        "counts as known");
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    assert_int_equal(s_pass(self, 3 * SENDER_SILENCE_MS), NRS_E_IO);
    assert_non_null(strstr(self->problem.text, "no word from ingest-1"));
}

static void
test_sender_begins_a_file_a_bounded_number_of_times(void **state)
{
    desk_t *self = *state;
    s_open(self);
    for (int i = 1; i < SENDER_STARTS_MAX; i++) {
        assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
        s_refuse(self, "unknown");
        assert_int_equal(s_step_until_told(self), NRS_E_AGAIN);
    }
    assert_int_equal(s_take(self), NRS_SUBMIT_BEGIN);
    s_refuse(self, "unknown");
    assert_int_equal(s_step_until_told(self), NRS_E_IO);
    assert_non_null(strstr(self->problem.text, "was begun 8 times"));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_sender_brings_a_file_and_gets_the_receipt),
        STORY(test_sender_sends_no_more_than_the_credit),
        STORY(test_sender_starts_over_when_ingest_restarts),
        cmocka_unit_test(test_sender_starts_over_when_ingest_lost_some_of_it),
        STORY(test_sender_takes_any_other_refusal_for_the_receipt),
        STORY(test_sender_cannot_start_a_pipe_over),
        STORY(test_sender_starts_a_pipe_over_that_it_has_not_read_yet),
        STORY(test_sender_begins_again_after_silence_and_gives_up_in_the_end),
        STORY(test_sender_begins_a_file_a_bounded_number_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
