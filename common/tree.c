#include "common/tree.h"

#include "common/hash.h"

#include <stdlib.h>

// What a node says, apart from where it hangs: copies of a node share it.
typedef struct s_entry {
    size_t owners;
    uint64_t priority;
    size_t key_size;
    size_t value_size;
    uint8_t bytes[]; // key, value
} s_entry_t;

struct nrs_tree {
    size_t owners;     // trees and nodes above; whoever changes a node must be the only one
    s_entry_t *entry;
    nrs_tree_t *left;  // smaller keys; no greater priority
    nrs_tree_t *right; // greater keys; no greater priority
};

static int
s_compare(nrs_bytes_t a, const s_entry_t *b)
{
    size_t common = a.size < b->key_size ? a.size : b->key_size;
    int order = common ? memcmp(a.data, b->bytes, common) : 0;
    return order ? order : (a.size > b->key_size) - (a.size < b->key_size);
}

static s_entry_t *
s_entry_new(nrs_bytes_t key, nrs_bytes_t value)
{
    NRS_ASSERT(key.size < SIZE_MAX / 4 && value.size < SIZE_MAX / 4);
    s_entry_t *self = nrs_alloc0(1, sizeof *self + key.size + value.size);
    self->owners = 1;
    self->priority = nrs_hash64(key, 0);
    self->key_size = key.size;
    self->value_size = value.size;
    if (key.size)
        memcpy(self->bytes, key.data, key.size);
    if (value.data)
        memcpy(self->bytes + key.size, value.data, value.size);
    return self;
}

static void
s_entry_let_go(s_entry_t *self)
{
    if (--self->owners == 0)
        free(self);
}

nrs_tree_t *
nrs_tree_keep(nrs_tree_t *self)
{
    if (self)
        self->owners++;
    return self;
}

void
nrs_tree_destroy(nrs_tree_t **self_p)
{
    nrs_tree_t *self = NRS_TAKE(*self_p);
    if (!self || --self->owners > 0)
        return;
    nrs_tree_destroy(&self->left);
    nrs_tree_destroy(&self->right);
    s_entry_let_go(self->entry);
    free(self);
}

bool
nrs_tree_find(const nrs_tree_t *self, nrs_tree_at_t at, nrs_bytes_t key, nrs_bytes_t *ret_key, nrs_bytes_t *ret_value)
{
    const bool forwards = at == NRS_TREE_FROM || at == NRS_TREE_AFTER;
    const bool itself = at == NRS_TREE_AT || at == NRS_TREE_FROM || at == NRS_TREE_UP_TO;
    const s_entry_t *best = NULL;
    while (self) {
        int order = s_compare(key, self->entry);
        if (order == 0 && itself) {
            best = self->entry;
            break;
        }
        bool left = order < 0 || (order == 0 && !forwards);
        if (at != NRS_TREE_AT && left == forwards)
            best = self->entry;
        self = left ? self->left : self->right;
    }
    if (!best)
        return false;
    *ret_key = nrs_bytes(best->bytes, best->key_size);
    *ret_value = nrs_bytes(best->bytes + best->key_size, best->value_size);
    return true;
}

// The node, or a copy of it when others keep it too. Takes `self`.
static nrs_tree_t *
s_own(nrs_tree_t *self)
{
    if (self->owners == 1)
        return self;
    nrs_tree_t *copy = nrs_new0(nrs_tree_t);
    copy->owners = 1;
    copy->entry = self->entry;
    copy->entry->owners++;
    copy->left = nrs_tree_keep(self->left);
    copy->right = nrs_tree_keep(self->right);
    self->owners--;
    return copy;
}

// Lift the child on one side above its parent; both are owned.
static nrs_tree_t *
s_lift(nrs_tree_t *self, bool left)
{
    nrs_tree_t *child = left ? self->left : self->right;
    if (left) {
        self->left = child->right;
        child->right = self;
    } else {
        self->right = child->left;
        child->left = self;
    }
    return child;
}

static nrs_tree_t *
s_put(nrs_tree_t *self, s_entry_t *entry)
{
    if (!self) {
        self = nrs_new0(nrs_tree_t);
        self->owners = 1;
        self->entry = entry;
        return self;
    }
    self = s_own(self);
    int order = s_compare(nrs_bytes(entry->bytes, entry->key_size), self->entry);
    if (order == 0) {
        s_entry_let_go(self->entry);
        self->entry = entry;
        return self;
    }
    nrs_tree_t **side = order < 0 ? &self->left : &self->right;
    *side = s_put(*side, entry);
    return (*side)->entry->priority > self->entry->priority ? s_lift(self, order < 0) : self;
}

uint8_t *
nrs_tree_put(nrs_tree_t **self_p, nrs_bytes_t key, nrs_bytes_t value)
{
    s_entry_t *entry = s_entry_new(key, value);
    *self_p = s_put(*self_p, entry);
    return entry->bytes + entry->key_size;
}

// One tree of two, all keys of the first before those of the second. Takes both.
static nrs_tree_t *
s_join(nrs_tree_t *first, nrs_tree_t *second)
{
    if (!first || !second)
        return first ? first : second;
    if (first->entry->priority > second->entry->priority) {
        first = s_own(first);
        first->right = s_join(first->right, second);
        return first;
    }
    second = s_own(second);
    second->left = s_join(first, second->left);
    return second;
}

static nrs_tree_t *
s_drop(nrs_tree_t *self, nrs_bytes_t key)
{
    NRS_ASSERT(self);
    self = s_own(self);
    int order = s_compare(key, self->entry);
    if (order) {
        nrs_tree_t **side = order < 0 ? &self->left : &self->right;
        *side = s_drop(*side, key);
        return self;
    }
    nrs_tree_t *rest = s_join(NRS_TAKE(self->left), NRS_TAKE(self->right));
    nrs_tree_destroy(&self);
    return rest;
}

void
nrs_tree_drop(nrs_tree_t **self_p, nrs_bytes_t key)
{
    *self_p = s_drop(*self_p, key);
}
