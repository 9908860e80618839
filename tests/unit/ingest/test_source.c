// Declarations of sources: what is refused, where, and what the defaults are.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/ingest/ingest_source.h"
#include "tests/unit/ingest/inputs.h"

static void
test_source_refuses_with_the_line_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *yaml; // below line 5: "sources:" is line 6
        unsigned line;
        const char *says;
    } cases[] = {
        { "  a: { format: list }\n", 6, "member" },
        { "  a: { member: guard }\n", 6, "format" },
        { "  a:\n    member: nobody\n    format: list\n", 7, "no member" },
        { "  a:\n    member: guard\n    format: xml\n", 8, "format is one of" },
        { "  a:\n    member: guard\n    format: list\n    colour: red\n", 9, "no key" },
        { "  a: { member: guard, format: csv,\n    delimiter: ';;' }\n", 7, "delimiter" },
        { "  a: { member: guard, format: csv,\n    header: none }\n", 7, "header" },
        { "  a: { member: guard, format: list,\n    tlp: purple }\n", 7, "purple" },
        { "  a: { member: guard, format: list,\n    claim: bad-thing }\n", 7, "bad-thing" },
        { "  a: { member: guard, format: list,\n    confidence: 101 }\n", 7, "confidence" },
        { "  a: { member: guard, format: list,\n    confidence: 5x }\n", 7, "confidence" },
        { "  a: { member: guard, format: list,\n    kind: flavour }\n", 7, "kind" },
        { "  a: { member: guard, format: list,\n    timezone: JST }\n", 7, "timezone" },
        { "  a: { member: guard, format: list,\n    refang: maybe }\n", 7, "refang" },
        { "  a: { member: guard, format: csv, map: {\n    colour: x } }\n", 7, "colour" },
        { "  a: { member: guard, format: csv, map: {\n    received_at: x } }\n", 7, "received_at" },
        { "  a: { member: guard, format: csv, map: {\n    value: a..b } }\n", 7, "a..b" },
        { "  a: { member: guard, format: csv, map: {\n    kind: x } }\n", 6, "value" },
        { "  a: { member: guard, format: list, claims: {\n    x: y } }\n", 7, "\"y\"" },
        { "  [ a ]\n", 5, "sources wants" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_buf_t yaml = { 0 };
        nrs_problem_t problem = { .line = 0 };
        nrs_config_t *config = NULL;
        nrs_directory_t *directory = NULL;
        ingest_sources_t *sources = NULL;
        nrs_buf_printf(&yaml,
                       "agreements:\n  mou: { title: M }\nmembers:\n  guard: { name: G, agreement: "
                       "mou }\nsources:\n%s",
                       cases[i].yaml);
        assert_int_equal(nrs_config_parse(nrs_buf_bytes(&yaml), "test.yaml", &problem, &config),
                         NRS_OK);
        assert_int_equal(nrs_directory_open(config, &problem, &directory), NRS_OK);
        assert_int_equal(ingest_sources_open(config, directory, &problem, &sources), NRS_E_CONFIG);
        assert_int_equal(problem.line, cases[i].line);
        assert_non_null(strstr(problem.text, cases[i].says));
        nrs_directory_destroy(&directory);
        nrs_config_destroy(&config);
        nrs_buf_free(&yaml);
    }
}

static void
test_source_takes_defaults_from_its_member(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs,
                "sources:\n"
                "  a: { member: guard, format: list }\n"
                "  b: { member: guard, format: csv, tlp: green, onward: deny, claim: phishing, "
                "confidence: 70,\n"
                "       timezone: '-03:30', delimiter: tab, kind: url, map: { value: [u, v] } }\n");
    const ingest_source_t *a = ingest_sources_get(inputs.sources, nrs_text("a"));
    const ingest_source_t *b = ingest_sources_get(inputs.sources, nrs_text("b"));
    assert_null(ingest_sources_get(inputs.sources, nrs_text("c")));
    assert_int_equal(a->tlp, NRS_TLP_AMBER);
    assert_int_equal(a->pap, NRS_PAP_GREEN);
    assert_int_equal(a->onward, NRS_ONWARD_ASK);
    assert_int_equal(a->kind, 0);
    assert_true(a->refang);
    assert_int_equal(b->tlp, NRS_TLP_GREEN);
    assert_int_equal(b->onward, NRS_ONWARD_DENY);
    assert_true(nrs_bytes_is(b->claim, "phishing"));
    assert_int_equal(b->confidence, 70);
    assert_int_equal(b->zone_minutes, -210);
    assert_int_equal(b->delimiter, '\t');
    assert_int_equal(b->kind, NRS_KIND_URL);
    assert_int_equal(b->map_count, 2);
    inputs_close(&inputs);
}

static void
test_source_reads_labels_as_they_are_written_and_unknown_ones_as_red(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint64_t tlp;
    } cases[] = {
        { "TLP:WHITE", NRS_TLP_CLEAR },
        { "clear", NRS_TLP_CLEAR },
        { "tlp:green", NRS_TLP_GREEN },
        { "TLP:AMBER+STRICT", NRS_TLP_AMBER_STRICT },
        { "amber-strict", NRS_TLP_AMBER_STRICT },
        { "TLP:EX:CHR", NRS_TLP_RED },
        { "TLP:", NRS_TLP_RED },
        { "", NRS_TLP_RED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(ingest_tlp_of(nrs_text(cases[i].word)), cases[i].tlp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_refuses_with_the_line_that_is_wrong),
        cmocka_unit_test(test_source_takes_defaults_from_its_member),
        cmocka_unit_test(test_source_reads_labels_as_they_are_written_and_unknown_ones_as_red),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
