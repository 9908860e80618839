// test_rules.c - rules files: what is read and refused and where, how verdicts add up, and what the
// shipped rules say
#include "services/classify/classify_place.h"
#include "services/classify/classify_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t NOW = 1790000000000;
enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };

static classify_rules_t *
s_rules(const char *text)
{
    classify_rules_t *rules = NULL;
    nrs_problem_t problem = { 0 };
    char print[800];
    if (classify_rules_parse(nrs_text(text), "rules.yaml", &problem, &rules))
        fail_msg("%s", nrs_problem_print(&problem, print, sizeof print));
    return rules;
}

// The verdict on an event of these layers. Borrows from `rules`, `scratch` and `bytes`.
static bool
s_judge(const classify_rules_t *rules, const nrs_origin_t *origin, const nrs_context_t *context,
        classify_scratch_t *scratch, nrs_buf_t *bytes, nrs_verdict_t *ret_verdict)
{
    nrs_buf_t first = { 0 };
    nrs_buf_reset(bytes);
    nrs_event_begin(&first, origin);
    nrs_event_append(bytes, nrs_buf_bytes(&first), NRS_LAYER_CONTEXT, context);
    nrs_buf_free(&first);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(bytes), &event), NRS_OK);
    return classify_rules_apply(rules, &event, NOW, scratch, ret_verdict);
}

static void
s_assert_text(nrs_bytes_t text, const char *expected)
{
    if (!nrs_bytes_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

// What can be packed is in the table's limits: the verdict goes into an event and passes its check.
static void
s_assert_sane(const nrs_buf_t *bytes, const nrs_verdict_t *verdict)
{
    nrs_buf_t whole = { 0 };
    nrs_problem_t problem = { 0 };
    nrs_event_append(&whole, nrs_buf_bytes(bytes), NRS_LAYER_VERDICT, verdict);
    if (nrs_event_check(nrs_buf_bytes(&whole), &problem))
        fail_msg("%s", problem.text);
    nrs_buf_free(&whole);
    assert_true(verdict->class && verdict->severity && verdict->desk && verdict->rule.size &&
                verdict->rule_version);
    assert_true(verdict->reasons.count > 0);
    assert_true(!verdict->type || nrs_class_of_type(verdict->type) == verdict->class);
}

static void
test_rules_give_every_event_a_verdict(void **state)
{
    (void)state;
    NRS_AUTO(classify_rules) rules = s_rules("");
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_TEXT, .value = nrs_text("?") };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_false(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.class, NRS_CLASS_OTHER);
    assert_int_equal(verdict.type, NRS_TYPE_UNDETERMINED);
    assert_int_equal(verdict.severity, NRS_SEVERITY_INFO);
    assert_int_equal(verdict.desk, NRS_DESK_NONE);
    s_assert_text(verdict.rule, "default");
    s_assert_text(verdict.reasons.items[0], "no rule matches");
    nrs_buf_free(&bytes);
    classify_scratch_free(&scratch);
}

static const char s_refining[] =
    "%s\n"
    "default: { severity: low, confidence: 7, expires: 1h, audience: [all], reason: none }\n"
    "rules:\n"
    "  - { id: one, version: 4, when: kind == url, type: phishing, severity: high,\n"
    "      confidence: 10, desk: cybercrime, audience: [banks], reason: 'one {kind}' }\n"
    "  - { id: two, when: has(port), severity: medium, confidence: source,\n"
    "      audience: [banks, shops], reason: 'two {port} {malware} {{}' }\n"
    "  - { id: three, version: 9, when: port == 99, class: fraud, expires: 2d, stop: true,\n"
    "      reason: three }\n"
    "  - { id: four, when: 'true', type: source, reason: four }\n";

static void
test_rules_refine_in_mode_all(void **state)
{
    (void)state;
    char text[2000];
    snprintf(text, sizeof text, s_refining, "mode: all");
    NRS_AUTO(classify_rules) rules = s_rules(text);
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = {
        .kind = NRS_KIND_URL, .observed_at = (uint64_t)NOW, .port = 99, .confidence = 55
    };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.class, NRS_CLASS_FRAUD);
    assert_int_equal(verdict.type,
                     NRS_TYPE_PHISHING); // a class alone keeps a type that belongs to it
    assert_int_equal(verdict.severity, NRS_SEVERITY_HIGH);
    assert_int_equal(verdict.confidence, 55);
    assert_int_equal(verdict.desk, NRS_DESK_CYBERCRIME);
    assert_int_equal(verdict.expires_at, NOW + 2 * DAY);
    assert_int_equal(verdict.audience.count, 2);
    s_assert_text(verdict.audience.items[1], "shops");
    s_assert_text(verdict.rule, "three");
    assert_int_equal(verdict.rule_version, 9);
    assert_int_equal(verdict.reasons.count, 3); // three stops, so four is not asked
    s_assert_text(verdict.reasons.items[0], "one url");
    s_assert_text(verdict.reasons.items[1], "two 99 unknown {}");

    origin =
        (nrs_origin_t){ .kind = NRS_KIND_URL, .claim = nrs_text("c2-server"), .received_at = 5 };
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.type, NRS_TYPE_C2_SERVER);
    assert_int_equal(verdict.class, NRS_CLASS_MALICIOUS_CODE);
    assert_int_equal(verdict.confidence, 10);
    assert_int_equal(verdict.expires_at, 5 + HOUR); // not observed: since it was received
    s_assert_text(verdict.rule, "four");

    origin = (nrs_origin_t){ .kind = NRS_KIND_TEXT, .claim = nrs_text("nonsense") };
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.type, NRS_TYPE_UNDETERMINED); // a claim that is no type says nothing
    assert_int_equal(verdict.severity, NRS_SEVERITY_LOW);
    assert_int_equal(verdict.confidence, 7);
    s_assert_text(verdict.audience.items[0], "all");
    s_assert_text(verdict.rule, "four");
    assert_int_equal(verdict.reasons.count, 1);
    nrs_buf_free(&bytes);
    classify_scratch_free(&scratch);
}

