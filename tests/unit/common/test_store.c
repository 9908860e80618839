// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "tests/fixtures/stores.h"

#include <sys/wait.h>

// What a store says of itself adds up.
static void
s_assert_sane(nrs_store_t *store)
{
    nrs_store_use_t use;
    nrs_store_use(store, &use);
    assert_true(use.used_bytes <= use.file_bytes);
    assert_true(use.file_bytes <= use.bytes_max);
    assert_int_equal(use.file_bytes % 4096, 0);
    uint64_t limit = use.bytes_max / 100 * 85, reserve = 8 << 20;
    if (use.bytes_max - limit < reserve)
        limit = use.bytes_max - reserve;
    assert_true(nrs_store_has_room(store) == (use.used_bytes < limit));
}

static void
test_store_keeps_what_was_committed(void **state)
{
    (void)state;
    const char *path = scratch_path("kept");
    nrs_store_t *store = stores_open(path, 1 << 24);
    nrs_store_table_t a = stores_table(store, "a"), b = stores_table(store, "b");
    stores_put(store, a, "k", "1");
    stores_put(store, b, "k", "2");
    nrs_txn_t *txn = stores_begin(store, true);
    assert_int_equal(nrs_txn_put(txn, a, nrs_text("k"), nrs_text("3")), NRS_OK);
    nrs_txn_destroy(&txn); // not committed
    s_assert_sane(store);
    nrs_store_destroy(&store);
    store = stores_open(path, 1 << 24);
    b = stores_table(store, "b"); // the numbers of tables belong to the object, not to the file
    a = stores_table(store, "a");
    stores_assert_is(store, a, "k", "1");
    stores_assert_is(store, b, "k", "2");
    txn = stores_begin(store, true);
    assert_int_equal(nrs_txn_count(txn, a), 1);
    assert_int_equal(nrs_txn_drop(txn, a, nrs_text("k")), NRS_OK);
    assert_int_equal(nrs_txn_drop(txn, a, nrs_text("k")), NRS_E_ABSENT);
    assert_int_equal(nrs_txn_count(txn, a), 0);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    stores_assert_is(store, a, "k", NULL);
    s_assert_sane(store);
    nrs_store_destroy(&store);
}

static void
test_store_reserves_room_to_be_filled(void **state)
{
    (void)state;
    nrs_store_t *store = stores_open(scratch_path("reserve"), 1 << 24);
    nrs_store_table_t table = stores_table(store, "t");
    nrs_txn_t *txn = stores_begin(store, true);
    uint8_t *room;
    assert_int_equal(nrs_txn_reserve(txn, table, nrs_text("k"), 65520, &room), NRS_OK);
    memset(room, 'x', 65520);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    txn = stores_begin(store, false);
    nrs_bytes_t found;
    assert_int_equal(nrs_txn_get(txn, table, nrs_text("k"), &found), NRS_OK);
    assert_int_equal(found.size, 65520);
    assert_int_equal(found.data[65519], 'x');
    nrs_txn_destroy(&txn);
    nrs_store_destroy(&store);
}

static void
test_store_has_one_writer(void **state)
{
    (void)state;
    const char *path = scratch_path("writer");
    nrs_store_t *store = stores_open(path, 1 << 24), *second = NULL;
    nrs_problem_t problem = { 0 };
    nrs_store_options_t options = { .path = path };
    assert_int_equal(stores_try_open(&options, &problem, &second), NRS_E_EXISTS);
    assert_non_null(strstr(problem.text, "another process"));
    assert_null(second);
    nrs_store_destroy(&store);
    store = stores_open(path, 1 << 24); // let go with the object
    nrs_store_destroy(&store);
}

