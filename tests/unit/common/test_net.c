// test_net.c - addresses and prefixes: strict text forms, one form of each address, containment
#include "common/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_address_is_printed_in_its_shortest_form(void **state)
{
    static const struct {
        const char *text, *print;
        bool v4;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1", true },
        { "0.0.0.0", "0.0.0.0", true },
        { "255.255.255.255", "255.255.255.255", true },
        { "::", "::", false },
        { "::1", "::1", false },
        { "1::", "1::", false },
        { "2001:DB8::1", "2001:db8::1", false },
        { "2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1", false },
        { "1:0:0:2:0:0:0:3", "1:0:0:2::3", false },
        { "1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7", false },
        { "64:ff9b::192.0.2.33", "64:ff9b::c000:221", false },
        { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", false },
        { "::ffff:192.0.2.1", "192.0.2.1", true }, // a mapped address is the IPv4 address
        { "0:0:0:0:0:ffff:c000:0201", "192.0.2.1", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_address_t address;
        char print[NRS_ADDRESS_TEXT_BYTES];
        assert_int_equal(nrs_address_parse(nrs_text(cases[i].text), &address), NRS_OK);
        assert_int_equal(nrs_address_print(&address, print), strlen(cases[i].print));
        assert_string_equal(print, cases[i].print);
        assert_int_equal(address.v4, cases[i].v4);
    }
}

static void
test_address_refuses_loose_forms(void **state)
{
    static const char *const cases[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.256",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.",
        "1..2.3",
        "0x7f.0.0.1",
        "1.2.3.1000",
        ":",
        ":1",
        "1:",
        ":::",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1.2.3",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "fe80::1%eth0",
        "[::1]",
        "1.2.3.4::",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_address_t address;
        if (nrs_address_parse(nrs_text(cases[i]), &address) != NRS_E_FORMAT)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void
test_prefix_clears_host_bits(void **state)
{
    static const struct {
        const char *text, *first, *last;
        unsigned bits;
    } cases[] = {
        { "10.1.2.3/8", "10.0.0.0", "10.255.255.255", 8 },
        { "192.0.2.130/25", "192.0.2.128", "192.0.2.255", 25 },
        { "192.0.2.1", "192.0.2.1", "192.0.2.1", 32 },
        { "0.0.0.0/0", "0.0.0.0", "255.255.255.255", 0 },
        { "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0 },
        { "2001:db8:ffff::/33", "2001:db8:8000::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 33 },
        { "2001:db8::1", "2001:db8::1", "2001:db8::1", 128 },
        { "::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", 8 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_prefix_t prefix;
        nrs_address_t last;
        char print[NRS_ADDRESS_TEXT_BYTES];
        assert_int_equal(nrs_prefix_parse(nrs_text(cases[i].text), &prefix), NRS_OK);
        nrs_address_print(&prefix.address, print);
        assert_string_equal(print, cases[i].first);
        nrs_prefix_last(&prefix, &last);
        nrs_address_print(&last, print);
        assert_string_equal(print, cases[i].last);
        assert_int_equal(prefix.bits, cases[i].bits);
    }
}

static void
test_prefix_refuses_bad_lengths(void **state)
{
    static const char *const cases[] = {
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "10.0.0/8",
        "/8",
        "::/129",
        "::/1000",
        "10.0.0.0/8/8",
        "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.0/8",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_prefix_t prefix;
        if (nrs_prefix_parse(nrs_text(cases[i]), &prefix) != NRS_E_FORMAT)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void
test_prefix_holds_its_own_family_only(void **state)
{
    static const struct {
        const char *prefix, *address;
        bool holds;
    } cases[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "0.0.0.0/0", "192.0.2.1", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "192.0.2.1", false },
        { "::/0", "2001:db8::1", true },
        { "10.0.0.0/8", "::ffff:10.1.1.1", true },
        { "192.0.2.1/32", "192.0.2.1", true },
        { "2001:db8::/32", "2001:db9::", false },
        { "2001:db8::/31", "2001:db9::", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_prefix_t prefix;
        nrs_address_t address;
        assert_int_equal(nrs_prefix_parse(nrs_text(cases[i].prefix), &prefix), NRS_OK);
        assert_int_equal(nrs_address_parse(nrs_text(cases[i].address), &address), NRS_OK);
        assert_int_equal(nrs_prefix_holds(&prefix, &address), cases[i].holds);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_is_printed_in_its_shortest_form),
        cmocka_unit_test(test_address_refuses_loose_forms),
        cmocka_unit_test(test_prefix_clears_host_bits),
        cmocka_unit_test(test_prefix_refuses_bad_lengths),
        cmocka_unit_test(test_prefix_holds_its_own_family_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
