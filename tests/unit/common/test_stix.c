// test_stix.c - events as STIX 2.1: known ids, quoting, required properties, markings, versions

#include "common/json.h"
#include "common/stix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// --- ids -----------------------------------------------------------------------------------------

typedef struct id_case {
    const char *type, *contributing, *uuid;
} id_case_t;

// Each confirmed with two independent implementations.
static const id_case_t id_cases[] = {
    { "ipv4-addr", "{\"value\":\"198.51.100.3\"}", "28bb3599-77cd-5a82-a950-b5bc3caf07c4" },
    { "ipv4-addr", "{\"value\":\"198.51.100.0/24\"}", "1ea47840-aa39-5aa8-b4a2-cd203eb6662a" },
    { "domain-name", "{\"value\":\"example.com\"}", "bedb4899-d24b-5401-bc86-8f6b4cc18ec7" },
    { "email-addr", "{\"value\":\"joe@example.com\"}", "9d9e6665-57ca-501a-9c1f-435852499a2a" },
    { "url", "{\"value\":\"https://例え.jp/あ\"}", "9d3f78b7-b2d8-5a65-b4ca-d8708b4f236e" },
    { "file",
      "{\"hashes\":{\"SHA-256\":"
      "\"841a8921140aba50671ebb0770fecc4ee308c4952cfeff8de154ab14eeef4649\"},"
      "\"name\":\"quêry.dll\"}",
      "7d1e3a18-89e7-5bc5-be36-9879f5b7f5c8" },
    { "network-traffic",
      "{\"dst_ref\":\"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4\",\"protocols\":[\"tcp\"],"
      "\"src_ref\":\"ipv4-addr--9cf4a8ec-7640-5f40-a006-79942896168b\"}",
      "4292dccf-844d-5aa2-a8c2-285ed7a90c02" },
};

static void
test_stix_observable_ids_are_those_that_others_compute(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof id_cases / sizeof id_cases[0]; i++) {
        char id[NRS_STIX_ID_BYTES], expected[NRS_STIX_ID_BYTES];
        nrs_stix_observable_id(id_cases[i].type, nrs_text(id_cases[i].contributing), id);
        snprintf(expected, sizeof expected, "%s--%s", id_cases[i].type, id_cases[i].uuid);
        assert_string_equal(id, expected);
    }
}

// --- outputs -------------------------------------------------------------------------------------

enum { OBSERVED = 1763800200123, RECEIVED = 1763803800456 };
static const uint8_t event_id[NRS_ID_BYTES] = { 1, 2,  3,  4,  5,  6,  7,  8,
                                                9, 10, 11, 12, 13, 14, 15, 16 };

typedef struct layers {
    nrs_origin_t origin;
    nrs_context_t context;
    nrs_verdict_t verdict;
    nrs_release_t release;
} layers_t;

static layers_t
s_report(uint64_t kind, const char *value)
{
    return (layers_t){
        .origin = { .id = { event_id, NRS_ID_BYTES },
                    .form = NRS_FORM_REPORT,
                    .kind = kind,
                    .value = nrs_text(value),
                    .observed_at = OBSERVED,
                    .received_at = RECEIVED,
                    .originator = nrs_text("bank"),
                    .source = nrs_text("bank-soc"),
                    .tlp = NRS_TLP_GREEN,
                    .pap = NRS_PAP_AMBER },
        .context = { .sightings = 1 },
        .verdict = { .class = NRS_CLASS_FRAUD,
                     .type = NRS_TYPE_PHISHING,
                     .severity = NRS_SEVERITY_HIGH,
                     .confidence = 85,
                     .expires_at = OBSERVED + 86400000 },
    };
}

