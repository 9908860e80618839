// What each format makes of what comes in: good records, one bad among them, and inputs that are no
// text at all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/ingest/inputs.h"

static const char s_sources[] =
    "sources:\n"
    "  list: { member: guard, format: list }\n"
    "  drop: { member: guard, format: list, comment: ';' }\n"
    "  hosts: { member: guard, format: hosts }\n"
    "  csv:\n"
    "    member: guard\n"
    "    format: csv\n"
    "    timezone: '+09:00'\n"
    "    map: { value: URL, kind: '=url', observed_at: date, target: description }\n"
    "  haus: { member: guard, format: csv, header: comment, map: { value: ioc, kind: type, tags: "
    "tags } }\n"
    "  tweets:\n"
    "    member: guard\n"
    "    format: csv\n"
    "    header: [date, user, type, value, tags, link]\n"
    "    map: { value: value, kind: type, observed_at: date, tags: tags, reference: link }\n"
    "  jsonl:\n"
    "    member: guard\n"
    "    format: jsonl\n"
    "    map: { value: [ioc.value, ioc], kind: type, observed_at: seen, claim: threat, port: port, "
    "confidence: sure,\n"
    "           count: n, record: id, tags: tags, expires_at: until, tlp: tlp }\n"
    "    claims: { botnet_cc: c2-server, payload_delivery: malware-distribution }\n"
    "  plain: { member: guard, format: jsonl }\n"
    "  json: { member: guard, format: json, records: data.items, kind: domain, map: { value: name "
    "} }\n";

static void
s_check(const char *source, nrs_bytes_t bytes, const char *want)
{
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    static const size_t pieces[] = { 1 << 20, 7, 1 };
    for (size_t i = 0; i < 3; i++) { // it makes no difference how the bytes are cut
        assert_string_equal(inputs_read(&inputs, source, bytes, pieces[i]), want);
        inputs.room = 1; // nor whether the batch is full after each record
        assert_string_equal(inputs_read(&inputs, source, bytes, pieces[i]), want);
        inputs.room = 0;
    }
    inputs_close(&inputs);
}

