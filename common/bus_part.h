// bus_part.h - what the two implementations of a bus share; nobody else includes this
//
//   bus_zmq.c            ZeroMQ: between processes and hosts
//   bus_memory_socket.c  in memory: within one thread, for tests and simulation

#ifndef NRS_BUS_PART_H
#define NRS_BUS_PART_H

#include "common/bus.h"

enum {
    NRS_BUS_MESSAGE_BYTES = 1 << 20, // where the options say 0
    NRS_BUS_HIGH_WATER = 1000,
};

typedef struct nrs_bus_ops {
    nrs_err_t (*recv)(nrs_bus_t *self, nrs_message_t *into);
    nrs_err_t (*send)(nrs_bus_t *self, nrs_message_t *message);
    nrs_err_t (*subscribe)(nrs_bus_t *self, nrs_bytes_t prefix);
    nrs_err_t (*unsubscribe)(nrs_bus_t *self, nrs_bytes_t prefix);
    // All buses among the items are of this implementation.
    size_t (*wait)(nrs_wait_t *items, size_t count, int64_t timeout_ms);
    void (*destroy)(nrs_bus_t *self); // frees `self` as well
} nrs_bus_ops_t;

// Each implementation's own struct begins with it.
struct nrs_bus {
    const nrs_bus_ops_t *ops;
    nrs_bus_type_t type;
    bool curve;
    char endpoint[512];
};

// Fill in what both have in common.
void
nrs_bus_init(nrs_bus_t *self, const nrs_bus_ops_t *ops, const nrs_bus_options_t *options);
// What is refused before anything is opened. Errors: NRS_E_CONFIG, with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_bus_check(const nrs_bus_options_t *options, nrs_problem_t *reterr);

// Does the endpoint begin so?
static inline bool
nrs_bus_over(const char *endpoint, const char *transport)
{
    return strncmp(endpoint, transport, strlen(transport)) == 0;
}

extern const nrs_bus_ops_t nrs_bus_zmq_ops;

#endif
