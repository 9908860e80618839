#include "services/classify/classify_reason.h"

#include <stdlib.h>

enum { PARTS_MAX = 17 };        // eight fields with words around them
enum { FIELD_BYTES_MAX = 120 }; // of one field, so that a long URL leaves room for the words

typedef struct s_part {
    nrs_field_t field; // NRS_FIELD_MAX: words
    nrs_bytes_t words; // borrowed from `text`
} s_part_t;

struct classify_reason {
    char *text; // owned
    size_t count;
    s_part_t parts[PARTS_MAX];
};

void
classify_reason_destroy(classify_reason_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    free((*self_p)->text);
    free(*self_p);
    *self_p = NULL;
}

// The part that begins at `at`: a field in braces, one brace for two, or words up to the next
// brace. Returns its length, or 0 with *reterr.
static size_t
s_part(const char *at, nrs_problem_t *reterr, s_part_t *part)
{
    *part = (s_part_t){ .field = NRS_FIELD_MAX };
    if (at[0] != '{') {
        part->words = nrs_bytes(at, strcspn(at, "{"));
        return part->words.size;
    }
    if (at[1] == '{') {
        part->words = nrs_bytes(at, 1);
        return 2;
    }
    size_t size = strcspn(at + 1, "{}");
    if (at[1 + size] == '}')
        part->field = nrs_field_find(nrs_bytes(at + 1, size));
    if (part->field != NRS_FIELD_MAX)
        return size + 2;
    nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0,
                    "\"{%.*s}\" is no field; write \"{{\" for a brace",
                    (int)(size > 60 ? 60 : size), at + 1);
    return 0;
}

nrs_err_t
classify_reason_new(const char *text, nrs_problem_t *reterr, size_t *ret_offset,
                    classify_reason_t **ret_reason)
{
    NRS_AUTO(classify_reason) self = nrs_new0(classify_reason_t);
    self->text = nrs_strdup(text);
    size_t offset = 0;
    while (self->text[offset]) {
        size_t size = 0;
        if (self->count == PARTS_MAX)
            nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "a reason has at most %d parts",
                            PARTS_MAX);
        else
            size = s_part(self->text + offset, reterr, &self->parts[self->count]);
        if (size == 0) {
            if (ret_offset)
                *ret_offset = offset;
            return NRS_E_FORMAT;
        }
        self->count++;
        offset += size;
    }
    *ret_reason = NRS_TAKE(self);
    return NRS_OK;
}

// As much of the text as fits, cut between characters.
static size_t
s_fit(nrs_bytes_t text, size_t room)
{
    if (text.size <= room)
        return text.size;
    while (room > 0 && (text.data[room] & 0xc0) == 0x80)
        room--;
    return room;
}

static nrs_bytes_t
s_field(nrs_field_t field, nrs_event_t *event, nrs_buf_t *print)
{
    nrs_value_t value;
    if (!nrs_event_get(event, field, &value))
        return nrs_text("unknown");
    nrs_buf_reset(print);
    nrs_value_print(field, &value, print);
    nrs_bytes_t text = nrs_buf_bytes(print);
    size_t size = s_fit(text, FIELD_BYTES_MAX);
    if (size == text.size)
        return text;
    print->size = size;
    nrs_buf_put_text(print, "...");
    return nrs_buf_bytes(print);
}

size_t
classify_reason_print(const classify_reason_t *self, nrs_event_t *event, nrs_buf_t *print,
                      char *into, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < self->count; i++) {
        const s_part_t *part = &self->parts[i];
        nrs_bytes_t text =
            part->field == NRS_FIELD_MAX ? part->words : s_field(part->field, event, print);
        size_t size = s_fit(text, room - used);
        memcpy(into + used, text.data, size);
        used += size;
        if (size < text.size)
            break;
    }
    return used;
}
