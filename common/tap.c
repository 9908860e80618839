#include "common/tap.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/tap_listeners.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEP_MAX = 1000 }; // messages in one step: whoever floods us must not stop the stage
enum {
    NAMES_BYTES_MAX = 100
};                      // realm and topic: with the longest words of an event 199 bytes remain
enum { PARTS_MAX = 7 }; // of the topic text

// Why a listener does not get what it asked for; also the label of the metric.
typedef enum refusal {
    REFUSED_FORM,      // not a prefix of any topic text: bytes, empty parts, too many of them
    REFUSED_LENGTH,    // 200 bytes or more
    REFUSED_CLEARANCE, // everything that it would reach is above the listener's clearance
    REFUSED_LIMIT,     // too many subscriptions
    REFUSED_MESSAGE,   // not a subscription at all
    REFUSED_ORDER,     // came together with one of those; see s_take_noise()
    REFUSED_MAX
} refusal_t;

static const char *const s_reasons[REFUSED_MAX] = {
    [REFUSED_FORM] = "form",   [REFUSED_LENGTH] = "length",   [REFUSED_CLEARANCE] = "clearance",
    [REFUSED_LIMIT] = "limit", [REFUSED_MESSAGE] = "message", [REFUSED_ORDER] = "order",
};

struct nrs_tap {
    nrs_bus_t *bus; // owned
    nrs_tap_options_t options;
    nrs_listeners_t listeners;
    bool out_of_order; // libzmq may take the sender of one subscription for that of another
    nrs_buf_t head;    // of the message being published
    nrs_metric_t *published;
    nrs_metric_t *subscriptions;
    nrs_metric_t *refused[REFUSED_MAX];
};

// --- topic text ----------------------------------------------------------------------------------

static bool
s_part_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '+' ||
           byte == '-';
}

// Append ".word" as far as there is room for it, one byte being kept for the end.
static void
s_put(char into[NRS_TAP_TEXT_MAX], size_t *length, const char *word)
{
    size_t bytes = strlen(word), room = NRS_TAP_TEXT_MAX - 1 - *length;
    if (*length > 0 && room > 0) {
        into[(*length)++] = '.';
        room--;
    }
    if (bytes > room)
        bytes = room;
    memcpy(into + *length, word, bytes);
    *length += bytes;
}

static const char *
s_word(nrs_event_t *event, nrs_field_t field, nrs_enum_id_t id)
{
    const char *word = nrs_enum_word(id, nrs_event_number(event, field));
    return word ? word : "-";
}

// What is not marked, or marked with a label that we don't know, is for nobody but the cleared.
static const char *
s_tlp_word(nrs_event_t *event)
{
    const char *word = nrs_enum_word(NRS_ENUM_TLP, nrs_event_number(event, NRS_ORIGIN_tlp));
    return word ? word : nrs_enum_word(NRS_ENUM_TLP, NRS_TLP_RED);
}

size_t
nrs_tap_text(const char *realm, const char *topic, nrs_event_t *event, char into[NRS_TAP_TEXT_MAX])
{
    size_t length = 0;
    s_put(into, &length, realm);
    s_put(into, &length, topic);
    s_put(into, &length, s_tlp_word(event));
    s_put(into, &length, s_word(event, NRS_VERDICT_class, NRS_ENUM_CLASS));
    s_put(into, &length, s_word(event, NRS_VERDICT_type, NRS_ENUM_TYPE));
    s_put(into, &length, s_word(event, NRS_ORIGIN_kind, NRS_ENUM_KIND));

    char source[65] = "-"; // the field's limit
    nrs_bytes_t text = nrs_event_text(event, NRS_ORIGIN_source);
    for (size_t i = 0; i < text.size && i < sizeof source - 1; i++)
        source[i] = s_part_byte(text.data[i]) ? (char)text.data[i] : '_';
    s_put(into, &length, source);
    into[length] = 0;
    return length;
}