static void
test_rules_end_with_the_first_in_mode_first(void **state)
{
    (void)state;
    char text[2000];
    snprintf(text, sizeof text, s_refining, "mode: first");
    NRS_AUTO(classify_rules) rules = s_rules(text);
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_URL, .port = 99, .confidence = 55 };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    s_assert_text(verdict.rule, "one");
    assert_int_equal(verdict.rule_version, 4);
    assert_int_equal(verdict.confidence, 10);
    assert_int_equal(verdict.reasons.count, 1);
    assert_int_equal(verdict.expires_at, NOW + HOUR);
    nrs_buf_free(&bytes);
    classify_scratch_free(&scratch);
}

static void
test_rules_default_takes_the_claim_where_it_is_a_type(void **state)
{
    (void)state;
    NRS_AUTO(classify_rules) rules = s_rules("default: { type: source }");
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_TEXT, .claim = nrs_text("spam") };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_false(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.type, NRS_TYPE_SPAM);
    origin.claim = nrs_text("nonsense");
    assert_false(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.type, NRS_TYPE_UNDETERMINED);
    nrs_buf_free(&bytes);
    classify_scratch_free(&scratch);
}

static void
test_rules_cut_long_reasons_between_characters(void **state)
{
    (void)state;
    NRS_AUTO(classify_rules)
    rules =
        s_rules("rules: [{ id: a, when: 'true', reason: '{value} {target} {target} {target}' }]");
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 }, long_text = { 0 };
    for (int i = 0; i < 80; i++)
        nrs_buf_put_text(&long_text, "\xe9\x8a\x80");
    nrs_origin_t origin = { .kind = NRS_KIND_TEXT,
                            .value = nrs_buf_bytes(&long_text),
                            .target = nrs_buf_bytes(&long_text) };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_true(verdict.reasons.items[0].size > CLASSIFY_REASON_BYTES - 4);
    assert_true(nrs_utf8_ok(verdict.reasons.items[0]));
    nrs_buf_free(&bytes);
    nrs_buf_free(&long_text);
    classify_scratch_free(&scratch);
}

