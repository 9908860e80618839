#include "services/enrich/enrich_sightings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

typedef struct s_place {
    char dir[64];
    nrs_world_made_t made;
    nrs_store_t *store;
    enrich_sightings_t *sightings;
    nrs_txn_t *txn;
    uint64_t tlp, onward; // of the reports that follow
} s_place_t;

static void
s_open(s_place_t *self, int64_t window_ms)
{
    nrs_store_options_t store = { .path = self->dir, .bytes_max = 64 << 20 };
    nrs_problem_t problem = { 0 };
    if (nrs_store_open(&store, &problem, &self->store))
        fail_msg("%s", problem.text);
    enrich_sightings_options_t options = { .repeat_window_ms = window_ms, .memory_bytes = 1 << 20 };
    assert_int_equal(
        enrich_sightings_open(self->store, &options, &self->made.world, &self->sightings), NRS_OK);
    assert_int_equal(nrs_txn_begin(self->store, true, &self->txn), NRS_OK);
}

// Commit and go on, as at the end of a batch.
static void
s_commit(s_place_t *self)
{
    assert_int_equal(enrich_sightings_save(self->sightings, self->txn), NRS_OK);
    assert_int_equal(nrs_txn_commit(&self->txn), NRS_OK);
    assert_int_equal(nrs_txn_begin(self->store, true, &self->txn), NRS_OK);
}

static void
s_close(s_place_t *self)
{
    nrs_txn_destroy(&self->txn);
    enrich_sightings_destroy(&self->sightings);
    nrs_store_destroy(&self->store);
}

static void
s_start(s_place_t *self, int64_t window_ms)
{
    *self = (s_place_t){ 0 };
    strcpy(self->dir, "/tmp/noroshi-sightings-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    nrs_world_made_init(&self->made, 0, 42);
    s_open(self, window_ms);
}

static void
s_end(s_place_t *self)
{
    s_close(self);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", self->dir);
    assert_int_equal(system(command), 0);
}

static enrich_sighting_t
s_count(s_place_t *self, const char *value, const char *by, uint64_t observed, uint64_t received,
        uint8_t id)
{
    uint8_t bytes[NRS_ID_BYTES] = { id };
    enrich_report_t report = {
        .kind = NRS_KIND_DOMAIN,
        .value = nrs_text(value),
        .id = nrs_bytes(bytes, sizeof bytes),
        .originator = nrs_text(by),
        .observed_at = observed,
        .received_at = received,
        .tlp = self->tlp,
        .onward = self->onward,
    };
    enrich_sighting_t sighting;
    assert_int_equal(enrich_sightings_count(self->sightings, self->txn, &report, &sighting),
                     NRS_OK);
    assert_true(sighting.first_seen_at <= sighting.last_seen_at);
    assert_true(sighting.reporters >= 1 && sighting.reporters <= sighting.count);
    return sighting;
}

static void
test_sightings_tell_first_last_count_and_reporters(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    enrich_sighting_t got = s_count(&place, "a.example", "one", 500, 1000, 1);
    assert_false(got.repeat);
    assert_int_equal(got.count, 1);
    got = s_count(&place, "a.example", "one", 900, 1100, 2); // the same member: no new reporter
    assert_true(got.repeat);
    assert_int_equal(got.reporters, 1);
    got = s_count(&place, "a.example", "two", 300, 1200, 3); // seen earlier, told later
    assert_int_equal(got.first_seen_at, 300);
    assert_int_equal(got.last_seen_at, 900);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.reporters, 2);
    assert_int_equal(got.first_id[0], 1);
    assert_false(s_count(&place, "b.example", "one", 1, 1200, 4).repeat);
    s_end(&place);
}

static void
test_sightings_let_pass_whole_again_after_the_window(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    assert_false(s_count(&place, "a.example", "one", 1, 10 * HOUR, 1).repeat);
    assert_true(s_count(&place, "a.example", "one", 1, 11 * HOUR - 1, 2).repeat);
    assert_false(s_count(&place, "a.example", "one", 1, 11 * HOUR, 3)
                     .repeat); // counted from the last whole one
    assert_true(s_count(&place, "a.example", "one", 1, 11 * HOUR + 1, 4).repeat);
    assert_true(
        s_count(&place, "a.example", "one", 1, 9 * HOUR, 5).repeat); // another clock, behind
    s_end(&place);
}

static void
test_sightings_let_pass_whole_what_is_given_under_more_open_terms(void **state)
{
    (void)state;
    static const struct {
        uint64_t tlp, onward; // 0: absent, the narrowest
        bool repeat;
    } reports[] = {
        { NRS_TLP_AMBER, NRS_ONWARD_DENY, false }, // the first
        { NRS_TLP_AMBER, NRS_ONWARD_DENY, true },
        { NRS_TLP_RED, NRS_ONWARD_DENY, true }, // narrower
        { 0, 0, true },
        { NRS_TLP_GREEN, NRS_ONWARD_DENY, false }, // another label: more may have it
        { NRS_TLP_AMBER, NRS_ONWARD_DENY, true },  // as the first
        { NRS_TLP_RED, NRS_ONWARD_ASK, false },    // another condition
        { NRS_TLP_RED, NRS_ONWARD_ALLOW, false },
        { NRS_TLP_GREEN, NRS_ONWARD_DENY, true },
        { NRS_TLP_GREEN, NRS_ONWARD_ALLOW, false }, // each was as open before, but not the pair
        { NRS_TLP_CLEAR, NRS_ONWARD_ALLOW, false },
        { NRS_TLP_CLEAR, NRS_ONWARD_ALLOW, true }, // nothing is more open
    };
    s_place_t place;
    s_start(&place, HOUR);
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        place.tlp = reports[i].tlp;
        place.onward = reports[i].onward;
        if (s_count(&place, "a.example", "one", 1, 1, (uint8_t)i).repeat != reports[i].repeat)
            fail_msg("report %zu", i);
    }
    s_end(&place);
}

