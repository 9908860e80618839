#include "common/topic_part.h"

#include "common/event.h"

#include <stdlib.h>

enum { TRIM_EVERY_MS = 1000 };

static const int64_t s_epoch_zero_ms = INT64_C(1577836800000); // 2020-01-01

uint32_t
nrs_topic_epoch(int64_t now_ms)
{
    int64_t seconds = (now_ms - s_epoch_zero_ms) / 1000;
    return seconds < 1 ? 1 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

void
nrs_topic_init(nrs_topic_t *self, const nrs_topic_ops_t *ops, const nrs_topic_options_t *options)
{
    NRS_ASSERT(options->lanes > 0 && options->lanes <= NRS_LANES_MAX);
    NRS_ASSERT(strlen(options->name) <= NRS_TOPIC_NAME_MAX);
    self->ops = ops;
    self->options = *options;
    self->options.realm = nrs_strdup(options->realm);
    self->options.name = nrs_strdup(options->name);
    self->stream = nrs_segment_stream(options->realm, options->name);
    for (uint16_t lane = 0; lane < options->lanes; lane++)
        self->lanes[lane].epoch = options->epoch;
}

void
nrs_topic_destroy(nrs_topic_t **self_p)
{
    nrs_topic_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->follower_count; i++)
        free(self->followers[i]);
    free((char *)(uintptr_t)self->options.realm);
    free((char *)(uintptr_t)self->options.name);
    self->ops->destroy(self);
    *self_p = NULL;
}

const char *
nrs_topic_name(const nrs_topic_t *self)
{
    return self->options.name;
}

uint64_t
nrs_topic_stream(const nrs_topic_t *self)
{
    return self->stream;
}

uint16_t
nrs_topic_lanes(const nrs_topic_t *self)
{
    return self->options.lanes;
}

const nrs_lane_t *
nrs_topic_lane(const nrs_topic_t *self, uint16_t lane)
{
    NRS_ASSERT(lane < self->options.lanes);
    return &self->lanes[lane];
}

nrs_err_t
nrs_topic_append(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, nrs_segment_build_t *build, int64_t now_ms)
{
    NRS_ASSERT(lane < self->options.lanes && build->count > 0);
    nrs_lane_t *state = &self->lanes[lane];
    nrs_segment_head_t head = {
        .stream = self->stream,
        .instance = self->options.instance,
        .lane = lane,
        .epoch = state->epoch,
        .base = state->next,
        .first_ms = now_ms,
        .last_ms = now_ms,
        .previous = state->chain,
    };
    size_t bytes = nrs_segment_build_bytes(build);
    nrs_err_t err = self->ops->put(self, txn, lane, build, &head);
    if (err)
        return err;
    state->next += head.span;
    state->chain = head.checksum;
    state->bytes += bytes;
    return self->ops->save_lane(self, txn, lane);
}

nrs_err_t
nrs_topic_fetch(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint64_t offset, nrs_bytes_t *ret_segment)
{
    const nrs_lane_t *state = nrs_topic_lane(self, lane);
    if (offset < state->first || offset >= state->next)
        return NRS_E_ABSENT;
    return self->ops->get(self, txn, lane, offset, ret_segment);
}

// Does all that is sought lie behind this segment?
typedef bool s_before_t(const nrs_segment_t *segment, const void *sought);

// The base of the first segment of which `before` says no, by halving; the lane's end when there is none.
static nrs_err_t
s_bisect(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, s_before_t *before, const void *sought,
         uint64_t *ret_offset)
{
    const nrs_lane_t *state = nrs_topic_lane(self, lane);
    uint64_t low = state->first, high = state->next; // always where a segment begins
    while (low < high) {
        nrs_bytes_t bytes;
        nrs_segment_t segment;
        nrs_err_t err = nrs_topic_fetch(self, txn, lane, low + (high - low) / 2, &bytes);
        err = err ? err : nrs_segment_peek(bytes, &segment);
        if (err)
            return err;
        if (before(&segment, sought))
            low = segment.head.base + segment.head.span;
        else
            high = segment.head.base;
    }
    *ret_offset = low;
    return NRS_OK;
}

static bool
s_before_time(const nrs_segment_t *segment, const void *sought)
{
    return segment->head.last_ms < *(const int64_t *)sought;
}

nrs_err_t
nrs_topic_seek_time(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, int64_t time_ms, uint64_t *ret_offset)
{
    return s_bisect(self, txn, lane, s_before_time, &time_ms, ret_offset);
}

