// A server and its followers in one process, over ipc in a directory of their own. Time stands still until a story moves it.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/event.h"
#include "common/follow.h"
#include "common/follow_server.h"
#include "common/follower.h"
#include "common/keys.h"
#include "tests/fixtures/scratch.h"

enum { LANES = 3, EPOCH = 7, PATIENCE_TURNS = 400, TURN_MS = 50 };

typedef struct s_line {
    nrs_world_made_t made;
    char endpoint[128];
    nrs_topic_t *topic;
    nrs_follow_server_t *server; // NULL: down
    nrs_follower_t *follower;
    size_t sent;                 // messages of the server's last turn
    uint64_t next[LANES];        // what the follower has to get next
    uint64_t events;             // taken in all,
    uint64_t unsaid_bytes;       // and since the last acknowledgement
    uint64_t unsaid_events;
    uint64_t offsets;            // that the taken segments covered
    nrs_err_t broke;             // what nrs_follower_next() said last, but for "none there"
} s_line_t;

// --- the server's side ---------------------------------------------------------------------------

static nrs_topic_options_t
s_topic_options(uint32_t epoch)
{
    return (nrs_topic_options_t){
        .realm = "live", .name = "reports", .instance = 4, .lanes = LANES, .epoch = epoch,
        .replay_bytes = UINT64_MAX, .replay_ms = INT64_MAX,
    };
}

// Append one segment of `count` events whose description has `padding` bytes; every third is a domain, the others URLs.
static void
s_append(s_line_t *self, uint16_t lane, uint32_t count, size_t padding)
{
    static char text[4096];
    memset(text, 'p', sizeof text);
    nrs_segment_build_t build = { 0 };
    const nrs_lane_t *state = nrs_topic_lane(self->topic, lane);
    for (uint32_t i = 0; i < count; i++) {
        nrs_origin_t origin = {
            .instance = 4, .lane = lane, .epoch = state->epoch, .offset = state->next + i,
            .kind = (state->next + i) % 3 == 0 ? NRS_KIND_DOMAIN : NRS_KIND_URL,
            .description = nrs_bytes(text, padding),
        };
        size_t before = build.payload.size;
        nrs_event_begin(&build.payload, &origin);
        nrs_segment_build_added(&build, before, 0);
    }
    assert_int_equal(nrs_topic_append(self->topic, NULL, lane, &build, self->made.now), NRS_OK);
    nrs_segment_build_free(&build);
}

static void
s_serve(s_line_t *self)
{
    nrs_bus_t *bus = NULL;
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t socket = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = self->endpoint, .probe = true };
    if (nrs_bus_open(&socket, &problem, &bus))
        fail_msg("%s", problem.text);
    nrs_follow_server_options_t options = { .realm = "live", .instance = 4, .world = &self->made.world };
    assert_int_equal(nrs_follow_server_open(&bus, &options, &self->server), NRS_OK);
    nrs_follow_server_offer(self->server, self->topic, NULL, NULL);
}

// The server goes, its log with it, and comes back with another.
static void
s_serve_anew(s_line_t *self, uint32_t epoch)
{
    nrs_follow_server_destroy(&self->server);
    nrs_topic_destroy(&self->topic);
    nrs_topic_options_t options = s_topic_options(epoch);
    self->topic = nrs_topic_new(&options);
}

// --- the follower's side -------------------------------------------------------------------------

static nrs_follower_options_t
s_follower_options(s_line_t *self)
{
    return (nrs_follower_options_t){
        .endpoint = self->endpoint, .realm = "live", .topic = "reports", .name = "enrich-1",
        .lanes = 0x7, .world = &self->made.world,
    };
}

static void
s_follow(s_line_t *self, const nrs_follower_options_t *options)
{
    nrs_problem_t problem = { 0 };
    if (nrs_follower_open(options, &problem, &self->follower))
        fail_msg("%s", problem.text);
}

