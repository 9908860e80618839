// The golden bytes in proto/vectors/: what we encode are these bytes, and these bytes decode to what we encoded.
//
// `unit_proto_test_vectors --write` writes the files anew. They are a promise to others: when they change, a version grows.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/crypto.h"
#include "tests/fixtures/golden.h"

#include <stdio.h>

typedef void
s_make_t(nrs_buf_t *into);

static void
s_follow(nrs_follow_verb_t verb, nrs_buf_t *into)
{
    nrs_follow_message_t message = golden_follow(verb);
    nrs_follow_encode(&message, into);
}

#define FOLLOW(name, verb)                                                                         \
    static void name(nrs_buf_t *into)                                                              \
    {                                                                                              \
        s_follow(verb, into);                                                                      \
    }
FOLLOW(s_open, NRS_FOLLOW_OPEN)
FOLLOW(s_more, NRS_FOLLOW_MORE)
FOLLOW(s_close, NRS_FOLLOW_CLOSE)
FOLLOW(s_opened, NRS_FOLLOW_OPENED)
FOLLOW(s_segments, NRS_FOLLOW_SEGMENTS)
FOLLOW(s_head, NRS_FOLLOW_HEAD)
FOLLOW(s_refused, NRS_FOLLOW_REFUSED)
#undef FOLLOW

static const struct {
    const char *file;
    s_make_t *make;
} s_vectors[] = {
    { "event_report.bin", golden_event_report },
    { "event_full.bin", golden_event_full },
    { "event_short.bin", golden_event_short },
    { "event_release.bin", golden_event_release },
    { "segment.bin", golden_segment },
    { "segment_sparse.bin", golden_segment_sparse },
    { "follow_open.bin", s_open },
    { "follow_more.bin", s_more },
    { "follow_close.bin", s_close },
    { "follow_opened.bin", s_opened },
    { "follow_segments.bin", s_segments },
    { "follow_head.bin", s_head },
    { "follow_refused.bin", s_refused },
};

enum { VECTORS = sizeof s_vectors / sizeof s_vectors[0] };

static FILE *
s_file(const char *name, const char *mode)
{
    char path[512];
    snprintf(path, sizeof path, "%s/proto/vectors/%s", NOROSHI_SOURCE_DIR, name);
    return fopen(path, mode);
}

// Read a vector; the caller frees it.
static nrs_buf_t
s_read(const char *name)
{
    nrs_buf_t into = { 0 };
    FILE *file = s_file(name, "rb");
    if (!file)
        fail_msg("proto/vectors/%s is missing", name);
    into.size = fread(nrs_buf_reserve(&into, 65536), 1, 65536, file);
    fclose(file);
    return into;
}

static void
test_vectors_are_what_we_encode(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        nrs_buf_t made = { 0 }, kept = s_read(s_vectors[i].file);
        s_vectors[i].make(&made);
        if (!nrs_bytes_equal(nrs_buf_bytes(&made), nrs_buf_bytes(&kept)))
            fail_msg("%s: what is encoded now is not what was promised", s_vectors[i].file);
        nrs_buf_free(&made);
        nrs_buf_free(&kept);
    }
}

// --- the other way round, value by value ---------------------------------------------------------

static void
s_assert_json(const char *file, const char *expected)
{
    nrs_buf_t bytes = s_read(file), json = { 0 };
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&bytes), NULL), NRS_OK);
    assert_int_equal(nrs_event_json(nrs_buf_bytes(&bytes), &json), NRS_OK);
    assert_string_equal(nrs_buf_cstr(&json), expected);
    nrs_buf_free(&json);
    nrs_buf_free(&bytes);
}

#define CORE(who)                                                                                  \
    "{\"origin.instance\":1,\"origin.lane\":5,\"origin.epoch\":188000000,\"origin.offset\":77,"    \
    "\"origin.id\":\"018bcfe56800d0e34fc7087a76f7f1b6\",\"origin.form\":\"report\",\"origin."      \
    "kind\":\"url\","                                                                              \
    "\"origin.value\":\"https://xn--bnk-example-l8a.test/login\","                                 \
    "\"origin.observed_at\":\"2023-11-14T22:13:20.000Z\",\"origin.received_at\":\"2023-11-14T22:"  \
    "13:21.234Z\"," who                                                                            \
    "\"origin.tlp\":\"amber\",\"origin.agreement\":\"nda-2023\",\"origin.onward\":\"allow\","      \
    "\"origin.claim\":\"phishing\",\"origin.confidence\":80"
