// plan_check.h - what must hold for lanes and endpoints of a plan; for plan.c only
// Every call notes its mistake at `node` and returns NRS_E_CONFIG with *reterr (may be NULL).

#ifndef NRS_PLAN_CHECK_H
#define NRS_PLAN_CHECK_H

#include "common/plan.h"

// Bits 0 to lanes - 1.
uint64_t
nrs_plan_all_lanes(uint16_t lanes);

// Read "3", "0-7" or a list of these as a set; none twice, none at or above `lanes`.
NRS_MUST_CHECK nrs_err_t
nrs_plan_read_lanes(const nrs_config_node_t *node, uint16_t lanes, uint64_t *ret_set,
                    nrs_problem_t *reterr);

// ipc with a path that fits, or tcp with a numeric address and a port. `what` is the endpoint's key
// in the file.
NRS_MUST_CHECK nrs_err_t
nrs_plan_check_endpoint(const char *endpoint, const char *what, const nrs_config_node_t *node,
                        nrs_problem_t *reterr);
// An instance without CURVE has no tcp endpoint, but for `release`.
NRS_MUST_CHECK nrs_err_t
nrs_plan_check_curve(const nrs_instance_t *instance, const nrs_config_node_t *node,
                     nrs_problem_t *reterr);
// The newest instance shares no name, number, data directory, endpoint or lane with those before
// it.
NRS_MUST_CHECK nrs_err_t
nrs_plan_check_new(const nrs_plan_t *self, const nrs_instance_t *instance,
                   const nrs_config_node_t *node, nrs_problem_t *reterr);
// The instances from `start` on, which are those of one stage, own every lane.
NRS_MUST_CHECK nrs_err_t
nrs_plan_check_holes(const nrs_plan_t *self, size_t start, const nrs_config_node_t *node,
                     nrs_problem_t *reterr);
// Instances on different hosts reach each other by tcp.
NRS_MUST_CHECK nrs_err_t
nrs_plan_check_hosts(const nrs_plan_t *self, nrs_problem_t *reterr);

#endif
