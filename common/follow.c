#include "common/follow.h"

#include "common/codec.h"
#include "common/topic.h"

// --- encode --------------------------------------------------------------------------------------

static void
s_pack_hash(nrs_buf_t *into, nrs_hash128_t hash)
{
    uint8_t bytes[16];
    nrs_put_le64(bytes, hash.low);
    nrs_put_le64(bytes + 8, hash.high);
    nrs_pack_bin(into, nrs_bytes(bytes, sizeof bytes));
}

static void
s_pack_lanes(const nrs_follow_message_t *message, nrs_buf_t *into)
{
    nrs_pack_array(into, (uint32_t)message->lane_count);
    for (size_t i = 0; i < message->lane_count; i++) {
        const nrs_follow_lane_t *lane = &message->lanes[i];
        bool opened = message->verb == NRS_FOLLOW_OPENED;
        bool head = message->verb == NRS_FOLLOW_HEAD;
        nrs_pack_array(into, opened ? 5 : head ? 3 : 4);
        nrs_pack_uint(into, lane->lane);
        nrs_pack_uint(into, lane->place.epoch);
        if (!head)
            nrs_pack_uint(into, lane->place.offset);
        if (message->verb == NRS_FOLLOW_OPEN)
            s_pack_hash(into, lane->place.chain);
        if (message->verb == NRS_FOLLOW_MORE)
            nrs_pack_uint(into, lane->settled);
        if (opened)
            nrs_pack_uint(into, lane->first);
        if (opened || head)
            nrs_pack_uint(into, lane->next);
    }
}

static void
s_encode_open(const nrs_follow_message_t *message, nrs_buf_t *into)
{
    nrs_pack_array(into, 10);
    nrs_pack_uint(into, NRS_FOLLOW_OPEN);
    nrs_pack_uint(into, NRS_FOLLOW_VERSION);
    nrs_pack_str(into, message->realm);
    nrs_pack_str(into, message->topic);
    nrs_pack_str(into, message->follower);
    nrs_pack_str(into, message->filter);
    nrs_pack_uint(into, (uint64_t)message->from_ms);
    nrs_pack_uint(into, message->credit_bytes);
    nrs_pack_uint(into, message->credit_events);
    s_pack_lanes(message, into);
}

void
nrs_follow_encode(const nrs_follow_message_t *message, nrs_buf_t *into)
{
    switch (message->verb) {
    case NRS_FOLLOW_OPEN:
        s_encode_open(message, into);
        break;
    case NRS_FOLLOW_MORE:
        nrs_pack_array(into, 5);
        nrs_pack_uint(into, NRS_FOLLOW_MORE);
        nrs_pack_uint(into, message->session);
        nrs_pack_uint(into, message->credit_bytes);
        nrs_pack_uint(into, message->credit_events);
        s_pack_lanes(message, into);
        break;
    case NRS_FOLLOW_OPENED:
        nrs_pack_array(into, 4);
        nrs_pack_uint(into, NRS_FOLLOW_OPENED);
        nrs_pack_uint(into, message->session);
        nrs_pack_uint(into, message->instance);
        s_pack_lanes(message, into);
        break;
    case NRS_FOLLOW_HEAD:
        nrs_pack_array(into, 3);
        nrs_pack_uint(into, NRS_FOLLOW_HEAD);
        nrs_pack_uint(into, message->session);
        s_pack_lanes(message, into);
        break;
    case NRS_FOLLOW_REFUSED:
        nrs_pack_array(into, 3);
        nrs_pack_uint(into, NRS_FOLLOW_REFUSED);
        nrs_pack_str(into, message->code);
        nrs_pack_str(into, message->text);
        break;
    case NRS_FOLLOW_CLOSE:
    case NRS_FOLLOW_SEGMENTS:
        nrs_pack_array(into, 2);
        nrs_pack_uint(into, message->verb);
        nrs_pack_uint(into, message->session);
        break;
    }
}

// --- decode --------------------------------------------------------------------------------------

static nrs_err_t
s_walk_hash(nrs_walk_t *walk, nrs_hash128_t *ret_hash)
{
    nrs_bytes_t bytes;
    nrs_err_t err = nrs_walk_bin(walk, 16, &bytes);
    if (err || bytes.size != 16)
        return NRS_E_FORMAT;
    *ret_hash = (nrs_hash128_t){ nrs_get_le64(bytes.data), nrs_get_le64(bytes.data + 8) };
    return NRS_OK;
}

static nrs_err_t
s_walk_lane(nrs_walk_t *walk, nrs_follow_verb_t verb, nrs_follow_lane_t *into)
{
    bool opened = verb == NRS_FOLLOW_OPENED, head = verb == NRS_FOLLOW_HEAD;
    uint32_t count;
    uint64_t lane, epoch;
    nrs_err_t err = nrs_walk_array(walk, 5, &count);
    if (err || count != (opened ? 5u : head ? 3u : 4u))
        return NRS_E_FORMAT;
    *into = (nrs_follow_lane_t){ 0 };
    err = nrs_walk_uint(walk, NRS_LANES_MAX - 1, &lane);
    err = err ? err : nrs_walk_uint(walk, UINT32_MAX, &epoch);
    if (err)
        return err;
    into->lane = (uint16_t)lane;
    into->place.epoch = (uint32_t)epoch;
    if (!head)
        err = nrs_walk_uint(walk, UINT64_MAX, &into->place.offset);
    if (!err && verb == NRS_FOLLOW_OPEN)
        err = s_walk_hash(walk, &into->place.chain);
    if (!err && verb == NRS_FOLLOW_MORE)
        err = nrs_walk_uint(walk, UINT64_MAX, &into->settled);
    if (!err && opened)
        err = nrs_walk_uint(walk, UINT64_MAX, &into->first);
    if (!err && (opened || head))
        err = nrs_walk_uint(walk, UINT64_MAX, &into->next);
    return err;
}

