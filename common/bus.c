#include "common/bus_part.h"

#include <stdio.h>
#include <sys/un.h>

// --- opening: what both implementations do -------------------------------------------------------

void
nrs_bus_init(nrs_bus_t *self, const nrs_bus_ops_t *ops, const nrs_bus_options_t *options)
{
    self->ops = ops;
    self->type = options->type;
    self->curve = options->keys != NULL;
    snprintf(self->endpoint, sizeof self->endpoint, "%s", options->endpoint);
}

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

nrs_err_t
nrs_bus_check(const nrs_bus_options_t *options, nrs_problem_t *reterr)
{
    bool tcp = nrs_bus_over(options->endpoint, "tcp://"),
         ipc = nrs_bus_over(options->endpoint, "ipc://");
    bool inproc = nrs_bus_over(options->endpoint, "inproc://");
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

// --- a socket, whoever implements it -------------------------------------------------------------

void
nrs_bus_destroy(nrs_bus_t **self_p)
{
    nrs_bus_t *self = *self_p;
    if (!self)
        return;
    self->ops->destroy(self);
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

nrs_err_t
nrs_bus_recv(nrs_bus_t *self, nrs_message_t *into)
{
    return self->ops->recv(self, into);
}

nrs_err_t
nrs_bus_send(nrs_bus_t *self, nrs_message_t *message)
{
    return self->ops->send(self, message);
}

nrs_err_t
nrs_bus_subscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    NRS_ASSERT(self->type == NRS_BUS_XPUB || self->type == NRS_BUS_SUB);
    return self->ops->subscribe(self, prefix);
}

nrs_err_t
nrs_bus_unsubscribe(nrs_bus_t *self, nrs_bytes_t prefix)
{
    NRS_ASSERT(self->type == NRS_BUS_XPUB || self->type == NRS_BUS_SUB);
    return self->ops->unsubscribe(self, prefix);
}

size_t
nrs_bus_wait(nrs_wait_t *items, size_t count, int64_t timeout_ms)
{
    NRS_ASSERT(count <= NRS_WAIT_MAX);
    const nrs_bus_ops_t *ops = NULL;
    for (size_t i = 0; i < count; i++) {
        NRS_ASSERT(!ops || !items[i].bus || items[i].bus->ops == ops);
        if (items[i].bus)
            ops = items[i].bus->ops;
    }
    if (!ops)
        ops = &nrs_bus_zmq_ops; // nothing but file descriptors
    return ops->wait(items, count, timeout_ms);
}
