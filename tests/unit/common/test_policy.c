// test_policy.c - every combination of terms against an oracle of one table, and a few stories

#include "common/codec.h"
#include "common/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1000000 };

// --- all combinations ----------------------------------------------------------------------------

// A case is one choice in each dimension; the first choice of each is the most permissive, the last
// the strictest.
enum {
    VERDICT,
    LABEL,
    MEMBER_LABEL,
    ONWARD,
    MEMBER_ONWARD,
    ORIGINATOR,
    AGREEMENT,
    AGREEMENT_LABEL,
    THIRD_PARTY,
    FROM,
    AUDIENCE,
    SCOPE,
    PROJECTED,
    DIMENSIONS
};
static const unsigned choices[DIMENSIONS] = { 2, 6, 4, 4, 3, 4, 3, 4, 2, 3, 3, 2, 2 };

static const uint64_t labels[] = { NRS_TLP_CLEAR,        NRS_TLP_GREEN, NRS_TLP_AMBER,
                                   NRS_TLP_AMBER_STRICT, NRS_TLP_RED,   0 };
static const uint64_t member_labels[] = { NRS_TLP_CLEAR, NRS_TLP_AMBER, NRS_TLP_AMBER_STRICT, 0 };
static const uint64_t agreement_labels[] = { NRS_TLP_RED, NRS_TLP_AMBER, NRS_TLP_GREEN, 0 };
static const uint64_t conditions[] = { NRS_ONWARD_ALLOW, NRS_ONWARD_ASK, NRS_ONWARD_DENY, 0 };
enum { KNOWN, OWN, ENDED, UNKNOWN };

static size_t
s_case_count(void)
{
    size_t count = 1;
    for (int d = 0; d < DIMENSIONS; d++)
        count *= choices[d];
    return count;
}

static void
s_case(size_t number, unsigned picked[DIMENSIONS])
{
    for (int d = DIMENSIONS - 1; d >= 0; d--) {
        picked[d] = (unsigned)(number % choices[d]);
        number /= choices[d];
    }
}

// What the event itself says, packed once for each combination of it.
static void
s_pack(const unsigned picked[DIMENSIONS], nrs_buf_t *into)
{
    nrs_origin_t origin = { .kind = NRS_KIND_DOMAIN,
                            .value = nrs_text("example.jp"),
                            .observed_at = NOW,
                            .originator = nrs_text("bank"),
                            .tlp = labels[picked[LABEL]],
                            .onward = conditions[picked[ONWARD]] };
    nrs_event_begin(into, &origin);
    if (picked[VERDICT] == 1)
        return;
    static const char *const audiences[] = { NULL, "ncfta", "someone-else" };
    nrs_verdict_t verdict = { .class = picked[SCOPE] ? NRS_CLASS_TEST : NRS_CLASS_FRAUD };
    const char *audience = audiences[picked[AUDIENCE]];
    if (audience)
        verdict.audience = (nrs_list_t){ 2, { nrs_text("police"), nrs_text(audience) } };
    nrs_buf_t whole = { 0 };
    nrs_event_append(&whole, nrs_buf_bytes(into), NRS_LAYER_VERDICT, &verdict);
    nrs_buf_reset(into);
    nrs_buf_put(into, whole.data, whole.size);
    nrs_buf_free(&whole);
}

