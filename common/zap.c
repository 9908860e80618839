#include "common/zap.h"

#include "common/bus_socket.h"
#include "common/keys.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { DOMAIN_BYTES = 65, KEY_BYTES = 32 };

static const char s_endpoint[] = "inproc://zeromq.zap.01"; // fixed by ZeroMQ RFC 27

typedef struct entry {
    char domain[DOMAIN_BYTES];
    char key[NRS_KEY_TEXT_BYTES];
    char *name; // owned
} entry_t;

struct nrs_zap {
    pthread_t thread;
    void *socket; // REP; belongs to the thread once it runs
    int stop;     // eventfd: written to end the thread
    atomic_uint_fast64_t denied;

    pthread_mutex_t lock; // guards what follows: the thread reads it
    entry_t *entries;     // owned; in order of domain and key
    size_t count, room;
};

// --- the table -----------------------------------------------------------------------------------

// Where the entry stands, or would. The lock is held.
static size_t
s_place(const nrs_zap_t *self, const char *domain, const char *key_text, bool *ret_found)
{
    size_t low = 0, high = self->count;
    *ret_found = false;
    while (low < high && !*ret_found) {
        size_t middle = low + (high - low) / 2;
        const entry_t *entry = &self->entries[middle];
        int order = strcmp(domain, entry->domain);
        if (order == 0)
            order = strcmp(key_text, entry->key);
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
        *ret_found = order == 0;
    }
    return high;
}

void
nrs_zap_allow(nrs_zap_t *self, const char *domain, const char *key_text, const char *name)
{
    NRS_ASSERT(self && domain && domain[0] && strlen(domain) < DOMAIN_BYTES && name);
    NRS_ASSERT(nrs_key_text_ok(nrs_text(key_text)));

    char *copy = nrs_strdup(name);
    bool found;
    pthread_mutex_lock(&self->lock);
    size_t at = s_place(self, domain, key_text, &found);
    if (!found) {
        if (self->count == self->room) {
            self->room = self->room ? 2 * self->room : 16;
            self->entries = nrs_realloc(self->entries, self->room * sizeof *self->entries);
        }
        memmove(&self->entries[at + 1], &self->entries[at],
                (self->count - at) * sizeof *self->entries);
        self->entries[at] = (entry_t){ 0 };
        memcpy(self->entries[at].domain, domain, strlen(domain));
        memcpy(self->entries[at].key, key_text, strlen(key_text));
        self->count++;
    }
    free(self->entries[at].name);
    self->entries[at].name = copy;
    pthread_mutex_unlock(&self->lock);
}

void
nrs_zap_revoke(nrs_zap_t *self, const char *domain, const char *key_text)
{
    NRS_ASSERT(self && domain && key_text);

    bool found;
    pthread_mutex_lock(&self->lock);
    size_t at = s_place(self, domain, key_text, &found);
    if (found) {
        free(self->entries[at].name);
        self->count--;
        memmove(&self->entries[at], &self->entries[at + 1],
                (self->count - at) * sizeof *self->entries);
    }
    pthread_mutex_unlock(&self->lock);
}

const char *
nrs_zap_allowed(nrs_zap_t *self, const char *domain, const char *key_text)
{
    NRS_ASSERT(self && domain && key_text);

    bool found;
    pthread_mutex_lock(&self->lock);
    size_t at = s_place(self, domain, key_text, &found);
    const char *name = found ? self->entries[at].name : NULL;
    pthread_mutex_unlock(&self->lock);
    return name;
}

uint64_t
nrs_zap_denied(nrs_zap_t *self)
{
    return atomic_load(&self->denied);
}

// --- one request: ZeroMQ RFC 27, "ZAP messages" --------------------------------------------------

enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, CURVE_FRAMES };

typedef struct answer {
    const char *status; // "200", "400" or "500"
    const char *text;
    char user[NRS_KEY_TEXT_BYTES]; // "" unless 200
} answer_t;

// A frame of the request, empty where the request is too short for it.
static nrs_bytes_t
s_frame(const nrs_message_t *request, size_t i)
{
    return i < request->count ? nrs_message_frame(request, i) : NRS_NONE;
}

static answer_t
s_judge_curve(nrs_zap_t *self, const nrs_message_t *request)
{
    nrs_bytes_t domain = nrs_message_frame(request, DOMAIN);
    nrs_bytes_t key = nrs_message_frame(request, CREDENTIALS);
    char name[DOMAIN_BYTES] = "";
    answer_t answer = { "200", "OK", "" };
    if (domain.size == 0 || domain.size >= sizeof name || memchr(domain.data, 0, domain.size))
        return (answer_t){ "400", "no such domain", "" };
    memcpy(name, domain.data, domain.size);
    zmq_z85_encode(answer.user, key.data, key.size);
    if (!nrs_zap_allowed(self, name, answer.user))
        return (answer_t){ "400", "the key is not known in this domain", "" };
    return answer;
}

