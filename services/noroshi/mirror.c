#include "services/noroshi/mirror.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/plan.h"

enum { LOG_KEY_BYTES = 2 + 4 + 8, PLACE_BYTES = 4 + 8 + 16, SOURCE_MAX = 256 };

struct mirror {
    nrs_store_t *store;
    nrs_store_table_t log;
    nrs_store_table_t places;
    nrs_txn_t *txn; // open while something is appended
};

static const char s_stream_key[] = "stream";

// The copy says of which topic it is, so that two are never mixed.
static nrs_err_t
s_check_stream(mirror_t *self, uint64_t stream, mirror_use_t use)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_bytes_t found = NRS_NONE;
    uint8_t bytes[8];
    nrs_put_be64(bytes, stream);
    nrs_err_t err = nrs_txn_begin(self->store, use == MIRROR_KEEP, &txn);
    err = err ? err : nrs_txn_get(txn, self->places, nrs_text(s_stream_key), &found);
    if (err == NRS_E_ABSENT && use == MIRROR_KEEP) {
        err = nrs_txn_put(txn, self->places, nrs_text(s_stream_key), nrs_bytes(bytes, sizeof bytes));
        return err ? err : nrs_txn_commit(&txn);
    }
    if (err)
        return err;
    return nrs_bytes_equal(found, nrs_bytes(bytes, sizeof bytes)) ? NRS_OK : NRS_E_CONFIG;
}

nrs_err_t
mirror_open(const char *path, uint64_t stream, mirror_use_t use, nrs_problem_t *reterr, mirror_t **ret_mirror)
{
    NRS_AUTO(mirror) self = nrs_new0(mirror_t);
    nrs_store_options_t options = { .path = path, .read_only = use == MIRROR_READ };
    nrs_err_t err = nrs_store_open(&options, reterr, &self->store);
    if (err)
        return err;
    err = nrs_store_table(self->store, "mirror.log", &self->log);
    err = err ? err : nrs_store_table(self->store, "mirror.places", &self->places);
    err = err ? err : s_check_stream(self, stream, use);
    if (err == NRS_E_ABSENT)
        return nrs_problem_set(reterr, err, path, 0, 0, "nothing has been kept there yet");
    if (err == NRS_E_CONFIG)
        return nrs_problem_set(reterr, err, path, 0, 0,
                               "holds another topic or realm; give each topic a directory of its own");
    if (err)
        return nrs_problem_set(reterr, err, path, 0, 0, "cannot be read");
    *ret_mirror = NRS_TAKE(self);
    return NRS_OK;
}

void
mirror_destroy(mirror_t **self_p)
{
    mirror_t *self = *self_p;
    if (!self)
        return;
    nrs_txn_destroy(&self->txn);
    nrs_store_destroy(&self->store);
    free(self);
    *self_p = NULL;
}

static nrs_bytes_t
s_place_key(const char *source, uint16_t lane, uint8_t key[SOURCE_MAX + 3])
{
    size_t length = strlen(source);
    length = length < SOURCE_MAX ? length : SOURCE_MAX;
    memcpy(key, source, length);
    key[length] = 0;
    nrs_put_be16(key + length + 1, lane);
    return nrs_bytes(key, length + 3);
}

nrs_err_t
mirror_places(mirror_t *self, const char *source, nrs_place_t *ret_places)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(self->store, false, &txn);
    for (uint16_t lane = 0; !err && lane < NRS_LANES_MAX; lane++) {
        uint8_t key[SOURCE_MAX + 3];
        nrs_bytes_t value;
        ret_places[lane] = (nrs_place_t){ 0 };
        err = nrs_txn_get(txn, self->places, s_place_key(source, lane, key), &value);
        if (!err && value.size != PLACE_BYTES)
            return NRS_E_CORRUPT;
        if (!err)
            ret_places[lane] = (nrs_place_t){
                .epoch = nrs_get_be32(value.data),
                .offset = nrs_get_be64(value.data + 4),
                .chain = { .high = nrs_get_be64(value.data + 12), .low = nrs_get_be64(value.data + 20) },
            };
        err = err == NRS_E_ABSENT ? NRS_OK : err;
    }
    return err;
}

static void
s_log_key(const nrs_segment_head_t *head, uint8_t key[LOG_KEY_BYTES])
{
    nrs_put_be16(key, head->lane);
    nrs_put_be32(key + 2, head->epoch);
    nrs_put_be64(key + 6, head->base);
}

nrs_err_t
mirror_append(mirror_t *self, const char *source, const nrs_segment_t *segment)
{
    nrs_err_t err = self->txn ? NRS_OK : nrs_txn_begin(self->store, true, &self->txn);
    if (err)
        return err;
    uint8_t key[LOG_KEY_BYTES], place_key[SOURCE_MAX + 3], value[PLACE_BYTES];
    s_log_key(&segment->head, key);
    err = nrs_txn_put(self->txn, self->log, nrs_bytes(key, sizeof key), segment->bytes);
    if (err)
        return err;
    nrs_place_t place = nrs_segment_after(segment);
    nrs_put_be32(value, place.epoch);
    nrs_put_be64(value + 4, place.offset);
    nrs_put_be64(value + 12, place.chain.high);
    nrs_put_be64(value + 20, place.chain.low);
    return nrs_txn_put(self->txn, self->places, s_place_key(source, segment->head.lane, place_key),
                       nrs_bytes(value, sizeof value));
}

nrs_err_t
mirror_commit(mirror_t *self)
{
    return self->txn ? nrs_txn_commit(&self->txn) : NRS_OK;
}

// Verify one kept segment: its own checksum, and that it follows the one before of the same lane and epoch.
static nrs_err_t
s_verify(nrs_bytes_t bytes, nrs_segment_t *before, nrs_segment_t *ret_segment)
{
    nrs_err_t err = nrs_segment_open(bytes, ret_segment);
    if (err)
        return NRS_E_CORRUPT;
    bool same = before->bytes.data && before->head.lane == ret_segment->head.lane &&
                before->head.epoch == ret_segment->head.epoch;
    nrs_place_t place = nrs_segment_after(before);
    if (same && nrs_segment_follows(ret_segment, &place))
        return NRS_E_CORRUPT;
    *before = *ret_segment;
    return NRS_OK;
}

nrs_err_t
mirror_walk(mirror_t *self, nrs_err_t (*each)(void *me, const nrs_segment_t *segment), void *me)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_bytes_t key, bytes;
    nrs_segment_t segment, before = { 0 };
    nrs_err_t err = nrs_txn_begin(self->store, false, &txn);
    err = err ? err : nrs_scan_open(txn, self->log, &scan);
    err = err ? err : nrs_scan_seek(scan, NRS_NONE, &key, &bytes);
    while (!err) {
        err = s_verify(bytes, &before, &segment);
        err = err ? err : each(me, &segment);
        err = err ? err : nrs_scan_next(scan, &key, &bytes);
    }
    return err == NRS_E_ABSENT ? NRS_OK : err;
}
