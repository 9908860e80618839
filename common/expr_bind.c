// expr_bind.c - comparisons with one value: are the types right, and which test is it?
#include "common/expr_internal.h"

#include <stdlib.h>

enum { TIME_MS_MAX_DIGITS = 15 };
static const int64_t s_time_max = 253402300799999; // 9999-12-31T23:59:59.999Z

static bool
s_is_order(const nrs_expr_token_t *relation)
{
    return relation->kind >= NRS_TOKEN_LESS && relation->kind <= NRS_TOKEN_GREATER_EQUAL;
}

static nrs_expr_token_kind_t
s_mirror(nrs_expr_token_kind_t relation)
{
    switch (relation) {
    case NRS_TOKEN_LESS:
        return NRS_TOKEN_GREATER;
    case NRS_TOKEN_LESS_EQUAL:
        return NRS_TOKEN_GREATER_EQUAL;
    case NRS_TOKEN_GREATER:
        return NRS_TOKEN_LESS;
    case NRS_TOKEN_GREATER_EQUAL:
        return NRS_TOKEN_LESS_EQUAL;
    default:
        return relation;
    }
}

// What is being bound: the field stands on the left.
typedef struct s_pair {
    const nrs_field_info_t *info;
    const nrs_expr_operand_t *left, *right;
    nrs_expr_token_t relation;
} s_pair_t;

static void
s_spell_head(nrs_expr_maker_t *maker, const s_pair_t *pair)
{
    nrs_expr_spell(maker, pair->info->name);
    nrs_expr_spell(maker, nrs_expr_spell_relation(pair->relation.kind));
}

// field RELATION field of the same type.
static nrs_err_t
s_bind_fields(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_field_info_t *other = nrs_field_info(pair->right->field);
    bool numbers = (pair->info->type == NRS_TYPE_UINT || pair->info->type == NRS_TYPE_POS) &&
                   (other->type == NRS_TYPE_UINT || other->type == NRS_TYPE_POS);
    bool same = pair->info->type == other->type &&
                (other->type != NRS_TYPE_ENUM || other->enum_id == pair->info->enum_id);
    if (!numbers && !same)
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->right->token.column,
                                "%s and %s are not of one type", pair->info->name, other->name);
    test->op = NRS_OP_FIELDS;
    test->other = (uint8_t)pair->right->field;
    s_spell_head(maker, pair);
    nrs_expr_spell(maker, other->name);
    return NRS_OK;
}

static nrs_err_t
s_bind_number(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_expr_token_t *token = &pair->right->token;
    if (token->kind != NRS_TOKEN_NUMBER)
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "%s is a number; it can be compared with numbers only",
                                pair->info->name);
    test->op = NRS_OP_NUMBER;
    test->number = token->number;
    s_spell_head(maker, pair);
    nrs_buf_printf(&maker->spelled, "%llu", (unsigned long long)token->number);
    return NRS_OK;
}

static nrs_err_t
s_bind_enum(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    nrs_err_t err =
        nrs_expr_enum(maker, (nrs_field_t)test->field, &pair->right->token, &test->number);
    if (err)
        return err;
    test->op = NRS_OP_NUMBER;
    s_spell_head(maker, pair);
    nrs_expr_spell(maker, nrs_enum_word(pair->info->enum_id, test->number));
    return NRS_OK;
}

static nrs_err_t
s_bind_instant(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_expr_token_t *token = &pair->right->token;
    nrs_bytes_t text;
    uint64_t time_ms;
    nrs_err_t err = nrs_expr_unfold(maker, token, &text);
    if (err)
        return err;
    if (nrs_time_parse(text, 0, &time_ms))
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "expected a time such as \"2026-01-31T09:30:00Z\" here");
    int64_t at_ms = (int64_t)time_ms + test->shift_ms;
    if (time_ms > (uint64_t)s_time_max || at_ms < 1 || at_ms > s_time_max)
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "the time lies outside the years 1970 to 9999");
    test->base = NRS_BASE_ZERO;
    test->shift_ms = at_ms;
    char print[TIME_MS_MAX_DIGITS + 10];
    nrs_time_print((uint64_t)at_ms, print);
    s_spell_head(maker, pair);
    nrs_expr_spell_text(maker, nrs_text(print));
    return NRS_OK;
}

// The shift on the left goes to the right with its sign turned.
static nrs_err_t
s_bind_time(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_expr_operand_t *right = pair->right;
    test->op = NRS_OP_TIME;
    test->shift_ms = right->shift_ms - pair->left->shift_ms;
    if (right->field == NRS_FIELD_MAX && right->token.kind == NRS_TOKEN_TEXT)
        return s_bind_instant(maker, pair, test);
    if (right->now) {
        test->base = NRS_BASE_NOW;
    } else if (right->field != NRS_FIELD_MAX &&
               nrs_field_info(right->field)->type == NRS_TYPE_TIME) {
        test->base = NRS_BASE_FIELD;
        test->other = (uint8_t)right->field;
    } else {
        return nrs_expr_problem(
            maker, NRS_E_FORMAT, right->token.column,
            "%s is a time; compare it with now, now - 24h, \"2026-01-31T09:30:00Z\" or "
            "another time",
            pair->info->name);
    }
    s_spell_head(maker, pair);
    nrs_expr_spell(maker, right->now ? "now" : nrs_field_info(right->field)->name);
    nrs_expr_spell_shift(maker, test->shift_ms);
    return NRS_OK;
}

