#include "common/tap_listeners.h"

#include <stdlib.h>

void
nrs_listeners_free(nrs_listeners_t *self)
{
    free(self->entries);
    *self = (nrs_listeners_t){ 0 };
}

bool
nrs_listening_same(const nrs_listening_t *a, const nrs_listening_t *b)
{
    return a->connection == b->connection && strcmp(a->key, b->key) == 0;
}

// A listener is a key, over all its connections; without keys, a connection.
static bool
s_same_listener(const nrs_listening_t *a, const nrs_listening_t *b)
{
    return a->key[0] ? strcmp(a->key, b->key) == 0 : nrs_listening_same(a, b);
}

static size_t
s_count_of(const nrs_listeners_t *self, const nrs_listening_t *whose)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += s_same_listener(whose, &self->entries[i]);
    return count;
}

nrs_err_t
nrs_listeners_add(nrs_listeners_t *self, const nrs_listening_t *entry)
{
    if (self->count >= NRS_LISTENERS_MAX || s_count_of(self, entry) >= NRS_TAP_SUBSCRIPTIONS_MAX) {
        self->unrecorded++;
        return NRS_E_LIMIT;
    }
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 16;
        self->entries = nrs_realloc(self->entries, self->room * sizeof *self->entries);
    }
    self->entries[self->count++] = *entry;
    self->granted += entry->clearance > 0;
    return NRS_OK;
}

// The entry that ends, or `count`. Of several that it may be, one that was refused goes first.
static size_t
s_find(const nrs_listeners_t *self, const nrs_listening_t *entry, bool anyones)
{
    size_t found = self->count;
    for (size_t i = 0; i < self->count; i++) {
        const nrs_listening_t *other = &self->entries[i];
        if (!anyones && !nrs_listening_same(entry, other))
            continue;
        if (!nrs_bytes_equal(nrs_bytes(entry->prefix, entry->size),
                             nrs_bytes(other->prefix, other->size)))
            continue;
        if (found == self->count || other->clearance == 0)
            found = i;
    }
    return found;
}

void
nrs_listeners_drop(nrs_listeners_t *self, const nrs_listening_t *entry)
{
    bool anyones = !entry->key[0] && entry->connection < 0;
    size_t at = s_find(self, entry, anyones);
    if (at < self->count) {
        self->granted -= self->entries[at].clearance > 0;
        self->entries[at] = self->entries[--self->count];
    } else if (anyones && self->unrecorded > 0) {
        self->unrecorded--;
    }
    // Else someone ends what it never began.
}
