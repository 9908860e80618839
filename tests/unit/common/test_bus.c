// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/bus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 }; // for what must happen; no test waits for it when all is well

static char dir[64];

static int
s_setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/noroshi-bus-XXXXXX");
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

static const char *
s_ipc(const char *name)
{
    static char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", dir, name);
    return endpoint;
}

static nrs_bus_t *
s_open(nrs_bus_options_t options)
{
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_bus_open(&options, &problem, &bus))
        fail_msg("%s: %s", options.endpoint, problem.text);
    return bus;
}

// Receive, waiting for it. `other` is waited for as well (a ROUTER that probes has to be awake to
// do so).
static void
s_recv_beside(nrs_bus_t *bus, nrs_bus_t *other, nrs_message_t *into)
{
    nrs_wait_t items[] = { { .bus = bus }, { .bus = other } };
    nrs_err_t err;
    while ((err = nrs_bus_recv(bus, into)) == NRS_E_AGAIN)
        assert_true(nrs_bus_wait(items, other ? 2 : 1, PATIENCE_MS) > 0);
    assert_int_equal(err, NRS_OK);
}

static void
s_recv(nrs_bus_t *bus, nrs_message_t *into)
{
    s_recv_beside(bus, NULL, into);
}

static void
s_send_text(nrs_bus_t *bus, const char *text)
{
    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_text(text));
    assert_int_equal(nrs_bus_send(bus, &message), NRS_OK);
    assert_int_equal(message.count, 0);
}

static bool
s_frame_is(const nrs_message_t *message, size_t i, const char *text)
{
    return nrs_bytes_is(nrs_message_frame(message, i), text);
}

// --- opening -------------------------------------------------------------------------------------

// The pair of zmq_curve(7).
#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static const nrs_keys_t pair = { .public_text = PUBLIC, .secret_text = SECRET };
static const nrs_keys_t half = { .public_text = PUBLIC };

static void
test_bus_refuses_what_would_not_be_safe(void **state)
{
    (void)state;
    static const struct {
        nrs_bus_options_t options;
        const char *because;
    } cases[] = {
        { { .endpoint = "tcp://127.0.0.1:*", .bind = true }, "everything on TCP is CURVE" },
        { { .endpoint = "tcp://127.0.0.1:9" }, "everything on TCP is CURVE" },
        { { .endpoint = "ws://127.0.0.1:9" }, "only tcp://" },
        { { .endpoint = "udp://127.0.0.1:9" }, "only tcp://" },
        { { .endpoint = "" }, "only tcp://" },
        { { .endpoint = "ipc://relative", .bind = true }, "absolute path" },
        { { .endpoint = "ipc://@abstract", .bind = true }, "absolute path" },
        { { .endpoint = "ipc://*", .bind = true }, "absolute path" },
        { { .endpoint = "inproc://a", .bind = true, .keys = &pair, .zap_domain = "d" }, "inproc" },
        { { .endpoint = "tcp://127.0.0.1:*", .bind = true, .keys = &pair }, "ZAP domain" },
        { { .endpoint = "tcp://127.0.0.1:*", .bind = true, .keys = &pair, .zap_domain = "" },
          "ZAP domain" },
        { { .endpoint = "tcp://127.0.0.1:*", .bind = true, .keys = &half, .zap_domain = "d" },
          "both halves" },
        { { .endpoint = "tcp://127.0.0.1:9", .keys = &pair }, "other side's public key" },
        { { .endpoint = "tcp://127.0.0.1:9", .keys = &pair, .server_key = "short" },
          "other side's public key" },
        { { .endpoint = "ipc:///"
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
          "107 bytes" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nrs_bus_t *bus = NULL;
        nrs_problem_t problem = { 0 };
        assert_int_equal(nrs_bus_open(&cases[i].options, &problem, &bus), NRS_E_CONFIG);
        assert_null(bus);
        if (!strstr(problem.text, cases[i].because))
            fail_msg("case %zu: %s", i, problem.text);
    }
}

static void
test_bus_says_which_port_it_has(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus)
    bus = s_open((nrs_bus_options_t){ .type = NRS_BUS_ROUTER,
                                      .bind = true,
                                      .endpoint = "tcp://127.0.0.1:*",
                                      .keys = &pair,
                                      .zap_domain = "d" });
    unsigned port = 0;
    assert_int_equal(sscanf(nrs_bus_endpoint(bus), "tcp://127.0.0.1:%u", &port), 1);
    assert_true(port > 0);

    nrs_bus_t *second = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t same = { .type = NRS_BUS_ROUTER,
                               .bind = true,
                               .keys = &pair,
                               .endpoint = nrs_bus_endpoint(bus),
                               .zap_domain = "d" };
    assert_int_equal(nrs_bus_open(&same, &problem, &second), NRS_E_IO);
    assert_non_null(strstr(problem.text, "in use"));
}

static void
test_bus_ipc_file_is_private_and_goes_with_its_socket(void **state)
{
    (void)state;
    struct stat status;
    const char *endpoint = s_ipc("private");
    mode_t before = umask(0);
    NRS_AUTO(nrs_bus)
    bus = s_open((nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint });
    umask(before);
    assert_int_equal(stat(endpoint + 6, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    nrs_bus_destroy(&bus);
    assert_null(bus);
    assert_int_equal(stat(endpoint + 6, &status), -1);
}

static void
test_bus_takes_over_a_stale_file_but_not_a_living_one(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("stale");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, endpoint + 6, strlen(endpoint + 6));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); // as after kill -9: the file stays, nobody answers

    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint };
    NRS_AUTO(nrs_bus) first = s_open(options);
    nrs_bus_t *second = NULL;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_bus_open(&options, &problem, &second), NRS_E_IO);
    assert_non_null(strstr(problem.text, "another instance runs"));

    // The first one still hears.
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = endpoint });
    s_send_text(dealer, "still there?");
    nrs_message_t message = { 0 };
    s_recv(first, &message);
    assert_true(s_frame_is(&message, 1, "still there?"));
    nrs_message_clear(&message);
}

