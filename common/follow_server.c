#include "common/follow_server_part.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEP_MESSAGES_MAX = 256 }; // taken in at one step, so that nobody can hold the loop

nrs_err_t
nrs_follow_server_open(nrs_bus_t **bus_p, const nrs_follow_server_options_t *options,
                       nrs_follow_server_t **ret_server)
{
    nrs_follow_server_t *self = nrs_new0(nrs_follow_server_t);
    self->options = *options;
    self->bus = NRS_TAKE(*bus_p);
    *ret_server = self;
    return NRS_OK;
}

void
nrs_follow_session_end(nrs_follow_server_t *self, size_t i)
{
    nrs_expr_destroy(&self->sessions[i]->filter);
    free(self->sessions[i]);
    self->sessions[i] = self->sessions[--self->session_count];
}

void
nrs_follow_server_destroy(nrs_follow_server_t **self_p)
{
    nrs_follow_server_t *self = *self_p;
    if (!self)
        return;
    while (self->session_count > 0)
        nrs_follow_session_end(self, 0);
    nrs_buf_free(&self->frame);
    nrs_buf_free(&self->filtered_bytes);
    nrs_segment_build_free(&self->filtered);
    nrs_bus_destroy(&self->bus);
    free(self);
    *self_p = NULL;
}

nrs_bus_t *
nrs_follow_server_bus(nrs_follow_server_t *self)
{
    return self->bus;
}

void
nrs_follow_server_offer(nrs_follow_server_t *self, nrs_topic_t *topic, const char *key, const char *name)
{
    NRS_ASSERT(self->offer_count < NRS_FOLLOW_OFFERS_MAX);
    nrs_follow_offer_t *offer = &self->offers[self->offer_count++];
    offer->topic = topic;
    snprintf(offer->key, sizeof offer->key, "%s", key ? key : "");
    snprintf(offer->name, sizeof offer->name, "%s", name ? name : "");
}

// --- sending -------------------------------------------------------------------------------------

static nrs_err_t
s_send(nrs_follow_server_t *self, nrs_bytes_t identity, const nrs_follow_message_t *message)
{
    nrs_buf_reset(&self->frame);
    nrs_follow_encode(message, &self->frame);
    nrs_message_t out = { 0 };
    nrs_message_put(&out, identity);
    nrs_message_put(&out, nrs_buf_bytes(&self->frame));
    nrs_err_t err = nrs_bus_send(self->bus, &out);
    nrs_message_clear(&out);
    return err;
}

void
nrs_follow_refuse(nrs_follow_server_t *self, nrs_bytes_t identity, const char *code, const char *text)
{
    nrs_follow_message_t message = {
        .verb = NRS_FOLLOW_REFUSED, .code = nrs_text(code), .text = nrs_text(text),
    };
    self->refused++;
    self->denied += strcmp(code, "absent") == 0 || strcmp(code, "denied") == 0;
    NRS_IGNORE(s_send(self, identity, &message)); // whoever asked may be gone
}

// --- opening -------------------------------------------------------------------------------------

// Why an OPEN is refused: a code of proto/follow.md and a sentence.
typedef struct s_refusal {
    const char *code;
    char text[256];
} s_refusal_t;

static bool
s_no(s_refusal_t *refusal, const char *code, const char *text)
{
    refusal->code = code;
    snprintf(refusal->text, sizeof refusal->text, "%s", text);
    return false;
}

// A topic that is not there and one that is not for the asker look the same to the asker.
static const nrs_follow_offer_t *
s_find_offer(const nrs_follow_server_t *self, nrs_bytes_t topic, const char *user)
{
    for (size_t i = 0; i < self->offer_count; i++) {
        const nrs_follow_offer_t *offer = &self->offers[i];
        if (!nrs_bytes_is(topic, nrs_topic_name(offer->topic)))
            continue;
        if (offer->key[0] && strcmp(offer->key, user) != 0) {
            nrs_log_warn("follow.denied", F_STR("topic", nrs_topic_name(offer->topic)),
                         F_STR("key", user));
            return NULL;
        }
        return offer;
    }
    return NULL;
}

