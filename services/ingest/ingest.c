#include "services/ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/ingest/ingest_config.h"
#include "services/ingest/ingest_retry.h"
#include "services/ingest/ingest_spool.h"
#include "services/ingest/ingest_submit.h"

typedef struct ingest {
    nrs_stage_context_t context;
    ingest_sources_t *sources; // owned, as all below
    ingest_known_t *known;
    ingest_batch_t batch;
    ingest_submit_t *submit; // NULL: no endpoint for it
    ingest_spool_t *spool;   // NULL: there is none
} ingest_t;

static void
ingest_destroy(ingest_t **self_p)
{
    ingest_t *self = *self_p;
    if (!self)
        return;
    ingest_spool_destroy(&self->spool);
    ingest_submit_destroy(&self->submit);
    ingest_known_destroy(&self->known);
    ingest_sources_destroy(&self->sources);
    free(self);
    *self_p = NULL;
}

// --- open ----------------------------------------------------------------------------------------

static void
s_count(nrs_metrics_t *metrics, ingest_batch_t *batch)
{
    batch->accepted =
        nrs_metrics_counter(metrics, "noroshi_ingest_accepted_total", NULL, "New events.");
    batch->knew = nrs_metrics_counter(metrics, "noroshi_ingest_known_total", NULL,
                                      "Events that were here already.");
    batch->rejected = nrs_metrics_counter(metrics, "noroshi_ingest_rejected_total", NULL,
                                          "Records that became dead letters.");
    batch->skipped = nrs_metrics_counter(metrics, "noroshi_ingest_skipped_total", NULL,
                                         "Records that are nothing to report.");
}

// The members' keys and the operator's may connect; which source each may submit to is asked for each
// submission.
static void
s_allow_keys(const nrs_stage_context_t *context)
{
    char path[4096];
    nrs_keys_t operator;
    nrs_problem_t problem;
    snprintf(path, sizeof path, "%s/keys/operator.pub", context->plan->home);
    if (nrs_keys_load(path, &problem, &operator) == NRS_OK) // there need not be one
        nrs_zap_allow(context->zap, INGEST_SUBMIT_DOMAIN, operator.public_text, INGEST_SUBMIT_OPERATOR);
    for (size_t i = 0; i < context->directory->member_count; i++) {
        const nrs_member_t *member = &context->directory->members[i];
        if (member->key[0])
            nrs_zap_allow(context->zap, INGEST_SUBMIT_DOMAIN, member->key, member->id);
    }
}

static nrs_err_t
s_open_bus(const nrs_stage_context_t *context, nrs_problem_t *reterr, nrs_bus_t **ret_bus)
{
    const nrs_instance_t *instance = context->instance;
    nrs_bus_options_t options = { .type = NRS_BUS_ROUTER,
                                  .bind = true,
                                  .endpoint = instance->submit,
                                  .probe = true, // who reconnects learns it, and begins again
                                  .message_bytes_max = NRS_SUBMIT_DATA_MAX + 4096 };
    nrs_keys_t keys;
    if (instance->curve) {
        char path[4096];
        snprintf(path, sizeof path, "%s/keys/%s.key", context->plan->home, instance->name);
        nrs_err_t err = nrs_keys_load(path, reterr, &keys);
        if (err)
            return err;
        s_allow_keys(context);
        options.keys = &keys;
        options.zap_domain = INGEST_SUBMIT_DOMAIN;
    }
    nrs_err_t err = context->world->bus_open(context->world, &options, reterr, ret_bus);
    if (instance->curve)
        nrs_keys_wipe(&keys);
    return err;
}

static nrs_err_t
s_open_submit(ingest_t *self, nrs_problem_t *reterr)
{
    const nrs_stage_context_t *context = &self->context;
    if (!context->instance->submit)
        return NRS_OK;
    NRS_AUTO(nrs_bus) bus = NULL;
    nrs_err_t err = s_open_bus(context, reterr, &bus);
    if (err)
        return err;
    nrs_stage_watch(context->run, bus);
    ingest_submit_options_t options = { .config = context->options,
                                        .sources = self->sources,
                                        .store = context->store,
                                        .zap = context->instance->curve ? context->zap : NULL,
                                        .batch = &self->batch,
                                        .metrics = context->metrics };
    self->submit = ingest_submit_new(&bus, &options);
    return NRS_OK;
}