static nrs_policy_decision_t
s_decide(const unsigned picked[DIMENSIONS], nrs_bytes_t packed, const nrs_expr_t *scope)
{
    static const char *const holds[] = { "shop", "bank", "ncfta" }, *const lacks[] = { "shop" };
    nrs_agreement_t given = { .id = "g", .until_ms = picked[ORIGINATOR] == ENDED ? NOW - 1 : 0 };
    nrs_member_t member = { .id = picked[ORIGINATOR] == OWN ? "ncfta" : "bank",
                            .agreement = &given,
                            .tlp = member_labels[picked[MEMBER_LABEL]],
                            .onward = conditions[picked[MEMBER_ONWARD]] };
    nrs_agreement_t terms = { .id = "t",
                              .tlp = agreement_labels[picked[AGREEMENT_LABEL]],
                              .third_party = picked[THIRD_PARTY] == 0,
                              .projected = picked[PROJECTED] == 1,
                              .until_ms = picked[AGREEMENT] == 1 ? NOW - 1 : NOW,
                              .from = picked[FROM] == 1   ? holds
                                      : picked[FROM] == 2 ? lacks
                                                          : NULL,
                              .from_count = picked[FROM] == 1 ? 3 : picked[FROM] == 2 };
    nrs_peer_t peer = { .id = "ncfta",
                        .agreement = picked[AGREEMENT] == 2 ? NULL : &terms,
                        .scope = "class" };
    nrs_event_t event;
    assert_int_equal(nrs_event_open(packed, &event), NRS_OK);
    return nrs_policy_decide(&event, &peer, picked[ORIGINATOR] == UNKNOWN ? NULL : &member, scope,
                             NOW);
}

// The oracle: the table of proto/policy.md. A row applies where the dimension's choice is at least
// `from`.
enum { EFFECTIVE_LABEL = DIMENSIONS, EFFECTIVE_ONWARD, ABOVE, FACTS };
typedef struct oracle_row {
    unsigned fact;
    unsigned from, to;
    nrs_policy_reason_t reason;
    const char *word;
} oracle_row_t;
static const oracle_row_t oracle[] = {
    { VERDICT, 1, 1, NRS_POLICY_NO_VERDICT, "no-verdict" },
    { EFFECTIVE_LABEL, 5, 9, NRS_POLICY_TLP_RED, "tlp-red" },
    { EFFECTIVE_LABEL, 4, 4, NRS_POLICY_TLP_STRICT, "tlp-strict" },
    { ORIGINATOR, UNKNOWN, UNKNOWN, NRS_POLICY_ORIGINATOR_UNKNOWN, "originator-unknown" },
    { ORIGINATOR, ENDED, ENDED, NRS_POLICY_ORIGINATOR_ENDED, "originator-ended" },
    { ORIGINATOR, OWN, OWN, NRS_POLICY_OWN_REPORT, "own-report" },
    { EFFECTIVE_ONWARD, 2, 3, NRS_POLICY_ONWARD_DENIED, "onward-denied" },
    { AGREEMENT, 2, 2, NRS_POLICY_NO_AGREEMENT, "no-agreement" },
    { AGREEMENT, 1, 1, NRS_POLICY_AGREEMENT_ENDED, "agreement-ended" },
    { ABOVE, 1, 1, NRS_POLICY_TLP_ABOVE_AGREEMENT, "tlp-above-agreement" },
    { THIRD_PARTY, 1, 1, NRS_POLICY_THIRD_PARTY_EXCLUDED, "third-party-excluded" },
    { FROM, 2, 2, NRS_POLICY_NOT_IN_AGREEMENT, "not-in-agreement" },
    { AUDIENCE, 2, 2, NRS_POLICY_AUDIENCE, "audience" },
    { SCOPE, 1, 1, NRS_POLICY_OUT_OF_SCOPE, "out-of-scope" },
    { EFFECTIVE_ONWARD, 1, 1, NRS_POLICY_CONSENT_NEEDED, "consent-needed" },
    { PROJECTED, 1, 1, NRS_POLICY_AGREED_PROJECTED, "agreed-projected" },
    { PROJECTED, 0, 0, NRS_POLICY_AGREED, "agreed" },
};
enum { ORACLE_ROWS = sizeof oracle / sizeof oracle[0] };

static unsigned
s_max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static const oracle_row_t *
s_oracle(const unsigned picked[DIMENSIONS])
{
    static const unsigned label_rank[] = { 1, 2, 3, 4, 5, 5 }, member_rank[] = { 1, 3, 4, 5 };
    static const unsigned agreement_rank[] = { 5, 3, 2, 0 };
    unsigned facts[FACTS];
    memcpy(facts, picked, DIMENSIONS * sizeof facts[0]);
    facts[EFFECTIVE_LABEL] = label_rank[picked[LABEL]];
    if (picked[ORIGINATOR] != UNKNOWN)
        facts[EFFECTIVE_LABEL] = s_max(facts[EFFECTIVE_LABEL], member_rank[picked[MEMBER_LABEL]]);
    facts[EFFECTIVE_ONWARD] = s_max(picked[ONWARD], picked[MEMBER_ONWARD]);
    facts[ABOVE] = facts[EFFECTIVE_LABEL] > agreement_rank[picked[AGREEMENT_LABEL]];
    for (size_t i = 0; i < ORACLE_ROWS; i++)
        if (facts[oracle[i].fact] >= oracle[i].from && facts[oracle[i].fact] <= oracle[i].to)
            return &oracle[i];
    return NULL;
}

