// A value of the table "sightings", 64 bytes, little-endian, by position:
//
//      0  u8       version, 1
//      1  u16      terms under which it passed whole: bit 3 * (label - 1) + (condition - 1) for each pair
//      3  u8       zero
//      4  u32      count of reports; stays at its largest number
//      8  u64      first observed
//     16  u64      last observed
//     24  u64      received_at of the last report that passed whole
//     32  u8[16]   id of the first event
//     48  u8[16]   reporters: bit (number modulo 128) of each member that has reported it
//
// A member's number is given at its first report and kept in the table "enrich", so bits mean the
// same after a restart. Up to 128 members each has a bit of its own. Beyond that members share
// bits: the number of distinct reporters is then a lower bound, and still never falls.
//
// The table "enrich":  "seed" -> u8 version, u64 seed     "member/ID" -> u16 number

#include "enrich_sightings.h"

#include "common/hash.h"
#include "common/state.h"

#include <stdlib.h>

enum { VERSION = 1, VALUE_BYTES = 64, SEED_BYTES = 9 };
enum { AT_TERMS = 1, AT_COUNT = 4, AT_FIRST = 8, AT_LAST = 16, AT_WHOLE = 24, AT_ID = 32, AT_REPORTERS = 48 };
enum { MEMBERS_MAX = 65536, ID_BYTES_MAX = 64 };

#define MEMBER_PREFIX "member/"
enum { MEMBER_PREFIX_BYTES = sizeof MEMBER_PREFIX - 1 };

// One member's number; a list of them is short and looked through from the one that reported last.
typedef struct s_member {
    uint16_t number;
    uint8_t size;
    uint8_t id[ID_BYTES_MAX];
} s_member_t;

struct enrich_sightings {
    nrs_state_t *state;
    nrs_store_table_t table;
    uint64_t seed;
    uint64_t window_ms;
    s_member_t *members; // owned; in the order of their numbers
    size_t member_count;
    size_t last_member; // index of the one that reported last
};

// --- opening -------------------------------------------------------------------------------------

static nrs_err_t
s_read_seed(enrich_sightings_t *self, nrs_txn_t *txn, nrs_world_t *world)
{
    nrs_bytes_t value;
    nrs_err_t err = nrs_txn_get(txn, self->table, nrs_text("seed"), &value);
    if (err == NRS_E_ABSENT) {
        uint8_t fresh[SEED_BYTES] = { VERSION };
        world->random(world, fresh + 1, 8);
        self->seed = nrs_get_le64(fresh + 1);
        return nrs_txn_put(txn, self->table, nrs_text("seed"), nrs_bytes(fresh, sizeof fresh));
    }
    if (err)
        return err;
    if (value.size != SEED_BYTES)
        return NRS_E_CORRUPT;
    if (value.data[0] != VERSION)
        return NRS_E_VERSION;
    self->seed = nrs_get_le64(value.data + 1);
    return NRS_OK;
}

static void
s_put_member(enrich_sightings_t *self, nrs_bytes_t id, uint16_t number)
{
    size_t bytes = (self->member_count + 1) * sizeof *self->members;
    self->members = nrs_realloc(self->members, bytes);
    s_member_t *member = &self->members[self->member_count++];
    *member = (s_member_t){ .number = number, .size = (uint8_t)id.size };
    memcpy(member->id, id.data, id.size);
}

static nrs_err_t
s_read_members(enrich_sightings_t *self, nrs_txn_t *txn)
{
    nrs_bytes_t key, value, prefix = nrs_text(MEMBER_PREFIX);
    nrs_scan_t *scan = NULL;
    nrs_err_t err = nrs_scan_open(txn, self->table, &scan);
    if (err)
        return err;
    for (err = nrs_scan_seek(scan, prefix, &key, &value); !err;
         err = nrs_scan_next(scan, &key, &value)) {
        if (key.size < prefix.size || memcmp(key.data, prefix.data, prefix.size) != 0)
            break;
        nrs_bytes_t id = nrs_bytes(key.data + prefix.size, key.size - prefix.size);
        if (id.size > ID_BYTES_MAX || value.size != 2) {
            err = NRS_E_CORRUPT;
            break;
        }
        s_put_member(self, id, nrs_get_le16(value.data));
    }
    nrs_scan_destroy(&scan);
    return err == NRS_E_ABSENT ? NRS_OK : err;
}

static nrs_err_t
s_read_table(enrich_sightings_t *self, nrs_store_t *store, nrs_world_t *world)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    nrs_err_t err = nrs_txn_begin(store, true, &txn);
    if (!err)
        err = s_read_seed(self, txn, world);
    if (!err)
        err = s_read_members(self, txn);
    return err ? err : nrs_txn_commit(&txn);
}

