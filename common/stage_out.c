// stage_out.c - the batch: what it takes, puts out and leaves behind in one transaction

#include "common/hash.h"
#include "common/stage_part.h"


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TRIM_MORE = 8 }; // segments dropped in a commit beyond those it adds, so that a backlog shrinks

int64_t
nrs_out_now(const nrs_out_t *out)
{
    return out->now_ms;
}

nrs_txn_t *
nrs_out_txn(nrs_out_t *out)
{
    return out->txn;
}

bool
nrs_out_room(const nrs_out_t *out)
{
    return (int64_t)out->events < out->run->options.batch_events &&
           (int64_t)out->bytes < out->run->options.batch_bytes;
}

// --- topics --------------------------------------------------------------------------------------

nrs_err_t
nrs_stage_topic_open(nrs_stage_run_t *run, const char *name, bool release, uint64_t backlog_bytes,
                     size_t *ret_topic)
{
    if (run->topic_count == NRS_STAGE_TOPICS_MAX)
        return NRS_E_LIMIT;
    nrs_topic_options_t options = {
        .realm = run->plan->realm,
        .name = name,
        .instance = run->instance->number,
        .lanes = run->plan->lanes,
        .replay_bytes = (uint64_t)run->options.replay_bytes,
        .replay_ms = run->options.replay_ms,
        .backlog_bytes = backlog_bytes,
        .epoch = nrs_topic_epoch(run->world->now_ms(run->world)),
    };
    nrs_stage_topic_t *topic = nrs_new0(nrs_stage_topic_t);
    nrs_err_t err = nrs_topic_open(run->store, &run->tables, &options, &topic->topic);
    if (err) {
        free(topic);
        return err;
    }
    topic->release = release;
    for (uint16_t lane = 0; lane < options.lanes; lane++)
        topic->published[lane] = nrs_topic_lane(topic->topic, lane)->next;
    run->topics[run->topic_count] = topic;
    *ret_topic = run->topic_count++;
    return NRS_OK;
}

void
nrs_stage_topics_close(nrs_stage_run_t *run)
{
    for (size_t i = 0; i < run->topic_count; i++) {
        for (size_t lane = 0; lane < NRS_LANES_MAX; lane++)
            nrs_segment_build_free(&run->topics[i]->builds[lane]);
        nrs_topic_destroy(&run->topics[i]->topic);
        free(run->topics[i]);
    }
    run->topic_count = 0;
}

static nrs_err_t
s_flush_lane(nrs_out_t *out, nrs_stage_topic_t *topic, uint16_t lane)
{
    if (topic->builds[lane].count == 0)
        return NRS_OK;
    return nrs_topic_append(topic->topic, out->txn, lane, &topic->builds[lane], out->now_ms);
}

// One event has been written behind `before` in the lane's build. Where that made the segment too large, the segment
// is closed without it, and it begins the next one.
static nrs_err_t
s_added(nrs_out_t *out, nrs_stage_topic_t *topic, uint16_t lane, size_t before)
{
    nrs_segment_build_t *build = &topic->builds[lane];
    size_t bytes = nrs_segment_build_bytes(build) + NRS_SEGMENT_INDEX_BYTES;
    size_t size = build->payload.size - before;
    if (size > NRS_EVENT_BYTES_MAX) {
        build->payload.size = before;
        return NRS_E_LIMIT;
    }
    if (bytes > NRS_SEGMENT_BYTES_MAX) {
        nrs_buf_reset(&out->run->scratch);
        nrs_buf_put(&out->run->scratch, build->payload.data + before, size);
        build->payload.size = before;
        nrs_err_t err = s_flush_lane(out, topic, lane);
        if (err)
            return err;
        nrs_buf_put(&build->payload, out->run->scratch.data, size);
        before = 0;
    }
    nrs_segment_build_added(build, before, 0);
    topic->open_lanes = true;
    out->written++;
    return NRS_OK;
}

nrs_err_t
nrs_out_append_to(nrs_out_t *out, size_t number, nrs_event_t *in, nrs_layer_t layer, const void *values)
{
    NRS_ASSERT(number < out->run->topic_count);
    if (in->layers > layer)
        return NRS_E_FORMAT; // upstream says what is ours to say
    nrs_stage_topic_t *topic = out->run->topics[number];
    size_t before = topic->builds[out->lane].payload.size;
    nrs_event_append(&topic->builds[out->lane].payload, in->bytes, layer, values);
    return s_added(out, topic, out->lane, before);
}

