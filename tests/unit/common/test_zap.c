// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/zap.h"

#include "common/bus.h"
#include "common/bus_socket.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h> // for clients that misbehave, as ours can't

enum { PATIENCE_MS = 10000 }; // for what must happen; no test waits for it when all is well

// --- the log is caught here instead of written: what it says is part of the promise --------------

static pthread_mutex_t logged_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1024];

void
nrs_log_write(nrs_log_level_t level, const char *event, const nrs_log_field_t *fields)
{
    pthread_mutex_lock(&logged_lock);
    int at = snprintf(logged, sizeof logged, "%d %s", level, event);
    for (; fields->name; fields++) {
        nrs_bytes_t value =
            fields->type == NRS_LOG_BYTES ? fields->as.bytes : nrs_text(fields->as.str);
        at += snprintf(logged + at, sizeof logged - (size_t)at, " %s=%.*s", fields->name,
                       (int)value.size, (const char *)value.data);
    }
    pthread_mutex_unlock(&logged_lock);
}

static bool
s_logged(const char *text)
{
    pthread_mutex_lock(&logged_lock);
    bool found = strstr(logged, text) != NULL;
    pthread_mutex_unlock(&logged_lock);
    return found;
}

// --- the cast ------------------------------------------------------------------------------------

static nrs_keys_t server, friend, stranger;

static int
s_setup(void **state)
{
    (void)state;
    nrs_keys_t *all[] = { &server, &friend, &stranger };
    for (size_t i = 0; i < 3; i++)
        if (zmq_curve_keypair(all[i]->public_text, all[i]->secret_text) != 0)
            return -1;
    return 0;
}

static nrs_bus_t *
s_serve(const char *domain)
{
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER,
                                  .bind = true,
                                  .keys = &server,
                                  .endpoint = "tcp://127.0.0.1:*",
                                  .zap_domain = domain };
    if (nrs_bus_open(&options, &problem, &bus))
        fail_msg("%s", problem.text);
    return bus;
}

static nrs_zap_t *
s_handler(void)
{
    nrs_zap_t *zap = NULL;
    assert_int_equal(nrs_zap_open(&zap), NRS_OK);
    return zap;
}

// A client that watches its own handshake.
typedef struct client {
    void *socket;
    void *monitor;
} client_t;

static client_t
s_client(const char *endpoint, const nrs_keys_t *keys)
{
    static int number;
    char events[32];
    int linger = 0;
    client_t self = { zmq_socket(nrs_context_take(), ZMQ_DEALER), NULL };
    self.monitor = zmq_socket(nrs_context_take(), ZMQ_PAIR);
    assert_true(self.socket && self.monitor);
    snprintf(events, sizeof events, "inproc://events-%d", number++);
    zmq_setsockopt(self.socket, ZMQ_LINGER, &linger, sizeof linger);
    if (keys) {
        zmq_setsockopt(self.socket, ZMQ_CURVE_SERVERKEY, server.public_text, 40);
        zmq_setsockopt(self.socket, ZMQ_CURVE_PUBLICKEY, keys->public_text, 40);
        zmq_setsockopt(self.socket, ZMQ_CURVE_SECRETKEY, keys->secret_text, 40);
    }
    int kinds = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                ZMQ_EVENT_DISCONNECTED;
    assert_int_equal(zmq_socket_monitor(self.socket, events, kinds), 0);
    assert_int_equal(zmq_connect(self.monitor, events), 0);
    assert_int_equal(zmq_connect(self.socket, endpoint), 0);
    return self;
}

static void
s_leave(client_t *self)
{
    zmq_socket_monitor(self->socket, NULL, 0);
    zmq_close(self->monitor);
    zmq_close(self->socket);
    nrs_context_drop();
    nrs_context_drop();
}