static void
test_bus_leaves_other_files_alone(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("precious");
    FILE *file = fopen(endpoint + 6, "w");
    assert_non_null(file);
    fclose(file);
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint };
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_bus_open(&options, &problem, &bus), NRS_E_IO);
    assert_non_null(strstr(problem.text, "not a socket"));
    assert_int_equal(access(endpoint + 6, F_OK), 0);

    options.endpoint = s_ipc("no/such/dir");
    assert_int_equal(nrs_bus_open(&options, &problem, &bus), NRS_E_IO);
}

// --- messages ------------------------------------------------------------------------------------

static void
test_bus_carries_whole_messages_both_ways(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("both");
    NRS_AUTO(nrs_bus)
    router =
        s_open((nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint });
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = endpoint });

    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_text("grant"));
    nrs_message_put(&message, NRS_NONE);
    memset(nrs_message_add(&message, 65536), 0x5a, 65536);
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    assert_int_equal(message.count, 0);

    char user[NRS_USER_BYTES_MAX];
    s_recv(router, &message);
    assert_int_equal(message.count, 4); // the sender's identity comes first
    assert_true(s_frame_is(&message, 1, "grant"));
    assert_int_equal(nrs_message_frame(&message, 2).size, 0);
    assert_int_equal(nrs_message_frame(&message, 3).size, 65536);
    assert_int_equal(nrs_message_frame(&message, 3).data[65535], 0x5a);
    assert_string_equal(nrs_message_user(&message, user), "");
    assert_true(nrs_message_connection(&message) >= 0);

    nrs_message_t reply = { 0 };
    nrs_message_put(&reply, nrs_message_frame(&message, 0));
    nrs_message_put(&reply, nrs_text("segment"));
    nrs_message_clear(&message);
    assert_int_equal(nrs_bus_send(router, &reply), NRS_OK);
    s_recv(dealer, &message);
    assert_int_equal(message.count, 1);
    assert_true(s_frame_is(&message, 0, "segment"));
    nrs_message_clear(&message);
    assert_int_equal(nrs_bus_recv(dealer, &message), NRS_E_AGAIN);
}

