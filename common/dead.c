#include "common/dead.h"

#include "common/codec.h"
#include "common/event.h"
#include "common/hash.h"

#include <stdlib.h>

enum { RECORD_VERSION = 1, RECORD_ITEMS = 8, TEXT_MAX = 1024 };

struct nrs_dead_letters {
    nrs_store_table_t table; // id (be64) -> msgpack [version, at, reason, text, source, place, bytes, total]
    nrs_store_table_t known; // hash of source, place and bytes (16 bytes) -> id (be64)
    uint64_t letters_max;
    uint64_t bytes_max;
    uint64_t next;
    uint64_t count;
    uint64_t bytes;
    nrs_buf_t record;
};

static nrs_err_t
s_decode(nrs_bytes_t key, nrs_bytes_t value, nrs_dead_kept_t *ret_kept)
{
    nrs_walk_t walk = nrs_walk(value);
    uint32_t count;
    uint64_t version, at;
    if (key.size != 8)
        return NRS_E_CORRUPT;
    nrs_dead_kept_t kept = { .id = nrs_get_be64(key.data) };
    nrs_err_t err = nrs_walk_array(&walk, RECORD_ITEMS, &count);
    err = err ? err : nrs_walk_uint(&walk, RECORD_VERSION, &version);
    err = err ? err : nrs_walk_uint(&walk, INT64_MAX, &at);
    err = err ? err : nrs_walk_str(&walk, TEXT_MAX, &kept.reason);
    err = err ? err : nrs_walk_str(&walk, TEXT_MAX, &kept.text);
    err = err ? err : nrs_walk_bin(&walk, TEXT_MAX, &kept.source);
    err = err ? err : nrs_walk_bin(&walk, TEXT_MAX, &kept.place);
    err = err ? err : nrs_walk_bin(&walk, NRS_DEAD_BYTES_MAX, &kept.bytes);
    err = err ? err : nrs_walk_uint(&walk, UINT64_MAX, &kept.bytes_total);
    if (err)
        return NRS_E_CORRUPT;
    kept.at_ms = (int64_t)at;
    *ret_kept = kept;
    return NRS_OK;
}

// Count what is there, and find the next id.
static nrs_err_t
s_survey(nrs_dead_letters_t *self, nrs_txn_t *txn)
{
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_bytes_t key, value;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    err = err ? err : nrs_scan_seek(scan, NRS_NONE, &key, &value);
    while (!err) {
        self->count++;
        self->bytes += value.size;
        self->next = nrs_get_be64(key.data) + 1;
        err = nrs_scan_next(scan, &key, &value);
    }
    return err == NRS_E_ABSENT ? NRS_OK : err;
}

