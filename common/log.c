#include "common/log.h"

#include "common/buf.h"
#include "common/event.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { REPEAT_SLOTS = 64, EVENT_NAME_BYTES = 48, WHO_BYTES = 64 };
enum { CUT_BYTES = 16 }; // room kept for ,"cut":true}\n
enum { SECOND_MS = 1000 };

// How often an event was written in the second that began at `since_mono_ms`.
typedef struct s_repeat {
    char event[EVENT_NAME_BYTES]; // "": the slot is free
    nrs_log_level_t level;
    int64_t since_mono_ms;
    uint64_t written, held;
} s_repeat_t;

// A process has one stderr, so this is one for the process. A mutex and no queue: when a call
// returns its line is out, also when the next thing that happens is an abort.
static struct {
    pthread_mutex_t lock;
    atomic_int down_to;
    char service[WHO_BYTES], instance[WHO_BYTES];
    nrs_world_t *world; // borrowed; NULL: the real one
    nrs_buf_t line;     // kept from call to call
    s_repeat_t repeats[REPEAT_SLOTS];
} s_log = { .lock = PTHREAD_MUTEX_INITIALIZER, .down_to = NRS_LOG_INFO, .service = "noroshi" };

static nrs_world_t *
s_world(void)
{
    return s_log.world ? s_log.world : nrs_world_real();
}

// --- a line --------------------------------------------------------------------------------------

static void
s_put_name(nrs_buf_t *line, const char *name)
{
    nrs_buf_put_text(line, ",");
    nrs_buf_put_json_string(line, nrs_text(name));
    nrs_buf_put_text(line, ":");
}

// Cut in front of a character, so that what is left of a valid text is valid.
static void
s_put_text(nrs_buf_t *line, nrs_bytes_t text)
{
    if (text.size > NRS_LOG_TEXT_MAX) {
        text.size = NRS_LOG_TEXT_MAX;
        while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80)
            text.size--;
    }
    nrs_buf_put_json_string(line, text);
}

static void
s_put_value(nrs_buf_t *line, const nrs_log_field_t *field)
{
    switch (field->type) {
    case NRS_LOG_U64:
        nrs_buf_printf(line, "%llu", (unsigned long long)field->as.u64);
        break;
    case NRS_LOG_I64:
        nrs_buf_printf(line, "%lld", (long long)field->as.i64);
        break;
    case NRS_LOG_STR:
        if (field->as.str)
            s_put_text(line, nrs_text(field->as.str));
        else
            nrs_buf_put_text(line, "null");
        break;
    case NRS_LOG_BYTES:
        s_put_text(line, field->as.bytes);
        break;
    }
}

static void
s_put_head(nrs_buf_t *line, nrs_log_level_t level, const char *event)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    char time[25];
    nrs_time_print((uint64_t)s_world()->now_ms(s_world()), time);
    nrs_buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":", time, levels[level]);
    nrs_buf_put_json_string(line, nrs_text(s_log.service));
    if (s_log.instance[0]) {
        s_put_name(line, "instance");
        nrs_buf_put_json_string(line, nrs_text(s_log.instance));
    }
    s_put_name(line, "event");
    s_put_text(line, nrs_text(event));
}

static void
s_write(nrs_log_level_t level, const char *event, const nrs_log_field_t *fields)
{
    nrs_buf_t *line = &s_log.line;
    nrs_buf_reset(line);
    s_put_head(line, level, event);
    bool cut = false;
    for (const nrs_log_field_t *field = fields; field && field->name; field++) {
        size_t before = line->size;
        s_put_name(line, field->name);
        s_put_value(line, field);
        if (line->size > NRS_LOG_LINE_MAX - CUT_BYTES) {
            line->size = before;
            cut = true;
        }
    }
    nrs_buf_put_text(line, cut ? ",\"cut\":true}\n" : "}\n");
    // Nobody is left to tell when stderr is gone or full.
    NRS_IGNORE(write(STDERR_FILENO, line->data, line->size) < 0);
}

// --- repeats -------------------------------------------------------------------------------------

// The second is over: say what was held back, and give the slot free.
static void
s_finish(s_repeat_t *repeat)
{
    if (repeat->held > 0) {
        const nrs_log_field_t fields[] = { F_STR("of", repeat->event),
                                           F_U64("count", repeat->held),
                                           { 0 } };
        s_write(repeat->level, "log.repeated", fields);
    }
    repeat->event[0] = 0;
}

static void
s_finish_all(int64_t before_mono_ms)
{
    for (size_t i = 0; i < REPEAT_SLOTS; i++)
        if (s_log.repeats[i].event[0] && s_log.repeats[i].since_mono_ms <= before_mono_ms)
            s_finish(&s_log.repeats[i]);
}

// The event's slot, or a free one; the oldest makes room when there is none.
static s_repeat_t *
s_repeat_of(const char *event, int64_t now_mono_ms)
{
    s_repeat_t *chosen = &s_log.repeats[0];
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        s_repeat_t *repeat = &s_log.repeats[i];
        if (repeat->event[0] && strncmp(repeat->event, event, EVENT_NAME_BYTES - 1) == 0)
            return repeat;
        bool older = chosen->event[0] && repeat->since_mono_ms < chosen->since_mono_ms;
        if ((chosen->event[0] && !repeat->event[0]) || (repeat->event[0] && older))
            chosen = repeat;
    }
    if (chosen->event[0])
        s_finish(chosen);
    *chosen = (s_repeat_t){ .since_mono_ms = now_mono_ms };
    snprintf(chosen->event, sizeof chosen->event, "%s", event);
    return chosen;
}

static bool
s_may_write(nrs_log_level_t level, const char *event)
{
    int64_t now_mono_ms = s_world()->mono_ms(s_world());
    s_finish_all(now_mono_ms - SECOND_MS);
    s_repeat_t *repeat = s_repeat_of(event, now_mono_ms);
    repeat->level = level;
    if (repeat->written < NRS_LOG_REPEATS_MAX) {
        repeat->written++;
        return true;
    }
    repeat->held++;
    return false;
}

// --- calls ---------------------------------------------------------------------------------------

void
nrs_log_setup(const char *service, const char *instance, nrs_log_level_t down_to)
{
    pthread_mutex_lock(&s_log.lock);
    snprintf(s_log.service, sizeof s_log.service, "%s", service);
    snprintf(s_log.instance, sizeof s_log.instance, "%s", instance ? instance : "");
    atomic_store(&s_log.down_to, (int)down_to);
    pthread_mutex_unlock(&s_log.lock);
}

void
nrs_log_clock(nrs_world_t *world)
{
    pthread_mutex_lock(&s_log.lock);
    s_log.world = world;
    pthread_mutex_unlock(&s_log.lock);
}

void
nrs_log_write(nrs_log_level_t level, const char *event, const nrs_log_field_t *fields)
{
    if ((int)level > atomic_load_explicit(&s_log.down_to, memory_order_relaxed))
        return;
    pthread_mutex_lock(&s_log.lock);
    if (s_may_write(level, event))
        s_write(level, event, fields);
    pthread_mutex_unlock(&s_log.lock);
}

void
nrs_log_flush(void)
{
    pthread_mutex_lock(&s_log.lock);
    s_finish_all(INT64_MAX);
    pthread_mutex_unlock(&s_log.lock);
}
