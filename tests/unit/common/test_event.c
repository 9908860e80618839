#include "common/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const uint8_t s_id[NRS_ID_BYTES] = "0123456789abcdef";

static nrs_origin_t
s_origin(void)
{
    return (nrs_origin_t){
        .instance = 1, .lane = 5, .epoch = 2, .offset = 77,
        .id = nrs_bytes(s_id, sizeof s_id),
        .form = NRS_FORM_REPORT, .kind = NRS_KIND_URL,
        .value = nrs_text("https://login.example.com/"),
        .observed_at = 1700000000000u, .received_at = 1700000001000u,
        .originator = nrs_text("wallet-guard"), .source = nrs_text("list"),
        .tlp = NRS_TLP_AMBER, .confidence = 80, .count = 3,
        .tags = { 2, { nrs_text("a"), nrs_text("\xe9\xad\x9a") } },
        .description = nrs_text("said \"so\"\n"),
    };
}

static void
test_event_reads_back_what_was_written(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 }, two = { 0 }, three = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    nrs_context_t context = { .sightings = 4, .domain = nrs_text("example.com"), .known_good = 1 };
    nrs_event_append(&two, nrs_buf_bytes(&one), NRS_LAYER_CONTEXT, &context);
    nrs_verdict_t verdict = { .type = NRS_TYPE_PHISHING, .rule = nrs_text("r1") };
    nrs_event_append(&three, nrs_buf_bytes(&two), NRS_LAYER_VERDICT, &verdict);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&three), NULL), NRS_OK);
    assert_memory_equal(three.data + 1, two.data + 1, two.size - 1); // copied, not rewritten

    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&three), &event), NRS_OK);
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_VERDICT_rule), "r1"));
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_ORIGIN_value), "https://login.example.com/"));
    assert_int_equal(nrs_event_number(&event, NRS_CONTEXT_known_good), 1);
    assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_confidence), 80);
    assert_int_equal(nrs_event_number(&event, NRS_CONTEXT_asn), 0);
    assert_false(nrs_event_has(&event, NRS_LAYER_RELEASE));
    nrs_origin_t read;
    assert_int_equal(nrs_event_origin(&event, &read), NRS_OK);
    assert_int_equal(read.tags.count, 2);
    assert_true(nrs_bytes_is(read.tags.items[1], "\xe9\xad\x9a"));
    assert_int_equal(read.count, 3);
    nrs_release_t release;
    assert_int_equal(nrs_event_release(&event, &release), NRS_E_ABSENT);
    nrs_buf_free(&one);
    nrs_buf_free(&two);
    nrs_buf_free(&three);
}

static void
test_event_leaves_nil_for_layers_between(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 }, two = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    nrs_release_t release = { .recipient = nrs_text("cda") };
    nrs_event_append(&two, nrs_buf_bytes(&one), NRS_LAYER_RELEASE, &release);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&two), &event), NRS_OK);
    assert_false(nrs_event_has(&event, NRS_LAYER_VERDICT));
    assert_true(nrs_event_has(&event, NRS_LAYER_RELEASE));
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_RELEASE_recipient), "cda"));
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&two), NULL), NRS_OK);
    nrs_buf_free(&one);
    nrs_buf_free(&two);
}

static void
test_event_place_is_set_in_place(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    nrs_origin_place_t place = { 9, 63, 0xdeadbeef, 0x0102030405060708u }, read;
    nrs_event_set_place(one.data, &place);
    assert_int_equal(nrs_event_place(nrs_buf_bytes(&one), &read), NRS_OK);
    assert_int_equal(read.offset, place.offset);
    assert_int_equal(read.epoch, place.epoch);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&one), &event), NRS_OK);
    assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_lane), 63);
    assert_true(nrs_event_number(&event, NRS_ORIGIN_offset) == place.offset);
    nrs_buf_free(&one);
}