#define WHO "\"origin.originator\":\"member-1\",\"origin.source\":\"phishing-list\","
#define REST(record)                                                                               \
    ",\"origin.given\":\"hxxps://b\xc3\xa4nk-example[.]test/login\",\"origin.count\":3" record     \
    ",\"origin.target\":\"\xe4\xbe\x8b\xe9\x8a\x80\xe8\xa1\x8c\","                                 \
    "\"origin.tags\":[\"smishing\",\"\xe5\x81\xbd\xe3\x82\xb5\xe3\x82\xa4\xe3\x83\x88\"],"         \
    "\"origin.port\":8443"
#define RECORD ",\"origin.record\":\"4711\""
#define DECIDED                                                                                    \
    ",\"context.first_seen_at\":\"2023-11-14T19:26:40.000Z\",\"context.last_seen_at\":\"2023-11-"  \
    "14T22:13:20.000Z\","                                                                          \
    "\"context.sightings\":4,\"context.reporters\":2,\"context.host\":\"xn--bnk-example-l8a."      \
    "test\","                                                                                      \
    "\"context.domain\":\"xn--bnk-example-l8a.test\",\"context.suffix\":\"test\",\"context."       \
    "country\":\"JP\","                                                                            \
    "\"context.asn\":64496,\"context.lists\":[\"watched-brands\"],"                                \
    "\"verdict.class\":\"fraud\",\"verdict.type\":\"phishing\",\"verdict.severity\":\"high\","     \
    "\"verdict.confidence\":85,\"verdict.expires_at\":\"2023-11-21T22:13:20.000Z\","               \
    "\"verdict.rule\":\"phishing-brand\",\"verdict.rule_version\":2,"                              \
    "\"verdict.reasons\":[\"a watched brand in the host name\"]"

static void
test_event_vectors_say_what_was_meant(void **state)
{
    (void)state;
    s_assert_json("event_report.bin", CORE(WHO) REST(RECORD) "}");
    s_assert_json("event_full.bin", CORE(WHO) REST(RECORD) DECIDED "}");
    s_assert_json(
        "event_short.bin",
        CORE(WHO) ",\"context.repeat_of\":\"018bcfe56800d0e34fc7087a76f7f1b6\","
                  "\"context.last_seen_at\":\"2023-11-14T22:23:20.000Z\",\"context.sightings\":5,"
                  "\"context.reporters\":2}");
    s_assert_json("event_release.bin", CORE("") REST("") DECIDED
                  ",\"release.recipient\":\"peer-1\",\"release.projection\":\"projected\","
                  "\"release.tlp\":\"amber\","
                  "\"release.policy\":7,\"release.agreement\":\"mou-2022\","
                  "\"release.released_at\":\"2023-11-14T22:13:22.000Z\"}");
}

static void
test_event_vector_has_the_id_of_its_identity(void **state)
{
    (void)state;
    nrs_origin_t origin = golden_origin();
    uint8_t kind[] = { 0x1f, (uint8_t)origin.kind }, time[8], digest[32];
    nrs_put_be64(time, origin.observed_at);
    const nrs_bytes_t pieces[] = {
        origin.originator,  nrs_bytes(kind, 2), origin.value,
        nrs_bytes(kind, 1), nrs_bytes(time, 8), origin.record,
    };
    nrs_sha256(pieces, sizeof pieces / sizeof pieces[0], digest);
    assert_memory_equal(golden_id, time + 2, 6);
    assert_memory_equal(golden_id + 6, digest, 10);
}

