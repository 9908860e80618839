// What a follower may count on from a server of ours, whatever carries their messages.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/follow.h"
#include "tests/fixtures/follow_line.h"

// --- stories -------------------------------------------------------------------------------------

static void
test_follower_gets_each_lane_in_order(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    uint64_t seed = 3;
    for (int round = 0; round < 40; round++) { // the log grows while it is read
        for (int i = 0; i < 5; i++)
            s_append(&self, (uint16_t)(scratch_random(&seed) % LANES),
                     1 + (uint32_t)(scratch_random(&seed) % 30), 20);
        s_turn(&self);
        s_take(&self);
        s_acknowledge(&self);
    }
    s_until_all(&self);
    assert_int_equal(self.events, self.offsets);
    nrs_follower_info_t info;
    nrs_follower_info(self.follower, &info);
    assert_true(info.connected && info.lag == 0 && info.instance == 4 && !info.problem);
    assert_true(nrs_follow_server_connected(self.server, "reports", "enrich-1"));
    s_end(&self);
}

static void
test_follower_is_never_sent_more_than_it_grants(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    s_serve(&self);
    for (int i = 0; i < 60; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 20, 1000);
    nrs_follower_options_t options = s_follower_options(&self);
    options.credit_bytes = NRS_FOLLOW_CREDIT_BYTES_MIN;
    options.credit_events = NRS_FOLLOW_CREDIT_EVENTS_MIN;
    s_follow(&self, &options);
    int rounds = 0;
    for (bool all = false; !all; rounds++) {
        nrs_follow_server_counts_t counts = { 0 };
        for (int turn = 0; turn < PATIENCE_TURNS;
             turn++) { // until what was granted is used, and has arrived
            s_turn(&self);
            s_take(&self);
            assert_true(self.unsaid_bytes <= options.credit_bytes &&
                        self.unsaid_events <= options.credit_events);
            nrs_follow_server_counts(self.server, &counts);
            if (counts.sessions == 1 && self.sent == 0 &&
                counts.credit_events + self.unsaid_events == options.credit_events)
                break;
        }
        assert_int_equal(counts.credit_events + self.unsaid_events, options.credit_events);
        all = self.unsaid_events == 0;
        s_acknowledge(&self);
    }
    s_until_all(&self);
    assert_true(rounds > 5);
    s_end(&self);
}

static void
test_follower_goes_on_when_the_server_comes_back(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    assert_int_equal(nrs_topic_register(self.topic, NULL, "enrich-1", 0x7), NRS_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 30; i++)
            s_append(&self, (uint16_t)(i % LANES), 10, 50);
        for (int i = 0; i < 3; i++) {
            s_turn(&self);
            s_take(&self); // not acknowledged: the next OPEN says so
        }
        nrs_follow_server_destroy(&self.server);
        s_turn(&self);
        s_serve(&self);
    }
    s_until_all(&self);
    nrs_topic_follower_info_t info;
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        nrs_topic_follower(self.topic, 0, &info);
        if (info.lag == 0)
            break;
        s_turn(&self);
    }
    assert_int_equal(info.lag, 0); // it is known at the server that all is durable
    s_end(&self);
}

static void
test_follower_of_an_older_history_is_told(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 1, 10, 0);
    s_append(&self, 1, 10, 0);
    s_until_all(&self);
    s_serve_anew(&self, EPOCH); // an old copy: half of it is not there
    s_append(&self, 1, 10, 0);
    s_serve(&self);
    s_until_problem(&self, "refused (rewound): you have more than was ever written here");
    s_append(&self, 1, 10, 1); // as many, but others
    nrs_world_made_pass(&self.made, 4000);
    s_until_problem(&self, "refused (rewound): your history differs");
    s_serve_anew(&self, EPOCH + 1); // who begins anew says so with a new epoch, and all is well
    s_append(&self, 1, 5, 0);
    s_serve(&self);
    memset(self.next, 0, sizeof self.next);
    s_until_all(&self);
    assert_int_equal(nrs_follower_place(self.follower, 1)->epoch, EPOCH + 1);
    s_serve_anew(&self, EPOCH);
    s_append(&self, 1, 5, 0);
    s_serve(&self);
    s_until_problem(&self, "refused (rewound)"); // an epoch never goes back
    s_end(&self);
}