static void
test_rules_keep_as_many_reasons_as_fit(void **state)
{
    (void)state;
    nrs_buf_t text = { 0 }, bytes = { 0 };
    nrs_buf_put_text(&text, "rules:\n");
    for (int i = 0; i < 40; i++)
        nrs_buf_printf(
            &text, "  - { id: r%d, when: 'true', audience: [g%d], reason: because %d }\n", i, i, i);
    NRS_AUTO(classify_rules) rules = s_rules(nrs_buf_cstr(&text));
    classify_scratch_t scratch = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_TEXT };
    nrs_context_t context = { 0 };
    nrs_verdict_t verdict;
    assert_true(s_judge(rules, &origin, &context, &scratch, &bytes, &verdict));
    s_assert_sane(&bytes, &verdict);
    assert_int_equal(verdict.reasons.count, NRS_LIST_MAX);
    assert_int_equal(verdict.audience.count, NRS_LIST_MAX);
    s_assert_text(verdict.reasons.items[0], "because 0");
    nrs_buf_free(&bytes);
    nrs_buf_free(&text);
    classify_scratch_free(&scratch);
}

static void
test_rules_point_at_the_mistake(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *says;
    } cases[] = {
        { "rules: 5", 1, 8, "list" },
        { "rules: [5]", 1, 9, "mapping" },
        { "mode: some", 1, 7, "all, first" },
        { "rules:\n- { id: a, when: 'true' }", 2, 0, "reason" },
        { "rules:\n- { id: a, reason: a }", 2, 0, "when" },
        { "rules:\n- { id: a, when: 'true', reason: a, sevrity: low }", 2, 37, "severity" },
        { "rules:\n- { id: a, when: 'true', reason: a, severity: hot }", 2, 47, "critical" },
        { "rules:\n- { id: a, when: 'true', reason: a, type: phishin }", 2, 43, "phishing" },
        { "rules:\n- { id: a, when: 'true', reason: a, desk: police }", 2, 43, "cybercrime" },
        { "rules:\n- { id: a, when: 'true', reason: a, class: other, type: phishing }", 2, 44,
          "fraud" },
        { "rules:\n- { id: a, when: 'true', reason: a, class: other, type: source }", 2, 44,
          "follows" },
        { "rules:\n- { id: a, when: 'true', reason: a, confidence: 101 }", 2, 49, "1 to 100" },
        { "rules:\n- { id: a, when: 'true', reason: a, confidence: 0 }", 2, 49, "1 to 100" },
        { "rules:\n- { id: a, when: 'true', reason: a, confidence: 5% }", 2, 49, "1 to 100" },
        { "rules:\n- { id: a, when: 'true', reason: a, expires: 1y }", 2, 46, "30d" },
        { "rules:\n- { id: a, when: 'true', reason: a, version: 0 }", 2, 46, "range" },
        { "rules:\n- { id: a, when: 'true', reason: a }\n- { id: a, when: kind == url, reason: a }",
          3, 9, "already" },
        { "rules:\n- { id: a, when: 'true', reason: 'an {orgin.value}' }", 2, 38, "no field" },
        { "rules:\n- { id: a, when: 'true', reason: 'an {value' }", 2, 38, "no field" },
        // inside conditions, in every style that YAML has
        { "rules:\n- id: a\n  when: kind == ur\n  reason: a", 3, 17, "no word" },
        { "rules:\n- id: a\n  when: kind == url and\n    prot == 1\n  reason: a", 4, 5,
          "origin.port" },
        { "rules:\n- id: a\n  when: 'claim == ''a'' and kind == ur'\n  reason: a", 3, 37,
          "no word" },
        { "rules:\n- id: a\n  when: \"claim == \\\"a\\\" and kind == ur\"\n  reason: a", 3, 37,
          "no word" },
        { "rules:\n- id: a\n  when: \"has(port) and\\n kind == ur\"\n  reason: a", 3, 34,
          "no word" },
        { "rules:\n- id: a\n  when: >\n    \"a\" in tags and\n    kind == ur\n  reason: a", 5, 13,
          "no word" },
        { "rules:\n- id: a\n  when: |\n    has(port)\n\n    and knid == url\n  reason: a", 6, 9,
          "origin.kind" },
        { "rules:\n- id: a\n  when: >-  # why\n    claim == \"\xe9\x8a\x80\" and\n    (has(port) "
          "and\n  reason: a",
          5, 19, "ends" },
        { "rules:\n- id: a\n  when: claim == \"\xe9\x8a\x80\" and kind == ur\n  reason: a", 3, 34,
          "no word" },
        { "rules:\n- id: a\n  when: value ~ \"a(b\"\n  reason: a", 3, 21, "in the pattern" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        classify_rules_t *rules = NULL;
        nrs_problem_t problem = { 0 };
        nrs_err_t err =
            classify_rules_parse(nrs_text(cases[i].text), "rules.yaml", &problem, &rules);
        bool placed = problem.line == cases[i].line &&
                      (cases[i].column == 0 || problem.column == cases[i].column);
        if (err != NRS_E_CONFIG || rules || !placed || !strstr(problem.text, cases[i].says))
            fail_msg("%s\n%s %s:%u:%u: %s", cases[i].text, nrs_err_name(err), problem.file,
                     problem.line, problem.column, problem.text);
        assert_string_equal(problem.file, "rules.yaml");
        assert_int_equal(classify_rules_parse(nrs_text(cases[i].text), "rules.yaml", NULL, &rules),
                         NRS_E_CONFIG);
    }
}

