// expr_set.c - the constant lists of an expression: hashed, sorted and merged once, then asked
// often
#include "common/expr_internal.h"

#include "common/hash.h"

#include <stdlib.h>

enum { HASHED_FROM = 5 }; // fewer texts are compared one by one, which is faster

void
nrs_expr_set_free(nrs_expr_set_t *set)
{
    if (!set)
        return;
    free(set->texts);
    free(set->slots);
    free(set->ranges);
    free(set->blocks);
    free(set);
}

// Room for one more item in an array that doubles: it is full at 0 and at each power of two.
static void *
s_grow(void *items, size_t count, size_t size)
{
    bool full = (count & (count - 1)) == 0;
    return full ? nrs_realloc(items, (count ? 2 * count : 1) * size) : items;
}

void
nrs_expr_set_put_text(nrs_expr_set_t *set, nrs_bytes_t text)
{
    set->texts = s_grow(set->texts, set->text_count, sizeof *set->texts);
    set->texts[set->text_count++] = text;
}

void
nrs_expr_set_put_range(nrs_expr_set_t *set, uint64_t first, uint64_t last)
{
    set->ranges = s_grow(set->ranges, set->range_count, sizeof *set->ranges);
    set->ranges[set->range_count++] = (nrs_expr_range_t){ first, last };
}

void
nrs_expr_set_put_prefix(nrs_expr_set_t *set, const nrs_prefix_t *prefix)
{
    set->blocks = s_grow(set->blocks, set->block_count, sizeof *set->blocks);
    nrs_expr_block_t *block = &set->blocks[set->block_count++];
    block->first = prefix->address;
    nrs_prefix_last(prefix, &block->last);
}

// --- seal ----------------------------------------------------------------------------------------

static int
s_compare_ranges(const void *a, const void *b)
{
    const nrs_expr_range_t *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

// Ranges that touch or overlap become one.
static void
s_merge_ranges(nrs_expr_set_t *set)
{
    if (set->range_count == 0)
        return;
    qsort(set->ranges, set->range_count, sizeof *set->ranges, s_compare_ranges);
    size_t kept = 0;
    for (size_t i = 1; i < set->range_count; i++) {
        nrs_expr_range_t *into = &set->ranges[kept], next = set->ranges[i];
        if (next.first <= into->last)
            into->last = next.last > into->last ? next.last : into->last;
        else
            set->ranges[++kept] = next;
    }
    set->range_count = kept + 1;
}

// IPv4 before IPv6, so that an IPv6 block never reaches over the IPv4 ones.
static int
s_compare_addresses(const nrs_address_t *a, const nrs_address_t *b)
{
    return a->v4 != b->v4 ? (int)b->v4 - (int)a->v4 : memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static int
s_compare_blocks(const void *a, const void *b)
{
    return s_compare_addresses(&((const nrs_expr_block_t *)a)->first,
                               &((const nrs_expr_block_t *)b)->first);
}

// Prefixes never overlap in part: one holds the other, or they are apart.
static void
s_merge_blocks(nrs_expr_set_t *set)
{
    if (set->block_count == 0)
        return;
    qsort(set->blocks, set->block_count, sizeof *set->blocks, s_compare_blocks);
    size_t kept = 0;
    for (size_t i = 1; i < set->block_count; i++) {
        nrs_expr_block_t *into = &set->blocks[kept], next = set->blocks[i];
        if (s_compare_addresses(&next.first, &into->last) > 0)
            set->blocks[++kept] = next;
        else if (s_compare_addresses(&next.last, &into->last) > 0)
            into->last = next.last;
    }
    set->block_count = kept + 1;
}

static void
s_hash_texts(nrs_expr_set_t *set)
{
    if (set->text_count < HASHED_FROM)
        return;
    size_t slots = 16;
    while (slots < 2 * set->text_count)
        slots *= 2;
    set->slots = nrs_alloc0(slots, sizeof *set->slots);
    set->slot_mask = (uint32_t)slots - 1;
    for (size_t i = 0; i < set->text_count; i++) {
        uint32_t slot = (uint32_t)nrs_hash64(set->texts[i], 0) & set->slot_mask;
        while (set->slots[slot])
            slot = (slot + 1) & set->slot_mask;
        set->slots[slot] = (uint32_t)i + 1;
    }
}

void
nrs_expr_set_seal(nrs_expr_set_t *set)
{
    s_merge_ranges(set);
    s_merge_blocks(set);
    s_hash_texts(set);
}

// --- ask -----------------------------------------------------------------------------------------

bool
nrs_expr_set_has_text(const nrs_expr_set_t *set, nrs_bytes_t text)
{
    if (!set->slots) {
        for (size_t i = 0; i < set->text_count; i++)
            if (nrs_bytes_equal(set->texts[i], text))
                return true;
        return false;
    }
    uint32_t slot = (uint32_t)nrs_hash64(text, 0) & set->slot_mask;
    for (; set->slots[slot]; slot = (slot + 1) & set->slot_mask)
        if (nrs_bytes_equal(set->texts[set->slots[slot] - 1], text))
            return true;
    return false;
}

bool
nrs_expr_set_has_number(const nrs_expr_set_t *set, uint64_t number)
{
    size_t low = 0, high = set->range_count; // the last range that begins at or before it
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && number <= set->ranges[low - 1].last;
}

bool
nrs_expr_set_has_address(const nrs_expr_set_t *set, nrs_bytes_t text)
{
    nrs_prefix_t prefix;
    if (set->block_count == 0 || nrs_prefix_parse(text, &prefix))
        return false;
    nrs_address_t last;
    nrs_prefix_last(&prefix, &last);
    size_t low = 0, high = set->block_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s_compare_addresses(&set->blocks[middle].first, &prefix.address) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && s_compare_addresses(&last, &set->blocks[low - 1].last) <= 0;
}

bool
nrs_expr_set_has_above(const nrs_expr_set_t *set, nrs_bytes_t host)
{
    while (host.size > 0) {
        if (nrs_expr_set_has_text(set, host))
            return true;
        const uint8_t *dot = memchr(host.data, '.', host.size);
        if (!dot)
            return false;
        host = nrs_bytes(dot + 1, host.size - (size_t)(dot + 1 - host.data));
    }
    return false;
}