static void
test_follower_of_what_was_trimmed_is_told(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 1, 10, 0);
    s_until_all(&self);
    nrs_follow_server_destroy(&self.server);
    for (int i = 0; i < 3; i++)
        s_append(&self, 1, 10, 0);
    nrs_topic_options_t options = s_topic_options(EPOCH);
    options.replay_bytes = 0; // a topic that keeps nothing
    nrs_topic_t *kept = self.topic, *trimmed = nrs_topic_new(&options);
    self.topic = trimmed;
    for (int i = 0; i < 4; i++)
        s_append(&self, 1, 10, 0);
    assert_int_equal(nrs_topic_trim(trimmed, NULL, self.made.now, 2), NRS_OK);
    assert_int_equal(nrs_topic_lane(trimmed, 1)->first, 20);
    s_serve(&self);
    s_until_problem(&self, "refused (trimmed)");
    nrs_topic_destroy(&kept);
    s_end(&self);
}

static void
test_follower_begins_at_a_time_or_inside_a_segment(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 4; i++) {
        s_append(&self, 1, 10, 0);
        nrs_world_made_pass(&self.made, 1000);
    }
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    options.from_ms = 1700000000000 + 1500;
    self.next[1] = 20;
    s_follow(&self, &options);
    s_until_all(&self);
    assert_int_equal(self.events, 20);
    nrs_follower_destroy(&self.follower);
    nrs_place_t places[NRS_LANES_MAX] = { [1] = { .epoch = EPOCH, .offset = 34 } };
    options.from_ms = 0;
    options.places = places;
    self.next[1] = 0; // not yet known where it begins
    s_follow(&self, &options);
    for (int turn = 0; turn < PATIENCE_TURNS && nrs_follower_place(self.follower, 1)->offset == 34;
         turn++)
        s_turn(&self);
    self.next[1] = 30; // the segment that holds it
    s_until_all(&self);
    s_end(&self);
}

static void
test_follower_with_a_filter_gets_only_that_and_all_places(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 4, 100);
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    options.filter = "kind == domain";
    s_follow(&self, &options);
    s_until_all(&self);
    nrs_follow_server_destroy(
        &self.server); // and after a break: its last segment is in nobody's history
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 4, 100);
    s_serve(&self);
    s_until_all(&self);
    uint64_t domains = 0;
    for (uint16_t lane = 0; lane < LANES; lane++)
        domains += (nrs_topic_lane(self.topic, lane)->next + 2) / 3;
    assert_int_equal(self.events, domains);
    nrs_follower_destroy(&self.follower);
    options.filter = "kind == nothing";
    s_follow(&self, &options);
    memset(self.next, 0, sizeof self.next);
    s_until_problem(&self, "refused (filter): column 9");
    s_end(&self);
}

static void
test_follower_asks_for_what_is_not_there(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    s_serve(&self);
    nrs_place_t places[NRS_LANES_MAX] = { [LANES] = { .epoch = EPOCH } };
    nrs_follower_options_t good = s_follower_options(&self);
    struct {
        nrs_follower_options_t options;
        const char *problem;
    } cases[] = { { good, "refused (absent)" },
                  { good, "refused (absent)" },
                  { good, "refused (absent): the topic has" },
                  { good, "refused (absent): a follower needs a name" },
                  { good, "refused (credit)" } };
    cases[0].options.realm = "drill-7";
    cases[1].options.topic = "enriched";
    cases[2].options.lanes = 1 << LANES; // where it says that it has been before
    cases[2].options.places = places;
    cases[3].options.name = "";
    cases[4].options.credit_events = 100;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_follow(&self, &cases[i].options);
        s_until_problem(&self, cases[i].problem);
        nrs_follower_destroy(&self.follower);
    }
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_true(counts.sessions == 0 && counts.refused >= 5);
    s_end(&self);
}