// The event of these layers as STIX, after the head of an output. The caller frees the result.
static nrs_buf_t
s_write(nrs_stix_form_t form, const layers_t *layers, size_t times)
{
    nrs_buf_t parts[4] = { 0 }, text = { 0 };
    nrs_event_begin(&parts[0], &layers->origin);
    nrs_event_append(&parts[1], nrs_buf_bytes(&parts[0]), NRS_LAYER_CONTEXT, &layers->context);
    nrs_event_append(&parts[2], nrs_buf_bytes(&parts[1]), NRS_LAYER_VERDICT, &layers->verdict);
    nrs_event_append(&parts[3], nrs_buf_bytes(&parts[2]), NRS_LAYER_RELEASE, &layers->release);
    nrs_stix_t *stix = nrs_stix_new(form, "live", "例示センター");
    nrs_stix_begin(stix, &text);
    for (size_t i = 0; i < times; i++)
        assert_int_equal(nrs_stix_put(stix, nrs_buf_bytes(&parts[3]), &text), NRS_OK);
    nrs_stix_end(stix, &text);
    nrs_stix_destroy(&stix);
    for (size_t i = 0; i < 4; i++)
        nrs_buf_free(&parts[i]);
    return text;
}

static nrs_buf_t
s_lines(const layers_t *layers)
{
    return s_write(NRS_STIX_LINES, layers, 1);
}

static bool
s_says(nrs_buf_t *text, const char *part)
{
    return strstr(nrs_buf_cstr(text), part) != NULL;
}

static void
s_assert_says(nrs_buf_t *text, const char *part)
{
    if (!s_says(text, part))
        fail_msg("%s is not in\n%s", part, nrs_buf_cstr(text));
}

// --- what every object must have (STIX 2.1, section 3.2 and the objects' own tables) -------------

static bool
s_has(const nrs_json_value_t *object, const char *name)
{
    nrs_json_type_t type = nrs_json_get(object, nrs_text(name)).type;
    return type != NRS_JSON_ABSENT && type != NRS_JSON_NULL;
}

typedef struct need {
    const char *type;
    const char *names[6];
} need_t;

static const need_t needs[] = {
    { "identity", { "created", "modified", "name" } },
    { "marking-definition", { "created", "extensions", "name" } },
    { "indicator",
      { "created", "modified", "pattern", "pattern_type", "valid_from", "object_marking_refs" } },
    { "observed-data",
      { "created", "modified", "first_observed", "last_observed", "number_observed",
        "object_refs" } },
    { "relationship",
      { "created", "modified", "relationship_type", "source_ref", "target_ref",
        "object_marking_refs" } },
    { "sighting", { "created", "modified", "sighting_of_ref", "object_marking_refs" } },
    { "vulnerability", { "created", "modified", "name", "object_marking_refs" } },
    { "attack-pattern", { "created", "modified", "name", "object_marking_refs" } },
    { "note", { "created", "modified", "content", "object_refs", "object_marking_refs" } },
    { "malware", { "created", "modified", "is_family", "object_marking_refs" } },
    { "file", { "object_marking_refs" } },
    { "url", { "value" } },
    { "domain-name", { "value" } },
    { "ipv4-addr", { "value" } },
    { "ipv6-addr", { "value" } },
    { "email-addr", { "value" } },
    { "autonomous-system", { "number" } },
    { "mutex", { "name" } },
    { "windows-registry-key", { "key" } },
    { "x509-certificate", { "hashes" } },
};

static void
s_assert_object(const nrs_json_value_t *object)
{
    nrs_bytes_t type = nrs_json_get(object, nrs_text("type")).text;
    nrs_bytes_t id = nrs_json_get(object, nrs_text("id")).text;
    assert_true(nrs_bytes_is(nrs_json_get(object, nrs_text("spec_version")).text, "2.1"));
    assert_true(id.size == type.size + 2 + 36 && memcmp(id.data, type.data, type.size) == 0);
    size_t i = 0;
    while (i < sizeof needs / sizeof needs[0] && !nrs_bytes_is(type, needs[i].type))
        i++;
    if (i == sizeof needs / sizeof needs[0])
        fail_msg("type %.*s is not one that we write", (int)type.size, (const char *)type.data);
    for (size_t n = 0; n < 6 && needs[i].names[n]; n++)
        if (!s_has(object, needs[i].names[n]))
            fail_msg("%s lacks %s", needs[i].type, needs[i].names[n]);
}