static void
s_begin(s_line_t *self)
{
    static unsigned number;
    *self = (s_line_t){ 0 };
    nrs_world_made_init(&self->made, 1700000000000, 1);
    snprintf(self->endpoint, sizeof self->endpoint, "ipc://%s/s%u", scratch_root, number++);
    nrs_topic_options_t options = s_topic_options(EPOCH);
    self->topic = nrs_topic_new(&options);
}

static void
s_start(s_line_t *self)
{
    s_begin(self);
    s_serve(self);
    nrs_follower_options_t options = s_follower_options(self);
    s_follow(self, &options);
}

static void
s_end(s_line_t *self)
{
    nrs_follower_destroy(&self->follower);
    nrs_follow_server_destroy(&self->server);
    nrs_topic_destroy(&self->topic);
}

// The follower is where what it has taken ends, and no more is on its way than it has granted.
static void
s_assert_sane(s_line_t *self)
{
    nrs_follower_info_t info;
    nrs_follower_info(self->follower, &info);
    uint64_t lag = 0;
    for (uint16_t lane = 0; lane < LANES; lane++) {
        uint64_t head = nrs_follower_head(self->follower, lane), place = nrs_follower_place(self->follower, lane)->offset;
        lag += head > place ? head - place : 0;
        if (info.connected && self->next[lane])
            assert_int_equal(place, self->next[lane]);
    }
    assert_int_equal(info.lag, lag);
    if (self->server) {
        nrs_follow_server_counts_t counts;
        nrs_follow_server_counts(self->server, &counts);
        assert_true(counts.sessions <= NRS_FOLLOW_SESSIONS_MAX);
    }
}

// Take what is there: each offset once, in order, each event the one that was appended.
static void
s_take(s_line_t *self)
{
    nrs_segment_t segment;
    nrs_err_t err;
    while ((err = nrs_follower_next(self->follower, &segment)) == NRS_OK) {
        uint16_t lane = segment.head.lane;
        assert_true(lane < LANES && segment.head.base == self->next[lane]);
        for (uint32_t i = 0; i < segment.head.count; i++) {
            uint64_t offset;
            nrs_origin_place_t place;
            assert_int_equal(nrs_event_place(nrs_segment_event(&segment, i, &offset), &place), NRS_OK);
            assert_true(place.lane == lane && place.offset == offset && place.epoch == segment.head.epoch);
        }
        self->next[lane] += segment.head.span;
        self->offsets += segment.head.span;
        self->events += segment.head.count;
        self->unsaid_events += segment.head.count;
        self->unsaid_bytes += segment.bytes.size;
        s_assert_sane(self);
    }
    if (err != NRS_E_AGAIN)
        self->broke = err;
}

static void
s_acknowledge(s_line_t *self)
{
    nrs_follower_acknowledge(self->follower);
    self->unsaid_bytes = self->unsaid_events = 0;
}

// One turn of both sides; then wait for either to have something.
static void
s_turn(s_line_t *self)
{
    nrs_wait_t items[] = { { .bus = nrs_follower_bus(self->follower) }, { 0 } };
    if (self->server) {
        assert_int_equal(nrs_follow_server_step(self->server, NULL), NRS_OK);
        assert_int_equal(nrs_follow_server_serve(self->server, NULL, 64, &self->sent), NRS_OK);
        items[1].bus = nrs_follow_server_bus(self->server);
    }
    nrs_follower_step(self->follower);
    s_assert_sane(self);
    if (!nrs_follower_ready(self->follower))
        nrs_bus_wait(items, self->server ? 2 : 1, TURN_MS);
}

// Go on, taking and acknowledging, until the follower has all that there is.
static void
s_until_all(s_line_t *self)
{
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        bool all = true;
        for (uint16_t lane = 0; lane < LANES; lane++)
            all &= self->next[lane] == nrs_topic_lane(self->topic, lane)->next;
        if (all)
            return;
        s_turn(self);
        s_take(self);
        s_acknowledge(self);
    }
    nrs_follower_info_t info;
    nrs_follower_info(self->follower, &info);
    fail_msg("not all came: %s", info.problem ? info.problem : "no problem is known");
}

