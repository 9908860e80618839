// Two prefixes and what becomes of them (a: list 1, b: list 2):
//
//      a   |--------------------|
//      b          |------|
//          1      3      1      0      the masks of the steps, each from its address on
//
// A look-up finds the last step at or before the address.

#include "enrich_ranges.h"

#include <stdlib.h>

enum { LISTS = 32 };

// An address as a number; IPv4 uses `low` only.
typedef struct s_point {
    uint64_t high, low;
} s_point_t;

// Where a prefix of a list begins or ends.
typedef struct s_edge {
    s_point_t at;
    uint8_t list;
    bool begins;
} s_edge_t;

typedef struct s_edges {
    s_edge_t *items; // owned
    size_t count, room;
} s_edges_t;

struct enrich_ranges {
    s_edges_t edges4, edges6; // until closed
    uint32_t *at4, *masks4;   // steps, by address
    size_t count4;
    uint32_t *index4; // 65,537: how many steps lie before each value of the top 16 bits
    s_point_t *at6;
    uint32_t *masks6;
    size_t count6;
};

enrich_ranges_t *
enrich_ranges_new(void)
{
    return nrs_new0(enrich_ranges_t);
}

void
enrich_ranges_destroy(enrich_ranges_t **self_p)
{
    enrich_ranges_t *self = *self_p;
    if (!self)
        return;
    free(self->edges4.items);
    free(self->edges6.items);
    free(self->at4);
    free(self->masks4);
    free(self->index4);
    free(self->at6);
    free(self->masks6);
    free(self);
    *self_p = NULL;
}

// --- adding --------------------------------------------------------------------------------------

