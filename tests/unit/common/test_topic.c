// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/event.h"
#include "common/topic.h"
#include "tests/fixtures/stores.h"

enum { LANES = 4, EPOCH = 7 };

// One story's topic, in a store or in memory. Every call of the topic goes through one transaction, as in a stage.
typedef struct s_log {
    nrs_store_t *store; // NULL: in memory
    nrs_topic_tables_t tables;
    nrs_topic_t *topic;
    nrs_txn_t *txn;
    nrs_segment_build_t build;
    int64_t now_ms;
    char path[256];
} s_log_t;

static void
s_begin(s_log_t *self)
{
    if (self->store)
        assert_int_equal(nrs_txn_begin(self->store, true, &self->txn), NRS_OK);
}

static void
s_commit(s_log_t *self)
{
    if (self->store)
        assert_int_equal(nrs_txn_commit(&self->txn), NRS_OK);
}

static void
s_open_store(s_log_t *self, const nrs_topic_options_t *options)
{
    self->store = stores_open(self->path, 64 << 20);
    assert_int_equal(nrs_topic_tables_open(self->store, &self->tables), NRS_OK);
    assert_int_equal(nrs_topic_open(self->store, &self->tables, options, &self->topic), NRS_OK);
}

static nrs_topic_options_t
s_options(void)
{
    return (nrs_topic_options_t){
        .realm = "live",
        .name = "reports",
        .instance = 2,
        .lanes = LANES,
        .epoch = EPOCH,
        .replay_bytes = 1 << 20,
        .replay_ms = 1000000,
    };
}

static void
s_open(s_log_t *self, bool stored, const nrs_topic_options_t *options)
{
    static unsigned number;
    char name[32];
    *self = (s_log_t){ .now_ms = 1700000000000 };
    snprintf(name, sizeof name, "topic-%u", number++);
    snprintf(self->path, sizeof self->path, "%s", scratch_path(name));
    if (stored)
        s_open_store(self, options);
    else
        self->topic = nrs_topic_new(options);
    s_begin(self);
}

static void
s_close(s_log_t *self)
{
    nrs_txn_destroy(&self->txn);
    nrs_topic_destroy(&self->topic);
    nrs_store_destroy(&self->store);
    nrs_segment_build_free(&self->build);
}

// Each lane is a row of segments without a gap, each with the checksum of the one before, up to the lane's own numbers.
static void
s_assert_sane(s_log_t *self)
{
    for (uint16_t lane = 0; lane < nrs_topic_lanes(self->topic); lane++) {
        const nrs_lane_t *state = nrs_topic_lane(self->topic, lane);
        nrs_place_t place = { .epoch = state->epoch, .offset = state->first };
        uint64_t bytes_sum = 0;
        nrs_bytes_t bytes;
        assert_true(state->first <= state->next);
        while (place.offset < state->next) {
            nrs_segment_t segment;
            assert_int_equal(nrs_topic_fetch(self->topic, self->txn, lane, place.offset, &bytes),
                             NRS_OK);
            assert_int_equal(nrs_segment_open(bytes, &segment), NRS_OK);
            assert_int_equal(nrs_segment_follows(&segment, &place), NRS_OK);
            assert_int_equal(segment.head.lane, lane);
            assert_true(segment.head.stream == nrs_topic_stream(self->topic));
            bytes_sum += bytes.size;
            place = nrs_segment_after(&segment);
        }
        assert_true(place.offset == state->next);
        assert_true(bytes_sum == state->bytes);
        if (state->bytes)
            assert_memory_equal(&place.chain, &state->chain, sizeof place.chain);
        assert_int_equal(nrs_topic_fetch(self->topic, self->txn, lane, state->next, &bytes),
                         NRS_E_ABSENT);
        if (state->first > 0)
            assert_int_equal(
                nrs_topic_fetch(self->topic, self->txn, lane, state->first - 1, &bytes),
                NRS_E_ABSENT);
    }
}

