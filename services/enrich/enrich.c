#include "enrich.h"

#include "enrich_config.h"
#include "enrich_facts.h"
#include "enrich_lists.h"
#include "enrich_sightings.h"

#include <stdlib.h>

typedef struct enrich {
    const enrich_options_t *options; // borrowed
    nrs_world_t *world;              // borrowed
    enrich_list_set_t set;
    nrs_suffixes_t *suffixes;
    nrs_geo_t *geo;
    enrich_lists_t *lists;
    enrich_sightings_t *sightings;
    enrich_facts_t facts;
    nrs_metric_t *whole, *repeats,
        *good;                     // events that went on whole, short; held by a list of known good
    nrs_metric_t *known, *entries; // indicators in the table; entries of the lists
} enrich_t;

static void
s_close(void **me_p)
{
    enrich_t *self = *me_p;
    if (!self)
        return;
    enrich_sightings_destroy(&self->sightings);
    enrich_lists_destroy(&self->lists);
    nrs_geo_destroy(&self->geo);
    nrs_suffixes_destroy(&self->suffixes);
    nrs_buf_free(&self->facts.unicode);
    free(self);
    *me_p = NULL;
}

// --- what is read at the start and at a reload ---------------------------------------------------

// Suffixes, geography and lists together, so that a reload takes all of them or none.
typedef struct s_reference {
    nrs_suffixes_t *suffixes;
    nrs_geo_t *geo;
    enrich_lists_t *lists;
} s_reference_t;

static void
s_reference_free(s_reference_t *reference)
{
    enrich_lists_destroy(&reference->lists);
    nrs_geo_destroy(&reference->geo);
    nrs_suffixes_destroy(&reference->suffixes);
}

static void
s_log_list(const enrich_list_t *list, const enrich_list_report_t *report)
{
    nrs_log_info("list.loaded", F_STR("list", list->name), F_U64("entries", report->entries),
                 F_U64("skipped", report->skipped));
    if (report->suffixes > 0)
        nrs_log_warn("list.suffix-refused", F_STR("list", list->name),
                     F_U64("entries", report->suffixes), F_STR("first", report->suffix));
}

static nrs_err_t
s_read_lists(enrich_t *self, s_reference_t *into, nrs_problem_t *reterr)
{
    enrich_list_report_t reports[ENRICH_LISTS_MAX];
    uint64_t seed = 0;
    self->world->random(self->world, &seed, sizeof seed);
    nrs_err_t err =
        enrich_lists_open(&self->set, into->suffixes, seed,
                          (uint64_t)self->options->list_entries_max, reports, reterr, &into->lists);
    for (size_t i = 0; !err && i < self->set.count; i++)
        s_log_list(&self->set.items[i], &reports[i]);
    return err;
}

static nrs_err_t
s_read_reference(enrich_t *self, nrs_problem_t *reterr)
{
    const enrich_options_t *options = self->options;
    s_reference_t fresh = { 0 };
    nrs_err_t err = nrs_suffixes_open(options->suffixes, &fresh.suffixes);
    if (err)
        nrs_problem_set(reterr, err, options->suffixes, 0, 0, "not a readable Public Suffix List");
    if (!err)
        err = nrs_geo_open(options->country, options->asn, reterr, &fresh.geo);
    if (!err)
        err = s_read_lists(self, &fresh, reterr);
    if (err) {
        s_reference_free(&fresh);
        return err;
    }
    s_reference_t old = { self->suffixes, self->geo, self->lists };
    self->suffixes = fresh.suffixes;
    self->geo = fresh.geo;
    self->lists = fresh.lists;
    s_reference_free(&old);
    nrs_metric_set(self->entries, enrich_lists_entries(self->lists));
    return NRS_OK;
}

static nrs_err_t
s_reload(void *me, nrs_problem_t *reterr)
{
    return s_read_reference(me, reterr);
}

// --- opening -------------------------------------------------------------------------------------

static void
s_register(enrich_t *self, nrs_metrics_t *metrics)
{
    static const char name[] = "noroshi_enrich_events_total";
    static const char help[] = "Events that went on, whole or as a short update.";
    self->whole = nrs_metrics_counter(metrics, name, "form=\"whole\"", help);
    self->repeats = nrs_metrics_counter(metrics, name, "form=\"short\"", help);
    self->good =
        nrs_metrics_counter(metrics, "noroshi_enrich_known_good_total", NULL,
                            "Events whose indicator is on a list of what is known to be good.");
    self->known = nrs_metrics_gauge(metrics, "noroshi_enrich_indicators", NULL,
                                    "Indicators in the table of sightings.");
    self->entries =
        nrs_metrics_gauge(metrics, "noroshi_enrich_list_entries", NULL, "Entries of all lists.");
}

