// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/state.h"
#include "tests/fixtures/stores.h"

enum { KEYS = 3000 }; // the model: key i has model[i]; 0: absent

typedef struct s_value {
    uint64_t number;
    uint64_t key; // so that a value under a wrong key is noticed
} s_value_t;

typedef struct s_table {
    char path[256];
    size_t memory_bytes;
    nrs_store_t *store;
    nrs_state_t *state;
    uint64_t model[KEYS];
    uint64_t committed[KEYS]; // what the model was at the last commit
    uint64_t seed;
} s_table_t;

// A key like that of a hash. `crowd` puts all keys into few buckets.
static void
s_key(uint64_t i, bool crowd, uint8_t key[NRS_STATE_KEY_BYTES])
{
    uint64_t seed = i * 7919;
    nrs_put_be64(key, scratch_random(&seed));
    nrs_put_be64(key + 8, i);
    if (crowd)
        key[0] = 0, key[1] = (uint8_t)(i % 3);
}

static void
s_open(s_table_t *self)
{
    self->store = stores_open(self->path, 256u << 20);
    nrs_state_options_t options = {
        .name = "t",
        .value_bytes = sizeof(s_value_t),
        .memory_bytes = self->memory_bytes,
    };
    assert_int_equal(nrs_state_open(self->store, &options, &self->state), NRS_OK);
}

static void
s_close(s_table_t *self)
{
    nrs_state_destroy(&self->state);
    nrs_store_destroy(&self->store);
}

static void
s_assert_key(s_table_t *self, nrs_txn_t *txn, uint64_t i, bool crowd)
{
    uint8_t key[NRS_STATE_KEY_BYTES];
    const void *value;
    s_key(i, crowd, key);
    nrs_err_t err = nrs_state_get(self->state, txn, key, &value);
    if (self->model[i] == 0) {
        assert_int_equal(err, NRS_E_ABSENT);
        return;
    }
    assert_int_equal(err, NRS_OK);
    s_value_t found;
    memcpy(&found, value, sizeof found);
    if (found.number != self->model[i] || found.key != i)
        fail_msg("key %llu holds %llu of key %llu, not %llu", (unsigned long long)i,
                 (unsigned long long)found.number, (unsigned long long)found.key,
                 (unsigned long long)self->model[i]);
}

// The whole table is what the model says, and it knows how many keys it has.
static void
s_assert_sane(s_table_t *self, bool crowd)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    uint64_t count = 0;
    for (uint64_t i = 0; i < KEYS; i++) {
        s_assert_key(self, txn, i, crowd);
        count += self->model[i] != 0;
    }
    assert_int_equal(nrs_state_count(self->state, txn), count);
    assert_int_equal(nrs_state_save(self->state, txn), NRS_OK); // looking may have folded
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
}

static void
s_edit(s_table_t *self, nrs_txn_t *txn, uint64_t i, bool crowd)
{
    uint8_t key[NRS_STATE_KEY_BYTES];
    bool made;
    void *value;
    s_key(i, crowd, key);
    assert_int_equal(nrs_state_edit(self->state, txn, key, &made, &value), NRS_OK);
    assert_true(made == (self->model[i] == 0));
    s_value_t now;
    memcpy(&now, value, sizeof now);
    assert_true(now.number == self->model[i]);
    now = (s_value_t){ scratch_random(&self->seed) | 1, i };
    memcpy(value, &now, sizeof now);
    self->model[i] = now.number;
}

// One commit of `edits` changes among the first `keys`.
static void
s_batch(s_table_t *self, uint64_t edits, uint64_t keys, bool crowd)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    for (uint64_t i = 0; i < edits; i++) {
        uint64_t key = scratch_random(&self->seed) % keys;
        if (scratch_random(&self->seed) % 4 == 0)
            s_assert_key(self, txn, key, crowd);
        else
            s_edit(self, txn, key, crowd);
    }
    assert_int_equal(nrs_state_save(self->state, txn), NRS_OK);
    assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    memcpy(self->committed, self->model, sizeof self->model);
}

// Changes that are not committed are gone, and so is the table that has seen them.
static void
s_abort(s_table_t *self, uint64_t edits, uint64_t keys, bool crowd, bool saved)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    assert_int_equal(nrs_txn_begin(self->store, true, &txn), NRS_OK);
    for (uint64_t i = 0; i < edits; i++)
        s_edit(self, txn, scratch_random(&self->seed) % keys, crowd);
    if (saved)
        assert_int_equal(nrs_state_save(self->state, txn), NRS_OK);
    nrs_txn_destroy(&txn);
    memcpy(self->model, self->committed, sizeof self->model);
    s_close(self);
    s_open(self);
}

