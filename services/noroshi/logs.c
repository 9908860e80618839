#include "services/noroshi/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "services/noroshi/answer.h"
#include "services/noroshi/term.h"

// --- files ---------------------------------------------------------------------------------------

static nrs_err_t
s_reopen(logfile_t *self)
{
    struct stat now;
    self->fd = open(self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (self->fd < 0 || fstat(self->fd, &now) != 0)
        return NRS_E_IO;
    self->size = (uint64_t)now.st_size;
    return NRS_OK;
}

nrs_err_t
logfile_open(const char *path, uint64_t bytes_max, logfile_t *ret_file)
{
    logfile_t self = { .fd = -1, .bytes_max = bytes_max ? bytes_max : LOGFILE_BYTES_MAX };
    self.path = nrs_strdup(path);
    if (s_reopen(&self)) {
        logfile_close(&self);
        return NRS_E_IO;
    }
    *ret_file = self;
    return NRS_OK;
}

void
logfile_close(logfile_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    free(self->path);
    *self = (logfile_t){ .fd = -1 };
}

static void
s_rotate(logfile_t *self)
{
    nrs_buf_t older = { 0 };
    nrs_buf_printf(&older, "%s.1", self->path);
    close(self->fd);
    NRS_IGNORE(rename(self->path, nrs_buf_cstr(&older)) != 0); // then the old file goes on growing
    nrs_buf_free(&older);
    NRS_IGNORE(s_reopen(self)); // then lines are lost until the next start
}

void
logfile_put(logfile_t *self, nrs_bytes_t line)
{
    if (self->fd >= 0 && self->size > 0 && self->size + line.size + 1 > self->bytes_max)
        s_rotate(self);
    if (self->fd < 0)
        return;
    char feed[] = "\n";
    struct iovec pieces[2] = { { (void *)(uintptr_t)line.data, line.size }, { feed, 1 } };
    ssize_t written = writev(self->fd, pieces, 2);
    self->size += written > 0 ? (uint64_t)written : 0;
}

// --- for people ----------------------------------------------------------------------------------

enum { s_name_columns = 12 };

static term_colour_t
s_level_colour(nrs_bytes_t level)
{
    if (nrs_bytes_is(level, "error"))
        return TERM_RED;
    return nrs_bytes_is(level, "warn") ? TERM_YELLOW : TERM_DIM;
}

// Is it shown in a column of its own, or known from the instance?
static bool
s_in_column(nrs_bytes_t name)
{
    static const char *const known[] = { "time", "level", "service", "instance", "event" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (nrs_bytes_is(name, known[i]))
            return true;
    return false;
}

static void
s_put_fields(const nrs_json_value_t *root, bool colour, nrs_buf_t *into)
{
    nrs_json_walk_t walk = nrs_json_walk(root);
    nrs_bytes_t name;
    nrs_json_value_t value;
    nrs_buf_t text = { 0 };
    while (nrs_json_walk_next(&walk, &name, &value)) {
        if (s_in_column(name))
            continue;
        nrs_buf_reset(&text);
        term_put_clean(&text, name);
        nrs_buf_put_text(&text, "=");
        nrs_buf_put_text(into, " ");
        term_put_colour(into, colour, TERM_DIM, nrs_buf_cstr(&text));
        if (value.type == NRS_JSON_TEXT) {
            term_put_clean(into, value.text);
        } else {
            nrs_json_print(&value, into);
        }
    }
    nrs_buf_free(&text);
}

static void
s_print_json(const nrs_json_value_t *root, const char *instance, bool colour, nrs_buf_t *into)
{
    nrs_bytes_t time = answer_text(root, "time"), level = answer_text(root, "level");
    if (time.size >= 23) // 2026-11-22T09:30:00.000Z
        time = nrs_bytes(time.data + 11, 12);
    term_put_cut(into, time, 12, true);
    nrs_buf_put_text(into, " ");
    term_put_cut(into, nrs_text(instance), s_name_columns, true);
    nrs_buf_t word = { 0 };
    term_put_cut(&word, level, 5, true);
    nrs_buf_put_text(into, " ");
    term_put_colour(into, colour, s_level_colour(level), nrs_buf_cstr(&word));
    nrs_buf_free(&word);
    nrs_buf_put_text(into, " ");
    term_put_clean(into, answer_text(root, "event"));
    s_put_fields(root, colour, into);
    nrs_buf_put_text(into, "\n");
}

// A line of ours, parsed; NULL when it is something else.
static answer_t *
s_parse(nrs_bytes_t line)
{
    answer_t *parsed = NULL;
    if (line.size == 0 || line.data[0] != '{' || answer_parse(line, NULL, &parsed))
        return NULL;
    if (answer_text(&parsed->root, "event").size == 0)
        answer_destroy(&parsed);
    return parsed;
}

void
logs_print(nrs_bytes_t line, const char *instance, bool colour, nrs_buf_t *into)
{
    NRS_AUTO(answer) parsed = s_parse(line);
    if (parsed) {
        s_print_json(&parsed->root, instance, colour, into);
        return;
    }
    nrs_buf_printf(into, "%12s ", "");
    term_put_cut(into, nrs_text(instance), s_name_columns, true);
    nrs_buf_put_text(into, " ");
    term_put_clean(into, line);
    nrs_buf_put_text(into, "\n");
}

void
logs_brief(nrs_bytes_t line, nrs_buf_t *into)
{
    NRS_AUTO(answer) parsed = s_parse(line);
    term_put_clean(into, parsed ? answer_text(&parsed->root, "event") : line);
    if (parsed)
        s_put_fields(&parsed->root, false, into);
}
