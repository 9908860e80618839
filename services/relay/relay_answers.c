// relay_answers.c - the questions of relay_decisions.h: why, and how often

#include "common/codec.h"
#include "common/policy.h"
#include "services/relay/relay_decisions.h"
#include "services/relay/relay_decisions_parts.h"

nrs_err_t
relay_place_parse(nrs_bytes_t text, nrs_origin_place_t *ret_place)
{
    static const uint64_t limits[4] = { UINT16_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX };
    uint64_t numbers[4] = { 0 };
    size_t part = 0, digits = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '/' && digits > 0 && part < 3) {
            part++;
            digits = 0;
            continue;
        }
        uint64_t digit = (uint64_t)c - '0';
        if (digit > 9 || numbers[part] > (limits[part] - digit) / 10)
            return NRS_E_FORMAT;
        numbers[part] = numbers[part] * 10 + digit;
        digits++;
    }
    if (part != 3 || digits == 0)
        return NRS_E_FORMAT;
    *ret_place = (nrs_origin_place_t){ (uint16_t)numbers[0], (uint16_t)numbers[1],
                                       (uint32_t)numbers[2], numbers[3] };
    return NRS_OK;
}

static void
s_put_name(const relay_decisions_t *self, nrs_bytes_t id, nrs_buf_t *reply)
{
    nrs_bytes_t name = id; // a peer of former times
    for (size_t i = 0; i < self->peer_count; i++)
        if (nrs_bytes_is(id, self->directory->peers[i].id) && self->directory->peers[i].name)
            name = nrs_text(self->directory->peers[i].name);
    nrs_buf_put_text(reply, "{\"id\":");
    nrs_buf_put_json_string(reply, id);
    nrs_buf_put_text(reply, ",\"name\":");
    nrs_buf_put_json_string(reply, name);
}

static void
s_put_decision(const relay_decisions_t *self, nrs_bytes_t id, nrs_policy_reason_t reason,
               nrs_buf_t *reply)
{
    const char *word = nrs_policy_reason_word(reason), *text = nrs_policy_reason_text(reason);
    s_put_name(self, id, reply);
    nrs_buf_printf(reply, ",\"outcome\":\"%s\",\"reason\":\"%s\",\"text\":\"%s\"}",
                   nrs_policy_outcome_word(nrs_policy_reason_outcome(reason)),
                   word ? word : "unknown", text ? text : "A newer build has decided.");
}

// Write the row at `index` of a run. Errors: NRS_E_ABSENT when the offset never came by,
// NRS_E_CORRUPT, NRS_E_IO.
static nrs_err_t
s_put_row(const relay_decisions_t *self, nrs_txn_t *txn, nrs_bytes_t run, uint64_t index,
          nrs_buf_t *reply)
{
    uint8_t key[5];
    nrs_bytes_t set, id;
    uint32_t peers = 0;
    nrs_err_t err =
        nrs_txn_get(txn, self->table, relay_set_key(nrs_get_be32(run.data + 5), key), &set);
    if (err)
        return err == NRS_E_ABSENT ? NRS_E_CORRUPT : err;
    nrs_walk_t walk = nrs_walk(set);
    if (nrs_walk_array(&walk, UINT32_MAX, &peers) || peers == 0)
        return NRS_E_CORRUPT;
    if (index >= (run.size - RELAY_RUN_HEAD_BYTES) / peers)
        return NRS_E_ABSENT;
    const uint8_t *row = run.data + RELAY_RUN_HEAD_BYTES + index * peers;
    if (row[0] == 0)
        return NRS_E_ABSENT;
    nrs_buf_printf(reply, "{\"known\":true,\"policy\":%u,\"peers\":[",
                   (unsigned)nrs_get_be32(run.data + 1));
    for (uint32_t i = 0; i < peers; i++) {
        if (nrs_walk_str(&walk, RELAY_PEER_ID_MAX, &id))
            return NRS_E_CORRUPT;
        nrs_buf_put_text(reply, i ? "," : "");
        s_put_decision(self, id, row[i], reply);
    }
    nrs_buf_put_text(reply, "]}");
    return NRS_OK;
}

