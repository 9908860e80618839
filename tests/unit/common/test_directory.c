#include "common/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/keys.h"

// Three public keys whose secret halves nobody has.
#define KEY_A "1#${shClGj?Sz6BFr8zayQT#ZOmJF2:l%w8Oikpx"
#define KEY_B "0L?%WYn7InV}*gb)[S(cC>-I)Gv9rC+VKtifK{(a"
#define KEY_C "CHbdX?s+Hf)LO3[4=-!@*/5%ndAsq?N6IeVziT&K"

// A directory and the file that it borrows from.
typedef struct s_case {
    nrs_config_t *config;
    nrs_directory_t *directory;
} s_case_t;

static void
s_case_destroy(s_case_t *self)
{
    nrs_directory_destroy(&self->directory);
    nrs_config_destroy(&self->config);
}

static nrs_err_t
s_open(s_case_t *self, const char *text, nrs_problem_t *reterr)
{
    *self = (s_case_t){ 0 };
    nrs_err_t err = nrs_config_parse(nrs_text(text), "/srv/x.yaml", reterr, &self->config);
    return err ? err : nrs_directory_open(self->config, reterr, &self->directory);
}

static void
s_open_good(s_case_t *self, const char *text)
{
    nrs_problem_t problem = { 0 };
    if (s_open(self, text, &problem))
        fail_msg("%u:%u: %s", problem.line, problem.column, problem.text);
}

static void
test_directory_may_be_empty(void **unused)
{
    (void)unused;
    s_case_t it;
    s_open_good(&it, "noroshi: 1\nmembers:\n");
    assert_int_equal(it.directory->member_count, 0);
    assert_null(nrs_directory_member(it.directory, "a"));
    assert_null(nrs_directory_peer(it.directory, "a"));
    s_case_destroy(&it);
}

static void
test_directory_fails_closed_where_the_file_is_silent(void **unused)
{
    (void)unused;
    s_case_t it;
    s_open_good(&it, "agreements: {terms: }\n"
                     "members: {a: {agreement: terms}}\n"
                     "peers: {p: {agreement: terms, key: \"" KEY_A "\"}}\n");
    const nrs_member_t *member = nrs_directory_member(it.directory, "a");
    assert_int_equal(member->tlp, NRS_TLP_RED);
    assert_int_equal(member->pap, 0);
    assert_int_equal(member->onward, NRS_ONWARD_DENY);
    assert_int_equal(member->clearance, 0);
    assert_string_equal(member->key, "");
    assert_string_equal(member->name, "a");

    const nrs_agreement_t *agreement = nrs_directory_peer(it.directory, "p")->agreement;
    assert_ptr_equal(agreement, member->agreement);
    assert_string_equal(agreement->title, "terms");
    assert_int_equal(agreement->version, 1);
    assert_int_equal(agreement->tlp, NRS_TLP_GREEN);
    assert_false(agreement->third_party);
    assert_true(agreement->projected);
    assert_int_equal(agreement->until_ms, 0);
    assert_int_equal(agreement->from_count, 0);
    assert_null(agreement->from);
    assert_null(nrs_directory_peer(it.directory, "p")->scope);
    s_case_destroy(&it);
}

static void
test_directory_takes_what_the_file_says(void **unused)
{
    (void)unused;
    s_case_t it;
    s_open_good(&it, "agreements:\n"
                     "  t: {title: Terms, version: 7, tlp: amber+strict, third_party: true,\n"
                     "      projected: false, until: 2030-03-31, from: [a, b]}\n"
                     "  u: {until: '2030-03-31T09:00:00+09:00'}\n"
                     "members:\n"
                     "  a: {name: \xe7\x8b\xbc, agreement: t, tlp: green, pap: red, onward: ask,\n"
                     "      clearance: amber, key: \"" KEY_A "\"}\n"
                     "  b: {agreement: u}\n"
                     "peers:\n"
                     "  p: {agreement: t, key: \"" KEY_B "\", scope: 'kind == \"url\"'}\n");
    const nrs_member_t *a = nrs_directory_member(it.directory, "a");
    assert_string_equal(a->name, "\xe7\x8b\xbc");
    assert_int_equal(a->tlp, NRS_TLP_GREEN);
    assert_int_equal(a->pap, NRS_PAP_RED);
    assert_int_equal(a->onward, NRS_ONWARD_ASK);
    assert_int_equal(a->clearance, NRS_TLP_AMBER);
    assert_string_equal(a->key, KEY_A);
    assert_string_equal(a->agreement->title, "Terms");
    assert_int_equal(a->agreement->version, 7);
    assert_int_equal(a->agreement->tlp, NRS_TLP_AMBER_STRICT);
    assert_true(a->agreement->third_party);
    assert_false(a->agreement->projected);
    assert_int_equal(a->agreement->until_ms, UINT64_C(1901231999999)); // the last of that day
    assert_int_equal(a->agreement->from_count, 2);
    assert_string_equal(a->agreement->from[1], "b");
    assert_int_equal(nrs_directory_member(it.directory, "b")->agreement->until_ms,
                     UINT64_C(1901145600000));
    const nrs_peer_t *peer = nrs_directory_peer(it.directory, "p");
    assert_string_equal(peer->key, KEY_B);
    assert_string_equal(peer->scope, "kind == \"url\"");
    s_case_destroy(&it);
}

