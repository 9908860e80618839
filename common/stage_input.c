// stage_input.c - the topics upstream: followers, cursors, and which events have been had already
//
// A cursor says which offset of an upstream lane comes next. While the upstream lane's epoch stays the same, offsets
// and the chain of segments make every event come once. When its writer had to begin anew (a new epoch), it sends again
// what it still gets from further up; then an event's origin position decides: what is not behind the furthest that
// this stage has had of that ingest instance in that lane has been had.

#include "common/stage_part.h"

#include <stdio.h>
#include <stdlib.h>

enum { CURSOR_BYTES = 4 + 8 + 16 + 1, ORIGIN_BYTES = 4 + 8, PAIR_BYTES = 4 };

static void
s_pair(uint16_t first, uint16_t second, uint8_t key[PAIR_BYTES])
{
    nrs_put_be16(key, first);
    nrs_put_be16(key + 2, second);
}

// --- cursors -------------------------------------------------------------------------------------

static nrs_err_t
s_save_cursor(nrs_stage_run_t *run, nrs_txn_t *txn, const nrs_stage_input_t *input, uint16_t lane)
{
    const nrs_place_t *place = &input->stored[lane];
    uint8_t key[PAIR_BYTES], value[CURSOR_BYTES];
    s_pair(input->from->number, lane, key);
    nrs_put_be32(value, place->epoch);
    nrs_put_be64(value + 4, place->offset);
    nrs_put_be64(value + 12, place->chain.high);
    nrs_put_be64(value + 20, place->chain.low);
    value[28] = (uint8_t)(input->behind >> lane & 1);
    return nrs_txn_put(txn, run->cursors, nrs_bytes(key, sizeof key), nrs_bytes(value, sizeof value));
}

static nrs_err_t
s_load_cursor(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_stage_input_t *input, uint16_t lane)
{
    uint8_t key[PAIR_BYTES];
    nrs_bytes_t value;
    s_pair(input->from->number, lane, key);
    nrs_err_t err = nrs_txn_get(txn, run->cursors, nrs_bytes(key, sizeof key), &value);
    if (err)
        return err == NRS_E_ABSENT ? NRS_OK : err;
    if (value.size != CURSOR_BYTES)
        return NRS_E_CORRUPT;
    input->stored[lane] = (nrs_place_t){
        .epoch = nrs_get_be32(value.data),
        .offset = nrs_get_be64(value.data + 4),
        .chain = { .high = nrs_get_be64(value.data + 12), .low = nrs_get_be64(value.data + 20) },
    };
    input->behind |= (uint64_t)(value.data[28] & 1) << lane;
    return NRS_OK;
}

// --- what has been had ---------------------------------------------------------------------------

static nrs_origin_place_t *
s_had(nrs_stage_run_t *run, uint16_t lane, uint16_t instance)
{
    for (size_t i = 0; i < run->had_count[lane]; i++)
        if (run->had[lane][i].instance == instance)
            return &run->had[lane][i];
    if (run->had_count[lane] == NRS_STAGE_ORIGINS_MAX)
        return NULL;
    nrs_origin_place_t *made = &run->had[lane][run->had_count[lane]++];
    *made = (nrs_origin_place_t){ .instance = instance, .lane = lane };
    return made;
}

static bool
s_is_further(const nrs_origin_place_t *place, uint32_t epoch, uint64_t offset, bool had_any)
{
    if (place->epoch != epoch)
        return place->epoch > epoch;
    return !had_any || place->offset > offset;
}

static nrs_err_t
s_load_origins(nrs_stage_run_t *run, nrs_txn_t *txn)
{
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_bytes_t key, value;
    nrs_err_t err = nrs_scan_open(txn, run->origins, &scan);
    err = err ? err : nrs_scan_seek(scan, NRS_NONE, &key, &value);
    while (!err) {
        if (key.size != PAIR_BYTES || value.size != ORIGIN_BYTES || nrs_get_be16(key.data) >= NRS_LANES_MAX)
            return NRS_E_CORRUPT;
        nrs_origin_place_t *had = s_had(run, nrs_get_be16(key.data), nrs_get_be16(key.data + 2));
        if (!had)
            return NRS_E_LIMIT;
        had->epoch = nrs_get_be32(value.data);
        had->offset = nrs_get_be64(value.data + 4);
        err = nrs_scan_next(scan, &key, &value);
    }
    return err == NRS_E_ABSENT ? NRS_OK : err;
}

