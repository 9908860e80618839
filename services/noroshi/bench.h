// bench.h - what the parts of `noroshi bench` share
//
//   verb_bench.c   options, the two runs, the table
//   bench_mix.c    the reports
//   bench_send.c   the submitter: as fast as it is let, then at a steady rate
//   bench_flow.c   the real pipeline in a scratch directory, with a peer
//   bench_floor.c  bare processes: the same bytes, batches, sockets and commits, and no work
//   bench_watch.c  what processes have used

#ifndef NOROSHI_BENCH_H
#define NOROSHI_BENCH_H

#include <stdatomic.h>
#include <sys/types.h>

#include "common/base.h"

enum { BENCH_PROCESSES_MAX = 8, BENCH_TOPICS = 4 };

typedef struct bench_load {
    uint64_t seed;
    uint64_t events;        // sent as fast as they are taken
    uint64_t paced_events;  // then these, at
    uint64_t paced_rate;    // so many a second
    const char *scratch;    // directory for everything
    const char *country;    // mmdb for enrich, or NULL
    const char *rules;      // rules for classify
    bool verbose;
} bench_load_t;

// Memory that the peer's process shares with the one that measures.
typedef struct bench_shared {
    _Atomic uint64_t durable;        // events that the peer has committed
    _Atomic int64_t paced_start_us;  // CLOCK_MONOTONIC; 0: not yet
    uint64_t paced_first;            // number of the first paced event
    uint64_t paced_rate;
    uint64_t paced_events;
    _Atomic uint32_t latency_us[];   // of each paced event: from when it was due to when it was durable; 0: not yet
} bench_shared_t;

// One process of a run.
typedef struct bench_process {
    const char *name;
    pid_t pid;
    uint64_t cpu_us;    // used for the load (not for starting)
    uint64_t cpu_start_us;
    uint64_t rss_bytes; // peak
    uint64_t commits;
} bench_process_t;

typedef struct bench_result {
    double seconds;                   // first byte read to last event durable at the peer
    double events_per_s;
    size_t process_count;
    bench_process_t processes[BENCH_PROCESSES_MAX];
    double event_bytes[BENCH_TOPICS]; // on disk, in reports, enriched, classified, the peer's release
    uint64_t disk_bytes;              // of all stores
    uint32_t p50_us, p99_us, p999_us; // at the paced rate
} bench_result_t;

int64_t
bench_now_us(void);

// --- bench_send.c --------------------------------------------------------------------------------

// Send a file of lines to an ingest (or the floor's), whole. *ret_start_us is when its first byte was read.
NRS_MUST_CHECK nrs_err_t
bench_send_file(const char *endpoint, const char *path, int64_t *ret_start_us);
// Send lines of the mix at shared->paced_rate; sets shared->paced_start_us.
NRS_MUST_CHECK nrs_err_t
bench_send_paced(const char *endpoint, const bench_load_t *load, bench_shared_t *shared);

// --- bench_flow.c, bench_floor.c -----------------------------------------------------------------

NRS_MUST_CHECK nrs_err_t
bench_flow(const bench_load_t *load, bench_shared_t *shared, nrs_problem_t *reterr, bench_result_t *ret_result);
// `flow` says how large events are, and how many a batch.
NRS_MUST_CHECK nrs_err_t
bench_floor(const bench_load_t *load, const bench_result_t *flow, bench_shared_t *shared, nrs_problem_t *reterr,
            bench_result_t *ret_result);

// --- bench_watch.c -------------------------------------------------------------------------------

// CPU time that a process has used, and its largest resident size; 0 when it is gone.
uint64_t
bench_cpu_us(pid_t pid);
uint64_t
bench_rss_bytes(pid_t pid);
// Bytes of the files below a directory, as allocated on disk.
uint64_t
bench_disk_bytes(const char *directory);
// Note every process's CPU time now as where it starts; at the end take the differences and peaks.
void
bench_watch_start(bench_result_t *result);
void
bench_watch_end(bench_result_t *result);
// Wait until the peer has `events` durably; NRS_E_AGAIN when nothing has moved for a minute.
NRS_MUST_CHECK nrs_err_t
bench_wait_durable(bench_shared_t *shared, uint64_t events, const char *what);
// Percentiles of the paced events' latencies.
void
bench_percentiles(bench_shared_t *shared, bench_result_t *result);

#endif
