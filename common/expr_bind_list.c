// expr_bind_list.c - in, under, startswith, endswith, contains: are the types right, and what goes
// into the set?
#include "common/expr_internal.h"

#include "common/idn.h"

static bool
s_holds_addresses(nrs_field_t field)
{
    return field == NRS_ORIGIN_value || field == NRS_CONTEXT_ip || field == NRS_CONTEXT_host;
}

static bool
s_holds_hosts(nrs_field_t field)
{
    return field == NRS_ORIGIN_value || field == NRS_CONTEXT_host || field == NRS_CONTEXT_domain ||
           field == NRS_CONTEXT_suffix || field == NRS_CONTEXT_unicode;
}

// The test's operator for a field of this type; false when the two do not go together.
static bool
s_choose(const nrs_field_info_t *info, nrs_field_t field, nrs_expr_op_t op, nrs_expr_op_t *ret_op)
{
    bool text = info->type == NRS_TYPE_STR, list = info->type == NRS_TYPE_LIST;
    bool number =
        info->type == NRS_TYPE_UINT || info->type == NRS_TYPE_POS || info->type == NRS_TYPE_ENUM;
    *ret_op = op;
    switch (op) {
    case NRS_OP_TEXT_IN:
        if (number)
            *ret_op = NRS_OP_ONE_OF;
        return number || text || list || info->type == NRS_TYPE_BIN;
    case NRS_OP_CONTAINS:
        if (list)
            *ret_op = NRS_OP_TEXT_IN; // one of the event's texts is one of the set's
        return text || list;
    case NRS_OP_UNDER:
        return s_holds_hosts(field);
    default:
        return text || list;
    }
}

static const char *
s_word(nrs_expr_op_t op)
{
    switch (op) {
    case NRS_OP_UNDER:
        return " under ";
    case NRS_OP_STARTS:
        return " startswith ";
    case NRS_OP_ENDS:
        return " endswith ";
    case NRS_OP_CONTAINS:
        return " contains ";
    default:
        return " in ";
    }
}

nrs_err_t
nrs_expr_bind_list(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, nrs_expr_op_t op,
                   const nrs_expr_token_t *operator_, nrs_expr_test_t *test)
{
    if (left->field == NRS_FIELD_MAX || left->shifted)
        return nrs_expr_problem(maker, NRS_E_FORMAT, left->token.column,
                                "expected a field in front of \"%.*s\"", (int)operator_->text.size,
                                operator_->text.data);
    const nrs_field_info_t *info = nrs_field_info(left->field);
    nrs_expr_op_t chosen;
    if (!s_choose(info, left->field, op, &chosen))
        return nrs_expr_problem(maker, NRS_E_FORMAT, operator_->column, "%s can't be asked of %s%s",
                                s_word(op) + 1, info->name,
                                op == NRS_OP_UNDER            ? ", which holds no host name"
                                : info->type == NRS_TYPE_TIME ? ", a time; use < and >="
                                : info->type == NRS_TYPE_STR  ? ""
                                                              : ", which is no text");
    test->op = (uint8_t)chosen;
    test->field = (uint8_t)left->field;
    test->set = nrs_new0(nrs_expr_set_t);
    nrs_expr_spell(maker, info->name);
    nrs_expr_spell(maker, test->negate ? " not" : "");
    nrs_expr_spell(maker, s_word(op));
    return NRS_OK;
}

static nrs_err_t
s_item_enum(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test)
{
    uint64_t number;
    nrs_err_t err = nrs_expr_enum(maker, (nrs_field_t)test->field, item, &number);
    if (err)
        return err;
    NRS_ASSERT(number < 64);
    test->set->mask |= (uint64_t)1 << number;
    nrs_expr_spell(maker, nrs_enum_word(nrs_field_info((nrs_field_t)test->field)->enum_id, number));
    return NRS_OK;
}

