// stage_serve.c - the sockets downstream: followers, listeners, peers, metrics

#include "common/stage_part.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERVE_MESSAGES_MAX = 64 }; // sent in one turn, so that input and questions come to their turn as well

// --- who may connect -----------------------------------------------------------------------------

// Let in the other instances and the operator, whose public keys stand in HOME/keys.
static void
s_allow_inside(nrs_stage_run_t *run)
{
    for (size_t i = 0; i <= run->plan->instance_count; i++) {
        const char *name = i < run->plan->instance_count ? run->plan->instances[i].name : "operator";
        char path[4096];
        nrs_keys_t keys;
        nrs_problem_t problem;
        snprintf(path, sizeof path, "%s/keys/%s.pub", run->plan->home, name);
        if (nrs_keys_load(path, &problem, &keys) != NRS_OK)
            continue; // an instance that speaks no CURVE has none
        nrs_zap_allow(run->zap, NRS_ZAP_INSIDE, keys.public_text, name);
        nrs_zap_allow(run->zap, NRS_ZAP_LISTEN, keys.public_text, name);
    }
}

static void
s_allow_outside(nrs_stage_run_t *run)
{
    for (size_t i = 0; i < run->directory->peer_count; i++)
        if (run->directory->peers[i].key[0])
            nrs_zap_allow(run->zap, NRS_ZAP_RELEASE, run->directory->peers[i].key, run->directory->peers[i].id);
    for (size_t i = 0; i < run->directory->member_count; i++)
        if (run->directory->members[i].key[0] && run->directory->members[i].clearance)
            nrs_zap_allow(run->zap, NRS_ZAP_LISTEN, run->directory->members[i].key, run->directory->members[i].id);
}

// The most restrictive label that a listener may hear: an operator all, a member what its clearance says.
static uint64_t
s_clearance(void *me, const char *key_text)
{
    const nrs_stage_run_t *run = me;
    if (!key_text[0])
        return NRS_TLP_RED; // ipc: whoever may open the socket's file is the operator
    for (size_t i = 0; i < run->directory->member_count; i++)
        if (strcmp(run->directory->members[i].key, key_text) == 0)
            return run->directory->members[i].clearance;
    return nrs_zap_allowed(run->zap, NRS_ZAP_INSIDE, key_text) ? NRS_TLP_RED : 0; // another instance, or the operator
}

// --- opening -------------------------------------------------------------------------------------

static nrs_err_t
s_bind(nrs_stage_run_t *run, nrs_bus_type_t type, const char *endpoint, bool curve, const char *domain,
       nrs_problem_t *reterr, nrs_bus_t **ret_bus)
{
    nrs_bus_options_t options = {
        .type = type,
        .bind = true,
        .endpoint = endpoint,
        .keys = curve ? &run->keys : NULL,
        .zap_domain = curve ? domain : NULL,
        .high_water = type == NRS_BUS_XPUB ? NRS_TAP_HIGH_WATER : 0,
        .linger_ms = type == NRS_BUS_XPUB ? 0 : 1000,
        .probe = type == NRS_BUS_ROUTER,
    };
    return run->world->bus_open(run->world, &options, reterr, ret_bus);
}

static nrs_err_t
s_open_server(nrs_stage_run_t *run, const char *endpoint, bool curve, const char *domain, nrs_problem_t *reterr,
              nrs_follow_server_t **ret_server)
{
    nrs_bus_t *bus = NULL;
    nrs_err_t err = s_bind(run, NRS_BUS_ROUTER, endpoint, curve, domain, reterr, &bus);
    if (err)
        return err;
    nrs_follow_server_options_t options = {
        .realm = run->plan->realm,
        .instance = run->instance->number,
        .world = run->world,
        .zap = curve ? run->zap : NULL,
        .zap_domain = domain,
    };
    return nrs_follow_server_open(&bus, &options, ret_server);
}

static nrs_err_t
s_open_tap(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < run->topic_count; i++)
        run->tap_topics[i] = nrs_topic_name(run->topics[i]->topic);
    nrs_bus_t *bus = NULL;
    nrs_err_t err = s_bind(run, NRS_BUS_XPUB, run->instance->tap, run->instance->curve, NRS_ZAP_LISTEN, reterr,
                           &bus);
    nrs_tap_options_t options = {
        .realm = run->plan->realm,
        .topics = run->tap_topics,
        .topic_count = run->topic_count,
        .clearance = s_clearance,
        .me = run,
        .metrics = run->metrics,
    };
    return err ? err : nrs_tap_open(&bus, &options, &run->tap);
}

