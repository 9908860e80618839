#include "common/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

enum { STACK_BYTES_MIN = 32 * 1024, STACK_BYTES_MAX = 256 * 1024 }; // of the JIT, for backtracking
enum { HEAP_KIB_MAX = 1024 }; // of the interpreter, where code must not be made at run time
enum { NESTING_MAX = 32 };    // parentheses

struct nrs_pattern {
    pcre2_code *code;             // owned
    pcre2_match_data *match;      // owned: one pair of offsets
    pcre2_match_context *context; // owned: the limits
    pcre2_jit_stack *stack;       // owned; NULL without JIT
};

void
nrs_pattern_destroy(nrs_pattern_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    nrs_pattern_t *self = *self_p;
    pcre2_jit_stack_free(self->stack);
    pcre2_match_context_free(self->context);
    pcre2_match_data_free(self->match);
    pcre2_code_free(self->code);
    free(self);
    *self_p = NULL;
}

// The memory of a match is taken here, so that matching takes none.
static void
s_prepare(nrs_pattern_t *self)
{
    self->match = pcre2_match_data_create(1, NULL);
    self->context = pcre2_match_context_create(NULL);
    NRS_ASSERT(self->match && self->context);
    pcre2_set_match_limit(self->context, NRS_PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(self->context, HEAP_KIB_MAX);
    // Without JIT (a sandbox that forbids writable code) the interpreter does it, slower.
    if (pcre2_jit_compile(self->code, PCRE2_JIT_COMPLETE) == 0) {
        self->stack = pcre2_jit_stack_create(STACK_BYTES_MIN, STACK_BYTES_MAX, NULL);
        NRS_ASSERT(self->stack);
        pcre2_jit_stack_assign(self->context, NULL, self->stack);
    }
}

nrs_err_t
nrs_pattern_compile(nrs_bytes_t text, nrs_problem_t *reterr, nrs_pattern_t **ret_pattern)
{
    NRS_ASSERT(ret_pattern);
    if (text.size > NRS_PATTERN_BYTES_MAX)
        return nrs_problem_set(reterr, NRS_E_LIMIT, NULL, 0, 1,
                               "a pattern has at most %d bytes, this one has %zu",
                               NRS_PATTERN_BYTES_MAX, text.size);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    NRS_ASSERT(context);
    pcre2_set_parens_nest_limit(context, NESTING_MAX);
    int code = 0;
    PCRE2_SIZE at = 0;
    const uint8_t *pattern = text.size ? text.data : (const uint8_t *)"";
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    NRS_AUTO(nrs_pattern) self = nrs_new0(nrs_pattern_t);
    self->code = pcre2_compile(pattern, text.size, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!self->code) {
        char why[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, (unsigned)at + 1, "%s", why);
    }
    s_prepare(self);
    *ret_pattern = NRS_TAKE(self);
    return NRS_OK;
}

bool
nrs_pattern_match(const nrs_pattern_t *self, nrs_bytes_t subject)
{
    const uint8_t *data = subject.size ? subject.data : (const uint8_t *)"";
    return pcre2_match(self->code, data, subject.size, 0, 0, self->match, self->context) >= 0;
}