// Does the asker's last segment stand in our history as well?
static bool
s_chain_fits(nrs_topic_t *topic, nrs_txn_t *txn, const nrs_follow_lane_t *asked)
{
    static const nrs_hash128_t unknown = { 0, 0 };
    nrs_hash128_t chain = asked->place.chain;
    if (asked->place.offset == 0 || (chain.low == unknown.low && chain.high == unknown.high))
        return true;
    nrs_bytes_t bytes;
    nrs_segment_t segment;
    if (nrs_topic_fetch(topic, txn, asked->lane, asked->place.offset - 1, &bytes) ||
        nrs_segment_peek(bytes, &segment))
        return true; // trimmed: nothing to compare with
    return segment.head.base + segment.head.span == asked->place.offset &&
           segment.head.checksum.low == chain.low && segment.head.checksum.high == chain.high;
}

// Sending begins with a whole segment: the one that holds the offset.
static uint64_t
s_begin_segment(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, uint64_t offset)
{
    nrs_bytes_t bytes;
    nrs_segment_t segment;
    if (nrs_topic_fetch(topic, txn, lane, offset, &bytes) || nrs_segment_peek(bytes, &segment))
        return offset; // the end of the lane; or damage, which serving will find
    return segment.head.base;
}

// Where sending begins in one lane (proto/follow.md, "Where it begins").
static bool
s_begin_lane(nrs_topic_t *topic, nrs_txn_t *txn, nrs_follow_lane_t *lane, int64_t from_ms, uint64_t *ret_next,
             s_refusal_t *refusal)
{
    if (lane->lane >= nrs_topic_lanes(topic))
        return s_no(refusal, "absent", "the topic has no such lane");
    const nrs_lane_t *state = nrs_topic_lane(topic, lane->lane);
    uint64_t next = lane->place.offset;
    if (from_ms > 0 && lane->place.epoch == 0) {
        if (nrs_topic_seek_time(topic, txn, lane->lane, from_ms, &next))
            return s_no(refusal, "busy", "the log could not be read");
    } else if (lane->place.epoch < state->epoch) {
        next = state->first; // from the beginning, or the lane's writer has begun anew
    } else if (lane->place.epoch > state->epoch || next > state->next) {
        return s_no(refusal, "rewound", "you have more than was ever written here: an old store was restored");
    } else if (next < state->first) {
        return s_no(refusal, "trimmed", "what you ask for is no longer kept");
    } else if (!s_chain_fits(topic, txn, lane)) {
        return s_no(refusal, "rewound", "your history differs from the one here");
    } else {
        next = s_begin_segment(topic, txn, lane->lane, next);
    }
    *ret_next = next;
    lane->place = (nrs_place_t){ .epoch = state->epoch, .offset = next };
    lane->first = state->first;
    lane->next = state->next;
    return true;
}

static bool
s_compile_filter(nrs_bytes_t filter, nrs_expr_t **ret_filter, s_refusal_t *refusal)
{
    nrs_problem_t problem;
    if (filter.size == 0 || nrs_expr_compile(filter, &problem, ret_filter) == NRS_OK)
        return true;
    char text[256];
    return s_no(refusal, "filter", nrs_problem_print(&problem, text, sizeof text));
}

// A follower that comes again takes the place of its earlier session. Where that one is on another connection it is told:
// it may be a second program under the same name.
static void
s_end_earlier(nrs_follow_server_t *self, const nrs_follow_session_t *newer)
{
    nrs_bytes_t now = nrs_bytes(newer->identity, newer->identity_bytes);
    for (size_t i = 0; i < self->session_count;) {
        const nrs_follow_session_t *session = self->sessions[i];
        bool same = session->topic == newer->topic && strcmp(session->follower, newer->follower) == 0 &&
                    strcmp(session->user, newer->user) == 0;
        nrs_bytes_t then = nrs_bytes(session->identity, session->identity_bytes);
        if (same && !nrs_bytes_equal(then, now))
            nrs_follow_refuse(self, then, "replaced", "another follower has come under the same name");
        if (same)
            nrs_follow_session_end(self, i);
        else
            i++;
    }
}

