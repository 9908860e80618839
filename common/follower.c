#include "common/follower.h"

#include "common/follow.h"
#include "common/log.h"
#include "common/topic.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    KEEP_ALIVE_MS = 1000,  // a silent session says that it lives, and learns the head
    ANSWER_MS = 3000,      // an OPEN without an answer is sent again
    RETRY_MS = 3000,       // after a refusal, or after segments that do not fit
    SILENCE_MS = 8000,     // nothing heard for so long: open again
    QUEUE_MAX = 1024,      // messages; credit keeps it far below
};

enum s_phase {
    APART,   // wait until `retry_ms`, or until the connection stands
    OPENING, // OPEN is sent
    OPENED,
};

struct nrs_follower {
    nrs_follower_options_t options; // texts owned
    nrs_bus_t *bus;
    uint64_t stream;
    enum s_phase phase;
    uint64_t session;
    uint16_t instance;
    int64_t heard_ms;    // monotonic, like the three below
    int64_t flowed_ms;   // when segments last came, were taken, or the session began
    int64_t spoke_ms;
    int64_t retry_ms;
    nrs_place_t places[NRS_LANES_MAX]; // behind the last segment taken
    uint64_t heads[NRS_LANES_MAX];
    uint64_t moved;      // lanes taken from since the last acknowledgement
    uint64_t used_bytes; // credit used by what was taken since then
    uint64_t used_events;
    nrs_message_t *queue; // ring of QUEUE_MAX
    size_t queue_first;
    size_t queue_count;
    size_t frame_at;     // frame of the first message that comes next
    nrs_buf_t frame;
    bool damaged;        // the server has stopped a lane: `problem` stays until the next session
    char problem[256];
};

static int64_t
s_mono(const nrs_follower_t *self)
{
    return self->options.world->mono_ms(self->options.world);
}

static const char *
s_copy(const char *text)
{
    return text ? nrs_strdup(text) : NULL;
}

nrs_err_t
nrs_follower_open(const nrs_follower_options_t *options, nrs_problem_t *reterr, nrs_follower_t **ret_follower)
{
    nrs_bus_options_t bus_options = {
        .type = NRS_BUS_DEALER,
        .endpoint = options->endpoint,
        .keys = options->keys,
        .server_key = options->server_key,
    };
    nrs_bus_t *bus;
    nrs_err_t err = options->world->bus_open(options->world, &bus_options, reterr, &bus);
    if (err)
        return err;
    nrs_follower_t *self = nrs_new0(nrs_follower_t);
    self->bus = bus;
    self->options = *options;
    self->options.keys = NULL; // the socket has taken what it needs
    self->options.server_key = NULL;
    self->options.endpoint = s_copy(options->endpoint);
    self->options.realm = s_copy(options->realm);
    self->options.topic = s_copy(options->topic);
    self->options.name = s_copy(options->name);
    self->options.filter = s_copy(options->filter);
    if (options->places)
        memcpy(self->places, options->places, sizeof self->places);
    if (self->options.credit_bytes == 0)
        self->options.credit_bytes = 4 << 20;
    if (self->options.credit_events == 0)
        self->options.credit_events = 32768;
    self->stream = nrs_segment_stream(options->realm, options->topic);
    self->queue = nrs_alloc0(QUEUE_MAX, sizeof *self->queue);
    self->retry_ms = s_mono(self) + ANSWER_MS; // the server's probe is expected before
    *ret_follower = self;
    return NRS_OK;
}

static void
s_clear_queue(nrs_follower_t *self)
{
    for (; self->queue_count > 0; self->queue_count--) {
        nrs_message_clear(&self->queue[self->queue_first]);
        self->queue_first = (self->queue_first + 1) % QUEUE_MAX;
    }
    self->frame_at = 1;
}

void
nrs_follower_destroy(nrs_follower_t **self_p)
{
    nrs_follower_t *self = *self_p;
    if (!self)
        return;
    s_clear_queue(self);
    free(self->queue);
    free((char *)(uintptr_t)self->options.endpoint);
    free((char *)(uintptr_t)self->options.realm);
    free((char *)(uintptr_t)self->options.topic);
    free((char *)(uintptr_t)self->options.name);
    free((char *)(uintptr_t)self->options.filter);
    nrs_buf_free(&self->frame);
    nrs_bus_destroy(&self->bus);
    free(self);
    *self_p = NULL;
}

