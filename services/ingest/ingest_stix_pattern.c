#include "services/ingest/ingest_stix_pattern.h"

#include <ctype.h>

enum { S_DEPTH_MAX = 16 }; // parentheses inside each other

typedef struct s_parse {
    const char *at, *end;
    ingest_terms_t *terms;
    const char *text; // what is wrong
} s_parse_t;

static nrs_err_t
s_bad(s_parse_t *parse, const char *text)
{
    parse->text = text;
    return NRS_E_FORMAT;
}

static void
s_blanks(s_parse_t *parse)
{
    while (parse->at < parse->end && isspace((unsigned char)*parse->at))
        parse->at++;
}

static bool
s_sign(s_parse_t *parse, char sign)
{
    s_blanks(parse);
    if (parse->at == parse->end || *parse->at != sign)
        return false;
    parse->at++;
    return true;
}

static bool
s_keyword(s_parse_t *parse, const char *word)
{
    s_blanks(parse);
    size_t length = strlen(word), left = (size_t)(parse->end - parse->at);
    if (left < length || memcmp(parse->at, word, length) != 0)
        return false;
    if (left > length && (isalnum((unsigned char)parse->at[length]) || parse->at[length] == '_'))
        return false;
    parse->at += length;
    return true;
}

// --- paths ---------------------------------------------------------------------------------------

uint64_t
ingest_stix_hash_kind(nrs_bytes_t name)
{
    static const struct {
        const char *word;
        uint64_t kind;
    } hashes[] = { { "md5", NRS_KIND_MD5 },       { "sha1", NRS_KIND_SHA1 },
                   { "sha256", NRS_KIND_SHA256 }, { "sha512", NRS_KIND_SHA512 },
                   { "ssdeep", NRS_KIND_SSDEEP }, { "tlsh", NRS_KIND_TLSH } };
    char plain[8];
    size_t length = 0;
    for (size_t i = 0; i < name.size && length < sizeof plain; i++)
        if (isalnum(name.data[i]))
            plain[length++] = (char)tolower(name.data[i]);
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
        if (nrs_bytes_is(nrs_bytes(plain, length), hashes[i].word))
            return hashes[i].kind;
    return 0;
}

typedef enum s_use { S_INDICATOR, S_PORT, S_NOTHING } s_use_t;

static const struct s_path {
    const char *path;
    s_use_t use;
    uint64_t kind;
} s_paths[] = {
    { "domain-name:value", S_INDICATOR, NRS_KIND_DOMAIN },
    { "url:value", S_INDICATOR, NRS_KIND_URL },
    { "ipv4-addr:value", S_INDICATOR, NRS_KIND_IPV4 },
    { "ipv6-addr:value", S_INDICATOR, NRS_KIND_IPV6 },
    { "email-addr:value", S_INDICATOR, NRS_KIND_EMAIL },
    { "email-message:from_ref.value", S_INDICATOR, NRS_KIND_EMAIL },
    { "email-message:sender_ref.value", S_INDICATOR, NRS_KIND_EMAIL },
    { "email-message:subject", S_INDICATOR, NRS_KIND_EMAIL_MESSAGE },
    { "file:name", S_INDICATOR, NRS_KIND_FILE_NAME },
    { "file:path", S_INDICATOR, NRS_KIND_FILE_NAME }, // no property of STIX, but common
    { "process:name", S_INDICATOR, NRS_KIND_PROCESS },
    { "process:command_line", S_INDICATOR, NRS_KIND_PROCESS },
    { "mutex:name", S_INDICATOR, NRS_KIND_MUTEX },
    { "windows-registry-key:key", S_INDICATOR, NRS_KIND_REGISTRY_KEY },
    { "autonomous-system:number", S_INDICATOR, NRS_KIND_ASN },
    { "network-traffic:dst_ref.value", S_INDICATOR, 0 },
    { "network-traffic:src_ref.value", S_INDICATOR, 0 },
    { "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'", S_INDICATOR,
      NRS_KIND_USER_AGENT },
    { "network-traffic:dst_port", S_PORT, 0 },
    { "network-traffic:dst_ref.type", S_NOTHING, 0 },
    { "network-traffic:src_ref.type", S_NOTHING, 0 },
};

// "file:hashes.'SHA-256'", with either quote or none.
static uint64_t
s_hash_path(nrs_bytes_t path)
{
    static const char *const heads[] = { "file:hashes.", "artifact:hashes.",
                                         "x509-certificate:hashes." };
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(heads[i]);
        if (path.size <= length || memcmp(path.data, heads[i], length) != 0)
            continue;
        uint64_t kind = ingest_stix_hash_kind(nrs_bytes(path.data + length, path.size - length));
        return kind && i == 2 ? NRS_KIND_CERTIFICATE : kind;
    }
    return 0;
}

static nrs_err_t
s_path(s_parse_t *parse, struct s_path *ret_path)
{
    s_blanks(parse);
    const char *start = parse->at;
    for (char quote = 0; parse->at < parse->end; parse->at++) {
        char c = *parse->at;
        if (c == '\'' || c == '"')
            quote = quote == c ? 0 : quote ? quote : c;
        else if (!quote && !isalnum((unsigned char)c) && !strchr("-_:.", c))
            break;
    }
    nrs_bytes_t path = nrs_bytes(start, (size_t)(parse->at - start));
    for (size_t i = 0; i < sizeof s_paths / sizeof s_paths[0]; i++)
        if (nrs_bytes_is(path, s_paths[i].path)) {
            *ret_path = s_paths[i];
            return NRS_OK;
        }
    *ret_path = (struct s_path){ NULL, S_INDICATOR, s_hash_path(path) };
    return ret_path->kind
               ? NRS_OK
               : s_bad(parse, "the pattern compares something that is no indicator here");
}