static nrs_err_t
s_save_origins(nrs_stage_run_t *run, nrs_txn_t *txn, uint16_t lane)
{
    for (size_t i = 0; i < run->had_count[lane]; i++) {
        const nrs_origin_place_t *had = &run->had[lane][i];
        uint8_t key[PAIR_BYTES], value[ORIGIN_BYTES];
        s_pair(lane, had->instance, key);
        nrs_put_be32(value, had->epoch);
        nrs_put_be64(value + 4, had->offset);
        nrs_err_t err = nrs_txn_put(txn, run->origins, nrs_bytes(key, sizeof key), nrs_bytes(value, sizeof value));
        if (err)
            return err;
    }
    return NRS_OK;
}

// --- opening -------------------------------------------------------------------------------------

// Where an instance finds the keys to talk to another: its own pair, and the other's public key.
static nrs_err_t
s_server_key(const nrs_stage_run_t *run, const nrs_instance_t *from, nrs_keys_t *into, nrs_problem_t *reterr)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/keys/%s.pub", run->plan->home, from->name);
    return nrs_keys_load(path, reterr, into);
}

static nrs_err_t
s_open_follower(nrs_stage_run_t *run, nrs_stage_input_t *input, nrs_problem_t *reterr)
{
    nrs_keys_t server = { 0 };
    nrs_err_t err = input->from->curve ? s_server_key(run, input->from, &server, reterr) : NRS_OK;
    if (err)
        return err;
    nrs_follower_options_t options = {
        .endpoint = input->from->follow,
        .keys = input->from->curve ? &run->keys : NULL,
        .server_key = input->from->curve ? server.public_text : NULL,
        .realm = run->plan->realm,
        .topic = run->flow->reads,
        .name = run->instance->name,
        .lanes = run->instance->lanes & input->from->lanes,
        .places = input->stored,
        .world = run->world,
    };
    return nrs_follower_open(&options, reterr, &input->follower);
}

// The stage that writes a topic stands before its readers in the plan; its instances are those whose follow endpoint
// this one reads.
static nrs_err_t
s_open_input(nrs_stage_run_t *run, nrs_txn_t *txn, const nrs_instance_t *from, nrs_problem_t *reterr)
{
    if (!(from->lanes & run->instance->lanes))
        return NRS_OK;
    if (run->input_count == NRS_STAGE_INPUTS_MAX)
        return nrs_problem_set(reterr, NRS_E_LIMIT, NULL, 0, 0, "more than %d instances upstream",
                               NRS_STAGE_INPUTS_MAX);
    nrs_stage_input_t *input = nrs_new0(nrs_stage_input_t);
    run->inputs[run->input_count++] = input;
    input->from = from;
    for (uint16_t lane = 0; lane < run->plan->lanes; lane++) {
        nrs_err_t err = s_load_cursor(run, txn, input, lane);
        if (err)
            return nrs_problem_set(reterr, err, NULL, 0, 0, "the cursors of %s cannot be read", from->name);
    }
    return s_open_follower(run, input, reterr);
}

nrs_err_t
nrs_stage_inputs_open(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    nrs_err_t err = nrs_store_table(run->store, "stage.cursors", &run->cursors);
    err = err ? err : nrs_store_table(run->store, "stage.origins", &run->origins);
    NRS_AUTO(nrs_txn) txn = NULL;
    err = err ? err : nrs_txn_begin(run->store, false, &txn);
    err = err ? err : s_load_origins(run, txn);
    if (err)
        return nrs_problem_set(reterr, err, run->instance->data, 0, 0, "the cursors cannot be read");
    const char *upstream = run->flow->reads ? nrs_flow_writer(run->flow->reads) : NULL;
    for (const nrs_instance_t *from = NULL;
         !err && upstream && (from = nrs_plan_next(run->plan, upstream, from));)
        err = s_open_input(run, txn, from, reterr);
    return err;
}

void
nrs_stage_inputs_close(nrs_stage_run_t *run)
{
    for (size_t i = 0; i < run->input_count; i++) {
        nrs_follower_destroy(&run->inputs[i]->follower);
        free(run->inputs[i]);
    }
    run->input_count = 0;
}

bool
nrs_stage_inputs_ready(const nrs_stage_run_t *run)
{
    for (size_t i = 0; i < run->input_count; i++)
        if (nrs_follower_ready(run->inputs[i]->follower))
            return true;
    return false;
}

// --- applying ------------------------------------------------------------------------------------

