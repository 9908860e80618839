// A network in memory says what is there without waiting, and goes wrong as it is told to.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "tests/fixtures/memory_net.h"

#include <sys/eventfd.h>
#include <unistd.h>

// --- waiting -------------------------------------------------------------------------------------

static void
test_waiting_says_what_is_there_and_never_sleeps(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    int fd = eventfd(0, 0);
    nrs_wait_t items[] = { { .bus = router }, { .bus = dealer }, { .fd = fd } };
    assert_int_equal(nrs_bus_wait(items, 3, -1), 0);
    assert_int_equal(s_send(dealer, "x"), NRS_OK);
    s_flow(&self);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(nrs_bus_wait(items, 3, -1), 3);
    s_expect(dealer, "");
    assert_int_equal(nrs_bus_wait(items, 3, -1), 2);
    assert_true(items[0].ready && !items[1].ready && items[2].ready);
    close(fd);
}

// --- faults --------------------------------------------------------------------------------------

enum { SENT = 200 };

typedef struct s_tally {
    int came;
    int repeats;
    int overtakes; // came before one that was sent earlier
    int steps;
    uint64_t trace;
} s_tally_t;

static s_tally_t
s_tally(uint64_t seed, nrs_net_faults_t faults)
{
    s_net_t self;
    s_begin(&self);
    self.made.seed = seed;
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus)
    router = s_open(&self, (nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true });
    NRS_AUTO(nrs_bus) dealer = s_dealer(&self);
    nrs_net_disturb(net, dealer, &faults);
    for (uint32_t i = 0; i < SENT; i++) {
        nrs_message_t message = { 0 };
        nrs_put_le32(nrs_message_add(&message, 4), i);
        assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    }
    s_tally_t tally = { 0 };
    bool seen[SENT] = { false };
    uint32_t greatest = 0;
    while (nrs_net_step(net)) {
        nrs_message_t message = { 0 };
        tally.steps++;
        if (nrs_bus_recv(router, &message))
            continue;
        uint32_t number = nrs_get_le32(nrs_message_frame(&message, 1).data);
        nrs_message_clear(&message);
        tally.came++;
        tally.repeats += seen[number];
        tally.overtakes += number < greatest;
        greatest = number > greatest ? number : greatest;
        seen[number] = true;
    }
    tally.trace = nrs_net_trace(net);
    return tally;
}

static void
test_faults_do_what_their_names_say(void **state)
{
    (void)state;
    s_tally_t none = s_tally(1, (nrs_net_faults_t){ 0 });
    assert_true(none.came == SENT && !none.repeats && !none.overtakes && none.steps == SENT);
    s_tally_t drop = s_tally(1, (nrs_net_faults_t){ .drop = 300 });
    assert_true(drop.came > SENT / 2 && drop.came < SENT && !drop.repeats && !drop.overtakes);
    s_tally_t twice = s_tally(1, (nrs_net_faults_t){ .duplicate = 300 });
    assert_true(twice.repeats > 0 && twice.came == SENT + twice.repeats && !twice.overtakes);
    s_tally_t late = s_tally(1, (nrs_net_faults_t){ .delay = 300 });
    assert_true(late.came == SENT && !late.repeats && !late.overtakes && late.steps > 2 * SENT);
    s_tally_t mixed = s_tally(1, (nrs_net_faults_t){ .reorder = 300 });
    assert_true(mixed.came == SENT && !mixed.repeats && mixed.overtakes > 0);
    s_tally_t all = s_tally(1, (nrs_net_faults_t){ .drop = 1000 });
    assert_true(all.came == 0 && all.steps == SENT);
}

static void
test_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    nrs_net_faults_t faults = { .drop = 100, .duplicate = 100, .delay = 100, .reorder = 100 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        s_tally_t one = s_tally(seed, faults), again = s_tally(seed, faults);
        assert_memory_equal(&one, &again, sizeof one);
        assert_true(one.trace != s_tally(seed + 1, faults).trace);
    }
}

static void
test_faults_belong_to_a_link(void **state)
{
    (void)state;
    s_net_t self;
    s_begin(&self);
    NRS_AUTO(nrs_net) net = self.net;
    NRS_AUTO(nrs_bus) router = s_router(&self);
    NRS_AUTO(nrs_bus) bad = s_dealer(&self);
    NRS_AUTO(nrs_bus) good = s_dealer(&self);
    nrs_net_disturb(net, bad, &(nrs_net_faults_t){ .drop = 1000 });
    assert_int_equal(s_send(bad, "lost"), NRS_OK);
    assert_int_equal(s_send(good, "kept"), NRS_OK);
    s_flow(&self);
    s_expect(router, "kept");
    s_expect_nothing(router);
    s_expect(good, "");
    s_expect_nothing(bad);
    nrs_net_disturb(net, NULL, &(nrs_net_faults_t){ .drop = 1000 });
    NRS_AUTO(nrs_bus) later = s_dealer(&self);
    assert_int_equal(s_send(later, "lost"), NRS_OK);
    s_flow(&self);
    s_expect_nothing(router);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_says_what_is_there_and_never_sleeps),
        cmocka_unit_test(test_faults_do_what_their_names_say),
        cmocka_unit_test(test_same_seed_gives_the_same_run),
        cmocka_unit_test(test_faults_belong_to_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