// Look at the run that begins last before the place, and at those before it: a dead letter that was
// tried again has a run of its own within another's offsets. Errors: NRS_E_ABSENT, and those above.
static nrs_err_t
s_put_place(relay_decisions_t *self, nrs_txn_t *txn, const nrs_origin_place_t *place,
            nrs_buf_t *reply)
{
    uint8_t key[RELAY_RUN_KEY_BYTES];
    nrs_bytes_t found, run;
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    if (!err)
        err = nrs_scan_seek_back(scan, relay_run_key(place, key), &found, &run);
    while (!err) {
        if (found.size != sizeof key || memcmp(found.data, key, sizeof key - 8) != 0)
            return NRS_E_ABSENT;
        uint64_t index = place->offset - nrs_get_be64(found.data + 9);
        if (index > RELAY_ROWS_BYTES_MAX)
            return NRS_E_ABSENT; // no run is as long
        err = s_put_row(self, txn, run, index, reply);
        if (err != NRS_E_ABSENT)
            return err;
        err = nrs_scan_back(scan, &found, &run);
    }
    return err;
}

nrs_err_t
relay_decisions_why(relay_decisions_t *self, nrs_txn_t *txn, const nrs_origin_place_t *place,
                    nrs_buf_t *reply)
{
    NRS_ASSERT(self && txn && place && reply);

    size_t start = reply->size;
    nrs_err_t err = s_put_place(self, txn, place, reply);
    if (err)
        reply->size = start;
    if (err == NRS_E_ABSENT) {
        nrs_buf_put_text(reply, "{\"known\":false,\"peers\":[]}");
        return NRS_OK;
    }
    return err;
}

static void
s_put_totals(const relay_decisions_t *self, nrs_bytes_t id, nrs_bytes_t totals, nrs_buf_t *reply)
{
    uint64_t outcomes[NRS_POLICY_OUTCOME_MAX] = { 0 };
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++)
        outcomes[nrs_policy_reason_outcome(reason)] += relay_total(totals, reason);
    s_put_name(self, id, reply);
    for (int outcome = NRS_POLICY_OUTCOME_MAX - 1; outcome >= 0; outcome--)
        nrs_buf_printf(reply, ",\"%s\":%llu",
                       nrs_policy_outcome_word((nrs_policy_outcome_t)outcome),
                       (unsigned long long)outcomes[outcome]);
    nrs_buf_put_text(reply, ",\"reasons\":{");
    const char *comma = "";
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++) {
        uint64_t total = relay_total(totals, reason);
        if (total == 0)
            continue;
        nrs_buf_printf(reply, "%s\"%s\":%llu", comma, nrs_policy_reason_word(reason),
                       (unsigned long long)total);
        comma = ",";
    }
    nrs_buf_put_text(reply, "}}");
}

nrs_err_t
relay_decisions_totals(relay_decisions_t *self, nrs_txn_t *txn, nrs_buf_t *reply)
{
    NRS_ASSERT(self && txn && reply);

    nrs_bytes_t key, totals;
    NRS_AUTO(nrs_scan) scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    if (err)
        return err;
    nrs_buf_put_text(reply, "{\"peers\":[");
    const char *comma = "";
    err = nrs_scan_seek(scan, nrs_text("t"), &key, &totals);
    while (!err && key.data[0] == 't') {
        nrs_buf_put_text(reply, comma);
        s_put_totals(self, nrs_bytes(key.data + 1, key.size - 1), totals, reply);
        comma = ",";
        err = nrs_scan_next(scan, &key, &totals);
    }
    nrs_buf_put_text(reply, "]}");
    return err == NRS_E_ABSENT ? NRS_OK : err;
}