nrs_err_t
enrich_sightings_open(nrs_store_t *store, const enrich_sightings_options_t *options,
                      nrs_world_t *world, enrich_sightings_t **ret_sightings)
{
    NRS_ASSERT(store && options && world && ret_sightings);
    NRS_AUTO(enrich_sightings) self = nrs_new0(enrich_sightings_t);
    self->window_ms = (uint64_t)options->repeat_window_ms;
    nrs_err_t err = nrs_store_table(store, "enrich", &self->table);
    if (!err)
        err = s_read_table(self, store, world);
    nrs_state_options_t table = { .name = "sightings",
                                  .value_bytes = VALUE_BYTES,
                                  .memory_bytes = options->memory_bytes };
    if (!err)
        err = nrs_state_open(store, &table, &self->state);
    if (err)
        return err;
    *ret_sightings = NRS_TAKE(self);
    return NRS_OK;
}

void
enrich_sightings_destroy(enrich_sightings_t **self_p)
{
    enrich_sightings_t *self = *self_p;
    if (!self)
        return;
    nrs_state_destroy(&self->state);
    free(self->members);
    free(self);
    *self_p = NULL;
}

// --- reporters -----------------------------------------------------------------------------------

static nrs_err_t
s_new_member(enrich_sightings_t *self, nrs_txn_t *txn, nrs_bytes_t id)
{
    if (id.size > ID_BYTES_MAX || self->member_count >= MEMBERS_MAX)
        return NRS_E_FULL;
    uint8_t key[MEMBER_PREFIX_BYTES + ID_BYTES_MAX], value[2];
    memcpy(key, MEMBER_PREFIX, MEMBER_PREFIX_BYTES);
    memcpy(key + MEMBER_PREFIX_BYTES, id.data, id.size);
    uint16_t number = (uint16_t)self->member_count;
    nrs_put_le16(value, number);
    nrs_err_t err = nrs_txn_put(txn, self->table, nrs_bytes(key, MEMBER_PREFIX_BYTES + id.size),
                                nrs_bytes(value, sizeof value));
    if (!err)
        s_put_member(self, id, number);
    return err;
}

// The number of a member; given to it when it has none.
static nrs_err_t
s_member_number(enrich_sightings_t *self, nrs_txn_t *txn, nrs_bytes_t id, unsigned *ret_number)
{
    for (size_t i = 0; i < self->member_count; i++) {
        size_t index = (self->last_member + i) % self->member_count;
        const s_member_t *member = &self->members[index];
        if (nrs_bytes_equal(id, nrs_bytes(member->id, member->size))) {
            self->last_member = index;
            *ret_number = member->number;
            return NRS_OK;
        }
    }
    nrs_err_t err = s_new_member(self, txn, id);
    if (err)
        return err;
    self->last_member = self->member_count - 1;
    *ret_number = self->members[self->last_member].number;
    return NRS_OK;
}

static uint64_t
s_reporters(const uint8_t *value)
{
    return (uint64_t)__builtin_popcountll(nrs_get_le64(value + AT_REPORTERS)) +
           (uint64_t)__builtin_popcountll(nrs_get_le64(value + AT_REPORTERS + 8));
}

// --- sightings -----------------------------------------------------------------------------------

static void
s_key(const enrich_sightings_t *self, uint64_t kind, nrs_bytes_t value,
      uint8_t key[NRS_STATE_KEY_BYTES])
{
    nrs_hash128_t hash = nrs_hash128(value, self->seed + kind);
    nrs_put_be64(key, hash.high);
    nrs_put_be64(key + 8, hash.low);
}

// What is absent, or a word of a newer version, counts as the narrowest: red, deny.
static unsigned
s_tlp(const enrich_report_t *report)
{
    return report->tlp && report->tlp <= NRS_TLP_RED ? (unsigned)report->tlp : NRS_TLP_RED;
}

static unsigned
s_onward(const enrich_report_t *report)
{
    return report->onward && report->onward <= NRS_ONWARD_ALLOW ? (unsigned)report->onward : NRS_ONWARD_DENY;
}

// The bit of a pair of terms.
static unsigned
s_term(unsigned tlp, unsigned onward)
{
    return 3 * (tlp - 1) + (onward - 1);
}

static void
s_first(uint8_t *value, const enrich_report_t *report)
{
    value[0] = VERSION;
    nrs_put_le16(value + AT_TERMS, (uint16_t)(1u << s_term(s_tlp(report), s_onward(report))));
    nrs_put_le64(value + AT_FIRST, report->observed_at);
    nrs_put_le64(value + AT_LAST, report->observed_at);
    nrs_put_le64(value + AT_WHOLE, report->received_at);
    memcpy(value + AT_ID, report->id.data, NRS_ID_BYTES);
}

