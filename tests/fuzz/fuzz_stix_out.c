// fuzz_stix_out.c - whatever passes for an event becomes valid JSON, as lines and as a bundle

#include "common/json.h"
#include "common/stix.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
s_assert_json(nrs_json_t *json, nrs_buf_t *text, size_t start, size_t end)
{
    nrs_json_value_t root;
    memset(nrs_buf_reserve(text, NRS_JSON_PADDING), 0, NRS_JSON_PADDING);
    NRS_ASSERT(nrs_json_parse(json, nrs_bytes(text->data + start, end - start), &root) == NRS_OK);
    NRS_ASSERT(root.type == NRS_JSON_OBJECT);
}

static void
s_write(nrs_stix_form_t form, nrs_bytes_t event, nrs_buf_t *into)
{
    nrs_stix_t *stix = nrs_stix_new(form, "live", "Centre");
    nrs_stix_begin(stix, into);
    NRS_IGNORE(nrs_stix_put(stix, event, into)); // an event about nothing leaves no trace
    nrs_stix_end(stix, into);
    nrs_stix_destroy(&stix);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_bytes_t event = nrs_bytes(data, size);
    if (nrs_event_check(event, NULL))
        return 0;
    nrs_json_t *json = nrs_json_new();
    nrs_buf_t text = { 0 };
    s_write(NRS_STIX_BUNDLE, event, &text);
    s_assert_json(json, &text, 0, text.size);
    nrs_buf_reset(&text);
    s_write(NRS_STIX_LINES, event, &text);
    for (size_t start = 0; start < text.size;) {
        const uint8_t *end = memchr(text.data + start, '\n', text.size - start);
        NRS_ASSERT(end);
        size_t stop = (size_t)(end - text.data);
        s_assert_json(json, &text, start, stop);
        start = stop + 1;
    }
    nrs_buf_free(&text);
    nrs_json_destroy(&json);
    return 0;
}
