#include "common/idn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME253                                                                                    \
    LABEL63 "." LABEL63 "." LABEL63 "."                                                            \
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *host, *ascii;
    nrs_err_t err;
} s_cases[] = {
    { "example.com", "example.com", NRS_OK },
    { "WWW.Example.COM.", "www.example.com", NRS_OK },
    { "localhost", "localhost", NRS_OK },
    { "_dmarc.a_b.-c-.example", "_dmarc.a_b.-c-.example", NRS_OK },
    { "XN--BCHER-KVA.example", "xn--bcher-kva.example", NRS_OK },
    { "xn--.example", "xn--.example", NRS_OK }, // no valid A-label, and yet a name
    { "b\xc3\xbc"
      "cher.example",
      "xn--bcher-kva.example", NRS_OK },
    { "fa\xc3\x9f.example", "xn--fa-hia.example", NRS_OK }, // non-transitional
    { "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "xn--r8jz45g.xn--zckzah",
      NRS_OK },
    { "\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
      "xn--r8jz45g.xn--zckzah", NRS_OK },
    { "_a.\xe4\xbe\x8b\xe3\x81\x88.example", "_a.xn--r8jz45g.example", NRS_OK },
    { "\xef\xbc\xa5\xef\xbc\xb8.example", "ex.example", NRS_OK }, // full width
    { "i\xe2\x9d\xa4.example", "xn--i-7iq.example",
      NRS_OK }, // emoji: disallowed, registered all the same
    { LABEL63 ".example", LABEL63 ".example", NRS_OK },
    { NAME253, NAME253, NRS_OK },
    { NAME253 ".", NAME253, NRS_OK },
    { NAME253 "a", NULL, NRS_E_LIMIT },
    { LABEL63 "a.example", NULL, NRS_E_LIMIT },
    { "example." LABEL63 "a", NULL, NRS_E_LIMIT },
    { "", NULL, NRS_E_FORMAT },
    { ".", NULL, NRS_E_FORMAT },
    { "a..b", NULL, NRS_E_FORMAT },
    { "a.b..", NULL, NRS_E_FORMAT },
    { "a b.example", NULL, NRS_E_FORMAT },
    { "a/b.example", NULL, NRS_E_FORMAT },
    { "a:80", NULL, NRS_E_FORMAT },
    { "\xe2\x84\x80.example", NULL, NRS_E_FORMAT }, // U+2100 maps to "a/c"
    { "a\xe3\x80\x80"
      "b.example",
      NULL, NRS_E_FORMAT }, // U+3000 maps to a blank
    { "a..\xc3\xa9", NULL, NRS_E_FORMAT },
    { "\xff.example", NULL, NRS_E_FORMAT },
};

static void
test_idn_makes_lower_case_a_labels(void **state)
{
    (void)state;
    nrs_buf_t out = { 0 };
    for (size_t i = 0; i < sizeof s_cases / sizeof s_cases[0]; i++) {
        out.size = 0;
        nrs_buf_put_text(&out, "<");
        nrs_err_t err = nrs_idn_ascii(nrs_text(s_cases[i].host), &out);
        if (err != s_cases[i].err)
            fail_msg("%s: %s", s_cases[i].host, nrs_err_name(err));
        assert_int_equal(out.data[0], '<');
        if (err)
            assert_int_equal(out.size, 1);
        else
            assert_string_equal(nrs_buf_cstr(&out) + 1, s_cases[i].ascii);
    }
    nrs_buf_free(&out);
}

static void
test_idn_refuses_a_nul(void **state)
{
    (void)state;
    nrs_buf_t out = { 0 };
    assert_int_equal(nrs_idn_ascii(nrs_bytes("a\0b.example", 11), &out), NRS_E_FORMAT);
    assert_int_equal(nrs_idn_ascii(nrs_bytes("\xc3\xbc\0b.example", 12), &out), NRS_E_FORMAT);
    assert_int_equal(nrs_idn_unicode(nrs_bytes("xn--bcher-kva\0.example", 22), &out), NRS_E_FORMAT);
    nrs_buf_free(&out);
}

static const struct {
    const char *host, *unicode;
    nrs_err_t err;
} s_back[] = {
    { "xn--bcher-kva.example",
      "b\xc3\xbc"
      "cher.example",
      NRS_OK },
    { "www.xn--r8jz45g.xn--zckzah",
      "www.\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", NRS_OK },
    { "xn--i-7iq.example", "i\xe2\x9d\xa4.example", NRS_OK },
    { "www.example.com", NULL, NRS_E_ABSENT },
    { "axn--b.example", NULL, NRS_E_ABSENT },
    { "", NULL, NRS_E_ABSENT },
    { NAME253 "a", NULL, NRS_E_LIMIT },
};

static void
test_idn_tells_the_unicode_form_where_it_differs(void **state)
{
    (void)state;
    nrs_buf_t out = { 0 };
    for (size_t i = 0; i < sizeof s_back / sizeof s_back[0]; i++) {
        out.size = 0;
        nrs_err_t err = nrs_idn_unicode(nrs_text(s_back[i].host), &out);
        if (err != s_back[i].err)
            fail_msg("%s: %s", s_back[i].host, nrs_err_name(err));
        if (err)
            assert_int_equal(out.size, 0);
        else
            assert_string_equal(nrs_buf_cstr(&out), s_back[i].unicode);
    }
    nrs_buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idn_makes_lower_case_a_labels),
        cmocka_unit_test(test_idn_refuses_a_nul),
        cmocka_unit_test(test_idn_tells_the_unicode_form_where_it_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
