// stix.c - see stix.h
//
// One report becomes                             a repeat of it    its withdrawal or correction
//
//   observable <-- observed-data <-- indicator     sighting          a new version of the
//                            based-on    |             |             domain object
//                                        | indicates   v
//                                        v         indicator
//                                     malware
//
// every object behind the markings that it refers to, and all of them by the centre. Ids and times
// follow from the event alone, so the same event gives the same bytes whenever it is asked for.

#include "common/stix.h"

#include "common/stix_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_OBSERVED_MAX = 999999999 }; // STIX 2.1, sections 4.14 and 5.2
static const uint64_t TIME_LAST_MS =
    253402300799999; // the end of year 9999: no RFC 3339 time is later

// --- the event, unpacked -------------------------------------------------------------------------

static bool
s_is_report(const nrs_stix_view_t *view)
{
    return view->origin.form == 0 || view->origin.form == NRS_FORM_REPORT;
}

static bool
s_is_repeat(const nrs_stix_view_t *view)
{
    return view->context.repeat_of.size == NRS_ID_BYTES;
}

// A projected release says less than the whole one, so it must not be a version of the same object
// (section 3.6).
static void
s_name(const nrs_stix_view_t *view, nrs_bytes_t event_id, char into[NRS_ID_BYTES * 2 + 16])
{
    nrs_id_print(event_id.data, into);
    if (view->release.projection == NRS_PROJECTION_PROJECTED)
        strcpy(into + NRS_ID_BYTES * 2, "/projected");
}

// `created` is the time of observation: it goes into the event's id, so all that is ever said about
// one report gives the same, as section 3.6 demands. What comes after the report is a later
// version.
static void
s_set_times(nrs_stix_view_t *view)
{
    const nrs_origin_t *origin = &view->origin;
    view->created_ms = origin->observed_at ? origin->observed_at : origin->received_at;
    if (view->created_ms == 0)
        view->created_ms = 1;
    view->modified_ms = view->created_ms;
    if (s_is_report(view))
        return;
    view->modified_ms = origin->received_at;
    if (view->modified_ms <= view->created_ms && view->created_ms < TIME_LAST_MS)
        view->modified_ms = view->created_ms + 1;
}

static nrs_err_t
s_read(const nrs_stix_t *self, nrs_bytes_t bytes, nrs_stix_view_t *view)
{
    nrs_event_t event;
    nrs_err_t err = nrs_event_open(bytes, &event);
    if (!err)
        err = nrs_event_origin(&event, &view->origin);
    if (err)
        return err;
    NRS_IGNORE(
        nrs_event_context(&event, &view->context)); // without these layers their fields stay absent
    NRS_IGNORE(nrs_event_verdict(&event, &view->verdict));
    NRS_IGNORE(nrs_event_release(&event, &view->release));
    if (view->origin.id.size != NRS_ID_BYTES || view->origin.kind == 0 ||
        view->origin.value.size == 0)
        return NRS_E_ABSENT;

    uint64_t tlp = view->release.tlp > view->origin.tlp ? view->release.tlp : view->origin.tlp;
    view->tlp = view->origin.tlp == 0 || tlp > NRS_TLP_RED ? NRS_TLP_RED : tlp;
    view->pap = view->origin.pap > NRS_PAP_RED ? NRS_PAP_RED : view->origin.pap;
    s_set_times(view);
    view->thing = nrs_stix_thing(view->origin.kind, view->origin.value);
    char about[sizeof view->event_name];
    s_name(view, view->origin.id, view->event_name);
    s_name(view, s_is_repeat(view) ? view->context.repeat_of : view->origin.id, about);
    nrs_stix_own_id(self, view->thing.object, about, view->main_id);
    return NRS_OK;
}

// --- properties that several objects have --------------------------------------------------------

static void
s_put_head(nrs_stix_t *self, const nrs_stix_view_t *view, const char *type, const char *id,
           nrs_buf_t *into)
{
    nrs_stix_open_object(self, type, id, into);
    nrs_stix_text(into, "created_by_ref", nrs_text(self->identity));
    nrs_stix_time(into, "created", view->created_ms);
    nrs_stix_time(into, "modified", view->modified_ms);
}

