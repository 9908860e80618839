#include "common/filter.h"

#include "common/hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
s_key(uint64_t number, uint8_t key[16])
{
    nrs_hash128_t hash = nrs_hash128(nrs_bytes(&number, sizeof number), 7);
    nrs_put_le64(key, hash.low);
    nrs_put_le64(key + 8, hash.high);
}

static void
test_filter_never_forgets(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_filter) filter = nrs_filter_new(64 << 10);
    uint8_t key[16];
    for (uint64_t i = 0; i < 100000; i++) { // far beyond its size: it becomes useless, never wrong
        s_key(i, key);
        nrs_filter_put(filter, key);
        assert_true(nrs_filter_has(filter, key));
    }
    for (uint64_t i = 0; i < 100000; i++) {
        s_key(i, key);
        assert_true(nrs_filter_has(filter, key));
    }
}

static void
test_filter_seldom_takes_an_absent_key_for_present(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_filter) filter = nrs_filter_new(1 << 20);
    uint8_t key[16];
    const uint64_t keys = (UINT64_C(1) << 23) / 13; // 13 bits a key
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < keys; i++) {
        s_key(i, key);
        nrs_filter_put(filter, key);
    }
    for (uint64_t i = keys; i < 2 * keys; i++) {
        s_key(i, key);
        wrong += nrs_filter_has(filter, key);
    }
    assert_true(wrong < keys / 100);
}

static void
test_filter_is_empty_when_new(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_filter) filter = nrs_filter_new(1); // the smallest there is
    uint8_t key[16];
    for (uint64_t i = 0; i < 1000; i++) {
        s_key(i, key);
        assert_false(nrs_filter_has(filter, key));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_never_forgets),
        cmocka_unit_test(test_filter_seldom_takes_an_absent_key_for_present),
        cmocka_unit_test(test_filter_is_empty_when_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
