#include "services/ingest/ingest_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/ingest/ingest_format.h"

// A CSV row may span lines; a quote that is never closed must not swallow the file.
enum { S_RECORD_LINES_MAX = 64 };

static const ingest_format_t *const s_formats[INGEST_SHAPE_MAX] = {
    [INGEST_SHAPE_LIST] = &ingest_format_list, [INGEST_SHAPE_HOSTS] = &ingest_format_hosts,
    [INGEST_SHAPE_CSV] = &ingest_format_csv,   [INGEST_SHAPE_JSONL] = &ingest_format_jsonl,
    [INGEST_SHAPE_JSON] = &ingest_format_json, [INGEST_SHAPE_STIX] = &ingest_format_stix,
};

const char *
ingest_place_print(const ingest_place_t *place, char into[INGEST_INPUT_MAX + 32])
{
    bool line = place->line != 0;
    unsigned long long number = line ? place->line : place->record;
    if (number)
        snprintf(into, INGEST_INPUT_MAX + 32, "%s%c%llu", place->input, line ? ':' : '#', number);
    else
        snprintf(into, INGEST_INPUT_MAX + 32, "%s", place->input);
    return into;
}

bool
ingest_begins(nrs_bytes_t text, nrs_bytes_t prefix)
{
    return prefix.size && text.size >= prefix.size &&
           memcmp(text.data, prefix.data, prefix.size) == 0;
}

// --- life ----------------------------------------------------------------------------------------

bool
ingest_reader_can(const ingest_source_t *source, ingest_shape_t shape)
{
    if (shape == INGEST_SHAPE_NONE || shape >= INGEST_SHAPE_MAX)
        return false;
    bool mapped = false;
    for (size_t i = 0; i < source->map_count; i++)
        mapped = mapped || source->map[i].field == NRS_ORIGIN_value;
    return mapped || !s_formats[shape]->mapped;
}

ingest_reader_t *
ingest_reader_new(const ingest_source_t *source, ingest_shape_t shape, const char *input,
                  const ingest_limits_t *limits)
{
    NRS_ASSERT(ingest_reader_can(source, shape));
    ingest_reader_t *self = nrs_new0(ingest_reader_t);
    self->source = source;
    self->format = s_formats[shape];
    self->limits = *limits;
    snprintf(self->input, sizeof self->input, "%s", input);
    self->place.input = self->input;
    self->record.source = source;
    self->record.map = self->format->mapped ? source->map : self->format->map;
    self->record.map_count = self->format->mapped ? source->map_count : self->format->map_count;
    for (size_t i = self->record.map_count; i-- > 0;)
        if (self->record.map[i].field == NRS_ORIGIN_value && !self->record.map[i].fixed)
            self->value_slot = self->record.map[i].slot;
    if (self->format->json)
        self->json = nrs_json_new();
    return self;
}

void
ingest_reader_destroy(ingest_reader_t **self_p)
{
    ingest_reader_t *self = *self_p;
    if (!self)
        return;
    if (self->format->close)
        self->format->close(self);
    if (self->json)
        nrs_json_destroy(&self->json);
    ingest_record_free(&self->record);
    nrs_buf_free(&self->bytes);
    nrs_buf_free(&self->kept);
    nrs_buf_free(&self->evidence);
    nrs_buf_free(&self->columns.scratch);
    nrs_buf_free(&self->columns.comment);
    free(self);
    *self_p = NULL;
}

void
ingest_reader_skip_to(ingest_reader_t *self, uint64_t cursor)
{
    self->skip_to = cursor;
}

uint64_t
ingest_reader_cursor(const ingest_reader_t *self)
{
    uint64_t cursor = self->format->document ? self->done : self->base + self->at;
    return cursor > self->skip_to ? cursor : self->skip_to;
}

bool
ingest_reader_broken(const ingest_reader_t *self)
{
    return self->broken != NULL;
}

