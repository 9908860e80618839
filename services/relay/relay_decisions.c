// relay_decisions.c - see relay_decisions.h
//
// A run ends with its batch, so that it is never written twice; what is still open is in memory,
// and is forgotten when the batch fails. The layout stands in relay_decisions_parts.h.

#include "services/relay/relay_decisions.h"

#include "common/codec.h"
#include "common/policy.h"
#include "services/relay/relay_decisions_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_BYTES = 21, ORDER_BYTES = 21 };
enum { GAP_MAX = 64 };        // offsets that never came, filled up within a run
enum { ENTRY_OVERHEAD = 80 }; // bytes of a run beside its rows: keys, heads, order entry
enum { DROP_LEAST = 16 };     // runs dropped a batch at least, when there is too much

// --- keys ----------------------------------------------------------------------------------------

static nrs_bytes_t
s_order_key(uint64_t sequence, uint8_t into[9])
{
    into[0] = 'o';
    nrs_put_be64(into + 1, sequence);
    return nrs_bytes(into, 9);
}

static nrs_bytes_t
s_total_key(nrs_bytes_t peer, uint8_t into[1 + RELAY_PEER_ID_MAX])
{
    size_t size = peer.size < RELAY_PEER_ID_MAX ? peer.size : RELAY_PEER_ID_MAX;
    into[0] = 't';
    memcpy(into + 1, peer.data, size);
    return nrs_bytes(into, 1 + size);
}

// --- open ----------------------------------------------------------------------------------------

static nrs_err_t
s_read_head(relay_decisions_t *self, nrs_txn_t *txn)
{
    nrs_bytes_t value;
    nrs_err_t err = nrs_txn_get(txn, self->table, nrs_text("h"), &value);
    if (err)
        return err == NRS_E_ABSENT ? NRS_OK : err;
    if (value.size < 5 || memcmp(value.data, "NRSR", 4) != 0)
        return NRS_E_CORRUPT;
    if (value.data[4] != RELAY_DECISIONS_VERSION)
        return NRS_E_VERSION;
    if (value.size != HEAD_BYTES)
        return NRS_E_CORRUPT;
    self->head = (relay_head_t){ nrs_get_be64(value.data + 5), nrs_get_be64(value.data + 13) };
    return NRS_OK;
}

static nrs_err_t
s_write_head(relay_decisions_t *self, nrs_txn_t *txn)
{
    uint8_t value[HEAD_BYTES] = { 'N', 'R', 'S', 'R', RELAY_DECISIONS_VERSION };
    nrs_put_be64(value + 5, self->head.bytes);
    nrs_put_be64(value + 13, self->head.next);
    return nrs_txn_put(txn, self->table, nrs_text("h"), nrs_bytes(value, sizeof value));
}

// Find the newest set of peers; when it is not today's, write today's after it.
static nrs_err_t
s_find_set(relay_decisions_t *self, nrs_txn_t *txn)
{
    nrs_buf_t today = { 0 };
    nrs_pack_array(&today, (uint32_t)self->peer_count);
    for (size_t i = 0; i < self->peer_count; i++)
        nrs_pack_str(&today, nrs_text(self->directory->peers[i].id));

    uint8_t key[5];
    nrs_bytes_t found, value;
    nrs_scan_t *scan = NULL;
    bool same = false;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    if (!err)
        err = nrs_scan_seek_back(scan, relay_set_key(UINT32_MAX, key), &found, &value);
    if (!err && found.size == sizeof key && found.data[0] == 'p') {
        self->set = nrs_get_be32(found.data + 1);
        same = nrs_bytes_equal(value, nrs_buf_bytes(&today));
    }
    nrs_scan_destroy(&scan);
    if (err == NRS_E_ABSENT)
        err = NRS_OK;
    if (!err && !same)
        err = nrs_txn_put(txn, self->table, relay_set_key(++self->set, key), nrs_buf_bytes(&today));
    nrs_buf_free(&today);
    return err;
}

static void
s_make_metrics(relay_decisions_t *self, size_t peer, nrs_metrics_t *metrics)
{
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++) {
        char labels[256];
        snprintf(labels, sizeof labels, "peer=\"%s\",outcome=\"%s\",reason=\"%s\"",
                 self->directory->peers[peer].id,
                 nrs_policy_outcome_word(nrs_policy_reason_outcome(reason)),
                 nrs_policy_reason_word(reason));
        self->metrics[peer * NRS_POLICY_REASON_MAX + reason] = nrs_metrics_counter(
            metrics, "noroshi_relay_decisions_total", labels, "Release decisions, since ever.");
    }
}

