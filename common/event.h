// event.h - the event: layers that stages append, read in place
// Shape:    proto/event.md; the fields stand in proto/event_fields.def and nowhere else.
// Units:    times are UTC milliseconds since 1970-01-01.
// Threads:  an object belongs to the thread that uses it.
// Cost:     reading allocates nothing; a field is found by walking to it once.

#ifndef NRS_EVENT_H
#define NRS_EVENT_H

#include "common/base.h"
#include "common/buf.h"

typedef enum nrs_layer {
    NRS_LAYER_ORIGIN,
    NRS_LAYER_CONTEXT,
    NRS_LAYER_VERDICT,
    NRS_LAYER_RELEASE,
    NRS_LAYER_MAX
} nrs_layer_t;

// --- enums: NRS_KIND_URL, NRS_TLP_AMBER, ...; 0 is absent, NRS_KIND_MAX is one past the last -----

typedef enum nrs_enum_id {
    NRS_ENUM_FORM,
    NRS_ENUM_KIND,
    NRS_ENUM_TLP,
    NRS_ENUM_PAP,
    NRS_ENUM_ONWARD,
    NRS_ENUM_CLASS,
    NRS_ENUM_TYPE,
    NRS_ENUM_SEVERITY,
    NRS_ENUM_DESK,
    NRS_ENUM_PROJECTION,
    NRS_ENUM_MAX
} nrs_enum_id_t;

#define VALUE(id, number, name, word, doc) NRS_##id##_##name = number,
enum nrs_enum_values {
#include "proto/event_enums.def"
};
#undef VALUE

// The word for a number, or NULL when there is none; the number for a word (compared without case), or 0.
const char *
nrs_enum_word(nrs_enum_id_t id, uint64_t number);
uint64_t
nrs_enum_number(nrs_enum_id_t id, nrs_bytes_t word);
// The greatest number of the enum.
uint64_t
nrs_enum_last(nrs_enum_id_t id);
// What the word means, for help texts (for TYPE: the word of its class); NULL when there is none.
const char *
nrs_enum_doc(nrs_enum_id_t id, uint64_t number);
// The RSIT class to which an RSIT type belongs.
uint64_t
nrs_class_of_type(uint64_t type);

// --- fields: NRS_ORIGIN_value, NRS_CONTEXT_domain, ... as one list; the name as it stands in the table ---

typedef enum nrs_type {
    NRS_TYPE_POS,
    NRS_TYPE_UINT,
    NRS_TYPE_TIME,
    NRS_TYPE_ENUM,
    NRS_TYPE_STR,
    NRS_TYPE_BIN,
    NRS_TYPE_LIST,
    NRS_TYPE_BOOL,
} nrs_type_t;

#define FIELD(layer, pos, name, type, limit, stix, doc) NRS_##layer##_##name,
typedef enum nrs_field {
#include "proto/event_fields.def"
    NRS_FIELD_MAX
} nrs_field_t;
#undef FIELD

enum { NRS_ORIGIN_CORE_MAX = 18 };   // positions of the origin layer that a short update carries
enum { NRS_LIST_MAX = 32 };          // texts in a LIST
enum { NRS_EVENT_BYTES_MAX = 60000 };// one event always fits into a 64 KiB segment
enum { NRS_ID_BYTES = 16 };

typedef struct nrs_field_info {
    const char *name;      // "origin.value"
    nrs_layer_t layer;
    uint8_t position;      // in its layer
    nrs_type_t type;
    uint64_t limit;        // see the table; 0 for ENUM
    nrs_enum_id_t enum_id; // ENUM only
    const char *stix;
    const char *doc;
    size_t offset;         // in the layer's struct below
} nrs_field_info_t;

const nrs_field_info_t *
nrs_field_info(nrs_field_t field);
// Find a field by its name. A name without a dot is found when only one layer has it; the layer that
// comes first wins otherwise ("value", "kind", "domain"). Returns NRS_FIELD_MAX when there is none.
nrs_field_t
nrs_field_find(nrs_bytes_t name);
const char *
nrs_layer_name(nrs_layer_t layer);

// --- a value: what one field holds ---------------------------------------------------------------

