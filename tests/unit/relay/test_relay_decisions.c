// test_relay_decisions.c - who got what and why: kept with the batch, bounded, and counted

#include "common/policy.h"
#include "services/relay/relay_decisions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIMIT = 1 << 20 };

typedef struct world {
    char path[64];
    nrs_store_t *store;
    nrs_metrics_t *metrics;
    relay_decisions_t *decisions;
    nrs_peer_t peers[3];
    nrs_directory_t directory;
} world_t;

static void
s_open(world_t *self, uint64_t bytes_max)
{
    nrs_problem_t problem;
    nrs_store_options_t options = { .path = self->path, .bytes_max = 64 << 20 };
    assert_int_equal(nrs_store_open(&options, &problem, &self->store), NRS_OK);
    self->metrics = nrs_metrics_new();
    assert_int_equal(relay_decisions_open(self->store, &self->directory, bytes_max, self->metrics,
                                          &self->decisions),
                     NRS_OK);
}

static void
s_close(world_t *self)
{
    relay_decisions_destroy(&self->decisions);
    nrs_metrics_destroy(&self->metrics);
    nrs_store_destroy(&self->store);
}

static int
s_setup(void **state)
{
    world_t *self = nrs_new0(world_t);
    snprintf(self->path, sizeof self->path, "relay-test-XXXXXX");
    assert_non_null(mkdtemp(self->path));
    static const char *const ids[3] = { "ncfta", "cda", "jc3" };
    for (size_t i = 0; i < 3; i++)
        self->peers[i] = (nrs_peer_t){ .id = ids[i], .name = ids[i] };
    self->peers[0].name = "NCFTA \"US\"";
    self->directory = (nrs_directory_t){ .peer_count = 2, .peers = self->peers };
    s_open(self, LIMIT);
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    world_t *self = *state;
    char command[128];
    s_close(self);
    snprintf(command, sizeof command, "rm -r '%s'", self->path);
    int failed = system(command);
    free(self);
    return failed;
}

typedef enum end { COMMIT, FAIL } end_t;

// One batch of `count` events of a lane from `offset` on, `step` offsets apart, all decided the
// same.
static void
s_batch(world_t *self, nrs_origin_place_t place, size_t count, uint64_t step,
        const uint8_t *reasons, end_t end)
{
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    for (size_t i = 0; i < count; i++, place.offset += step)
        assert_int_equal(relay_decisions_put(self->decisions, txn, &place, reasons), NRS_OK);
    if (end == COMMIT) {
        assert_int_equal(relay_decisions_save(self->decisions, txn), NRS_OK);
        assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
        relay_decisions_committed(self->decisions);
    } else {
        relay_decisions_forget(self->decisions);
    }
    nrs_txn_destroy(&txn);
}

static void
s_assert_why(world_t *self, nrs_origin_place_t place, const char *expected)
{
    nrs_txn_t *txn = NULL;
    nrs_buf_t reply = { 0 };
    assert_int_equal(nrs_txn_begin(self->store, false, &txn), NRS_OK);
    assert_int_equal(relay_decisions_why(self->decisions, txn, &place, &reply), NRS_OK);
    if (!strstr(nrs_buf_cstr(&reply), expected))
        fail_msg("%s does not say %s", nrs_buf_cstr(&reply), expected);
    nrs_txn_destroy(&txn);
    nrs_buf_free(&reply);
}

static void
s_assert_totals(world_t *self, const char *expected)
{
    nrs_txn_t *txn = NULL;
    nrs_buf_t reply = { 0 };
    assert_int_equal(nrs_txn_begin(self->store, false, &txn), NRS_OK);
    assert_int_equal(relay_decisions_totals(self->decisions, txn, &reply), NRS_OK);
    assert_string_equal(nrs_buf_cstr(&reply), expected);
    nrs_txn_destroy(&txn);
    nrs_buf_free(&reply);
}

static const uint8_t mixed[] = { NRS_POLICY_AGREED, NRS_POLICY_TLP_RED, NRS_POLICY_CONSENT_NEEDED };
#define UNKNOWN "{\"known\":false,\"peers\":[]}"

static void
test_decisions_tell_who_got_it_who_did_not_and_why(void **state)
{
    world_t *self = *state;
    s_batch(self, (nrs_origin_place_t){ 1, 3, 7, 100 }, 50, 1, mixed, COMMIT);
    s_assert_why(self, (nrs_origin_place_t){ 1, 3, 7, 149 },
                 "{\"known\":true,\"policy\":1,\"peers\":[{\"id\":\"ncfta\",\"name\":\"NCFTA "
                 "\\\"US\\\"\",\"outcome\":"
                 "\"released\",\"reason\":\"agreed\",\"text\":\"The agreement lets the peer have "
                 "it whole.\"},{\"id\":\"cda\","
                 "\"name\":\"cda\",\"outcome\":\"refused\",\"reason\":\"tlp-red\",\"text\":");
    static const nrs_origin_place_t others[] = { { 1, 3, 7, 99 },  { 1, 3, 7, 150 },
                                                 { 1, 3, 6, 120 }, { 1, 3, 8, 120 },
                                                 { 2, 3, 7, 120 }, { 1, 4, 7, 120 } };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        s_assert_why(self, others[i], UNKNOWN);
}