static void
test_state_is_a_map_through_saves_and_reopens(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t memory_bytes;
        uint64_t edits; // in one commit, at most
        uint64_t keys;
        bool crowd;
    } cases[] = {
        { "one-bucket", 1, 40, 200, false }, // eviction and folding at each turn
        { "few-buckets", 4096, 100, KEYS, false },
        { "crowded", 8192, 100, 400, true }, // all keys in a few buckets
        { "few-keys", 2048, 30, 10, false }, // the same keys over and over: deltas grow, not keys
        { "roomy", 1 << 20, 300, KEYS, false }, // never more than memory holds
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        static s_table_t self;
        self = (s_table_t){ .memory_bytes = cases[c].memory_bytes, .seed = c };
        snprintf(self.path, sizeof self.path, "%s", scratch_path(cases[c].name));
        s_open(&self);
        for (int round = 0; round < 40; round++) {
            uint64_t edits = 1 + scratch_random(&self.seed) % cases[c].edits;
            s_batch(&self, edits, cases[c].keys, cases[c].crowd);
            if (scratch_random(&self.seed) % 6 == 0) {
                s_close(&self);
                s_open(&self);
            }
            if (scratch_random(&self.seed) % 6 == 0)
                s_abort(&self, edits, cases[c].keys, cases[c].crowd, round & 1);
            if (scratch_random(&self.seed) % 4 == 0)
                s_assert_sane(&self, cases[c].crowd);
        }
        s_assert_sane(&self, cases[c].crowd);
        s_close(&self);
        s_open(&self);
        s_assert_sane(&self, cases[c].crowd);
        s_close(&self);
    }
}

// A change that folding overtook within its own batch outlives the older delta of the same key.
static void
test_state_keeps_a_change_folded_before_it_was_saved(void **state)
{
    (void)state;
    static s_table_t self;
    self = (s_table_t){ .memory_bytes = 1 }; // one bucket of 16
    snprintf(self.path, sizeof self.path, "%s", scratch_path("overtaken"));
    s_open(&self);
    for (int round = 0; round < 2; round++) {
        NRS_AUTO(nrs_txn) txn = NULL;
        assert_int_equal(nrs_txn_begin(self.store, true, &txn), NRS_OK);
        s_edit(&self, txn, 0, false);
        for (uint64_t i = 1; round == 1 && i < 40; i++)
            s_edit(&self, txn, i, false);
        assert_int_equal(nrs_state_save(self.state, txn), NRS_OK);
        assert_int_equal(nrs_txn_commit(&txn), NRS_OK);
    }
    s_close(&self);
    s_open(&self);
    s_assert_sane(&self, false);
    s_close(&self);
}

static void
test_state_drops_deltas_that_are_folded(void **state)
{
    (void)state;
    static s_table_t self;
    self = (s_table_t){ .memory_bytes = 2048, .seed = 9 };
    snprintf(self.path, sizeof self.path, "%s", scratch_path("little"));
    s_open(&self);
    for (int round = 0; round < 300; round++)
        s_batch(&self, 3, 10, false);
    nrs_store_table_t deltas;
    assert_int_equal(nrs_store_table(self.store, "t.delta", &deltas), NRS_OK);
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_txn_begin(self.store, false, &txn), NRS_OK);
    assert_in_range(nrs_txn_count(txn, deltas), 2, 60); // deltas that are folded go
    nrs_txn_destroy(&txn);
    s_close(&self);
}

static void
test_state_of_another_shape_is_refused(void **state)
{
    (void)state;
    static s_table_t self;
    self = (s_table_t){ .memory_bytes = 4096 };
    snprintf(self.path, sizeof self.path, "%s", scratch_path("shape"));
    s_open(&self);
    s_batch(&self, 10, 10, false);
    nrs_state_destroy(&self.state);
    nrs_state_options_t options = { .name = "t", .value_bytes = 24 };
    assert_int_equal(nrs_state_open(self.store, &options, &self.state), NRS_E_VERSION);
    assert_null(self.state);
    s_close(&self);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_keeps_a_change_folded_before_it_was_saved),
        cmocka_unit_test(test_state_is_a_map_through_saves_and_reopens),
        cmocka_unit_test(test_state_drops_deltas_that_are_folded),
        cmocka_unit_test(test_state_of_another_shape_is_refused),
    };
    return stores_run_in_each(tests);
}
