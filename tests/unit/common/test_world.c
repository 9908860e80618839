#include "common/disk.h"
#include "common/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_world_made_stands_still_until_it_is_moved(void **unused)
{
    (void)unused;
    nrs_world_made_t made;
    nrs_world_made_init(&made, 1700000000000, 1);
    nrs_world_t *world = &made.world;
    assert_int_equal(world->now_ms(world), 1700000000000);
    assert_int_equal(world->now_ms(world), 1700000000000);
    int64_t mono_ms = world->mono_ms(world);
    nrs_world_made_pass(&made, 1500);
    assert_int_equal(world->now_ms(world), 1700000001500);
    assert_int_equal(world->mono_ms(world) - mono_ms, 1500);
}

static void
test_world_made_randomness_follows_from_the_seed(void **unused)
{
    (void)unused;
    nrs_world_made_t made;
    uint8_t first[37], again[37] = { 0 }, other[37];
    nrs_world_made_init(&made, 0, 7);
    made.world.random(&made.world, first, sizeof first);
    made.world.random(&made.world, other, sizeof other);
    assert_memory_not_equal(first, other, sizeof first);
    nrs_world_made_init(&made, 0, 7);
    made.world.random(&made.world, again, sizeof again);
    assert_memory_equal(first, again, sizeof first);
    nrs_world_made_init(&made, 0, 8);
    made.world.random(&made.world, other, sizeof other);
    assert_memory_not_equal(first, other, sizeof first);
}

// A store is found again by its path, in every world that shares the disk.
static void
test_world_made_opens_stores_on_its_disk(void **unused)
{
    (void)unused;
    nrs_world_made_t first, second;
    nrs_world_made_init(&first, 0, 1);
    nrs_world_made_init(&second, 0, 2);
    first.disk = second.disk = nrs_disk_new();
    nrs_store_options_t options = { .path = "/nowhere/data/enrich" };
    nrs_store_t *store = NULL;
    nrs_store_table_t table;
    assert_int_equal(first.world.store_open(&first.world, &options, NULL, &store), NRS_OK);
    assert_int_equal(nrs_store_table(store, "t", &table), NRS_OK);
    nrs_store_destroy(&store);
    options.read_only = true;
    assert_int_equal(second.world.store_open(&second.world, &options, NULL, &store), NRS_OK);
    assert_int_equal(nrs_store_table(store, "t", &table), NRS_OK);
    assert_int_equal(nrs_store_table(store, "other", &table), NRS_E_ABSENT);
    nrs_store_destroy(&store);
    options.path = "/nowhere/data/relay";
    assert_int_equal(second.world.store_open(&second.world, &options, NULL, &store), NRS_E_IO);
    nrs_disk_destroy(&first.disk);
}

static void
test_world_real_goes_forward(void **unused)
{
    (void)unused;
    nrs_world_t *world = nrs_world_real();
    assert_true(world->now_ms(world) > 1700000000000);
    int64_t before_ms = world->mono_ms(world);
    uint8_t one[1024] = { 0 }, two[1024] = { 0 };
    world->random(world, one, sizeof one);
    world->random(world, two, sizeof two);
    assert_memory_not_equal(one, two, sizeof one);
    assert_true(world->mono_ms(world) >= before_ms);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_world_made_stands_still_until_it_is_moved),
        cmocka_unit_test(test_world_made_randomness_follows_from_the_seed),
        cmocka_unit_test(test_world_made_opens_stores_on_its_disk),
        cmocka_unit_test(test_world_real_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
