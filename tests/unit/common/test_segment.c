// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/segment.h"
#include "tests/fixtures/scratch.h"

static const nrs_hash128_t s_previous = { 0x1122334455667788u, 0x99aabbccddeeff00u };

// Add a text as an event.
static void
s_add(nrs_segment_build_t *build, const char *text, uint32_t skipped)
{
    size_t before = build->payload.size;
    nrs_buf_put_text(&build->payload, text);
    nrs_segment_build_added(build, before, skipped);
}

static nrs_segment_head_t
s_head(void)
{
    return (nrs_segment_head_t){
        .stream = nrs_segment_stream("live", "reports"),
        .instance = 3,
        .lane = 5,
        .epoch = 7,
        .base = 100,
        .first_ms = 1700000000000,
        .last_ms = 1700000000009,
        .previous = s_previous,
    };
}

// Everything that a view tells agrees with itself.
static void
s_assert_sane(const nrs_segment_t *segment)
{
    const nrs_segment_head_t *head = &segment->head;
    uint64_t last = head->base, end = head->base + head->span;
    size_t bytes = 0;
    assert_true(head->count <= head->span);
    for (uint32_t i = 0; i < head->count; i++) {
        uint64_t offset;
        nrs_bytes_t event = nrs_segment_event(segment, i, &offset);
        assert_true(i == 0 ? offset >= last : offset > last);
        assert_true(offset < end);
        bytes += event.size;
        last = offset;
    }
    assert_int_equal(bytes, segment->payload.size);
    nrs_place_t after = nrs_segment_after(segment);
    assert_true(after.offset == end && after.epoch == head->epoch);
}

static nrs_bytes_t
s_write(nrs_segment_build_t *build, nrs_segment_head_t *head, nrs_buf_t *into)
{
    size_t bytes = nrs_segment_build_bytes(build);
    nrs_buf_reset(into);
    nrs_segment_build_write(build, head, nrs_buf_reserve(into, bytes));
    assert_int_equal(build->count, 0);
    return nrs_bytes(into->data, bytes);
}

