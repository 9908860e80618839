// ingest_stix_pattern.h - the indicators in a STIX pattern (STIX 2.1, section 9), as far as a
// pattern is a list of them
// Shape:    [path = 'value'], IN ('a', 'b'), joined by AND and OR inside and between brackets. AND
//           says more than a list can, but each of its values is an indicator all the same; so each
//           gives one. What can't be read so (NOT, LIKE, MATCHES, ISSUBSET, FOLLOWEDBY, WITHIN,
//           ..., a path that is no indicator) is refused: never half of a pattern.

#ifndef INGEST_STIX_PATTERN_H
#define INGEST_STIX_PATTERN_H

#include "common/buf.h"
#include "common/event.h"

enum { INGEST_TERMS_MAX = 256 }; // of one pattern

typedef struct ingest_term {
    uint64_t kind;   // 0: to be guessed
    size_t at, size; // the value, in `texts`
} ingest_term_t;

typedef struct ingest_terms {
    size_t count;
    ingest_term_t items[INGEST_TERMS_MAX];
    uint64_t port;   // network-traffic:dst_port, where it says one; else 0
    nrs_buf_t texts; // owned by the caller, reused: values with their escapes undone
} ingest_terms_t;

// Errors: NRS_E_FORMAT and NRS_E_LIMIT, with one static sentence in *ret_text.
NRS_MUST_CHECK nrs_err_t
ingest_stix_pattern_read(nrs_bytes_t pattern, ingest_terms_t *into, const char **ret_text);

// The kind for a hash's name as it occurs ("SHA-256", "sha256", "MD5"), or 0.
uint64_t
ingest_stix_hash_kind(nrs_bytes_t name);

#endif
