#include "common/plan_check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

// --- lanes ---------------------------------------------------------------------------------------

uint64_t
nrs_plan_all_lanes(uint16_t lanes)
{
    return lanes >= 64 ? UINT64_MAX : (UINT64_C(1) << lanes) - 1;
}

static bool
s_lane(const char **text_p, unsigned *ret_lane)
{
    const char *text = *text_p;
    if (*text < '0' || *text > '9')
        return false;
    char *end = NULL;
    unsigned long lane = strtoul(text, &end, 10);
    if (lane >= NRS_LANES_MAX)
        return false;
    *ret_lane = (unsigned)lane;
    *text_p = end;
    return true;
}

// Add "3" or "0-7" to the set.
static nrs_err_t
s_add_range(const nrs_config_node_t *node, uint16_t lanes, uint64_t *set, nrs_problem_t *reterr)
{
    const char *text = nrs_config_text(node);
    unsigned from = 0, to = 0;
    bool good = text && s_lane(&text, &from);
    to = from;
    if (good && *text == '-') {
        text++;
        good = s_lane(&text, &to);
    }
    if (!good || *text || to < from)
        return nrs_config_problem(node, reterr,
                                  "lanes: write a lane such as 3, a range such as "
                                  "0-7, or a list of these");
    if (to >= lanes)
        return nrs_config_problem(node, reterr, "lanes: there is no lane %u; they go from 0 to %u",
                                  to, lanes - 1u);
    for (unsigned lane = from; lane <= to; lane++) {
        if (*set >> lane & 1)
            return nrs_config_problem(node, reterr, "lanes: lane %u stands here twice", lane);
        *set |= UINT64_C(1) << lane;
    }
    return NRS_OK;
}

nrs_err_t
nrs_plan_read_lanes(const nrs_config_node_t *node, uint16_t lanes, uint64_t *ret_set,
                    nrs_problem_t *reterr)
{
    uint64_t set = 0;
    if (nrs_config_shape(node) == NRS_CONFIG_LIST) {
        for (size_t i = 0; i < nrs_config_count(node); i++) {
            nrs_err_t err = s_add_range(nrs_config_at(node, i, NULL), lanes, &set, reterr);
            if (err)
                return err;
        }
    } else {
        nrs_err_t err = s_add_range(node, lanes, &set, reterr);
        if (err)
            return err;
    }
    if (!set)
        return nrs_config_problem(node, reterr, "lanes: an instance owns one lane at least");
    *ret_set = set;
    return NRS_OK;
}

// "8-11, 15": the set as a person would write it.
static const char *
s_print_lanes(uint64_t set, char *into, size_t bytes)
{
    size_t used = 0;
    into[0] = 0;
    for (unsigned lane = 0; lane < NRS_LANES_MAX && used < bytes; lane++) {
        if (!(set >> lane & 1))
            continue;
        unsigned last = lane;
        while (last + 1 < NRS_LANES_MAX && (set >> (last + 1) & 1))
            last++;
        int length = snprintf(into + used, bytes - used, last > lane ? "%s%u-%u" : "%s%u",
                              used ? ", " : "", lane, last);
        used += (size_t)length;
        lane = last;
    }
    return into;
}

// --- endpoints -----------------------------------------------------------------------------------

static bool
s_port_ok(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && !text[digits] && strtoul(text, NULL, 10) - 1 < UINT16_MAX;
}

// "192.0.2.1:7461", "[2001:db8::1]:7461"; with `any` also "*:7461".
static bool
s_tcp_ok(const char *text, bool any)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    if (!colon || !s_port_ok(colon + 1) || (size_t)(colon - text) >= sizeof host + 2)
        return false;
    size_t length = (size_t)(colon - text);
    bool bracketed = length > 2 && text[0] == '[' && colon[-1] == ']';
    length -= bracketed ? 2 : 0;
    if (length >= sizeof host)
        return false;
    memcpy(host, text + bracketed, length);
    host[length] = 0;
    if (strcmp(host, "*") == 0 && !bracketed)
        return any;
    struct in6_addr address = { 0 };
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, &address) != 1)
        return false;
    static const struct in6_addr unspecified;
    return any || memcmp(&address, &unspecified, sizeof address) != 0;
}

