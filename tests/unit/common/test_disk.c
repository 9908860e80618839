// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "tests/fixtures/stores.h"

// What goes wrong on a disk in memory, and what is there afterwards. No path is touched.

enum { STORE_BYTES = 16 << 20 };

static nrs_disk_t *
s_disk(void)
{
    return stores_made.disk;
}

static void
test_commit_fails_when_it_is_told_to_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned nth;
        nrs_err_t err;
    } cases[] = { { "io-1", 1, NRS_E_IO }, { "io-4", 4, NRS_E_IO }, { "full-2", 2, NRS_E_FULL } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_store_t *store = stores_open(cases[i].path, STORE_BYTES);
        nrs_store_table_t table = stores_table(store, "t"), other = stores_table(store, "o");
        nrs_disk_fail_commit(s_disk(), cases[i].path, cases[i].nth, cases[i].err);
        for (unsigned done = 1; done < cases[i].nth; done++)
            stores_put(store, table, "k", done % 2 ? "odd" : "even");
        nrs_txn_t *look = stores_begin(store, false); // looking is no commit that could fail
        assert_int_equal(nrs_txn_commit(&look), NRS_OK);
        nrs_store_use_t before, after;
        nrs_store_use(store, &before);
        nrs_txn_t *txn = stores_begin(store, true);
        assert_int_equal(nrs_txn_put(txn, table, nrs_text("k"), nrs_text("lost")), NRS_OK);
        assert_int_equal(nrs_txn_put(txn, other, nrs_text("k"), nrs_text("lost")), NRS_OK);
        assert_int_equal(nrs_txn_commit(&txn), cases[i].err);
        assert_null(txn);
        nrs_store_use(store, &after);
        assert_memory_equal(&before, &after, sizeof before);
        stores_assert_is(store, other, "k", NULL);
        nrs_store_destroy(&store);
        store = stores_open(cases[i].path, STORE_BYTES);
        table = stores_table(store, "t");
        stores_assert_is(store, table, "k", cases[i].nth == 1 ? NULL : cases[i].nth % 2 ? "even" : "odd");
        stores_put(store, table, "k", "goes on");
        nrs_store_destroy(&store);
    }
}

static void
test_disk_that_fails_from_the_start_is_not_opened(void **state)
{
    (void)state;
    nrs_store_t *store = NULL;
    nrs_problem_t problem = { 0 };
    nrs_store_options_t options = { .path = "new" };
    nrs_disk_fail_commit(s_disk(), "new", 1, NRS_E_FULL);
    assert_int_equal(stores_try_open(&options, &problem, &store), NRS_E_FULL);
    assert_string_equal(problem.file, "new");
    assert_null(store);
    store = stores_open("new", STORE_BYTES); // once
    nrs_store_destroy(&store);
}

static void
test_power_cut_leaves_what_was_committed(void **state)
{
    (void)state;
    nrs_store_t *before = stores_open("cut", STORE_BYTES);
    nrs_store_table_t table = stores_table(before, "t");
    stores_put(before, table, "k", "kept");
    nrs_txn_t *txn = stores_begin(before, true), *none = NULL;
    assert_int_equal(nrs_txn_put(txn, table, nrs_text("k"), nrs_text("in flight")), NRS_OK);
    nrs_disk_cut(s_disk(), "cut");
    nrs_disk_cut(s_disk(), "nowhere");
    nrs_store_t *store = stores_open("cut", STORE_BYTES); // while the old one still lies about
    table = stores_table(store, "t");
    stores_assert_is(store, table, "k", "kept");
    stores_put(store, table, "k", "after");
    assert_int_equal(nrs_txn_commit(&txn), NRS_E_IO); // what comes late reaches nothing
    assert_int_equal(nrs_txn_begin(before, true, &none), NRS_E_IO);
    assert_int_equal(nrs_txn_begin(before, false, &none), NRS_E_IO);
    assert_int_equal(nrs_store_table(before, "t2", &table), NRS_E_IO);
    nrs_store_destroy(&before);
    nrs_store_t *second = NULL;
    nrs_store_options_t options = { .path = "cut" };
    assert_int_equal(stores_try_open(&options, NULL, &second), NRS_E_EXISTS); // the new one is still the writer
    nrs_store_destroy(&store);
    store = stores_open("cut", STORE_BYTES);
    stores_assert_is(store, stores_table(store, "t"), "k", "after");
    nrs_store_destroy(&store);
}

static void
test_snapshot_stays_while_others_write(void **state)
{
    (void)state;
    nrs_store_t *store = stores_open("snapshot", STORE_BYTES), *look = NULL;
    nrs_store_table_t table = stores_table(store, "t"), seen;
    stores_put(store, table, "a", "1");
    stores_put(store, table, "b", "1");
    nrs_store_options_t options = { .path = "snapshot", .read_only = true };
    assert_int_equal(stores_try_open(&options, NULL, &look), NRS_OK); // beside its writer
    assert_int_equal(nrs_store_table(look, "t", &seen), NRS_OK);
    nrs_txn_t *old = stores_begin(look, false), *none = NULL;
    assert_int_equal(nrs_txn_begin(look, true, &none), NRS_E_IO);
    assert_int_equal(nrs_txn_begin(look, false, &none), NRS_E_IO); // one at a time, as in LMDB
    stores_put(store, table, "a", "2");
    nrs_txn_t *txn = stores_begin(store, true);
    assert_int_equal(nrs_txn_drop(txn, table, nrs_text("b")), NRS_OK);
    stores_assert_seen(txn, table, "b", NULL); // its own writes
    stores_assert_is(store, table, "b", "1");  // nobody else sees them
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    stores_assert_seen(old, seen, "a", "1");
    stores_assert_seen(old, seen, "b", "1");
    assert_int_equal(nrs_txn_count(old, seen), 2);
    assert_int_equal(nrs_txn_put(old, seen, nrs_text("c"), nrs_text("1")), NRS_E_IO);
    nrs_txn_destroy(&old);
    stores_assert_is(look, seen, "a", "2");
    stores_assert_is(look, seen, "b", NULL);
    nrs_store_destroy(&look);
    nrs_store_destroy(&store);
}

static void
test_write_that_found_no_room_can_only_be_aborted(void **state)
{
    (void)state;
    nrs_store_t *store = stores_open("small", 1 << 20);
    nrs_store_table_t table = stores_table(store, "t");
    stores_put(store, table, "k", "kept");
    nrs_txn_t *txn = stores_begin(store, true);
    uint8_t *room;
    nrs_bytes_t value;
    assert_int_equal(nrs_txn_reserve(txn, table, nrs_text("great"), 2 << 20, &room), NRS_E_FULL);
    assert_int_equal(nrs_txn_put(txn, table, nrs_text("k"), nrs_text("2")), NRS_E_IO);
    assert_int_equal(nrs_txn_get(txn, table, nrs_text("k"), &value), NRS_E_IO);
    assert_int_equal(nrs_txn_commit(&txn), NRS_E_IO);
    stores_assert_is(store, table, "k", "kept");
    nrs_store_destroy(&store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_fails_when_it_is_told_to_and_leaves_nothing),
        cmocka_unit_test(test_disk_that_fails_from_the_start_is_not_opened),
        cmocka_unit_test(test_power_cut_leaves_what_was_committed),
        cmocka_unit_test(test_snapshot_stays_while_others_write),
        cmocka_unit_test(test_write_that_found_no_room_can_only_be_aborted),
    };
    return cmocka_run_group_tests(tests, stores_in_memory, stores_drop);
}