nrs_bus_t *
nrs_follower_bus(nrs_follower_t *self)
{
    return self->bus;
}

// --- speaking ------------------------------------------------------------------------------------

static void
s_send(nrs_follower_t *self, const nrs_follow_message_t *message)
{
    nrs_buf_reset(&self->frame);
    nrs_follow_encode(message, &self->frame);
    nrs_message_t out = { 0 };
    nrs_message_put(&out, nrs_buf_bytes(&self->frame));
    NRS_IGNORE(nrs_bus_send(self->bus, &out)); // not connected: the probe or the clock brings the next try
    nrs_message_clear(&out);
    self->spoke_ms = s_mono(self);
}

static void
s_open(nrs_follower_t *self)
{
    nrs_follow_message_t message = {
        .verb = NRS_FOLLOW_OPEN,
        .realm = nrs_text(self->options.realm),
        .topic = nrs_text(self->options.topic),
        .follower = nrs_text(self->options.name),
        .filter = nrs_text(self->options.filter),
        .from_ms = self->options.from_ms,
        .credit_bytes = self->options.credit_bytes,
        .credit_events = self->options.credit_events,
    };
    for (uint16_t lane = 0; lane < NRS_LANES_MAX; lane++)
        if (self->options.lanes >> lane & 1)
            message.lanes[message.lane_count++] = (nrs_follow_lane_t){ .lane = lane, .place = self->places[lane] };
    s_clear_queue(self);
    self->used_bytes = self->used_events = 0;
    self->phase = OPENING;
    self->retry_ms = s_mono(self) + ANSWER_MS;
    s_send(self, &message);
}

void
nrs_follower_acknowledge(nrs_follower_t *self)
{
    if (self->phase != OPENED || (!self->moved && !self->used_events))
        return; // after a break, OPEN tells the places
    nrs_follow_message_t message = {
        .verb = NRS_FOLLOW_MORE,
        .session = self->session,
        .credit_bytes = self->used_bytes,
        .credit_events = self->used_events,
    };
    for (uint16_t lane = 0; lane < NRS_LANES_MAX; lane++)
        if (self->moved >> lane & 1)
            message.lanes[message.lane_count++] = (nrs_follow_lane_t){ .lane = lane, .place = self->places[lane] };
    self->moved = 0;
    self->used_bytes = self->used_events = 0;
    s_send(self, &message);
}

// Say once what keeps us from going on.
static void
s_note(nrs_follower_t *self, const char *what)
{
    if (strcmp(self->problem, what) != 0)
        nrs_log_error("follow.stopped", F_STR("topic", self->options.topic),
                      F_STR("from", self->options.endpoint), F_STR("why", what));
    snprintf(self->problem, sizeof self->problem, "%s", what);
}

// Something does not fit: leave the session, and ask again from the last good place after a while.
static void
s_stop(nrs_follower_t *self, const char *what)
{
    s_note(self, what);
    s_clear_queue(self);
    self->phase = APART;
    self->retry_ms = s_mono(self) + RETRY_MS;
}

// --- listening -----------------------------------------------------------------------------------

// May a lane begin there? An epoch never goes back, and within one nothing is skipped or repeated; only who asks from
// inside a segment, without a chain, is set back to where it begins.
static bool
s_begins_well(const nrs_place_t *asked, const nrs_place_t *told)
{
    if (told->epoch != asked->epoch)
        return told->epoch > asked->epoch;
    bool unchained = asked->chain.low == 0 && asked->chain.high == 0;
    return told->offset == asked->offset || (unchained && told->offset < asked->offset);
}

