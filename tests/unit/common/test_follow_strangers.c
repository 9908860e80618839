// What happens when the other side is not what it should be: servers, peers and noise.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/follow.h"
#include "common/keys.h"
#include "tests/fixtures/follow_line.h"

// --- a server that is not ours -------------------------------------------------------------------

typedef struct s_stranger {
    nrs_bus_t *bus;
    nrs_message_t asked; // its OPEN, with the identity
    nrs_follow_message_t open;
} s_stranger_t;

// Bind, and wait for the follower's OPEN.
static void
s_pose(s_line_t *self, s_stranger_t *stranger)
{
    nrs_bus_options_t socket = {
        .type = NRS_BUS_ROUTER, .bind = true, .endpoint = self->endpoint, .probe = true
    };
    assert_int_equal(nrs_bus_open(&socket, NULL, &stranger->bus), NRS_OK);
    nrs_follower_options_t options = s_follower_options(self);
    s_follow(self, &options);
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        nrs_wait_t items[] = { { .bus = stranger->bus },
                               { .bus = nrs_follower_bus(self->follower) } };
        nrs_bus_wait(items, 2, TURN_MS);
        nrs_follower_step(self->follower);
        if (nrs_bus_recv(stranger->bus, &stranger->asked) == NRS_OK)
            break;
    }
    assert_int_equal(stranger->asked.count, 2);
    assert_int_equal(nrs_follow_decode(nrs_message_frame(&stranger->asked, 1), &stranger->open),
                     NRS_OK);
    assert_int_equal(stranger->open.verb, NRS_FOLLOW_OPEN);
}

static void
s_say(s_stranger_t *stranger, const nrs_follow_message_t *message, nrs_bytes_t segment)
{
    nrs_buf_t frame = { 0 };
    nrs_message_t out = { 0 };
    nrs_follow_encode(message, &frame);
    nrs_message_put(&out, nrs_message_frame(&stranger->asked, 0));
    nrs_message_put(&out, nrs_buf_bytes(&frame));
    if (segment.size)
        nrs_message_put(&out, segment);
    assert_int_equal(nrs_bus_send(stranger->bus, &out), NRS_OK);
    nrs_buf_free(&frame);
}

static void
s_say_opened(s_stranger_t *stranger, uint64_t offset, uint32_t epoch)
{
    nrs_follow_message_t message = {
        .verb = NRS_FOLLOW_OPENED, .session = 9, .instance = 4, .lane_count = 1
    };
    message.lanes[0] =
        (nrs_follow_lane_t){ .lane = 1, .place = { .epoch = epoch, .offset = offset }, .next = 99 };
    s_say(stranger, &message, NRS_NONE);
}