static int
s_compare_places(const nrs_origin_place_t *a, const nrs_origin_place_t *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    return a->offset == b->offset ? 0 : a->offset < b->offset ? -1 : 1;
}

// Is the segment's last event before the sought one? Several ingest instances never share a lane: it passes from one to
// the next with a later epoch, so epochs and offsets grow along it, whoever the instance was.
static bool
s_before_place(const nrs_segment_t *segment, const void *sought)
{
    for (uint32_t i = segment->head.count; i > 0; i--) {
        nrs_origin_place_t last;
        if (nrs_event_place(nrs_segment_event(segment, i - 1, NULL), &last) == NRS_OK)
            return s_compare_places(&last, sought) < 0;
    }
    return true;
}

nrs_err_t
nrs_topic_find(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint16_t instance, uint32_t epoch,
               uint64_t offset, uint64_t *ret_offset, nrs_bytes_t *ret_event)
{
    if (lane >= self->options.lanes)
        return NRS_E_ABSENT;
    nrs_origin_place_t sought = { instance, lane, epoch, offset };
    uint64_t at;
    nrs_bytes_t bytes;
    nrs_segment_t segment;
    nrs_err_t err = s_bisect(self, txn, lane, s_before_place, &sought, &at);
    err = err ? err : nrs_topic_fetch(self, txn, lane, at, &bytes);
    err = err ? err : nrs_segment_peek(bytes, &segment);
    if (err)
        return err;
    for (uint32_t i = 0; i < segment.head.count; i++) {
        nrs_origin_place_t place;
        nrs_bytes_t event = nrs_segment_event(&segment, i, ret_offset);
        if (nrs_event_place(event, &place) == NRS_OK && place.instance == instance &&
            s_compare_places(&place, &sought) == 0) {
            *ret_event = event;
            return NRS_OK;
        }
    }
    return NRS_E_ABSENT;
}

// --- followers -----------------------------------------------------------------------------------

static nrs_topic_follower_t *
s_follower(const nrs_topic_t *self, const char *name)
{
    for (size_t i = 0; i < self->follower_count; i++)
        if (strcmp(self->followers[i]->name, name) == 0)
            return self->followers[i];
    return NULL;
}

nrs_err_t
nrs_topic_register(nrs_topic_t *self, nrs_txn_t *txn, const char *follower, uint64_t lanes)
{
    nrs_topic_follower_t *entry = s_follower(self, follower);
    bool full = !entry && self->follower_count == NRS_TOPIC_FOLLOWERS_MAX;
    if (full || strlen(follower) > NRS_FOLLOWER_NAME_MAX)
        return NRS_E_LIMIT;
    if (!entry) {
        entry = nrs_new0(nrs_topic_follower_t);
        strcpy(entry->name, follower);
        self->followers[self->follower_count++] = entry;
    }
    entry->lanes = lanes;
    for (uint16_t lane = 0; lane < self->options.lanes; lane++) {
        nrs_err_t err = self->ops->load_ack(self, txn, follower, lane, &entry->places[lane]);
        if (err && err != NRS_E_ABSENT)
            return err;
    }
    return NRS_OK;
}

nrs_err_t
nrs_topic_acknowledge(nrs_topic_t *self, const char *follower, uint16_t lane, const nrs_place_t *place)
{
    nrs_topic_follower_t *entry = s_follower(self, follower);
    if (!entry || lane >= self->options.lanes)
        return NRS_E_ABSENT;
    const nrs_lane_t *state = &self->lanes[lane];
    if (place->epoch == state->epoch && place->offset > state->next)
        return NRS_E_REWOUND;
    nrs_place_t *known = &entry->places[lane];
    bool newer = place->epoch == known->epoch ? place->offset > known->offset : place->epoch == state->epoch;
    if (place->epoch == state->epoch && newer) {
        *known = *place;
        entry->unsaved |= UINT64_C(1) << lane;
    }
    return NRS_OK;
}

bool
nrs_topic_acks_wait(const nrs_topic_t *self)
{
    for (size_t i = 0; i < self->follower_count; i++)
        if (self->followers[i]->unsaved)
            return true;
    return false;
}

nrs_err_t
nrs_topic_save_acks(nrs_topic_t *self, nrs_txn_t *txn)
{
    for (size_t i = 0; i < self->follower_count; i++) {
        nrs_topic_follower_t *entry = self->followers[i];
        for (uint16_t lane = 0; entry->unsaved && lane < self->options.lanes; lane++) {
            if (!(entry->unsaved >> lane & 1))
                continue;
            nrs_err_t err = self->ops->save_ack(self, txn, entry->name, lane, &entry->places[lane]);
            if (err)
                return err;
            entry->unsaved &= ~(UINT64_C(1) << lane);
        }
    }
    return NRS_OK;
}

