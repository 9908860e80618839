// A scalar's text and its source differ only in blanks (folding, indentation) and in escapes. So
// the two are walked side by side, and blanks do not count:
//
//     when: >                      text    kind == url and port == 1
//       kind == url                        ^ offset counts 9 letters to "and" ...
//       and port == 1              source  ... and so does the walk here
#include "services/classify/classify_place.h"

typedef struct s_walk {
    nrs_bytes_t file;
    size_t at;
    unsigned line, column;
} s_walk_t;

static bool
s_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// One byte on; a character counts as one column.
static void
s_step(s_walk_t *walk)
{
    uint8_t c = walk->file.data[walk->at++];
    if (c == '\n') {
        walk->line++;
        walk->column = 1;
    } else if (walk->at == walk->file.size || (walk->file.data[walk->at] & 0xc0) != 0x80) {
        walk->column++;
    }
}

static void
s_skip_line(s_walk_t *walk)
{
    unsigned line = walk->line;
    while (walk->at < walk->file.size && walk->line == line)
        s_step(walk);
}

static void
s_skip_blanks(s_walk_t *walk)
{
    while (walk->at < walk->file.size && s_is_blank(walk->file.data[walk->at]))
        s_step(walk);
}

// Go to the scalar's first letter; returns the quote that it is in, or 0. A quoted scalar is told
// to begin behind its quote, a block at its sign or at its first letter.
static char
s_enter(s_walk_t *walk, unsigned line, unsigned column)
{
    while (walk->at < walk->file.size &&
           (walk->line < line || (walk->line == line && walk->column < column)))
        s_step(walk);
    char before = walk->at > 0 ? (char)walk->file.data[walk->at - 1] : 0;
    if (before == '"' || before == '\'')
        return before;
    s_skip_blanks(walk);
    char c = walk->at < walk->file.size ? (char)walk->file.data[walk->at] : 0;
    if (c == '|' || c == '>')
        s_skip_line(walk);
    return 0;
}

void
classify_place_within(nrs_bytes_t file, nrs_bytes_t text, size_t offset, unsigned *line,
                      unsigned *column)
{
    s_walk_t walk = { .file = file, .line = 1, .column = 1 };
    char quote = s_enter(&walk, *line, *column);
    size_t at = 0;
    for (;;) {
        while (at < text.size && at < offset && s_is_blank(text.data[at]))
            at++;
        if (at >= offset || at >= text.size)
            break;
        s_skip_blanks(&walk);
        if (walk.at >= walk.file.size)
            break;
        char c = (char)walk.file.data[walk.at];
        bool escape = (quote == '"' && c == '\\') || (quote == '\'' && c == '\'');
        s_step(&walk);
        if (!escape || walk.at >= walk.file.size) {
            at++;
            continue;
        }
        bool blank = quote == '"' && memchr("ntr \n", walk.file.data[walk.at], 5);
        s_step(&walk);
        at += !blank;
    }
    if (at < text.size)
        s_skip_blanks(&walk);
    *line = walk.line;
    *column = walk.column;
}