// Append one segment of `count` events from the origin position (instance, epoch, offset) on.
static void
s_append_from(s_log_t *self, uint16_t lane, uint32_t count, uint16_t instance, uint32_t epoch,
              uint64_t offset)
{
    for (uint32_t i = 0; i < count; i++) {
        nrs_origin_t origin = {
            .instance = instance,
            .lane = lane,
            .epoch = epoch,
            .offset = offset + i,
            .kind = NRS_KIND_URL,
        };
        size_t before = self->build.payload.size;
        nrs_event_begin(&self->build.payload, &origin);
        nrs_segment_build_added(&self->build, before, 0);
    }
    assert_int_equal(nrs_topic_append(self->topic, self->txn, lane, &self->build, self->now_ms),
                     NRS_OK);
    s_assert_sane(self);
}

static void
s_append(s_log_t *self, uint16_t lane, uint32_t count)
{
    s_append_from(self, lane, count, 2, EPOCH, nrs_topic_lane(self->topic, lane)->next);
}

static nrs_err_t
s_ack(s_log_t *self, const char *follower, uint16_t lane, uint32_t epoch, uint64_t offset)
{
    nrs_place_t place = { .epoch = epoch, .offset = offset };
    return nrs_topic_acknowledge(self->topic, follower, lane, &place);
}

static uint64_t
s_first_after_trim(s_log_t *self, uint16_t lane, size_t segments_max)
{
    self->now_ms += 1000; // it looks once a second
    assert_int_equal(nrs_topic_trim(self->topic, self->txn, self->now_ms, segments_max), NRS_OK);
    s_assert_sane(self);
    return nrs_topic_lane(self->topic, lane)->first;
}

// --- stories, each told of both implementations --------------------------------------------------

static void
s_story_fetch(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, stored, &options);
    s_assert_sane(&self);
    s_append(&self, 1, 3);
    s_append(&self, 1, 1);
    s_append(&self, 2, 5);
    s_append(&self, 1, 2);
    static const uint64_t bases[] = { 0, 0, 0, 3, 4, 4 };
    for (uint64_t offset = 0; offset < 6; offset++) { // any offset gives the segment that holds it
        nrs_bytes_t bytes;
        nrs_segment_t segment;
        assert_int_equal(nrs_topic_fetch(self.topic, self.txn, 1, offset, &bytes), NRS_OK);
        assert_int_equal(nrs_segment_open(bytes, &segment), NRS_OK);
        assert_int_equal(segment.head.base, bases[offset]);
        assert_int_equal(segment.head.instance, 2);
    }
    nrs_bytes_t bytes;
    assert_int_equal(nrs_topic_fetch(self.topic, self.txn, 0, 0, &bytes),
                     NRS_E_ABSENT); // nothing in that lane
    assert_int_equal(nrs_topic_lane(self.topic, 2)->next, 5);
    assert_int_equal(nrs_topic_lane(self.topic, 0)->epoch, EPOCH);
    s_close(&self);
}

static void
s_story_time(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, stored, &options);
    uint64_t offset;
    assert_int_equal(nrs_topic_seek_time(self.topic, self.txn, 1, 5, &offset), NRS_OK);
    assert_int_equal(offset, 0); // an empty lane
    static const int64_t times[] = { 100, 200, 200, 300, 500 };
    for (size_t i = 0; i < 5; i++) {
        self.now_ms = times[i];
        s_append(&self, 1, 10);
    }
    static const struct {
        int64_t time;
        uint64_t offset;
    } cases[] = { { 0, 0 },    { 100, 0 },  { 101, 10 }, { 200, 10 }, { 201, 30 },
                  { 300, 30 }, { 499, 40 }, { 500, 40 }, { 501, 50 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(nrs_topic_seek_time(self.topic, self.txn, 1, cases[i].time, &offset),
                         NRS_OK);
        assert_int_equal(offset, cases[i].offset);
    }
    s_close(&self);
}