static void
test_event_short_update_keeps_the_core(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 }, two = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    nrs_event_t in, event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&one), &in), NRS_OK);
    nrs_context_t context = { .repeat_of = nrs_bytes(s_id, sizeof s_id), .sightings = 9 };
    nrs_event_append_short(&two, &in, &context);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&two), NULL), NRS_OK);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&two), &event), NRS_OK);
    assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_confidence), 80);
    assert_int_equal(nrs_event_text(&event, NRS_ORIGIN_description).size, 0);
    assert_int_equal(nrs_event_number(&event, NRS_CONTEXT_sightings), 9);
    nrs_buf_free(&one);
    nrs_buf_free(&two);
}

static void
test_event_without_dropped_fields(void **unused)
{
    (void)unused;
    static const nrs_field_t drop[] = { NRS_ORIGIN_originator, NRS_ORIGIN_tags };
    nrs_buf_t one = { 0 }, two = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    nrs_event_t in, event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&one), &in), NRS_OK);
    nrs_release_t release = { .recipient = nrs_text("cda") };
    nrs_event_append_without(&two, &in, drop, 2, NRS_LAYER_RELEASE, &release);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&two), NULL), NRS_OK);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&two), &event), NRS_OK);
    assert_int_equal(nrs_event_text(&event, NRS_ORIGIN_originator).size, 0);
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_ORIGIN_source), "list"));
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_RELEASE_recipient), "cda"));
    nrs_buf_free(&one);
    nrs_buf_free(&two);
}

static void
test_event_refuses_every_truncation(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    for (size_t size = 0; size < one.size; size++)
        assert_int_not_equal(nrs_event_check(nrs_bytes(one.data, size), NULL), NRS_OK);
    nrs_buf_put(&one, "", 1);
    assert_int_not_equal(nrs_event_check(nrs_buf_bytes(&one), NULL), NRS_OK);
    nrs_buf_free(&one);
}

static void
test_event_refuses_values_outside_the_table(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 };
    nrs_origin_t origin = s_origin();
    origin.confidence = 101;
    nrs_event_begin(&one, &origin);
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&one), &problem), NRS_E_LIMIT);
    assert_string_equal(problem.text, "origin.confidence is outside its limit");
    nrs_buf_reset(&one);
    origin = s_origin();
    origin.source = nrs_text("\xff");
    nrs_event_begin(&one, &origin);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&one), NULL), NRS_E_LIMIT);
    nrs_buf_free(&one);
}

// An event of one layer whose position after the fixed ones is `item`, and which says that it has `positions`.
static void
s_raw(nrs_buf_t *into, uint8_t positions, const char *items, size_t bytes)
{
    static const uint8_t place[] = {
        0xcd, 0, 1, 0xcd, 0, 5, 0xce, 0, 0, 0, 2, 0xcf, 0, 0, 0, 0, 0, 0, 0, 77,
    };
    uint8_t head[4] = { 0x91, 0xdc, 0, positions };
    nrs_buf_reset(into);
    nrs_buf_put(into, head, sizeof head);
    nrs_buf_put(into, place, sizeof place);
    nrs_buf_put(into, items, bytes);
}

static void
test_event_refuses_values_of_the_wrong_type(void **unused)
{
    (void)unused;
#define ITEMS(text) text, sizeof text - 1
    static const struct {
        uint8_t positions;
        const char *items;
        size_t bytes;
        const char *problem; // NULL: fine
    } cases[] = {
        { 6, ITEMS("\xc0\x01"), NULL },
        { 5, ITEMS("\xa1x"), "origin.id has the wrong type" },
        { 5, ITEMS("\xc4\x03xyz"), "origin.id has the wrong type" }, // not 16 bytes
        { 6, ITEMS("\xc0\xa1x"), "origin.form has the wrong type" },
        { 6, ITEMS("\xc0\xff"), "origin.form has the wrong type" }, // -1
        { 6, ITEMS("\xc0\xc3"), "origin.form has the wrong type" },
        { 6, ITEMS("\xc0\xca\x3f\x80\x00\x00"), "origin.form has the wrong type" }, // 1.0
        { 6, ITEMS("\xc0\x91\x01"), "origin.form has the wrong type" },
        { 8, ITEMS("\xc0\x01\x02\xc4\x01x"), "origin.value has the wrong type" },
        { 8, ITEMS("\xc0\x01\x02\x80"), "origin.value has the wrong type" },
        { 8, ITEMS("\xc0\x01\x02\xa0"), NULL },  // empty is absent
        { 6, ITEMS("\xc0\xd0\x01"), NULL },      // 1 as a signed number is 1
        { 6, ITEMS("\xc0\xcd\x01\x00"), "origin.form is outside its limit" },
    };
#undef ITEMS
    nrs_buf_t one = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_problem_t problem = { 0 };
        s_raw(&one, cases[i].positions, cases[i].items, cases[i].bytes);
        nrs_err_t err = nrs_event_check(nrs_buf_bytes(&one), &problem);
        if (!err != !cases[i].problem || (err && strcmp(problem.text, cases[i].problem) != 0))
            fail_msg("case %zu: %s: %s", i, nrs_err_name(err), problem.text);
    }
    nrs_buf_free(&one);
}

