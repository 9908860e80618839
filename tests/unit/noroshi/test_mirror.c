// A follower's own copy: what is kept, where it goes on, and what it notices when it is read again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/plan.h"
#include "services/noroshi/mirror.h"
#include "tests/fixtures/scratch.h"
#include "tests/fixtures/segments.h"

typedef struct desk {
    char path[128];
    uint64_t stream;
    mirror_t *mirror;
    nrs_segment_build_t build;
    nrs_buf_t room;
    nrs_buf_t walked; // what a walk saw: "LANE/EPOCH/BASE+COUNT "
} desk_t;

static int
s_setup(void **state)
{
    desk_t *self = nrs_new0(desk_t);
    static unsigned number;
    snprintf(self->path, sizeof self->path, "%s/%u", scratch_root, number++);
    self->stream = nrs_segment_stream("live", "enriched");
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    desk_t *self = *state;
    mirror_destroy(&self->mirror);
    nrs_segment_build_free(&self->build);
    nrs_buf_free(&self->room);
    nrs_buf_free(&self->walked);
    free(self);
    return 0;
}

static void
s_open(desk_t *self, mirror_use_t use)
{
    nrs_problem_t problem = { 0 };
    mirror_destroy(&self->mirror);
    if (mirror_open(self->path, self->stream, use, &problem, &self->mirror))
        fail_msg("%s: %s", problem.file, problem.text);
}

// Keep one more segment of a lane, of `count` events, that came from `source`.
static void
s_keep(desk_t *self, const char *source, uint16_t lane, nrs_place_t *place, int count)
{
    for (int i = 0; i < count; i++)
        segments_add(&self->build, NRS_KIND_DOMAIN, "evil.example", NRS_TLP_GREEN);
    nrs_segment_t segment = segments_end(&self->build, self->stream, lane, place, &self->room);
    assert_int_equal(mirror_append(self->mirror, source, &segment), NRS_OK);
}

static void
s_assert_place(desk_t *self, const char *source, uint16_t lane, const nrs_place_t *expected)
{
    nrs_place_t places[NRS_LANES_MAX];
    assert_int_equal(mirror_places(self->mirror, source, places), NRS_OK);
    assert_int_equal(places[lane].epoch, expected->epoch);
    assert_int_equal(places[lane].offset, expected->offset);
    assert_memory_equal(&places[lane].chain, &expected->chain, sizeof expected->chain);
}

static nrs_err_t
s_note(void *me, const nrs_segment_t *segment)
{
    desk_t *self = me;
    const nrs_segment_head_t *head = &segment->head;
    nrs_buf_printf(&self->walked, "%u/%u/%llu+%u ", head->lane, head->epoch,
                   (unsigned long long)head->base, head->count);
    return NRS_OK;
}

static void
s_assert_walk(desk_t *self, const char *expected)
{
    nrs_buf_reset(&self->walked);
    assert_int_equal(mirror_walk(self->mirror, s_note, self), NRS_OK);
    assert_string_equal(nrs_buf_cstr(&self->walked), expected);
}

// --- stories -------------------------------------------------------------------------------------

static void
test_mirror_keeps_what_two_sources_bring_and_the_place_in_each(void **state)
{
    desk_t *self = *state;
    nrs_place_t zero = { .epoch = 7 }, one = { .epoch = 7 }, nowhere = { 0 };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &zero, 2);
    s_keep(self, "enrich-2", 1, &one, 1);
    s_keep(self, "enrich-1", 0, &zero, 3);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    s_assert_place(self, "enrich-1", 0, &zero);
    s_assert_place(self, "enrich-2", 1, &one);
    s_assert_place(self, "enrich-2", 0, &nowhere); // each source has places of its own
    s_assert_place(self, "enrich", 0, &nowhere);   // and no name is taken for a longer one
    s_assert_walk(self, "0/7/0+2 0/7/2+3 1/7/0+1 ");
}

static void
test_mirror_keeps_an_older_epoch_beside_the_one_that_goes_on(void **state)
{
    desk_t *self = *state;
    nrs_place_t old = { .epoch = 7 }, anew = { .epoch = 8 };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 3, &old, 2);
    s_keep(self, "enrich-1", 3, &anew, 1); // the other side began anew
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    s_assert_place(self, "enrich-1", 3, &anew);
    s_assert_walk(self, "3/7/0+2 3/8/0+1 ");
}

static void
test_mirror_goes_on_after_it_was_closed(void **state)
{
    desk_t *self = *state;
    nrs_place_t place = { .epoch = 7 };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &place, 2);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    s_open(self, MIRROR_KEEP);
    s_assert_place(self, "enrich-1", 0, &place);
    s_keep(self, "enrich-1", 0, &place, 1);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    s_open(self, MIRROR_READ);
    s_assert_place(self, "enrich-1", 0, &place);
    s_assert_walk(self, "0/7/0+2 0/7/2+1 ");
}

static void
test_mirror_forgets_what_was_not_committed(void **state)
{
    desk_t *self = *state;
    nrs_place_t place = { .epoch = 7 }, kept;
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &place, 2);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    kept = place;
    s_keep(self, "enrich-1", 0, &place, 2);
    s_open(self, MIRROR_KEEP);
    s_assert_place(self, "enrich-1", 0, &kept);
    s_assert_walk(self, "0/7/0+2 ");
}

