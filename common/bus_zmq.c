// The bus over ZeroMQ: its sockets; its messages are in common/bus_message.c.
#include "common/bus_part.h"
#include "common/bus_socket.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

// In the header of Debian's libzmq only as a draft; the library itself knows it (proto/bus.md,
// "ZAP").
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

enum {
    HANDSHAKE_MS =
        3000, // strangers that connect and stay silent hold a file descriptor for so long
    HEARTBEAT_MS = 5000,
    HEARTBEAT_LOST_MS = 15000,
    CONNECT_MS = 10000, // give a SYN up before the system does (two minutes), and try anew
    RECONNECT_MS = 200,
    RECONNECT_IPC_MS = 20, // an instance that starts beside us is there in a moment
    RECONNECT_MAX_MS = 30000,
    RECONNECT_MAX_IPC_MS = 1000,
};

typedef struct s_zmq {
    nrs_bus_t bus;
    void *socket;     // owned
    const char *file; // the ipc socket's path, within `bus.endpoint`; NULL unless it was bound
} s_zmq_t;

static void *
s_socket(const nrs_bus_t *bus)
{
    return ((const s_zmq_t *)bus)->socket;
}

// --- the context ---------------------------------------------------------------------------------

// One for the process, because inproc endpoints, the ZAP handler's among them, are known within one
// context only. Counted, so that it ends while its last user waits and not in an exit handler,
// where a forgotten socket would hang the process.
static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static void *s_context;
static size_t s_takers;

void *
nrs_context_take(void)
{
    pthread_mutex_lock(&s_lock);
    if (s_takers++ == 0) {
        s_context = zmq_ctx_new();
        NRS_ASSERT(s_context);
    }
    void *context = s_context;
    pthread_mutex_unlock(&s_lock);
    return context;
}

void
nrs_context_drop(void)
{
    pthread_mutex_lock(&s_lock);
    NRS_ASSERT(s_takers > 0);
    if (--s_takers == 0) {
        while (zmq_ctx_term(s_context) != 0 && errno == EINTR)
            continue;
        s_context = NULL;
    }
    pthread_mutex_unlock(&s_lock);
}

// --- options -------------------------------------------------------------------------------------

typedef struct setting {
    int option;
    const char *name;
    int value;
} setting_t;
#define SETTING(option, value) ((setting_t){ option, #option, value })

static nrs_err_t
s_set(void *socket, int option, const char *name, const void *value, size_t bytes,
      nrs_problem_t *reterr)
{
    if (zmq_setsockopt(socket, option, value, bytes) == 0)
        return NRS_OK;
    return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "libzmq refuses %s: %s", name,
                           zmq_strerror(errno));
}

static nrs_err_t
s_set_text(void *socket, int option, const char *name, const char *text, nrs_problem_t *reterr)
{
    return s_set(socket, option, name, text, strlen(text), reterr);
}

static nrs_err_t
s_set_all(void *socket, const setting_t *settings, size_t count, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < count; i++) {
        nrs_err_t err = s_set(socket, settings[i].option, settings[i].name, &settings[i].value,
                              sizeof settings[i].value, reterr);
        if (err)
            return err;
    }
    return NRS_OK;
}

// An IPv4 address would turn up everywhere as [::ffff:127.0.0.1] if its socket spoke both.
static int
s_speaks_ipv6(const char *endpoint)
{
    const char *host = nrs_bus_over(endpoint, "tcp://") ? endpoint + strlen("tcp://") : endpoint;
    return host[strspn(host, "0123456789.")] != ':';
}

// What every socket gets, whatever its type: proto/bus.md has the reasons, in this order.
static nrs_err_t
s_set_common(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    bool ipc = nrs_bus_over(options->endpoint, "ipc://");
    int high_water = options->high_water ? options->high_water : NRS_BUS_HIGH_WATER;
    size_t bytes = options->message_bytes_max ? options->message_bytes_max : NRS_BUS_MESSAGE_BYTES;
    int64_t message_bytes_max = (int64_t)bytes;
    const setting_t settings[] = {
        SETTING(ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS),
        SETTING(ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS),
        SETTING(ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_LOST_MS),
        SETTING(ZMQ_HEARTBEAT_TTL, HEARTBEAT_LOST_MS),
        SETTING(ZMQ_CONNECT_TIMEOUT, CONNECT_MS),
        SETTING(ZMQ_RECONNECT_IVL, ipc ? RECONNECT_IPC_MS : RECONNECT_MS),
        SETTING(ZMQ_RECONNECT_IVL_MAX, ipc ? RECONNECT_MAX_IPC_MS : RECONNECT_MAX_MS),
        SETTING(ZMQ_IPV6, s_speaks_ipv6(options->endpoint)),
        SETTING(ZMQ_SNDHWM, high_water),
        SETTING(ZMQ_RCVHWM, high_water),
        SETTING(ZMQ_LINGER, options->linger_ms),
    };
    nrs_err_t err = s_set(socket, ZMQ_MAXMSGSIZE, "ZMQ_MAXMSGSIZE", &message_bytes_max,
                          sizeof message_bytes_max, reterr);
    return err ? err : s_set_all(socket, settings, sizeof settings / sizeof *settings, reterr);
}