// Stages downstream hold what they have not acknowledged; they are known from the plan, connected or not.
static nrs_err_t
s_register_readers(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_topic_t *topic)
{
    for (size_t i = 0; i < run->plan->instance_count; i++) {
        const nrs_instance_t *instance = &run->plan->instances[i];
        const nrs_flow_t *flow = nrs_flow_of(instance->stage);
        if (!flow || !flow->reads || strcmp(flow->reads, nrs_topic_name(topic)) != 0)
            continue;
        nrs_err_t err = nrs_topic_register(topic, txn, instance->name, instance->lanes);
        if (err)
            return err;
    }
    return NRS_OK;
}

static nrs_err_t
s_offer_topics(nrs_stage_run_t *run)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(run->store, false, &txn);
    for (size_t i = 0; !err && i < run->topic_count; i++) {
        nrs_topic_t *topic = run->topics[i]->topic;
        if (run->topics[i]->release)
            continue; // releases were offered when they were opened
        nrs_follow_server_offer(run->inside, topic, NULL, NULL);
        err = s_register_readers(run, txn, topic);
    }
    return err;
}

uint64_t
nrs_stage_count_denied(nrs_stage_run_t *run)
{
    nrs_follow_server_counts_t inside = { 0 }, release = { 0 };
    if (run->inside)
        nrs_follow_server_counts(run->inside, &inside);
    if (run->release)
        nrs_follow_server_counts(run->release, &release);
    uint64_t keys = nrs_zap_denied(run->zap), topics = inside.denied + release.denied;
    nrs_metric_add(run->denied_keys, keys - nrs_metric_value(run->denied_keys));
    nrs_metric_add(run->denied_topics, topics - nrs_metric_value(run->denied_topics));
    return keys + topics;
}

static unsigned
s_http_answer(void *me, const char *path, nrs_buf_t *body, const char **ret_type)
{
    nrs_stage_run_t *run = me;
    *ret_type = "text/plain; version=0.0.4; charset=utf-8";
    if (strcmp(path, "/metrics") == 0) {
        nrs_store_use_t use;
        nrs_store_use(run->store, &use);
        nrs_metric_set(run->store_gauge, use.used_bytes);
        nrs_metrics_print(run->metrics, body);
        return 200;
    }
    if (strcmp(path, "/live") == 0 || strcmp(path, "/ready") == 0) {
        bool ready = strcmp(path, "/live") == 0 || run->problem[0] == 0;
        nrs_buf_put_text(body, ready ? "yes\n" : run->problem);
        return ready ? 200 : 503;
    }
    nrs_buf_put_text(body, "there are /metrics, /live and /ready\n");
    return 404;
}

nrs_err_t
nrs_stage_serve_open(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    const nrs_instance_t *instance = run->instance;
    s_allow_inside(run);
    s_allow_outside(run);
    nrs_err_t err = s_open_server(run, instance->follow, instance->curve, NRS_ZAP_INSIDE, reterr, &run->inside);
    if (!err && instance->metrics)
        err = nrs_http_open(instance->metrics, s_http_answer, run, reterr, &run->http);
    return err;
}

// The stage has named its topics: let them be had.
nrs_err_t
nrs_stage_serve_topics(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    nrs_err_t err = s_open_tap(run, reterr);
    if (err)
        return err;
    err = s_offer_topics(run);
    return err ? nrs_problem_set(reterr, err, run->instance->data, 0, 0, "the followers cannot be read") : NRS_OK;
}

static nrs_err_t
s_topic_problem(nrs_err_t err, const char *name, nrs_problem_t *reterr)
{
    return nrs_problem_set(reterr, err, NULL, 0, 0, "topic %s can't be opened: %s", name, nrs_err_name(err));
}