static void
test_event_ends_where_it_is_damaged(void **unused)
{
    (void)unused;
    static const char damaged[] = "\xc0\x01\x02\xa3x\x05\x06\xc1\xc1\x91\x01"; // text, then reserved bytes
    nrs_buf_t one = { 0 };
    nrs_event_t event;
    s_raw(&one, 14, damaged, sizeof damaged - 1);
    one.data[0] = 0x92;
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&one), NULL), NRS_E_FORMAT);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&one), &event), NRS_OK);
    for (int again = 0; again < 3; again++) { // asked again, the answer is the same
        assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_tlp), 0);
        assert_int_equal(nrs_event_number(&event, NRS_VERDICT_class), 0);
        assert_int_equal(nrs_event_number(&event, NRS_CONTEXT_sightings), 0);
        assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_kind), 2);
        assert_false(nrs_event_has(&event, NRS_LAYER_CONTEXT));
    }
    nrs_buf_free(&one);
}

static void
test_event_skips_what_a_newer_version_says(void **unused)
{
    (void)unused;
    // Positions behind those of the table (0x2a each), and a fifth layer.
    nrs_buf_t one = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    one.data[0] = 0x95;
    nrs_buf_put(&one, "\xdc\x00\x11", 3);
    for (int i = 0; i < 17; i++)
        nrs_buf_put(&one, i == 3 ? "\x07" : i < 15 ? "\xc0" : "\x2a", 1);
    nrs_buf_put(&one, "\xc0\xc0\x82\x01\x02\x03\xa1x", 8);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&one), NULL), NRS_E_FORMAT); // a layer is an array
    one.size -= 6;
    nrs_buf_put(&one, "\x92\x01\x02", 3);
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&one), NULL), NRS_OK);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&one), &event), NRS_OK);
    assert_int_equal(nrs_event_number(&event, NRS_CONTEXT_sightings), 7);
    assert_false(nrs_event_has(&event, NRS_LAYER_RELEASE));
    nrs_buf_free(&one);
}

static void
test_event_json_is_flat_and_escaped(void **unused)
{
    (void)unused;
    nrs_buf_t one = { 0 }, json = { 0 };
    nrs_origin_t origin = s_origin();
    nrs_event_begin(&one, &origin);
    assert_int_equal(nrs_event_json(nrs_buf_bytes(&one), &json), NRS_OK);
    const char *text = nrs_buf_cstr(&json);
    assert_non_null(strstr(text, "\"origin.kind\":\"url\""));
    assert_non_null(strstr(text, "\"origin.observed_at\":\"2023-11-14T22:13:20.000Z\""));
    assert_non_null(strstr(text, "\"origin.id\":\"30313233343536373839616263646566\""));
    assert_non_null(strstr(text, "\"origin.tags\":[\"a\",\"\xe9\xad\x9a\"]"));
    assert_non_null(strstr(text, "said \\\"so\\\"\\n"));
    nrs_buf_free(&one);
    nrs_buf_free(&json);
}

