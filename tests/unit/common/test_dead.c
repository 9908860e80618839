// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/dead.h"
#include "tests/fixtures/scratch.h"

typedef struct s_desk {
    nrs_store_t *store;
    nrs_dead_letters_t *letters;
} s_desk_t;

static void
s_open(s_desk_t *self, const char *name, uint64_t letters_max, uint64_t bytes_max)
{
    nrs_store_options_t options = { .path = scratch_path(name), .bytes_max = 1 << 24 };
    assert_int_equal(nrs_store_open(&options, NULL, &self->store), NRS_OK);
    assert_int_equal(nrs_dead_letters_open(self->store, letters_max, bytes_max, &self->letters),
                     NRS_OK);
}

static void
s_close(s_desk_t *self)
{
    nrs_dead_letters_destroy(&self->letters);
    nrs_store_destroy(&self->store);
}

// The letters can all be read, in the order of their ids, and are as many as it says.
static void
s_assert_sane(s_desk_t *self, uint64_t count)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, false, &txn), NRS_OK);
    assert_int_equal(nrs_dead_letters_count(self->letters), count);
    uint64_t id = 0;
    nrs_dead_kept_t kept;
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(nrs_dead_letters_get(self->letters, txn, id + 1, &kept), NRS_OK);
        assert_true(kept.id > id);
        id = kept.id;
    }
    assert_int_equal(nrs_dead_letters_get(self->letters, txn, id + 1, &kept), NRS_E_ABSENT);
    assert_true(nrs_dead_letters_last(self->letters) >= id);
}

static nrs_err_t
s_append(s_desk_t *self, nrs_dead_t dead)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    nrs_err_t err = nrs_dead_letters_append(self->letters, txn, 1700000000000, &dead);
    return err ? err : nrs_txn_commit(&txn);
}

static nrs_err_t
s_drop(s_desk_t *self, uint64_t id)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    nrs_err_t err = nrs_dead_letters_drop(self->letters, txn, id);
    return err ? err : nrs_txn_commit(&txn);
}

static const nrs_dead_t s_letter = {
    .reason = "utf8",
    .text = "the record is not UTF-8",
    .source = { (const uint8_t *)"feed", 4 },
    .place = { (const uint8_t *)"a.csv:17", 8 },
    .bytes = { (const uint8_t *)"\xff,x\n", 4 },
};

// The letter of line 17, 18, 19, ...: each another one.
static nrs_err_t
s_append_next(s_desk_t *self)
{
    static int line = 17;
    char place[32];
    nrs_dead_t dead = s_letter;
    snprintf(place, sizeof place, "a.csv:%d", line++);
    dead.place = nrs_text(place);
    return s_append(self, dead);
}

