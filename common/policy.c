// policy.c - see policy.h
//
// The order is the order of importance for whoever asks why: first what binds everybody (verdict,
// label), then the originator's terms, then the peer's agreement, then the rule's audience and what
// the peer wants. All refusals stand before the one hold, so a hold means that consent is all that
// is missing, and asking for more never gives more.

#include "common/policy.h"

typedef struct s_reason {
    const char *word;
    nrs_policy_outcome_t outcome;
    const char *text;
} s_reason_t;

static const s_reason_t s_reasons[NRS_POLICY_REASON_MAX] = {
    [NRS_POLICY_AGREED] = { "agreed", NRS_POLICY_RELEASED,
                            "The agreement lets the peer have it whole." },
    [NRS_POLICY_AGREED_PROJECTED] = { "agreed-projected", NRS_POLICY_PROJECTED,
                                      "The agreement lets the peer have it without what tells who "
                                      "reported it." },
    [NRS_POLICY_CONSENT_NEEDED] = { "consent-needed", NRS_POLICY_HELD,
                                    "The originator wants to be asked before it goes to a third "
                                    "party." },
    [NRS_POLICY_NO_VERDICT] = { "no-verdict", NRS_POLICY_REFUSED,
                                "It has not been classified, and nothing leaves without a "
                                "verdict." },
    [NRS_POLICY_TLP_RED] = { "tlp-red", NRS_POLICY_REFUSED,
                             "It is TLP:RED, or counts as RED because it or its originator carries "
                             "no label." },
    [NRS_POLICY_TLP_STRICT] = { "tlp-strict", NRS_POLICY_REFUSED,
                                "It is TLP:AMBER+STRICT and stays inside this organisation." },
    [NRS_POLICY_ORIGINATOR_UNKNOWN] = { "originator-unknown", NRS_POLICY_REFUSED,
                                        "No member has the originator's id, so nobody's terms "
                                        "allow it." },
    [NRS_POLICY_ORIGINATOR_ENDED] = { "originator-ended", NRS_POLICY_REFUSED,
                                      "The originator's agreement has ended, and with it the right "
                                      "to pass it on." },
    [NRS_POLICY_OWN_REPORT] = { "own-report", NRS_POLICY_REFUSED, "The peer reported it itself." },
    [NRS_POLICY_ONWARD_DENIED] = { "onward-denied", NRS_POLICY_REFUSED,
                                   "The originator does not allow it to go to third parties, or "
                                   "has not said so." },
    [NRS_POLICY_NO_AGREEMENT] = { "no-agreement", NRS_POLICY_REFUSED,
                                  "There is no agreement with the peer." },
    [NRS_POLICY_AGREEMENT_ENDED] = { "agreement-ended", NRS_POLICY_REFUSED,
                                     "The agreement with the peer has ended." },
    [NRS_POLICY_TLP_ABOVE_AGREEMENT] = { "tlp-above-agreement", NRS_POLICY_REFUSED,
                                         "Its label is more restrictive than the peer's agreement "
                                         "admits." },
    [NRS_POLICY_THIRD_PARTY_EXCLUDED] = { "third-party-excluded", NRS_POLICY_REFUSED,
                                          "The peer's agreement does not cover what others have "
                                          "reported." },
    [NRS_POLICY_NOT_IN_AGREEMENT] = { "not-in-agreement", NRS_POLICY_REFUSED,
                                      "The peer's agreement does not cover reports of this "
                                      "originator." },
    [NRS_POLICY_AUDIENCE] = { "audience", NRS_POLICY_REFUSED,
                              "The rule that classified it names an audience, and the peer is not "
                              "in it." },
    [NRS_POLICY_OUT_OF_SCOPE] = { "out-of-scope", NRS_POLICY_REFUSED,
                                  "The peer has not asked for events like it." },
};

// Free texts and names of the source's own choosing, and what of the verdict may quote them.
static const nrs_field_t s_hidden[] = {
    NRS_ORIGIN_originator, NRS_ORIGIN_source,        NRS_ORIGIN_agreement, NRS_ORIGIN_claim,
    NRS_ORIGIN_given,      NRS_ORIGIN_record,        NRS_ORIGIN_tags,      NRS_ORIGIN_description,
    NRS_ORIGIN_reference,  NRS_ORIGIN_lang,          NRS_ORIGIN_evidence,  NRS_VERDICT_audience,
    NRS_VERDICT_rule,      NRS_VERDICT_rule_version, NRS_VERDICT_reasons,
};