const char *
ingest_reader_reason(const ingest_reader_t *self)
{
    return self->broken;
}

size_t
ingest_reader_held(const ingest_reader_t *self)
{
    return self->bytes.size + self->kept.size;
}

// --- for the formats -----------------------------------------------------------------------------

nrs_err_t
ingest_reader_reject(ingest_reader_t *self, const char *reason, const char *text, nrs_bytes_t raw)
{
    ingest_reject_t reject = { reason, text, raw, raw.size };
    if (reject.bytes.size > INGEST_KEPT_MAX)
        reject.bytes.size = INGEST_KEPT_MAX;
    return self->sink->reject(self->sink->me, &self->place, &reject);
}

nrs_err_t
ingest_reader_reject_of(ingest_reader_t *self, const char *reason, const char *text,
                        const nrs_json_value_t *record)
{
    nrs_buf_reset(&self->evidence);
    nrs_json_print(record, &self->evidence);
    return ingest_reader_reject(self, reason, text, nrs_buf_bytes(&self->evidence));
}

nrs_err_t
ingest_reader_break(ingest_reader_t *self, const char *reason, const char *text, nrs_bytes_t raw)
{
    self->broken = reason;
    return ingest_reader_reject(self, reason, text, raw);
}

// "FILE@OFFSET+BYTES", built backwards: it is made for every event.
static nrs_bytes_t
s_evidence(const ingest_reader_t *self, char room[INGEST_EVIDENCE_MAX])
{
    char *end = room + INGEST_EVIDENCE_MAX, *at = end;
    if (self->place.line == 0) {
        at = ingest_number_put(at, self->place.record);
        *--at = '#';
    } else {
        at = ingest_number_put(at, self->place.size);
        *--at = '+';
        at = ingest_number_put(at, self->place.offset);
        *--at = '@';
    }
    size_t length = strlen(self->input);
    at -= length;
    memcpy(at, self->input, length);
    return nrs_bytes(at, (size_t)(end - at));
}

// Accept the parts of the record; the first that can't be taken leaves *fault.
static nrs_err_t
s_parts(ingest_reader_t *self, ingest_fault_t *fault)
{
    char evidence[INGEST_EVIDENCE_MAX];
    nrs_origin_t origin;
    for (unsigned part = 0; part < 2; part++) {
        nrs_err_t err =
            ingest_record_read(&self->record, self->values, part, self->now_ms, &origin, fault);
        if (err == NRS_E_ABSENT)
            return NRS_OK;
        if (err)
            return NRS_E_FORMAT;
        origin.evidence = s_evidence(self, evidence);
        err = self->sink->accept(self->sink->me, &self->place, &origin);
        if (err)
            return err;
    }
    return NRS_OK;
}

nrs_err_t
ingest_reader_record(ingest_reader_t *self, nrs_bytes_t raw)
{
    ingest_fault_t fault; // its text is written only when there is a reason
    fault.reason = NULL;
    nrs_err_t err = s_parts(self, &fault);
    return fault.reason ? ingest_reader_reject(self, fault.reason, fault.text, raw) : err;
}

nrs_err_t
ingest_reader_record_of(ingest_reader_t *self, const nrs_json_value_t *record)
{
    ingest_fault_t fault; // its text is written only when there is a reason
    fault.reason = NULL;
    nrs_err_t err = s_parts(self, &fault);
    return fault.reason ? ingest_reader_reject_of(self, fault.reason, fault.text, record) : err;
}

// --- bytes in ------------------------------------------------------------------------------------

void
ingest_reader_put(ingest_reader_t *self, nrs_bytes_t bytes)
{
    if (self->broken)
        return;
    if (self->at) {
        self->base += self->at;
        self->bytes.size -= self->at;
        memmove(self->bytes.data, self->bytes.data + self->at, self->bytes.size);
        self->at = 0;
    }
    nrs_buf_put(&self->bytes, bytes.data, bytes.size);
    nrs_buf_reserve(&self->bytes, NRS_JSON_PADDING);
}

