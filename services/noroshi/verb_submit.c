// submit - report: sends files to ingest and prints the receipt.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/event.h"
#include "common/world.h"
#include "services/noroshi/sender.h"
#include "services/noroshi/verbs.h"

typedef struct submit {
    cli_t *cli;
    const nrs_plan_t *plan; // NULL: --endpoint
    const char *source, *format, *instance_name;
    const char *endpoint, *key, *server_key;
    nrs_keys_t keys, server; // empty on ipc
    sender_t *sender;        // owned
    nrs_buf_t out;           // --json: the receipts
    term_progress_t progress;
    bool bad; // something was rejected or refused
} submit_t;

static int64_t
s_now(void)
{
    nrs_world_t *world = nrs_world_real();
    return world->mono_ms(world);
}

// --- the receipt ---------------------------------------------------------------------------------

static void
s_put_rejections_json(const nrs_submit_reply_t *reply, nrs_buf_t *into)
{
    nrs_buf_put_text(into, ",\"rejections\":[");
    for (size_t i = 0; i < reply->rejection_count; i++) {
        const nrs_submit_rejection_t *one = &reply->rejections[i];
        nrs_buf_put_text(into, i > 0 ? ",{\"place\":" : "{\"place\":");
        nrs_buf_put_json_string(into, one->place);
        nrs_buf_put_text(into, ",\"reason\":");
        nrs_buf_put_json_string(into, one->reason);
        nrs_buf_put_text(into, ",\"text\":");
        nrs_buf_put_json_string(into, one->text);
        nrs_buf_put_text(into, ",\"bytes\":");
        nrs_buf_put_json_string(into, one->bytes);
        nrs_buf_put_text(into, "}");
    }
    nrs_buf_put_text(into, "]");
}

static void
s_put_json(const char *path, const nrs_submit_reply_t *reply, nrs_buf_t *into)
{
    char id[33];
    nrs_id_print(reply->id, id);
    nrs_buf_put_text(into, "{\"file\":");
    nrs_buf_put_json_string(into, nrs_text(path));
    nrs_buf_printf(into,
                   ",\"submission\":\"%s\",\"state\":\"%s\",\"accepted\":%llu,\"known\":%llu,"
                   "\"rejected\":%llu,\"skipped\":%llu,\"bytes\":%llu",
                   id, reply->state == NRS_SUBMIT_DONE ? "done" : "refused",
                   (unsigned long long)reply->accepted, (unsigned long long)reply->known,
                   (unsigned long long)reply->rejected, (unsigned long long)reply->skipped,
                   (unsigned long long)reply->bytes);
    if (reply->state == NRS_SUBMIT_REFUSED) {
        nrs_buf_put_text(into, ",\"reason\":");
        nrs_buf_put_json_string(into, reply->reason);
        nrs_buf_put_text(into, ",\"text\":");
        nrs_buf_put_json_string(into, reply->text);
    }
    s_put_rejections_json(reply, into);
    nrs_buf_put_text(into, "}\n");
}

static void
s_put_rejections(const nrs_submit_reply_t *reply, nrs_buf_t *into)
{
    enum { shown = 80 };
    char count[32];
    for (size_t i = 0; i < reply->rejection_count; i++) {
        const nrs_submit_rejection_t *one = &reply->rejections[i];
        nrs_buf_put_text(into, "    ");
        term_put_clean(into, one->place);
        nrs_buf_put_text(into, "  ");
        term_put_clean(into, one->reason);
        nrs_buf_put_text(into, ": ");
        term_put_clean(into, one->text);
        nrs_buf_put_text(into, "\n        ");
        term_put_cut(into, one->bytes, shown, false);
        nrs_buf_put_text(into, "\n");
    }
    if (reply->rejected > reply->rejection_count)
        nrs_buf_printf(into, "    and %s more\n",
                       term_count(reply->rejected - reply->rejection_count, count));
    if (reply->rejected > 0)
        nrs_buf_put_text(into, "    all of them are kept: `noroshi dead list`\n");
}

static void
s_put_people(const submit_t *self, const char *path, const nrs_submit_reply_t *reply,
             nrs_buf_t *into)
{
    char accepted[32], known[32], rejected[32], skipped[32], size[32];
    bool done = reply->state == NRS_SUBMIT_DONE;
    term_put_clean(into, nrs_text(path));
    nrs_buf_put_text(into, ": ");
    if (!done) {
        term_put_colour(into, self->cli->colour, TERM_RED, "refused");
        nrs_buf_put_text(into, ": ");
        term_put_clean(into, reply->text);
        nrs_buf_put_text(into, " (");
        term_put_clean(into, reply->reason);
        nrs_buf_put_text(into, "); before that: ");
    }
    nrs_buf_printf(into, "%s accepted, %s known, %s rejected, %s skipped, %s\n",
                   term_count(reply->accepted, accepted), term_count(reply->known, known),
                   term_count(reply->rejected, rejected), term_count(reply->skipped, skipped),
                   term_bytes(reply->bytes, size));
    s_put_rejections(reply, into);
}