// A number that is absent or unknown counts as the strictest.
static uint64_t
s_label(uint64_t tlp)
{
    return tlp >= NRS_TLP_CLEAR && tlp <= NRS_TLP_RED ? tlp : NRS_TLP_RED;
}

static uint64_t
s_condition(uint64_t onward)
{
    return onward >= NRS_ONWARD_DENY && onward <= NRS_ONWARD_ALLOW ? onward : NRS_ONWARD_DENY;
}

// The member's terms are the widest that its reports may have, and they are asked as they stand
// now: a member that narrows them stops what is still queued. Most restrictive wins.
static uint64_t
s_effective_label(nrs_event_t *event, const nrs_member_t *originator)
{
    uint64_t own = s_label(nrs_event_number(event, NRS_ORIGIN_tlp));
    uint64_t terms = originator ? s_label(originator->tlp) : own;
    return own > terms ? own : terms;
}

static uint64_t
s_effective_condition(nrs_event_t *event, const nrs_member_t *originator)
{
    uint64_t own = s_condition(nrs_event_number(event, NRS_ORIGIN_onward));
    uint64_t terms = originator ? s_condition(originator->onward) : (uint64_t)NRS_ONWARD_DENY;
    return own < terms ? own : terms;
}

static bool
s_has_verdict(nrs_event_t *event)
{
    uint64_t class = nrs_event_number(event, NRS_VERDICT_class);
    return class != 0 && class <= nrs_enum_last(NRS_ENUM_CLASS);
}

// An agreement holds up to and including the millisecond `until_ms`.
static bool
s_ended(const nrs_agreement_t *agreement, int64_t now_ms)
{
    return agreement->until_ms != 0 && (now_ms < 0 || (uint64_t)now_ms > agreement->until_ms);
}

static bool
s_covers(const nrs_agreement_t *agreement, const char *originator)
{
    if (!agreement->from)
        return true;
    for (size_t i = 0; i < agreement->from_count; i++)
        if (strcmp(agreement->from[i], originator) == 0)
            return true;
    return false;
}

// Something that is there and is no list is an audience with nobody in it.
static bool
s_read_audience(nrs_event_t *event, nrs_list_t *ret_audience)
{
    nrs_value_t value;
    ret_audience->count = 0;
    if (!nrs_event_get(event, NRS_VERDICT_audience, &value))
        return event->at[NRS_VERDICT_audience] != 0;
    if (value.count > 0)
        nrs_list_read(&value, ret_audience);
    return value.count > 0;
}

void
nrs_policy_read(nrs_event_t *event, const nrs_member_t *originator, nrs_policy_case_t *ret_case)
{
    NRS_ASSERT(event && ret_case);

    ret_case->event = event;
    ret_case->originator = originator;
    ret_case->tlp = s_effective_label(event, originator);
    ret_case->onward = s_effective_condition(event, originator);
    ret_case->classified = s_has_verdict(event);
    ret_case->restricted = s_read_audience(event, &ret_case->audience);
}

static bool
s_in_audience(const nrs_policy_case_t *self, const char *peer)
{
    for (uint32_t i = 0; i < self->audience.count; i++)
        if (nrs_bytes_is(self->audience.items[i], peer))
            return true;
    return !self->restricted;
}

// What binds whoever the recipient is. 0: nothing stands against it.
static nrs_policy_reason_t
s_ask_label(const nrs_policy_case_t *self)
{
    if (!self->classified)
        return NRS_POLICY_NO_VERDICT;
    if (self->tlp >= NRS_TLP_RED)
        return NRS_POLICY_TLP_RED;
    return self->tlp >= NRS_TLP_AMBER_STRICT ? NRS_POLICY_TLP_STRICT : 0;
}

