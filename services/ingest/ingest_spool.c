#include "services/ingest/ingest_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { S_READ_BYTES = 256 << 10 };
enum { S_NAMES_MAX = 1024 }; // of one look; the next look finds the others
enum { S_MOVES_MAX = 64 };   // files that one batch can finish
enum { S_PATH_MAX = 4096 };
enum {
    S_RECORD_BYTES = 33
}; // of the table "spool": state (1), cursor, inode, size, time of change (8 each)

typedef enum s_state { S_READING, S_DONE, S_FAILED } s_state_t;

typedef struct s_file {
    const ingest_source_t *source;
    char name[NAME_MAX + 1];
} s_file_t;

typedef struct s_move {
    s_file_t file;
    char reason[64]; // why it failed; "": it is done
    bool moved;      // its record in the table can go
} s_move_t;

struct ingest_spool {
    ingest_spool_options_t options;
    ingest_limits_t limits;
    nrs_store_table_t table;
    int watch;       // inotify
    int64_t look_ms; // when to look again without being told
    bool look;

    size_t name_count, name_next;
    s_file_t *names; // owned: files found by the last look

    s_file_t *current; // the file under way, in `names`
    int fd;
    struct stat status;
    ingest_reader_t *reader; // owned
    ingest_tally_t tally;
    bool at_end;
    uint8_t *room; // owned: S_READ_BYTES

    size_t move_count;
    s_move_t moves[S_MOVES_MAX]; // once the batch is committed; then their records go in the next
};

// --- paths ---------------------------------------------------------------------------------------

static void
s_path(const ingest_spool_t *self, const s_file_t *file, const char *part, char into[S_PATH_MAX])
{
    snprintf(into, S_PATH_MAX, "%s/%s/%s/%s", self->options.config->spool, file->source->name, part,
             file->name);
}

static nrs_err_t
s_make(const char *path, nrs_problem_t *reterr)
{
    if (mkdir(path, 0770) == 0 || errno == EEXIST)
        return NRS_OK;
    return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't make the directory %s: %s", path,
                           strerror(errno));
}

static nrs_err_t
s_make_source(ingest_spool_t *self, const ingest_source_t *source, nrs_problem_t *reterr)
{
    static const char *const parts[] = { "", "incoming", "done", "failed" };
    char path[S_PATH_MAX];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", self->options.config->spool, source->name,
                 parts[i]);
        nrs_err_t err = s_make(path, reterr);
        if (err)
            return err;
        if (i == 1 && inotify_add_watch(self->watch, path, IN_MOVED_TO | IN_ONLYDIR) < 0)
            return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't watch %s: %s", path,
                                   strerror(errno));
    }
    return NRS_OK;
}

// --- life ----------------------------------------------------------------------------------------

nrs_err_t
ingest_spool_open(const ingest_spool_options_t *options, nrs_problem_t *reterr,
                  ingest_spool_t **ret_spool)
{
    NRS_AUTO(ingest_spool) self = nrs_new0(ingest_spool_t);
    self->options = *options;
    self->limits = (ingest_limits_t){ (size_t)options->config->line_max,
                                      (size_t)options->config->document_max };
    self->fd = -1;
    self->look = true;
    self->names = nrs_alloc0(S_NAMES_MAX, sizeof *self->names);
    self->room = nrs_alloc0(S_READ_BYTES, 1);
    self->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (self->watch < 0)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "inotify: %s", strerror(errno));
    nrs_err_t err = s_make(options->config->spool, reterr);
    for (size_t i = 0; !err && i < options->sources->count; i++)
        err = s_make_source(self, &options->sources->items[i], reterr);
    if (err)
        return err;
    if (nrs_store_table(options->store, "spool", &self->table))
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0, "can't open the table of the spool");
    *ret_spool = NRS_TAKE(self);
    return NRS_OK;
}

static void
s_close(ingest_spool_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    ingest_reader_destroy(&self->reader);
    ingest_tally_free(&self->tally);
    self->current = NULL;
}

void
ingest_spool_destroy(ingest_spool_t **self_p)
{
    ingest_spool_t *self = *self_p;
    if (!self)
        return;
    s_close(self);
    if (self->watch >= 0)
        close(self->watch);
    free(self->names);
    free(self->room);
    free(self);
    *self_p = NULL;
}

int
ingest_spool_fd(const ingest_spool_t *self)
{
    return self->watch;
}

// --- looking -------------------------------------------------------------------------------------

