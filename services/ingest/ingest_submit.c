#include "services/ingest/ingest_submit_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { S_RECEIPTS_KEPT = 256 }; // finished submissions whose receipt can be asked for again
enum { S_IDLE_LOOK_MS = 1000 }; // between looks for silent submissions

ingest_submit_t *
ingest_submit_new(nrs_bus_t **bus_p, const ingest_submit_options_t *options)
{
    ingest_submit_t *self = nrs_new0(ingest_submit_t);
    self->bus = NRS_TAKE(*bus_p);
    self->options = *options;
    self->limits = (ingest_limits_t){ (size_t)options->config->line_max,
                                      (size_t)options->config->document_max };
    self->count = (size_t)options->config->submissions_max + S_RECEIPTS_KEPT;
    self->items = nrs_alloc0(self->count, sizeof *self->items);
    self->refused =
        nrs_metrics_counter(options->metrics, "noroshi_ingest_submissions_refused_total", NULL,
                            "Submissions refused as a whole.");
    self->denied = nrs_metrics_counter(options->metrics, "noroshi_ingest_submissions_denied_total",
                                       NULL, "Submissions by someone who does not own the source.");
    self->abandoned =
        nrs_metrics_counter(options->metrics, "noroshi_ingest_submissions_abandoned_total", NULL,
                            "Submissions whose sender fell silent.");
    return self;
}

static void
s_release(ingest_submit_t *self, ingest_submission_t *item)
{
    if (item->phase == INGEST_SUBMISSION_OPEN)
        self->open--;
    if (item->receipt_due || item->owed)
        self->due--;
    if (self->current == item)
        self->current = NULL;
    ingest_reader_destroy(&item->reader);
    ingest_tally_free(&item->tally);
    *item = (ingest_submission_t){ 0 };
}

void
ingest_submit_destroy(ingest_submit_t **self_p)
{
    ingest_submit_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        s_release(self, &self->items[i]);
    free(self->items);
    nrs_bus_destroy(&self->bus);
    free(self);
    *self_p = NULL;
}

static void
s_finish(ingest_submit_t *self, ingest_submission_t *item, nrs_submit_state_t state,
         const char *reason, const char *text)
{
    item->state = state;
    item->reason = reason;
    item->text = text;
    item->phase = INGEST_SUBMISSION_FINISHED;
    self->open--;
    if (self->current == item)
        self->current = NULL;
    ingest_reader_destroy(&item->reader);
    if (state == NRS_SUBMIT_REFUSED)
        nrs_metric_add(self->refused, 1);
    ingest_submit_owe_receipt(self, item);
}

// --- reading -------------------------------------------------------------------------------------

static const char *
s_full_text(const char *reason)
{
    return strcmp(reason, "store-full") == 0
               ? "the store of this ingest is full; nothing more can be taken"
               : "there are too many dead letters; see `noroshi dead list`";
}

// Read on in the current submission. NRS_E_AGAIN: the batch is full.
static nrs_err_t
s_read(ingest_submit_t *self)
{
    ingest_submission_t *item = self->current;
    ingest_sink_t sink = ingest_tally_sink(&item->tally);
    nrs_err_t err = ingest_reader_step(item->reader, &sink, (uint64_t)self->now_ms);
    if (err == NRS_E_AGAIN)
        return err;
    self->current = NULL;
    if (err == NRS_E_FULL && item->tally.full) {
        s_finish(self, item, NRS_SUBMIT_REFUSED, item->tally.full, s_full_text(item->tally.full));
        return NRS_OK;
    }
    if (err)
        return err;
    if (ingest_reader_broken(item->reader))
        s_finish(self, item, NRS_SUBMIT_REFUSED, ingest_reader_reason(item->reader),
                 "it can't be read as a whole; the rejection says why");
    else if (item->ended)
        s_finish(self, item, NRS_SUBMIT_DONE, NULL, NULL);
    else
        ingest_submit_owe_credit(self, item, 1);
    return NRS_OK;
}

// --- requests ------------------------------------------------------------------------------------

