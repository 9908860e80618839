// Sockets in memory behave as ZeroMQ's do where we count on it.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "tests/fixtures/memory_net.h"

// The pair of zmq_curve(7).
static const nrs_keys_t pair = {
    .public_text = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    .secret_text = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
};

// Answer to whoever sent `asked`, which is cleared.
static nrs_err_t
s_answer(nrs_bus_t *router, nrs_message_t *asked, const char *text)
{
    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_message_frame(asked, 0));
    nrs_message_put(&message, nrs_text(text));
    nrs_err_t err = nrs_bus_send(router, &message);
    nrs_message_clear(&message);
    nrs_message_clear(asked);
    return err;
}

// The message that waits at a ROUTER, behind its sender's identity.
static void
s_take(nrs_bus_t *router, nrs_message_t *into, const char *text)
{
    assert_int_equal(nrs_bus_recv(router, into), NRS_OK);
    assert_int_equal(into->count, 2);
    assert_int_equal(nrs_message_frame(into, 0).size, 5);
    assert_true(nrs_bytes_is(nrs_message_frame(into, 1), text));
    assert_int_equal(nrs_message_connection(into), -1);
}

// --- one who asks and one who answers ------------------------------------------------------------

static void
test_messages_go_both_ways_when_the_network_steps(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    assert_string_equal(nrs_bus_endpoint(router), at);
    assert_int_equal(s_send(dealer, "question"), NRS_OK);
    s_expect_nothing(router); // nothing moves by itself
    s_expect_nothing(dealer);
    assert_true(nrs_net_step(net));
    s_expect(dealer, ""); // the probe was first
    assert_true(nrs_net_step(net));
    nrs_message_t message = { 0 };
    s_take(router, &message, "question");
    char user[NRS_USER_BYTES_MAX];
    assert_string_equal(nrs_message_user(&message, user), "");
    assert_int_equal(s_answer(router, &message, "answer"), NRS_OK);
    s_flow(&self);
    s_expect(dealer, "answer");
    assert_false(nrs_net_step(net));
}

static void
test_links_take_turns_in_the_order_of_sending(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) first = s_dealer(&self);
    NRS_AUTO(nrs_bus) second = s_dealer(&self);
    nrs_bus_t *senders[] = { second, first, first, second };
    const char *texts[] = { "1", "2", "3", "4" };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(s_send(senders[i], texts[i]), NRS_OK);
    s_flow(&self);
    for (size_t i = 0; i < 4; i++)
        s_expect(router, texts[i]);
}

static void
test_dealer_queues_for_a_server_to_come(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus)
    dealer = s_open(&self, (nrs_bus_options_t){ .type = NRS_BUS_DEALER, .high_water = 3 });
    nrs_wait_t room = { .bus = dealer, .write = true };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(nrs_bus_wait(&room, 1, -1), 1);
        assert_int_equal(s_send(dealer, "early"), NRS_OK);
    }
    assert_int_equal(s_send(dealer, "one too many"), NRS_E_AGAIN);
    assert_int_equal(nrs_bus_wait(&room, 1, -1), 0);
    assert_false(nrs_net_step(net));
    NRS_AUTO(nrs_bus) router = s_router(&self);
    s_flow(&self);
    for (int i = 0; i < 3; i++)
        s_expect(router, "early");
    s_expect_nothing(router);
    s_expect(dealer, "");
}

static void
test_router_says_absent_and_high_water(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER, .bind = true, .high_water = 2 };
    NRS_AUTO(nrs_bus) router = s_open(&self, options);
    NRS_AUTO(nrs_bus)
    dealer = s_open(&self, (nrs_bus_options_t){ .type = NRS_BUS_DEALER, .high_water = 1 });
    nrs_message_t message = { 0 }, again = { 0 };
    nrs_message_put(&message, nrs_text("who"));
    nrs_message_put(&message, nrs_text("what"));
    assert_int_equal(nrs_bus_send(router, &message), NRS_E_ABSENT);
    assert_int_equal(message.count, 2);
    nrs_message_clear(&message);
    assert_int_equal(s_send(dealer, "hello"), NRS_OK);
    s_flow(&self);
    s_take(router, &message, "hello");
    for (int i = 0; i < 4; i++) { // one at the reader, two under way, and the one too many
        nrs_message_put(&again, nrs_message_frame(&message, 0));
        assert_int_equal(s_answer(router, &again, "tick"), i < 3 ? NRS_OK : NRS_E_AGAIN);
        s_flow(&self);
    }
    s_expect(dealer, "tick");
    s_flow(&self);
    assert_int_equal(s_answer(router, &message, "tock"), NRS_OK); // there is room again
}

