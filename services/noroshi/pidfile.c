#include "services/noroshi/pidfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct flock
s_whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

nrs_err_t
pidfile_take(const char *path, pid_t *ret_holder)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return NRS_E_IO;
    struct flock lock = s_whole_file();
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        close(fd);
        *ret_holder = pidfile_holder(path);
        return *ret_holder ? NRS_E_EXISTS : NRS_E_IO;
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
        close(fd);
        return NRS_E_IO;
    }
    return NRS_OK; // the descriptor lives as long as the process
}

pid_t
pidfile_holder(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    struct flock lock = s_whole_file();
    int rc = fcntl(fd, F_GETLK, &lock);
    close(fd);
    return rc == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}
