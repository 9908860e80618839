#include "common/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- reading and walking -------------------------------------------------------------------------

static nrs_config_t *
s_parse(const char *text)
{
    nrs_config_t *config = NULL;
    nrs_problem_t problem = { 0 };
    nrs_err_t err = nrs_config_parse(nrs_text(text), "/etc/noroshi/x.yaml", &problem, &config);
    if (err)
        fail_msg("%u:%u: %s", problem.line, problem.column, problem.text);
    return config;
}

static void
test_config_walks_what_the_file_says(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config)
    config = s_parse("\xef\xbb\xbf# a comment\n"
                     "zeta: [one, \"two\", 'three #']\n"
                     "alpha: {x: 1, \xe7\x8b\xbc: \xe7\x85\x99}\n"
                     "empty:\nnone: ~\nquoted: \"null\"\n"
                     "block: |\n  first\n  second\n");
    const nrs_config_node_t *root = nrs_config_root(config);
    assert_int_equal(nrs_config_shape(root), NRS_CONFIG_MAP);
    assert_int_equal(nrs_config_count(root), 6);

    const char *key = NULL;
    const nrs_config_node_t *list = nrs_config_at(root, 0, &key); // in the order of the file
    assert_string_equal(key, "zeta");
    assert_int_equal(nrs_config_shape(list), NRS_CONFIG_LIST);
    assert_int_equal(nrs_config_count(list), 3);
    assert_string_equal(nrs_config_text(nrs_config_at(list, 2, NULL)), "three #");
    assert_null(nrs_config_at(list, 3, NULL));

    const nrs_config_node_t *alpha = nrs_config_get(root, "alpha");
    assert_string_equal(nrs_config_text(nrs_config_get(alpha, "\xe7\x8b\xbc")), "\xe7\x85\x99");
    assert_int_equal(nrs_config_shape(nrs_config_get(root, "empty")), NRS_CONFIG_NOTHING);
    assert_int_equal(nrs_config_shape(nrs_config_get(root, "none")), NRS_CONFIG_NOTHING);
    assert_string_equal(nrs_config_text(nrs_config_get(root, "quoted")), "null");
    assert_string_equal(nrs_config_text(nrs_config_get(root, "block")), "first\nsecond\n");
}

static void
test_config_gives_nothing_where_there_is_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(nrs_config_shape(NULL), NRS_CONFIG_NOTHING);
    assert_null(nrs_config_get(NULL, "x"));
    assert_null(nrs_config_at(NULL, 0, NULL));
    assert_null(nrs_config_text(NULL));
    static const char *const empty[] = { "", "# only a comment\n", "---\n", "~\n" };
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        NRS_AUTO(nrs_config) config = s_parse(empty[i]);
        assert_non_null(nrs_config_root(config));
        assert_int_equal(nrs_config_shape(nrs_config_root(config)), NRS_CONFIG_NOTHING);
        assert_null(nrs_config_get(nrs_config_root(config), "x"));
    }
}

static void
test_config_refuses_with_the_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *says; // a part of the message
    } cases[] = {
        { "a: 1\nb: 2\na: 3\n", 3, 1, "'a' stands in line 1 already" },
        { "{a: 1, a: 2}", 1, 8, "'a' stands in line 1 already" },
        { "a:\n\tb: 1\n", 2, 1, "tab" },
        { "a: \xff\n", 1, 0, "not UTF-8" },
        { "ok: 1\na: \x01\n", 2, 4, "control character (0x01)" },
        { "a: &x 1\nb: *x\n", 1, 7, "anchors" },
        { "a: *x\n", 1, 5, "aliases" },
        { "a: !!str x\n", 1, 10, "tags" },
        { "<<: {a: 1}\n", 1, 1, "merging" },
        { "a: 1\n---\nb: 2\n", 2, 1, "second document" },
        { "? [a]\n: b\n", 1, 1, "question mark" },
        { "[a]: b\n", 1, 1, "a key must be one text" },
        { "a: b\tc\n", 1, 5, "a tab" },
        { ": b\n", 1, 1, "a key is missing" },
        { "a: \"\\0\"\n", 1, 5, "NUL" },
        { "a: [1, 2\nb: 3\n", 3, 1, "not YAML" },
        { "a: b: c\n", 1, 5, "not YAML" },
        { "[[[[[[[[[[[[[[[[[[", 1, 17, "nested too deeply" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_config_t *config = NULL;
        nrs_problem_t problem = { 0 };
        nrs_err_t err = nrs_config_parse(nrs_text(cases[i].text), "x.yaml", &problem, &config);
        if (err != NRS_E_CONFIG || problem.line != cases[i].line ||
            problem.column != cases[i].column || !strstr(problem.text, cases[i].says))
            fail_msg("case %zu: %s, %u:%u: %s", i, nrs_err_name(err), problem.line, problem.column,
                     problem.text);
        assert_null(config);
        assert_string_equal(problem.file, "x.yaml");
    }
}