static nrs_policy_reason_t
s_ask_originator(const nrs_policy_case_t *self, const char *peer, int64_t now_ms)
{
    const nrs_member_t *originator = self->originator;
    if (!originator)
        return NRS_POLICY_ORIGINATOR_UNKNOWN;
    if (originator->agreement && s_ended(originator->agreement, now_ms))
        return NRS_POLICY_ORIGINATOR_ENDED;
    if (strcmp(originator->id, peer) == 0)
        return NRS_POLICY_OWN_REPORT;
    return self->onward == NRS_ONWARD_DENY ? NRS_POLICY_ONWARD_DENIED : 0;
}

static nrs_policy_reason_t
s_ask_agreement(const nrs_agreement_t *agreement, const char *originator, uint64_t tlp,
                int64_t now_ms)
{
    if (!agreement)
        return NRS_POLICY_NO_AGREEMENT;
    if (s_ended(agreement, now_ms))
        return NRS_POLICY_AGREEMENT_ENDED;
    if (tlp > agreement->tlp)
        return NRS_POLICY_TLP_ABOVE_AGREEMENT;
    if (!agreement->third_party)
        return NRS_POLICY_THIRD_PARTY_EXCLUDED;
    return s_covers(agreement, originator) ? 0 : NRS_POLICY_NOT_IN_AGREEMENT;
}

static nrs_policy_reason_t
s_ask(const nrs_policy_case_t *self, const nrs_peer_t *peer, const nrs_expr_t *scope,
      int64_t now_ms)
{
    nrs_policy_reason_t reason = s_ask_label(self);
    if (!reason)
        reason = s_ask_originator(self, peer->id, now_ms);
    if (!reason)
        reason = s_ask_agreement(peer->agreement, self->originator->id, self->tlp, now_ms);
    if (reason)
        return reason;
    if (!s_in_audience(self, peer->id))
        return NRS_POLICY_AUDIENCE;
    if (scope && !nrs_expr_match(scope, self->event, now_ms))
        return NRS_POLICY_OUT_OF_SCOPE;
    if (self->onward == NRS_ONWARD_ASK)
        return NRS_POLICY_CONSENT_NEEDED;
    return peer->agreement->projected ? NRS_POLICY_AGREED_PROJECTED : NRS_POLICY_AGREED;
}

nrs_policy_decision_t
nrs_policy_judge(const nrs_policy_case_t *self, const nrs_peer_t *peer, const nrs_expr_t *scope,
                 int64_t now_ms)
{
    NRS_ASSERT(self && peer &&
               (scope || !peer->scope)); // a scope that was not compiled must not mean "all"

    nrs_policy_reason_t reason = s_ask(self, peer, scope, now_ms);
    return (nrs_policy_decision_t){ s_reasons[reason].outcome, reason, self->tlp };
}

nrs_policy_decision_t
nrs_policy_decide(nrs_event_t *event, const nrs_peer_t *peer, const nrs_member_t *originator,
                  const nrs_expr_t *scope, int64_t now_ms)
{
    nrs_policy_case_t self;
    nrs_policy_read(event, originator, &self);
    return nrs_policy_judge(&self, peer, scope, now_ms);
}

const char *
nrs_policy_outcome_word(nrs_policy_outcome_t outcome)
{
    static const char *const words[NRS_POLICY_OUTCOME_MAX] = { "refused", "held", "projected",
                                                               "released" };
    return outcome < NRS_POLICY_OUTCOME_MAX ? words[outcome] : NULL;
}

const char *
nrs_policy_reason_word(nrs_policy_reason_t reason)
{
    return reason < NRS_POLICY_REASON_MAX ? s_reasons[reason].word : NULL;
}

nrs_policy_outcome_t
nrs_policy_reason_outcome(nrs_policy_reason_t reason)
{
    return reason < NRS_POLICY_REASON_MAX ? s_reasons[reason].outcome : NRS_POLICY_REFUSED;
}

const char *
nrs_policy_reason_text(nrs_policy_reason_t reason)
{
    return reason < NRS_POLICY_REASON_MAX ? s_reasons[reason].text : NULL;
}

const nrs_field_t *
nrs_policy_hidden(size_t *ret_count)
{
    NRS_ASSERT(ret_count);

    *ret_count = sizeof s_hidden / sizeof s_hidden[0];
    return s_hidden;
}
