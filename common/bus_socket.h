// bus_socket.h - the raw side of the bus, for common/bus_zmq.c, common/zap.c and their tests alone
// Threads:  the context may be taken and dropped from any thread.

#ifndef NRS_BUS_SOCKET_H
#define NRS_BUS_SOCKET_H

#include "common/bus.h"

// The process's one libzmq context; made by the first taker. It ends when the last taker has
// dropped it, which waits until every socket's linger is over. All sockets made in it are closed
// before.
void *
nrs_context_take(void);
void
nrs_context_drop(void);

// What nrs_bus_recv() and nrs_bus_send() do, on a libzmq socket.
NRS_MUST_CHECK nrs_err_t
nrs_socket_recv(void *socket, nrs_message_t *into);
NRS_MUST_CHECK nrs_err_t
nrs_socket_send(void *socket, nrs_message_t *message);

#endif