static void
test_bus_drops_a_message_of_too_many_frames_and_goes_on(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus)
    router = s_open(
        (nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = "inproc://frames" });
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = "inproc://frames" });
    nrs_message_t message = { 0 };
    for (size_t i = 0; i < NRS_FRAMES_MAX; i++) // with the identity that is one too many
        nrs_message_put(&message, nrs_text("x"));
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    for (size_t i = 0; i < NRS_FRAMES_MAX - 1; i++)
        nrs_message_put(&message, nrs_text("y"));
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);

    assert_int_equal(nrs_bus_recv(router, &message), NRS_E_FORMAT);
    assert_int_equal(message.count, 0);
    assert_int_equal(nrs_bus_recv(router, &message), NRS_OK);
    assert_int_equal(message.count, NRS_FRAMES_MAX);
    assert_true(s_frame_is(&message, 1, "y"));
    nrs_message_clear(&message);
}

static void
test_bus_router_says_when_nobody_has_that_identity(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus)
    router = s_open(
        (nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = "inproc://nobody" });
    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_text("who"));
    nrs_message_put(&message, nrs_text("what"));
    assert_int_equal(nrs_bus_send(router, &message), NRS_E_ABSENT);
    assert_int_equal(message.count, 2);
    assert_true(s_frame_is(&message, 1, "what")); // still the caller's
    nrs_message_clear(&message);
}

static void
test_bus_stops_at_high_water(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus)
    dealer = s_open(
        (nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = s_ipc("high"), .high_water = 3 });
    nrs_message_t message = { 0 };
    for (int i = 0; i < 3; i++)
        s_send_text(dealer, "x");
    nrs_message_put(&message, nrs_text("one too many"));
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_E_AGAIN);
    assert_true(s_frame_is(&message, 0, "one too many"));
    nrs_message_clear(&message);
}

// The oversized frame ends the connection; the dealer comes back and goes on with what is allowed.
static void
test_bus_never_takes_in_a_frame_beyond_its_limit(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("limit");
    NRS_AUTO(nrs_bus)
    router = s_open((nrs_bus_options_t){ .type = NRS_BUS_ROUTER,
                                         .bind = true,
                                         .endpoint = endpoint,
                                         .message_bytes_max = 1000,
                                         .probe = true });
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = endpoint });
    nrs_message_t message = { 0 };
    s_recv_beside(dealer, router, &message); // connected
    nrs_message_clear(&message);
    memset(nrs_message_add(&message, 1001), 'x', 1001);
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    s_recv_beside(dealer, router, &message); // connected again
    nrs_message_clear(&message);
    memset(nrs_message_add(&message, 1000), 'y', 1000);
    assert_int_equal(nrs_bus_send(dealer, &message), NRS_OK);
    s_recv(router, &message);
    assert_int_equal(nrs_message_frame(&message, 1).size, 1000);
    nrs_message_clear(&message);
}

static void
test_bus_cuts_a_connection_which_then_comes_back(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("cut");
    NRS_AUTO(nrs_bus)
    router = s_open((nrs_bus_options_t){
        .type = NRS_BUS_ROUTER, .bind = true, .endpoint = endpoint, .probe = true });
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = endpoint });
    nrs_message_t message = { 0 };
    s_send_text(dealer, "hello");
    s_recv(router, &message);
    int connection = nrs_message_connection(&message);
    assert_true(connection >= 0);
    s_recv_beside(dealer, router, &message);
    assert_int_equal(nrs_message_frame(&message, 0).size, 0);
    nrs_bus_cut(connection);
    s_recv_beside(dealer, router, &message); // the probe of the second connection
    assert_int_equal(nrs_message_frame(&message, 0).size, 0);
    nrs_message_clear(&message);
    nrs_bus_cut(-1);
}

static void
test_bus_xpub_grants_what_its_owner_decides(void **state)
{
    (void)state;
    const char *endpoint = s_ipc("xpub");
    NRS_AUTO(nrs_bus)
    xpub = s_open((nrs_bus_options_t){ .type = NRS_BUS_XPUB, .bind = true, .endpoint = endpoint });
    NRS_AUTO(nrs_bus)
    sub = s_open((nrs_bus_options_t){ .type = NRS_BUS_SUB, .endpoint = endpoint });
    nrs_message_t message = { 0 };
    assert_int_equal(nrs_bus_subscribe(sub, nrs_text("a")), NRS_OK);
    s_recv(xpub, &message);
    assert_true(s_frame_is(&message, 0, "\001a"));
    assert_int_equal(nrs_bus_subscribe(xpub, nrs_text("ab")), NRS_OK);
    s_send_text(xpub, "a is not granted");
    s_send_text(xpub, "ab is");
    s_recv(sub, &message);
    assert_true(s_frame_is(&message, 0, "ab is"));
    assert_int_equal(nrs_bus_unsubscribe(sub, nrs_text("a")), NRS_OK);
    s_recv(xpub, &message);
    assert_memory_equal(nrs_message_frame(&message, 0).data, "\000a", 2);
    nrs_message_clear(&message);
}

