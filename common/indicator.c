#include "common/indicator.h"

#include "common/indicator_parts.h"

typedef enum s_refang {
    REFANG_NONE,
    REFANG_HOST,
    REFANG_URL,
} s_refang_t;

// How each kind is treated. Free text keeps its quotes; rules and reports have lines.
typedef struct s_rule {
    nrs_canon_step_t *step;
    s_refang_t refang;
    nrs_trim_t trim;
    bool lines; // tabs and line ends are allowed
} s_rule_t;

#define TOKEN(step_)                                                                               \
    {                                                                                              \
        step_, REFANG_NONE, NRS_TRIM_QUOTES, false                                                 \
    }
#define WORDS                                                                                      \
    {                                                                                              \
        nrs_canon_plain, REFANG_NONE, NRS_TRIM_BLANKS, false                                       \
    }
#define LINES                                                                                      \
    {                                                                                              \
        nrs_canon_plain, REFANG_NONE, NRS_TRIM_BLANKS, true                                        \
    }

static const s_rule_t s_rules[NRS_KIND_TEXT + 1] = {
    [NRS_KIND_DOMAIN] = { nrs_canon_domain, REFANG_HOST, NRS_TRIM_QUOTES, false },
    [NRS_KIND_URL] = { nrs_canon_url, REFANG_URL, NRS_TRIM_QUOTES, false },
    [NRS_KIND_IPV4] = { nrs_canon_address, REFANG_HOST, NRS_TRIM_QUOTES, false },
    [NRS_KIND_IPV6] = { nrs_canon_address, REFANG_HOST, NRS_TRIM_QUOTES, false },
    [NRS_KIND_CIDR] = { nrs_canon_address, REFANG_HOST, NRS_TRIM_QUOTES, false },
    [NRS_KIND_ASN] = TOKEN(nrs_canon_asn),
    [NRS_KIND_EMAIL] = { nrs_canon_email, REFANG_HOST, NRS_TRIM_QUOTES, false },
    [NRS_KIND_EMAIL_MESSAGE] = WORDS,
    [NRS_KIND_MD5] = TOKEN(nrs_canon_hash),
    [NRS_KIND_SHA1] = TOKEN(nrs_canon_hash),
    [NRS_KIND_SHA256] = TOKEN(nrs_canon_hash),
    [NRS_KIND_SHA512] = TOKEN(nrs_canon_hash),
    [NRS_KIND_SSDEEP] = TOKEN(nrs_canon_ssdeep),
    [NRS_KIND_TLSH] = TOKEN(nrs_canon_tlsh),
    [NRS_KIND_FILE_NAME] = WORDS,
    [NRS_KIND_PHONE] = TOKEN(nrs_canon_phone),
    [NRS_KIND_BANK_ACCOUNT] = TOKEN(nrs_canon_bank),
    [NRS_KIND_CARD_BIN] = TOKEN(nrs_canon_card),
    [NRS_KIND_CRYPTO_ADDRESS] = TOKEN(nrs_canon_crypto),
    [NRS_KIND_CERTIFICATE] = TOKEN(nrs_canon_certificate),
    [NRS_KIND_USER_AGENT] = WORDS,
    [NRS_KIND_MUTEX] = WORDS,
    [NRS_KIND_REGISTRY_KEY] = WORDS,
    [NRS_KIND_PROCESS] = LINES,
    [NRS_KIND_CVE] = TOKEN(nrs_canon_cve),
    [NRS_KIND_YARA] = LINES,
    [NRS_KIND_SIGMA] = LINES,
    [NRS_KIND_SNORT] = LINES,
    [NRS_KIND_ATTACK] = TOKEN(nrs_canon_attack),
    [NRS_KIND_LURE] = WORDS,
    [NRS_KIND_TEXT] = LINES,
};

nrs_err_t
nrs_canon_refuse(nrs_canon_t *self, const char *why)
{
    return nrs_problem_set(self->reterr, NRS_E_FORMAT, NULL, 0, 0, "%s", why);
}

// --- what every value has to be ------------------------------------------------------------------

typedef struct s_look {
    bool ascii;
    bool control;
} s_look_t;

// Eight bytes at a time: is one of them above 0x7f, below 0x20 or 0x7f? (Carries can only name a
// control byte where another one is real, or after a byte above 0x7f; then the slow way looks
// again.)
static s_look_t
s_look(nrs_bytes_t text)
{
    const uint64_t high = 0x8080808080808080u, ones = 0x0101010101010101u;
    uint64_t wide = 0, control = 0;
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        uint64_t word = nrs_get_le64(text.data + i);
        uint64_t del = word ^ (ones * 0x7f);
        wide |= word & high;
        control |= ((word - ones * 0x20) | (del - ones)) & ~word & high;
    }
    for (; i < text.size; i++) {
        wide |= text.data[i] & 0x80u;
        control |= text.data[i] < 0x20 || text.data[i] == 0x7f;
    }
    return (s_look_t){ .ascii = wide == 0, .control = control != 0 };
}

static bool
s_controls_ok(nrs_bytes_t text, bool lines)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool line = lines && (c == '\t' || c == '\n' || c == '\r');
        if ((c < 0x20 && !line) || c == 0x7f)
            return false;
    }
    return true;
}

static nrs_err_t
s_check(nrs_canon_t *self, const s_rule_t *rule)
{
    if (self->text.size == 0)
        return nrs_canon_refuse(self, "the value is empty");
    s_look_t look = s_look(self->text);
    if (!look.ascii && !nrs_utf8_ok(self->text))
        return nrs_canon_refuse(self, "the value is not valid UTF-8");
    if (look.control && !s_controls_ok(self->text, rule->lines))
        return nrs_canon_refuse(self, "the value has a control character");
    return NRS_OK;
}