// Every line is one good object, and what it refers to as a marking or creator stands before it.
static void
s_assert_sane(nrs_buf_t *text)
{
    nrs_json_t *json = nrs_json_new();
    nrs_buf_t copy = { 0 };
    nrs_buf_put(&copy, text->data, text->size);
    memset(nrs_buf_reserve(&copy, NRS_JSON_PADDING), 0, NRS_JSON_PADDING);
    for (size_t start = 0, end; start < copy.size; start = end + 1) {
        const uint8_t *newline = memchr(copy.data + start, '\n', copy.size - start);
        assert_non_null(newline);
        end = (size_t)(newline - copy.data);
        nrs_json_value_t object, item;
        assert_int_equal(nrs_json_parse(json, nrs_bytes(copy.data + start, end - start), &object),
                         NRS_OK);
        s_assert_object(&object);
        nrs_json_value_t refs = nrs_json_get(&object, nrs_text("object_marking_refs"));
        nrs_json_walk_t walk = nrs_json_walk(&refs);
        while (nrs_json_walk_next(&walk, NULL, &item)) {
            char wanted[128];
            snprintf(wanted, sizeof wanted, "\"id\":\"%.*s\"", (int)item.text.size,
                     (const char *)item.text.data);
            assert_non_null(memmem(copy.data, start, wanted, strlen(wanted)));
        }
    }
    nrs_buf_free(&copy);
    nrs_json_destroy(&json);
}

typedef struct kind_case {
    uint64_t kind;
    const char *value;
    const char *pattern;    // as it stands in the JSON
    const char *observable; // NULL: none
} kind_case_t;