nrs_err_t
nrs_dead_letters_open(nrs_store_t *store, uint64_t letters_max, uint64_t bytes_max,
                      nrs_dead_letters_t **ret_letters)
{
    NRS_AUTO(nrs_dead_letters) self = nrs_new0(nrs_dead_letters_t);
    self->letters_max = letters_max;
    self->bytes_max = bytes_max;
    self->next = 1;
    nrs_err_t err = nrs_store_table(store, "dead", &self->table);
    err = err ? err : nrs_store_table(store, "dead.known", &self->known);
    NRS_AUTO(nrs_txn) txn = NULL;
    err = err ? err : nrs_txn_begin(store, false, &txn);
    err = err ? err : s_survey(self, txn);
    if (err)
        return err;
    *ret_letters = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_dead_letters_destroy(nrs_dead_letters_t **self_p)
{
    if (!*self_p)
        return;
    nrs_buf_free(&(*self_p)->record);
    free(*self_p);
    *self_p = NULL;
}

static nrs_bytes_t
s_cut(nrs_bytes_t bytes, size_t max)
{
    return nrs_bytes(bytes.data, bytes.size < max ? bytes.size : max);
}

// The same record of the same place is the same letter, however often it is sent.
static void
s_identify(nrs_bytes_t source, nrs_bytes_t place, nrs_bytes_t bytes, uint8_t ret_key[16])
{
    uint64_t seed = nrs_hash64(source, nrs_hash64(place, 0));
    nrs_hash128_t hash = nrs_hash128(bytes, seed);
    nrs_put_le64(ret_key, hash.low);
    nrs_put_le64(ret_key + 8, hash.high);
}

nrs_err_t
nrs_dead_letters_append(nrs_dead_letters_t *self, nrs_txn_t *txn, int64_t at_ms, const nrs_dead_t *dead)
{
    nrs_bytes_t bytes = s_cut(dead->bytes, NRS_DEAD_BYTES_MAX);
    uint64_t total = dead->bytes_total ? dead->bytes_total : dead->bytes.size;
    uint8_t known[16], key[8];
    nrs_bytes_t before;
    s_identify(s_cut(dead->source, TEXT_MAX), s_cut(dead->place, TEXT_MAX), bytes, known);
    nrs_err_t err = nrs_txn_get(txn, self->known, nrs_bytes(known, sizeof known), &before);
    if (err != NRS_E_ABSENT)
        return err;
    nrs_buf_reset(&self->record);
    nrs_pack_array(&self->record, RECORD_ITEMS);
    nrs_pack_uint(&self->record, RECORD_VERSION);
    nrs_pack_uint(&self->record, (uint64_t)at_ms);
    nrs_pack_str(&self->record, s_cut(nrs_text(dead->reason), TEXT_MAX));
    nrs_pack_str(&self->record, s_cut(nrs_text(dead->text), TEXT_MAX));
    nrs_pack_bin(&self->record, s_cut(dead->source, TEXT_MAX));
    nrs_pack_bin(&self->record, s_cut(dead->place, TEXT_MAX));
    nrs_pack_bin(&self->record, bytes);
    nrs_pack_uint(&self->record, total);
    uint64_t left = self->bytes_max > self->bytes ? self->bytes_max - self->bytes : 0; // the bound may have been lowered
    if (self->count >= self->letters_max || self->record.size > left)
        return NRS_E_FULL;
    nrs_put_be64(key, self->next);
    err = nrs_txn_put(txn, self->table, nrs_bytes(key, sizeof key), nrs_buf_bytes(&self->record));
    err = err ? err : nrs_txn_put(txn, self->known, nrs_bytes(known, sizeof known), nrs_bytes(key, sizeof key));
    if (err)
        return err;
    self->next++;
    self->count++;
    self->bytes += self->record.size;
    return NRS_OK;
}

nrs_err_t
nrs_dead_letters_get(nrs_dead_letters_t *self, nrs_txn_t *txn, uint64_t from, nrs_dead_kept_t *ret_kept)
{
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_bytes_t key, value;
    uint8_t first[8];
    nrs_put_be64(first, from);
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    err = err ? err : nrs_scan_seek(scan, nrs_bytes(first, sizeof first), &key, &value);
    return err ? err : s_decode(key, value, ret_kept);
}

nrs_err_t
nrs_dead_letters_drop(nrs_dead_letters_t *self, nrs_txn_t *txn, uint64_t id)
{
    uint8_t key[8], known[16];
    nrs_bytes_t value;
    nrs_dead_kept_t kept;
    nrs_put_be64(key, id);
    nrs_err_t err = nrs_txn_get(txn, self->table, nrs_bytes(key, sizeof key), &value);
    err = err ? err : s_decode(nrs_bytes(key, sizeof key), value, &kept);
    if (err)
        return err;
    size_t size = value.size;
    s_identify(kept.source, kept.place, kept.bytes, known);
    err = nrs_txn_drop(txn, self->table, nrs_bytes(key, sizeof key));
    if (err)
        return err;
    self->count--;
    self->bytes -= size;
    err = nrs_txn_drop(txn, self->known, nrs_bytes(known, sizeof known));
    return err == NRS_E_ABSENT ? NRS_OK : err;
}

uint64_t
nrs_dead_letters_count(const nrs_dead_letters_t *self)
{
    return self->count;
}

uint64_t
nrs_dead_letters_last(const nrs_dead_letters_t *self)
{
    return self->next - 1;
}

// --- JSON ----------------------------------------------------------------------------------------

static void
s_put_base64(nrs_buf_t *into, nrs_bytes_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0);
        char four[4] = { digits[three >> 18], digits[three >> 12 & 63],
                         left > 1 ? digits[three >> 6 & 63] : '=', left > 2 ? digits[three & 63] : '=' };
        nrs_buf_put(into, four, sizeof four);
    }
}

static void
s_put_member(nrs_buf_t *into, const char *name, nrs_bytes_t text)
{
    nrs_buf_printf(into, ",\"%s\":", name);
    nrs_buf_put_json_string(into, text);
}

void
nrs_dead_json(const nrs_dead_kept_t *kept, bool whole, nrs_buf_t *into)
{
    char at[25];
    nrs_time_print((uint64_t)kept->at_ms, at);
    nrs_buf_printf(into, "{\"id\":%llu,\"at\":\"%s\"", (unsigned long long)kept->id, at);
    s_put_member(into, "reason", kept->reason);
    s_put_member(into, "text", kept->text);
    s_put_member(into, "source", kept->source);
    s_put_member(into, "place", kept->place);
    nrs_buf_printf(into, ",\"size\":%llu", (unsigned long long)kept->bytes_total);
    s_put_member(into, "bytes", s_cut(kept->bytes, whole ? kept->bytes.size : 200));
    if (whole) {
        nrs_buf_put_text(into, ",\"base64\":\"");
        s_put_base64(into, kept->bytes);
        nrs_buf_put_text(into, "\"");
    }
    nrs_buf_put_text(into, "}");
}
