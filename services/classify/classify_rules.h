// classify_rules.h - the rules file: conditions, and what an event is when they hold
// Shape:    services/classify/README.md, "Rules"; conditions in proto/expression.md.
// Units:    times are UTC milliseconds since 1970-01-01; confidence is 1 to 100.
// Threads:  used by one thread at a time, as are its conditions.
// Cost:     0.5 to 1 us an event with the shipped rules; allocates nothing once warm.

#ifndef CLASSIFY_RULES_H
#define CLASSIFY_RULES_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

enum { CLASSIFY_RULES_MAX = 1000 };   // in one file
enum { CLASSIFY_REASON_BYTES = 256 }; // limit of verdict.reasons

typedef struct classify_rules classify_rules_t;

// Where a verdict's reasons are written; `(classify_scratch_t){ 0 }` is an empty one. The verdict
// borrows from it until the next call.
typedef struct classify_scratch {
    nrs_buf_t print; // a field being printed
    size_t used;
    char text[NRS_LIST_MAX * CLASSIFY_REASON_BYTES];
} classify_scratch_t;

void
classify_scratch_free(classify_scratch_t *scratch);

// Read the rules file at `path`. The caller owns *ret_rules.
// Errors: NRS_E_IO, NRS_E_CONFIG; *reterr has file, line and column, inside a condition too.
NRS_MUST_CHECK nrs_err_t
classify_rules_open(const char *path, nrs_problem_t *reterr, classify_rules_t **ret_rules);
// The same from memory; `name` stands for the file in messages.
NRS_MUST_CHECK nrs_err_t
classify_rules_parse(nrs_bytes_t text, const char *name, nrs_problem_t *reterr,
                     classify_rules_t **ret_rules);
void
classify_rules_destroy(classify_rules_t **self_p);

// Decide what the event is. Pure: the time comes in as `now_ms`. *ret_verdict is always complete;
// its texts borrow from `self` and `scratch`. Returns whether a rule matched; if none did, it is
// the file's default verdict.
bool
classify_rules_apply(const classify_rules_t *self, nrs_event_t *event, int64_t now_ms,
                     classify_scratch_t *scratch, nrs_verdict_t *ret_verdict);

// What a person should know about a file that is good: how much is in it, and what in it can't be
// meant.
typedef struct classify_summary {
    size_t rules;
    size_t warnings;
} classify_summary_t;

classify_summary_t
classify_rules_check(const classify_rules_t *self);
// The i-th warning, with file, line and column. NULL past the end. Valid until `self` is destroyed.
const nrs_problem_t *
classify_rules_warning(const classify_rules_t *self, size_t i);

#endif
