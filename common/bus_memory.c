// The network in memory: who is connected to whom, what is under way, and what happens to it there.
#include "common/bus_memory.h"

#include "common/bus_memory_part.h"
#include "common/hash.h"

#include <stdlib.h>

enum { IDENTITY_BYTES = 5, DELAY_STEPS_MAX = 64 };

nrs_net_t *
nrs_net_new(nrs_world_t *world)
{
    nrs_net_t *self = nrs_new0(nrs_net_t);
    self->world = world;
    return self;
}

void
nrs_net_destroy(nrs_net_t **self_p)
{
    nrs_net_t *self = *self_p;
    if (!self)
        return;
    NRS_ASSERT(!self->sockets && !self->links);
    free(self);
    *self_p = NULL;
}

uint64_t
nrs_net_trace(const nrs_net_t *self)
{
    return self->trace;
}

// --- what happened, and lots ---------------------------------------------------------------------

static void
s_trace(nrs_net_t *self, const char *what, const nrs_net_link_t *link, int way)
{
    uint64_t fact[] = { self->steps, link->connection, (uint64_t)way };
    self->trace = nrs_hash64(nrs_text(what), self->trace);
    self->trace = nrs_hash64(nrs_bytes(fact, sizeof fact), self->trace);
}

static void
s_trace_message(nrs_net_t *self, const nrs_message_t *message)
{
    for (size_t i = 0; i < message->count; i++)
        self->trace = nrs_hash64(nrs_message_frame(message, i), self->trace + i);
}

// A number below `limit`, by lot.
static size_t
s_lot(nrs_net_t *self, size_t limit)
{
    uint64_t number;
    self->world->random(self->world, &number, sizeof number);
    return (size_t)(number % limit);
}

static bool
s_happens(nrs_net_t *self, uint32_t in_thousand)
{
    return in_thousand > 0 && s_lot(self, 1000) < in_thousand;
}

// --- connections ---------------------------------------------------------------------------------

static bool
s_fit(const nrs_net_socket_t *client, const nrs_net_socket_t *server)
{
    bool types = client->bus.type == NRS_BUS_DEALER ? server->bus.type == NRS_BUS_ROUTER
                                                    : server->bus.type == NRS_BUS_XPUB;
    bool keys = client->bus.curve == server->bus.curve &&
                (!client->bus.curve || strcmp(client->server_key, server->key) == 0);
    return types && keys && strcmp(client->bus.endpoint, server->bus.endpoint) == 0;
}

// The connection stands: the server probes, a SUB says what it wants.
static void
s_greet(nrs_net_t *self, nrs_net_link_t *link)
{
    nrs_message_t message = { 0 };
    if (link->server->probe) {
        nrs_message_put(&message, NRS_NONE);
        nrs_net_send(self, link, NRS_NET_DOWN, &message);
    }
    for (const nrs_prefix_t *prefix = link->client->prefixes; prefix; prefix = prefix->next) {
        nrs_net_subscription(&message, true, nrs_bytes(prefix->bytes, prefix->size));
        nrs_net_send(self, link, NRS_NET_UP, &message);
    }
}

// Connect, if the other side is there.
static void
s_join(nrs_net_t *self, nrs_net_link_t *link)
{
    if (link->server || link->cut)
        return;
    for (nrs_net_socket_t *socket = self->sockets; socket && !link->server; socket = socket->next)
        if (socket->bound && s_fit(link->client, socket))
            link->server = socket;
    if (!link->server)
        return;
    link->connection = ++self->connections;
    s_trace(self, "join", link, NRS_NET_UP);
    s_greet(self, link);
}

// Disconnect: what is under way is lost, and an XPUB hears what is not wanted any more.
static void
s_part(nrs_net_t *self, nrs_net_link_t *link)
{
    nrs_net_socket_t *server = link->server;
    if (!server)
        return;
    s_trace(self, "part", link, NRS_NET_UP);
    for (const nrs_prefix_t *prefix = link->asked; prefix; prefix = prefix->next) {
        nrs_message_t message = { 0 };
        nrs_net_subscription(&message, false, nrs_bytes(prefix->bytes, prefix->size));
        nrs_parcels_put(&server->arrived, &message, 0, 0);
    }
    nrs_prefix_clear(&link->asked);
    nrs_prefix_clear(&link->granted);
    for (int way = 0; way < NRS_NET_WAYS; way++) {
        nrs_parcels_clear(&link->ways[way]);
        link->held[way] = 0;
    }
    link->unread = 0;
    link->server = NULL;
}

nrs_net_link_t *
nrs_net_link_of(const nrs_net_socket_t *client)
{
    for (nrs_net_link_t *link = client->net->links; link; link = link->next)
        if (link->client == client)
            return link;
    return NULL;
}

nrs_net_link_t *
nrs_net_link_to(const nrs_net_socket_t *server, uint32_t connection)
{
    for (nrs_net_link_t *link = server->net->links; link; link = link->next)
        if (link->server == server && link->connection == connection)
            return link;
    return NULL;
}

