// expr.h - the one language for conditions: filters, rules, scopes (proto/expression.md)
// Shape:    names are those of proto/event_fields.def, with or without the layer.
// Units:    durations in the text are s, m, h, d, w; times are UTC milliseconds.
// Threads:  used by one thread at a time: its patterns carry the memory that a match works in.
// Cost:     15 to 120 ns for a usual condition, and a list of any length is one look-up; evaluation
//           allocates nothing and does not recurse.

#ifndef NRS_EXPR_H
#define NRS_EXPR_H

#include "common/base.h"
#include "common/event.h"

enum {
    NRS_EXPR_BYTES_MAX = 262144
}; // length of an expression: a list of 10,000 prefixes or names fits
enum { NRS_EXPR_DEPTH_MAX = 64 };     // nesting of parentheses and `not`
enum { NRS_EXPR_NODES_MAX = 16384 };  // operators and operands, list items included
enum { NRS_EXPR_PATTERNS_MAX = 256 }; // regular expressions; each holds memory of its own

typedef struct nrs_expr nrs_expr_t;

// Compile. The caller owns *ret_expr. Errors: NRS_E_FORMAT with the column (1-based, in bytes) and
// what was expected there in *reterr (may be NULL), NRS_E_LIMIT likewise.
NRS_MUST_CHECK nrs_err_t
nrs_expr_compile(nrs_bytes_t text, nrs_problem_t *reterr, nrs_expr_t **ret_expr);

void
nrs_expr_destroy(nrs_expr_t **self_p);

// Does the event satisfy it? `now_ms` is what `now` means in the text. A comparison with an absent
// field is false whatever the operator (also !=); `not` turns false into true; `has(field)` asks
// for presence.
bool
nrs_expr_match(const nrs_expr_t *self, nrs_event_t *event, int64_t now_ms);

// The expression in canonical spelling, for display and for comparison. Borrowed from `self`.
const char *
nrs_expr_text(const nrs_expr_t *self);

// The kinds of which it can hold, as far as that follows from origin.kind alone: bit n for kind n,
// bit 0 for an event without one. Who has many expressions asks only those whose bit is set. Kinds
// past 63 have no bit: ask.
uint64_t
nrs_expr_kinds(const nrs_expr_t *self);

// Does it look at the field?
bool
nrs_expr_uses(const nrs_expr_t *self, nrs_field_t field);

#endif