static nrs_err_t
s_bind_text(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_expr_token_t *token = &pair->right->token;
    unsigned whole = token->prefix.address.v4 ? 32 : 128;
    if (token->kind == NRS_TOKEN_PREFIX && token->prefix.bits == whole) {
        char print[NRS_ADDRESS_TEXT_BYTES];
        size_t size = nrs_address_print(&token->prefix.address, print);
        test->text = nrs_expr_keep(maker->expr, nrs_bytes(print, size));
    } else if (token->kind == NRS_TOKEN_PREFIX) {
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "write %s in %.*s to ask for containment", pair->info->name,
                                (int)token->text.size, token->text.data);
    } else if (token->kind != NRS_TOKEN_TEXT) {
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "%s is text; texts stand in quotes: \"%.*s\"", pair->info->name,
                                (int)(token->text.size > 60 ? 60 : token->text.size),
                                token->text.size ? (const char *)token->text.data : "");
    } else {
        nrs_err_t err = nrs_expr_unfold(maker, token, &test->text);
        if (err)
            return err;
    }
    if (test->text.size == 0)
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "an empty text is an absent one; write has(%s)", pair->info->name);
    test->op = NRS_OP_TEXT;
    s_spell_head(maker, pair);
    nrs_expr_spell_text(maker, test->text);
    return NRS_OK;
}

static nrs_err_t
s_bind_id(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    const nrs_expr_token_t *token = &pair->right->token;
    uint8_t id[NRS_ID_BYTES];
    if (token->kind != NRS_TOKEN_TEXT || nrs_id_parse(token->text, id))
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                                "%s is an id; expected 32 hexadecimal digits in quotes",
                                pair->info->name);
    test->op = NRS_OP_TEXT;
    test->text = nrs_expr_keep(maker->expr, nrs_bytes(id, sizeof id));
    char print[2 * NRS_ID_BYTES + 1];
    nrs_id_print(id, print);
    s_spell_head(maker, pair);
    nrs_expr_spell_text(maker, nrs_text(print));
    return NRS_OK;
}

// A flag is true or absent: only "== true" says something that has(...) and not do not.
static nrs_err_t
s_bind_flag(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    if (pair->relation.kind != NRS_TOKEN_EQUAL || !nrs_expr_is_word(&pair->right->token, "true"))
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->relation.column,
                                "%s is true or absent; write %s or not %s", pair->info->name,
                                pair->info->name, pair->info->name);
    test->op = NRS_OP_HAS;
    nrs_expr_spell(maker, pair->info->name);
    return NRS_OK;
}

static bool
s_is_ordered(const nrs_field_info_t *info)
{
    switch (info->type) {
    case NRS_TYPE_POS:
    case NRS_TYPE_UINT:
    case NRS_TYPE_TIME:
        return true;
    case NRS_TYPE_ENUM:
        return info->enum_id == NRS_ENUM_TLP || info->enum_id == NRS_ENUM_PAP ||
               info->enum_id == NRS_ENUM_SEVERITY;
    default:
        return false;
    }
}

// What holds for all types: no shifts but of times, no order where there is none, no relation to a
// list.
static nrs_err_t
s_check_pair(nrs_expr_maker_t *maker, const s_pair_t *pair)
{
    const nrs_field_info_t *info = pair->info;
    if (info->type != NRS_TYPE_TIME && (pair->left->shifted || pair->right->shifted))
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->left->token.column,
                                "%s is no time; only times can be shifted", info->name);
    if (info->type == NRS_TYPE_LIST)
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->relation.column,
                                "%s is a list; write %s contains \"...\"", info->name, info->name);
    if (s_is_order(&pair->relation) && info->type != NRS_TYPE_BOOL && !s_is_ordered(info))
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->relation.column,
                                "%s has no order; it can be compared with == and != only",
                                info->name);
    if (pair->right->now && info->type != NRS_TYPE_TIME)
        return nrs_expr_problem(maker, NRS_E_FORMAT, pair->right->token.column,
                                "%s is no time; it can't be compared with now", info->name);
    return NRS_OK;
}

