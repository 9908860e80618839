// topic_store.c - a topic in a store: segments, lanes and acknowledgements in tables that all topics share
//
//   names   name                                  -> number (be16), lanes (be16)
//   log     number (be16) lane (be16) base (be64) -> segment
//   lanes   number (be16) lane (be16)             -> epoch (be32), first, next, bytes (be64 each), chain (16 bytes)
//   acks    number (be16) lane (be16) follower    -> epoch (be32), offset (be64)

#include "common/topic_part.h"

#include <stdlib.h>

enum { LOG_KEY_BYTES = 12, LANE_KEY_BYTES = 4, LANE_BYTES = 4 + 8 + 8 + 8 + 16, ACK_BYTES = 4 + 8 };

typedef struct s_stored {
    nrs_topic_t topic;
    nrs_topic_tables_t tables;
    uint16_t number;
} s_stored_t;

static s_stored_t *
s_stored(nrs_topic_t *topic)
{
    return (s_stored_t *)topic;
}

static void
s_log_key(uint16_t number, uint16_t lane, uint64_t base, uint8_t key[LOG_KEY_BYTES])
{
    nrs_put_be16(key, number);
    nrs_put_be16(key + 2, lane);
    nrs_put_be64(key + 4, base);
}

static nrs_err_t
s_put(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, nrs_segment_build_t *build, nrs_segment_head_t *head)
{
    s_stored_t *self = s_stored(topic);
    uint8_t key[LOG_KEY_BYTES], *room;
    s_log_key(self->number, lane, head->base, key);
    nrs_err_t err = nrs_txn_reserve(txn, self->tables.log, nrs_bytes(key, sizeof key),
                                    nrs_segment_build_bytes(build), &room);
    if (err)
        return err;
    nrs_segment_build_write(build, head, room);
    return NRS_OK;
}

static nrs_err_t
s_get(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, uint64_t offset, nrs_bytes_t *ret_segment)
{
    s_stored_t *self = s_stored(topic);
    uint8_t key[LOG_KEY_BYTES];
    s_log_key(self->number, lane, offset, key);
    nrs_bytes_t sought = nrs_bytes(key, sizeof key), found;
    if (nrs_txn_get(txn, self->tables.log, sought, ret_segment) == NRS_OK)
        return NRS_OK; // readers go from segment to segment: the usual case
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->tables.log, &scan);
    err = err ? err : nrs_scan_seek_back(scan, sought, &found, ret_segment);
    if (err)
        return err;
    return found.size == LOG_KEY_BYTES && memcmp(found.data, key, 4) == 0 ? NRS_OK : NRS_E_ABSENT;
}

static nrs_err_t
s_drop(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane, uint64_t base)
{
    s_stored_t *self = s_stored(topic);
    uint8_t key[LOG_KEY_BYTES];
    s_log_key(self->number, lane, base, key);
    return nrs_txn_drop(txn, self->tables.log, nrs_bytes(key, sizeof key));
}

static nrs_err_t
s_save_lane(nrs_topic_t *topic, nrs_txn_t *txn, uint16_t lane)
{
    s_stored_t *self = s_stored(topic);
    const nrs_lane_t *state = &topic->lanes[lane];
    uint8_t key[LANE_KEY_BYTES], value[LANE_BYTES];
    nrs_put_be16(key, self->number);
    nrs_put_be16(key + 2, lane);
    nrs_put_be32(value, state->epoch);
    nrs_put_be64(value + 4, state->first);
    nrs_put_be64(value + 12, state->next);
    nrs_put_be64(value + 20, state->bytes);
    nrs_put_be64(value + 28, state->chain.high);
    nrs_put_be64(value + 36, state->chain.low);
    return nrs_txn_put(txn, self->tables.lanes, nrs_bytes(key, sizeof key), nrs_bytes(value, sizeof value));
}

static nrs_err_t
s_load_lane(s_stored_t *self, nrs_txn_t *txn, uint16_t lane)
{
    uint8_t key[LANE_KEY_BYTES];
    nrs_put_be16(key, self->number);
    nrs_put_be16(key + 2, lane);
    nrs_bytes_t value;
    nrs_err_t err = nrs_txn_get(txn, self->tables.lanes, nrs_bytes(key, sizeof key), &value);
    if (err)
        return err == NRS_E_ABSENT ? s_save_lane(&self->topic, txn, lane) : err;
    if (value.size != LANE_BYTES)
        return NRS_E_CORRUPT;
    self->topic.lanes[lane] = (nrs_lane_t){
        .epoch = nrs_get_be32(value.data),
        .first = nrs_get_be64(value.data + 4),
        .next = nrs_get_be64(value.data + 12),
        .bytes = nrs_get_be64(value.data + 20),
        .chain = { .high = nrs_get_be64(value.data + 28), .low = nrs_get_be64(value.data + 36) },
    };
    return NRS_OK;
}

