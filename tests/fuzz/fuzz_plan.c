// fuzz_plan.c - any bytes as noroshi.yaml: what is taken for a plan has every lane owned once

#include "common/flow.h"
#include "common/plan.h"

const char *
__lsan_default_suppressions(void);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// libfyaml 0.7.12 loses a buffer when a long quoted text does not end. The file is refused and the
// program leaves, so nothing grows; our own leaks are still found.
const char *
__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NRS_AUTO(nrs_config) config = NULL;
    NRS_AUTO(nrs_plan) plan = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_config_parse(nrs_bytes(data, size), "fuzz.yaml", &problem, &config))
        return 0;
    if (nrs_plan_read(&config, &problem, &plan)) {
        NRS_ASSERT(config && nrs_config_mistake(config, 0) && problem.text[0]);
        return 0;
    }
    NRS_ASSERT(!config);
    const char *stage;
    for (size_t i = 0; nrs_flow_at(i); i++) {
        stage = nrs_flow_at(i)->stage;
        uint64_t owned = 0;
        const nrs_instance_t *instance = NULL;
        while ((instance = nrs_plan_next(plan, stage, instance))) {
            NRS_ASSERT(!(owned & instance->lanes) &&
                       nrs_plan_instance(plan, instance->name) == instance);
            owned |= instance->lanes;
        }
        NRS_ASSERT(owned == (plan->lanes == 64 ? UINT64_MAX : (UINT64_C(1) << plan->lanes) - 1));
    }
    return 0;
}
