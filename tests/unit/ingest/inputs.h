// inputs.h - reads bytes of one source with a reader and notes, line by line, what the sink was
// given
// Shape:    "KIND VALUE" for an event, "! REASON PLACE" for a rejection, "-" for what was skipped.

#ifndef INPUTS_H
#define INPUTS_H

#include <stdio.h>
#include <stdlib.h>

#include "services/ingest/ingest_reader.h"

#define INPUTS_NOW_MS 1764806400000u // 2025-12-04T00:00:00Z

typedef struct inputs {
    nrs_config_t *config;
    nrs_directory_t *directory;
    ingest_sources_t *sources;
    ingest_limits_t limits;
    nrs_buf_t notes;
    size_t room;       // records until the sink has no room; 0: always
    size_t taken;      // since the last step
    nrs_origin_t last; // of the last event; its texts are gone
    char given[512];   // of the last event
    char claim[65];
    char record[257];
    char evidence[257];
    uint8_t id[NRS_ID_BYTES];
    uint64_t bytes_total; // of the last rejection
    size_t bytes_kept;
    char text[512];
} inputs_t;

static inline void
inputs_open(inputs_t *self, const char *sources_yaml)
{
    static const char head[] =
        "agreements:\n"
        "  mou: { title: Memorandum }\n"
        "members:\n"
        "  guard: { name: Guard, agreement: mou, tlp: amber, pap: green, onward: ask }\n";
    nrs_problem_t problem = { .text[0] = 0 };
    nrs_buf_t yaml = { 0 };
    nrs_buf_put_text(&yaml, head);
    nrs_buf_put_text(&yaml, sources_yaml);
    memset(self, 0, sizeof *self);
    self->limits = (ingest_limits_t){ 1 << 20, 1 << 20 };
    if (nrs_config_parse(nrs_buf_bytes(&yaml), "test.yaml", &problem, &self->config) ||
        nrs_directory_open(self->config, &problem, &self->directory) ||
        ingest_sources_open(self->config, self->directory, &problem, &self->sources)) {
        fprintf(stderr, "%s:%u: %s\n", problem.file, problem.line, problem.text);
        abort();
    }
    nrs_buf_free(&yaml);
}

static inline void
inputs_close(inputs_t *self)
{
    ingest_sources_destroy(&self->sources);
    nrs_directory_destroy(&self->directory);
    nrs_config_destroy(&self->config);
    nrs_buf_free(&self->notes);
}

static inline bool
inputs_room(void *me)
{
    inputs_t *self = me;
    return self->room == 0 || self->taken < self->room;
}

static inline void
inputs_copy(char *into, size_t bytes, nrs_bytes_t text)
{
    snprintf(into, bytes, "%.*s", (int)text.size, text.size ? (const char *)text.data : "");
}

static inline nrs_err_t
inputs_accept(void *me, const ingest_place_t *place, const nrs_origin_t *origin)
{
    inputs_t *self = me;
    (void)place;
    self->taken++;
    self->last = *origin;
    inputs_copy(self->given, sizeof self->given, origin->given);
    inputs_copy(self->claim, sizeof self->claim, origin->claim);
    inputs_copy(self->record, sizeof self->record, origin->record);
    inputs_copy(self->evidence, sizeof self->evidence, origin->evidence);
    memcpy(self->id, origin->id.data, NRS_ID_BYTES);
    nrs_buf_put_text(&self->notes, nrs_enum_word(NRS_ENUM_KIND, origin->kind));
    nrs_buf_put(&self->notes, " ", 1);
    nrs_buf_put(&self->notes, origin->value.data, origin->value.size);
    nrs_buf_put(&self->notes, "\n", 1);
    return NRS_OK;
}

static inline nrs_err_t
inputs_reject(void *me, const ingest_place_t *place, const ingest_reject_t *reject)
{
    inputs_t *self = me;
    char where[INGEST_INPUT_MAX + 32];
    self->taken++;
    self->bytes_total = reject->bytes_total;
    self->bytes_kept = reject->bytes.size;
    snprintf(self->text, sizeof self->text, "%s", reject->text);
    nrs_buf_printf(&self->notes, "! %s %s\n", reject->reason, ingest_place_print(place, where));
    return NRS_OK;
}

static inline void
inputs_skip(void *me)
{
    inputs_t *self = me;
    nrs_buf_put_text(&self->notes, "-\n");
}

static inline void
inputs_step(inputs_t *self, ingest_reader_t *reader)
{
    ingest_sink_t sink = { self, inputs_room, inputs_accept, inputs_reject, inputs_skip };
    nrs_err_t err;
    do {
        self->taken = 0;
        err = ingest_reader_step(reader, &sink, INPUTS_NOW_MS);
    } while (err == NRS_E_AGAIN);
    if (err)
        abort();
}

// Read `bytes` in pieces of `piece` bytes as input "in". Returns the notes.
static inline const char *
inputs_read(inputs_t *self, const char *source, nrs_bytes_t bytes, size_t piece)
{
    const ingest_source_t *found = ingest_sources_get(self->sources, nrs_text(source));
    if (!found)
        abort();
    ingest_reader_t *reader = ingest_reader_new(found, found->shape, "in", &self->limits);
    nrs_buf_reset(&self->notes);
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t left = bytes.size - at;
        ingest_reader_put(reader, nrs_bytes(bytes.data + at, left < piece ? left : piece));
        inputs_step(self, reader);
    }
    ingest_reader_end(reader);
    inputs_step(self, reader);
    ingest_reader_destroy(&reader);
    return nrs_buf_cstr(&self->notes);
}

#endif