#define TERMS "agreements: {t: {}}\n"

static void
test_directory_refuses_with_the_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } cases[] = {
        { "members: [a]\n", 1, "must be a mapping" },
        { "agreements: {T: {}}\n", 1, "'T' is no id" },
        { "agreements: {t: {tpl: red}}\n", 1, "did you mean 'tlp'?" },
        { "agreements: {t: {tlp: red}}\n", 1, "what is red goes to nobody" },
        { "agreements: {t: {tlp: pink}}\n", 1, "none of: clear, green, amber, amber+strict, red" },
        { "agreements: {t: {until: soon}}\n", 1, "'soon' is no date" },
        { "agreements: {t: {until: 2030-02-30}}\n", 1, "is no date" },
        { "agreements: {t: {version: 0}}\n", 1, "out of range: at least 1" },
        { "agreements: {t: {from: []}}\n", 1, "from takes 1 to" }, // nobody, and not everybody
        { "agreements: {t: {from: [x]}}\n", 1, "there is no member 'x'" },
        { TERMS "members: {a: {}}\n", 2, "agreement is missing" },
        { TERMS "members: {a: {agreement: u}}\n", 2, "there is no agreement 'u'" },
        { TERMS "members: {a: {agreement: t, tlp: x}}\n", 2, "tlp: 'x' is none of" },
        { TERMS "members: {a: {agreement: t, pap: x}}\n", 2, "pap: 'x' is none of" },
        { TERMS "members: {a: {agreement: t, onward: x}}\n", 2, "none of: deny, ask, allow" },
        { TERMS "members: {a: {agreement: t, clearance: x}}\n", 2, "clearance: 'x' is none of" },
        { TERMS "members: {a: {agreement: t, scope: x}}\n", 2, "unknown key 'scope'" },
        { TERMS "members: {a_b: {agreement: t}}\n", 2, "'a_b' is no id" },
        { TERMS "members: {a: {agreement: t, key: nothing.pub}}\n", 2, "`noroshi key new a`" },
        { TERMS "members: {a: {agreement: t, key: /}}\n", 2, "key: /: " },
        { TERMS "peers: {p: {agreement: t}}\n", 2, "p needs a key" },
        { TERMS "peers: {p: {agreement: t, key: \"" KEY_A "\",\n  scope: 'kind =='}}\n", 3,
          "scope, column " },
        { TERMS "members:\n  a: {agreement: t, key: \"" KEY_A "\"}\npeers:\n"
                "  p: {agreement: t, key: \"" KEY_A "\"}\n",
          5, "a and p have the same key" },
        { TERMS "members:\n  a: {agreement: t, key: \"" KEY_C "\"}\n"
                "  b: {agreement: t, key: \"" KEY_C "\"}\n",
          4, "a and b have the same key" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_problem_t problem = { 0 };
        s_case_t it;
        nrs_err_t err = s_open(&it, cases[i].text, &problem);
        if (err != NRS_E_CONFIG || problem.line != cases[i].line ||
            !strstr(problem.text, cases[i].says))
            fail_msg("%s: %s, %u:%u: %s", cases[i].text, nrs_err_name(err), problem.line,
                     problem.column, problem.text);
        assert_null(it.directory);
        s_case_destroy(&it);
    }
}

