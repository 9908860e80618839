// ingest_format.h - what a format is to the reader, and what the reader is to a format; for
// ingest_format_*.c only
// Threads:  an object belongs to the thread that uses it.

#ifndef INGEST_FORMAT_H
#define INGEST_FORMAT_H

#include "services/ingest/ingest_reader.h"
#include "services/ingest/ingest_record.h"

typedef struct ingest_format {
    bool document;           // collected, then read as a whole
    bool mapped;             // fields come from the source's mapping, else from `map`
    bool json;               // needs the parser
    const ingest_map_t *map; // of formats that are not mapped
    size_t map_count;

    // Line formats. A line that says something about those that follow (a header); *ret_taken when
    // it was one.
    nrs_err_t (*preamble)(ingest_reader_t *self, nrs_bytes_t line, bool *ret_taken);
    // Does the record end with this line? NULL: always.
    bool (*whole)(const ingest_reader_t *self, nrs_bytes_t record);
    nrs_err_t (*line)(ingest_reader_t *self, nrs_bytes_t line);

    // Documents. Parse what was collected; then the next record, or NRS_E_ABSENT.
    nrs_err_t (*open)(ingest_reader_t *self, nrs_bytes_t document);
    nrs_err_t (*next)(ingest_reader_t *self);
    void (*close)(ingest_reader_t *self); // give `state` back
} ingest_format_t;

extern const ingest_format_t ingest_format_list;
extern const ingest_format_t ingest_format_hosts;
extern const ingest_format_t ingest_format_csv;
extern const ingest_format_t ingest_format_jsonl;
extern const ingest_format_t ingest_format_json;
extern const ingest_format_t ingest_format_stix;

// CSV: which slot a column fills.
typedef struct ingest_columns {
    bool known;
    size_t count;
    int16_t slots[INGEST_COLUMNS_MAX]; // -1: nobody asks for it
    nrs_buf_t scratch;                 // fields with doubled quotes
    nrs_buf_t comment;                 // the last comment, when that is the header
} ingest_columns_t;

struct ingest_reader {
    const ingest_source_t *source; // borrowed
    const ingest_format_t *format;
    ingest_limits_t limits;
    char input[INGEST_INPUT_MAX];

    nrs_buf_t bytes;  // what has been put and not been read
    size_t at;        // first unread byte
    size_t scanned;   // bytes after `at` known to hold no line end
    uint64_t base;    // offset of bytes.data[0] in the input
    uint64_t dropped; // of a line that is too long: bytes so far; 0: there is none
    nrs_buf_t kept;   // its beginning
    uint64_t skip_to; // cursor of an earlier reader
    uint64_t done;    // records of the document that are done
    bool begun, ended;
    const char *broken; // reason, when the input was given up

    ingest_place_t place; // of the record under way
    ingest_record_t record;
    nrs_json_value_t values[NRS_JSON_SLOTS_MAX]; // of the record under way, by slot
    size_t value_slot;                           // where a record that is a bare text goes

    ingest_columns_t columns; // CSV
    nrs_json_t *json;         // owned; NULL for formats without
    bool parsed;              // documents
    nrs_json_walk_t walk;     // documents: over the records
    nrs_buf_t evidence;       // documents: a record as text
    void *state;              // of the format

    const ingest_sink_t *sink; // of the step under way
    uint64_t now_ms;
};

// The record under way, from self->values; `raw` is what becomes a dead letter when it can't be
// taken.
NRS_MUST_CHECK nrs_err_t
ingest_reader_record(ingest_reader_t *self, nrs_bytes_t raw);
// The same for a record of a document, whose text is made again only when it is needed.
NRS_MUST_CHECK nrs_err_t
ingest_reader_record_of(ingest_reader_t *self, const nrs_json_value_t *record);
NRS_MUST_CHECK nrs_err_t
ingest_reader_reject(ingest_reader_t *self, const char *reason, const char *text, nrs_bytes_t raw);
NRS_MUST_CHECK nrs_err_t
ingest_reader_reject_of(ingest_reader_t *self, const char *reason, const char *text,
                        const nrs_json_value_t *record);
// Give the whole input up.
NRS_MUST_CHECK nrs_err_t
ingest_reader_break(ingest_reader_t *self, const char *reason, const char *text, nrs_bytes_t raw);

bool
ingest_begins(nrs_bytes_t text, nrs_bytes_t prefix);

#endif
