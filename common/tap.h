// tap.h - listen to what passes: the XPUB side with subscriptions checked against clearance
// (proto/tap.md)
// Shape:    frame 1: `<realm>.<topic>.<tlp>.<class>.<type>.<kind>.<source>`, under 200 bytes; frame
//           2: msgpack [lane, epoch, offset, event].
// Threads:  an object belongs to the thread that opened it.
// Cost:     nothing while nobody listens. A slow listener loses messages (gaps show in the
//           offsets); nobody waits for it.
// Log:      `tap.subscribed` and `tap.refused`, each with key and prefix: who reads is on record.

#ifndef NRS_TAP_H
#define NRS_TAP_H

#include "common/base.h"
#include "common/bus.h"
#include "common/event.h"
#include "common/metrics.h"

enum { NRS_TAP_TEXT_MAX = 200 };
enum { NRS_TAP_SUBSCRIPTIONS_MAX = 256 }; // for one listener
enum {
    NRS_TAP_HIGH_WATER = 10000
}; // of the XPUB: messages that a slow listener may be behind before it loses some

typedef struct nrs_tap nrs_tap_t;

// The most restrictive label that the listener may hear, by its key ("" on ipc: the operator of
// this machine). 0: none.
typedef uint64_t
nrs_tap_clearance_t(void *me, const char *key_text);

typedef struct nrs_tap_options {
    const char *realm; // borrowed, as are the topics
    const char *const
        *topics; // every topic that is published here; realm and topic together up to 100 bytes
    size_t topic_count;
    nrs_tap_clearance_t *clearance;
    void *me;               // handed to it
    nrs_metrics_t *metrics; // borrowed: noroshi_tap_*
} nrs_tap_options_t;

// `bus` must be an XPUB that is bound, with NRS_TAP_HIGH_WATER; it is taken over on success. Why
// the topics: a prefix that ends before the label is granted label by label, so all that it could
// reach has to be known. Errors: NRS_E_LIMIT (realm and topic too long).
NRS_MUST_CHECK nrs_err_t
nrs_tap_open(nrs_bus_t **bus_p, const nrs_tap_options_t *options, nrs_tap_t **ret_tap);
void
nrs_tap_destroy(nrs_tap_t **self_p);
nrs_bus_t *
nrs_tap_bus(nrs_tap_t *self);
// Take in subscriptions that have arrived.
void
nrs_tap_step(nrs_tap_t *self);
// Members may have changed: cut every listener whose clearance is now less than when it subscribed.
// It comes back, meets the ZAP handler, and is granted what it may hear now.
void
nrs_tap_review(nrs_tap_t *self);
// Does anyone listen at all? Exact, but for a listener that misbehaves: it may be counted a little
// longer.
bool
nrs_tap_heard(const nrs_tap_t *self);
// Publish one event of `topic`, one of those named at open (another one would be heard under
// clearance RED alone).
void
nrs_tap_publish(nrs_tap_t *self, const char *topic, uint16_t lane, uint32_t epoch, uint64_t offset,
                nrs_event_t *event);
// The topic text of an event. Absent parts are "-", an absent label "red"; bytes outside [a-z0-9+-]
// of the source become
// "_", and its end is cut where the text would become too long. Returns its length, which is below
// NRS_TAP_TEXT_MAX.
size_t
nrs_tap_text(const char *realm, const char *topic, nrs_event_t *event, char into[NRS_TAP_TEXT_MAX]);

#endif