static void
test_reader_makes_of_each_format_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *source, *bytes, *want;
    } cases[] = {
        // lists
        { "list", "", "" },
        { "list", "\n\n", "" },
        { "list", "# all\nhxxp://evil[.]example/a\r\n\n192.0.2.7\nEVIL.example # seen today\n",
          "url http://evil.example/a\nipv4 192.0.2.7\ndomain evil.example\n" },
        { "list",
          "\xef\xbb\xbf"
          "evil.example",
          "domain evil.example\n" },
        { "list", "192.0.2.1:443\n[2001:db8::1]:8443\n", "ipv4 192.0.2.1\nipv6 2001:db8::1\n" },
        { "list", "good.example\n!!\nworse.example\n",
          "domain good.example\n! kind-unknown in:2\ndomain worse.example\n" },
        { "drop", "192.0.2.0/24 ; SBL1\n; end\n", "cidr 192.0.2.0/24\n" },
        // hosts
        { "hosts", "127.0.0.1 localhost\n0.0.0.0 evil.example worse.example # both\nevil.example\n",
          "-\ndomain evil.example\ndomain worse.example\n! hosts in:3\n" },
        // CSV
        { "csv", "date,URL,description\n2024/01/05 09:00:00,https://a.example/x,\"A, B\"\n",
          "url https://a.example/x\n" },
        { "csv", "description,extra,URL\nx,y,https://a.example/x\nx\nx,y,https://b.example/y,z\n",
          "url https://a.example/x\n! field-missing in:3\n! columns in:4\n" },
        { "csv", "a,b\n1,2\n3,4\n", "! header in:1\n" },
        { "csv", "URL\n\"https://a.example/\n\nhttps://b.example/\n",
          "! csv in:2\nurl https://b.example/\n" },
        { "csv",
          "description,URL\n\"two\nlines "
          "\"\"quoted\"\"\",https://a.example/\n,https://b.example/\n",
          "url https://a.example/\nurl https://b.example/\n" },
        { "csv", "URL\nNone\nhttps://a.example/\n",
          "! field-missing in:2\nurl https://a.example/\n" },
        { "haus",
          "# Dump\n# \"ioc\", \"type\", \"tags\"\n\"192.0.2.1:80\", \"ip:port\", \"a,b\"\n"
          "\"2001:db8::5:40669\", \"ip:port\", \"None\"\n",
          "ipv4 192.0.2.1\nipv6 2001:db8::5\n" },
        { "tweets",
          "2025-07-23 01:31:00,me,sha256,"
          "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08,#a "
          "#b,https://x.example/1\n",
          "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n" },
        // JSON lines
        { "jsonl",
          "{\"ioc\":\"evil.example\",\"type\":\"domain\"}\n{\"ioc\":\n{\"ioc\":\"b.example\","
          "\"type\":\"fqdn\"}",
          "domain evil.example\n! json in:2\ndomain b.example\n" },
        { "jsonl", "{\"ioc\":{\"value\":\"a.example\"},\"type\":\"domain\"}\n",
          "domain a.example\n" },
        { "jsonl", "{\"ioc.value\":\"a.example\",\"type\":\"domain\"}\n", "domain a.example\n" },
        { "jsonl", "{\"ioc\":\"a.example\"} {\"ioc\":\"b.example\"}\n", "! json in:1\n" },
        { "jsonl", "{\"ioc\":\"a.example\",\n\"type\":\"domain\"}\n",
          "! json in:1\n! json in:2\n" },
        { "jsonl", "\"bare.example\"\n[1]\n", "domain bare.example\n! record-type in:2\n" },
        { "jsonl", "{\"type\":\"domain\"}\n", "! field-missing in:1\n" },
        { "jsonl", "{\"ioc\":\"a.example\",\"type\":\"flavour\"}\n", "! kind-unknown in:1\n" },
        { "jsonl", "{\"ioc\":\"a\\u0000.example\",\"type\":\"domain\"}\n", "! nul in:1\n" },
        { "jsonl", "{\"ioc\":\"\xff\",\"type\":\"domain\"}\n", "! utf8 in:1\n" },
        { "jsonl", "{\"ioc\":[\"a.example\"]}\n{\"ioc\":[\"a.example\",\"b.example\"]}\n",
          "domain a.example\n! field-type in:2\n" },
        { "jsonl", "{\"ioc\":\"evil.example|192.0.2.4\",\"type\":\"domain|ip\"}\n",
          "domain evil.example\nipv4 192.0.2.4\n" },
        { "jsonl",
          "{\"ioc\":\"a.example\",\"seen\":\"1970-01-02\"}\n{\"ioc\":\"a.example\",\"seen\":\"2100-"
          "01-01\"}\n"
          "{\"ioc\":\"a.example\",\"seen\":\"soon\"}\n",
          "! time-range in:1\n! time-range in:2\n! time in:3\n" },
        { "jsonl", "{\"ioc\":\"a.example\",\"port\":70000}\n", "! number in:1\n" },
        { "plain",
          "{\"value\":\"a.example\",\"kind\":\"domain\"}\n{\"origin.value\":\"b.example\"}\n",
          "domain a.example\ndomain b.example\n" },
        // JSON documents
        { "json", "{\"data\":{\"items\":[{\"name\":\"a.example\"},\"b.example\",7]}}",
          "domain a.example\ndomain b.example\n! record-type in#3\n" },
        { "json", "{\"data\":{\"items\":{\"name\":\"a.example\"}}}", "domain a.example\n" },
        { "json", "{\"data\":{}}", "! records-missing in\n" },
        { "json", "{\"data\":", "! json in\n" },
        { "json", "", "" },
        { "json", " \r\n \n\t  ", "" },
        // what is no text
        { "list", "\x1f\x8b\x08zzz\nzz\n", "! compressed in\n" },
        { "csv", "PK\x03\x04zzzz", "! compressed in\n" },
        { "json", "\xff\xfe{zzzzz", "! encoding in\n" },
        { "list", "\xe9vil.example\nb.example\n", "! utf8 in:1\ndomain b.example\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        s_check(cases[i].source, nrs_text(cases[i].bytes), cases[i].want);
}

static void
test_reader_fills_the_origin_from_record_and_defaults(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs_read(
        &inputs, "jsonl",
        nrs_text("{\"id\":17,\"ioc\":\"HXXP://Evil.example:80/"
                 "\",\"type\":\"url\",\"seen\":\"2025-12-01T00:00:00Z\","
                 "\"threat\":\"botnet_cc\",\"sure\":\"High\",\"n\":\"3\",\"tags\":[\"x\",\"y\"],"
                 "\"until\":1767225600,\"tlp\":\"TLP:WHITE\"}"),
        4096);
    const nrs_origin_t *origin = &inputs.last;
    assert_int_equal(origin->observed_at, 1764547200000);
    assert_int_equal(origin->received_at, INPUTS_NOW_MS);
    assert_int_equal(origin->expires_at, 1767225600000);
    assert_int_equal(origin->tlp, NRS_TLP_CLEAR);
    assert_int_equal(origin->pap, NRS_PAP_GREEN);
    assert_int_equal(origin->onward, NRS_ONWARD_ASK);
    assert_int_equal(origin->confidence, 85);
    assert_int_equal(origin->count, 3);
    assert_int_equal(origin->tags.count, 2);
    assert_int_equal(origin->form, NRS_FORM_REPORT);
    assert_string_equal(inputs.given, "HXXP://Evil.example:80/");
    assert_string_equal(inputs.claim, "c2-server");
    assert_string_equal(inputs.record, "17");
    assert_string_equal(inputs.evidence, "in@0+181");
    inputs_close(&inputs);
}

static void
test_reader_gives_the_same_report_the_same_id(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    uint8_t first[NRS_ID_BYTES];
    static const uint8_t none[6] = { 0 };
    inputs_read(&inputs, "jsonl",
                nrs_text("{\"ioc\":\"Evil.Example.\",\"type\":\"domain\",\"seen\":1764547200}"),
                4096);
    memcpy(first, inputs.id, sizeof first);
    assert_int_equal(nrs_get_be64(first) >> 16, 1764547200000);
    inputs_read(&inputs, "jsonl",
                nrs_text("{\"ioc\":\"evil[.]example\",\"type\":\"fqdn\",\"seen\":\"2025-12-01\"}"),
                4096);
    assert_memory_equal(first, inputs.id, sizeof first);
    inputs_read(&inputs, "jsonl",
                nrs_text("{\"ioc\":\"evil.example\",\"type\":\"domain\",\"seen\":1764547201}"),
                4096);
    assert_memory_not_equal(first, inputs.id, sizeof first);
    inputs_read(&inputs, "list", nrs_text("evil.example"), 4096); // no time of its own
    assert_memory_equal(inputs.id, none, sizeof none);
    assert_int_equal(inputs.last.observed_at, INPUTS_NOW_MS);
    inputs_close(&inputs);
}

static void
test_reader_reads_times_without_zone_in_the_sources_zone(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs_read(&inputs, "csv", nrs_text("date,URL\n2025/12/01 09:00:00,https://a.example/\n"),
                4096);
    assert_int_equal(inputs.last.observed_at, 1764547200000);
    inputs_close(&inputs);
}

static void
test_reader_keeps_the_beginning_of_a_line_that_is_too_long(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs.limits.line_bytes = 100000;
    size_t size = 3000000;
    char *bytes = nrs_alloc0(size, 1);
    memset(bytes, 'a', size);
    memcpy(bytes, "a.example\n", 10);
    memcpy(bytes + size - 11, "\nb.example\n", 11);
    const char *notes = inputs_read(&inputs, "list", nrs_bytes(bytes, size), 4096);
    assert_string_equal(notes, "domain a.example\n! too-long in:2\ndomain b.example\n");
    assert_int_equal(inputs.bytes_total, size - 10 - 10);
    assert_int_equal(inputs.bytes_kept, INGEST_KEPT_MAX);
    notes = inputs_read(&inputs, "list", nrs_bytes(bytes, size - 11),
                        4096); // the same at the end of the input
    assert_string_equal(notes, "domain a.example\n! too-long in:2\n");
    free(bytes);
    inputs_close(&inputs);
}

static void
test_reader_refuses_a_document_that_is_too_long_or_too_deep(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    size_t size = (1 << 20) + 1;
    char *bytes = nrs_alloc0(size, 1);
    memset(bytes, '[', size);
    assert_string_equal(inputs_read(&inputs, "json", nrs_bytes(bytes, size), 65536),
                        "! too-long in\n");
    memset(bytes + 500, ']', 500);
    assert_string_equal(inputs_read(&inputs, "json", nrs_bytes(bytes, 1000), 65536),
                        "! depth in\n");
    assert_string_equal(inputs_read(&inputs, "jsonl", nrs_bytes(bytes, 1000), 65536),
                        "! depth in:1\n");
    free(bytes);
    inputs_close(&inputs);
}

static void
test_reader_does_not_take_zeros_for_blanks(void **state)
{
    (void)state;
    static const char zeros[100];
    s_check("list", nrs_bytes(zeros, sizeof zeros), "! nul in:1\n");
    s_check("hosts", nrs_bytes(zeros, sizeof zeros), "! hosts in:1\n");
    s_check("json", nrs_bytes(zeros, sizeof zeros), "! json in\n");
}

static void
test_reader_says_what_a_packed_input_starts_with(void **state)
{
    (void)state;
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    inputs_read(&inputs, "csv", nrs_text("\x1f\x8b\x08zzzz"), 4096);
    assert_non_null(strstr(inputs.text, "starts with 1f 8b"));
    inputs_close(&inputs);
}

// Stop after each number of records, go on with a new reader: together they read what one would.
static void
test_reader_goes_on_where_an_earlier_one_stopped(void **state)
{
    (void)state;
    static const struct {
        const char *source, *bytes;
    } cases[] = {
        { "csv",
          "\xef\xbb\xbf"
          "URL,date\nhttps://a.example/,\nbad\n\"https://b.example/\",\nhttps://c.example/,\n" },
        { "json", "{\"data\":{\"items\":[\"a.example\",7,\"b.example\"]}}" },
        { "list", "a.example\n#\nb.example" },
    };
    inputs_t inputs;
    inputs_open(&inputs, s_sources);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_bytes_t bytes = nrs_text(cases[i].bytes);
        const ingest_source_t *source =
            ingest_sources_get(inputs.sources, nrs_text(cases[i].source));
        char *want = nrs_strdup(inputs_read(&inputs, cases[i].source, bytes, 4096));
        ingest_sink_t sink = { &inputs, inputs_room, inputs_accept, inputs_reject, inputs_skip };
        uint64_t cursor = 0;
        nrs_err_t err = NRS_E_AGAIN;
        nrs_buf_reset(&inputs.notes);
        inputs.room = 1;
        while (err == NRS_E_AGAIN) {
            ingest_reader_t *reader =
                ingest_reader_new(source, source->shape, "in", &inputs.limits);
            ingest_reader_skip_to(reader, cursor);
            ingest_reader_put(reader, bytes);
            ingest_reader_end(reader);
            inputs.taken = 0;
            err = ingest_reader_step(reader, &sink, INPUTS_NOW_MS);
            cursor = ingest_reader_cursor(reader);
            ingest_reader_destroy(&reader);
        }
        assert_int_equal(err, NRS_OK);
        assert_string_equal(nrs_buf_cstr(&inputs.notes), want);
        inputs.room = 0;
        free(want);
    }
    inputs_close(&inputs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_makes_of_each_format_what_it_says),
        cmocka_unit_test(test_reader_fills_the_origin_from_record_and_defaults),
        cmocka_unit_test(test_reader_gives_the_same_report_the_same_id),
        cmocka_unit_test(test_reader_reads_times_without_zone_in_the_sources_zone),
        cmocka_unit_test(test_reader_keeps_the_beginning_of_a_line_that_is_too_long),
        cmocka_unit_test(test_reader_refuses_a_document_that_is_too_long_or_too_deep),
        cmocka_unit_test(test_reader_does_not_take_zeros_for_blanks),
        cmocka_unit_test(test_reader_says_what_a_packed_input_starts_with),
        cmocka_unit_test(test_reader_goes_on_where_an_earlier_one_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
