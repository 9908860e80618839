// bus_memory_part.h - what the two halves of the network in memory share; nobody else includes this
//
//   bus_memory.c         the network: links, steps, faults
//   bus_memory_socket.c  its sockets: what common/bus.h does with them

#ifndef NRS_BUS_MEMORY_PART_H
#define NRS_BUS_MEMORY_PART_H

#include "common/bus_memory.h"
#include "common/bus_part.h"

// A message, under way or arrived.
typedef struct nrs_parcel {
    struct nrs_parcel *next;
    uint64_t number;     // in the order of sending
    uint32_t connection; // arrived: over which; 0: made by the receiving socket itself
    nrs_message_t message;
} nrs_parcel_t;

typedef struct nrs_parcels {
    nrs_parcel_t *first;
    nrs_parcel_t *last;
    size_t count;
} nrs_parcels_t;

typedef struct nrs_prefix {
    struct nrs_prefix *next;
    size_t times; // put so often
    size_t size;
    uint8_t bytes[];
} nrs_prefix_t;

typedef struct nrs_net_socket {
    nrs_bus_t bus;
    nrs_net_t *net;
    struct nrs_net_socket *next;
    bool bound;
    bool probe;
    size_t high_water;
    size_t message_bytes_max;
    char key[NRS_KEY_TEXT_BYTES];        // own public key; "": no CURVE
    char server_key[NRS_KEY_TEXT_BYTES]; // whom a client expects
    nrs_parcels_t arrived;
    uint32_t asked;         // XPUB: the connection whose subscription was read last
    nrs_prefix_t *prefixes; // SUB: owned
} nrs_net_socket_t;

enum { NRS_NET_UP, NRS_NET_DOWN, NRS_NET_WAYS }; // to the server, to the client

typedef struct nrs_net_link {
    struct nrs_net_link *next;
    nrs_net_socket_t *client; // never NULL
    nrs_net_socket_t *server; // NULL: not connected
    bool cut;
    uint32_t connection; // its number, which makes the identity; one of its own each time
    nrs_net_faults_t faults;
    nrs_parcels_t ways[NRS_NET_WAYS];
    uint64_t held[NRS_NET_WAYS]; // until this step
    size_t unread;               // arrived at the server over this connection
    nrs_prefix_t *asked;         // what an XPUB was asked for over this connection; owned
    nrs_prefix_t *granted;       // and what it agreed to; owned
} nrs_net_link_t;

struct nrs_net {
    nrs_world_t *world;
    nrs_net_socket_t *sockets; // borrowed: whoever opened them destroys them
    nrs_net_link_t *links;     // owned, in the order of opening
    nrs_net_faults_t faults;   // of links to come
    uint64_t parcels;          // sent so far
    uint32_t connections;      // made so far
    uint64_t steps;
    uint64_t trace;
};

// --- parcels: a queue ----------------------------------------------------------------------------

// Take over the message, which is empty after it.
void
nrs_parcels_put(nrs_parcels_t *self, nrs_message_t *message, uint64_t number, uint32_t connection);
// NULL: none. The caller frees it, and clears its message.
nrs_parcel_t *
nrs_parcels_take(nrs_parcels_t *self);
void
nrs_parcels_clear(nrs_parcels_t *self);

// --- prefixes: a set that counts -----------------------------------------------------------------

void
nrs_prefix_put(nrs_prefix_t **self, nrs_bytes_t prefix);
// The same, but nothing happens when it is in there already.
void
nrs_prefix_put_once(nrs_prefix_t **self, nrs_bytes_t prefix);
// How often still; SIZE_MAX: it was not in there.
size_t
nrs_prefix_drop(nrs_prefix_t **self, nrs_bytes_t prefix);
// Does one of them begin the bytes?
bool
nrs_prefix_match(const nrs_prefix_t *self, nrs_bytes_t bytes);
void
nrs_prefix_clear(nrs_prefix_t **self);

// --- the network, for its sockets ----------------------------------------------------------------

// Begin or end a socket's part in the network. Errors: NRS_E_IO (address in use).
NRS_MUST_CHECK nrs_err_t
nrs_net_enter(nrs_net_socket_t *socket, nrs_problem_t *reterr);
void
nrs_net_leave(nrs_net_socket_t *socket);
// The link of a client; that of a server's connection, NULL if it has ended.
nrs_net_link_t *
nrs_net_link_of(const nrs_net_socket_t *client);
nrs_net_link_t *
nrs_net_link_to(const nrs_net_socket_t *server, uint32_t connection);
// Put a message under way; it is empty after it.
void
nrs_net_send(nrs_net_t *self, nrs_net_link_t *link, int way, nrs_message_t *message);

// A message that says what an XPUB shall send or send no more.
void
nrs_net_subscription(nrs_message_t *into, bool on, nrs_bytes_t prefix);

extern const nrs_bus_ops_t nrs_bus_memory_ops;

#endif
