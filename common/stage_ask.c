// stage_ask.c - questions of the command line to this instance (proto/ask.md)

#include "common/ask.h"
#include "common/stage_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASKS_PER_STEP = 16, DEAD_LIST_MAX = 1000, RETRY_MAX = 1000 };

nrs_err_t
nrs_stage_ask_open(nrs_stage_run_t *run, nrs_problem_t *reterr)
{
    nrs_bus_options_t options = {
        .type = NRS_BUS_ROUTER,
        .bind = true,
        .endpoint = run->instance->ask,
        .keys = run->instance->curve ? &run->keys : NULL,
        .zap_domain = run->instance->curve ? NRS_ZAP_INSIDE : NULL,
    };
    return run->world->bus_open(run->world, &options, reterr, &run->ask);
}

static unsigned long long
s_u(uint64_t number)
{
    return (unsigned long long)number;
}

// --- status --------------------------------------------------------------------------------------

static void
s_put_lanes(nrs_buf_t *into, const nrs_topic_t *topic)
{
    nrs_buf_put_text(into, "\"lanes\":[");
    for (uint16_t lane = 0; lane < nrs_topic_lanes(topic); lane++) {
        const nrs_lane_t *state = nrs_topic_lane(topic, lane);
        nrs_buf_printf(into, "%s{\"lane\":%u,\"epoch\":%u,\"first\":%llu,\"next\":%llu}", lane ? "," : "", lane,
                       state->epoch, s_u(state->first), s_u(state->next));
    }
    nrs_buf_put_text(into, "]");
}

// Events and bytes that the topic holds now.
static void
s_put_size(nrs_buf_t *into, const nrs_topic_t *topic)
{
    uint64_t events = 0, bytes = 0;
    for (uint16_t lane = 0; lane < nrs_topic_lanes(topic); lane++) {
        const nrs_lane_t *state = nrs_topic_lane(topic, lane);
        events += state->next - state->first;
        bytes += state->bytes;
    }
    nrs_buf_printf(into, "\"events\":%llu,\"bytes\":%llu,", s_u(events), s_u(bytes));
}

static void
s_put_topics(nrs_stage_run_t *run, nrs_buf_t *into)
{
    nrs_buf_put_text(into, ",\"topics\":[");
    for (size_t i = 0; i < run->topic_count; i++) {
        const nrs_topic_t *topic = run->topics[i]->topic;
        const char *name = nrs_topic_name(topic);
        const nrs_follow_server_t *server = run->topics[i]->release ? run->release : run->inside;
        nrs_buf_printf(into, "%s{\"name\":\"%s\",", i ? "," : "", name);
        s_put_size(into, topic);
        s_put_lanes(into, topic);
        nrs_buf_put_text(into, ",\"followers\":[");
        for (size_t f = 0; f < nrs_topic_follower_count(topic); f++) {
            nrs_topic_follower_info_t info;
            nrs_topic_follower(topic, f, &info);
            bool connected = server && nrs_follow_server_connected(server, name, info.name);
            nrs_buf_printf(into, "%s{\"name\":\"%s\",\"lag\":%llu,\"connected\":%s}", f ? "," : "", info.name,
                           s_u(info.lag), connected ? "true" : "false");
        }
        nrs_buf_put_text(into, "]}");
    }
    nrs_buf_put_text(into, "]");
}

static void
s_put_inputs(nrs_stage_run_t *run, nrs_buf_t *into)
{
    nrs_buf_put_text(into, ",\"inputs\":[");
    for (size_t i = 0; i < run->input_count; i++) {
        nrs_follower_info_t info;
        nrs_follower_info(run->inputs[i]->follower, &info);
        nrs_buf_printf(into, "%s{\"from\":\"%s\",\"lag\":%llu,\"connected\":%s,\"problem\":", i ? "," : "",
                       run->inputs[i]->from->name, s_u(info.lag), info.connected ? "true" : "false");
        if (info.problem)
            nrs_buf_put_json_string(into, nrs_text(info.problem));
        else
            nrs_buf_put_text(into, "null");
        nrs_buf_put_text(into, "}");
    }
    nrs_buf_put_text(into, "]");
}

