// expr.c - an expression's life: made from text, asked, destroyed
#include "common/expr.h"

#include "common/expr_internal.h"

#include <stdlib.h>

enum { PIECE_BYTES = 4096 };

struct nrs_expr_piece {
    nrs_expr_piece_t *next;
    size_t used, room;
    uint8_t data[];
};

nrs_bytes_t
nrs_expr_keep(nrs_expr_t *self, nrs_bytes_t text)
{
    nrs_expr_piece_t *piece = self->pieces;
    if (!piece || text.size > piece->room - piece->used) {
        size_t room = text.size > PIECE_BYTES ? text.size : PIECE_BYTES;
        piece = nrs_alloc0(1, sizeof *piece + room);
        piece->room = room;
        piece->next = self->pieces;
        self->pieces = piece;
    }
    uint8_t *copy = piece->data + piece->used;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    piece->used += text.size;
    return nrs_bytes(copy, text.size);
}

void
nrs_expr_destroy(nrs_expr_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    nrs_expr_t *self = *self_p;
    for (size_t i = 0; i < self->test_count; i++) {
        nrs_expr_set_free(self->tests[i].set);
        nrs_pattern_destroy(&self->tests[i].pattern);
    }
    while (self->pieces) {
        nrs_expr_piece_t *next = self->pieces->next;
        free(self->pieces);
        self->pieces = next;
    }
    free(self->tests);
    free(self->text);
    free(self);
    *self_p = NULL;
}

// Tell every test under a node where to go on; returns the test to begin with. Children are done
// from the last to the first, since each leads to the one behind it. Recursion is bounded by
// NRS_EXPR_DEPTH_MAX.
static uint16_t
s_lower(const nrs_expr_maker_t *maker, uint16_t at, uint16_t yes, uint16_t no)
{
    const nrs_expr_node_t *node = &maker->nodes[at];
    if (node->kind == NRS_NODE_NOT)
        return s_lower(maker, node->first, no, yes);
    if (node->kind == NRS_NODE_TEST) {
        nrs_expr_test_t *test = &maker->expr->tests[node->test];
        test->yes = yes;
        test->no = no;
        return node->test;
    }
    uint16_t next = node->kind == NRS_NODE_AND ? yes : no;
    for (uint16_t child = node->last; child != NRS_NODE_NONE; child = maker->nodes[child].previous)
        next = node->kind == NRS_NODE_AND ? s_lower(maker, child, next, no)
                                          : s_lower(maker, child, yes, next);
    return next;
}

// The kinds of which a test holds, where the kind alone decides that; *ret_known says whether it
// does.
static uint64_t
s_test_kinds(const nrs_expr_test_t *test, bool *ret_known)
{
    const uint64_t all = UINT64_MAX, present = ~UINT64_C(1);
    uint64_t one = UINT64_C(1) << (test->number & 63);
    *ret_known = test->op == NRS_OP_CONSTANT || test->field == NRS_ORIGIN_kind;
    switch (test->op) {
    case NRS_OP_CONSTANT:
        return test->negate ? 0 : all;
    case NRS_OP_HAS:
        return present;
    case NRS_OP_NUMBER:
        return (test->relation == NRS_TOKEN_EQUAL ? one : ~one) & present;
    case NRS_OP_ONE_OF:
        return (test->negate ? ~test->set->mask : test->set->mask) & present;
    default:
        *ret_known = false;
        return all;
    }
}

// Go through the chain backwards: an end is reached from a test for the kinds of which it is
// reached from where the test leads. A test of anything else may lead both ways.
static void
s_find_kinds(nrs_expr_t *self)
{
    uint64_t *reach = nrs_alloc0((size_t)self->test_count, sizeof *reach); // YES, from each test
    for (size_t i = self->test_count; i-- > 0;) {
        const nrs_expr_test_t *test = &self->tests[i];
        uint64_t yes = test->yes == NRS_EXPR_YES  ? UINT64_MAX
                       : test->yes == NRS_EXPR_NO ? 0
                                                  : reach[test->yes];
        uint64_t no = test->no == NRS_EXPR_YES  ? UINT64_MAX
                      : test->no == NRS_EXPR_NO ? 0
                                                : reach[test->no];
        bool known;
        uint64_t kinds = s_test_kinds(test, &known);
        reach[i] = known ? (kinds & yes) | (~kinds & no) : yes | no;
    }
    self->kinds = reach[self->start];
    free(reach);
}

static nrs_err_t
s_make(nrs_expr_maker_t *maker)
{
    uint16_t root;
    nrs_err_t err = nrs_expr_parse(maker, &root);
    if (err)
        return err;
    maker->expr->start = s_lower(maker, root, NRS_EXPR_YES, NRS_EXPR_NO);
    maker->expr->text = nrs_expr_spell_tree(maker, root);
    s_find_kinds(maker->expr);
    return NRS_OK;
}

nrs_err_t
nrs_expr_compile(nrs_bytes_t text, nrs_problem_t *reterr, nrs_expr_t **ret_expr)
{
    NRS_ASSERT(ret_expr);
    if (text.size > NRS_EXPR_BYTES_MAX)
        return nrs_problem_set(reterr, NRS_E_LIMIT, NULL, 0, 1,
                               "an expression has at most %d bytes", NRS_EXPR_BYTES_MAX);
    if (!nrs_utf8_ok(text) || (text.size > 0 && memchr(text.data, 0, text.size)))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 1,
                               "an expression is UTF-8 without NUL bytes");
    NRS_AUTO(nrs_expr) self = nrs_new0(nrs_expr_t);
    nrs_expr_maker_t maker = { .source = text, .reterr = reterr, .expr = self };
    nrs_err_t err = s_make(&maker);
    free(maker.nodes);
    nrs_buf_free(&maker.spelled);
    nrs_buf_free(&maker.scratch);
    if (err)
        return err;
    *ret_expr = NRS_TAKE(self);
    return NRS_OK;
}

const char *
nrs_expr_text(const nrs_expr_t *self)
{
    return self->text;
}

uint64_t
nrs_expr_kinds(const nrs_expr_t *self)
{
    return self->kinds;
}

bool
nrs_expr_uses(const nrs_expr_t *self, nrs_field_t field)
{
    for (size_t i = 0; i < self->test_count; i++) {
        const nrs_expr_test_t *test = &self->tests[i];
        bool other =
            test->op == NRS_OP_FIELDS || (test->op == NRS_OP_TIME && test->base == NRS_BASE_FIELD);
        if ((test->op != NRS_OP_CONSTANT && test->field == field) ||
            (other && test->other == field))
            return true;
    }
    return false;
}
