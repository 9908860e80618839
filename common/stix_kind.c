// stix_kind.c - what each kind of indicator is in STIX: its observable, its pattern
//
// A value becomes an observable only where it has the form that STIX asks for; anything else still
// is an indicator. Kinds for which STIX knows no object path (a bank account, a phone number) are
// indicators whose pattern is an expression of our own language: pattern_type is an open
// vocabulary, and who doesn't know the type skips it.

#include "common/stix_parts.h"

typedef enum s_shape {
    SHAPE_OWN,     // pattern in our own language, no observable
    SHAPE_TEXT,    // observable with one text property
    SHAPE_BARE,    // its pattern alone, for a value that may not be an observable's
    SHAPE_ADDRESS, // the same; the type follows from the value
    SHAPE_NUMBER,  // observable with one number
    SHAPE_HASH,    // observable with one hash
    SHAPE_PATH,    // pattern only: the observable would have a random id
    SHAPE_RULE,    // the value is a pattern in a language of its own
    SHAPE_OTHER,   // a domain object other than an indicator
} s_shape_t;

typedef bool
s_check_t(nrs_bytes_t value);

typedef struct s_row {
    s_shape_t shape;
    const char *type; // of the observable; RULE: pattern_type; OTHER: type of the domain object
    const char
        *property;    // TEXT, NUMBER: its name; HASH: the algorithm; PATH: the whole object path
    s_check_t *check; // may this value be an observable? NULL: any
} s_row_t;

// --- forms ---------------------------------------------------------------------------------------

static bool
s_only(nrs_bytes_t value, const char *allowed)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == 0 || !strchr(allowed, value.data[i]))
            return false;
    return value.size > 0;
}

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool
s_is_host(nrs_bytes_t value)
{
    return s_only(value, LOWER DIGITS "-_.");
}

// RFC 3986: a scheme, then only the characters that a URI has.
static bool
s_is_uri(nrs_bytes_t value)
{
    const uint8_t *colon = memchr(value.data, ':', value.size);
    if (!colon || colon == value.data ||
        !s_only(value, LOWER UPPER DIGITS "-._~:/?#[]@!$&'()*+,;=%"))
        return false;
    return s_only(nrs_bytes(value.data, (size_t)(colon - value.data)), LOWER UPPER DIGITS "+-.");
}

static bool
s_is_address(nrs_bytes_t value)
{
    if (memchr(value.data, ':', value.size))
        return s_only(value, DIGITS "abcdef:./");
    return memchr(value.data, '.', value.size) && s_only(value, DIGITS "./");
}

static bool
s_is_email(nrs_bytes_t value)
{
    const uint8_t *at = memchr(value.data, '@', value.size);
    return at && at > value.data &&
           s_is_host(nrs_bytes(at + 1, (size_t)(value.data + value.size - at - 1))) &&
           !memchr(value.data, ' ', value.size);
}

static bool
s_is_hex(nrs_bytes_t value, size_t digits)
{
    return value.size == digits && s_only(value, DIGITS "abcdef");
}

static bool
s_is_md5(nrs_bytes_t value)
{
    return s_is_hex(value, 32);
}

static bool
s_is_sha1(nrs_bytes_t value)
{
    return s_is_hex(value, 40);
}

static bool
s_is_sha256(nrs_bytes_t value)
{
    return s_is_hex(value, 64);
}

static bool
s_is_sha512(nrs_bytes_t value)
{
    return s_is_hex(value, 128);
}

// "AS64500" and "64500" are one number; at most ten digits, so it fits.
static nrs_bytes_t
s_as_digits(nrs_bytes_t value)
{
    bool prefixed =
        value.size > 2 && (value.data[0] | 0x20) == 'a' && (value.data[1] | 0x20) == 's';
    return prefixed ? nrs_bytes(value.data + 2, value.size - 2) : value;
}

static bool
s_is_asn(nrs_bytes_t value)
{
    nrs_bytes_t digits = s_as_digits(value);
    return digits.size <= 10 && s_only(digits, DIGITS) &&
           (digits.size == 1 || digits.data[0] != '0');
}

// --- the table -----------------------------------------------------------------------------------

