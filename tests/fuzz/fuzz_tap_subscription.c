// What listeners send to a tap: each line of the input is one message. Whatever they send, a
// listener with clearance AMBER hears nothing above it.
#include "common/bus_socket.h"
#include "common/log.h"
#include "common/tap.h"

#include <sched.h>
#include <stdio.h>
#include <zmq.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void
nrs_log_write(nrs_log_level_t level, const char *event, const nrs_log_field_t *fields)
{
    (void)level, (void)event,
        (void)fields; // one line for each refusal would be all that the fuzzer does
}

static uint64_t
s_amber(void *me, const char *key_text)
{
    (void)me, (void)key_text;
    return NRS_TLP_AMBER;
}

static void
s_send_lines(void *listener, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        zmq_send(listener, data, length, ZMQ_DONTWAIT);
        length += end ? 1 : 0;
        data += length;
        size -= length;
    }
}

static void
s_publish(nrs_tap_t *tap)
{
    nrs_buf_t bytes = { 0 };
    for (uint64_t tlp = 0; tlp <= NRS_TLP_RED; tlp++) { // 0: not marked
        nrs_event_t event;
        nrs_origin_t origin = { .kind = NRS_KIND_URL, .tlp = tlp, .source = nrs_text("jpcert") };
        nrs_buf_reset(&bytes);
        nrs_event_begin(&bytes, &origin);
        nrs_err_t err = nrs_event_open(nrs_buf_bytes(&bytes), &event);
        NRS_ASSERT(!err);
        nrs_tap_publish(tap, "enriched", 0, 1, tlp, &event);
    }
    nrs_buf_free(&bytes);
}

static void
s_check(void *listener)
{
    char text[NRS_TAP_TEXT_MAX + 1] = "", body[1024];
    while (zmq_recv(listener, text, NRS_TAP_TEXT_MAX, ZMQ_DONTWAIT) >= 0) {
        NRS_ASSERT(!strstr(text, ".red.") && !strstr(text, ".amber+strict."));
        NRS_ASSERT(zmq_recv(listener, body, sizeof body, ZMQ_DONTWAIT) > 0);
        memset(text, 0, sizeof text);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const topics[] = { "enriched" };
    static unsigned inputs;
    char endpoint[32]; // a new one each time: libzmq closes in the background
    snprintf(endpoint, sizeof endpoint, "inproc://tap-%u", inputs++);
    nrs_bus_options_t options = {
        .type = NRS_BUS_XPUB, .bind = true, .endpoint = endpoint, .high_water = NRS_TAP_HIGH_WATER
    };
    static nrs_metrics_t *metrics;
    static void *context; // kept, so that its threads are not made anew for each input
    if (!context) {
        context = nrs_context_take();
        metrics = nrs_metrics_new();
    }
    nrs_bus_t *bus = NULL;
    nrs_tap_t *tap = NULL;
    nrs_tap_options_t tap_options = { "live", topics, 1, s_amber, NULL, metrics };
    while (nrs_bus_open(&options, NULL, &bus) != NRS_OK)
        sched_yield(); // a context has 1023 sockets, and those of earlier inputs are closed in the background
    NRS_ASSERT(nrs_tap_open(&bus, &tap_options, &tap) == NRS_OK);
    void *listener;
    while (!(listener = zmq_socket(context, ZMQ_XSUB)))
        sched_yield();
    NRS_ASSERT(zmq_connect(listener, endpoint) == 0);
    s_send_lines(listener, data, size);
    nrs_tap_step(tap);
    s_publish(tap);
    s_check(listener);
    zmq_close(listener);
    nrs_tap_destroy(&tap);
    return 0;
}
