// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/tap.h"

#include "common/bus_socket.h"
#include "common/codec.h"
#include "common/zap.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h> // for listeners that misbehave, as ours can't

enum { PATIENCE_MS = 10000 }; // for what must happen; no test waits for it when all is well

static char dir[64];
static nrs_keys_t server, red, amber, nobody;

static int
s_setup(void **state)
{
    (void)state;
    nrs_keys_t *all[] = { &server, &red, &amber, &nobody };
    for (size_t i = 0; i < 4; i++)
        if (zmq_curve_keypair(all[i]->public_text, all[i]->secret_text) != 0)
            return -1;
    snprintf(dir, sizeof dir, "/tmp/noroshi-tap-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int
s_teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

// --- a tap with listeners ------------------------------------------------------------------------

static uint64_t operator_clearance; // of everyone without a key
static uint64_t amber_clearance;

static uint64_t
s_clearance(void *me, const char *key_text)
{
    (void)me;
    if (strcmp(key_text, red.public_text) == 0)
        return NRS_TLP_RED;
    if (strcmp(key_text, amber.public_text) == 0)
        return amber_clearance;
    return key_text[0] ? 0 : operator_clearance;
}

typedef struct fixture {
    nrs_metrics_t *metrics;
    nrs_zap_t *zap;
    nrs_tap_t *tap;
    char endpoint[128];
    nrs_bus_t *awake; // a listener that has to be awake to come back after it was cut
} fixture_t;

static void
s_begin(fixture_t *self, const char *endpoint, const nrs_keys_t *keys)
{
    static const char *const topics[] = { "enriched", "classified" };
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_XPUB,
                                  .bind = true,
                                  .endpoint = endpoint,
                                  .keys = keys,
                                  .zap_domain = keys ? "tap" : NULL,
                                  .high_water = NRS_TAP_HIGH_WATER };
    operator_clearance = NRS_TLP_RED;
    amber_clearance = NRS_TLP_AMBER;
    self->zap = NULL;
    self->awake = NULL;
    if (keys) {
        assert_int_equal(nrs_zap_open(&self->zap), NRS_OK);
        nrs_zap_allow(self->zap, "tap", red.public_text, "red");
        nrs_zap_allow(self->zap, "tap", amber.public_text, "amber");
        nrs_zap_allow(self->zap, "tap", nobody.public_text, "nobody");
    }
    self->metrics = nrs_metrics_new();
    if (nrs_bus_open(&options, &problem, &bus))
        fail_msg("%s", problem.text);
    snprintf(self->endpoint, sizeof self->endpoint, "%s", nrs_bus_endpoint(bus));
    nrs_tap_options_t tap = { .realm = "live",
                              .topics = topics,
                              .topic_count = 2,
                              .clearance = s_clearance,
                              .metrics = self->metrics };
    assert_int_equal(nrs_tap_open(&bus, &tap, &self->tap), NRS_OK);
    assert_null(bus);
}

static void
s_end(fixture_t *self)
{
    nrs_tap_destroy(&self->tap);
    nrs_zap_destroy(&self->zap);
    nrs_metrics_destroy(&self->metrics);
}

static nrs_bus_t *
s_listener(const fixture_t *fixture, const nrs_keys_t *keys)
{
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_SUB,
                                  .endpoint = fixture->endpoint,
                                  .keys = keys,
                                  .server_key = keys ? server.public_text : NULL };
    if (nrs_bus_open(&options, &problem, &bus))
        fail_msg("%s", problem.text);
    return bus;
}

static uint64_t
s_refused(const fixture_t *self, const char *reason)
{
    char labels[64];
    snprintf(labels, sizeof labels, "reason=\"%s\"", reason);
    return nrs_metric_value(
        nrs_metrics_counter(self->metrics, "noroshi_tap_refused_total", labels, ""));
}

static uint64_t
s_granted(const fixture_t *self)
{
    return nrs_metric_value(
        nrs_metrics_gauge(self->metrics, "noroshi_tap_subscriptions", NULL, ""));
}

