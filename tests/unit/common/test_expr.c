// test_expr.c - the expression language: what holds of one known event, what is refused and where,
// canonical spelling
#include "common/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t NOW = 1790000000000;
enum { HOUR = 3600 * 1000 };

// The event that most cases ask: a phishing URL with nearly everything said about it, and no
// confidence.
static void
s_make(nrs_buf_t *into)
{
    static const uint8_t id[NRS_ID_BYTES] = { 0x12, 0xab };
    nrs_buf_t first = { 0 };
    nrs_origin_t origin = {
        .id = nrs_bytes(id, sizeof id),
        .offset = 17,
        .kind = NRS_KIND_URL,
        .value = nrs_text("https://login.bank.example.com/a?b=1"),
        .observed_at = (uint64_t)NOW - 2 * HOUR,
        .received_at = (uint64_t)NOW - HOUR,
        .originator = nrs_text("bank-a"),
        .tlp = NRS_TLP_AMBER,
        .claim = nrs_text("phishing"),
        .count = 5,
        .target = nrs_text("\xe4\xb8\x89\xe4\xba\x95\xe9\x8a\x80\xe8\xa1\x8c"),
        .tags = { 2, { nrs_text("jp"), nrs_text("smishing kit") } },
        .port = 8443,
    };
    nrs_event_begin(&first, &origin);
    nrs_context_t context = {
        .host = nrs_text("login.bank.example.com"),
        .domain = nrs_text("example.com"),
        .ip = nrs_text("192.0.2.7"),
        .country = nrs_text("JP"),
        .reporters = 3,
        .known_good = true,
    };
    nrs_event_append(into, nrs_buf_bytes(&first), NRS_LAYER_CONTEXT, &context);
    nrs_buf_free(&first);
}

static bool
s_match_event(const char *text, nrs_bytes_t bytes)
{
    NRS_AUTO(nrs_expr) expr = NULL;
    nrs_problem_t problem = { 0 };
    char print[800];
    if (nrs_expr_compile(nrs_text(text), &problem, &expr))
        fail_msg("%s: %s", text, nrs_problem_print(&problem, print, sizeof print));
    nrs_event_t event;
    assert_int_equal(nrs_event_open(bytes, &event), NRS_OK);
    return nrs_expr_match(expr, &event, NOW);
}

typedef struct s_case {
    const char *text;
    bool match;
} s_case_t;

static void
s_check(const s_case_t *cases, size_t count)
{
    nrs_buf_t bytes = { 0 };
    s_make(&bytes);
    for (size_t i = 0; i < count; i++)
        if (s_match_event(cases[i].text, nrs_buf_bytes(&bytes)) != cases[i].match)
            fail_msg("%s is not %s", cases[i].text, cases[i].match ? "true" : "false");
    nrs_buf_free(&bytes);
}

#define CHECK(cases) s_check(cases, sizeof(cases) / sizeof *(cases))