static void
test_rules_warn_of_what_cannot_be_meant(void **state)
{
    static const struct {
        const char *text;
        const char *says; // NULL: no warning
        unsigned line;
    } cases[] = {
        { "rules:\n- { id: a, when: kind == url, reason: a }\n- { id: b, when: has(port), reason: "
          "a }",
          NULL, 0 },
        { "rules:\n- { id: a, when: kind == url, reason: a }\n- { id: b, when: (origin.kind=url), "
          "reason: a }",
          "b has the same condition as rule a", 3 },
        { "rules:\n- { id: a, when: kind == url, reason: a, stop: true }\n- { id: b, when: kind == "
          "url, reason: a }",
          "never be reached", 3 },
        { "mode: first\nrules:\n- { id: a, when: kind == url, reason: a }\n- { id: b, when: kind "
          "== url, reason: a }",
          "never be reached", 4 },
        { "mode: first\nrules:\n- { id: a, when: 'true', reason: a }\n- { id: b, when: kind == "
          "url, reason: a }",
          "never be reached", 4 },
        { "rules:\n- { id: a, when: 'true', reason: a }\n- { id: b, when: kind == url, reason: a }",
          NULL, 0 },
        { "rules:\n- { id: a, when: severity >= high, reason: a }", "not there yet", 2 },
        { "rules:\n- { id: a, when: 'false', reason: a }", "never match", 2 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(classify_rules) rules = s_rules(cases[i].text);
        assert_int_equal(classify_rules_check(rules).warnings, cases[i].says ? 1 : 0);
        const nrs_problem_t *warning = classify_rules_warning(rules, 0);
        if (!cases[i].says) {
            assert_null(warning);
            continue;
        }
        assert_non_null(strstr(warning->text, cases[i].says));
        assert_int_equal(warning->line, cases[i].line);
        assert_null(classify_rules_warning(rules, 1));
    }
}

static void
test_rules_file_that_is_not_there(void **state)
{
    (void)state;
    classify_rules_t *rules = NULL;
    nrs_problem_t problem = { 0 };
    assert_int_equal(classify_rules_open("no/such/rules.yaml", &problem, &rules), NRS_E_IO);
    assert_string_equal(problem.file, "no/such/rules.yaml");
    assert_null(rules);
}

typedef struct s_shipped {
    uint64_t kind;
    const char *value, *claim, *host, *domain, *ip;
    uint64_t reporters;
    bool known_good;
    uint64_t type; // 0: only a class
    uint64_t severity, desk;
    const char *rule;
} s_shipped_t;

static const s_shipped_t s_shipped_cases[] = {
    { NRS_KIND_TEXT, "?", NULL, NULL, NULL, NULL, 1, false, NRS_TYPE_UNDETERMINED,
      NRS_SEVERITY_INFO, NRS_DESK_NONE, "default" },
    { NRS_KIND_URL, "http://a.jp/", "test", "a.jp", "a.jp", NULL, 1, false, NRS_TYPE_TEST,
      NRS_SEVERITY_INFO, NRS_DESK_NONE, "test-report" },
    { NRS_KIND_IPV4, "10.9.8.7", "c2-server", NULL, NULL, "10.9.8.7", 9, false,
      NRS_TYPE_UNDETERMINED, NRS_SEVERITY_INFO, NRS_DESK_NONE, "not-on-the-internet" },
    { NRS_KIND_IPV6, "::1", "c2-server", NULL, NULL, "::1", 9, false, NRS_TYPE_UNDETERMINED,
      NRS_SEVERITY_INFO, NRS_DESK_NONE, "not-on-the-internet" },
    { NRS_KIND_DOMAIN, "drive.example.com", "phishing", "drive.example.com", "example.com", NULL,
      12, true, NRS_TYPE_UNDETERMINED, NRS_SEVERITY_INFO, NRS_DESK_NONE, "known-good" },
    { NRS_KIND_URL, "https://drive.example.com/x", "phishing", "drive.example.com", "example.com",
      NULL, 1, true, NRS_TYPE_PHISHING, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "fraud-claimed" },
    { NRS_KIND_URL, "https://bank.example/", "phishing", "bank.example", "bank.example", NULL, 1,
      false, NRS_TYPE_PHISHING, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "fraud-claimed" },
    { NRS_KIND_URL, "https://bank.example/", "phishing", "bank.example", "bank.example", NULL, 3,
      false, NRS_TYPE_PHISHING, NRS_SEVERITY_HIGH, NRS_DESK_CYBERCRIME, "fraud-claimed" },
    { NRS_KIND_URL, "https://bank.example/", "phishing", "bank.example", "bank.example", NULL, 10,
      false, NRS_TYPE_PHISHING, NRS_SEVERITY_CRITICAL, NRS_DESK_CYBERCRIME, "fraud-claimed" },
    { NRS_KIND_IPV4, "198.51.100.4", "c2-server", NULL, NULL, "198.51.100.4", 1, false,
      NRS_TYPE_C2_SERVER, NRS_SEVERITY_HIGH, NRS_DESK_SECURITY, "c2-claimed" },
    { NRS_KIND_IPV4, "198.51.100.4", "scanner", NULL, NULL, "198.51.100.4", 20, false,
      NRS_TYPE_SCANNER, NRS_SEVERITY_LOW, NRS_DESK_NONE, "noise-claimed" },
    { NRS_KIND_IPV4, "198.51.100.4", "ddos", NULL, NULL, "198.51.100.4", 1, false, NRS_TYPE_DDOS,
      NRS_SEVERITY_MEDIUM, NRS_DESK_SECURITY, "denial-of-service-claimed" },
    { NRS_KIND_DOMAIN, "leak.example", "data-leak", "leak.example", "leak.example", NULL, 1, false,
      NRS_TYPE_DATA_LEAK, NRS_SEVERITY_HIGH, NRS_DESK_SECURITY, "intrusion-claimed" },
    { NRS_KIND_SHA256, "00", "malware-distribution", NULL, NULL, NULL, 1, false,
      NRS_TYPE_MALWARE_DISTRIBUTION, NRS_SEVERITY_HIGH, NRS_DESK_CYBERCRIME, "malware-claimed" },
    { NRS_KIND_MD5, "00", NULL, NULL, NULL, NULL, 1, false, NRS_TYPE_MALWARE_DISTRIBUTION,
      NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "malware-file" },
    { NRS_KIND_CVE, "CVE-2026-0001", NULL, NULL, NULL, NULL, 1, false, NRS_TYPE_VULNERABLE_SYSTEM,
      NRS_SEVERITY_MEDIUM, NRS_DESK_SECURITY, "vulnerability" },
    { NRS_KIND_ATTACK, "T1566", NULL, NULL, NULL, NULL, 1, false, 0, NRS_SEVERITY_INFO,
      NRS_DESK_SECURITY, "technique" },
    { NRS_KIND_BANK_ACCOUNT, "0001-001-1-1234567", "phishing", NULL, NULL, NULL, 1, false,
      NRS_TYPE_UNAUTHORISED_USE_OF_RESOURCES, NRS_SEVERITY_HIGH, NRS_DESK_CYBERCRIME,
      "mule-account" },
    { NRS_KIND_CARD_BIN, "411111", NULL, NULL, NULL, NULL, 1, false,
      NRS_TYPE_UNAUTHORISED_USE_OF_RESOURCES, NRS_SEVERITY_HIGH, NRS_DESK_CYBERCRIME, "card-bin" },
    { NRS_KIND_PHONE, "+81312345678", NULL, NULL, NULL, NULL, 1, false, NRS_TYPE_MASQUERADE,
      NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "fraud-phone" },
    { NRS_KIND_URL, "https://www.smbc.co.jp@bad.example/", NULL, "bad.example", "bad.example", NULL,
      1, false, NRS_TYPE_PHISHING, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "phishing-shape" },
    { NRS_KIND_URL, "https://www.smbc.co.jp.bad.example/", NULL, "www.smbc.co.jp.bad.example",
      "bad.example", NULL, 1, false, NRS_TYPE_PHISHING, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME,
      "phishing-shape" },
    { NRS_KIND_URL, "https://paypay-kyc.example/login", NULL, "paypay-kyc.example",
      "paypay-kyc.example", NULL, 1, false, NRS_TYPE_PHISHING, NRS_SEVERITY_HIGH,
      NRS_DESK_CYBERCRIME, "phishing-words" },
    { NRS_KIND_URL, "https://id.rakuten.co.jp/login", NULL, "id.rakuten.co.jp", "rakuten.co.jp",
      NULL, 1, false, NRS_TYPE_UNDETERMINED, NRS_SEVERITY_INFO, NRS_DESK_NONE, "default" },
    { NRS_KIND_DOMAIN, "bag-90off.shop", NULL, "bag-90off.shop", "bag-90off.shop", NULL, 1, false,
      NRS_TYPE_MASQUERADE, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "fake-shop-look" },
    { NRS_KIND_URL, "http://a.example/Windows-Support.html", NULL, "a.example", "a.example", NULL,
      1, false, NRS_TYPE_MASQUERADE, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME, "scam-look" },
    { NRS_KIND_URL, "http://198.51.100.4/bins/x.arm7", NULL, "198.51.100.4", NULL, "198.51.100.4",
      1, false, NRS_TYPE_MALWARE_DISTRIBUTION, NRS_SEVERITY_MEDIUM, NRS_DESK_CYBERCRIME,
      "dropper-look" },
};

static void
test_shipped_rules_judge_the_daily_matter(void **state)
{
    (void)state;
    NRS_AUTO(classify_rules) rules = NULL;
    nrs_problem_t problem = { 0 };
    char print[800];
    if (classify_rules_open(NOROSHI_SOURCE_DIR "/deploy/rules/default.yaml", &problem, &rules))
        fail_msg("%s", nrs_problem_print(&problem, print, sizeof print));
    assert_int_equal(classify_rules_check(rules).warnings, 0);
    classify_scratch_t scratch = { 0 };
    nrs_buf_t bytes = { 0 };
    for (size_t i = 0; i < sizeof s_shipped_cases / sizeof *s_shipped_cases; i++) {
        const s_shipped_t *c = &s_shipped_cases[i];
        nrs_origin_t origin = { .kind = c->kind,
                                .value = nrs_text(c->value),
                                .observed_at = (uint64_t)NOW,
                                .claim = nrs_text(c->claim),
                                .confidence = 60 };
        nrs_context_t context = { .host = nrs_text(c->host),
                                  .domain = nrs_text(c->domain),
                                  .ip = nrs_text(c->ip),
                                  .reporters = c->reporters,
                                  .sightings = c->reporters,
                                  .known_good = c->known_good };
        nrs_verdict_t verdict;
        s_judge(rules, &origin, &context, &scratch, &bytes, &verdict);
        s_assert_sane(&bytes, &verdict);
        if (verdict.type != c->type || verdict.severity != c->severity || verdict.desk != c->desk ||
            !nrs_bytes_is(verdict.rule, c->rule))
            fail_msg("%s: %.*s says type %d, severity %d, desk %d", c->value,
                     (int)verdict.rule.size, verdict.rule.data, (int)verdict.type,
                     (int)verdict.severity, (int)verdict.desk);
    }
    nrs_buf_free(&bytes);
    classify_scratch_free(&scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_give_every_event_a_verdict),
        cmocka_unit_test(test_rules_refine_in_mode_all),
        cmocka_unit_test(test_rules_end_with_the_first_in_mode_first),
        cmocka_unit_test(test_rules_default_takes_the_claim_where_it_is_a_type),
        cmocka_unit_test(test_rules_cut_long_reasons_between_characters),
        cmocka_unit_test(test_rules_keep_as_many_reasons_as_fit),
        cmocka_unit_test(test_rules_point_at_the_mistake),
        cmocka_unit_test(test_rules_warn_of_what_cannot_be_meant),
        cmocka_unit_test(test_rules_file_that_is_not_there),
        cmocka_unit_test(test_shipped_rules_judge_the_daily_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
