#include "services/noroshi/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static const char *const s_codes[] = {
    [TERM_PLAIN] = "",        [TERM_BOLD] = "\x1b[1m",   [TERM_DIM] = "\x1b[2m",
    [TERM_RED] = "\x1b[31m",  [TERM_GREEN] = "\x1b[32m", [TERM_YELLOW] = "\x1b[33m",
    [TERM_CYAN] = "\x1b[36m",
};

bool
term_has_colour(FILE *stream)
{
    const char *kind = getenv("TERM");
    const char *refused = getenv("NO_COLOR");
    return isatty(fileno(stream)) && kind && strcmp(kind, "dumb") != 0 && !(refused && refused[0]);
}

size_t
term_columns(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

// --- texts ---------------------------------------------------------------------------------------

// The character at `at`: its bytes, or 0 when it is not well formed.
static size_t
s_character(nrs_bytes_t text, size_t at, uint32_t *ret_code)
{
    uint8_t lead = text.data[at];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > text.size - at || !nrs_utf8_ok(nrs_bytes(text.data + at, length)))
        return 0;
    static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code = lead & masks[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (text.data[at + i] & 0x3fu);
    *ret_code = code;
    return length;
}

// Controls (C0, DEL, C1), line and paragraph separators, marks, embeddings, overrides and isolates
// of direction (Unicode Standard Annex 9, section 2), the byte order mark, tags.
static bool
s_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xe0000 && code <= 0xe007f);
}

void
term_put_clean(nrs_buf_t *into, nrs_bytes_t text)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t code = 0;
        size_t length = s_character(text, at, &code);
        if (length == 0)
            nrs_buf_printf(into, "\\x%02x", text.data[at++]);
        else if (!s_harmful(code))
            nrs_buf_put(into, text.data + at, length);
        else if (code == '\n' || code == '\t' || code == '\r')
            nrs_buf_put_text(into, code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r");
        else
            nrs_buf_printf(into, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        at += length;
    }
}

static size_t
s_code_width(uint32_t code)
{
    int width = wcwidth((wchar_t)code);
    return width < 0 ? 1 : (size_t)width;
}

size_t
term_width(nrs_bytes_t text)
{
    size_t width = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t code = '?';
        size_t length = s_character(text, at, &code);
        width += s_code_width(code);
        at += length ? length : 1;
    }
    return width;
}

// How many bytes of a clean text fit into `width` columns.
static size_t
s_fitting(nrs_bytes_t text, size_t width, size_t *ret_used)
{
    size_t at = 0;
    *ret_used = 0;
    while (at < text.size) {
        uint32_t code = '?';
        size_t length = s_character(text, at, &code);
        size_t more = s_code_width(code);
        if (more > width - *ret_used)
            break;
        *ret_used += more;
        at += length ? length : 1;
    }
    return at;
}

void
term_put_cut(nrs_buf_t *into, nrs_bytes_t text, size_t width, bool pad)
{
    nrs_buf_t clean = { 0 };
    term_put_clean(&clean, text);
    size_t used = term_width(nrs_buf_bytes(&clean));
    if (used <= width) {
        nrs_buf_put(into, clean.data, clean.size);
    } else if (width > 0) {
        nrs_buf_put(into, clean.data, s_fitting(nrs_buf_bytes(&clean), width - 1, &used));
        nrs_buf_put_text(into, "…");
        used++;
    }
    for (; pad && used < width; used++)
        nrs_buf_put(into, " ", 1);
    nrs_buf_free(&clean);
}

void
term_put_colour(nrs_buf_t *into, bool wanted, term_colour_t colour, const char *text)
{
    bool coloured = wanted && colour != TERM_PLAIN;
    nrs_buf_put_text(into, coloured ? s_codes[colour] : "");
    nrs_buf_put_text(into, text);
    nrs_buf_put_text(into, coloured ? "\x1b[0m" : "");
}

const char *
term_bytes(uint64_t bytes, char into[32])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 6; unit++)
        value /= 1024;
    snprintf(into, 32, unit > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return into;
}

const char *
term_count(uint64_t count, char into[32])
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = into;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return into;
}

