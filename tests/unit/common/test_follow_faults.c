// A follower and its server on a network that loses, doubles, delays and reorders, is cut and comes
// back: each event arrives once and in the order of its lane, and the same seed gives the same run.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/log.h"
#include "tests/fixtures/follow_line.h"

enum { SEEDS = 300, ROUNDS = 120 };

typedef struct s_run {
    s_line_t line;
    uint64_t seed; // of what the story does; the network has its own, the world's
    bool cut;
} s_run_t;

static uint64_t
s_lot(s_run_t *self, uint64_t limit)
{
    return scratch_random(&self->seed) % limit;
}

static void
s_heal(s_run_t *self)
{
    nrs_net_heal(self->line.made.net, nrs_follower_bus(self->line.follower));
    self->cut = false;
}

static void
s_cut(s_run_t *self)
{
    nrs_net_cut(self->line.made.net, nrs_follower_bus(self->line.follower));
    self->cut = true;
}

// What may happen between two turns.
static void
s_happen(s_run_t *self)
{
    s_line_t *line = &self->line;
    if (s_lot(self, 2) == 0)
        s_append(line, (uint16_t)s_lot(self, LANES), 1 + (uint32_t)s_lot(self, 30), 20);
    if (s_lot(self, 20) == 0 && !self->cut)
        s_cut(self);
    else if (s_lot(self, 5) == 0 && self->cut)
        s_heal(self);
    if (s_lot(self, 40) == 0 && line->server)
        nrs_follow_server_destroy(&line->server);
    else if (s_lot(self, 5) == 0 && !line->server)
        s_serve(line);
    nrs_world_made_pass(&line->made, (int64_t)s_lot(self, 400));
}

static void
s_play_round(s_run_t *self)
{
    s_happen(self);
    s_step(&self->line);
    for (uint64_t steps = s_lot(self, 12); steps > 0; steps--)
        nrs_net_step(self->line.made.net);
    s_take(&self->line); // asserts that nothing is left out, doubled or out of order
    if (s_lot(self, 3) > 0)
        s_acknowledge(&self->line);
}

// The network behaves again; what it has lost is noticed by the new connection.
static void
s_settle(s_run_t *self)
{
    s_line_t *line = &self->line;
    nrs_net_disturb(line->made.net, NULL, &(nrs_net_faults_t){ 0 });
    if (!line->server)
        s_serve(line);
    s_cut(self);
    s_heal(self);
    s_until_all(line);
}

// Play one seed to its end; returns the trace.
static uint64_t
s_play(uint64_t seed, const nrs_net_faults_t *faults)
{
    s_run_t self = { .seed = seed };
    s_line_t *line = &self.line;
    s_begin(line);
    line->made.seed = seed;
    nrs_net_disturb(line->made.net, NULL, faults);
    s_serve(line);
    nrs_follower_options_t options = s_follower_options(line);
    s_follow(line, &options);
    for (int round = 0; round < ROUNDS; round++)
        s_play_round(&self);
    s_settle(&self);
    assert_int_equal(line->events, line->offsets);
    uint64_t trace = nrs_net_trace(line->made.net);
    s_end(line);
    return trace;
}

static void
test_follower_gets_each_event_once_whatever_the_network_does(void **state)
{
    (void)state;
    static const nrs_net_faults_t cases[] = {
        { 0 }, // cuts and restarts alone
        { .drop = 30 },
        { .duplicate = 50 },
        { .delay = 200 },
        { .reorder = 50 },
        { .drop = 10, .duplicate = 10, .delay = 100, .reorder = 10 },
        { .drop = 100, .duplicate = 100, .delay = 300, .reorder = 200 },
    };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const nrs_net_faults_t *faults = &cases[seed % (sizeof cases / sizeof *cases)];
        uint64_t trace = s_play(seed, faults);
        if (s_play(seed, faults) != trace)
            fail_msg("seed %llu: the same seed went another way", (unsigned long long)seed);
    }
}

static void
test_other_seeds_go_other_ways(void **state)
{
    (void)state;
    nrs_net_faults_t faults = { .drop = 10, .duplicate = 10, .delay = 100, .reorder = 10 };
    assert_int_not_equal(s_play(1, &faults), s_play(2, &faults));
}

static int
s_setup(void **state)
{
    s_in_memory = true;
    nrs_log_setup("test", "follow", NRS_LOG_NOTHING); // what goes wrong here is meant to
    return scratch_make(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follower_gets_each_event_once_whatever_the_network_does),
        cmocka_unit_test(test_other_seeds_go_other_ways),
    };
    return cmocka_run_group_tests(tests, s_setup, scratch_drop);
}
