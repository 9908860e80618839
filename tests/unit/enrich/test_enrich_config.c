#include "services/enrich/enrich_config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static nrs_err_t
s_read(const char *text, nrs_config_t **ret_config, enrich_options_t *options,
       enrich_list_set_t *set, nrs_problem_t *problem)
{
    *problem = (nrs_problem_t){ 0 };
    nrs_err_t err =
        nrs_config_parse(nrs_text(text), "/etc/noroshi/noroshi.yaml", problem, ret_config);
    if (!err)
        err = nrs_options_read(*ret_config, nrs_config_root(*ret_config), enrich_option_table,
                               options, problem);
    if (!err)
        err = enrich_config_lists(*ret_config, options->lists, problem, set);
    return err;
}

static void
test_config_has_defaults(void **state)
{
    (void)state;
    NRS_AUTO(nrs_config) config = NULL;
    enrich_options_t options;
    enrich_list_set_t set;
    nrs_problem_t problem;
    assert_int_equal(s_read("{}\n", &config, &options, &set, &problem), NRS_OK);
    assert_string_equal(options.country, "");
    assert_int_equal(options.repeat_window_ms, 24 * 3600 * 1000);
    assert_int_equal(options.memory_bytes, 128 << 20);
    assert_int_equal(set.count, 0);
}

static void
test_config_reads_lists(void **state)
{
    (void)state;
    NRS_AUTO(nrs_config) config = NULL;
    enrich_options_t options;
    enrich_list_set_t set;
    nrs_problem_t problem;
    nrs_err_t err = s_read(
        "repeat_window: 1h\n"
        "lists:\n"
        "  - { name: tops, path: lists/tops.csv, format: domains }\n"
        "  - { name: good, path: /srv/good.json, format: json, records: whitelist, match: exact,"
        " known_good: false }\n",
        &config, &options, &set, &problem);
    if (err)
        fail_msg("%s", problem.text);
    assert_int_equal(options.repeat_window_ms, 3600 * 1000);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.items[0].name, "tops");
    assert_string_equal(set.items[0].path, "/etc/noroshi/lists/tops.csv");
    assert_int_equal(set.items[0].format, ENRICH_FORMAT_DOMAINS);
    assert_int_equal(set.items[0].match, ENRICH_MATCH_AUTO);
    assert_true(set.items[0].known_good);
    assert_string_equal(set.items[1].path, "/srv/good.json");
    assert_string_equal(set.items[1].records, "whitelist");
    assert_int_equal(set.items[1].match, ENRICH_MATCH_EXACT);
    assert_false(set.items[1].known_good);
}

static void
test_config_says_where_a_list_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        { "lists: tops\n", 1 },
        { "lists:\n  - tops\n", 2 },
        { "lists:\n  - { name: tops }\n", 2 },
        { "lists:\n  - name: a\n    path: a\n  - name: a\n    path: b\n", 4 },
        { "lists:\n  - name: a\n    path: a\n    format: csv\n", 4 },
        { "lists:\n  - name: a\n    path: a\n    records: x\n", 4 },
        { "lists:\n  - name: a\n    path: a\n    format: cidrs\n    match: parent\n", 5 },
        { "lists:\n  - name: a\n    path: a\n    colour: red\n", 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NRS_AUTO(nrs_config) config = NULL;
        enrich_options_t options;
        enrich_list_set_t set;
        nrs_problem_t problem;
        assert_int_equal(s_read(cases[i].text, &config, &options, &set, &problem), NRS_E_CONFIG);
        if (problem.line != cases[i].line)
            fail_msg("%s: line %u, %s", cases[i].text, problem.line, problem.text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_has_defaults),
        cmocka_unit_test(test_config_reads_lists),
        cmocka_unit_test(test_config_says_where_a_list_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
