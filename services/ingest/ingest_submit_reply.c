// The half of the submit server that answers: credit and receipts, behind the commit that they
// speak of.
#include "services/ingest/ingest_submit_parts.h"

// One that can't be sent is not kept: the submitter asks again with the same id.
static void
s_send(ingest_submit_t *self, nrs_bytes_t peer, const nrs_submit_reply_t *reply)
{
    nrs_buf_t header = { 0 };
    nrs_message_t message = { 0 };
    nrs_submit_encode_reply(reply, &header);
    nrs_message_put(&message, peer);
    nrs_message_put(&message, nrs_buf_bytes(&header));
    NRS_IGNORE(nrs_bus_send(self->bus, &message)); // see above
    nrs_message_clear(&message);
    nrs_buf_free(&header);
}

static nrs_submit_reply_t
s_receipt(const ingest_submission_t *item)
{
    const ingest_tally_t *tally = &item->tally;
    nrs_submit_reply_t reply = { .verb = NRS_SUBMIT_RECEIPT,
                                 .state = item->state,
                                 .accepted = tally->accepted,
                                 .known = tally->known,
                                 .rejected = tally->rejected,
                                 .skipped = tally->skipped,
                                 .bytes = item->bytes,
                                 .reason = nrs_text(item->reason),
                                 .text = nrs_text(item->text),
                                 .rejection_count = tally->told_count };
    memcpy(reply.id, item->id, sizeof reply.id);
    for (size_t i = 0; i < tally->told_count; i++) {
        const ingest_told_t *told = &tally->told[i];
        reply.rejections[i] =
            (nrs_submit_rejection_t){ nrs_text(told->place), nrs_text(told->reason),
                                      nrs_text(told->text),
                                      nrs_bytes(told->bytes, told->bytes_size) };
    }
    return reply;
}

static void
s_send_due(ingest_submit_t *self, ingest_submission_t *item)
{
    if (item->receipt_due) {
        nrs_submit_reply_t reply = s_receipt(item);
        s_send(self, nrs_bytes(item->peer, item->peer_size), &reply);
    } else if (item->owed) {
        nrs_submit_reply_t reply = { .verb = NRS_SUBMIT_CREDIT, .credit = item->owed };
        memcpy(reply.id, item->id, sizeof reply.id);
        item->credit += item->owed;
        s_send(self, nrs_bytes(item->peer, item->peer_size), &reply);
    }
    item->receipt_due = false;
    item->owed = 0;
}

void
ingest_submit_committed(ingest_submit_t *self)
{
    for (size_t i = 0; self->due > 0 && i < self->count; i++)
        if (self->items[i].receipt_due || self->items[i].owed) {
            s_send_due(self, &self->items[i]);
            self->due--;
        }
}

void
ingest_submit_owe_receipt(ingest_submit_t *self, ingest_submission_t *item)
{
    if (!item->receipt_due && !item->owed)
        self->due++;
    item->receipt_due = true;
}

void
ingest_submit_owe_credit(ingest_submit_t *self, ingest_submission_t *item, uint64_t messages)
{
    if (!item->receipt_due && !item->owed)
        self->due++;
    item->owed += messages;
}

void
ingest_submit_refuse(ingest_submit_t *self, nrs_bytes_t peer, const nrs_submit_request_t *request,
                     const char *reason, const char *text)
{
    nrs_submit_reply_t reply = { .verb = NRS_SUBMIT_RECEIPT,
                                 .state = NRS_SUBMIT_REFUSED,
                                 .reason = nrs_text(reason),
                                 .text = nrs_text(text) };
    memcpy(reply.id, request->id, sizeof reply.id);
    nrs_metric_add(self->refused, 1);
    s_send(self, peer, &reply);
}