static void
test_decisions_know_offsets_that_never_came(void **state)
{
    world_t *self = *state;
    for (uint64_t step = 2; step < 200; step = step * 3) {
        nrs_origin_place_t place = { 1, (uint16_t)step, 1, 10 };
        s_batch(self, place, 20, step, mixed, COMMIT);
        place.offset = 10 + 7 * step;
        s_assert_why(self, place, "tlp-red");
        place.offset++;
        s_assert_why(self, place, UNKNOWN);
    }
}

static void
test_decisions_of_interleaved_lanes_instances_and_epochs_stay_apart(void **state)
{
    world_t *self = *state;
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    for (uint64_t offset = 0; offset < 100; offset++) {
        for (uint16_t n = 0; n < 8; n++) {
            nrs_origin_place_t place = { n % 2, n / 2, offset < 50 ? 1 : 2, offset };
            uint8_t reasons[] = { (uint8_t)(n + 4),
                                  (uint8_t)(offset % 2 ? NRS_POLICY_AGREED : NRS_POLICY_AUDIENCE) };
            assert_int_equal(relay_decisions_put(self->decisions, txn, &place, reasons), NRS_OK);
        }
    }
    assert_int_equal(relay_decisions_save(self->decisions, txn), NRS_OK);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    relay_decisions_committed(self->decisions);
    for (uint16_t n = 0; n < 8; n++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"reason\":\"%s\"",
                 nrs_policy_reason_word((nrs_policy_reason_t)(n + 4)));
        s_assert_why(self, (nrs_origin_place_t){ n % 2, n / 2, 1, 49 }, wanted);
        s_assert_why(self, (nrs_origin_place_t){ n % 2, n / 2, 2, 50 }, wanted);
        s_assert_why(self, (nrs_origin_place_t){ n % 2, n / 2, 1, 50 }, UNKNOWN);
    }
}

static void
test_decisions_of_a_failed_batch_leave_no_trace(void **state)
{
    world_t *self = *state;
    nrs_origin_place_t place = { 1, 0, 1, 0 };
    s_batch(self, place, 10, 1, mixed, FAIL);
    s_assert_why(self, place, UNKNOWN);
    s_assert_totals(self, "{\"peers\":[]}");
    s_batch(self, place, 10, 1, mixed, COMMIT);
    s_assert_why(self, place, "agreed");
    s_assert_totals(self,
                    "{\"peers\":[{\"id\":\"cda\",\"name\":\"cda\",\"released\":0,\"projected\":0,"
                    "\"held\":0,\"refused\":10,"
                    "\"reasons\":{\"tlp-red\":10}},{\"id\":\"ncfta\",\"name\":\"NCFTA "
                    "\\\"US\\\"\",\"released\":10,"
                    "\"projected\":0,\"held\":0,\"refused\":0,\"reasons\":{\"agreed\":10}}]}");
}

static void
test_decisions_and_totals_go_on_after_a_restart_with_other_peers(void **state)
{
    world_t *self = *state;
    s_batch(self, (nrs_origin_place_t){ 1, 0, 1, 0 }, 10, 1, mixed, COMMIT);
    s_close(self);
    self->peers[1].id = "jc3"; // cda has left, jc3 has come
    self->peers[1].name = "JC3";
    s_open(self, LIMIT);
    s_batch(self, (nrs_origin_place_t){ 1, 0, 1, 10 }, 5, 1, mixed, COMMIT);
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 9 }, "\"id\":\"cda\",\"name\":\"cda\"");
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 10 }, "\"id\":\"jc3\",\"name\":\"JC3\"");
    s_assert_totals(
        self,
        "{\"peers\":[{\"id\":\"cda\",\"name\":\"cda\",\"released\":0,\"projected\":0,\"held\":0,"
        "\"refused\":10,"
        "\"reasons\":{\"tlp-red\":10}},{\"id\":\"jc3\",\"name\":\"JC3\",\"released\":0,"
        "\"projected\":0,"
        "\"held\":0,\"refused\":5,\"reasons\":{\"tlp-red\":5}},{\"id\":\"ncfta\",\"name\":\"NCFTA "
        "\\\"US\\\"\","
        "\"released\":15,\"projected\":0,\"held\":0,\"refused\":0,\"reasons\":{\"agreed\":15}}]}");
    nrs_metric_t *metric =
        nrs_metrics_counter(self->metrics, "noroshi_relay_decisions_total",
                            "peer=\"ncfta\",outcome=\"released\",reason=\"agreed\"", "");
    assert_int_equal(nrs_metric_value(metric), 15);
}

