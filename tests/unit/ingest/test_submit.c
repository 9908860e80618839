// The server of the submit protocol, over a real socket: receipts, credit, repeats, and who is
// refused and why.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/ingest/ingest_submit.h"
#include "tests/unit/ingest/batches.h"

enum { PATIENCE_MS = 10000 };

static const char s_sources[] = "sources:\n"
                                "  list: { member: guard, format: list }\n"
                                "  stix: { member: guard, format: stix }\n";

typedef struct s_desk {
    batches_t batches;
    ingest_config_t config;
    nrs_bus_t *server_bus; // borrowed by the waits
    ingest_submit_t *server;
    nrs_bus_t *client;
    nrs_message_t got;
    nrs_submit_reply_t reply; // borrows from `got`
} s_desk_t;

static void
s_open(s_desk_t *self)
{
    static unsigned number;
    char endpoint[64];
    memset(self, 0, sizeof *self);
    batches_open(&self->batches, s_sources);
    self->config = (ingest_config_t){ .line_max = 4096,
                                      .document_max = 4096,
                                      .documents_held_max = 8192,
                                      .submissions_max = 2,
                                      .submission_idle_ms = 60000,
                                      .credit = 3 };
    snprintf(endpoint, sizeof endpoint, "inproc://submit-%u", number++);
    nrs_bus_options_t bind = {
        .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint, .message_bytes_max = 2 << 20
    };
    nrs_bus_options_t connect = { .type = NRS_BUS_DEALER, .endpoint = endpoint };
    assert_int_equal(nrs_bus_open(&bind, NULL, &self->server_bus), NRS_OK);
    assert_int_equal(nrs_bus_open(&connect, NULL, &self->client), NRS_OK);
    ingest_submit_options_t options = { &self->config,        self->batches.inputs.sources,
                                        self->batches.store,  NULL,
                                        &self->batches.batch, self->batches.metrics };
    nrs_bus_t *bus = self->server_bus;
    self->server = ingest_submit_new(&bus, &options);
    assert_null(bus);
}

static void
s_close(s_desk_t *self)
{
    nrs_message_clear(&self->got);
    nrs_bus_destroy(&self->client);
    ingest_submit_destroy(&self->server);
    batches_close(&self->batches);
}

static void
s_send(s_desk_t *self, nrs_submit_verb_t verb, uint8_t id, uint64_t sequence, const char *source,
       const char *data)
{
    nrs_submit_request_t request = { .verb = verb,
                                     .id = { id },
                                     .sequence = sequence,
                                     .source = nrs_text(source),
                                     .name = nrs_text("in") };
    nrs_buf_t header = { 0 };
    nrs_message_t message = { 0 };
    nrs_submit_encode_request(&request, &header);
    nrs_message_put(&message, nrs_buf_bytes(&header));
    if (data)
        nrs_message_put(&message, nrs_text(data));
    assert_int_equal(nrs_bus_send(self->client, &message), NRS_OK);
    nrs_buf_free(&header);
}

static bool
s_arrived(nrs_bus_t *bus, int64_t patience_ms)
{
    nrs_wait_t wait = { .bus = bus };
    return nrs_bus_wait(&wait, 1, patience_ms) == 1;
}

// One batch of the server, and more while it says that there is more. Without `commit` nothing
// becomes durable.
static void
s_serve(s_desk_t *self, bool commit)
{
    bool more = true;
    assert_true(s_arrived(self->server_bus, PATIENCE_MS));
    while (more) {
        more = false;
        batches_begin(&self->batches);
        assert_int_equal(ingest_submit_step(self->server, INPUTS_NOW_MS, &more), NRS_OK);
        if (!commit) {
            nrs_txn_destroy(&self->batches.out.txn);
            ingest_known_forget(self->batches.known);
            return;
        }
        batches_commit(&self->batches);
        ingest_submit_committed(self->server);
    }
}

static const nrs_submit_reply_t *
s_reply(s_desk_t *self)
{
    nrs_message_clear(&self->got);
    assert_true(s_arrived(self->client, PATIENCE_MS));
    assert_int_equal(nrs_bus_recv(self->client, &self->got), NRS_OK);
    assert_int_equal(nrs_submit_decode_reply(nrs_message_frame(&self->got, 0), &self->reply),
                     NRS_OK);
    return &self->reply;
}

static void
s_assert_refused(s_desk_t *self, const char *reason)
{
    const nrs_submit_reply_t *reply = s_reply(self);
    assert_int_equal(reply->verb, NRS_SUBMIT_RECEIPT);
    assert_int_equal(reply->state, NRS_SUBMIT_REFUSED);
    assert_true(nrs_bytes_is(reply->reason, reason));
    assert_true(reply->text.size > 0);
}

