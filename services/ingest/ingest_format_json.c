// JSON lines, and JSON documents with their records at a dotted path.
#include <stdlib.h>

#include "services/ingest/ingest_format.h"

// A record is an object that the mapping reads, or a bare text, which is the value.
static bool
s_pick(ingest_reader_t *self, const nrs_json_value_t *record)
{
    nrs_json_pick(record, self->source->paths, self->values);
    if (record->type == NRS_JSON_TEXT)
        self->values[self->value_slot] = *record;
    return record->type == NRS_JSON_TEXT || record->type == NRS_JSON_OBJECT;
}

static nrs_err_t
s_line(ingest_reader_t *self, nrs_bytes_t line)
{
    nrs_bytes_t text = ingest_trim(line);
    if (text.size == 0 || ingest_begins(text, self->source->comment))
        return NRS_OK;
    nrs_json_value_t record;
    if (nrs_json_parse(self->json, text, &record))
        return ingest_reader_reject(self, nrs_json_reason(self->json), nrs_json_problem(self->json),
                                    line);
    if (!s_pick(self, &record))
        return ingest_reader_reject(self, "record-type", "a line is an object or a text", line);
    return ingest_reader_record(self, line);
}

// What stands at the dotted path `records`.
static nrs_err_t
s_find(ingest_reader_t *self, const nrs_json_value_t *root, nrs_json_value_t *ret_found)
{
    *ret_found = *root;
    for (nrs_bytes_t rest = self->source->records; rest.size;) {
        const uint8_t *dot = memchr(rest.data, '.', rest.size);
        size_t length = dot ? (size_t)(dot - rest.data) : rest.size;
        *ret_found = nrs_json_get(ret_found, nrs_bytes(rest.data, length));
        size_t past = dot ? length + 1 : length;
        rest = nrs_bytes(rest.data + past, rest.size - past);
    }
    return ret_found->type == NRS_JSON_ABSENT ? NRS_E_ABSENT : NRS_OK;
}

static nrs_err_t
s_open(ingest_reader_t *self, nrs_bytes_t document)
{
    nrs_json_value_t root, *records = nrs_new0(nrs_json_value_t);
    self->state = records;
    if (nrs_json_parse(self->json, document, &root))
        return ingest_reader_break(self, nrs_json_reason(self->json), nrs_json_problem(self->json),
                                   document);
    if (s_find(self, &root, records))
        return ingest_reader_break(self, "records-missing",
                                   "there is nothing at the path `records`", document);
    if (records->type != NRS_JSON_LIST && records->type != NRS_JSON_OBJECT)
        return ingest_reader_break(self, "record-type",
                                   "what stands at `records` is no list and no object", document);
    self->walk = nrs_json_walk(records);
    return NRS_OK;
}

static nrs_err_t
s_next(ingest_reader_t *self)
{
    const nrs_json_value_t *records = self->state;
    nrs_json_walk_t walk = self->walk;
    nrs_json_value_t record = *records;
    bool more = record.type == NRS_JSON_LIST ? nrs_json_walk_next(&walk, NULL, &record)
                                             : self->done == 0; // one record that is not in a list
    if (!more)
        return NRS_E_ABSENT;
    nrs_err_t err = NRS_OK;
    if (self->done >= self->skip_to)
        err = s_pick(self, &record)
                  ? ingest_reader_record_of(self, &record)
                  : ingest_reader_reject_of(self, "record-type", "a record is an object or a text",
                                            &record);
    if (!err)
        self->walk = walk; // otherwise it is read again
    return err;
}

static void
s_close(ingest_reader_t *self)
{
    nrs_json_value_t *records = self->state;
    self->state = NULL;
    free(records);
}

const ingest_format_t ingest_format_jsonl = { .mapped = true, .json = true, .line = s_line };
const ingest_format_t ingest_format_json = {
    .document = true,
    .mapped = true,
    .json = true,
    .open = s_open,
    .next = s_next,
    .close = s_close,
};
