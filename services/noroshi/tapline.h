// tapline.h - what a tap says: one message read, one line for a person, gaps
// Shape:    proto/tap.md: frame 1 is the topic text, frame 2 msgpack [lane, epoch, offset, event].

#ifndef NOROSHI_TAPLINE_H
#define NOROSHI_TAPLINE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

typedef struct tapline {
    nrs_bytes_t topic; // "classified", out of the topic text
    uint16_t lane;
    uint32_t epoch;
    uint64_t offset;
    nrs_bytes_t event; // packed; a recipient of a tap has checked it: nrs_event_check() was passed
} tapline_t;

// Everything borrows from the two frames. Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
tapline_decode(nrs_bytes_t text, nrs_bytes_t body, tapline_t *ret_line);

// Append "09:30:00.000 url  https://...  fraud/phishing high amber jpcert\n"; values are cleaned
// and cut to `columns` of the terminal (0: not cut). `topic` says whether the topic stands in
// front.
void
tapline_print(const tapline_t *line, bool topic, bool colour, size_t columns, nrs_buf_t *into);
// Append {"topic":..,"lane":..,"epoch":..,"offset":..,"event":{...}}\n.
void
tapline_json(const tapline_t *line, nrs_buf_t *into);

// --- gaps: what passed unheard, because the listener was slow ------------------------------------

typedef struct tapline_gaps tapline_gaps_t;

tapline_gaps_t *
tapline_gaps_new(void);
void
tapline_gaps_destroy(tapline_gaps_t **self_p);
// How many events are missing between this one and the last one of the same instance, topic and
// lane. A new epoch counts from its first event heard.
uint64_t
tapline_gaps_step(tapline_gaps_t *self, size_t instance, const tapline_t *line);

#endif
