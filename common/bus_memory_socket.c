// The sockets of a network in memory; what happens between them is in common/bus_memory.c.
#include "common/bus_memory_part.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static nrs_net_socket_t *
s_socket(nrs_bus_t *bus)
{
    return (nrs_net_socket_t *)bus;
}

// --- parcels -------------------------------------------------------------------------------------

void
nrs_parcels_put(nrs_parcels_t *self, nrs_message_t *message, uint64_t number, uint32_t connection)
{
    nrs_parcel_t *parcel = nrs_new0(nrs_parcel_t);
    parcel->number = number;
    parcel->connection = connection;
    parcel->message = *message;
    *message = (nrs_message_t){ 0 };
    if (self->last)
        self->last->next = parcel;
    else
        self->first = parcel;
    self->last = parcel;
    self->count++;
}

nrs_parcel_t *
nrs_parcels_take(nrs_parcels_t *self)
{
    nrs_parcel_t *parcel = self->first;
    if (!parcel)
        return NULL;
    self->first = parcel->next;
    if (!self->first)
        self->last = NULL;
    self->count--;
    return parcel;
}

void
nrs_parcels_clear(nrs_parcels_t *self)
{
    for (nrs_parcel_t *parcel; (parcel = nrs_parcels_take(self));) {
        nrs_message_clear(&parcel->message);
        free(parcel);
    }
}

// --- prefixes ------------------------------------------------------------------------------------

// The place that points to it, or the end of the list.
static nrs_prefix_t **
s_find(nrs_prefix_t **at, nrs_bytes_t prefix)
{
    while (*at && !nrs_bytes_equal(nrs_bytes((*at)->bytes, (*at)->size), prefix))
        at = &(*at)->next;
    return at;
}

void
nrs_prefix_put(nrs_prefix_t **self, nrs_bytes_t prefix)
{
    nrs_prefix_t **at = s_find(self, prefix);
    if (!*at) {
        *at = nrs_alloc0(1, sizeof **at + prefix.size);
        (*at)->size = prefix.size;
        if (prefix.size)
            memcpy((*at)->bytes, prefix.data, prefix.size);
    }
    (*at)->times++;
}

void
nrs_prefix_put_once(nrs_prefix_t **self, nrs_bytes_t prefix)
{
    if (!*s_find(self, prefix))
        nrs_prefix_put(self, prefix);
}

size_t
nrs_prefix_drop(nrs_prefix_t **self, nrs_bytes_t prefix)
{
    nrs_prefix_t **at = s_find(self, prefix), *found = *at;
    if (!found)
        return SIZE_MAX;
    if (--found->times > 0)
        return found->times;
    *at = found->next;
    free(found);
    return 0;
}

bool
nrs_prefix_match(const nrs_prefix_t *self, nrs_bytes_t bytes)
{
    for (; self; self = self->next)
        if (self->size <= bytes.size &&
            nrs_bytes_equal(nrs_bytes(self->bytes, self->size), nrs_bytes(bytes.data, self->size)))
            return true;
    return false;
}

void
nrs_prefix_clear(nrs_prefix_t **self)
{
    while (*self) {
        nrs_prefix_t *first = *self;
        *self = first->next;
        free(first);
    }
}

// --- opening -------------------------------------------------------------------------------------