static const kind_case_t kind_cases[] = {
    { NRS_KIND_DOMAIN, "xn--r8jz45g.jp", "[domain-name:value = 'xn--r8jz45g.jp']", "domain-name" },
    { NRS_KIND_URL, "https://example.jp/login?a=1", "[url:value = 'https://example.jp/login?a=1']",
      "url" },
    { NRS_KIND_URL, "https://example.jp/o'hara", "[url:value = 'https://example.jp/o\\\\'hara']",
      "url" },
    // No RFC 3986 URIs: a pattern, but no observable. The first tries to leave the constant.
    { NRS_KIND_URL, "https://example.jp/\\'] OR [url:value = '",
      "'https://example.jp/\\\\\\\\\\\\'] OR [url:value = \\\\'']", NULL },
    { NRS_KIND_URL, "https://例え.jp/", "[url:value = 'https://例え.jp/']", NULL },
    { NRS_KIND_IPV4, "198.51.100.3", "[ipv4-addr:value = '198.51.100.3']", "ipv4-addr" },
    { NRS_KIND_IPV6, "2001:db8::1", "[ipv6-addr:value = '2001:db8::1']", "ipv6-addr" },
    { NRS_KIND_CIDR, "198.51.100.0/24", "[ipv4-addr:value = '198.51.100.0/24']", "ipv4-addr" },
    { NRS_KIND_CIDR, "2001:db8::/32", "[ipv6-addr:value = '2001:db8::/32']", "ipv6-addr" },
    { NRS_KIND_ASN, "AS64500", "[autonomous-system:number = 64500]", "autonomous-system" },
    { NRS_KIND_EMAIL, "joe@example.com", "[email-addr:value = 'joe@example.com']", "email-addr" },
    { NRS_KIND_EMAIL_MESSAGE, "<1@example.com>", "[email-message:message_id = '<1@example.com>']",
      NULL },
    { NRS_KIND_EMAIL_MESSAGE, "至急", "[email-message:subject = '至急']", NULL },
    { NRS_KIND_MD5, "d41d8cd98f00b204e9800998ecf8427e",
      "[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']", "file" },
    { NRS_KIND_SHA1, "da39a3ee5e6b4b0d3255bfef95601890afd80709", "[file:hashes.'SHA-1' = '",
      "file" },
    { NRS_KIND_SHA256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "[file:hashes.'SHA-256' = '", "file" },
    { NRS_KIND_TLSH, "T1A2", "[file:hashes.'TLSH' = 'T1A2']", "file" },
    { NRS_KIND_FILE_NAME, "請求書.docx", "[file:name = '請求書.docx']", "file" },
    { NRS_KIND_CERTIFICATE, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
      "[x509-certificate:hashes.'SHA-1' = '", "x509-certificate" },
    { NRS_KIND_USER_AGENT, "curl/8",
      "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'curl/8']",
      NULL },
    { NRS_KIND_MUTEX, "Global\\m", "[mutex:name = 'Global\\\\\\\\m']", "mutex" },
    { NRS_KIND_REGISTRY_KEY, "HKLM\\a", "[windows-registry-key:key = 'HKLM\\\\\\\\a']",
      "windows-registry-key" },
    { NRS_KIND_PROCESS, "evil.exe", "[process:image_ref.name = 'evil.exe']", NULL },
    { NRS_KIND_PROCESS, "evil.exe -k", "[process:command_line = 'evil.exe -k']", NULL },
    { NRS_KIND_PHONE, "+81312345678", "kind == \\\"phone\\\" and value == \\\"+81312345678\\\"",
      NULL },
    { NRS_KIND_BANK_ACCOUNT, "0001-001-1-1234567",
      "kind == \\\"bank-account\\\" and value == ", NULL },
    { NRS_KIND_CARD_BIN, "411111", "\"pattern_type\":\"noroshi\"", NULL },
    { NRS_KIND_CRYPTO_ADDRESS, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
      "\"pattern_type\":\"noroshi\"", NULL },
    { NRS_KIND_LURE, "例 \"銀行\"", "value == \\\"例 \\\\\\\"銀行\\\\\\\"\\\"", NULL },
    { NRS_KIND_YARA, "rule a { condition: true }", "\"pattern_type\":\"yara\"", NULL },
    { NRS_KIND_SIGMA, "title: a", "\"pattern_type\":\"sigma\"", NULL },
    { NRS_KIND_SNORT, "alert tcp any any -> any any (sid:1;)", "\"pattern_type\":\"snort\"", NULL },
    { NRS_KIND_CVE, "CVE-2026-1234", "\"source_name\":\"cve\",\"external_id\":\"CVE-2026-1234\"",
      NULL },
    { NRS_KIND_ATTACK, "T1566.002",
      "\"source_name\":\"mitre-attack\",\"external_id\":\"T1566.002\"", NULL },
    { NRS_KIND_TEXT, "一行目\n二行目", "\"content\":\"一行目\\n二行目\"", NULL },
    // Values that are not what their kind says never become observables.
    { NRS_KIND_IPV4, "not an address", "\"pattern_type\":\"noroshi\"", NULL },
    { NRS_KIND_SHA256, "abc", "\"pattern_type\":\"noroshi\"", NULL },
    { NRS_KIND_ASN, "AS-SET", "\"pattern_type\":\"noroshi\"", NULL },
    { NRS_KIND_DOMAIN, "Example.JP", "[domain-name:value = 'Example.JP']", NULL },
};

static void
test_stix_has_an_object_for_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kind_cases / sizeof kind_cases[0]; i++) {
        layers_t layers = s_report(kind_cases[i].kind, kind_cases[i].value);
        nrs_buf_t text = s_lines(&layers);
        s_assert_sane(&text);
        if (kind_cases[i].pattern)
            s_assert_says(&text, kind_cases[i].pattern);
        assert_int_equal(s_says(&text, "observed-data"), kind_cases[i].observable != NULL);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "{\"type\":\"%s\",",
                 kind_cases[i].observable ? kind_cases[i].observable : "?");
        assert_int_equal(s_says(&text, wanted), kind_cases[i].observable != NULL);
        nrs_buf_free(&text);
    }
}