static void
s_enter_client(nrs_net_t *self, nrs_net_socket_t *client)
{
    nrs_net_link_t **end = &self->links;
    while (*end)
        end = &(*end)->next;
    *end = nrs_new0(nrs_net_link_t);
    (*end)->client = client;
    (*end)->faults = self->faults;
    s_join(self, *end);
}

nrs_err_t
nrs_net_enter(nrs_net_socket_t *socket, nrs_problem_t *reterr)
{
    nrs_net_t *self = socket->net;
    for (const nrs_net_socket_t *other = self->sockets; other && socket->bound; other = other->next)
        if (other->bound && strcmp(other->bus.endpoint, socket->bus.endpoint) == 0)
            return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't bind %s: address in use",
                                   socket->bus.endpoint);
    socket->next = self->sockets;
    self->sockets = socket;
    if (!socket->bound)
        s_enter_client(self, socket);
    for (nrs_net_link_t *link = self->links; link && socket->bound; link = link->next)
        s_join(self, link);
    return NRS_OK;
}

void
nrs_net_leave(nrs_net_socket_t *socket)
{
    nrs_net_t *self = socket->net;
    for (nrs_net_link_t **at = &self->links; *at;) {
        nrs_net_link_t *link = *at;
        if (link->server == socket || link->client == socket)
            s_part(self, link);
        if (link->client != socket) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        nrs_parcels_clear(&link->ways[NRS_NET_UP]); // what waited for a server
        free(link);
    }
    nrs_net_socket_t **at = &self->sockets;
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
}

// --- moving --------------------------------------------------------------------------------------

void
nrs_net_send(nrs_net_t *self, nrs_net_link_t *link, int way, nrs_message_t *message)
{
    nrs_parcels_put(&link->ways[way], message, ++self->parcels, 0);
}

// Has the receiver room, and is there something for it?
static bool
s_can_move(const nrs_net_link_t *link, int way)
{
    if (!link->server || link->ways[way].count == 0)
        return false;
    return way == NRS_NET_UP ? link->unread < link->server->high_water
                             : link->client->arrived.count < link->client->high_water;
}

typedef struct s_turn {
    nrs_net_link_t *link; // NULL: nobody's
    int way;
    bool held; // somebody could, but for a delay
} s_turn_t;

static bool
s_disturbed(const nrs_net_faults_t *faults)
{
    return faults->drop || faults->duplicate || faults->delay || faults->reorder;
}

// Whose turn is it? Of who was first, or by lot: each further one that can takes the turn with a
// chance of 1 in so many as were seen, so that all are equal in the end.
static s_turn_t
s_choose(nrs_net_t *self)
{
    s_turn_t turn = { 0 };
    bool by_lot = false;
    for (const nrs_net_link_t *link = self->links; link; link = link->next)
        by_lot |= s_disturbed(&link->faults);
    size_t seen = 0;
    for (nrs_net_link_t *link = self->links; link; link = link->next)
        for (int way = 0; way < NRS_NET_WAYS; way++) {
            if (!s_can_move(link, way))
                continue;
            if (link->held[way] > self->steps) {
                turn.held = true;
                continue;
            }
            seen++;
            bool takes =
                !turn.link ? true
                : by_lot   ? s_lot(self, seen) == 0
                         : link->ways[way].first->number < turn.link->ways[turn.way].first->number;
            if (takes) {
                turn.link = link;
                turn.way = way;
            }
        }
    return turn;
}

// As it is read at the server: behind the sender's identity, and with its user.
static void
s_address(const nrs_net_link_t *link, nrs_message_t *message)
{
    nrs_message_t addressed = { 0 };
    uint8_t identity[IDENTITY_BYTES] = { 0 };
    nrs_put_be32(identity + 1, link->connection);
    if (link->server->bus.type == NRS_BUS_ROUTER)
        nrs_message_put(&addressed, nrs_bytes(identity, sizeof identity));
    for (size_t i = 0; i < message->count && addressed.count < NRS_FRAMES_MAX; i++)
        nrs_message_put(&addressed, nrs_message_frame(message, i));
    memcpy(addressed.user, link->client->key, sizeof link->client->key);
    nrs_message_clear(message);
    *message = addressed;
}

// A subscription has reached an XPUB: remember who asked, for when it goes.
static void
s_remember(nrs_net_link_t *link, const nrs_message_t *message)
{
    nrs_bytes_t frame = nrs_message_frame(message, 0);
    nrs_bytes_t prefix = nrs_bytes(frame.data + 1, frame.size - 1);
    if (frame.data[0])
        nrs_prefix_put_once(&link->asked, prefix);
    else
        NRS_IGNORE(nrs_prefix_drop(&link->asked, prefix)); // the end of what it may not have had
}

