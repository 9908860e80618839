// enrich_names.h - which lists hold a text: a set of texts of up to 32 lists, kept as hashes
// Shape:    a list is a bit. Only 64 bits of each text are kept (XXH3 with a seed that is drawn at
//           each load, so that nobody can aim at it): with a million entries a text that is on no
//           list is taken for one that is once in 2^44 look-ups. An analyst sees the list's name
//           and can look.
// Cost:     a look-up is one or two cache misses; 12 bytes a slot, at most 2/3 of them in use.
// Threads:  an object belongs to the thread that uses it.

#ifndef ENRICH_NAMES_H
#define ENRICH_NAMES_H

#include "common/base.h"

typedef struct enrich_names enrich_names_t;

enrich_names_t *
enrich_names_new(uint64_t seed);
void
enrich_names_destroy(enrich_names_t **self_p);
// Add a text to list `list` (0..31).
void
enrich_names_add(enrich_names_t *self, nrs_bytes_t text, unsigned list);
// The lists that hold the text.
uint32_t
enrich_names_find(const enrich_names_t *self, nrs_bytes_t text);

#endif