typedef struct nrs_value {
    nrs_type_t type;
    uint64_t number;   // POS, UINT, TIME, ENUM, BOOL
    nrs_bytes_t bytes; // STR, BIN; LIST: the packed texts, read with nrs_list_next()
    uint32_t count;    // LIST: how many texts
} nrs_value_t;

// A LIST while it is walked, or a list of texts to be packed: borrowed.
typedef struct nrs_list {
    uint32_t count;
    nrs_bytes_t items[NRS_LIST_MAX];
} nrs_list_t;

// Unfold a LIST value. Never fails: the value was checked when it was read.
void
nrs_list_read(const nrs_value_t *value, nrs_list_t *into);

// --- the layers as structs, made by the table: nrs_origin_t, nrs_context_t, nrs_verdict_t, nrs_release_t
// Numbers are uint64_t (0: absent), texts and ids nrs_bytes_t (size 0: absent), lists nrs_list_t.
#define NRS_C_POS uint64_t
#define NRS_C_UINT uint64_t
#define NRS_C_TIME uint64_t
#define NRS_C_ENUM uint64_t
#define NRS_C_BOOL uint64_t
#define NRS_C_STR nrs_bytes_t
#define NRS_C_BIN nrs_bytes_t
#define NRS_C_LIST nrs_list_t
#define NRS_MEMBER(name, type) NRS_C_##type name;
#define NRS_SKIP(name, type)

#define FIELD(layer, pos, name, type, limit, stix, doc) NRS_IN_##layer(name, type)
#define NRS_IN_ORIGIN NRS_MEMBER
#define NRS_IN_CONTEXT NRS_SKIP
#define NRS_IN_VERDICT NRS_SKIP
#define NRS_IN_RELEASE NRS_SKIP
typedef struct nrs_origin {
#include "proto/event_fields.def"
} nrs_origin_t;
#undef NRS_IN_ORIGIN
#undef NRS_IN_CONTEXT
#define NRS_IN_ORIGIN NRS_SKIP
#define NRS_IN_CONTEXT NRS_MEMBER
typedef struct nrs_context {
#include "proto/event_fields.def"
} nrs_context_t;
#undef NRS_IN_CONTEXT
#undef NRS_IN_VERDICT
#define NRS_IN_CONTEXT NRS_SKIP
#define NRS_IN_VERDICT NRS_MEMBER
typedef struct nrs_verdict {
#include "proto/event_fields.def"
} nrs_verdict_t;
#undef NRS_IN_VERDICT
#undef NRS_IN_RELEASE
#define NRS_IN_VERDICT NRS_SKIP
#define NRS_IN_RELEASE NRS_MEMBER
typedef struct nrs_release {
#include "proto/event_fields.def"
} nrs_release_t;
#undef NRS_IN_ORIGIN
#undef NRS_IN_CONTEXT
#undef NRS_IN_VERDICT
#undef NRS_IN_RELEASE
#undef NRS_MEMBER
#undef NRS_SKIP
#undef FIELD

// --- reading -------------------------------------------------------------------------------------

// A view over one packed event. Borrows the bytes, which must outlive it.
typedef struct nrs_event {
    nrs_bytes_t bytes;
    uint8_t layers;               // layers that the event has
    // How far the walk has come; every field before it has its place in `at`.
    uint8_t layer;                // layer under the walk
    uint32_t next;                // byte where the walk goes on
    uint32_t positions;           // positions of that layer not yet walked
    uint32_t position;            // next position of that layer
    uint32_t at[NRS_FIELD_MAX];   // byte at which the field stands; 0: absent or not yet walked
    uint32_t ends[NRS_LAYER_MAX]; // one past the layer's last byte; 0: not yet walked
} nrs_event_t;

// Look at the outer array only. Errors: NRS_E_FORMAT, NRS_E_LIMIT (more than NRS_EVENT_BYTES_MAX).
NRS_MUST_CHECK nrs_err_t
nrs_event_open(nrs_bytes_t bytes, nrs_event_t *ret_event);

// Walk everything and hold every value against the table: types, limits, UTF-8, no trailing bytes.
// For bytes that come from outside. Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
nrs_event_check(nrs_bytes_t bytes, nrs_problem_t *reterr);