// The offset that a follower needs next in a lane.
static uint64_t
s_needed(const nrs_topic_t *self, const nrs_topic_follower_t *entry, uint16_t lane)
{
    const nrs_lane_t *state = &self->lanes[lane];
    if (!(entry->lanes >> lane & 1))
        return state->next;
    return entry->places[lane].epoch == state->epoch ? entry->places[lane].offset : state->first;
}

// Everything before this offset has been acknowledged by all who must have it.
static uint64_t
s_floor(const nrs_topic_t *self, uint16_t lane)
{
    uint64_t floor = self->lanes[lane].next;
    for (size_t i = 0; i < self->follower_count; i++) {
        uint64_t needed = s_needed(self, self->followers[i], lane);
        floor = needed < floor ? needed : floor;
    }
    return floor;
}

size_t
nrs_topic_follower_count(const nrs_topic_t *self)
{
    return self->follower_count;
}

void
nrs_topic_follower(const nrs_topic_t *self, size_t i, nrs_topic_follower_info_t *ret_info)
{
    NRS_ASSERT(i < self->follower_count);
    uint64_t lag = 0;
    for (uint16_t lane = 0; lane < self->options.lanes; lane++)
        lag += self->lanes[lane].next - s_needed(self, self->followers[i], lane);
    *ret_info = (nrs_topic_follower_info_t){ self->followers[i]->name, lag };
}

// --- trimming ------------------------------------------------------------------------------------

// May the lane's oldest segment go? Acknowledged ones when they are old or the topic is large; others only when the
// backlog has passed its limit.
static bool
s_is_spare(const nrs_topic_t *self, const nrs_segment_head_t *head, uint64_t floor, uint64_t topic_bytes,
           int64_t now_ms)
{
    const nrs_topic_options_t *options = &self->options;
    if (head->base + head->span <= floor)
        return topic_bytes > options->replay_bytes || now_ms - head->last_ms > options->replay_ms;
    return options->backlog_bytes && topic_bytes > options->backlog_bytes;
}

static uint64_t
s_topic_bytes(const nrs_topic_t *self)
{
    uint64_t bytes = 0;
    for (uint16_t lane = 0; lane < self->options.lanes; lane++)
        bytes += self->lanes[lane].bytes;
    return bytes;
}

// Trim one lane; *budget counts down the segments that may still go.
static nrs_err_t
s_trim_lane(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, int64_t now_ms, uint64_t *topic_bytes,
            size_t *budget)
{
    nrs_lane_t *state = &self->lanes[lane];
    uint64_t floor = s_floor(self, lane);
    bool trimmed = false;
    while (*budget > 0 && state->first < state->next) {
        nrs_bytes_t bytes;
        nrs_segment_t segment;
        nrs_err_t err = self->ops->get(self, txn, lane, state->first, &bytes);
        err = err ? err : nrs_segment_peek(bytes, &segment);
        if (err)
            return err;
        if (!s_is_spare(self, &segment.head, floor, *topic_bytes, now_ms))
            break;
        err = self->ops->drop(self, txn, lane, segment.head.base);
        if (err)
            return err;
        state->first = segment.head.base + segment.head.span;
        state->bytes -= bytes.size;
        *topic_bytes -= bytes.size;
        (*budget)--;
        trimmed = true;
    }
    return trimmed ? self->ops->save_lane(self, txn, lane) : NRS_OK;
}

nrs_err_t
nrs_topic_trim(nrs_topic_t *self, nrs_txn_t *txn, int64_t now_ms, size_t segments_max)
{
    uint64_t topic_bytes = s_topic_bytes(self);
    bool large = topic_bytes > self->options.replay_bytes;
    if (!large && now_ms - self->trimmed_ms < TRIM_EVERY_MS && now_ms >= self->trimmed_ms)
        return NRS_OK; // only age can tell, and age passes slowly
    self->trimmed_ms = now_ms;
    for (uint16_t lane = 0; segments_max > 0 && lane < self->options.lanes; lane++) {
        nrs_err_t err = s_trim_lane(self, txn, lane, now_ms, &topic_bytes, &segments_max);
        if (err)
            return err;
    }
    return NRS_OK;
}
