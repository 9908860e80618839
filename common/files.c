#include "common/files.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PATH_ROOM = 4096 };

nrs_err_t
nrs_files_make_directory(const char *path, nrs_problem_t *reterr)
{
    char part[PATH_ROOM];
    int length = snprintf(part, sizeof part, "%s", path);
    if (length <= 0 || length >= (int)sizeof part)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "the path of a directory is empty or too long");
    for (char *at = part + 1; at <= part + length; at++) {
        if (*at != '/' && *at != 0)
            continue;
        char kept = *at;
        *at = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return nrs_problem_set(reterr, NRS_E_IO, part, 0, 0, "cannot be made: %s", strerror(errno));
        *at = kept;
    }
    return NRS_OK;
}
