// relay.c - see relay.h
#include "services/relay/relay.h"

#include "common/expr.h"
#include "common/policy.h"
#include "services/relay/relay_config.h"
#include "services/relay/relay_decisions.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOPIC_NAME_MAX = 80 };

// One peer, and the topic that only its key may follow.
typedef struct relay_release {
    const nrs_peer_t *peer; // borrowed from the directory
    nrs_expr_t *scope;      // owned; NULL: the peer wants everything
    size_t topic;
} relay_release_t;

typedef struct relay {
    const nrs_directory_t *directory; // borrowed
    relay_decisions_t *decisions;     // owned
    size_t release_count;
    relay_release_t *releases;      // owned
    uint8_t *reasons;               // owned: of the event in hand, one a release
    const nrs_member_t *originator; // of the last event: reports come in runs of one originator
} relay_t;

static void
s_close(void **me_p)
{
    relay_t *self = NRS_TAKE(*me_p);
    if (!self)
        return;
    for (size_t i = 0; i < self->release_count; i++)
        nrs_expr_destroy(&self->releases[i].scope);
    relay_decisions_destroy(&self->decisions);
    free(self->releases);
    free(self->reasons);
    free(self);
}

// --- open ----------------------------------------------------------------------------------------

static nrs_err_t
s_open_release(const nrs_stage_context_t *context, const nrs_peer_t *peer, relay_release_t *release,
               nrs_problem_t *reterr)
{
    // Without a key the topic would be open to anyone on the inside, and never to the peer.
    if (!peer->key[0])
        return nrs_problem_set(reterr, NRS_E_CONFIG, nrs_config_file(context->config), 0, 0,
                               "peer %s has no key: give it the peer's public CURVE key", peer->id);
    release->peer = peer;
    if (peer->scope && nrs_expr_compile(nrs_text(peer->scope), reterr, &release->scope))
        return NRS_E_CONFIG;
    char name[TOPIC_NAME_MAX];
    int length = snprintf(name, sizeof name, "releases/%s", peer->id);
    if (length < 0 || (size_t)length >= sizeof name)
        return nrs_problem_set(reterr, NRS_E_CONFIG, nrs_config_file(context->config), 0, 0,
                               "the id of peer %s is too long", peer->id);
    return nrs_stage_topic(context->run, name, peer->key, peer->id, reterr, &release->topic);
}

static nrs_err_t
s_open_parts(relay_t *self, const nrs_stage_context_t *context, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < self->directory->peer_count; i++) {
        nrs_err_t err =
            s_open_release(context, &self->directory->peers[i], &self->releases[i], reterr);
        if (err)
            return err;
    }
    const relay_options_t *options = context->options;
    nrs_err_t err = relay_decisions_open(context->store, self->directory,
                                         (uint64_t)options->decisions_max_bytes, context->metrics,
                                         &self->decisions);
    if (err)
        nrs_problem_set(reterr, err, NULL, 0, 0, "the kept decisions can't be opened: %s",
                        nrs_err_name(err));
    return err;
}

static nrs_err_t
s_open(const nrs_stage_context_t *context, nrs_problem_t *reterr, void **ret_me)
{
    relay_t *self = nrs_new0(relay_t);
    self->directory = context->directory;
    self->release_count = context->directory->peer_count;
    self->releases = nrs_alloc0(self->release_count + 1, sizeof *self->releases);
    self->reasons = nrs_alloc0(self->release_count + 1, 1);
    nrs_err_t err = s_open_parts(self, context, reterr);
    if (err) {
        s_close((void **)&self);
        return err;
    }
    nrs_log_info("relay.opened", F_U64("peers", self->release_count),
                 F_U64("policy", NRS_POLICY_VERSION));
    *ret_me = self;
    return NRS_OK;
}

// --- apply ---------------------------------------------------------------------------------------

static const nrs_member_t *
s_originator(relay_t *self, nrs_event_t *in)
{
    nrs_bytes_t id = nrs_event_text(in, NRS_ORIGIN_originator);
    if (self->originator && nrs_bytes_is(id, self->originator->id))
        return self->originator;
    self->originator = NULL;
    for (size_t i = 0; i < self->directory->member_count && !self->originator; i++)
        if (id.size && nrs_bytes_is(id, self->directory->members[i].id))
            self->originator = &self->directory->members[i];
    return self->originator;
}

