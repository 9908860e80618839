// test_relay.c - the relay with a runtime of the test's own: what comes out where, what is kept

#include "common/policy.h"
#include "services/relay/relay.h"
#include "services/relay/relay_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1763800000000, TOPICS = 3 };

// --- a runtime that keeps what it is given -------------------------------------------------------

struct nrs_out {
    nrs_txn_t *txn;
    nrs_buf_t events[TOPICS]; // the last one of each topic
    size_t counts[TOPICS];
    nrs_err_t append_fails;
};

static char topics[TOPICS][64], keys[TOPICS][NRS_KEY_TEXT_BYTES];
static size_t topic_count;

nrs_err_t
nrs_stage_topic(struct nrs_stage_run *run, const char *name, const char *follower_key,
                const char *follower_name, nrs_problem_t *reterr, size_t *ret_topic)
{
    (void)run;
    (void)reterr;
    (void)follower_name;
    snprintf(topics[topic_count], sizeof topics[0], "%s", name);
    snprintf(keys[topic_count], sizeof keys[0], "%s", follower_key ? follower_key : "");
    *ret_topic = topic_count++;
    return NRS_OK;
}

int64_t
nrs_out_now(const nrs_out_t *out)
{
    (void)out;
    return NOW;
}

nrs_txn_t *
nrs_out_txn(nrs_out_t *out)
{
    return out->txn;
}

nrs_err_t
nrs_out_append_to(nrs_out_t *out, size_t topic, nrs_event_t *in, nrs_layer_t layer,
                  const void *values)
{
    if (out->append_fails)
        return out->append_fails;
    nrs_buf_reset(&out->events[topic]);
    nrs_event_append(&out->events[topic], in->bytes, layer, values);
    out->counts[topic]++;
    return NRS_OK;
}

nrs_err_t
nrs_out_append_projected(nrs_out_t *out, size_t topic, nrs_event_t *in, const nrs_field_t *drop,
                         size_t count, const nrs_release_t *release)
{
    nrs_buf_reset(&out->events[topic]);
    nrs_event_append_without(&out->events[topic], in, drop, count, NRS_LAYER_RELEASE, release);
    out->counts[topic]++;
    return NRS_OK;
}

// --- a relay with three peers --------------------------------------------------------------------

typedef struct world {
    char path[64];
    nrs_config_t *config;
    nrs_directory_t directory;
    nrs_agreement_t agreements[3];
    nrs_peer_t peers[3];
    nrs_member_t members[2];
    relay_options_t options;
    nrs_stage_context_t context;
    void *relay;
    nrs_out_t out;
} world_t;

static void
s_people(world_t *self)
{
    self->agreements[0] =
        (nrs_agreement_t){ .id = "whole", .tlp = NRS_TLP_AMBER, .third_party = true };
    self->agreements[1] = (nrs_agreement_t){
        .id = "part", .tlp = NRS_TLP_AMBER, .third_party = true, .projected = true
    };
    self->agreements[2] =
        (nrs_agreement_t){ .id = "clear", .tlp = NRS_TLP_CLEAR, .third_party = true };
    self->peers[0] = (nrs_peer_t){
        .id = "ncfta", .name = "NCFTA", .agreement = &self->agreements[0], .key = "k0"
    };
    self->peers[1] = (nrs_peer_t){ .id = "cda",
                                   .name = "CDA",
                                   .agreement = &self->agreements[1],
                                   .key = "k1",
                                   .scope = "class == fraud" };
    self->peers[2] = (nrs_peer_t){
        .id = "public", .name = "Public", .agreement = &self->agreements[2], .key = "k2"
    };
    self->members[0] = (nrs_member_t){ .id = "bank",
                                       .agreement = &self->agreements[0],
                                       .tlp = NRS_TLP_CLEAR,
                                       .onward = NRS_ONWARD_ALLOW };
    self->members[1] = (nrs_member_t){ .id = "shop",
                                       .agreement = &self->agreements[0],
                                       .tlp = NRS_TLP_CLEAR,
                                       .onward = NRS_ONWARD_ASK };
    self->directory = (nrs_directory_t){
        .member_count = 2, .members = self->members, .peer_count = 3, .peers = self->peers
    };
}

static int
s_setup(void **state)
{
    world_t *self = nrs_new0(world_t);
    nrs_problem_t problem;
    topic_count = 0;
    snprintf(self->path, sizeof self->path, "relay-test-XXXXXX");
    assert_non_null(mkdtemp(self->path));
    s_people(self);
    assert_int_equal(
        nrs_config_parse(nrs_text("realm: live\n"), "noroshi.yaml", &problem, &self->config),
        NRS_OK);
    nrs_store_options_t options = { .path = self->path, .bytes_max = 64 << 20 };
    assert_int_equal(nrs_store_open(&options, &problem, &self->context.store), NRS_OK);
    assert_int_equal(
        nrs_options_read(self->config, NULL, relay_option_table, &self->options, &problem), NRS_OK);
    self->context.config = self->config;
    self->context.directory = &self->directory;
    self->context.options = &self->options;
    self->context.metrics = nrs_metrics_new();
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    world_t *self = *state;
    char command[128];
    relay_stage.close(&self->relay);
    for (size_t i = 0; i < TOPICS; i++)
        nrs_buf_free(&self->out.events[i]);
    nrs_metrics_destroy(&self->context.metrics);
    nrs_store_destroy(&self->context.store);
    nrs_config_destroy(&self->config);
    snprintf(command, sizeof command, "rm -r '%s'", self->path);
    int failed = system(command);
    free(self);
    return failed;
}

