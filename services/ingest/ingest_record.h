// ingest_record.h - one record of a source becomes the origin layer of an event: mapping, times,
// canonical form, identity
// Shape:    proto/event.md, "Identity" and "Canonical form".
// Threads:  an object belongs to the thread that uses it.
// Cost:     no allocation for a record, once its buffers have grown.

#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include "services/ingest/ingest_source.h"

enum { INGEST_EVIDENCE_MAX = 256 };
enum { INGEST_DIGITS_MAX = 32 * 32 }; // numbers turned into text, for one record
enum { INGEST_WORDS_KEPT = 8 };       // words remembered between records, of each sort

#define INGEST_OBSERVED_MIN_MS                                                                     \
    631152000000u                     // 1990-01-01: an earlier time is a clock that was never set
#define INGEST_AHEAD_MAX_MS 86400000u // a day: a wrong time zone, not a wrong clock

// Why a record was not taken.
typedef struct ingest_fault {
    const char *reason; // stable code, static
    char text[512];     // one sentence
} ingest_fault_t;

// A word of the source, looked up once.
typedef struct ingest_word {
    size_t size; // 0: free
    uint8_t word[32];
    uint64_t kind;
    bool port;        // "ip:port"
    nrs_bytes_t type; // claim; borrowed from tables that outlive the record
} ingest_word_t;

// What building one origin layer needs; a plain value, `(ingest_record_t){ 0 }` with the first
// group set.
typedef struct ingest_record {
    const ingest_source_t *source; // borrowed
    const ingest_map_t *map;       // borrowed: the source's own, or the shape's
    size_t map_count;

    nrs_buf_t canonical;
    nrs_buf_t identity; // what is hashed
    uint8_t id[NRS_ID_BYTES];
    char digits[INGEST_DIGITS_MAX];
    size_t digits_used;
    nrs_bytes_t kind_word;                  // of the record under way
    nrs_bytes_t value_given;                // of the record under way
    ingest_word_t kinds[INGEST_WORDS_KEPT]; // the words that records repeat, and what they came to
    ingest_word_t claims[INGEST_WORDS_KEPT];
    size_t kind_next, claim_next;
} ingest_record_t;

void
ingest_record_free(ingest_record_t *self);

// Not every byte below the blank: a file of zeros, as a crash leaves them, must not look empty.
static inline bool
ingest_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
// Without blanks and line ends at both ends.
nrs_bytes_t
ingest_trim(nrs_bytes_t text);
// Write a number in decimal so that it ends before `end`, which has 20 bytes before it; returns
// where it begins.
char *
ingest_number_put(char *end, uint64_t number);

// Fill *ret_origin from the record's values (indexed by the mapping's slots). A value of two parts
// ("domain|ip") is two events: `part` is 0 or 1. Everything borrowed in *ret_origin is valid until
// the next call, or as long as the values. `evidence` is not set. Errors: NRS_E_ABSENT (there is no
// part 1), NRS_E_FORMAT and NRS_E_LIMIT with *fault.
NRS_MUST_CHECK nrs_err_t
ingest_record_read(ingest_record_t *self, const nrs_json_value_t *values, unsigned part,
                   uint64_t now_ms, nrs_origin_t *ret_origin, ingest_fault_t *fault);

#endif
