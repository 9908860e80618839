// ingest_submit_parts.h - what the files of the submit server share; for ingest_submit*.c only
// Threads:  everything belongs to the thread of the stage.

#ifndef INGEST_SUBMIT_PARTS_H
#define INGEST_SUBMIT_PARTS_H

#include "services/ingest/ingest_submit.h"

enum { INGEST_SUBMIT_PEER_MAX = 256 }; // a ROUTER identity has at most 255 bytes

typedef enum ingest_submission_phase {
    INGEST_SUBMISSION_FREE,
    INGEST_SUBMISSION_OPEN,
    INGEST_SUBMISSION_FINISHED
} ingest_submission_phase_t;

typedef struct ingest_submission {
    ingest_submission_phase_t phase;
    uint8_t id[NRS_SUBMIT_ID_BYTES];
    char user[NRS_USER_BYTES_MAX];        // whose it is: the authenticated key, "" on ipc
    uint8_t peer[INGEST_SUBMIT_PEER_MAX]; // where the last message came from
    size_t peer_size;
    uint8_t left[INGEST_SUBMIT_PEER_MAX]; // the connection that it gave up when it began again
    size_t left_size;                     // 0: none
    int64_t touched_ms;

    ingest_reader_t *reader; // owned; NULL when finished
    ingest_tally_t tally;
    uint64_t sequence; // of the last DATA
    uint64_t bytes;
    uint64_t credit; // DATA that may still come
    uint64_t owed;   // credit to be granted once the batch is committed
    bool ended;

    bool receipt_due;
    nrs_submit_state_t state;
    const char *reason; // static
    const char *text;   // static
} ingest_submission_t;

struct ingest_submit {
    nrs_bus_t *bus; // owned
    ingest_submit_options_t options;
    ingest_limits_t limits;
    size_t count, open;
    ingest_submission_t *items;   // owned
    ingest_submission_t *current; // has unread data
    size_t due;                   // submissions with something to send
    int64_t now_ms, looked_ms;
    nrs_metric_t *refused, *denied, *abandoned;
};

// --- replies: ingest_submit_reply.c --------------------------------------------------------------

// Have the receipt, or so much credit, sent once the batch is committed.
void
ingest_submit_owe_receipt(ingest_submit_t *self, ingest_submission_t *item);
void
ingest_submit_owe_credit(ingest_submit_t *self, ingest_submission_t *item, uint64_t messages);
// Someone who has no submission here learns why at once: there is nothing to be committed.
void
ingest_submit_refuse(ingest_submit_t *self, nrs_bytes_t peer, const nrs_submit_request_t *request,
                     const char *reason, const char *text);

#endif