// Wait until something has come to the tap, and take it in.
static void
s_step(fixture_t *self)
{
    nrs_wait_t items[] = { { .bus = nrs_tap_bus(self->tap) }, { .bus = self->awake } };
    assert_true(nrs_bus_wait(items, self->awake ? 2 : 1, PATIENCE_MS) > 0);
    nrs_tap_step(self->tap);
}

static void
s_subscribe(nrs_bus_t *listener, const char *prefix)
{
    assert_int_equal(nrs_bus_subscribe(listener, nrs_text(prefix)), NRS_OK);
}

// --- events --------------------------------------------------------------------------------------

static nrs_event_t
s_event(nrs_buf_t *into, uint64_t tlp, const char *source, uint64_t type)
{
    nrs_buf_t origin_bytes = { 0 };
    static const uint8_t id[NRS_ID_BYTES] = { 1 };
    nrs_origin_t origin = { .id = nrs_bytes(id, sizeof id),
                            .form = NRS_FORM_REPORT,
                            .kind = NRS_KIND_URL,
                            .value = nrs_text("http://evil.example/"),
                            .tlp = tlp,
                            .source = nrs_text(source) };
    nrs_event_begin(&origin_bytes, &origin);
    nrs_buf_reset(into);
    if (type) {
        nrs_verdict_t verdict = { .class = nrs_class_of_type(type), .type = type };
        nrs_event_append(into, nrs_buf_bytes(&origin_bytes), NRS_LAYER_VERDICT, &verdict);
    } else {
        nrs_buf_put(into, origin_bytes.data, origin_bytes.size);
    }
    nrs_buf_free(&origin_bytes);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(into), &event), NRS_OK);
    return event;
}

// Publish one event of each label in both topics; the offset is the label.
static void
s_publish_all(fixture_t *self)
{
    static const char *const topics[] = { "enriched", "classified" };
    nrs_buf_t bytes = { 0 };
    for (size_t topic = 0; topic < 2; topic++)
        for (uint64_t label = NRS_TLP_CLEAR; label <= NRS_TLP_RED; label++) {
            nrs_event_t event = s_event(&bytes, label, "jpcert", 0);
            nrs_tap_publish(self->tap, topics[topic], 3, 1, label, &event);
        }
    nrs_buf_free(&bytes);
}

// What has arrived of that, as one letter an event: labels of topic enriched as "cgasr", of
// classified as "CGASR".
static const char *
s_heard(nrs_bus_t *listener, size_t count)
{
    static char letters[32];
    nrs_wait_t item = { .bus = listener };
    nrs_message_t message = { 0 };
    size_t at = 0;
    while (at < count) {
        if (nrs_bus_recv(listener, &message) == NRS_E_AGAIN) {
            assert_int_equal(nrs_bus_wait(&item, 1, PATIENCE_MS), 1);
            continue;
        }
        nrs_walk_t walk = nrs_walk(nrs_message_frame(&message, 1));
        uint32_t parts;
        uint64_t lane, epoch, offset;
        assert_int_equal(nrs_walk_array(&walk, 4, &parts), NRS_OK);
        assert_int_equal(nrs_walk_uint(&walk, UINT16_MAX, &lane), NRS_OK);
        assert_int_equal(nrs_walk_uint(&walk, UINT32_MAX, &epoch), NRS_OK);
        assert_int_equal(nrs_walk_uint(&walk, UINT64_MAX, &offset), NRS_OK);
        assert_true(parts == 4 && lane == 3 && epoch == 1);
        bool enriched = memcmp(nrs_message_frame(&message, 0).data, "live.enriched.", 14) == 0;
        letters[at++] = (enriched ? "-cgasr" : "-CGASR")[offset];
    }
    letters[at] = 0;
    nrs_message_clear(&message);
    return letters;
}

// --- topic text ----------------------------------------------------------------------------------