// The counters go on from where the last run of the process stopped: they are the durable totals.
static nrs_err_t
s_start_metrics(relay_decisions_t *self, nrs_txn_t *txn, nrs_metrics_t *metrics)
{
    for (size_t peer = 0; peer < self->peer_count; peer++) {
        uint8_t key[1 + RELAY_PEER_ID_MAX];
        nrs_bytes_t totals = NRS_NONE;
        s_make_metrics(self, peer, metrics);
        nrs_err_t err = nrs_txn_get(
            txn, self->table, s_total_key(nrs_text(self->directory->peers[peer].id), key), &totals);
        if (err && err != NRS_E_ABSENT)
            return err;
        for (nrs_policy_reason_t reason = 1; !err && reason < NRS_POLICY_REASON_MAX; reason++)
            nrs_metric_add(self->metrics[peer * NRS_POLICY_REASON_MAX + reason],
                           relay_total(totals, reason));
    }
    return NRS_OK;
}

static nrs_err_t
s_open_table(relay_decisions_t *self, nrs_store_t *store, nrs_metrics_t *metrics)
{
    nrs_err_t err = nrs_store_table(store, "relay-decisions", &self->table);
    if (err)
        return err;
    NRS_AUTO(nrs_txn) txn = NULL;
    err = nrs_txn_begin(store, true, &txn);
    if (!err)
        err = s_read_head(self, txn);
    if (!err)
        err = s_find_set(self, txn);
    if (!err)
        err = s_write_head(self, txn);
    if (!err)
        err = s_start_metrics(self, txn, metrics);
    self->durable = self->head;
    return err ? err : nrs_txn_commit(&txn);
}

nrs_err_t
relay_decisions_open(nrs_store_t *store, const nrs_directory_t *directory, uint64_t bytes_max,
                     nrs_metrics_t *metrics, relay_decisions_t **ret_decisions)
{
    NRS_ASSERT(store && directory && metrics && ret_decisions);

    NRS_AUTO(relay_decisions) self = nrs_new0(relay_decisions_t);
    self->directory = directory;
    self->peer_count = directory->peer_count;
    self->bytes_max = bytes_max;
    self->added = nrs_alloc0((self->peer_count + 1) * NRS_POLICY_REASON_MAX, sizeof *self->added);
    self->metrics =
        nrs_alloc0((self->peer_count + 1) * NRS_POLICY_REASON_MAX, sizeof(nrs_metric_t *));
    nrs_err_t err = s_open_table(self, store, metrics);
    if (err)
        return err;
    *ret_decisions = NRS_TAKE(self);
    return NRS_OK;
}

void
relay_decisions_destroy(relay_decisions_t **self_p)
{
    NRS_ASSERT(self_p);

    relay_decisions_t *self = NRS_TAKE(*self_p);
    if (!self)
        return;
    for (size_t i = 0; i < self->run_count; i++)
        nrs_buf_free(&self->runs[i].rows);
    free(self->runs);
    free(self->added);
    free(self->metrics);
    free(self);
}

// --- write ---------------------------------------------------------------------------------------

static nrs_err_t
s_write_run(relay_decisions_t *self, nrs_txn_t *txn, relay_run_t *run)
{
    uint8_t key_bytes[RELAY_RUN_KEY_BYTES], order_bytes[9], order[ORDER_BYTES], *room = NULL;
    nrs_bytes_t key = relay_run_key(&run->first, key_bytes);
    nrs_err_t err =
        nrs_txn_reserve(txn, self->table, key, RELAY_RUN_HEAD_BYTES + run->rows.size, &room);
    if (err)
        return err;
    room[0] = RELAY_DECISIONS_VERSION;
    nrs_put_be32(room + 1, NRS_POLICY_VERSION);
    nrs_put_be32(room + 5, self->set);
    memcpy(room + RELAY_RUN_HEAD_BYTES, run->rows.data, run->rows.size);

    memcpy(order, key_bytes, RELAY_RUN_KEY_BYTES);
    nrs_put_be32(order + RELAY_RUN_KEY_BYTES, (uint32_t)run->rows.size + ENTRY_OVERHEAD);
    err = nrs_txn_put(txn, self->table, s_order_key(self->head.next, order_bytes),
                      nrs_bytes(order, sizeof order));
    if (err)
        return err;
    self->head.next++;
    self->head.bytes += run->rows.size + ENTRY_OVERHEAD;
    self->written++;
    nrs_buf_reset(&run->rows);
    return NRS_OK;
}

