#include "services/enrich/enrich_ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static nrs_prefix_t
s_prefix(const char *text)
{
    nrs_prefix_t prefix;
    assert_int_equal(nrs_prefix_parse(nrs_text(text), &prefix), NRS_OK);
    return prefix;
}

static void
s_add(enrich_ranges_t *ranges, const char *text, unsigned list)
{
    nrs_prefix_t prefix = s_prefix(text);
    enrich_ranges_add(ranges, &prefix, list);
}

static uint32_t
s_find(const enrich_ranges_t *ranges, const char *text)
{
    nrs_prefix_t prefix = s_prefix(text);
    return enrich_ranges_find(ranges, &prefix);
}

static void
test_ranges_hold_what_their_prefixes_hold(void **state)
{
    (void)state;
    NRS_AUTO(enrich_ranges) ranges = enrich_ranges_new();
    s_add(ranges, "192.0.2.0/24", 0);
    s_add(ranges, "192.0.2.64/26", 1);
    s_add(ranges, "192.0.2.64/26", 1); // twice
    s_add(ranges, "192.0.2.0/25", 0);  // inside another of the same list
    s_add(ranges, "198.51.100.7", 2);
    s_add(ranges, "255.255.255.0/24", 3);
    s_add(ranges, "0.0.0.0/8", 4);
    s_add(ranges, "2001:db8::/32", 0);
    s_add(ranges, "2001:db8:1::/48", 31);
    s_add(ranges, "2001:db8::1", 1);
    s_add(ranges, "ffff::/16", 5);
    s_add(ranges, "::/64", 6);
    enrich_ranges_close(ranges);
    static const struct {
        const char *text;
        uint32_t mask;
    } cases[] = {
        { "192.0.2.0", 1 },
        { "192.0.2.63", 1 },
        { "192.0.2.64", 3 },
        { "192.0.2.127", 3 },
        { "192.0.2.128", 1 },
        { "192.0.2.255", 1 },
        { "192.0.3.0", 0 },
        { "192.0.1.255", 0 },
        { "192.0.2.64/27", 3 },
        { "192.0.2.0/24", 1 },
        { "192.0.2.0/23", 0 },
        { "192.0.2.0/25", 1 },
        { "198.51.100.7", 4 },
        { "198.51.100.6", 0 },
        { "198.51.100.8", 0 },
        { "255.255.255.255", 8 },
        { "0.0.0.0", 16 },
        { "0.255.255.255", 16 },
        { "1.0.0.0", 0 },
        { "0.0.0.0/0", 0 },
        { "2001:db8::", 1 },
        { "2001:db8::1", 3 },
        { "2001:db8::2", 1 },
        { "2001:db9::", 0 },
        { "2001:db8:1::5", 0x80000001 },
        { "2001:db8:1::/64", 0x80000001 },
        { "2001:db8::/31", 0 },
        { "ffff:ffff::1", 32 },
        { "::5", 64 },
        { "0:0:0:1::", 0 },
        { "::/0", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t mask = s_find(ranges, cases[i].text);
        if (mask != cases[i].mask)
            fail_msg("%s: %x", cases[i].text, mask);
    }
}

static void
test_ranges_without_prefixes_hold_nothing(void **state)
{
    (void)state;
    NRS_AUTO(enrich_ranges) ranges = enrich_ranges_new();
    enrich_ranges_close(ranges);
    assert_int_equal(s_find(ranges, "192.0.2.1"), 0);
    assert_int_equal(s_find(ranges, "2001:db8::1"), 0);
}

static uint64_t
s_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Few distinct bits, so that prefixes meet and overlap often.
static nrs_prefix_t
s_random_prefix(uint64_t *state, bool v4)
{
    char text[64];
    unsigned a = (unsigned)(s_random(state) % 3) * 127, b = (unsigned)(s_random(state) % 4) * 85;
    unsigned bits = (unsigned)(s_random(state) % 33);
    if (v4)
        snprintf(text, sizeof text, "%u.%u.0.%u/%u", a, b, a, bits);
    else
        snprintf(text, sizeof text, "%x:%x::%x:0:%x/%u", a, b, b, a, bits * 4);
    return s_prefix(text);
}

static void
test_ranges_agree_with_looking_at_every_prefix(void **state)
{
    (void)state;
    enum { PREFIXES = 24, ROUNDS = 200 };
    uint64_t random = 0x2545f4914f6cdd1du;
    for (int round = 0; round < ROUNDS; round++) {
        bool v4 = round % 2;
        nrs_prefix_t prefixes[PREFIXES];
        NRS_AUTO(enrich_ranges) ranges = enrich_ranges_new();
        for (unsigned i = 0; i < PREFIXES; i++) {
            prefixes[i] = s_random_prefix(&random, v4);
            enrich_ranges_add(ranges, &prefixes[i], i);
        }
        enrich_ranges_close(ranges);
        for (int look = 0; look < 50; look++) {
            nrs_prefix_t wanted = s_random_prefix(&random, v4);
            uint32_t mask = 0;
            for (unsigned i = 0; i < PREFIXES; i++)
                if (prefixes[i].bits <= wanted.bits &&
                    nrs_prefix_holds(&prefixes[i], &wanted.address))
                    mask |= 1u << i;
            // One list, one prefix: so a wanted prefix that two of them hold together only is held
            // by none.
            assert_int_equal(enrich_ranges_find(ranges, &wanted), mask);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_hold_what_their_prefixes_hold),
        cmocka_unit_test(test_ranges_without_prefixes_hold_nothing),
        cmocka_unit_test(test_ranges_agree_with_looking_at_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
