// bench_watch.c - what processes have used, as the kernel accounts for it

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "services/noroshi/bench.h"
#include "services/noroshi/term.h"

enum { POLL_MS = 2, STUCK_MS = 60000, FTW_FILES = 16 };

int64_t
bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t
bench_cpu_us(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int fields = fscanf(file, "%*d %*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    fclose(file);
    return fields == 2 ? (user + system) * 1000000 / (unsigned long)sysconf(_SC_CLK_TCK) : 0;
}

uint64_t
bench_rss_bytes(pid_t pid)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (uint64_t)kib * 1024;
}

static uint64_t s_disk; // nftw() hands nothing through

static int
s_add_file(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)path, (void)ftw;
    if (flag == FTW_F)
        s_disk += (uint64_t)status->st_blocks * 512;
    return 0;
}

uint64_t
bench_disk_bytes(const char *directory)
{
    s_disk = 0;
    nftw(directory, s_add_file, FTW_FILES, FTW_PHYS);
    return s_disk;
}

void
bench_watch_start(bench_result_t *result)
{
    for (size_t i = 0; i < result->process_count; i++)
        result->processes[i].cpu_start_us = bench_cpu_us(result->processes[i].pid);
}

void
bench_watch_end(bench_result_t *result)
{
    for (size_t i = 0; i < result->process_count; i++) {
        bench_process_t *process = &result->processes[i];
        process->cpu_us = bench_cpu_us(process->pid) - process->cpu_start_us;
        process->rss_bytes = bench_rss_bytes(process->pid);
    }
}

nrs_err_t
bench_wait_durable(bench_shared_t *shared, uint64_t events, const char *what)
{
    term_progress_t progress;
    uint64_t last = 0;
    int64_t moved_us = bench_now_us();
    nrs_err_t err = NRS_OK;
    term_progress_begin(&progress, what, events, moved_us / 1000);
    for (uint64_t now; !err && (now = atomic_load(&shared->durable)) < events;) {
        if (now != last)
            moved_us = bench_now_us();
        last = now;
        err = bench_now_us() - moved_us > STUCK_MS * INT64_C(1000) ? NRS_E_AGAIN : NRS_OK;
        term_progress_step(&progress, now, bench_now_us() / 1000);
        struct timespec pause = { .tv_nsec = POLL_MS * 1000000 }; // between two looks at the peer's counter
        nanosleep(&pause, NULL);
    }
    term_progress_end(&progress);
    return err;
}

static int
s_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void
bench_percentiles(bench_shared_t *shared, bench_result_t *result)
{
    uint64_t count = shared->paced_events;
    if (count == 0)
        return;
    uint32_t *sorted = nrs_alloc0(count, sizeof *sorted);
    for (uint64_t i = 0; i < count; i++)
        sorted[i] = atomic_load(&shared->latency_us[i]);
    qsort(sorted, count, sizeof *sorted, s_compare);
    result->p50_us = sorted[count / 2];
    result->p99_us = sorted[count * 99 / 100];
    result->p999_us = sorted[count * 999 / 1000];
    free(sorted);
}
