// term.h - what a person reads: colours, columns that line up, progress
// Shape:    widths are columns of the terminal; East Asian wide characters take two (wcwidth(3), so
//           setlocale() first).
// Threads:  one thread.

#ifndef NOROSHI_TERM_H
#define NOROSHI_TERM_H

#include <stdio.h>

#include "common/base.h"
#include "common/buf.h"

typedef enum term_colour {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_RED,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_CYAN,
} term_colour_t;

// Are colours wanted on this stream: a terminal, TERM is not "dumb", NO_COLOR is not set?
bool
term_has_colour(FILE *stream);
// Columns of the terminal behind stdout; 0 when it is none.
size_t
term_columns(void);

// Append `text` as a terminal may show it: control characters, invalid UTF-8 and characters that
// turn the direction of writing come out as \x1b, \u202e... Values are hostile: they must not move
// the cursor or pose as something else.
void
term_put_clean(nrs_buf_t *into, nrs_bytes_t text);
// Columns that a clean text takes.
size_t
term_width(nrs_bytes_t text);
// Append `text`, cleaned, cut to `width` columns with "…" at the end where it is longer, padded
// where `pad`.
void
term_put_cut(nrs_buf_t *into, nrs_bytes_t text, size_t width, bool pad);
// Append in colour, or plain when `colour` is not wanted.
void
term_put_colour(nrs_buf_t *into, bool wanted, term_colour_t colour, const char *text);

// 1.5 GiB, 12,345, 3 h 20 min: as a person says it. Each returns `into`.
const char *
term_bytes(uint64_t bytes, char into[32]);
const char *
term_count(uint64_t count, char into[32]);
const char *
term_span(uint64_t ms, char into[32]);

// --- tables --------------------------------------------------------------------------------------

enum { TERM_TABLE_COLUMNS_MAX = 12 };

typedef struct term_table term_table_t;

typedef struct term_column {
    const char *title;
    bool right; // numbers
} term_column_t;

// `columns` is borrowed.
term_table_t *
term_table_new(const term_column_t *columns, size_t count);
void
term_table_destroy(term_table_t **self_p);
// The next cell of the current row (a new row begins by itself when one is full). The text is
// cleaned and copied.
void
term_table_put(term_table_t *self, term_colour_t colour, const char *format, ...) NRS_PRINTF(3, 4);
// Append the table with its titles; columns are two blanks apart, trailing blanks are left out.
void
term_table_print(const term_table_t *self, bool colour, nrs_buf_t *into);

// --- progress ------------------------------------------------------------------------------------

// A bar on stderr while something long goes on; silent when stderr is no terminal, and for the
// first half second.
typedef struct term_progress {
    const char *what;
    uint64_t total; // 0: unknown
    int64_t started_ms;
    int64_t shown_ms; // 0: never yet
    bool quiet;
} term_progress_t;

void
term_progress_begin(term_progress_t *self, const char *what, uint64_t total, int64_t mono_ms);
void
term_progress_step(term_progress_t *self, uint64_t done, int64_t mono_ms);
// Wipe the bar away.
void
term_progress_end(term_progress_t *self);

#endif
