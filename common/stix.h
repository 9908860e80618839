// stix.h - events as STIX 2.1 objects, for those who already read that (proto/stix.md)
// Shape:    OASIS STIX 2.1 with errata 01; TLP 2.0 and PAP markings by their fixed objects.
// Threads:  an object belongs to the thread that uses it.
// Cost:     about ten microseconds an event; memory does not grow with the number of events.

#ifndef NRS_STIX_H
#define NRS_STIX_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

enum { NRS_STIX_ID_BYTES = 80 }; // "windows-registry-key--" and 36 characters and a NUL fit

typedef enum nrs_stix_form {
    NRS_STIX_LINES,  // one object a line
    NRS_STIX_BUNDLE, // one bundle around all of them
} nrs_stix_form_t;

// What one output has written so far: markings and the centre's identity stand in it once.
typedef struct nrs_stix nrs_stix_t;

// `centre` is the organisation whose objects they are, `realm` the one in which it speaks; both are
// copied. Ids follow from both, so an exercise never makes an id of the live realm.
nrs_stix_t *
nrs_stix_new(nrs_stix_form_t form, const char *realm, const char *centre);
void
nrs_stix_destroy(nrs_stix_t **self_p);

// Begin the output: the bundle's head, and the centre's identity.
void
nrs_stix_begin(nrs_stix_t *self, nrs_buf_t *into);
// Append the objects of one event, each behind the markings that it refers to. `event` must have
// passed nrs_event_check(). On failure nothing is appended. Errors: NRS_E_FORMAT, NRS_E_LIMIT (not
// an event), NRS_E_ABSENT (no id, kind or value: nothing can be said about it).
NRS_MUST_CHECK nrs_err_t
nrs_stix_put(nrs_stix_t *self, nrs_bytes_t event, nrs_buf_t *into);
// End the output: the bundle's id and tail.
void
nrs_stix_end(nrs_stix_t *self, nrs_buf_t *into);

// The deterministic id of a cyber-observable object: `contributing` is the RFC 8785 form of its id
// contributing properties (STIX 2.1, section 2.9).
void
nrs_stix_observable_id(const char *type, nrs_bytes_t contributing, char ret_id[NRS_STIX_ID_BYTES]);

#endif