static void
test_what_is_under_way_is_lost_with_either_end(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    assert_int_equal(s_send(dealer, "arrived"), NRS_OK);
    s_flow(&self);
    assert_int_equal(s_send(dealer, "under way"), NRS_OK);
    nrs_bus_destroy(&dealer);
    s_flow(&self);
    nrs_message_t message = { 0 };
    s_take(router, &message, "arrived");
    assert_int_equal(s_answer(router, &message, "too late"), NRS_E_ABSENT);
    s_expect_nothing(router);

    dealer = s_dealer(&self);
    s_flow(&self);
    s_expect(dealer, "");
    assert_int_equal(s_send(dealer, "to the old one"), NRS_OK);
    nrs_bus_destroy(&router);
    assert_int_equal(s_send(dealer, "to the new one"), NRS_OK);
    router = s_router(&self);
    s_flow(&self);
    s_expect(router, "to the new one");
    s_expect_nothing(router);
    s_expect(dealer, ""); // the probe of a server that is bound anew
}

static void
test_cut_link_comes_back_as_another(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    assert_int_equal(s_send(dealer, "before"), NRS_OK);
    s_flow(&self);
    s_expect(dealer, "");
    assert_int_equal(s_send(dealer, "lost"), NRS_OK);
    nrs_net_cut(net, dealer);
    assert_int_equal(s_send(dealer, "meanwhile"), NRS_OK);
    assert_false(nrs_net_step(net));
    nrs_message_t before = { 0 }, after = { 0 };
    s_take(router, &before, "before");
    nrs_net_heal(net, dealer);
    s_flow(&self);
    s_take(router, &after, "meanwhile");
    assert_false(nrs_bytes_equal(nrs_message_frame(&before, 0), nrs_message_frame(&after, 0)));
    assert_int_equal(s_answer(router, &before, "to the old one"), NRS_E_ABSENT);
    assert_int_equal(s_answer(router, &after, "to the new one"), NRS_OK);
    s_flow(&self);
    s_expect(dealer, ""); // the probe again
    s_expect(dealer, "to the new one");
}

static void
test_user_is_the_key_of_whoever_connects(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    nrs_keys_t other = pair;
    other.public_text[0] = 'Z';
    nrs_bus_options_t bind = { .type = NRS_BUS_ROUTER,
                               .bind = true,
                               .endpoint = "tcp://host:1",
                               .keys = &pair,
                               .zap_domain = "inside" };
    nrs_bus_options_t connect = { .type = NRS_BUS_DEALER,
                                  .endpoint = "tcp://host:1",
                                  .keys = &other,
                                  .server_key = pair.public_text };
    nrs_bus_options_t mistaken = connect;
    mistaken.server_key = other.public_text;
    NRS_AUTO(nrs_bus) router = s_open(&self, bind);
    NRS_AUTO(nrs_bus) dealer = s_open(&self, connect);
    NRS_AUTO(nrs_bus) lost = s_open(&self, mistaken);
    assert_true(nrs_bus_curve(router) && nrs_bus_curve(dealer));
    assert_int_equal(s_send(lost, "to somebody else"), NRS_OK);
    assert_int_equal(s_send(dealer, "hello"), NRS_OK);
    s_flow(&self);
    nrs_message_t message = { 0 };
    char user[NRS_USER_BYTES_MAX];
    s_take(router, &message, "hello");
    assert_string_equal(nrs_message_user(&message, user), other.public_text);
    nrs_message_clear(&message);
    assert_string_equal(nrs_message_user(&message, user), "");
    s_expect_nothing(router);
}

static void
test_what_does_not_fit_is_not_taken(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    nrs_bus_options_t small = {
        .type = NRS_BUS_ROUTER, .bind = true, .probe = true, .message_bytes_max = 100
    };
    NRS_AUTO(nrs_bus) router = s_open(&self, small);
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    nrs_message_t message = { 0 };
    for (size_t i = 0; i < NRS_FRAMES_MAX; i++) // with the identity that is one too many
        nrs_message_put(&message, nrs_text("x"));
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    s_flow(&self);
    assert_int_equal(nrs_bus_recv(router, &message), NRS_E_FORMAT);
    assert_int_equal(message.count, 0);
    s_expect(dealer, "");
    memset(nrs_message_add(&message, 101), 'x', 101);
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    s_flow(&self);
    s_expect_nothing(router);
    s_expect(dealer, ""); // it ended the connection, which began anew
    assert_int_equal(s_send(dealer, "small"), NRS_OK);
    s_flow(&self);
    s_expect(router, "small");
}

