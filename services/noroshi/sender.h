// sender.h - brings files to an ingest by the submit protocol, and starts over when they are lost
// Shape:    one file at a time: sender_begin(), then sender_step() whenever sender_bus() has
//           something or SENDER_STEP_MS have passed, until the receipt is there (proto/submit.md,
//           "Order and repeats").
// Units:    times are of the monotonic clock, in milliseconds; they come from the caller.
// Threads:  an object belongs to the thread that opened it.
// Errors:   each comes with a sentence for a person in *reterr; the file is given up then, the
//           sender is good for the next one.

#ifndef NOROSHI_SENDER_H
#define NOROSHI_SENDER_H

#include <sys/types.h>

#include "common/base.h"
#include "common/bus.h"
#include "common/submit.h"

enum { SENDER_PIECE_BYTES = 256 * 1024 }; // data in one message
enum { SENDER_STEP_MS = 1000 };
enum { SENDER_SILENCE_MS = 10000 }; // without any word the file is begun again; each time later
enum { SENDER_SILENCES_MAX = 3 };   // in a row, then it is given up: 10 + 20 + 30 seconds
enum { SENDER_STARTS_MAX = 8 };     // of one file, whatever the reason

typedef struct sender sender_t;

typedef struct sender_options {
    nrs_bus_options_t bus; // where, and with which keys; what it points to must outlive the sender
    const char *name;      // who listens there, for people; must outlive the sender
    const char *source;    // these two as well
    const char *format;    // NULL: as the source is declared
    // One line for a person about what goes on; NULL: nobody wants to know.
    void (*tell)(void *me, const char *line);
    void *me;
} sender_options_t;

// Connect. The caller owns *ret_sender. Errors: those of nrs_bus_open().
NRS_MUST_CHECK nrs_err_t
sender_open(const sender_options_t *options, nrs_problem_t *reterr, sender_t **ret_sender);

void
sender_destroy(sender_t **self_p);

// The socket to wait on. Valid until the next call: a file that starts over has a new connection.
nrs_bus_t *
sender_bus(const sender_t *self);

// Send what can be read from `fd`, from where it stands. `path` is what people call it, `name` what
// ingest does (one of more than 128 bytes is not told). Borrows both, and `fd`, until the receipt
// is there.
// Errors: NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
sender_begin(sender_t *self, int fd, const char *path, const char *name, int64_t now_ms,
             nrs_problem_t *reterr);

// Take what came, send what may be sent. NRS_OK: *ret_reply is the receipt, borrowed until the next
// call. Errors: NRS_E_AGAIN (go on), NRS_E_IO (no word, or the file cannot be read),
// NRS_E_ABSENT (it would have to start over, and what was read cannot be read again).
NRS_MUST_CHECK nrs_err_t
sender_step(sender_t *self, int64_t now_ms, nrs_problem_t *reterr, nrs_submit_reply_t *ret_reply);

// Bytes of the file that were sent, since it last began.
uint64_t
sender_sent(const sender_t *self);

#endif