// May a topic text begin like that? (proto/tap.md, "Frames": prefix)
static bool
s_prefix_ok(nrs_bytes_t prefix)
{
    size_t parts = 1;
    bool empty = true; // the part so far
    for (size_t i = 0; i < prefix.size; i++) {
        uint8_t byte = prefix.data[i];
        if (byte == '.' && (empty || ++parts > PARTS_MAX))
            return false;
        if (byte != '.' && byte != '_' && byte != '/' && !s_part_byte(byte))
            return false;
        empty = byte == '.';
    }
    return true;
}

// --- what a prefix reaches -----------------------------------------------------------------------

typedef nrs_err_t
act_t(nrs_bus_t *bus, nrs_bytes_t prefix);

// For each topic and each label up to `clearance` that the prefix reaches: do `act` (may be NULL)
// with the prefix, or with
// `<realm>.<topic>.<tlp>.` where the prefix ends before that. Returns how many.
static size_t
s_reach(const nrs_tap_t *self, nrs_bytes_t prefix, uint64_t clearance, act_t *act)
{
    size_t reached = 0;
    for (size_t i = 0; i < self->options.topic_count; i++) {
        for (uint64_t label = NRS_TLP_CLEAR; label <= clearance; label++) {
            char stem[NRS_TAP_TEXT_MAX];
            size_t bytes =
                (size_t)snprintf(stem, sizeof stem, "%s.%s.%s.", self->options.realm,
                                 self->options.topics[i], nrs_enum_word(NRS_ENUM_TLP, label));
            size_t both = bytes < prefix.size ? bytes : prefix.size;
            if (both && memcmp(stem, prefix.data, both) != 0)
                continue;
            reached++;
            if (act)
                NRS_IGNORE(act(self->bus, bytes > prefix.size ? nrs_bytes(stem, bytes) : prefix));
        }
    }
    return reached;
}

// Give whoever sent the last message what it may hear of `prefix`. Returns whether that is
// anything.
static bool
s_grant(nrs_tap_t *self, nrs_bytes_t prefix, uint64_t clearance)
{
    if (clearance < NRS_TLP_RED)
        return s_reach(self, prefix, clearance, nrs_bus_subscribe) > 0;
    if (s_reach(self, prefix, NRS_TLP_RED, NULL) == 0)
        return false;
    NRS_IGNORE(nrs_bus_subscribe(self->bus, prefix)); // its connection is gone: nothing to give
    return true;
}

// Take it back, whatever the clearance was.
static void
s_withdraw(nrs_tap_t *self, nrs_bytes_t prefix)
{
    s_reach(self, prefix, NRS_TLP_RED, nrs_bus_unsubscribe);
    NRS_IGNORE(nrs_bus_unsubscribe(self->bus, prefix)); // its connection is gone: nothing to take
}

// --- subscriptions -------------------------------------------------------------------------------

static void
s_refuse(nrs_tap_t *self, const char *key, nrs_bytes_t prefix, refusal_t why)
{
    if (prefix.size > NRS_TAP_TEXT_MAX)
        prefix.size = NRS_TAP_TEXT_MAX;
    nrs_metric_add(self->refused[why], 1);
    nrs_log_warn("tap.refused", F_STR("key", key), F_BYTES("prefix", prefix),
                 F_STR("reason", s_reasons[why]));
}

static uint64_t
s_clearance(const nrs_tap_t *self, const char *key)
{
    if (nrs_bus_curve(self->bus) && !key[0])
        return 0; // who does not say who it is, is nobody: only ipc has an operator
    uint64_t clearance = self->options.clearance(self->options.me, key);
    return clearance < NRS_TLP_RED ? clearance : NRS_TLP_RED;
}