static void
test_sightings_remember_the_terms_over_a_restart(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    place.tlp = NRS_TLP_GREEN;
    assert_false(s_count(&place, "a.example", "one", 1, 1, 1).repeat);
    s_commit(&place);
    s_close(&place);
    s_open(&place, HOUR);
    assert_true(s_count(&place, "a.example", "one", 1, 2, 2).repeat);
    place.tlp = NRS_TLP_CLEAR;
    assert_false(s_count(&place, "a.example", "one", 1, 3, 3).repeat);
    s_end(&place);
}

static void
test_sightings_count_the_window_from_the_last_whole_report_of_any_terms(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    place.tlp = NRS_TLP_AMBER;
    assert_false(s_count(&place, "a.example", "one", 1, 10 * HOUR, 1).repeat);
    place.tlp = NRS_TLP_GREEN;
    assert_false(s_count(&place, "a.example", "one", 1, 11 * HOUR - 1, 2).repeat);
    assert_true(s_count(&place, "a.example", "one", 1, 11 * HOUR, 3).repeat);
    assert_false(s_count(&place, "a.example", "one", 1, 12 * HOUR - 1, 4).repeat);
    s_end(&place);
}

static void
test_sightings_without_a_window_repeat_nothing(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, 0);
    assert_false(s_count(&place, "a.example", "one", 1, 10, 1).repeat);
    assert_false(s_count(&place, "a.example", "one", 1, 10, 2).repeat);
    assert_false(s_count(&place, "a.example", "one", 1, 5, 3).repeat);
    s_end(&place);
}

static void
test_sightings_survive_a_restart(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    s_count(&place, "a.example", "one", 100, 1000, 1);
    s_count(&place, "a.example", "two", 200, 1000, 2);
    s_commit(&place);
    s_count(&place, "a.example", "three", 300, 1000, 3); // lost with its transaction
    s_close(&place);
    place.made.seed = 77; // another world draws another seed; the store's is used
    s_open(&place, HOUR);
    enrich_sighting_t got = s_count(&place, "a.example", "two", 400, 1100, 4);
    assert_true(got.repeat);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.reporters, 2);
    assert_int_equal(got.first_seen_at, 100);
    assert_int_equal(got.first_id[0], 1);
    assert_int_equal(enrich_sightings_known(place.sightings, place.txn), 1);
    s_end(&place);
}

static void
test_sightings_count_reporters_exactly_up_to_a_limit_and_never_fall(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    uint64_t before = 0;
    for (unsigned i = 0; i < 2 * ENRICH_REPORTERS_EXACT; i++) {
        char by[16];
        snprintf(by, sizeof by, "member-%u", i);
        uint64_t now = s_count(&place, "a.example", by, 1, 1, 1).reporters;
        assert_int_equal(now, i < ENRICH_REPORTERS_EXACT ? i + 1 : ENRICH_REPORTERS_EXACT);
        assert_true(now >= before);
        before = now;
    }
    s_end(&place);
}

static void
test_sightings_are_looked_at_without_counting(void **state)
{
    (void)state;
    s_place_t place;
    s_start(&place, HOUR);
    enrich_sighting_t got;
    nrs_bytes_t value = nrs_text("a.example");
    assert_int_equal(enrich_sightings_get(place.sightings, place.txn, NRS_KIND_DOMAIN, value, &got),
                     NRS_E_ABSENT);
    s_count(&place, "a.example", "one", 1, 1, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            enrich_sightings_get(place.sightings, place.txn, NRS_KIND_DOMAIN, value, &got), NRS_OK);
        assert_int_equal(got.count, 1);
    }
    // The kind is a part of the key.
    assert_int_equal(enrich_sightings_get(place.sightings, place.txn, NRS_KIND_TEXT, value, &got),
                     NRS_E_ABSENT);
    s_end(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sightings_tell_first_last_count_and_reporters),
        cmocka_unit_test(test_sightings_let_pass_whole_again_after_the_window),
        cmocka_unit_test(test_sightings_let_pass_whole_what_is_given_under_more_open_terms),
        cmocka_unit_test(test_sightings_remember_the_terms_over_a_restart),
        cmocka_unit_test(test_sightings_count_the_window_from_the_last_whole_report_of_any_terms),
        cmocka_unit_test(test_sightings_without_a_window_repeat_nothing),
        cmocka_unit_test(test_sightings_survive_a_restart),
        cmocka_unit_test(test_sightings_count_reporters_exactly_up_to_a_limit_and_never_fall),
        cmocka_unit_test(test_sightings_are_looked_at_without_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
