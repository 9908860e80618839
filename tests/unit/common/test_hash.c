// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/hash.h"

// Values of the XXH3 reference implementation (xxhash 0.8): "" with seed 0 is in its sanity table.
static void
test_hash_is_xxh3(void **state)
{
    (void)state;
    assert_int_equal(nrs_hash64(NRS_NONE, 0), 0x2d06800538d394c2u);
    nrs_hash128_t hash = nrs_hash128(NRS_NONE, 0);
    assert_int_equal(hash.high, 0x99aa06d3014798d8u);
    assert_int_equal(hash.low, 0x6001c324468d497fu);
}

static void
test_hash_differs_by_seed_and_by_last_byte(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'a', sizeof text);
    for (size_t size = 1; size < sizeof text; size += 37) {
        uint64_t before = nrs_hash64(nrs_bytes(text, size), 1);
        nrs_hash128_t wide = nrs_hash128(nrs_bytes(text, size), 1);
        assert_int_not_equal(before, nrs_hash64(nrs_bytes(text, size), 2));
        text[size - 1] = 'b';
        assert_int_not_equal(before, nrs_hash64(nrs_bytes(text, size), 1));
        assert_int_not_equal(wide.low, nrs_hash128(nrs_bytes(text, size), 1).low);
        text[size - 1] = 'a';
        assert_int_equal(before, nrs_hash64(nrs_bytes(text, size), 1));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_xxh3),
        cmocka_unit_test(test_hash_differs_by_seed_and_by_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