// libzmq keeps what we are sent and the order of its senders in two queues, and forgets to put the
// sender of a message that is no subscription into the second. From there on, until both have run
// empty, "whoever sent the last message" is somebody else: to grant anything now would hand it to
// the wrong listener. So nothing is granted or withdrawn; those whom it hits are cut, come back,
// and subscribe again.
static void
s_take_noise(nrs_tap_t *self, const nrs_message_t *message, const char *key)
{
    self->out_of_order = true;
    s_refuse(self, key, NRS_NONE, REFUSED_MESSAGE);
    nrs_bus_cut(nrs_message_connection(message));
}

static void
s_subscribe(nrs_tap_t *self, nrs_listening_t *entry)
{
    nrs_bytes_t prefix = nrs_bytes(entry->prefix, entry->size);
    uint64_t clearance = s_clearance(self, entry->key);
    refusal_t why = REFUSED_MAX;
    if (self->out_of_order)
        why = REFUSED_ORDER;
    else if (s_reach(self, prefix, clearance, NULL) > 0)
        entry->clearance = clearance;
    else if (s_reach(self, prefix, NRS_TLP_RED, NULL) > 0)
        why = REFUSED_CLEARANCE;
    // Else it is meant for another tap to which the same listener has connected.

    if (nrs_listeners_add(&self->listeners, entry))
        why = REFUSED_LIMIT;
    if (why != REFUSED_MAX) {
        s_refuse(self, entry->key, prefix, why);
    } else if (s_grant(self, prefix, entry->clearance)) {
        nrs_log_info("tap.subscribed", F_STR("key", entry->key), F_BYTES("prefix", prefix),
                     F_STR("clearance", nrs_enum_word(NRS_ENUM_TLP, entry->clearance)));
    }
}

static void
s_unsubscribe(nrs_tap_t *self, const nrs_listening_t *entry)
{
    nrs_listeners_drop(&self->listeners, entry);
    if (self->out_of_order)
        return;
    s_withdraw(self, nrs_bytes(entry->prefix, entry->size));
    // What it still subscribes to may reach some of the same: libzmq does not count that.
    for (size_t i = 0; i < self->listeners.count; i++) {
        const nrs_listening_t *other = &self->listeners.entries[i];
        if (other->clearance > 0 && nrs_listening_same(entry, other))
            s_grant(self, nrs_bytes(other->prefix, other->size), other->clearance);
    }
}

static void
s_take(nrs_tap_t *self, const nrs_message_t *message)
{
    char user[NRS_USER_BYTES_MAX];
    const char *key = nrs_message_user(message, user);
    nrs_bytes_t frame = message->count == 1 ? nrs_message_frame(message, 0) : NRS_NONE;
    if (frame.size == 0 || frame.data[0] > 1) {
        s_take_noise(self, message, key);
        return;
    }
    int connection = nrs_message_connection(message);
    bool subscribes = frame.data[0] == 1;
    nrs_bytes_t prefix = nrs_bytes(frame.data + 1, frame.size - 1);
    bool fits = prefix.size < NRS_TAP_TEXT_MAX;
    if (!fits || !s_prefix_ok(prefix)) {
        if (subscribes) // the end of what was never granted needs no word
            s_refuse(self, key, prefix, fits ? REFUSED_FORM : REFUSED_LENGTH);
        return;
    }
    nrs_listening_t entry = { .connection = connection, .size = prefix.size };
    memcpy(entry.key, user, strlen(user));
    if (prefix.size)
        memcpy(entry.prefix, prefix.data, prefix.size);
    if (subscribes)
        s_subscribe(self, &entry);
    else
        s_unsubscribe(self, &entry);
    if (self->out_of_order)
        nrs_bus_cut(connection);
}