static void
s_put_tail(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into)
{
    nrs_stix_marking_refs(view->tlp, view->pap, into);
    nrs_stix_close_object(self, into);
}

static void
s_put_confidence(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    nrs_stix_number(into, "confidence",
                    view->verdict.confidence ? view->verdict.confidence : view->origin.confidence);
}

// --- objects -------------------------------------------------------------------------------------

static void
s_put_observable(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into,
                 char ret_id[NRS_STIX_ID_BYTES])
{
    nrs_buf_t body = { 0 };
    nrs_stix_observable(view->origin.kind, view->origin.value, &body);
    nrs_stix_observable_id(view->thing.observable, nrs_buf_bytes(&body), ret_id);
    nrs_stix_open_object(self, view->thing.observable, ret_id, into);
    nrs_buf_put_text(into, ",");
    nrs_buf_put(into, body.data + 1, body.size - 2); // what stands between the braces
    s_put_tail(self, view, into);
    nrs_buf_free(&body);
}

static void
s_put_observed(nrs_stix_t *self, const nrs_stix_view_t *view, const char *observable,
               nrs_buf_t *into, char ret_id[NRS_STIX_ID_BYTES])
{
    uint64_t count = view->origin.count;
    nrs_stix_own_id(self, "observed-data", view->event_name, ret_id);
    s_put_head(self, view, "observed-data", ret_id, into);
    nrs_stix_time(into, "first_observed", view->created_ms);
    nrs_stix_time(into, "last_observed", view->created_ms);
    nrs_stix_number(into, "number_observed",
                    count == 0                    ? 1
                    : count < NUMBER_OBSERVED_MAX ? count
                                                  : NUMBER_OBSERVED_MAX);
    nrs_buf_printf(into, ",\"object_refs\":[\"%s\"]", observable);
    s_put_tail(self, view, into);
}

static void
s_put_relationship(nrs_stix_t *self, const nrs_stix_view_t *view, const char *type,
                   const char *target, nrs_buf_t *into)
{
    char name[sizeof view->event_name + 16], id[NRS_STIX_ID_BYTES];
    snprintf(name, sizeof name, "%s/%s", view->event_name, type);
    nrs_stix_own_id(self, "relationship", name, id);
    s_put_head(self, view, "relationship", id, into);
    nrs_buf_printf(into,
                   ",\"relationship_type\":\"%s\",\"source_ref\":\"%s\",\"target_ref\":\"%s\"",
                   type, view->main_id, target);
    s_put_tail(self, view, into);
}

// indicator-type-ov (STIX 2.1, section 10.6), by the RSIT class.
static const char *
s_indicator_type(const nrs_stix_view_t *view)
{
    if (view->context.known_good)
        return "benign";
    switch (view->verdict.class) {
    case NRS_CLASS_ABUSIVE_CONTENT:
    case NRS_CLASS_INFORMATION_GATHERING:
        return "anomalous-activity";
    case NRS_CLASS_INTRUSIONS:
        return "compromised";
    case NRS_CLASS_MALICIOUS_CODE:
        return view->verdict.type == NRS_TYPE_INFECTED_SYSTEM ? "compromised"
                                                              : "malicious-activity";
    case NRS_CLASS_INTRUSION_ATTEMPTS:
    case NRS_CLASS_AVAILABILITY:
    case NRS_CLASS_INFORMATION_CONTENT_SECURITY:
    case NRS_CLASS_FRAUD:
        return "malicious-activity";
    default:
        return "unknown";
    }
}

// An expiry ends the validity when it came in; the end must be later than the beginning
// (section 4.7).
static uint64_t
s_valid_until(const nrs_stix_view_t *view)
{
    if (view->origin.form == NRS_FORM_EXPIRY)
        return view->modified_ms;
    uint64_t until = view->verdict.expires_at ? view->verdict.expires_at : view->origin.expires_at;
    return until > view->created_ms ? until : 0;
}