static nrs_err_t
s_bind_pair(nrs_expr_maker_t *maker, const s_pair_t *pair, nrs_expr_test_t *test)
{
    nrs_err_t err = s_check_pair(maker, pair);
    if (err)
        return err;
    bool fields = pair->right->field != NRS_FIELD_MAX;
    if (fields && pair->info->type != NRS_TYPE_TIME && pair->info->type != NRS_TYPE_BOOL)
        return s_bind_fields(maker, pair, test);
    switch (pair->info->type) {
    case NRS_TYPE_POS:
    case NRS_TYPE_UINT:
        return s_bind_number(maker, pair, test);
    case NRS_TYPE_TIME:
        return s_bind_time(maker, pair, test);
    case NRS_TYPE_ENUM:
        return s_bind_enum(maker, pair, test);
    case NRS_TYPE_STR:
        return s_bind_text(maker, pair, test);
    case NRS_TYPE_BIN:
        return s_bind_id(maker, pair, test);
    case NRS_TYPE_BOOL:
        return s_bind_flag(maker, pair, test);
    default: // LIST is refused by s_check_pair()
        return NRS_E_FORMAT;
    }
}

nrs_err_t
nrs_expr_bind_relation(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left,
                       const nrs_expr_token_t *relation, const nrs_expr_operand_t *right,
                       nrs_expr_test_t *test)
{
    s_pair_t pair = { .left = left, .right = right, .relation = *relation };
    if (left->field == NRS_FIELD_MAX) {
        if (right->field == NRS_FIELD_MAX)
            return nrs_expr_problem(maker, NRS_E_FORMAT, left->token.column,
                                    "one side of a comparison has to be a field");
        pair.left = right;
        pair.right = left;
        pair.relation.kind = s_mirror(relation->kind);
    }
    pair.info = nrs_field_info(pair.left->field);
    test->field = (uint8_t)pair.left->field;
    test->relation = (uint8_t)pair.relation.kind;
    return s_bind_pair(maker, &pair, test);
}

nrs_err_t
nrs_expr_bind_field(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, nrs_expr_test_t *test)
{
    if (left->field == NRS_FIELD_MAX)
        return nrs_expr_problem(maker, NRS_E_FORMAT, left->token.column,
                                "a value alone says nothing; compare it with a field");
    const nrs_field_info_t *info = nrs_field_info(left->field);
    if (info->type != NRS_TYPE_BOOL)
        return nrs_expr_problem(
            maker, NRS_E_FORMAT, maker->token.column,
            "expected an operator behind %s, such as ==, in or ~; has(%s) asks whether it "
            "is there",
            info->name, info->name);
    test->op = NRS_OP_HAS;
    test->field = (uint8_t)left->field;
    nrs_expr_spell(maker, info->name);
    return NRS_OK;
}

// Column of a pattern's byte in the source: a quote was written with a backslash in front of it.
static unsigned
s_pattern_column(const nrs_expr_token_t *token, unsigned pattern_column)
{
    size_t raw = 0;
    for (unsigned seen = 1; seen < pattern_column && raw < token->text.size; seen++)
        raw += raw + 1 < token->text.size && token->text.data[raw] == '\\' &&
                       token->text.data[raw + 1] == (uint8_t)token->quote
                   ? 2
                   : 1;
    return token->column + 1 + (unsigned)raw;
}

nrs_err_t
nrs_expr_bind_match(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left,
                    const nrs_expr_token_t *relation, const nrs_expr_token_t *pattern,
                    nrs_expr_test_t *test)
{
    if (left->field == NRS_FIELD_MAX)
        return nrs_expr_problem(maker, NRS_E_FORMAT, left->token.column,
                                "a pattern is matched against a field");
    const nrs_field_info_t *info = nrs_field_info(left->field);
    if (info->type != NRS_TYPE_STR && info->type != NRS_TYPE_LIST)
        return nrs_expr_problem(maker, NRS_E_FORMAT, relation->column,
                                "%s is no text; a pattern can't be matched against it", info->name);
    if (pattern->kind != NRS_TOKEN_TEXT)
        return nrs_expr_problem(maker, NRS_E_FORMAT, pattern->column,
                                "expected a pattern in quotes here");
    if (maker->patterns++ >= NRS_EXPR_PATTERNS_MAX)
        return nrs_expr_problem(maker, NRS_E_LIMIT, pattern->column,
                                "an expression has at most %d patterns", NRS_EXPR_PATTERNS_MAX);
    nrs_bytes_t text = nrs_expr_unfold_pattern(maker, pattern);
    nrs_problem_t why = { 0 };
    nrs_err_t err = nrs_pattern_compile(text, &why, &test->pattern);
    if (err)
        return nrs_expr_problem(maker, err, s_pattern_column(pattern, why.column),
                                "in the pattern: %s", why.text);
    test->op = NRS_OP_MATCH;
    test->field = (uint8_t)left->field;
    test->negate = relation->kind == NRS_TOKEN_MISMATCH;
    nrs_expr_spell(maker, info->name);
    nrs_expr_spell(maker, test->negate ? " !~ " : " ~ ");
    nrs_expr_spell_pattern(maker, text);
    return NRS_OK;
}