// Decide every case; the outcomes go into *ret_outcomes, one byte a case.
static void
s_decide_all(uint8_t *outcomes, size_t count)
{
    nrs_expr_t *scope = NULL;
    assert_int_equal(nrs_expr_compile(nrs_text("class == fraud"), NULL, &scope), NRS_OK);
    nrs_buf_t packed[2][6][4][3][2] = { 0 };
    for (size_t i = 0; i < count; i++) {
        unsigned picked[DIMENSIONS];
        s_case(i, picked);
        nrs_buf_t *event = &packed[picked[VERDICT]][picked[LABEL]][picked[ONWARD]][picked[AUDIENCE]]
                                  [picked[SCOPE]];
        if (event->size == 0)
            s_pack(picked, event);
        nrs_policy_decision_t decision = s_decide(picked, nrs_buf_bytes(event), scope);
        const oracle_row_t *expected = s_oracle(picked);
        if (decision.reason != expected->reason)
            fail_msg("case %zu: %s, expected %s", i, nrs_policy_reason_word(decision.reason),
                     expected->word);
        if (nrs_policy_releases(decision) && decision.tlp > NRS_TLP_AMBER)
            fail_msg("case %zu is released under label %u", i, (unsigned)decision.tlp);
        outcomes[i] = (uint8_t)decision.outcome;
    }
    for (size_t i = 0; i < sizeof packed / sizeof(nrs_buf_t); i++)
        nrs_buf_free((nrs_buf_t *)packed + i);
    nrs_expr_destroy(&scope);
}

static void
test_policy_decides_every_combination_as_the_table_and_stricter_terms_never_give_more(void **state)
{
    (void)state;
    size_t count = s_case_count();
    uint8_t *outcomes = nrs_alloc0(count, 1);
    s_decide_all(outcomes, count);
    size_t step = 1;
    for (int d = DIMENSIONS - 1; d >= 0; d--) {
        for (size_t i = 0; i < count; i++)
            if (i / step % choices[d] + 1 < choices[d] && outcomes[i] < outcomes[i + step])
                fail_msg("dimension %d: case %zu gives less than the stricter case %zu", d, i,
                         i + step);
        step *= choices[d];
    }
    free(outcomes);
}

// --- stories -------------------------------------------------------------------------------------

typedef struct story {
    nrs_agreement_t given, terms;
    nrs_member_t member;
    nrs_peer_t peer;
    nrs_buf_t packed;
} story_t;

static void
s_tell(story_t *self, const nrs_origin_t *origin)
{
    self->given = (nrs_agreement_t){ .id = "given" };
    self->terms = (nrs_agreement_t){ .id = "terms", .tlp = NRS_TLP_AMBER, .third_party = true };
    self->member = (nrs_member_t){
        .id = "bank", .agreement = &self->given, .tlp = NRS_TLP_CLEAR, .onward = NRS_ONWARD_ALLOW
    };
    self->peer = (nrs_peer_t){ .id = "ncfta", .agreement = &self->terms };
    nrs_buf_t first = { 0 };
    nrs_event_begin(&first, origin);
    nrs_event_append(&self->packed, nrs_buf_bytes(&first), NRS_LAYER_VERDICT,
                     &(nrs_verdict_t){ .class = NRS_CLASS_FRAUD });
    nrs_buf_free(&first);
}

static nrs_policy_decision_t
s_outcome(story_t *self, int64_t now_ms)
{
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&self->packed), &event), NRS_OK);
    return nrs_policy_decide(&event, &self->peer, &self->member, NULL, now_ms);
}

