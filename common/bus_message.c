// The half of common/bus.h that is about messages, of both implementations: libzmq's hold their
// bytes without a socket too. Sockets are in common/bus_zmq.c and common/bus_memory_socket.c.
#include "common/bus_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <zmq.h>

_Static_assert(sizeof(nrs_frame_t) >= sizeof(zmq_msg_t), "a frame has room for a zmq_msg_t");
_Static_assert(_Alignof(nrs_frame_t) >= _Alignof(zmq_msg_t), "and is aligned for it");

// --- messages ------------------------------------------------------------------------------------

// libzmq's readers take a pointer that is not const, and change nothing.
static zmq_msg_t *
s_msg(const nrs_message_t *self, size_t i)
{
    NRS_ASSERT(i < self->count);
    return (zmq_msg_t *)(uintptr_t)self->frames[i].room;
}

static zmq_msg_t *
s_room(nrs_message_t *self)
{
    NRS_ASSERT(self->count < NRS_FRAMES_MAX);
    return (zmq_msg_t *)(void *)self->frames[self->count].room;
}

void
nrs_message_clear(nrs_message_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        zmq_msg_close(s_msg(self, i));
    self->count = 0;
    self->user[0] = 0;
}

nrs_bytes_t
nrs_message_frame(const nrs_message_t *self, size_t i)
{
    zmq_msg_t *msg = s_msg(self, i);
    return nrs_bytes(zmq_msg_data(msg), zmq_msg_size(msg));
}

uint8_t *
nrs_message_add(nrs_message_t *self, size_t bytes)
{
    zmq_msg_t *msg = s_room(self);
    NRS_ASSERT(zmq_msg_init_size(msg, bytes) == 0);
    self->count++;
    return zmq_msg_data(msg);
}

void
nrs_message_put(nrs_message_t *self, nrs_bytes_t bytes)
{
    uint8_t *room = nrs_message_add(self, bytes.size);
    if (bytes.size)
        memcpy(room, bytes.data, bytes.size);
}

// Properties are read from the last frame: on a ROUTER the first one (the identity) loses them when
// the message was seen by a poll before.
const char *
nrs_message_user(const nrs_message_t *self, char into[NRS_USER_BYTES_MAX])
{
    const char *user = self->user[0] ? self->user
                       : self->count ? zmq_msg_gets(s_msg(self, self->count - 1), "User-Id")
                                     : NULL;
    size_t length = user ? strlen(user) : 0;
    if (length >= NRS_USER_BYTES_MAX)
        length = 0; // not one that our handler gave
    if (length)
        memcpy(into, user, length);
    into[length] = 0;
    return into;
}

int
nrs_message_connection(const nrs_message_t *self)
{
    return self->count ? zmq_msg_get(s_msg(self, self->count - 1), ZMQ_SRCFD) : -1;
}

void
nrs_bus_cut(int connection)
{
    // libzmq has no call for it. Its I/O thread sees the end of the stream, and tidies up as
    // always.
    if (connection >= 0)
        NRS_IGNORE(shutdown(connection, SHUT_RDWR)); // gone already, or not a socket any more
}

// --- receiving -----------------------------------------------------------------------------------

// One frame into the message's next place.
static nrs_err_t
s_frame_recv(void *socket, nrs_message_t *into)
{
    zmq_msg_t *msg = s_room(into);
    zmq_msg_init(msg);
    while (zmq_msg_recv(msg, socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        nrs_err_t err = errno == EAGAIN ? NRS_E_AGAIN : NRS_E_IO;
        zmq_msg_close(msg);
        return err;
    }
    into->count++;
    return NRS_OK;
}

static bool
s_more(const nrs_message_t *message)
{
    return zmq_msg_more(s_msg(message, message->count - 1)) != 0;
}

nrs_err_t
nrs_socket_recv(void *socket, nrs_message_t *into)
{
    nrs_message_clear(into);
    nrs_err_t err = s_frame_recv(socket, into);
    if (err)
        return err;
    bool fits = true;
    while (s_more(into)) {
        if (into->count == NRS_FRAMES_MAX) { // too many: read on to its end, in the same room
            fits = false;
            nrs_message_clear(into);
        }
        // All frames of a message are there once its first is: any failure is one of the socket.
        if (s_frame_recv(socket, into)) {
            nrs_message_clear(into);
            return NRS_E_IO;
        }
    }
    if (!fits) {
        nrs_message_clear(into);
        return NRS_E_FORMAT;
    }
    return NRS_OK;
}

// --- sending -------------------------------------------------------------------------------------

static int
s_frame_send(void *socket, zmq_msg_t *msg, bool more)
{
    int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    int sent;
    do
        sent = zmq_msg_send(msg, socket, flags);
    while (sent < 0 && errno == EINTR);
    return sent;
}

nrs_err_t
nrs_socket_send(void *socket, nrs_message_t *message)
{
    NRS_ASSERT(message->count > 0);
    // libzmq decides on the first frame whether it takes the message.
    if (s_frame_send(socket, s_msg(message, 0), message->count > 1) < 0)
        return errno == EAGAIN ? NRS_E_AGAIN : errno == EHOSTUNREACH ? NRS_E_ABSENT : NRS_E_IO;
    // If the connection ends between two frames, it takes back the first ones and drops the rest;
    // the message is lost as it would be a moment later in the kernel, and offsets will show it.
    for (size_t i = 1; i < message->count; i++)
        NRS_IGNORE(s_frame_send(socket, s_msg(message, i), i + 1 < message->count) < 0);
    nrs_message_clear(message);
    return NRS_OK;
}
