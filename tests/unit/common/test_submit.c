// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "common/codec.h"
#include "common/submit.h"

#include <stdio.h>

static const nrs_submit_request_t s_request = {
    .verb = NRS_SUBMIT_BEGIN,
    .id = { 1, 2, 3 },
    .sequence = 7,
    .source = { (const uint8_t *)"feed", 4 },
    .name = { (const uint8_t *)"a.csv", 5 },
};

static void
test_submit_request_comes_back_as_it_was(void **state)
{
    (void)state;
    nrs_buf_t header = { 0 };
    nrs_submit_request_t back;
    nrs_submit_encode_request(&s_request, &header);
    assert_int_equal(nrs_submit_decode_request(nrs_buf_bytes(&header), &back), NRS_OK);
    assert_int_equal(back.verb, s_request.verb);
    assert_int_equal(back.sequence, 7);
    assert_memory_equal(back.id, s_request.id, sizeof back.id);
    assert_true(nrs_bytes_is(back.source, "feed"));
    assert_true(nrs_bytes_is(back.name, "a.csv"));
    assert_int_equal(back.format.size, 0);
    nrs_buf_free(&header);
}

static void
test_submit_refuses_every_prefix_and_a_byte_too_many(void **state)
{
    (void)state;
    nrs_buf_t header = { 0 };
    nrs_submit_request_t back;
    nrs_submit_encode_request(&s_request, &header);
    for (size_t size = 0; size < header.size; size++)
        assert_int_not_equal(nrs_submit_decode_request(nrs_bytes(header.data, size), &back),
                             NRS_OK);
    nrs_pack_nil(&header);
    assert_int_equal(nrs_submit_decode_request(nrs_buf_bytes(&header), &back), NRS_E_FORMAT);
    nrs_buf_free(&header);
}

static void
test_submit_reads_past_what_a_later_version_adds(void **state)
{
    (void)state;
    nrs_buf_t header = { 0 };
    nrs_submit_request_t back;
    nrs_submit_encode_request(&s_request, &header);
    assert_int_equal(header.data[0], 0x97); // an array of 7
    header.data[0] = 0x98;
    nrs_pack_str(&header, nrs_text("new"));
    assert_int_equal(nrs_submit_decode_request(nrs_buf_bytes(&header), &back), NRS_OK);
    header.data[1] = 2; // another major version
    assert_int_equal(nrs_submit_decode_request(nrs_buf_bytes(&header), &back), NRS_E_VERSION);
    nrs_buf_free(&header);
}

static void
test_submit_receipt_comes_back_with_its_rejections(void **state)
{
    (void)state;
    nrs_submit_reply_t reply = { .verb = NRS_SUBMIT_RECEIPT,
                                 .id = { 9 },
                                 .state = NRS_SUBMIT_REFUSED,
                                 .accepted = 5,
                                 .known = 4,
                                 .rejected = 3,
                                 .skipped = 2,
                                 .bytes = 1,
                                 .reason = nrs_text("denied"),
                                 .text = nrs_text("no"),
                                 .rejection_count = NRS_SUBMIT_REJECTIONS_MAX };
    for (size_t i = 0; i < NRS_SUBMIT_REJECTIONS_MAX; i++)
        reply.rejections[i] = (nrs_submit_rejection_t){ nrs_text("a:1"), nrs_text("json"),
                                                        nrs_text("bad"), nrs_bytes("\xff\0", 2) };
    nrs_buf_t header = { 0 };
    nrs_submit_reply_t back;
    nrs_submit_encode_reply(&reply, &header);
    assert_int_equal(nrs_submit_decode_reply(nrs_buf_bytes(&header), &back), NRS_OK);
    assert_int_equal(back.state, NRS_SUBMIT_REFUSED);
    assert_int_equal(back.accepted * 10000 + back.known * 1000 + back.rejected * 100 +
                         back.skipped * 10 + back.bytes,
                     54321);
    assert_true(nrs_bytes_is(back.reason, "denied"));
    assert_int_equal(back.rejection_count, NRS_SUBMIT_REJECTIONS_MAX);
    assert_int_equal(back.rejections[19].bytes.size, 2);
    for (size_t size = 0; size < header.size; size++)
        assert_int_not_equal(nrs_submit_decode_reply(nrs_bytes(header.data, size), &back), NRS_OK);
    nrs_buf_free(&header);
}

static void
test_submit_credit_comes_back(void **state)
{
    (void)state;
    nrs_submit_reply_t reply = { .verb = NRS_SUBMIT_CREDIT, .credit = 8 }, back;
    nrs_buf_t header = { 0 };
    nrs_submit_request_t request;
    nrs_submit_encode_reply(&reply, &header);
    assert_int_equal(nrs_submit_decode_reply(nrs_buf_bytes(&header), &back), NRS_OK);
    assert_int_equal(back.credit, 8);
    assert_int_equal(nrs_submit_decode_request(nrs_buf_bytes(&header), &request), NRS_E_FORMAT);
    nrs_buf_free(&header);
}

// The bytes of proto/vectors/ are what we write, and what we read.
static void
test_submit_vectors_hold(void **state)
{
    (void)state;
    static const char *const names[] = { "begin", "data", "end", "credit", "receipt" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        uint8_t bytes[512];
        snprintf(path, sizeof path, "%s/proto/vectors/submit_%s.bin", NOROSHI_SOURCE_DIR, names[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        nrs_bytes_t vector = nrs_bytes(bytes, fread(bytes, 1, sizeof bytes, file));
        fclose(file);
        nrs_buf_t again = { 0 };
        if (i < 3) {
            nrs_submit_request_t request;
            assert_int_equal(nrs_submit_decode_request(vector, &request), NRS_OK);
            assert_int_equal(request.verb, NRS_SUBMIT_BEGIN + i);
            nrs_submit_encode_request(&request, &again);
        } else {
            nrs_submit_reply_t reply;
            assert_int_equal(nrs_submit_decode_reply(vector, &reply), NRS_OK);
            nrs_submit_encode_reply(&reply, &again);
        }
        assert_true(nrs_bytes_equal(vector, nrs_buf_bytes(&again)));
        nrs_buf_free(&again);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_request_comes_back_as_it_was),
        cmocka_unit_test(test_submit_refuses_every_prefix_and_a_byte_too_many),
        cmocka_unit_test(test_submit_reads_past_what_a_later_version_adds),
        cmocka_unit_test(test_submit_receipt_comes_back_with_its_rejections),
        cmocka_unit_test(test_submit_credit_comes_back),
        cmocka_unit_test(test_submit_vectors_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