static const nrs_origin_t shared = { .form = NRS_FORM_REPORT,
                                     .kind = NRS_KIND_URL,
                                     .originator = { (const uint8_t *)"bank", 4 },
                                     .tlp = NRS_TLP_GREEN,
                                     .onward = NRS_ONWARD_ALLOW,
                                     .pap = NRS_PAP_RED };

static void
test_policy_keeps_an_agreement_until_its_last_millisecond(void **state)
{
    (void)state;
    story_t story = { 0 };
    s_tell(&story, &shared);
    story.terms.until_ms = NOW;
    assert_int_equal(s_outcome(&story, NOW).reason, NRS_POLICY_AGREED);
    assert_int_equal(s_outcome(&story, NOW + 1).reason, NRS_POLICY_AGREEMENT_ENDED);
    assert_int_equal(s_outcome(&story, -1).reason,
                     NRS_POLICY_AGREEMENT_ENDED); // a clock gone wrong gives no time
    nrs_buf_free(&story.packed);
}

static void
test_policy_releases_under_the_most_restrictive_label(void **state)
{
    (void)state;
    story_t story = { 0 };
    s_tell(&story, &shared);
    assert_int_equal(s_outcome(&story, NOW).tlp, NRS_TLP_GREEN);
    story.member.tlp = NRS_TLP_AMBER;
    nrs_policy_decision_t decision = s_outcome(&story, NOW);
    assert_int_equal(decision.outcome, NRS_POLICY_RELEASED);
    assert_int_equal(decision.tlp, NRS_TLP_AMBER);
    nrs_buf_free(&story.packed);
}

static void
test_policy_stops_what_is_queued_once_the_originator_narrows_its_terms(void **state)
{
    (void)state;
    story_t story = { 0 };
    s_tell(&story, &shared);
    assert_int_equal(s_outcome(&story, NOW).outcome, NRS_POLICY_RELEASED);
    story.member.onward = NRS_ONWARD_ASK;
    assert_int_equal(s_outcome(&story, NOW).outcome, NRS_POLICY_HELD);
    story.member.onward = NRS_ONWARD_DENY;
    assert_int_equal(s_outcome(&story, NOW).reason, NRS_POLICY_ONWARD_DENIED);
    nrs_buf_free(&story.packed);
}

static void
test_policy_treats_withdrawals_as_it_treats_reports(void **state)
{
    (void)state;
    for (uint64_t form = 0; form <= nrs_enum_last(NRS_ENUM_FORM); form++) {
        nrs_origin_t origin = shared;
        origin.form = form;
        story_t story = { 0 };
        s_tell(&story, &origin);
        assert_int_equal(s_outcome(&story, NOW).reason, NRS_POLICY_AGREED);
        story.terms.tlp = NRS_TLP_CLEAR;
        assert_int_equal(s_outcome(&story, NOW).reason, NRS_POLICY_TLP_ABOVE_AGREEMENT);
        nrs_buf_free(&story.packed);
    }
}

static void
test_policy_refuses_bytes_that_are_cut_short(void **state)
{
    (void)state;
    story_t story = { 0 };
    s_tell(&story, &shared);
    nrs_buf_t packed = story.packed;
    for (size_t size = 1; size < packed.size; size++) {
        nrs_event_t event;
        if (nrs_event_open(nrs_bytes(packed.data, size), &event))
            continue;
        assert_int_equal(nrs_policy_decide(&event, &story.peer, &story.member, NULL, NOW).outcome,
                         NRS_POLICY_REFUSED);
    }
    nrs_buf_free(&packed);
}

