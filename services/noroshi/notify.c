#include "services/noroshi/notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

nrs_err_t
notify_open(const char *path, int *ret_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return NRS_E_LIMIT;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return NRS_E_IO;
    unlink(path);
    int on = 1;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0600) != 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        close(fd);
        return NRS_E_IO;
    }
    *ret_fd = fd;
    return NRS_OK;
}

void
notify_decode(nrs_bytes_t text, notify_message_t *ret_message)
{
    const char *at = (const char *)text.data, *end = at + text.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        nrs_bytes_t line = nrs_bytes(at, (size_t)(stop - at));
        if (nrs_bytes_is(line, "READY=1"))
            ret_message->ready = true;
        else if (nrs_bytes_is(line, "STOPPING=1"))
            ret_message->stopping = true;
        else if (line.size > 7 && memcmp(line.data, "STATUS=", 7) == 0)
            snprintf(ret_message->status, sizeof ret_message->status, "%.*s", (int)(line.size - 7),
                     (const char *)line.data + 7);
        at = stop + (stop < end);
    }
}

nrs_err_t
notify_recv(int fd, notify_message_t *ret_message)
{
    char text[NOTIFY_BYTES_MAX];
    union {
        struct cmsghdr head; // aligns
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec piece = { text, sizeof text };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return NRS_E_AGAIN;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    bool whole = !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (!whole || !head || head->cmsg_type != SCM_CREDENTIALS)
        return NRS_E_FORMAT;
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(head), sizeof sender);
    *ret_message = (notify_message_t){ .pid = sender.pid };
    notify_decode(nrs_bytes(text, (size_t)got), ret_message);
    return NRS_OK;
}