static void
s_until_problem(s_line_t *self, const char *text)
{
    nrs_follower_info_t info = { 0 };
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        s_turn(self);
        s_take(self);
        nrs_follower_info(self->follower, &info);
        if (info.problem && strstr(info.problem, text))
            return;
    }
    fail_msg("expected \"%s\", not \"%s\"", text, info.problem ? info.problem : "");
}

// --- stories -------------------------------------------------------------------------------------

static void
test_follower_gets_each_lane_in_order(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    uint64_t seed = 3;
    for (int round = 0; round < 40; round++) { // the log grows while it is read
        for (int i = 0; i < 5; i++)
            s_append(&self, (uint16_t)(scratch_random(&seed) % LANES), 1 + (uint32_t)(scratch_random(&seed) % 30), 20);
        s_turn(&self);
        s_take(&self);
        s_acknowledge(&self);
    }
    s_until_all(&self);
    assert_int_equal(self.events, self.offsets);
    nrs_follower_info_t info;
    nrs_follower_info(self.follower, &info);
    assert_true(info.connected && info.lag == 0 && info.instance == 4 && !info.problem);
    assert_true(nrs_follow_server_connected(self.server, "reports", "enrich-1"));
    s_end(&self);
}

static void
test_follower_is_never_sent_more_than_it_grants(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    s_serve(&self);
    for (int i = 0; i < 60; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 20, 1000);
    nrs_follower_options_t options = s_follower_options(&self);
    options.credit_bytes = NRS_FOLLOW_CREDIT_BYTES_MIN;
    options.credit_events = NRS_FOLLOW_CREDIT_EVENTS_MIN;
    s_follow(&self, &options);
    int rounds = 0;
    for (bool all = false; !all; rounds++) {
        nrs_follow_server_counts_t counts = { 0 };
        for (int turn = 0; turn < PATIENCE_TURNS; turn++) { // until what was granted is used, and has arrived
            s_turn(&self);
            s_take(&self);
            assert_true(self.unsaid_bytes <= options.credit_bytes && self.unsaid_events <= options.credit_events);
            nrs_follow_server_counts(self.server, &counts);
            if (counts.sessions == 1 && self.sent == 0 &&
                counts.credit_events + self.unsaid_events == options.credit_events)
                break;
        }
        assert_int_equal(counts.credit_events + self.unsaid_events, options.credit_events);
        all = self.unsaid_events == 0;
        s_acknowledge(&self);
    }
    s_until_all(&self);
    assert_true(rounds > 5);
    s_end(&self);
}

static void
test_follower_goes_on_when_the_server_comes_back(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    assert_int_equal(nrs_topic_register(self.topic, NULL, "enrich-1", 0x7), NRS_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 30; i++)
            s_append(&self, (uint16_t)(i % LANES), 10, 50);
        for (int i = 0; i < 3; i++) {
            s_turn(&self);
            s_take(&self); // not acknowledged: the next OPEN says so
        }
        nrs_follow_server_destroy(&self.server);
        s_turn(&self);
        s_serve(&self);
    }
    s_until_all(&self);
    nrs_topic_follower_info_t info;
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        nrs_topic_follower(self.topic, 0, &info);
        if (info.lag == 0)
            break;
        s_turn(&self);
    }
    assert_int_equal(info.lag, 0); // it is known at the server that all is durable
    s_end(&self);
}

