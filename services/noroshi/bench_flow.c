// bench_flow.c - the real pipeline in a scratch directory: four stages as shipped, one peer over CURVE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/follower.h"
#include "common/keys.h"
#include "common/world.h"
#include "services/noroshi/answer.h"
#include "services/noroshi/bench.h"
#include "services/noroshi/bench_mix.h"
#include "services/noroshi/mirror.h"

enum { PATH_ROOM = 4096, WAIT_MS = 1000 };

typedef struct s_flow {
    const bench_load_t *load;
    bench_shared_t *shared;
    char config[PATH_ROOM];
    nrs_plan_t *plan;
    pid_t peer;
} s_flow_t;

// --- setting up ----------------------------------------------------------------------------------

static const char s_config[] =
    "noroshi: 1\n"
    "realm: live\n"
    "centre: \"bench\"\n"
    "home: .\n"
    "stages:\n"
    "  enrich:\n"
    "    options:\n"
    "%s"
    "      lists: [ { name: good, path: good.txt } ]\n"
    "  classify: { options: { rules: %s } }\n"
    "  relay: {}\n"
    "agreements:\n"
    "  membership: { title: Membership }\n"
    "  exchange: { title: Exchange, tlp: amber, third_party: true }\n"
    "members:\n"
    "  reporter: { name: Reporter, agreement: membership, tlp: green, onward: allow }\n"
    "peers:\n"
    "  peer: { name: Peer, agreement: exchange, key: keys/peer.pub }\n"
    "sources:\n"
    "  bench:\n"
    "    member: reporter\n"
    "    format: jsonl\n"
    "    map: { value: indicator, kind: type, observed_at: first_seen, record: id, confidence: confidence,\n"
    "           claim: threat, target: target, tags: tags, reference: reference, description: description }\n";

static nrs_err_t
s_write_files(s_flow_t *self, nrs_problem_t *reterr)
{
    char path[PATH_ROOM], country[PATH_ROOM] = "";
    snprintf(self->config, sizeof self->config, "%s/noroshi.yaml", self->load->scratch);
    if (self->load->country)
        snprintf(country, sizeof country, "      country: %s\n", self->load->country);
    FILE *file = fopen(self->config, "w");
    if (!file)
        return nrs_problem_set(reterr, NRS_E_IO, self->config, 0, 0, "cannot be written");
    fprintf(file, s_config, country, self->load->rules);
    fclose(file);
    snprintf(path, sizeof path, "%s/good.txt", self->load->scratch);
    file = fopen(path, "w");
    if (!file)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be written");
    for (int i = 0; i < 1000; i++)
        fprintf(file, "known-good-%d.example\n", i);
    fclose(file);
    nrs_keys_t keys;
    snprintf(path, sizeof path, "%s/keys", self->load->scratch);
    mkdir(path, 0700);
    nrs_err_t err = nrs_keys_new(path, "relay-1", reterr, &keys);
    err = err ? err : nrs_keys_new(path, "peer", reterr, &keys);
    nrs_keys_wipe(&keys);
    return err;
}

// Run this same program with other arguments, to its end.
static nrs_err_t
s_noroshi(s_flow_t *self, const char *verb, const char *option)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (!self->load->verbose && null >= 0) {
            dup2(null, STDOUT_FILENO);
            dup2(null, STDERR_FILENO);
        }
        execl("/proc/self/exe", "noroshi", verb, "--config", self->config, option, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return NRS_E_IO;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NRS_OK : NRS_E_IO;
}

// --- the peer ------------------------------------------------------------------------------------

// Note when each paced event became durable; its number is in the time at which it was observed.
static void
s_note_latency(bench_shared_t *shared, const nrs_segment_t *segment, int64_t now_us)
{
    int64_t start_us = atomic_load(&shared->paced_start_us);
    for (uint32_t i = 0; start_us && i < segment->head.count; i++) {
        nrs_event_t event;
        if (nrs_event_open(nrs_segment_event(segment, i, NULL), &event))
            continue;
        uint64_t number = nrs_event_number(&event, NRS_ORIGIN_observed_at) - BENCH_MIX_TIME_MS;
        uint64_t paced = number - shared->paced_first;
        if (number < shared->paced_first || paced >= shared->paced_events)
            continue;
        int64_t due_us = start_us + (int64_t)(paced * 1000000 / shared->paced_rate);
        atomic_store(&shared->latency_us[paced], (uint32_t)(now_us - due_us));
    }
}