// The field's value; false when it is absent (or does not have the type that the table says).
bool
nrs_event_get(nrs_event_t *self, nrs_field_t field, nrs_value_t *ret_value);

// Short forms: 0 and NRS_NONE where absent.
uint64_t
nrs_event_number(nrs_event_t *self, nrs_field_t field);
nrs_bytes_t
nrs_event_text(nrs_event_t *self, nrs_field_t field);
bool
nrs_event_has(nrs_event_t *self, nrs_layer_t layer);

// Unpack one layer into its struct (texts borrow from the event's bytes). Errors: NRS_E_ABSENT.
NRS_MUST_CHECK nrs_err_t
nrs_event_origin(nrs_event_t *self, nrs_origin_t *ret_origin);
NRS_MUST_CHECK nrs_err_t
nrs_event_context(nrs_event_t *self, nrs_context_t *ret_context);
NRS_MUST_CHECK nrs_err_t
nrs_event_verdict(nrs_event_t *self, nrs_verdict_t *ret_verdict);
NRS_MUST_CHECK nrs_err_t
nrs_event_release(nrs_event_t *self, nrs_release_t *ret_release);

// --- the origin position: where in the flow the event entered it ---------------------------------

typedef struct nrs_origin_place {
    uint16_t instance;
    uint16_t lane;
    uint32_t epoch;
    uint64_t offset;
} nrs_origin_place_t;

// Read it at its fixed place, without a walk. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_event_place(nrs_bytes_t event, nrs_origin_place_t *ret_place);
// Set it in place: ingest does, once the topic has given the offset. `event` was made by nrs_event_begin().
void
nrs_event_set_place(uint8_t *event, const nrs_origin_place_t *place);

// --- writing -------------------------------------------------------------------------------------

// Append a new event with its origin layer to `into`.
void
nrs_event_begin(nrs_buf_t *into, const nrs_origin_t *origin);

// Append to `into` the event `in` with one more layer; `layer` is the struct of that layer. Layers in
// between that the event does not have become nil. The earlier layers' bytes are copied, not parsed.
// The layer must not be there yet.
void
nrs_event_append(nrs_buf_t *into, nrs_bytes_t in, nrs_layer_t layer, const void *values);

// As nrs_event_append() with the context layer, but of the origin layer only its core is copied.
void
nrs_event_append_short(nrs_buf_t *into, nrs_event_t *in, const nrs_context_t *context);

// Append to `into` the event `in` with one more layer, where the fields in `drop` (`count` of them, none of them POS)
// have become absent: what a recipient does not get. Only layers that lose a field are written anew.
void
nrs_event_append_without(nrs_buf_t *into, nrs_event_t *in, const nrs_field_t *drop, size_t count,
                         nrs_layer_t layer, const void *values);

// --- for people and other programs ---------------------------------------------------------------

// One field as JSON: numbers bare, enums as words, times as RFC 3339 with milliseconds, ids as hex.
void
nrs_value_json(nrs_field_t field, const nrs_value_t *value, nrs_buf_t *into);
// The same for a terminal: no quotes.
void
nrs_value_print(nrs_field_t field, const nrs_value_t *value, nrs_buf_t *into);
// The whole event: one flat JSON object, {"origin.id":"...","origin.kind":"url",...}.
// Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_event_json(nrs_bytes_t bytes, nrs_buf_t *into);

// 32 hex digits and a NUL; the other way round. Errors: NRS_E_FORMAT.
void
nrs_id_print(const uint8_t id[NRS_ID_BYTES], char into[33]);
NRS_MUST_CHECK nrs_err_t
nrs_id_parse(nrs_bytes_t text, uint8_t ret_id[NRS_ID_BYTES]);

// "2026-11-22T09:30:00.000Z" and a NUL.
void
nrs_time_print(uint64_t time_ms, char into[25]);
// RFC 3339 and its common relatives: date only, blank for T, no zone (UTC assumed), "... UTC", fraction of
// any length, "+09:00". `assume_minutes` is the zone of a time that names none. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_time_parse(nrs_bytes_t text, int assume_minutes, uint64_t *ret_time_ms);

#endif