static void
test_follower_of_an_older_history_is_told(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 1, 10, 0);
    s_append(&self, 1, 10, 0);
    s_until_all(&self);
    s_serve_anew(&self, EPOCH); // an old copy: half of it is not there
    s_append(&self, 1, 10, 0);
    s_serve(&self);
    s_until_problem(&self, "refused (rewound): you have more than was ever written here");
    s_append(&self, 1, 10, 1); // as many, but others
    nrs_world_made_pass(&self.made, 4000);
    s_until_problem(&self, "refused (rewound): your history differs");
    s_serve_anew(&self, EPOCH + 1); // who begins anew says so with a new epoch, and all is well
    s_append(&self, 1, 5, 0);
    s_serve(&self);
    memset(self.next, 0, sizeof self.next);
    s_until_all(&self);
    assert_int_equal(nrs_follower_place(self.follower, 1)->epoch, EPOCH + 1);
    s_serve_anew(&self, EPOCH);
    s_append(&self, 1, 5, 0);
    s_serve(&self);
    s_until_problem(&self, "refused (rewound)"); // an epoch never goes back
    s_end(&self);
}

static void
test_follower_of_what_was_trimmed_is_told(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 1, 10, 0);
    s_until_all(&self);
    nrs_follow_server_destroy(&self.server);
    for (int i = 0; i < 3; i++)
        s_append(&self, 1, 10, 0);
    nrs_topic_options_t options = s_topic_options(EPOCH);
    options.replay_bytes = 0; // a topic that keeps nothing
    nrs_topic_t *kept = self.topic, *trimmed = nrs_topic_new(&options);
    self.topic = trimmed;
    for (int i = 0; i < 4; i++)
        s_append(&self, 1, 10, 0);
    assert_int_equal(nrs_topic_trim(trimmed, NULL, self.made.now, 2), NRS_OK);
    assert_int_equal(nrs_topic_lane(trimmed, 1)->first, 20);
    s_serve(&self);
    s_until_problem(&self, "refused (trimmed)");
    nrs_topic_destroy(&kept);
    s_end(&self);
}

static void
test_follower_begins_at_a_time_or_inside_a_segment(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 4; i++) {
        s_append(&self, 1, 10, 0);
        nrs_world_made_pass(&self.made, 1000);
    }
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    options.from_ms = 1700000000000 + 1500;
    self.next[1] = 20;
    s_follow(&self, &options);
    s_until_all(&self);
    assert_int_equal(self.events, 20);
    nrs_follower_destroy(&self.follower);
    nrs_place_t places[NRS_LANES_MAX] = { [1] = { .epoch = EPOCH, .offset = 34 } };
    options.from_ms = 0;
    options.places = places;
    self.next[1] = 0; // not yet known where it begins
    s_follow(&self, &options);
    for (int turn = 0; turn < PATIENCE_TURNS && nrs_follower_place(self.follower, 1)->offset == 34; turn++)
        s_turn(&self);
    self.next[1] = 30; // the segment that holds it
    s_until_all(&self);
    s_end(&self);
}

static void
test_follower_with_a_filter_gets_only_that_and_all_places(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 4, 100);
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    options.filter = "kind == domain";
    s_follow(&self, &options);
    s_until_all(&self);
    nrs_follow_server_destroy(&self.server); // and after a break: its last segment is in nobody's history
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 1 + (uint32_t)i % 4, 100);
    s_serve(&self);
    s_until_all(&self);
    uint64_t domains = 0;
    for (uint16_t lane = 0; lane < LANES; lane++)
        domains += (nrs_topic_lane(self.topic, lane)->next + 2) / 3;
    assert_int_equal(self.events, domains);
    nrs_follower_destroy(&self.follower);
    options.filter = "kind == nothing";
    s_follow(&self, &options);
    memset(self.next, 0, sizeof self.next);
    s_until_problem(&self, "refused (filter): column 9");
    s_end(&self);
}