static void
test_dead_letters_are_kept_with_their_bytes(void **state)
{
    (void)state;
    s_desk_t self;
    s_open(&self, "kept", 100, 1 << 20);
    s_assert_sane(&self, 0);
    assert_int_equal(nrs_dead_letters_last(self.letters), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(s_append_next(&self), NRS_OK);
    nrs_dead_t third = s_letter;
    third.place = nrs_text("b.csv:1");
    assert_int_equal(s_append(&self, third), NRS_OK);
    s_assert_sane(&self, 3);
    assert_int_equal(s_drop(&self, 2), NRS_OK);
    assert_int_equal(s_drop(&self, 2), NRS_E_ABSENT);
    s_assert_sane(&self, 2);
    s_close(&self);
    s_open(&self, "kept", 100, 1 << 20);
    s_assert_sane(&self, 2);
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_dead_kept_t kept;
    assert_int_equal(nrs_txn_begin(self.store, false, &txn), NRS_OK);
    assert_int_equal(nrs_dead_letters_get(self.letters, txn, 2, &kept), NRS_OK);
    assert_int_equal(kept.id, 3); // the first from 2 on
    assert_int_equal(kept.at_ms, 1700000000000);
    assert_true(nrs_bytes_is(kept.reason, "utf8") && nrs_bytes_is(kept.source, "feed"));
    assert_true(nrs_bytes_equal(kept.bytes, s_letter.bytes));
    assert_int_equal(kept.bytes_total, 4);
    nrs_buf_t json = { 0 };
    nrs_dead_json(&kept, true, &json);
    assert_string_equal(
        nrs_buf_cstr(&json),
        "{\"id\":3,\"at\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"utf8\","
        "\"text\":\"the record is not UTF-8\",\"source\":\"feed\",\"place\":\"b.csv:1\","
        "\"size\":4,\"bytes\":\"\xef\xbf\xbd,x\\n\",\"base64\":\"/yx4Cg==\"}");
    nrs_buf_free(&json);
    nrs_txn_destroy(&txn);
    s_close(&self);
}

static void
test_dead_letter_that_comes_again_is_kept_once(void **state)
{
    (void)state;
    s_desk_t self;
    s_open(&self, "again", 100, 1 << 20);
    nrs_dead_t same = s_letter, other = s_letter;
    same.reason = "json"; // another reading of the same record
    other.bytes = nrs_text("other bytes");
    assert_int_equal(s_append(&self, s_letter), NRS_OK);
    assert_int_equal(s_append(&self, same), NRS_OK);
    s_assert_sane(&self, 1);
    assert_int_equal(s_append(&self, other), NRS_OK);
    s_assert_sane(&self, 2);
    s_close(&self);
    s_open(&self, "again", 100, 1 << 20);
    assert_int_equal(s_append(&self, s_letter), NRS_OK);
    s_assert_sane(&self, 2);
    assert_int_equal(s_drop(&self, 1), NRS_OK); // once it is dropped it may die again
    assert_int_equal(s_append(&self, s_letter), NRS_OK);
    s_assert_sane(&self, 2);
    s_close(&self);
}

static void
test_dead_letters_are_bounded(void **state)
{
    (void)state;
    s_desk_t self;
    s_open(&self, "bounded", 3, 1 << 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s_append_next(&self), NRS_OK);
    assert_int_equal(s_append_next(&self), NRS_E_FULL);
    s_assert_sane(&self, 3);
    assert_int_equal(s_drop(&self, 1), NRS_OK);
    assert_int_equal(s_append_next(&self), NRS_OK);
    s_close(&self);
    s_open(&self, "bounded", 100, 100); // a limit of bytes that is passed already
    assert_int_equal(s_append_next(&self), NRS_E_FULL);
    s_assert_sane(&self, 3);
    s_close(&self);
}

static void
test_dead_letter_of_any_size_is_cut(void **state)
{
    (void)state;
    s_desk_t self;
    s_open(&self, "cut", 100, 1 << 20);
    char *text = nrs_alloc0(100001, 1);
    memset(text, 'y', 100000);
    nrs_dead_t dead = {
        .reason = "too-long",
        .text = text,
        .source = nrs_bytes(text, 5000),
        .bytes = nrs_bytes(text, 100000),
    };
    assert_int_equal(s_append(&self, dead), NRS_OK);
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_dead_kept_t kept;
    assert_int_equal(nrs_txn_begin(self.store, false, &txn), NRS_OK);
    assert_int_equal(nrs_dead_letters_get(self.letters, txn, 1, &kept), NRS_OK);
    assert_int_equal(kept.bytes.size, NRS_DEAD_BYTES_MAX);
    assert_int_equal(kept.bytes_total, 100000);
    assert_int_equal(kept.source.size, 1024);
    free(text);
    nrs_txn_destroy(&txn);
    s_close(&self);
}

// The id of a dropped letter is not given to another one: a person may still have it on the screen.
static void
test_dead_letter_ids_are_not_used_again(void **state)
{
    (void)state;
    s_desk_t self;
    s_open(&self, "ids", 100, 1 << 20);
    assert_int_equal(s_append_next(&self), NRS_OK);
    assert_int_equal(s_append_next(&self), NRS_OK);
    assert_int_equal(s_drop(&self, 2), NRS_OK);
    assert_int_equal(s_append_next(&self), NRS_OK);
    assert_int_equal(nrs_dead_letters_last(self.letters), 3);
    s_assert_sane(&self, 2);
    s_close(&self);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_letters_are_kept_with_their_bytes),
        cmocka_unit_test(test_dead_letter_that_comes_again_is_kept_once),
        cmocka_unit_test(test_dead_letters_are_bounded),
        cmocka_unit_test(test_dead_letter_of_any_size_is_cut),
        cmocka_unit_test(test_dead_letter_ids_are_not_used_again),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
