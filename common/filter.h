// filter.h - a Bloom filter in blocks: "surely not there" without a look at the disk
// Shape:    keys are 16 bytes of a good hash. A key's bits stand in one block of 64 bytes, so a question costs one cache
//           line. With 13 bits a key about one in 300 absent keys is taken for present.
// Threads:  an object belongs to the thread that uses it.

#ifndef NRS_FILTER_H
#define NRS_FILTER_H

#include "common/base.h"

typedef struct nrs_filter nrs_filter_t;

// `bytes` is rounded down to a power of two, 64 at least.
nrs_filter_t *
nrs_filter_new(size_t bytes);
void
nrs_filter_destroy(nrs_filter_t **self_p);
void
nrs_filter_put(nrs_filter_t *self, const uint8_t key[16]);
// False: the key was never put. True: it probably was.
bool
nrs_filter_has(const nrs_filter_t *self, const uint8_t key[16]);

#endif
