// follow_out.h - what `noroshi follow` does with an event: a line, JSON, STIX, or a count
// Threads:  one thread.

#ifndef NOROSHI_FOLLOW_OUT_H
#define NOROSHI_FOLLOW_OUT_H

#include "common/base.h"
#include "common/expr.h"
#include "common/segment.h"

typedef enum follow_form {
    FOLLOW_LINES, // for a person
    FOLLOW_JSON,  // {"topic","lane","epoch","offset","event"} a line
    FOLLOW_STIX,  // STIX 2.1 objects, one a line
    FOLLOW_COUNT, // how often each value of a field occurs, at the end
    FOLLOW_QUIET, // nothing: the copy is what is wanted
} follow_form_t;

typedef struct follow_out_options {
    follow_form_t form;
    const char *realm;
    const char *centre;  // for STIX: who speaks
    const char *topic;
    nrs_expr_t *where;   // borrowed; NULL: all
    nrs_field_t count_by;
    uint64_t count_max;  // events; 0: all
    bool colour;
    bool json;           // COUNT: as JSON
} follow_out_options_t;

typedef struct follow_out follow_out_t;

follow_out_t *
follow_out_new(const follow_out_options_t *options);
void
follow_out_destroy(follow_out_t **self_p);
// Take in the events of a segment from offset `from` on. NRS_E_LIMIT: `count_max` is reached; NRS_E_IO: the reader of stdout
// is gone.
NRS_MUST_CHECK nrs_err_t
follow_out_segment(follow_out_t *self, const nrs_segment_t *segment);
// Write what is collected.
NRS_MUST_CHECK nrs_err_t
follow_out_flush(follow_out_t *self);
// The end: counts are printed.
NRS_MUST_CHECK nrs_err_t
follow_out_end(follow_out_t *self);
uint64_t
follow_out_shown(const follow_out_t *self);

#endif
