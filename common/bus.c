#include "common/bus.h"

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
    MESSAGE_BYTES = 1 << 20,
    HIGH_WATER = 1000,
};

struct nrs_bus {
    void *socket; // owned
    nrs_bus_type_t type;
    bool curve;
    char endpoint[512];
    const char *file; // the ipc socket's path, within `endpoint`; NULL unless it was bound
};

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

static bool
s_is(const char *endpoint, const char *transport)
{
    return strncmp(endpoint, transport, strlen(transport)) == 0;
}

// An IPv4 address would turn up everywhere as [::ffff:127.0.0.1] if its socket spoke both.
static int
s_speaks_ipv6(const char *endpoint)
{
    const char *host = s_is(endpoint, "tcp://") ? endpoint + strlen("tcp://") : endpoint;
    return host[strspn(host, "0123456789.")] != ':';
}

// What every socket gets, whatever its type: proto/bus.md has the reasons, in this order.
static nrs_err_t
s_set_common(void *socket, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    bool ipc = s_is(options->endpoint, "ipc://");
    int high_water = options->high_water ? options->high_water : HIGH_WATER;
    size_t bytes = options->message_bytes_max ? options->message_bytes_max : MESSAGE_BYTES;
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

// --- what is refused before anything is opened ---------------------------------------------------

static nrs_err_t
s_wrong(nrs_problem_t *reterr, const nrs_bus_options_t *options, const char *text)
{
    return nrs_problem_set(reterr, NRS_E_CONFIG, NULL, 0, 0, "%s: %s", options->endpoint, text);
}

static nrs_err_t
s_check_keys(const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    if (!nrs_key_text_ok(nrs_text(options->keys->public_text)) ||
        !nrs_key_text_ok(nrs_text(options->keys->secret_text)))
        return s_wrong(reterr, options, "CURVE needs both halves of its own key pair");
    if (options->bind && (!options->zap_domain || !options->zap_domain[0]))
        return s_wrong(reterr, options, "CURVE without a ZAP domain would let any key in");
    if (!options->bind && !nrs_key_text_ok(nrs_text(options->server_key)))
        return s_wrong(reterr, options, "the other side's public key is missing or is no key");
    return NRS_OK;
}

static nrs_err_t
s_check_ipc(const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    const char *path = options->endpoint + strlen("ipc://");
    if (path[0] != '/')
        return s_wrong(reterr, options,
                       "an absolute path is needed (an abstract name has no file mode)");
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return s_wrong(reterr, options,
                       "the path is longer than the 107 bytes that a socket's name may have");
    return NRS_OK;
}

static nrs_err_t
s_check(const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    bool tcp = s_is(options->endpoint, "tcp://"), ipc = s_is(options->endpoint, "ipc://");
    bool inproc = s_is(options->endpoint, "inproc://");
    if (!tcp && !ipc && !inproc)
        return s_wrong(reterr, options, "only tcp://, ipc:// and inproc:// are spoken");
    if (tcp && !options->keys)
        return s_wrong(reterr, options, "everything on TCP is CURVE; keys are needed");
    if (inproc && options->keys)
        return s_wrong(reterr, options, "libzmq leaves CURVE out on inproc without a word");
    if (ipc) {
        nrs_err_t err = s_check_ipc(options, reterr);
        if (err)
            return err;
    }
    return options->keys ? s_check_keys(options, reterr) : NRS_OK;
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
s_bind(nrs_bus_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    const char *path =
        s_is(options->endpoint, "ipc://") ? options->endpoint + strlen("ipc://") : NULL;
    nrs_err_t err = path ? s_clear_stale(path, reterr) : NRS_OK;
    if (err)
        return err;
    if (zmq_bind(self->socket, options->endpoint) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't bind %s: %s", options->endpoint,
                               zmq_strerror(errno));
    if (path && chmod(path, 0600) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "can't set the mode to 0600: %s",
                               strerror(errno));
    size_t room = sizeof self->endpoint;
    if (zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, self->endpoint, &room) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "%s: %s", options->endpoint,
                               zmq_strerror(errno));
    self->file = path ? self->endpoint + strlen("ipc://") : NULL;
    return NRS_OK;
}

// --- open and destroy ----------------------------------------------------------------------------

static nrs_err_t
s_connect(nrs_bus_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    if (zmq_connect(self->socket, options->endpoint) != 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't connect to %s: %s",
                               options->endpoint, zmq_strerror(errno));
    snprintf(self->endpoint, sizeof self->endpoint, "%s", options->endpoint);
    return NRS_OK;
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

    nrs_err_t err = s_check(options, reterr);
    if (err)
        return err;
    NRS_AUTO(nrs_bus) self = nrs_new0(nrs_bus_t);
    self->type = options->type;
    self->curve = options->keys != NULL;
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
    *ret_bus = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_bus_destroy(nrs_bus_t **self_p)
{
    nrs_bus_t *self = *self_p;
    if (!self)
        return;
    if (self->file) // libzmq leaves it; first, so that it is not the file of whoever binds next
        NRS_IGNORE(unlink(self->file)); // a file that stays is a stale one
    if (self->socket) {
        zmq_close(self->socket);
        nrs_context_drop();
    }
    free(self);
    *self_p = NULL;
}

const char *
nrs_bus_endpoint(const nrs_bus_t *self)
{
    return self->endpoint;
}

bool
nrs_bus_curve(const nrs_bus_t *self)
{
    return self->curve;
}

// --- messages: the rest of them is in common/bus_message.c ---------------------------------------

nrs_err_t
nrs_bus_recv(nrs_bus_t *self, nrs_message_t *into)
{
    return nrs_socket_recv(self->socket, into);
}

nrs_err_t
nrs_bus_send(nrs_bus_t *self, nrs_message_t *message)
{
    return nrs_socket_send(self->socket, message);
}

// --- subscriptions -------------------------------------------------------------------------------

nrs_err_t
nrs_bus_subscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    NRS_ASSERT(self->type == NRS_BUS_XPUB || self->type == NRS_BUS_SUB);
    return zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, prefix.data, prefix.size) ? NRS_E_IO
                                                                                 : NRS_OK;
}

nrs_err_t
nrs_bus_unsubscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    NRS_ASSERT(self->type == NRS_BUS_XPUB || self->type == NRS_BUS_SUB);
    return zmq_setsockopt(self->socket, ZMQ_UNSUBSCRIBE, prefix.data, prefix.size) ? NRS_E_IO
                                                                                   : NRS_OK;
}

// --- waiting -------------------------------------------------------------------------------------

size_t
nrs_bus_wait(nrs_wait_t *items, size_t count, int64_t timeout_ms)
{
    NRS_ASSERT(count <= NRS_WAIT_MAX);
    zmq_pollitem_t polls[NRS_WAIT_MAX];
    for (size_t i = 0; i < count; i++) {
        polls[i] = (zmq_pollitem_t){
            .socket = items[i].bus ? items[i].bus->socket : NULL,
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