static void
test_mirror_refuses_the_copy_of_another_topic(void **state)
{
    desk_t *self = *state;
    nrs_problem_t problem = { 0 };
    mirror_t *other = NULL;
    s_open(self, MIRROR_KEEP);
    mirror_destroy(&self->mirror);
    const uint64_t streams[] = { nrs_segment_stream("live", "classified"),
                                 nrs_segment_stream("drill", "enriched") };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        assert_int_equal(mirror_open(self->path, streams[i], MIRROR_KEEP, &problem, &other),
                         NRS_E_CONFIG);
        assert_non_null(strstr(problem.text, "another topic"));
        assert_int_equal(mirror_open(self->path, streams[i], MIRROR_READ, &problem, &other),
                         NRS_E_CONFIG);
    }
    assert_null(other);
    s_open(self, MIRROR_READ);
}

static void
test_mirror_that_was_never_kept_is_not_made_by_a_reader(void **state)
{
    desk_t *self = *state;
    nrs_problem_t problem = { 0 };
    assert_int_not_equal(
        mirror_open(self->path, self->stream, MIRROR_READ, &problem, &self->mirror), NRS_OK);
    assert_true(problem.text[0]);
    assert_int_not_equal(access(self->path, F_OK), 0);
}

// Change what is kept behind the mirror's back.
static void
s_overwrite(desk_t *self, uint16_t lane, uint64_t base, nrs_bytes_t segment)
{
    nrs_problem_t problem = { 0 };
    nrs_store_options_t options = { .path = self->path };
    uint8_t key[2 + 4 + 8];
    nrs_store_table_t table;
    mirror_destroy(&self->mirror);
    NRS_AUTO(nrs_store) store = NULL;
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_store_open(&options, &problem, &store), NRS_OK);
    assert_int_equal(nrs_store_table(store, "mirror.log", &table), NRS_OK);
    assert_int_equal(nrs_txn_begin(store, true, &txn), NRS_OK);
    nrs_put_be16(key, lane);
    nrs_put_be32(key + 2, 7);
    nrs_put_be64(key + 6, base);
    assert_int_equal(nrs_txn_put(txn, table, nrs_bytes(key, sizeof key), segment), NRS_OK);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
}

static void
s_assert_damaged(desk_t *self, const char *until)
{
    s_open(self, MIRROR_READ);
    nrs_buf_reset(&self->walked);
    assert_int_equal(mirror_walk(self->mirror, s_note, self), NRS_E_CORRUPT);
    assert_string_equal(nrs_buf_cstr(&self->walked), until);
}

static void
test_mirror_finds_a_segment_with_a_flipped_bit(void **state)
{
    desk_t *self = *state;
    nrs_place_t place = { .epoch = 7 };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &place, 1);
    s_keep(self, "enrich-1", 0, &place, 1);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    nrs_segment_t segment = { 0 }; // the second one is still in `room`
    assert_int_equal(nrs_segment_peek(nrs_buf_bytes(&self->room), &segment), NRS_OK);
    self->room.data[segment.bytes.size - 3] ^= 1;
    s_overwrite(self, 0, 1, segment.bytes);
    s_assert_damaged(self, "0/7/0+1 ");
}

static void
test_mirror_finds_a_segment_of_another_history(void **state)
{
    desk_t *self = *state;
    nrs_place_t place = { .epoch = 7 }, other = { .epoch = 7, .offset = 1, .chain = { 1, 2 } };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &place, 1);
    s_keep(self, "enrich-1", 0, &place, 1);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    segments_add(&self->build, NRS_KIND_DOMAIN, "good.example",
                 NRS_TLP_GREEN); // whole, but behind another one
    nrs_segment_t segment = segments_end(&self->build, self->stream, 0, &other, &self->room);
    s_overwrite(self, 0, 1, segment.bytes);
    s_assert_damaged(self, "0/7/0+1 ");
}

static nrs_err_t
s_stop(void *me, const nrs_segment_t *segment)
{
    NRS_IGNORE(s_note(me, segment)); // it cannot fail
    return NRS_E_LIMIT;
}

static void
test_mirror_walk_ends_when_it_is_told_to(void **state)
{
    desk_t *self = *state;
    nrs_place_t place = { .epoch = 7 };
    s_open(self, MIRROR_KEEP);
    s_keep(self, "enrich-1", 0, &place, 1);
    s_keep(self, "enrich-1", 0, &place, 1);
    assert_int_equal(mirror_commit(self->mirror), NRS_OK);
    assert_int_equal(mirror_walk(self->mirror, s_stop, self), NRS_E_LIMIT);
    assert_string_equal(nrs_buf_cstr(&self->walked), "0/7/0+1 ");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_mirror_keeps_what_two_sources_bring_and_the_place_in_each),
        STORY(test_mirror_keeps_an_older_epoch_beside_the_one_that_goes_on),
        STORY(test_mirror_goes_on_after_it_was_closed),
        STORY(test_mirror_forgets_what_was_not_committed),
        STORY(test_mirror_refuses_the_copy_of_another_topic),
        STORY(test_mirror_that_was_never_kept_is_not_made_by_a_reader),
        STORY(test_mirror_finds_a_segment_with_a_flipped_bit),
        STORY(test_mirror_finds_a_segment_of_another_history),
        STORY(test_mirror_walk_ends_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
