// RFC 4180, as it occurs: blanks around quoted fields, comments before the header, the header in
// the last comment. Columns are found by their names: feeds insert new ones without notice.
#include "services/ingest/ingest_format.h"

typedef enum s_end { S_END_FIELD, S_END_ROW, S_END_OPEN, S_END_BAD } s_end_t;

// Where the quoted field that starts at row[*at] ends; doubled quotes are undone into `scratch`,
// which has room.
static s_end_t
s_quoted(nrs_bytes_t row, size_t *at, nrs_buf_t *scratch, nrs_bytes_t *ret_field)
{
    size_t start = ++*at;
    uint8_t *copy = scratch ? scratch->data + scratch->size : NULL;
    size_t copied = 0;
    for (size_t i = start; i < row.size; i++) {
        if (row.data[i] != '"')
            continue;
        if (i + 1 < row.size && row.data[i + 1] == '"') {
            if (copy)
                memcpy(copy + copied, row.data + start, i + 1 - start);
            copied += i + 1 - start;
            start = ++i + 1;
            continue;
        }
        *ret_field = nrs_bytes(row.data + start, i - start);
        if (copied && copy) {
            memcpy(copy + copied, row.data + start, i - start);
            *ret_field = nrs_bytes(copy, copied + i - start);
            scratch->size += copied + i - start;
        }
        *at = i + 1;
        return S_END_FIELD;
    }
    return S_END_OPEN;
}

// The field at row[*at]; leaves *at behind its delimiter.
static s_end_t
s_field(nrs_bytes_t row, char delimiter, size_t *at, nrs_buf_t *scratch, nrs_bytes_t *ret_field)
{
    size_t begin = *at;
    while (begin < row.size && row.data[begin] == ' ' && delimiter != ' ')
        begin++;
    if (begin < row.size && row.data[begin] == '"') {
        *at = begin;
        s_end_t end = s_quoted(row, at, scratch, ret_field);
        if (end == S_END_OPEN)
            return end;
        while (*at < row.size && row.data[*at] <= ' ' && row.data[*at] != (uint8_t)delimiter)
            ++*at;
        if (*at == row.size)
            return S_END_ROW;
        return row.data[(*at)++] == (uint8_t)delimiter ? S_END_FIELD : S_END_BAD;
    }
    const uint8_t *end = *at < row.size ? memchr(row.data + *at, delimiter, row.size - *at) : NULL;
    size_t length = end ? (size_t)(end - row.data) - *at : row.size - *at;
    *ret_field = nrs_bytes(row.data + *at, length);
    *at += length + 1;
    return end ? S_END_FIELD : S_END_ROW;
}

static bool
s_whole(const ingest_reader_t *self, nrs_bytes_t record)
{
    if (!memchr(record.data, '"', record.size) || ingest_begins(record, self->source->comment))
        return true;
    s_end_t end = S_END_FIELD;
    nrs_bytes_t field;
    for (size_t at = 0; end == S_END_FIELD;)
        end = s_field(record, self->source->delimiter, &at, NULL, &field);
    return end != S_END_OPEN;
}

// --- the header ----------------------------------------------------------------------------------

static void
s_column(ingest_reader_t *self, nrs_bytes_t name)
{
    ingest_columns_t *columns = &self->columns;
    int16_t *slot = &columns->slots[columns->count++];
    *slot = -1;
    name = ingest_trim(name);
    for (size_t i = 0; i < nrs_json_paths_count(self->source->paths); i++)
        if (nrs_bytes_equal(nrs_json_paths_text(self->source->paths, i), name))
            *slot = (int16_t)i;
    for (size_t i = 0; i + 1 < columns->count; i++)
        if (columns->slots[i] == *slot)
            *slot = -1; // of two columns with one name the first counts
}

static bool
s_has_value(const ingest_reader_t *self)
{
    for (size_t i = 0; i < self->source->map_count; i++) {
        const ingest_map_t *row = &self->source->map[i];
        for (size_t k = 0; row->field == NRS_ORIGIN_value && k < self->columns.count; k++)
            if (row->fixed || self->columns.slots[k] == (int16_t)row->slot)
                return true;
    }
    return false;
}

