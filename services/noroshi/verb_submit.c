// submit - report: sends files to ingest and prints the receipt.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/event.h"
#include "common/submit.h"
#include "common/world.h"
#include "services/noroshi/verbs.h"

enum { s_piece_bytes = 256 * 1024 };    // data in one message
enum { s_patience_ms = 60000 };         // without any word from ingest
enum { s_hint_after_ms = 5000 };        // then a person is told what we wait for
enum { s_reply_bytes_max = 64 * 1024 }; // a receipt with all its rejections is below

typedef struct submit {
    cli_t *cli;
    const nrs_plan_t *plan;
    const nrs_instance_t *instance;
    const char *source, *format, *instance_name;
    nrs_bus_t *bus; // owned
    nrs_buf_t out;  // --json: the receipts
    bool bad;       // something was rejected or refused
} submit_t;

// One file on its way.
typedef struct sending {
    nrs_submit_request_t head;
    const char *path;
    int fd;
    uint64_t size;   // 0: unknown
    uint64_t sent;   // bytes
    uint64_t credit; // DATA messages that may still be sent
    bool ended;      // END was sent
    term_progress_t progress;
} sending_t;

static int64_t
s_now(void)
{
    nrs_world_t *world = nrs_world_real();
    return world->mono_ms(world);
}

// --- the connection
// --------------------------------------------------------------------------------

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

static cli_exit_t
s_connect(submit_t *self)
{
    self->instance = s_choose(self);
    if (!self->instance)
        return CLI_USAGE;
    if (!nrs_ask_listening(self->instance->submit))
        return cli_fail(self->cli, CLI_FAILED,
                        "%s is not running (nobody listens on %s); start it with `noroshi up`",
                        self->instance->name, self->instance->submit);
    nrs_problem_t problem = { 0 };
    nrs_keys_t keys = { 0 }, server = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_DEALER,
                                  .endpoint = self->instance->submit,
                                  .message_bytes_max = s_reply_bytes_max };
    nrs_err_t err = nrs_ask_options(self->plan, self->instance, &keys, &server, &problem, &options);
    if (!err)
        err = nrs_bus_open(&options, &problem, &self->bus);
    nrs_keys_wipe(&keys);
    return err ? cli_problem(self->cli, err, &problem) : CLI_GOOD;
}

// Send one message; waits while the socket has no room.
static bool
s_send(submit_t *self, const nrs_submit_request_t *head, nrs_bytes_t data)
{
    nrs_buf_t header = { 0 };
    nrs_message_t message = { 0 };
    nrs_submit_encode_request(head, &header);
    nrs_message_put(&message, nrs_buf_bytes(&header));
    if (head->verb == NRS_SUBMIT_DATA || head->verb == NRS_SUBMIT_WHOLE)
        nrs_message_put(&message, data);
    nrs_err_t err;
    int64_t until = s_now() + s_patience_ms;
    while ((err = nrs_bus_send(self->bus, &message)) == NRS_E_AGAIN && s_now() < until) {
        nrs_wait_t item = { .bus = self->bus, .write = true };
        nrs_bus_wait(&item, 1, until - s_now());
    }
    nrs_message_clear(&message);
    nrs_buf_free(&header);
    return !err;
}

