// mirror.h - a follower's own durable copy of a topic: the segments as they came, and the place behind them, in one commit
// Shape:    table "mirror.log": lane (be16) epoch (be32) base (be64) -> segment; "mirror.places": source (text) 0 lane
//           (be16) -> epoch, offset, chain.
// Promise:  what mirror_commit() has accepted is there after a crash, each event once.
// Threads:  one thread.

#ifndef NOROSHI_MIRROR_H
#define NOROSHI_MIRROR_H

#include "common/segment.h"
#include "common/store.h"

typedef struct mirror mirror_t;

typedef enum mirror_use {
    MIRROR_READ, // what is there, also while a follower keeps adding to it
    MIRROR_KEEP, // add to it; made when missing
} mirror_use_t;

// Open the copy in directory `path`. `stream` is that of the topic: a copy of another one is refused.
// Errors: those of nrs_store_open(), NRS_E_CONFIG, NRS_E_ABSENT (READ, and nothing was kept yet); *reterr says what to do.
NRS_MUST_CHECK nrs_err_t
mirror_open(const char *path, uint64_t stream, mirror_use_t use, nrs_problem_t *reterr, mirror_t **ret_mirror);
void
mirror_destroy(mirror_t **self_p);

// Where to go on, for segments that come from `source` (an instance's name or an endpoint): NRS_LANES_MAX places.
NRS_MUST_CHECK nrs_err_t
mirror_places(mirror_t *self, const char *source, nrs_place_t *ret_places);
// Keep a segment. Begins a transaction when none is open. Errors: NRS_E_IO, NRS_E_FULL.
NRS_MUST_CHECK nrs_err_t
mirror_append(mirror_t *self, const char *source, const nrs_segment_t *segment);
// Make durable what was appended. Nothing happens when nothing was.
NRS_MUST_CHECK nrs_err_t
mirror_commit(mirror_t *self);

// Call `each` for every segment kept, lane by lane in order, verified anew; ends early when it returns another code than
// NRS_OK, and returns that. Errors: NRS_E_CORRUPT (a segment fails its checksum, or does not follow the one before).
NRS_MUST_CHECK nrs_err_t
mirror_walk(mirror_t *self, nrs_err_t (*each)(void *me, const nrs_segment_t *segment), void *me);

#endif
