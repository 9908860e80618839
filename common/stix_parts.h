// stix_parts.h - what the files of stix.h share
#ifndef NRS_STIX_PARTS_H
#define NRS_STIX_PARTS_H

#include "common/stix.h"

struct nrs_stix {
    nrs_stix_form_t form;
    char *realm;  // owned
    char *centre; // owned
    char identity[NRS_STIX_ID_BYTES];
    uint8_t tlp_written; // bit n: the marking with number n stands in the output
    uint8_t pap_written;
    uint64_t objects; // written so far
    uint64_t events;
    uint8_t first[NRS_ID_BYTES], last[NRS_ID_BYTES]; // ids of the first and the last event
};

// --- one JSON object (stix_object.c) -------------------------------------------------------------

// Open an object: its type, spec_version and id. Properties follow, each with the comma before it.
void
nrs_stix_open_object(nrs_stix_t *self, const char *type, const char *id, nrs_buf_t *into);
void
nrs_stix_close_object(nrs_stix_t *self, nrs_buf_t *into);
// A property; nothing where the text is empty, the number or time 0.
void
nrs_stix_text(nrs_buf_t *into, const char *name, nrs_bytes_t text);
void
nrs_stix_number(nrs_buf_t *into, const char *name, uint64_t number);
void
nrs_stix_time(nrs_buf_t *into, const char *name, uint64_t time_ms);

// A list property that is only there when it has an item.
typedef struct nrs_stix_list {
    nrs_buf_t *into;
    const char *name;
    bool begun;
} nrs_stix_list_t;
// Room for the next item: writes the comma, or the head of the list.
void
nrs_stix_list_next(nrs_stix_list_t *self);
void
nrs_stix_list_end(nrs_stix_list_t *self);

// An id of our own: the same for the same centre, realm, type and name.
void
nrs_stix_own_id(const nrs_stix_t *self, const char *type, const char *name,
                char ret_id[NRS_STIX_ID_BYTES]);

// --- fixed objects (stix_marking.c) --------------------------------------------------------------

// The marking objects of a label, unless they stand in the output; 0 is no label.
void
nrs_stix_put_tlp(nrs_stix_t *self, uint64_t tlp, nrs_buf_t *into);
void
nrs_stix_put_pap(nrs_stix_t *self, uint64_t pap, nrs_buf_t *into);
// The property object_marking_refs.
void
nrs_stix_marking_refs(uint64_t tlp, uint64_t pap, nrs_buf_t *into);
// The properties created and modified of an object that follows from its name alone.
void
nrs_stix_fixed_times(nrs_buf_t *into);
// The identity of the centre.
void
nrs_stix_put_identity(nrs_stix_t *self, nrs_buf_t *into);

// --- kinds (stix_kind.c) -------------------------------------------------------------------------

// What a kind becomes.
typedef struct nrs_stix_thing {
    const char *
        object; // type of the domain object: "indicator", "vulnerability", "attack-pattern", "note"
    const char *pattern_type; // indicator: "stix", "noroshi", "yara", "sigma", "snort"
    const char *observable;   // type of the observable, or NULL where there is none with a fixed id
} nrs_stix_thing_t;

nrs_stix_thing_t
nrs_stix_thing(uint64_t kind, nrs_bytes_t value);
// Append the pattern, not yet escaped for JSON.
void
nrs_stix_pattern(uint64_t kind, nrs_bytes_t value, nrs_buf_t *into);
// Append the observable's own properties as a JSON object in RFC 8785 form: what its id follows
// from, and all it says.
void
nrs_stix_observable(uint64_t kind, nrs_bytes_t value, nrs_buf_t *into);

// --- the event, unpacked (stix.c) ----------------------------------------------------------------

typedef struct nrs_stix_view {
    nrs_origin_t origin;
    nrs_context_t context;
    nrs_verdict_t verdict;
    nrs_release_t release;
    nrs_stix_thing_t thing;
    uint64_t tlp, pap; // markings of all its objects
    uint64_t created_ms, modified_ms;
    char main_id[NRS_STIX_ID_BYTES];        // of the domain object that the event is about
    char event_name[NRS_ID_BYTES * 2 + 16]; // what the ids of its own objects follow from
} nrs_stix_view_t;

// --- details (stix_details.c) --------------------------------------------------------------------

// Properties: name; labels with RSIT class and type, severity, claim, target and the source's own
// tags; lang; external_references to where the source says more.
void
nrs_stix_put_name(const nrs_stix_view_t *view, nrs_buf_t *into);
void
nrs_stix_put_labels(const nrs_stix_view_t *view, nrs_buf_t *into);
void
nrs_stix_put_language(const nrs_stix_view_t *view, nrs_buf_t *into);
void
nrs_stix_put_references(const nrs_origin_t *origin, nrs_buf_t *into);

#endif
