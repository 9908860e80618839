// expr_lex.c - text into tokens, and quoted texts into what they mean
#include "common/expr_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

nrs_err_t
nrs_expr_problem(nrs_expr_maker_t *maker, nrs_err_t err, unsigned column, const char *format, ...)
{
    char text[sizeof maker->reterr->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return nrs_problem_set(maker->reterr, err, NULL, 0, column, "%s", text);
}

bool
nrs_expr_is_word(const nrs_expr_token_t *token, const char *word)
{
    return token->kind == NRS_TOKEN_WORD && token->text.size == strlen(word) &&
           strncasecmp((const char *)token->text.data, word, token->text.size) == 0;
}

static bool
s_is_atom(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '.' || c == ':' || c == '/';
}

// One past the atom that begins at `from`. "-" and "+" belong to it between a letter or digit and a
// letter (amber+strict, c2-server), but not in front of a digit: now-24h is a difference.
static size_t
s_atom_end(nrs_bytes_t source, size_t from)
{
    size_t at = from;
    while (at < source.size) {
        uint8_t c = source.data[at];
        bool joins = (c == '-' || c == '+') && at > from && isalnum(source.data[at - 1]) &&
                     source.size - at > 1 && isalpha(source.data[at + 1]);
        if (!s_is_atom(c) && !joins)
            break;
        at++;
    }
    return at;
}

// Leading decimal digits; how many there are, 0 for none or for a number past 64 bits.
static size_t
s_digits(nrs_bytes_t text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < text.size && isdigit(text.data[i]); i++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number))
            return 0;
    *ret_number = number;
    return i;
}

static nrs_bytes_t
s_after(nrs_bytes_t text, size_t skip)
{
    return nrs_bytes(text.data + skip, text.size - skip);
}

// Milliseconds of a duration's unit, 0 when it is none.
static uint64_t
s_unit_ms(nrs_bytes_t unit)
{
    if (unit.size != 1)
        return 0;
    switch (unit.data[0]) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 86400 * 1000;
    case 'w':
        return 7 * 86400 * 1000;
    default:
        return 0;
    }
}

enum { DURATION_DAYS_MAX = 36525 }; // a century

// NUMBER, RANGE or DURATION; false when the atom is none of them.
static bool
s_number(nrs_expr_token_t *token)
{
    size_t digits = s_digits(token->text, &token->number);
    nrs_bytes_t rest = s_after(token->text, digits);
    token->kind = NRS_TOKEN_NUMBER;
    if (digits == 0 || rest.size == 0)
        return digits > 0;
    uint64_t unit_ms = s_unit_ms(rest), most = (uint64_t)DURATION_DAYS_MAX * 86400 * 1000;
    if (unit_ms) {
        token->kind = NRS_TOKEN_DURATION;
        if (token->number > most / unit_ms)
            return false;
        token->number *= unit_ms;
        return true;
    }
    if (rest.size < 3 || rest.data[0] != '.' || rest.data[1] != '.')
        return false;
    token->kind = NRS_TOKEN_RANGE;
    rest = s_after(rest, 2);
    return s_digits(rest, &token->last) == rest.size && token->number <= token->last;
}

static nrs_err_t
s_atom(nrs_expr_maker_t *maker, nrs_expr_token_t *token)
{
    nrs_bytes_t text = token->text;
    bool colon = memchr(text.data, ':', text.size) || memchr(text.data, '/', text.size);
    if ((isalpha(text.data[0]) || text.data[0] == '_') && !colon) {
        token->kind = NRS_TOKEN_WORD;
        if (nrs_expr_is_word(token, "and"))
            token->kind = NRS_TOKEN_AND;
        else if (nrs_expr_is_word(token, "or"))
            token->kind = NRS_TOKEN_OR;
        else if (nrs_expr_is_word(token, "not"))
            token->kind = NRS_TOKEN_NOT;
        else if (nrs_expr_is_word(token, "matches"))
            token->kind = NRS_TOKEN_MATCH;
        return NRS_OK;
    }
    if (isdigit(text.data[0]) && s_number(token))
        return NRS_OK;
    token->kind = NRS_TOKEN_PREFIX;
    if (nrs_prefix_parse(text, &token->prefix) == NRS_OK)
        return NRS_OK;
    return nrs_expr_problem(
        maker, NRS_E_FORMAT, token->column,
        "\"%.*s\" is no number, range (1..9), duration (24h), address or prefix "
        "(10.0.0.0/8); texts stand in quotes",
        (int)(text.size > 60 ? 60 : text.size), text.data);
}

// A quoted text. A backslash always takes the character behind it along.
static nrs_err_t
s_quoted(nrs_expr_maker_t *maker, nrs_expr_token_t *token, size_t from)
{
    nrs_bytes_t source = maker->source;
    token->kind = NRS_TOKEN_TEXT;
    token->quote = (char)source.data[from];
    for (size_t at = from + 1; at < source.size; at++) {
        if (source.data[at] == '\\')
            at++;
        else if (source.data[at] == (uint8_t)token->quote) {
            token->text = nrs_bytes(source.data + from + 1, at - from - 1);
            maker->at = at + 1;
            return NRS_OK;
        }
    }
    return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                            "the text that begins here has no closing %c", token->quote);
}

