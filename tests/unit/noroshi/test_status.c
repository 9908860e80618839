// What the command line makes of answers: the judgement in words, and lines of a tap.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/codec.h"
#include "services/noroshi/status.h"
#include "services/noroshi/tapline.h"

// --- status --------------------------------------------------------------------------------------

static void
s_collect(void *me, status_weight_t weight, const char *sentence)
{
    nrs_buf_printf(me, "%s%s\n", weight == STATUS_BAD ? "!! " : "   ", sentence);
}

// Two instances: ingest-1 is down unless `first` is given, enrich-1 answers `second`.
static bool
s_judge(const char *first, const char *second, nrs_buf_t *into)
{
    static nrs_instance_t instances[] = { { .name = "ingest-1" }, { .name = "enrich-1" } };
    status_row_t rows[2] = { { .instance = &instances[0] }, { .instance = &instances[1] } };
    nrs_plan_t plan = { .instance_count = 2, .instances = instances };
    status_t status = { .plan = &plan, .count = 2, .rows = rows };
    strcpy(rows[0].problem.text, "ingest-1 is not running");
    if (first)
        assert_int_equal(answer_parse(nrs_text(first), NULL, &rows[0].answer), NRS_OK);
    assert_int_equal(answer_parse(nrs_text(second), NULL, &rows[1].answer), NRS_OK);
    bool good = status_judge(&status, s_collect, into);
    answer_destroy(&rows[0].answer);
    answer_destroy(&rows[1].answer);
    return good;
}

#define WELL "{\"ready\":true,\"problem\":null}"

static void
test_status_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *says;
        bool good;
    } cases[] = {
        { WELL, WELL, "", true },
        { NULL, WELL, "!! ingest-1 is not running\n", false },
        { WELL, "{\"ready\":false}", "!! enrich-1 runs, but is not ready yet\n", false },
        { WELL, "{\"ready\":true,\"problem\":\"lane 3 is damaged\"}",
          "!! enrich-1: lane 3 is damaged\n", false },
        { NULL,
          "{\"ready\":true,\"inputs\":[{\"from\":\"ingest-1\",\"lag\":5,\"connected\":false}]}",
          "!! ingest-1 is not running\n!! enrich-1 cannot hear ingest-1, because that is down\n",
          false },
        { WELL,
          "{\"ready\":true,\"inputs\":[{\"from\":\"ingest-1\",\"lag\":1200,\"connected\":true}],"
          "\"rates\":{\"in_per_s\":0}}",
          "   enrich-1 is 1,200 events behind ingest-1 and takes none just now\n", true },
        { WELL,
          "{\"ready\":true,\"inputs\":[{\"from\":\"ingest-1\",\"lag\":1200,\"connected\":true}],"
          "\"rates\":{\"in_per_s\":12.5}}",
          "", true },
        { WELL,
          "{\"ready\":true,\"topics\":[{\"name\":\"releases/ncfta\",\"followers\":["
          "{\"name\":\"ncfta\",\"lag\":7,\"connected\":false}]}]}",
          "   ncfta is away and 7 events behind on releases/ncfta of enrich-1; they are kept until "
          "it "
          "is back\n",
          true },
        { WELL, "{\"ready\":true,\"store\":{\"bytes_max\":1048576,\"used_bytes\":900000}}",
          "!! enrich-1 takes no new input: 85 % of its store (1.0 MiB) is in use; see who is "
          "behind, "
          "or raise the limit\n",
          false },
        { WELL, "{\"ready\":true,\"store\":{\"bytes_max\":1048576,\"used_bytes\":800000}}", "",
          true },
        { WELL, "{\"ready\":true,\"dead\":1}",
          "   enrich-1 has 1 dead letter; `noroshi dead list` shows them\n", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_buf_t says = { 0 };
        assert_int_equal(s_judge(cases[i].first, cases[i].second, &says), cases[i].good);
        assert_string_equal(nrs_buf_cstr(&says), cases[i].says);
        nrs_buf_free(&says);
    }
}

static void
test_status_sums_over_topics_lanes_and_inputs(void **state)
{
    (void)state;
    NRS_AUTO(answer) answer = NULL;
    static const char text[] =
        "{\"topics\":[{\"lanes\":[{\"next\":5},{\"next\":7}]},{\"lanes\":[{\"next\":1}]}],"
        "\"inputs\":[{\"lag\":2},{\"lag\":3}]}";
    assert_int_equal(answer_parse(nrs_text(text), NULL, &answer), NRS_OK);
    assert_int_equal(status_place(answer), 13);
    assert_int_equal(status_lag(answer), 5);
    assert_true(status_has_inputs(answer));
}

// --- taps ----------------------------------------------------------------------------------------

