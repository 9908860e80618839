#include "common/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned
s_answer(void *me, const char *path, nrs_buf_t *body, const char **ret_type)
{
    ++*(int *)me;
    if (strcmp(path, "/metrics") != 0)
        return 404;
    nrs_buf_put_text(body, "x_total 1\n");
    *ret_type = "text/plain; version=0.0.4";
    return 200;
}

static nrs_http_t *
s_open(int *asked)
{
    nrs_http_t *http = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_http_open("127.0.0.1:0", s_answer, asked, &problem, &http))
        fail_msg("%s", problem.text);
    return http;
}

static int
s_connect(const nrs_http_t *http)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(nrs_http_port(http)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof address), errno);
    assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), errno);
    return fd;
}

// Serve until the client's connection is closed by the server, and return what came.
static void
s_read_all(nrs_http_t *http, int fd, char *into, size_t bytes)
{
    size_t used = 0;
    for (;;) {
        struct pollfd fds[] = { { nrs_http_fd(http), POLLIN, 0 }, { fd, POLLIN, 0 } };
        assert_true(poll(fds, 2, 20000) > 0);
        if (fds[0].revents)
            nrs_http_step(http);
        if (!fds[1].revents)
            continue;
        ssize_t got = read(fd, into + used, bytes - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    into[used] = 0;
}

static void
s_ask(nrs_http_t *http, const char *request, char *into, size_t bytes)
{
    int fd = s_connect(http);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    s_read_all(http, fd, into, bytes);
    close(fd);
}

static void
test_http_answers_get_and_head_only(void **unused)
{
    (void)unused;
    static const struct {
        const char *request, *status;
        const char *says; // NULL: there is no body
        int asked;
    } cases[] = {
        { "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.", "\r\n\r\nx_total 1\n", 1 },
        { "GET /metrics?a=b HTTP/1.0\r\n\r\n", "HTTP/1.", "\r\n\r\nx_total 1\n", 1 },
        { "HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.", NULL, 1 },
        { "GET /other HTTP/1.0\r\n\r\n", " 404 ", NULL, 1 },
        { "POST /metrics HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", " 405 ", "GET or HEAD", 0 },
        { "DELETE /metrics HTTP/1.0\r\n\r\n", " 405 ", "Allow: GET, HEAD", 0 },
        { "nonsense\r\n\r\n", "", NULL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int asked = 0;
        NRS_AUTO(nrs_http) http = s_open(&asked);
        char reply[2000];
        s_ask(http, cases[i].request, reply, sizeof reply);
        if (!strstr(reply, cases[i].status) || (cases[i].says && !strstr(reply, cases[i].says)))
            fail_msg("%s: %s", cases[i].request, reply);
        if (!cases[i].says)
            assert_null(strstr(reply, "x_total"));
        assert_int_equal(asked, cases[i].asked);
    }
}

static void
test_http_says_what_type_it_is(void **unused)
{
    (void)unused;
    int asked = 0;
    NRS_AUTO(nrs_http) http = s_open(&asked);
    char reply[2000];
    s_ask(http, "HEAD /metrics HTTP/1.0\r\n\r\n", reply, sizeof reply);
    assert_non_null(strstr(reply, " 200 "));
    assert_non_null(strstr(reply, "Content-Type: text/plain; version=0.0.4\r\n"));
    assert_non_null(strstr(reply, "Content-Length: 10\r\n"));
}

static void
test_http_listens_on_loopback_only(void **unused)
{
    (void)unused;
    static const char *const good[] = { "127.0.0.1:0", "127.0.0.1:9464", "127.9.9.9:65535",
                                        "[::1]:80" };
    static const char *const bad[] = { "",
                                       "127.0.0.1",
                                       "127.0.0.1:",
                                       ":80",
                                       "0.0.0.0:80",
                                       "192.0.2.1:80",
                                       "[::]:80",
                                       "::1:80",
                                       "localhost:80",
                                       "*:80",
                                       "127.0.0.1:65536",
                                       "127.0.0.1:+1",
                                       "127.0.0.1:80x",
                                       "[::1]80",
                                       "[::1]:",
                                       "127.1:80",
                                       "1270000000000000000000000000000000000000000000000001:80" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(nrs_http_address_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        nrs_http_t *http = NULL;
        nrs_problem_t problem = { 0 };
        assert_false(nrs_http_address_ok(bad[i]));
        assert_int_equal(nrs_http_open(bad[i], s_answer, NULL, &problem, &http), NRS_E_CONFIG);
        assert_non_null(strstr(problem.text, "loopback"));
    }
}

static void
test_http_says_when_the_port_is_taken(void **unused)
{
    (void)unused;
    int asked = 0;
    NRS_AUTO(nrs_http) http = s_open(&asked);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", nrs_http_port(http));
    nrs_http_t *other = NULL;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_http_open(address, s_answer, NULL, &problem, &other), NRS_E_IO);
    assert_non_null(strstr(problem.text, address));
    assert_non_null(strstr(problem.text, strerror(EADDRINUSE)));
}

// Silent clients take every connection; they are cut, and the one that waits is served.
static void
test_http_outlives_silent_clients(void **unused)
{
    (void)unused;
    int asked = 0;
    NRS_AUTO(nrs_http) http = s_open(&asked);
    int silent[16]; // as many as there are connections
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        silent[i] = s_connect(http);
    char reply[2000];
    s_ask(http, "GET /metrics HTTP/1.0\r\n\r\n", reply, sizeof reply);
    assert_non_null(strstr(reply, "x_total 1\n"));
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        close(silent[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_answers_get_and_head_only),
        cmocka_unit_test(test_http_says_what_type_it_is),
        cmocka_unit_test(test_http_listens_on_loopback_only),
        cmocka_unit_test(test_http_says_when_the_port_is_taken),
        cmocka_unit_test(test_http_outlives_silent_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