static nrs_bytes_t
s_ack_key(const s_stored_t *self, const char *follower, uint16_t lane,
          uint8_t key[LANE_KEY_BYTES + NRS_FOLLOWER_NAME_MAX])
{
    size_t length = strlen(follower);
    nrs_put_be16(key, self->number);
    nrs_put_be16(key + 2, lane);
    memcpy(key + LANE_KEY_BYTES, follower, length);
    return nrs_bytes(key, LANE_KEY_BYTES + length);
}

static nrs_err_t
s_save_ack(nrs_topic_t *topic, nrs_txn_t *txn, const char *follower, uint16_t lane, const nrs_place_t *place)
{
    s_stored_t *self = s_stored(topic);
    uint8_t key[LANE_KEY_BYTES + NRS_FOLLOWER_NAME_MAX], value[ACK_BYTES];
    nrs_put_be32(value, place->epoch);
    nrs_put_be64(value + 4, place->offset);
    return nrs_txn_put(txn, self->tables.acks, s_ack_key(self, follower, lane, key),
                       nrs_bytes(value, sizeof value));
}

static nrs_err_t
s_load_ack(nrs_topic_t *topic, nrs_txn_t *txn, const char *follower, uint16_t lane, nrs_place_t *ret_place)
{
    s_stored_t *self = s_stored(topic);
    uint8_t key[LANE_KEY_BYTES + NRS_FOLLOWER_NAME_MAX];
    nrs_bytes_t value;
    nrs_err_t err = nrs_txn_get(txn, self->tables.acks, s_ack_key(self, follower, lane, key), &value);
    if (err)
        return err;
    if (value.size != ACK_BYTES)
        return NRS_E_CORRUPT;
    *ret_place = (nrs_place_t){ .epoch = nrs_get_be32(value.data), .offset = nrs_get_be64(value.data + 4) };
    return NRS_OK;
}

static void
s_destroy(nrs_topic_t *topic)
{
    free(s_stored(topic));
}

static const nrs_topic_ops_t s_ops = {
    .put = s_put,
    .get = s_get,
    .drop = s_drop,
    .save_lane = s_save_lane,
    .save_ack = s_save_ack,
    .load_ack = s_load_ack,
    .destroy = s_destroy,
};

nrs_err_t
nrs_topic_tables_open(nrs_store_t *store, nrs_topic_tables_t *ret_tables)
{
    nrs_topic_tables_t tables;
    nrs_err_t err = nrs_store_table(store, "topic.names", &tables.names);
    err = err ? err : nrs_store_table(store, "topic.log", &tables.log);
    err = err ? err : nrs_store_table(store, "topic.lanes", &tables.lanes);
    err = err ? err : nrs_store_table(store, "topic.acks", &tables.acks);
    if (!err)
        *ret_tables = tables;
    return err;
}

// The topic's number, given out when its name is first seen.
static nrs_err_t
s_number(s_stored_t *self, nrs_txn_t *txn)
{
    nrs_bytes_t name = nrs_text(self->topic.options.name), value;
    nrs_err_t err = nrs_txn_get(txn, self->tables.names, name, &value);
    if (!err && value.size != 4)
        return NRS_E_CORRUPT;
    if (!err) {
        self->number = nrs_get_be16(value.data);
        return nrs_get_be16(value.data + 2) == self->topic.options.lanes ? NRS_OK : NRS_E_CONFIG;
    }
    if (err != NRS_E_ABSENT)
        return err;
    self->number = (uint16_t)(nrs_txn_count(txn, self->tables.names) + 1);
    uint8_t record[4];
    nrs_put_be16(record, self->number);
    nrs_put_be16(record + 2, self->topic.options.lanes);
    return nrs_txn_put(txn, self->tables.names, name, nrs_bytes(record, sizeof record));
}

nrs_err_t
nrs_topic_open(nrs_store_t *store, const nrs_topic_tables_t *tables, const nrs_topic_options_t *options,
               nrs_topic_t **ret_topic)
{
    s_stored_t *self = nrs_new0(s_stored_t);
    self->tables = *tables;
    nrs_topic_init(&self->topic, &s_ops, options);
    NRS_AUTO(nrs_topic) topic = &self->topic;
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(store, true, &txn);
    err = err ? err : s_number(self, txn);
    for (uint16_t lane = 0; !err && lane < options->lanes; lane++)
        err = s_load_lane(self, txn, lane);
    err = err ? err : nrs_txn_commit(&txn);
    if (err)
        return err;
    *ret_topic = NRS_TAKE(topic);
    return NRS_OK;
}