static void
test_config_refuses_what_is_too_much(void **unused)
{
    (void)unused;
    nrs_buf_t text = { 0 };
    nrs_problem_t problem;
    nrs_config_t *config = NULL;
    nrs_buf_put_text(&text, "a: [");
    for (int i = 0; i <= NRS_CONFIG_NODES_MAX; i++)
        nrs_buf_put_text(&text, "1,");
    nrs_buf_put_text(&text, "]");
    assert_int_equal(nrs_config_parse(nrs_buf_bytes(&text), "x", &problem, &config), NRS_E_CONFIG);
    assert_non_null(strstr(problem.text, "too many values"));

    memset(nrs_buf_reserve(&text, NRS_CONFIG_BYTES_MAX), ' ', NRS_CONFIG_BYTES_MAX);
    text.size += NRS_CONFIG_BYTES_MAX;
    assert_int_equal(nrs_config_parse(nrs_buf_bytes(&text), "x", &problem, &config), NRS_E_CONFIG);
    assert_non_null(strstr(problem.text, "longer than"));
    nrs_buf_free(&text);
}

static void
test_config_opens_files_and_says_why_not(void **unused)
{
    (void)unused;
    nrs_config_t *config = NULL;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_config_open("/nonexistent/x.yaml", &problem, &config), NRS_E_IO);
    assert_string_equal(problem.file, "/nonexistent/x.yaml");
    assert_int_equal(nrs_config_open("/", &problem, &config), NRS_E_IO);

    char path[] = "/tmp/noroshi-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "a: 1\n", 5) == 5 && close(fd) == 0);
    assert_int_equal(nrs_config_open(path, &problem, &config), NRS_OK);
    assert_string_equal(nrs_config_file(config), path);
    assert_string_equal(nrs_config_base(config), "/tmp");
    nrs_config_destroy(&config);
    unlink(path);
}

static void
test_config_makes_paths_absolute(void **unused)
{
    (void)unused;
    static const struct {
        const char *path, *absolute;
    } cases[] = {
        { "var", "/etc/noroshi/var" },
        { "./var/", "/etc/noroshi/var" },
        { "../var", "/etc/var" },
        { "../../../../x", "/x" },
        { "/srv//a/./b/../c", "/srv/a/c" },
        { "/", "/" },
        { "..x/...", "/etc/noroshi/..x/..." },
        { "../..", "/" },
    };
    NRS_AUTO(nrs_config) config = s_parse("");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(nrs_config_path(config, cases[i].path), cases[i].absolute);
}