static void
test_opening_fails_as_with_zeromq(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = at };
    assert_int_equal(nrs_net_open(net, &options, &problem, &bus), NRS_E_IO);
    assert_non_null(strstr(problem.text, "in use"));
    options.endpoint = "tcp://host:1";
    assert_int_equal(nrs_net_open(net, &options, &problem, &bus), NRS_E_CONFIG);
    assert_non_null(strstr(problem.text, "everything on TCP is CURVE"));
    assert_null(bus);
    nrs_bus_destroy(&router);
    router = s_router(&self); // the name is free again
}

// --- one who publishes and those who listen ------------------------------------------------------

static nrs_bus_t *
s_publisher(s_net_t *self)
{
    return s_open(self, (nrs_bus_options_t){ .type = NRS_BUS_XPUB, .bind = true, .high_water = 2 });
}

// Read a subscription, and grant `granted` for it, or nothing.
static void
s_expect_subscription(nrs_bus_t *xpub, const char *text, const char *granted)
{
    s_expect(xpub, text);
    if (granted)
        assert_int_equal(nrs_bus_subscribe(xpub, nrs_text(granted)), NRS_OK);
}

// Read the end of one: a zero byte and the prefix.
static void
s_expect_end(nrs_bus_t *xpub, const char *prefix)
{
    nrs_message_t message = { 0 };
    assert_int_equal(nrs_bus_recv(xpub, &message), NRS_OK);
    nrs_bytes_t frame = nrs_message_frame(&message, 0);
    assert_int_equal(frame.data[0], 0);
    assert_true(nrs_bytes_is(nrs_bytes(frame.data + 1, frame.size - 1), prefix));
    nrs_message_clear(&message);
}

static void
test_subscriber_gets_what_it_asked_for_and_was_granted(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) sub = s_open(&self, (nrs_bus_options_t){ .type = NRS_BUS_SUB });
    assert_int_equal(nrs_bus_subscribe(sub, nrs_text("red.")), NRS_OK);
    assert_int_equal(nrs_bus_subscribe(sub, nrs_text("clear.")), NRS_OK);
    NRS_AUTO(nrs_bus) xpub = s_publisher(&self);
    s_flow(&self);
    s_expect_subscription(xpub, "\1red.", NULL);
    s_expect_subscription(xpub, "\1clear.", "clear.");
    assert_int_equal(s_send(xpub, "red.1"), NRS_OK); // not granted
    assert_int_equal(s_send(xpub, "clear.1"), NRS_OK);
    assert_int_equal(s_send(xpub, "green.1"), NRS_OK); // not asked for
    s_flow(&self);
    s_expect(sub, "clear.1");
    s_expect_nothing(sub);
    assert_int_equal(nrs_bus_unsubscribe(sub, nrs_text("clear.")), NRS_OK);
    s_flow(&self);
    s_expect_end(xpub, "clear.");
}

static void
test_publisher_hears_who_went(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) xpub = s_publisher(&self);
    NRS_AUTO(nrs_bus) sub = s_open(&self, (nrs_bus_options_t){ .type = NRS_BUS_SUB });
    assert_int_equal(nrs_bus_subscribe(sub, nrs_text("a")), NRS_OK);
    s_flow(&self);
    s_expect_subscription(xpub, "\1a", "a");
    nrs_net_cut(net, sub);
    s_expect_end(xpub, "a");
    assert_int_equal(nrs_bus_subscribe(xpub, nrs_text("a")), NRS_OK); // for nobody
    nrs_net_heal(net, sub);
    assert_int_equal(s_send(xpub, "a: not granted again yet"), NRS_OK);
    s_flow(&self);
    s_expect_subscription(xpub, "\1a", "a");
    for (int i = 0; i < 3; i++) // what is beyond high water is missed
        assert_int_equal(s_send(xpub, "a: news"), NRS_OK);
    s_flow(&self);
    s_expect(sub, "a: news");
    s_expect(sub, "a: news");
    s_expect_nothing(sub);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_go_both_ways_when_the_network_steps),
        cmocka_unit_test(test_links_take_turns_in_the_order_of_sending),
        cmocka_unit_test(test_dealer_queues_for_a_server_to_come),
        cmocka_unit_test(test_router_says_absent_and_high_water),
        cmocka_unit_test(test_what_is_under_way_is_lost_with_either_end),
        cmocka_unit_test(test_cut_link_comes_back_as_another),
        cmocka_unit_test(test_user_is_the_key_of_whoever_connects),
        cmocka_unit_test(test_what_does_not_fit_is_not_taken),
        cmocka_unit_test(test_opening_fails_as_with_zeromq),
        cmocka_unit_test(test_subscriber_gets_what_it_asked_for_and_was_granted),
        cmocka_unit_test(test_publisher_hears_who_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