static nrs_err_t
s_check_ipc(const char *endpoint, const char *what, const nrs_config_node_t *node,
            nrs_problem_t *reterr)
{
    const char *path = endpoint + strlen("ipc://");
    if (path[0] != '/')
        return nrs_config_problem(node, reterr,
                                  "%s: '%s' must name a file, such as "
                                  "ipc:///run/noroshi/x.%s",
                                  what, endpoint, what);
    size_t length = strlen(path);
    if (length > NRS_IPC_PATH_MAX)
        return nrs_config_problem(node, reterr,
                                  "%s: the path %s has %zu bytes, and a unix socket's has %d at "
                                  "most; choose a shorter `home:`, or give a shorter `%s:`",
                                  what, path, length, NRS_IPC_PATH_MAX, what);
    return NRS_OK;
}

nrs_err_t
nrs_plan_check_endpoint(const char *endpoint, const char *what, const nrs_config_node_t *node,
                        nrs_problem_t *reterr)
{
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return s_check_ipc(endpoint, what, node, reterr);
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return nrs_config_problem(node, reterr, "%s: '%s' begins with neither ipc:// nor tcp://",
                                  what, endpoint);
    // Everything but the peers' endpoint is also read by those who connect: "*" would tell them
    // nothing.
    bool any = strcmp(what, "release") == 0;
    if (!s_tcp_ok(endpoint + 6, any))
        return nrs_config_problem(node, reterr,
                                  "%s: '%s' needs a numeric address%s and a port, such as "
                                  "tcp://192.0.2.1:7461 or tcp://[2001:db8::1]:7461",
                                  what, endpoint, any ? " (or *)" : " of this machine");
    return NRS_OK;
}

enum { ENDPOINTS = 6 }; // of an instance; those that it lacks are NULL

static void
s_endpoints(const nrs_instance_t *instance, const char *ret_endpoints[ENDPOINTS])
{
    const char *all[ENDPOINTS] = { instance->follow, instance->tap,     instance->ask,
                                   instance->submit, instance->release, instance->metrics };
    memcpy(ret_endpoints, all, sizeof all);
}

nrs_err_t
nrs_plan_check_curve(const nrs_instance_t *instance, const nrs_config_node_t *node,
                     nrs_problem_t *reterr)
{
    const char *inner[] = { instance->follow, instance->tap, instance->ask, instance->submit };
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (inner[i] && strncmp(inner[i], "tcp://", 6) == 0)
            return nrs_config_problem(node, reterr,
                                      "%s: %s needs `curve: true`, so that it is "
                                      "encrypted and knows who connects",
                                      instance->name, inner[i]);
    return NRS_OK;
}

// --- instances beside each other -----------------------------------------------------------------

// Do two endpoints name the same place? A metrics address is a tcp endpoint without its scheme;
// port 0 is any.
static bool
s_same_place(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    a += strncmp(a, "tcp://", 6) == 0 ? 6 : 0;
    b += strncmp(b, "tcp://", 6) == 0 ? 6 : 0;
    size_t length = strlen(a);
    bool any_port = length > 2 && strcmp(a + length - 2, ":0") == 0;
    return !any_port && strcmp(a, b) == 0;
}

static nrs_err_t
s_check_own_endpoints(const nrs_instance_t *instance, const nrs_config_node_t *node,
                      nrs_problem_t *reterr)
{
    const char *own[ENDPOINTS];
    s_endpoints(instance, own);
    for (size_t i = 0; i < ENDPOINTS; i++)
        for (size_t j = i + 1; j < ENDPOINTS; j++)
            if (s_same_place(own[i], own[j]))
                return nrs_config_problem(node, reterr, "%s uses %s twice", instance->name, own[i]);
    return NRS_OK;
}

