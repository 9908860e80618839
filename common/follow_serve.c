// follow_serve.c - segments to followers: what is there and has credit, verified, and filtered where that was asked for

#include "common/follow_server_part.h"

#include "common/event.h"
#include "common/log.h"

#include <stdio.h>

enum { MESSAGE_BYTES = 1 << 18 }; // segments stop being added to a message here

// --- serving -------------------------------------------------------------------------------------

// The part of a segment that a filter lets through, as a sparse segment in self->filtered_bytes.
static nrs_bytes_t
s_filter(nrs_follow_server_t *self, const nrs_follow_session_t *session, const nrs_segment_t *segment)
{
    nrs_world_t *world = self->options.world;
    int64_t now_ms = world->now_ms(world);
    nrs_segment_build_t *build = &self->filtered;
    uint32_t skipped = 0;
    for (uint32_t i = 0; i < segment->head.count; i++) {
        nrs_bytes_t bytes = nrs_segment_event(segment, i, NULL);
        nrs_event_t event;
        if (nrs_event_open(bytes, &event) || !nrs_expr_match(session->filter, &event, now_ms)) {
            skipped++;
            continue;
        }
        size_t before = build->payload.size;
        nrs_buf_put(&build->payload, bytes.data, bytes.size);
        nrs_segment_build_added(build, before, skipped);
        skipped = 0;
    }
    build->span += skipped;
    nrs_segment_head_t head = segment->head;
    head.flags |= NRS_SEGMENT_SPARSE;
    nrs_buf_reset(&self->filtered_bytes);
    size_t size = nrs_segment_build_bytes(build);
    nrs_segment_build_write(build, &head, nrs_buf_reserve(&self->filtered_bytes, size));
    return nrs_bytes(self->filtered_bytes.data, size);
}

// The segment that a session gets next from a lane, verified. NRS_E_CORRUPT: it is not there, or not what was appended.
static nrs_err_t
s_stored(const nrs_follow_session_t *session, nrs_txn_t *txn, uint16_t lane, nrs_segment_t *ret_segment)
{
    nrs_bytes_t bytes;
    nrs_err_t err = nrs_topic_fetch(session->topic, txn, lane, session->next[lane], &bytes);
    if (err == NRS_E_IO)
        return err;
    err = err ? err : nrs_segment_open(bytes, ret_segment);
    bool fits = !err && ret_segment->head.base == session->next[lane] && ret_segment->head.lane == lane &&
                ret_segment->head.stream == nrs_topic_stream(session->topic);
    return fits ? NRS_OK : NRS_E_CORRUPT;
}

// A lane stops where it is damaged, and says so, here and to the follower; the others go on. Nothing is skipped.
static void
s_stop_lane(nrs_follow_server_t *self, nrs_follow_session_t *session, uint16_t lane)
{
    char text[256];
    snprintf(text, sizeof text, "lane %u is damaged here at offset %llu: scrub this store, or restore it", lane,
             (unsigned long long)session->next[lane]);
    nrs_log_error("follow.damaged", F_STR("topic", nrs_topic_name(session->topic)), F_U64("lane", lane),
                  F_U64("offset", session->next[lane]), F_STR("follower", session->follower));
    session->lanes &= ~(UINT64_C(1) << lane);
    nrs_follow_refuse(self, nrs_bytes(session->identity, session->identity_bytes), "corrupt", text);
}

// Put the lane's next segment into the message. NRS_E_AGAIN: nothing there, or no credit for it.
static nrs_err_t
s_add_segment(nrs_follow_server_t *self, nrs_txn_t *txn, nrs_follow_session_t *session, uint16_t lane,
              nrs_message_t *message, size_t *bytes)
{
    const nrs_lane_t *state = nrs_topic_lane(session->topic, lane);
    if (!(session->lanes >> lane & 1) || session->next[lane] >= state->next)
        return NRS_E_AGAIN;
    if (session->next[lane] < state->first)
        return NRS_E_REWOUND; // trimmed under a follower that nobody waits for
    nrs_segment_t segment;
    nrs_err_t err = s_stored(session, txn, lane, &segment);
    if (err)
        return err;
    uint64_t after = segment.head.base + segment.head.span;
    nrs_bytes_t sent = session->filter ? s_filter(self, session, &segment) : segment.bytes;
    uint64_t events = session->filter ? nrs_get_le32(sent.data + 36) : segment.head.count;
    if (sent.size > session->credit_bytes || events > session->credit_events)
        return NRS_E_AGAIN;
    memcpy(nrs_message_add(message, sent.size), sent.data, sent.size);
    session->credit_bytes -= sent.size;
    session->credit_events -= events;
    session->next[lane] = after;
    *bytes += sent.size;
    return NRS_OK;
}

// One message of segments for one session. NRS_E_AGAIN: nothing to send.
static nrs_err_t
s_serve_one(nrs_follow_server_t *self, nrs_txn_t *txn, nrs_follow_session_t *session)
{
    nrs_follow_message_t head = { .verb = NRS_FOLLOW_SEGMENTS, .session = session->id };
    nrs_follow_session_t before = *session; // what is not sent is not taken from the credit
    nrs_message_t message = { 0 };
    nrs_buf_reset(&self->frame);
    nrs_follow_encode(&head, &self->frame);
    nrs_message_put(&message, nrs_bytes(session->identity, session->identity_bytes));
    nrs_message_put(&message, nrs_buf_bytes(&self->frame));
    size_t bytes = 0;
    uint16_t lanes = nrs_topic_lanes(session->topic);
    nrs_err_t err = NRS_E_AGAIN;
    for (uint16_t idle = 0; idle < lanes && bytes < MESSAGE_BYTES && message.count < NRS_FRAMES_MAX;) {
        err = s_add_segment(self, txn, session, session->lane_at, &message, &bytes);
        idle = err ? (uint16_t)(idle + 1) : 0;
        if (err && err != NRS_E_AGAIN)
            break;
        session->lane_at = (uint16_t)((session->lane_at + 1) % lanes);
    }
    if (bytes > 0) { // first what came before a failure; the next turn meets it again
        err = nrs_bus_send(self->bus, &message);
        if (err)
            *session = before;
    }
    nrs_message_clear(&message);
    return err;
}

nrs_err_t
nrs_follow_server_serve(nrs_follow_server_t *self, nrs_txn_t *txn, size_t messages_max, size_t *ret_sent)
{
    size_t sent = 0;
    bool busy = true;
    while (busy && sent < messages_max) { // one message each in turn: a greedy follower delays nobody
        busy = false;
        for (size_t i = 0; i < self->session_count;) {
            nrs_err_t err = s_serve_one(self, txn, self->sessions[i]);
            if (err == NRS_E_CORRUPT) {
                s_stop_lane(self, self->sessions[i], self->sessions[i]->lane_at);
                busy = true;
                continue; // with its other lanes
            }
            if (err == NRS_E_ABSENT || err == NRS_E_REWOUND) { // gone, or fallen out of the log: it will ask again
                nrs_follow_session_end(self, i);
                continue;
            }
            if (err && err != NRS_E_AGAIN)
                return err;
            busy |= !err;
            sent += !err;
            i++;
        }
    }
    *ret_sent = sent;
    return NRS_OK;
}
