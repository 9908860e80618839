// pidfile.h - who runs the pipeline of this home: a file with a lock that the kernel gives back
// when its holder ends
// Shape:    the file holds the pid as text, for people; programs ask the kernel who holds the lock
//           (fcntl(2), F_GETLK), so a file left behind by a crash, or a pid used again, misleads
//           nobody.

#ifndef NOROSHI_PIDFILE_H
#define NOROSHI_PIDFILE_H

#include <sys/types.h>

#include "common/base.h"

// Take the lock for this process and write its pid. The descriptor stays open until the process
// ends, and the file must not be opened again by it meanwhile: closing any descriptor of the file
// would drop the lock. Errors: NRS_E_EXISTS (*ret_holder has it), NRS_E_IO (see errno).
NRS_MUST_CHECK nrs_err_t
pidfile_take(const char *path, pid_t *ret_holder);

// The process that holds the lock, or 0.
pid_t
pidfile_holder(const char *path);

#endif