static void
s_assert_receipt(s_desk_t *self, uint64_t accepted, uint64_t known, uint64_t rejected)
{
    const nrs_submit_reply_t *reply = s_reply(self);
    assert_int_equal(reply->verb, NRS_SUBMIT_RECEIPT);
    assert_int_equal(reply->state, NRS_SUBMIT_DONE);
    assert_int_equal(reply->accepted, accepted);
    assert_int_equal(reply->known, known);
    assert_int_equal(reply->rejected, rejected);
}

static void
test_submit_whole_gets_a_receipt_with_reasons(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\n!!\nb.example\na.example\n");
    s_serve(&desk, true);
    s_assert_receipt(&desk, 2, 1, 1);
    assert_int_equal(desk.reply.rejection_count, 1);
    assert_true(nrs_bytes_is(desk.reply.rejections[0].place, "in:2"));
    assert_true(nrs_bytes_is(desk.reply.rejections[0].reason, "kind-unknown"));
    assert_true(nrs_bytes_is(desk.reply.rejections[0].bytes, "!!"));
    assert_string_equal(desk.batches.out.last_place, "in:2");
    s_close(&desk);
}

static void
test_submit_in_pieces_is_granted_credit_and_joins_lines(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_serve(&desk, true);
    assert_int_equal(s_reply(&desk)->credit, 3);
    s_send(&desk, NRS_SUBMIT_DATA, 1, 1, "", "a.exam");
    s_serve(&desk, true);
    assert_int_equal(s_reply(&desk)->credit, 1);
    s_send(&desk, NRS_SUBMIT_DATA, 1, 1, "", "a.exam"); // sent twice, taken once
    s_send(&desk, NRS_SUBMIT_DATA, 1, 2, "", "ple\nb.example");
    s_send(&desk, NRS_SUBMIT_END, 1, 0, "", NULL);
    s_serve(&desk, true);
    while (s_reply(&desk)->verb == NRS_SUBMIT_CREDIT)
        ;
    assert_int_equal(desk.reply.accepted, 2);
    assert_int_equal(desk.reply.bytes, 19);
    s_close(&desk);
}

static void
test_submit_sends_no_receipt_before_the_commit(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\n");
    s_serve(&desk, false);
    assert_false(s_arrived(desk.client, 0));
    ingest_submit_failed(desk.server); // the batch was lost: the submitter is told to send it again
    ingest_submit_committed(desk.server);
    s_assert_refused(&desk, "not-stored");
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\n");
    s_serve(&desk, true);
    s_assert_receipt(&desk, 1, 0, 0);
    s_close(&desk);
}

static void
test_submit_of_the_same_bytes_is_known(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\nb.example\n");
    s_serve(&desk, true);
    s_assert_receipt(&desk, 2, 0, 0);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list",
           "a.example\nb.example\n"); // the same submission: the same receipt
    s_serve(&desk, true);
    s_assert_receipt(&desk, 2, 0, 0);
    s_send(&desk, NRS_SUBMIT_WHOLE, 2, 0, "list",
           "a.example\nb.example\n"); // another one with the same reports
    s_serve(&desk, true);
    s_assert_receipt(&desk, 0, 2, 0);
    assert_int_equal(desk.batches.out.reports, 2);
    s_close(&desk);
}

static void
test_submit_begun_again_keeps_what_was_complete(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_serve(&desk, true);
    s_reply(&desk);
    s_send(&desk, NRS_SUBMIT_DATA, 1, 1, "", "a.example\nb.exam"); // and the sender dies
    s_serve(&desk, true);
    nrs_bus_options_t connect = { .type = NRS_BUS_DEALER,
                                  .endpoint = nrs_bus_endpoint(desk.server_bus) };
    nrs_bus_destroy(&desk.client);
    assert_int_equal(nrs_bus_open(&connect, NULL, &desk.client), NRS_OK);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\nb.example\n");
    s_serve(&desk, true);
    s_assert_receipt(&desk, 1, 1, 0);
    s_close(&desk);
}

static void
test_submit_begun_again_hears_nothing_from_the_connection_it_left(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_serve(&desk, true);
    s_reply(&desk);
    nrs_bus_options_t connect = { .type = NRS_BUS_DEALER,
                                  .endpoint = nrs_bus_endpoint(desk.server_bus) };
    NRS_AUTO(nrs_bus) left = desk.client;
    assert_int_equal(nrs_bus_open(&connect, NULL, &desk.client), NRS_OK);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_serve(&desk, true);
    assert_int_equal(s_reply(&desk)->credit, 3);
    nrs_bus_t *kept = desk.client; // a piece that was read late
    desk.client = left;
    s_send(&desk, NRS_SUBMIT_DATA, 1, 5, "", "late.example\n");
    desk.client = kept;
    s_serve(&desk, true);
    s_send(&desk, NRS_SUBMIT_DATA, 1, 1, "", "a.example\n");
    s_send(&desk, NRS_SUBMIT_END, 1, 0, "", NULL);
    s_serve(&desk, true);
    while (s_reply(&desk)->verb == NRS_SUBMIT_CREDIT)
        continue;
    assert_int_equal(desk.reply.state, NRS_SUBMIT_DONE);
    assert_int_equal(desk.reply.accepted, 1);
    s_close(&desk);
}

