// fuzz_rules.c - any file is refused with a place, or every event gets a complete verdict that fits
// its table
#include "services/classify/classify_rules.h"

const char *
__lsan_default_suppressions(void);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// libfyaml 0.7.12 loses a buffer when a long quoted text does not end: a few bytes for each reload
// that is refused for it. Our own leaks are still found.
const char *
__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static void
s_apply(const classify_rules_t *rules)
{
    static classify_scratch_t scratch;
    nrs_buf_t bytes = { 0 }, whole = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_URL,
                            .value = nrs_text("https://a.example.com/"),
                            .claim = nrs_text("spam"),
                            .observed_at = 1700000000000u };
    nrs_event_begin(&bytes, &origin);
    nrs_event_t event;
    NRS_ASSERT(nrs_event_open(nrs_buf_bytes(&bytes), &event) == NRS_OK);
    nrs_verdict_t verdict;
    classify_rules_apply(rules, &event, 1700000001000, &scratch, &verdict);
    NRS_ASSERT(verdict.class && verdict.severity && verdict.desk && verdict.rule.size &&
               verdict.reasons.count);
    nrs_event_append(&whole, nrs_buf_bytes(&bytes), NRS_LAYER_VERDICT, &verdict);
    NRS_ASSERT(nrs_event_open(nrs_buf_bytes(&whole), &event) == NRS_OK);
    nrs_buf_free(&bytes);
    nrs_buf_free(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NRS_AUTO(classify_rules) rules = NULL;
    nrs_problem_t problem = { 0 };
    if (classify_rules_parse(nrs_bytes(data, size), "rules.yaml", &problem, &rules))
        NRS_ASSERT(problem.text[0]);
    else
        s_apply(rules);
    return 0;
}