static void
test_follower_asks_for_what_is_not_there(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    s_serve(&self);
    nrs_place_t places[NRS_LANES_MAX] = { [LANES] = { .epoch = EPOCH } };
    nrs_follower_options_t good = s_follower_options(&self);
    struct {
        nrs_follower_options_t options;
        const char *problem;
    } cases[] = { { good, "refused (absent)" }, { good, "refused (absent)" }, { good, "refused (absent): the topic has" },
                  { good, "refused (absent): a follower needs a name" }, { good, "refused (credit)" } };
    cases[0].options.realm = "drill-7";
    cases[1].options.topic = "enriched";
    cases[2].options.lanes = 1 << LANES; // where it says that it has been before
    cases[2].options.places = places;
    cases[3].options.name = "";
    cases[4].options.credit_events = 100;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_follow(&self, &cases[i].options);
        s_until_problem(&self, cases[i].problem);
        nrs_follower_destroy(&self.follower);
    }
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_true(counts.sessions == 0 && counts.refused >= 5);
    nrs_follow_server_destroy(&self.server);
    nrs_topic_destroy(&self.topic);
}

static void
test_lane_that_is_damaged_stops_and_the_others_go_on(void **state)
{
    (void)state;
    s_line_t self;
    s_begin(&self);
    for (int i = 0; i < 30; i++)
        s_append(&self, (uint16_t)(i % LANES), 10, 100);
    nrs_bytes_t bytes;
    assert_int_equal(nrs_topic_fetch(self.topic, NULL, 1, 50, &bytes), NRS_OK);
    uint8_t *disk = (uint8_t *)(uintptr_t)bytes.data;
    disk[bytes.size - 1] ^= 1; // one bit, as from a bad disk
    s_serve(&self);
    nrs_follower_options_t options = s_follower_options(&self);
    s_follow(&self, &options);
    s_until_problem(&self, "refused (corrupt): lane 1 is damaged here at offset 50");
    for (int turn = 0; turn < PATIENCE_TURNS && (self.next[0] < 100 || self.next[2] < 100); turn++) {
        s_turn(&self);
        s_take(&self);
        s_acknowledge(&self);
    }
    assert_true(self.next[0] == 100 && self.next[2] == 100);
    assert_int_equal(self.next[1], 50); // nothing is skipped
    nrs_follower_info_t info;
    nrs_follower_info(self.follower, &info);
    assert_true(info.connected && info.lag == 50 && info.problem);
    disk[bytes.size - 1] ^= 1; // restored
    nrs_follow_server_destroy(&self.server);
    s_serve(&self);
    s_until_all(&self);
    nrs_follower_info(self.follower, &info);
    assert_null(info.problem);
    s_end(&self);
}

static void
test_silent_session_is_forgotten_and_opened_again(void **state)
{
    (void)state;
    s_line_t self;
    s_start(&self);
    s_append(&self, 0, 10, 0);
    s_until_all(&self);
    nrs_world_made_pass(&self.made, NRS_FOLLOW_SILENCE_MS + 1);
    assert_int_equal(nrs_follow_server_step(self.server, NULL), NRS_OK); // the acknowledgement, and it forgets
    nrs_world_made_pass(&self.made, NRS_FOLLOW_SILENCE_MS + 1);
    assert_int_equal(nrs_follow_server_step(self.server, NULL), NRS_OK);
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_int_equal(counts.sessions, 0);
    s_append(&self, 0, 10, 0);
    s_until_all(&self);
    s_end(&self);
}