#define S64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *topic;
    uint64_t tlp;
    const char *source;
    uint64_t type;
    const char *text;
} texts[] = {
    { "classified", NRS_TLP_GREEN, "jpcert", NRS_TYPE_PHISHING,
      "live.classified.green.fraud.phishing.url.jpcert" },
    { "enriched", NRS_TLP_AMBER_STRICT, "jpcert", 0, "live.enriched.amber+strict.-.-.url.jpcert" },
    { "enriched", 0, "", 0, "live.enriched.red.-.-.url.-" },
    { "enriched", NRS_TLP_CLEAR, "JP.Cert *\xe7\x8b\xbc", 0,
      "live.enriched.clear.-.-.url.____ert_____" },
    { "releases/ncfta", NRS_TLP_CLEAR, "x", NRS_TYPE_C2_SERVER,
      "live.releases/ncfta.clear.malicious-code.c2-server.url.x" },
    { S64 S64, NRS_TLP_AMBER_STRICT, S64, NRS_TYPE_UNAUTHORISED_INFORMATION_MODIFICATION,
      "live." S64 S64 ".amber+strict.information-content-security.unauthor" },
};

static void
test_tap_text_names_what_the_event_is(void **state)
{
    (void)state;
    nrs_buf_t bytes = { 0 };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[NRS_TAP_TEXT_MAX];
        nrs_event_t event = s_event(&bytes, texts[i].tlp, texts[i].source, texts[i].type);
        size_t length = nrs_tap_text("live", texts[i].topic, &event, text);
        assert_int_equal(length, strlen(text));
        assert_true(length < NRS_TAP_TEXT_MAX);
        if (strncmp(text, texts[i].text, strlen(texts[i].text)) != 0 ||
            (i < 5 && strlen(texts[i].text) != length))
            fail_msg("%s", text);
    }
    nrs_buf_free(&bytes);
}

static void
test_tap_refuses_names_that_leave_no_room(void **state)
{
    (void)state;
    static const char *const topics[] = { S64 S64 };
    nrs_bus_t *bus = NULL;
    nrs_bus_options_t options = { .type = NRS_BUS_XPUB, .bind = true, .endpoint = "inproc://tap" };
    assert_int_equal(nrs_bus_open(&options, NULL, &bus), NRS_OK);
    nrs_tap_options_t tap = {
        .realm = "live", .topics = topics, .topic_count = 1, .clearance = s_clearance
    };
    nrs_tap_t *self = NULL;
    assert_int_equal(nrs_tap_open(&bus, &tap, &self), NRS_E_LIMIT);
    assert_null(self);
    nrs_bus_destroy(&bus);
}

// --- clearance -----------------------------------------------------------------------------------

static const struct {
    uint64_t clearance;
    const char *prefix;
    const char *heard;
    const char *refused; // reason, or NULL
} grants[] = {
    { NRS_TLP_RED, "", "cgasrCGASR", NULL },
    { NRS_TLP_RED, "live.", "cgasrCGASR", NULL },
    { NRS_TLP_RED, "live.enriched.red", "r", NULL },
    { NRS_TLP_RED, "live.enriched.amber", "as", NULL },
    { NRS_TLP_AMBER, "", "cgaCGA", NULL },
    { NRS_TLP_AMBER, "l", "cgaCGA", NULL },
    { NRS_TLP_AMBER, "live", "cgaCGA", NULL },
    { NRS_TLP_AMBER, "live.", "cgaCGA", NULL },
    { NRS_TLP_AMBER, "live.enriched", "cga", NULL },
    { NRS_TLP_AMBER, "live.enriched.", "cga", NULL },
    { NRS_TLP_AMBER, "live.c", "CGA", NULL },
    { NRS_TLP_AMBER, "live.enriched.amber", "a", NULL },
    { NRS_TLP_AMBER, "live.enriched.amber.", "a", NULL },
    { NRS_TLP_AMBER, "live.enriched.amber+", "", "clearance" },
    { NRS_TLP_AMBER, "live.enriched.red", "", "clearance" },
    { NRS_TLP_AMBER, "live.enriched.red.-.", "", "clearance" },
    { NRS_TLP_AMBER_STRICT, "live.enriched.amber", "as", NULL },
    { NRS_TLP_CLEAR, "", "cC", NULL },
    { NRS_TLP_CLEAR, "live.enriched.clear.-.-.url.jpcert", "c", NULL },
    { NRS_TLP_CLEAR, "live.enriched.clear.-.-.domain", "", NULL },
    { 0, "", "", "clearance" },
    { 0, "live.enriched.clear.", "", "clearance" },
    { NRS_TLP_RED, "drill.", "", NULL }, // of another tap
    { NRS_TLP_RED, "live.reports.", "", NULL },
    { NRS_TLP_RED, ".", "", "form" },
    { NRS_TLP_RED, "live..", "", "form" },
    { NRS_TLP_RED, "a.b.c.d.e.f.g.", "", "form" },
    { NRS_TLP_RED, "LIVE.", "", "form" },
    { NRS_TLP_RED, "live.\xff", "", "form" },
    { NRS_TLP_RED, "live.enriched.clear." S64 S64 S64, "", "length" },
};

