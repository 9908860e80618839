// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/codec.h"
#include "tests/fixtures/scratch.h"

#include <msgpack.h>

// --- msgpack-c reads what we write, and finds the same as our walk -------------------------------

static uint64_t
s_number(uint64_t *seed)
{
    return scratch_random(seed) >> (scratch_random(seed) % 64);
}

static void
s_pack_content(nrs_buf_t *into, uint64_t *seed, bool text)
{
    static uint8_t content[70000];
    static const size_t edges[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
    size_t size = scratch_random(seed) % 40;
    if (scratch_random(seed) % 16 == 0)
        size = edges[scratch_random(seed) % 8];
    for (size_t i = 0; i < size; i++)
        content[i] = (uint8_t)('a' + i % 26);
    if (text)
        nrs_pack_str(into, nrs_bytes(content, size));
    else
        nrs_pack_bin(into, nrs_bytes(content, size));
}

static void
s_pack_random(nrs_buf_t *into, uint64_t *seed, unsigned depth)
{
    uint32_t count = (uint32_t)(scratch_random(seed) % (scratch_random(seed) % 8 ? 5 : 20));
    switch (scratch_random(seed) % (depth < NRS_WALK_DEPTH_MAX ? 8 : 6)) {
    case 0:
        nrs_pack_nil(into);
        break;
    case 1:
        nrs_pack_bool(into, scratch_random(seed) & 1);
        break;
    case 2:
        nrs_pack_uint(into, s_number(seed));
        break;
    case 3:
        nrs_pack_fixed(into, s_number(seed), 2u << scratch_random(seed) % 3);
        break;
    case 4:
        s_pack_content(into, seed, true);
        break;
    case 5:
        s_pack_content(into, seed, false);
        break;
    case 6:
        count = depth > 3 ? count % 3 : count;
        nrs_pack_array(into, count);
        for (uint32_t i = 0; i < count; i++)
            s_pack_random(into, seed, depth + 1);
        break;
    default:
        count = depth > 3 ? count % 2 : count % 5;
        nrs_pack_map(into, count);
        for (uint32_t i = 0; i < 2 * count; i++)
            s_pack_random(into, seed, depth + 1);
    }
}

static void
s_assert_same(nrs_walk_t *walk, const msgpack_object *object)
{
    nrs_head_t head = nrs_walk_next(walk);
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        assert_int_equal(head.item, NRS_ITEM_NIL);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        assert_int_equal(head.item, NRS_ITEM_BOOL);
        assert_int_equal(head.number, object->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        assert_int_equal(head.item, NRS_ITEM_UINT);
        assert_true(head.number == object->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        assert_int_equal(head.item, NRS_ITEM_INT);
        assert_true((int64_t)head.number == object->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        assert_int_equal(head.item, NRS_ITEM_FLOAT);
        break;
    case MSGPACK_OBJECT_STR:
        assert_int_equal(head.item, NRS_ITEM_STR);
        assert_true(
            nrs_bytes_equal(head.bytes, nrs_bytes(object->via.str.ptr, object->via.str.size)));
        break;
    case MSGPACK_OBJECT_BIN:
        assert_int_equal(head.item, NRS_ITEM_BIN);
        assert_true(
            nrs_bytes_equal(head.bytes, nrs_bytes(object->via.bin.ptr, object->via.bin.size)));
        break;
    case MSGPACK_OBJECT_ARRAY:
        assert_int_equal(head.item, NRS_ITEM_ARRAY);
        assert_int_equal(head.number, object->via.array.size);
        for (uint32_t i = 0; i < object->via.array.size; i++)
            s_assert_same(walk, &object->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_MAP:
        assert_int_equal(head.item, NRS_ITEM_MAP);
        assert_int_equal(head.number, object->via.map.size);
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            s_assert_same(walk, &object->via.map.ptr[i].key);
            s_assert_same(walk, &object->via.map.ptr[i].val);
        }
        break;
    case MSGPACK_OBJECT_EXT:
        assert_int_equal(head.item, NRS_ITEM_EXT);
        assert_int_equal(head.bytes.size, object->via.ext.size + 1);
        break;
    }
}

static void
test_codec_writes_what_msgpack_reads(void **state)
{
    (void)state;
    uint64_t seed = 1;
    nrs_buf_t packed = { 0 };
    for (int round = 0; round < 3000; round++) {
        nrs_buf_reset(&packed);
        s_pack_random(&packed, &seed, 0);
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        size_t end = 0;
        msgpack_unpack_return got =
            msgpack_unpack_next(&unpacked, (char *)packed.data, packed.size, &end);
        assert_true(got == MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(end, packed.size);
        nrs_walk_t walk = nrs_walk(nrs_buf_bytes(&packed)), skip = walk;
        s_assert_same(&walk, &unpacked.data);
        assert_true(nrs_walk_done(&walk));
        assert_int_equal(nrs_walk_skip(&skip), NRS_OK);
        assert_true(nrs_walk_done(&skip));
        msgpack_unpacked_destroy(&unpacked);
    }
    nrs_buf_free(&packed);
}

// Any bytes: both say yes and stop at the same byte, or both say no. Only counts of 32 bits are left out, for which
// msgpack-c reserves gigabytes.
static void
test_codec_agrees_with_msgpack_about_any_bytes(void **state)
{
    (void)state;
    uint64_t seed = 2;
    unsigned good = 0;
    for (int round = 0; round < 60000; round++) {
        uint8_t bytes[24];
        size_t size = 1 + scratch_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            do {
                bytes[i] = (uint8_t)scratch_random(&seed);
                if (scratch_random(&seed) % 2)
                    bytes[i] = (uint8_t)(0xc0 | (bytes[i] & 0x1f));
            } while (bytes[i] == 0xdd || bytes[i] == 0xdf);
        nrs_walk_t walk = nrs_walk(nrs_bytes(bytes, size));
        nrs_err_t err = nrs_walk_skip(&walk);
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        size_t end = 0;
        msgpack_unpack_return got = msgpack_unpack_next(&unpacked, (char *)bytes, size, &end);
        bool theirs = got == MSGPACK_UNPACK_SUCCESS || got == MSGPACK_UNPACK_EXTRA_BYTES;
        assert_true(theirs == (err == NRS_OK));
        assert_int_equal(walk.at - bytes, err ? 0 : end);
        if (!err) {
            nrs_walk_t again = nrs_walk(nrs_bytes(bytes, size));
            s_assert_same(&again, &unpacked.data);
            good++;
        }
        msgpack_unpacked_destroy(&unpacked);
    }
    assert_true(good > 10000);
}

// --- the walk, case by case ----------------------------------------------------------------------

#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)text, sizeof text - 1                                                     \
    }

static void
test_walk_reads_heads(void **state)
{
    (void)state;
    static const struct {
        nrs_bytes_t bytes;
        nrs_item_t item;
        uint64_t number;
        size_t content;
    } cases[] = {
        { BYTES(""), NRS_ITEM_END, 0, 0 },
        { BYTES("\xc1"), NRS_ITEM_BAD, 0, 0 }, // reserved
        { BYTES("\xcd\x01"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xcf\x01\x02\x03\x04\x05\x06\x07"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xa5"
                "abcd"),
          NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xdb\xff\xff\xff\xff"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xc6\xff\xff\xff\xff"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xc9\xff\xff\xff\xff\x01"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xdd\xff\xff\xff\xff"), NRS_ITEM_BAD, 0, 0 }, // more items than bytes
        { BYTES("\xdf\xff\xff\xff\xff"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\x82\x01\x02\x03"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\x92\x01"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\xd4\x01"), NRS_ITEM_BAD, 0, 0 },
        { BYTES("\x00"), NRS_ITEM_UINT, 0, 0 },
        { BYTES("\x7f"), NRS_ITEM_UINT, 127, 0 },
        { BYTES("\xff"), NRS_ITEM_INT, UINT64_MAX, 0 },
        { BYTES("\xe0"), NRS_ITEM_INT, (uint64_t)-32, 0 },
        { BYTES("\xd0\x80"), NRS_ITEM_INT, (uint64_t)-128, 0 },
        { BYTES("\xd1\x7f\xff"), NRS_ITEM_UINT, 32767, 0 },
        { BYTES("\xd3\x80\0\0\0\0\0\0\0"), NRS_ITEM_INT, (uint64_t)1 << 63, 0 },
        { BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), NRS_ITEM_UINT, UINT64_MAX, 0 },
        { BYTES("\xc2"), NRS_ITEM_BOOL, 0, 0 },
        { BYTES("\xc3"), NRS_ITEM_BOOL, 1, 0 },
        { BYTES("\xa0"), NRS_ITEM_STR, 0, 0 },
        { BYTES("\xd9\x02hi"), NRS_ITEM_STR, 2, 2 },
        { BYTES("\xc4\x01x"), NRS_ITEM_BIN, 1, 1 },
        { BYTES("\xd4\x05x"), NRS_ITEM_EXT, 2, 2 },
        { BYTES("\xc7\x00\x05"), NRS_ITEM_EXT, 1, 1 },
        { BYTES("\x90"), NRS_ITEM_ARRAY, 0, 0 },
        { BYTES("\xdc\x00\x01\x01"), NRS_ITEM_ARRAY, 1, 0 },
        { BYTES("\x81\x01\x02"), NRS_ITEM_MAP, 1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_walk_t walk = nrs_walk(cases[i].bytes);
        nrs_head_t head = nrs_walk_next(&walk);
        if (head.item != cases[i].item || head.number != cases[i].number ||
            head.bytes.size != cases[i].content)
            fail_msg("case %zu: item %d, number %llu", i, head.item,
                     (unsigned long long)head.number);
        if (head.item == NRS_ITEM_BAD)
            assert_ptr_equal(walk.at, cases[i].bytes.data); // unmoved
    }
}

static void
test_walk_bounds_the_depth(void **state)
{
    (void)state;
    uint8_t nest[NRS_WALK_DEPTH_MAX + 2];
    memset(nest, 0x91, sizeof nest);
    nest[NRS_WALK_DEPTH_MAX] = 0x01;
    nrs_walk_t walk = nrs_walk(nrs_bytes(nest, NRS_WALK_DEPTH_MAX + 1));
    assert_int_equal(nrs_walk_skip(&walk), NRS_OK);
    nest[NRS_WALK_DEPTH_MAX] = 0x91;
    nest[NRS_WALK_DEPTH_MAX + 1] = 0x01;
    walk = nrs_walk(nrs_bytes(nest, NRS_WALK_DEPTH_MAX + 2));
    assert_int_equal(nrs_walk_skip(&walk), NRS_E_LIMIT);
    assert_ptr_equal(walk.at, nest);
}

static void
test_walk_refuses_other_types_and_limits_unmoved(void **state)
{
    (void)state;
    static const nrs_bytes_t items[] = { BYTES("\x05"),
                                         BYTES("\xa3"
                                               "abc"),
                                         BYTES("\xc4\x03"
                                               "abc"),
                                         BYTES("\x93\x01\x02\x03"), BYTES("\xc0") };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        uint64_t number = 99;
        uint32_t count = 99;
        nrs_bytes_t bytes = NRS_NONE;
        nrs_walk_t walk = nrs_walk(items[i]);
        if (i != 0)
            assert_int_equal(nrs_walk_uint(&walk, 100, &number), NRS_E_FORMAT);
        if (i != 1)
            assert_int_equal(nrs_walk_str(&walk, 100, &bytes), NRS_E_FORMAT);
        if (i != 2)
            assert_int_equal(nrs_walk_bin(&walk, 100, &bytes), NRS_E_FORMAT);
        if (i != 3)
            assert_int_equal(nrs_walk_array(&walk, 100, &count), NRS_E_FORMAT);
        if (i != 4)
            assert_false(nrs_walk_nil(&walk));
        assert_int_equal(nrs_walk_uint(&walk, 4, &number), NRS_E_FORMAT); // one below what is there
        assert_int_equal(nrs_walk_str(&walk, 2, &bytes), NRS_E_FORMAT);
        assert_int_equal(nrs_walk_bin(&walk, 2, &bytes), NRS_E_FORMAT);
        assert_int_equal(nrs_walk_array(&walk, 2, &count), NRS_E_FORMAT);
        assert_ptr_equal(walk.at, items[i].data);
        assert_true(number == 99 && count == 99 && !bytes.data);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_writes_what_msgpack_reads),
        cmocka_unit_test(test_codec_agrees_with_msgpack_about_any_bytes),
        cmocka_unit_test(test_walk_reads_heads),
        cmocka_unit_test(test_walk_bounds_the_depth),
        cmocka_unit_test(test_walk_refuses_other_types_and_limits_unmoved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