static relay_run_t *
s_run_of(relay_decisions_t *self, const nrs_origin_place_t *place)
{
    for (size_t i = 0; i < self->run_count; i++) {
        size_t at =
            (self->run_last + i) % self->run_count; // events of a lane come one after the other
        relay_run_t *run = &self->runs[at];
        if (run->first.lane == place->lane && run->first.instance == place->instance) {
            self->run_last = at;
            return run;
        }
    }
    self->runs = nrs_realloc(self->runs, (self->run_count + 1) * sizeof *self->runs);
    self->run_last = self->run_count++;
    self->runs[self->run_last] = (relay_run_t){ .first = *place };
    return &self->runs[self->run_last];
}

static bool
s_continues(const relay_decisions_t *self, const relay_run_t *run, const nrs_origin_place_t *place)
{
    if (place->epoch != run->first.epoch || place->offset < run->next ||
        place->offset - run->next > GAP_MAX)
        return false;
    uint64_t rows = place->offset - run->next + 1;
    return run->rows.size + rows * self->peer_count <= RELAY_ROWS_BYTES_MAX;
}

nrs_err_t
relay_decisions_put(relay_decisions_t *self, nrs_txn_t *txn, const nrs_origin_place_t *place,
                    const uint8_t *reasons)
{
    NRS_ASSERT(self && txn && place && reasons);

    if (self->peer_count == 0)
        return NRS_OK;
    relay_run_t *run = s_run_of(self, place);
    if (run->rows.size > 0 && !s_continues(self, run, place)) {
        nrs_err_t err = s_write_run(self, txn, run);
        if (err)
            return err;
    }
    if (run->rows.size == 0) {
        run->first = *place;
        run->next = place->offset;
    }
    size_t gap = (size_t)(place->offset - run->next) * self->peer_count;
    memset(nrs_buf_reserve(&run->rows, gap + self->peer_count), 0, gap);
    run->rows.size += gap;
    nrs_buf_put(&run->rows, reasons, self->peer_count);
    run->next = place->offset + 1;
    for (size_t peer = 0; peer < self->peer_count; peer++)
        self->added[peer * NRS_POLICY_REASON_MAX + reasons[peer]]++;
    return NRS_OK;
}

static nrs_err_t
s_save_totals(relay_decisions_t *self, nrs_txn_t *txn, size_t peer)
{
    const uint64_t *added = self->added + peer * NRS_POLICY_REASON_MAX;
    uint64_t any = 0;
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++)
        any |= added[reason];
    if (!any)
        return NRS_OK;
    uint8_t key_bytes[1 + RELAY_PEER_ID_MAX], totals[8 * NRS_POLICY_REASON_MAX];
    nrs_bytes_t key = s_total_key(nrs_text(self->directory->peers[peer].id), key_bytes),
                before = NRS_NONE;
    nrs_err_t err = nrs_txn_get(txn, self->table, key, &before);
    if (err && err != NRS_E_ABSENT)
        return err;
    for (nrs_policy_reason_t reason = 0; reason < NRS_POLICY_REASON_MAX; reason++)
        nrs_put_be64(totals + 8 * (size_t)reason, relay_total(before, reason) + added[reason]);
    return nrs_txn_put(txn, self->table, key, nrs_bytes(totals, sizeof totals));
}

// --- drop ----------------------------------------------------------------------------------------

// The first entry of a sort ('o' or 'p'). Errors: NRS_E_ABSENT when there is none.
static nrs_err_t
s_first(relay_decisions_t *self, nrs_txn_t *txn, uint8_t sort, nrs_bytes_t *ret_key,
        nrs_bytes_t *ret_value)
{
    nrs_scan_t *scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    if (!err)
        err = nrs_scan_seek(scan, nrs_bytes(&sort, 1), ret_key, ret_value);
    nrs_scan_destroy(&scan);
    if (!err && (ret_key->size == 0 || ret_key->data[0] != sort))
        return NRS_E_ABSENT;
    return err;
}