static nrs_err_t
s_status(nrs_stage_run_t *run, nrs_buf_t *into)
{
    nrs_store_use_t use;
    nrs_store_use(run->store, &use);
    nrs_buf_printf(into,
                   "{\"instance\":\"%s\",\"stage\":\"%s\",\"realm\":\"%s\",\"version\":\"%s\",\"pid\":%d,"
                   "\"uptime_ms\":%lld,\"ready\":true",
                   run->instance->name, run->stage->name, run->plan->realm, NOROSHI_VERSION, (int)getpid(),
                   (long long)(run->world->mono_ms(run->world) - run->started_mono_ms));
    s_put_topics(run, into);
    s_put_inputs(run, into);
    nrs_buf_printf(into,
                   ",\"store\":{\"bytes_max\":%llu,\"file_bytes\":%llu,\"used_bytes\":%llu,\"commits\":%llu},"
                   "\"dead\":%llu,\"rates\":{\"in_per_s\":%llu,\"out_per_s\":%llu},"
                   "\"counters\":{\"in\":%llu,\"out\":%llu,\"repeated\":%llu},\"denied\":%llu,\"problem\":",
                   s_u(use.bytes_max), s_u(use.file_bytes), s_u(use.used_bytes), s_u(use.commits),
                   s_u(nrs_dead_letters_count(run->dead)), s_u(run->rate_in), s_u(run->rate_out),
                   s_u(nrs_metric_value(run->in_total)), s_u(nrs_metric_value(run->out_total)),
                   s_u(nrs_metric_value(run->repeated_total)), s_u(nrs_stage_count_denied(run)));
    if (run->problem[0])
        nrs_buf_put_json_string(into, nrs_text(run->problem));
    else
        nrs_buf_put_text(into, "null");
    nrs_buf_put_text(into, "}");
    return NRS_OK;
}

// --- show ----------------------------------------------------------------------------------------