nrs_err_t
nrs_stage_topic(nrs_stage_run_t *run, const char *name, const char *follower_key, const char *follower_name,
                nrs_problem_t *reterr, size_t *ret_topic)
{
    size_t number;
    if (!run->release && run->instance->release) {
        nrs_err_t err = s_open_server(run, run->instance->release, true, NRS_ZAP_RELEASE, reterr, &run->release);
        if (err)
            return err;
    }
    nrs_err_t err = nrs_stage_topic_open(run, name, true, (uint64_t)run->options.backlog_bytes, &number);
    if (err)
        return s_topic_problem(err, name, reterr);
    nrs_topic_t *topic = run->topics[number]->topic;
    NRS_AUTO(nrs_txn) txn = NULL;
    err = nrs_txn_begin(run->store, false, &txn);
    err = err ? err : nrs_topic_register(topic, txn, follower_name, run->instance->lanes);
    if (err)
        return s_topic_problem(err, name, reterr);
    if (run->release && follower_key && follower_key[0])
        nrs_follow_server_offer(run->release, topic, follower_key, follower_name);
    nrs_follow_server_offer(run->inside, topic, NULL, NULL); // for the operator, who acknowledges under another name
    *ret_topic = number;
    return NRS_OK;
}

void
nrs_stage_serve_close(nrs_stage_run_t *run)
{
    nrs_http_destroy(&run->http);
    nrs_tap_destroy(&run->tap);
    nrs_follow_server_destroy(&run->release);
    nrs_follow_server_destroy(&run->inside);
}

// --- serving -------------------------------------------------------------------------------------

// Publish the events of one segment from `from` on.
static void
s_publish_segment(nrs_stage_run_t *run, const char *topic, const nrs_segment_t *segment, uint64_t from)
{
    for (uint32_t i = 0; i < segment->head.count; i++) {
        uint64_t offset;
        nrs_bytes_t bytes = nrs_segment_event(segment, i, &offset);
        nrs_event_t event;
        if (offset >= from && nrs_event_open(bytes, &event) == NRS_OK)
            nrs_tap_publish(run->tap, topic, segment->head.lane, segment->head.epoch, offset, &event);
    }
}

static nrs_err_t
s_publish_lane(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_stage_topic_t *topic, uint16_t lane)
{
    const nrs_lane_t *state = nrs_topic_lane(topic->topic, lane);
    while (topic->published[lane] < state->next) {
        nrs_bytes_t bytes;
        nrs_segment_t segment;
        nrs_err_t err = nrs_topic_fetch(topic->topic, txn, lane, topic->published[lane], &bytes);
        err = err ? err : nrs_segment_peek(bytes, &segment);
        if (err)
            return err;
        s_publish_segment(run, nrs_topic_name(topic->topic), &segment, topic->published[lane]);
        topic->published[lane] = segment.head.base + segment.head.span;
    }
    return NRS_OK;
}

// What was committed since the last time, to whoever listens. Nobody waits for a listener.
static nrs_err_t
s_publish(nrs_stage_run_t *run, nrs_txn_t *txn)
{
    bool heard = run->tap && nrs_tap_heard(run->tap);
    for (size_t i = 0; i < run->topic_count; i++) {
        nrs_stage_topic_t *topic = run->topics[i];
        for (uint16_t lane = 0; lane < run->plan->lanes; lane++) {
            nrs_err_t err = heard ? s_publish_lane(run, txn, topic, lane) : NRS_OK;
            if (err)
                return err;
            topic->published[lane] = nrs_topic_lane(topic->topic, lane)->next;
        }
    }
    return NRS_OK;
}

static nrs_err_t
s_serve(nrs_follow_server_t *server, nrs_txn_t *txn, bool *ret_more)
{
    if (!server)
        return NRS_OK;
    size_t sent;
    nrs_err_t err = nrs_follow_server_step(server, txn);
    err = err ? err : nrs_follow_server_serve(server, txn, SERVE_MESSAGES_MAX, &sent);
    if (!err && sent >= SERVE_MESSAGES_MAX)
        *ret_more = true;
    return err;
}

nrs_err_t
nrs_stage_serve(nrs_stage_run_t *run, bool *ret_more)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(run->store, false, &txn);
    *ret_more = false;
    if (run->tap)
        nrs_tap_step(run->tap);
    err = err ? err : s_serve(run->inside, txn, ret_more);
    err = err ? err : s_serve(run->release, txn, ret_more);
    err = err ? err : s_publish(run, txn);
    if (run->http)
        nrs_http_step(run->http);
    return err;
}