// --- one report, its repeats and its end ---------------------------------------------------------

// The id of the first object of a type.
static void
s_id(nrs_buf_t *text, const char *type, char into[NRS_STIX_ID_BYTES])
{
    char head[80];
    snprintf(head, sizeof head, "{\"type\":\"%s\",\"spec_version\":\"2.1\",\"id\":\"", type);
    const char *at = strstr(nrs_buf_cstr(text), head);
    if (!at)
        fail_msg("there is no %s in\n%s", type, nrs_buf_cstr(text));
    snprintf(into, NRS_STIX_ID_BYTES, "%.*s", (int)strlen(type) + 38, at + strlen(head));
}

static void
test_stix_report_says_all_that_a_consumer_asks_for(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_URL, "https://example.jp/login");
    layers.origin.count = 7;
    layers.origin.malware = nrs_text("Emotet");
    layers.origin.record = nrs_text("R-17");
    layers.origin.reference = nrs_text("https://bank.example/r/17");
    layers.origin.description = nrs_text("偽のログイン画面");
    layers.origin.lang = nrs_text("ja");
    layers.origin.tags = (nrs_list_t){ 1, { nrs_text("dhl \"parcel\"") } };
    layers.origin.target = nrs_text("A \"B\"");
    nrs_buf_t text = s_lines(&layers);
    s_assert_sane(&text);
    static const char *const parts[] = {
        "\"created\":\"2025-11-22T08:30:00.123Z\",\"modified\":\"2025-11-22T08:30:00.123Z\"",
        "\"valid_from\":\"2025-11-22T08:30:00.123Z\",\"valid_until\":\"2025-11-23T08:30:00.123Z\"",
        "\"confidence\":85",
        "\"labels\":[\"rsit:fraud=\\\"phishing\\\"\",\"noroshi:severity=\\\"high\\\"\",\"noroshi:"
        "target=\\\"A B\\\"\","
        "\"dhl \\\"parcel\\\"\"]",
        "\"indicator_types\":[\"malicious-activity\"]",
        "\"number_observed\":7",
        "\"lang\":\"ja\"",
        "\"relationship_type\":\"based-on\"",
        "\"relationship_type\":\"indicates\"",
        "\"name\":\"Emotet\",\"is_family\":true",
        "\"external_references\":[{\"source_name\":\"bank-soc\",\"external_id\":\"R-17\",\"url\":"
        "\"https://bank.example/r/17\"}]",
        "\"object_marking_refs\":[\"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb\","
        "\"marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab\"]",
        "{\"type\":\"marking-definition\",\"spec_version\":\"2.1\",\"id\":\"marking-definition--"
        "bab4a63c-aed9-4cf5-a766-"
        "dfca5abac2bb\",\"created\":\"2022-10-01T00:00:00.000Z\",\"name\":\"TLP:GREEN\","
        "\"extensions\":{\"extension-"
        "definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d\":{\"extension_type\":\"property-"
        "extension\",\"tlp_2_0\":"
        "\"green\"}}}\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        s_assert_says(&text, parts[i]);
    nrs_buf_free(&text);
}

static void
test_stix_of_the_same_event_is_the_same_bytes(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    nrs_buf_t first = s_lines(&layers), second = s_lines(&layers);
    assert_true(nrs_bytes_equal(nrs_buf_bytes(&first), nrs_buf_bytes(&second)));
    nrs_buf_free(&first);
    nrs_buf_free(&second);
}