static void
test_store_is_looked_at_beside_its_writer(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("beside"));
    nrs_store_t *store = stores_open(path, 1 << 24);
    nrs_store_table_t table = stores_table(store, "t");
    stores_put(store, table, "k", "seen");
    pid_t child = fork(); // LMDB wants one environment a process
    assert_true(child >= 0);
    if (child == 0) {
        nrs_store_t *look = NULL;
        nrs_store_table_t found;
        nrs_store_options_t options = { .path = path, .read_only = true };
        bool good = stores_try_open(&options, NULL, &look) == NRS_OK &&
                    nrs_store_table(look, "t", &found) == NRS_OK &&
                    nrs_store_table(look, "none", &found) == NRS_E_ABSENT;
        nrs_store_destroy(&look);
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    stores_put(store, table, "k", "goes on");
    nrs_store_destroy(&store);
    nrs_problem_t problem = { 0 };
    nrs_store_options_t options = { .path = scratch_path("nowhere"), .read_only = true };
    assert_int_equal(stores_try_open(&options, &problem, &store), NRS_E_IO);
    assert_non_null(strstr(problem.text, "cannot be opened"));
}

// In a process of its own: open, say so, wait for a word, and look again.
static void
s_look_twice(const char *path, int tell, int hear)
{
    nrs_store_t *look = NULL;
    nrs_txn_t *txn = NULL;
    nrs_store_table_t table;
    nrs_bytes_t value = NRS_NONE;
    char word = 'o';
    nrs_store_options_t options = { .path = path, .bytes_max = 16 << 20, .read_only = true };
    bool good = nrs_store_open(&options, NULL, &look) == NRS_OK &&
                nrs_store_table(look, "t", &table) == NRS_OK;
    good &= write(tell, &word, 1) == 1 && read(hear, &word, 1) == 1;
    good = good && nrs_txn_begin(look, false, &txn) == NRS_OK &&
           nrs_txn_get(txn, table, nrs_text("last"), &value) == NRS_OK && value.size == 65520;
    nrs_txn_destroy(&txn);
    nrs_store_destroy(&look);
    _exit(good ? 0 : 1);
}

static void
test_store_that_grows_is_seen_by_who_looks(void **state)
{
    (void)state;
    char path[256];
    int told[2], tell[2], status;
    char word;
    snprintf(path, sizeof path, "%s", scratch_path("grows"));
    nrs_store_t *store = stores_open(path, 16 << 20);
    stores_put(store, stores_table(store, "t"), "k", "first");
    nrs_store_destroy(&store);
    assert_true(pipe(told) == 0 && pipe(tell) == 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        s_look_twice(path, told[1], tell[0]);
    assert_int_equal(read(told[0], &word, 1), 1);
    store = stores_open(path, 64 << 20); // beyond the map of the one who looks
    nrs_store_table_t table = stores_table(store, "t");
    nrs_txn_t *txn = stores_begin(store, true);
    for (uint32_t i = 0; i < 400; i++) {
        char key[16];
        uint8_t *room;
        snprintf(key, sizeof key, "%u", i);
        nrs_bytes_t name = nrs_text(i < 399 ? key : "last");
        assert_int_equal(nrs_txn_reserve(txn, table, name, 65520, &room), NRS_OK);
        memset(room, 'x', 65520);
    }
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    assert_int_equal(write(tell[1], &word, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        close(told[i]);
        close(tell[i]);
    }
    nrs_store_destroy(&store);
}

static void
s_write_record(const char *path, uint8_t version, const char *magic)
{
    nrs_store_t *store = stores_open(path, 1 << 24);
    nrs_store_table_t table = stores_table(store, "store");
    uint8_t record[9];
    memcpy(record, magic, 8);
    record[8] = version;
    nrs_txn_t *txn = stores_begin(store, true);
    assert_int_equal(
        nrs_txn_put(txn, table, nrs_text("noroshi.store"), nrs_bytes(record, sizeof record)),
        NRS_OK);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    nrs_store_destroy(&store);
}

static void
test_store_of_a_newer_version_or_of_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *magic;
        uint8_t version;
        nrs_err_t err;
        const char *problem;
    } cases[] = {
        { "same", "NRSTORE", 1, NRS_OK, "" },
        { "newer", "NRSTORE", 2, NRS_E_VERSION, "newer version (2; this one knows 1)" },
        { "other", "ANOTHER", 1, NRS_E_CORRUPT, "no store of Noroshi" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = scratch_path(cases[i].name);
        s_write_record(path, cases[i].version, cases[i].magic);
        nrs_store_t *store = NULL;
        nrs_problem_t problem = { 0 };
        nrs_store_options_t options = { .path = path };
        assert_int_equal(stores_try_open(&options, &problem, &store), cases[i].err);
        assert_non_null(strstr(problem.text, cases[i].problem));
        nrs_store_destroy(&store);
    }
}

static void
test_store_that_is_no_directory_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("file");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    nrs_store_t *store = NULL;
    nrs_problem_t problem = { 0 };
    nrs_store_options_t options = { .path = path };
    assert_int_equal(nrs_store_open(&options, &problem, &store), NRS_E_IO);
    assert_string_equal(problem.file, path);
    assert_null(store);
}