void
nrs_tap_step(nrs_tap_t *self)
{
    nrs_message_t message = { 0 };
    for (size_t i = 0; i < STEP_MAX; i++) {
        nrs_err_t err = nrs_bus_recv(self->bus, &message);
        if (err == NRS_E_AGAIN)
            self->out_of_order = false; // both queues are empty
        if (err && err != NRS_E_FORMAT)
            break;
        if (err)
            s_take_noise(self, &message, ""); // so many frames that nothing is left of it
        else
            s_take(self, &message);
    }
    nrs_message_clear(&message);
    nrs_metric_set(self->subscriptions, self->listeners.granted);
}

void
nrs_tap_review(nrs_tap_t *self)
{
    for (size_t i = 0; i < self->listeners.count; i++) {
        const nrs_listening_t *entry = &self->listeners.entries[i];
        if (s_clearance(self, entry->key) < entry->clearance)
            nrs_bus_cut(entry->connection);
    }
}

bool
nrs_tap_heard(const nrs_tap_t *self)
{
    return self->listeners.granted + self->listeners.unrecorded > 0;
}

// --- publishing ----------------------------------------------------------------------------------

void
nrs_tap_publish(nrs_tap_t *self, const char *topic, uint16_t lane, uint32_t epoch, uint64_t offset,
                nrs_event_t *event)
{
    if (!nrs_tap_heard(self))
        return;

    char text[NRS_TAP_TEXT_MAX];
    size_t length = nrs_tap_text(self->options.realm, topic, event, text);
    nrs_buf_reset(&self->head);
    nrs_pack_array(&self->head, 4);
    nrs_pack_uint(&self->head, lane);
    nrs_pack_uint(&self->head, epoch);
    nrs_pack_uint(&self->head, offset);

    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_bytes(text, length));
    uint8_t *body = nrs_message_add(&message, self->head.size + event->bytes.size);
    memcpy(body, self->head.data, self->head.size);
    memcpy(body + self->head.size, event->bytes.data, event->bytes.size);
    NRS_IGNORE(nrs_bus_send(self->bus, &message)); // an XPUB drops for the slow, it never refuses
    nrs_message_clear(&message);
    nrs_metric_add(self->published, 1);
}

// --- open and destroy ----------------------------------------------------------------------------

static void
s_register(nrs_tap_t *self, nrs_metrics_t *metrics)
{
    self->published = nrs_metrics_counter(metrics, "noroshi_tap_published_total", NULL,
                                          "Events given to the tap while someone listened.");
    self->subscriptions = nrs_metrics_gauge(metrics, "noroshi_tap_subscriptions", NULL,
                                            "Subscriptions that listeners have been granted.");
    for (size_t why = 0; why < REFUSED_MAX; why++) {
        char labels[32];
        snprintf(labels, sizeof labels, "reason=\"%s\"", s_reasons[why]);
        self->refused[why] = nrs_metrics_counter(metrics, "noroshi_tap_refused_total", labels,
                                                 "Subscriptions that were refused.");
    }
}

nrs_err_t
nrs_tap_open(nrs_bus_t **bus_p, const nrs_tap_options_t *options, nrs_tap_t **ret_tap)
{
    NRS_ASSERT(bus_p && *bus_p && options && options->realm && options->clearance && ret_tap);

    for (size_t i = 0; i < options->topic_count; i++)
        if (strlen(options->realm) + strlen(options->topics[i]) > NAMES_BYTES_MAX)
            return NRS_E_LIMIT;
    nrs_tap_t *self = nrs_new0(nrs_tap_t);
    self->options = *options;
    self->bus = NRS_TAKE(*bus_p);
    s_register(self, options->metrics);
    *ret_tap = self;
    return NRS_OK;
}

void
nrs_tap_destroy(nrs_tap_t **self_p)
{
    nrs_tap_t *self = *self_p;
    if (!self)
        return;
    nrs_bus_destroy(&self->bus);
    nrs_listeners_free(&self->listeners);
    nrs_buf_free(&self->head);
    free(self);
    *self_p = NULL;
}

nrs_bus_t *
nrs_tap_bus(nrs_tap_t *self)
{
    return self->bus;
}