static const s_row_t s_rows[] = {
    [NRS_KIND_DOMAIN] = { SHAPE_TEXT, "domain-name", "value", s_is_host },
    [NRS_KIND_URL] = { SHAPE_TEXT, "url", "value", s_is_uri },
    [NRS_KIND_IPV4] = { SHAPE_ADDRESS, NULL, "value", s_is_address },
    [NRS_KIND_IPV6] = { SHAPE_ADDRESS, NULL, "value", s_is_address },
    [NRS_KIND_CIDR] = { SHAPE_ADDRESS, NULL, "value", s_is_address },
    [NRS_KIND_ASN] = { SHAPE_NUMBER, "autonomous-system", "number", s_is_asn },
    [NRS_KIND_EMAIL] = { SHAPE_TEXT, "email-addr", "value", s_is_email },
    [NRS_KIND_EMAIL_MESSAGE] = { SHAPE_PATH, NULL, "email-message:subject", NULL },
    [NRS_KIND_MD5] = { SHAPE_HASH, "file", "MD5", s_is_md5 },
    [NRS_KIND_SHA1] = { SHAPE_HASH, "file", "SHA-1", s_is_sha1 },
    [NRS_KIND_SHA256] = { SHAPE_HASH, "file", "SHA-256", s_is_sha256 },
    [NRS_KIND_SHA512] = { SHAPE_HASH, "file", "SHA-512", s_is_sha512 },
    [NRS_KIND_SSDEEP] = { SHAPE_HASH, "file", "SSDEEP", NULL },
    [NRS_KIND_TLSH] = { SHAPE_HASH, "file", "TLSH", NULL },
    [NRS_KIND_FILE_NAME] = { SHAPE_TEXT, "file", "name", NULL },
    [NRS_KIND_PHONE] = { SHAPE_OWN, NULL, NULL, NULL },
    [NRS_KIND_BANK_ACCOUNT] = { SHAPE_OWN, NULL, NULL, NULL },
    [NRS_KIND_CARD_BIN] = { SHAPE_OWN, NULL, NULL, NULL },
    [NRS_KIND_CRYPTO_ADDRESS] = { SHAPE_OWN, NULL, NULL, NULL },
    [NRS_KIND_CERTIFICATE] = { SHAPE_HASH, "x509-certificate", NULL,
                               NULL }, // the algorithm follows from the length
    [NRS_KIND_USER_AGENT] = { SHAPE_PATH, NULL,
                              "network-traffic:extensions.'http-request-ext'.request_header.'User-"
                              "Agent'",
                              NULL },
    [NRS_KIND_MUTEX] = { SHAPE_TEXT, "mutex", "name", NULL },
    [NRS_KIND_REGISTRY_KEY] = { SHAPE_TEXT, "windows-registry-key", "key", NULL },
    [NRS_KIND_PROCESS] = { SHAPE_PATH, NULL, "process:image_ref.name", NULL },
    [NRS_KIND_CVE] = { SHAPE_OTHER, "vulnerability", NULL, NULL },
    [NRS_KIND_YARA] = { SHAPE_RULE, "yara", NULL, NULL },
    [NRS_KIND_SIGMA] = { SHAPE_RULE, "sigma", NULL, NULL },
    [NRS_KIND_SNORT] = { SHAPE_RULE, "snort", NULL, NULL },
    [NRS_KIND_ATTACK] = { SHAPE_OTHER, "attack-pattern", NULL, NULL },
    [NRS_KIND_LURE] = { SHAPE_OWN, NULL, NULL, NULL },
    [NRS_KIND_TEXT] = { SHAPE_OTHER, "note", NULL, NULL },
};

// The row for a value, with what follows from the value filled in. A value that has not the form of
// its kind is told and can be matched, but is no observable: a text keeps its STIX pattern,
// anything else gets our own language.
static s_row_t
s_row(uint64_t kind, nrs_bytes_t value)
{
    static const s_row_t own = { SHAPE_OWN, NULL, NULL, NULL };
    if (kind >= sizeof s_rows / sizeof s_rows[0])
        return own; // a kind of a newer version
    s_row_t row = s_rows[kind];
    if (row.check && !row.check(value)) {
        if (row.shape != SHAPE_TEXT)
            return own;
        row.shape = SHAPE_BARE;
    }
    if (row.shape == SHAPE_ADDRESS)
        row.type = memchr(value.data, ':', value.size) ? "ipv6-addr" : "ipv4-addr";
    if (kind == NRS_KIND_CERTIFICATE)
        row.property = s_is_sha1(value) ? "SHA-1" : "SHA-256";
    if (kind == NRS_KIND_CERTIFICATE && !s_is_sha1(value) && !s_is_sha256(value))
        return own;
    if (kind == NRS_KIND_EMAIL_MESSAGE && value.data[0] == '<')
        row.property = "email-message:message_id";
    if (kind == NRS_KIND_PROCESS && memchr(value.data, ' ', value.size))
        row.property = "process:command_line";
    return row;
}