static void
test_follower_stops_at_what_does_not_fit(void **state)
{
    (void)state;
    enum damage { FLIPPED, SECOND, OTHER_LANE, OTHER_TOPIC, OTHER_EPOCH, NOISE };
    static const struct {
        enum damage damage;
        nrs_err_t err;
        const char *problem;
    } cases[] = {
        { FLIPPED, NRS_E_CORRUPT, "fails its checksum" },
        { SECOND, NRS_E_REWOUND, "does not follow the one before" },
        { OTHER_LANE, NRS_E_FORMAT, "not what the protocol says" },
        { OTHER_TOPIC, NRS_E_FORMAT, "not what the protocol says" },
        { OTHER_EPOCH, NRS_E_REWOUND, "does not follow the one before" },
        { NOISE, NRS_E_FORMAT, "not what the protocol says" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_line_t self;
        s_stranger_t stranger = { 0 };
        enum damage damage = cases[i].damage;
        s_begin(&self);
        nrs_topic_destroy(&self.topic);
        nrs_topic_options_t options = s_topic_options(damage == OTHER_EPOCH ? EPOCH + 1 : EPOCH);
        options.name = damage == OTHER_TOPIC ? "enriched" : "reports";
        options.lanes = 64;
        self.topic = nrs_topic_new(&options);
        uint16_t lane = damage == OTHER_LANE ? 5 : 1;
        s_append(&self, lane, 2, 0);
        s_append(&self, lane, 2, 0);
        nrs_bytes_t bytes;
        assert_int_equal(nrs_topic_fetch(self.topic, NULL, lane, damage == SECOND ? 2 : 0, &bytes),
                         NRS_OK);
        if (damage == FLIPPED)
            ((uint8_t *)(uintptr_t)bytes.data)[bytes.size - 3] ^= 0x40;
        s_pose(&self, &stranger);
        s_say_opened(&stranger, 0, EPOCH);
        nrs_follow_message_t head = { .verb = NRS_FOLLOW_SEGMENTS, .session = 9 };
        s_say(&stranger, &head, damage == NOISE ? nrs_text("noise") : bytes);
        s_until_problem(&self, cases[i].problem);
        assert_int_equal(self.broke, cases[i].err);
        assert_int_equal(self.events, 0);
        nrs_follower_info_t info;
        nrs_follower_info(self.follower, &info);
        assert_false(info.connected);
        nrs_message_clear(&stranger.asked);
        nrs_bus_destroy(&stranger.bus);
        s_end(&self);
    }
}

static void
test_follower_is_not_moved_by_the_server(void **state)
{
    (void)state;
    static const struct {
        uint32_t epoch;
        uint64_t offset;
    } cases[] = { { EPOCH, 11 }, { EPOCH, 9 }, { EPOCH - 1, 10 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_line_t self;
        s_stranger_t stranger = { 0 };
        s_start(&self);
        s_append(&self, 1, 10, 0);
        s_until_all(&self);
        nrs_place_t places[NRS_LANES_MAX] = { [1] = *nrs_follower_place(self.follower, 1) };
        nrs_follower_destroy(&self.follower);
        nrs_follow_server_destroy(&self.server);
        nrs_bus_options_t socket = {
            .type = NRS_BUS_ROUTER, .bind = true, .endpoint = self.endpoint, .probe = true
        };
        assert_int_equal(nrs_bus_open(&socket, NULL, &stranger.bus), NRS_OK);
        nrs_follower_options_t options = s_follower_options(&self);
        options.places = places;
        s_follow(&self, &options);
        for (int turn = 0; turn < PATIENCE_TURNS && stranger.asked.count == 0; turn++) {
            nrs_wait_t items[] = { { .bus = stranger.bus },
                                   { .bus = nrs_follower_bus(self.follower) } };
            nrs_bus_wait(items, 2, TURN_MS);
            nrs_follower_step(self.follower);
            NRS_IGNORE(nrs_bus_recv(stranger.bus, &stranger.asked)); // not there yet: another turn
        }
        s_say_opened(&stranger, cases[i].offset, cases[i].epoch);
        s_until_problem(&self, "begins elsewhere than it was asked");
        assert_int_equal(nrs_follower_place(self.follower, 1)->offset, 10);
        nrs_message_clear(&stranger.asked);
        nrs_bus_destroy(&stranger.bus);
        s_end(&self);
    }
}

static void
test_server_counts_what_it_cannot_read(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    static const char *const noise[] = { "", "noise", "\x92\x05\x01", "\x92\x03" };
    nrs_follow_server_counts_t counts = { 0 };
    for (size_t i = 0; i < 4; i++) {
        nrs_message_t message = { 0 };
        nrs_message_put(&message, nrs_text(noise[i]));
        for (int turn = 0; turn < PATIENCE_TURNS; turn++) { // until it is connected
            if (nrs_bus_send(nrs_follower_bus(self.follower), &message) == NRS_OK)
                break;
            s_turn(&self);
        }
    }
    for (int turn = 0; turn < PATIENCE_TURNS && counts.bad_messages < 4; turn++) {
        s_turn(&self);
        nrs_follow_server_counts(self.server, &counts);
    }
    assert_int_equal(counts.bad_messages, 4);
    s_append(&self, 0, 3, 0);
    s_until_all(&self);
    s_end(&self);
}

// --- with keys -----------------------------------------------------------------------------------

typedef struct s_cast {
    nrs_keys_t server, ncfta, cda, stranger;
    nrs_zap_t *zap;
} s_cast_t;

static void
s_start_curve(s_line_t *self, s_cast_t *cast)
{
    s_begin(self);
    static const char *const names[] = { "server", "ncfta", "cda", "stranger" };
    nrs_keys_t *keys[] = { &cast->server, &cast->ncfta, &cast->cda, &cast->stranger };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(nrs_keys_new(scratch_root, names[i], NULL, keys[i]), NRS_OK);
    assert_int_equal(nrs_zap_open(&cast->zap), NRS_OK);
    nrs_zap_allow(cast->zap, "release", cast->ncfta.public_text, "ncfta");
    nrs_zap_allow(cast->zap, "release", cast->cda.public_text, "cda");
    nrs_bus_t *bus = NULL;
    nrs_bus_options_t socket = { .type = NRS_BUS_ROUTER,
                                 .bind = true,
                                 .endpoint = "tcp://127.0.0.1:*",
                                 .keys = &cast->server,
                                 .zap_domain = "release",
                                 .probe = true };
    assert_int_equal(nrs_bus_open(&socket, NULL, &bus), NRS_OK);
    snprintf(self->endpoint, sizeof self->endpoint, "%s", nrs_bus_endpoint(bus));
    nrs_follow_server_options_t options = {
        .realm = "live",
        .instance = 4,
        .world = &self->made.world,
        .zap = cast->zap,
        .zap_domain = "release",
    };
    assert_int_equal(nrs_follow_server_open(&bus, &options, &self->server), NRS_OK);
    nrs_follow_server_offer(self->server, self->topic, cast->ncfta.public_text, "ncfta");
}

static nrs_follower_options_t
s_curve_options(s_line_t *self, const s_cast_t *cast, const nrs_keys_t *keys)
{
    nrs_follower_options_t options = s_follower_options(self);
    options.keys = keys;
    options.server_key = cast->server.public_text;
    return options;
}

static void
test_topic_of_a_peer_is_for_its_key_alone(void **state)
{
    (void)state;
    s_line_t self;
    s_cast_t cast;
    s_start_curve(&self, &cast);
    s_append(&self, 1, 10, 0);
    assert_int_equal(nrs_topic_register(self.topic, NULL, "ncfta", 0x7), NRS_OK);

    nrs_follower_options_t options =
        s_curve_options(&self, &cast, &cast.cda); // a peer, but another
    options.name = "ncfta";
    s_follow(&self, &options);
    s_until_problem(&self, "refused (absent): there is no such topic here for you");
    nrs_follower_destroy(&self.follower);

    options = s_curve_options(&self, &cast, &cast.ncfta);
    options.name = "whatever it likes";
    s_follow(&self, &options);
    s_until_all(&self);
    assert_true(nrs_follow_server_connected(self.server, "reports", "ncfta"));
    nrs_topic_follower_info_t info = { .lag = 1 };
    for (int turn = 0; turn < PATIENCE_TURNS && info.lag; turn++) {
        s_turn(&self);
        nrs_topic_follower(self.topic, 0, &info);
    }
    assert_int_equal(info.lag, 0);

    nrs_zap_revoke(cast.zap, "release", cast.ncfta.public_text); // from now on it gets nothing
    s_append(&self, 1, 10, 0);
    nrs_world_made_pass(&self.made, 2000); // its next sign of life is asked for its key
    s_until_problem(&self, "refused (denied)");
    assert_int_equal(self.next[1], 10);
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_int_equal(counts.sessions, 0);
    nrs_follower_destroy(&self.follower);

    options = s_curve_options(&self, &cast,
                              &cast.stranger); // a key that nobody knows does not get as far
    s_follow(&self, &options);
    for (int turn = 0; turn < PATIENCE_TURNS && nrs_zap_denied(cast.zap) == 0; turn++)
        s_turn(&self);
    assert_true(nrs_zap_denied(cast.zap) > 0);
    nrs_follower_info_t apart;
    nrs_follower_info(self.follower, &apart);
    assert_false(apart.connected);
    s_end(&self);
    nrs_zap_destroy(&cast.zap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follower_stops_at_what_does_not_fit),
        cmocka_unit_test(test_follower_is_not_moved_by_the_server),
        cmocka_unit_test(test_server_counts_what_it_cannot_read),
        cmocka_unit_test(test_topic_of_a_peer_is_for_its_key_alone),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