static void
s_take_opened(nrs_follower_t *self, const nrs_follow_message_t *message)
{
    bool behind = false;
    for (size_t i = 0; i < message->lane_count; i++) {
        const nrs_follow_lane_t *lane = &message->lanes[i];
        nrs_place_t *place = &self->places[lane->lane];
        if (!s_begins_well(place, &lane->place)) {
            s_stop(self, "the server begins elsewhere than it was asked");
            return;
        }
        if (place->epoch != lane->place.epoch || place->offset != lane->place.offset)
            *place = lane->place; // the beginning, or a writer that began anew
        self->heads[lane->lane] = lane->next;
        behind |= lane->next > place->offset;
    }
    self->phase = OPENED;
    self->session = message->session;
    self->instance = (uint16_t)message->instance;
    self->damaged = false;
    self->flowed_ms = s_mono(self);
    if (!behind)
        self->problem[0] = 0; // else the next segment shows whether it is over
    self->moved = 0;
    for (size_t i = 0; i < message->lane_count; i++)
        if (self->places[message->lanes[i].lane].offset > 0) // tell again what is durable: the server may have lost it
            self->moved |= UINT64_C(1) << message->lanes[i].lane;
    nrs_follower_acknowledge(self);
}

static void
s_take_refused(nrs_follower_t *self, const nrs_follow_message_t *message)
{
    if (nrs_bytes_is(message->code, "session")) {
        if (self->phase == OPENED)
            s_open(self); // else it answers what was sent before the last OPEN
        return;
    }
    char text[256];
    snprintf(text, sizeof text, "refused (%.*s): %.*s", (int)message->code.size,
             (const char *)message->code.data, (int)message->text.size, (const char *)message->text.data);
    if (!nrs_bytes_is(message->code, "corrupt")) {
        s_stop(self, text);
        return;
    }
    s_note(self, text); // one lane has stopped, the others go on
    self->damaged = true;
}

// Keep the message: its segments are taken one by one.
static void
s_take_segments(nrs_follower_t *self, nrs_message_t *message)
{
    if (self->queue_count == QUEUE_MAX) {
        s_stop(self, "the server sends more than it was granted");
        return;
    }
    self->flowed_ms = s_mono(self);
    self->queue[(self->queue_first + self->queue_count++) % QUEUE_MAX] = *message;
    *message = (nrs_message_t){ 0 };
}

static void
s_take(nrs_follower_t *self, nrs_message_t *message)
{
    nrs_bytes_t frame = nrs_message_frame(message, 0);
    self->heard_ms = s_mono(self);
    if (frame.size == 0 && message->count == 1) { // the server's probe: the connection stands
        s_open(self);
        return;
    }
    nrs_follow_message_t told;
    if (nrs_follow_decode(frame, &told)) {
        s_stop(self, "the server sends what is not in the protocol");
        return;
    }
    if (told.verb == NRS_FOLLOW_OPENED && self->phase == OPENING) {
        s_take_opened(self, &told);
    } else if (told.verb == NRS_FOLLOW_REFUSED) {
        s_take_refused(self, &told);
    } else if (self->phase == OPENED && told.session == self->session) {
        if (told.verb == NRS_FOLLOW_SEGMENTS)
            s_take_segments(self, message);
        else if (told.verb == NRS_FOLLOW_HEAD)
            for (size_t i = 0; i < told.lane_count; i++)
                self->heads[told.lanes[i].lane] = told.lanes[i].next;
    } // else: from an earlier session
}

// The server has more and nothing holds it back, and yet nothing comes: a message was lost without the connection ending.
static bool
s_is_stuck(const nrs_follower_t *self, int64_t now)
{
    if (self->phase != OPENED || self->damaged || self->queue_count > 0 || self->used_events > 0 ||
        now - self->flowed_ms <= SILENCE_MS)
        return false;
    nrs_follower_info_t info;
    nrs_follower_info(self, &info);
    return info.lag > 0;
}