static void
s_look_source(ingest_spool_t *self, const ingest_source_t *source)
{
    char path[S_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/incoming", self->options.config->spool, source->name);
    DIR *dir = opendir(path);
    if (!dir) {
        nrs_log_warn("spool.unreadable", F_STR("path", path), F_STR("error", strerror(errno)));
        return;
    }
    for (struct dirent *entry; self->name_count < S_NAMES_MAX && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
            continue;
        s_file_t *file = &self->names[self->name_count++];
        file->source = source;
        snprintf(file->name, sizeof file->name, "%s", entry->d_name);
    }
    closedir(dir);
}

static int
s_by_name(const void *a, const void *b)
{
    return strcmp(((const s_file_t *)a)->name, ((const s_file_t *)b)->name);
}

// What has been told is not read in detail: the directories say what is there.
static void
s_look(ingest_spool_t *self, int64_t now_ms)
{
    _Alignas(struct inotify_event) char told[4096];
    while (read(self->watch, told, sizeof told) > 0)
        self->look = true;
    if (self->current || self->name_next < self->name_count) // `current` is one of the names
        return;
    if (!self->look && now_ms < self->look_ms)
        return;
    self->look = false;
    self->look_ms = now_ms + self->options.config->spool_period_ms;
    self->name_count = self->name_next = 0;
    for (size_t i = 0; i < self->options.sources->count; i++)
        s_look_source(self, &self->options.sources->items[i]);
    self->look = self->name_count == S_NAMES_MAX;
    qsort(self->names, self->name_count, sizeof *self->names, s_by_name);
}

// --- the place in a file, in the store -----------------------------------------------------------

static nrs_bytes_t
s_key(const s_file_t *file, char into[NAME_MAX + INGEST_NAME_MAX + 2])
{
    int length =
        snprintf(into, NAME_MAX + INGEST_NAME_MAX + 2, "%s/%s", file->source->name, file->name);
    return nrs_bytes(into, (size_t)length);
}

static void
s_identity(const struct stat *status, uint8_t into[24])
{
    nrs_put_be64(into, (uint64_t)status->st_ino);
    nrs_put_be64(into + 8, (uint64_t)status->st_size);
    nrs_put_be64(into + 16, (uint64_t)status->st_mtim.tv_sec * 1000000000u +
                                (uint64_t)status->st_mtim.tv_nsec);
}

static nrs_err_t
s_load(const ingest_spool_t *self, s_state_t *ret_state, uint64_t *ret_cursor)
{
    char key[NAME_MAX + INGEST_NAME_MAX + 2];
    uint8_t identity[24];
    nrs_bytes_t value;
    *ret_state = S_READING;
    *ret_cursor = 0;
    nrs_err_t err = nrs_txn_get(nrs_out_txn(self->options.batch->out), self->table,
                                s_key(self->current, key), &value);
    if (err)
        return err == NRS_E_ABSENT ? NRS_OK : err;
    s_identity(&self->status, identity);
    if (value.size != S_RECORD_BYTES || memcmp(value.data + 9, identity, sizeof identity) != 0)
        return NRS_OK; // another file of the same name, long ago
    *ret_state = (s_state_t)value.data[0];
    *ret_cursor = nrs_get_be64(value.data + 1);
    return NRS_OK;
}

static nrs_err_t
s_save(ingest_spool_t *self, s_state_t state)
{
    char key[NAME_MAX + INGEST_NAME_MAX + 2];
    uint8_t value[S_RECORD_BYTES] = { (uint8_t)state };
    nrs_put_be64(value + 1, ingest_reader_cursor(self->reader));
    s_identity(&self->status, value + 9);
    self->options.batch->wrote = true;
    return nrs_txn_put(nrs_out_txn(self->options.batch->out), self->table,
                       s_key(self->current, key), nrs_bytes(value, sizeof value));
}

// Files that have moved on need no place any more.
static nrs_err_t
s_forget_moved(ingest_spool_t *self)
{
    nrs_txn_t *txn = nrs_out_txn(self->options.batch->out);
    for (; self->move_count > 0; self->move_count--) {
        const s_move_t *move = &self->moves[self->move_count - 1];
        char key[NAME_MAX + INGEST_NAME_MAX + 2];
        NRS_ASSERT(move->moved); // the last batch was committed, or the list was emptied
        nrs_err_t err = nrs_txn_drop(txn, self->table, s_key(&move->file, key));
        if (err && err != NRS_E_ABSENT)
            return err;
        self->options.batch->wrote = true;
    }
    return NRS_OK;
}

// --- one file ------------------------------------------------------------------------------------

static void
s_move_later(ingest_spool_t *self, const char *reason)
{
    s_move_t *move = &self->moves[self->move_count++];
    move->file = *self->current;
    move->moved = false;
    snprintf(move->reason, sizeof move->reason, "%s", reason ? reason : "");
}

// Open the next file, at its place. A file that vanished or can't be opened is left where it is.
static nrs_err_t
s_next(ingest_spool_t *self)
{
    char path[S_PATH_MAX];
    s_state_t state = S_READING;
    uint64_t cursor = 0;
    self->current = &self->names[self->name_next++];
    s_path(self, self->current, "incoming", path);
    self->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (self->fd < 0 || fstat(self->fd, &self->status) != 0 || !S_ISREG(self->status.st_mode)) {
        nrs_log_warn("spool.unreadable", F_STR("path", path), F_STR("error", strerror(errno)));
        s_close(self);
        return NRS_OK;
    }
    nrs_err_t err = s_load(self, &state, &cursor);
    if (state != S_READING) // it was read; only the move was missing
        s_move_later(self, state == S_FAILED ? "see the dead letters" : NULL);
    if (err || state != S_READING) {
        s_close(self);
        return err;
    }
    const ingest_source_t *source = self->current->source;
    self->reader = ingest_reader_new(source, source->shape, self->current->name, &self->limits);
    ingest_reader_skip_to(self->reader, cursor);
    self->tally = (ingest_tally_t){ .batch = self->options.batch, .source = source };
    self->at_end = false;
    return NRS_OK;
}

static nrs_err_t
s_finish(ingest_spool_t *self)
{
    const char *reason = ingest_reader_reason(self->reader);
    nrs_log_info("spool.read", F_STR("source", self->current->source->name),
                 F_STR("file", self->current->name), F_U64("accepted", self->tally.accepted),
                 F_U64("known", self->tally.known), F_U64("rejected", self->tally.rejected),
                 F_STR("failed", reason ? reason : ""));
    nrs_err_t err = s_save(self, reason ? S_FAILED : S_DONE);
    s_move_later(self, reason);
    s_close(self);
    return err;
}

static void
s_fill(ingest_spool_t *self)
{
    ssize_t got;
    do
        got = read(self->fd, self->room, S_READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        ingest_reader_put(self->reader, nrs_bytes(self->room, (size_t)got));
    if (got < 0)
        nrs_log_warn("spool.unreadable", F_STR("file", self->current->name),
                     F_STR("error", strerror(errno)));
    if (got <= 0) {
        self->at_end = true;
        ingest_reader_end(self->reader);
    }
}

// Read on in the current file. NRS_E_AGAIN: the batch is full.
static nrs_err_t
s_read(ingest_spool_t *self, int64_t now_ms)
{
    ingest_sink_t sink = ingest_tally_sink(&self->tally);
    nrs_err_t err = ingest_reader_step(self->reader, &sink, (uint64_t)now_ms);
    if (err == NRS_E_FULL && self->tally.full) { // it stays here, and is tried again later
        nrs_log_warn("spool.full", F_STR("file", self->current->name),
                     F_STR("reason", self->tally.full));
        err = s_save(self, S_READING);
        s_close(self);
        self->name_count = self->name_next = 0;
        return err ? err : NRS_E_FULL;
    }
    if (err)
        return err;
    if (self->at_end || ingest_reader_broken(self->reader))
        return s_finish(self);
    s_fill(self);
    return NRS_OK;
}

nrs_err_t
ingest_spool_step(ingest_spool_t *self, int64_t now_ms, bool *ret_more)
{
    nrs_err_t err = s_forget_moved(self);
    s_look(self, now_ms);
    bool room = nrs_store_has_room(self->options.store);
    while (!err && room && nrs_out_room(self->options.batch->out) &&
           self->move_count < S_MOVES_MAX) {
        if (self->current)
            err = s_read(self, now_ms);
        else if (self->name_next < self->name_count)
            err = s_next(self);
        else
            break;
    }
    bool full = err == NRS_E_FULL || !room; // then it goes on at the next look
    if (err == NRS_E_AGAIN || err == NRS_E_FULL)
        err = NRS_OK;
    if (!err && self->current && self->reader)
        err = s_save(self, S_READING);
    bool left = self->current || self->name_next < self->name_count;
    *ret_more = *ret_more || self->move_count > 0 || (!full && left);
    return err;
}

// --- after the commit ----------------------------------------------------------------------------

static void
s_explain(const ingest_spool_t *self, const s_move_t *move)
{
    char path[S_PATH_MAX], explained[S_PATH_MAX + 8];
    s_path(self, &move->file, "failed", path);
    snprintf(explained, sizeof explained, "%s.reason", path);
    FILE *stream = fopen(explained, "we");
    if (!stream || fprintf(stream, "%s\n", move->reason) < 0)
        nrs_log_warn("spool.unwritable", F_STR("path", explained), F_STR("error", strerror(errno)));
    if (stream)
        fclose(stream);
}

void
ingest_spool_committed(ingest_spool_t *self)
{
    for (size_t i = 0; i < self->move_count; i++) {
        s_move_t *move = &self->moves[i];
        if (move->moved)
            continue;
        move->moved = true;
        char from[S_PATH_MAX], to[S_PATH_MAX];
        s_path(self, &move->file, "incoming", from);
        s_path(self, &move->file, move->reason[0] ? "failed" : "done", to);
        if (rename(from, to) != 0)
            nrs_log_warn("spool.unmoved", F_STR("path", from), F_STR("error", strerror(errno)));
        if (move->reason[0])
            s_explain(self, move);
    }
}

void
ingest_spool_failed(ingest_spool_t *self)
{
    s_close(self);
    self->move_count = 0;
    self->name_count = self->name_next = 0;
    self->look = true;
}
