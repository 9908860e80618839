// ingest_reader.h - bytes of one input (a submission, a file) in, records out; drives the formats
// with a bounded memory
// Shape:    line formats give a record as soon as its line is there; documents are collected, then
//           read record by record.
// Threads:  an object belongs to the thread that uses it.
// Cost:     memory: one put, one line, or one document, whichever the format needs; all of them
//           have a limit.

#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "common/buf.h"
#include "common/event.h"
#include "services/ingest/ingest_source.h"

enum { INGEST_INPUT_MAX = 128 };  // bytes of an input's name that are kept
enum { INGEST_KEPT_MAX = 65536 }; // bytes kept of what is too long

// Where in the input a record stands.
typedef struct ingest_place {
    const char *input; // name of the input, borrowed
    uint64_t line;     // 1-based; 0: a record of a document
    uint64_t record;   // 1-based, in a document; else 0
    uint64_t offset;   // bytes before it; a document's records all have 0
    uint64_t size;     // bytes
} ingest_place_t;

// "FILE:17", or "FILE#3" for the third record of a document. Returns `into`.
const char *
ingest_place_print(const ingest_place_t *place, char into[INGEST_INPUT_MAX + 32]);

typedef struct ingest_reject {
    const char *reason;   // stable code, static
    const char *text;     // one sentence
    nrs_bytes_t bytes;    // the record, or its first INGEST_KEPT_MAX bytes
    uint64_t bytes_total; // all of it
} ingest_reject_t;

// Who takes the records. Errors of its calls end ingest_reader_step() with that error.
typedef struct ingest_sink {
    void *me;
    bool (*room)(void *me); // is there room for one more record?
    nrs_err_t (*accept)(void *me, const ingest_place_t *place, const nrs_origin_t *origin);
    nrs_err_t (*reject)(void *me, const ingest_place_t *place, const ingest_reject_t *reject);
    void (*skip)(void *me); // a record that is nothing to report
} ingest_sink_t;

typedef struct ingest_limits {
    size_t line_bytes;     // of one line (or CSV row)
    size_t document_bytes; // of one document
} ingest_limits_t;

typedef struct ingest_reader ingest_reader_t;

// Can the source be read in this shape? A shape that needs a mapping needs a source that has one.
bool
ingest_reader_can(const ingest_source_t *source, ingest_shape_t shape);

// `input` names the input in places and evidence; it is copied, the source borrowed.
ingest_reader_t *
ingest_reader_new(const ingest_source_t *source, ingest_shape_t shape, const char *input,
                  const ingest_limits_t *limits);
void
ingest_reader_destroy(ingest_reader_t **self_p);

// Go on behind what an earlier reader of the same input had done; call before the first put, and
// put from the beginning.
void
ingest_reader_skip_to(ingest_reader_t *self, uint64_t cursor);
// How far it has come: what a later reader can skip to.
uint64_t
ingest_reader_cursor(const ingest_reader_t *self);
// Was the input given up as a whole? Its one rejection has been given to the sink.
bool
ingest_reader_broken(const ingest_reader_t *self);
// The code of that rejection, or NULL.
const char *
ingest_reader_reason(const ingest_reader_t *self);
// Bytes held at present.
size_t
ingest_reader_held(const ingest_reader_t *self);

// Copy more of the input; then that there is no more.
void
ingest_reader_put(ingest_reader_t *self, nrs_bytes_t bytes);
void
ingest_reader_end(ingest_reader_t *self);
// Read what can be read. `now_ms` is the time of receipt. Errors: NRS_E_AGAIN (the sink had no
// room: call again); the sink's errors, after which the record under way was not taken.
NRS_MUST_CHECK nrs_err_t
ingest_reader_step(ingest_reader_t *self, const ingest_sink_t *sink, uint64_t now_ms);

#endif