nrs_err_t
nrs_net_open(nrs_net_t *self, const nrs_bus_options_t *options, nrs_problem_t *reterr,
             nrs_bus_t **ret_bus)
{
    NRS_ASSERT(self && options && options->endpoint && ret_bus);
    bool server = options->type == NRS_BUS_ROUTER || options->type == NRS_BUS_XPUB;
    NRS_ASSERT(server == options->bind);
    nrs_err_t err = nrs_bus_check(options, reterr);
    if (err)
        return err;
    nrs_net_socket_t *socket = nrs_new0(nrs_net_socket_t);
    nrs_bus_init(&socket->bus, &nrs_bus_memory_ops, options);
    socket->net = self;
    socket->bound = options->bind;
    socket->probe = options->probe && options->type == NRS_BUS_ROUTER;
    socket->high_water = options->high_water ? (size_t)options->high_water : NRS_BUS_HIGH_WATER;
    socket->message_bytes_max =
        options->message_bytes_max ? options->message_bytes_max : NRS_BUS_MESSAGE_BYTES;
    if (options->keys)
        snprintf(socket->key, sizeof socket->key, "%s", options->keys->public_text);
    if (options->keys && !options->bind)
        snprintf(socket->server_key, sizeof socket->server_key, "%s", options->server_key);
    err = nrs_net_enter(socket, reterr);
    if (err) {
        free(socket);
        return err;
    }
    *ret_bus = &socket->bus;
    return NRS_OK;
}

static void
s_destroy(nrs_bus_t *bus)
{
    nrs_net_socket_t *self = s_socket(bus);
    nrs_net_leave(self);
    nrs_parcels_clear(&self->arrived);
    nrs_prefix_clear(&self->prefixes);
    free(self);
}

// --- receiving -----------------------------------------------------------------------------------

static nrs_err_t
s_recv(nrs_bus_t *bus, nrs_message_t *into)
{
    nrs_net_socket_t *self = s_socket(bus);
    nrs_message_clear(into);
    nrs_parcel_t *parcel = nrs_parcels_take(&self->arrived);
    if (!parcel)
        return NRS_E_AGAIN;
    *into = parcel->message;
    if (self->bound) {
        nrs_net_link_t *link = nrs_net_link_to(self, parcel->connection);
        if (link)
            link->unread--;
        self->asked = parcel->connection;
    }
    free(parcel);
    return into->count > 0 ? NRS_OK : NRS_E_FORMAT; // empty: it had too many frames
}

// --- sending -------------------------------------------------------------------------------------

static nrs_err_t
s_send_up(nrs_net_socket_t *self, nrs_message_t *message)
{
    nrs_net_link_t *link = nrs_net_link_of(self);
    if (link->ways[NRS_NET_UP].count >= self->high_water)
        return NRS_E_AGAIN;
    nrs_net_send(self->net, link, NRS_NET_UP, message);
    return NRS_OK;
}

// The link whose identity stands in a message's first frame; NULL: nobody's.
static nrs_net_link_t *
s_addressed(const nrs_net_socket_t *self, const nrs_message_t *message)
{
    nrs_bytes_t identity = nrs_message_frame(message, 0);
    if (identity.size != 5 || identity.data[0] != 0)
        return NULL;
    return nrs_net_link_to(self, nrs_get_be32(identity.data + 1));
}

static nrs_err_t
s_send_routed(nrs_net_socket_t *self, nrs_message_t *message)
{
    nrs_net_link_t *link = s_addressed(self, message);
    if (!link)
        return NRS_E_ABSENT;
    if (link->ways[NRS_NET_DOWN].count >= self->high_water)
        return NRS_E_AGAIN;
    nrs_message_t out = { 0 };
    for (size_t i = 1; i < message->count; i++)
        nrs_message_put(&out, nrs_message_frame(message, i));
    nrs_message_clear(message);
    if (out.count > 0) // else there was nothing but an identity
        nrs_net_send(self->net, link, NRS_NET_DOWN, &out);
    return NRS_OK;
}

// To every subscriber that was granted it; who has no room misses it.
static nrs_err_t
s_publish(nrs_net_socket_t *self, nrs_message_t *message)
{
    for (nrs_net_link_t *link = self->net->links; link; link = link->next) {
        if (link->server != self || link->ways[NRS_NET_DOWN].count >= self->high_water ||
            !nrs_prefix_match(link->granted, nrs_message_frame(message, 0)))
            continue;
        nrs_message_t out = { 0 };
        for (size_t i = 0; i < message->count; i++)
            nrs_message_put(&out, nrs_message_frame(message, i));
        nrs_net_send(self->net, link, NRS_NET_DOWN, &out);
    }
    nrs_message_clear(message);
    return NRS_OK;
}