// How its next handshake ends.
static bool
s_gets_in(client_t *self)
{
    int patience = PATIENCE_MS;
    uint8_t event[6], address[256];
    zmq_setsockopt(self->monitor, ZMQ_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(zmq_recv(self->monitor, event, sizeof event, 0), 6);
    assert_true(zmq_recv(self->monitor, address, sizeof address, 0) >= 0);
    return nrs_get_le16(event) == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
}

static bool
s_may_enter(const char *endpoint, const nrs_keys_t *keys)
{
    client_t client = s_client(endpoint, keys);
    bool in = s_gets_in(&client);
    s_leave(&client);
    return in;
}

// --- who gets in ---------------------------------------------------------------------------------

static void
test_zap_lets_in_a_known_key_and_names_it_on_each_message(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_allow(zap, "follow", friend.public_text, "NCFTA");
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    client_t client = s_client(nrs_bus_endpoint(bus), &friend);
    assert_true(s_gets_in(&client));
    assert_int_equal(zmq_send(client.socket, "hello", 5, 0), 5);

    nrs_wait_t item = { .bus = bus };
    nrs_message_t message = { 0 };
    char user[NRS_USER_BYTES_MAX];
    assert_int_equal(nrs_bus_wait(&item, 1, PATIENCE_MS),
                     1); // polled first: see proto/bus.md, User-Id
    assert_int_equal(nrs_bus_recv(bus, &message), NRS_OK);
    assert_string_equal(nrs_message_user(&message, user), friend.public_text);
    nrs_message_clear(&message);
    assert_int_equal(nrs_zap_denied(zap), 0);
    s_leave(&client);
}

static void
test_zap_keeps_out_a_stranger_and_says_so(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_allow(zap, "follow", friend.public_text, "NCFTA");
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    assert_false(s_may_enter(nrs_bus_endpoint(bus), &stranger));
    assert_true(nrs_zap_denied(zap) >= 1); // libzmq's client tries again by itself
    assert_true(s_logged("1 peer.denied domain=follow address=127.0.0.1 key="));
    assert_true(s_logged(stranger.public_text));
}

static void
test_zap_keeps_out_whoever_has_no_key(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    assert_non_null(zap);
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    assert_false(s_may_enter(nrs_bus_endpoint(bus), NULL));
}

static void
test_zap_keeps_out_a_key_of_another_domain(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_allow(zap, "tap", friend.public_text, "NCFTA");
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    assert_false(s_may_enter(nrs_bus_endpoint(bus), &friend));
    nrs_zap_allow(zap, "follow", friend.public_text, "NCFTA");
    assert_true(s_may_enter(nrs_bus_endpoint(bus), &friend));
}

static void
test_zap_lets_nobody_in_while_there_is_no_handler(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    assert_false(s_may_enter(nrs_bus_endpoint(bus), &friend));
}

static void
test_zap_revoked_key_stays_in_until_it_is_cut(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_allow(zap, "follow", friend.public_text, "NCFTA");
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    client_t client = s_client(nrs_bus_endpoint(bus), &friend);
    assert_true(s_gets_in(&client));

    nrs_zap_revoke(zap, "follow", friend.public_text);
    assert_int_equal(zmq_send(client.socket, "still here", 10, 0), 10);
    nrs_wait_t item = { .bus = bus };
    nrs_message_t message = { 0 };
    char user[NRS_USER_BYTES_MAX];
    assert_int_equal(nrs_bus_wait(&item, 1, PATIENCE_MS), 1);
    assert_int_equal(nrs_bus_recv(bus, &message), NRS_OK);
    assert_null(nrs_zap_allowed(zap, "follow", nrs_message_user(&message, user)));
    nrs_bus_cut(nrs_message_connection(&message));
    nrs_message_clear(&message);

    assert_false(s_gets_in(&client)); // disconnected
    assert_false(s_gets_in(&client)); // and refused when it comes back
    s_leave(&client);
}

// Plain bytes on the TCP port: the connection is closed, and the next honest one is served.
static void
test_zap_port_survives_garbage(void **state)
{
    (void)state;
    static const struct {
        char bytes[64];
        size_t size;
    } greetings[] = {
        { "GET / HTTP/1.0\r\n\r\n", 18 },
        { "\xff\x01\x01", 3 },
        { "\xff\0\0\0\0\0\0\0\1\x7f\3\0PLAIN", 64 }, // a greeting of ZMTP 3, of another mechanism
    };
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_allow(zap, "follow", friend.public_text, "NCFTA");
    NRS_AUTO(nrs_bus) bus = s_serve("follow");
    unsigned port = 0;
    assert_int_equal(sscanf(nrs_bus_endpoint(bus), "tcp://127.0.0.1:%u", &port), 1);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (size_t i = 0; i < 3; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(send(fd, greetings[i].bytes, greetings[i].size, MSG_NOSIGNAL),
                         (ssize_t)greetings[i].size);
        ssize_t got;
        char reply[256];
        struct pollfd item = { .fd = fd, .events = POLLIN };
        do { // its own greeting may come first; then the end
            assert_int_equal(poll(&item, 1, PATIENCE_MS), 1);
            got = recv(fd, reply, sizeof reply, 0);
        } while (got > 0);
        close(fd);
    }
    assert_true(s_may_enter(nrs_bus_endpoint(bus), &friend));
}

// --- the table -----------------------------------------------------------------------------------

static void
test_zap_table_knows_each_key_in_each_domain(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    const nrs_keys_t *keys[] = { &server, &friend, &stranger };
    static const char *const domains[] = { "follow", "submit", "tap", "a", "follow/2", "z" };
    char name[32];
    for (size_t d = 0; d < 6; d++)
        for (size_t k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s %zu", domains[d], k);
            nrs_zap_allow(zap, domains[d], keys[k]->public_text, name);
        }
    for (size_t d = 0; d < 6; d++)
        for (size_t k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s %zu", domains[d], k);
            assert_string_equal(nrs_zap_allowed(zap, domains[d], keys[k]->public_text), name);
        }
    nrs_zap_allow(zap, "tap", friend.public_text, "renamed");
    assert_string_equal(nrs_zap_allowed(zap, "tap", friend.public_text), "renamed");
    nrs_zap_revoke(zap, "tap", friend.public_text);
    nrs_zap_revoke(zap, "tap", friend.public_text); // again: nothing happens
    assert_null(nrs_zap_allowed(zap, "tap", friend.public_text));
    assert_string_equal(nrs_zap_allowed(zap, "submit", friend.public_text), "submit 1");
    assert_null(nrs_zap_allowed(zap, "", friend.public_text));
    assert_null(nrs_zap_allowed(zap, "follow", ""));
}

static void
test_zap_has_one_handler_a_process(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    nrs_zap_t *second = NULL;
    assert_int_equal(nrs_zap_open(&second), NRS_E_EXISTS);
    assert_null(second);
    nrs_zap_destroy(&second);
    nrs_zap_destroy(&zap);
    zap = s_handler(); // and another one after it
}

// --- requests that libzmq would not make ---------------------------------------------------------

#define KEY32 "0123456789abcdef0123456789abcdef"
#define LONG  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

static const struct {
    const char *what;
    const char *frames[10]; // NULL ends them
    const char *status;
} requests[] = {
    { "unknown key", { "1.0", "7", "follow", "::1", "", "CURVE", KEY32 }, "400" },
    { "NULL", { "1.0", "7", "follow", "::1", "", "NULL" }, "400" },
    { "PLAIN", { "1.0", "7", "follow", "::1", "", "PLAIN", "admin", "secret" }, "400" },
    { "no domain", { "1.0", "7", "", "::1", "", "CURVE", KEY32 }, "400" },
    { "long domain", { "1.0", "7", LONG, "::1", "", "CURVE", KEY32 }, "400" },
    { "short key", { "1.0", "7", "follow", "::1", "", "CURVE", "x" }, "400" },
    { "key in text form", { "1.0", "7", "follow", "::1", "", "CURVE", KEY32 "01234567" }, "400" },
    { "no key", { "1.0", "7", "follow", "::1", "", "CURVE" }, "400" },
    { "two keys", { "1.0", "7", "follow", "::1", "", "CURVE", KEY32, KEY32 }, "400" },
    { "one frame", { "1.0" }, "400" },
    { "an empty frame", { "" }, "500" },
    { "another version", { "2.0", "7", "follow", "::1", "", "CURVE", KEY32 }, "500" },
    { "more frames than a message has",
      { "1.0", "7", "f", "::1", "", "CURVE", "a", "b", "c" },
      "500" },
};

static void
test_zap_answers_malformed_requests(void **state)
{
    (void)state;
    NRS_AUTO(nrs_zap) zap = s_handler();
    int patience = PATIENCE_MS, linger = 0;
    void *req = zmq_socket(nrs_context_take(), ZMQ_REQ);
    zmq_setsockopt(req, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(req, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(req, "inproc://zeromq.zap.01"), 0);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *const *frame = requests[i].frames;
        for (; frame[0]; frame++)
            zmq_send(req, frame[0], strlen(frame[0]), frame[1] ? ZMQ_SNDMORE : 0);
        char reply[6][64] = { 0 };
        for (size_t f = 0; f < 6; f++)
            assert_true(zmq_recv(req, reply[f], 63, 0) >= 0);
        assert_string_equal(reply[0], "1.0");
        if (strcmp(reply[2], requests[i].status) != 0)
            fail_msg("%s: %s %s", requests[i].what, reply[2], reply[3]);
        assert_string_equal(reply[4], "");
    }
    assert_int_equal(nrs_zap_denied(zap), sizeof requests / sizeof *requests);
    zmq_close(req);
    nrs_context_drop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zap_lets_in_a_known_key_and_names_it_on_each_message),
        cmocka_unit_test(test_zap_keeps_out_a_stranger_and_says_so),
        cmocka_unit_test(test_zap_keeps_out_whoever_has_no_key),
        cmocka_unit_test(test_zap_keeps_out_a_key_of_another_domain),
        cmocka_unit_test(test_zap_lets_nobody_in_while_there_is_no_handler),
        cmocka_unit_test(test_zap_revoked_key_stays_in_until_it_is_cut),
        cmocka_unit_test(test_zap_port_survives_garbage),
        cmocka_unit_test(test_zap_table_knows_each_key_in_each_domain),
        cmocka_unit_test(test_zap_has_one_handler_a_process),
        cmocka_unit_test(test_zap_answers_malformed_requests),
    };
    return cmocka_run_group_tests(tests, s_setup, NULL);
}