static nrs_err_t
s_open_sightings(enrich_t *self, nrs_store_t *store, nrs_problem_t *reterr)
{
    enrich_sightings_options_t options = {
        .repeat_window_ms = self->options->repeat_window_ms,
        .memory_bytes = (size_t)self->options->memory_bytes,
    };
    nrs_err_t err = enrich_sightings_open(store, &options, self->world, &self->sightings);
    if (err)
        nrs_problem_set(reterr, err, NULL, 0, 0, "the table of sightings cannot be opened: %s",
                        nrs_err_name(err));
    return err;
}

static nrs_err_t
s_open(const nrs_stage_context_t *context, nrs_problem_t *reterr, void **ret_me)
{
    enrich_t *self = nrs_new0(enrich_t);
    self->options = context->options;
    self->world = context->world;
    s_register(self, context->metrics);
    nrs_err_t err = enrich_config_lists(context->config, self->options->lists, reterr, &self->set);
    if (!err)
        err = s_read_reference(self, reterr);
    if (!err)
        err = s_open_sightings(self, context->store, reterr);
    void *me = self;
    if (err) {
        s_close(&me);
        return err;
    }
    *ret_me = me;
    return NRS_OK;
}

// --- one event

static void
s_tell_sighting(const enrich_sighting_t *sighting, nrs_context_t *context)
{
    context->first_seen_at = sighting->first_seen_at;
    context->last_seen_at = sighting->last_seen_at;
    context->sightings = sighting->count;
    context->reporters = sighting->reporters;
}

// Count a report; look only, where the event takes a report back, corrects or ends it.
static nrs_err_t
s_sight(enrich_t *self, nrs_event_t *in, nrs_out_t *out, enrich_sighting_t *sighting)
{
    uint64_t form = nrs_event_number(in, NRS_ORIGIN_form);
    enrich_report_t report = {
        .kind = nrs_event_number(in, NRS_ORIGIN_kind),
        .value = nrs_event_text(in, NRS_ORIGIN_value),
        .id = nrs_event_text(in, NRS_ORIGIN_id),
        .originator = nrs_event_text(in, NRS_ORIGIN_originator),
        .observed_at = nrs_event_number(in, NRS_ORIGIN_observed_at),
        .received_at = nrs_event_number(in, NRS_ORIGIN_received_at),
        .tlp = nrs_event_number(in, NRS_ORIGIN_tlp),
        .onward = nrs_event_number(in, NRS_ORIGIN_onward),
    };
    if (report.kind == 0 || report.value.size == 0 || report.id.size != NRS_ID_BYTES)
        return NRS_E_FORMAT;
    if (report.received_at == 0)
        report.received_at = (uint64_t)nrs_out_now(out);
    if (report.observed_at == 0)
        report.observed_at = report.received_at;
    if (form == 0 || form == NRS_FORM_REPORT)
        return enrich_sightings_count(self->sightings, nrs_out_txn(out), &report, sighting);
    nrs_err_t err = enrich_sightings_get(self->sightings, nrs_out_txn(out), report.kind,
                                         report.value, sighting);
    return err == NRS_E_ABSENT ? NRS_OK : err;
}

static nrs_err_t
s_apply(void *me, nrs_event_t *in, nrs_out_t *out)
{
    enrich_t *self = me;
    enrich_sources_t sources = { self->suffixes, self->geo, self->lists };
    nrs_context_t context = { 0 };
    enrich_sighting_t sighting = { 0 };

    nrs_err_t err = s_sight(self, in, out, &sighting); // first, last, how often, by whom
    if (err)
        return err;
    s_tell_sighting(&sighting, &context);
    enrich_facts_start(&self->facts, nrs_event_number(in, NRS_ORIGIN_kind),
                       nrs_event_text(in, NRS_ORIGIN_value));
    enrich_name(&self->facts, &sources, &context);  // registrable domain, IDN
    enrich_place(&self->facts, &sources, &context); // country, AS
    enrich_list(&self->facts, &sources, &context);  // known good
    nrs_metric_add(self->good, context.known_good);
    if (sighting.repeat) { // most reports of a busy day; rules and scopes see the same facts as when it passed whole
        context.repeat_of = nrs_bytes(sighting.first_id, NRS_ID_BYTES);
        nrs_metric_add(self->repeats, 1);
        return nrs_out_append_short(out, in, &context);
    }
    nrs_metric_add(self->whole, 1);
    return nrs_out_append(out, in, NRS_LAYER_CONTEXT, &context);
}

static nrs_err_t
s_tick(void *me, nrs_out_t *out)
{
    enrich_t *self = me;
    nrs_err_t err = enrich_sightings_save(self->sightings, nrs_out_txn(out));
    if (!err)
        nrs_metric_set(self->known, enrich_sightings_known(self->sightings, nrs_out_txn(out)));
    return err;
}

const nrs_stage_t enrich_stage = {
    .name = "enrich",
    .options = enrich_option_table,
    .options_bytes = sizeof(enrich_options_t),
    .open = s_open,
    .apply = s_apply,
    .tick = s_tick,
    .reload = s_reload,
    .close = s_close,
};
