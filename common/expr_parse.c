// expr_parse.c - tokens into a tree of and, or and not over tests (proto/expression.md, "Grammar")
#include "common/expr_internal.h"

static nrs_err_t
s_either(nrs_expr_maker_t *maker, uint16_t *ret_node);

nrs_err_t
nrs_expr_count(nrs_expr_maker_t *maker, unsigned column)
{
    if (maker->count++ < NRS_EXPR_NODES_MAX)
        return NRS_OK;
    return nrs_expr_problem(maker, NRS_E_LIMIT, column,
                            "an expression has at most %d operators and operands",
                            NRS_EXPR_NODES_MAX);
}

// --- the tree ------------------------------------------------------------------------------------

static nrs_err_t
s_node(nrs_expr_maker_t *maker, nrs_expr_node_kind_t kind, uint16_t *ret_node)
{
    nrs_err_t err = nrs_expr_count(maker, maker->token.column);
    if (err)
        return err;
    if ((maker->node_count & (maker->node_count - 1)) == 0)
        maker->nodes = nrs_realloc(maker->nodes, (maker->node_count ? 2 * maker->node_count : 1) *
                                                     sizeof *maker->nodes);
    maker->nodes[maker->node_count] = (nrs_expr_node_t){
        .kind = (uint8_t)kind,
        .first = NRS_NODE_NONE,
        .last = NRS_NODE_NONE,
        .next = NRS_NODE_NONE,
        .previous = NRS_NODE_NONE,
    };
    *ret_node = (uint16_t)maker->node_count++;
    return NRS_OK;
}

static void
s_adopt(nrs_expr_maker_t *maker, uint16_t parent, uint16_t child)
{
    nrs_expr_node_t *mother = &maker->nodes[parent];
    maker->nodes[child].previous = mother->last;
    if (mother->last == NRS_NODE_NONE)
        mother->first = child;
    else
        maker->nodes[mother->last].next = child;
    mother->last = child;
}

// --- tests ---------------------------------------------------------------------------------------

static nrs_err_t
s_expect(nrs_expr_maker_t *maker, nrs_expr_token_kind_t kind, const char *what)
{
    if (maker->token.kind != kind)
        return nrs_expr_problem(maker, NRS_E_FORMAT, maker->token.column, "expected %s here", what);
    return nrs_expr_next(maker);
}

// ["+" / "-" duration] behind a time.
static nrs_err_t
s_shift(nrs_expr_maker_t *maker, nrs_expr_operand_t *operand)
{
    bool minus = maker->token.kind == NRS_TOKEN_MINUS;
    if (!minus && maker->token.kind != NRS_TOKEN_PLUS)
        return NRS_OK;
    nrs_err_t err = nrs_expr_next(maker);
    if (err)
        return err;
    if (maker->token.kind != NRS_TOKEN_DURATION)
        return nrs_expr_problem(maker, NRS_E_FORMAT, maker->token.column,
                                "expected a duration such as 90s, 15m, 24h, 7d or 4w here");
    operand->shifted = true;
    operand->shift_ms = minus ? -(int64_t)maker->token.number : (int64_t)maker->token.number;
    return nrs_expr_next(maker);
}

// A field, `now` or a constant. On the right of an enum a word is one of its words, even if a field
// has that name.
static nrs_err_t
s_operand(nrs_expr_maker_t *maker, nrs_field_t beside, nrs_expr_operand_t *ret_operand)
{
    nrs_expr_operand_t operand = { .token = maker->token, .field = NRS_FIELD_MAX };
    nrs_expr_token_kind_t kind = maker->token.kind;
    if (kind != NRS_TOKEN_WORD && kind != NRS_TOKEN_TEXT && kind != NRS_TOKEN_NUMBER &&
        kind != NRS_TOKEN_PREFIX)
        return nrs_expr_problem(maker, NRS_E_FORMAT, operand.token.column,
                                kind == NRS_TOKEN_END
                                    ? "the expression ends where a field or value should stand"
                                    : "expected a field or a value here");
    nrs_err_t err = NRS_OK;
    if (kind == NRS_TOKEN_WORD) {
        bool left = beside == NRS_FIELD_MAX;
        operand.now = nrs_expr_is_word(&operand.token, "now");
        nrs_type_t type = left ? NRS_TYPE_STR : nrs_field_info(beside)->type;
        if (left && !operand.now)
            err = nrs_expr_field(maker, &operand.token, &operand.field);
        else if (!operand.now && type != NRS_TYPE_ENUM)
            operand.field = nrs_field_find(operand.token.text);
        else if (type == NRS_TYPE_ENUM &&
                 !nrs_enum_number(nrs_field_info(beside)->enum_id, operand.token.text) &&
                 memchr(operand.token.text.data, '.', operand.token.text.size))
            operand.field = nrs_field_find(operand.token.text);
    }
    if (!err)
        err = nrs_expr_next(maker);
    if (!err)
        err = s_shift(maker, &operand);
    if (!err)
        *ret_operand = operand;
    return err;
}