// Put values of 64 KiB, one a commit, until there is no room. Returns how many there are.
static uint32_t
s_fill(nrs_store_t *store, nrs_store_table_t table, uint32_t from, bool politely)
{
    for (uint32_t i = from;; i++) {
        if (politely && !nrs_store_has_room(store))
            return i;
        uint8_t key[4], *room;
        nrs_put_be32(key, i);
        NRS_AUTO(nrs_txn) txn = stores_begin(store, true);
        nrs_err_t err = nrs_txn_reserve(txn, table, nrs_bytes(key, 4), 65520, &room);
        if (!err)
            memset(room, (int)i, 65520);
        err = err ? err : nrs_txn_commit(&txn);
        if (err) {
            assert_int_equal(err, NRS_E_FULL);
            return i;
        }
        s_assert_sane(store);
    }
}

static void
test_store_that_is_full_refuses_and_can_still_be_trimmed(void **state)
{
    (void)state;
    const char *path = scratch_path("full");
    nrs_store_t *store = stores_open(path, 16 << 20);
    nrs_store_table_t table = stores_table(store, "t");
    uint32_t polite = s_fill(store, table, 0, true);
    assert_in_range(polite, (16 - 8) * 16 - 2,
                    (16 - 8) * 16); // 16 values a MiB, and 8 MiB stay free
    assert_false(nrs_store_has_room(store));
    uint32_t all = s_fill(store, table, polite, false);
    assert_true(all > polite);
    for (uint32_t i = 0; i < all / 2; i++) { // dropping works when nothing else does
        uint8_t key[4];
        nrs_put_be32(key, i);
        nrs_txn_t *txn = stores_begin(store, true);
        assert_int_equal(nrs_txn_drop(txn, table, nrs_bytes(key, 4)), NRS_OK);
        assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    }
    s_assert_sane(store);
    assert_true(nrs_store_has_room(store));
    assert_true(s_fill(store, table, all, true) > all); // what was trimmed is used again
    nrs_store_destroy(&store);
    store = stores_open(path, 32 << 20); // a greater limit, and it has room
    assert_true(nrs_store_has_room(store));
    nrs_store_destroy(&store);
}

// --- scans ---------------------------------------------------------------------------------------

