#include "common/submit.h"

#include "common/codec.h"

enum {
    S_NAME_MAX = 128,
    S_SOURCE_MAX = 64,
    S_FORMAT_MAX = 16,
    S_REASON_MAX = 64,
    S_PLACE_MAX = 256
};
enum { S_COMMON = 3, S_REQUEST = 7, S_CREDIT = 4, S_RECEIPT = 12, S_REJECTION = 4 };
enum { S_POSITIONS_MAX = 64 }; // of a header of a later minor version

// --- the beginning that all headers share: [version, verb, id, ...] ------------------------------

static void
s_pack_common(nrs_buf_t *into, uint32_t count, nrs_submit_verb_t verb, const uint8_t *id)
{
    nrs_pack_array(into, count);
    nrs_pack_uint(into, NRS_SUBMIT_VERSION);
    nrs_pack_uint(into, verb);
    nrs_pack_bin(into, nrs_bytes(id, NRS_SUBMIT_ID_BYTES));
}

static nrs_err_t
s_walk_common(nrs_walk_t *walk, uint32_t *ret_left, nrs_submit_verb_t *ret_verb, uint8_t *ret_id)
{
    uint64_t version = 0, verb = 0;
    nrs_bytes_t id = NRS_NONE;
    if (nrs_walk_array(walk, S_POSITIONS_MAX, ret_left) || *ret_left < S_COMMON)
        return NRS_E_FORMAT;
    if (nrs_walk_uint(walk, UINT64_MAX, &version))
        return NRS_E_FORMAT;
    if (version != NRS_SUBMIT_VERSION)
        return NRS_E_VERSION;
    if (nrs_walk_uint(walk, NRS_SUBMIT_RECEIPT, &verb) ||
        nrs_walk_bin(walk, NRS_SUBMIT_ID_BYTES, &id) || id.size != NRS_SUBMIT_ID_BYTES || verb == 0)
        return NRS_E_FORMAT;
    *ret_verb = (nrs_submit_verb_t)verb;
    *ret_left -= S_COMMON;
    memcpy(ret_id, id.data, NRS_SUBMIT_ID_BYTES);
    return NRS_OK;
}

// Go past what later versions have added; the frame must end there.
static nrs_err_t
s_walk_end(nrs_walk_t *walk, uint32_t left)
{
    for (; left > 0; left--)
        if (nrs_walk_skip(walk))
            return NRS_E_FORMAT;
    return nrs_walk_done(walk) ? NRS_OK : NRS_E_FORMAT;
}

static void
s_pack_text(nrs_buf_t *into, nrs_bytes_t text)
{
    if (text.size)
        nrs_pack_str(into, text);
    else
        nrs_pack_nil(into);
}

static nrs_err_t
s_walk_text(nrs_walk_t *walk, size_t max, nrs_bytes_t *ret_text)
{
    if (nrs_walk_nil(walk))
        return NRS_OK;
    nrs_err_t err = nrs_walk_str(walk, max, ret_text);
    return err ? err : nrs_utf8_ok(*ret_text) ? NRS_OK : NRS_E_FORMAT;
}

// --- requests ------------------------------------------------------------------------------------

void
nrs_submit_encode_request(const nrs_submit_request_t *request, nrs_buf_t *into)
{
    s_pack_common(into, S_REQUEST, request->verb, request->id);
    nrs_pack_uint(into, request->sequence);
    s_pack_text(into, request->source);
    s_pack_text(into, request->format);
    s_pack_text(into, request->name);
}

nrs_err_t
nrs_submit_decode_request(nrs_bytes_t header, nrs_submit_request_t *ret_request)
{
    nrs_walk_t walk = nrs_walk(header);
    nrs_submit_request_t request = { 0 };
    uint32_t left = 0;
    nrs_err_t err = s_walk_common(&walk, &left, &request.verb, request.id);
    if (err)
        return err;
    if (request.verb > NRS_SUBMIT_WHOLE || left < S_REQUEST - S_COMMON)
        return NRS_E_FORMAT;
    if ((err = nrs_walk_uint(&walk, UINT64_MAX, &request.sequence)) ||
        (err = s_walk_text(&walk, S_SOURCE_MAX, &request.source)) ||
        (err = s_walk_text(&walk, S_FORMAT_MAX, &request.format)) ||
        (err = s_walk_text(&walk, S_NAME_MAX, &request.name)) ||
        (err = s_walk_end(&walk, left - (S_REQUEST - S_COMMON))))
        return err;
    *ret_request = request;
    return NRS_OK;
}

// --- replies -------------------------------------------------------------------------------------

