// STIX 2.1: patterns, markings, and what becomes of each object of a bundle.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/ingest/ingest_stix_pattern.h"
#include "tests/unit/ingest/inputs.h"

static const char s_sources[] =
    "sources:\n  stix: { member: guard, format: stix, claims: { phish: phishing } }\n";

static void
test_stix_pattern_gives_each_value(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *want; // "number of kind:value " for each
    } cases[] = {
        { "[domain-name:value='a.example']", "1:a.example " },
        { "[ url:value = 'http://x/?a=\\'b\\\\' ]", "2:http://x/?a='b\\ " },
        { "[file:hashes.'SHA-256' = 'aa' OR file:hashes.md5='bb']", "11:aa 9:bb " },
        { "[file:hashes.\"SHA-1\" = 'aa']", "10:aa " },
        { "[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]", "3:192.0.2.1 3:192.0.2.2 " },
        { "[domain-name:value='a' AND (url:value='b' OR url:value='c')] OR ([mutex:name='d'])",
          "1:a 2:b 2:c 22:d " },
        { "[autonomous-system:number = 64500]", "6:64500 " },
        { "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = "
          "'192.0.2.1' AND "
          "network-traffic:dst_port = 443]",
          "0:192.0.2.1 port 443" },
        { "", NULL },
        { "[", NULL },
        { "[]", NULL },
        { "[url:value = 'a'", NULL },
        { "[url:value = 'a]", NULL },
        { "[url:value != 'a']", NULL },
        { "[url:value NOT = 'a']", NULL },
        { "[url:value LIKE 'a%']", NULL },
        { "[url:value MATCHES 'a']", NULL },
        { "[url:value = 'a' AND file:size = 3]", NULL },
        { "[url:value = 'a'] FOLLOWEDBY [url:value = 'b']", NULL },
        { "[url:value = 'a'] WITHIN 5 SECONDS", NULL },
        { "[url:value = 'a' OR]", NULL },
        { "[(url:value = 'a']", NULL },
        { "[url:value = 'a'] [url:value = 'b']", NULL },
        { "[configuration-profile:id='x']", NULL },
        { "[network-traffic:dst_port = 99999]", NULL },
        { "url:value = 'a'", NULL },
    };
    ingest_terms_t *terms = nrs_new0(ingest_terms_t);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = NULL;
        nrs_err_t err = ingest_stix_pattern_read(nrs_text(cases[i].pattern), terms, &text);
        assert_int_equal(err == NRS_OK, cases[i].want != NULL);
        if (err) {
            assert_non_null(text);
            continue;
        }
        nrs_buf_t got = { 0 };
        for (size_t k = 0; k < terms->count; k++)
            nrs_buf_printf(&got, "%d:%.*s ", (int)terms->items[k].kind, (int)terms->items[k].size,
                           (const char *)terms->texts.data + terms->items[k].at);
        if (terms->port)
            nrs_buf_printf(&got, "port %d", (int)terms->port);
        assert_string_equal(nrs_buf_cstr(&got), cases[i].want);
        nrs_buf_free(&got);
    }
    nrs_buf_free(&terms->texts);
    free(terms);
}

static void
test_stix_makes_events_of_indicators_and_observables(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *want;
    } cases[] = {
        { "{\"type\":\"bundle\",\"id\":\"bundle--1\"}", "" },
        { "{\"type\":\"bundle\",\"objects\":[{\"type\":\"identity\"},{\"type\":\"domain-name\","
          "\"value\":\"A.example\"},"
          "{\"type\":\"file\",\"hashes\":{\"MD5\":\"d41d8cd98f00b204e9800998ecf8427e\",\"SHA3-"
          "256\":\"00\"}},"
          "{\"type\":\"file\",\"name\":\"a.exe\"},{\"type\":\"autonomous-system\",\"number\":64500}"
          ","
          "{\"type\":\"user-account\"}]}",
          "-\ndomain a.example\nmd5 d41d8cd98f00b204e9800998ecf8427e\nfile-name a.exe\nasn "
          "64500\n-\n" },
        { "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[url:value "
          "MATCHES 'x']\"},7,"
          "{\"type\":\"indicator\",\"pattern_type\":\"pcre\",\"pattern\":\"x\"},"
          "{\"type\":\"indicator\",\"pattern_type\":\"yara\",\"pattern\":\"rule a { condition: "
          "true }\"}]}",
          "! stix-pattern in#1\n! stix-object in#2\n! stix-pattern in#3\nyara rule a { condition: "
          "true }\n" },
        { "{\"type\":\"url\",\"value\":\"http://a.example/\"}", "url http://a.example/\n" },
        { "{\"objects\":[{\"type\":\"ipv4-addr\",\"value\":\"192.0.2.1/32\"}]}",
          "ipv4 192.0.2.1\n" },
        { "[1]", "! stix-object in#1\n" },
        { "7", "! stix-object in\n" },
        { "{\"type\":\"bundle\",\"objects\":{\"0\":{}}}", "! stix-object in\n" },
        { "{\"type\":\"bundle\",", "! json in\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        inputs_t inputs;
        inputs_open(&inputs, s_sources);
        assert_string_equal(inputs_read(&inputs, "stix", nrs_text(cases[i].bytes), 4096),
                            cases[i].want);
        inputs.room = 1;
        assert_string_equal(inputs_read(&inputs, "stix", nrs_text(cases[i].bytes), 3),
                            cases[i].want);
        inputs_close(&inputs);
    }
}

