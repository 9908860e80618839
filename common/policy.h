// policy.h - may this event go to this peer: what every output asks (proto/policy.md)
// Shape:    the decision table of proto/policy.md, in its order; the first rule that applies tells.
// Threads:  pure: no I/O, no clock, no allocation, no state; the event's walk is the caller's.
// Cost:     an event is read once; each peer then takes some ten ns, the scope's expression apart.

#ifndef NRS_POLICY_H
#define NRS_POLICY_H

#include "common/base.h"
#include "common/directory.h"
#include "common/event.h"
#include "common/expr.h"

// Grows with every change of the rules; it is written into each release and each kept decision.
enum { NRS_POLICY_VERSION = 1 };

// A greater number is more permissive.
typedef enum nrs_policy_outcome {
    NRS_POLICY_REFUSED,   // the peer does not get it
    NRS_POLICY_HELD,      // it waits for the originator's consent
    NRS_POLICY_PROJECTED, // it goes, without what tells who reported it
    NRS_POLICY_RELEASED,  // it goes whole
    NRS_POLICY_OUTCOME_MAX
} nrs_policy_outcome_t;

// Why. The numbers are stored: one never changes its meaning and is never used again.
typedef enum nrs_policy_reason {
    NRS_POLICY_AGREED = 1,
    NRS_POLICY_AGREED_PROJECTED = 2,
    NRS_POLICY_CONSENT_NEEDED = 3,
    NRS_POLICY_NO_VERDICT = 4,
    NRS_POLICY_TLP_RED = 5,
    NRS_POLICY_TLP_STRICT = 6,
    NRS_POLICY_ORIGINATOR_UNKNOWN = 7,
    NRS_POLICY_ORIGINATOR_ENDED = 8,
    NRS_POLICY_OWN_REPORT = 9,
    NRS_POLICY_ONWARD_DENIED = 10,
    NRS_POLICY_NO_AGREEMENT = 11,
    NRS_POLICY_AGREEMENT_ENDED = 12,
    NRS_POLICY_TLP_ABOVE_AGREEMENT = 13,
    NRS_POLICY_THIRD_PARTY_EXCLUDED = 14,
    NRS_POLICY_NOT_IN_AGREEMENT = 15,
    NRS_POLICY_AUDIENCE = 16,
    NRS_POLICY_OUT_OF_SCOPE = 17,
    NRS_POLICY_REASON_MAX
} nrs_policy_reason_t;

typedef struct nrs_policy_decision {
    nrs_policy_outcome_t outcome;
    nrs_policy_reason_t reason;
    uint64_t tlp; // the effective label, enum TLP: the one under which it is released
} nrs_policy_decision_t;

// What the decisions about one event have in common, for outputs with many peers. Borrows the event
// and the member.
typedef struct nrs_policy_case {
    nrs_event_t *event;
    const nrs_member_t *originator; // NULL: unknown
    uint64_t tlp;                   // effective label
    uint64_t onward;                // effective condition, enum ONWARD
    bool classified;                // the verdict is complete
    bool restricted; // the rule names an audience; an unreadable one has nobody in it
    nrs_list_t audience;
} nrs_policy_case_t;

// Read an event. `originator` is the member whose report it is, NULL when there is none of that id.
// Bytes that do not read as an event give a case that is always refused.
void
nrs_policy_read(nrs_event_t *event, const nrs_member_t *originator, nrs_policy_case_t *ret_case);
// Decide for one peer. `scope` is the compiled peer->scope, NULL only where the peer has none.
// `now_ms` is UTC milliseconds.
nrs_policy_decision_t
nrs_policy_judge(const nrs_policy_case_t *self, const nrs_peer_t *peer, const nrs_expr_t *scope,
                 int64_t now_ms);
// Both in one.
nrs_policy_decision_t
nrs_policy_decide(nrs_event_t *event, const nrs_peer_t *peer, const nrs_member_t *originator,
                  const nrs_expr_t *scope, int64_t now_ms);

// Does the decision put the event on the peer's topic?
static inline bool
nrs_policy_releases(nrs_policy_decision_t decision)
{
    return decision.outcome >= NRS_POLICY_PROJECTED;
}

// "refused", "held", "projected", "released".
const char *
nrs_policy_outcome_word(nrs_policy_outcome_t outcome);
// The reason's stable word ("tlp-red"), its outcome, and one sentence for a person. NULL and
// refused for a number that this build does not know.
const char *
nrs_policy_reason_word(nrs_policy_reason_t reason);
nrs_policy_outcome_t
nrs_policy_reason_outcome(nrs_policy_reason_t reason);
const char *
nrs_policy_reason_text(nrs_policy_reason_t reason);

// What a projected release leaves out (proto/policy.md, "Projection"): for
// nrs_event_append_without().
const nrs_field_t *
nrs_policy_hidden(size_t *ret_count);

#endif