static void
s_open(world_t *self)
{
    nrs_problem_t problem = { 0 };
    if (relay_stage.open(&self->context, &problem, &self->relay))
        fail_msg("%s", problem.text);
}

static void
s_pack(const char *originator, uint64_t class, uint64_t tlp, uint64_t offset, nrs_buf_t *into)
{
    nrs_buf_t first = { 0 };
    nrs_event_begin(&first, &(nrs_origin_t){ .instance = 1,
                                             .lane = 2,
                                             .epoch = 3,
                                             .offset = offset,
                                             .kind = NRS_KIND_DOMAIN,
                                             .value = nrs_text("example.jp"),
                                             .originator = nrs_text(originator),
                                             .source = nrs_text("soc-feed"),
                                             .tlp = tlp,
                                             .onward = NRS_ONWARD_ALLOW });
    nrs_event_append(into, nrs_buf_bytes(&first), NRS_LAYER_VERDICT,
                     &(nrs_verdict_t){ .class = class });
    nrs_buf_free(&first);
}

// Apply one event in a batch of its own.
static nrs_err_t
s_apply(world_t *self, const char *originator, uint64_t class, uint64_t tlp, uint64_t offset)
{
    nrs_buf_t packed = { 0 };
    nrs_event_t event;
    s_pack(originator, class, tlp, offset, &packed);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&packed), &event), NRS_OK);
    assert_int_equal(nrs_txn_begin(self->context.store, true, &self->out.txn), NRS_OK);
    nrs_err_t err = relay_stage.apply(self->relay, &event, &self->out);
    if (!err) {
        assert_int_equal(relay_stage.tick(self->relay, &self->out), NRS_OK);
        assert_int_equal(nrs_txn_commit(&self->out.txn), NRS_OK);
        relay_stage.committed(self->relay);
    }
    nrs_txn_destroy(&self->out.txn);
    nrs_buf_free(&packed);
    return err;
}

static nrs_err_t
s_ask(world_t *self, const char *verb, const char *argument, nrs_buf_t *reply)
{
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_txn_begin(self->context.store, false, &txn), NRS_OK);
    nrs_err_t err = relay_stage.ask(self->relay, verb, nrs_text(argument), txn, reply);
    nrs_txn_destroy(&txn);
    nrs_buf_cstr(reply);
    return err;
}

static void
s_assert_counts(const world_t *self, size_t ncfta, size_t cda, size_t public)
{
    assert_int_equal(self->out.counts[0], ncfta);
    assert_int_equal(self->out.counts[1], cda);
    assert_int_equal(self->out.counts[2], public);
}

// --- stories -------------------------------------------------------------------------------------

static void
test_relay_opens_a_topic_for_each_peer_and_its_key(void **state)
{
    world_t *self = *state;
    s_open(self);
    assert_int_equal(topic_count, 3);
    assert_string_equal(topics[0], "releases/ncfta");
    assert_string_equal(topics[2], "releases/public");
    assert_string_equal(keys[1], "k1");
}

static void
test_relay_refuses_to_start_with_a_peer_without_a_key(void **state)
{
    world_t *self = *state;
    nrs_problem_t problem = { 0 };
    self->peers[1].key[0] = 0;
    assert_int_equal(relay_stage.open(&self->context, &problem, &self->relay), NRS_E_CONFIG);
    assert_non_null(strstr(problem.text, "cda"));
}

static void
test_relay_gives_each_peer_what_its_agreement_says(void **state)
{
    world_t *self = *state;
    s_open(self);
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_FRAUD, NRS_TLP_AMBER, 0), NRS_OK);
    s_assert_counts(self, 1, 1, 0);
    nrs_event_t whole, projected;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&self->out.events[0]), &whole), NRS_OK);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&self->out.events[1]), &projected), NRS_OK);
    assert_int_equal(nrs_event_number(&whole, NRS_RELEASE_projection), NRS_PROJECTION_WHOLE);
    assert_true(nrs_bytes_is(nrs_event_text(&whole, NRS_ORIGIN_originator), "bank"));
    assert_true(nrs_bytes_is(nrs_event_text(&whole, NRS_RELEASE_recipient), "ncfta"));
    assert_true(nrs_bytes_is(nrs_event_text(&whole, NRS_RELEASE_agreement), "whole"));
    assert_int_equal(nrs_event_number(&whole, NRS_RELEASE_tlp), NRS_TLP_AMBER);
    assert_int_equal(nrs_event_number(&whole, NRS_RELEASE_policy), NRS_POLICY_VERSION);
    assert_true(nrs_event_number(&whole, NRS_RELEASE_released_at) == NOW);
    assert_int_equal(nrs_event_number(&projected, NRS_RELEASE_projection),
                     NRS_PROJECTION_PROJECTED);
    assert_int_equal(nrs_event_text(&projected, NRS_ORIGIN_originator).size, 0);
    assert_int_equal(nrs_event_text(&projected, NRS_ORIGIN_source).size, 0);
    assert_true(nrs_bytes_is(nrs_event_text(&projected, NRS_ORIGIN_value), "example.jp"));
}