static nrs_err_t
s_set_type(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    const setting_t router[] = {
        SETTING(ZMQ_ROUTER_MANDATORY, 1),
        SETTING(ZMQ_ROUTER_HANDOVER, 0),
        SETTING(ZMQ_PROBE_ROUTER, options->probe),
    };
    const setting_t xpub[] = { SETTING(ZMQ_XPUB_MANUAL, 1), SETTING(ZMQ_XPUB_NODROP, 0) };
    switch (options->type) {
    case NRS_BUS_ROUTER:
        return s_set_all(socket, router, sizeof router / sizeof *router, reterr);
    case NRS_BUS_XPUB:
        return s_set_all(socket, xpub, sizeof xpub / sizeof *xpub, reterr);
    case NRS_BUS_DEALER:
    case NRS_BUS_SUB:
        return NRS_OK;
    }
    return NRS_OK;
}

static nrs_err_t
s_set_server(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    const setting_t settings[] = {
        SETTING(ZMQ_CURVE_SERVER, 1),
        // Without a handler, or with one that does not know the domain, libzmq lets any key in.
        SETTING(ZMQ_ZAP_ENFORCE_DOMAIN, 1),
    };
    nrs_err_t err = s_set_all(socket, settings, sizeof settings / sizeof *settings, reterr);
    if (!err)
        err = s_set_text(socket, ZMQ_ZAP_DOMAIN, "ZMQ_ZAP_DOMAIN", options->zap_domain, reterr);
    if (!err)
        err = s_set_text(socket, ZMQ_CURVE_SECRETKEY, "ZMQ_CURVE_SECRETKEY",
                         options->keys->secret_text, reterr);
    return err;
}

static nrs_err_t
s_set_client(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    nrs_err_t err =
        s_set_text(socket, ZMQ_CURVE_SERVERKEY, "ZMQ_CURVE_SERVERKEY", options->server_key, reterr);
    if (!err)
        err = s_set_text(socket, ZMQ_CURVE_PUBLICKEY, "ZMQ_CURVE_PUBLICKEY",
                         options->keys->public_text, reterr);
    if (!err)
        err = s_set_text(socket, ZMQ_CURVE_SECRETKEY, "ZMQ_CURVE_SECRETKEY",
                         options->keys->secret_text, reterr);
    return err;
}

static nrs_err_t
s_configure(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    nrs_err_t err = s_set_common(socket, options, reterr);
    if (!err)
        err = s_set_type(socket, options, reterr);
    if (!err && options->keys)
        err = options->bind ? s_set_server(socket, options, reterr)
                            : s_set_client(socket, options, reterr);
    return err;
}

// --- ipc socket files ----------------------------------------------------------------------------

// Does anyone answer at the socket file?
static bool
s_answers(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true; // unknown: leave it alone
    int failed = connect(fd, (const struct sockaddr *)&address, sizeof address);
    // EAGAIN: there is a listener, and its backlog is full.
    bool answers = !failed || errno != ECONNREFUSED;
    close(fd);
    return answers;
}

// A process that was killed leaves its socket file behind. libzmq removes whatever stands there
// when it binds, a living instance's socket too, which then hears nothing any more: so look first.
static nrs_err_t
s_clear_stale(const char *path, nrs_problem_t *reterr)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? NRS_OK
                               : nrs_problem_set(reterr, NRS_E_IO, path, 0, 0,
                                                 "can't be looked at: %s", strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0,
                               "this is not a socket; move it away, or choose another endpoint");
    if (s_answers(path))
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0,
                               "another instance runs: it answers at this socket");
    if (unlink(path) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "a stale socket can't be removed: %s",
                               strerror(errno));
    return NRS_OK;
}

static nrs_err_t
s_bind(s_zmq_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    const char *path =
        nrs_bus_over(options->endpoint, "ipc://") ? options->endpoint + strlen("ipc://") : NULL;
    nrs_err_t err = path ? s_clear_stale(path, reterr) : NRS_OK;
    if (err)
        return err;
    if (zmq_bind(self->socket, options->endpoint) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't bind %s: %s", options->endpoint,
                               zmq_strerror(errno));
    if (path && chmod(path, 0600) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "can't set the mode to 0600: %s",
                               strerror(errno));
    size_t room = sizeof self->bus.endpoint;
    if (zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, self->bus.endpoint, &room) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "%s: %s", options->endpoint,
                               zmq_strerror(errno));
    self->file = path ? self->bus.endpoint + strlen("ipc://") : NULL;
    return NRS_OK;
}