static ingest_submission_t *
s_find(ingest_submit_t *self, const uint8_t *id, const char *user)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].phase != INGEST_SUBMISSION_FREE &&
            memcmp(self->items[i].id, id, NRS_SUBMIT_ID_BYTES) == 0 &&
            strcmp(self->items[i].user, user) == 0)
            return &self->items[i];
    return NULL;
}

// A place for a new submission: a free one, or that of the receipt that has waited longest.
static ingest_submission_t *
s_place(ingest_submit_t *self)
{
    ingest_submission_t *found = NULL;
    for (size_t i = 0; i < self->count; i++) {
        ingest_submission_t *item = &self->items[i];
        if (item->phase == INGEST_SUBMISSION_FREE)
            return item;
        if (item->phase == INGEST_SUBMISSION_FINISHED && !item->receipt_due &&
            (!found || item->touched_ms < found->touched_ms))
            found = item;
    }
    if (found)
        s_release(self, found);
    return found;
}

// On ipc the socket's file mode says who may; with CURVE the owner of the source and the operator may,
// as long as the key is good.
static bool
s_allowed(const ingest_submit_t *self, const ingest_source_t *source, const char *user)
{
    if (!self->options.zap)
        return true;
    const char *who = nrs_zap_allowed(self->options.zap, INGEST_SUBMIT_DOMAIN, user);
    return who &&
           (strcmp(who, INGEST_SUBMIT_OPERATOR) == 0 || strcmp(source->member->key, user) == 0);
}

static const char *
s_why_not(ingest_submit_t *self, const nrs_submit_request_t *request, const char *user,
          const ingest_source_t **ret_source, ingest_shape_t *ret_shape, const char **ret_text)
{
    const ingest_source_t *source = ingest_sources_get(self->options.sources, request->source);
    *ret_text = "no source with this name may be submitted to with this key";
    if (!source)
        return "denied"; // whether it exists is nobody's business
    if (!s_allowed(self, source, user)) {
        nrs_metric_add(self->denied, 1);
        return "denied";
    }
    *ret_shape = request->format.size ? ingest_shape_of(request->format) : source->shape;
    *ret_text = "the source can't be read in this format: it is unknown, or needs a mapping";
    if (!ingest_reader_can(source, *ret_shape))
        return "format";
    *ret_text = "too many submissions are open; try again later";
    if (self->open >= (size_t)self->options.config->submissions_max)
        return "busy";
    *ret_text = s_full_text("store-full");
    if (!nrs_store_has_room(self->options.store))
        return "store-full";
    *ret_source = source;
    return NULL;
}

static void
s_input_name(const nrs_submit_request_t *request, char into[INGEST_INPUT_MAX])
{
    char id[33];
    nrs_id_print(request->id, id);
    if (request->name.size)
        snprintf(into, INGEST_INPUT_MAX, "%.*s", (int)request->name.size,
                 (const char *)request->name.data);
    else
        snprintf(into, INGEST_INPUT_MAX, "submission %s", id);
}

static ingest_submission_t *
s_open(ingest_submit_t *self, nrs_bytes_t peer, const char *user,
       const nrs_submit_request_t *request)
{
    const ingest_source_t *source = NULL;
    ingest_shape_t shape = INGEST_SHAPE_NONE;
    const char *text = NULL;
    const char *reason = s_why_not(self, request, user, &source, &shape, &text);
    ingest_submission_t *item = reason ? NULL : s_place(self);
    if (!item) {
        ingest_submit_refuse(self, peer, request, reason ? reason : "busy", text);
        return NULL;
    }
    char input[INGEST_INPUT_MAX];
    s_input_name(request, input);
    item->phase = INGEST_SUBMISSION_OPEN;
    self->open++;
    memcpy(item->id, request->id, sizeof item->id);
    snprintf(item->user, sizeof item->user, "%s", user);
    item->reader = ingest_reader_new(source, shape, input, &self->limits);
    item->tally = (ingest_tally_t){ .batch = self->options.batch, .source = source };
    return item;
}