static int
s_compare(s_point_t a, s_point_t b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

// The first and the last address of a prefix.
static void
s_span(const nrs_prefix_t *prefix, s_point_t *ret_first, s_point_t *ret_last)
{
    const uint8_t *bytes = prefix->address.bytes;
    if (prefix->address.v4) {
        uint64_t first = nrs_get_be32(bytes + 12);
        *ret_first = (s_point_t){ 0, first };
        *ret_last = (s_point_t){ 0, first | (UINT64_C(0xffffffff) >> prefix->bits) };
        return;
    }
    s_point_t first = { nrs_get_be64(bytes), nrs_get_be64(bytes + 8) };
    unsigned bits = prefix->bits;
    *ret_first = first;
    *ret_last = (s_point_t){ first.high | (bits >= 64 ? 0 : UINT64_MAX >> bits),
                             first.low | (bits <= 64    ? UINT64_MAX
                                          : bits == 128 ? 0
                                                        : UINT64_MAX >> (bits - 64)) };
}

static void
s_put_edge(s_edges_t *edges, s_edge_t edge)
{
    if (edges->count == edges->room) {
        edges->room = edges->room ? edges->room * 2 : 64;
        edges->items = nrs_realloc(edges->items, edges->room * sizeof *edges->items);
    }
    edges->items[edges->count++] = edge;
}

void
enrich_ranges_add(enrich_ranges_t *self, const nrs_prefix_t *prefix, unsigned list)
{
    NRS_ASSERT(list < LISTS);
    bool v4 = prefix->address.v4;
    s_edges_t *edges = v4 ? &self->edges4 : &self->edges6;
    s_point_t first, last;
    s_span(prefix, &first, &last);
    s_put_edge(edges, (s_edge_t){ .at = first, .list = (uint8_t)list, .begins = true });
    // What reaches the end of the address space never ends.
    if (v4 ? last.low == UINT32_MAX : last.high == UINT64_MAX && last.low == UINT64_MAX)
        return;
    s_point_t end = { last.high + (last.low == UINT64_MAX), last.low + 1 };
    s_put_edge(edges, (s_edge_t){ .at = end, .list = (uint8_t)list, .begins = false });
}

// --- flattening ----------------------------------------------------------------------------------

static int
s_compare_edges(const void *a, const void *b)
{
    return s_compare(((const s_edge_t *)a)->at, ((const s_edge_t *)b)->at);
}

// Turn edges into steps: called for each address at which the mask changes, in order. Returns how
// many steps there are; `at` and `masks` have room for as many as there are edges.
static size_t
s_flatten(s_edges_t *edges, s_point_t *at, uint32_t *masks)
{
    uint32_t open[LISTS] = { 0 }; // prefixes of each list that hold the present address
    uint32_t mask = 0;
    size_t steps = 0;
    if (edges->count > 0)
        qsort(edges->items, edges->count, sizeof *edges->items, s_compare_edges);
    for (size_t i = 0; i < edges->count;) {
        s_point_t here = edges->items[i].at;
        uint32_t before = mask;
        for (; i < edges->count && s_compare(edges->items[i].at, here) == 0; i++) {
            unsigned list = edges->items[i].list;
            open[list] += edges->items[i].begins ? 1 : UINT32_MAX; // or minus one
        }
        mask = 0;
        for (unsigned list = 0; list < LISTS; list++)
            mask |= (uint32_t)(open[list] > 0) << list;
        if (mask != before) {
            at[steps] = here;
            masks[steps++] = mask;
        }
    }
    return steps;
}

static void
s_close6(enrich_ranges_t *self)
{
    self->at6 = nrs_alloc0(self->edges6.count, sizeof *self->at6);
    self->masks6 = nrs_alloc0(self->edges6.count, sizeof *self->masks6);
    self->count6 = s_flatten(&self->edges6, self->at6, self->masks6);
}

static void
s_close4(enrich_ranges_t *self)
{
    s_point_t *at = nrs_alloc0(self->edges4.count, sizeof *at);
    self->masks4 = nrs_alloc0(self->edges4.count, sizeof *self->masks4);
    self->count4 = s_flatten(&self->edges4, at, self->masks4);
    self->at4 = nrs_alloc0(self->count4, sizeof *self->at4);
    self->index4 = nrs_alloc0(65537, sizeof *self->index4);
    size_t step = 0;
    for (uint32_t top = 0; top <= 65536; top++) {
        for (; step < self->count4 && at[step].low < (uint64_t)top << 16; step++)
            self->at4[step] = (uint32_t)at[step].low;
        self->index4[top] = (uint32_t)step;
    }
    free(at);
}

void
enrich_ranges_close(enrich_ranges_t *self)
{
    NRS_ASSERT(!self->index4);
    s_close4(self);
    s_close6(self);
    free(self->edges4.items);
    free(self->edges6.items);
    self->edges4 = self->edges6 = (s_edges_t){ 0 };
}

// --- looking up ----------------------------------------------------------------------------------

static uint32_t
s_find4(const enrich_ranges_t *self, uint32_t first, uint32_t last)
{
    size_t low = self->index4[first >> 16], high = self->index4[(first >> 16) + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->at4[middle] <= first)
            low = middle + 1;
        else
            high = middle;
    }
    // `low` is the first step behind the address: the one before it counts.
    uint32_t mask = low > 0 ? self->masks4[low - 1] : 0;
    for (; mask && low < self->count4 && self->at4[low] <= last; low++)
        mask &= self->masks4[low];
    return mask;
}

static uint32_t
s_find6(const enrich_ranges_t *self, s_point_t first, s_point_t last)
{
    size_t low = 0, high = self->count6;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s_compare(self->at6[middle], first) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t mask = low > 0 ? self->masks6[low - 1] : 0;
    for (; mask && low < self->count6 && s_compare(self->at6[low], last) <= 0; low++)
        mask &= self->masks6[low];
    return mask;
}

uint32_t
enrich_ranges_find(const enrich_ranges_t *self, const nrs_prefix_t *prefix)
{
    NRS_ASSERT(self->index4);
    s_point_t first, last;
    s_span(prefix, &first, &last);
    return prefix->address.v4 ? s_find4(self, (uint32_t)first.low, (uint32_t)last.low)
                              : s_find6(self, first, last);
}