static void
test_segment_vectors_hold_their_events(void **state)
{
    (void)state;
    nrs_buf_t bytes = s_read("segment.bin"), sparse_bytes = s_read("segment_sparse.bin"),
              full = s_read("event_full.bin");
    nrs_segment_t segment;
    uint64_t offset;
    assert_int_equal(nrs_segment_open(nrs_buf_bytes(&bytes), &segment), NRS_OK);
    assert_true(segment.head.instance == 3 && segment.head.lane == 5 &&
                segment.head.epoch == 188000000);
    assert_true(segment.head.base == 100 && segment.head.span == 3 && segment.head.count == 3);
    assert_true(segment.head.flags == 0 && segment.head.first_ms == 1700000002000);
    assert_true(segment.head.stream == nrs_segment_stream("live", "classified"));
    assert_true(segment.head.previous.low == 0x0706050403020100u &&
                segment.head.previous.high == 0x0f0e0d0c0b0a0908u);
    assert_true(nrs_bytes_equal(nrs_segment_event(&segment, 0, NULL), nrs_buf_bytes(&full)));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(nrs_event_check(nrs_segment_event(&segment, i, &offset), NULL), NRS_OK);
    assert_int_equal(offset, 102);
    assert_int_equal(nrs_segment_open(nrs_buf_bytes(&sparse_bytes), &segment), NRS_OK);
    assert_true(segment.head.span == 10 && segment.head.count == 1 &&
                segment.head.flags == NRS_SEGMENT_SPARSE);
    assert_true(nrs_bytes_equal(nrs_segment_event(&segment, 0, &offset), nrs_buf_bytes(&full)));
    assert_int_equal(offset, 104);
    nrs_buf_free(&bytes);
    nrs_buf_free(&sparse_bytes);
    nrs_buf_free(&full);
}

static void
test_follow_vectors_say_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        nrs_follow_verb_t verb;
    } cases[] = {
        { "follow_open.bin", NRS_FOLLOW_OPEN },         { "follow_more.bin", NRS_FOLLOW_MORE },
        { "follow_close.bin", NRS_FOLLOW_CLOSE },       { "follow_opened.bin", NRS_FOLLOW_OPENED },
        { "follow_segments.bin", NRS_FOLLOW_SEGMENTS }, { "follow_head.bin", NRS_FOLLOW_HEAD },
        { "follow_refused.bin", NRS_FOLLOW_REFUSED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_follow_message_t meant = golden_follow(cases[i].verb), read;
        nrs_buf_t bytes = s_read(cases[i].file);
        assert_int_equal(nrs_follow_decode(nrs_buf_bytes(&bytes), &read), NRS_OK);
        assert_true(read.verb == meant.verb && read.session == meant.session &&
                    read.instance == meant.instance);
        assert_true(read.credit_bytes == meant.credit_bytes &&
                    read.credit_events == meant.credit_events);
        assert_true(nrs_bytes_equal(read.realm, meant.realm) &&
                    nrs_bytes_equal(read.topic, meant.topic));
        assert_true(nrs_bytes_equal(read.follower, meant.follower) &&
                    nrs_bytes_equal(read.filter, meant.filter));
        assert_true(nrs_bytes_equal(read.code, meant.code) &&
                    nrs_bytes_equal(read.text, meant.text));
        assert_int_equal(read.lane_count, meant.lane_count);
        if (read.lane_count) {
            const nrs_follow_lane_t *a = &read.lanes[0], *b = &meant.lanes[0];
            assert_true(a->lane == b->lane && a->place.epoch == b->place.epoch &&
                        a->place.offset == b->place.offset);
            assert_true(a->place.chain.low == b->place.chain.low &&
                        a->place.chain.high == b->place.chain.high);
            assert_true(a->settled == b->settled && a->first == b->first && a->next == b->next);
        }
        nrs_buf_free(&bytes);
    }
}

static int
s_write_all(void)
{
    for (size_t i = 0; i < VECTORS; i++) {
        nrs_buf_t made = { 0 };
        FILE *file = s_file(s_vectors[i].file, "wb");
        if (!file)
            return 1;
        s_vectors[i].make(&made);
        fwrite(made.data, 1, made.size, file);
        fclose(file);
        nrs_buf_free(&made);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_are_what_we_encode),
        cmocka_unit_test(test_event_vectors_say_what_was_meant),
        cmocka_unit_test(test_event_vector_has_the_id_of_its_identity),
        cmocka_unit_test(test_segment_vectors_hold_their_events),
        cmocka_unit_test(test_follow_vectors_say_what_was_meant),
    };
    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return s_write_all();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
