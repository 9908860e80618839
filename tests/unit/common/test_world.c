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
        cmocka_unit_test(test_world_real_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
