// logs.h - what services write: into bounded files, or onto a terminal in a form that people read

#ifndef NOROSHI_LOGS_H
#define NOROSHI_LOGS_H

#include "common/base.h"
#include "common/buf.h"

enum { LOGFILE_BYTES_MAX = 16 * 1024 * 1024 }; // then PATH becomes PATH.1, and a new file begins

// A plain value: `{ .fd = -1 }` is a closed one.
typedef struct logfile {
    int fd;
    char *path;    // owned
    uint64_t size; // bytes in the file
    uint64_t bytes_max;
} logfile_t;

// Open for appending. `bytes_max` 0: LOGFILE_BYTES_MAX. Errors: NRS_E_IO (see errno).
NRS_MUST_CHECK nrs_err_t
logfile_open(const char *path, uint64_t bytes_max, logfile_t *ret_file);
void
logfile_close(logfile_t *self);
// Append one line (a line feed is added). A failure is ignored: a full disk must not stop the
// pipeline's supervisor.
void
logfile_put(logfile_t *self, nrs_bytes_t line);

// A line of a service's log (common/log.h) for a terminal: `09:30:00.000 enrich-1  warn peer.denied
// key=Rq...`. A line that is no such JSON follows the instance's name as it is, cleaned. Ends with
// a line feed.
void
logs_print(nrs_bytes_t line, const char *instance, bool colour, nrs_buf_t *into);
// The same without time, instance and level, and without the line feed: what happened, as a reason
// for something else.
void
logs_brief(nrs_bytes_t line, nrs_buf_t *into);

#endif
