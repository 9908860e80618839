// follow_server_part.h - what the two halves of the follow server share; nobody else includes this
//
//   follow_server.c   sessions: opening, credit, acknowledgements
//   follow_serve.c    segments: what is there and has credit, filtered, verified, sent

#ifndef NRS_FOLLOW_SERVER_PART_H
#define NRS_FOLLOW_SERVER_PART_H

#include "common/expr.h"
#include "common/follow.h"
#include "common/follow_server.h"

enum {
    NRS_FOLLOW_OFFERS_MAX = 128,
    NRS_FOLLOW_IDENTITY_MAX = 32, // ROUTER gives 5 bytes; a peer may choose up to 255: refused
};

typedef struct nrs_follow_offer {
    nrs_topic_t *topic;
    char key[NRS_KEY_TEXT_BYTES]; // "": anyone
    char name[NRS_FOLLOWER_NAME_MAX + 1];
} nrs_follow_offer_t;

typedef struct nrs_follow_session {
    uint64_t id;
    uint8_t identity[NRS_FOLLOW_IDENTITY_MAX];
    size_t identity_bytes;
    char user[NRS_USER_BYTES_MAX];
    char follower[NRS_FOLLOWER_NAME_MAX + 1];
    nrs_topic_t *topic;
    uint64_t lanes;                 // that it follows; one that is found damaged is left out
    uint64_t opened;                // lanes that it has asked for, and may acknowledge
    uint64_t next[NRS_LANES_MAX];   // offset to be sent next
    uint16_t lane_at;               // where the last round stopped
    uint64_t credit_bytes;
    uint64_t credit_events;
    nrs_expr_t *filter;             // owned; NULL: all
    int64_t heard_ms;               // monotonic
} nrs_follow_session_t;

struct nrs_follow_server {
    nrs_bus_t *bus;
    nrs_follow_server_options_t options;
    size_t offer_count;
    nrs_follow_offer_t offers[NRS_FOLLOW_OFFERS_MAX];
    size_t session_count;
    nrs_follow_session_t *sessions[NRS_FOLLOW_SESSIONS_MAX];
    nrs_buf_t frame;               // scratch for frame 0
    nrs_segment_build_t filtered;  // scratch for what a filter lets through
    nrs_buf_t filtered_bytes;
    uint64_t refused;
    uint64_t denied;
    uint64_t bad_messages;
};

// Forget a session.
void
nrs_follow_session_end(nrs_follow_server_t *self, size_t i);
// Tell whoever it is that the answer is no.
void
nrs_follow_refuse(nrs_follow_server_t *self, nrs_bytes_t identity, const char *code, const char *text);

#endif
