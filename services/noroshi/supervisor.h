// supervisor.h - runs every instance of the plan on this machine and starts again what dies
// Shape:    one thread, one poll(2): signals, notifications, the output of the children, and time.
//           SIGTERM and SIGINT stop the children, last of the flow first; a second one kills them.
//           SIGHUP is passed on.
// Threads:  the process must have only one thread when it is run, because it forks.

#ifndef NOROSHI_SUPERVISOR_H
#define NOROSHI_SUPERVISOR_H

#include "common/base.h"
#include "common/plan.h"
#include "services/noroshi/child.h"

enum { SUPERVISOR_SETTLE_MS = 20000 }; // by then every instance should be ready
enum { SUPERVISOR_SETTLE_ENDS = 4 };   // or has ended so often that it will not be soon
enum { SUPERVISOR_STOP_MS = 10000 };   // from SIGTERM to SIGKILL

typedef enum supervisor_event {
    SUPERVISOR_LINE,     // an instance wrote a line (`line`)
    SUPERVISOR_READY,    // an instance is ready
    SUPERVISOR_ENDED,    // an instance ended and will be started again
    SUPERVISOR_GIVEN_UP, // an instance ended and will not
    SUPERVISOR_SETTLED, // once: it is known how the start of each went, or SUPERVISOR_SETTLE_MS has
                        // passed
    SUPERVISOR_STOPPING, // we were asked to stop
    SUPERVISOR_KILLED,   // an instance did not stop in time
} supervisor_event_t;

typedef struct supervisor_report {
    supervisor_event_t event;
    const child_t *child;    // NULL for SETTLED and STOPPING
    nrs_bytes_t line;        // LINE
    const child_t *children; // all of them
    size_t child_count;
    int64_t now_ms; // monotonic
} supervisor_report_t;

typedef void
supervisor_tell_t(void *me, const supervisor_report_t *report);

typedef struct supervisor_options {
    const nrs_plan_t *plan;
    const char *config;   // absolute path
    const char *programs; // directory of the noroshi-STAGE programs
    bool log_files;       // keep what the children write in HOME/log/INSTANCE.log
    supervisor_tell_t *tell;
    void *me;
} supervisor_options_t;

// Run until asked to stop, or until every instance was given up. HOME/run and HOME/log are made.
// Returns NRS_OK when the children ended because we asked; NRS_E_CONFIG when all were given up,
// NRS_E_IO with *reterr when it could not begin.
NRS_MUST_CHECK nrs_err_t
supervisor_run(const supervisor_options_t *options, nrs_problem_t *reterr);

#endif
