// bench_floor.c - bare processes: what the machine gives when nothing is decided
//
// The same submitter sends the same lines to five processes in a row, as in the flow: source, two hops, relay, peer. Each
// takes what has arrived, up to as many events and bytes as a stage does, writes as many bytes as the flow's topic holds for
// them into 16 values of an LMDB of its own, commits with the place it has come to, and passes the values on over the same
// sockets with the same credit; CURVE between the last two, as in the flow. No event is looked at, nothing is checked.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/segment.h"
#include "common/store.h"
#include "common/submit.h"
#include "common/zap.h"
#include "services/noroshi/bench.h"

enum {
    ROLES = 5,
    LANES = 16,
    BATCH_EVENTS = 4096,
    BATCH_BYTES = 2 << 20,
    HEAD_BYTES = 16,          // of a value: count (u32), number of its first event (u64), stride (u32)
    CREDIT_BYTES = 4 << 20,
    SUBMIT_CREDIT = 16,
    SEGMENTS_PER_MESSAGE = NRS_FRAMES_MAX - 2,
    PATH_ROOM = 4096,
    WAIT_MS = 1000,
};

static const char *const s_names[ROLES] = { "source", "hop-1", "hop-2", "relay", "peer" };

typedef struct s_value {
    size_t size;
    uint8_t *data;
} s_value_t;

typedef struct s_role {
    const bench_load_t *load;
    bench_shared_t *shared;
    unsigned role;
    size_t event_bytes;        // what an event takes in this role's log
    nrs_store_t *store;
    nrs_store_table_t log;
    nrs_bus_t *in;             // ROUTER for the source, else DEALER
    nrs_bus_t *out;            // ROUTER; NULL for the peer
    uint64_t taken;            // events so far
    uint64_t offset;           // of the next value in the log
    // what is to be sent on: a ring of values that are committed
    s_value_t *ready;
    size_t ready_first, ready_count, ready_room;
    uint8_t identity[32];
    size_t identity_bytes;
    uint64_t credit;           // bytes that may be sent on
    uint64_t owed;             // bytes of credit to give back
    nrs_message_t reply;       // source: the submission under way
    uint8_t submission[NRS_SUBMIT_ID_BYTES];
    uint8_t submitter[32];
    size_t submitter_bytes;
    bool ended;
    uint8_t *values[LANES];    // scratch of the batch
    size_t sizes[LANES];
} s_role_t;

// --- the batch -----------------------------------------------------------------------------------

// Put `count` events that begin with number `first` into the batch, spread over the lanes; `bytes` is where they come from.
static void
s_spread(s_role_t *self, uint64_t count, uint64_t first, uint32_t stride, const uint8_t *bytes, size_t size, unsigned lane)
{
    unsigned from = stride == 1 ? 0 : lane, to = stride == 1 ? LANES : lane + 1;
    for (unsigned l = from; l < to; l++) {
        uint64_t part = stride == 1 ? (count + LANES - 1 - l) / LANES : count;
        size_t need = part * self->event_bytes;
        uint8_t *value = self->values[l] = nrs_realloc(self->values[l], self->sizes[l] + need + HEAD_BYTES);
        if (self->sizes[l] == 0) {
            nrs_put_le32(value, 0);
            nrs_put_le64(value + 4, stride == 1 ? first + l : first);
            nrs_put_le32(value + 12, LANES);
            self->sizes[l] = HEAD_BYTES;
        }
        nrs_put_le32(value, nrs_get_le32(value) + (uint32_t)part);
        for (size_t done = 0; done < need;) {
            size_t piece = need - done < size ? need - done : size;
            memcpy(value + self->sizes[l] + done, bytes, piece);
            done += piece;
        }
        self->sizes[l] += need;
    }
}

static void
s_make_ready(s_role_t *self, uint8_t *data, size_t size)
{
    if (self->ready_count == self->ready_room) {
        size_t room = self->ready_room ? self->ready_room * 2 : 1024;
        s_value_t *grown = nrs_alloc0(room, sizeof *grown);
        for (size_t i = 0; i < self->ready_count; i++)
            grown[i] = self->ready[(self->ready_first + i) % self->ready_room];
        free(self->ready);
        self->ready = grown;
        self->ready_first = 0;
        self->ready_room = room;
    }
    self->ready[(self->ready_first + self->ready_count++) % self->ready_room] = (s_value_t){ size, data };
}

