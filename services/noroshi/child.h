// child.h - one process of the pipeline under the supervisor: started, watched, started again
// Units:    times are monotonic milliseconds.

#ifndef NOROSHI_CHILD_H
#define NOROSHI_CHILD_H

#include <sys/types.h>

#include "common/base.h"
#include "common/buf.h"
#include "common/plan.h"
#include "services/noroshi/logs.h"

typedef enum child_state {
    CHILD_WAITING,  // to be started at `start_at_ms`
    CHILD_STARTING, // runs, and has not said READY yet
    CHILD_READY,
    CHILD_GIVEN_UP, // it said that starting it again will not help
    CHILD_STOPPED,  // ended because we asked
} child_state_t;

enum { CHILD_BACKOFF_MIN_MS = 100, CHILD_BACKOFF_MAX_MS = 5000 };
enum { CHILD_STEADY_MS = 10000 }; // who was ready for so long starts with the shortest wait again

typedef struct child {
    const nrs_instance_t *instance; // borrowed
    char *program;                  // owned path
    child_state_t state;
    pid_t pid;           // 0: not running
    int output;          // read end of its stdout and stderr; -1: closed
    int64_t start_at_ms; // WAITING
    int64_t started_ms;
    int64_t ready_ms;   // 0: not since it was started
    int64_t backoff_ms; // how long the next wait is
    unsigned restarts;
    int status;     // wait status of the last end
    char said[512]; // last line that it wrote, readable: the reason when it gives up
    nrs_buf_t line; // the beginning of a line whose end has not come yet
    logfile_t log;  // { .fd = -1 } when the lines go elsewhere
} child_t;

// Its program is `programs`/noroshi-STAGE.
void
child_init(child_t *self, const nrs_instance_t *instance, const char *programs);
void
child_clear(child_t *self);

// Run `PROGRAM --config CONFIG --instance NAME [extra]` with stdout and stderr into self->output.
// NOTIFY_SOCKET is set to `notify_path` unless NULL. The child dies with us (PR_SET_PDEATHSIG),
// stands in a process group of its own, so that ^C reaches us alone, and has default signals.
// Errors: NRS_E_IO (no process, no pipe).
NRS_MUST_CHECK nrs_err_t
child_start(child_t *self, const char *config, const char *extra, const char *notify_path,
            int64_t now_ms);

// It said READY.
void
child_now_ready(child_t *self, int64_t now_ms);
// It ended with `status` (waitpid(2)): decide what comes next. Exit status 2 (configuration), 3
// (data damaged) and 127 (no such program) are given up; all else is started again after a wait
// that doubles from 100 ms to 5 s.
void
child_now_ended(child_t *self, int status, bool asked, int64_t now_ms);

// Read what there is and hand out each whole line. Returns false at the end of the output (then
// `output` is closed, and a last line without a line feed was handed out too).
typedef void
child_line_t(void *me, child_t *self, nrs_bytes_t line);
bool
child_read(child_t *self, child_line_t *line, void *me);

// "exit status 2 (wrong configuration)", "signal 9 (Killed)". Returns `into`.
const char *
child_end_text(int status, char into[96]);

#endif
