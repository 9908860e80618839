// What people do to an indicator so that nobody clicks on it, undone. Only the parts of a value
// where the signs cannot be meant literally are touched: "[.]" in a path is a path.

#include "common/indicator_parts.h"

// --- trimming ------------------------------------------------------------------------------------

// U+200B..U+200F, U+2060 and U+FEFF: invisible, never part of a host name.
static bool
s_zero_width(const uint8_t *p)
{
    return (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x8b && p[2] <= 0x8f) ||
           (p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0xa0) ||
           (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf);
}

static bool
s_ascii_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// How many bytes of a blank stand at the front; 0: none.
static size_t
s_blank_first(nrs_bytes_t text)
{
    const uint8_t *p = text.data;
    if (text.size >= 1 && s_ascii_blank(p[0]))
        return 1;
    if (text.size >= 2 && p[0] == 0xc2 && p[1] == 0xa0)
        return 2;
    if (text.size >= 3 && (memcmp(p, "\xe3\x80\x80", 3) == 0 || s_zero_width(p)))
        return 3;
    return 0;
}

static size_t
s_blank_last(nrs_bytes_t text)
{
    size_t bytes = 0;
    for (size_t length = 1; length <= 3 && length <= text.size && bytes == 0; length++) {
        if (s_blank_first(nrs_bytes_from(text, text.size - length)) == length)
            bytes = length;
    }
    return bytes;
}

static nrs_bytes_t
s_trim_blanks(nrs_bytes_t text)
{
    for (size_t n; (n = s_blank_first(text)) > 0;)
        text = nrs_bytes_from(text, n);
    for (size_t n; (n = s_blank_last(text)) > 0;)
        text.size -= n;
    return text;
}

// U+2018 U+2019 U+201C U+201D and U+300C..U+300F.
static bool
s_wide_quote(const uint8_t *p)
{
    return (p[0] == 0xe2 && p[1] == 0x80 &&
            (p[2] == 0x98 || p[2] == 0x99 || p[2] == 0x9c || p[2] == 0x9d)) ||
           (p[0] == 0xe3 && p[1] == 0x80 && p[2] >= 0x8c && p[2] <= 0x8f);
}

static size_t
s_quote_first(nrs_bytes_t text)
{
    if (text.size >= 1 && memchr("\"'`<", text.data[0], 4))
        return 1;
    return text.size >= 3 && s_wide_quote(text.data) ? 3 : 0;
}

// An apostrophe may be the end of a path; it goes only where a quote was opened.
static size_t
s_quote_last(nrs_bytes_t text, bool opened)
{
    uint8_t last = text.size ? text.data[text.size - 1] : 0;
    if (last == '"' || last == '`' || last == '>' || (last == '\'' && opened))
        return 1;
    return text.size >= 3 && s_wide_quote(text.data + text.size - 3) ? 3 : 0;
}

nrs_bytes_t
nrs_canon_trim(nrs_bytes_t text, nrs_trim_t trim)
{
    text = s_trim_blanks(text);
    if (trim == NRS_TRIM_BLANKS)
        return text;
    bool opened = false;
    for (size_t n; (n = s_quote_first(text)) > 0; opened = true)
        text = s_trim_blanks(nrs_bytes_from(text, n));
    for (size_t n; (n = s_quote_last(text, opened)) > 0;)
        text = s_trim_blanks(nrs_bytes(text.data, text.size - n));
    return text;
}

// --- host names ----------------------------------------------------------------------------------

// Bytes that a live host name, address or authority does not have, or hardly ever.
static const bool s_suspect[256] = {
    ['['] = true,  ['('] = true,  ['{'] = true,  [']'] = true,  [' '] = true,
    ['\\'] = true, [0xe2] = true, [0xe3] = true, [0xef] = true,
};

static const char *const s_signs[][2] = {
    { ".", "." }, { "dot", "." }, { "@", "@" }, { "at", "@" }, { ":", ":" },
};

static uint8_t
s_closing(uint8_t open)
{
    return open == '[' ? ']' : open == '(' ? ')' : open == '{' ? '}' : 0;
}