static void
test_stix_repeat_is_a_sighting_of_the_first_indicator(void **state)
{
    (void)state;
    static const uint8_t later[NRS_ID_BYTES] = { 99 };
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    nrs_buf_t first = s_lines(&layers);
    layers.origin.id = nrs_bytes(later, NRS_ID_BYTES);
    layers.context = (nrs_context_t){ .repeat_of = nrs_bytes(event_id, NRS_ID_BYTES),
                                      .first_seen_at = OBSERVED,
                                      .last_seen_at = OBSERVED + 5000,
                                      .sightings = 12 };
    nrs_buf_t repeat = s_lines(&layers);
    s_assert_sane(&repeat);
    char id[NRS_STIX_ID_BYTES], wanted[128];
    s_id(&first, "indicator", id);
    snprintf(wanted, sizeof wanted, "\"sighting_of_ref\":\"%s\"", id);
    s_assert_says(&repeat, wanted);
    s_assert_says(&repeat, "\"first_seen\":\"2025-11-22T08:30:00.123Z\",\"last_seen\":\"2025-11-"
                           "22T08:30:05.123Z\",\"count\":12");
    assert_false(s_says(&repeat, "\"type\":\"indicator\""));
    nrs_buf_free(&first);
    nrs_buf_free(&repeat);
}

static void
test_stix_withdrawal_is_a_later_version_of_the_same_indicator(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    nrs_buf_t report = s_lines(&layers);
    char before[NRS_STIX_ID_BYTES], after[NRS_STIX_ID_BYTES];
    s_id(&report, "indicator", before);
    for (uint64_t form = NRS_FORM_WITHDRAWAL; form <= NRS_FORM_EXPIRY; form++) {
        layers.origin.form = form;
        nrs_buf_t later = s_lines(&layers);
        s_assert_sane(&later);
        s_id(&later, "indicator", after);
        assert_string_equal(before, after);
        s_assert_says(
            &later,
            "\"created\":\"2025-11-22T08:30:00.123Z\",\"modified\":\"2025-11-22T09:30:00.456Z\"");
        assert_int_equal(s_says(&later, "\"revoked\":true"), form == NRS_FORM_WITHDRAWAL);
        assert_int_equal(s_says(&later, "\"valid_until\":\"2025-11-22T09:30:00.456Z\""),
                         form == NRS_FORM_EXPIRY);
        nrs_buf_free(&later);
    }
    nrs_buf_free(&report);
}

static void
test_stix_projected_release_is_another_object_than_the_whole_one(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    layers.release.projection = NRS_PROJECTION_WHOLE;
    nrs_buf_t whole = s_lines(&layers);
    layers.release.projection = NRS_PROJECTION_PROJECTED;
    nrs_buf_t projected = s_lines(&layers);
    char a[NRS_STIX_ID_BYTES], b[NRS_STIX_ID_BYTES];
    s_id(&whole, "indicator", a);
    s_id(&projected, "indicator", b);
    assert_string_not_equal(a, b);
    nrs_buf_free(&whole);
    nrs_buf_free(&projected);
}

static void
test_stix_marks_with_the_stricter_label_and_red_without_one(void **state)
{
    (void)state;
    static const char *const names[] = { "TLP:RED",   "TLP:CLEAR",        "TLP:GREEN",
                                         "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED" };
    for (uint64_t own = 0; own <= NRS_TLP_RED; own++) {
        for (uint64_t released = 0; released <= NRS_TLP_RED; released++) {
            layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
            layers.origin.tlp = own;
            layers.release.tlp = released;
            nrs_buf_t text = s_lines(&layers);
            char wanted[64];
            snprintf(wanted, sizeof wanted, "\"name\":\"%s\"",
                     names[own == 0         ? 0
                           : own > released ? own
                                            : released]);
            s_assert_says(&text, wanted);
            nrs_buf_free(&text);
        }
    }
}

static void
test_stix_leaves_out_a_validity_that_ends_before_it_begins(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    layers.verdict.expires_at = OBSERVED;
    nrs_buf_t text = s_lines(&layers);
    assert_false(s_says(&text, "valid_until"));
    nrs_buf_free(&text);
}

