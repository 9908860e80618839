// classify - decides what each event is: class, severity, confidence, expiry, desk and audience,
// with the reasons.
#include "services/classify/classify.h"

#include "services/classify/classify_config.h"
#include "services/classify/classify_rules.h"

#include <stdlib.h>

typedef struct classify {
    const classify_options_t *options; // borrowed from the runtime
    classify_rules_t *rules;           // owned
    nrs_metric_t *ruled, *unruled;     // events that a rule matched, and those that none did
    nrs_metric_t *reloads;             // rules files read, the first one included
    classify_scratch_t scratch;
} classify_t;

// Say what was read, and what in it can't be meant.
static void
s_announce(const classify_t *self)
{
    classify_summary_t summary = classify_rules_check(self->rules);
    nrs_log_info("rules.loaded", F_STR("path", self->options->rules), F_U64("rules", summary.rules),
                 F_U64("warnings", summary.warnings));
    for (size_t i = 0; i < summary.warnings; i++) {
        const nrs_problem_t *problem = classify_rules_warning(self->rules, i);
        nrs_log_warn("rules.doubtful", F_STR("path", problem->file), F_U64("line", problem->line),
                     F_STR("text", problem->text));
    }
}

static void
s_close(void **me_p)
{
    classify_t *self = *me_p;
    if (!self)
        return;
    classify_rules_destroy(&self->rules);
    classify_scratch_free(&self->scratch);
    free(self);
    *me_p = NULL;
}

static nrs_err_t
s_open(const nrs_stage_context_t *context, nrs_problem_t *reterr, void **ret_me)
{
    const classify_options_t *options = context->options;
    classify_rules_t *rules = NULL;
    nrs_err_t err = classify_rules_open(options->rules, reterr, &rules);
    if (err)
        return err;
    classify_t *self = nrs_new0(classify_t);
    self->options = options;
    self->rules = rules;
    const char *help = "Events classified, by whether a rule matched.";
    self->ruled =
        nrs_metrics_counter(context->metrics, "noroshi_classified_total", "by=\"rule\"", help);
    self->unruled =
        nrs_metrics_counter(context->metrics, "noroshi_classified_total", "by=\"default\"", help);
    self->reloads = nrs_metrics_counter(context->metrics, "noroshi_rules_loaded_total", NULL,
                                        "Rules files read.");
    nrs_metric_add(self->reloads, 1);
    s_announce(self);
    *ret_me = self;
    return NRS_OK;
}

static nrs_err_t
s_apply(void *me, nrs_event_t *in, nrs_out_t *out)
{
    classify_t *self = me;
    nrs_verdict_t verdict;
    bool ruled = classify_rules_apply(self->rules, in, nrs_out_now(out), &self->scratch, &verdict);
    nrs_metric_add(ruled ? self->ruled : self->unruled, 1);
    return nrs_out_append(out, in, NRS_LAYER_VERDICT, &verdict);
}

// A bad file is refused, and the rules that were good stay.
static nrs_err_t
s_reload(void *me, nrs_problem_t *reterr)
{
    classify_t *self = me;
    classify_rules_t *rules = NULL;
    nrs_err_t err = classify_rules_open(self->options->rules, reterr, &rules);
    if (err)
        return err;
    classify_rules_destroy(&self->rules);
    self->rules = rules;
    nrs_metric_add(self->reloads, 1);
    s_announce(self);
    return NRS_OK;
}

const nrs_stage_t classify_stage = {
    .name = "classify",
    .options = classify_options,
    .options_bytes = sizeof(classify_options_t),
    .open = s_open,
    .apply = s_apply,
    .reload = s_reload,
    .close = s_close,
};