// Write the batch in values no larger than a segment, commit with the place, and have it ready to be sent on.
static nrs_err_t
s_commit(s_role_t *self)
{
    NRS_AUTO(nrs_txn) txn = NULL;
    uint8_t place[8];
    nrs_err_t err = nrs_txn_begin(self->store, true, &txn);
    for (unsigned lane = 0; !err && lane < LANES; lane++) {
        for (size_t at = 0; !err && at < self->sizes[lane];) {
            uint8_t key[10], *room;
            size_t left = self->sizes[lane] - at;
            size_t size = left < NRS_SEGMENT_BYTES_MAX ? left : NRS_SEGMENT_BYTES_MAX;
            nrs_put_be16(key, (uint16_t)lane);
            nrs_put_be64(key + 2, self->offset++);
            err = nrs_txn_reserve(txn, self->log, nrs_bytes(key, sizeof key), size, &room);
            if (!err)
                memcpy(room, self->values[lane] + at, size);
            at += size;
        }
    }
    nrs_put_be64(place, self->taken);
    err = err ? err : nrs_txn_put(txn, self->log, nrs_text("place"), nrs_bytes(place, sizeof place));
    err = err ? err : nrs_txn_commit(&txn);
    for (unsigned lane = 0; !err && lane < LANES; lane++) {
        if (self->out && self->sizes[lane] > 0)
            s_make_ready(self, self->values[lane], self->sizes[lane]);
        else
            free(self->values[lane]);
        self->values[lane] = NULL;
        self->sizes[lane] = 0;
    }
    return err;
}

// --- taking --------------------------------------------------------------------------------------

static void
s_answer(s_role_t *self, nrs_submit_verb_t verb, uint64_t credit)
{
    nrs_submit_reply_t reply = { .verb = verb, .credit = credit, .state = NRS_SUBMIT_DONE, .accepted = self->taken };
    memcpy(reply.id, self->submission, sizeof reply.id);
    nrs_buf_t frame = { 0 };
    nrs_message_t message = { 0 };
    nrs_submit_encode_reply(&reply, &frame);
    nrs_message_put(&message, nrs_bytes(self->submitter, self->submitter_bytes));
    nrs_message_put(&message, nrs_buf_bytes(&frame));
    NRS_IGNORE(nrs_bus_send(self->in, &message)); // the submitter waits, or has gone
    nrs_message_clear(&message);
    nrs_buf_free(&frame);
}