static nrs_err_t
s_open_spool(ingest_t *self, nrs_problem_t *reterr)
{
    const ingest_config_t *config = self->context.options;
    if (!config->spool || !config->spool[0])
        return NRS_OK;
    ingest_spool_options_t options = { config, self->sources, self->context.store, &self->batch };
    nrs_err_t err = ingest_spool_open(&options, reterr, &self->spool);
    if (err)
        return err;
    nrs_stage_watch_fd(self->context.run, ingest_spool_fd(self->spool));
    nrs_stage_wake_every(self->context.run, config->spool_period_ms);
    return NRS_OK;
}

static nrs_err_t
s_open(const nrs_stage_context_t *context, nrs_problem_t *reterr, void **ret_me)
{
    const ingest_config_t *config = context->options;
    NRS_AUTO(ingest) self = nrs_new0(ingest_t);
    self->context = *context;
    s_count(context->metrics, &self->batch);
    nrs_err_t err =
        ingest_sources_open(context->config, context->directory, reterr, &self->sources);
    if (err)
        return err;
    err = ingest_known_open(context->store, (uint64_t)config->known_max, &self->known);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "can't open the table of known events");
    self->batch.known = self->known;
    err = s_open_submit(self, reterr);
    if (!err)
        err = s_open_spool(self, reterr);
    if (err)
        return err;
    *ret_me = NRS_TAKE(self);
    return NRS_OK;
}

static void
s_close(void **me_p)
{
    ingest_t *self = *me_p;
    ingest_destroy(&self);
    *me_p = NULL;
}

// --- a batch -------------------------------------------------------------------------------------

static void
s_committed(void *me)
{
    ingest_t *self = me;
    self->batch.wrote = false;
    if (self->submit)
        ingest_submit_committed(self->submit);
    if (self->spool)
        ingest_spool_committed(self->spool);
}

// What the last batch wrote never became durable: those who sent it are told, files are read again.
static void
s_failed(ingest_t *self)
{
    self->batch.wrote = false;
    ingest_known_forget(self->known);
    if (self->submit)
        ingest_submit_failed(self->submit);
    if (self->spool)
        ingest_spool_failed(self->spool);
}

static nrs_err_t
s_intake(void *me, nrs_out_t *out)
{
    ingest_t *self = me;
    bool more = false;
    if (self->batch.wrote)
        s_failed(self);
    self->batch.out = out;
    self->batch.records = self->batch.dead_bytes = 0;
    nrs_err_t err = NRS_OK;
    if (self->submit)
        err = ingest_submit_step(self->submit, nrs_out_now(out), &more);
    if (!err && self->spool)
        err = ingest_spool_step(self->spool, nrs_out_now(out), &more);
    if (!err && more)
        nrs_stage_wake_now(self->context.run);
    if (!err && !self->batch.wrote)
        s_committed(self); // nothing to wait for
    return err;
}

static nrs_err_t
s_tick(void *me, nrs_out_t *out)
{
    ingest_t *self = me;
    return ingest_known_save(self->known, nrs_out_txn(out));
}

// A dead letter once more. What is rejected again becomes a letter again.
static nrs_err_t
s_retry(void *me, const nrs_dead_kept_t *dead, nrs_out_t *out)
{
    ingest_t *self = me;
    self->batch.out = out;
    return ingest_retry(self->sources, dead, &self->batch);
}

// --- questions -----------------------------------------------------------------------------------

static nrs_err_t
s_ask(void *me, const char *verb, nrs_bytes_t argument, nrs_txn_t *txn, nrs_buf_t *reply)
{
    ingest_t *self = me;
    uint8_t id[NRS_ID_BYTES];
    nrs_origin_place_t place;
    if (strcmp(verb, "find") != 0)
        return NRS_E_ABSENT;
    nrs_err_t err = nrs_id_parse(argument, id);
    if (!err)
        err = ingest_known_get(self->known, txn, id, &place);
    if (err == NRS_E_ABSENT) {
        nrs_buf_put_text(reply, "null");
        return NRS_OK;
    }
    if (err)
        return err;
    nrs_buf_printf(reply, "{\"instance\":%u,\"lane\":%u,\"epoch\":%u,\"offset\":%llu}",
                   self->context.instance->number, place.lane, place.epoch,
                   (unsigned long long)place.offset);
    return NRS_OK;
}

const nrs_stage_t ingest_stage = {
    .name = "ingest",
    .options = ingest_options,
    .options_bytes = sizeof(ingest_config_t),
    .open = s_open,
    .intake = s_intake,
    .retry = s_retry,
    .tick = s_tick,
    .committed = s_committed,
    .ask = s_ask,
    .close = s_close,
};
