#include "services/ingest/ingest_retry.h"

#include <stdio.h>

// Why the letter can't be read by itself; NULL: it can.
static const char *
s_why_not(const ingest_source_t *source, const nrs_dead_kept_t *dead)
{
    if (!source)
        return "its source is no longer declared";
    if (dead->bytes_total > dead->bytes.size)
        return "only its beginning was kept: submit it again";
    if (source->shape == INGEST_SHAPE_CSV && source->header != INGEST_HEADER_GIVEN)
        return "a row is nothing without its header: submit the file again, what was taken is "
               "known";
    if (source->shape == INGEST_SHAPE_STIX) // its markings may have been defined beside it
        return "an object is not read without its bundle: submit that again, what was taken is "
               "known";
    return NULL;
}

static nrs_err_t
s_back(const nrs_dead_kept_t *dead, const char *text, ingest_batch_t *batch)
{
    char reason[64];
    snprintf(reason, sizeof reason, "%.*s", (int)dead->reason.size,
             (const char *)dead->reason.data);
    nrs_dead_t again = { .reason = reason,
                         .text = text,
                         .source = dead->source,
                         .place = dead->place,
                         .bytes = dead->bytes,
                         .bytes_total = dead->bytes_total };
    batch->wrote = true;
    return nrs_out_dead(batch->out, &again);
}

static bool
s_room(void *me)
{
    (void)me; // one record
    return true;
}

nrs_err_t
ingest_retry(const ingest_sources_t *sources, const nrs_dead_kept_t *dead, ingest_batch_t *batch)
{
    const ingest_source_t *source = ingest_sources_get(sources, dead->source);
    const char *why_not = s_why_not(source, dead);
    if (why_not)
        return s_back(dead, why_not, batch);
    char input[INGEST_INPUT_MAX];
    ingest_limits_t limits = { NRS_DEAD_BYTES_MAX, NRS_DEAD_BYTES_MAX };
    ingest_tally_t tally = { .batch = batch, .source = source };
    ingest_sink_t sink = ingest_tally_sink(&tally);
    sink.room = s_room;
    snprintf(input, sizeof input, "%.*s", (int)dead->place.size, (const char *)dead->place.data);
    // The record of a document stands alone now.
    ingest_shape_t shape = source->shape == INGEST_SHAPE_JSON ? INGEST_SHAPE_JSONL : source->shape;
    ingest_reader_t *reader = ingest_reader_new(source, shape, input, &limits);
    ingest_reader_put(reader, dead->bytes);
    ingest_reader_end(reader);
    nrs_err_t err = ingest_reader_step(reader, &sink, (uint64_t)nrs_out_now(batch->out));
    ingest_reader_destroy(&reader);
    ingest_tally_free(&tally);
    return err;
}