void
nrs_follower_step(nrs_follower_t *self)
{
    for (;;) {
        nrs_message_t message = { 0 };
        nrs_err_t err = nrs_bus_recv(self->bus, &message);
        if (!err && message.count > 0)
            s_take(self, &message);
        nrs_message_clear(&message);
        if (err == NRS_E_AGAIN || err == NRS_E_IO)
            break;
    }
    int64_t now = s_mono(self);
    if ((self->phase == OPENED && now - self->heard_ms > SILENCE_MS) || s_is_stuck(self, now))
        s_open(self);
    if (self->phase != OPENED && now >= self->retry_ms)
        s_open(self);
    if (self->phase == OPENED && now - self->spoke_ms >= KEEP_ALIVE_MS)
        s_send(self, &(nrs_follow_message_t){ .verb = NRS_FOLLOW_MORE, .session = self->session });
}

// --- taking --------------------------------------------------------------------------------------

// The bytes of the next segment in the queue; messages whose segments are all taken are let go.
static bool
s_peek(nrs_follower_t *self, nrs_bytes_t *ret_bytes)
{
    while (self->queue_count > 0) {
        nrs_message_t *first = &self->queue[self->queue_first];
        if (self->frame_at < first->count) {
            *ret_bytes = nrs_message_frame(first, self->frame_at);
            return true;
        }
        nrs_message_clear(first);
        self->queue_first = (self->queue_first + 1) % QUEUE_MAX;
        self->queue_count--;
        self->frame_at = 1;
    }
    return false;
}

bool
nrs_follower_ready(const nrs_follower_t *self)
{
    if (self->queue_count == 0)
        return false;
    return self->queue_count > 1 || self->frame_at < self->queue[self->queue_first].count;
}

static nrs_err_t
s_verify(const nrs_follower_t *self, nrs_bytes_t bytes, nrs_segment_t *ret_segment)
{
    nrs_err_t err = nrs_segment_open(bytes, ret_segment);
    if (err)
        return err;
    const nrs_segment_head_t *head = &ret_segment->head;
    if (head->stream != self->stream || head->lane >= NRS_LANES_MAX ||
        !(self->options.lanes >> head->lane & 1))
        return NRS_E_FORMAT;
    return nrs_segment_follows(ret_segment, &self->places[head->lane]);
}

nrs_err_t
nrs_follower_next(nrs_follower_t *self, nrs_segment_t *ret_segment)
{
    nrs_bytes_t bytes;
    nrs_segment_t segment;
    if (!s_peek(self, &bytes))
        return NRS_E_AGAIN;
    nrs_err_t err = s_verify(self, bytes, &segment);
    if (err) {
        s_stop(self, err == NRS_E_CORRUPT   ? "a segment fails its checksum: bad disk or memory upstream"
                     : err == NRS_E_REWOUND ? "a segment does not follow the one before: history differs"
                     : err == NRS_E_VERSION ? "a segment of a newer version: upgrade this side first"
                                            : "a segment is not what the protocol says");
        return err;
    }
    const nrs_segment_head_t *head = &segment.head;
    self->places[head->lane] = nrs_segment_after(&segment);
    if (self->heads[head->lane] < self->places[head->lane].offset)
        self->heads[head->lane] = self->places[head->lane].offset;
    self->moved |= UINT64_C(1) << head->lane;
    self->used_bytes += bytes.size;
    self->used_events += head->count;
    self->frame_at++;
    self->flowed_ms = s_mono(self);
    if (!self->damaged)
        self->problem[0] = 0;
    *ret_segment = segment;
    return NRS_OK;
}

const nrs_place_t *
nrs_follower_place(const nrs_follower_t *self, uint16_t lane)
{
    return &self->places[lane];
}

uint64_t
nrs_follower_head(const nrs_follower_t *self, uint16_t lane)
{
    return self->heads[lane];
}

void
nrs_follower_info(const nrs_follower_t *self, nrs_follower_info_t *ret_info)
{
    nrs_follower_info_t info = {
        .connected = self->phase == OPENED,
        .instance = self->instance,
        .problem = self->problem[0] ? self->problem : NULL,
    };
    for (uint16_t lane = 0; lane < NRS_LANES_MAX; lane++) {
        info.head += self->heads[lane];
        if (self->heads[lane] > self->places[lane].offset)
            info.lag += self->heads[lane] - self->places[lane].offset;
    }
    *ret_info = info;
}
