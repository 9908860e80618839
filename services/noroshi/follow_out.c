#include "services/noroshi/follow_out.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/stix.h"
#include "common/world.h"
#include "services/noroshi/cli.h"
#include "services/noroshi/tapline.h"

enum { FLUSH_BYTES = 65536, COUNTS_START = 1024, COUNTS_MAX = 1 << 20 };

// How often one value was seen.
typedef struct s_tally {
    char *text; // owned; NULL: free
    uint64_t hash;
    uint64_t count;
} s_tally_t;

struct follow_out {
    follow_out_options_t options;
    nrs_stix_t *stix;
    nrs_buf_t out;
    nrs_buf_t value;
    size_t columns;
    uint64_t shown;
    s_tally_t *tallies; // open addressing, a power of two of places
    size_t places;
    size_t tally_count;
};

follow_out_t *
follow_out_new(const follow_out_options_t *options)
{
    follow_out_t *self = nrs_new0(follow_out_t);
    self->options = *options;
    self->columns = term_columns();
    if (options->form == FOLLOW_STIX) {
        self->stix = nrs_stix_new(NRS_STIX_LINES, options->realm, options->centre);
        nrs_stix_begin(self->stix, &self->out);
    }
    if (options->form == FOLLOW_COUNT) {
        self->places = COUNTS_START;
        self->tallies = nrs_alloc0(self->places, sizeof *self->tallies);
    }
    return self;
}

void
follow_out_destroy(follow_out_t **self_p)
{
    follow_out_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->places; i++)
        free(self->tallies[i].text);
    free(self->tallies);
    nrs_stix_destroy(&self->stix);
    nrs_buf_free(&self->out);
    nrs_buf_free(&self->value);
    free(self);
    *self_p = NULL;
}

// --- counting ------------------------------------------------------------------------------------

static s_tally_t *
s_place(follow_out_t *self, uint64_t hash, nrs_bytes_t text)
{
    for (size_t i = hash;; i++) {
        s_tally_t *tally = &self->tallies[i & (self->places - 1)];
        if (!tally->text || (tally->hash == hash && nrs_bytes_is(text, tally->text)))
            return tally;
    }
}

static void
s_grow(follow_out_t *self)
{
    s_tally_t *old = self->tallies;
    size_t count = self->places;
    self->places *= 2;
    self->tallies = nrs_alloc0(self->places, sizeof *self->tallies);
    for (size_t i = 0; i < count; i++)
        if (old[i].text)
            *s_place(self, old[i].hash, nrs_text(old[i].text)) = old[i];
    free(old);
}

// The tally of a value, made when it is new; NULL when there are `tallies_max` already.
static s_tally_t *
s_tally(follow_out_t *self, nrs_bytes_t text, size_t tallies_max)
{
    uint64_t hash = nrs_hash64(text, 0);
    s_tally_t *tally = s_place(self, hash, text);
    if (tally->text)
        return tally;
    if (self->tally_count >= tallies_max)
        return NULL;
    if (self->tally_count >= self->places / 2) {
        s_grow(self);
        tally = s_place(self, hash, text);
    }
    *tally = (s_tally_t){ nrs_strndup((const char *)text.data, text.size), hash, 0 };
    self->tally_count++;
    return tally;
}

static void
s_count(follow_out_t *self, nrs_event_t *event)
{
    nrs_value_t value;
    nrs_buf_reset(&self->value);
    if (nrs_event_get(event, self->options.count_by, &value))
        nrs_value_print(self->options.count_by, &value, &self->value);
    else
        nrs_buf_put_text(&self->value, "-");
    s_tally_t *tally = s_tally(self, nrs_buf_bytes(&self->value), COUNTS_MAX);
    if (!tally) // bounded: what is new behind a million values counts as one
        tally = s_tally(self, nrs_text("..."), COUNTS_MAX + 1);
    tally->count++;
}

static int
s_by_count(const void *a, const void *b)
{
    const s_tally_t *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    if (!left->text || !right->text)
        return !left->text - !right->text;
    return strcmp(left->text, right->text);
}

static void
s_print_counts(follow_out_t *self)
{
    static const term_column_t columns[] = { { "value", false }, { "events", true } };
    qsort(self->tallies, self->places, sizeof *self->tallies, s_by_count);
    if (self->options.json) {
        for (size_t i = 0; i < self->tally_count; i++) {
            nrs_buf_put_text(&self->out, "{\"value\":");
            nrs_buf_put_json_string(&self->out, nrs_text(self->tallies[i].text));
            nrs_buf_printf(&self->out, ",\"events\":%llu}\n",
                           (unsigned long long)self->tallies[i].count);
        }
        return;
    }
    NRS_AUTO(term_table) table = term_table_new(columns, 2);
    for (size_t i = 0; i < self->tally_count; i++) {
        char count[32];
        term_table_put(table, TERM_PLAIN, "%s", self->tallies[i].text);
        term_table_put(table, TERM_PLAIN, "%s", term_count(self->tallies[i].count, count));
    }
    term_table_print(table, self->options.colour, &self->out);
}

// --- events --------------------------------------------------------------------------------------

static void
s_put(follow_out_t *self, const tapline_t *line, nrs_event_t *event)
{
    switch (self->options.form) {
    case FOLLOW_LINES:
        tapline_print(line, false, self->options.colour, self->columns, &self->out);
        break;
    case FOLLOW_JSON:
        tapline_json(line, &self->out);
        break;
    case FOLLOW_STIX:
        NRS_IGNORE(nrs_stix_put(self->stix, line->event,
                                &self->out)); // nothing can be said about it in STIX
        break;
    case FOLLOW_COUNT:
        s_count(self, event);
        break;
    case FOLLOW_QUIET:
        break;
    }
}

nrs_err_t
follow_out_segment(follow_out_t *self, const nrs_segment_t *segment)
{
    nrs_world_t *world = nrs_world_real();
    if (self->options.form == FOLLOW_QUIET && !self->options.count_max) {
        self->shown += segment->head.count;
        return NRS_OK;
    }
    tapline_t line = { .topic = nrs_text(self->options.topic),
                       .lane = segment->head.lane,
                       .epoch = segment->head.epoch };
    for (uint32_t i = 0; i < segment->head.count; i++) {
        nrs_event_t event;
        line.event = nrs_segment_event(segment, i, &line.offset);
        if (nrs_event_check(line.event, NULL) || nrs_event_open(line.event, &event))
            continue; // the checksum is right, so the writer made it so: nothing that can be shown
        if (self->options.where &&
            !nrs_expr_match(self->options.where, &event, world->now_ms(world)))
            continue;
        s_put(self, &line, &event);
        if (++self->shown == self->options.count_max)
            return NRS_E_LIMIT;
        if (self->out.size > FLUSH_BYTES && !cli_print(&self->out))
            return NRS_E_IO;
    }
    return NRS_OK;
}

nrs_err_t
follow_out_flush(follow_out_t *self)
{
    return self->out.size == 0 || cli_print(&self->out) ? NRS_OK : NRS_E_IO;
}

nrs_err_t
follow_out_end(follow_out_t *self)
{
    if (self->options.form == FOLLOW_COUNT)
        s_print_counts(self);
    if (self->stix)
        nrs_stix_end(self->stix, &self->out);
    return follow_out_flush(self);
}

uint64_t
follow_out_shown(const follow_out_t *self)
{
    return self->shown;
}