// Reports arrive in any order: an earlier sighting may come later.
static void
s_again(uint8_t *value, const enrich_report_t *report)
{
    if (report->observed_at < nrs_get_le64(value + AT_FIRST))
        nrs_put_le64(value + AT_FIRST, report->observed_at);
    if (report->observed_at > nrs_get_le64(value + AT_LAST))
        nrs_put_le64(value + AT_LAST, report->observed_at);
}

// Is it given under terms that none before was as open as? Then some recipient may have it who could not have those.
static bool
s_opens(uint8_t *value, const enrich_report_t *report)
{
    uint16_t terms = nrs_get_le16(value + AT_TERMS);
    for (unsigned tlp = NRS_TLP_CLEAR; tlp <= s_tlp(report); tlp++)
        for (unsigned onward = s_onward(report); onward <= NRS_ONWARD_ALLOW; onward++)
            if (terms >> s_term(tlp, onward) & 1)
                return false;
    nrs_put_le16(value + AT_TERMS, (uint16_t)(terms | 1u << s_term(s_tlp(report), s_onward(report))));
    return true;
}

// Did it pass whole so shortly ago, under terms as open as these, that this is a repeat? If not, it passes whole now.
static bool
s_repeats(const enrich_sightings_t *self, uint8_t *value, const enrich_report_t *report)
{
    uint64_t whole = nrs_get_le64(value + AT_WHOLE), now = report->received_at;
    bool recent = now < whole || now - whole < self->window_ms;
    if (!s_opens(value, report) && recent && self->window_ms > 0)
        return true;
    if (now > whole)
        nrs_put_le64(value + AT_WHOLE, now);
    return false;
}

static void
s_tell(const uint8_t *value, bool repeat, enrich_sighting_t *into)
{
    *into = (enrich_sighting_t){
        .first_seen_at = nrs_get_le64(value + AT_FIRST),
        .last_seen_at = nrs_get_le64(value + AT_LAST),
        .count = nrs_get_le32(value + AT_COUNT),
        .reporters = s_reporters(value),
        .repeat = repeat,
    };
    memcpy(into->first_id, value + AT_ID, NRS_ID_BYTES);
}

nrs_err_t
enrich_sightings_count(enrich_sightings_t *self, nrs_txn_t *txn, const enrich_report_t *report,
                       enrich_sighting_t *ret_sighting)
{
    NRS_ASSERT(report->id.size == NRS_ID_BYTES);
    uint8_t key[NRS_STATE_KEY_BYTES];
    unsigned number = 0;
    bool fresh = false, repeat = false;
    void *room = NULL;
    nrs_err_t err = s_member_number(self, txn, report->originator, &number);
    s_key(self, report->kind, report->value, key);
    if (!err)
        err = nrs_state_edit(self->state, txn, key, &fresh, &room);
    if (err)
        return err;
    uint8_t *value = room;
    if (!fresh && value[0] != VERSION)
        return NRS_E_VERSION;
    if (fresh) {
        s_first(value, report);
    } else {
        s_again(value, report);
        repeat = s_repeats(self, value, report);
    }
    uint32_t count = nrs_get_le32(value + AT_COUNT);
    nrs_put_le32(value + AT_COUNT, count < UINT32_MAX ? count + 1 : count);
    unsigned bit = number % ENRICH_REPORTERS_EXACT;
    value[AT_REPORTERS + bit / 8] |= (uint8_t)(1u << bit % 8);
    s_tell(value, repeat, ret_sighting);
    return NRS_OK;
}

nrs_err_t
enrich_sightings_get(enrich_sightings_t *self, nrs_txn_t *txn, uint64_t kind, nrs_bytes_t value,
                     enrich_sighting_t *ret_sighting)
{
    uint8_t key[NRS_STATE_KEY_BYTES];
    const void *found = NULL;
    s_key(self, kind, value, key);
    nrs_err_t err = nrs_state_get(self->state, txn, key, &found);
    if (err)
        return err;
    if (((const uint8_t *)found)[0] != VERSION)
        return NRS_E_VERSION;
    s_tell(found, false, ret_sighting);
    return NRS_OK;
}

nrs_err_t
enrich_sightings_save(enrich_sightings_t *self, nrs_txn_t *txn)
{
    return nrs_state_save(self->state, txn);
}

uint64_t
enrich_sightings_known(enrich_sightings_t *self, nrs_txn_t *txn)
{
    return nrs_state_count(self->state, txn);
}
