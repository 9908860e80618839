// bench - measure this machine: the whole flow, and beside it the floor

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/noroshi/bench.h"
#include "services/noroshi/bench_mix.h"
#include "services/noroshi/verbs.h"

enum { PATH_ROOM = 4096, FTW_FILES = 16, FLUSH_BYTES = 1 << 20 };

typedef struct bench {
    cli_t *cli;
    bench_load_t load;
    const char *directory;
    bool keep;
    bool floor_too;
    bench_result_t flow, floor;
} bench_t;

// --- files ---------------------------------------------------------------------------------------

static nrs_err_t
s_write_lines(const bench_load_t *load)
{
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/lines.jsonl", load->scratch);
    FILE *file = fopen(path, "w");
    if (!file)
        return NRS_E_IO;
    nrs_buf_t lines = { 0 };
    term_progress_t progress;
    bool good = true;
    term_progress_begin(&progress, "making reports", load->events, bench_now_us() / 1000);
    for (uint64_t i = 0; good && i < load->events; i++) {
        bench_mix_line(load->seed, i, &lines);
        if (lines.size < FLUSH_BYTES && i + 1 < load->events)
            continue;
        good = fwrite(lines.data, 1, lines.size, file) == lines.size;
        nrs_buf_reset(&lines);
        term_progress_step(&progress, i, bench_now_us() / 1000);
    }
    term_progress_end(&progress);
    nrs_buf_free(&lines);
    return fclose(file) == 0 && good ? NRS_OK : NRS_E_IO;
}

static int
s_remove(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status, (void)flag, (void)ftw;
    return remove(path);
}

// --- the answer ----------------------------------------------------------------------------------

static void
s_put_processes_json(const bench_t *self, const bench_result_t *result, nrs_buf_t *into)
{
    for (size_t i = 0; i < result->process_count; i++) {
        const bench_process_t *process = &result->processes[i];
        nrs_buf_printf(into, "%s{\"name\":\"%s\",\"cpu_us_per_event\":%.3f,\"rss_bytes\":%llu,\"commits\":%llu}",
                       i ? "," : "", process->name, (double)process->cpu_us / (double)self->load.events,
                       (unsigned long long)process->rss_bytes, (unsigned long long)process->commits);
    }
}

static void
s_put_run_json(const bench_t *self, const char *name, const bench_result_t *result, nrs_buf_t *into)
{
    nrs_buf_printf(into, "\"%s\":{\"seconds\":%.3f,\"events_per_s\":%.0f,\"disk_bytes_per_event\":%.1f,\"processes\":[",
                   name, result->seconds, result->events_per_s,
                   (double)result->disk_bytes / (double)self->load.events);
    s_put_processes_json(self, result, into);
    nrs_buf_printf(into, "],\"latency_us\":{\"p50\":%u,\"p99\":%u,\"p999\":%u}}", result->p50_us, result->p99_us,
                   result->p999_us);
}

static void
s_print_json(const bench_t *self)
{
    nrs_buf_t out = { 0 };
    nrs_buf_printf(&out, "{\"events\":%llu,\"seed\":%llu,\"paced_rate\":%llu,\"build\":\"%s\",\"country\":%s,",
                   (unsigned long long)self->load.events, (unsigned long long)self->load.seed,
                   (unsigned long long)self->load.paced_rate, NOROSHI_CONFIG, self->load.country ? "true" : "false");
    s_put_run_json(self, "flow", &self->flow, &out);
    if (self->floor_too) {
        nrs_buf_put_text(&out, ",");
        s_put_run_json(self, "floor", &self->floor, &out);
        nrs_buf_printf(&out, ",\"ratio\":%.3f", self->flow.events_per_s / self->floor.events_per_s);
    }
    nrs_buf_put_text(&out, "}\n");
    cli_print(&out);
    nrs_buf_free(&out);
}

static void
s_put_run(const bench_t *self, const char *name, const bench_result_t *result, term_table_t *table)
{
    char text[32];
    double total = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        const bench_process_t *process = &result->processes[i];
        double cpu = (double)process->cpu_us / (double)self->load.events;
        total += cpu;
        term_table_put(table, TERM_PLAIN, "%s", i == 0 ? name : "");
        term_table_put(table, TERM_PLAIN, "%s", process->name);
        term_table_put(table, TERM_PLAIN, "%.2f us", cpu);
        term_table_put(table, TERM_PLAIN, "%s", term_bytes(process->rss_bytes, text));
        term_table_put(table, TERM_PLAIN, "%s", process->commits ? term_count(process->commits, text) : "");
    }
    term_table_put(table, TERM_PLAIN, "%s", "");
    term_table_put(table, TERM_BOLD, "together");
    term_table_put(table, TERM_BOLD, "%.2f us", total);
    term_table_put(table, TERM_PLAIN, "%s", "");
    term_table_put(table, TERM_PLAIN, "%s", "");
}

static void
s_put_summary(const bench_t *self, const char *name, const bench_result_t *result, nrs_buf_t *out)
{
    char rate[32];
    nrs_buf_printf(out, "%-6s %s events/s (%.2f s), %.0f bytes an event on disk", name,
                   term_count((uint64_t)result->events_per_s, rate), result->seconds,
                   (double)result->disk_bytes / (double)self->load.events);
    if (self->load.paced_events > 0)
        nrs_buf_printf(out, "; at %llu/s p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms",
                       (unsigned long long)self->load.paced_rate, result->p50_us / 1e3, result->p99_us / 1e3,
                       result->p999_us / 1e3);
    nrs_buf_put_text(out, "\n");
}

