// URLs: RFC 3986, and where browsers read more than it allows, what browsers do (WHATWG URL),
// because the victim's browser decides which host is asked.

#include "common/indicator_parts.h"
#include "common/net.h"

enum { SCHEME_BYTES_MAX = 32 };
enum { HOST_TEXT_MAX = 1024 }; // host as given, percent-decoded
enum { ADDRESS_TEXT_MAX = 46 };

// The parts of a URL as given; all borrow from it.
typedef struct s_url {
    nrs_bytes_t scheme;
    bool special; // browsers know the scheme: slashes may lean either way, and there may be more or
                  // fewer
    uint16_t port;      // the scheme's default; 0: none
    nrs_bytes_t user;   // before the last @ of the authority
    nrs_bytes_t host;   // as given; an IPv6 literal with its brackets
    nrs_bytes_t number; // port as given
    nrs_bytes_t rest;   // path and query; the fragment is gone
} s_url_t;

static const struct {
    const char *name;
    size_t size;
    uint16_t port;
    bool special;
} s_schemes[] = {
    { "https", 5, 443, true }, { "http", 4, 80, true }, { "ftp", 3, 21, true },
    { "ws", 2, 80, true },     { "wss", 3, 443, true }, { "tftp", 4, 69, false },
};

// --- which bytes may stand where: RFC 3986, appendix A -------------------------------------------

enum { IN_USER = 1, IN_PATH = 2 };

#define S_BOTH (IN_USER | IN_PATH)
#define S_RANGE_DIGITS(v)                                                                          \
    ['0'] = v, ['1'] = v, ['2'] = v, ['3'] = v, ['4'] = v, ['5'] = v, ['6'] = v, ['7'] = v,        \
    ['8'] = v, ['9'] = v
#define S_RANGE_LETTERS(v)                                                                         \
    ['A'] = v, ['B'] = v, ['C'] = v, ['D'] = v, ['E'] = v, ['F'] = v, ['G'] = v, ['H'] = v,        \
    ['I'] = v, ['J'] = v, ['K'] = v, ['L'] = v, ['M'] = v, ['N'] = v, ['O'] = v, ['P'] = v,        \
    ['Q'] = v, ['R'] = v, ['S'] = v, ['T'] = v, ['U'] = v, ['V'] = v, ['W'] = v, ['X'] = v,        \
    ['Y'] = v, ['Z'] = v, ['a'] = v, ['b'] = v, ['c'] = v, ['d'] = v, ['e'] = v, ['f'] = v,        \
    ['g'] = v, ['h'] = v, ['i'] = v, ['j'] = v, ['k'] = v, ['l'] = v, ['m'] = v, ['n'] = v,        \
    ['o'] = v, ['p'] = v, ['q'] = v, ['r'] = v, ['s'] = v, ['t'] = v, ['u'] = v, ['v'] = v,        \
    ['w'] = v, ['x'] = v, ['y'] = v, ['z'] = v

static const uint8_t s_allowed[256] = {
    S_RANGE_DIGITS(S_BOTH), S_RANGE_LETTERS(S_BOTH), ['-'] = S_BOTH,  ['.'] = S_BOTH,
    ['_'] = S_BOTH,         ['~'] = S_BOTH, // unreserved
    ['!'] = S_BOTH,         ['$'] = S_BOTH,          ['&'] = S_BOTH,  ['\''] = S_BOTH,
    ['('] = S_BOTH,         [')'] = S_BOTH,          ['*'] = S_BOTH,  ['+'] = S_BOTH,
    [','] = S_BOTH,         [';'] = S_BOTH,          ['='] = S_BOTH, // sub-delims
    [':'] = S_BOTH,         ['@'] = IN_PATH,         ['/'] = IN_PATH, ['?'] = IN_PATH,
};