static void
test_segment_reads_back_what_was_built(void **state)
{
    (void)state;
    nrs_segment_build_t build = { 0 };
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    s_add(&build, "one", 0);
    s_add(&build, "three", 0);
    s_add(&build, "x", 0);
    nrs_bytes_t bytes = s_write(&build, &head, &room);
    assert_int_equal(bytes.size, 96 + 16 + 3 * 8 + 9);
    nrs_segment_t segment;
    assert_int_equal(nrs_segment_open(bytes, &segment), NRS_OK);
    const nrs_segment_head_t *read = &segment.head;
    assert_true(read->stream == head.stream && read->instance == 3 && read->lane == 5 &&
                read->epoch == 7);
    assert_true(read->base == 100 && read->span == 3 && read->count == 3 && read->flags == 0);
    assert_true(read->first_ms == head.first_ms && read->last_ms == head.last_ms);
    assert_memory_equal(&read->previous, &s_previous, sizeof s_previous);
    assert_memory_equal(&read->checksum, &head.checksum, sizeof head.checksum);
    uint64_t offset;
    assert_true(nrs_bytes_is(nrs_segment_event(&segment, 1, &offset), "three"));
    assert_int_equal(offset, 101);
    assert_true(nrs_bytes_is(nrs_segment_event(&segment, 2, NULL), "x"));
    s_assert_sane(&segment);
    nrs_place_t after = nrs_segment_after(&segment);
    assert_memory_equal(&after.chain, &head.checksum, sizeof after.chain);
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

static void
test_segment_sparse_leaves_offsets_out(void **state)
{
    (void)state;
    nrs_segment_build_t build = { 0 };
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    head.flags = NRS_SEGMENT_SPARSE;
    s_add(&build, "one", 4);
    s_add(&build, "two", 2);
    build.span += 5; // and five more behind
    nrs_segment_t segment;
    assert_int_equal(nrs_segment_open(s_write(&build, &head, &room), &segment), NRS_OK);
    s_assert_sane(&segment);
    uint64_t offset;
    assert_true(nrs_bytes_is(nrs_segment_event(&segment, 1, &offset), "two"));
    assert_int_equal(offset, 107);
    nrs_place_t after = nrs_segment_after(&segment);
    assert_int_equal(after.offset, 113);
    assert_true(after.chain.low == 0 &&
                after.chain.high == 0); // its checksum is in nobody's history
    build.span = 9;
    assert_int_equal(nrs_segment_open(s_write(&build, &head, &room), &segment),
                     NRS_OK); // nothing passed
    s_assert_sane(&segment);
    assert_int_equal(segment.head.count, 0);
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

static void
test_segment_with_nothing_in_it_is_written_from_nothing(void **state)
{
    (void)state;
    nrs_segment_build_t build = { .span = 3 }; // a filter that let nothing through from the start
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    head.flags = NRS_SEGMENT_SPARSE;
    nrs_segment_t segment;
    assert_int_equal(nrs_segment_open(s_write(&build, &head, &room), &segment), NRS_OK);
    s_assert_sane(&segment);
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

static void
test_segment_follows_its_place_only(void **state)
{
    (void)state;
    nrs_segment_build_t build = { 0 };
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    s_add(&build, "one", 0);
    nrs_segment_t segment;
    assert_int_equal(nrs_segment_open(s_write(&build, &head, &room), &segment), NRS_OK);
    static const struct {
        nrs_place_t place;
        uint16_t flags;
        nrs_err_t err;
    } cases[] = {
        { { 7, 100, { 0x1122334455667788u, 0x99aabbccddeeff00u } }, 0, NRS_OK },
        { { 7, 100, { 0, 0 } }, 0, NRS_OK }, // nobody knows what was before
        { { 7, 100, { 0x1122334455667788u, 1 } }, 0, NRS_E_REWOUND },
        { { 7, 100, { 1, 0x99aabbccddeeff00u } }, 0, NRS_E_REWOUND },
        { { 7, 100, { 1, 1 } }, NRS_SEGMENT_SPARSE, NRS_OK },
        { { 7, 99, { 0, 0 } }, 0, NRS_E_REWOUND },  // a gap
        { { 7, 101, { 0, 0 } }, 0, NRS_E_REWOUND }, // had already
        { { 6, 100, { 0, 0 } }, 0, NRS_E_REWOUND },
        { { 8, 100, { 0, 0 } }, NRS_SEGMENT_SPARSE, NRS_E_REWOUND },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        segment.head.flags = cases[i].flags;
        if (nrs_segment_follows(&segment, &cases[i].place) != cases[i].err)
            fail_msg("case %zu", i);
    }
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

static void
test_segment_notices_every_changed_byte(void **state)
{
    (void)state;
    nrs_segment_build_t build = { 0 };
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    s_add(&build, "one", 0);
    s_add(&build, "two", 0);
    nrs_bytes_t bytes = s_write(&build, &head, &room);
    nrs_segment_t segment = { 0 };
    for (size_t i = 0; i < bytes.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            room.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(nrs_segment_open(bytes, &segment), NRS_OK);
            assert_null(segment.bytes.data); // untouched
            room.data[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(nrs_segment_open(nrs_bytes(bytes.data, size), &segment), NRS_E_FORMAT);
    room.data[4] = 2;
    assert_int_equal(nrs_segment_open(bytes, &segment), NRS_E_VERSION);
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

// Bytes whose checksum nobody has looked at: whatever the index says, reading stays inside.
static void
test_segment_peeked_at_reads_nothing_outside(void **state)
{
    (void)state;
    uint64_t seed = 5;
    nrs_segment_build_t build = { 0 };
    nrs_buf_t room = { 0 };
    nrs_segment_head_t head = s_head();
    for (int i = 0; i < 8; i++)
        s_add(&build, "event", 0);
    nrs_bytes_t bytes = s_write(&build, &head, &room);
    uint8_t *exact = nrs_alloc0(bytes.size, 1); // one byte too far is seen by the sanitizer
    for (int round = 0; round < 20000; round++) {
        memcpy(exact, bytes.data, bytes.size);
        for (int i = 0; i < 3; i++)
            exact[96 + 16 + scratch_random(&seed) % 64] =
                (uint8_t)(scratch_random(&seed) >> (scratch_random(&seed) % 64));
        nrs_segment_t segment;
        assert_int_equal(nrs_segment_peek(nrs_bytes(exact, bytes.size), &segment), NRS_OK);
        for (uint32_t i = 0; i < segment.head.count; i++) {
            nrs_bytes_t event = nrs_segment_event(&segment, i, NULL);
            assert_true(event.size <= segment.payload.size);
            for (size_t at = 0; at < event.size; at++)
                seed += event.data[at];
        }
    }
    free(exact);
    nrs_segment_build_free(&build);
    nrs_buf_free(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_reads_back_what_was_built),
        cmocka_unit_test(test_segment_sparse_leaves_offsets_out),
        cmocka_unit_test(test_segment_with_nothing_in_it_is_written_from_nothing),
        cmocka_unit_test(test_segment_follows_its_place_only),
        cmocka_unit_test(test_segment_notices_every_changed_byte),
        cmocka_unit_test(test_segment_peeked_at_reads_nothing_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