static void
s_put_pattern(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    nrs_buf_t pattern = { 0 };
    nrs_stix_pattern(view->origin.kind, view->origin.value, &pattern);
    nrs_buf_printf(into, ",\"indicator_types\":[\"%s\"]", s_indicator_type(view));
    nrs_stix_text(into, "pattern", nrs_buf_bytes(&pattern));
    nrs_stix_text(into, "pattern_type", nrs_text(view->thing.pattern_type));
    nrs_stix_time(into, "valid_from", view->created_ms);
    uint64_t until = s_valid_until(view);
    nrs_stix_time(into, "valid_until", until > view->created_ms ? until : 0);
    nrs_buf_free(&pattern);
}

// What each type says that the others do not.
static void
s_put_main_body(const nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into)
{
    const char *type = view->thing.object;
    if (strcmp(type, "note") == 0) {
        nrs_stix_text(into, "content", view->origin.value);
        nrs_buf_printf(into, ",\"object_refs\":[\"%s\"]", self->identity);
        return;
    }
    nrs_stix_put_name(view, into);
    nrs_stix_text(into, "description", view->origin.description);
    if (strcmp(type, "indicator") == 0)
        s_put_pattern(view, into);
}

// A vulnerability or technique is known by its number; what the source refers to would be a second
// reference.
static void
s_put_main_references(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    bool vulnerability = strcmp(view->thing.object, "vulnerability") == 0;
    if (!vulnerability && strcmp(view->thing.object, "attack-pattern") != 0) {
        nrs_stix_put_references(&view->origin, into);
        return;
    }
    nrs_buf_printf(into, ",\"external_references\":[{\"source_name\":\"%s\"",
                   vulnerability ? "cve" : "mitre-attack");
    nrs_stix_text(into, "external_id", view->origin.value);
    nrs_buf_put_text(into, "}]");
}

// The domain object that the event is about: an indicator, vulnerability, attack-pattern or note.
static void
s_put_main(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into)
{
    s_put_head(self, view, view->thing.object, view->main_id, into);
    if (view->origin.form == NRS_FORM_WITHDRAWAL)
        nrs_buf_put_text(into, ",\"revoked\":true");
    s_put_main_body(self, view, into);
    s_put_confidence(view, into);
    nrs_stix_put_labels(view, into);
    nrs_stix_put_language(view, into);
    s_put_main_references(view, into);
    s_put_tail(self, view, into);
}

// The family that the indicator indicates. Its id follows from its name and marking, so it says the
// same every time.
static void
s_put_malware(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into,
              char ret_id[NRS_STIX_ID_BYTES])
{
    nrs_buf_t name = { 0 };
    nrs_buf_printf(&name, "%u/%u/", (unsigned)view->tlp, (unsigned)view->pap);
    nrs_buf_put(&name, view->origin.malware.data, view->origin.malware.size);
    nrs_stix_own_id(self, "malware", nrs_buf_cstr(&name), ret_id);
    nrs_buf_free(&name);
    nrs_stix_open_object(self, "malware", ret_id, into);
    nrs_stix_text(into, "created_by_ref", nrs_text(self->identity));
    nrs_stix_fixed_times(into);
    nrs_stix_text(into, "name", view->origin.malware);
    nrs_buf_put_text(into, ",\"is_family\":true");
    s_put_tail(self, view, into);
}

static void
s_put_report(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into)
{
    char observable[NRS_STIX_ID_BYTES], observed[NRS_STIX_ID_BYTES], malware[NRS_STIX_ID_BYTES];
    if (view->thing.observable) {
        s_put_observable(self, view, into, observable);
        s_put_observed(self, view, observable, into, observed);
    }
    s_put_main(self, view, into);
    if (view->thing.observable)
        s_put_relationship(self, view, "based-on", observed, into);
    if (view->origin.malware.size && view->thing.pattern_type) {
        s_put_malware(self, view, into, malware);
        s_put_relationship(self, view, "indicates", malware, into);
    }
}

