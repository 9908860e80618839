// expr_eval.c - asks an event the tests of an expression, one after the other, until an end is
// reached
#include "common/expr_internal.h"

#include "common/indicator.h"

static bool
s_relate(unsigned relation, int order)
{
    switch (relation) {
    case NRS_TOKEN_EQUAL:
        return order == 0;
    case NRS_TOKEN_UNEQUAL:
        return order != 0;
    case NRS_TOKEN_LESS:
        return order < 0;
    case NRS_TOKEN_LESS_EQUAL:
        return order <= 0;
    case NRS_TOKEN_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static int
s_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static bool
s_time(const nrs_expr_test_t *test, nrs_event_t *event, uint64_t time_ms, int64_t now_ms)
{
    int64_t base_ms = 0;
    if (test->base == NRS_BASE_NOW) {
        base_ms = now_ms;
    } else if (test->base == NRS_BASE_FIELD) {
        nrs_value_t other;
        if (!nrs_event_get(event, (nrs_field_t)test->other, &other) || other.number > INT64_MAX / 2)
            return false;
        base_ms = (int64_t)other.number;
    }
    // Shifts are bounded when they are compiled, times by their field; what is beyond is later than
    // anything.
    int64_t against_ms = base_ms + test->shift_ms;
    int order = against_ms < 0 ? 1 : s_order(time_ms, (uint64_t)against_ms);
    return s_relate(test->relation, order);
}

static bool
s_fields(const nrs_expr_test_t *test, nrs_event_t *event, const nrs_value_t *value)
{
    nrs_value_t other;
    if (!nrs_event_get(event, (nrs_field_t)test->other, &other))
        return false;
    if (value->type == NRS_TYPE_STR || value->type == NRS_TYPE_BIN)
        return s_relate(test->relation, nrs_bytes_equal(value->bytes, other.bytes) ? 0 : 1);
    return s_relate(test->relation, s_order(value->number, other.number));
}

static bool
s_one_of(const nrs_expr_test_t *test, const nrs_value_t *value)
{
    if (value->type == NRS_TYPE_ENUM)
        return value->number < 64 && (test->set->mask >> value->number & 1) != 0;
    return nrs_expr_set_has_number(test->set, value->number);
}

// What a text is asked about each text of a set: does it begin with, end with, contain it?
static bool
s_affix(const nrs_expr_test_t *test, nrs_bytes_t text)
{
    for (size_t i = 0; i < test->set->text_count; i++) {
        nrs_bytes_t part = test->set->texts[i];
        if (part.size > text.size)
            continue;
        size_t from = test->op == NRS_OP_ENDS ? text.size - part.size : 0;
        bool found = test->op == NRS_OP_CONTAINS
                         ? memmem(text.data, text.size, part.data, part.size) != NULL
                         : memcmp(text.data + from, part.data, part.size) == 0;
        if (found)
            return true;
    }
    return false;
}

static bool
s_under(const nrs_expr_test_t *test, nrs_event_t *event, nrs_bytes_t text)
{
    if (test->field == NRS_ORIGIN_value)
        text = nrs_indicator_host(nrs_event_number(event, NRS_ORIGIN_kind), text);
    return nrs_expr_set_has_above(test->set, text);
}

static bool
s_text(const nrs_expr_test_t *test, nrs_event_t *event, nrs_bytes_t text)
{
    switch (test->op) {
    case NRS_OP_TEXT:
        return nrs_bytes_equal(text, test->text) == (test->relation == NRS_TOKEN_EQUAL);
    case NRS_OP_TEXT_IN:
        return nrs_expr_set_has_text(test->set, text) || nrs_expr_set_has_address(test->set, text);
    case NRS_OP_UNDER:
        return s_under(test, event, text);
    case NRS_OP_MATCH:
        return nrs_pattern_match(test->pattern, text);
    default:
        return s_affix(test, text);
    }
}

// Of a list: is it so of one of its texts?
static bool
s_texts(const nrs_expr_test_t *test, nrs_event_t *event, const nrs_value_t *value)
{
    if (value->type != NRS_TYPE_LIST)
        return s_text(test, event, value->bytes);
    nrs_list_t list;
    nrs_list_read(value, &list);
    for (uint32_t i = 0; i < list.count; i++)
        if (s_text(test, event, list.items[i]))
            return true;
    return false;
}

static bool
s_holds(const nrs_expr_test_t *test, nrs_event_t *event, int64_t now_ms)
{
    nrs_value_t value;
    if (test->op == NRS_OP_CONSTANT)
        return !test->negate;
    if (!nrs_event_get(event, (nrs_field_t)test->field, &value))
        return false; // absent: not equal, not unequal, not in, not outside
    switch (test->op) {
    case NRS_OP_HAS:
        return true;
    case NRS_OP_NUMBER:
        return s_relate(test->relation, s_order(value.number, test->number));
    case NRS_OP_TIME:
        return s_time(test, event, value.number, now_ms);
    case NRS_OP_FIELDS:
        return s_fields(test, event, &value);
    case NRS_OP_ONE_OF:
        return s_one_of(test, &value) != test->negate;
    default:
        return s_texts(test, event, &value) != test->negate;
    }
}

bool
nrs_expr_match(const nrs_expr_t *self, nrs_event_t *event, int64_t now_ms)
{
    NRS_ASSERT(self && event);
    uint16_t at = self->start; // tests lead forwards only, so this ends
    while (at < NRS_EXPR_NO) {
        const nrs_expr_test_t *test = &self->tests[at];
        at = s_holds(test, event, now_ms) ? test->yes : test->no;
    }
    return at == NRS_EXPR_YES;
}
