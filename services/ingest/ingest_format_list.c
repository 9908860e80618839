// One indicator a line; a comment on a line of its own, or behind a blank ("192.0.2.0/24 ; SBL1").
#include "services/ingest/ingest_format.h"

static nrs_bytes_t
s_uncommented(nrs_bytes_t line, nrs_bytes_t comment)
{
    for (size_t i = 1; comment.size && i + comment.size <= line.size; i++)
        if (line.data[i - 1] <= ' ' && memcmp(line.data + i, comment.data, comment.size) == 0)
            return nrs_bytes(line.data, i);
    return line;
}

static nrs_err_t
s_line(ingest_reader_t *self, nrs_bytes_t line)
{
    nrs_bytes_t text = ingest_trim(line);
    if (text.size == 0 || ingest_begins(text, self->source->comment))
        return NRS_OK;
    if (!nrs_utf8_ok(line))
        return ingest_reader_reject(self, "utf8", "the line is not UTF-8", line);
    self->values[0] =
        (nrs_json_value_t){ .type = NRS_JSON_TEXT,
                            .text = ingest_trim(s_uncommented(text, self->source->comment)) };
    return ingest_reader_record(self, line);
}

static const ingest_map_t s_map[] = { { .field = NRS_ORIGIN_value, .slot = 0 } };

const ingest_format_t ingest_format_list = { .map = s_map, .map_count = 1, .line = s_line };