// "instance/lane/epoch/offset" in decimal.
static bool
s_read_place(nrs_bytes_t text, nrs_origin_place_t *ret_place)
{
    char copy[64];
    unsigned instance, lane, epoch;
    unsigned long long offset;
    int end = 0;
    if (text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    if (sscanf(copy, "%5u/%5u/%10u/%20llu%n", &instance, &lane, &epoch, &offset, &end) != 4 ||
        (size_t)end != text.size || instance > UINT16_MAX || lane >= NRS_LANES_MAX)
        return false;
    *ret_place = (nrs_origin_place_t){ (uint16_t)instance, (uint16_t)lane, epoch, offset };
    return true;
}

static nrs_err_t
s_show(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_bytes_t argument, nrs_buf_t *into)
{
    nrs_origin_place_t place;
    if (!s_read_place(argument, &place))
        return NRS_E_FORMAT;
    nrs_buf_put_text(into, "{\"found\":[");
    const char *before = "";
    for (size_t i = 0; i < run->topic_count; i++) {
        nrs_topic_t *topic = run->topics[i]->topic;
        uint64_t offset;
        nrs_bytes_t event;
        nrs_err_t err = nrs_topic_find(topic, txn, place.lane, place.instance, place.epoch, place.offset, &offset,
                                       &event);
        if (err == NRS_E_ABSENT)
            continue;
        if (err)
            return err;
        nrs_buf_printf(into, "%s{\"topic\":\"%s\",\"lane\":%u,\"epoch\":%u,\"offset\":%llu,\"event\":", before,
                       nrs_topic_name(topic), place.lane, nrs_topic_lane(topic, place.lane)->epoch, s_u(offset));
        err = nrs_event_json(event, into);
        if (err)
            return err;
        nrs_buf_put_text(into, "}");
        before = ",";
    }
    nrs_buf_put_text(into, "]}");
    return NRS_OK;
}

// --- dead letters --------------------------------------------------------------------------------

static bool
s_read_id(nrs_bytes_t text, uint64_t *ret_id)
{
    char copy[24], *end;
    if (text.size == 0 || text.size >= sizeof copy || text.data[0] < '0' || text.data[0] > '9')
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *ret_id = strtoull(copy, &end, 10);
    return *end == 0;
}

// The argument is {"from":N,"limit":N}: letters with an id above N.
static nrs_err_t
s_dead_list(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_bytes_t argument, nrs_buf_t *into)
{
    char copy[64] = "";
    unsigned long long from = 0, limit = 50;
    if (argument.size >= sizeof copy)
        return NRS_E_FORMAT;
    memcpy(copy, argument.data, argument.size);
    if (copy[0] && sscanf(copy, "{\"from\":%20llu,\"limit\":%20llu}", &from, &limit) != 2)
        return NRS_E_FORMAT;
    limit = limit < DEAD_LIST_MAX ? limit : DEAD_LIST_MAX;
    nrs_buf_put_text(into, "{\"dead\":[");
    nrs_dead_kept_t kept = { .id = from };
    for (unsigned long long i = 0; i < limit; i++) {
        nrs_err_t err = nrs_dead_letters_get(run->dead, txn, kept.id + 1, &kept);
        if (err == NRS_E_ABSENT)
            break;
        if (err)
            return err;
        nrs_buf_put_text(into, i ? "," : "");
        nrs_dead_json(&kept, false, into);
    }
    nrs_buf_printf(into, "],\"total\":%llu}", s_u(nrs_dead_letters_count(run->dead)));
    return NRS_OK;
}

static nrs_err_t
s_dead_show(nrs_stage_run_t *run, nrs_txn_t *txn, nrs_bytes_t argument, nrs_buf_t *into)
{
    uint64_t id;
    nrs_dead_kept_t kept;
    if (!s_read_id(argument, &id))
        return NRS_E_FORMAT;
    nrs_err_t err = nrs_dead_letters_get(run->dead, txn, id, &kept);
    if (!err && kept.id != id)
        err = NRS_E_ABSENT;
    if (!err)
        nrs_dead_json(&kept, true, into);
    return err;
}

// Bring letters up for another try, or drop them, in a batch of their own.
static nrs_err_t
s_dead_change(nrs_stage_run_t *run, bool retry, nrs_bytes_t argument, nrs_buf_t *into)
{
    uint64_t id = 0, done;
    bool all = nrs_bytes_is(argument, "all");
    if (!all && !s_read_id(argument, &id))
        return NRS_E_FORMAT;
    nrs_err_t err = nrs_stage_dead_batch(run, retry, id, all ? RETRY_MAX : 1, &done);
    if (!err && done == 0 && !all)
        err = NRS_E_ABSENT;
    if (!err)
        nrs_buf_printf(into, "{\"done\":%llu,\"left\":%llu}", s_u(done),
                       s_u(nrs_dead_letters_count(run->dead)));
    return err;
}

// --- answering -----------------------------------------------------------------------------------

static nrs_err_t
s_answer(nrs_stage_run_t *run, const nrs_question_t *question, nrs_buf_t *into)
{
    const char *verb = question->verb;
    if (strcmp(verb, "status") == 0)
        return s_status(run, into);
    if (strcmp(verb, "metrics") == 0) {
        nrs_metrics_print(run->metrics, into);
        return NRS_OK;
    }
    if (strcmp(verb, "dead.retry") == 0)
        return s_dead_change(run, true, question->argument, into);
    if (strcmp(verb, "dead.drop") == 0)
        return s_dead_change(run, false, question->argument, into);
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(run->store, false, &txn);
    if (err)
        return err;
    if (strcmp(verb, "show") == 0)
        return s_show(run, txn, question->argument, into);
    if (strcmp(verb, "dead.list") == 0)
        return s_dead_list(run, txn, question->argument, into);
    if (strcmp(verb, "dead.show") == 0)
        return s_dead_show(run, txn, question->argument, into);
    return run->stage->ask ? run->stage->ask(run->me, verb, question->argument, txn, into) : NRS_E_ABSENT;
}

static void
s_take(nrs_stage_run_t *run, const nrs_message_t *message)
{
    nrs_question_t question;
    if (nrs_question_decode(message, 1, &question))
        return; // not ours: whoever sent it waits in vain
    nrs_buf_t json = { 0 };
    nrs_err_t err = s_answer(run, &question, &json);
    if (json.size > NRS_ASK_ANSWER_MAX)
        err = NRS_E_LIMIT;
    if (err)
        nrs_buf_reset(&json);
    nrs_message_t answer = { 0 };
    nrs_message_put(&answer, nrs_message_frame(message, 0));
    nrs_answer_encode(&answer, err, nrs_buf_bytes(&json));
    NRS_IGNORE(nrs_bus_send(run->ask, &answer)); // the asker may be gone
    nrs_message_clear(&answer);
    nrs_buf_free(&json);
}

nrs_err_t
nrs_stage_ask_step(nrs_stage_run_t *run)
{
    for (int i = 0; i < ASKS_PER_STEP; i++) {
        nrs_message_t message = { 0 };
        nrs_err_t err = nrs_bus_recv(run->ask, &message);
        if (!err && message.count > 1)
            s_take(run, &message);
        nrs_message_clear(&message);
        if (err == NRS_E_AGAIN)
            break;
        if (err == NRS_E_IO)
            return err;
    }
    return NRS_OK;
}
