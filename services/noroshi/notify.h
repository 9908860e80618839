// notify.h - what services tell their supervisor: READY=1, STATUS=... (sd_notify(3))
// Shape:    one datagram is a few lines NAME=value; the kernel says which process sent it.

#ifndef NOROSHI_NOTIFY_H
#define NOROSHI_NOTIFY_H

#include <sys/types.h>

#include "common/base.h"

enum { NOTIFY_BYTES_MAX = 4096 };

typedef struct notify_message {
    pid_t pid;        // who sent it
    bool ready;       // READY=1
    bool stopping;    // STOPPING=1
    char status[128]; // STATUS=, cut; "" when there is none
} notify_message_t;

// Bind the datagram socket (an old one at `path` is removed); *ret_fd is the caller's. Errors:
// NRS_E_LIMIT (path too long for a socket), NRS_E_IO (see errno).
NRS_MUST_CHECK nrs_err_t
notify_open(const char *path, int *ret_fd);
// One message, without waiting. Errors: NRS_E_AGAIN, NRS_E_FORMAT (no credentials, too long:
// dropped).
NRS_MUST_CHECK nrs_err_t
notify_recv(int fd, notify_message_t *ret_message);
// The lines of one datagram.
void
notify_decode(nrs_bytes_t text, notify_message_t *ret_message);

#endif
