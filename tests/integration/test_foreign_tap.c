// A client that shares no code with us listens to a tap, by the specification alone (proto/tap.md).
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/keys.h"
#include "common/tap.h"
#include "common/zap.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 20000 };

static uint64_t
s_green(void *me, const char *key_text)
{
    (void)me, (void)key_text;
    return NRS_TLP_GREEN;
}

// The event of proto/tap.md, "Vectors".
static void
s_make_event(nrs_buf_t *into, uint64_t tlp)
{
    static const uint8_t id[NRS_ID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                              0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
    nrs_buf_t origin_bytes = { 0 };
    nrs_origin_t origin = { .instance = 1,
                            .lane = 3,
                            .epoch = 1,
                            .offset = 7,
                            .id = nrs_bytes(id, sizeof id),
                            .form = NRS_FORM_REPORT,
                            .kind = NRS_KIND_URL,
                            .value = nrs_text("http://example.test/"),
                            .observed_at = 1795339800000,
                            .received_at = 1795339800500,
                            .originator = nrs_text("jpcert"),
                            .source = nrs_text("jpcert"),
                            .tlp = tlp };
    nrs_verdict_t verdict = { .class = NRS_CLASS_FRAUD, .type = NRS_TYPE_PHISHING };
    nrs_event_begin(&origin_bytes, &origin);
    nrs_event_append(into, nrs_buf_bytes(&origin_bytes), NRS_LAYER_VERDICT, &verdict);
    nrs_buf_free(&origin_bytes);
}

static void
s_publish(nrs_tap_t *tap, uint64_t tlp, uint64_t offset)
{
    nrs_event_t event;
    nrs_buf_t bytes = { 0 };
    s_make_event(&bytes, tlp);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&bytes), &event), NRS_OK);
    nrs_tap_publish(tap, "classified", 3, 1, offset, &event);
    nrs_buf_free(&bytes);
}

static void
s_expect_line(FILE *client, unsigned offset)
{
    char line[1024], expected[1024];
    snprintf(
        expected, sizeof expected,
        "{\"topic\": \"live.classified.green.fraud.phishing.url.jpcert\", \"lane\": 3, \"epoch\": "
        "1, "
        "\"offset\": %u, \"origin.id\": \"00112233445566778899aabbccddeeff\", \"origin.kind\": 2, "
        "\"origin.value\": \"http://example.test/\", \"origin.observed_at\": 1795339800000, "
        "\"origin.source\": \"jpcert\", \"origin.tlp\": 2, \"verdict.class\": 8, \"verdict.type\": "
        "31}\n",
        offset);
    assert_non_null(fgets(line, sizeof line, client));
    assert_string_equal(line, expected);
}

static nrs_tap_t *
s_open(const nrs_bus_options_t *options, nrs_metrics_t *metrics, char endpoint[128])
{
    static const char *const topics[] = { "classified" };
    nrs_bus_t *bus = NULL;
    nrs_tap_t *tap = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_bus_open(options, &problem, &bus))
        fail_msg("%s", problem.text);
    snprintf(endpoint, 128, "%s", nrs_bus_endpoint(bus));
    nrs_tap_options_t tap_options = { "live", topics, 1, s_green, NULL, metrics };
    assert_int_equal(nrs_tap_open(&bus, &tap_options, &tap), NRS_OK);
    return tap;
}

// Start the client, wait until it listens, publish, and read what it prints.
static void
s_converse(nrs_tap_t *tap, const char *arguments)
{
    char command[1024];
    nrs_wait_t item = { .bus = nrs_tap_bus(tap) };
    snprintf(command, sizeof command, "/usr/bin/python3 '%s/tests/integration/foreign_tap.py' %s",
             NOROSHI_SOURCE_DIR, arguments);
    FILE *client = popen(command, "r");
    assert_non_null(client);
    while (!nrs_tap_heard(tap)) {
        assert_int_equal(nrs_bus_wait(&item, 1, PATIENCE_MS), 1);
        nrs_tap_step(tap);
    }
    s_publish(tap, NRS_TLP_GREEN, 7);
    s_publish(tap, NRS_TLP_RED, 8); // above its clearance: a gap in its offsets
    s_publish(tap, NRS_TLP_GREEN, 9);
    s_expect_line(client, 7);
    s_expect_line(client, 9);
    assert_int_equal(pclose(client), 0);
}

