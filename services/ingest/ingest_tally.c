#include "services/ingest/ingest_tally.h"

#include <stdio.h>
#include <stdlib.h>

void
ingest_tally_free(ingest_tally_t *self)
{
    free(self->told);
    self->told = NULL;
    self->told_count = 0;
}

static bool
s_room(void *me)
{
    const ingest_batch_t *batch = ((const ingest_tally_t *)me)->batch;
    return batch->records < INGEST_BATCH_RECORDS_MAX && batch->dead_bytes < INGEST_BATCH_DEAD_MAX &&
           nrs_out_room(batch->out);
}

static nrs_err_t
s_accept(void *me, const ingest_place_t *place, const nrs_origin_t *origin)
{
    ingest_tally_t *self = me;
    ingest_batch_t *batch = self->batch;
    nrs_origin_place_t where;
    (void)place; // it is in the event, as evidence
    batch->records++;
    nrs_err_t err =
        ingest_known_get(batch->known, nrs_out_txn(batch->out), origin->id.data, &where);
    if (err == NRS_OK) {
        self->known++;
        nrs_metric_add(batch->knew, 1);
        return NRS_OK;
    }
    if (err == NRS_E_ABSENT)
        err = nrs_out_report(batch->out, origin, &where);
    if (err) {
        self->full = err == NRS_E_FULL ? "store-full" : NULL;
        return err;
    }
    ingest_known_put(batch->known, origin->id.data, &where);
    batch->wrote = true;
    self->accepted++;
    nrs_metric_add(batch->accepted, 1);
    return NRS_OK;
}

static void
s_tell(ingest_tally_t *self, const char *place, const ingest_reject_t *reject)
{
    if (self->told_count == NRS_SUBMIT_REJECTIONS_MAX)
        return;
    if (!self->told)
        self->told = nrs_alloc0(NRS_SUBMIT_REJECTIONS_MAX, sizeof *self->told);
    ingest_told_t *told = &self->told[self->told_count++];
    snprintf(told->place, sizeof told->place, "%s", place);
    told->reason = reject->reason;
    snprintf(told->text, sizeof told->text, "%s", reject->text);
    told->bytes_size =
        reject->bytes.size < sizeof told->bytes ? reject->bytes.size : sizeof told->bytes;
    memcpy(told->bytes, reject->bytes.data, told->bytes_size);
}

static nrs_err_t
s_reject(void *me, const ingest_place_t *place, const ingest_reject_t *reject)
{
    ingest_tally_t *self = me;
    char where[INGEST_INPUT_MAX + 32];
    nrs_dead_t dead = { .reason = reject->reason,
                        .text = reject->text,
                        .source = nrs_text(self->source->name),
                        .place = nrs_text(ingest_place_print(place, where)),
                        .bytes = reject->bytes,
                        .bytes_total = reject->bytes_total };
    nrs_err_t err = nrs_out_dead(self->batch->out, &dead);
    if (err) {
        self->full = err == NRS_E_FULL ? "dead-letters-full" : NULL;
        return err;
    }
    self->batch->wrote = true;
    self->batch->records++;
    self->batch->dead_bytes += reject->bytes.size;
    self->rejected++;
    nrs_metric_add(self->batch->rejected, 1);
    s_tell(self, where, reject);
    return NRS_OK;
}

static void
s_skip(void *me)
{
    ingest_tally_t *self = me;
    self->skipped++;
    self->batch->records++;
    nrs_metric_add(self->batch->skipped, 1);
}

ingest_sink_t
ingest_tally_sink(ingest_tally_t *self)
{
    return (ingest_sink_t){ self, s_room, s_accept, s_reject, s_skip };
}