void
ingest_reader_end(ingest_reader_t *self)
{
    self->ended = true;
    self->scanned = 0; // the last line needs no line end
}

static nrs_bytes_t
s_unread(const ingest_reader_t *self)
{
    if (self->bytes.size == 0)
        return NRS_NONE;
    return nrs_bytes(self->bytes.data + self->at, self->bytes.size - self->at);
}

// What is no text at all is refused at its first bytes, rather than line by line.
static nrs_err_t
s_begin(ingest_reader_t *self)
{
    static const struct {
        const char *bytes;
        const char *reason;
        const char *text;
    } marks[] = {
        { "\x1f\x8b", "compressed", "it starts with 1f 8b, so it is gzip: unpack it first" },
        { "PK\x03\x04", "compressed",
          "it starts with 50 4b 03 04, so it is a ZIP archive: unpack it first" },
        { "\x28\xb5\x2f\xfd", "compressed",
          "it starts with 28 b5 2f fd, so it is zstd: unpack it first" },
        { "\xfd"
          "7zXZ",
          "compressed", "it starts with fd 37 7a 58 5a, so it is xz: unpack it first" },
        { "\xff\xfe", "encoding", "it starts with ff fe, so it is UTF-16: UTF-8 is wanted" },
        { "\xfe\xff", "encoding", "it starts with fe ff, so it is UTF-16: UTF-8 is wanted" },
    };
    nrs_bytes_t unread = s_unread(self);
    if (unread.size < 6 && !self->ended)
        return NRS_OK;
    self->begun = true;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (ingest_begins(unread, nrs_text(marks[i].bytes)))
            return ingest_reader_break(self, marks[i].reason, marks[i].text, unread);
    if (ingest_begins(unread, nrs_text("\xef\xbb\xbf"))) // a byte order mark says nothing in UTF-8
        self->at += 3;
    return NRS_OK;
}

// --- lines ---------------------------------------------------------------------------------------

static void
s_drop(ingest_reader_t *self, size_t bytes)
{
    size_t room = INGEST_KEPT_MAX - self->kept.size;
    nrs_buf_put(&self->kept, self->bytes.data + self->at, bytes < room ? bytes : room);
    self->dropped += bytes;
    self->at += bytes;
    self->scanned = 0;
}

// A line that is too long has ended: one dead letter with its beginning.
static nrs_err_t
s_dropped(ingest_reader_t *self)
{
    ingest_reject_t reject = { "too-long", "the line is longer than the limit (line_max)",
                               nrs_buf_bytes(&self->kept), self->dropped };
    self->place.size = self->dropped;
    self->place.offset = self->base + self->at - self->dropped;
    self->place.line++;
    nrs_err_t err = NRS_OK;
    if (self->place.offset >= self->skip_to)
        err = self->sink->reject(self->sink->me, &self->place, &reject);
    self->dropped = 0;
    nrs_buf_free(&self->kept);
    return err;
}

// How many bytes up to and with the next line end behind `from`; 0: there is none yet.
static size_t
s_line_end(ingest_reader_t *self, size_t from)
{
    nrs_bytes_t unread = s_unread(self);
    if (from >= unread.size)
        return 0;
    const uint8_t *end = memchr(unread.data + from, '\n', unread.size - from);
    if (end)
        return (size_t)(end - unread.data) + 1;
    return self->ended ? unread.size : 0;
}

// A row goes on over the next lines while its quotes are open. Gives the first line alone when they
// never close.
static size_t
s_record_end(ingest_reader_t *self, size_t first, uint64_t *ret_lines)
{
    size_t end = first;
    *ret_lines = 1;
    if (!self->format->whole)
        return first;
    for (uint64_t lines = 1; lines <= S_RECORD_LINES_MAX && end <= self->limits.line_bytes;
         lines++) {
        if (self->format->whole(self, nrs_bytes(self->bytes.data + self->at, end))) {
            *ret_lines = lines;
            return end;
        }
        size_t next = s_line_end(self, end);
        if (next == 0)
            return self->ended ? first : 0;
        end = next;
    }
    return first;
}

