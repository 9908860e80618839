// An event that passes the check can be read, printed and passed on, and what is passed on passes the check.
#include "common/event.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
s_read_all(nrs_bytes_t bytes, nrs_buf_t *json)
{
    nrs_event_t event;
    nrs_value_t value;
    if (nrs_event_open(bytes, &event))
        return; // but whatever opens can be asked for anything
    for (unsigned f = NRS_FIELD_MAX; f > 0; f--)
        if (nrs_event_get(&event, (nrs_field_t)(f - 1), &value))
            nrs_value_print((nrs_field_t)(f - 1), &value, json);
    nrs_buf_reset(json);
    NRS_ASSERT(nrs_event_json(bytes, json) == NRS_OK && nrs_utf8_ok(nrs_buf_bytes(json)));
}

static void
s_pass_on(nrs_bytes_t bytes, nrs_buf_t *into)
{
    static const nrs_field_t drop[] = { NRS_ORIGIN_originator, NRS_ORIGIN_tags, NRS_CONTEXT_lists };
    nrs_event_t event;
    nrs_context_t context = { .sightings = 2 };
    nrs_release_t release = { .recipient = nrs_text("peer") };
    NRS_ASSERT(nrs_event_open(bytes, &event) == NRS_OK);
    if (event.layers > NRS_LAYER_RELEASE || bytes.size > NRS_EVENT_BYTES_MAX - 64)
        return;
    nrs_event_append(into, bytes, NRS_LAYER_RELEASE, &release);
    NRS_ASSERT(nrs_event_check(nrs_buf_bytes(into), NULL) == NRS_OK);
    nrs_buf_reset(into);
    nrs_event_append_without(into, &event, drop, 3, NRS_LAYER_RELEASE, &release);
    NRS_ASSERT(nrs_event_check(nrs_buf_bytes(into), NULL) == NRS_OK);
    nrs_buf_reset(into);
    nrs_event_append_short(into, &event, &context);
    NRS_ASSERT(nrs_event_check(nrs_buf_bytes(into), NULL) == NRS_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_bytes_t bytes = nrs_bytes(data, size);
    nrs_buf_t scratch = { 0 };
    nrs_problem_t problem;
    s_read_all(bytes, &scratch);
    nrs_buf_reset(&scratch);
    if (nrs_event_check(bytes, &problem) == NRS_OK)
        s_pass_on(bytes, &scratch);
    nrs_buf_free(&scratch);
    return 0;
}
