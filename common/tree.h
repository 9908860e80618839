// tree.h - an ordered map of bytes to bytes that keeps its past: who keeps a tree sees it as it was
// Shape:    keys are in the order of memcmp, a shorter one before those that it begins; NULL is the empty tree.
// Sharing:  a change copies the nodes on its way down, never those that somebody else keeps.
// Threads:  trees that share nodes belong to one thread.
// Cost:     O(log n) a call, expected: a treap whose priorities are hashes of the keys (same entries, same shape).

#ifndef NRS_TREE_H
#define NRS_TREE_H

#include "common/base.h"

typedef struct nrs_tree nrs_tree_t;

// Which entry is sought, as seen from the key.
typedef enum nrs_tree_at {
    NRS_TREE_AT,     // the key's own
    NRS_TREE_FROM,   // the first >= key
    NRS_TREE_AFTER,  // the first > key
    NRS_TREE_UP_TO,  // the last <= key
    NRS_TREE_BEFORE, // the last < key
} nrs_tree_at_t;

// Another owner of the same tree. Returns `self`.
nrs_tree_t *
nrs_tree_keep(nrs_tree_t *self);
void
nrs_tree_destroy(nrs_tree_t **self_p);

// Is there such an entry? Borrowed until the last tree that has it is changed or destroyed.
bool
nrs_tree_find(const nrs_tree_t *self, nrs_tree_at_t at, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value);

// Put a copy of the value under the key; without data: as many zeros. Returns where the copy is, to be filled before
// others keep the tree. Both may be borrowed from the tree itself.
uint8_t *
nrs_tree_put(nrs_tree_t **self_p, nrs_bytes_t key, nrs_bytes_t value);
// Drop the key, which must be there.
void
nrs_tree_drop(nrs_tree_t **self_p, nrs_bytes_t key);

#endif
