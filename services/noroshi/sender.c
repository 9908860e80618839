// Whatever was on its way when a connection ended is lost, on either side, and nobody can say how
// much. So a file that starts over does it on a connection of its own: nothing of before can come
// between, neither ours that waited in the socket nor a grant of credit from ingest.
#include "services/noroshi/sender.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crypto.h"

enum { NAME_MAX_BYTES = 128 };        // proto/submit.md, "Fields"
enum { REPLY_BYTES_MAX = 64 * 1024 }; // a receipt with all its rejections is below
enum { CREDIT_USED_MAX = 64 };        // of what is granted; far below what a socket holds
enum { HINT_MS = 5000 };              // of silence; then a person is told what we wait for

struct sender {
    sender_options_t options;
    nrs_bus_t *bus;        // owned
    nrs_message_t message; // the last receipt borrows from it
    uint8_t *piece;        // owned
    unsigned
        probes; // empty frames that came over this connection; the first one says that it stands

    // the file on its way
    const char *path;
    nrs_submit_request_t head; // its `sequence` is that of the last DATA
    int fd;
    off_t start;       // where we found it; -1: it cannot be rewound
    uint64_t sent;     // bytes
    uint64_t credit;   // DATA that may still be sent
    bool ended;        // END was sent
    unsigned starts;   // BEGIN was sent so often
    unsigned silences; // in a row
    bool hinted;
    int64_t heard_ms;
};

// --- the connection ------------------------------------------------------------------------------

static nrs_err_t
s_connect(sender_t *self, nrs_problem_t *reterr)
{
    nrs_bus_destroy(&self->bus);
    self->probes = 0;
    return nrs_bus_open(&self->options.bus, reterr, &self->bus);
}

nrs_err_t
sender_open(const sender_options_t *options, nrs_problem_t *reterr, sender_t **ret_sender)
{
    NRS_ASSERT(options && options->name && options->source && ret_sender);
    NRS_AUTO(sender) self = nrs_new0(sender_t);
    self->options = *options;
    self->options.bus.type = NRS_BUS_DEALER;
    self->options.bus.message_bytes_max = REPLY_BYTES_MAX;
    self->piece = nrs_alloc0(SENDER_PIECE_BYTES, 1);
    nrs_err_t err = s_connect(self, reterr);
    if (err)
        return err;
    *ret_sender = NRS_TAKE(self);
    return NRS_OK;
}

void
sender_destroy(sender_t **self_p)
{
    sender_t *self = *self_p;
    if (!self)
        return;
    nrs_message_clear(&self->message);
    nrs_bus_destroy(&self->bus);
    free(self->piece);
    free(self);
    *self_p = NULL;
}

nrs_bus_t *
sender_bus(const sender_t *self)
{
    return self->bus;
}

uint64_t
sender_sent(const sender_t *self)
{
    return self->sent;
}

static void NRS_PRINTF(2, 3) s_tell(const sender_t *self, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (self->options.tell)
        self->options.tell(self->options.me, line);
}

// --- what is sent --------------------------------------------------------------------------------

// The socket has room for all that credit lets us send, so one that takes nothing is broken.
static nrs_err_t
s_send(sender_t *self, nrs_submit_verb_t verb, nrs_bytes_t data, nrs_problem_t *reterr)
{
    nrs_submit_request_t head = self->head;
    nrs_buf_t header = { 0 };
    nrs_message_t message = { 0 };
    head.verb = verb;
    nrs_submit_encode_request(&head, &header);
    nrs_message_put(&message, nrs_buf_bytes(&header));
    if (verb == NRS_SUBMIT_DATA)
        nrs_message_put(&message, data);
    nrs_err_t err = nrs_bus_send(self->bus, &message);
    nrs_message_clear(&message);
    nrs_buf_free(&header);
    return err ? nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "%s cannot be sent to %s (%s)",
                                 self->path, self->options.name, nrs_err_name(err))
               : NRS_OK;
}

// Fill the piece as far as the input goes. Negative: see errno.
static ssize_t
s_read_full(sender_t *self)
{
    size_t filled = 0;
    while (filled < SENDER_PIECE_BYTES) {
        ssize_t got = read(self->fd, self->piece + filled, SENDER_PIECE_BYTES - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (ssize_t)filled;
}

// One piece, and END behind the last.
static nrs_err_t
s_send_piece(sender_t *self, nrs_problem_t *reterr)
{
    nrs_err_t err = NRS_OK;
    ssize_t got = s_read_full(self);
    if (got < 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "%s cannot be read: %s", self->path,
                               strerror(errno));
    if (got > 0) {
        self->head.sequence++;
        self->credit--;
        self->sent += (uint64_t)got;
        err = s_send(self, NRS_SUBMIT_DATA, nrs_bytes(self->piece, (size_t)got), reterr);
    }
    if (!err && got < SENDER_PIECE_BYTES) {
        self->ended = true;
        err = s_send(self, NRS_SUBMIT_END, NRS_NONE, reterr);
    }
    return err;
}

// --- begin, and begin again ----------------------------------------------------------------------

static nrs_err_t
s_start(sender_t *self, int64_t now_ms, nrs_problem_t *reterr)
{
    self->head.sequence = self->sent = self->credit = 0;
    self->ended = self->hinted = false;
    self->starts++;
    self->heard_ms = now_ms;
    return s_send(self, NRS_SUBMIT_BEGIN, NRS_NONE, reterr);
}

nrs_err_t
sender_begin(sender_t *self, int fd, const char *path, const char *name, int64_t now_ms,
             nrs_problem_t *reterr)
{
    nrs_bytes_t told = nrs_text(name);
    self->path = path;
    self->fd = fd;
    self->start = lseek(fd, 0, SEEK_CUR);
    self->starts = self->silences = 0;
    self->head = (nrs_submit_request_t){
        .source = nrs_text(self->options.source),
        .format = nrs_text(self->options.format),
        .name = told.size <= NAME_MAX_BYTES ? told : NRS_NONE,
    };
    if (nrs_random(self->head.id, sizeof self->head.id))
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "the system gives no random numbers");
    return s_start(self, now_ms, reterr);
}

// The same submission from its start; what ingest has of it already counts as known.
static nrs_err_t
s_start_over(sender_t *self, const char *why, int64_t now_ms, nrs_problem_t *reterr)
{
    const char *name = self->options.name;
    if (self->starts == SENDER_STARTS_MAX)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0,
                               "%s, and %s was begun %d times already; look with `noroshi status`, "
                               "then send it again: "
                               "what was taken will count as known",
                               why, self->path, SENDER_STARTS_MAX);
    if (self->sent > 0 && (self->start < 0 || lseek(self->fd, self->start, SEEK_SET) < 0))
        return nrs_problem_set(
            reterr, NRS_E_ABSENT, NULL, 0, 0,
            "%s, and %s cannot be read from its start again; send the whole again: "
            "what was taken will count as known",
            why, self->path);
    s_tell(self, "%s: %s is sent to %s again from its start; what was taken counts as known", why,
           self->path, name);
    nrs_err_t err = s_connect(self, reterr);
    return err ? err : s_start(self, now_ms, reterr);
}