static nrs_err_t
s_send(nrs_bus_t *bus, nrs_message_t *message)
{
    NRS_ASSERT(message->count > 0);
    switch (bus->type) {
    case NRS_BUS_ROUTER:
        return s_send_routed(s_socket(bus), message);
    case NRS_BUS_DEALER:
        return s_send_up(s_socket(bus), message);
    case NRS_BUS_XPUB:
        return s_publish(s_socket(bus), message);
    case NRS_BUS_SUB:
        break;
    }
    return NRS_E_IO; // a SUB has nothing to send
}

// --- subscriptions -------------------------------------------------------------------------------

void
nrs_net_subscription(nrs_message_t *into, bool on, nrs_bytes_t prefix)
{
    uint8_t *frame = nrs_message_add(into, 1 + prefix.size);
    frame[0] = on;
    if (prefix.size)
        memcpy(frame + 1, prefix.data, prefix.size);
}

// A SUB asks whoever it is connected to; if nobody is there, it will when somebody is.
static void
s_ask(nrs_net_socket_t *self, bool on, nrs_bytes_t prefix)
{
    nrs_net_link_t *link = nrs_net_link_of(self);
    if (!link->server)
        return;
    nrs_message_t message = { 0 };
    nrs_net_subscription(&message, on, prefix);
    nrs_net_send(self->net, link, NRS_NET_UP, &message);
}

static nrs_err_t
s_subscribe(nrs_bus_t *bus, nrs_bytes_t prefix)
{
    nrs_net_socket_t *self = s_socket(bus);
    if (bus->type == NRS_BUS_SUB) {
        nrs_prefix_put(&self->prefixes, prefix);
        s_ask(self, true, prefix);
        return NRS_OK;
    }
    nrs_net_link_t *link = nrs_net_link_to(self, self->asked);
    if (link)
        nrs_prefix_put_once(&link->granted, prefix);
    return NRS_OK;
}

static nrs_err_t
s_unsubscribe(nrs_bus_t *bus, nrs_bytes_t prefix)
{
    nrs_net_socket_t *self = s_socket(bus);
    if (bus->type == NRS_BUS_SUB) {
        if (nrs_prefix_drop(&self->prefixes, prefix) == 0)
            s_ask(self, false, prefix);
        return NRS_OK;
    }
    nrs_net_link_t *link = nrs_net_link_to(self, self->asked);
    if (link)
        NRS_IGNORE(nrs_prefix_drop(&link->granted, prefix)); // it may not have had it
    return NRS_OK;
}

// --- waiting -------------------------------------------------------------------------------------

static bool
s_ready(const nrs_wait_t *item)
{
    if (!item->bus) {
        struct pollfd poll_item = { .fd = item->fd, .events = item->write ? POLLOUT : POLLIN };
        return poll(&poll_item, 1, 0) > 0;
    }
    nrs_net_socket_t *self = s_socket(item->bus);
    if (!item->write)
        return self->arrived.count > 0;
    return self->bus.type != NRS_BUS_DEALER ||
           nrs_net_link_of(self)->ways[NRS_NET_UP].count < self->high_water;
}

// Nothing will come by itself, so nothing is waited for; descriptors are looked at in passing.
static size_t
s_wait(nrs_wait_t *items, size_t count, int64_t timeout_ms)
{
    (void)timeout_ms;
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].ready = s_ready(&items[i]);
        ready += items[i].ready;
    }
    return ready;
}

const nrs_bus_ops_t nrs_bus_memory_ops = {
    .recv = s_recv,
    .send = s_send,
    .subscribe = s_subscribe,
    .unsubscribe = s_unsubscribe,
    .wait = s_wait,
    .destroy = s_destroy,
};
