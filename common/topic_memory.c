// topic_memory.c - a topic in memory, for tests and simulation: a list of segments a lane

#include "common/topic_part.h"

#include <stdlib.h>

typedef struct s_kept {
    uint64_t base;
    size_t bytes;
    uint8_t *data;
} s_kept_t;

typedef struct s_kept_lane {
    s_kept_t *segments; // in order
    size_t count;
} s_kept_lane_t;

typedef struct s_memory {
    nrs_topic_t topic;
    s_kept_lane_t lanes[NRS_LANES_MAX];
} s_memory_t;

static s_kept_lane_t *
s_lane(nrs_topic_t *topic, uint16_t lane)
{
    return &((s_memory_t *)topic)->lanes[lane];
}

static nrs_err_t
s_put(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, nrs_segment_build_t *build, nrs_segment_head_t *head)
{
    (void)txn;
    s_kept_lane_t *kept = s_lane(topic, lane);
    kept->segments = nrs_realloc(kept->segments, (kept->count + 1) * sizeof *kept->segments);
    s_kept_t *segment = &kept->segments[kept->count++];
    segment->base = head->base;
    segment->bytes = nrs_segment_build_bytes(build);
    segment->data = nrs_alloc0(segment->bytes, 1);
    nrs_segment_build_write(build, head, segment->data);
    return NRS_OK;
}

static nrs_err_t
s_get(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, uint64_t offset, nrs_bytes_t *ret_segment)
{
    (void)txn;
    s_kept_lane_t *kept = s_lane(topic, lane);
    for (size_t i = kept->count; i > 0; i--) {
        if (kept->segments[i - 1].base > offset)
            continue;
        *ret_segment = nrs_bytes(kept->segments[i - 1].data, kept->segments[i - 1].bytes);
        return NRS_OK;
    }
    return NRS_E_ABSENT;
}

static nrs_err_t
s_drop(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, uint64_t base)
{
    (void)txn;
    s_kept_lane_t *kept = s_lane(topic, lane);
    NRS_ASSERT(kept->count > 0 && kept->segments[0].base == base);
    free(kept->segments[0].data);
    kept->count--;
    memmove(kept->segments, kept->segments + 1, kept->count * sizeof *kept->segments);
    return NRS_OK;
}

static nrs_err_t
s_save_lane(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane)
{
    (void)topic, (void)txn, (void)lane;
    return NRS_OK;
}

static nrs_err_t
s_save_ack(nrs_topic_t *topic, nrs_txn_t *txn, const char *follower, uint16_t lane, const nrs_place_t *place)
{
    (void)topic, (void)txn, (void)follower, (void)lane, (void)place;
    return NRS_OK;
}

static nrs_err_t
s_load_ack(nrs_topic_t *topic, nrs_txn_t *txn, const char *follower, uint16_t lane, nrs_place_t *ret_place)
{
    (void)topic, (void)txn, (void)follower, (void)lane, (void)ret_place;
    return NRS_E_ABSENT;
}

static void
s_destroy(nrs_topic_t *topic)
{
    s_memory_t *self = (s_memory_t *)topic;
    for (size_t lane = 0; lane < NRS_LANES_MAX; lane++) {
        for (size_t i = 0; i < self->lanes[lane].count; i++)
            free(self->lanes[lane].segments[i].data);
        free(self->lanes[lane].segments);
    }
    free(self);
}

static const nrs_topic_ops_t s_ops = {
    .put = s_put,
    .get = s_get,
    .drop = s_drop,
    .save_lane = s_save_lane,
    .save_ack = s_save_ack,
    .load_ack = s_load_ack,
    .destroy = s_destroy,
};

nrs_topic_t *
nrs_topic_new(const nrs_topic_options_t *options)
{
    s_memory_t *self = nrs_new0(s_memory_t);
    nrs_topic_init(&self->topic, &s_ops, options);
    return &self->topic;
}