// --- waiting -------------------------------------------------------------------------------------

static void
test_bus_waits_for_sockets_and_descriptors_at_once(void **state)
{
    (void)state;
    NRS_AUTO(nrs_bus)
    router = s_open(
        (nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = "inproc://wait" });
    NRS_AUTO(nrs_bus)
    dealer = s_open((nrs_bus_options_t){ .type = NRS_BUS_DEALER, .endpoint = "inproc://wait" });
    int fd = eventfd(0, EFD_CLOEXEC);
    nrs_wait_t items[] = { { .bus = router }, { .fd = fd }, { .bus = dealer, .write = true } };
    assert_int_equal(nrs_bus_wait(items, 2, 0), 0);
    assert_int_equal(nrs_bus_wait(items, 3, -1), 1);
    assert_true(items[2].ready);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(nrs_bus_wait(items, 2, -1), 1);
    assert_false(items[0].ready);
    assert_true(items[1].ready);
    s_send_text(dealer, "x");
    assert_int_equal(nrs_bus_wait(items, 2, -1), 2);
    assert_true(items[0].ready && items[1].ready);
    close(fd);
}

static volatile sig_atomic_t signals;

static void
s_on_signal(int number)
{
    (void)number;
    signals = 1;
}

static void
test_bus_wait_ends_early_by_a_signal(void **state)
{
    (void)state;
    struct sigaction action = { .sa_handler = s_on_signal }, before;
    struct itimerval soon = { .it_value = { .tv_usec = 1000 }, .it_interval = { .tv_usec = 1000 } };
    const struct itimerval never = { 0 };
    NRS_AUTO(nrs_bus)
    router = s_open(
        (nrs_bus_options_t){ .type = NRS_BUS_ROUTER, .bind = true, .endpoint = "inproc://signal" });
    sigaction(SIGALRM, &action, &before);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    nrs_wait_t item = { .bus = router };
    assert_int_equal(nrs_bus_wait(&item, 1, -1), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_true(signals);
}

static void
test_bus_destroys_nothing_and_half_built(void **state)
{
    (void)state;
    nrs_bus_t *none = NULL;
    nrs_bus_destroy(&none);
    nrs_message_t message = { 0 };
    char user[NRS_USER_BYTES_MAX];
    nrs_message_clear(&message);
    assert_string_equal(nrs_message_user(&message, user), "");
    assert_int_equal(nrs_message_connection(&message), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_refuses_what_would_not_be_safe),
        cmocka_unit_test(test_bus_says_which_port_it_has),
        cmocka_unit_test(test_bus_ipc_file_is_private_and_goes_with_its_socket),
        cmocka_unit_test(test_bus_takes_over_a_stale_file_but_not_a_living_one),
        cmocka_unit_test(test_bus_leaves_other_files_alone),
        cmocka_unit_test(test_bus_carries_whole_messages_both_ways),
        cmocka_unit_test(test_bus_drops_a_message_of_too_many_frames_and_goes_on),
        cmocka_unit_test(test_bus_router_says_when_nobody_has_that_identity),
        cmocka_unit_test(test_bus_stops_at_high_water),
        cmocka_unit_test(test_bus_never_takes_in_a_frame_beyond_its_limit),
        cmocka_unit_test(test_bus_cuts_a_connection_which_then_comes_back),
        cmocka_unit_test(test_bus_xpub_grants_what_its_owner_decides),
        cmocka_unit_test(test_bus_waits_for_sockets_and_descriptors_at_once),
        cmocka_unit_test(test_bus_wait_ends_early_by_a_signal),
        cmocka_unit_test(test_bus_destroys_nothing_and_half_built),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