typedef struct s_peer {
    nrs_follower_t *follower;
    mirror_t *mirror;
    bench_shared_t *shared;
} s_peer_t;

// Everything that has come, in one commit.
static nrs_err_t
s_peer_step(s_peer_t *self, nrs_segment_t *segments, nrs_buf_t *copies)
{
    enum { SEGMENTS_MAX = 128 };
    size_t count = 0;
    uint64_t events = 0;
    size_t at[SEGMENTS_MAX];
    bool paced = atomic_load(&self->shared->paced_start_us) != 0;
    nrs_buf_reset(copies);
    while (count < SEGMENTS_MAX && !nrs_follower_next(self->follower, &segments[count])) {
        nrs_err_t err = mirror_append(self->mirror, "relay-1", &segments[count]);
        if (err)
            return err;
        events += segments[count].head.count;
        at[count] = copies->size;
        if (paced)
            nrs_buf_put(copies, segments[count].bytes.data, segments[count].bytes.size);
        count++;
    }
    if (count == 0)
        return NRS_OK;
    nrs_err_t err = mirror_commit(self->mirror);
    if (err)
        return err;
    nrs_follower_acknowledge(self->follower);
    int64_t now_us = bench_now_us();
    for (size_t i = 0; paced && i < count; i++) {
        nrs_segment_t segment;
        nrs_bytes_t bytes = nrs_bytes(copies->data + at[i], copies->size - at[i]);
        bytes.size = i + 1 < count ? at[i + 1] - at[i] : bytes.size;
        if (nrs_segment_peek(bytes, &segment) == NRS_OK)
            s_note_latency(self->shared, &segment, now_us);
    }
    atomic_fetch_add(&self->shared->durable, events);
    return NRS_OK;
}

static nrs_err_t
s_peer_open(const s_flow_t *flow, s_peer_t *self, nrs_problem_t *reterr)
{
    char path[PATH_ROOM];
    nrs_keys_t keys, server;
    snprintf(path, sizeof path, "%s/keys/peer.key", flow->load->scratch);
    nrs_err_t err = nrs_keys_load(path, reterr, &keys);
    snprintf(path, sizeof path, "%s/keys/relay-1.pub", flow->load->scratch);
    err = err ? err : nrs_keys_load(path, reterr, &server);
    snprintf(path, sizeof path, "%s/peer", flow->load->scratch);
    err = err ? err : mirror_open(path, nrs_segment_stream("live", "releases/peer"), MIRROR_KEEP, reterr, &self->mirror);
    if (err)
        return err;
    nrs_follower_options_t options = {
        .endpoint = nrs_plan_next(flow->plan, "relay", NULL)->release,
        .keys = &keys,
        .server_key = server.public_text,
        .realm = "live",
        .topic = "releases/peer",
        .name = "peer",
        .lanes = UINT64_MAX,
        .world = nrs_world_real(),
    };
    return nrs_follower_open(&options, reterr, &self->follower);
}

static int
s_peer_main(const s_flow_t *flow)
{
    s_peer_t self = { .shared = flow->shared };
    nrs_problem_t problem;
    nrs_segment_t *segments = nrs_alloc0(128, sizeof *segments);
    nrs_buf_t copies = { 0 };
    nrs_err_t err = s_peer_open(flow, &self, &problem);
    while (!err) {
        nrs_wait_t item = { .bus = nrs_follower_bus(self.follower) };
        nrs_bus_wait(&item, 1, nrs_follower_ready(self.follower) ? 0 : WAIT_MS);
        nrs_follower_step(self.follower);
        err = s_peer_step(&self, segments, &copies);
    }
    fprintf(stderr, "noroshi bench: the peer ended: %s\n", nrs_err_name(err));
    return 1;
}