static void
test_decisions_beyond_the_limit_drop_the_oldest_and_stay_bounded(void **state)
{
    world_t *self = *state;
    s_close(self);
    enum { SMALL = 20000, BATCHES = 200, EVENTS = 100 };
    s_open(self, SMALL);
    for (uint64_t batch = 0; batch < BATCHES; batch++)
        s_batch(self, (nrs_origin_place_t){ 1, (uint16_t)(batch % 4), 1, batch * EVENTS }, EVENTS,
                1, mixed, COMMIT);
    assert_true(relay_decisions_bytes(self->decisions) <= SMALL);
    assert_true(relay_decisions_bytes(self->decisions) > SMALL / 2);
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 0 }, UNKNOWN);
    s_assert_why(self, (nrs_origin_place_t){ 1, 3, 1, (BATCHES - 1) * EVENTS }, "tlp-red");
    uint64_t bytes = relay_decisions_bytes(self->decisions);
    s_close(self);
    s_open(self, SMALL);
    assert_int_equal(relay_decisions_bytes(self->decisions), bytes);
}

static void
test_decisions_forget_sets_of_peers_that_no_run_needs(void **state)
{
    world_t *self = *state;
    for (size_t i = 0; i < 10; i++) {
        s_close(self);
        self->directory.peer_count = 1 + i % 3;
        s_open(self, 1000);
        for (uint64_t batch = 0; batch < 30; batch++)
            s_batch(self, (nrs_origin_place_t){ 1, 0, (uint32_t)i + 1, batch * 10 }, 10, 1, mixed,
                    COMMIT);
    }
    nrs_store_table_t table;
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_store_table(self->store, "relay-decisions", &table), NRS_OK);
    assert_int_equal(nrs_txn_begin(self->store, false, &txn), NRS_OK);
    assert_true(nrs_txn_count(txn, table) <
                40); // ten runs with their order, totals, head and one set
    nrs_txn_destroy(&txn);
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 10, 299 }, "agreed");
}

static void
test_decisions_around_a_dead_letter_that_was_tried_again_stay_known(void **state)
{
    world_t *self = *state;
    static const uint8_t again[] = { NRS_POLICY_AUDIENCE, NRS_POLICY_AUDIENCE };
    s_batch(self, (nrs_origin_place_t){ 1, 0, 1, 100 }, 2, 5, mixed, COMMIT); // 100 and 105
    s_batch(self, (nrs_origin_place_t){ 1, 0, 1, 103 }, 1, 1, again, COMMIT);
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 103 }, "audience");
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 105 }, "tlp-red");
    s_assert_why(self, (nrs_origin_place_t){ 1, 0, 1, 104 }, UNKNOWN);
}

static void
test_place_is_four_numbers_in_range(void **state)
{
    (void)state;
    nrs_origin_place_t place;
    assert_int_equal(relay_place_parse(nrs_text("1/2/3/4"), &place), NRS_OK);
    assert_true(place.instance == 1 && place.lane == 2 && place.epoch == 3 && place.offset == 4);
    assert_int_equal(
        relay_place_parse(nrs_text("65535/65535/4294967295/18446744073709551615"), &place), NRS_OK);
    assert_true(place.offset == UINT64_MAX);
    static const char *const bad[] = {
        "",          "1/2/3",   "1/2/3/",      "/2/3/4",           "1//3/4",
        "1/2/3/4/5", "1/2/3/x", "65536/2/3/4", "1/2/4294967296/4", "1/2/3/18446744073709551616",
        "1/2/3/-4",  " 1/2/3/4"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(relay_place_parse(nrs_text(bad[i]), &place), NRS_E_FORMAT);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_decisions_tell_who_got_it_who_did_not_and_why),
        STORY(test_decisions_know_offsets_that_never_came),
        STORY(test_decisions_of_interleaved_lanes_instances_and_epochs_stay_apart),
        STORY(test_decisions_of_a_failed_batch_leave_no_trace),
        STORY(test_decisions_and_totals_go_on_after_a_restart_with_other_peers),
        STORY(test_decisions_around_a_dead_letter_that_was_tried_again_stay_known),
        STORY(test_decisions_beyond_the_limit_drop_the_oldest_and_stay_bounded),
        STORY(test_decisions_forget_sets_of_peers_that_no_run_needs),
        cmocka_unit_test(test_place_is_four_numbers_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