static void
s_assert_found(s_log_t *self, uint16_t instance, uint32_t epoch, uint64_t offset, int64_t at)
{
    uint64_t found = 0;
    nrs_bytes_t event;
    nrs_err_t err =
        nrs_topic_find(self->topic, self->txn, 1, instance, epoch, offset, &found, &event);
    if (err != (at < 0 ? NRS_E_ABSENT : NRS_OK) || (at >= 0 && found != (uint64_t)at))
        fail_msg("%u/%u@%llu: %s, %llu", instance, epoch, (unsigned long long)offset,
                 nrs_err_name(err), (unsigned long long)found);
    nrs_origin_place_t place;
    if (!err)
        assert_true(nrs_event_place(event, &place) == NRS_OK && place.offset == offset);
}

static void
s_story_find(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, stored, &options);
    s_assert_found(&self, 1, 10, 5, -1);
    s_append_from(&self, 1, 3, 1, 10, 5);  // the lane was instance 1's ...
    s_append_from(&self, 1, 2, 1, 10, 20); // (what lies between was not passed on)
    s_append_from(&self, 1, 4, 3, 12, 0);  // ... then instance 3's ...
    s_append_from(&self, 1, 4, 3, 12, 4);
    s_append_from(&self, 1, 4, 3, 12, 8);
    s_append_from(&self, 1, 2, 1, 15, 0); // ... and instance 1 has it again, with an empty disk
    s_assert_found(&self, 1, 10, 5, 0);
    s_assert_found(&self, 1, 10, 7, 2);
    s_assert_found(&self, 1, 10, 8, -1);
    s_assert_found(&self, 1, 10, 21, 4);
    s_assert_found(&self, 3, 12, 0, 5);
    s_assert_found(&self, 3, 12, 11, 16);
    s_assert_found(&self, 1, 12, 11, -1); // another instance's
    s_assert_found(&self, 1, 15, 1, 18);
    s_assert_found(&self, 1, 15, 2, -1);
    s_assert_found(&self, 1, 9, 0, -1);
    s_close(&self);
}

static void
s_story_trim(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    options.replay_bytes = 0; // only acknowledgements keep anything
    s_open(&self, stored, &options);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "enrich", 0xf), NRS_OK);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "copy", 0x2), NRS_OK); // lane 1 only
    for (int i = 0; i < 4; i++) {
        s_append(&self, 1, 10);
        s_append(&self, 2, 10);
    }
    assert_int_equal(s_first_after_trim(&self, 1, 100), 0);
    assert_int_equal(s_ack(&self, "enrich", 1, EPOCH, 25), NRS_OK);
    assert_int_equal(s_ack(&self, "enrich", 2, EPOCH, 25), NRS_OK);
    assert_int_equal(s_first_after_trim(&self, 1, 100), 0);     // "copy" has nothing yet
    assert_int_equal(nrs_topic_lane(self.topic, 2)->first, 20); // whole segments only
    assert_int_equal(s_ack(&self, "copy", 1, EPOCH, 40), NRS_OK);
    assert_int_equal(s_first_after_trim(&self, 1, 1), 10); // one at a time when told so
    assert_int_equal(s_first_after_trim(&self, 1, 100), 20);
    nrs_topic_follower_info_t info;
    assert_int_equal(nrs_topic_follower_count(self.topic), 2);
    nrs_topic_follower(self.topic, 0, &info);
    assert_string_equal(info.name, "enrich");
    assert_int_equal(info.lag, 30);
    nrs_topic_follower(self.topic, 1, &info);
    assert_int_equal(info.lag, 0);
    assert_int_equal(s_ack(&self, "enrich", 1, EPOCH, 40), NRS_OK);
    assert_int_equal(s_first_after_trim(&self, 1, 100),
                     40); // empty again, and goes on where it was
    s_append(&self, 1, 1);
    assert_int_equal(nrs_topic_lane(self.topic, 1)->next, 41);
    s_close(&self);
}

