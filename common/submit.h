// submit.h - the messages of the submit protocol: reports in, credit and a receipt back
// (proto/submit.md)
// Shape:    a message is a header frame (msgpack array) and, for DATA and WHOLE, one frame of data.
// Threads:  everything here may be used from any thread.

#ifndef NRS_SUBMIT_H
#define NRS_SUBMIT_H

#include "common/base.h"
#include "common/buf.h"

enum { NRS_SUBMIT_VERSION = 1 };
enum { NRS_SUBMIT_ID_BYTES = 16 };
enum { NRS_SUBMIT_DATA_MAX = 1 << 20 };        // data frame of one message
enum { NRS_SUBMIT_REJECTIONS_MAX = 20 };       // told in a receipt; the others are only counted
enum { NRS_SUBMIT_REJECTION_BYTES_MAX = 256 }; // of the record, in a receipt
enum { NRS_SUBMIT_TEXT_MAX = 512 };

typedef enum nrs_submit_verb {
    NRS_SUBMIT_BEGIN = 1,
    NRS_SUBMIT_DATA = 2,
    NRS_SUBMIT_END = 3,
    NRS_SUBMIT_WHOLE = 4, // begin, data and end in one message
    NRS_SUBMIT_CREDIT = 5,
    NRS_SUBMIT_RECEIPT = 6,
} nrs_submit_verb_t;

// What a submitter sends. BEGIN and WHOLE say all of it; DATA and END only id and sequence.
typedef struct nrs_submit_request {
    nrs_submit_verb_t verb;
    uint8_t id[NRS_SUBMIT_ID_BYTES]; // chosen by the submitter at random; the same for the same
                                     // bytes sent again
    uint64_t sequence;               // DATA: 1, 2, ...
    nrs_bytes_t source;              // up to 64 bytes
    nrs_bytes_t format;              // empty: as the source is declared
    nrs_bytes_t name;                // name of the file, for places; up to 128 bytes, may be empty
} nrs_submit_request_t;

// Append the header frame.
void
nrs_submit_encode_request(const nrs_submit_request_t *request, nrs_buf_t *into);
// Texts borrow from `header`. Errors: NRS_E_FORMAT, NRS_E_LIMIT, NRS_E_VERSION (a major version
// that we do not know).
NRS_MUST_CHECK nrs_err_t
nrs_submit_decode_request(nrs_bytes_t header, nrs_submit_request_t *ret_request);

typedef enum nrs_submit_state {
    NRS_SUBMIT_DONE = 1,    // read to its end; what was taken is durable
    NRS_SUBMIT_REFUSED = 2, // given up: `reason` says why; what was taken before is durable
} nrs_submit_state_t;

typedef struct nrs_submit_rejection {
    nrs_bytes_t place;  // "feed.csv:17"
    nrs_bytes_t reason; // stable code
    nrs_bytes_t text;   // one sentence
    nrs_bytes_t bytes;  // beginning of the record
} nrs_submit_rejection_t;

// What ingest answers. CREDIT: how many more DATA messages may be sent. RECEIPT: the rest.
typedef struct nrs_submit_reply {
    nrs_submit_verb_t verb;
    uint8_t id[NRS_SUBMIT_ID_BYTES];
    uint64_t credit;
    nrs_submit_state_t state;
    uint64_t accepted;  // new events
    uint64_t known;     // events that were here already
    uint64_t rejected;  // dead letters
    uint64_t skipped;   // records that are nothing to report
    uint64_t bytes;     // of data taken in
    nrs_bytes_t reason; // REFUSED: stable code
    nrs_bytes_t text;   // REFUSED: one sentence
    size_t rejection_count;
    nrs_submit_rejection_t rejections[NRS_SUBMIT_REJECTIONS_MAX];
} nrs_submit_reply_t;

void
nrs_submit_encode_reply(const nrs_submit_reply_t *reply, nrs_buf_t *into);
// Texts borrow from `header`. Errors: NRS_E_FORMAT, NRS_E_LIMIT, NRS_E_VERSION.
NRS_MUST_CHECK nrs_err_t
nrs_submit_decode_reply(nrs_bytes_t header, nrs_submit_reply_t *ret_reply);

#endif
