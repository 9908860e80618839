#include "services/classify/classify_rules.h"

#include "services/classify/classify_rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t s_time_ms_max = 253402300799999; // the greatest TIME, proto/event_fields.def

void
classify_scratch_free(classify_scratch_t *scratch)
{
    nrs_buf_free(&scratch->print);
}

// --- life ----------------------------------------------------------------------------------------

void
classify_rules_destroy(classify_rules_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    classify_rules_t *self = *self_p;
    for (size_t i = 0; i < self->count; i++) {
        nrs_expr_destroy(&self->rules[i].when);
        classify_reason_destroy(&self->rules[i].says.reason);
    }
    classify_reason_destroy(&self->otherwise.reason);
    free(self->rules);
    free(self->warnings);
    if (self->config)
        nrs_config_destroy(&self->config);
    free(self);
    *self_p = NULL;
}

nrs_err_t
classify_rules_parse(nrs_bytes_t text, const char *name, nrs_problem_t *reterr,
                     classify_rules_t **ret_rules)
{
    NRS_ASSERT(name && ret_rules);
    NRS_AUTO(classify_rules) self = nrs_new0(classify_rules_t);
    nrs_err_t err = nrs_config_parse(text, name, reterr, &self->config);
    if (!err)
        err = classify_load(self, text, reterr);
    if (err)
        return err;
    classify_warn(self);
    *ret_rules = NRS_TAKE(self);
    return NRS_OK;
}

nrs_err_t
classify_rules_open(const char *path, nrs_problem_t *reterr, classify_rules_t **ret_rules)
{
    NRS_ASSERT(path && ret_rules);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be opened: %s",
                               strerror(errno));
    // One byte more than allowed tells a file that is too long, whatever kind of file it is.
    nrs_buf_t text = { 0 };
    nrs_buf_reserve(&text, NRS_CONFIG_BYTES_MAX + 1);
    text.size = fread(text.data, 1, NRS_CONFIG_BYTES_MAX + 1, file);
    nrs_err_t err;
    if (ferror(file))
        err = nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    else
        err = classify_rules_parse(nrs_buf_bytes(&text), path, reterr, ret_rules);
    nrs_buf_free(&text);
    fclose(file);
    return err;
}

// --- apply ---------------------------------------------------------------------------------------

static void
s_give_reason(const classify_reason_t *reason, nrs_event_t *event, classify_scratch_t *scratch,
              nrs_verdict_t *verdict)
{
    if (verdict->reasons.count == NRS_LIST_MAX)
        return;
    char *into = scratch->text + scratch->used;
    size_t size =
        classify_reason_print(reason, event, &scratch->print, into, CLASSIFY_REASON_BYTES);
    scratch->used += size;
    verdict->reasons.items[verdict->reasons.count++] = nrs_bytes(into, size);
}

// Groups add up; a group is named once.
static void
s_widen(const nrs_list_t *groups, nrs_list_t *audience)
{
    for (uint32_t i = 0; i < groups->count && audience->count < NRS_LIST_MAX; i++) {
        bool known = false;
        for (uint32_t j = 0; j < audience->count && !known; j++)
            known = nrs_bytes_equal(audience->items[j], groups->items[i]);
        if (!known)
            audience->items[audience->count++] = groups->items[i];
    }
}

static uint64_t
s_expiry(nrs_event_t *event, int64_t now_ms, uint64_t expires_ms)
{
    uint64_t from_ms = nrs_event_number(event, NRS_ORIGIN_observed_at);
    if (!from_ms)
        from_ms = nrs_event_number(event, NRS_ORIGIN_received_at);
    if (!from_ms || from_ms > s_time_ms_max)
        from_ms = now_ms > 0 ? (uint64_t)now_ms : 1;
    return from_ms + expires_ms < s_time_ms_max ? from_ms + expires_ms : s_time_ms_max;
}

