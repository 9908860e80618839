// What a person reads: cleaned values, widths, tables, numbers in words; near words; base64.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/noroshi/base64.h"
#include "services/noroshi/cli.h"
#include "services/noroshi/term.h"

static void
test_clean_shows_what_could_mislead(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "", "" },
        { "https://例え.jp/ü", "https://例え.jp/ü" },
        { "a\x1b[31mred", "a\\x1b[31mred" },
        { "a\nb\tc\r", "a\\nb\\tc\\r" },
        { "\x7f", "\\x7f" },
        { "\xc2\x9b", "\\x9b" }, // CSI as one character
        { "gpj.\xe2\x80\xae"
          "exe",
          "gpj.\\u202eexe" }, // turns the direction of writing
        { "a\xe2\x80\x8b"
          "b",
          "a\\u200bb" }, // zero width
        { "bad \xff byte", "bad \\xff byte" },
        { "cut \xe4\xbe", "cut \\xe4\\xbe" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_buf_t out = { 0 };
        term_put_clean(&out, nrs_text(cases[i].in));
        assert_string_equal(nrs_buf_cstr(&out), cases[i].out);
        nrs_buf_free(&out);
    }
}

static void
test_width_counts_wide_characters_twice(void **state)
{
    (void)state;
    assert_int_equal(term_width(nrs_text("abc")), 3);
    assert_int_equal(term_width(nrs_text("狼煙")), 4);
    assert_int_equal(term_width(nrs_text("ｶﾅ")), 2); // half width
}

static void
test_cut_fits_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t width;
        bool pad;
        const char *out;
    } cases[] = {
        { "abc", 5, true, "abc  " }, { "abc", 5, false, "abc" },     { "abcdef", 4, true, "abc…" },
        { "abcd", 4, true, "abcd" }, { "狼煙狼", 5, true, "狼煙…" }, { "狼煙狼", 4, true, "狼… " },
        { "abc", 0, true, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_buf_t out = { 0 };
        term_put_cut(&out, nrs_text(cases[i].in), cases[i].width, cases[i].pad);
        assert_string_equal(nrs_buf_cstr(&out), cases[i].out);
        nrs_buf_free(&out);
    }
}

static void
test_table_lines_up(void **state)
{
    (void)state;
    static const term_column_t columns[] = { { "name", false }, { "n", true }, { "why", false } };
    NRS_AUTO(term_table) table = term_table_new(columns, 3);
    nrs_buf_t out = { 0 };
    term_table_put(table, TERM_PLAIN, "%s", "狼煙");
    term_table_put(table, TERM_PLAIN, "%d", 5);
    term_table_put(table, TERM_RED, "%s", "");
    term_table_put(table, TERM_PLAIN, "%s", "enrich-1");
    term_table_put(table, TERM_PLAIN, "%d", 1200);
    term_table_put(table, TERM_RED, "%s", "so\nit is");
    term_table_print(table, false, &out);
    assert_string_equal(nrs_buf_cstr(&out), "name         n  why\n"
                                            "狼煙         5\n"
                                            "enrich-1  1200  so\\nit is\n");
    nrs_buf_reset(&out);
    term_table_print(table, true, &out);
    assert_non_null(strstr(nrs_buf_cstr(&out), "\x1b[31mso\\nit is\x1b[0m"));
    nrs_buf_free(&out);
}

static void
test_numbers_are_said_as_people_do(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(term_count(0, text), "0");
    assert_string_equal(term_count(999, text), "999");
    assert_string_equal(term_count(1234567, text), "1,234,567");
    assert_string_equal(term_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(term_bytes(512, text), "512 B");
    assert_string_equal(term_bytes(1536, text), "1.5 KiB");
    assert_string_equal(term_bytes(64ull << 30, text), "64 GiB");
    assert_string_equal(term_span(999, text), "999 ms");
    assert_string_equal(term_span(61000, text), "1 min 1 s");
    assert_string_equal(term_span(12345678, text), "3 h 25 min");
    assert_string_equal(term_span(90000000, text), "1 d 1 h");
}

static void
test_nearest_word_is_two_edits_away_at_most(void **state)
{
    (void)state;
    static const char *const names[] = { "up", "down", "status", "submit", "show" };
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        { "stauts", "status" }, { "statsu", "status" }, { "sumbit", "submit" }, { "shwo", "show" },
        { "dwn", "down" },      { "frobnicate", NULL }, { "u", "up" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = cli_nearest(cases[i].word, names, 5);
        if (cases[i].nearest)
            assert_string_equal(near, cases[i].nearest);
        else
            assert_null(near);
    }
}

static void
test_options_stand_anywhere(void **state)
{
    (void)state;
    const cli_verb_t verb = { "tap", "", "", "", "", NULL };
    cli_t cli = { .verb = &verb };
    const char *topic = NULL;
    uint64_t count = 0;
    bool follow = false;
    const cli_option_t options[] = {
        { "topic", 't', CLI_TEXT, &topic, "TOPIC", "" },
        { "count", 'n', CLI_NUMBER, &count, "N", "" },
        { "follow", 0, CLI_FLAG, &follow, NULL, "" },
        { 0 },
    };
    char words[][16] = { "tap",       "a",        "-t",     "reports", "b",
                         "--count=7", "--follow", "--json", "--",      "-x" };
    char *argv[11] = { 0 };
    for (size_t i = 0; i < 10; i++)
        argv[i] = words[i];
    int argc = 0;
    cli_exit_t status = CLI_GOOD;
    assert_true(cli_parse(&cli, options, 10, argv, &argc, &status));
    assert_int_equal(argc, 4);
    assert_string_equal(argv[1], "a");
    assert_string_equal(argv[2], "b");
    assert_string_equal(argv[3], "-x");
    assert_string_equal(topic, "reports");
    assert_int_equal(count, 7);
    assert_true(follow && cli.json);
}

static void
test_base64_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; // NULL: refused
    } cases[] = {
        { "", "" },       { "Zg==", "f" },  { "Zm8=", "fo" },     { "Zm9vYmFy", "foobar" },
        { "Zg=", NULL },  { "Z===", NULL }, { "Zg==Zg==", NULL }, { "Zm9v\n", NULL },
        { "Zm-_", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_buf_t out = { 0 };
        nrs_err_t err = base64_decode(nrs_text(cases[i].in), &out);
        assert_int_equal(err, cases[i].out ? NRS_OK : NRS_E_FORMAT);
        assert_string_equal(nrs_buf_cstr(&out), cases[i].out ? cases[i].out : "");
        nrs_buf_free(&out);
    }
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_shows_what_could_mislead),
        cmocka_unit_test(test_width_counts_wide_characters_twice),
        cmocka_unit_test(test_cut_fits_the_column),
        cmocka_unit_test(test_table_lines_up),
        cmocka_unit_test(test_numbers_are_said_as_people_do),
        cmocka_unit_test(test_nearest_word_is_two_edits_away_at_most),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_base64_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