static void
s_receipt(submit_t *self, const char *path, const nrs_submit_reply_t *reply)
{
    self->bad = self->bad || reply->rejected > 0 || reply->state != NRS_SUBMIT_DONE;
    if (self->cli->json)
        s_put_json(path, reply, &self->out);
    else
        s_put_people(self, path, reply, &self->out);
    cli_print(&self->out);
}

// --- files ---------------------------------------------------------------------------------------

static bool
s_wait_for_receipt(submit_t *self, const char *path, nrs_problem_t *problem)
{
    nrs_submit_reply_t reply = { 0 };
    nrs_err_t err;
    while ((err = sender_step(self->sender, s_now(), problem, &reply)) == NRS_E_AGAIN) {
        term_progress_step(&self->progress, sender_sent(self->sender), s_now());
        nrs_wait_t item = { .bus = sender_bus(self->sender) };
        nrs_bus_wait(&item, 1, SENDER_STEP_MS);
    }
    term_progress_end(&self->progress);
    if (!err)
        s_receipt(self, path, &reply);
    return !err;
}

static bool
s_submit_fd(submit_t *self, int fd, const char *path, const char *name, uint64_t size)
{
    nrs_problem_t problem = { 0 };
    term_progress_begin(&self->progress, path, size, s_now());
    bool good = !sender_begin(self->sender, fd, path, name, s_now(), &problem) &&
                s_wait_for_receipt(self, path, &problem);
    if (!good)
        cli_fail(self->cli, CLI_FAILED, "%s", problem.text);
    return good;
}

static bool
s_unreadable(submit_t *self, const char *path)
{
    cli_fail(self->cli, CLI_FAILED, "%s cannot be read: %s", path, strerror(errno));
    return false;
}

static bool
s_submit_file(submit_t *self, const char *path)
{
    struct stat about = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0)
        return s_unreadable(self, path);
    const char *slash = strrchr(path, '/');
    bool good = s_submit_fd(self, fd, path, slash ? slash + 1 : path,
                            S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0);
    close(fd);
    return good;
}

static int
s_by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

// Its regular files, in the order of their names' bytes; what is in directories below stays out, as
// do hidden files, where other programs keep their own.
static bool
s_submit_directory(submit_t *self, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, s_by_bytes);
    if (count < 0)
        return s_unreadable(self, path);
    bool good = true;
    for (int i = 0; i < count; i++) {
        struct stat about;
        nrs_buf_t file = { 0 };
        nrs_buf_printf(&file, "%s/%s", path, entries[i]->d_name);
        const char *name = nrs_buf_cstr(&file);
        if (entries[i]->d_name[0] != '.' && stat(name, &about) == 0 && S_ISREG(about.st_mode))
            good = s_submit_file(self, name) && good;
        nrs_buf_free(&file);
        free(entries[i]);
    }
    free(entries);
    return good;
}

static bool
s_submit_path(submit_t *self, const char *path)
{
    struct stat about;
    if (strcmp(path, "-") == 0)
        return s_submit_fd(self, STDIN_FILENO, path, "stdin", 0);
    if (stat(path, &about) != 0)
        return s_unreadable(self, path);
    return S_ISDIR(about.st_mode) ? s_submit_directory(self, path) : s_submit_file(self, path);
}

// --- the connection ------------------------------------------------------------------------------

// The instance named, or the first ingest that listens, or the first.
static const nrs_instance_t *
s_choose(const submit_t *self)
{
    if (self->instance_name) {
        const nrs_instance_t *named = cli_instance(self->plan, self->instance_name);
        if (named && !named->submit)
            cli_fail(self->cli, CLI_USAGE, "%s takes no reports; name an ingest instance",
                     named->name);
        return named && named->submit ? named : NULL;
    }
    const nrs_instance_t *first = nrs_plan_next(self->plan, "ingest", NULL);
    for (const nrs_instance_t *at = first; at; at = nrs_plan_next(self->plan, "ingest", at))
        if (nrs_ask_listening(at->submit))
            return at;
    if (!first)
        cli_fail(self->cli, CLI_USAGE, "the configuration has no ingest instance");
    return first;
}

// What the sender has to say, which with --json nobody reads.
static void
s_tell(void *me, const char *line)
{
    submit_t *self = me;
    term_progress_end(&self->progress);
    if (!self->cli->json)
        fprintf(stderr, "%s\n", line);
}

static cli_exit_t
s_open_sender(submit_t *self, const nrs_bus_options_t *bus, const char *name)
{
    nrs_problem_t problem = { 0 };
    sender_options_t options = {
        .bus = *bus,
        .name = name,
        .source = self->source,
        .format = self->format,
        .tell = s_tell,
        .me = self,
    };
    nrs_err_t err = sender_open(&options, &problem, &self->sender);
    return err ? cli_problem(self->cli, err, &problem) : CLI_GOOD;
}

