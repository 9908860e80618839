#include "services/noroshi/tapline.h"

#include <stdlib.h>

#include "common/codec.h"
#include "common/plan.h"
#include "services/noroshi/term.h"

// The second word of `<realm>.<topic>.<tlp>.<class>.<type>.<kind>.<source>`. A topic's name may
// hold dots no more than a realm's does.
static nrs_err_t
s_topic(nrs_bytes_t text, nrs_bytes_t *ret_topic)
{
    const uint8_t *first = text.size ? memchr(text.data, '.', text.size) : NULL;
    if (!first)
        return NRS_E_FORMAT;
    first++;
    size_t left = text.size - (size_t)(first - text.data);
    const uint8_t *second = left ? memchr(first, '.', left) : NULL;
    if (!second || second == first)
        return NRS_E_FORMAT;
    *ret_topic = nrs_bytes(first, (size_t)(second - first));
    return NRS_OK;
}

nrs_err_t
tapline_decode(nrs_bytes_t text, nrs_bytes_t body, tapline_t *ret_line)
{
    tapline_t line = { 0 };
    nrs_walk_t walk = nrs_walk(body);
    uint32_t count = 0;
    uint64_t lane = 0, epoch = 0;
    nrs_err_t err = s_topic(text, &line.topic);
    if (err)
        return err;
    if (nrs_walk_array(&walk, 4, &count) || count != 4 ||
        nrs_walk_uint(&walk, NRS_LANES_MAX - 1, &lane) ||
        nrs_walk_uint(&walk, UINT32_MAX, &epoch) || nrs_walk_uint(&walk, UINT64_MAX, &line.offset))
        return NRS_E_FORMAT;
    line.event = nrs_bytes(walk.at, (size_t)(walk.end - walk.at));
    err = nrs_event_check(line.event, NULL); // to its last byte
    if (err)
        return err;
    line.lane = (uint16_t)lane;
    line.epoch = (uint32_t)epoch;
    *ret_line = line;
    return NRS_OK;
}

// --- for people ----------------------------------------------------------------------------------

enum { s_kind_columns = 14, s_type_columns = 28, s_word_columns = 8, s_topic_columns = 12 };
enum { s_value_columns_min = 24, s_source_columns = 16 };

static const char *
s_word(nrs_enum_id_t id, uint64_t number)
{
    const char *word = nrs_enum_word(id, number);
    return word ? word : "-";
}

static term_colour_t
s_severity_colour(uint64_t severity)
{
    if (severity >= NRS_SEVERITY_HIGH)
        return TERM_RED;
    return severity == NRS_SEVERITY_MEDIUM ? TERM_YELLOW : TERM_PLAIN;
}

static term_colour_t
s_tlp_colour(uint64_t tlp)
{
    static const term_colour_t colours[] = {
        [NRS_TLP_CLEAR] = TERM_PLAIN,  [NRS_TLP_GREEN] = TERM_GREEN,
        [NRS_TLP_AMBER] = TERM_YELLOW, [NRS_TLP_AMBER_STRICT] = TERM_YELLOW,
        [NRS_TLP_RED] = TERM_RED,
    };
    return tlp < sizeof colours / sizeof *colours ? colours[tlp] : TERM_RED;
}

static void
s_put_word(nrs_buf_t *into, bool colour, term_colour_t which, const char *word, size_t columns)
{
    nrs_buf_t padded = { 0 };
    term_put_cut(&padded, nrs_text(word), columns, true);
    term_put_colour(into, colour, which, nrs_buf_cstr(&padded));
    nrs_buf_put_text(into, " ");
    nrs_buf_free(&padded);
}

static void
s_put_time(nrs_event_t *event, bool colour, nrs_buf_t *into)
{
    char time[25] = "-";
    uint64_t at_ms = nrs_event_number(event, NRS_ORIGIN_received_at);
    if (at_ms)
        nrs_time_print(at_ms, time);
    time[23] = 0;                                                     // without the Z
    s_put_word(into, colour, TERM_DIM, at_ms ? time + 11 : time, 12); // 09:30:00.000
}

