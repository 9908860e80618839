// bus.h - ZeroMQ sockets, wrapped once: safe options, whole messages, waiting
// Worlds:   who has an nrs_world_t opens through its `bus_open`: the real world opens ZeroMQ's
//           sockets, a test's may open ones in memory (common/bus_memory.h), used alike.
// Shape:    a message is 1 to NRS_FRAMES_MAX frames. Options are those of proto/bus.md, which says
//           why.
// Threads:  a socket belongs to the thread that opened it. The context behind all sockets of the
//           process begins with the first of them and ends with the last, whose destruction waits
//           for what still lingers, as long as it may.

#ifndef NRS_BUS_H
#define NRS_BUS_H

#include "common/base.h"
#include "common/keys.h"

enum { NRS_FRAMES_MAX = 8 };
enum { NRS_USER_BYTES_MAX = 64 };
enum { NRS_WAIT_MAX = 256 }; // items in one nrs_bus_wait()

typedef struct nrs_bus nrs_bus_t;

typedef enum nrs_bus_type {
    NRS_BUS_ROUTER,
    NRS_BUS_DEALER,
    NRS_BUS_XPUB, // with ZMQ_XPUB_MANUAL
    NRS_BUS_SUB,
} nrs_bus_type_t;

typedef struct nrs_bus_options {
    nrs_bus_type_t type;
    bool bind;              // else connect
    const char *endpoint;   // ipc://..., tcp://..., inproc://...
    const nrs_keys_t *keys; // own pair: CURVE; NULL: no CURVE (ipc and inproc only, tcp is refused)
    const char *server_key; // connecting with CURVE: the other side's public key, Z85
    const char *zap_domain; // binding with CURVE: never empty
    size_t message_bytes_max; // 0: 1 MiB
    int high_water;           // messages in each direction; 0: 1000
    int linger_ms;            // 0: none
    bool probe; // ROUTER: send an empty frame to everyone who connects (ZMQ_PROBE_ROUTER)
} nrs_bus_options_t;

// Open with every trap closed: ZMQ_MAXMSGSIZE before bind, handshake 3 s, heartbeats 5/15/15 s,
// reconnect 200 ms growing to 30 s (on ipc: 20 ms to 1 s), ROUTER_MANDATORY, no handover, IPv6,
// ZAP domain enforced, an ipc socket's file mode 0600 and its stale file removed (the caller makes
// its directory, mode 0700). Errors: NRS_E_IO (address in use, no permission), NRS_E_CONFIG (tcp
// without keys, binding with keys and no ZAP domain, a transport that is not one of the three, a
// key that is none), each with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_bus_open(const nrs_bus_options_t *options, nrs_problem_t *reterr, nrs_bus_t **ret_bus);
void
nrs_bus_destroy(nrs_bus_t **self_p);
// The endpoint really bound (tcp://127.0.0.1:* gives the port), borrowed.
const char *
nrs_bus_endpoint(const nrs_bus_t *self);
// Does it speak CURVE, so that each message has a user?
bool
nrs_bus_curve(const nrs_bus_t *self);

// --- messages ------------------------------------------------------------------------------------

typedef struct nrs_frame {
    _Alignas(8) uint8_t room[64]; // a zmq_msg_t
} nrs_frame_t;

// A message being received or built. Start with `(nrs_message_t){ 0 }`; nrs_message_clear() after
// use.
typedef struct nrs_message {
    size_t count;
    nrs_frame_t frames[NRS_FRAMES_MAX];
    char user[NRS_USER_BYTES_MAX]; // in memory: as nrs_message_user() tells; else ""
} nrs_message_t;

void
nrs_message_clear(nrs_message_t *self);
// A frame's bytes, valid until the message is cleared or sent.
nrs_bytes_t
nrs_message_frame(const nrs_message_t *self, size_t i);
// Add a frame of a size and fill it yourself; or copy bytes.
uint8_t *
nrs_message_add(nrs_message_t *self, size_t bytes);
void
nrs_message_put(nrs_message_t *self, nrs_bytes_t bytes);
// The authenticated public key (Z85) of whoever sent the message: ZAP's User-Id, read from the last
// frame; in memory the connecting side's own key. "" when the socket does not authenticate.
const char *
nrs_message_user(const nrs_message_t *self, char into[NRS_USER_BYTES_MAX]);
// The connection over which the message came: its own number while it lives; -1 where there is none
// (inproc, in memory, or made by libzmq itself). For counting, and for nrs_bus_cut().
int
nrs_message_connection(const nrs_message_t *self);
// Cut a connection, now: the other side sees it end, comes back, and meets the ZAP handler again.
// Nothing happens when it is gone already; should its number have a new holder, that one reconnects
// once.
void
nrs_bus_cut(int connection);

// One whole message, without waiting. A message of more than NRS_FRAMES_MAX frames is read to its
// end and dropped. Errors: NRS_E_AGAIN (none there), NRS_E_FORMAT (dropped), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_bus_recv(nrs_bus_t *self, nrs_message_t *into);
// One whole message, without waiting; on success it is cleared, on failure still the caller's. What
// a dying connection loses on its way counts as sent. Errors: NRS_E_AGAIN (high water),
// NRS_E_ABSENT (ROUTER: nobody with that identity), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_bus_send(nrs_bus_t *self, nrs_message_t *message);

// XPUB, after receiving a subscription message (first byte 1: subscribe, 0: unsubscribe): accept or
// drop a prefix for the subscriber who sent the last one. SUB: subscribe.
NRS_MUST_CHECK nrs_err_t
nrs_bus_subscribe(nrs_bus_t *self, nrs_bytes_t prefix);
NRS_MUST_CHECK nrs_err_t
nrs_bus_unsubscribe(nrs_bus_t *self, nrs_bytes_t prefix);

// --- waiting -------------------------------------------------------------------------------------

typedef struct nrs_wait {
    nrs_bus_t *bus; // or NULL, then `fd`
    int fd;
    bool write; // wait for room to write (else for something to read)
    bool ready; // set by nrs_bus_wait()
} nrs_wait_t;

// Wait until one of the items is ready or `timeout_ms` has passed (-1: for ever). A signal ends the
// wait early. Returns how many are ready.
size_t
nrs_bus_wait(nrs_wait_t *items, size_t count, int64_t timeout_ms);

#endif
