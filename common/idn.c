#include "common/idn.h"

#include <idn2.h>
#include <stdlib.h>

enum { HOST_BYTES_MAX = 253 }; // RFC 1035, section 3.1, in text form without the last dot
enum { LABEL_BYTES_MAX = 63 };
enum { UNICODE_BYTES_MAX = 1024 }; // a longer name in UTF-8 has no A-label form of 253 bytes

// What a byte of an ASCII host name becomes; 0: not allowed. Underscores are not host names by the
// letter of RFC 952, but resolvers answer for them and feeds are full of them.
static const uint8_t s_host_byte[256] = {
    ['-'] = '-', ['.'] = '.', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3',
    ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a',
    ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h',
    ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o',
    ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v',
    ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z',
};

// An ASCII name, its last dot already gone.
static nrs_err_t
s_plain(nrs_bytes_t host, nrs_buf_t *into)
{
    if (host.size > HOST_BYTES_MAX)
        return NRS_E_LIMIT;
    uint8_t *room = nrs_buf_reserve(into, HOST_BYTES_MAX);
    size_t label = 0; // where the current label starts
    for (size_t i = 0; i < host.size; i++) {
        uint8_t c = s_host_byte[host.data[i]];
        if (c == 0)
            return NRS_E_FORMAT;
        room[i] = c;
        if (c != '.')
            continue;
        if (i == label)
            return NRS_E_FORMAT;
        if (i - label > LABEL_BYTES_MAX)
            return NRS_E_LIMIT;
        label = i + 1;
    }
    if (host.size == label)
        return NRS_E_FORMAT;
    if (host.size - label > LABEL_BYTES_MAX)
        return NRS_E_LIMIT;
    into->size += host.size;
    return NRS_OK;
}

static bool
s_ascii(nrs_bytes_t text)
{
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8)
        seen |= nrs_get_le64(text.data + i);
    for (; i < text.size; i++)
        seen |= text.data[i];
    return (seen & 0x8080808080808080u) == 0;
}

static nrs_bytes_t
s_without_last_dot(nrs_bytes_t host)
{
    if (host.size > 0 && host.data[host.size - 1] == '.')
        host.size--;
    return host;
}

// UTS #46 as browsers do it. What IDNA 2008 disallows (emoji, above all) exists in the DNS and
// answers, so such a name is mapped by the older rules rather than refused.
static int
s_to_ascii(const char *name, char **ret_ascii)
{
    int code = idn2_to_ascii_8z(name, ret_ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (code == IDN2_DISALLOWED)
        code = idn2_to_ascii_8z(name, ret_ascii, IDN2_NFC_INPUT | IDN2_TRANSITIONAL);
    return code;
}

static nrs_err_t
s_idn_error(int code)
{
    return code == IDN2_TOO_BIG_DOMAIN || code == IDN2_TOO_BIG_LABEL ? NRS_E_LIMIT : NRS_E_FORMAT;
}

nrs_err_t
nrs_idn_ascii(nrs_bytes_t host, nrs_buf_t *into)
{
    if (s_ascii(host))
        return s_plain(s_without_last_dot(host), into);
    if (host.size > UNICODE_BYTES_MAX)
        return NRS_E_LIMIT;
    if (memchr(host.data, 0, host.size) || !nrs_utf8_ok(host))
        return NRS_E_FORMAT;

    char name[UNICODE_BYTES_MAX + 1];
    memcpy(name, host.data, host.size);
    name[host.size] = 0;
    char *ascii = NULL;
    int code = s_to_ascii(name, &ascii);
    if (code != IDN2_OK)
        return s_idn_error(code);
    // The mapping of UTS #46 can bring forth any ASCII byte (U+2100 becomes "a/c"): look again.
    nrs_err_t err = s_plain(s_without_last_dot(nrs_text(ascii)), into);
    idn2_free(ascii);
    return err;
}

// Is there a label that begins with "xn--"?
static bool
s_has_a_label(nrs_bytes_t host)
{
    for (size_t i = 0; i + 4 < host.size; i++) {
        bool starts = i == 0 || host.data[i - 1] == '.';
        if (starts && memcmp(host.data + i, "xn--", 4) == 0)
            return true;
    }
    return false;
}

nrs_err_t
nrs_idn_unicode(nrs_bytes_t host, nrs_buf_t *into)
{
    if (host.size > HOST_BYTES_MAX)
        return NRS_E_LIMIT;
    if (!s_has_a_label(host))
        return NRS_E_ABSENT;
    if (memchr(host.data, 0, host.size))
        return NRS_E_FORMAT;

    char name[HOST_BYTES_MAX + 1];
    memcpy(name, host.data, host.size);
    name[host.size] = 0;
    char *unicode = NULL;
    int code = idn2_to_unicode_8z8z(name, &unicode, 0);
    if (code != IDN2_OK)
        return s_idn_error(code);
    nrs_err_t err = NRS_E_ABSENT;
    if (!nrs_bytes_equal(host, nrs_text(unicode))) {
        nrs_buf_put_text(into, unicode);
        err = NRS_OK;
    }
    idn2_free(unicode);
    return err;
}