// Fill a session from an OPEN. The message's lanes become those of the answer.
static bool
s_session_fill(nrs_follow_server_t *self, nrs_txn_t *txn, nrs_follow_message_t *message, nrs_follow_session_t *session,
               s_refusal_t *refusal)
{
    if (!nrs_bytes_is(message->realm, self->options.realm))
        return s_no(refusal, "absent", "there is no such topic here for you");
    const nrs_follow_offer_t *offer = s_find_offer(self, message->topic, session->user);
    if (!offer)
        return s_no(refusal, "absent", "there is no such topic here for you");
    if (message->credit_bytes < NRS_FOLLOW_CREDIT_BYTES_MIN ||
        message->credit_events < NRS_FOLLOW_CREDIT_EVENTS_MIN)
        return s_no(refusal, "credit", "grant at least 65536 bytes and 8192 events");
    if (message->follower.size == 0 && !offer->key[0])
        return s_no(refusal, "absent", "a follower needs a name");
    session->topic = offer->topic;
    if (offer->key[0])
        snprintf(session->follower, sizeof session->follower, "%s", offer->name);
    else
        snprintf(session->follower, sizeof session->follower, "%.*s", (int)message->follower.size,
                 (const char *)message->follower.data);
    session->credit_bytes = message->credit_bytes;
    session->credit_events = message->credit_events;
    size_t kept = 0;
    for (size_t i = 0; i < message->lane_count; i++) {
        nrs_follow_lane_t lane = message->lanes[i];
        uint64_t next = 0;
        if (lane.lane >= nrs_topic_lanes(session->topic) && lane.place.epoch == 0)
            continue; // who does not know how many lanes there are asks for all that there can be
        if (!s_begin_lane(session->topic, txn, &lane, message->from_ms, &next, refusal))
            return false;
        session->lanes |= UINT64_C(1) << lane.lane;
        session->next[lane.lane] = next;
        message->lanes[kept++] = lane;
    }
    message->lane_count = kept;
    session->opened = session->lanes;
    return s_compile_filter(message->filter, &session->filter, refusal);
}

static void
s_open(nrs_follow_server_t *self, nrs_txn_t *txn, nrs_bytes_t identity, const char *user,
       nrs_follow_message_t *message)
{
    s_refusal_t refusal;
    nrs_follow_session_t *session = nrs_new0(nrs_follow_session_t);
    nrs_world_t *world = self->options.world;
    memcpy(session->identity, identity.data, identity.size);
    session->identity_bytes = identity.size;
    snprintf(session->user, sizeof session->user, "%s", user);
    session->heard_ms = world->mono_ms(world);
    bool good = s_session_fill(self, txn, message, session, &refusal);
    if (good)
        s_end_earlier(self, session);
    if (good && self->session_count == NRS_FOLLOW_SESSIONS_MAX)
        good = s_no(&refusal, "busy", "too many followers are connected");
    if (!good) {
        nrs_follow_refuse(self, identity, refusal.code, refusal.text);
        nrs_expr_destroy(&session->filter);
        free(session);
        return;
    }
    world->random(world, &session->id, sizeof session->id);
    self->sessions[self->session_count++] = session;
    message->verb = NRS_FOLLOW_OPENED;
    message->session = session->id;
    message->instance = self->options.instance;
    NRS_IGNORE(s_send(self, identity, message)); // a follower that is gone again does not acknowledge
}

// --- the other messages --------------------------------------------------------------------------

// A session belongs to the key that opened it, and answers go where it was opened.
static nrs_follow_session_t *
s_session(const nrs_follow_server_t *self, uint64_t id, nrs_bytes_t identity, const char *user, size_t *ret_i)
{
    for (size_t i = 0; i < self->session_count; i++) {
        nrs_follow_session_t *session = self->sessions[i];
        if (session->id != id)
            continue;
        *ret_i = i;
        bool same = nrs_bytes_equal(nrs_bytes(session->identity, session->identity_bytes), identity) &&
                    strcmp(session->user, user) == 0;
        return same ? session : NULL;
    }
    return NULL;
}

static bool
s_still_allowed(const nrs_follow_server_t *self, const char *user)
{
    return !self->options.zap || nrs_zap_allowed(self->options.zap, self->options.zap_domain, user);
}

static void
s_answer_head(nrs_follow_server_t *self, const nrs_follow_session_t *session, nrs_bytes_t identity)
{
    nrs_follow_message_t message = { .verb = NRS_FOLLOW_HEAD, .session = session->id };
    for (uint16_t lane = 0; lane < nrs_topic_lanes(session->topic); lane++) {
        const nrs_lane_t *state = nrs_topic_lane(session->topic, lane);
        if (session->opened >> lane & 1)
            message.lanes[message.lane_count++] = (nrs_follow_lane_t){
                .lane = lane, .place = { .epoch = state->epoch }, .next = state->next,
            };
    }
    NRS_IGNORE(s_send(self, identity, &message)); // asked again with the next MORE
}