nrs_err_t
nrs_out_append(nrs_out_t *out, nrs_event_t *in, nrs_layer_t layer, const void *values)
{
    return nrs_out_append_to(out, 0, in, layer, values);
}

nrs_err_t
nrs_out_append_short(nrs_out_t *out, nrs_event_t *in, const nrs_context_t *context)
{
    if (in->layers != 1 || !nrs_event_has(in, NRS_LAYER_ORIGIN))
        return NRS_E_FORMAT;
    nrs_stage_topic_t *topic = out->run->topics[0];
    size_t before = topic->builds[out->lane].payload.size;
    nrs_event_append_short(&topic->builds[out->lane].payload, in, context);
    return s_added(out, topic, out->lane, before);
}

nrs_err_t
nrs_out_append_projected(nrs_out_t *out, size_t number, nrs_event_t *in, const nrs_field_t *drop, size_t count,
                         const nrs_release_t *release)
{
    NRS_ASSERT(number < out->run->topic_count);
    if (in->layers > NRS_LAYER_RELEASE)
        return NRS_E_FORMAT;
    nrs_stage_topic_t *topic = out->run->topics[number];
    size_t before = topic->builds[out->lane].payload.size;
    nrs_event_append_without(&topic->builds[out->lane].payload, in, drop, count, NRS_LAYER_RELEASE, release);
    return s_added(out, topic, out->lane, before);
}

// --- new events ----------------------------------------------------------------------------------

// The lane of an indicator: the same in every process, so that all reports of one thing meet in one lane.
static uint16_t
s_lane_of(uint64_t kind, nrs_bytes_t value, uint16_t lanes)
{
    return (uint16_t)(nrs_hash64(value, kind) % lanes);
}

nrs_err_t
nrs_out_report(nrs_out_t *out, const nrs_origin_t *origin, nrs_origin_place_t *ret_place)
{
    nrs_stage_topic_t *topic = out->run->topics[0];
    if (out->run->full)
        return NRS_E_FULL;
    uint16_t lane = s_lane_of(origin->kind, origin->value, out->run->plan->lanes);
    nrs_segment_build_t *build = &topic->builds[lane];
    size_t before = build->payload.size;
    nrs_event_begin(&build->payload, origin);
    nrs_err_t err = s_added(out, topic, lane, before);
    if (err)
        return err;
    const nrs_lane_t *state = nrs_topic_lane(topic->topic, lane);
    nrs_origin_place_t place = {
        .instance = out->run->instance->number,
        .lane = lane,
        .epoch = state->epoch,
        .offset = state->next + build->span - 1,
    };
    before = build->count == 1 ? 0 : before; // it may have moved to the beginning of a new segment
    nrs_event_set_place(build->payload.data + before, &place);
    out->events++;
    out->bytes += build->payload.size - before;
    if (ret_place)
        *ret_place = place;
    return NRS_OK;
}

nrs_err_t
nrs_out_dead(nrs_out_t *out, const nrs_dead_t *dead)
{
    if (out->run->full)
        return NRS_E_FULL;
    nrs_err_t err = nrs_dead_letters_append(out->run->dead, out->txn, out->now_ms, dead);
    if (!err)
        nrs_metric_add(out->run->dead_total, 1);
    return err;
}

// --- the batch -----------------------------------------------------------------------------------

static nrs_err_t
s_flush(nrs_out_t *out)
{
    nrs_stage_run_t *run = out->run;
    for (size_t i = 0; i < run->topic_count; i++) {
        nrs_stage_topic_t *topic = run->topics[i];
        for (uint16_t lane = 0; topic->open_lanes && lane < run->plan->lanes; lane++) {
            nrs_err_t err = s_flush_lane(out, topic, lane);
            if (err)
                return err;
        }
        topic->open_lanes = false;
    }
    return NRS_OK;
}

static nrs_err_t
s_tend_topics(nrs_out_t *out)
{
    nrs_stage_run_t *run = out->run;
    size_t spare = run->plan->lanes * 2u + TRIM_MORE;
    for (size_t i = 0; i < run->topic_count; i++) {
        nrs_err_t err = nrs_topic_save_acks(run->topics[i]->topic, out->txn);
        err = err ? err : nrs_topic_trim(run->topics[i]->topic, out->txn, out->now_ms, spare);
        if (err)
            return err;
    }
    run->acks_saved_ms = run->world->mono_ms(run->world);
    return NRS_OK;
}

