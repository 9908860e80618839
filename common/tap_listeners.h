// tap_listeners.h - who listens to what: the subscriptions behind a tap, counted (for common/tap.c
// alone)
// Shape:    one entry for each subscription that is alive. libzmq reports the end of those of a
//           vanished connection without saying whose they were, so such an end takes away any entry
//           with that prefix: the sum stays right, and where there is a choice the error is to
//           think that someone still listens, never that nobody does.
// Cost:     O(n) a call; n is at most NRS_LISTENERS_MAX.

#ifndef NRS_TAP_LISTENERS_H
#define NRS_TAP_LISTENERS_H

#include "common/tap.h"

enum {
    NRS_LISTENERS_MAX = 16 * NRS_TAP_SUBSCRIPTIONS_MAX
}; // subscriptions of all listeners together

typedef struct nrs_listening {
    char key[NRS_USER_BYTES_MAX]; // "" on ipc
    int connection;               // -1: inproc, or unknown
    uint64_t clearance;           // under which it was granted; 0: nothing was
    size_t size;
    char prefix[NRS_TAP_TEXT_MAX];
} nrs_listening_t;

// A plain value: `(nrs_listeners_t){ 0 }` is empty; nrs_listeners_free() gives its memory back.
typedef struct nrs_listeners {
    nrs_listening_t *entries; // owned
    size_t count, room;
    size_t granted;    // entries with a clearance
    size_t unrecorded; // subscriptions beyond the limits, of which only the number is kept
} nrs_listeners_t;

void
nrs_listeners_free(nrs_listeners_t *self);
// Errors: NRS_E_LIMIT (the listener has too many, or all have); then it is counted as unrecorded.
NRS_MUST_CHECK nrs_err_t
nrs_listeners_add(nrs_listeners_t *self, const nrs_listening_t *entry);
// The end of the subscription to entry's prefix by its key and connection; by anyone, when it has
// neither.
void
nrs_listeners_drop(nrs_listeners_t *self, const nrs_listening_t *entry);
// Are both subscriptions of one connection?
bool
nrs_listening_same(const nrs_listening_t *a, const nrs_listening_t *b);

#endif
