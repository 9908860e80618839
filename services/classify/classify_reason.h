// classify_reason.h - a reason in words, with {field} where the event's own words go
// Shape:    "imitates {origin.target}"; "{{" is one brace. An absent field reads "unknown".

#ifndef CLASSIFY_REASON_H
#define CLASSIFY_REASON_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

typedef struct classify_reason classify_reason_t;

// Errors: NRS_E_FORMAT; *ret_offset (may be NULL) is the byte of the text at which it is wrong,
// *reterr says why.
NRS_MUST_CHECK nrs_err_t
classify_reason_new(const char *text, nrs_problem_t *reterr, size_t *ret_offset,
                    classify_reason_t **ret_reason);
void
classify_reason_destroy(classify_reason_t **self_p);

// Write it for this event, at most `room` bytes of whole characters; returns the length. `print` is
// room to work in.
size_t
classify_reason_print(const classify_reason_t *self, nrs_event_t *event, nrs_buf_t *print,
                      char *into, size_t room);

#endif