static void
test_time_parse(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int assume;
        uint64_t ms; // 0: refused
    } cases[] = {
        { "2023-11-14T22:13:20Z", 0, 1700000000000u },
        { "2023-11-14T22:13:20.5Z", 0, 1700000000500u },
        { "2023-11-14T22:13:20.123456789Z", 0, 1700000000123u },
        { "2023-11-14 22:13:20 UTC", 0, 1700000000000u },
        { "2023/11/15 07:13:20", 540, 1700000000000u },
        { "2023-11-15T07:13:20+09:00", 0, 1700000000000u },
        { "2023-11-15T07:13:20+0900", 0, 1700000000000u },
        { "2023-11-14", 0, 1699920000000u },
        { "1970-01-01T00:00:00.001Z", 0, 1 },
        { "2024-02-29T00:00:00Z", 0, 1709164800000u },
        { "2023-02-29T00:00:00Z", 0, 0 },
        { "9999-12-31T23:59:59.999Z", 0, 253402300799999u },
        { "9999-12-31T23:59:59-00:01", 0, 0 }, // beyond what a TIME holds
        { "2023-13-01T00:00:00Z", 0, 0 },
        { "2023-11-14T24:00:00Z", 0, 0 },
        { "2023-11-14T22:13:20ZZ", 0, 0 },
        { "2023-11-14T22:13:20.Z", 0, 0 },
        { " ", 0, 0 },
        { "", 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ms = 0;
        nrs_err_t err = nrs_time_parse(nrs_text(cases[i].text), cases[i].assume, &ms);
        if (err != (cases[i].ms ? NRS_OK : NRS_E_FORMAT) || ms != cases[i].ms)
            fail_msg("%s: %s, %llu", cases[i].text, nrs_err_name(err), (unsigned long long)ms);
    }
    char text[25];
    nrs_time_print(1700000000123u, text);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
}

static void
test_words_and_names_are_found(void **unused)
{
    (void)unused;
    assert_int_equal(nrs_enum_number(NRS_ENUM_TLP, nrs_text("AMBER+strict")), NRS_TLP_AMBER_STRICT);
    assert_int_equal(nrs_enum_number(NRS_ENUM_TLP, nrs_text("white")), 0);
    assert_string_equal(nrs_enum_word(NRS_ENUM_KIND, NRS_KIND_TEXT), "text");
    assert_int_equal(nrs_enum_last(NRS_ENUM_KIND), NRS_KIND_TEXT);
    for (uint64_t type = 1; nrs_enum_word(NRS_ENUM_TYPE, type); type++)
        assert_int_not_equal(nrs_class_of_type(type), 0);
    assert_int_equal(nrs_field_find(nrs_text("origin.value")), NRS_ORIGIN_value);
    assert_int_equal(nrs_field_find(nrs_text("value")), NRS_ORIGIN_value);
    assert_int_equal(nrs_field_find(nrs_text("verdict.tlp")), NRS_FIELD_MAX);
    for (unsigned f = 0; f < NRS_FIELD_MAX; f++) { // dense and in order, or the codec is wrong
        const nrs_field_info_t *info = nrs_field_info((nrs_field_t)f);
        assert_int_equal(nrs_field_find(nrs_text(info->name)), f);
        if (f > 0 && nrs_field_info((nrs_field_t)(f - 1))->layer == info->layer)
            assert_int_equal(info->position, nrs_field_info((nrs_field_t)(f - 1))->position + 1);
        else
            assert_int_equal(info->position, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_reads_back_what_was_written),
        cmocka_unit_test(test_event_leaves_nil_for_layers_between),
        cmocka_unit_test(test_event_place_is_set_in_place),
        cmocka_unit_test(test_event_short_update_keeps_the_core),
        cmocka_unit_test(test_event_without_dropped_fields),
        cmocka_unit_test(test_event_refuses_every_truncation),
        cmocka_unit_test(test_event_refuses_values_outside_the_table),
        cmocka_unit_test(test_event_refuses_values_of_the_wrong_type),
        cmocka_unit_test(test_event_ends_where_it_is_damaged),
        cmocka_unit_test(test_event_skips_what_a_newer_version_says),
        cmocka_unit_test(test_event_json_is_flat_and_escaped),
        cmocka_unit_test(test_time_parse),
        cmocka_unit_test(test_words_and_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