static void
test_directory_notes_every_mistake_and_returns_the_first(void **unused)
{
    (void)unused;
    nrs_problem_t problem = { 0 };
    s_case_t it;
    assert_int_equal(s_open(&it,
                            "agreements:\n  t: {tlp: x}\nmembers:\n  a: {agreement: t}\n"
                            "  b: {agreement: u,\n    tlp: y}\npeers:\n  p: {agreement: t}\n",
                            &problem),
                     NRS_E_CONFIG);
    assert_int_equal(problem.line, 2);
    static const unsigned lines[] = { 2, 5, 6, 8 };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(nrs_config_mistake(it.config, i)->line, lines[i]);
    assert_null(nrs_config_mistake(it.config, 4));
    s_case_destroy(&it);
}

static void
test_directory_reads_keys_from_certificates(void **unused)
{
    (void)unused;
    char dir[] = "/tmp/noroshi-directory-XXXXXX";
    assert_non_null(mkdtemp(dir));
    nrs_keys_t keys;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_keys_new(dir, "a", &problem, &keys), NRS_OK);
    char text[256];
    snprintf(text, sizeof text, TERMS "members: {a: {agreement: t, key: %s/a.pub}}\n", dir);
    s_case_t it;
    s_open_good(&it, text);
    assert_string_equal(nrs_directory_member(it.directory, "a")->key, keys.public_text);
    s_case_destroy(&it);
    nrs_keys_wipe(&keys);

    char path[64];
    snprintf(path, sizeof path, "%s/a.pub", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/a.key", dir);
    unlink(path);
    rmdir(dir);
}

static void
test_directory_opens_the_shipped_example(void **unused)
{
    (void)unused;
    s_case_t it = { 0 };
    nrs_problem_t problem = { 0 };
    assert_int_equal(
        nrs_config_open(NOROSHI_SOURCE_DIR "/deploy/noroshi.yaml", &problem, &it.config), NRS_OK);
    if (nrs_directory_open(it.config, &problem, &it.directory))
        fail_msg("%u:%u: %s", problem.line, problem.column, problem.text);
    const nrs_peer_t *ncfta = nrs_directory_peer(it.directory, "ncfta");
    const nrs_peer_t *cda = nrs_directory_peer(it.directory, "cda");
    assert_int_equal(ncfta->agreement->tlp, NRS_TLP_AMBER);
    assert_false(ncfta->agreement->projected);
    assert_int_equal(cda->agreement->tlp, NRS_TLP_GREEN);
    assert_true(cda->agreement->projected);
    assert_non_null(nrs_directory_member(it.directory, "wallet-guard"));
    s_case_destroy(&it);
}

// Every key that the reader knows stands in the reference: an unknown key's message lists the known
// ones.
static void
test_directory_has_a_reference_of_every_key(void **unused)
{
    (void)unused;
    FILE *file = fopen(NOROSHI_SOURCE_DIR "/proto/noroshi_yaml.md", "re");
    assert_non_null(file);
    static char page[1 << 16];
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    static const char *const texts[] = { "agreements: {t: {qqqqqqqqqqq: 1}}\n",
                                         TERMS "members: {a: {agreement: t, qqqqqqqqqqq: 1}}\n",
                                         TERMS "peers: {a: {agreement: t, qqqqqqqqqqq: 1}}\n" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        nrs_problem_t problem = { 0 };
        s_case_t it;
        assert_int_equal(s_open(&it, texts[i], &problem), NRS_E_CONFIG);
        char *keys = strstr(problem.text, "are: ");
        assert_non_null(keys);
        char *rest = NULL;
        for (char *key = strtok_r(keys + 5, ", ", &rest); key; key = strtok_r(NULL, ", ", &rest)) {
            char row[80];
            snprintf(row, sizeof row, "| `%s` |", key);
            if (!strstr(page, row))
                fail_msg("%s is not in the reference", key);
        }
        s_case_destroy(&it);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_may_be_empty),
        cmocka_unit_test(test_directory_fails_closed_where_the_file_is_silent),
        cmocka_unit_test(test_directory_takes_what_the_file_says),
        cmocka_unit_test(test_directory_refuses_with_the_place),
        cmocka_unit_test(test_directory_notes_every_mistake_and_returns_the_first),
        cmocka_unit_test(test_directory_reads_keys_from_certificates),
        cmocka_unit_test(test_directory_opens_the_shipped_example),
        cmocka_unit_test(test_directory_has_a_reference_of_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
