// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/codec.h"
#include "common/follow.h"

#include <stdlib.h>

static nrs_follow_message_t
s_message(nrs_follow_verb_t verb)
{
    nrs_follow_message_t message = { .verb = verb };
    bool lanes = verb == NRS_FOLLOW_OPEN || verb == NRS_FOLLOW_MORE || verb == NRS_FOLLOW_OPENED ||
                 verb == NRS_FOLLOW_HEAD;
    if (verb != NRS_FOLLOW_OPEN && verb != NRS_FOLLOW_REFUSED)
        message.session = 0x1122334455667788u;
    if (verb == NRS_FOLLOW_OPEN) {
        message.realm = nrs_text("live");
        message.topic = nrs_text("releases/ncfta");
        message.follower = nrs_text("ncfta");
        message.filter = nrs_text("kind == url");
        message.from_ms = 1700000000000;
    }
    if (verb == NRS_FOLLOW_OPEN || verb == NRS_FOLLOW_MORE) {
        message.credit_bytes = 4 << 20;
        message.credit_events = 32768;
    }
    if (verb == NRS_FOLLOW_OPENED)
        message.instance = 3;
    if (verb == NRS_FOLLOW_REFUSED) {
        message.code = nrs_text("trimmed");
        message.text = nrs_text("what you ask for is no longer kept");
    }
    for (uint16_t i = 0; lanes && i < 3; i++) {
        nrs_follow_lane_t lane = { .lane = (uint16_t)(i * 31), .place = { .epoch = 7 + i } };
        if (verb != NRS_FOLLOW_HEAD)
            lane.place.offset = UINT64_MAX - i;
        if (verb == NRS_FOLLOW_OPEN)
            lane.place.chain = (nrs_hash128_t){ 0x0102030405060708u, i };
        if (verb == NRS_FOLLOW_MORE)
            lane.settled = 5;
        if (verb == NRS_FOLLOW_OPENED)
            lane.first = 1;
        if (verb == NRS_FOLLOW_OPENED || verb == NRS_FOLLOW_HEAD)
            lane.next = 99;
        message.lanes[message.lane_count++] = lane;
    }
    return message;
}

static void
s_assert_same(const nrs_follow_message_t *a, const nrs_follow_message_t *b)
{
    assert_int_equal(a->verb, b->verb);
    assert_true(a->session == b->session && a->from_ms == b->from_ms && a->instance == b->instance);
    assert_true(a->credit_bytes == b->credit_bytes && a->credit_events == b->credit_events);
    assert_true(nrs_bytes_equal(a->realm, b->realm) && nrs_bytes_equal(a->topic, b->topic));
    assert_true(nrs_bytes_equal(a->follower, b->follower) && nrs_bytes_equal(a->filter, b->filter));
    assert_true(nrs_bytes_equal(a->code, b->code) && nrs_bytes_equal(a->text, b->text));
    assert_int_equal(a->lane_count, b->lane_count);
    for (size_t i = 0; i < a->lane_count; i++) {
        const nrs_follow_lane_t *x = &a->lanes[i], *y = &b->lanes[i];
        assert_true(x->lane == y->lane && x->place.epoch == y->place.epoch &&
                    x->place.offset == y->place.offset);
        assert_true(x->place.chain.low == y->place.chain.low &&
                    x->place.chain.high == y->place.chain.high);
        assert_true(x->settled == y->settled && x->first == y->first && x->next == y->next);
    }
}

static void
test_follow_messages_come_back_as_they_were(void **state)
{
    (void)state;
    nrs_buf_t frame = { 0 };
    for (nrs_follow_verb_t verb = NRS_FOLLOW_OPEN; verb <= NRS_FOLLOW_REFUSED; verb++) {
        nrs_follow_message_t message = s_message(verb), read;
        nrs_buf_reset(&frame);
        nrs_follow_encode(&message, &frame);
        assert_int_equal(nrs_follow_decode(nrs_buf_bytes(&frame), &read), NRS_OK);
        s_assert_same(&message, &read);
    }
    nrs_buf_free(&frame);
}

static void
test_follow_refuses_every_truncation_and_more_bytes(void **state)
{
    (void)state;
    nrs_buf_t frame = { 0 };
    for (nrs_follow_verb_t verb = NRS_FOLLOW_OPEN; verb <= NRS_FOLLOW_REFUSED; verb++) {
        nrs_follow_message_t message = s_message(verb), read = { .verb = 99 };
        nrs_buf_reset(&frame);
        nrs_follow_encode(&message, &frame);
        for (size_t size = 0; size < frame.size; size++) {
            uint8_t *exact = nrs_alloc0(size, 1);
            memcpy(exact, frame.data, size);
            assert_int_not_equal(nrs_follow_decode(nrs_bytes(exact, size), &read), NRS_OK);
            free(exact);
        }
        nrs_buf_put(&frame, "", 1);
        assert_int_equal(nrs_follow_decode(nrs_buf_bytes(&frame), &read), NRS_E_FORMAT);
        assert_int_equal(read.verb, 99); // untouched
    }
    nrs_buf_free(&frame);
}

#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)text, sizeof text - 1                                                     \
    }

static void
test_follow_refuses_what_is_not_in_the_protocol(void **state)
{
    (void)state;
    static const struct {
        nrs_bytes_t frame;
        nrs_err_t err;
    } cases[] = {
        { BYTES("\x92\x03\x05"), NRS_OK },       // CLOSE
        { BYTES("\x92\x00\x05"), NRS_E_FORMAT }, // no such verb
        { BYTES("\x92\x08\x05"), NRS_E_FORMAT },
        { BYTES("\x93\x03\x05\x05"), NRS_E_FORMAT }, // too many items
        { BYTES("\x92\x03\xff"), NRS_E_FORMAT },     // negative session
        { BYTES("\x92\xa1\x03\x05"), NRS_E_FORMAT },
        { BYTES("\x93\x01\x02\xc0"), NRS_E_VERSION }, // OPEN of version 2, whatever follows
        { BYTES("\x9b\x01\x02\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0"), NRS_E_VERSION },
        { BYTES("\x93\x01\x01\xc0"), NRS_E_FORMAT },
        { BYTES("\x93\x06\x05\x91\x93\x3f\x01\x02"), NRS_OK },       // HEAD of lane 63
        { BYTES("\x93\x06\x05\x91\x93\x40\x01\x02"), NRS_E_FORMAT }, // lane 64
        { BYTES("\x93\x06\x05\x92\x93\x01\x01\x02\x93\x01\x01\x02"),
          NRS_E_FORMAT }, // the same lane twice
        { BYTES("\x93\x06\x05\x91\x94\x01\x01\x02\x03"), NRS_E_FORMAT },
        { BYTES("\x93\x06\x05\xdc\x00\x41"), NRS_E_FORMAT }, // 65 lanes
        { BYTES("\x93\x07\xd9\x21"
                "abcdefghijabcdefghijabcdefghijabc\xa0"),
          NRS_E_FORMAT }, // code of 33
        { BYTES("\x95\x02\x05\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\x90"),
          NRS_E_FORMAT }, // credit of 4 GiB
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_follow_message_t read;
        nrs_err_t err = nrs_follow_decode(cases[i].frame, &read);
        if (err != cases[i].err)
            fail_msg("case %zu: %s", i, nrs_err_name(err));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follow_messages_come_back_as_they_were),
        cmocka_unit_test(test_follow_refuses_every_truncation_and_more_bytes),
        cmocka_unit_test(test_follow_refuses_what_is_not_in_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
