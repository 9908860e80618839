// enrich_ranges.h - which lists hold an address: many prefixes of up to 32 lists, flattened
// Shape:    a list is a bit. Overlapping prefixes become steps: from each address on, the bits that
//           hold until the next.
// Cost:     IPv4: one look into an index of the top 16 bits, then a search among that part's steps;
//           8 bytes a step. IPv6: a binary search; 24 bytes a step.
// Threads:  const once closed for adding.

#ifndef ENRICH_RANGES_H
#define ENRICH_RANGES_H

#include "common/net.h"

typedef struct enrich_ranges enrich_ranges_t;

enrich_ranges_t *
enrich_ranges_new(void);
void
enrich_ranges_destroy(enrich_ranges_t **self_p);
// Add a prefix to list `list` (0..31), before enrich_ranges_close().
void
enrich_ranges_add(enrich_ranges_t *self, const nrs_prefix_t *prefix, unsigned list);
// Sort and flatten; then look-ups may begin.
void
enrich_ranges_close(enrich_ranges_t *self);
// The lists that hold every address of the prefix.
uint32_t
enrich_ranges_find(const enrich_ranges_t *self, const nrs_prefix_t *prefix);

#endif
