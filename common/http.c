#include "common/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 16 };
enum { CONNECTION_BYTES = 16 << 10 }; // headers and buffers of one connection
enum { CONNECTION_SECONDS = 5 };
enum { BACKLOG = 16 };

struct nrs_http {
    struct MHD_Daemon *daemon; // owned, and with it the listening socket
    int poll_fd;               // owned; watches the daemon's epoll and the timer
    int timer_fd;              // owned; when the daemon's next timeout is due
    uint16_t port;
    nrs_http_answer_t *answer;
    void *me;
};

// --- the address ---------------------------------------------------------------------------------

typedef union s_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} s_address_t;

static bool
s_port(const char *text, in_port_t *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port = strtoul(text, NULL, 10);
    if (digits == 0 || digits > 5 || text[digits] || port > UINT16_MAX)
        return false;
    *ret_port = htons((uint16_t)port);
    return true;
}

// "127.0.0.1:9464" or "[::1]:9464". Loopback only: what is served here is not for others, and asks
// for no password.
static bool
s_parse(const char *text, s_address_t *ret_address, socklen_t *ret_bytes)
{
    s_address_t address = { 0 };
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length == 0 || length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = 0;
    if (strcmp(host, "[::1]") == 0) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_addr = in6addr_loopback;
        *ret_bytes = sizeof address.v6;
        *ret_address = address;
        return s_port(colon + 1, &ret_address->v6.sin6_port);
    }
    address.v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1 ||
        ntohl(address.v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return false;
    *ret_bytes = sizeof address.v4;
    *ret_address = address;
    return s_port(colon + 1, &ret_address->v4.sin_port);
}

bool
nrs_http_address_ok(const char *address)
{
    s_address_t parsed;
    socklen_t bytes;
    return s_parse(address, &parsed, &bytes);
}

// --- answers -------------------------------------------------------------------------------------

static enum MHD_Result
s_reply(struct MHD_Connection *connection, unsigned status, nrs_bytes_t body, const char *type,
        const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    bool good = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    if (allow)
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow) == MHD_YES;
    enum MHD_Result result = good ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

// Called once when the headers are in, and again when the body (of which a GET has none) is over.
static enum MHD_Result
s_request(void *me, struct MHD_Connection *connection, const char *path, const char *method,
          const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    (void)version, (void)upload;
    nrs_http_t *self = me;
    static const char plain[] = "text/plain; charset=utf-8";
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return s_reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, nrs_text("GET or HEAD only\n"),
                       plain, "GET, HEAD");
    if (!*state) {
        *state = self;
        return MHD_YES;
    }
    if (*upload_bytes > 0)
        return MHD_NO;
    nrs_buf_t body = { 0 };
    const char *type = plain;
    unsigned status = self->answer(self->me, path, &body, &type);
    enum MHD_Result result = s_reply(connection, status, nrs_buf_bytes(&body), type, NULL);
    nrs_buf_free(&body);
    return result;
}

// What the library would print concerns one client, and the client has been told.
static void
s_discard(void *me, const char *format, va_list args)
{
    (void)me, (void)format, (void)args;
}

// --- opening -------------------------------------------------------------------------------------

// A listening socket of our own, so that the error is the system's and not the library's. -1 with
// errno.
static int
s_listen(const s_address_t *address, socklen_t bytes, uint16_t *ret_port)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    static const int yes = 1;
    s_address_t bound = { 0 };
    socklen_t bound_bytes = sizeof bound;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, &address->any, bytes) == 0 && listen(fd, BACKLOG) == 0 &&
        getsockname(fd, &bound.any, &bound_bytes) == 0) {
        *ret_port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool
s_watch(const nrs_http_t *self, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    return epoll_ctl(self->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

// Hand `listen_fd` to a daemon and put what it waits for behind one descriptor. On failure the
// socket is closed.
static bool
s_start(nrs_http_t *self, int listen_fd)
{
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, s_request, self,
        MHD_OPTION_EXTERNAL_LOGGER, s_discard, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_END);
    if (!self->daemon) {
        close(listen_fd);
        return false;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    self->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return info && self->poll_fd >= 0 && self->timer_fd >= 0 && s_watch(self, info->epoll_fd) &&
           s_watch(self, self->timer_fd);
}

nrs_err_t
nrs_http_open(const char *address, nrs_http_answer_t *answer, void *me, nrs_problem_t *reterr,
              nrs_http_t **ret_http)
{
    NRS_ASSERT(address && answer && ret_http);
    s_address_t parsed;
    socklen_t bytes;
    if (!s_parse(address, &parsed, &bytes))
        return nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0,
                               "'%s' is not a loopback address and a port, such as 127.0.0.1:9464",
                               address);
    NRS_AUTO(nrs_http) self = nrs_new0(nrs_http_t);
    self->answer = answer;
    self->me = me;
    self->poll_fd = self->timer_fd = -1;
    int fd = s_listen(&parsed, bytes, &self->port);
    if (fd < 0 || !s_start(self, fd))
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "cannot serve HTTP on %s: %s", address,
                               strerror(errno));
    *ret_http = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_http_destroy(nrs_http_t **self_p)
{
    nrs_http_t *self = *self_p;
    if (!self)
        return;
    if (self->daemon)
        MHD_stop_daemon(self->daemon);
    if (self->timer_fd >= 0)
        close(self->timer_fd);
    if (self->poll_fd >= 0)
        close(self->poll_fd);
    free(self);
    *self_p = NULL;
}

// --- serving -------------------------------------------------------------------------------------

int
nrs_http_fd(const nrs_http_t *self)
{
    return self->poll_fd;
}

uint16_t
nrs_http_port(const nrs_http_t *self)
{
    return self->port;
}

// Idle connections end by themselves only if somebody looks: with all of them taken, nothing else
// would wake us.
static void
s_set_timer(nrs_http_t *self)
{
    struct itimerspec when = { 0 };
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(self->daemon, &wait_ms) == MHD_YES) {
        when.it_value.tv_sec = (time_t)(wait_ms / 1000);
        when.it_value.tv_nsec =
            (long)(wait_ms % 1000) * 1000000 + 1; // never 0, which would disarm it
    }
    NRS_ASSERT(timerfd_settime(self->timer_fd, 0, &when, NULL) == 0);
}

static bool
s_full(const nrs_http_t *self)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && info->num_connections >= CONNECTIONS_MAX;
}

void
nrs_http_step(nrs_http_t *self)
{
    // A full daemon stops listening, and begins again only in the run after the one that made room.
    bool was_full = s_full(self);
    // A failed run concerns a connection; the daemon has closed it.
    NRS_IGNORE(MHD_run(self->daemon) != MHD_YES);
    if (was_full && !s_full(self))
        NRS_IGNORE(MHD_run(self->daemon) != MHD_YES);
    s_set_timer(self);
}