static void
test_lane_that_is_damaged_stops_and_the_others_go_on(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 10, 100);
    nrs_bytes_t bytes;
    assert_int_equal(nrs_topic_fetch(self.topic, NULL, 1, 50, &bytes), NRS_OK);
    uint8_t *disk = (uint8_t *)(uintptr_t)bytes.data;
    disk[bytes.size - 1] ^= 1; // one bit, as from a bad disk
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    s_follow(&self, &options);
    s_until_problem(&self, "refused (corrupt): lane 1 is damaged here at offset 50");
    for (int turn = 0; turn < PATIENCE_TURNS && (self.next[0] < 100 || self.next[2] < 100);
         turn++) {
        s_turn(&self);
        s_take(&self);
        s_acknowledge(&self);
    }
    assert_true(self.next[0] == 100 && self.next[2] == 100);
    assert_int_equal(self.next[1], 50); // nothing is skipped
    nrs_follower_info_t info;
    nrs_follower_info(self.follower, &info);
    assert_true(info.connected && info.lag == 50 && info.problem);
    disk[bytes.size - 1] ^= 1; // restored
    nrs_follow_server_destroy(&self.server);
    s_serve(&self);
    s_until_all(&self);
    nrs_follower_info(self.follower, &info);
    assert_null(info.problem);
    s_end(&self);
}

static void
test_silent_session_is_forgotten_and_opened_again(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 0, 10, 0);
    s_until_all(&self);
    nrs_world_made_pass(&self.made, NRS_FOLLOW_SILENCE_MS + 1);
    assert_int_equal(nrs_follow_server_step(self.server, NULL),
                     NRS_OK); // the acknowledgement, and it forgets
    nrs_world_made_pass(&self.made, NRS_FOLLOW_SILENCE_MS + 1);
    assert_int_equal(nrs_follow_server_step(self.server, NULL), NRS_OK);
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_int_equal(counts.sessions, 0);
    s_append(&self, 0, 10, 0);
    s_until_all(&self);
    s_end(&self);
}

static void
test_followers_of_different_names_each_get_all(void **state)
{
    (void)state;
    s_line_t self, other;
    s_start(&self);
    other = self;
    nrs_follower_options_t options = s_follower_options(&self);
    options.name = "copy";
    s_follow(&other, &options);
    for (int i = 0; i < 20; i++)
        s_append(&self, (uint16_t)(i % LANES), 10, 100);
    s_until_all(&self);
    s_until_all(&other);
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_int_equal(counts.sessions, 2);
    nrs_follower_destroy(&other.follower);
    nrs_follower_destroy(&self.follower);
    s_follow(&self, &options); // the same name again takes the earlier session's place
    memset(self.next, 0, sizeof self.next);
    s_until_all(&self);
    nrs_follow_server_counts(self.server, &counts);
    assert_true(nrs_follow_server_connected(self.server, "reports", "copy"));
    assert_true(counts.sessions <= 3);
    s_end(&self);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follower_gets_each_lane_in_order),
        cmocka_unit_test(test_follower_is_never_sent_more_than_it_grants),
        cmocka_unit_test(test_follower_goes_on_when_the_server_comes_back),
        cmocka_unit_test(test_follower_of_an_older_history_is_told),
        cmocka_unit_test(test_follower_of_what_was_trimmed_is_told),
        cmocka_unit_test(test_follower_begins_at_a_time_or_inside_a_segment),
        cmocka_unit_test(test_follower_with_a_filter_gets_only_that_and_all_places),
        cmocka_unit_test(test_follower_asks_for_what_is_not_there),
        cmocka_unit_test(test_lane_that_is_damaged_stops_and_the_others_go_on),
        cmocka_unit_test(test_silent_session_is_forgotten_and_opened_again),
        cmocka_unit_test(test_followers_of_different_names_each_get_all),
    };
    int failed = cmocka_run_group_tests_name("over ipc", tests, scratch_make, scratch_drop);
    s_in_memory = true;
    return failed + cmocka_run_group_tests_name("in memory", tests, scratch_make, scratch_drop);
}