static void
test_tap_grants_what_the_clearance_covers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
        fixture_t fixture;
        s_begin(&fixture, "inproc://tap", NULL);
        operator_clearance = grants[i].clearance;
        NRS_AUTO(nrs_bus) listener = s_listener(&fixture, NULL);
        s_subscribe(listener, grants[i].prefix);
        s_step(&fixture);
        bool hears = nrs_tap_heard(fixture.tap);
        s_publish_all(&fixture);
        const char *heard = s_heard(listener, strlen(grants[i].heard));
        nrs_message_t more = { 0 };
        bool too_much =
            nrs_bus_recv(listener, &more) != NRS_E_AGAIN; // inproc: whatever is sent is there
        nrs_message_clear(&more);
        if (strcmp(heard, grants[i].heard) != 0 || too_much || (grants[i].heard[0] && !hears))
            fail_msg("%zu: %s under %d: %s", i, grants[i].prefix, (int)grants[i].clearance, heard);
        if (grants[i].refused)
            assert_int_equal(s_refused(&fixture, grants[i].refused), 1);
        nrs_bus_destroy(&listener);
        s_end(&fixture);
    }
}

static void
test_tap_takes_back_only_what_was_unsubscribed(void **state)
{
    (void)state;
    fixture_t fixture;
    s_begin(&fixture, "inproc://tap", NULL);
    operator_clearance = NRS_TLP_GREEN;
    NRS_AUTO(nrs_bus) listener = s_listener(&fixture, NULL);
    assert_false(nrs_tap_heard(fixture.tap));
    s_subscribe(listener, "live.");
    s_subscribe(listener, "live.enriched.");
    s_subscribe(listener, "live.enriched.green.");
    s_step(&fixture);
    assert_int_equal(s_granted(&fixture), 3);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 4), "cgCG");

    // All three reach live.enriched.green.; the other two go on doing so.
    assert_int_equal(nrs_bus_unsubscribe(listener, nrs_text("live.")), NRS_OK);
    s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 2), "cg");
    assert_int_equal(nrs_bus_unsubscribe(listener, nrs_text("live.enriched.")), NRS_OK);
    s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 1), "g");
    assert_int_equal(nrs_bus_unsubscribe(listener, nrs_text("live.enriched.green.")), NRS_OK);
    s_step(&fixture);
    assert_false(nrs_tap_heard(fixture.tap));
    nrs_bus_destroy(&listener);
    s_end(&fixture);
}

static void
test_tap_is_not_heard_once_its_listeners_have_gone(void **state)
{
    (void)state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/gone", dir);
    fixture_t fixture;
    s_begin(&fixture, endpoint, NULL);
    nrs_bus_t *listeners[3];
    for (size_t i = 0; i < 3; i++) {
        listeners[i] = s_listener(&fixture, NULL);
        s_subscribe(listeners[i], "live.");
        s_subscribe(listeners[i], "live.enriched.");
    }
    while (s_granted(&fixture) < 6)
        s_step(&fixture);
    for (size_t i = 0; i < 3; i++) {
        assert_true(nrs_tap_heard(fixture.tap));
        nrs_bus_destroy(&listeners[i]); // libzmq does not say whose subscriptions end
        while (s_granted(&fixture) > 2 * (2 - i))
            s_step(&fixture);
    }
    assert_false(nrs_tap_heard(fixture.tap));
    s_end(&fixture);
}