static void
s_pack_rejection(const nrs_submit_rejection_t *rejection, nrs_buf_t *into)
{
    nrs_pack_array(into, S_REJECTION);
    s_pack_text(into, rejection->place);
    s_pack_text(into, rejection->reason);
    s_pack_text(into, rejection->text);
    nrs_pack_bin(into, rejection->bytes);
}

void
nrs_submit_encode_reply(const nrs_submit_reply_t *reply, nrs_buf_t *into)
{
    if (reply->verb == NRS_SUBMIT_CREDIT) {
        s_pack_common(into, S_CREDIT, reply->verb, reply->id);
        nrs_pack_uint(into, reply->credit);
        return;
    }
    s_pack_common(into, S_RECEIPT, reply->verb, reply->id);
    nrs_pack_uint(into, reply->state);
    nrs_pack_uint(into, reply->accepted);
    nrs_pack_uint(into, reply->known);
    nrs_pack_uint(into, reply->rejected);
    nrs_pack_uint(into, reply->skipped);
    nrs_pack_uint(into, reply->bytes);
    s_pack_text(into, reply->reason);
    s_pack_text(into, reply->text);
    nrs_pack_array(into, (uint32_t)reply->rejection_count);
    for (size_t i = 0; i < reply->rejection_count; i++)
        s_pack_rejection(&reply->rejections[i], into);
}

static nrs_err_t
s_walk_rejection(nrs_walk_t *walk, nrs_submit_rejection_t *ret_rejection)
{
    uint32_t count = 0;
    nrs_err_t err = nrs_walk_array(walk, S_POSITIONS_MAX, &count);
    if (err || count < S_REJECTION)
        return NRS_E_FORMAT;
    if ((err = s_walk_text(walk, S_PLACE_MAX, &ret_rejection->place)) ||
        (err = s_walk_text(walk, S_REASON_MAX, &ret_rejection->reason)) ||
        (err = s_walk_text(walk, NRS_SUBMIT_TEXT_MAX, &ret_rejection->text)) ||
        (err = nrs_walk_bin(walk, NRS_SUBMIT_REJECTION_BYTES_MAX, &ret_rejection->bytes)))
        return err;
    for (; count > S_REJECTION; count--)
        if (nrs_walk_skip(walk))
            return NRS_E_FORMAT;
    return NRS_OK;
}

static nrs_err_t
s_walk_receipt(nrs_walk_t *walk, nrs_submit_reply_t *reply)
{
    uint64_t state = 0;
    uint32_t count = 0;
    nrs_err_t err;
    if ((err = nrs_walk_uint(walk, NRS_SUBMIT_REFUSED, &state)) ||
        (err = nrs_walk_uint(walk, UINT64_MAX, &reply->accepted)) ||
        (err = nrs_walk_uint(walk, UINT64_MAX, &reply->known)) ||
        (err = nrs_walk_uint(walk, UINT64_MAX, &reply->rejected)) ||
        (err = nrs_walk_uint(walk, UINT64_MAX, &reply->skipped)) ||
        (err = nrs_walk_uint(walk, UINT64_MAX, &reply->bytes)) ||
        (err = s_walk_text(walk, S_REASON_MAX, &reply->reason)) ||
        (err = s_walk_text(walk, NRS_SUBMIT_TEXT_MAX, &reply->text)) ||
        (err = nrs_walk_array(walk, NRS_SUBMIT_REJECTIONS_MAX, &count)))
        return err;
    if (state == 0)
        return NRS_E_FORMAT;
    reply->state = (nrs_submit_state_t)state;
    for (; reply->rejection_count < count; reply->rejection_count++)
        if ((err = s_walk_rejection(walk, &reply->rejections[reply->rejection_count])))
            return err;
    return NRS_OK;
}

nrs_err_t
nrs_submit_decode_reply(nrs_bytes_t header, nrs_submit_reply_t *ret_reply)
{
    nrs_walk_t walk = nrs_walk(header);
    nrs_submit_reply_t reply = { 0 };
    uint32_t left = 0;
    nrs_err_t err = s_walk_common(&walk, &left, &reply.verb, reply.id);
    if (err)
        return err;
    uint32_t read = reply.verb == NRS_SUBMIT_CREDIT ? S_CREDIT - S_COMMON : S_RECEIPT - S_COMMON;
    if (reply.verb < NRS_SUBMIT_CREDIT || left < read)
        return NRS_E_FORMAT;
    err = reply.verb == NRS_SUBMIT_CREDIT ? nrs_walk_uint(&walk, UINT32_MAX, &reply.credit)
                                          : s_walk_receipt(&walk, &reply);
    if (!err)
        err = s_walk_end(&walk, left - read);
    if (!err)
        *ret_reply = reply;
    return err;
}