static nrs_err_t
s_drop_oldest(relay_decisions_t *self, nrs_txn_t *txn)
{
    nrs_bytes_t key, value;
    uint8_t order_key[9], run_key[RELAY_RUN_KEY_BYTES];
    nrs_err_t err = s_first(self, txn, 'o', &key, &value);
    if (err)
        return err;
    if (key.size != sizeof order_key || value.size != ORDER_BYTES)
        return NRS_E_CORRUPT;
    memcpy(order_key, key.data, sizeof order_key); // the entries are gone with the first write
    memcpy(run_key, value.data, sizeof run_key);
    uint64_t bytes = nrs_get_be32(value.data + RELAY_RUN_KEY_BYTES);
    err = nrs_txn_drop(txn, self->table, nrs_bytes(order_key, sizeof order_key));
    if (err)
        return err;
    err = nrs_txn_drop(txn, self->table, nrs_bytes(run_key, sizeof run_key));
    self->head.bytes -= bytes < self->head.bytes ? bytes : self->head.bytes;
    return err == NRS_E_ABSENT
               ? NRS_OK
               : err; // written twice, when a stage before came back with an old disk
}

// Runs go in the order in which they were written, and with it the sets: one older than the oldest
// run's is not needed any more.
static nrs_err_t
s_drop_set(relay_decisions_t *self, nrs_txn_t *txn)
{
    nrs_bytes_t key, value;
    uint32_t oldest = self->set;
    nrs_err_t err = s_first(self, txn, 'o', &key, &value);
    if (!err && value.size == ORDER_BYTES) {
        nrs_bytes_t run;
        err = nrs_txn_get(txn, self->table, nrs_bytes(value.data, RELAY_RUN_KEY_BYTES), &run);
        if (!err && run.size >= RELAY_RUN_HEAD_BYTES)
            oldest = nrs_get_be32(run.data + 5);
    }
    if (!err)
        err = s_first(self, txn, 'p', &key, &value);
    if (err)
        return err == NRS_E_ABSENT ? NRS_OK : err;
    uint32_t set = key.size == 5 ? nrs_get_be32(key.data + 1) : oldest;
    uint8_t set_key[5];
    return set < oldest ? nrs_txn_drop(txn, self->table, relay_set_key(set, set_key)) : NRS_OK;
}

// Faster than runs are written, but never all at once: a batch stays short.
static nrs_err_t
s_drop_excess(relay_decisions_t *self, nrs_txn_t *txn)
{
    if (self->head.bytes <= self->bytes_max)
        return NRS_OK;
    for (size_t i = 0; i < 2 * self->written + DROP_LEAST && self->head.bytes > self->bytes_max;
         i++) {
        nrs_err_t err = s_drop_oldest(self, txn);
        if (err)
            return err == NRS_E_ABSENT ? NRS_OK : err;
    }
    return s_drop_set(self, txn);
}

nrs_err_t
relay_decisions_save(relay_decisions_t *self, nrs_txn_t *txn)
{
    NRS_ASSERT(self && txn);

    nrs_err_t err = NRS_OK;
    for (size_t i = 0; i < self->run_count && !err; i++)
        if (self->runs[i].rows.size > 0)
            err = s_write_run(self, txn, &self->runs[i]);
    for (size_t peer = 0; peer < self->peer_count && !err; peer++)
        err = s_save_totals(self, txn, peer);
    if (!err && self->written > 0)
        err = s_drop_excess(self, txn);
    if (!err && self->written > 0)
        err = s_write_head(self, txn);
    return err;
}

void
relay_decisions_committed(relay_decisions_t *self)
{
    NRS_ASSERT(self);

    size_t count = self->peer_count * NRS_POLICY_REASON_MAX;
    for (size_t i = 0; i < count; i++)
        if (self->metrics[i] && self->added[i])
            nrs_metric_add(self->metrics[i], self->added[i]);
    memset(self->added, 0, count * sizeof *self->added);
    self->written = 0;
    self->durable = self->head;
}

void
relay_decisions_forget(relay_decisions_t *self)
{
    NRS_ASSERT(self);

    for (size_t i = 0; i < self->run_count; i++)
        nrs_buf_reset(&self->runs[i].rows);
    memset(self->added, 0, self->peer_count * NRS_POLICY_REASON_MAX * sizeof *self->added);
    self->written = 0;
    self->head = self->durable;
}

uint64_t
relay_decisions_bytes(const relay_decisions_t *self)
{
    return self->head.bytes;
}
