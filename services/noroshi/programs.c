#include "services/noroshi/programs.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

char *
programs_dir(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0 || length == (ssize_t)sizeof path)
        return NULL;
    while (length > 1 && path[length - 1] != '/')
        length--;
    return nrs_strndup(path, (size_t)(length > 1 ? length - 1 : length));
}

char *
programs_absolute(const char *path)
{
    return realpath(path, NULL);
}

bool
programs_local(const nrs_instance_t *instance)
{
    char name[256] = "";
    const char *host = instance->host;
    if (!host || !host[0] || strcmp(host, "localhost") == 0)
        return true;
    NRS_IGNORE(gethostname(name, sizeof name - 1) !=
               0); // then the name is empty and nothing matches
    size_t first_label = strcspn(name, ".");
    return strcmp(host, name) == 0 ||
           (strlen(host) == first_label && strncmp(host, name, first_label) == 0);
}