static void
test_expr_compares_enum_words(void **state)
{
    static const s_case_t cases[] = {
        { "kind == url", true },
        { "kind = URL", true },
        { "origin.kind == \"url\"", true },
        { "kind != url", false },
        { "kind != domain",
          true }, // on the right of an enum a word is its word, not the field `domain`
        { "kind in [ipv4, url]", true },
        { "kind not in [ipv4, url]", false },
        { "kind in [ipv4, email-message]", false },
        { "tlp <= amber", true },
        { "tlp < amber", false },
        { "tlp < amber+strict", true },
        { "tlp >= red", false },
        { "origin.tlp in [red, amber+strict]", false },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_compares_numbers(void **state)
{
    static const s_case_t cases[] = {
        { "count == 5", true },
        { "count != 5", false },
        { "count < 5", false },
        { "count <= 5", true },
        { "count > 4", true },
        { "count >= 6", false },
        { "4 < count", true },
        { "5 < count", false },
        { "port in [80, 443, 8000..9000]", true },
        { "port in [80, 443]", false },
        { "port not in [80, 443]", true },
        { "offset == 17", true },
        { "reporters < count", true },
        { "port in 8443", true },
        { "instance == 0", true },
        { "count in [1..2, 2..4, 6..9, 4..4]", false },
        { "count in [1..2, 2..6, 6..9]", true },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_compares_texts(void **state)
{
    static const s_case_t cases[] = {
        { "claim == \"phishing\"", true },
        { "claim == 'phishing'", true },
        { "claim == \"Phishing\"", false }, // canonical values are compared as they are
        { "\"phishing\" == claim", true },
        { "claim in [\"c2-server\", \"phishing\"]", true },
        { "claim not in [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]", true },
        { "claim in [\"a\", \"b\", \"c\", \"d\", \"phishing\", \"f\"]", true },
        { "value startswith \"https://login.\"", true },
        { "value startswith [\"http://\", \"https://\"]", true },
        { "value not startswith \"http:\"", true },
        { "value endswith \"?b=1\"", true },
        { "value endswith \"https://login.bank.example.com/a?b=1&\"", false },
        { "value contains \"bank\"", true },
        { "value contains [\"shop\", \"pay\"]", false },
        { "target == \"\\u4e09\\u4e95\xe9\x8a\x80\xe8\xa1\x8c\"", true },
        { "target contains \"\xe9\x8a\x80\xe8\xa1\x8c\"", true },
        { "value ~ \"^https://[^/]*\\.example\\.com/\"", true },
        { "value matches \"LOGIN\"", false },
        { "value =~ \"(?i)LOGIN\"", true },
        { "value !~ \"login\"", false },
        { "id == \"12ab0000000000000000000000000000\"", true },
        { "id in [\"12AB0000000000000000000000000000\"]", true },
        { "id != \"12ab0000000000000000000000000001\"", true },
        { "host == domain", false },
        { "host != domain", true },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_knows_addresses_and_names(void **state)
{
    static const s_case_t cases[] = {
        { "ip in 192.0.2.0/24", true },
        { "ip in [10.0.0.0/8, 192.0.2.7, 2001:db8::/32]", true },
        { "ip in [192.0.2.0/30, ::/0]", false },
        { "ip not in 192.0.2.0/24", false },
        { "ip == 192.0.2.7", true },
        { "ip == ::ffff:192.0.2.7", true },
        { "value in 0.0.0.0/0", false }, // a URL is no address
        { "ip in [\"192.0.2.0/24\"]", false },
        { "host under \"example.com\"", true },
        { "host under \".Example.COM.\"", true },
        { "host under \"login.bank.example.com\"", true },
        { "host under \"k.example.com\"", false },
        { "host under \"xample.com\"", false },
        { "host under [\"a.jp\", \"b.jp\", \"c.jp\", \"d.jp\", \"e.jp\", \"bank.example.com\"]",
          true },
        { "value under \"example.com\"", true }, // the host in the URL
        { "value not under \"example.net\"", true },
        { "domain under \"com\"", true },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_reads_lists_of_the_event(void **state)
{
    static const s_case_t cases[] = {
        { "tags contains \"jp\"", true },
        { "\"jp\" in tags", true },
        { "\"JP\" in tags", false },
        { "\"jp\" not in tags", false },
        { "\"cn\" not in tags", true },
        { "tags contains \"smishing\"", false }, // a whole text of the list
        { "tags in [\"cn\", \"jp\"]", true },
        { "tags ~ \"smish\"", true },
        { "tags startswith \"smish\"", true },
        { "tags endswith \"x\"", false },
        { "tags not contains \"cn\"", true },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_compares_times(void **state)
{
    static const s_case_t cases[] = {
        { "observed_at < now", true },
        { "observed_at < now - 1h", true },
        { "observed_at < now - 2h", false },
        { "observed_at <= now - 2h", true },
        { "observed_at==now-120m", true },
        { "now - 3h < observed_at", true },
        { "observed_at + 1h == received_at", true },
        { "received_at > observed_at + 30m", true },
        { "received_at - 1h != observed_at", false },
        { "observed_at > \"2026-09-21\"", true },
        { "observed_at > \"2026-09-21T23:00:00+09:00\" - 52w", true },
        { "observed_at >= now - 5000w", true }, // before 1970
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_joins_with_and_or_not(void **state)
{
    static const s_case_t cases[] = {
        { "true", true },
        { "false", false },
        { "not true", false },
        { "!false", true },
        { "true or false and false", true },
        { "(true or false) and false", false },
        { "not (true and false)", true },
        { "not true and false", false },
        { "not (true and not (false or not true)) or false", false },
        { "kind == url && port > 1 || false", true },
        { "kind == url AND NOT port < 1", true },
        { "false or false or (true and true and not false)", true },
        { "known_good", true },
        { "known_good == true and not not known_good", true },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_takes_absent_for_no_answer(void **state)
{
    static const s_case_t cases[] = {
        { "confidence == 0", false },
        { "confidence != 0", false },
        { "confidence < 50", false },
        { "confidence >= 0", false },
        { "not confidence < 50", true },
        { "has(confidence)", false },
        { "has(count)", true },
        { "has( instance )", true },
        { "malware != \"x\"", false },
        { "malware not in [\"x\"]", false },
        { "malware !~ \"x\"", false },
        { "malware ~ \"\"", false },
        { "not malware ~ \"x\"", true },
        { "pap != red", false },
        { "pap not in [red]", false },
        { "expires_at < now", false },
        { "observed_at < first_seen_at", false },
        { "first_seen_at != observed_at", false },
        { "confidence < count", false },
        { "lists not contains \"x\"", false },
        { "verdict.severity >= info", false },
        { "release.tlp <= origin.tlp", false },
        { "unicode under \"example.com\"", false },
    };
    (void)state;
    CHECK(cases);
}

static void
test_expr_does_not_take_prefix_text_for_containment_in_cidr(void **state)
{
    static const s_case_t cases[] = {
        { "value in 10.0.0.0/8", true },
        { "value in [10.1.0.0/16]", true },
        { "value in [10.1.0.0/17]", false },
        { "value in [10.1.0.0/17, 10.1.128.0/17]", false },
        { "value == \"10.1.0.0/16\"", true },
        { "value in [\"10.1.0.0/16\"]", true },
        { "value in [10.1.0.0/24, 10.0.0.0/8, 10.2.0.0/16]", true },
    };
    (void)state;
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_CIDR, .value = nrs_text("10.1.0.0/16") };
    nrs_event_begin(&bytes, &origin);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (s_match_event(cases[i].text, nrs_buf_bytes(&bytes)) != cases[i].match)
            fail_msg("%s is not %s", cases[i].text, cases[i].match ? "true" : "false");
    nrs_buf_free(&bytes);
}

static void
test_expr_points_at_the_column(void **state)
{
    static const struct {
        const char *text;
        unsigned column;
        const char *says;
    } cases[] = {
        { "", 1, "empty" },
        { "  ", 1, "empty" },
        { "knid == url", 1, "did you mean origin.kind?" },
        { "context.hots == \"a\"", 1, "did you mean context.host?" },
        { "zzzzzz == 1", 1, "no field" },
        { "kind == ur1", 9, "url" },
        { "type == phishin", 9, "did you mean phishing?" },
        { "kind < url", 6, "no order" },
        { "class >= fraud", 7, "no order" },
        { "claim < \"a\"", 7, "no order" },
        { "count == \"5\"", 10, "is a number" },
        { "count == now", 10, "no time" },
        { "count == tlp", 10, "not of one type" },
        { "claim == phishing", 10, "quotes" },
        { "claim == 5", 10, "is text" },
        { "claim == \"\"", 10, "has(origin.claim)" },
        { "claim in [\"a\", \"\"]", 16, "absent" },
        { "tlp == release.tlp == 1", 20, "expected \"and\"" },
        { "ip in [10.0.0.0/33]", 8, "prefix" },
        { "ip in 10.0.0.300", 7, "prefix" },
        { "ip == 10.0.0.0/8", 7, "ip in 10.0.0.0/8" },
        { "country in [10.0.0.0/8]", 13, "holds no addresses" },
        { "claim under \"a.jp\"", 7, "no host name" },
        { "host under \"a b\"", 12, "host name" },
        { "value ~ \"a(b\"", 13, "in the pattern" },
        { "value ~ \"\\\"a(b\"", 15, "in the pattern" },
        { "value ~ abc", 9, "pattern in quotes" },
        { "count ~ \"1\"", 7, "no text" },
        { "tags == \"a\"", 6, "contains" },
        { "\"a\" in claim", 8, "no list" },
        { "\"a\" == \"b\"", 1, "field" },
        { "1 == now", 1, "field" },
        { "\"a", 1, "closing" },
        { "claim == \"\\q\"", 11, "escapes" },
        { "claim == \"ab\\u00\"", 13, "escapes" },
        { "claim == \"\\ud800\"", 11, "escapes" },
        { "(kind == url", 13, "\")\"" },
        { "kind == url)", 12, "the end" },
        { "kind == url port == 1", 13, "the end" },
        { "kind", 5, "operator" },
        { "kind ==", 8, "ends" },
        { "kind in [url ipv4]", 14, "\",\"" },
        { "kind in [", 10, "no word" },
        { "kind in []", 10, "no word" },
        { "not", 4, "ends" },
        { "has(knid)", 5, "origin.kind" },
        { "has kind", 5, "\"(\"" },
        { "known_good == false", 12, "not context.known_good" },
        { "observed_at < now - 24", 21, "duration" },
        { "observed_at < 24h", 15, "expected a field or a value" },
        { "observed_at < \"yesterday\"", 15, "expected a time" },
        { "observed_at > \"2026-01-01\" - 90w and observed_at > \"1970-01-01\" - 1s", 52, "1970" },
        { "observed_at in [\"2026-01-01\"]", 13, "use <" },
        { "count + 1d > 5", 1, "no time" },
        { "id == \"12ab\"", 7, "32 hexadecimal" },
        { "kind & url", 6, "and" },
        { "kind == url # x", 13, "#" },
        { "count == 99999999999999999999999", 10, "number" },
        { "true \xc3\xa4", 6, "quotes" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_expr) expr = NULL;
        nrs_problem_t problem = { 0 };
        nrs_err_t err = nrs_expr_compile(nrs_text(cases[i].text), &problem, &expr);
        if (err != NRS_E_FORMAT || problem.column != cases[i].column ||
            !strstr(problem.text, cases[i].says))
            fail_msg("%s: %s, column %u: %s", cases[i].text, nrs_err_name(err), problem.column,
                     problem.text);
        assert_null(expr);
        assert_int_equal(nrs_expr_compile(nrs_text(cases[i].text), NULL, &expr), NRS_E_FORMAT);
    }
}

static void
test_expr_has_one_spelling(void **state)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        { "kind=URL", "origin.kind == url" },
        { "kind in url", "origin.kind in [url]" },
        { "((kind == url))", "origin.kind == url" },
        { "(kind == url && has(port)) || !(true)",
          "origin.kind == url and has(origin.port) or not true" },
        { "(true or false) and (true and false)", "(true or false) and true and false" },
        { "not (true or false)", "not (true or false)" },
        { "not (true and false)", "not (true and false)" },
        { "5 > count", "origin.count < 5" },
        { "port in [80,8000..8100]", "origin.port in [80, 8000..8100]" },
        { "ip in 10.1.2.3/8", "context.ip in [10.0.0.0/8]" },
        { "ip == ::FFFF:1.2.3.4", "context.ip == \"1.2.3.4\"" },
        { "value matches 'a\"\\.b'", "origin.value ~ \"a\\\"\\.b\"" },
        { "value !~ \"\\\\\"", "origin.value !~ \"\\\\\"" },
        { "claim == 'it\\'s \"x\" \\\\'", "origin.claim == \"it's \\\"x\\\" \\\\\"" },
        { "observed_at + 1h < now - 23h", "origin.observed_at < now - 1d" },
        { "observed_at > \"2026-01-01\" + 90s",
          "origin.observed_at > \"2026-01-01T00:01:30.000Z\"" },
        { "observed_at == received_at - 14d", "origin.observed_at == origin.received_at - 2w" },
        { "\"a\" not in tags", "origin.tags not contains \"a\"" },
        { "known_good == true", "context.known_good" },
        { "host under '.B\xc3\xbc"
          "cher.example.'",
          "context.host under \"xn--bcher-kva.example\"" },
        { "id=\"12AB0000000000000000000000000000\"",
          "origin.id == \"12ab0000000000000000000000000000\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_expr) expr = NULL;
        NRS_AUTO(nrs_expr) again = NULL;
        assert_int_equal(nrs_expr_compile(nrs_text(cases[i].text), NULL, &expr), NRS_OK);
        assert_string_equal(nrs_expr_text(expr), cases[i].canonical);
        assert_int_equal(nrs_expr_compile(nrs_text(cases[i].canonical), NULL, &again), NRS_OK);
        assert_string_equal(nrs_expr_text(again), cases[i].canonical);
    }
}

// `count` times `part`, with `first` in front and `last` behind.
static char *
s_repeat(const char *first, const char *part, size_t count, const char *last)
{
    size_t size = strlen(part);
    char *text = nrs_alloc0(strlen(first) + count * size + strlen(last) + 1, 1);
    char *at = stpcpy(text, first);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    strcpy(at, last);
    return text;
}

static void
test_expr_keeps_its_limits(void **state)
{
    static const struct {
        const char *first, *part, *last;
        size_t count;
        nrs_err_t err;
    } cases[] = {
        { "", "not ", "true", NRS_EXPR_DEPTH_MAX, NRS_OK },
        { "", "not ", "true", NRS_EXPR_DEPTH_MAX + 1, NRS_E_LIMIT },
        { "", "(", "true", NRS_EXPR_DEPTH_MAX + 1, NRS_E_LIMIT },
        { "", "(", "true", 200000, NRS_E_LIMIT },
        { "true", " or false", "", 10000, NRS_OK },
        { "true", " and true", "", NRS_EXPR_NODES_MAX, NRS_E_LIMIT },
        { "port in [1", ",2", "]", NRS_EXPR_NODES_MAX - 3, NRS_OK },
        { "port in [1", ",2", "]", NRS_EXPR_NODES_MAX, NRS_E_LIMIT },
        { "true", " and value ~ \"a\"", "", NRS_EXPR_PATTERNS_MAX + 1, NRS_E_LIMIT },
        { "true", " ", "", NRS_EXPR_BYTES_MAX, NRS_E_LIMIT },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_expr) expr = NULL;
        nrs_problem_t problem = { 0 };
        char *text = s_repeat(cases[i].first, cases[i].part, cases[i].count, cases[i].last);
        assert_int_equal(nrs_expr_compile(nrs_text(text), &problem, &expr), cases[i].err);
        assert_true(cases[i].err == NRS_OK || problem.column > 0);
        free(text);
    }
}

static void
test_expr_finds_each_of_ten_thousand(void **state)
{
    (void)state;
    nrs_buf_t text = { 0 };
    nrs_buf_put_text(&text, "value in [");
    for (unsigned i = 0; i < 10000; i++)
        nrs_buf_printf(&text, "%s\"host-%u.example\", 10.%u.%u.0/24", i ? ", " : "", i, i / 200,
                       i % 200);
    nrs_buf_put_text(&text, "]");
    NRS_AUTO(nrs_expr) expr = NULL;
    assert_int_equal(nrs_expr_compile(nrs_buf_bytes(&text), NULL, &expr),
                     NRS_E_LIMIT); // 20,000 items
    nrs_buf_reset(&text);
    nrs_buf_put_text(&text, "value in [");
    for (unsigned i = 0; i < 5000; i++)
        nrs_buf_printf(&text, "%s\"host-%u.example\", 10.%u.%u.0/24", i ? ", " : "", i, i / 200,
                       i % 200);
    nrs_buf_put_text(&text, "]");
    assert_int_equal(nrs_expr_compile(nrs_buf_bytes(&text), NULL, &expr), NRS_OK);
    nrs_buf_free(&text);
    for (unsigned i = 0; i < 5100; i++) {
        char name[40], address[40];
        snprintf(name, sizeof name, "host-%u.example", i);
        snprintf(address, sizeof address, "10.%u.%u.77", i / 200, i % 200);
        const char *values[] = { name, address };
        for (size_t j = 0; j < 2; j++) {
            nrs_buf_t bytes = { 0 };
            nrs_origin_t origin = { .kind = NRS_KIND_DOMAIN, .value = nrs_text(values[j]) };
            nrs_event_begin(&bytes, &origin);
            nrs_event_t event;
            assert_int_equal(nrs_event_open(nrs_buf_bytes(&bytes), &event), NRS_OK);
            assert_int_equal(nrs_expr_match(expr, &event, NOW), i < 5000);
            nrs_buf_free(&bytes);
        }
    }
}

static void
test_expr_tells_which_fields_it_uses(void **state)
{
    (void)state;
    NRS_AUTO(nrs_expr) expr = NULL;
    assert_int_equal(
        nrs_expr_compile(nrs_text("observed_at < received_at - 1d or not has(tlp) or true"), NULL,
                         &expr),
        NRS_OK);
    assert_true(nrs_expr_uses(expr, NRS_ORIGIN_observed_at));
    assert_true(nrs_expr_uses(expr, NRS_ORIGIN_received_at));
    assert_true(nrs_expr_uses(expr, NRS_ORIGIN_tlp));
    assert_false(nrs_expr_uses(expr, NRS_ORIGIN_instance));
}

static void
test_expr_tells_of_which_kinds_it_can_hold(void **state)
{
    const uint64_t all = UINT64_MAX, present = ~UINT64_C(1);
    const uint64_t url = UINT64_C(1) << NRS_KIND_URL, ipv4 = UINT64_C(1) << NRS_KIND_IPV4;
    const struct {
        const char *text;
        uint64_t kinds;
    } cases[] = {
        { "true", all },
        { "false", 0 },
        { "has(port)", all },
        { "kind == url", url },
        { "kind != url", present & ~url },
        { "not kind == url", ~url },
        { "kind in [url, ipv4] and port == 1", url | ipv4 },
        { "kind not in [url, ipv4]", present & ~url & ~ipv4 },
        { "kind == url or has(port)", all },
        { "kind == url and kind == ipv4", 0 },
        { "has(port) and (kind == url or kind == ipv4) and not kind == ipv4", url },
        { "not has(kind)", 1 },
        { "has(port) and not (kind == ipv4 or true)", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NRS_AUTO(nrs_expr) expr = NULL;
        assert_int_equal(nrs_expr_compile(nrs_text(cases[i].text), NULL, &expr), NRS_OK);
        if (nrs_expr_kinds(expr) != cases[i].kinds)
            fail_msg("%s: %llx", cases[i].text, (unsigned long long)nrs_expr_kinds(expr));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_compares_enum_words),
        cmocka_unit_test(test_expr_compares_numbers),
        cmocka_unit_test(test_expr_compares_texts),
        cmocka_unit_test(test_expr_knows_addresses_and_names),
        cmocka_unit_test(test_expr_reads_lists_of_the_event),
        cmocka_unit_test(test_expr_compares_times),
        cmocka_unit_test(test_expr_joins_with_and_or_not),
        cmocka_unit_test(test_expr_takes_absent_for_no_answer),
        cmocka_unit_test(test_expr_does_not_take_prefix_text_for_containment_in_cidr),
        cmocka_unit_test(test_expr_points_at_the_column),
        cmocka_unit_test(test_expr_has_one_spelling),
        cmocka_unit_test(test_expr_keeps_its_limits),
        cmocka_unit_test(test_expr_finds_each_of_ten_thousand),
        cmocka_unit_test(test_expr_tells_which_fields_it_uses),
        cmocka_unit_test(test_expr_tells_of_which_kinds_it_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