static void
s_heard(ingest_submit_t *self, ingest_submission_t *item, nrs_bytes_t peer)
{
    item->touched_ms = self->now_ms;
    item->peer_size = peer.size < INGEST_SUBMIT_PEER_MAX ? peer.size : 0;
    memcpy(item->peer, peer.data, item->peer_size);
}

static void
s_take(ingest_submit_t *self, ingest_submission_t *item, nrs_bytes_t data)
{
    uint64_t held = data.size;
    for (size_t i = 0; i < self->count; i++)
        held += self->items[i].reader ? ingest_reader_held(self->items[i].reader) : 0;
    if (held > (uint64_t)self->options.config->documents_held_max) {
        s_finish(self, item, NRS_SUBMIT_REFUSED, "busy",
                 "open submissions hold too much data; try again later");
        return;
    }
    item->bytes += data.size;
    ingest_reader_put(item->reader, data);
    self->current = item;
}

// Data on their way when a connection ended may be read after the BEGIN that came over the next
// one.
static bool
s_left(const ingest_submission_t *item, nrs_bytes_t peer)
{
    return item->left_size > 0 && nrs_bytes_equal(peer, nrs_bytes(item->left, item->left_size));
}

// Start anew. What it had brought is known by now.
static ingest_submission_t *
s_open_again(ingest_submit_t *self, ingest_submission_t *item, nrs_bytes_t peer, const char *user,
             const nrs_submit_request_t *request)
{
    uint8_t left[INGEST_SUBMIT_PEER_MAX];
    size_t left_size = item->peer_size;
    memcpy(left, item->peer, left_size);
    s_release(self, item);
    item = s_open(self, peer, user, request);
    if (item && !nrs_bytes_equal(peer, nrs_bytes(left, left_size))) {
        memcpy(item->left, left, left_size);
        item->left_size = left_size;
    }
    return item;
}

static void
s_on_begin(ingest_submit_t *self, nrs_bytes_t peer, const char *user,
           const nrs_submit_request_t *request, nrs_bytes_t data)
{
    ingest_submission_t *item = s_find(self, request->id, user);
    if (item && s_left(item, peer))
        return;
    if (item && item->phase == INGEST_SUBMISSION_FINISHED &&
        item->state == NRS_SUBMIT_DONE) { // the receipt was lost
        s_heard(self, item, peer);
        ingest_submit_owe_receipt(self, item);
        return;
    }
    item = item ? s_open_again(self, item, peer, user, request) : s_open(self, peer, user, request);
    if (!item)
        return;
    s_heard(self, item, peer);
    if (request->verb == NRS_SUBMIT_BEGIN) {
        ingest_submit_owe_credit(self, item, (uint64_t)self->options.config->credit);
        return;
    }
    item->ended = true;
    s_take(self, item, data);
    if (self->current)
        ingest_reader_end(item->reader);
}

static void
s_on_data(ingest_submit_t *self, ingest_submission_t *item, const nrs_submit_request_t *request,
          nrs_bytes_t data)
{
    if (request->sequence <= item->sequence)
        return; // sent again after a reconnect
    if (request->sequence != item->sequence + 1 || item->ended)
        s_finish(self, item, NRS_SUBMIT_REFUSED, "sequence",
                 "a data message is missing; send the whole again");
    else if (item->credit == 0)
        s_finish(self, item, NRS_SUBMIT_REFUSED, "credit",
                 "more data messages came than were granted");
    else if (self->options.zap &&
             !nrs_zap_allowed(self->options.zap, INGEST_SUBMIT_DOMAIN, item->user))
        s_finish(self, item, NRS_SUBMIT_REFUSED, "denied", "this key may no longer submit");
    else if (!nrs_store_has_room(self->options.store))
        s_finish(self, item, NRS_SUBMIT_REFUSED, "store-full", s_full_text("store-full"));
    else {
        item->credit--;
        item->sequence++;
        s_take(self, item, data);
    }
}

static void
s_on_end(ingest_submit_t *self, ingest_submission_t *item)
{
    item->ended = true;
    ingest_reader_end(item->reader);
    self->current = item;
}