static cli_exit_t
s_connect_instance(submit_t *self)
{
    const nrs_instance_t *instance = s_choose(self);
    if (!instance)
        return CLI_USAGE;
    if (!nrs_ask_listening(instance->submit))
        return cli_fail(self->cli, CLI_FAILED,
                        "%s is not running (nobody listens on %s); start it with `noroshi up`",
                        instance->name, instance->submit);
    nrs_problem_t problem = { 0 };
    nrs_bus_options_t bus = { .endpoint = instance->submit };
    nrs_err_t err =
        nrs_ask_options(self->plan, instance, &self->keys, &self->server, &problem, &bus);
    return err ? cli_problem(self->cli, err, &problem) : s_open_sender(self, &bus, instance->name);
}

// A member has no noroshi.yaml: it is told where, and with which keys.
static cli_exit_t
s_connect_endpoint(submit_t *self)
{
    nrs_bus_options_t bus = { .endpoint = self->endpoint };
    cli_exit_t status =
        cli_outside(self->cli, self->key, self->server_key, &self->keys, &self->server, &bus);
    return status == CLI_GOOD ? s_open_sender(self, &bus, self->endpoint) : status;
}

// --- the verb ------------------------------------------------------------------------------------

// The only source of the configuration, when there is just one and none was named.
static cli_exit_t
s_default_source(submit_t *self)
{
    const char *name = NULL;
    if (self->source)
        return CLI_GOOD;
    if (!self->plan)
        return cli_usage(self->cli, "say which of your sources it is: --source NAME");
    const nrs_config_node_t *sources =
        nrs_config_get(nrs_config_root(self->plan->config), "sources");
    if (nrs_config_shape(sources) == NRS_CONFIG_MAP && nrs_config_count(sources) == 1) {
        nrs_config_at(sources, 0, &self->source);
        return CLI_GOOD;
    }
    cli_usage(self->cli, "say whose report it is: --source NAME");
    fputs("sources in the configuration:", stderr);
    if (nrs_config_shape(sources) == NRS_CONFIG_MAP)
        for (size_t i = 0; nrs_config_at(sources, i, &name); i++)
            fprintf(stderr, " %s", name);
    fputc('\n', stderr);
    return CLI_USAGE;
}

static cli_exit_t
s_run(submit_t *self, int count, char **paths)
{
    cli_exit_t status = s_default_source(self);
    if (status == CLI_GOOD)
        status = self->endpoint ? s_connect_endpoint(self) : s_connect_instance(self);
    for (int i = 0; status == CLI_GOOD && i < count; i++)
        if (!s_submit_path(self, paths[i]))
            self->bad = true;
    sender_destroy(&self->sender);
    nrs_keys_wipe(&self->keys);
    nrs_buf_free(&self->out);
    return status == CLI_GOOD && self->bad ? CLI_FAILED : status;
}

static cli_exit_t
s_submit(cli_t *cli, int argc, char **argv)
{
    submit_t self = { .cli = cli };
    const cli_option_t options[] = {
        { "source", 's', CLI_TEXT, &self.source, "NAME",
          "the source, as declared in noroshi.yaml" },
        { "format", 'f', CLI_TEXT, &self.format, "NAME",
          "the format, where it is not the source's own (stix, csv, jsonl, list, ...)" },
        { "instance", 'i', CLI_TEXT, &self.instance_name, "NAME",
          "the ingest instance to send to" },
        { "endpoint", 'e', CLI_TEXT, &self.endpoint, "URL",
          "as a member: the centre's submit endpoint; needs no noroshi.yaml" },
        { "key", 'k', CLI_TEXT, &self.key, "FILE", "as a member: your NAME.key" },
        { "server-key", 0, CLI_TEXT, &self.server_key, "FILE", "as a member: the centre's .pub" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc < 2)
        return cli_usage(cli, "name the files to submit, or - for standard input");
    if (self.endpoint && self.instance_name)
        return cli_usage(cli, "--endpoint says where already; leave --instance out");
    if (!self.endpoint && (self.key || self.server_key))
        return cli_usage(cli, "--key and --server-key go with --endpoint");
    self.plan = self.endpoint ? NULL : cli_plan(cli);
    if (!self.endpoint && !self.plan)
        return CLI_USAGE;
    return s_run(&self, argc - 1, argv + 1);
}

const cli_verb_t verb_submit = {
    .name = "submit",
    .arguments = "FILE|DIR|-...",
    .summary = "report: send files to ingest, and print a receipt",
    .text = "Sends each file to ingest in pieces, as fast as ingest takes them, and prints the "
            "receipt\n"
            "once everything in it is durable: how many records were accepted (new events), known\n"
            "(reported before), rejected (kept as dead letters, the first reasons are shown) and\n"
            "skipped (comments, empty lines). Of a directory, every regular file in it is sent.\n"
            "Sending the same file again changes nothing: when the connection breaks or ingest\n"
            "restarts, the file is sent again from its start by itself.\n"
            "Exit status 0 when no record was rejected, else 1.",
    .examples = "  noroshi submit --source jpcert phishurl-list.csv\n"
                "  curl -s https://feed.example/list.txt | noroshi submit --source feed -\n"
                "  noroshi submit --source partner --format stix bundles/*.json\n"
                "  noroshi submit --endpoint tcp://centre.example:5410 --key guard.key \\\n"
                "      --server-key ingest-1.pub --source guard-list today.txt",
    .run = s_submit,
};