static nrs_err_t
s_dead_event(nrs_stage_run_t *run, nrs_out_t *out, nrs_bytes_t event, uint16_t lane, uint64_t offset,
             nrs_err_t why)
{
    char place[128];
    int length = snprintf(place, sizeof place, "%s/%u@%llu", run->flow->reads, lane,
                          (unsigned long long)offset);
    nrs_dead_t dead = {
        .reason = nrs_err_name(why),
        .text = "the stage could not decide about this event",
        .place = nrs_bytes(place, (size_t)length),
        .bytes = event,
    };
    nrs_log_warn("event.dead", F_BYTES("place", dead.place), F_ERR(why));
    return nrs_out_dead(out, &dead);
}

nrs_err_t
nrs_stage_apply(nrs_stage_run_t *run, nrs_out_t *out, nrs_bytes_t bytes, uint16_t lane, uint64_t offset)
{
    nrs_event_t event;
    out->lane = lane;
    out->events++;
    out->bytes += bytes.size;
    nrs_err_t err = nrs_event_open(bytes, &event);
    err = err ? err : run->stage->apply(run->me, &event, out);
    bool undecided = err == NRS_E_FORMAT || err == NRS_E_LIMIT;
    return undecided ? s_dead_event(run, out, bytes, lane, offset, err) : err;
}

// Has the event been had? Asked only while a lane is behind; the furthest is kept up at all times.
static bool
s_note_origin(nrs_stage_run_t *run, nrs_stage_input_t *input, nrs_bytes_t bytes, uint16_t lane)
{
    nrs_origin_place_t place;
    if (nrs_event_place(bytes, &place))
        return false; // the stage will make it a dead letter
    nrs_origin_place_t *had = s_had(run, lane, place.instance);
    if (!had)
        return false;
    bool had_any = had->epoch != 0;
    if (s_is_further(&place, had->epoch, had->offset, had_any)) {
        *had = place;
        input->behind &= ~(UINT64_C(1) << lane);
        return false;
    }
    return input->behind >> lane & 1;
}

static nrs_err_t
s_apply_segment(nrs_stage_run_t *run, nrs_stage_input_t *input, nrs_out_t *out, const nrs_segment_t *segment)
{
    uint16_t lane = segment->head.lane;
    if (input->stored[lane].epoch != 0 && input->stored[lane].epoch != segment->head.epoch) {
        nrs_log_warn("input.epoch", F_STR("from", input->from->name), F_U64("lane", lane),
                     F_U64("epoch", segment->head.epoch), F_U64("was", input->stored[lane].epoch));
        input->behind |= UINT64_C(1) << lane;
    }
    for (uint32_t i = 0; i < segment->head.count; i++) {
        uint64_t offset;
        nrs_bytes_t bytes = nrs_segment_event(segment, i, &offset);
        if (s_note_origin(run, input, bytes, lane)) {
            nrs_metric_add(run->repeated_total, 1);
            continue;
        }
        nrs_err_t err = nrs_stage_apply(run, out, bytes, lane, offset);
        if (err)
            return err;
    }
    input->stored[lane] = nrs_segment_after(segment);
    input->moved |= UINT64_C(1) << lane;
    run->had_moved |= UINT64_C(1) << lane;
    return NRS_OK;
}

nrs_err_t
nrs_stage_inputs_apply(nrs_stage_run_t *run, nrs_out_t *out)
{
    bool any = true;
    while (any && nrs_out_room(out)) { // one segment of each in turn
        any = false;
        for (size_t i = 0; i < run->input_count && nrs_out_room(out); i++) {
            nrs_segment_t segment;
            nrs_err_t err = nrs_follower_next(run->inputs[i]->follower, &segment);
            if (err)
                continue; // nothing there, or the follower has said what is wrong and asks again
            any = true;
            err = s_apply_segment(run, run->inputs[i], out, &segment);
            if (err)
                return err;
        }
    }
    return NRS_OK;
}

nrs_err_t
nrs_stage_inputs_save(nrs_stage_run_t *run, nrs_txn_t *txn)
{
    for (uint16_t lane = 0; lane < run->plan->lanes; lane++) {
        for (size_t i = 0; i < run->input_count; i++) {
            nrs_stage_input_t *input = run->inputs[i];
            nrs_err_t err = input->moved >> lane & 1 ? s_save_cursor(run, txn, input, lane) : NRS_OK;
            if (err)
                return err;
        }
        nrs_err_t err = run->had_moved >> lane & 1 ? s_save_origins(run, txn, lane) : NRS_OK;
        if (err)
            return err;
    }
    run->had_moved = 0;
    return NRS_OK;
}

void
nrs_stage_inputs_acknowledge(nrs_stage_run_t *run)
{
    for (size_t i = 0; i < run->input_count; i++) {
        run->inputs[i]->moved = 0;
        nrs_follower_acknowledge(run->inputs[i]->follower);
    }
}