static const struct {
    char text[3];
    nrs_expr_token_kind_t kind;
} s_signs[] = {
    // the longer ones first
    { "==", NRS_TOKEN_EQUAL },    { "=~", NRS_TOKEN_MATCH },      { "!=", NRS_TOKEN_UNEQUAL },
    { "!~", NRS_TOKEN_MISMATCH }, { "<=", NRS_TOKEN_LESS_EQUAL }, { ">=", NRS_TOKEN_GREATER_EQUAL },
    { "&&", NRS_TOKEN_AND },      { "||", NRS_TOKEN_OR },         { "=", NRS_TOKEN_EQUAL },
    { "!", NRS_TOKEN_NOT },       { "<", NRS_TOKEN_LESS },        { ">", NRS_TOKEN_GREATER },
    { "~", NRS_TOKEN_MATCH },     { "(", NRS_TOKEN_OPEN },        { ")", NRS_TOKEN_CLOSE },
    { "[", NRS_TOKEN_LIST_OPEN }, { "]", NRS_TOKEN_LIST_CLOSE },  { ",", NRS_TOKEN_COMMA },
    { "+", NRS_TOKEN_PLUS },      { "-", NRS_TOKEN_MINUS },
};

static nrs_err_t
s_sign(nrs_expr_maker_t *maker, nrs_expr_token_t *token, size_t from)
{
    nrs_bytes_t rest = s_after(maker->source, from);
    for (size_t i = 0; i < sizeof s_signs / sizeof *s_signs; i++) {
        size_t size = strlen(s_signs[i].text);
        if (rest.size < size || memcmp(rest.data, s_signs[i].text, size) != 0)
            continue;
        token->kind = s_signs[i].kind;
        token->text = nrs_bytes(rest.data, size);
        maker->at = from + size;
        return NRS_OK;
    }
    uint8_t c = rest.data[0];
    if (c == '&' || c == '|')
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column, "write \"%c%c\" or \"%s\"", c,
                                c, c == '&' ? "and" : "or");
    if (c > 0x20 && c < 0x7f)
        return nrs_expr_problem(maker, NRS_E_FORMAT, token->column, "\"%c\" means nothing here", c);
    return nrs_expr_problem(maker, NRS_E_FORMAT, token->column,
                            "byte 0x%02x can't stand here; texts stand in quotes", c);
}

nrs_err_t
nrs_expr_next(nrs_expr_maker_t *maker)
{
    nrs_bytes_t source = maker->source;
    size_t at = maker->at;
    while (at < source.size && (source.data[at] == ' ' || source.data[at] == '\t' ||
                                source.data[at] == '\n' || source.data[at] == '\r'))
        at++;
    nrs_expr_token_t token = { .kind = NRS_TOKEN_END, .column = (unsigned)at + 1 };
    maker->at = at;
    nrs_err_t err = NRS_OK;
    if (at < source.size) {
        uint8_t c = source.data[at];
        if (c == '"' || c == '\'') {
            err = s_quoted(maker, &token, at);
        } else if (isalnum(c) || c == '_' || c == ':') {
            maker->at = s_atom_end(source, at);
            token.text = nrs_bytes(source.data + at, maker->at - at);
            err = s_atom(maker, &token);
        } else {
            err = s_sign(maker, &token, at);
        }
    }
    if (!err)
        maker->token = token;
    return err;
}

// Four hexadecimal digits of \uXXXX as UTF-8; false when they are none, a surrogate, or 0.
static bool
s_unfold_code(nrs_bytes_t digits, nrs_buf_t *into)
{
    unsigned code = 0;
    if (digits.size < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = digits.data[i];
        if (!isxdigit(c))
            return false;
        code = code << 4 | (unsigned)(isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        return false;
    uint8_t bytes[3] = { (uint8_t)code, 0, 0 };
    size_t size = 1;
    if (code >= 0x800) {
        bytes[0] = (uint8_t)(0xe0 | code >> 12);
        bytes[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (code & 0x3f));
        size = 3;
    } else if (code >= 0x80) {
        bytes[0] = (uint8_t)(0xc0 | code >> 6);
        bytes[1] = (uint8_t)(0x80 | (code & 0x3f));
        size = 2;
    }
    nrs_buf_put(into, bytes, size);
    return true;
}

nrs_err_t
nrs_expr_unfold(nrs_expr_maker_t *maker, const nrs_expr_token_t *token, nrs_bytes_t *ret_text)
{
    static const char letters[] = "\\\"'nrt", meanings[] = "\\\"'\n\r\t";
    nrs_bytes_t raw = token->text;
    nrs_buf_reset(&maker->scratch);
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] != '\\') {
            nrs_buf_put(&maker->scratch, raw.data + i, 1);
            continue;
        }
        unsigned column = token->column + 1 + (unsigned)i;
        uint8_t c = raw.data[++i]; // the lexer has seen to it that there is one
        const char *letter = memchr(letters, c, sizeof letters - 1);
        if (letter) {
            nrs_buf_put(&maker->scratch, meanings + (letter - letters), 1);
        } else if (c == 'u' && s_unfold_code(s_after(raw, i + 1), &maker->scratch)) {
            i += 4;
        } else {
            return nrs_expr_problem(
                maker, NRS_E_FORMAT, column,
                "the escapes in a text are \\\\ \\\" \\' \\n \\r \\t and \\uXXXX");
        }
    }
    *ret_text = nrs_expr_keep(maker->expr, nrs_buf_bytes(&maker->scratch));
    return NRS_OK;
}

nrs_bytes_t
nrs_expr_unfold_pattern(nrs_expr_maker_t *maker, const nrs_expr_token_t *token)
{
    nrs_bytes_t raw = token->text;
    nrs_buf_reset(&maker->scratch);
    for (size_t i = 0; i < raw.size; i++) {
        bool escape = raw.data[i] == '\\' && i + 1 < raw.size;
        if (escape && raw.data[i + 1] != (uint8_t)token->quote)
            nrs_buf_put(&maker->scratch, raw.data + i, 1);
        if (escape)
            i++;
        nrs_buf_put(&maker->scratch, raw.data + i, 1);
    }
    return nrs_expr_keep(maker->expr, nrs_buf_bytes(&maker->scratch));
}