static void
test_config_name_is_short_lower_case_and_hyphens(void **unused)
{
    (void)unused;
    static const char *const good[] = { "a", "ingest-1", "3com", "a--b",
                                        "abcdefghijklmnopqrstuvwxyz012345" };
    static const char *const bad[] = { "",    "-a",  "a-",
                                       "A",   "a_b", "a.b",
                                       "a b", "a/b", "abcdefghijklmnopqrstuvwxyz0123456" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(nrs_config_name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(nrs_config_name_ok(bad[i]));
}

// --- option tables -------------------------------------------------------------------------------

typedef struct s_options {
    bool fold;
    int64_t count, room_bytes, wait_ms, mode;
    const char *title, *note, *file;
    nrs_config_texts_t lists;
    const nrs_config_node_t *extra;
} s_options_t;

static const char *const s_modes[] = { "fast", "careful", NULL };

#define ROW(key, type, fallback, min, max, words, doc)                                             \
    {                                                                                              \
#key, NRS_OPTION_##type, offsetof(s_options_t, key), fallback, min, max, words, doc        \
    }

static const nrs_option_t s_table[] = {
    ROW(fold, BOOL, "true", 0, 0, NULL, "Whether to fold."),
    ROW(count, NUMBER, "-3", -5, 1000, NULL, "How many."),
    ROW(room_bytes, BYTES, "64KiB", 4096, INT64_C(1) << 30, NULL, "Room, enough for one batch."),
    ROW(wait_ms, DURATION, "5s", 0, 86400000, NULL,
        "How long to wait: long enough that a busy host is not taken for a dead one, and short "
        "enough that a person who watches does not begin to doubt."),
    ROW(mode, WORD, "careful", 0, 0, s_modes, "How."),
    ROW(title, TEXT, "a: \"b\" #c", 1, 20, NULL, "What people call it."),
    ROW(note, TEXT, "", 1, 5, NULL, "May be left out."),
    ROW(file, PATH, "x.csv", 1, 100, NULL, "Where it is."),
    ROW(lists, TEXTS, "[one, two]", 0, 3, NULL, "Some names."),
    ROW(extra, NODE, NULL, 0, 0, NULL, "Read by somebody else."),
    { 0 },
};

static void
s_assert_defaults(const s_options_t *options)
{
    assert_true(options->fold);
    assert_int_equal(options->count, -3);
    assert_int_equal(options->room_bytes, 65536);
    assert_int_equal(options->wait_ms, 5000);
    assert_int_equal(options->mode, 1);
    assert_string_equal(options->title, "a: \"b\" #c");
    assert_string_equal(options->note, "");
    assert_string_equal(options->file, "/etc/noroshi/x.csv");
    assert_int_equal(options->lists.count, 2);
    assert_string_equal(options->lists.items[1], "two");
    assert_null(options->extra);
}

static void
test_options_are_the_defaults_without_a_mapping(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config) config = s_parse("");
    s_options_t options;
    memset(&options, 0xa5, sizeof options);
    assert_int_equal(nrs_options_read(config, NULL, s_table, &options, NULL), NRS_OK);
    s_assert_defaults(&options);
    memset(&options, 0xa5, sizeof options);
    assert_int_equal(nrs_options_read(config, nrs_config_root(config), s_table, &options, NULL),
                     NRS_OK);
    s_assert_defaults(&options);
}

static void
test_options_take_what_the_file_says(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config)
    config = s_parse("fold: false\ncount: 1000\nroom_bytes: 1GiB\nwait_ms: 24h\nmode: fast\n"
                     "title: \xe7\x8b\xbc\xe7\x85\x99\nnote: \"\"\nfile: /srv/y\nlists: alone\n"
                     "extra: {a: 1}\n");
    s_options_t options;
    assert_int_equal(nrs_options_read(config, nrs_config_root(config), s_table, &options, NULL),
                     NRS_OK);
    assert_false(options.fold);
    assert_int_equal(options.count, 1000);
    assert_int_equal(options.room_bytes, INT64_C(1) << 30);
    assert_int_equal(options.wait_ms, 86400000);
    assert_int_equal(options.mode, 0);
    assert_string_equal(options.title, "\xe7\x8b\xbc\xe7\x85\x99");
    assert_string_equal(options.note, "");
    assert_string_equal(options.file, "/srv/y");
    assert_int_equal(options.lists.count, 1);
    assert_string_equal(options.lists.items[0], "alone");
    assert_string_equal(nrs_config_text(nrs_config_get(options.extra, "a")), "1");
}

static void
test_options_refuse_wrong_values_with_the_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned column;
        const char *says;
    } cases[] = {
        { "fold: yes", 7, "'yes' is not true or false" },
        { "count: 1001", 8, "out of range: -5 to 1000" },
        { "count: -6", 8, "out of range" },
        { "count: 12x", 8, "not a whole number" },
        { "count: +1", 8, "not a whole number" },
        { "count: 1.5", 8, "not a whole number" },
        { "count: 99999999999999999999", 8, "not a whole number" },
        { "count: \" 1\"", 9, "not a whole number" },
        { "count: [1]", 1, "takes one value, not a list" },
        { "count: {a: 1}", 1, "takes one value, not a mapping" },
        { "count:", 1, "has no value" },
        { "room_bytes: 64KB", 13, "not a size such as" },
        { "room_bytes: 64 KiB", 13, "not a size such as" },
        { "room_bytes: 9999999999TiB", 13, "not a size such as" },
        { "room_bytes: 1KiB", 13, "out of range: 4KiB to 1GiB" },
        { "wait_ms: 5", 10, "not a time such as" },
        { "wait_ms: 5sec", 10, "not a time such as" },
        { "wait_ms: 2d", 10, "out of range: 0ms to 1d" },
        { "mode: slow", 7, "'slow' is none of: fast, careful" },
        { "title: \"\"", 9, "must have 1 to 20 bytes, and has 0" },
        { "note: 123456", 7, "must have 1 to 5 bytes, and has 6" },
        { "lists: [a, b, c, d]", 1, "takes 0 to 3 texts, not 4" },
        { "lists: [a, [b]]", 12, "must be a text" },
        { "lists: {a: b}", 1, "a list of texts" },
        { "cuont: 1", 1, "unknown key 'cuont'; did you mean 'count'?" },
        { "room: 1", 1, "unknown key 'room'" },
        { "abcdefgh: 1", 1, "the keys here are: fold, count," },
        { "- fold", 1, "must be a mapping" },
        { "fold", 1, "must be a mapping" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NRS_AUTO(nrs_config) config = s_parse(cases[i].text);
        s_options_t options;
        nrs_problem_t problem = { 0 };
        nrs_err_t err =
            nrs_options_read(config, nrs_config_root(config), s_table, &options, &problem);
        if (err != NRS_E_CONFIG || problem.line != 1 || problem.column != cases[i].column ||
            !strstr(problem.text, cases[i].says))
            fail_msg("%s: %s, %u:%u: %s", cases[i].text, nrs_err_name(err), problem.line,
                     problem.column, problem.text);
    }
}

