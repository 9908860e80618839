// programs.h - where the programs of the stages are: beside ours

#ifndef NOROSHI_PROGRAMS_H
#define NOROSHI_PROGRAMS_H

#include "common/base.h"
#include "common/plan.h"

// The directory of the running program, without a slash at the end; the caller frees it. NULL: not
// known.
char *
programs_dir(void);
// `path` made absolute without links, for a process that may change its directory; the caller frees
// it. NULL: see errno.
char *
programs_absolute(const char *path);
// Does the instance run on this machine: its `host` is not given, "localhost", or this machine's
// name?
bool
programs_local(const nrs_instance_t *instance);

#endif