// One value, or "[" value *("," value) "]".
static nrs_err_t
s_values(nrs_expr_maker_t *maker, bool bracket, nrs_expr_test_t *test)
{
    bool list = maker->token.kind == NRS_TOKEN_LIST_OPEN;
    nrs_err_t err = list ? nrs_expr_next(maker) : NRS_OK;
    nrs_expr_spell(maker, list || bracket ? "[" : "");
    for (size_t i = 0; !err; i++) {
        nrs_expr_spell(maker, i > 0 ? ", " : "");
        err = nrs_expr_count(maker, maker->token.column);
        if (!err)
            err = nrs_expr_bind_item(maker, &maker->token, test);
        if (!err)
            err = nrs_expr_next(maker);
        if (err || !list || maker->token.kind == NRS_TOKEN_LIST_CLOSE)
            break;
        err = s_expect(maker, NRS_TOKEN_COMMA, "\",\" or \"]\"");
    }
    if (err)
        return err;
    nrs_expr_spell(maker, list || bracket ? "]" : "");
    nrs_expr_set_seal(test->set);
    return list ? nrs_expr_next(maker) : NRS_OK;
}

// field in / under / startswith / endswith / contains values; *ret_op says which, or false.
static bool
s_list_operator(const nrs_expr_token_t *token, nrs_expr_op_t *ret_op)
{
    static const struct {
        const char *word;
        nrs_expr_op_t op;
    } operators[] = {
        { "in", NRS_OP_TEXT_IN },        { "under", NRS_OP_UNDER },
        { "startswith", NRS_OP_STARTS }, { "endswith", NRS_OP_ENDS },
        { "contains", NRS_OP_CONTAINS },
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (nrs_expr_is_word(token, operators[i].word)) {
            *ret_op = operators[i].op;
            return true;
        }
    }
    return false;
}

// text in field: the list on the right is the event's.
static nrs_err_t
s_member(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, bool negate,
         nrs_expr_test_t *test)
{
    nrs_expr_operand_t field = { .token = maker->token, .field = NRS_FIELD_MAX };
    if (maker->token.kind != NRS_TOKEN_WORD)
        return nrs_expr_problem(maker, NRS_E_FORMAT, maker->token.column,
                                "expected a field that is a list here, such as origin.tags");
    nrs_err_t err = nrs_expr_field(maker, &field.token, &field.field);
    if (!err && nrs_field_info(field.field)->type != NRS_TYPE_LIST)
        err = nrs_expr_problem(
            maker, NRS_E_FORMAT, field.token.column, "%s is no list; write %s contains \"...\"",
            nrs_field_info(field.field)->name, nrs_field_info(field.field)->name);
    test->negate = negate;
    if (!err)
        err = nrs_expr_bind_list(maker, &field, NRS_OP_CONTAINS, &field.token, test);
    if (!err)
        err = nrs_expr_bind_item(maker, &left->token, test);
    if (err)
        return err;
    nrs_expr_set_seal(test->set);
    return nrs_expr_next(maker);
}

