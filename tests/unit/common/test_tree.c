// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/tree.h"
#include "tests/fixtures/scratch.h"

enum { KEYS = 200, MOMENTS = 8 };

// A tree and what must be in it: model[i] under key i; 0: absent.
typedef struct s_moment {
    nrs_tree_t *tree;
    uint64_t model[KEYS];
} s_moment_t;

// Keys of one to three bytes, in the order of their numbers.
static nrs_bytes_t
s_key(unsigned number, uint8_t into[3])
{
    into[0] = (uint8_t)(number / 9);
    into[1] = (uint8_t)(number % 9 / 3);
    into[2] = (uint8_t)(number % 3);
    return nrs_bytes(into, number % 9 == 0 ? 1 : number % 3 == 0 ? 2 : 3);
}

// The number of the entry that is sought; KEYS: none.
static unsigned
s_expect(const s_moment_t *self, nrs_tree_at_t at, unsigned number)
{
    bool forwards = at == NRS_TREE_FROM || at == NRS_TREE_AFTER;
    unsigned i = number;
    if (at == NRS_TREE_AT)
        return self->model[i] ? i : KEYS;
    if (at == NRS_TREE_AFTER || at == NRS_TREE_BEFORE)
        i = forwards ? i + 1 : i - 1;
    while (i < KEYS && !self->model[i]) // unsigned: below 0 is beyond, too
        i = forwards ? i + 1 : i - 1;
    return i < KEYS ? i : KEYS;
}

static void
s_assert_sane(const s_moment_t *self)
{
    static const nrs_tree_at_t ats[] = { NRS_TREE_AT, NRS_TREE_FROM, NRS_TREE_AFTER, NRS_TREE_UP_TO, NRS_TREE_BEFORE };
    for (unsigned number = 0; number < KEYS; number++) {
        for (size_t i = 0; i < sizeof ats / sizeof ats[0]; i++) {
            uint8_t sought[3], expected[3];
            nrs_bytes_t key, value;
            unsigned expect = s_expect(self, ats[i], number);
            bool found = nrs_tree_find(self->tree, ats[i], s_key(number, sought), &key, &value);
            assert_true(found == (expect < KEYS));
            if (!found)
                continue;
            assert_true(nrs_bytes_equal(key, s_key(expect, expected)));
            assert_int_equal(value.size, 8);
            assert_true(nrs_get_le64(value.data) == self->model[expect]);
        }
    }
}

static void
s_change(s_moment_t *self, uint64_t *seed)
{
    uint8_t into[3];
    unsigned number = (unsigned)(scratch_random(seed) % KEYS);
    nrs_bytes_t key = s_key(number, into);
    if (self->model[number] && scratch_random(seed) % 2) {
        nrs_tree_drop(&self->tree, key);
        self->model[number] = 0;
        return;
    }
    self->model[number] = scratch_random(seed) | 1;
    uint8_t *room = nrs_tree_put(&self->tree, key, nrs_bytes(NULL, 8));
    assert_true(nrs_get_le64(room) == 0);
    nrs_put_le64(room, self->model[number]);
}

static void
test_tree_is_an_ordered_map_that_keeps_its_past(void **state)
{
    (void)state;
    static s_moment_t moments[MOMENTS]; // the first goes on, the others are as it was
    uint64_t seed = 3;
    for (int turn = 0; turn < 200; turn++) {
        for (uint64_t changes = scratch_random(&seed) % 40; changes > 0; changes--)
            s_change(&moments[0], &seed);
        uint64_t other = 1 + scratch_random(&seed) % (MOMENTS - 1);
        s_assert_sane(&moments[other]);
        nrs_tree_destroy(&moments[other].tree);
        moments[other] = moments[0];
        nrs_tree_keep(moments[0].tree);
        if (turn % 10 == 0) { // the past may be changed as well: both go on
            s_change(&moments[other], &seed);
            s_assert_sane(&moments[0]);
        }
    }
    for (size_t i = 0; i < MOMENTS; i++) {
        s_assert_sane(&moments[i]);
        nrs_tree_destroy(&moments[i].tree);
    }
}

static void
test_tree_copies_what_is_borrowed_from_itself(void **state)
{
    (void)state;
    NRS_AUTO(nrs_tree) tree = NULL;
    nrs_bytes_t key, value;
    nrs_tree_put(&tree, nrs_text("k"), nrs_text("value"));
    assert_true(nrs_tree_find(tree, NRS_TREE_AT, nrs_text("k"), &key, &value));
    nrs_tree_put(&tree, key, nrs_bytes(value.data + 1, 3));
    assert_true(nrs_tree_find(tree, NRS_TREE_AT, nrs_text("k"), &key, &value));
    assert_true(nrs_bytes_is(key, "k") && nrs_bytes_is(value, "alu"));
    nrs_tree_drop(&tree, key);
    assert_null(tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_is_an_ordered_map_that_keeps_its_past),
        cmocka_unit_test(test_tree_copies_what_is_borrowed_from_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