// Each lane at most once.
static nrs_err_t
s_walk_lanes(nrs_walk_t *walk, nrs_follow_message_t *message)
{
    uint32_t count;
    uint64_t seen = 0;
    nrs_err_t err = nrs_walk_array(walk, NRS_LANES_MAX, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        err = s_walk_lane(walk, message->verb, &message->lanes[i]);
        if (!err && seen >> message->lanes[i].lane & 1)
            err = NRS_E_FORMAT;
        if (!err)
            seen |= UINT64_C(1) << message->lanes[i].lane;
    }
    message->lane_count = err ? 0 : count;
    return err;
}

static nrs_err_t
s_decode_open(nrs_walk_t *walk, nrs_follow_message_t *message)
{
    uint64_t version, from_ms;
    nrs_err_t err = nrs_walk_uint(walk, NRS_FOLLOW_VERSION, &version);
    err = err ? err : nrs_walk_str(walk, NRS_TOPIC_NAME_MAX, &message->realm);
    err = err ? err : nrs_walk_str(walk, NRS_TOPIC_NAME_MAX, &message->topic);
    err = err ? err : nrs_walk_str(walk, NRS_FOLLOWER_NAME_MAX, &message->follower);
    err = err ? err : nrs_walk_str(walk, NRS_FOLLOW_FILTER_MAX, &message->filter);
    err = err ? err : nrs_walk_uint(walk, INT64_MAX, &from_ms);
    err = err ? err : nrs_walk_uint(walk, UINT32_MAX, &message->credit_bytes);
    err = err ? err : nrs_walk_uint(walk, UINT32_MAX, &message->credit_events);
    err = err ? err : s_walk_lanes(walk, message);
    if (!err)
        message->from_ms = (int64_t)from_ms;
    return err;
}

static nrs_err_t
s_decode_body(nrs_walk_t *walk, nrs_follow_message_t *message)
{
    nrs_err_t err = NRS_OK;
    if (message->verb == NRS_FOLLOW_OPEN)
        return s_decode_open(walk, message);
    if (message->verb == NRS_FOLLOW_REFUSED) {
        err = nrs_walk_str(walk, 32, &message->code);
        return err ? err : nrs_walk_str(walk, 1024, &message->text);
    }
    err = nrs_walk_uint(walk, UINT64_MAX, &message->session);
    if (!err && message->verb == NRS_FOLLOW_MORE) {
        err = nrs_walk_uint(walk, UINT32_MAX, &message->credit_bytes);
        err = err ? err : nrs_walk_uint(walk, UINT32_MAX, &message->credit_events);
    }
    if (!err && message->verb == NRS_FOLLOW_OPENED)
        err = nrs_walk_uint(walk, UINT16_MAX, &message->instance);
    bool lanes = message->verb == NRS_FOLLOW_MORE || message->verb == NRS_FOLLOW_OPENED ||
                 message->verb == NRS_FOLLOW_HEAD;
    return err || !lanes ? err : s_walk_lanes(walk, message);
}

// An OPEN says its version before anything that a version may change, the number of its items included.
static bool
s_other_version(nrs_walk_t walk)
{
    uint64_t version;
    return nrs_walk_uint(&walk, UINT64_MAX, &version) == NRS_OK && version != NRS_FOLLOW_VERSION;
}

nrs_err_t
nrs_follow_decode(nrs_bytes_t frame, nrs_follow_message_t *ret_message)
{
    static const uint8_t counts[] = {
        [NRS_FOLLOW_OPEN] = 10,  [NRS_FOLLOW_MORE] = 5, [NRS_FOLLOW_CLOSE] = 2,
        [NRS_FOLLOW_OPENED] = 4, [NRS_FOLLOW_SEGMENTS] = 2, [NRS_FOLLOW_HEAD] = 3,
        [NRS_FOLLOW_REFUSED] = 3,
    };
    nrs_walk_t walk = nrs_walk(frame);
    uint32_t count;
    uint64_t verb;
    nrs_err_t err = nrs_walk_array(&walk, UINT16_MAX, &count);
    err = err ? err : nrs_walk_uint(&walk, NRS_FOLLOW_REFUSED, &verb);
    if (!err && verb == NRS_FOLLOW_OPEN && s_other_version(walk))
        return NRS_E_VERSION;
    if (err || verb == 0 || count != counts[verb])
        return NRS_E_FORMAT;
    nrs_follow_message_t message = { .verb = (nrs_follow_verb_t)verb };
    err = s_decode_body(&walk, &message);
    if (!err && !nrs_walk_done(&walk))
        err = NRS_E_FORMAT;
    if (!err)
        *ret_message = message;
    return err;
}