// A sign in brackets at the front of `text`: how long it is, and which byte it stands for. 0: none.
static size_t
s_bracketed(nrs_bytes_t text, uint8_t *ret_byte)
{
    uint8_t closing = s_closing(text.data[0]);
    if (!closing)
        return 0;
    for (size_t i = 0; i < sizeof s_signs / sizeof s_signs[0]; i++) {
        size_t length = strlen(s_signs[i][0]);
        if (text.size >= length + 2 && nrs_has_prefix(nrs_bytes_from(text, 1), s_signs[i][0]) &&
            text.data[length + 1] == closing) {
            *ret_byte = (uint8_t)s_signs[i][1][0];
            return length + 2;
        }
    }
    return 0;
}

// The same for " dot ", " at " and " . ".
static size_t
s_spaced(nrs_bytes_t text, uint8_t *ret_byte)
{
    if (text.data[0] != ' ')
        return 0;
    for (size_t i = 0; i < sizeof s_signs / sizeof s_signs[0]; i++) {
        size_t length = strlen(s_signs[i][0]);
        if (text.size >= length + 2 && nrs_has_prefix(nrs_bytes_from(text, 1), s_signs[i][0]) &&
            text.data[length + 1] == ' ') {
            *ret_byte = (uint8_t)s_signs[i][1][0];
            return length + 2;
        }
    }
    return 0;
}

// The same for half a bracket ("192.0.2[.1", "192.0.2.]1"), "\." and the full-width dots U+FF0E
// U+3002 U+FF61.
static size_t
s_dot(nrs_bytes_t text, uint8_t *ret_byte)
{
    static const char *const dots[] = { "[.",  ".]",           "(.",           ".)",
                                        "\\.", "\xef\xbc\x8e", "\xe3\x80\x82", "\xef\xbd\xa1" };
    for (size_t i = 0; i < sizeof dots / sizeof dots[0]; i++) {
        if (nrs_has_prefix(text, dots[i])) {
            *ret_byte = '.';
            return strlen(dots[i]);
        }
    }
    return 0;
}

// Copy `text` to `room`, undoing every sign. Returns the length, which is never larger.
static size_t
s_refang_span(nrs_bytes_t text, uint8_t *room)
{
    size_t out = 0;
    for (size_t i = 0; i < text.size;) {
        nrs_bytes_t rest = nrs_bytes_from(text, i);
        uint8_t byte = 0;
        size_t length = s_bracketed(rest, &byte);
        if (!length)
            length = s_spaced(rest, &byte);
        if (!length)
            length = s_dot(rest, &byte);
        if (length) {
            while (out > 0 && room[out - 1] == ' ')
                out--;
            room[out++] = byte;
            for (i += length; i < text.size && text.data[i] == ' ';)
                i++;
        } else if (rest.size >= 3 && s_zero_width(rest.data)) {
            i += 3;
        } else {
            room[out++] = text.data[i++];
        }
    }
    return out;
}

static bool
s_has_suspect(nrs_bytes_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (s_suspect[text.data[i]])
            return true;
    }
    return false;
}

nrs_bytes_t
nrs_refang_host(nrs_bytes_t text, uint8_t room[NRS_VALUE_BYTES_MAX])
{
    NRS_ASSERT(text.size <= NRS_VALUE_BYTES_MAX);
    if (!s_has_suspect(text))
        return text;
    return nrs_bytes(room, s_refang_span(text, room));
}

// --- URLs ----------------------------------------------------------------------------------------

// Spoilt schemes and what they stand for, of the same length.
static const char *const s_schemes[][2] = {
    { "hxxp", "http" }, { "hxxps", "https" }, { "hxtp", "http" },   { "hxtps", "https" },
    { "htxp", "http" }, { "htxps", "https" }, { "h**p", "http" },   { "h**ps", "https" },
    { "httx", "http" }, { "meow", "http" },   { "meows", "https" }, { "fxp", "ftp" },
    { "fxps", "ftps" }, { "http", "http" },   { "https", "https" }, { "ftp", "ftp" },
};

