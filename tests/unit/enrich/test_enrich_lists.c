#include "services/enrich/enrich_lists.h"
#include "services/enrich/enrich_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char s_dir[64];
static nrs_suffixes_t *s_suffixes;

static int
s_setup(void **state)
{
    (void)state;
    strcpy(s_dir, "/tmp/noroshi-lists-XXXXXX");
    return mkdtemp(s_dir) && !nrs_suffixes_open(NULL, &s_suffixes) ? 0 : -1;
}

static int
s_teardown(void **state)
{
    (void)state;
    nrs_suffixes_destroy(&s_suffixes);
    return rmdir(s_dir);
}

typedef struct s_lists {
    enrich_list_set_t set;
    char paths[4][96];
    enrich_list_report_t reports[ENRICH_LISTS_MAX];
    enrich_lists_t *lists;
} s_lists_t;

static void
s_add(s_lists_t *self, const char *text, int64_t format, int64_t match, const char *records)
{
    size_t i = self->set.count++;
    static const char *const names[] = { "one", "two", "three", "four" };
    snprintf(self->paths[i], sizeof self->paths[i], "%s/%zu", s_dir, i);
    FILE *file = fopen(self->paths[i], "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    self->set.items[i] =
        (enrich_list_t){ names[i], self->paths[i], format, match, records, i != 1 };
}

static nrs_err_t
s_open(s_lists_t *self, uint64_t entries_max, nrs_problem_t *problem)
{
    nrs_err_t err = enrich_lists_open(&self->set, s_suffixes, 7, entries_max, self->reports,
                                      problem, &self->lists);
    for (size_t i = 0; i < self->set.count; i++)
        unlink(self->paths[i]);
    return err;
}

static uint32_t
s_host(const s_lists_t *self, const char *host)
{
    enrich_wanted_t wanted = { .value = nrs_text(host), .host = nrs_text(host) };
    return enrich_lists_find(self->lists, &wanted);
}

static uint32_t
s_value(const s_lists_t *self, const char *value)
{
    enrich_wanted_t wanted = { .value = nrs_text(value) };
    return enrich_lists_find(self->lists, &wanted);
}

static uint32_t
s_address(const s_lists_t *self, const char *text)
{
    nrs_prefix_t prefix;
    assert_int_equal(nrs_prefix_parse(nrs_text(text), &prefix), NRS_OK);
    enrich_wanted_t wanted = { .value = nrs_text(text), .prefix = &prefix };
    return enrich_lists_find(self->lists, &wanted);
}

static void
test_lists_cover_names_and_what_is_below_them(void **state)
{
    (void)state;
    s_lists_t lists = { 0 };
    s_add(&lists,
          "# tops\n1,Example.COM\r\n2,b\xc3\xbc"
          "cher.example\n\n  shop.example.co.jp  \n*.wild.example\n",
          ENRICH_FORMAT_DOMAINS, ENRICH_MATCH_AUTO, "");
    s_add(&lists, "example.com\nwww.example.org\n", ENRICH_FORMAT_DOMAINS, ENRICH_MATCH_EXACT, "");
    assert_int_equal(s_open(&lists, 100, NULL), NRS_OK);
    assert_int_equal(lists.reports[0].entries, 4);
    assert_int_equal(enrich_lists_entries(lists.lists), 6);
    assert_int_equal(s_host(&lists, "example.com"), 3);
    assert_int_equal(s_host(&lists, "a.b.example.com"), 1);
    assert_int_equal(s_host(&lists, "notexample.com"), 0);
    assert_int_equal(s_host(&lists, "com"), 0);
    assert_int_equal(s_host(&lists, "www.xn--bcher-kva.example"), 1);
    assert_int_equal(s_host(&lists, "example.co.jp"), 0);
    assert_int_equal(s_host(&lists, "a.wild.example"), 1);
    assert_int_equal(s_host(&lists, "www.example.org"), 2);
    assert_int_equal(s_host(&lists, "a.www.example.org"), 0);
    enrich_lists_destroy(&lists.lists);
}

static void
test_lists_refuse_public_suffixes(void **state)
{
    (void)state;
    s_lists_t lists = { 0 };
    s_add(&lists, "com\nco.jp\nexample.com\n", ENRICH_FORMAT_DOMAINS, ENRICH_MATCH_AUTO, "");
    s_add(&lists, "co.jp\nexample.com\n", ENRICH_FORMAT_DOMAINS, ENRICH_MATCH_EXACT, "");
    assert_int_equal(s_open(&lists, 100, NULL), NRS_OK);
    assert_int_equal(lists.reports[0].entries, 1);
    assert_int_equal(lists.reports[0].suffixes, 2);
    assert_string_equal(lists.reports[0].suffix, "com");
    assert_int_equal(s_host(&lists, "evil.co.jp"), 0);
    assert_int_equal(s_host(&lists, "evil.com"), 0);
    assert_int_equal(s_host(&lists, "co.jp"), 2); // by itself it covers nothing else
    enrich_lists_destroy(&lists.lists);
}

static void
test_lists_hold_addresses_and_values(void **state)
{
    (void)state;
    s_lists_t lists = { 0 };
    s_add(&lists, "192.0.2.0/24\n2001:db8::/32\n198.51.100.1\nexample.com\n", ENRICH_FORMAT_CIDRS,
          ENRICH_MATCH_AUTO, "");
    s_add(&lists, "D41D8CD98F00B204E9800998ECF8427E\nHTTP://Example.COM\nGlobal\\some mutex\n",
          ENRICH_FORMAT_VALUES, ENRICH_MATCH_AUTO, "");
    s_add(&lists, "203.0.113.0/24\nexample.net\nd41d8cd98f00b204e9800998ecf8427e\n?? nonsense\n",
          ENRICH_FORMAT_AUTO, ENRICH_MATCH_AUTO, "");
    assert_int_equal(s_open(&lists, 100, NULL), NRS_OK);
    assert_int_equal(lists.reports[0].skipped, 1);
    assert_int_equal(lists.reports[2].skipped, 1);
    assert_int_equal(s_address(&lists, "192.0.2.77"), 1);
    assert_int_equal(s_address(&lists, "192.0.2.0/25"), 1);
    assert_int_equal(s_address(&lists, "192.0.0.0/16"), 0);
    assert_int_equal(s_address(&lists, "2001:db8::1"), 1);
    assert_int_equal(s_address(&lists, "203.0.113.9"), 4);
    assert_int_equal(s_value(&lists, "d41d8cd98f00b204e9800998ecf8427e"), 6);
    assert_int_equal(s_value(&lists, "http://example.com/"), 2);
    assert_int_equal(s_value(&lists, "Global\\some mutex"), 2);
    assert_int_equal(s_value(&lists, "other"), 0);
    assert_int_equal(s_host(&lists, "www.example.net"), 4);

    nrs_list_t names;
    bool good = false;
    enrich_lists_names(lists.lists, 6, &names, &good);
    assert_int_equal(names.count, 2);
    assert_true(nrs_bytes_is(names.items[0], "two") && nrs_bytes_is(names.items[1], "three"));
    assert_true(good);
    enrich_lists_names(lists.lists, 2, &names, &good); // a list that is only noted
    assert_false(good);
    enrich_lists_destroy(&lists.lists);
}

static void
test_lists_read_json(void **state)
{
    (void)state;
    s_lists_t lists = { 0 };
    s_add(&lists,
          "{\"blacklist\":[\"evil.example\"],\"deep\":{\"whitelist\":[\"good.example\",\"192.0.2.0/"
          "24\",7,\"\"]}}",
          ENRICH_FORMAT_JSON, ENRICH_MATCH_AUTO, "deep.whitelist");
    s_add(&lists, "[\"other.example\"]", ENRICH_FORMAT_JSON, ENRICH_MATCH_AUTO, "");
    assert_int_equal(s_open(&lists, 100, NULL), NRS_OK);
    assert_int_equal(lists.reports[0].entries, 2);
    assert_int_equal(lists.reports[0].skipped, 2);
    assert_int_equal(s_host(&lists, "www.good.example"), 1);
    assert_int_equal(s_host(&lists, "evil.example"), 0);
    assert_int_equal(s_address(&lists, "192.0.2.1"), 1);
    assert_int_equal(s_host(&lists, "other.example"), 2);
    enrich_lists_destroy(&lists.lists);
}

static void
test_lists_refuse_what_cannot_be_a_list(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t format;
        const char *records;
        nrs_err_t err;
    } cases[] = {
        { "", ENRICH_FORMAT_AUTO, "", NRS_E_FORMAT },
        { "# nothing\n", ENRICH_FORMAT_DOMAINS, "", NRS_E_FORMAT },
        { "<html>404</html>\n", ENRICH_FORMAT_DOMAINS, "", NRS_E_FORMAT },
        { "{\"whitelist\":[\"a.example\"]", ENRICH_FORMAT_JSON, "whitelist", NRS_E_FORMAT },
        { "{\"whitelist\":\"a.example\"}", ENRICH_FORMAT_JSON, "whitelist", NRS_E_FORMAT },
        { "{\"other\":[]}", ENRICH_FORMAT_JSON, "whitelist", NRS_E_FORMAT },
        { "{}", ENRICH_FORMAT_JSON, "", NRS_E_FORMAT },
        { "a.example\nb.example\nc.example\n", ENRICH_FORMAT_DOMAINS, "", NRS_E_LIMIT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_lists_t lists = { 0 };
        nrs_problem_t problem = { 0 };
        s_add(&lists, cases[i].text, cases[i].format, ENRICH_MATCH_AUTO, cases[i].records);
        assert_int_equal(s_open(&lists, 2, &problem), cases[i].err);
        assert_string_equal(problem.file, lists.paths[0]);
        assert_null(lists.lists);
    }
    s_lists_t missing = { .set = { .count = 1,
                                   .items = { { "x", "/nonexistent", 0, 0, "", true } } } };
    nrs_problem_t problem = { 0 };
    assert_int_equal(s_open(&missing, 2, &problem), NRS_E_IO);
}

static void
test_names_stay_when_the_table_grows(void **state)
{
    (void)state;
    enum { NAMES = 20000 };
    NRS_AUTO(enrich_names) names = enrich_names_new(1);
    char text[32];
    for (unsigned i = 0; i < NAMES; i++) {
        int length = snprintf(text, sizeof text, "host-%u.example", i);
        enrich_names_add(names, nrs_bytes(text, (size_t)length), i % 32);
    }
    for (unsigned i = 0; i < 2 * NAMES; i++) {
        int length = snprintf(text, sizeof text, "host-%u.example", i);
        assert_int_equal(enrich_names_find(names, nrs_bytes(text, (size_t)length)),
                         i < NAMES ? 1u << i % 32 : 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_cover_names_and_what_is_below_them),
        cmocka_unit_test(test_lists_refuse_public_suffixes),
        cmocka_unit_test(test_lists_hold_addresses_and_values),
        cmocka_unit_test(test_lists_read_json),
        cmocka_unit_test(test_lists_refuse_what_cannot_be_a_list),
        cmocka_unit_test(test_names_stay_when_the_table_grows),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
