// The ask protocol: codec, and a client against a ROUTER in the same process.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ask.h"
#include "common/world.h"

// --- codec ---------------------------------------------------------------------------------------

static void
s_put(nrs_message_t *message, const char *text)
{
    nrs_message_put(message, nrs_text(text));
}

static void
test_question_comes_back_as_it_was_sent(void **state)
{
    (void)state;
    nrs_message_t message = { 0 };
    nrs_question_t question;
    s_put(&message, "identity");
    nrs_question_encode(&message, "dead.show", nrs_text("17"));
    assert_int_equal(nrs_question_decode(&message, 1, &question), NRS_OK);
    assert_string_equal(question.verb, "dead.show");
    assert_true(nrs_bytes_is(question.argument, "17"));
    nrs_message_clear(&message);
}

static void
test_question_refuses_what_is_none(void **state)
{
    (void)state;
    static char long_argument[NRS_ASK_ARGUMENT_MAX + 2];
    memset(long_argument, 'a', sizeof long_argument - 1);
    const struct {
        const char *frames[4];
        nrs_err_t err;
    } cases[] = {
        { { "status" }, NRS_E_FORMAT },
        { { "status", "", "more" }, NRS_E_FORMAT },
        { { "", "x" }, NRS_E_FORMAT },
        { { "Status", "" }, NRS_E_FORMAT },
        { { "sta tus", "" }, NRS_E_FORMAT },
        { { "show", "\xff" }, NRS_E_FORMAT },
        { { "averbthatislongerthanthirtytwobytes", "" }, NRS_E_LIMIT },
        { { "show", long_argument }, NRS_E_LIMIT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_message_t message = { 0 };
        nrs_question_t question;
        for (size_t f = 0; cases[i].frames[f]; f++)
            s_put(&message, cases[i].frames[f]);
        assert_int_equal(nrs_question_decode(&message, 0, &question), cases[i].err);
        nrs_message_clear(&message);
    }
}

static void
test_answer_keeps_the_outcome(void **state)
{
    (void)state;
    for (nrs_err_t err = NRS_OK; err < NRS_E_MAX; err++) {
        nrs_message_t message = { 0 };
        nrs_answer_t answer;
        nrs_answer_encode(&message, err, nrs_text("{}"));
        assert_int_equal(nrs_answer_decode(&message, 0, &answer), NRS_OK);
        assert_int_equal(answer.outcome, err);
        assert_true(nrs_bytes_is(answer.json, "{}"));
        nrs_message_clear(&message);
    }
    assert_int_equal(nrs_err_of_name(nrs_text("from.the.future")), NRS_E_VERSION);
}

// --- client --------------------------------------------------------------------------------------

typedef struct s_fixture {
    char dir[64], endpoint[128];
    nrs_instance_t instance;
    nrs_plan_t plan;
    nrs_bus_t *router;
    nrs_ask_t *ask;
} s_fixture_t;

static int
s_setup(void **state)
{
    s_fixture_t *self = nrs_new0(s_fixture_t);
    strcpy(self->dir, "/tmp/noroshi-ask-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    snprintf(self->endpoint, sizeof self->endpoint, "ipc://%s/ask", self->dir);
    self->instance = (nrs_instance_t){ .name = "enrich-1", .stage = "enrich" };
    self->instance.ask = self->endpoint;
    self->plan = (nrs_plan_t){ .home = self->dir, .instance_count = 1 };
    self->plan.instances = &self->instance;
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    s_fixture_t *self = *state;
    nrs_ask_destroy(&self->ask);
    nrs_bus_destroy(&self->router);
    NRS_IGNORE(unlink(self->endpoint + 6));
    NRS_IGNORE(rmdir(self->dir));
    free(self);
    return 0;
}

static int64_t
s_in(int64_t ms)
{
    nrs_world_t *world = nrs_world_real();
    return world->mono_ms(world) + ms;
}

// Bind the ROUTER, connect, and ask `verb`.
static void
s_ask(s_fixture_t *self, const char *verb)
{
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER, .bind = true };
    options.endpoint = self->endpoint;
    assert_int_equal(nrs_bus_open(&options, &problem, &self->router), NRS_OK);
    assert_int_equal(nrs_ask_open(&self->plan, &self->instance, &problem, &self->ask), NRS_OK);
    assert_int_equal(nrs_ask_send(self->ask, verb, NRS_NONE, &problem), NRS_OK);
}

// As an instance: take the question, answer with two frames.
static void
s_serve(s_fixture_t *self, const char *expected, const char *outcome, const char *json)
{
    nrs_message_t in = { 0 }, out = { 0 };
    nrs_question_t question;
    nrs_wait_t item = { .bus = self->router };
    while (nrs_bus_recv(self->router, &in) == NRS_E_AGAIN)
        nrs_bus_wait(&item, 1, -1);
    assert_int_equal(nrs_question_decode(&in, 1, &question), NRS_OK);
    assert_string_equal(question.verb, expected);
    nrs_message_put(&out, nrs_message_frame(&in, 0));
    s_put(&out, outcome);
    s_put(&out, json);
    assert_int_equal(nrs_bus_send(self->router, &out), NRS_OK);
    nrs_message_clear(&in);
}

static void
test_ask_gets_the_answer(void **state)
{
    s_fixture_t *self = *state;
    nrs_buf_t text = { 0 };
    s_ask(self, "status");
    s_serve(self, "status", "ok", "{\"ready\":true}");
    assert_int_equal(nrs_ask_recv(self->ask, s_in(NRS_ASK_WAIT_MS), NULL, &text), NRS_OK);
    assert_string_equal(nrs_buf_cstr(&text), "{\"ready\":true}");
    nrs_buf_free(&text);
}

static void
test_ask_tells_a_refusal_in_words(void **state)
{
    s_fixture_t *self = *state;
    nrs_problem_t problem = { 0 };
    nrs_buf_t text = { 0 };
    s_ask(self, "find");
    s_serve(self, "find", "absent", "{\"text\":\"no such event\"}");
    assert_int_equal(nrs_ask_recv(self->ask, s_in(NRS_ASK_WAIT_MS), &problem, &text), NRS_E_ABSENT);
    assert_string_equal(problem.text, "enrich-1 answers `find` with \"absent\": no such event");
    assert_int_equal(text.size, 0);
}

static void
test_ask_gives_up_and_says_who_is_silent(void **state)
{
    s_fixture_t *self = *state;
    nrs_problem_t problem = { 0 };
    nrs_buf_t text = { 0 };
    s_ask(self, "status");
    assert_int_equal(nrs_ask_recv(self->ask, s_in(0), &problem, &text), NRS_E_AGAIN);
    assert_non_null(strstr(problem.text, "enrich-1 does not answer at ipc://"));
}

static void
test_ask_sees_at_once_that_nobody_listens(void **state)
{
    s_fixture_t *self = *state;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_ask_open(&self->plan, &self->instance, &problem, &self->ask), NRS_E_AGAIN);
    assert_non_null(strstr(problem.text, "enrich-1 is not running"));
    assert_non_null(strstr(problem.text, "noroshi up"));
    assert_true(nrs_ask_listening("tcp://192.0.2.1:1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question_comes_back_as_it_was_sent),
        cmocka_unit_test(test_question_refuses_what_is_none),
        cmocka_unit_test(test_answer_keeps_the_outcome),
        cmocka_unit_test_setup_teardown(test_ask_gets_the_answer, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_ask_tells_a_refusal_in_words, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_ask_gives_up_and_says_who_is_silent, s_setup,
                                        s_teardown),
        cmocka_unit_test_setup_teardown(test_ask_sees_at_once_that_nobody_listens, s_setup,
                                        s_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