static nrs_err_t
s_relation(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, nrs_expr_test_t *test)
{
    nrs_expr_token_t relation = maker->token;
    nrs_err_t err = nrs_expr_next(maker);
    if (err)
        return err;
    if (relation.kind == NRS_TOKEN_MATCH || relation.kind == NRS_TOKEN_MISMATCH) {
        err = nrs_expr_bind_match(maker, left, &relation, &maker->token, test);
        return err ? err : nrs_expr_next(maker);
    }
    nrs_expr_operand_t right;
    err = s_operand(maker, left->field, &right);
    return err ? err : nrs_expr_bind_relation(maker, left, &relation, &right, test);
}

// A comparison, or a BOOL field alone.
static nrs_err_t
s_comparison(nrs_expr_maker_t *maker, nrs_expr_test_t *test)
{
    nrs_expr_operand_t left;
    nrs_err_t err = s_operand(maker, NRS_FIELD_MAX, &left);
    if (err)
        return err;
    bool negate = maker->token.kind == NRS_TOKEN_NOT;
    if (negate && (err = nrs_expr_next(maker)))
        return err;
    nrs_expr_token_t token = maker->token;
    nrs_expr_op_t op;
    if (s_list_operator(&token, &op)) {
        if ((err = nrs_expr_next(maker)))
            return err;
        if (left.field == NRS_FIELD_MAX && left.token.kind == NRS_TOKEN_TEXT &&
            op == NRS_OP_TEXT_IN)
            return s_member(maker, &left, negate, test);
        test->negate = negate;
        err = nrs_expr_bind_list(maker, &left, op, &token, test);
        return err ? err : s_values(maker, op == NRS_OP_TEXT_IN, test);
    }
    if (negate)
        return nrs_expr_problem(
            maker, NRS_E_FORMAT, token.column,
            "expected in, under, startswith, endswith or contains behind \"not\"");
    if (token.kind >= NRS_TOKEN_EQUAL && token.kind <= NRS_TOKEN_MISMATCH)
        return s_relation(maker, &left, test);
    return nrs_expr_bind_field(maker, &left, test);
}

static nrs_err_t
s_has(nrs_expr_maker_t *maker, nrs_expr_test_t *test)
{
    nrs_err_t err = nrs_expr_next(maker);
    if (!err)
        err = s_expect(maker, NRS_TOKEN_OPEN, "\"(\"");
    nrs_field_t field;
    if (!err && maker->token.kind != NRS_TOKEN_WORD)
        err = nrs_expr_problem(maker, NRS_E_FORMAT, maker->token.column,
                               "expected the name of a field here");
    if (!err)
        err = nrs_expr_field(maker, &maker->token, &field);
    if (err)
        return err;
    test->op = NRS_OP_HAS;
    test->field = (uint8_t)field;
    nrs_expr_spell(maker, "has(");
    nrs_expr_spell(maker, nrs_field_info(field)->name);
    nrs_expr_spell(maker, ")");
    err = nrs_expr_next(maker);
    return err ? err : s_expect(maker, NRS_TOKEN_CLOSE, "\")\"");
}

static nrs_err_t
s_constant(nrs_expr_maker_t *maker, bool value, nrs_expr_test_t *test)
{
    test->op = NRS_OP_CONSTANT;
    test->negate = !value;
    nrs_expr_spell(maker, value ? "true" : "false");
    return nrs_expr_next(maker);
}

// A slot for one more test in the expression, so that what it owns is freed whatever happens.
static uint16_t
s_slot(nrs_expr_t *expr)
{
    if ((expr->test_count & (expr->test_count - 1)) == 0)
        expr->tests = nrs_realloc(expr->tests, (expr->test_count ? 2u * expr->test_count : 1u) *
                                                   sizeof *expr->tests);
    expr->tests[expr->test_count] = (nrs_expr_test_t){ 0 };
    return expr->test_count++;
}

