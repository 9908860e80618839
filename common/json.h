// json.h - JSON in: simdjson behind a C face (RFC 8259, strict; the whole text is checked before a
// value is given out)
// Shape:    a text is parsed as a whole; values are looked up in what the last parse made of it. Of
//           a name given twice in one object the last one counts.
// Threads:  an object belongs to the thread that uses it; a set of paths is const once built.
// Cost:     0.2 us for a line of 500 bytes; memory grows to about six times the longest text and is
//           kept.

#ifndef NRS_JSON_H
#define NRS_JSON_H

#include "common/base.h"
#include "common/buf.h"

enum { NRS_JSON_PADDING = 64 };   // bytes that may be read (never written) behind a text's end
enum { NRS_JSON_DEPTH_MAX = 64 }; // objects and lists inside each other
enum { NRS_JSON_SLOTS_MAX = 64 }; // different paths in a set
enum { NRS_JSON_PATH_MAX = 256 }; // bytes of a path

typedef enum nrs_json_type {
    NRS_JSON_ABSENT, // there is no such thing
    NRS_JSON_NULL,
    NRS_JSON_BOOL,
    NRS_JSON_UINT,
    NRS_JSON_INT, // negative
    NRS_JSON_FLOAT,
    NRS_JSON_TEXT,
    NRS_JSON_LIST,
    NRS_JSON_OBJECT,
} nrs_json_type_t;

// A value; valid until the parser's next parse.
typedef struct nrs_json_value {
    nrs_json_type_t type;
    nrs_bytes_t text; // TEXT: borrowed, escapes undone, valid UTF-8, may hold NUL
    union {
        uint64_t number;    // BOOL, UINT; INT: two's complement
        double real;        // FLOAT
        uint64_t inside[2]; // LIST, OBJECT: for the calls below
    } as;
} nrs_json_value_t;

// --- parse ---------------------------------------------------------------------------------------

typedef struct nrs_json nrs_json_t;

nrs_json_t *
nrs_json_new(void);
void
nrs_json_destroy(nrs_json_t **self_p);

// Parse `text`, behind whose end NRS_JSON_PADDING more bytes can be read. Values of the last parse
// become invalid. Errors: NRS_E_FORMAT (not JSON, not UTF-8, something behind the value),
// NRS_E_LIMIT (too deep, over 4 GiB).
NRS_MUST_CHECK nrs_err_t
nrs_json_parse(nrs_json_t *self, nrs_bytes_t text, nrs_json_value_t *ret_root);
// After a failed parse: a stable code ("json", "utf8", "depth", "too-long") and one sentence, both
// static.
const char *
nrs_json_reason(const nrs_json_t *self);
const char *
nrs_json_problem(const nrs_json_t *self);

// --- look up -------------------------------------------------------------------------------------

// A member of an object; ABSENT when there is none, or when `value` is no object.
nrs_json_value_t
nrs_json_get(const nrs_json_value_t *value, nrs_bytes_t name);

// A walk over a list's items or an object's members: start with nrs_json_walk(), then call next
// until it returns false.
typedef struct nrs_json_walk {
    bool object;
    uint64_t at[2], end[2];
} nrs_json_walk_t;

nrs_json_walk_t
nrs_json_walk(const nrs_json_value_t *value);
// `ret_name` (may be NULL) is the member's name; empty in a list.
bool
nrs_json_walk_next(nrs_json_walk_t *walk, nrs_bytes_t *ret_name, nrs_json_value_t *ret_value);

// Append the value as JSON text without blanks: for evidence, when a part of a document is
// rejected.
void
nrs_json_print(const nrs_json_value_t *value, nrs_buf_t *into);

// --- many members at once: paths are resolved when the set is built, a record is walked once -----

typedef struct nrs_json_paths nrs_json_paths_t;

nrs_json_paths_t *
nrs_json_paths_new(void);
void
nrs_json_paths_destroy(nrs_json_paths_t **self_p);
// Add a dotted path ("host.name": member `name` of member `host`, or a member that is itself called
// "host.name") and give its slot, counted from 0; the same path has the same slot. Errors:
// NRS_E_LIMIT (slots, length), NRS_E_FORMAT (empty part).
NRS_MUST_CHECK nrs_err_t
nrs_json_paths_add(nrs_json_paths_t *self, nrs_bytes_t path, size_t *ret_slot);
size_t
nrs_json_paths_count(const nrs_json_paths_t *self);
// A slot's path, borrowed.
nrs_bytes_t
nrs_json_paths_text(const nrs_json_paths_t *self, size_t slot);

// Fill values[slot] for each path of the set; ABSENT where the record has none.
void
nrs_json_pick(const nrs_json_value_t *record, const nrs_json_paths_t *paths,
              nrs_json_value_t *values);

#endif