// Say what it is; false when the rule does not. A rule that names only a class keeps a type of that
// class.
static bool
s_name(const classify_saying_t *says, nrs_event_t *event, nrs_verdict_t *verdict)
{
    uint64_t class = says->class, type = says->type;
    uint64_t claimed = says->type_of_source
                           ? nrs_enum_number(NRS_ENUM_TYPE, nrs_event_text(event, NRS_ORIGIN_claim))
                           : 0;
    if (claimed) {
        type = claimed;
        class = nrs_class_of_type(claimed);
    }
    if (!class)
        return false;
    if (type || verdict->class != class)
        verdict->type = type;
    verdict->class = class;
    return true;
}

static uint64_t
s_confidence(const classify_saying_t *says, nrs_event_t *event)
{
    return says->confidence_of_source ? nrs_event_number(event, NRS_ORIGIN_confidence)
                                      : says->confidence;
}

// What a rule says replaces what an earlier one said, but for the severity, where the greater
// stands, and for audience and reasons, which add up (README.md, "Rules"). Returns whether it said
// what the event is.
static bool
s_refine(const classify_saying_t *says, nrs_event_t *event, int64_t now_ms, nrs_verdict_t *verdict)
{
    if (says->severity > verdict->severity)
        verdict->severity = says->severity;
    uint64_t confidence = s_confidence(says, event);
    if (confidence)
        verdict->confidence = confidence;
    if (says->expires_ms)
        verdict->expires_at = s_expiry(event, now_ms, says->expires_ms);
    if (says->desk)
        verdict->desk = says->desk;
    s_widen(&says->audience, &verdict->audience);
    return s_name(says, event, verdict);
}

// What no rule said is said by the default.
static void
s_complete(const classify_saying_t *otherwise, nrs_event_t *event, int64_t now_ms,
           nrs_verdict_t *verdict)
{
    if (!verdict->class)
        s_name(otherwise, event, verdict);
    if (!verdict->severity)
        verdict->severity = otherwise->severity;
    if (!verdict->confidence)
        verdict->confidence = s_confidence(otherwise, event);
    if (!verdict->expires_at && otherwise->expires_ms)
        verdict->expires_at = s_expiry(event, now_ms, otherwise->expires_ms);
    if (!verdict->desk)
        verdict->desk = otherwise->desk;
    if (!verdict->audience.count)
        s_widen(&otherwise->audience, &verdict->audience);
}

// Most rules are about some kinds only; the others need not be asked.
static bool
s_matches(const classify_rule_t *rule, uint64_t kind, nrs_event_t *event, int64_t now_ms)
{
    if (kind < 64 && !(rule->kinds >> kind & 1))
        return false;
    return nrs_expr_match(rule->when, event, now_ms);
}

bool
classify_rules_apply(const classify_rules_t *self, nrs_event_t *event, int64_t now_ms,
                     classify_scratch_t *scratch, nrs_verdict_t *ret_verdict)
{
    const classify_rule_t *decided =
        NULL; // the last one that says what it is; else the first that matched
    nrs_verdict_t *verdict = ret_verdict;
    *verdict = (nrs_verdict_t){ 0 };
    scratch->used = 0;
    uint64_t kind = nrs_event_number(event, NRS_ORIGIN_kind);
    for (const classify_rule_t *rule = self->rules; rule < self->rules + self->count; rule++) {
        if (!s_matches(rule, kind, event, now_ms))
            continue;
        bool named = s_refine(&rule->says, event, now_ms, verdict);
        s_give_reason(rule->says.reason, event, scratch, verdict);
        if (!decided || named)
            decided = rule;
        if (self->first || rule->stop)
            break;
    }
    s_complete(&self->otherwise, event, now_ms, verdict);
    if (!decided)
        s_give_reason(self->otherwise.reason, event, scratch, verdict);
    verdict->rule = decided ? decided->id : nrs_text("default");
    verdict->rule_version = decided ? decided->version : 1;
    return decided != NULL;
}

// --- check ---------------------------------------------------------------------------------------

classify_summary_t
classify_rules_check(const classify_rules_t *self)
{
    return (classify_summary_t){ .rules = self->count, .warnings = self->warning_count };
}

const nrs_problem_t *
classify_rules_warning(const classify_rules_t *self, size_t i)
{
    return i < self->warning_count ? &self->warnings[i] : NULL;
}