static void
test_stix_indicator_fills_the_origin(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs_read(
        &inputs, "stix",
        nrs_text(
            "{\"type\":\"indicator\",\"id\":\"indicator--1\",\"pattern\":\"[url:value='http://"
            "a.example/']\","
            "\"pattern_type\":\"stix\",\"valid_from\":\"2025-12-01T00:00:00Z\","
            "\"valid_until\":\"2026-12-01T00:00:00Z\",\"modified\":\"2025-12-02T00:00:00.000Z\","
            "\"labels\":[\"x\",\"phish\"],\"confidence\":70,\"name\":\"n\",\"revoked\":false}"),
        4096);
    assert_int_equal(inputs.last.observed_at, 1764547200000);
    assert_int_equal(inputs.last.expires_at, 1796083200000);
    assert_int_equal(inputs.last.confidence, 70);
    assert_int_equal(inputs.last.form, NRS_FORM_REPORT);
    assert_int_equal(inputs.last.tags.count, 2);
    assert_int_equal(inputs.last.tlp, NRS_TLP_AMBER); // nothing said: the member's default
    assert_string_equal(inputs.claim, "phishing");
    assert_string_equal(inputs.record, "indicator--1");
    inputs_close(&inputs);
}

static void
test_stix_revoked_indicator_is_a_withdrawal_of_its_own(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs_read(&inputs, "stix",
                nrs_text("{\"type\":\"indicator\",\"id\":\"indicator--1\",\"pattern\":\"[url:value="
                         "'http://a.example/']\","
                         "\"valid_from\":\"2025-11-01T00:00:00Z\",\"modified\":\"2025-12-01T00:00:"
                         "00Z\",\"revoked\":true}"),
                4096);
    assert_int_equal(inputs.last.form, NRS_FORM_WITHDRAWAL);
    assert_int_equal(inputs.last.observed_at, 1764547200000);
    inputs_close(&inputs);
}

#define GREEN_1   "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
#define CLEAR_2   "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
#define STRICT_2  "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
#define PAP_RED   "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"
#define PAP_AMBER "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab"

static void
test_stix_takes_the_most_restrictive_marking(void **state)
{
    (void)state;
    static const struct {
        const char *refs, *also;
        uint64_t tlp, pap;
    } cases[] = {
        { "\"" GREEN_1 "\"", "", NRS_TLP_GREEN, NRS_PAP_GREEN },
        { "\"" CLEAR_2 "\",\"" STRICT_2 "\"", "", NRS_TLP_AMBER_STRICT, NRS_PAP_GREEN },
        { "\"" CLEAR_2 "\",\"" PAP_RED "\",\"" PAP_AMBER "\"", "", NRS_TLP_CLEAR, NRS_PAP_RED },
        { "\"marking-definition--00000000-0000-4000-8000-000000000000\"", "", NRS_TLP_RED,
          NRS_PAP_GREEN },
        { "7", "", NRS_TLP_RED, NRS_PAP_GREEN },
        { "\"" GREEN_1 "\"",
          ",{\"type\":\"marking-definition\",\"id\":\"" GREEN_1 "\",\"definition_type\":\"tlp\","
          "\"definition\":{\"tlp\":\"green\"}}",
          NRS_TLP_GREEN, NRS_PAP_GREEN },
        { "\"" GREEN_1 "\"", // the id of one, the content of another
          ",{\"type\":\"marking-definition\",\"id\":\"" GREEN_1 "\",\"definition_type\":\"tlp\","
          "\"definition\":{\"tlp\":\"white\"}}",
          NRS_TLP_RED, NRS_PAP_GREEN },
        { "\"" CLEAR_2 "\"", // TLP 2.0 in the clothes of TLP 1.x
          ",{\"type\":\"marking-definition\",\"id\":\"" CLEAR_2 "\",\"definition_type\":\"tlp\","
          "\"definition\":{\"tlp\":\"clear\"}}",
          NRS_TLP_RED, NRS_PAP_GREEN },
        { "\"" CLEAR_2 "\"",
          ",{\"type\":\"marking-definition\",\"id\":\"" CLEAR_2 "\",\"extensions\":{"
          "\"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d\":{\"tlp_2_0\":\"clear\"}}"
          "}",
          NRS_TLP_CLEAR, NRS_PAP_GREEN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        inputs_t inputs;
        nrs_buf_t bundle = { 0 };
        inputs_open(&inputs, s_sources);
        nrs_buf_printf(
            &bundle,
            "{\"type\":\"bundle\",\"objects\":[{\"type\":\"url\",\"value\":\"http://a.example/\","
            "\"object_marking_refs\":[%s]}%s]}",
            cases[i].refs, cases[i].also);
        inputs_read(&inputs, "stix", nrs_buf_bytes(&bundle), 4096);
        assert_int_equal(inputs.last.tlp, cases[i].tlp);
        assert_int_equal(inputs.last.pap, cases[i].pap);
        nrs_buf_free(&bundle);
        inputs_close(&inputs);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stix_pattern_gives_each_value),
        cmocka_unit_test(test_stix_makes_events_of_indicators_and_observables),
        cmocka_unit_test(test_stix_indicator_fills_the_origin),
        cmocka_unit_test(test_stix_revoked_indicator_is_a_withdrawal_of_its_own),
        cmocka_unit_test(test_stix_takes_the_most_restrictive_marking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