// The numbers are kept in stores; a change of one would rewrite history.
static void
test_policy_reasons_keep_their_numbers_and_have_words(void **state)
{
    (void)state;
    static const char *const words[] = { NULL,
                                         "agreed",
                                         "agreed-projected",
                                         "consent-needed",
                                         "no-verdict",
                                         "tlp-red",
                                         "tlp-strict",
                                         "originator-unknown",
                                         "originator-ended",
                                         "own-report",
                                         "onward-denied",
                                         "no-agreement",
                                         "agreement-ended",
                                         "tlp-above-agreement",
                                         "third-party-excluded",
                                         "not-in-agreement",
                                         "audience",
                                         "out-of-scope" };
    assert_int_equal(sizeof words / sizeof words[0], NRS_POLICY_REASON_MAX);
    for (nrs_policy_reason_t r = 1; r < NRS_POLICY_REASON_MAX; r++) {
        assert_string_equal(nrs_policy_reason_word(r), words[r]);
        assert_true(strlen(nrs_policy_reason_text(r)) > 20);
        assert_non_null(nrs_policy_outcome_word(nrs_policy_reason_outcome(r)));
    }
    assert_null(nrs_policy_reason_word(NRS_POLICY_REASON_MAX));
}

// The table of the specification names every reason, and hides what the code hides.
static void
test_policy_page_names_every_reason_and_every_hidden_field(void **state)
{
    (void)state;
    static char page[65536];
    FILE *file = fopen(NOROSHI_SOURCE_DIR "/proto/policy.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (nrs_policy_reason_t r = 1; r < NRS_POLICY_REASON_MAX; r++) {
        char row[128];
        snprintf(row, sizeof row, "| `%s` | %s |", nrs_policy_reason_word(r),
                 nrs_policy_outcome_word(nrs_policy_reason_outcome(r)));
        if (!strstr(page, row))
            fail_msg("proto/policy.md has no row %s", row);
    }
    size_t count = 0;
    const nrs_field_t *hidden = nrs_policy_hidden(&count);
    for (size_t i = 0; i < count; i++) {
        char name[80];
        snprintf(name, sizeof name, "`%s`", nrs_field_info(hidden[i])->name);
        if (!strstr(page, name))
            fail_msg("proto/policy.md does not name %s", name);
    }
}

static void
test_policy_projection_hides_who_reported_and_keeps_the_terms(void **state)
{
    (void)state;
    nrs_origin_t origin = shared;
    origin.value = nrs_text("https://example.jp/login");
    origin.source = nrs_text("bank-soc");
    origin.record = nrs_text("BANK-2026-17");
    origin.description = nrs_text("seen by our own staff");
    origin.agreement = nrs_text("given");
    story_t story = { 0 };
    s_tell(&story, &origin);
    size_t count = 0;
    const nrs_field_t *hidden = nrs_policy_hidden(&count);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&story.packed), &event), NRS_OK);
    nrs_buf_t sent = { 0 };
    nrs_event_append_without(&sent, &event, hidden, count, NRS_LAYER_RELEASE,
                             &(nrs_release_t){ .recipient = nrs_text("ncfta") });
    for (size_t i = 0; i + 4 <= sent.size; i++)
        assert_true(memcmp(sent.data + i, "bank", 4) != 0 && memcmp(sent.data + i, "BANK", 4) != 0);
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&sent), &event), NRS_OK);
    assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_tlp), NRS_TLP_GREEN);
    assert_int_equal(nrs_event_number(&event, NRS_ORIGIN_pap), NRS_PAP_RED);
    assert_true(nrs_bytes_is(nrs_event_text(&event, NRS_ORIGIN_value), "https://example.jp/login"));
    nrs_buf_free(&sent);
    nrs_buf_free(&story.packed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_policy_decides_every_combination_as_the_table_and_stricter_terms_never_give_more),
        cmocka_unit_test(test_policy_keeps_an_agreement_until_its_last_millisecond),
        cmocka_unit_test(test_policy_releases_under_the_most_restrictive_label),
        cmocka_unit_test(test_policy_stops_what_is_queued_once_the_originator_narrows_its_terms),
        cmocka_unit_test(test_policy_treats_withdrawals_as_it_treats_reports),
        cmocka_unit_test(test_policy_refuses_bytes_that_are_cut_short),
        cmocka_unit_test(test_policy_reasons_keep_their_numbers_and_have_words),
        cmocka_unit_test(test_policy_page_names_every_reason_and_every_hidden_field),
        cmocka_unit_test(test_policy_projection_hides_who_reported_and_keeps_the_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