static void
test_submit_goes_on_in_the_next_batch(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    desk.batches.out.room = 1;
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "list", "a.example\nb.example\n!!\nc.example\n");
    s_serve(&desk, true);
    s_assert_receipt(&desk, 3, 0, 1);
    s_close(&desk);
}

static void
test_submit_refuses_and_says_why(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_WHOLE, 1, 0, "nobody", "a.example\n");
    s_serve(&desk, true);
    s_assert_refused(&desk, "denied");
    s_send(&desk, NRS_SUBMIT_DATA, 2, 1, "", "a.example\n");
    s_serve(&desk, true);
    s_assert_refused(&desk, "unknown");
    s_send(&desk, NRS_SUBMIT_WHOLE, 3, 0, "list", "\x1f\x8b\x08zzzzzz");
    s_serve(&desk, true);
    s_assert_refused(&desk, "compressed");
    desk.batches.out.dead_max = desk.batches.out.dead;
    s_send(&desk, NRS_SUBMIT_WHOLE, 4, 0, "list", "d.example\n!!\ne.example\n");
    s_serve(&desk, true);
    s_assert_refused(&desk, "dead-letters-full");
    assert_int_equal(desk.reply.accepted, 1);
    s_close(&desk);
}

static void
test_submit_refuses_gaps_and_more_than_the_credit(void **state)
{
    (void)state;
    s_desk_t desk;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_send(&desk, NRS_SUBMIT_DATA, 1, 1, "", "a");
    s_serve(&desk, true);
    s_assert_refused(&desk,
                     "credit"); // nothing was granted yet: the grant goes out with the commit
    s_send(&desk, NRS_SUBMIT_BEGIN, 2, 0, "list", NULL);
    s_serve(&desk, true);
    s_reply(&desk);
    s_send(&desk, NRS_SUBMIT_DATA, 2, 2, "", "a");
    s_serve(&desk, true);
    s_assert_refused(&desk, "sequence");
    s_close(&desk);
}

static void
test_submit_bounds_open_submissions_and_their_data(void **state)
{
    (void)state;
    s_desk_t desk;
    static char document[4000];
    memset(document, ' ', sizeof document - 1);
    s_open(&desk);
    for (uint8_t id = 1; id <= 2; id++) {
        s_send(&desk, NRS_SUBMIT_BEGIN, id, 0, "stix", NULL);
        s_serve(&desk, true);
        s_reply(&desk);
        s_send(&desk, NRS_SUBMIT_DATA, id, 1, "", document);
        s_serve(&desk, true);
        assert_int_equal(s_reply(&desk)->verb, NRS_SUBMIT_CREDIT);
    }
    s_send(&desk, NRS_SUBMIT_BEGIN, 3, 0, "list", NULL);
    s_serve(&desk, true);
    s_assert_refused(&desk, "busy");
    s_send(&desk, NRS_SUBMIT_DATA, 1, 2, "", document);
    s_serve(&desk, true);
    s_assert_refused(&desk, "busy");
    s_close(&desk);
}

static void
test_submit_gives_silent_submissions_up(void **state)
{
    (void)state;
    s_desk_t desk;
    bool more = false;
    s_open(&desk);
    s_send(&desk, NRS_SUBMIT_BEGIN, 1, 0, "list", NULL);
    s_serve(&desk, true);
    s_reply(&desk);
    batches_begin(&desk.batches);
    assert_int_equal(ingest_submit_step(desk.server, INPUTS_NOW_MS + 60000, &more), NRS_OK);
    batches_commit(&desk.batches);
    s_send(&desk, NRS_SUBMIT_END, 1, 0, "", NULL);
    s_serve(&desk, true);
    s_assert_refused(&desk, "unknown");
    s_close(&desk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_whole_gets_a_receipt_with_reasons),
        cmocka_unit_test(test_submit_in_pieces_is_granted_credit_and_joins_lines),
        cmocka_unit_test(test_submit_sends_no_receipt_before_the_commit),
        cmocka_unit_test(test_submit_of_the_same_bytes_is_known),
        cmocka_unit_test(test_submit_begun_again_keeps_what_was_complete),
        cmocka_unit_test(test_submit_begun_again_hears_nothing_from_the_connection_it_left),
        cmocka_unit_test(test_submit_goes_on_in_the_next_batch),
        cmocka_unit_test(test_submit_refuses_and_says_why),
        cmocka_unit_test(test_submit_refuses_gaps_and_more_than_the_credit),
        cmocka_unit_test(test_submit_bounds_open_submissions_and_their_data),
        cmocka_unit_test(test_submit_gives_silent_submissions_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