static nrs_bytes_t
s_refang(nrs_bytes_t text, s_refang_t refang, uint8_t room[NRS_VALUE_BYTES_MAX])
{
    switch (refang) {
    case REFANG_HOST:
        return nrs_refang_host(text, room);
    case REFANG_URL:
        return nrs_refang_url(text, room);
    default:
        return text;
    }
}

// --- the calls -----------------------------------------------------------------------------------

nrs_err_t
nrs_indicator_canonical(uint64_t kind, nrs_bytes_t given, bool refang, nrs_buf_t *into,
                        uint64_t *ret_kind, nrs_problem_t *reterr)
{
    NRS_ASSERT(into && ret_kind);
    nrs_canon_t self = { .kind = kind, .into = into, .reterr = reterr };
    if (kind > NRS_KIND_TEXT || !s_rules[kind].step)
        return nrs_canon_refuse(&self, "no such kind of indicator");
    if (given.size > NRS_VALUE_BYTES_MAX)
        return nrs_problem_set(reterr, NRS_E_LIMIT, NULL, 0, 0, "the value has more than %d bytes",
                               NRS_VALUE_BYTES_MAX);
    const s_rule_t *rule = &s_rules[kind];
    self.text = nrs_canon_trim(given, rule->trim);
    nrs_err_t err = s_check(&self, rule);
    if (err)
        return err;

    uint8_t room[NRS_VALUE_BYTES_MAX];
    if (refang)
        self.text = s_refang(self.text, rule->refang, room);
    size_t before = into->size;
    err = rule->step(&self);
    if (err) {
        into->size = before;
        return err;
    }
    *ret_kind = self.kind;
    return NRS_OK;
}

// Could a text with these signs be of the kind at all? Keeps guessing cheap; the canonical form
// decides.
static bool
s_may_be(uint64_t kind, nrs_bytes_t text)
{
    switch (kind) {
    case NRS_KIND_URL:
        return memchr(text.data, ':', text.size) != NULL;
    case NRS_KIND_EMAIL:
        return memchr(text.data, '@', text.size) || memmem(text.data, text.size, "at", 2) ||
               memmem(text.data, text.size, "AT", 2);
    case NRS_KIND_ASN:
        return nrs_has_prefix(text, "as"); // a bare number is no ASN
    default:
        return true;
    }
}

uint64_t
nrs_indicator_guess(nrs_bytes_t given)
{
    // IPV4 stands for ipv4, ipv6 and cidr.
    static const uint64_t order[] = { NRS_KIND_URL,    NRS_KIND_IPV4,  NRS_KIND_EMAIL,
                                      NRS_KIND_MD5,    NRS_KIND_SHA1,  NRS_KIND_SHA256,
                                      NRS_KIND_SHA512, NRS_KIND_CVE,   NRS_KIND_ATTACK,
                                      NRS_KIND_ASN,    NRS_KIND_DOMAIN };
    uint64_t kind = 0;
    nrs_bytes_t text = nrs_canon_trim(given, NRS_TRIM_QUOTES);
    nrs_buf_t scratch = { 0 };
    for (size_t i = 0; i < sizeof order / sizeof order[0] && kind == 0 && text.size > 0; i++) {
        uint64_t found = 0;
        if (s_may_be(order[i], text) &&
            !nrs_indicator_canonical(order[i], text, true, &scratch, &found, NULL))
            kind = found;
    }
    nrs_buf_free(&scratch);
    return kind;
}

// The host of a canonical URL: behind the last @ of the authority, without port and brackets.
static nrs_bytes_t
s_url_host(nrs_bytes_t value)
{
    const uint8_t *colon = value.size ? memmem(value.data, value.size, "://", 3) : NULL;
    if (!colon)
        return NRS_NONE;
    nrs_bytes_t host = nrs_bytes_from(value, (size_t)(colon + 3 - value.data));
    const uint8_t *end = memchr(host.data, '/', host.size);
    if (end)
        host.size = (size_t)(end - host.data);
    const uint8_t *at = memrchr(host.data, '@', host.size);
    if (at)
        host = nrs_bytes_from(host, (size_t)(at + 1 - host.data));
    if (host.size > 0 && host.data[0] == '[') {
        end = memchr(host.data, ']', host.size);
        return end ? nrs_bytes(host.data + 1, (size_t)(end - host.data) - 1) : NRS_NONE;
    }
    end = memchr(host.data, ':', host.size);
    return end ? nrs_bytes(host.data, (size_t)(end - host.data)) : host;
}

static nrs_bytes_t
s_email_host(nrs_bytes_t value)
{
    const uint8_t *at = value.size ? memrchr(value.data, '@', value.size) : NULL;
    if (!at)
        return NRS_NONE;
    nrs_bytes_t host = nrs_bytes_from(value, (size_t)(at + 1 - value.data));
    if (host.size < 2 || host.data[0] != '[')
        return host;
    host = nrs_bytes(host.data + 1, host.size - 2);
    return nrs_has_prefix(host, "ipv6:") ? nrs_bytes_from(host, 5) : host;
}

nrs_bytes_t
nrs_indicator_host(uint64_t kind, nrs_bytes_t value)
{
    switch (kind) {
    case NRS_KIND_DOMAIN:
        return value;
    case NRS_KIND_URL:
        return s_url_host(value);
    case NRS_KIND_EMAIL:
        return s_email_host(value);
    default:
        return NRS_NONE;
    }
}