const char *
term_span(uint64_t ms, char into[32])
{
    unsigned long long seconds = ms / 1000;
    if (ms < 1000)
        snprintf(into, 32, "%llu ms", (unsigned long long)ms);
    else if (seconds < 60)
        snprintf(into, 32, "%llu s", seconds);
    else if (seconds < 3600)
        snprintf(into, 32, "%llu min %llu s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(into, 32, "%llu h %llu min", seconds / 3600, seconds / 60 % 60);
    else
        snprintf(into, 32, "%llu d %llu h", seconds / 86400, seconds / 3600 % 24);
    return into;
}

// --- tables --------------------------------------------------------------------------------------

typedef struct s_cell {
    char *text; // owned, clean
    size_t width;
    term_colour_t colour;
} s_cell_t;

struct term_table {
    const term_column_t *columns; // borrowed
    size_t column_count;
    s_cell_t *cells; // owned, row by row
    size_t count, room;
};

term_table_t *
term_table_new(const term_column_t *columns, size_t count)
{
    NRS_ASSERT(columns && count > 0 && count <= TERM_TABLE_COLUMNS_MAX);
    term_table_t *self = nrs_new0(term_table_t);
    self->columns = columns;
    self->column_count = count;
    return self;
}

void
term_table_destroy(term_table_t **self_p)
{
    term_table_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free(self->cells[i].text);
    free(self->cells);
    free(self);
    *self_p = NULL;
}

void
term_table_put(term_table_t *self, term_colour_t colour, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    NRS_ASSERT(length >= 0);
    nrs_buf_t clean = { 0 };
    term_put_clean(&clean, nrs_bytes(text, (size_t)length));
    free(text);
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 32;
        self->cells = nrs_realloc(self->cells, self->room * sizeof *self->cells);
    }
    size_t width = term_width(nrs_buf_bytes(&clean));
    self->cells[self->count++] = (s_cell_t){ nrs_buf_cstr(&clean), width, colour };
}

static void
s_put_blanks(nrs_buf_t *into, size_t count)
{
    for (; count > 0; count--)
        nrs_buf_put(into, " ", 1);
}

static void
s_put_row(const term_table_t *self, const s_cell_t *row, size_t filled, const size_t *widths,
          bool colour, nrs_buf_t *into)
{
    size_t last = filled;
    while (last > 0 && row[last - 1].width == 0)
        last--;
    for (size_t i = 0; i < last; i++) {
        size_t blanks = widths[i] - row[i].width;
        bool right = self->columns[i].right;
        if (right)
            s_put_blanks(into, blanks);
        term_put_colour(into, colour, row[i].colour, row[i].text);
        if (i + 1 < last)
            s_put_blanks(into, (right ? 0 : blanks) + 2);
    }
    nrs_buf_put(into, "\n", 1);
}

void
term_table_print(const term_table_t *self, bool colour, nrs_buf_t *into)
{
    size_t widths[TERM_TABLE_COLUMNS_MAX] = { 0 };
    s_cell_t titles[TERM_TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < self->column_count; i++) {
        char *title = (char *)(uintptr_t)self->columns[i].title; // only read
        titles[i] = (s_cell_t){ title, term_width(nrs_text(title)), TERM_DIM };
        widths[i] = titles[i].width;
    }
    for (size_t i = 0; i < self->count; i++)
        if (self->cells[i].width > widths[i % self->column_count])
            widths[i % self->column_count] = self->cells[i].width;
    s_put_row(self, titles, self->column_count, widths, colour, into);
    for (size_t i = 0; i < self->count; i += self->column_count) {
        size_t left = self->count - i;
        size_t filled = left < self->column_count ? left : self->column_count;
        s_put_row(self, self->cells + i, filled, widths, colour, into);
    }
}

// --- progress ------------------------------------------------------------------------------------

enum { s_bar_after_ms = 500, s_bar_every_ms = 100, s_bar_columns = 30 };

void
term_progress_begin(term_progress_t *self, const char *what, uint64_t total, int64_t mono_ms)
{
    *self = (term_progress_t){ .what = what, .total = total, .started_ms = mono_ms };
    self->quiet = !isatty(STDERR_FILENO);
}

void
term_progress_step(term_progress_t *self, uint64_t done, int64_t mono_ms)
{
    if (self->quiet || mono_ms - self->started_ms < s_bar_after_ms ||
        mono_ms - self->shown_ms < s_bar_every_ms)
        return;
    self->shown_ms = mono_ms;
    char count[32];
    double seconds = (double)(mono_ms - self->started_ms) / 1000;
    fprintf(stderr, "\r\x1b[K%s ", self->what);
    if (self->total > 0) {
        double part = (double)done / (double)self->total;
        int filled = (int)(part * s_bar_columns);
        fputc('[', stderr);
        for (int i = 0; i < s_bar_columns; i++)
            fputc(i < filled ? '#' : '.', stderr);
        fprintf(stderr, "] %3.0f %%  %.0f s left", part * 100,
                done > 0 ? seconds / part - seconds : 0);
    } else {
        fprintf(stderr, "%s", term_bytes(done, count));
    }
    fflush(stderr);
}

void
term_progress_end(term_progress_t *self)
{
    if (!self->quiet && self->shown_ms)
        fputs("\r\x1b[K", stderr);
    self->quiet = true;
}