static nrs_err_t
s_line(ingest_reader_t *self, size_t size, uint64_t lines)
{
    self->place.line++;
    self->place.offset = self->base + self->at;
    self->place.size = size;
    nrs_bytes_t line = nrs_bytes(self->bytes.data + self->at, size);
    while (line.size && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    bool taken = false;
    nrs_err_t err = NRS_OK;
    if (self->format->preamble)
        err = self->format->preamble(self, line, &taken);
    if (!err && !taken && !self->broken && self->place.offset >= self->skip_to && line.size)
        err = self->format->line(self, line);
    if (err) {
        self->place.line--;
        return err;
    }
    self->place.line += lines - 1;
    self->at += size;
    self->scanned = 0;
    return NRS_OK;
}

// The line under way is longer than allowed: let it go by until its end.
static nrs_err_t
s_too_long(ingest_reader_t *self, size_t end)
{
    s_drop(self, end ? end : s_unread(self).size);
    return end || self->ended ? s_dropped(self) : NRS_OK;
}

static nrs_err_t
s_step_lines(ingest_reader_t *self)
{
    while (!self->broken) {
        size_t unread = s_unread(self).size;
        if (unread == 0)
            return self->dropped && self->ended ? s_dropped(self) : NRS_OK;
        if (!self->sink->room(self->sink->me))
            return NRS_E_AGAIN;
        size_t end = s_line_end(self, self->scanned);
        nrs_err_t err = NRS_OK;
        uint64_t lines = 1;
        if (self->dropped || (end ? end : unread) > self->limits.line_bytes) {
            err = s_too_long(self, end);
        } else if (end == 0 || (end = s_record_end(self, end, &lines)) == 0) {
            self->scanned = self->format->whole ? 0 : unread;
            return NRS_OK;
        } else {
            err = s_line(self, end, lines);
        }
        if (err)
            return err;
    }
    return NRS_OK;
}

// --- documents -----------------------------------------------------------------------------------

static nrs_err_t
s_parse(ingest_reader_t *self)
{
    nrs_bytes_t document = ingest_trim(s_unread(self));
    self->parsed = true;
    if (document.size == 0) {
        self->at = self->bytes.size;
        return NRS_OK;
    }
    self->place.size = document.size;
    return self->format->open(self, document);
}

static nrs_err_t
s_step_document(ingest_reader_t *self)
{
    if (s_unread(self).size > self->limits.document_bytes)
        return ingest_reader_break(self, "too-long",
                                   "the document is longer than the limit (document_max)",
                                   s_unread(self));
    if (!self->ended)
        return NRS_OK;
    if (!self->parsed) {
        nrs_err_t err = s_parse(self);
        if (err)
            return err;
    }
    while (!self->broken && s_unread(self).size > 0) {
        if (!self->sink->room(self->sink->me))
            return NRS_E_AGAIN;
        self->place.record = self->done + 1;
        nrs_err_t err = self->format->next(self);
        if (err)
            return err == NRS_E_ABSENT ? NRS_OK : err;
        self->done++;
    }
    return NRS_OK;
}

nrs_err_t
ingest_reader_step(ingest_reader_t *self, const ingest_sink_t *sink, uint64_t now_ms)
{
    self->sink = sink;
    self->now_ms = now_ms;
    if (!self->begun && !self->broken) {
        nrs_err_t err = s_begin(self);
        if (err || !self->begun)
            return err;
    }
    if (self->broken)
        return NRS_OK;
    return self->format->document ? s_step_document(self) : s_step_lines(self);
}