static void
s_story_replay(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    options.replay_ms = 60000;
    s_open(&self, stored, &options);
    for (int i = 0; i < 4; i++) {
        s_append(&self, 1, 10);
        self.now_ms += 30000;
    }
    // Nobody is registered, so all is acknowledged; 0, 30, 60 and 90 s were their times, and it is 121 s now.
    assert_int_equal(s_first_after_trim(&self, 1, 100), 30);
    self.now_ms += 1000000;
    assert_int_equal(s_first_after_trim(&self, 1, 100), 40);
    s_close(&self);
    options.replay_ms = INT64_MAX;
    options.replay_bytes = 2000;
    s_open(&self, stored, &options);
    for (int i = 0; i < 10; i++)
        s_append(&self, 1, 10);
    s_first_after_trim(&self, 1, 100);
    assert_in_range(nrs_topic_lane(self.topic, 1)->bytes, 2000 - 500, 2000);
    s_close(&self);
}

static void
s_story_backlog(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    options.replay_bytes = 0;
    options.backlog_bytes = 2000;
    s_open(&self, stored, &options);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "peer", 0xf), NRS_OK);
    for (int i = 0; i < 3; i++)
        s_append(&self, 1, 10);
    assert_int_equal(s_first_after_trim(&self, 1, 100), 0);
    for (int i = 0; i < 7; i++)
        s_append(&self, 1, 10);
    assert_true(s_first_after_trim(&self, 1, 100) > 0); // the peer is away for too long
    assert_in_range(nrs_topic_lane(self.topic, 1)->bytes, 2000 - 500, 2000);
    s_close(&self);
}

static void
s_story_acknowledge(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, stored, &options);
    assert_int_equal(s_ack(&self, "enrich", 1, EPOCH, 0), NRS_E_ABSENT);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "enrich", 0xf), NRS_OK);
    s_append(&self, 1, 10);
    static const struct {
        uint32_t epoch;
        uint64_t offset;
        nrs_err_t err;
        uint64_t lag; // afterwards
    } cases[] = {
        { EPOCH - 1, 5, NRS_OK, 10 }, // of an earlier epoch: says nothing about this one
        { EPOCH, 4, NRS_OK, 6 },         { EPOCH, 3, NRS_OK, 6 }, // never back
        { EPOCH, 11, NRS_E_REWOUND, 6 },                          // more than there is
        { EPOCH + 1, 9, NRS_OK, 6 },                              // an epoch that never was
        { EPOCH, 10, NRS_OK, 0 },        { EPOCH - 1, 10, NRS_OK, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_topic_follower_info_t info;
        nrs_err_t err = s_ack(&self, "enrich", 1, cases[i].epoch, cases[i].offset);
        nrs_topic_follower(self.topic, 0, &info);
        if (err != cases[i].err || info.lag != cases[i].lag)
            fail_msg("case %zu: %s, lag %llu", i, nrs_err_name(err), (unsigned long long)info.lag);
    }
    assert_int_equal(s_ack(&self, "enrich", LANES, EPOCH, 0), NRS_E_ABSENT);
    assert_true(nrs_topic_acks_wait(self.topic));
    assert_int_equal(nrs_topic_save_acks(self.topic, self.txn), NRS_OK);
    assert_false(nrs_topic_acks_wait(self.topic));
    s_close(&self);
}

static void
s_story_followers(bool stored)
{
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, stored, &options);
    char name[NRS_FOLLOWER_NAME_MAX + 2];
    for (int i = 0; i < NRS_TOPIC_FOLLOWERS_MAX; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(nrs_topic_register(self.topic, self.txn, name, 1), NRS_OK);
    }
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "one more", 1), NRS_E_LIMIT);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "f3", 3),
                     NRS_OK); // who is there may come again
    assert_int_equal(nrs_topic_follower_count(self.topic), NRS_TOPIC_FOLLOWERS_MAX);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(nrs_topic_register(self.topic, self.txn, name, 1), NRS_E_LIMIT);
    s_close(&self);
}

static void
test_topic_tells_the_same_story_stored_and_in_memory(void **state)
{
    (void)state;
    static void (*const stories[])(bool stored) = {
        s_story_fetch,  s_story_time,    s_story_find,        s_story_trim,
        s_story_replay, s_story_backlog, s_story_acknowledge, s_story_followers,
    };
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        stories[i](false);
        stories[i](true);
    }
}

