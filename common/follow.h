// follow.h - the messages by which a topic is read from an offset with credit (proto/follow.md)
// Shape:    frame 0 is a msgpack array that begins with the message's number; segments follow as frames of their own.
// Cost:     decoding allocates nothing; texts borrow from the frame.

#ifndef NRS_FOLLOW_H
#define NRS_FOLLOW_H

#include "common/base.h"
#include "common/buf.h"
#include "common/plan.h"
#include "common/segment.h"

enum {
    NRS_FOLLOW_VERSION = 1,
    NRS_FOLLOW_FILTER_MAX = 16384,
    NRS_FOLLOW_CREDIT_BYTES_MIN = 65536, // one segment of any size
    NRS_FOLLOW_CREDIT_EVENTS_MIN = 8192, // and of any count
};

typedef enum nrs_follow_verb {
    NRS_FOLLOW_OPEN = 1,     // follower: begin
    NRS_FOLLOW_MORE = 2,     // follower: these are durable here, send so much more
    NRS_FOLLOW_CLOSE = 3,    // follower: end
    NRS_FOLLOW_OPENED = 4,   // server: this is where the lanes are
    NRS_FOLLOW_SEGMENTS = 5, // server: segments in the frames behind
    NRS_FOLLOW_HEAD = 6,     // server: answer to MORE: how far the lanes have come
    NRS_FOLLOW_REFUSED = 7,  // server: no, and why
} nrs_follow_verb_t;

// A lane in a message; which members count depends on the verb.
typedef struct nrs_follow_lane {
    uint16_t lane;
    nrs_place_t place; // OPEN: where to begin; MORE: all before is durable; OPENED: where sending begins
    uint64_t settled;  // MORE: all before this is durable two stages on (offset of this topic); 0: unknown
    uint64_t first;    // OPENED: oldest offset there is
    uint64_t next;     // OPENED, HEAD: offset that the next event will get
} nrs_follow_lane_t;

typedef struct nrs_follow_message {
    nrs_follow_verb_t verb;
    uint64_t session;       // all but OPEN and REFUSED
    // OPEN
    nrs_bytes_t realm;
    nrs_bytes_t topic;
    nrs_bytes_t follower;
    nrs_bytes_t filter;     // expression; empty: all
    int64_t from_ms;        // begin at a time; 0: at the places
    // OPEN, MORE
    uint64_t credit_bytes;
    uint64_t credit_events;
    // OPENED
    uint64_t instance;
    // REFUSED
    nrs_bytes_t code;       // "absent", "denied", "rewound", "trimmed", "version", "filter", "credit", "session", "replaced", "busy",
                            // "corrupt" (a lane has stopped, the session goes on)
    nrs_bytes_t text;
    size_t lane_count;
    nrs_follow_lane_t lanes[NRS_LANES_MAX];
} nrs_follow_message_t;

void
nrs_follow_encode(const nrs_follow_message_t *message, nrs_buf_t *into);
// Errors: NRS_E_FORMAT, NRS_E_LIMIT, NRS_E_VERSION (OPEN of another version).
NRS_MUST_CHECK nrs_err_t
nrs_follow_decode(nrs_bytes_t frame, nrs_follow_message_t *ret_message);

#endif