static void
test_stix_bundle_holds_markings_and_identity_once(void **state)
{
    (void)state;
    layers_t layers = s_report(NRS_KIND_DOMAIN, "example.jp");
    for (size_t times = 0; times < 4; times++) {
        nrs_buf_t text = s_write(NRS_STIX_BUNDLE, &layers, times);
        nrs_json_t *json = nrs_json_new();
        nrs_json_value_t bundle, object;
        memset(nrs_buf_reserve(&text, NRS_JSON_PADDING), 0, NRS_JSON_PADDING);
        assert_int_equal(nrs_json_parse(json, nrs_buf_bytes(&text), &bundle), NRS_OK);
        assert_true(nrs_bytes_is(nrs_json_get(&bundle, nrs_text("type")).text, "bundle"));
        assert_false(s_has(&bundle, "spec_version"));
        assert_int_equal(nrs_json_get(&bundle, nrs_text("id")).text.size, strlen("bundle--") + 36);
        nrs_json_value_t objects = nrs_json_get(&bundle, nrs_text("objects"));
        nrs_json_walk_t walk = nrs_json_walk(&objects);
        size_t count = 0;
        for (; nrs_json_walk_next(&walk, NULL, &object); count++)
            s_assert_object(&object);
        assert_int_equal(count, times ? 3 + 4 * times
                                      : 1); // identity, two markings; four objects an event
        nrs_json_destroy(&json);
        nrs_buf_free(&text);
    }
}

static void
test_stix_refuses_an_event_about_nothing_and_writes_nothing(void **state)
{
    (void)state;
    nrs_stix_t *stix = nrs_stix_new(NRS_STIX_LINES, "live", "Centre");
    nrs_buf_t text = { 0 }, packed = { 0 };
    nrs_stix_begin(stix, &text);
    size_t size = text.size;
    nrs_event_begin(&packed, &(nrs_origin_t){ .kind = NRS_KIND_URL });
    assert_int_equal(nrs_stix_put(stix, nrs_buf_bytes(&packed), &text), NRS_E_ABSENT);
    assert_int_equal(nrs_stix_put(stix, nrs_text("no event"), &text), NRS_E_FORMAT);
    assert_int_equal(text.size, size);
    nrs_buf_free(&packed);
    nrs_buf_free(&text);
    nrs_stix_destroy(&stix);
}

static void
test_stix_ids_of_an_exercise_are_not_those_of_the_live_realm(void **state)
{
    (void)state;
    nrs_buf_t text[2] = { 0 };
    const char *realms[2] = { "live", "drill-2026" };
    char ids[2][NRS_STIX_ID_BYTES];
    for (size_t i = 0; i < 2; i++) {
        nrs_stix_t *stix = nrs_stix_new(NRS_STIX_LINES, realms[i], "Centre");
        nrs_stix_begin(stix, &text[i]);
        s_id(&text[i], "identity", ids[i]);
        nrs_stix_destroy(&stix);
        nrs_buf_free(&text[i]);
    }
    assert_string_not_equal(ids[0], ids[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stix_observable_ids_are_those_that_others_compute),
        cmocka_unit_test(test_stix_has_an_object_for_every_kind),
        cmocka_unit_test(test_stix_report_says_all_that_a_consumer_asks_for),
        cmocka_unit_test(test_stix_of_the_same_event_is_the_same_bytes),
        cmocka_unit_test(test_stix_repeat_is_a_sighting_of_the_first_indicator),
        cmocka_unit_test(test_stix_withdrawal_is_a_later_version_of_the_same_indicator),
        cmocka_unit_test(test_stix_projected_release_is_another_object_than_the_whole_one),
        cmocka_unit_test(test_stix_marks_with_the_stricter_label_and_red_without_one),
        cmocka_unit_test(test_stix_leaves_out_a_validity_that_ends_before_it_begins),
        cmocka_unit_test(test_stix_bundle_holds_markings_and_identity_once),
        cmocka_unit_test(test_stix_refuses_an_event_about_nothing_and_writes_nothing),
        cmocka_unit_test(test_stix_ids_of_an_exercise_are_not_those_of_the_live_realm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