static nrs_err_t
s_test(nrs_expr_maker_t *maker, uint16_t *ret_node)
{
    uint16_t node;
    nrs_err_t err = s_node(maker, NRS_NODE_TEST, &node);
    if (err)
        return err;
    uint16_t slot = s_slot(maker->expr);
    nrs_expr_test_t *test = &maker->expr->tests[slot]; // no other test is made meanwhile
    uint32_t spelled = (uint32_t)maker->spelled.size;
    if (nrs_expr_is_word(&maker->token, "has"))
        err = s_has(maker, test);
    else if (nrs_expr_is_word(&maker->token, "true") || nrs_expr_is_word(&maker->token, "false"))
        err = s_constant(maker, nrs_expr_is_word(&maker->token, "true"), test);
    else
        err = s_comparison(maker, test);
    if (err)
        return err;
    maker->nodes[node].test = slot;
    maker->nodes[node].spelled = spelled;
    maker->nodes[node].size = (uint32_t)maker->spelled.size - spelled;
    *ret_node = node;
    return NRS_OK;
}

// --- and, or, not, parentheses -------------------------------------------------------------------

static nrs_err_t
s_deeper(nrs_expr_maker_t *maker)
{
    if (maker->depth++ < NRS_EXPR_DEPTH_MAX)
        return NRS_OK;
    return nrs_expr_problem(maker, NRS_E_LIMIT, maker->token.column,
                            "parentheses and \"not\" are nested deeper than %d",
                            NRS_EXPR_DEPTH_MAX);
}

static nrs_err_t
s_one(nrs_expr_maker_t *maker, uint16_t *ret_node)
{
    nrs_expr_token_kind_t kind = maker->token.kind;
    if (kind != NRS_TOKEN_NOT && kind != NRS_TOKEN_OPEN)
        return s_test(maker, ret_node);
    nrs_err_t err = s_deeper(maker);
    uint16_t parent = NRS_NODE_NONE;
    if (!err && kind == NRS_TOKEN_NOT)
        err = s_node(maker, NRS_NODE_NOT, &parent);
    if (!err)
        err = nrs_expr_next(maker);
    if (!err)
        err = kind == NRS_TOKEN_NOT ? s_one(maker, ret_node) : s_either(maker, ret_node);
    if (!err && kind == NRS_TOKEN_OPEN)
        err = s_expect(maker, NRS_TOKEN_CLOSE, "\"and\", \"or\" or \")\"");
    maker->depth--;
    if (err || kind == NRS_TOKEN_OPEN)
        return err;
    s_adopt(maker, parent, *ret_node);
    *ret_node = parent;
    return NRS_OK;
}

// part *(joint part): one part alone is itself, several become the children of one node.
static nrs_err_t
s_chain(nrs_expr_maker_t *maker, nrs_expr_token_kind_t joint, nrs_expr_node_kind_t kind,
        nrs_err_t (*part)(nrs_expr_maker_t *maker, uint16_t *ret_node), uint16_t *ret_node)
{
    uint16_t parent = NRS_NODE_NONE, child;
    nrs_err_t err = part(maker, &child);
    if (err)
        return err;
    if (maker->token.kind != joint) {
        *ret_node = child;
        return NRS_OK;
    }
    err = s_node(maker, kind, &parent);
    if (err)
        return err;
    s_adopt(maker, parent, child);
    while (!err && maker->token.kind == joint) {
        err = nrs_expr_next(maker);
        if (!err)
            err = part(maker, &child);
        if (!err)
            s_adopt(maker, parent, child);
    }
    *ret_node = parent;
    return err;
}

static nrs_err_t
s_both(nrs_expr_maker_t *maker, uint16_t *ret_node)
{
    return s_chain(maker, NRS_TOKEN_AND, NRS_NODE_AND, s_one, ret_node);
}

static nrs_err_t
s_either(nrs_expr_maker_t *maker, uint16_t *ret_node)
{
    return s_chain(maker, NRS_TOKEN_OR, NRS_NODE_OR, s_both, ret_node);
}

nrs_err_t
nrs_expr_parse(nrs_expr_maker_t *maker, uint16_t *ret_root)
{
    nrs_err_t err = nrs_expr_next(maker);
    if (!err && maker->token.kind == NRS_TOKEN_END)
        return nrs_expr_problem(maker, NRS_E_FORMAT, 1,
                                "the expression is empty; \"true\" is always true");
    if (!err)
        err = s_either(maker, ret_root);
    return err ? err : s_expect(maker, NRS_TOKEN_END, "\"and\", \"or\" or the end");
}