static answer_t
s_judge(nrs_zap_t *self, const nrs_message_t *request)
{
    if (!nrs_bytes_is(s_frame(request, VERSION), "1.0"))
        return (answer_t){ "500", "unknown version of ZAP", "" };
    if (request->count <= MECHANISM)
        return (answer_t){ "400", "malformed request", "" };
    if (!nrs_bytes_is(s_frame(request, MECHANISM), "CURVE"))
        return (answer_t){ "400", "only CURVE is accepted", "" };
    if (request->count != CURVE_FRAMES || s_frame(request, CREDENTIALS).size != KEY_BYTES)
        return (answer_t){ "400", "malformed request", "" };
    return s_judge_curve(self, request);
}

static void
s_note_refusal(nrs_zap_t *self, const nrs_message_t *request, const answer_t *answer)
{
    char key_text[NRS_KEY_TEXT_BYTES] = "";
    nrs_bytes_t key = s_frame(request, CREDENTIALS);
    if (key.size == KEY_BYTES)
        zmq_z85_encode(key_text, key.data, key.size);
    atomic_fetch_add(&self->denied, 1);
    nrs_log_warn("peer.denied", F_BYTES("domain", s_frame(request, DOMAIN)),
                 F_BYTES("address", s_frame(request, ADDRESS)), F_STR("key", key_text),
                 F_STR("reason", answer->text));
}

static void
s_reply(nrs_zap_t *self, const nrs_message_t *request, const answer_t *answer)
{
    nrs_message_t reply = { 0 };
    nrs_message_put(&reply, nrs_text("1.0"));
    nrs_message_put(&reply, s_frame(request, REQUEST_ID));
    nrs_message_put(&reply, nrs_text(answer->status));
    nrs_message_put(&reply, nrs_text(answer->text));
    nrs_message_put(&reply, nrs_text(answer->user));
    nrs_message_put(&reply, NRS_NONE);                 // metadata
    NRS_IGNORE(nrs_socket_send(self->socket, &reply)); // who asked is gone: so is the connection
    nrs_message_clear(&reply);
}

// Answer whatever has come, well formed or not: a REP that is asked and does not answer is stuck.
static nrs_err_t
s_step(nrs_zap_t *self)
{
    nrs_message_t request = { 0 };
    nrs_err_t err = nrs_socket_recv(self->socket, &request);
    if (err == NRS_E_AGAIN)
        return NRS_OK;
    if (err && err != NRS_E_FORMAT)
        return err;
    answer_t answer = s_judge(self, &request);
    if (!answer.user[0])
        s_note_refusal(self, &request, &answer);
    s_reply(self, &request, &answer);
    nrs_message_clear(&request);
    return NRS_OK;
}

// --- the thread ----------------------------------------------------------------------------------

static void *
s_loop(void *arg)
{
    nrs_zap_t *self = arg;
    zmq_pollitem_t items[] = { { .socket = self->socket, .events = ZMQ_POLLIN },
                               { .fd = self->stop, .events = ZMQ_POLLIN } };
    while (!items[1].revents) {
        int polled = zmq_poll(items, 2, -1);
        // Going on without a handler would leave every door as it happens to be: stop everything.
        NRS_ASSERT(polled >= 0 || errno == EINTR);
        nrs_err_t err = polled > 0 && items[0].revents ? s_step(self) : NRS_OK;
        NRS_ASSERT(!err);
    }
    zmq_close(self->socket);
    return NULL;
}

// Signals belong to the thread that waits for them, so this one takes none.
static bool
s_start_thread(nrs_zap_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&self->thread, NULL, s_loop, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static nrs_err_t
s_start(nrs_zap_t *self)
{
    int linger = 0;
    self->socket = zmq_socket(nrs_context_take(), ZMQ_REP);
    if (!self->socket) {
        nrs_context_drop();
        return NRS_E_IO;
    }
    nrs_err_t err = NRS_OK;
    if (zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger) != 0)
        err = NRS_E_IO;
    else if (zmq_bind(self->socket, s_endpoint) != 0)
        err = errno == EADDRINUSE ? NRS_E_EXISTS : NRS_E_IO;
    else if (!s_start_thread(self))
        err = NRS_E_IO;
    if (err) {
        zmq_close(self->socket);
        self->socket = NULL;
        nrs_context_drop();
    }
    return err;
}

nrs_err_t
nrs_zap_open(nrs_zap_t **ret_zap)
{
    NRS_ASSERT(ret_zap);

    NRS_AUTO(nrs_zap) self = nrs_new0(nrs_zap_t);
    pthread_mutex_init(&self->lock, NULL);
    self->stop = eventfd(0, EFD_CLOEXEC);
    if (self->stop < 0)
        return NRS_E_IO;
    nrs_err_t err = s_start(self);
    if (err)
        return err;
    *ret_zap = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_zap_destroy(nrs_zap_t **self_p)
{
    nrs_zap_t *self = *self_p;
    if (!self)
        return;
    if (self->socket) { // then the thread runs
        NRS_ASSERT(eventfd_write(self->stop, 1) == 0);
        pthread_join(self->thread, NULL);
        nrs_context_drop();
    }
    if (self->stop >= 0)
        close(self->stop);
    for (size_t i = 0; i < self->count; i++)
        free(self->entries[i].name);
    free(self->entries);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}
