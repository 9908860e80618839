// Which events are here already: within a batch, across batches, and when there are too many.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/ingest/batches.h"

static void
s_id(uint64_t n, uint8_t into[NRS_ID_BYTES])
{
    memset(into, 0, NRS_ID_BYTES);
    nrs_put_be64(into + 8, n * 0x9e3779b97f4a7c15u);
}

static bool
s_has(batches_t *self, uint64_t n, uint64_t *ret_offset)
{
    uint8_t id[NRS_ID_BYTES];
    nrs_origin_place_t place = { 0 };
    s_id(n, id);
    nrs_err_t err = ingest_known_get(self->known, self->out.txn, id, &place);
    assert_true(err == NRS_OK || err == NRS_E_ABSENT);
    if (ret_offset)
        *ret_offset = place.offset;
    return err == NRS_OK;
}

static void
s_put(batches_t *self, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        uint8_t id[NRS_ID_BYTES];
        nrs_origin_place_t place = { .lane = 7, .epoch = 2, .offset = n };
        s_id(n, id);
        ingest_known_put(self->known, id, &place);
    }
}

static void
test_known_finds_ids_of_this_batch_and_of_earlier_ones(void **state)
{
    (void)state;
    batches_t batches;
    uint64_t offset = 0;
    batches_open(&batches, "sources: {}\n");
    batches_begin(&batches);
    s_put(&batches, 0, 10000); // more than it has room for at first
    assert_true(s_has(&batches, 9999, &offset));
    assert_int_equal(offset, 9999);
    assert_false(s_has(&batches, 10000, NULL));
    ingest_known_forget(batches.known);
    assert_false(s_has(&batches, 1, NULL));
    s_put(&batches, 0, 500);
    batches_commit(&batches);
    batches_begin(&batches);
    assert_true(s_has(&batches, 499, &offset));
    assert_int_equal(offset, 499);
    batches_commit(&batches);
    batches_close(&batches);
}

static void
test_known_forgets_the_oldest_when_there_are_too_many(void **state)
{
    (void)state;
    batches_t batches;
    batches_open(&batches, "sources: {}\n"); // keeps 1000
    for (uint64_t n = 0; n < 3000; n += 100) {
        batches_begin(&batches);
        s_put(&batches, n, n + 100);
        batches_commit(&batches);
    }
    batches_begin(&batches);
    assert_false(s_has(&batches, 0, NULL));
    assert_false(s_has(&batches, 1999, NULL));
    assert_true(s_has(&batches, 2000, NULL));
    assert_true(s_has(&batches, 2999, NULL));
    batches_commit(&batches);
    batches_close(&batches);
}

static void
test_known_is_known_after_a_restart(void **state)
{
    (void)state;
    batches_t batches;
    batches_open(&batches, "sources: {}\n");
    for (uint64_t n = 0; n < 900; n += 300) {
        batches_begin(&batches);
        s_put(&batches, n, n + 300);
        batches_commit(&batches);
        ingest_known_destroy(&batches.known);
        assert_int_equal(ingest_known_open(batches.store, 600, &batches.known), NRS_OK);
    }
    batches_begin(&batches);
    assert_false(s_has(&batches, 0, NULL)); // the age of what is there goes on too
    assert_true(s_has(&batches, 300, NULL));
    assert_true(s_has(&batches, 899, NULL));
    batches_commit(&batches);
    batches_close(&batches);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_finds_ids_of_this_batch_and_of_earlier_ones),
        cmocka_unit_test(test_known_forgets_the_oldest_when_there_are_too_many),
        cmocka_unit_test(test_known_is_known_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