// --- constants -----------------------------------------------------------------------------------

// 'text', where only \' and \\ are escapes, or a whole number; appended to the texts.
static nrs_err_t
s_constant(s_parse_t *parse, ingest_term_t *ret_term)
{
    nrs_buf_t *texts = &parse->terms->texts;
    ret_term->at = texts->size;
    if (!s_sign(parse, '\'')) {
        for (; parse->at < parse->end && isdigit((unsigned char)*parse->at); parse->at++)
            nrs_buf_put(texts, parse->at, 1);
        ret_term->size = texts->size - ret_term->at;
        return ret_term->size
                   ? NRS_OK
                   : s_bad(parse, "a text in single quotes or a number is wanted in the pattern");
    }
    for (; parse->at < parse->end && *parse->at != '\''; parse->at++) {
        bool escape = *parse->at == '\\' && parse->end - parse->at > 1;
        if (escape && (parse->at[1] == '\'' || parse->at[1] == '\\'))
            parse->at++;
        nrs_buf_put(texts, parse->at, 1);
    }
    ret_term->size = texts->size - ret_term->at;
    return s_sign(parse, '\'') ? NRS_OK : s_bad(parse, "a text in the pattern does not end");
}

static nrs_err_t
s_port(s_parse_t *parse, const ingest_term_t *term)
{
    uint64_t port = 0;
    for (size_t i = 0; i < term->size && port <= 65535; i++) {
        uint8_t digit = parse->terms->texts.data[term->at + i];
        if (!isdigit(digit))
            return s_bad(parse, "a port in the pattern is no number");
        port = port * 10 + (uint64_t)(digit - '0');
    }
    if (port == 0 || port > 65535)
        return s_bad(parse, "a port in the pattern is out of range");
    parse->terms->port = port;
    return NRS_OK;
}

static nrs_err_t
s_term(s_parse_t *parse, const struct s_path *path)
{
    ingest_term_t term = { .kind = path->kind };
    nrs_err_t err = s_constant(parse, &term);
    if (err || path->use == S_NOTHING)
        return err;
    if (path->use == S_PORT)
        return s_port(parse, &term);
    if (parse->terms->count == INGEST_TERMS_MAX) {
        parse->text = "the pattern has too many terms";
        return NRS_E_LIMIT;
    }
    parse->terms->items[parse->terms->count++] = term;
    return NRS_OK;
}

// --- structure -----------------------------------------------------------------------------------

static nrs_err_t
s_comparison(s_parse_t *parse)
{
    struct s_path path;
    nrs_err_t err = s_path(parse, &path);
    if (err)
        return err;
    if (s_sign(parse, '='))
        return s_term(parse, &path);
    if (!s_keyword(parse, "IN"))
        return s_bad(parse, "the pattern uses an operator other than = and IN");
    if (!s_sign(parse, '('))
        return s_bad(parse, "IN wants a list in parentheses");
    do
        err = s_term(parse, &path);
    while (!err && s_sign(parse, ','));
    return err                  ? err
           : s_sign(parse, ')') ? NRS_OK
                                : s_bad(parse, "a list in the pattern does not end");
}

// Operands with AND and OR between them, until `close` (0: the end). Parentheses only group.
typedef nrs_err_t
s_operand_fn(s_parse_t *parse);

static nrs_err_t
s_joined(s_parse_t *parse, s_operand_fn *operand)
{
    for (unsigned depth = 0;;) {
        while (s_sign(parse, '('))
            if (++depth > S_DEPTH_MAX)
                return s_bad(parse, "the pattern has too many parentheses");
        nrs_err_t err = operand(parse);
        if (err)
            return err;
        while (depth > 0 && s_sign(parse, ')'))
            depth--;
        if (!s_keyword(parse, "AND") && !s_keyword(parse, "OR"))
            return depth ? s_bad(parse, "a parenthesis in the pattern is not closed") : NRS_OK;
    }
}

static nrs_err_t
s_observation(s_parse_t *parse)
{
    if (!s_sign(parse, '['))
        return s_bad(parse, "the pattern does not begin with [");
    nrs_err_t err = s_joined(parse, s_comparison);
    return err                  ? err
           : s_sign(parse, ']') ? NRS_OK
                                : s_bad(parse, "the pattern is no list of comparisons in [ ]");
}

nrs_err_t
ingest_stix_pattern_read(nrs_bytes_t pattern, ingest_terms_t *into, const char **ret_text)
{
    if (pattern.size == 0)
        pattern = nrs_text("");
    s_parse_t parse = { (const char *)pattern.data, (const char *)pattern.data + pattern.size, into,
                        NULL };
    into->count = 0;
    into->port = 0;
    nrs_buf_reset(&into->texts);
    nrs_err_t err = s_joined(&parse, s_observation);
    s_blanks(&parse);
    if (!err && parse.at != parse.end)
        err = s_bad(&parse, "the pattern has a qualifier or operator that can't be read here");
    if (!err && into->count == 0)
        err = s_bad(&parse, "the pattern holds no indicator");
    *ret_text = parse.text;
    return err;
}