// --- open and destroy ----------------------------------------------------------------------------

static nrs_err_t
s_connect(s_zmq_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    if (zmq_connect(self->socket, options->endpoint) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't connect to %s: %s",
                               options->endpoint, zmq_strerror(errno));
    return NRS_OK;
}

static void
s_destroy(nrs_bus_t *bus)
{
    s_zmq_t *self = (s_zmq_t *)bus;
    if (self->file) // libzmq leaves it; first, so that it is not the file of whoever binds next
        NRS_IGNORE(unlink(self->file)); // a file that stays is a stale one
    if (self->socket) {
        zmq_close(self->socket);
        nrs_context_drop();
    }
    free(self);
}

nrs_err_t
nrs_bus_open(const nrs_bus_options_t *options, nrs_problem_t *reterr, nrs_bus_t **ret_bus)
{
    NRS_ASSERT(options && options->endpoint && ret_bus && options->linger_ms >= 0);
    static const int types[] = {
        [NRS_BUS_ROUTER] = ZMQ_ROUTER,
        [NRS_BUS_DEALER] = ZMQ_DEALER,
        [NRS_BUS_XPUB] = ZMQ_XPUB,
        [NRS_BUS_SUB] = ZMQ_SUB,
    };

    nrs_err_t err = nrs_bus_check(options, reterr);
    if (err)
        return err;
    s_zmq_t *self = nrs_new0(s_zmq_t);
    NRS_AUTO(nrs_bus) bus = &self->bus;
    nrs_bus_init(bus, &nrs_bus_zmq_ops, options);
    self->socket = zmq_socket(nrs_context_take(), types[options->type]);
    if (!self->socket) {
        int why = errno;
        nrs_context_drop();
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "no socket: %s", zmq_strerror(why));
    }
    err = s_configure(self->socket, options, reterr);
    if (!err)
        err = options->bind ? s_bind(self, options, reterr) : s_connect(self, options, reterr);
    if (err)
        return err;
    *ret_bus = NRS_TAKE(bus);
    return NRS_OK;
}

// --- messages: the rest of them is in common/bus_message.c ---------------------------------------

static nrs_err_t
s_recv(nrs_bus_t *self, nrs_message_t *into)
{
    return nrs_socket_recv(s_socket(self), into);
}

static nrs_err_t
s_send(nrs_bus_t *self, nrs_message_t *message)
{
    return nrs_socket_send(s_socket(self), message);
}

// --- subscriptions -------------------------------------------------------------------------------

static nrs_err_t
s_subscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    int failed = zmq_setsockopt(s_socket(self), ZMQ_SUBSCRIBE, prefix.data, prefix.size);
    return failed ? NRS_E_IO : NRS_OK;
}

static nrs_err_t
s_unsubscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    int failed = zmq_setsockopt(s_socket(self), ZMQ_UNSUBSCRIBE, prefix.data, prefix.size);
    return failed ? NRS_E_IO : NRS_OK;
}

// --- waiting -------------------------------------------------------------------------------------

static size_t
s_wait(nrs_wait_t *items, size_t count, int64_t timeout_ms)
{
    zmq_pollitem_t polls[NRS_WAIT_MAX];
    for (size_t i = 0; i < count; i++) {
        polls[i] = (zmq_pollitem_t){
            .socket = items[i].bus ? s_socket(items[i].bus) : NULL,
            .fd = items[i].fd,
            .events = items[i].write ? ZMQ_POLLOUT : ZMQ_POLLIN,
        };
        items[i].ready = false;
    }
    long timeout = timeout_ms < 0 ? -1 : timeout_ms > LONG_MAX ? LONG_MAX : (long)timeout_ms;
    int polled = zmq_poll(polls, (int)count, timeout);
    NRS_ASSERT(polled >= 0 ||
               errno == EINTR); // a closed socket here would make the caller's loop spin
    if (polled <= 0)
        return 0;
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].ready = polls[i].revents != 0;
        ready += items[i].ready;
    }
    return ready;
}

const nrs_bus_ops_t nrs_bus_zmq_ops = {
    .recv = s_recv,
    .send = s_send,
    .subscribe = s_subscribe,
    .unsubscribe = s_unsubscribe,
    .wait = s_wait,
    .destroy = s_destroy,
};