static nrs_err_t
s_check_endpoints(const nrs_instance_t *instance, const nrs_instance_t *other,
                  const nrs_config_node_t *node, nrs_problem_t *reterr)
{
    const char *own[ENDPOINTS], *theirs[ENDPOINTS];
    s_endpoints(instance, own);
    s_endpoints(other, theirs);
    for (size_t i = 0; i < ENDPOINTS; i++)
        for (size_t j = 0; j < ENDPOINTS; j++)
            if (s_same_place(own[i], theirs[j]))
                return nrs_config_problem(node, reterr, "%s and %s both use %s", other->name,
                                          instance->name, own[i]);
    return NRS_OK;
}

static nrs_err_t
s_check_pair(const nrs_instance_t *instance, const nrs_instance_t *other,
             const nrs_config_node_t *node, nrs_problem_t *reterr)
{
    if (strcmp(instance->name, other->name) == 0)
        return nrs_config_problem(node, reterr, "two instances are named %s", instance->name);
    if (instance->number == other->number)
        return nrs_config_problem(node, reterr,
                                  "%s and %s both have the number %u; give one of "
                                  "them another `number:`",
                                  other->name, instance->name, instance->number);
    if (strcmp(instance->data, other->data) == 0 && strcmp(instance->host, other->host) == 0)
        return nrs_config_problem(node, reterr, "%s and %s both keep their data in %s", other->name,
                                  instance->name, instance->data);
    uint64_t both = instance->lanes & other->lanes;
    char lanes[256];
    if (both && strcmp(instance->stage, other->stage) == 0)
        return nrs_config_problem(node, reterr, "%s and %s both own lanes %s", other->name,
                                  instance->name, s_print_lanes(both, lanes, sizeof lanes));
    // Two hosts can have a socket file, a loopback port, or a `*` of the same name.
    if (strcmp(instance->host, other->host) != 0)
        return NRS_OK;
    return s_check_endpoints(instance, other, node, reterr);
}

nrs_err_t
nrs_plan_check_new(const nrs_plan_t *self, const nrs_instance_t *instance,
                   const nrs_config_node_t *node, nrs_problem_t *reterr)
{
    nrs_err_t err = s_check_own_endpoints(instance, node, reterr);
    for (const nrs_instance_t *other = self->instances; !err && other < instance; other++)
        err = s_check_pair(instance, other, node, reterr);
    return err;
}

nrs_err_t
nrs_plan_check_holes(const nrs_plan_t *self, size_t start, const nrs_config_node_t *node,
                     nrs_problem_t *reterr)
{
    uint64_t missing = nrs_plan_all_lanes(self->lanes);
    for (size_t i = start; i < self->instance_count; i++)
        missing &= ~self->instances[i].lanes;
    if (!missing)
        return NRS_OK;
    char lanes[256];
    return nrs_config_problem(node, reterr, "%s: nobody owns lanes %s",
                              self->instances[start].stage,
                              s_print_lanes(missing, lanes, sizeof lanes));
}

nrs_err_t
nrs_plan_check_hosts(const nrs_plan_t *self, nrs_problem_t *reterr)
{
    bool apart = false;
    for (size_t i = 1; i < self->instance_count; i++)
        apart = apart || strcmp(self->instances[i].host, self->instances[0].host) != 0;
    for (size_t i = 0; apart && i < self->instance_count; i++) {
        const nrs_instance_t *instance = &self->instances[i];
        if (strncmp(instance->follow, "tcp://", 6) != 0)
            return nrs_config_problem(nrs_config_root(self->config), reterr,
                                      "%s: the instances are on several hosts, so its `follow:` "
                                      "must be tcp:// and not %s",
                                      instance->name, instance->follow);
    }
    return NRS_OK;
}