static void
test_scan_finds_neighbours(void **state)
{
    (void)state;
    nrs_store_t *store = stores_open(scratch_path("scan"), 1 << 24);
    nrs_store_table_t table = stores_table(store, "t"), empty = stores_table(store, "e");
    stores_put(store, table, "b", "2");
    stores_put(store, table, "d", "4");
    stores_put(store, table, "f", "6");
    static const struct {
        const char *key;
        const char *at;   // seek
        const char *back; // seek back
    } cases[] = {
        { "a", "b", NULL }, { "b", "b", "b" }, { "c", "d", "b" },  { "d", "d", "d" },
        { "e", "f", "d" },  { "f", "f", "f" }, { "g", NULL, "f" },
    };
    nrs_txn_t *txn = stores_begin(store, false);
    nrs_scan_t *scan = NULL;
    nrs_bytes_t key = NRS_NONE, value;
    assert_int_equal(nrs_scan_open(txn, table, &scan), NRS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_err_t err = nrs_scan_seek(scan, nrs_text(cases[i].key), &key, &value);
        assert_true(cases[i].at ? !err && nrs_bytes_is(key, cases[i].at) : err == NRS_E_ABSENT);
        err = nrs_scan_seek_back(scan, nrs_text(cases[i].key), &key, &value);
        assert_true(cases[i].back ? !err && nrs_bytes_is(key, cases[i].back) : err == NRS_E_ABSENT);
    }
    assert_int_equal(nrs_scan_seek(scan, NRS_NONE, &key, &value), NRS_OK);
    assert_true(nrs_bytes_is(key, "b") && nrs_bytes_is(value, "2"));
    assert_int_equal(nrs_scan_back(scan, &key, &value), NRS_E_ABSENT);
    assert_int_equal(nrs_scan_seek(scan, nrs_text("d"), &key, &value), NRS_OK);
    assert_int_equal(nrs_scan_next(scan, &key, &value), NRS_OK);
    assert_true(nrs_bytes_is(key, "f"));
    assert_int_equal(nrs_scan_next(scan, &key, &value), NRS_E_ABSENT);
    nrs_scan_destroy(&scan);
    assert_int_equal(nrs_scan_open(txn, empty, &scan), NRS_OK);
    assert_int_equal(nrs_scan_seek(scan, NRS_NONE, &key, &value), NRS_E_ABSENT);
    assert_int_equal(nrs_scan_seek_back(scan, nrs_text("x"), &key, &value), NRS_E_ABSENT);
    nrs_scan_destroy(&scan);
    nrs_txn_destroy(&txn);
    nrs_store_destroy(&store);
}

static void
test_scan_drops_what_it_stands_on(void **state)
{
    (void)state;
    nrs_store_t *store = stores_open(scratch_path("drop"), 1 << 24);
    nrs_store_table_t table = stores_table(store, "t");
    static const char *const keys[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < 4; i++)
        stores_put(store, table, keys[i], keys[i]);
    nrs_txn_t *txn = stores_begin(store, true);
    nrs_scan_t *scan = NULL;
    nrs_bytes_t key, value;
    assert_int_equal(nrs_scan_open(txn, table, &scan), NRS_OK);
    assert_int_equal(nrs_scan_seek(scan, nrs_text("b"), &key, &value), NRS_OK);
    assert_int_equal(nrs_scan_drop(scan), NRS_OK);
    assert_int_equal(nrs_scan_next(scan, &key, &value), NRS_OK);
    assert_true(nrs_bytes_is(key, "c")); // not "d"
    assert_int_equal(nrs_scan_drop(scan), NRS_OK);
    assert_int_equal(nrs_scan_next(scan, &key, &value), NRS_OK);
    assert_true(nrs_bytes_is(key, "d"));
    nrs_scan_destroy(&scan);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    stores_assert_is(store, table, "a", "a");
    stores_assert_is(store, table, "b", NULL);
    stores_assert_is(store, table, "c", NULL);
    stores_assert_is(store, table, "d", "d");
    nrs_store_destroy(&store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_keeps_what_was_committed),
        cmocka_unit_test(test_store_reserves_room_to_be_filled),
        cmocka_unit_test(test_store_has_one_writer),
        cmocka_unit_test(test_store_is_looked_at_beside_its_writer),
        cmocka_unit_test(test_store_of_a_newer_version_or_of_others_is_refused),
        cmocka_unit_test(test_store_that_is_full_refuses_and_can_still_be_trimmed),
        cmocka_unit_test(test_scan_finds_neighbours),
        cmocka_unit_test(test_scan_drops_what_it_stands_on),
    };
    const struct CMUnitTest of_files[] = {
        cmocka_unit_test(test_store_that_grows_is_seen_by_who_looks),
        cmocka_unit_test(test_store_that_is_no_directory_is_refused),
    };
    return stores_run_in_each(tests) + cmocka_run_group_tests(of_files, stores_in_lmdb, stores_drop);
}