// The indicator is known already: how often, since when and until when it has been seen, all
// reports together.
static void
s_put_sighting(nrs_stix_t *self, const nrs_stix_view_t *view, nrs_buf_t *into)
{
    const nrs_context_t *context = &view->context;
    char id[NRS_STIX_ID_BYTES];
    uint64_t first = context->first_seen_at ? context->first_seen_at : view->created_ms;
    uint64_t last = context->last_seen_at > first ? context->last_seen_at : first;
    uint64_t count =
        context->sightings < NUMBER_OBSERVED_MAX ? context->sightings : NUMBER_OBSERVED_MAX;
    nrs_stix_own_id(self, "sighting", view->event_name, id);
    s_put_head(self, view, "sighting", id, into);
    nrs_stix_time(into, "first_seen", first);
    nrs_stix_time(into, "last_seen", last);
    nrs_stix_number(into, "count", count ? count : 1);
    nrs_stix_text(into, "sighting_of_ref", nrs_text(view->main_id));
    nrs_buf_put_text(into, ",\"summary\":true");
    s_put_confidence(view, into);
    nrs_stix_put_labels(view, into);
    s_put_tail(self, view, into);
}

// --- the output ----------------------------------------------------------------------------------

nrs_stix_t *
nrs_stix_new(nrs_stix_form_t form, const char *realm, const char *centre)
{
    NRS_ASSERT(realm && centre && centre[0]);

    nrs_stix_t *self = nrs_new0(nrs_stix_t);
    self->form = form;
    self->realm = nrs_strdup(realm);
    self->centre = nrs_strdup(centre);
    nrs_stix_own_id(self, "identity", "", self->identity);
    return self;
}

void
nrs_stix_destroy(nrs_stix_t **self_p)
{
    NRS_ASSERT(self_p);

    nrs_stix_t *self = NRS_TAKE(*self_p);
    if (!self)
        return;
    free(self->realm);
    free(self->centre);
    free(self);
}

void
nrs_stix_begin(nrs_stix_t *self, nrs_buf_t *into)
{
    NRS_ASSERT(self && into && self->objects == 0);

    if (self->form == NRS_STIX_BUNDLE)
        nrs_buf_put_text(into, "{\"type\":\"bundle\",\"objects\":[\n");
    nrs_stix_put_identity(self, into);
}

nrs_err_t
nrs_stix_put(nrs_stix_t *self, nrs_bytes_t event, nrs_buf_t *into)
{
    NRS_ASSERT(self && into && self->objects > 0);

    nrs_stix_view_t view = { 0 };
    nrs_err_t err = s_read(self, event, &view);
    if (err)
        return err;
    nrs_stix_put_tlp(self, view.tlp, into);
    nrs_stix_put_pap(self, view.pap, into);
    if (!s_is_report(&view))
        s_put_main(self, &view, into);
    else if (s_is_repeat(&view))
        s_put_sighting(self, &view, into);
    else
        s_put_report(self, &view, into);
    if (self->events++ == 0)
        memcpy(self->first, view.origin.id.data, NRS_ID_BYTES);
    memcpy(self->last, view.origin.id.data, NRS_ID_BYTES);
    return NRS_OK;
}

// The bundle's id follows from what is in it, as all ids do; its place in the object does not
// matter.
void
nrs_stix_end(nrs_stix_t *self, nrs_buf_t *into)
{
    NRS_ASSERT(self && into && self->objects > 0);

    if (self->form == NRS_STIX_LINES)
        return;
    char first[33], last[33], name[96], id[NRS_STIX_ID_BYTES];
    nrs_id_print(self->first, first);
    nrs_id_print(self->last, last);
    snprintf(name, sizeof name, "%s/%s/%llu", first, last, (unsigned long long)self->events);
    nrs_stix_own_id(self, "bundle", name, id);
    nrs_buf_printf(into, "\n],\"id\":\"%s\"}\n", id);
}