// The source: lines are counted, which is the least that has to be known about them.
static uint64_t
s_take_submission(s_role_t *self, const nrs_message_t *message)
{
    nrs_submit_request_t head;
    nrs_bytes_t identity = nrs_message_frame(message, 0);
    if (message->count < 2 || identity.size > sizeof self->submitter ||
        nrs_submit_decode_request(nrs_message_frame(message, 1), &head))
        return 0;
    memcpy(self->submission, head.id, sizeof head.id);
    memcpy(self->submitter, identity.data, identity.size);
    self->submitter_bytes = identity.size;
    if (head.verb == NRS_SUBMIT_BEGIN)
        s_answer(self, NRS_SUBMIT_CREDIT, SUBMIT_CREDIT);
    self->ended |= head.verb == NRS_SUBMIT_END;
    if (head.verb != NRS_SUBMIT_DATA || message->count != 3)
        return 0;
    nrs_bytes_t data = nrs_message_frame(message, 2);
    uint64_t count = 0;
    for (const uint8_t *at = data.data, *end = data.data + data.size; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    s_spread(self, count, self->taken, 1, data.data, data.size, 0);
    self->owed++;
    return count;
}

// The others: values come in the frames behind the first.
static uint64_t
s_take_values(s_role_t *self, const nrs_message_t *message)
{
    uint64_t events = 0;
    for (size_t i = 1; i < message->count; i++) {
        nrs_bytes_t value = nrs_message_frame(message, i);
        if (value.size < HEAD_BYTES)
            continue;
        uint32_t count = nrs_get_le32(value.data);
        uint64_t first = nrs_get_le64(value.data + 4);
        s_spread(self, count, first, LANES, value.data + HEAD_BYTES, value.size - HEAD_BYTES, (unsigned)(first % LANES));
        self->owed += value.size;
        events += count;
    }
    return events;
}

static size_t
s_batch_bytes(const s_role_t *self)
{
    size_t bytes = 0;
    for (unsigned lane = 0; lane < LANES; lane++)
        bytes += self->sizes[lane];
    return bytes;
}

// Take what has arrived, up to a batch.
static uint64_t
s_take(s_role_t *self)
{
    uint64_t events = 0;
    while (events < BATCH_EVENTS && s_batch_bytes(self) < BATCH_BYTES) {
        nrs_message_t message = { 0 };
        if (nrs_bus_recv(self->in, &message))
            break;
        uint64_t count = self->role == 0 ? s_take_submission(self, &message) : s_take_values(self, &message);
        self->taken += count;
        events += count;
        nrs_message_clear(&message);
    }
    return events;
}

// Durable: give the credit back.
static void
s_give_back(s_role_t *self)
{
    if (self->role == 0) {
        if (self->owed)
            s_answer(self, NRS_SUBMIT_CREDIT, self->owed);
        if (self->ended)
            s_answer(self, NRS_SUBMIT_RECEIPT, 0);
        self->ended = false;
    } else if (self->owed) {
        uint8_t credit[8];
        nrs_message_t message = { 0 };
        nrs_put_be64(credit, self->owed);
        nrs_message_put(&message, nrs_bytes(credit, sizeof credit));
        NRS_IGNORE(nrs_bus_send(self->in, &message)); // loopback: there is room for eight bytes
        nrs_message_clear(&message);
    }
    self->owed = 0;
}

// --- sending -------------------------------------------------------------------------------------

static void
s_take_credit(s_role_t *self)
{
    nrs_message_t message = { 0 };
    while (!nrs_bus_recv(self->out, &message)) {
        nrs_bytes_t identity = nrs_message_frame(&message, 0);
        nrs_bytes_t credit = message.count > 1 ? nrs_message_frame(&message, 1) : NRS_NONE;
        if (identity.size <= sizeof self->identity && credit.size == 8) {
            memcpy(self->identity, identity.data, identity.size);
            self->identity_bytes = identity.size;
            self->credit += nrs_get_be64(credit.data);
        }
        nrs_message_clear(&message);
    }
}

static void
s_send_on(s_role_t *self)
{
    while (self->ready_count > 0 && self->ready[self->ready_first].size <= self->credit) {
        nrs_message_t message = { 0 };
        nrs_message_put(&message, nrs_bytes(self->identity, self->identity_bytes));
        nrs_message_put(&message, nrs_text("values"));
        while (self->ready_count > 0 && message.count < 2 + SEGMENTS_PER_MESSAGE) {
            s_value_t *value = &self->ready[self->ready_first];
            if (value->size > self->credit)
                break;
            nrs_message_put(&message, nrs_bytes(value->data, value->size));
            self->credit -= value->size;
            free(value->data);
            self->ready_first = (self->ready_first + 1) % self->ready_room;
            self->ready_count--;
        }
        NRS_IGNORE(nrs_bus_send(self->out, &message)); // credit keeps it below the high water
        nrs_message_clear(&message);
    }
}

// --- a process -----------------------------------------------------------------------------------

static void
s_endpoint(const bench_load_t *load, unsigned role, char into[PATH_ROOM])
{
    snprintf(into, PATH_ROOM, "ipc://%s/floor-%u", load->scratch, role);
}

static nrs_err_t
s_open_buses(s_role_t *self, nrs_problem_t *reterr, nrs_zap_t **ret_zap)
{
    char path[PATH_ROOM], in[PATH_ROOM], out[PATH_ROOM];
    nrs_keys_t server = { 0 }, client = { 0 };
    snprintf(path, sizeof path, "%s/keys/relay-1.key", self->load->scratch);
    nrs_err_t err = nrs_keys_load(path, reterr, &server);
    snprintf(path, sizeof path, "%s/keys/peer.key", self->load->scratch);
    err = err ? err : nrs_keys_load(path, reterr, &client);
    err = err ? err : nrs_zap_open(ret_zap);
    if (err)
        return err;
    nrs_zap_allow(*ret_zap, "release", client.public_text, "peer");
    s_endpoint(self->load, self->role, in);
    s_endpoint(self->load, self->role + 1, out);
    bool last = self->role == ROLES - 1, before = self->role == ROLES - 2;
    nrs_bus_options_t taking = { .type = self->role == 0 ? NRS_BUS_ROUTER : NRS_BUS_DEALER, .bind = self->role == 0,
                                 .endpoint = in, .keys = last ? &client : NULL,
                                 .server_key = last ? server.public_text : NULL,
                                 .message_bytes_max = NRS_SUBMIT_DATA_MAX + 4096 };
    nrs_bus_options_t sending = { .type = NRS_BUS_ROUTER, .bind = true, .endpoint = out,
                                  .keys = before ? &server : NULL, .zap_domain = before ? "release" : NULL };
    err = last ? NRS_OK : nrs_bus_open(&sending, reterr, &self->out);
    return err ? err : nrs_bus_open(&taking, reterr, &self->in);
}

static nrs_err_t
s_open(s_role_t *self, nrs_problem_t *reterr, nrs_zap_t **ret_zap)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/floor/%s", self->load->scratch, s_names[self->role]);
    nrs_store_options_t options = { .path = path };
    nrs_err_t err = nrs_store_open(&options, reterr, &self->store);
    err = err ? err : nrs_store_table(self->store, "log", &self->log);
    err = err ? err : s_open_buses(self, reterr, ret_zap);
    self->owed = self->role == 0 ? 0 : CREDIT_BYTES;
    s_give_back(self);
    return err;
}

