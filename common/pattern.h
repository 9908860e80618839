// pattern.h - regular expressions (PCRE2, UTF-8, JIT where there is one), with limits on effort
// Shape:    PCRE2 syntax; bytes that are not valid UTF-8 never match. Case counts, but for (?i).
// Threads:  used by one thread at a time: it carries the memory that a match works in.
// Cost:     30 to 300 ns for a usual pattern and a URL; at most NRS_PATTERN_STEPS_MAX steps.

#ifndef NRS_PATTERN_H
#define NRS_PATTERN_H

#include "common/base.h"

enum { NRS_PATTERN_BYTES_MAX = 4096 }; // length of a pattern
enum {
    NRS_PATTERN_STEPS_MAX = 100000
}; // about a millisecond: a hostile text must not hold up the flow

typedef struct nrs_pattern nrs_pattern_t;

// Compile. The caller owns *ret_pattern. Errors: NRS_E_FORMAT, NRS_E_LIMIT (length); *reterr's
// column counts from 1 within `text`.
NRS_MUST_CHECK nrs_err_t
nrs_pattern_compile(nrs_bytes_t text, nrs_problem_t *reterr, nrs_pattern_t **ret_pattern);
void
nrs_pattern_destroy(nrs_pattern_t **self_p);
// Is there a match anywhere in `subject`? Effort beyond the limit counts as no match. Allocates
// nothing.
bool
nrs_pattern_match(const nrs_pattern_t *self, nrs_bytes_t subject);

#endif