static void
test_relay_asks_scope_label_and_originator(void **state)
{
    world_t *self = *state;
    s_open(self);
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_TEST, NRS_TLP_CLEAR, 0), NRS_OK);
    s_assert_counts(self, 1, 0, 1); // out of the scope of cda
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_FRAUD, NRS_TLP_RED, 1), NRS_OK);
    assert_int_equal(s_apply(self, "bank", 0, NRS_TLP_CLEAR, 2), NRS_OK);
    assert_int_equal(s_apply(self, "shop", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 3), NRS_OK);
    assert_int_equal(s_apply(self, "stranger", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 4), NRS_OK);
    assert_int_equal(s_apply(self, "", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 5), NRS_OK);
    s_assert_counts(self, 1, 0, 1);
}

static void
test_relay_answers_why_and_how_often(void **state)
{
    world_t *self = *state;
    s_open(self);
    static const char *const expected[] = { "out-of-scope", "tlp-red", "no-verdict",
                                            "consent-needed", "originator-unknown" };
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_TEST, NRS_TLP_CLEAR, 0), NRS_OK);
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_FRAUD, NRS_TLP_RED, 1), NRS_OK);
    assert_int_equal(s_apply(self, "bank", 0, NRS_TLP_CLEAR, 2), NRS_OK);
    assert_int_equal(s_apply(self, "shop", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 3), NRS_OK);
    assert_int_equal(s_apply(self, "stranger", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 4), NRS_OK);
    nrs_buf_t reply = { 0 };
    for (size_t i = 0; i < 5; i++) {
        char place[32], wanted[64];
        snprintf(place, sizeof place, "1/2/3/%zu", i);
        snprintf(wanted, sizeof wanted, "\"reason\":\"%s\"", expected[i]);
        nrs_buf_reset(&reply);
        assert_int_equal(s_ask(self, "why", place, &reply), NRS_OK);
        assert_non_null(strstr((char *)reply.data, wanted));
    }
    nrs_buf_reset(&reply);
    assert_int_equal(s_ask(self, "totals", "", &reply), NRS_OK);
    assert_non_null(
        strstr((char *)reply.data,
               "{\"id\":\"cda\",\"name\":\"CDA\",\"released\":0,\"projected\":0,\"held\":1,"
               "\"refused\":4,\"reasons\":{\"consent-needed\":1,\"no-verdict\":1,"
               "\"tlp-red\":1,\"originator-unknown\":1,\"out-of-scope\":1}}"));
    assert_int_equal(s_ask(self, "why", "1/2", &reply), NRS_E_FORMAT);
    assert_int_equal(s_ask(self, "who", "", &reply), NRS_E_ABSENT);
    nrs_buf_free(&reply);
}

static void
test_relay_of_a_failed_batch_counts_nothing(void **state)
{
    world_t *self = *state;
    s_open(self);
    self->out.append_fails = NRS_E_FULL;
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_FRAUD, NRS_TLP_GREEN, 0), NRS_E_FULL);
    self->out.append_fails = NRS_OK;
    assert_int_equal(s_apply(self, "bank", NRS_CLASS_FRAUD, NRS_TLP_GREEN, 0), NRS_OK);
    nrs_metric_t *metric =
        nrs_metrics_counter(self->context.metrics, "noroshi_relay_decisions_total",
                            "peer=\"ncfta\",outcome=\"released\",reason=\"agreed\"", "");
    assert_int_equal(nrs_metric_value(metric), 1);
}

static void
test_relay_takes_no_event_that_was_released_before(void **state)
{
    world_t *self = *state;
    s_open(self);
    nrs_buf_t packed = { 0 }, released = { 0 };
    nrs_event_t event;
    s_pack("bank", NRS_CLASS_FRAUD, NRS_TLP_CLEAR, 0, &packed);
    nrs_event_append(&released, nrs_buf_bytes(&packed), NRS_LAYER_RELEASE,
                     &(nrs_release_t){ .recipient = nrs_text("ncfta") });
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&released), &event), NRS_OK);
    assert_int_equal(relay_stage.apply(self->relay, &event, &self->out), NRS_E_FORMAT);
    s_assert_counts(self, 0, 0, 0);
    nrs_buf_free(&packed);
    nrs_buf_free(&released);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_relay_opens_a_topic_for_each_peer_and_its_key),
        STORY(test_relay_refuses_to_start_with_a_peer_without_a_key),
        STORY(test_relay_gives_each_peer_what_its_agreement_says),
        STORY(test_relay_asks_scope_label_and_originator),
        STORY(test_relay_answers_why_and_how_often),
        STORY(test_relay_of_a_failed_batch_counts_nothing),
        STORY(test_relay_takes_no_event_that_was_released_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
