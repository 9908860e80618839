// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "tests/fixtures/stores.h"

// The same calls to a store in LMDB and to one in memory.
typedef struct s_pair {
    nrs_store_t *stores[2];
    nrs_store_table_t tables[2];
    nrs_txn_t *txns[2];
    nrs_scan_t *scans[2];
    uint64_t seed;
} s_pair_t;

enum { PAIR_KEYS = 300, PAIR_STEPS = 20000, PAIR_TURN = 50 };

typedef enum s_act { PUT, RESERVE, DROP, GET, SEEK, SEEK_BACK, NEXT, BACK, DROP_AT, ACT_MAX } s_act_t;

static uint64_t
s_choose(s_pair_t *self, uint64_t below)
{
    return scratch_random(&self->seed) % below;
}

static nrs_err_t
s_do(s_pair_t *self, int kind, s_act_t act, nrs_bytes_t key, nrs_bytes_t put, nrs_bytes_t *at, nrs_bytes_t *value)
{
    nrs_txn_t *txn = self->txns[kind];
    nrs_scan_t *scan = self->scans[kind];
    nrs_store_table_t table = self->tables[kind];
    uint8_t *room;
    nrs_err_t err;
    switch (act) {
    case PUT:
        return nrs_txn_put(txn, table, key, put);
    case RESERVE:
        err = nrs_txn_reserve(txn, table, key, put.size, &room);
        if (!err)
            memcpy(room, put.data, put.size);
        return err;
    case DROP:
        return nrs_txn_drop(txn, table, key);
    case GET:
        return nrs_txn_get(txn, table, key, value);
    case SEEK:
        return nrs_scan_seek(scan, key, at, value);
    case SEEK_BACK:
        return nrs_scan_seek_back(scan, key, at, value);
    case NEXT:
        return nrs_scan_next(scan, at, value);
    case BACK:
        return nrs_scan_back(scan, at, value);
    default:
        return nrs_scan_drop(scan);
    }
}

// Both answer alike. Returns what they answer.
static nrs_err_t
s_do_both(s_pair_t *self, s_act_t act)
{
    static uint8_t filler[9000];
    uint8_t name[511];
    uint64_t number = s_choose(self, PAIR_KEYS);
    memset(name, (int)(number % 7), sizeof name);
    nrs_put_be16(name + number % 3, (uint16_t)number);
    nrs_bytes_t key = nrs_bytes(name, number % 50 ? 5 + number % 13 : number % 3 ? sizeof name : 0);
    memset(filler, (int)s_choose(self, 256), sizeof filler);
    nrs_bytes_t put = nrs_bytes(filler, s_choose(self, 8) ? s_choose(self, 64) : s_choose(self, sizeof filler));
    nrs_bytes_t at[2] = { NRS_NONE, NRS_NONE }, values[2] = { NRS_NONE, NRS_NONE };
    nrs_err_t err = s_do(self, 0, act, key, put, &at[0], &values[0]);
    assert_int_equal(s_do(self, 1, act, key, put, &at[1], &values[1]), err);
    if (!err) {
        assert_true(nrs_bytes_equal(at[0], at[1]));
        assert_true(nrs_bytes_equal(values[0], values[1]));
    }
    assert_true(nrs_txn_count(self->txns[0], self->tables[0]) == nrs_txn_count(self->txns[1], self->tables[1]));
    return err;
}

static void
s_end_scans(s_pair_t *self)
{
    for (int kind = 0; kind < 2; kind++)
        nrs_scan_destroy(&self->scans[kind]);
}

// One transaction of some steps; scans end with each write, as they must.
static void
s_transact(s_pair_t *self, bool write)
{
    bool placed = false, dropped = false;
    for (int kind = 0; kind < 2; kind++)
        self->txns[kind] = stores_begin(self->stores[kind], write);
    for (uint64_t steps = s_choose(self, PAIR_TURN); steps > 0; steps--) {
        s_act_t act = (s_act_t)s_choose(self, ACT_MAX);
        if (act >= SEEK && !self->scans[0]) {
            for (int kind = 0; kind < 2; kind++)
                assert_int_equal(nrs_scan_open(self->txns[kind], self->tables[kind], &self->scans[kind]), NRS_OK);
            placed = false;
        }
        if (!placed && act > SEEK_BACK)
            act = SEEK;
        if ((act == DROP_AT && !write) || dropped)
            act = NEXT;
        if (act <= DROP)
            s_end_scans(self);
        nrs_err_t err = s_do_both(self, act);
        if (act == SEEK || act == SEEK_BACK || dropped)
            placed = !err;
        dropped = act == DROP_AT;
    }
    s_end_scans(self);
    bool keep = s_choose(self, 3) > 0;
    for (int kind = 0; kind < 2; kind++) {
        if (keep)
            assert_int_equal(nrs_txn_commit(&self->txns[kind]), NRS_OK);
        nrs_txn_destroy(&self->txns[kind]);
    }
}

static void
test_store_in_memory_answers_as_one_in_lmdb(void **state)
{
    (void)state;
    NRS_AUTO(nrs_disk) disk = nrs_disk_new();
    s_pair_t self = { .seed = 5 };
    nrs_store_options_t options = { .path = scratch_path("pair"), .bytes_max = 1 << 26 };
    assert_int_equal(nrs_store_open(&options, NULL, &self.stores[0]), NRS_OK);
    assert_int_equal(nrs_disk_open(disk, &options, NULL, &self.stores[1]), NRS_OK);
    for (int kind = 0; kind < 2; kind++)
        self.tables[kind] = stores_table(self.stores[kind], "t");
    for (int turn = 0; turn < PAIR_STEPS / PAIR_TURN; turn++)
        s_transact(&self, s_choose(&self, 4) > 0);
    for (int kind = 0; kind < 2; kind++)
        nrs_store_destroy(&self.stores[kind]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_store_in_memory_answers_as_one_in_lmdb) };
    return cmocka_run_group_tests(tests, stores_in_lmdb, stores_drop);
}