// --- the receipt
// -----------------------------------------------------------------------------------
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
s_put_json(const sending_t *sending, const nrs_submit_reply_t *reply, nrs_buf_t *into)
{
    char id[33];
    nrs_id_print(sending->head.id, id);
    nrs_buf_put_text(into, "{\"file\":");
    nrs_buf_put_json_string(into, nrs_text(sending->path));
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
s_put_people(const submit_t *self, const sending_t *sending, const nrs_submit_reply_t *reply,
             nrs_buf_t *into)
{
    char accepted[32], known[32], rejected[32], skipped[32], size[32];
    bool done = reply->state == NRS_SUBMIT_DONE;
    term_put_clean(into, nrs_text(sending->path));
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
s_receipt(submit_t *self, const sending_t *sending, const nrs_submit_reply_t *reply)
{
    self->bad = self->bad || reply->rejected > 0 || reply->state != NRS_SUBMIT_DONE;
    if (self->cli->json)
        s_put_json(sending, reply, &self->out);
    else
        s_put_people(self, sending, reply, &self->out);
    cli_print(&self->out);
}

// --- one file
// --------------------------------------------------------------------------------------

// The next message from ingest about this submission, waiting up to s_patience_ms. `ret_reply`
// borrows from `message`. False, told on stderr, when none came.
static bool
s_next_reply(submit_t *self, const sending_t *sending, nrs_message_t *message,
             nrs_submit_reply_t *ret_reply)
{
    int64_t from = s_now();
    bool hinted = self->cli->json;
    for (;;) {
        nrs_message_clear(message);
        nrs_err_t err = nrs_bus_recv(self->bus, message);
        if (!err && message->count >= 1 &&
            !nrs_submit_decode_reply(nrs_message_frame(message, 0), ret_reply) &&
            memcmp(ret_reply->id, sending->head.id, sizeof ret_reply->id) == 0)
            return true;
        int64_t waited_ms = s_now() - from;
        if (waited_ms > s_hint_after_ms && !hinted) {
            fprintf(stderr, "waiting for %s, which takes nothing just now\n", self->instance->name);
            hinted = true;
        }
        if (waited_ms >= s_patience_ms || err == NRS_E_IO) {
            cli_fail(self->cli, CLI_FAILED,
                     "no word from %s for %d s; look with `noroshi status`, then send %s again: "
                     "what was taken already will count as known",
                     self->instance->name, s_patience_ms / 1000, sending->path);
            return false;
        }
        nrs_wait_t item = { .bus = self->bus };
        if (err == NRS_E_AGAIN)
            nrs_bus_wait(&item, 1, hinted ? s_patience_ms - waited_ms : s_hint_after_ms);
    }
}

// Fill `piece` as far as the input goes. Negative: see errno.
static ssize_t
s_read_full(int fd, uint8_t *piece, size_t bytes)
{
    size_t filled = 0;
    while (filled < bytes) {
        ssize_t got = read(fd, piece + filled, bytes - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (ssize_t)filled;
}

// Send as much as there is credit for, and END behind the last piece.
static bool
s_send_pieces(submit_t *self, sending_t *sending, uint8_t *piece)
{
    while (sending->credit > 0 && !sending->ended) {
        ssize_t got = s_read_full(sending->fd, piece, s_piece_bytes);
        if (got < 0) {
            cli_fail(self->cli, CLI_FAILED, "%s cannot be read: %s", sending->path,
                     strerror(errno));
            return false;
        }
        nrs_submit_request_t head = { .verb = NRS_SUBMIT_DATA };
        memcpy(head.id, sending->head.id, sizeof head.id);
        head.sequence = ++sending->head.sequence;
        if (got > 0) {
            if (!s_send(self, &head, nrs_bytes(piece, (size_t)got)))
                return false;
            sending->credit--;
            sending->sent += (uint64_t)got;
            term_progress_step(&sending->progress, sending->sent, s_now());
        }
        if (got < s_piece_bytes) {
            head.verb = NRS_SUBMIT_END;
            head.sequence = sending->head.sequence + (got > 0 ? 1 : 0);
            sending->ended = true;
            if (!s_send(self, &head, NRS_NONE))
                return false;
        }
    }
    return true;
}

static bool
s_send_file(submit_t *self, sending_t *sending, uint8_t *piece)
{
    nrs_message_t message = { 0 };
    nrs_submit_reply_t reply = { 0 };
    nrs_submit_request_t begin = sending->head;
    begin.verb = NRS_SUBMIT_BEGIN;
    bool good = s_send(self, &begin, NRS_NONE);
    bool receipt = false;
    while (good && !receipt) {
        good = s_next_reply(self, sending, &message, &reply);
        receipt = good && reply.verb == NRS_SUBMIT_RECEIPT;
        if (good && !receipt) {
            sending->credit += reply.credit;
            good = s_send_pieces(self, sending, piece);
        }
    }
    term_progress_end(&sending->progress);
    if (receipt)
        s_receipt(self, sending, &reply);
    nrs_message_clear(&message);
    return receipt;
}

static const char *
s_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool
s_submit_file(submit_t *self, const char *path, uint8_t *piece)
{
    enum { name_max = 128 };
    bool standard_input = strcmp(path, "-") == 0;
    sending_t sending = { .path = path };
    struct stat about = { 0 };
    sending.fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (sending.fd < 0 || fstat(sending.fd, &about) != 0 || S_ISDIR(about.st_mode)) {
        cli_fail(self->cli, CLI_FAILED, "%s cannot be read: %s", path,
                 S_ISDIR(about.st_mode) ? "it is a directory" : strerror(errno));
        return false;
    }
    sending.size = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    nrs_bytes_t name = nrs_text(standard_input ? "stdin" : s_base_name(path));
    sending.head.source = nrs_text(self->source);
    sending.head.format = nrs_text(self->format);
    sending.head.name = name.size <= name_max ? name : NRS_NONE;
    bool good = !nrs_random(sending.head.id, sizeof sending.head.id);
    if (good) {
        term_progress_begin(&sending.progress, path, sending.size, s_now());
        good = s_send_file(self, &sending, piece);
    }
    if (!standard_input)
        close(sending.fd);
    return good;
}

// --- the verb
// --------------------------------------------------------------------------------------

// The only source of the configuration, when there is just one and none was named.
static cli_exit_t
s_default_source(submit_t *self)
{
    const nrs_config_node_t *sources =
        nrs_config_get(nrs_config_root(self->plan->config), "sources");
    const char *name = NULL;
    if (self->source)
        return CLI_GOOD;
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
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc < 2)
        return cli_usage(cli, "name the files to submit, or - for standard input");
    self.plan = cli_plan(cli);
    if (!self.plan)
        return CLI_USAGE;
    status = s_default_source(&self);
    if (status == CLI_GOOD)
        status = s_connect(&self);
    if (status == CLI_GOOD) {
        uint8_t *piece = nrs_alloc0(s_piece_bytes, 1);
        for (int i = 1; i < argc; i++)
            if (!s_submit_file(&self, argv[i], piece))
                self.bad = true;
        free(piece);
        status = self.bad ? CLI_FAILED : CLI_GOOD;
    }
    nrs_bus_destroy(&self.bus);
    nrs_buf_free(&self.out);
    return status;
}

const cli_verb_t verb_submit = {
    .name = "submit",
    .arguments = "FILE|-...",
    .summary = "report: send files to ingest, and print a receipt",
    .text = "Sends each file to ingest in pieces, as fast as ingest takes them, and prints the "
            "receipt\n"
            "once everything in it is durable: how many records were accepted (new events), known\n"
            "(reported before), rejected (kept as dead letters, the first reasons are shown) and\n"
            "skipped (comments, empty lines). Sending the same file again changes nothing.\n"
            "Exit status 0 when no record was rejected, else 1.",
    .examples = "  noroshi submit --source jpcert phishurl-list.csv\n"
                "  curl -s https://feed.example/list.txt | noroshi submit --source feed -\n"
                "  noroshi submit --source partner --format stix bundles/*.json",
    .run = s_submit,
};
