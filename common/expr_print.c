// expr_print.c - the canonical spelling: full field names, one form of each operator, only the
// parentheses that count
#include "common/expr_internal.h"

#include <stdlib.h>

void
nrs_expr_spell(nrs_expr_maker_t *maker, const char *text)
{
    nrs_buf_put_text(&maker->spelled, text);
}

void
nrs_expr_spell_text(nrs_expr_maker_t *maker, nrs_bytes_t text)
{
    nrs_buf_t *into = &maker->spelled;
    nrs_buf_put(into, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            nrs_buf_printf(into, "\\%c", c);
        else if (c == '\n')
            nrs_buf_put(into, "\\n", 2);
        else if (c == '\r')
            nrs_buf_put(into, "\\r", 2);
        else if (c == '\t')
            nrs_buf_put(into, "\\t", 2);
        else if (c < 0x20 || c == 0x7f)
            nrs_buf_printf(into, "\\u%04x", c);
        else
            nrs_buf_put(into, &c, 1);
    }
    nrs_buf_put(into, "\"", 1);
}

// Backslashes are the pattern's own; only a quote needs one more.
void
nrs_expr_spell_pattern(nrs_expr_maker_t *maker, nrs_bytes_t pattern)
{
    nrs_buf_t *into = &maker->spelled;
    nrs_buf_put(into, "\"", 1);
    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.data[i] == '"')
            nrs_buf_put(into, "\\", 1);
        nrs_buf_put(into, pattern.data + i, 1);
        if (pattern.data[i] == '\\' && i + 1 < pattern.size)
            nrs_buf_put(into, pattern.data + ++i, 1);
    }
    nrs_buf_put(into, "\"", 1);
}

void
nrs_expr_spell_prefix(nrs_expr_maker_t *maker, const nrs_prefix_t *prefix)
{
    char print[NRS_ADDRESS_TEXT_BYTES];
    nrs_address_print(&prefix->address, print);
    nrs_buf_printf(&maker->spelled, "%s/%u", print, prefix->bits);
}

void
nrs_expr_spell_shift(nrs_expr_maker_t *maker, int64_t shift_ms)
{
    static const struct {
        uint64_t ms;
        char unit;
    } units[] = {
        { 7 * 86400000, 'w' }, { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' }
    };
    uint64_t size = (uint64_t)(shift_ms < 0 ? -shift_ms : shift_ms);
    for (size_t i = 0; size > 0 && i < sizeof units / sizeof *units; i++) {
        if (size % units[i].ms)
            continue;
        nrs_buf_printf(&maker->spelled, " %c %llu%c", shift_ms < 0 ? '-' : '+',
                       (unsigned long long)(size / units[i].ms), units[i].unit);
        return;
    }
}

const char *
nrs_expr_spell_relation(unsigned relation)
{
    switch (relation) {
    case NRS_TOKEN_EQUAL:
        return " == ";
    case NRS_TOKEN_UNEQUAL:
        return " != ";
    case NRS_TOKEN_LESS:
        return " < ";
    case NRS_TOKEN_LESS_EQUAL:
        return " <= ";
    case NRS_TOKEN_GREATER:
        return " > ";
    default:
        return " >= ";
    }
}

// Recursion is bounded by NRS_EXPR_DEPTH_MAX: only parentheses and `not` make the tree deeper.
static void
s_tree(const nrs_expr_maker_t *maker, uint16_t at, unsigned outside, nrs_buf_t *into)
{
    const nrs_expr_node_t *node = &maker->nodes[at];
    if (node->kind == NRS_NODE_TEST) {
        nrs_buf_put(into, maker->spelled.data + node->spelled, node->size);
        return;
    }
    bool parentheses = node->kind == NRS_NODE_OR
                           ? outside != NRS_NODE_OR
                           : node->kind == NRS_NODE_AND && outside == NRS_NODE_NOT;
    nrs_buf_put_text(into, parentheses ? "(" : "");
    nrs_buf_put_text(into, node->kind == NRS_NODE_NOT ? "not " : "");
    for (uint16_t child = node->first; child != NRS_NODE_NONE; child = maker->nodes[child].next) {
        if (child != node->first)
            nrs_buf_put_text(into, node->kind == NRS_NODE_AND ? " and " : " or ");
        s_tree(maker, child, node->kind, into);
    }
    nrs_buf_put_text(into, parentheses ? ")" : "");
}

char *
nrs_expr_spell_tree(nrs_expr_maker_t *maker, uint16_t root)
{
    nrs_buf_t text = { 0 };
    s_tree(maker, root, NRS_NODE_OR, &text);
    char *copy = nrs_strdup(nrs_buf_cstr(&text));
    nrs_buf_free(&text);
    return copy;
}