static void
test_options_note_every_mistake_and_return_the_first(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config) config = s_parse("fold: maybe\ncount: 7\nwait_ms: 5\nfolt: true\n");
    s_options_t options;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_options_read(config, nrs_config_root(config), s_table, &options, &problem),
                     NRS_E_CONFIG);
    assert_int_equal(problem.line, 1);
    assert_int_equal(nrs_config_mistake(config, 0)->line, 1);
    assert_int_equal(nrs_config_mistake(config, 1)->line, 3);
    assert_int_equal(nrs_config_mistake(config, 2)->line, 4);
    assert_null(nrs_config_mistake(config, 3));
    assert_int_equal(options.count, 7);
    assert_int_equal(options.wait_ms, 5000); // the default stands where the value is wrong
}

static void
test_options_keep_a_bounded_number_of_mistakes(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config) config = s_parse("a: 1\n");
    const nrs_config_node_t *node = nrs_config_get(nrs_config_root(config), "a");
    for (int i = 0; i < 2 * NRS_CONFIG_MISTAKES_MAX; i++)
        assert_int_equal(nrs_config_problem(node, NULL, "mistake %d", i), NRS_E_CONFIG);
    assert_non_null(nrs_config_mistake(config, NRS_CONFIG_MISTAKES_MAX - 1));
    assert_null(nrs_config_mistake(config, NRS_CONFIG_MISTAKES_MAX));
}

static void
test_options_ask_for_what_must_be_given(void **unused)
{
    (void)unused;
    static const nrs_option_t table[] = {
        ROW(count, NUMBER, NULL, 1, 9, NULL, "how many"),
        ROW(title, TEXT, NULL, 1, 9, NULL, "what it is"),
        { 0 },
    };
    NRS_AUTO(nrs_config) config = s_parse("x:\n  count: 3\n");
    s_options_t options = { 0 };
    nrs_problem_t problem = { 0 };
    const nrs_config_node_t *node = nrs_config_get(nrs_config_root(config), "x");
    assert_int_equal(nrs_options_read(config, node, table, &options, &problem), NRS_E_CONFIG);
    assert_int_equal(problem.line, 1);
    assert_string_equal(problem.text, "title is missing: what it is");
    assert_int_equal(nrs_options_read(config, NULL, table, &options, &problem), NRS_E_CONFIG);
    assert_string_equal(problem.text, "count is missing: how many");
}

static void
test_options_print_reads_back_as_the_defaults(void **unused)
{
    (void)unused;
    nrs_buf_t printed = { 0 };
    nrs_buf_put_text(&printed, "options:\n");
    nrs_options_print(s_table, 4, &printed);
    const char *text = nrs_buf_cstr(&printed);
    assert_non_null(strstr(text, "    # How many. Range: -5 to 1000.\n    count: -3\n"));
    assert_non_null(strstr(text, "    # How. One of: fast, careful.\n    mode: \"careful\"\n"));
    assert_non_null(strstr(text, "Range: 4KiB to 1GiB.\n    room_bytes: 64KiB\n"));
    assert_non_null(strstr(text, "    # extra:\n"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);

    NRS_AUTO(nrs_config) config = s_parse(text);
    const nrs_config_node_t *node = nrs_config_get(nrs_config_root(config), "options");
    assert_int_equal(nrs_config_count(node), sizeof s_table / sizeof s_table[0] - 2);
    s_options_t options;
    assert_int_equal(nrs_options_read(config, node, s_table, &options, NULL), NRS_OK);
    s_assert_defaults(&options);
    nrs_buf_free(&printed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_walks_what_the_file_says),
        cmocka_unit_test(test_config_gives_nothing_where_there_is_nothing),
        cmocka_unit_test(test_config_refuses_with_the_place),
        cmocka_unit_test(test_config_refuses_what_is_too_much),
        cmocka_unit_test(test_config_opens_files_and_says_why_not),
        cmocka_unit_test(test_config_makes_paths_absolute),
        cmocka_unit_test(test_config_name_is_short_lower_case_and_hyphens),
        cmocka_unit_test(test_options_are_the_defaults_without_a_mapping),
        cmocka_unit_test(test_options_take_what_the_file_says),
        cmocka_unit_test(test_options_refuse_wrong_values_with_the_place),
        cmocka_unit_test(test_options_note_every_mistake_and_return_the_first),
        cmocka_unit_test(test_options_keep_a_bounded_number_of_mistakes),
        cmocka_unit_test(test_options_ask_for_what_must_be_given),
        cmocka_unit_test(test_options_print_reads_back_as_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
