#include "common/suffix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *host, *domain, *suffix;
} s_cases[] = {
    { "www.example.com", "example.com", "com" },
    { "example.com", "example.com", "com" },
    { "com", "", "com" },
    { "a.b.example.co.jp", "example.co.jp", "co.jp" },
    { "co.jp", "", "co.jp" },
    { "shop.example.kawasaki.jp", "shop.example.kawasaki.jp",
      "example.kawasaki.jp" },                                     // *.kawasaki.jp
    { "www.city.kawasaki.jp", "city.kawasaki.jp", "kawasaki.jp" }, // !city.kawasaki.jp
    { "www.example.xn--55qx5d.cn", "example.xn--55qx5d.cn", "xn--55qx5d.cn" },
    { "www.example.xn--p1ai", "example.xn--p1ai", "xn--p1ai" },
    { "a.b.example", "b.example", "example" }, // no rule: the last label
    { "a_b.example.com", "example.com", "com" },
    { "192.0.2.1", "", "" },
    { "2001:db8::1", "", "" },
    { "", "", "" },
};

static void
s_check(nrs_suffixes_t *suffixes)
{
    for (size_t i = 0; i < sizeof s_cases / sizeof s_cases[0]; i++) {
        nrs_bytes_t host = nrs_text(s_cases[i].host);
        nrs_bytes_t domain, suffix;
        nrs_suffixes_split(suffixes, host, &domain, &suffix);
        if (!nrs_bytes_is(domain, s_cases[i].domain) || !nrs_bytes_is(suffix, s_cases[i].suffix))
            fail_msg("%s: domain %.*s, suffix %.*s", s_cases[i].host, (int)domain.size,
                     domain.size ? (const char *)domain.data : "", (int)suffix.size,
                     suffix.size ? (const char *)suffix.data : "");
    }
}

static void
test_suffix_splits_hosts_by_the_default_list(void **state)
{
    (void)state;
    NRS_AUTO(nrs_suffixes) suffixes = NULL;
    assert_int_equal(nrs_suffixes_open(NULL, &suffixes), NRS_OK);
    s_check(suffixes);
}

static void
test_suffix_reads_a_list_of_its_own(void **state)
{
    (void)state;
    char path[] = "/tmp/noroshi-suffix-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char rules[] =
        "// ===BEGIN ICANN DOMAINS===\ntest\nshop.test\n// ===END ICANN DOMAINS===\n";
    assert_int_equal(write(fd, rules, sizeof rules - 1), sizeof rules - 1);
    close(fd);

    NRS_AUTO(nrs_suffixes) suffixes = NULL;
    assert_int_equal(nrs_suffixes_open(path, &suffixes), NRS_OK);
    nrs_bytes_t domain, suffix;
    nrs_suffixes_split(suffixes, nrs_text("a.b.shop.test"), &domain, &suffix);
    assert_true(nrs_bytes_is(domain, "b.shop.test"));
    assert_true(nrs_bytes_is(suffix, "shop.test"));
    unlink(path);
}

static void
test_suffix_refuses_a_list_that_is_not_there_or_empty(void **state)
{
    (void)state;
    nrs_suffixes_t *suffixes = NULL;
    assert_int_equal(nrs_suffixes_open("/nonexistent.dat", &suffixes), NRS_E_IO);
    assert_int_equal(nrs_suffixes_open("/dev/null", &suffixes), NRS_E_IO);
    assert_null(suffixes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suffix_splits_hosts_by_the_default_list),
        cmocka_unit_test(test_suffix_reads_a_list_of_its_own),
        cmocka_unit_test(test_suffix_refuses_a_list_that_is_not_there_or_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