void
tapline_print(const tapline_t *line, bool topic, bool colour, size_t columns, nrs_buf_t *into)
{
    nrs_event_t event;
    if (nrs_event_open(line->event, &event))
        return; // tapline_decode() has checked it
    uint64_t severity = nrs_event_number(&event, NRS_VERDICT_severity);
    uint64_t tlp = nrs_event_number(&event, NRS_ORIGIN_tlp);
    const char *kind = s_word(NRS_ENUM_KIND, nrs_event_number(&event, NRS_ORIGIN_kind));
    size_t fixed = 12 + s_kind_columns + s_type_columns + 2 * s_word_columns + s_source_columns +
                   6 + (topic ? s_topic_columns + 1 : 0);
    size_t room = columns > fixed + s_value_columns_min ? columns - fixed : s_value_columns_min;
    s_put_time(&event, colour, into);
    if (topic) {
        term_put_cut(into, line->topic, s_topic_columns, true);
        nrs_buf_put_text(into, " ");
    }
    s_put_word(into, colour, TERM_CYAN, kind, s_kind_columns);
    nrs_bytes_t value = nrs_event_text(&event, NRS_ORIGIN_value);
    if (columns > 0)
        term_put_cut(into, value, room, true);
    else
        term_put_clean(into, value);
    nrs_buf_t type = { 0 };
    nrs_buf_printf(&type, "%s/%s",
                   s_word(NRS_ENUM_CLASS, nrs_event_number(&event, NRS_VERDICT_class)),
                   s_word(NRS_ENUM_TYPE, nrs_event_number(&event, NRS_VERDICT_type)));
    bool judged = nrs_event_has(&event, NRS_LAYER_VERDICT);
    nrs_buf_put_text(into, " ");
    s_put_word(into, colour, TERM_PLAIN, judged ? nrs_buf_cstr(&type) : "-", s_type_columns);
    s_put_word(into, colour, s_severity_colour(severity), s_word(NRS_ENUM_SEVERITY, severity),
               s_word_columns);
    s_put_word(into, colour, s_tlp_colour(tlp), s_word(NRS_ENUM_TLP, tlp), s_word_columns);
    term_put_cut(into, nrs_event_text(&event, NRS_ORIGIN_source), s_source_columns, false);
    nrs_buf_put_text(into, "\n");
    nrs_buf_free(&type);
}

void
tapline_json(const tapline_t *line, nrs_buf_t *into)
{
    nrs_buf_put_text(into, "{\"topic\":");
    nrs_buf_put_json_string(into, line->topic);
    nrs_buf_printf(into, ",\"lane\":%u,\"epoch\":%u,\"offset\":%llu,\"event\":", line->lane,
                   line->epoch, (unsigned long long)line->offset);
    NRS_IGNORE(nrs_event_json(line->event, into)); // tapline_decode() has checked it
    nrs_buf_put_text(into, "}\n");
}

// --- gaps ----------------------------------------------------------------------------------------

enum { s_gaps_max = 4096 }; // instances x topics x lanes that are watched; others are not missed

typedef struct s_seen {
    size_t instance;
    char topic[65];
    uint16_t lane;
    uint32_t epoch;
    uint64_t next;
} s_seen_t;

struct tapline_gaps {
    s_seen_t *seen; // owned
    size_t count, room;
};

tapline_gaps_t *
tapline_gaps_new(void)
{
    return nrs_new0(tapline_gaps_t);
}

void
tapline_gaps_destroy(tapline_gaps_t **self_p)
{
    tapline_gaps_t *self = *self_p;
    if (!self)
        return;
    free(self->seen);
    free(self);
    *self_p = NULL;
}

static s_seen_t *
s_find(tapline_gaps_t *self, size_t instance, const tapline_t *line)
{
    for (size_t i = 0; i < self->count; i++) {
        s_seen_t *seen = &self->seen[i];
        if (seen->instance == instance && seen->lane == line->lane &&
            nrs_bytes_is(line->topic, seen->topic))
            return seen;
    }
    if (self->count == s_gaps_max || line->topic.size >= sizeof self->seen->topic)
        return NULL;
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->seen = nrs_realloc(self->seen, self->room * sizeof *self->seen);
    }
    s_seen_t *seen = &self->seen[self->count++];
    *seen = (s_seen_t){ .instance = instance, .lane = line->lane };
    memcpy(seen->topic, line->topic.data, line->topic.size);
    return seen;
}

uint64_t
tapline_gaps_step(tapline_gaps_t *self, size_t instance, const tapline_t *line)
{
    s_seen_t *seen = s_find(self, instance, line);
    if (!seen)
        return 0;
    bool known = seen->next > 0 && seen->epoch == line->epoch && line->offset > seen->next;
    uint64_t missing = known ? line->offset - seen->next : 0;
    seen->epoch = line->epoch;
    seen->next = line->offset + 1;
    return missing;
}
