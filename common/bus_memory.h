// bus_memory.h - a network in memory, for tests and simulation: messages go when they are told to,
//                and get lost, doubled, late or out of order when they shall
// Shape:    sockets find each other by the text of their endpoint; DEALER connects to ROUTER, SUB
//           to XPUB. A link is one connecting socket's connection to whoever is bound there, now
//           or later.
// As with ZeroMQ: a ROUTER puts 5 bytes of identity before a message, new ones at each connection;
//           it probes everyone who connects, and knows who is absent. A DEALER whose server is not
//           there queues up to its high water. A SUB tells its subscriptions again at each
//           connection; the XPUB (ZMQ_XPUB_MANUAL) is told what a lost subscriber had asked for. A
//           frame beyond message_bytes_max ends the connection, which begins anew.
// Not as with ZeroMQ: what is under way is lost with either end of its link, whatever linger says.
//           CURVE is only compared (both sides or neither, and the server's key); every client's
//           key is let in, and is the user of its messages. A wildcard in an endpoint is a name
//           like any other.
// Promise:  the same seed gives the same run. Nothing moves but in nrs_net_step(), one message a
//           call, in the order of sending; where there are faults, links take turns by lot. All
//           lots are drawn from the world's randomness.
// Threads:  a network, its sockets and its world belong to one thread.

#ifndef NRS_BUS_MEMORY_H
#define NRS_BUS_MEMORY_H

#include "common/bus.h"
#include "common/world.h"

typedef struct nrs_net nrs_net_t;

// `world` (borrowed) gives the randomness.
nrs_net_t *
nrs_net_new(nrs_world_t *world);
// After the last of its sockets.
void
nrs_net_destroy(nrs_net_t **self_p);

// As nrs_bus_open(), and with its errors. The network outlives the socket.
NRS_MUST_CHECK nrs_err_t
nrs_net_open(nrs_net_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr,
             nrs_bus_t **ret_bus);

// Move one message, or lose, double or hold it. False: nothing is under way between sockets that
// are connected and have room.
bool
nrs_net_step(nrs_net_t *self);

// How often each happens to a message of a link, in a thousand.
typedef struct nrs_net_faults {
    uint32_t drop;
    uint32_t duplicate; // it arrives, and is under way still
    uint32_t delay;     // it and all behind it wait for up to 64 steps
    uint32_t reorder;   // one from further behind goes first
} nrs_net_faults_t;

// From now on on the link of `client`, a socket that connects; NULL: on all links, of later sockets
// too.
void
nrs_net_disturb(nrs_net_t *self, const nrs_bus_t *client, const nrs_net_faults_t *faults);
// Cut the link: what is under way is lost. What has arrived can still be read.
void
nrs_net_cut(nrs_net_t *self, const nrs_bus_t *client);
// And let it connect anew.
void
nrs_net_heal(nrs_net_t *self, const nrs_bus_t *client);

// A hash over all that has happened so far: two runs that agree in it went the same way.
uint64_t
nrs_net_trace(const nrs_net_t *self);

#endif
