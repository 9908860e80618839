// bench_send.c - the submitter of a benchmark

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/crypto.h"
#include "common/submit.h"
#include "services/noroshi/bench.h"
#include "services/noroshi/bench_mix.h"

enum { PIECE_BYTES = 256 * 1024, PATIENCE_MS = 60000, TICK_US = 1000 };

// One submission under way.
typedef struct s_sending {
    nrs_bus_t *bus;
    nrs_submit_request_t head;
    uint64_t credit;
    bool receipt;
    nrs_buf_t frame;
} s_sending_t;

static nrs_err_t
s_send(s_sending_t *self, nrs_submit_verb_t verb, nrs_bytes_t data)
{
    nrs_submit_request_t head = self->head;
    head.verb = verb;
    nrs_buf_reset(&self->frame);
    nrs_submit_encode_request(&head, &self->frame);
    nrs_message_t message = { 0 };
    nrs_message_put(&message, nrs_buf_bytes(&self->frame));
    if (verb == NRS_SUBMIT_DATA)
        nrs_message_put(&message, data);
    nrs_err_t err;
    while ((err = nrs_bus_send(self->bus, &message)) == NRS_E_AGAIN) {
        nrs_wait_t item = { .bus = self->bus, .write = true };
        nrs_bus_wait(&item, 1, PATIENCE_MS);
    }
    nrs_message_clear(&message);
    return err;
}

// Take what the other side says, waiting up to `wait_ms`.
static nrs_err_t
s_listen(s_sending_t *self, int64_t wait_ms)
{
    nrs_wait_t item = { .bus = self->bus };
    nrs_message_t message = { 0 };
    nrs_submit_reply_t reply;
    nrs_bus_wait(&item, 1, wait_ms);
    nrs_err_t err;
    while (!(err = nrs_bus_recv(self->bus, &message))) {
        if (nrs_submit_decode_reply(nrs_message_frame(&message, 0), &reply) == NRS_OK) {
            self->credit += reply.verb == NRS_SUBMIT_CREDIT ? reply.credit : 0;
            self->receipt |= reply.verb == NRS_SUBMIT_RECEIPT;
        }
        nrs_message_clear(&message);
    }
    return err == NRS_E_AGAIN ? NRS_OK : err;
}

static nrs_err_t
s_begin(s_sending_t *self, const char *endpoint)
{
    nrs_problem_t problem;
    nrs_bus_options_t options = { .type = NRS_BUS_DEALER, .endpoint = endpoint };
    *self = (s_sending_t){ .head = { .source = nrs_text("bench"), .name = nrs_text("bench.jsonl") } };
    nrs_err_t err = nrs_random(self->head.id, sizeof self->head.id);
    err = err ? err : nrs_bus_open(&options, &problem, &self->bus);
    return err ? err : s_send(self, NRS_SUBMIT_BEGIN, NRS_NONE);
}

static nrs_err_t
s_piece(s_sending_t *self, nrs_bytes_t data)
{
    nrs_err_t err = NRS_OK;
    while (!err && self->credit == 0 && !self->receipt)
        err = s_listen(self, PATIENCE_MS);
    if (err || self->receipt)
        return err ? err : NRS_E_DENIED; // a receipt before the end: refused
    self->credit--;
    self->head.sequence++;
    return s_send(self, NRS_SUBMIT_DATA, data);
}

static nrs_err_t
s_end(s_sending_t *self, nrs_err_t err)
{
    self->head.sequence++;
    err = err ? err : s_send(self, NRS_SUBMIT_END, NRS_NONE);
    while (!err && !self->receipt)
        err = s_listen(self, PATIENCE_MS);
    nrs_bus_destroy(&self->bus);
    nrs_buf_free(&self->frame);
    return err;
}

nrs_err_t
bench_send_file(const char *endpoint, const char *path, int64_t *ret_start_us)
{
    s_sending_t sending;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NRS_E_IO;
    nrs_err_t err = s_begin(&sending, endpoint);
    uint8_t *piece = nrs_alloc0(PIECE_BYTES, 1);
    *ret_start_us = bench_now_us();
    ssize_t got = 0;
    while (!err && (got = read(fd, piece, PIECE_BYTES)) > 0)
        err = s_piece(&sending, nrs_bytes(piece, (size_t)got));
    err = s_end(&sending, got < 0 ? NRS_E_IO : err);
    free(piece);
    close(fd);
    return err;
}

nrs_err_t
bench_send_paced(const char *endpoint, const bench_load_t *load, bench_shared_t *shared)
{
    s_sending_t sending;
    nrs_buf_t lines = { 0 };
    nrs_err_t err = s_begin(&sending, endpoint);
    int64_t start_us = bench_now_us();
    atomic_store(&shared->paced_start_us, start_us);
    for (uint64_t sent = 0; !err && sent < load->paced_events;) {
        uint64_t due = (uint64_t)(bench_now_us() - start_us) * load->paced_rate / 1000000;
        due = due < load->paced_events ? due : load->paced_events;
        nrs_buf_reset(&lines);
        for (; sent < due; sent++)
            bench_mix_line(load->seed, shared->paced_first + sent, &lines);
        if (lines.size > 0)
            err = s_piece(&sending, nrs_buf_bytes(&lines));
        struct timespec tick = { .tv_nsec = TICK_US * 1000 }; // the rate is what is tested: it is kept by the clock
        nanosleep(&tick, NULL);
    }
    err = s_end(&sending, err);
    nrs_buf_free(&lines);
    return err;
}
