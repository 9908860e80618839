// log.h - one line of JSON on stderr for each thing that operations should know
// Shape:    {"time":"...","level":"warn","service":"enrich","instance":"enrich-1","event":"a.b"}
//           The event name is stable, `noun.verb`, and listed in the service's README.
//           Never a payload, never a secret.
// Limits:   a line has at most NRS_LOG_LINE_MAX bytes and goes out in one write(2), so that lines
//           of several processes never mix in a pipe. A text is cut at NRS_LOG_TEXT_MAX bytes;
//           fields that do not fit are left out, and "cut":true stands at the end.
// Threads:  may be used from any thread; nrs_log_setup() before the first.

#ifndef NRS_LOG_H
#define NRS_LOG_H

#include "common/base.h"
#include "common/world.h"

enum { NRS_LOG_LINE_MAX = 4096 }; // PIPE_BUF: what a pipe takes as a whole
enum { NRS_LOG_TEXT_MAX = 1024 };
enum { NRS_LOG_REPEATS_MAX = 20 }; // lines of one event in a second

typedef enum nrs_log_level {
    NRS_LOG_NOTHING = -1, // for nrs_log_setup(): a program that tells people itself
    NRS_LOG_ERROR, // we stop or lose work
    NRS_LOG_WARN,  // we go on, and the line says how
    NRS_LOG_INFO,  // life cycle
    NRS_LOG_DEBUG, // for each message
} nrs_log_level_t;

typedef struct nrs_log_field {
    const char *name; // NULL ends the list
    enum { NRS_LOG_U64, NRS_LOG_I64, NRS_LOG_STR, NRS_LOG_BYTES } type;
    union {
        uint64_t u64;
        int64_t i64;
        const char *str;
        nrs_bytes_t bytes;
    } as;
} nrs_log_field_t;

#define F_U64(name_, value_)                                                                       \
    ((nrs_log_field_t){ name_, NRS_LOG_U64, { .u64 = (uint64_t)(value_) } })
#define F_I64(name_, value_)   ((nrs_log_field_t){ name_, NRS_LOG_I64, { .i64 = (int64_t)(value_) } })
#define F_STR(name_, value_)   ((nrs_log_field_t){ name_, NRS_LOG_STR, { .str = (value_) } })
#define F_BYTES(name_, value_) ((nrs_log_field_t){ name_, NRS_LOG_BYTES, { .bytes = (value_) } })
#define F_ERR(value_)          F_STR("error", nrs_err_name(value_))

// Who speaks, and down to which level. The texts are copied.
void
nrs_log_setup(const char *service, const char *instance, nrs_log_level_t down_to);

// Where times come from, for tests and simulation; NULL: the real world. Borrowed until it is set
// again.
void
nrs_log_clock(nrs_world_t *world);

// Lines with the same event beyond NRS_LOG_REPEATS_MAX in a second are counted, and the count is
// written as "log.repeated" with the first line of any event after that second, or by
// nrs_log_flush().
void
nrs_log_write(nrs_log_level_t level, const char *event, const nrs_log_field_t *fields);
// Write every count that waits; before a process ends.
void
nrs_log_flush(void);

#define NRS_LOG_(level, event, ...)                                                                \
    nrs_log_write(level, event, (const nrs_log_field_t[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })
#define nrs_log_error(event, ...) NRS_LOG_(NRS_LOG_ERROR, event, __VA_ARGS__)
#define nrs_log_warn(event, ...)  NRS_LOG_(NRS_LOG_WARN, event, __VA_ARGS__)
#define nrs_log_info(event, ...)  NRS_LOG_(NRS_LOG_INFO, event, __VA_ARGS__)
#define nrs_log_debug(event, ...) NRS_LOG_(NRS_LOG_DEBUG, event, __VA_ARGS__)

#endif