// The word before a scheme's colon, as it should be; NULL: not one that is known here.
static const char *
s_scheme(nrs_bytes_t word)
{
    for (size_t i = 0; i < sizeof s_schemes / sizeof s_schemes[0]; i++) {
        if (strlen(s_schemes[i][0]) == word.size && nrs_has_prefix(word, s_schemes[i][0]))
            return s_schemes[i][1];
    }
    return NULL;
}

static size_t
s_skip(nrs_bytes_t text, size_t at, const char *set)
{
    while (at < text.size && text.data[at] && strchr(set, text.data[at]))
        at++;
    return at;
}

// Length of "://" at `start`, with brackets around any of it: "[:]//", "[://]", ":[/][/]". 0: it is
// none. Brackets that open after the second slash belong to an IPv6 literal.
static size_t
s_separator(nrs_bytes_t text, size_t start, const char *slashes)
{
    size_t at = s_skip(text, start, "[({");
    if (at >= text.size || text.data[at] != ':')
        return 0;
    at = s_skip(text, at + 1, "])}");
    for (int i = 0; i < 2; i++) {
        at = s_skip(text, at, "[({");
        if (at >= text.size || text.data[at] == 0 || !strchr(slashes, text.data[at]))
            return 0;
        at = s_skip(text, at + 1, "])}");
    }
    return at - start;
}

// Where the authority that begins at `start` ends; "[/]" ends it too. So does a backslash: browsers
// take it for a slash.
static size_t
s_authority_end(nrs_bytes_t text, size_t start)
{
    size_t at = start;
    while (at < text.size && !memchr("/?#\\", text.data[at], 4))
        at++;
    bool bracketed = at > start && at + 1 < text.size && text.data[at] == '/' &&
                     text.data[at - 1] == '[' && text.data[at + 1] == ']';
    return bracketed ? at - 1 : at;
}

// Prose ends a sentence behind an indicator; a machine's list does not, so this is done to defanged
// text only.
static nrs_bytes_t
s_without_stops(nrs_bytes_t text)
{
    while (text.size > 0 && memchr(".,;", text.data[text.size - 1], 3))
        text.size--;
    return text;
}

// The common case, known at a glance: "http://" or "https://" and an authority without signs.
static bool
s_is_live(nrs_bytes_t text)
{
    if (text.size < 8 || memcmp(text.data, "http", 4) != 0)
        return false;
    size_t start = text.data[4] == 's' ? 5 : 4;
    if (memcmp(text.data + start, "://", 3) != 0)
        return false;
    for (size_t i = start + 3; i < text.size && text.data[i] != '/'; i++) {
        if (s_suspect[text.data[i]])
            return false;
    }
    return true;
}

nrs_bytes_t
nrs_refang_url(nrs_bytes_t text, uint8_t room[NRS_VALUE_BYTES_MAX])
{
    NRS_ASSERT(text.size <= NRS_VALUE_BYTES_MAX);
    if (s_is_live(text))
        return text;
    size_t word = 0;
    while (word < text.size && (nrs_is_alnum(text.data[word]) || text.data[word] == '*' ||
                                text.data[word] == '+' || text.data[word] == '-'))
        word++;
    const char *scheme = s_scheme(nrs_bytes(text.data, word));
    size_t separator = s_separator(text, word, scheme ? "/\\" : "/");
    if (separator == 0)
        return text;
    size_t start = word + separator;
    size_t end = s_authority_end(text, start);
    bool spoilt = separator != 3 || (scheme && !nrs_has_prefix(text, scheme));
    if (!spoilt && !s_has_suspect(nrs_bytes(text.data + start, end - start)))
        return text;

    memcpy(room, scheme ? (const void *)scheme : text.data, word);
    memcpy(room + word, "://", 3);
    size_t out = word + 3;
    out += s_refang_span(nrs_bytes(text.data + start, end - start), room + out);
    spoilt = spoilt || out != end;
    nrs_bytes_t rest = nrs_bytes_from(text, end);
    if (rest.size >= 3 && memcmp(rest.data, "[/]", 3) == 0) {
        room[out++] = '/';
        rest = nrs_bytes_from(rest, 3);
    }
    memcpy(room + out, rest.data, rest.size);
    nrs_bytes_t result = nrs_bytes(room, out + rest.size);
    return spoilt ? s_without_stops(result) : result;
}