// What every batch ends with: states, outputs, cursors, acknowledgements, trimming; then the commit.
static nrs_err_t
s_finish(nrs_out_t *out, nrs_txn_t **txn_p)
{
    nrs_stage_run_t *run = out->run;
    nrs_err_t err = run->stage->tick ? run->stage->tick(run->me, out) : NRS_OK;
    err = err ? err : s_flush(out);
    err = err ? err : nrs_stage_inputs_save(run, out->txn);
    err = err ? err : s_tend_topics(out);
    if (err)
        return err;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    err = nrs_txn_commit(txn_p);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (err)
        return err;
    nrs_metric_observe(run->commit_seconds, (double)(after.tv_sec - before.tv_sec) +
                                                (double)(after.tv_nsec - before.tv_nsec) / 1e9);
    nrs_metric_add(run->batches_total, 1);
    nrs_metric_add(run->in_total, out->events);
    nrs_metric_add(run->out_total, out->written);
    if (run->stage->committed)
        run->stage->committed(run->me);
    nrs_stage_inputs_acknowledge(run);
    return NRS_OK;
}

static nrs_err_t
s_take_input(nrs_out_t *out)
{
    nrs_stage_run_t *run = out->run;
    run->full = !nrs_store_has_room(run->store);
    snprintf(run->problem, sizeof run->problem, "%s",
             run->full ? "the store is full: nothing is taken in until followers acknowledge, or store_bytes is raised"
                       : "");
    if (!run->flow->reads)
        return run->stage->intake(run->me, out); // it tells whoever reports
    return run->full ? NRS_OK : nrs_stage_inputs_apply(run, out);
}

nrs_err_t
nrs_stage_batch(nrs_stage_run_t *run)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(run->store, true, &txn);
    if (err)
        return err;
    nrs_out_t out = { .run = run, .txn = txn, .now_ms = run->world->now_ms(run->world) };
    run->wake_now = false;
    err = s_take_input(&out);
    return err ? err : s_finish(&out, &txn);
}

// --- dead letters --------------------------------------------------------------------------------

static nrs_err_t
s_dead_again(nrs_out_t *out, const nrs_dead_kept_t *kept)
{
    nrs_stage_run_t *run = out->run;
    nrs_origin_place_t place;
    if (!run->flow->reads)
        return run->stage->retry ? run->stage->retry(run->me, kept, out) : NRS_E_ABSENT;
    if (nrs_event_place(kept->bytes, &place) || place.lane >= run->plan->lanes)
        return NRS_E_FORMAT;
    return nrs_stage_apply(run, out, kept->bytes, place.lane, place.offset);
}

// Take one letter out of the table, and try it when asked to.
static nrs_err_t
s_dead_one(nrs_out_t *out, bool retry, const nrs_dead_kept_t *kept)
{
    nrs_stage_run_t *run = out->run;
    nrs_buf_t copy = { 0 }; // dropping the letter would take its bytes away
    nrs_dead_kept_t held = *kept;
    nrs_bytes_t *parts[] = { &held.reason, &held.text, &held.source, &held.place, &held.bytes };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        nrs_buf_put(&copy, parts[i]->data, parts[i]->size);
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        parts[i]->data = copy.data + at;
        at += parts[i]->size;
    }
    nrs_err_t err = nrs_dead_letters_drop(run->dead, out->txn, held.id);
    if (!err && retry)
        err = s_dead_again(out, &held);
    nrs_buf_free(&copy);
    return err;
}

nrs_err_t
nrs_stage_dead_batch(nrs_stage_run_t *run, bool retry, uint64_t id, uint64_t most, uint64_t *ret_done)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(run->store, true, &txn);
    if (err)
        return err;
    nrs_out_t out = { .run = run, .txn = txn, .now_ms = run->world->now_ms(run->world) };
    uint64_t done = 0, last = nrs_dead_letters_last(run->dead);
    for (uint64_t from = id; done < most && from <= last; done++) {
        nrs_dead_kept_t kept;
        err = nrs_dead_letters_get(run->dead, txn, from, &kept);
        if (err == NRS_E_ABSENT || (!err && ((id && kept.id != id) || kept.id > last)))
            break; // what failed again stands behind `last`
        from = kept.id + 1;
        err = err ? err : s_dead_one(&out, retry, &kept);
        if (err)
            return err;
    }
    *ret_done = done;
    return s_finish(&out, &txn);
}