static void
s_on_request(ingest_submit_t *self, nrs_bytes_t peer, const char *user,
             const nrs_submit_request_t *request, nrs_bytes_t data)
{
    if (data.size > NRS_SUBMIT_DATA_MAX) {
        ingest_submit_refuse(self, peer, request, "too-long", "a data frame has at most 1 MiB");
        return;
    }
    if (request->verb == NRS_SUBMIT_BEGIN || request->verb == NRS_SUBMIT_WHOLE) {
        s_on_begin(self, peer, user, request, data);
        return;
    }
    ingest_submission_t *item = s_find(self, request->id, user);
    if (!item) {
        ingest_submit_refuse(self, peer, request, "unknown",
                             "there is no such submission here: begin it again");
        return;
    }
    if (s_left(item, peer))
        return;
    s_heard(self, item, peer);
    if (item->phase == INGEST_SUBMISSION_FINISHED) {
        if (request->verb == NRS_SUBMIT_END) // the receipt is told again
            ingest_submit_owe_receipt(self, item);
        return;
    }
    if (request->verb == NRS_SUBMIT_DATA)
        s_on_data(self, item, request, data);
    else
        s_on_end(self, item);
}

static void
s_on_message(ingest_submit_t *self, const nrs_message_t *message)
{
    char user[NRS_USER_BYTES_MAX];
    nrs_submit_request_t request = { 0 };
    if (message->count < 2 || message->count > 3)
        return; // no message of this protocol; there is nobody to tell in its terms
    nrs_bytes_t peer = nrs_message_frame(message, 0);
    nrs_err_t err = nrs_submit_decode_request(nrs_message_frame(message, 1), &request);
    if (err == NRS_E_VERSION)
        ingest_submit_refuse(self, peer, &request, "version",
                             "this ingest speaks version 1 of the submit protocol");
    else if (err)
        nrs_metric_add(self->refused, 1);
    else
        s_on_request(self, peer, nrs_message_user(message, user), &request,
                     message->count == 3 ? nrs_message_frame(message, 2) : NRS_NONE);
}

// --- the step ------------------------------------------------------------------------------------

// Whoever has said nothing for long will begin again, if at all.
static void
s_look_for_silence(ingest_submit_t *self)
{
    if (self->now_ms - self->looked_ms < S_IDLE_LOOK_MS)
        return;
    self->looked_ms = self->now_ms;
    for (size_t i = 0; i < self->count; i++) {
        ingest_submission_t *item = &self->items[i];
        if (item->phase != INGEST_SUBMISSION_OPEN || item == self->current ||
            self->now_ms - item->touched_ms < self->options.config->submission_idle_ms)
            continue;
        nrs_metric_add(self->abandoned, 1);
        s_release(self, item);
    }
}

nrs_err_t
ingest_submit_step(ingest_submit_t *self, int64_t now_ms, bool *ret_more)
{
    self->now_ms = now_ms;
    s_look_for_silence(self);
    nrs_err_t err = NRS_OK;
    while (!err && nrs_out_room(self->options.batch->out)) {
        if (self->current) {
            err = s_read(self);
            continue;
        }
        nrs_message_t message = { 0 };
        err = nrs_bus_recv(self->bus, &message);
        if (!err)
            s_on_message(self, &message);
        nrs_message_clear(&message);
        if (err == NRS_E_AGAIN)
            return NRS_OK;
        if (err == NRS_E_FORMAT) // dropped by the bus
            err = NRS_OK;
    }
    *ret_more = true;
    return err == NRS_E_AGAIN ? NRS_OK : err;
}

void
ingest_submit_failed(ingest_submit_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        ingest_submission_t *item = &self->items[i];
        if (item->phase == INGEST_SUBMISSION_FINISHED && item->receipt_due)
            item->state = NRS_SUBMIT_REFUSED;
        else if (item->phase == INGEST_SUBMISSION_OPEN)
            s_finish(self, item, NRS_SUBMIT_REFUSED, NULL, NULL);
        else
            continue;
        item->reason = "not-stored";
        item->text = "what was taken could not be stored; send the whole again";
    }
}