static void
test_tap_bounds_the_subscriptions_of_one_listener(void **state)
{
    (void)state;
    char endpoint[128], prefix[64];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/bound", dir);
    fixture_t fixture;
    s_begin(&fixture, endpoint, NULL);
    NRS_AUTO(nrs_bus) greedy = s_listener(&fixture, NULL);
    NRS_AUTO(nrs_bus) modest = s_listener(&fixture, NULL);
    for (int i = 0; i < NRS_TAP_SUBSCRIPTIONS_MAX + 10; i++) {
        snprintf(prefix, sizeof prefix, "live.enriched.clear.-.-.url.%d", i);
        s_subscribe(greedy, prefix);
    }
    while (s_granted(&fixture) < NRS_TAP_SUBSCRIPTIONS_MAX || s_refused(&fixture, "limit") < 10)
        s_step(&fixture);
    assert_int_equal(s_granted(&fixture), NRS_TAP_SUBSCRIPTIONS_MAX);
    s_subscribe(modest, "live.");
    while (s_granted(&fixture) <= NRS_TAP_SUBSCRIPTIONS_MAX)
        s_step(&fixture);
    nrs_bus_destroy(&greedy);
    while (s_granted(&fixture) > 1)
        s_step(&fixture);
    assert_true(nrs_tap_heard(fixture.tap));
    s_publish_all(&fixture);
    assert_string_equal(s_heard(modest, 10), "cgasrCGASR");
    nrs_bus_destroy(&modest);
    while (nrs_tap_heard(fixture.tap))
        s_step(&fixture);
    s_end(&fixture);
}

// --- listeners with keys -------------------------------------------------------------------------

static void
test_tap_knows_listeners_by_their_keys(void **state)
{
    (void)state;
    fixture_t fixture;
    s_begin(&fixture, "tcp://127.0.0.1:*", &server);
    NRS_AUTO(nrs_bus) hears_all = s_listener(&fixture, &red);
    NRS_AUTO(nrs_bus) hears_some = s_listener(&fixture, &amber);
    NRS_AUTO(nrs_bus) hears_nothing = s_listener(&fixture, &nobody);
    s_subscribe(hears_all, "");
    s_subscribe(hears_some, "");
    s_subscribe(hears_nothing, "");
    while (s_granted(&fixture) < 2 || s_refused(&fixture, "clearance") < 1)
        s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(hears_all, 10), "cgasrCGASR");
    assert_string_equal(s_heard(hears_some, 6), "cgaCGA");
    nrs_message_t message = { 0 };
    assert_int_equal(nrs_bus_recv(hears_nothing, &message), NRS_E_AGAIN);
    nrs_bus_destroy(&hears_all);
    nrs_bus_destroy(&hears_some);
    nrs_bus_destroy(&hears_nothing);
    s_end(&fixture);
}

static void
test_tap_review_lowers_a_clearance_at_once(void **state)
{
    (void)state;
    fixture_t fixture;
    s_begin(&fixture, "tcp://127.0.0.1:*", &server);
    NRS_AUTO(nrs_bus) listener = s_listener(&fixture, &amber);
    fixture.awake = listener;
    s_subscribe(listener, "live.enriched.");
    while (s_granted(&fixture) < 1)
        s_step(&fixture);
    nrs_tap_review(fixture.tap); // nothing has changed, nobody is cut
    amber_clearance = NRS_TLP_CLEAR;
    nrs_tap_review(fixture.tap);
    while (nrs_tap_heard(fixture.tap)) // cut
        s_step(&fixture);
    while (!nrs_tap_heard(fixture.tap)) // and back
        s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 1), "c");
    nrs_bus_destroy(&listener);
    s_end(&fixture);
}

// --- listeners that misbehave --------------------------------------------------------------------

static void *
s_raw(const fixture_t *fixture)
{
    int linger = 0;
    void *socket = zmq_socket(nrs_context_take(), ZMQ_XSUB);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(socket, fixture->endpoint), 0);
    return socket;
}

static void
s_raw_end(void *socket)
{
    zmq_close(socket);
    nrs_context_drop();
}