// --- what comes ----------------------------------------------------------------------------------

// Every connection brings one probe as it is made. A second one: it broke, and was made anew behind
// our back.
static nrs_err_t
s_on_probe(sender_t *self, int64_t now_ms, nrs_problem_t *reterr)
{
    if (++self->probes == 1)
        return NRS_OK;
    return s_start_over(self, "the connection was lost", now_ms, reterr);
}

static nrs_err_t
s_on_credit(sender_t *self, const nrs_submit_reply_t *reply, nrs_problem_t *reterr)
{
    nrs_err_t err = NRS_OK;
    uint64_t room = CREDIT_USED_MAX - self->credit;
    self->credit += reply->credit < room ? reply->credit : room;
    while (!err && self->credit > 0 && !self->ended)
        err = s_send_piece(self, reterr);
    return err;
}

// An ingest that knows nothing of what it was sent, or misses some of it.
static bool
s_is_lost(const nrs_submit_reply_t *reply)
{
    return reply->state == NRS_SUBMIT_REFUSED &&
           (nrs_bytes_is(reply->reason, "unknown") || nrs_bytes_is(reply->reason, "sequence"));
}

// NRS_OK: it is the receipt.
static nrs_err_t
s_on_message(sender_t *self, int64_t now_ms, nrs_problem_t *reterr, nrs_submit_reply_t *ret_reply)
{
    nrs_err_t err;
    nrs_bytes_t frame = nrs_message_frame(&self->message, 0);
    if (self->message.count == 1 && frame.size == 0) {
        err = s_on_probe(self, now_ms, reterr);
        return err ? err : NRS_E_AGAIN;
    }
    if (nrs_submit_decode_reply(frame, ret_reply) ||
        memcmp(ret_reply->id, self->head.id, sizeof ret_reply->id) != 0)
        return NRS_E_AGAIN; // of a file that was given up, or by a newer build
    self->heard_ms = now_ms;
    self->silences = 0;
    self->hinted = false;
    if (ret_reply->verb == NRS_SUBMIT_RECEIPT && !s_is_lost(ret_reply))
        return NRS_OK;
    err = ret_reply->verb == NRS_SUBMIT_CREDIT
              ? s_on_credit(self, ret_reply, reterr)
              : s_start_over(self, "some of it was lost", now_ms, reterr);
    return err ? err : NRS_E_AGAIN;
}

static nrs_err_t
s_on_silence(sender_t *self, int64_t now_ms, nrs_problem_t *reterr)
{
    int64_t waited_ms = now_ms - self->heard_ms;
    char why[64];
    if (waited_ms >= HINT_MS && !self->hinted) {
        s_tell(self, "waiting for %s, which takes nothing just now", self->options.name);
        self->hinted = true;
    }
    if (waited_ms < SENDER_SILENCE_MS * (int64_t)(self->silences + 1))
        return NRS_E_AGAIN;
    if (++self->silences == SENDER_SILENCES_MAX)
        return nrs_problem_set(
            reterr, NRS_E_IO, NULL, 0, 0,
            "no word from %s; look with `noroshi status`, then send %s again: what was taken "
            "already will count as known",
            self->options.name, self->path);
    snprintf(why, sizeof why, "no word for %lld s", (long long)(waited_ms / 1000));
    nrs_err_t err = s_start_over(self, why, now_ms, reterr);
    return err ? err : NRS_E_AGAIN;
}

nrs_err_t
sender_step(sender_t *self, int64_t now_ms, nrs_problem_t *reterr, nrs_submit_reply_t *ret_reply)
{
    NRS_ASSERT(self && ret_reply && self->path);
    nrs_err_t err;
    while (!(err = nrs_bus_recv(self->bus, &self->message))) {
        err = s_on_message(self, now_ms, reterr, ret_reply);
        if (err != NRS_E_AGAIN)
            return err;
    }
    if (err == NRS_E_FORMAT) // dropped by the bus
        return NRS_E_AGAIN;
    if (err != NRS_E_AGAIN)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "the connection to %s is broken (%s)",
                               self->options.name, nrs_err_name(err));
    return s_on_silence(self, now_ms, reterr);
}