static void
s_note_latency(s_role_t *self, const size_t sizes[LANES])
{
    int64_t start_us = atomic_load(&self->shared->paced_start_us), now_us = bench_now_us();
    for (unsigned lane = 0; start_us && lane < LANES; lane++) {
        if (sizes[lane] == 0)
            continue;
        uint32_t count = nrs_get_le32(self->values[lane]);
        uint64_t first = nrs_get_le64(self->values[lane] + 4);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t number = first + (uint64_t)i * LANES, paced = number - self->shared->paced_first;
            if (number < self->shared->paced_first || paced >= self->shared->paced_events)
                continue;
            int64_t due_us = start_us + (int64_t)(paced * 1000000 / self->shared->paced_rate);
            atomic_store(&self->shared->latency_us[paced], (uint32_t)(now_us - due_us));
        }
    }
}

static nrs_err_t
s_turn(s_role_t *self)
{
    uint64_t events = s_take(self);
    nrs_err_t err = NRS_OK;
    if (events > 0 && self->role == ROLES - 1) { // the peer's values are noted before they are let go
        size_t sizes[LANES];
        memcpy(sizes, self->sizes, sizeof sizes);
        s_note_latency(self, sizes);
    }
    if (events > 0)
        err = s_commit(self);
    if (err)
        return err;
    if (self->role == ROLES - 1)
        atomic_fetch_add(&self->shared->durable, events);
    s_give_back(self);
    if (self->out) {
        s_take_credit(self);
        s_send_on(self);
    }
    return NRS_OK;
}

static int
s_main(const bench_load_t *load, const bench_result_t *flow, bench_shared_t *shared, unsigned role)
{
    s_role_t self = { .load = load, .shared = shared, .role = role };
    self.event_bytes = (size_t)flow->event_bytes[role < BENCH_TOPICS ? role : BENCH_TOPICS - 1];
    nrs_problem_t problem = { 0 };
    nrs_zap_t *zap = NULL;
    nrs_err_t err = s_open(&self, &problem, &zap);
    while (!err) {
        nrs_wait_t items[2] = { { .bus = self.in }, { .bus = self.out } };
        nrs_bus_wait(items, self.out ? 2 : 1, WAIT_MS);
        err = s_turn(&self);
    }
    char text[1024];
    fprintf(stderr, "noroshi bench: the floor's %s ended: %s %s\n", s_names[role], nrs_err_name(err),
            nrs_problem_print(&problem, text, sizeof text));
    return 1;
}

// --- running -------------------------------------------------------------------------------------

nrs_err_t
bench_floor(const bench_load_t *load, const bench_result_t *flow, bench_shared_t *shared, nrs_problem_t *reterr,
            bench_result_t *ret_result)
{
    bench_result_t result = { .process_count = ROLES };
    char path[PATH_ROOM], lines[PATH_ROOM], submit[PATH_ROOM];
    int64_t start_us = 0;
    snprintf(path, sizeof path, "%s/floor", load->scratch);
    mkdir(path, 0700);
    snprintf(lines, sizeof lines, "%s/lines.jsonl", load->scratch);
    s_endpoint(load, 0, submit);
    for (unsigned role = 0; role < ROLES; role++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(s_main(load, flow, shared, role));
        }
        result.processes[role] = (bench_process_t){ .name = s_names[role], .pid = pid };
    }
    bench_watch_start(&result);
    nrs_err_t err = bench_send_file(submit, lines, &start_us);
    err = err ? err : bench_wait_durable(shared, load->events, "floor");
    result.seconds = (double)(bench_now_us() - start_us) / 1e6;
    result.events_per_s = (double)load->events / result.seconds;
    bench_watch_end(&result);
    result.disk_bytes = bench_disk_bytes(path);
    if (!err && load->paced_events > 0) {
        err = bench_send_paced(submit, load, shared);
        err = err ? err : bench_wait_durable(shared, load->events + load->paced_events, "paced");
        bench_percentiles(shared, &result);
    }
    for (unsigned role = 0; role < ROLES; role++) {
        kill(result.processes[role].pid, SIGKILL);
        waitpid(result.processes[role].pid, NULL, 0);
    }
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "the floor did not end");
    *ret_result = result;
    return NRS_OK;
}