// A message that is no subscription makes libzmq mistake the sender of each subscription for that
// of the next. Nothing of what came with it may be granted; what comes later is.
static void
test_tap_grants_nothing_while_the_senders_are_in_doubt(void **state)
{
    (void)state;
    fixture_t fixture;
    s_begin(&fixture, "inproc://tap", NULL);
    void *rude = s_raw(&fixture), *cleared = s_raw(&fixture), *uncleared = s_raw(&fixture);
    assert_int_equal(zmq_send(rude, "noise", 5, 0), 5);
    assert_int_equal(zmq_send(cleared, "\1live.enriched.red.", 19, 0), 19);
    assert_int_equal(zmq_send(uncleared, "\1live.enriched.clear.", 21, 0), 21);
    s_step(&fixture);
    assert_int_equal(s_refused(&fixture, "message"), 1);
    assert_int_equal(s_refused(&fixture, "order"), 2);
    assert_false(nrs_tap_heard(fixture.tap));
    // Even if someone else were heard, these are not.
    NRS_AUTO(nrs_bus) listener = s_listener(&fixture, NULL);
    s_subscribe(listener, "live.enriched.");
    s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 5), "cgasr");
    char bytes[256];
    assert_int_equal(zmq_recv(cleared, bytes, sizeof bytes, ZMQ_DONTWAIT), -1);
    assert_int_equal(zmq_recv(uncleared, bytes, sizeof bytes, ZMQ_DONTWAIT), -1);
    nrs_bus_destroy(&listener);
    s_raw_end(rude);
    s_raw_end(cleared);
    s_raw_end(uncleared);
    s_end(&fixture);
}

// Whoever is hit by that is cut, and subscribes again by itself.
static void
test_tap_listeners_come_back_after_noise(void **state)
{
    (void)state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/noise", dir);
    fixture_t fixture;
    s_begin(&fixture, endpoint, NULL);
    void *rude = s_raw(&fixture);
    NRS_AUTO(nrs_bus) listener = s_listener(&fixture, NULL);
    fixture.awake = listener;
    s_subscribe(listener, "live.enriched.");
    zmq_send(rude, "noise", 5, 0);
    while (!nrs_tap_heard(fixture.tap) || s_refused(&fixture, "message") == 0)
        s_step(&fixture);
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 5), "cgasr");
    nrs_bus_destroy(&listener);
    s_raw_end(rude);
    s_end(&fixture);
}

// Subscribing twice, ending what was never begun: whoever behaves must not go unheard by it.
static void
test_tap_counting_survives_nonsense(void **state)
{
    (void)state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/nonsense", dir);
    fixture_t fixture;
    s_begin(&fixture, endpoint, NULL);
    NRS_AUTO(nrs_bus) listener = s_listener(&fixture, NULL);
    s_subscribe(listener, "live.enriched.");
    while (!nrs_tap_heard(fixture.tap))
        s_step(&fixture);
    for (int round = 0; round < 3; round++) {
        void *rude = s_raw(&fixture), *helper = s_raw(&fixture);
        zmq_send(rude, "\1live.enriched.", 15, 0);
        while (s_granted(&fixture) < 2)
            s_step(&fixture);
        zmq_send(helper, "\0live.enriched.", 15, 0);
        zmq_send(helper, "\0live.enriched.", 15, 0);
        zmq_send(helper, "\1live.classified.", 17, 0);
        while (s_granted(&fixture) < 3)
            s_step(&fixture);
        s_raw_end(rude);
        s_raw_end(helper);
        while (s_granted(&fixture) > 1)
            s_step(&fixture);
        assert_true(nrs_tap_heard(fixture.tap));
    }
    s_publish_all(&fixture);
    assert_string_equal(s_heard(listener, 5), "cgasr");
    nrs_bus_destroy(&listener);
    s_end(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_text_names_what_the_event_is),
        cmocka_unit_test(test_tap_refuses_names_that_leave_no_room),
        cmocka_unit_test(test_tap_grants_what_the_clearance_covers),
        cmocka_unit_test(test_tap_takes_back_only_what_was_unsubscribed),
        cmocka_unit_test(test_tap_is_not_heard_once_its_listeners_have_gone),
        cmocka_unit_test(test_tap_bounds_the_subscriptions_of_one_listener),
        cmocka_unit_test(test_tap_knows_listeners_by_their_keys),
        cmocka_unit_test(test_tap_review_lowers_a_clearance_at_once),
        cmocka_unit_test(test_tap_grants_nothing_while_the_senders_are_in_doubt),
        cmocka_unit_test(test_tap_listeners_come_back_after_noise),
        cmocka_unit_test(test_tap_counting_survives_nonsense),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