static void
s_more(nrs_follow_server_t *self, nrs_bytes_t identity, nrs_follow_session_t *session,
       const nrs_follow_message_t *message)
{
    nrs_world_t *world = self->options.world;
    session->heard_ms = world->mono_ms(world);
    session->credit_bytes += message->credit_bytes;
    session->credit_events += message->credit_events;
    for (size_t i = 0; i < message->lane_count; i++) {
        const nrs_follow_lane_t *lane = &message->lanes[i];
        if (!(session->opened >> lane->lane & 1))
            continue; // of a lane that it did not ask for
        nrs_err_t err = nrs_topic_acknowledge(session->topic, session->follower, lane->lane, &lane->place);
        if (err == NRS_E_REWOUND)
            nrs_log_error("follow.rewound", F_STR("topic", nrs_topic_name(session->topic)),
                          F_STR("follower", session->follower), F_U64("lane", lane->lane),
                          F_U64("offset", lane->place.offset));
    }
    if (message->credit_events == 0 && message->lane_count == 0)
        s_answer_head(self, session, identity); // a keep-alive: tell how far the lanes have come
}

static void
s_take(nrs_follow_server_t *self, nrs_txn_t *txn, nrs_bytes_t identity, const char *user, nrs_bytes_t frame)
{
    nrs_follow_message_t message;
    nrs_err_t err = nrs_follow_decode(frame, &message);
    if (err == NRS_E_VERSION) {
        nrs_follow_refuse(self, identity, "version", "this server speaks version 1 of follow");
        return;
    }
    bool asks = !err && (message.verb == NRS_FOLLOW_OPEN || message.verb == NRS_FOLLOW_MORE ||
                         message.verb == NRS_FOLLOW_CLOSE);
    if (!asks) {
        self->bad_messages++;
        return;
    }
    if (!s_still_allowed(self, user)) {
        nrs_follow_refuse(self, identity, "denied", "your key is no longer allowed here");
        return;
    }
    if (message.verb == NRS_FOLLOW_OPEN) {
        s_open(self, txn, identity, user, &message);
        return;
    }
    size_t i = 0;
    nrs_follow_session_t *session = s_session(self, message.session, identity, user, &i);
    if (!session)
        nrs_follow_refuse(self, identity, "session", "open again");
    else if (message.verb == NRS_FOLLOW_MORE)
        s_more(self, identity, session, &message);
    else
        nrs_follow_session_end(self, i);
}

static void
s_forget_silent(nrs_follow_server_t *self)
{
    int64_t now = self->options.world->mono_ms(self->options.world);
    for (size_t i = 0; i < self->session_count;) {
        nrs_follow_session_t *session = self->sessions[i];
        bool gone = now - session->heard_ms > NRS_FOLLOW_SILENCE_MS || !s_still_allowed(self, session->user);
        if (gone)
            nrs_follow_session_end(self, i);
        else
            i++;
    }
}

nrs_err_t
nrs_follow_server_step(nrs_follow_server_t *self, nrs_txn_t *txn)
{
    for (int i = 0; i < STEP_MESSAGES_MAX; i++) {
        nrs_message_t message = { 0 };
        nrs_err_t err = nrs_bus_recv(self->bus, &message);
        if (err == NRS_E_AGAIN)
            break;
        if (err == NRS_E_IO)
            return err;
        char user[NRS_USER_BYTES_MAX] = "";
        nrs_bytes_t identity = message.count > 0 ? nrs_message_frame(&message, 0) : NRS_NONE;
        if (err || message.count != 2 || identity.size > NRS_FOLLOW_IDENTITY_MAX)
            self->bad_messages++;
        else
            s_take(self, txn, identity, nrs_message_user(&message, user), nrs_message_frame(&message, 1));
        nrs_message_clear(&message);
    }
    s_forget_silent(self);
    return NRS_OK;
}

void
nrs_follow_server_counts(const nrs_follow_server_t *self, nrs_follow_server_counts_t *ret_counts)
{
    nrs_follow_server_counts_t counts = {
        .sessions = self->session_count, .refused = self->refused, .denied = self->denied, .bad_messages = self->bad_messages,
    };
    for (size_t i = 0; i < self->session_count; i++)
        counts.credit_events += self->sessions[i]->credit_events;
    *ret_counts = counts;
}

bool
nrs_follow_server_connected(const nrs_follow_server_t *self, const char *topic, const char *follower)
{
    for (size_t i = 0; i < self->session_count; i++)
        if (strcmp(nrs_topic_name(self->sessions[i]->topic), topic) == 0 &&
            strcmp(self->sessions[i]->follower, follower) == 0)
            return true;
    return false;
}