// --- only in a store -----------------------------------------------------------------------------

static void
s_reopen(s_log_t *self, const nrs_topic_options_t *options)
{
    nrs_txn_destroy(&self->txn);
    nrs_topic_destroy(&self->topic);
    nrs_store_destroy(&self->store);
    s_open_store(self, options);
    s_begin(self);
    s_assert_sane(self);
}

static void
test_topic_goes_on_after_a_restart(void **state)
{
    (void)state;
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, true, &options);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "enrich", 0xf), NRS_OK);
    s_append(&self, 1, 10);
    s_append(&self, 1, 10);
    assert_int_equal(s_ack(&self, "enrich", 1, EPOCH, 10), NRS_OK);
    assert_int_equal(nrs_topic_save_acks(self.topic, self.txn), NRS_OK);
    s_commit(&self);
    s_begin(&self);
    s_append(&self, 1, 5); // not committed
    assert_int_equal(s_ack(&self, "enrich", 1, EPOCH, 15), NRS_OK);
    options.epoch = EPOCH + 100; // only for lanes that begin
    s_reopen(&self, &options);
    const nrs_lane_t *lane = nrs_topic_lane(self.topic, 1);
    assert_int_equal(lane->next, 20);
    assert_int_equal(lane->epoch, EPOCH);
    assert_int_equal(nrs_topic_register(self.topic, self.txn, "enrich", 0xf), NRS_OK);
    nrs_topic_follower_info_t info;
    nrs_topic_follower(self.topic, 0, &info);
    assert_int_equal(info.lag, 10);
    options.replay_bytes = 0;
    s_append(&self, 1, 1); // the chain goes on: s_assert_sane() has looked
    s_close(&self);
}

static void
test_topics_share_a_store(void **state)
{
    (void)state;
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, true, &options);
    s_append(&self, LANES - 1, 3);
    s_commit(&self);
    nrs_topic_t *first = self.topic, *second = NULL;
    options.name = "releases/ncfta";
    assert_int_equal(nrs_topic_open(self.store, &self.tables, &options, &second), NRS_OK);
    s_begin(&self);
    self.topic = second;
    s_assert_sane(&self);
    s_append(&self, 0, 2);
    nrs_bytes_t bytes;
    assert_int_equal(nrs_topic_fetch(second, self.txn, LANES - 1, 0, &bytes), NRS_E_ABSENT);
    assert_string_equal(nrs_topic_name(second), "releases/ncfta");
    self.topic = first;
    s_assert_sane(&self);
    s_append(&self, 0, 1);
    self.topic = second;
    s_assert_sane(&self);
    self.topic = first;
    nrs_topic_destroy(&second);
    s_close(&self);
}

static void
test_topic_with_other_lanes_is_refused(void **state)
{
    (void)state;
    s_log_t self;
    nrs_topic_options_t options = s_options();
    s_open(&self, true, &options);
    s_commit(&self);
    nrs_topic_t *other = NULL;
    options.lanes = LANES + 1;
    assert_int_equal(nrs_topic_open(self.store, &self.tables, &options, &other), NRS_E_CONFIG);
    assert_null(other);
    s_close(&self);
}

static void
test_topic_epoch_grows_with_time(void **state)
{
    (void)state;
    assert_int_equal(nrs_topic_epoch(0), 1);
    assert_int_equal(nrs_topic_epoch(1577836800000), 1);
    assert_int_equal(nrs_topic_epoch(1577836802000), 2);
    assert_int_equal(nrs_topic_epoch(INT64_MAX), UINT32_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic_tells_the_same_story_stored_and_in_memory),
        cmocka_unit_test(test_topic_goes_on_after_a_restart),
        cmocka_unit_test(test_topics_share_a_store),
        cmocka_unit_test(test_topic_with_other_lanes_is_refused),
        cmocka_unit_test(test_topic_epoch_grows_with_time),
    };
    return stores_run_in_each(tests);
}