static void
s_print(const bench_t *self)
{
    static const term_column_t columns[] = {
        { "run", false }, { "process", false }, { "cpu an event", true }, { "peak memory", true }, { "commits", true },
    };
    char count[32];
    nrs_buf_t out = { 0 };
    nrs_buf_printf(&out, "%s events, seed %llu, build %s, %ld processors%s\n\n", term_count(self->load.events, count),
                   (unsigned long long)self->load.seed, NOROSHI_CONFIG, sysconf(_SC_NPROCESSORS_ONLN),
                   self->load.country ? "" : "; without a country file (--country)");
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof columns[0]);
    s_put_run(self, "flow", &self->flow, table);
    if (self->floor_too)
        s_put_run(self, "floor", &self->floor, table);
    term_table_print(table, self->cli->colour, &out);
    nrs_buf_put_text(&out, "\n");
    s_put_summary(self, "flow", &self->flow, &out);
    if (self->floor_too) {
        s_put_summary(self, "floor", &self->floor, &out);
        nrs_buf_printf(&out, "\nflow / floor: %.2f\n", self->flow.events_per_s / self->floor.events_per_s);
    }
    cli_print(&out);
    nrs_buf_free(&out);
}

// --- the verb ------------------------------------------------------------------------------------

static bench_shared_t *
s_share(const bench_load_t *load)
{
    size_t bytes = sizeof(bench_shared_t) + load->paced_events * sizeof(uint32_t);
    bench_shared_t *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NRS_ASSERT(shared != MAP_FAILED);
    shared->paced_first = load->events;
    shared->paced_rate = load->paced_rate;
    shared->paced_events = load->paced_events;
    return shared;
}

static cli_exit_t
s_measure(bench_t *self)
{
    nrs_problem_t problem = { 0 };
    nrs_err_t err = s_write_lines(&self->load);
    if (err)
        return cli_fail(self->cli, CLI_FAILED, "%s has no room for the reports", self->load.scratch);
    err = bench_flow(&self->load, s_share(&self->load), &problem, &self->flow);
    if (!err && self->floor_too)
        err = bench_floor(&self->load, &self->flow, s_share(&self->load), &problem, &self->floor);
    if (err)
        return cli_problem(self->cli, err, &problem);
    if (self->cli->json)
        s_print_json(self);
    else
        s_print(self);
    return CLI_GOOD;
}

static cli_exit_t
s_bench(cli_t *cli, int argc, char **argv)
{
    bench_t self = { .cli = cli, .load = { .seed = 1, .events = 2000000, .paced_events = 100000, .paced_rate = 10000,
                                           .rules = NOROSHI_DEPLOY_DIR "/rules/default.yaml" } };
    bool flow_only = false;
    const cli_option_t options[] = {
        { "events", 'n', CLI_NUMBER, &self.load.events, "N", "sent as fast as they are taken (default 2000000)" },
        { "paced", 'p', CLI_NUMBER, &self.load.paced_events, "N", "then so many at --rate, for latency (default 100000)" },
        { "rate", 'r', CLI_NUMBER, &self.load.paced_rate, "N", "a second (default 10000)" },
        { "seed", 's', CLI_NUMBER, &self.load.seed, "N", "of the reports (default 1)" },
        { "country", 0, CLI_TEXT, &self.load.country, "FILE", "mmdb with countries, so that enrich looks them up" },
        { "rules", 0, CLI_TEXT, &self.load.rules, "FILE", "rules for classify (default: the shipped ones)" },
        { "directory", 'd', CLI_TEXT, &self.directory, "DIR", "where the scratch directory is made (default /var/tmp)" },
        { "keep", 'k', CLI_FLAG, &self.keep, NULL, "leave the scratch directory" },
        { "flow-only", 0, CLI_FLAG, &flow_only, NULL, "leave out the floor" },
        { 0 },
    };
    char scratch[PATH_ROOM];
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc > 1 || self.load.events == 0 || self.load.paced_rate == 0)
        return cli_usage(cli, "there must be events and a rate, and nothing else");
    self.floor_too = !flow_only;
    snprintf(scratch, sizeof scratch, "%s/noroshi-bench-XXXXXX", self.directory ? self.directory : "/var/tmp");
    if (!mkdtemp(scratch))
        return cli_fail(cli, CLI_FAILED, "%s cannot be made; give --directory DIR", scratch);
    self.load.scratch = scratch;
    status = s_measure(&self);
    if (self.keep || status != CLI_GOOD)
        fprintf(stderr, "left in %s\n", scratch);
    else
        nftw(scratch, s_remove, FTW_FILES, FTW_DEPTH | FTW_PHYS);
    return status;
}

const cli_verb_t verb_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "measure this machine, and the floor beside it",
    .text = "Starts the pipeline as shipped in a scratch directory, sends it reports made from a seed, and measures from the\n"
            "first byte read to the last event durable at a peer; then at a steady rate, for latency. The floor is the same\n"
            "row of processes with the same bytes, batches, sockets and commits, and no work: what the machine gives.\n"
            "Machines differ and are shared: compare the ratio, not the rate.",
    .examples = "  noroshi bench\n"
                "  noroshi bench --events 200000 --paced 0 --json",
    .run = s_bench,
};