static nrs_err_t
s_release(const relay_release_t *release, nrs_policy_decision_t decision, nrs_event_t *in,
          nrs_out_t *out)
{
    nrs_release_t layer = {
        .recipient = nrs_text(release->peer->id),
        .projection = decision.outcome == NRS_POLICY_RELEASED ? NRS_PROJECTION_WHOLE
                                                              : NRS_PROJECTION_PROJECTED,
        .tlp = decision.tlp,
        .policy = NRS_POLICY_VERSION,
        .agreement = nrs_text(release->peer->agreement->id),
        .released_at = (uint64_t)nrs_out_now(out),
    };
    if (decision.outcome == NRS_POLICY_RELEASED)
        return nrs_out_append_to(out, release->topic, in, NRS_LAYER_RELEASE, &layer);
    size_t count = 0;
    const nrs_field_t *hidden = nrs_policy_hidden(&count);
    return nrs_out_append_projected(out, release->topic, in, hidden, count, &layer);
}

static nrs_err_t
s_decide(relay_t *self, nrs_event_t *in, nrs_out_t *out)
{
    nrs_policy_case_t about;
    nrs_policy_read(in, s_originator(self, in), &about);
    int64_t now_ms = nrs_out_now(out);
    for (size_t i = 0; i < self->release_count; i++) {
        const relay_release_t *release = &self->releases[i];
        nrs_policy_decision_t decision =
            nrs_policy_judge(&about, release->peer, release->scope, now_ms);
        self->reasons[i] = (uint8_t)decision.reason;
        if (!nrs_policy_releases(decision))
            continue;
        nrs_err_t err = s_release(release, decision, in, out);
        if (err)
            return err;
    }
    return NRS_OK;
}

static nrs_err_t
s_apply(void *me, nrs_event_t *in, nrs_out_t *out)
{
    relay_t *self = me;
    nrs_origin_place_t place;
    // An event that was released before is some other relay's output: it has no business on this
    // topic.
    if (nrs_event_place(in->bytes, &place) || nrs_event_has(in, NRS_LAYER_RELEASE))
        return NRS_E_FORMAT;
    nrs_err_t err = s_decide(self, in, out);
    if (!err)
        err = relay_decisions_put(self->decisions, nrs_out_txn(out), &place, self->reasons);
    // One event that cannot be passed on is a dead letter; any other error ends the batch.
    if (err && err != NRS_E_FORMAT && err != NRS_E_LIMIT)
        relay_decisions_forget(self->decisions);
    return err;
}

static nrs_err_t
s_tick(void *me, nrs_out_t *out)
{
    relay_t *self = me;
    nrs_err_t err = relay_decisions_save(self->decisions, nrs_out_txn(out));
    if (err)
        relay_decisions_forget(self->decisions);
    return err;
}

static void
s_committed(void *me)
{
    relay_decisions_committed(((relay_t *)me)->decisions);
}

// --- ask -----------------------------------------------------------------------------------------

static nrs_err_t
s_ask(void *me, const char *verb, nrs_bytes_t argument, nrs_txn_t *txn, nrs_buf_t *reply)
{
    relay_t *self = me;
    nrs_origin_place_t place;
    if (strcmp(verb, "totals") == 0)
        return relay_decisions_totals(self->decisions, txn, reply);
    if (strcmp(verb, "why") != 0)
        return NRS_E_ABSENT;
    nrs_err_t err = relay_place_parse(argument, &place);
    return err ? err : relay_decisions_why(self->decisions, txn, &place, reply);
}

const nrs_stage_t relay_stage = {
    .name = "relay",
    .options = relay_option_table,
    .options_bytes = sizeof(relay_options_t),
    .open = s_open,
    .apply = s_apply,
    .tick = s_tick,
    .committed = s_committed,
    .ask = s_ask,
    .close = s_close,
};