static nrs_err_t
s_header(ingest_reader_t *self, nrs_bytes_t line)
{
    nrs_bytes_t name;
    self->columns.known = true;
    nrs_buf_reset(&self->columns.scratch);
    nrs_buf_reserve(&self->columns.scratch, line.size);
    s_end_t end = S_END_FIELD;
    for (size_t at = 0; end == S_END_FIELD && self->columns.count < INGEST_COLUMNS_MAX;) {
        end = s_field(line, self->source->delimiter, &at, &self->columns.scratch, &name);
        if (end == S_END_FIELD || end == S_END_ROW)
            s_column(self, name);
    }
    if (end != S_END_ROW)
        return ingest_reader_break(self, "header",
                                   "the header is no CSV row, or has too many columns", line);
    if (!s_has_value(self))
        return ingest_reader_break(self, "header",
                                   "the header lacks the column that is mapped to value", line);
    return NRS_OK;
}

static void
s_header_given(ingest_reader_t *self)
{
    self->columns.known = true;
    for (size_t i = 0; i < self->source->column_count; i++)
        s_column(self, self->source->columns[i]);
}

static nrs_err_t
s_preamble(ingest_reader_t *self, nrs_bytes_t line, bool *ret_taken)
{
    nrs_bytes_t text = ingest_trim(line), comment = self->source->comment;
    bool is_comment = ingest_begins(text, comment);
    *ret_taken = is_comment || text.size == 0;
    if (self->columns.known || text.size == 0)
        return NRS_OK;
    if (self->source->header == INGEST_HEADER_GIVEN) {
        s_header_given(self);
        return NRS_OK;
    }
    if (is_comment) {
        nrs_bytes_t said =
            ingest_trim(nrs_bytes(text.data + comment.size, text.size - comment.size));
        if (said.size && self->source->header == INGEST_HEADER_COMMENT) {
            nrs_buf_reset(&self->columns.comment);
            nrs_buf_put(&self->columns.comment, said.data, said.size);
        }
        return NRS_OK;
    }
    if (self->source->header == INGEST_HEADER_COMMENT)
        return s_header(self, nrs_buf_bytes(&self->columns.comment));
    *ret_taken = true;
    return s_header(self, line);
}

// --- rows ----------------------------------------------------------------------------------------

static bool
s_says_nothing(nrs_bytes_t field)
{
    return field.size == 0 || nrs_bytes_is(field, "None") || nrs_bytes_is(field, "null") ||
           nrs_bytes_is(field, "NULL");
}

static nrs_err_t
s_line(ingest_reader_t *self, nrs_bytes_t line)
{
    ingest_columns_t *columns = &self->columns;
    if (!nrs_utf8_ok(line))
        return ingest_reader_reject(self, "utf8", "the row is not UTF-8", line);
    for (size_t i = 0; i < nrs_json_paths_count(self->source->paths); i++)
        self->values[i].type = NRS_JSON_ABSENT;
    nrs_buf_reset(&columns->scratch);
    nrs_buf_reserve(&columns->scratch, line.size);
    s_end_t end = S_END_FIELD;
    nrs_bytes_t field = NRS_NONE;
    size_t at = 0;
    for (size_t i = 0; i < columns->count && end == S_END_FIELD; i++) {
        end = s_field(line, self->source->delimiter, &at, &columns->scratch, &field);
        if (end > S_END_ROW)
            return ingest_reader_reject(self, "csv",
                                        end == S_END_OPEN
                                            ? "a quote is not closed"
                                            : "a quoted field goes on behind its quote",
                                        line);
        field = ingest_trim(field);
        if (columns->slots[i] >= 0 && !s_says_nothing(field))
            self->values[columns->slots[i]] =
                (nrs_json_value_t){ .type = NRS_JSON_TEXT, .text = field };
    }
    if (end == S_END_FIELD && at < line.size)
        return ingest_reader_reject(self, "columns", "the row has more fields than the header",
                                    line);
    return ingest_reader_record(self, line);
}

const ingest_format_t ingest_format_csv = {
    .mapped = true,
    .preamble = s_preamble,
    .whole = s_whole,
    .line = s_line,
};
