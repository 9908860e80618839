// files.h - directories made when they are missing
#ifndef NRS_FILES_H
#define NRS_FILES_H

#include "common/base.h"

// Make a directory, and those above it, for the owner alone (mode 0700). One that is there already is good as it is.
// Errors: NRS_E_IO with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_files_make_directory(const char *path, nrs_problem_t *reterr);

#endif