static void
test_followers_of_different_names_each_get_all(void **state)
{
    (void)state;
    s_line_t self, other;
    s_start(&self);
    other = self;
    nrs_follower_options_t options = s_follower_options(&self);
    options.name = "copy";
    s_follow(&other, &options);
    for (int i = 0; i < 20; i++)
        s_append(&self, (uint16_t)(i % LANES), 10, 100);
    s_until_all(&self);
    s_until_all(&other);
    nrs_follow_server_counts_t counts;
    nrs_follow_server_counts(self.server, &counts);
    assert_int_equal(counts.sessions, 2);
    nrs_follower_destroy(&other.follower);
    nrs_follower_destroy(&self.follower);
    s_follow(&self, &options); // the same name again takes the earlier session's place
    memset(self.next, 0, sizeof self.next);
    s_until_all(&self);
    nrs_follow_server_counts(self.server, &counts);
    assert_true(nrs_follow_server_connected(self.server, "reports", "copy"));
    assert_true(counts.sessions <= 3);
    s_end(&self);
}

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
    nrs_bus_options_t socket = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = self->endpoint, .probe = true };
    assert_int_equal(nrs_bus_open(&socket, NULL, &stranger->bus), NRS_OK);
    nrs_follower_options_t options = s_follower_options(self);
    s_follow(self, &options);
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        nrs_wait_t items[] = { { .bus = stranger->bus }, { .bus = nrs_follower_bus(self->follower) } };
        nrs_bus_wait(items, 2, TURN_MS);
        nrs_follower_step(self->follower);
        if (nrs_bus_recv(stranger->bus, &stranger->asked) == NRS_OK)
            break;
    }
    assert_int_equal(stranger->asked.count, 2);
    assert_int_equal(nrs_follow_decode(nrs_message_frame(&stranger->asked, 1), &stranger->open), NRS_OK);
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
    nrs_follow_message_t message = { .verb = NRS_FOLLOW_OPENED, .session = 9, .instance = 4, .lane_count = 1 };
    message.lanes[0] = (nrs_follow_lane_t){ .lane = 1, .place = { .epoch = epoch, .offset = offset }, .next = 99 };
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
        assert_int_equal(nrs_topic_fetch(self.topic, NULL, lane, damage == SECOND ? 2 : 0, &bytes), NRS_OK);
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
        nrs_bus_options_t socket = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = self.endpoint, .probe = true };
        assert_int_equal(nrs_bus_open(&socket, NULL, &stranger.bus), NRS_OK);
        nrs_follower_options_t options = s_follower_options(&self);
        options.places = places;
        s_follow(&self, &options);
        for (int turn = 0; turn < PATIENCE_TURNS && stranger.asked.count == 0; turn++) {
            nrs_wait_t items[] = { { .bus = stranger.bus }, { .bus = nrs_follower_bus(self.follower) } };
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
    nrs_bus_options_t socket = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = "tcp://127.0.0.1:*",
                                 .keys = &cast->server, .zap_domain = "release", .probe = true };
    assert_int_equal(nrs_bus_open(&socket, NULL, &bus), NRS_OK);
    snprintf(self->endpoint, sizeof self->endpoint, "%s", nrs_bus_endpoint(bus));
    nrs_follow_server_options_t options = {
        .realm = "live", .instance = 4, .world = &self->made.world, .zap = cast->zap, .zap_domain = "release",
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

    nrs_follower_options_t options = s_curve_options(&self, &cast, &cast.cda); // a peer, but another
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

    options = s_curve_options(&self, &cast, &cast.stranger); // a key that nobody knows does not get as far
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
        cmocka_unit_test(test_follower_gets_each_lane_in_order),
        cmocka_unit_test(test_follower_is_never_sent_more_than_it_grants),
        cmocka_unit_test(test_follower_goes_on_when_the_server_comes_back),
        cmocka_unit_test(test_follower_of_an_older_history_is_told),
        cmocka_unit_test(test_follower_of_what_was_trimmed_is_told),
        cmocka_unit_test(test_follower_begins_at_a_time_or_inside_a_segment),
        cmocka_unit_test(test_follower_with_a_filter_gets_only_that_and_all_places),
        cmocka_unit_test(test_follower_asks_for_what_is_not_there),
        cmocka_unit_test(test_lane_that_is_damaged_stops_and_the_others_go_on),
        cmocka_unit_test(test_silent_session_is_forgotten_and_opened_again),
        cmocka_unit_test(test_followers_of_different_names_each_get_all),
        cmocka_unit_test(test_follower_stops_at_what_does_not_fit),
        cmocka_unit_test(test_follower_is_not_moved_by_the_server),
        cmocka_unit_test(test_server_counts_what_it_cannot_read),
        cmocka_unit_test(test_topic_of_a_peer_is_for_its_key_alone),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