static void
s_make_event(nrs_buf_t *event)
{
    static const uint8_t id[NRS_ID_BYTES] = { 1 };
    nrs_buf_t reported = { 0 };
    nrs_origin_t origin = { .id = nrs_bytes(id, sizeof id),
                            .form = NRS_FORM_REPORT,
                            .kind = NRS_KIND_URL,
                            .value = nrs_text("https://例え.jp/\x1b[2J"),
                            .received_at = 1795339800000,
                            .originator = nrs_text("jpcert"),
                            .source = nrs_text("jpcert-phish"),
                            .tlp = NRS_TLP_AMBER };
    nrs_verdict_t verdict = { .class = NRS_CLASS_FRAUD,
                              .type = NRS_TYPE_PHISHING,
                              .severity = NRS_SEVERITY_HIGH };
    nrs_event_begin(&reported, &origin);
    nrs_event_append(event, nrs_buf_bytes(&reported), NRS_LAYER_VERDICT, &verdict);
    nrs_buf_free(&reported);
}

static void
s_make_body(nrs_buf_t *body, uint64_t lane, uint64_t epoch, uint64_t offset)
{
    nrs_pack_array(body, 4);
    nrs_pack_uint(body, lane);
    nrs_pack_uint(body, epoch);
    nrs_pack_uint(body, offset);
    s_make_event(body);
}

#define TEXT "live.classified.amber.fraud.phishing.url.jpcert-phish"

static void
test_tapline_is_read_and_printed(void **state)
{
    (void)state;
    nrs_buf_t body = { 0 }, out = { 0 };
    tapline_t line;
    s_make_body(&body, 3, 1, 17);
    assert_int_equal(tapline_decode(nrs_text(TEXT), nrs_buf_bytes(&body), &line), NRS_OK);
    assert_true(nrs_bytes_is(line.topic, "classified"));
    assert_int_equal(line.lane, 3);
    assert_int_equal(line.offset, 17);
    tapline_print(&line, false, false, 0, &out);
    assert_string_equal(
        nrs_buf_cstr(&out),
        "09:30:00.000 url            https://例え.jp/\\x1b[2J fraud/phishing           "
        "    high     amber    jpcert-phish\n");
    nrs_buf_reset(&out);
    tapline_json(&line, &out);
    NRS_AUTO(answer) parsed = NULL;
    assert_int_equal(answer_parse(nrs_buf_bytes(&out), NULL, &parsed), NRS_OK);
    nrs_json_value_t event = answer_get(&parsed->root, "event");
    assert_true(nrs_bytes_is(answer_text(&event, "origin.kind"), "url"));
    nrs_buf_free(&body);
    nrs_buf_free(&out);
}

static void
test_tapline_refuses_what_is_no_event(void **state)
{
    (void)state;
    nrs_buf_t body = { 0 };
    tapline_t line;
    s_make_body(&body, 3, 1, 17);
    nrs_bytes_t good = nrs_buf_bytes(&body);
    assert_int_equal(tapline_decode(nrs_text("live"), good, &line), NRS_E_FORMAT);
    assert_int_equal(tapline_decode(nrs_text("live.."), good, &line), NRS_E_FORMAT);
    assert_int_equal(tapline_decode(nrs_text(""), good, &line), NRS_E_FORMAT);
    for (size_t size = 0; size < good.size; size++)
        assert_int_not_equal(tapline_decode(nrs_text(TEXT), nrs_bytes(good.data, size), &line),
                             NRS_OK);
    nrs_buf_put(&body, "", 1);
    assert_int_not_equal(tapline_decode(nrs_text(TEXT), nrs_buf_bytes(&body), &line), NRS_OK);
    nrs_buf_reset(&body);
    s_make_body(&body, NRS_LANES_MAX, 1, 17);
    assert_int_equal(tapline_decode(nrs_text(TEXT), nrs_buf_bytes(&body), &line), NRS_E_FORMAT);
    nrs_buf_free(&body);
}

static void
test_gaps_are_counted_for_each_lane(void **state)
{
    (void)state;
    static const struct {
        size_t instance;
        const char *topic;
        uint16_t lane;
        uint32_t epoch;
        uint64_t offset, missing;
    } cases[] = {
        { 0, "reports", 0, 1, 10, 0 },  { 0, "reports", 0, 1, 11, 0 },
        { 0, "reports", 1, 1, 99, 0 },  { 0, "reports", 0, 1, 15, 3 },
        { 0, "enriched", 0, 1, 20, 0 }, { 1, "reports", 0, 1, 500, 0 },
        { 0, "reports", 0, 2, 900, 0 },                                 // a new epoch counts anew
        { 0, "reports", 0, 2, 902, 1 }, { 0, "reports", 0, 2, 902, 0 }, // again: no gap
        { 0, "reports", 1, 1, 100, 0 },
    };
    NRS_AUTO(tapline_gaps) gaps = tapline_gaps_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tapline_t line = { .topic = nrs_text(cases[i].topic),
                           .lane = cases[i].lane,
                           .epoch = cases[i].epoch,
                           .offset = cases[i].offset };
        assert_int_equal(tapline_gaps_step(gaps, cases[i].instance, &line), cases[i].missing);
    }
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_says_what_is_wrong),
        cmocka_unit_test(test_status_sums_over_topics_lanes_and_inputs),
        cmocka_unit_test(test_tapline_is_read_and_printed),
        cmocka_unit_test(test_tapline_refuses_what_is_no_event),
        cmocka_unit_test(test_gaps_are_counted_for_each_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
