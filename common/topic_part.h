// topic_part.h - what the two implementations of a topic share; nobody else includes this

#ifndef NRS_TOPIC_PART_H
#define NRS_TOPIC_PART_H

#include "common/topic.h"

typedef struct nrs_topic_ops {
    // Keep a finished segment of `head`, whose bytes the implementation gets by writing the build.
    nrs_err_t (*put)(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, nrs_segment_build_t *build,
                     nrs_segment_head_t *head);
    // The segment with the greatest base <= offset, with its base.
    nrs_err_t (*get)(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint64_t offset, nrs_bytes_t *ret_segment);
    nrs_err_t (*drop)(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane, uint64_t base);
    // Make the lane's numbers durable; a follower's places.
    nrs_err_t (*save_lane)(nrs_topic_t *self, nrs_txn_t *txn, uint16_t lane);
    nrs_err_t (*save_ack)(nrs_topic_t *self, nrs_txn_t *txn, const char *follower, uint16_t lane,
                          const nrs_place_t *place);
    nrs_err_t (*load_ack)(nrs_topic_t *self, nrs_txn_t *txn, const char *follower, uint16_t lane,
                          nrs_place_t *ret_place);
    void (*destroy)(nrs_topic_t *self);
} nrs_topic_ops_t;

typedef struct nrs_topic_follower {
    char name[NRS_FOLLOWER_NAME_MAX + 1];
    uint64_t lanes;
    uint64_t unsaved;                  // lanes whose place has moved since it was saved
    nrs_place_t places[NRS_LANES_MAX]; // everything before is durable there
} nrs_topic_follower_t;

struct nrs_topic {
    const nrs_topic_ops_t *ops;
    nrs_topic_options_t options; // texts owned
    uint64_t stream;
    nrs_lane_t lanes[NRS_LANES_MAX];
    int64_t trimmed_ms; // when age was last looked at
    size_t follower_count;
    nrs_topic_follower_t *followers[NRS_TOPIC_FOLLOWERS_MAX];
};

// Fill in what both have in common: copies of the options' texts, the stream, lanes that begin.
void
nrs_topic_init(nrs_topic_t *self, const nrs_topic_ops_t *ops, const nrs_topic_options_t *options);

#endif