static nrs_err_t
s_item_number(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test)
{
    if (item->kind == NRS_TOKEN_NUMBER) {
        nrs_expr_set_put_range(test->set, item->number, item->number);
        nrs_buf_printf(&maker->spelled, "%llu", (unsigned long long)item->number);
        return NRS_OK;
    }
    if (item->kind == NRS_TOKEN_RANGE) {
        nrs_expr_set_put_range(test->set, item->number, item->last);
        nrs_buf_printf(&maker->spelled, "%llu..%llu", (unsigned long long)item->number,
                       (unsigned long long)item->last);
        return NRS_OK;
    }
    return nrs_expr_problem(maker, NRS_E_FORMAT, item->column,
                            "%s is a number; expected one, or a range such as 1..9",
                            nrs_field_info((nrs_field_t)test->field)->name);
}

static nrs_err_t
s_item_id(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test)
{
    uint8_t id[NRS_ID_BYTES];
    if (item->kind != NRS_TOKEN_TEXT || nrs_id_parse(item->text, id))
        return nrs_expr_problem(maker, NRS_E_FORMAT, item->column,
                                "expected 32 hexadecimal digits in quotes here");
    nrs_expr_set_put_text(test->set, nrs_expr_keep(maker->expr, nrs_bytes(id, sizeof id)));
    char print[2 * NRS_ID_BYTES + 1];
    nrs_id_print(id, print);
    nrs_expr_spell_text(maker, nrs_text(print));
    return NRS_OK;
}

// A host name in the form of the field: A-labels, or as it is for the field that holds Unicode.
static nrs_err_t
s_host(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, const nrs_expr_test_t *test,
       nrs_bytes_t *text)
{
    while (text->size > 0 && text->data[0] == '.')
        *text = nrs_bytes(text->data + 1, text->size - 1);
    while (text->size > 0 && text->data[text->size - 1] == '.')
        text->size--;
    if (test->field == NRS_CONTEXT_unicode && text->size > 0)
        return NRS_OK;
    nrs_buf_reset(&maker->scratch);
    if (text->size == 0 || nrs_idn_ascii(*text, &maker->scratch))
        return nrs_expr_problem(maker, NRS_E_FORMAT, item->column, "expected a host name here");
    *text = nrs_expr_keep(maker->expr, nrs_buf_bytes(&maker->scratch));
    return NRS_OK;
}

static nrs_err_t
s_item_text(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test)
{
    const nrs_field_info_t *info = nrs_field_info((nrs_field_t)test->field);
    if (item->kind == NRS_TOKEN_PREFIX && test->op == NRS_OP_TEXT_IN) {
        if (!s_holds_addresses((nrs_field_t)test->field))
            return nrs_expr_problem(maker, NRS_E_FORMAT, item->column,
                                    "%s holds no addresses; texts stand in quotes", info->name);
        nrs_expr_set_put_prefix(test->set, &item->prefix);
        nrs_expr_spell_prefix(maker, &item->prefix);
        return NRS_OK;
    }
    if (item->kind != NRS_TOKEN_TEXT)
        return nrs_expr_problem(maker, NRS_E_FORMAT, item->column,
                                "%s is text; expected a text in quotes here", info->name);
    nrs_bytes_t text;
    nrs_err_t err = nrs_expr_unfold(maker, item, &text);
    if (!err && text.size == 0)
        err = nrs_expr_problem(maker, NRS_E_FORMAT, item->column,
                               "an empty text is an absent one; write has(%s)", info->name);
    if (!err && test->op == NRS_OP_UNDER)
        err = s_host(maker, item, test, &text);
    if (err)
        return err;
    nrs_expr_set_put_text(test->set, text);
    nrs_expr_spell_text(maker, text);
    return NRS_OK;
}

nrs_err_t
nrs_expr_bind_item(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test)
{
    switch (nrs_field_info((nrs_field_t)test->field)->type) {
    case NRS_TYPE_ENUM:
        return s_item_enum(maker, item, test);
    case NRS_TYPE_UINT:
    case NRS_TYPE_POS:
        return s_item_number(maker, item, test);
    case NRS_TYPE_BIN:
        return s_item_id(maker, item, test);
    default:
        return s_item_text(maker, item, test);
    }
}