nrs_stix_thing_t
nrs_stix_thing(uint64_t kind, nrs_bytes_t value)
{
    s_row_t row = s_row(kind, value);
    switch (row.shape) {
    case SHAPE_OTHER:
        return (nrs_stix_thing_t){ row.type, NULL, NULL };
    case SHAPE_RULE:
        return (nrs_stix_thing_t){ "indicator", row.type, NULL };
    case SHAPE_OWN:
        return (nrs_stix_thing_t){ "indicator", "noroshi", NULL };
    case SHAPE_PATH:
    case SHAPE_BARE:
        return (nrs_stix_thing_t){ "indicator", "stix", NULL };
    default:
        return (nrs_stix_thing_t){ "indicator", "stix", row.type };
    }
}

// --- patterns ------------------------------------------------------------------------------------

// A string constant of the patterning language (STIX 2.1, section 9.3): \ and ' are the only
// escapes.
static void
s_put_constant(nrs_buf_t *into, nrs_bytes_t text)
{
    nrs_buf_put_text(into, "'");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\')
            nrs_buf_put_text(into, "\\");
        nrs_buf_put(into, text.data + i, 1);
    }
    nrs_buf_put_text(into, "'");
}

static void
s_put_number(nrs_buf_t *into, nrs_bytes_t value)
{
    nrs_bytes_t digits = s_as_digits(value);
    nrs_buf_put(into, digits.data, digits.size);
}

// Escapes of the expression language (proto/expression.md) are those of JSON.
static void
s_put_expression(uint64_t kind, nrs_bytes_t value, nrs_buf_t *into)
{
    const char *word = nrs_enum_word(NRS_ENUM_KIND, kind);
    if (word)
        nrs_buf_printf(into, "kind == \"%s\" and ", word);
    nrs_buf_put_text(into, "value == ");
    nrs_buf_put_json_string(into, value);
}

void
nrs_stix_pattern(uint64_t kind, nrs_bytes_t value, nrs_buf_t *into)
{
    s_row_t row = s_row(kind, value);
    switch (row.shape) {
    case SHAPE_OTHER:
    case SHAPE_RULE:
        nrs_buf_put(into, value.data, value.size);
        return;
    case SHAPE_OWN:
        s_put_expression(kind, value, into);
        return;
    case SHAPE_NUMBER:
        nrs_buf_printf(into, "[%s:%s = ", row.type, row.property);
        s_put_number(into, value);
        break;
    case SHAPE_PATH:
        nrs_buf_printf(into, "[%s = ", row.property);
        s_put_constant(into, value);
        break;
    default:
        nrs_buf_printf(into, row.shape == SHAPE_HASH ? "[%s:hashes.'%s' = " : "[%s:%s = ", row.type,
                       row.property);
        s_put_constant(into, value);
    }
    nrs_buf_put_text(into, "]");
}

// --- observables ---------------------------------------------------------------------------------

// A string in RFC 8785 form: the short escapes where there are some, everything else from U+0020 on
// as it is.
static void
s_put_canonical(nrs_buf_t *into, nrs_bytes_t text)
{
    static const char shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    nrs_buf_put_text(into, "\"");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        const char *found = c ? strchr(shorts, c) : NULL;
        if (found)
            nrs_buf_printf(into, "\\%c", letters[found - shorts]);
        else if (c < 0x20)
            nrs_buf_printf(into, "\\u%04x", c);
        else
            nrs_buf_put(into, &c, 1);
    }
    nrs_buf_put_text(into, "\"");
}

void
nrs_stix_observable(uint64_t kind, nrs_bytes_t value, nrs_buf_t *into)
{
    s_row_t row = s_row(kind, value);
    if (row.shape == SHAPE_HASH)
        nrs_buf_printf(into, "{\"hashes\":{\"%s\":", row.property);
    else
        nrs_buf_printf(into, "{\"%s\":", row.property);
    if (row.shape == SHAPE_NUMBER)
        s_put_number(into, value);
    else
        s_put_canonical(into, value);
    nrs_buf_put_text(into, row.shape == SHAPE_HASH ? "}}" : "}");
}