static bool
s_too_big(const nrs_net_socket_t *receiver, const nrs_message_t *message)
{
    for (size_t i = 0; i < message->count; i++)
        if (nrs_message_frame(message, i).size > receiver->message_bytes_max)
            return true;
    return false;
}

static void
s_arrive_up(nrs_net_link_t *link, nrs_message_t *message)
{
    nrs_net_socket_t *server = link->server;
    bool router = server->bus.type == NRS_BUS_ROUTER;
    if (!router)
        s_remember(link, message);
    // One frame too many for us: it is told as such (NRS_E_FORMAT) when it is read.
    bool fits = !router || message->count < NRS_FRAMES_MAX;
    s_address(link, message);
    if (!fits)
        nrs_message_clear(message);
    link->unread++;
    nrs_parcels_put(&server->arrived, message, 0, link->connection);
}

static void
s_arrive_down(nrs_net_link_t *link, nrs_message_t *message)
{
    nrs_net_socket_t *client = link->client;
    bool wanted = client->bus.type != NRS_BUS_SUB ||
                  nrs_prefix_match(client->prefixes, nrs_message_frame(message, 0));
    if (wanted)
        nrs_parcels_put(&client->arrived, message, 0, link->connection);
    nrs_message_clear(message);
}

static void
s_arrive(nrs_net_t *self, nrs_net_link_t *link, int way, nrs_message_t *message)
{
    if (s_too_big(way == NRS_NET_UP ? link->server : link->client, message)) {
        nrs_message_clear(message);
        s_part(self, link);
        s_join(self, link);
        return;
    }
    s_trace(self, "arrive", link, way);
    s_trace_message(self, message);
    if (way == NRS_NET_UP)
        s_arrive_up(link, message);
    else
        s_arrive_down(link, message);
}

// One from further behind becomes the first.
static void
s_overtake(nrs_net_t *self, nrs_parcels_t *parcels)
{
    nrs_parcel_t *before = parcels->first;
    for (size_t skip = s_lot(self, parcels->count - 1); skip > 0; skip--)
        before = before->next;
    nrs_parcel_t *overtaker = before->next;
    before->next = overtaker->next;
    if (parcels->last == overtaker)
        parcels->last = before;
    overtaker->next = parcels->first;
    parcels->first = overtaker;
}

static void
s_copy(const nrs_message_t *from, nrs_message_t *into)
{
    for (size_t i = 0; i < from->count; i++)
        nrs_message_put(into, nrs_message_frame(from, i));
}

static void
s_move(nrs_net_t *self, nrs_net_link_t *link, int way)
{
    const nrs_net_faults_t *faults = &link->faults;
    nrs_parcels_t *parcels = &link->ways[way];
    if (s_happens(self, faults->delay)) {
        link->held[way] = self->steps + 1 + s_lot(self, DELAY_STEPS_MAX);
        s_trace(self, "delay", link, way);
        return;
    }
    if (parcels->count > 1 && s_happens(self, faults->reorder))
        s_overtake(self, parcels);
    bool drop = s_happens(self, faults->drop);
    nrs_message_t message = { 0 };
    if (!drop && s_happens(self, faults->duplicate)) {
        s_copy(&parcels->first->message, &message);
    } else {
        nrs_parcel_t *parcel = nrs_parcels_take(parcels);
        message = parcel->message;
        free(parcel);
    }
    if (!drop) {
        s_arrive(self, link, way, &message);
        return;
    }
    s_trace(self, "drop", link, way);
    nrs_message_clear(&message);
}

bool
nrs_net_step(nrs_net_t *self)
{
    self->steps++;
    s_turn_t turn = s_choose(self);
    if (turn.link)
        s_move(self, turn.link, turn.way);
    return turn.link || turn.held;
}

// --- faults --------------------------------------------------------------------------------------

static nrs_net_link_t *
s_link(const nrs_net_t *self, const nrs_bus_t *client)
{
    NRS_ASSERT(client->ops == &nrs_bus_memory_ops);
    const nrs_net_socket_t *socket = (const nrs_net_socket_t *)client;
    NRS_ASSERT(socket->net == self && !socket->bound);
    return nrs_net_link_of(socket);
}

void
nrs_net_disturb(nrs_net_t *self, const nrs_bus_t *client, const nrs_net_faults_t *faults)
{
    if (client) {
        s_link(self, client)->faults = *faults;
        return;
    }
    self->faults = *faults;
    for (nrs_net_link_t *link = self->links; link; link = link->next)
        link->faults = *faults;
}

void
nrs_net_cut(nrs_net_t *self, const nrs_bus_t *client)
{
    nrs_net_link_t *link = s_link(self, client);
    link->cut = true;
    s_part(self, link);
}

void
nrs_net_heal(nrs_net_t *self, const nrs_bus_t *client)
{
    nrs_net_link_t *link = s_link(self, client);
    link->cut = false;
    s_join(self, link);
}
