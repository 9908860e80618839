// test_pattern.c - regular expressions: what matches, what is refused, and that effort is bounded
#include "common/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
test_pattern_matches_anywhere(void **state)
{
    static const struct {
        const char *pattern, *subject;
        bool match;
    } cases[] = {
        { "b", "abc", true },
        { "^b", "abc", false },
        { "", "abc", true },
        { "", "", true },
        { "^$", "", true },
        { "LOGIN", "login", false },
        { "(?i)LOGIN", "login", true },
        { "(?i)\xc3\x84", "\xc3\xa4", true },           // case of letters beyond ASCII
        { "^.{2}$", "\xe9\x8a\x80\xe8\xa1\x8c", true }, // two characters, not six bytes
        { "\xe9\x8a\x80\xe8\xa1\x8c", "\xe4\xb8\x89\xe4\xba\x95\xe9\x8a\x80\xe8\xa1\x8c", true },
        { "(?<!not )safe", "not safe", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_pattern) pattern = NULL;
        assert_int_equal(nrs_pattern_compile(nrs_text(cases[i].pattern), NULL, &pattern), NRS_OK);
        assert_int_equal(nrs_pattern_match(pattern, nrs_text(cases[i].subject)), cases[i].match);
    }
}

static void
test_pattern_says_where_it_is_wrong(void **state)
{
    static const struct {
        const char *pattern;
        unsigned column;
    } cases[] = {
        { "a(b", 4 }, { "a)b", 2 }, { "[z-a]", 4 }, { "*", 1 }, { "a\\C", 4 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_pattern) pattern = NULL;
        nrs_problem_t problem = { 0 };
        assert_int_equal(nrs_pattern_compile(nrs_text(cases[i].pattern), &problem, &pattern),
                         NRS_E_FORMAT);
        assert_null(pattern);
        assert_int_equal(problem.column, cases[i].column);
        assert_true(problem.text[0] != 0);
    }
}

static void
test_pattern_gives_up_on_hostile_text(void **state)
{
    (void)state;
    static char subject[8192];
    memset(subject, 'a', sizeof subject);
    NRS_AUTO(nrs_pattern) pattern = NULL;
    assert_int_equal(nrs_pattern_compile(nrs_text("^(?:a+)+$|(a|aa)+b"), NULL, &pattern), NRS_OK);
    subject[sizeof subject - 1] = '!';
    assert_false(nrs_pattern_match(pattern, nrs_bytes(subject, sizeof subject)));
}

static void
test_pattern_takes_broken_utf8_for_no_match(void **state)
{
    (void)state;
    NRS_AUTO(nrs_pattern) pattern = NULL;
    assert_int_equal(nrs_pattern_compile(nrs_text("^.$"), NULL, &pattern), NRS_OK);
    assert_false(nrs_pattern_match(pattern, nrs_text("\xff")));
    assert_false(nrs_pattern_match(pattern, nrs_text("\xe9\x8a")));
    assert_true(nrs_pattern_match(pattern, nrs_text("\xe9\x8a\x80")));
}

static void
test_pattern_refuses_what_is_too_long(void **state)
{
    (void)state;
    static char text[NRS_PATTERN_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    NRS_AUTO(nrs_pattern) pattern = NULL;
    assert_int_equal(nrs_pattern_compile(nrs_bytes(text, sizeof text), NULL, &pattern),
                     NRS_E_LIMIT);
    assert_int_equal(nrs_pattern_compile(nrs_bytes(text, sizeof text - 1), NULL, &pattern), NRS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_matches_anywhere),
        cmocka_unit_test(test_pattern_says_where_it_is_wrong),
        cmocka_unit_test(test_pattern_gives_up_on_hostile_text),
        cmocka_unit_test(test_pattern_takes_broken_utf8_for_no_match),
        cmocka_unit_test(test_pattern_refuses_what_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