static bool
s_unreserved(uint8_t c)
{
    return nrs_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// The byte that "%xx" at the front of `text` stands for, or -1.
static int
s_percent(nrs_bytes_t text)
{
    if (text.size < 3 || text.data[0] != '%')
        return -1;
    int high = nrs_hex_digit(text.data[1]);
    int low = nrs_hex_digit(text.data[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void
s_put_percent(nrs_buf_t *into, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char text[3] = { '%', digits[byte >> 4], digits[byte & 15] };
    nrs_buf_put(into, text, sizeof text);
}

// Copy, encoding what RFC 3986 does not allow there. Encodings that are there already get
// upper-case digits, and those of unreserved characters go (section 6.2.2).
static void
s_put_encoded(nrs_bytes_t text, uint8_t where, nrs_buf_t *into)
{
    size_t done = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (s_allowed[text.data[i]] & where)
            continue;
        nrs_buf_put(into, text.data + done, i - done);
        int byte = s_percent(nrs_bytes_from(text, i));
        if (byte < 0) {
            s_put_percent(into, text.data[i]);
        } else {
            uint8_t c = (uint8_t)byte;
            if (s_unreserved(c))
                nrs_buf_put(into, &c, 1);
            else
                s_put_percent(into, c);
            i += 2;
        }
        done = i + 1;
    }
    nrs_buf_put(into, text.data + done, text.size - done);
}

// --- taking apart --------------------------------------------------------------------------------

static bool
s_split_scheme(nrs_bytes_t text, s_url_t *url)
{
    size_t n = 0;
    while (n < text.size && (nrs_is_alnum(text.data[n]) || text.data[n] == '+' ||
                             text.data[n] == '-' || text.data[n] == '.'))
        n++;
    if (n == 0 || n > SCHEME_BYTES_MAX || n == text.size || text.data[n] != ':' ||
        !nrs_is_alpha(text.data[0]))
        return false;
    url->scheme = nrs_bytes(text.data, n);
    for (size_t i = 0; i < sizeof s_schemes / sizeof s_schemes[0]; i++) {
        if (s_schemes[i].size == n && nrs_has_prefix(url->scheme, s_schemes[i].name)) {
            url->port = s_schemes[i].port;
            url->special = s_schemes[i].special;
            break;
        }
    }
    return true;
}

// How many bytes lie between the scheme's colon and the authority; 0: there is no authority.
static size_t
s_slashes(nrs_bytes_t text, bool special)
{
    if (!special)
        return text.size >= 2 && text.data[0] == '/' && text.data[1] == '/' ? 2 : 0;
    size_t n = 0;
    while (n < text.size && (text.data[n] == '/' || text.data[n] == '\\'))
        n++;
    return n;
}

static bool
s_ends_authority(uint8_t c, bool special)
{
    return c == '/' || c == '?' || c == '#' || (c == '\\' && special);
}

// host [":" port], where the host may be an IPv6 literal.
static bool
s_split_port(nrs_bytes_t text, s_url_t *url)
{
    const uint8_t *colon = NULL;
    if (text.size > 0 && text.data[0] == '[') {
        const uint8_t *bracket = memchr(text.data, ']', text.size);
        if (!bracket)
            return false;
        colon = bracket + 1 < text.data + text.size ? bracket + 1 : NULL;
        if (colon && *colon != ':')
            return false;
    } else if (text.size > 0) {
        colon = memrchr(text.data, ':', text.size);
    }
    url->host = nrs_bytes(text.data, colon ? (size_t)(colon - text.data) : text.size);
    if (colon)
        url->number = nrs_bytes_from(text, url->host.size + 1);
    return true;
}

// Errors: a sentence, or NULL when the URL has been taken apart.
static const char *
s_split(nrs_bytes_t text, s_url_t *url)
{
    if (!s_split_scheme(text, url))
        return "a URL begins with a scheme and a colon";
    text = nrs_bytes_from(text, url->scheme.size + 1);
    size_t slashes = s_slashes(text, url->special);
    if (slashes == 0)
        return "behind the scheme of a URL stands //";
    text = nrs_bytes_from(text, slashes);

    size_t end = 0;
    const uint8_t *at =
        NULL; // the last one: what stands before it is no host, whatever it looks like
    for (; end < text.size && !s_ends_authority(text.data[end], url->special); end++) {
        if (text.data[end] == '@')
            at = text.data + end;
    }
    nrs_bytes_t authority = nrs_bytes(text.data, end);
    url->rest = nrs_bytes_from(text, end);
    const uint8_t *hash = url->rest.size ? memchr(url->rest.data, '#', url->rest.size) : NULL;
    if (hash)
        url->rest.size = (size_t)(hash - url->rest.data);
    if (at) {
        url->user = nrs_bytes(authority.data, (size_t)(at - authority.data));
        authority = nrs_bytes_from(authority, url->user.size + 1);
    }
    if (!s_split_port(authority, url))
        return "the brackets of the URL's host are not in order";
    return url->host.size == 0 ? "the URL has no host" : NULL;
}

// --- putting together ----------------------------------------------------------------------------

static nrs_err_t
s_put_literal(nrs_canon_t *self, nrs_bytes_t host)
{
    nrs_address_t address;
    if (nrs_address_parse(nrs_bytes(host.data + 1, host.size - 2), &address) || address.v4)
        return nrs_canon_refuse(self,
                                "the URL has brackets around something that is no IPv6 address");
    char text[ADDRESS_TEXT_MAX];
    nrs_buf_put(self->into, "[", 1);
    nrs_buf_put(self->into, text, nrs_address_print(&address, text));
    nrs_buf_put(self->into, "]", 1);
    return NRS_OK;
}

static nrs_err_t
s_put_host(nrs_canon_t *self, nrs_bytes_t host)
{
    bool address = false;
    if (host.data[0] == '[')
        return s_put_literal(self, host);
    if (!memchr(host.data, '%', host.size))
        return nrs_canon_host(self, host, true, &address);
    if (host.size > HOST_TEXT_MAX)
        return nrs_problem_set(self->reterr, NRS_E_LIMIT, NULL, 0, 0, "the URL's host is too long");
    uint8_t decoded[HOST_TEXT_MAX];
    size_t length = 0;
    for (size_t i = 0; i < host.size; i++) {
        int byte = s_percent(nrs_bytes_from(host, i));
        decoded[length++] = byte < 0 ? host.data[i] : (uint8_t)byte;
        i += byte < 0 ? 0 : 2;
    }
    return nrs_canon_host(self, nrs_bytes(decoded, length), true, &address);
}

static void
s_put_number(nrs_buf_t *into, char before, uint32_t number)
{
    char text[12];
    size_t at = sizeof text;
    do
        text[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    text[--at] = before;
    nrs_buf_put(into, text + at, sizeof text - at);
}

static nrs_err_t
s_put_port(nrs_canon_t *self, const s_url_t *url)
{
    uint32_t port = 0;
    for (size_t i = 0; i < url->number.size; i++) {
        if (!nrs_is_digit(url->number.data[i]))
            return nrs_canon_refuse(self, "the URL's port is no number");
        port = port * 10 + (uint32_t)(url->number.data[i] - '0');
        if (port > UINT16_MAX)
            return nrs_canon_refuse(self, "the URL's port is above 65535");
    }
    if (url->number.size > 0 && (port != url->port || url->port == 0))
        s_put_number(self->into, ':', port);
    return NRS_OK;
}

// Path and query; browsers turn backslashes of the path around.
static void
s_put_rest(nrs_buf_t *into, const s_url_t *url)
{
    nrs_bytes_t rest = url->rest;
    if (rest.size == 0 || rest.data[0] == '?')
        nrs_buf_put(into, "/", 1);
    if (url->special) {
        const uint8_t *query = rest.size ? memchr(rest.data, '?', rest.size) : NULL;
        size_t path = query ? (size_t)(query - rest.data) : rest.size;
        for (const uint8_t *back; path > 0 && (back = memchr(rest.data, '\\', path));) {
            size_t length = (size_t)(back - rest.data);
            s_put_encoded(nrs_bytes(rest.data, length), IN_PATH, into);
            nrs_buf_put(into, "/", 1);
            rest = nrs_bytes_from(rest, length + 1);
            path -= length + 1;
        }
    }
    s_put_encoded(rest, IN_PATH, into);
}

nrs_err_t
nrs_canon_url(nrs_canon_t *self)
{
    s_url_t url = { 0 };
    const char *why = s_split(self->text, &url);
    if (why)
        return nrs_canon_refuse(self, why);

    nrs_buf_t *into = self->into;
    size_t start = into->size;
    nrs_buf_reserve(into, self->text.size + 3);
    for (size_t i = 0; i < url.scheme.size; i++)
        into->data[into->size++] = nrs_lower(url.scheme.data[i]);
    nrs_buf_put(into, "://", 3);
    if (url.user.size > 0) {
        s_put_encoded(url.user, IN_USER, into);
        nrs_buf_put(into, "@", 1);
    }
    nrs_err_t err = s_put_host(self, url.host);
    if (!err)
        err = s_put_port(self, &url);
    if (err)
        return err;
    s_put_rest(into, &url);
    if (into->size - start > NRS_VALUE_BYTES_MAX)
        return nrs_problem_set(self->reterr, NRS_E_LIMIT, NULL, 0, 0,
                               "the URL has more than %d bytes once it is encoded",
                               NRS_VALUE_BYTES_MAX);
    return NRS_OK;
}