// --- running -------------------------------------------------------------------------------------

// Find the stages' processes, how much they have committed, and how large events are in their topics.
static nrs_err_t
s_ask_stages(s_flow_t *self, bench_result_t *result, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < self->plan->instance_count; i++) {
        const nrs_instance_t *instance = &self->plan->instances[i];
        NRS_AUTO(answer) answer = NULL;
        nrs_err_t err = answer_ask(self->plan, instance, "status", NRS_NONE, reterr, &answer);
        if (err)
            return err;
        result->processes[i].name = instance->stage;
        result->processes[i].pid = (pid_t)answer_number(&answer->root, "pid");
        nrs_json_value_t store = answer_get(&answer->root, "store");
        result->processes[i].commits = answer_number(&store, "commits");
        nrs_json_value_t topics = answer_get(&answer->root, "topics"), topic;
        nrs_json_walk_t walk = nrs_json_walk(&topics);
        if (i < BENCH_TOPICS && nrs_json_walk_next(&walk, NULL, &topic) && answer_number(&topic, "events"))
            result->event_bytes[i] =
                (double)answer_number(&topic, "bytes") / (double)answer_number(&topic, "events");
    }
    result->processes[self->plan->instance_count] = (bench_process_t){ .name = "peer", .pid = self->peer };
    result->process_count = self->plan->instance_count + 1;
    return NRS_OK;
}

static nrs_err_t
s_measure(s_flow_t *self, bench_result_t *result, nrs_problem_t *reterr)
{
    char lines[PATH_ROOM];
    int64_t start_us = 0;
    const char *submit = nrs_plan_next(self->plan, "ingest", NULL)->submit;
    snprintf(lines, sizeof lines, "%s/lines.jsonl", self->load->scratch);
    nrs_err_t err = s_ask_stages(self, result, reterr);
    if (err)
        return err;
    bench_watch_start(result);
    err = bench_send_file(submit, lines, &start_us);
    err = err ? err : bench_wait_durable(self->shared, self->load->events, "flow");
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "the flow did not end; see %s/log", self->load->scratch);
    result->seconds = (double)(bench_now_us() - start_us) / 1e6;
    result->events_per_s = (double)self->load->events / result->seconds;
    bench_watch_end(result);
    bench_process_t used[BENCH_PROCESSES_MAX];
    memcpy(used, result->processes, sizeof used);
    err = s_ask_stages(self, result, reterr);
    for (size_t i = 0; i < result->process_count; i++) {
        used[i].commits = result->processes[i].commits;
        result->processes[i] = used[i];
    }
    result->disk_bytes = bench_disk_bytes(self->load->scratch) - bench_disk_bytes(lines);
    if (!err && self->load->paced_events > 0) {
        err = bench_send_paced(submit, self->load, self->shared);
        err = err ? err : bench_wait_durable(self->shared, self->load->events + self->load->paced_events, "paced");
        bench_percentiles(self->shared, result);
    }
    return err;
}

nrs_err_t
bench_flow(const bench_load_t *load, bench_shared_t *shared, nrs_problem_t *reterr, bench_result_t *ret_result)
{
    s_flow_t self = { .load = load, .shared = shared };
    bench_result_t result = { 0 };
    nrs_err_t err = s_write_files(&self, reterr);
    err = err ? err : nrs_plan_open(self.config, reterr, &self.plan);
    if (err)
        return err;
    err = s_noroshi(&self, "up", "-d");
    if (err) {
        nrs_plan_destroy(&self.plan);
        return nrs_problem_set(reterr, err, NULL, 0, 0, "the pipeline does not start; see %s/log", load->scratch);
    }
    self.peer = fork();
    if (self.peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(s_peer_main(&self));
    }
    err = s_measure(&self, &result, reterr);
    kill(self.peer, SIGKILL);
    waitpid(self.peer, NULL, 0);
    NRS_IGNORE(s_noroshi(&self, "down", NULL)); // the result stands; what is left is said on the next start
    nrs_plan_destroy(&self.plan);
    if (!err)
        *ret_result = result;
    return err;
}
