// down - stop the pipeline that `up` runs here.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "services/noroshi/pidfile.h"
#include "services/noroshi/supervisor.h"
#include "services/noroshi/verbs.h"

enum { s_patience_ms = 2 * SUPERVISOR_STOP_MS + 2000 }; // it asks, then kills, then waits

// The holder of the lock, held fast by a pidfd so that no other process can take its number.
static pid_t
s_hold(const char *path, int *ret_fd)
{
    pid_t holder = pidfile_holder(path);
    if (holder == 0)
        return 0;
    int fd = (int)syscall(SYS_pidfd_open, holder, 0);
    if (fd < 0)
        return 0;
    if (pidfile_holder(path) != holder) { // it ended meanwhile: the number may be another's now
        close(fd);
        return 0;
    }
    *ret_fd = fd;
    return holder;
}

static cli_exit_t
s_stop(const cli_t *cli, pid_t holder, int fd)
{
    if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
        return cli_fail(cli, CLI_FAILED, "cannot stop process %d: %s", (int)holder,
                        strerror(errno));
    if (!cli->json)
        printf("stopping the pipeline (process %d)\n", (int)holder);
    fflush(stdout);
    struct pollfd item = { .fd = fd, .events = POLLIN };
    if (poll(&item, 1, s_patience_ms) != 1)
        return cli_fail(cli, CLI_FAILED, "process %d has not ended after %d s", (int)holder,
                        s_patience_ms / 1000);
    if (cli->json)
        printf("{\"stopped\":%d}\n", (int)holder);
    else
        printf("stopped\n");
    return CLI_GOOD;
}

static cli_exit_t
s_down(cli_t *cli, int argc, char **argv)
{
    cli_exit_t status;
    if (!cli_parse(cli, NULL, argc, argv, &argc, &status))
        return status;
    if (argc > 1)
        return cli_usage(cli, "down takes no argument, but \"%s\" is given", argv[1]);
    const nrs_plan_t *plan = cli_plan(cli);
    if (!plan)
        return CLI_USAGE;
    char path[4096];
    int fd = -1;
    snprintf(path, sizeof path, "%s/run/noroshi.pid", plan->home);
    pid_t holder = s_hold(path, &fd);
    if (holder == 0) {
        printf("%s\n", cli->json ? "{\"stopped\":null}" : "nothing runs here");
        return CLI_GOOD;
    }
    status = s_stop(cli, holder, fd);
    close(fd);
    return status;
}

const cli_verb_t verb_down = {
    .name = "down",
    .arguments = "",
    .summary = "stop it",
    .text =
        "Stops the supervisor that `noroshi up` started for this configuration, and waits until "
        "it\n"
        "and its instances are gone. Each instance ends its batch and commits first; one that has\n"
        "not ended after 10 s is killed, which loses nothing. Says so when nothing runs.",
    .examples = "  noroshi down\n"
                "  noroshi down && noroshi up -d      with a new configuration",
    .run = s_down,
};