static void
test_foreign_client_listens_on_ipc(void **state)
{
    char endpoint[128], arguments[512];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/tap", (const char *)*state);
    nrs_metrics_t *metrics = nrs_metrics_new();
    nrs_bus_options_t options = { .type = NRS_BUS_XPUB, .bind = true, .endpoint = endpoint };
    char bound[128];
    nrs_tap_t *tap = s_open(&options, metrics, bound);
    snprintf(arguments, sizeof arguments, "%s live. 2", bound);
    s_converse(tap, arguments);
    nrs_tap_destroy(&tap);
    nrs_metrics_destroy(&metrics);
}

static void
test_foreign_client_listens_with_a_key(void **state)
{
    const char *dir = *state;
    char endpoint[128], arguments[512];
    nrs_keys_t server, client;
    assert_int_equal(nrs_keys_new(dir, "enrich-1", NULL, &server), NRS_OK);
    assert_int_equal(nrs_keys_new(dir, "analyst", NULL, &client), NRS_OK);
    NRS_AUTO(nrs_zap) zap = NULL;
    assert_int_equal(nrs_zap_open(&zap), NRS_OK);
    nrs_zap_allow(zap, "tap", client.public_text, "analyst");

    nrs_metrics_t *metrics = nrs_metrics_new();
    nrs_bus_options_t options = { .type = NRS_BUS_XPUB,
                                  .bind = true,
                                  .endpoint = "tcp://127.0.0.1:*",
                                  .keys = &server,
                                  .zap_domain = "tap" };
    nrs_tap_t *tap = s_open(&options, metrics, endpoint);
    snprintf(arguments, sizeof arguments, "%s live.classified.green. 2 %s/analyst.key '%s'",
             endpoint, dir, server.public_text);
    s_converse(tap, arguments);
    nrs_tap_destroy(&tap);
    nrs_metrics_destroy(&metrics);
}

// The bytes that proto/tap.md shows.
static void
test_foreign_vector_is_what_we_send(void **state)
{
    (void)state;
    char path[512], text[128], hex[1024], got[1024] = "";
    snprintf(path, sizeof path, "%s/proto/vectors/tap.txt", NOROSHI_SOURCE_DIR);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%127s %1023s", text, hex), 2);
    fclose(file);

    nrs_metrics_t *metrics = nrs_metrics_new();
    nrs_bus_options_t options = { .type = NRS_BUS_XPUB,
                                  .bind = true,
                                  .endpoint = "inproc://vector" };
    char endpoint[128];
    nrs_tap_t *tap = s_open(&options, metrics, endpoint);
    NRS_AUTO(nrs_bus) listener = NULL;
    nrs_bus_options_t listen = { .type = NRS_BUS_SUB, .endpoint = "inproc://vector" };
    assert_int_equal(nrs_bus_open(&listen, NULL, &listener), NRS_OK);
    assert_int_equal(nrs_bus_subscribe(listener, NRS_NONE), NRS_OK);
    nrs_tap_step(tap);
    s_publish(tap, NRS_TLP_GREEN, 7);
    nrs_message_t message = { 0 };
    assert_int_equal(nrs_bus_recv(listener, &message), NRS_OK);
    nrs_bytes_t body = nrs_message_frame(&message, 1);
    assert_true(nrs_bytes_is(nrs_message_frame(&message, 0), text));
    for (size_t i = 0; i < body.size && 2 * i + 3 <= sizeof got; i++)
        snprintf(got + 2 * i, 3, "%02x", body.data[i]);
    assert_string_equal(got, hex);
    nrs_message_clear(&message);
    nrs_bus_destroy(&listener);
    nrs_tap_destroy(&tap);
    nrs_metrics_destroy(&metrics);
}

static char dir[] = "/tmp/noroshi-foreign-XXXXXX";

static int
s_setup(void **state)
{
    *state = mkdtemp(dir);
    return *state ? 0 : -1;
}

static int
s_teardown(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_client_listens_on_ipc),
        cmocka_unit_test(test_foreign_client_listens_with_a_key),
        cmocka_unit_test(test_foreign_vector_is_what_we_send),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
