// indicator_parts.h - what the files of the module indicator share; nothing else includes it
// Threads:  an object belongs to the thread that uses it.

#ifndef NRS_INDICATOR_PARTS_H
#define NRS_INDICATOR_PARTS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

enum { NRS_VALUE_BYTES_MAX = 8192 }; // of a value as given, and of its canonical form

// One value on its way to the canonical form.
typedef struct nrs_canon {
    uint64_t kind;         // as given; a step may change it to what the value really is
    nrs_bytes_t text;      // trimmed, refanged, not empty, at most NRS_VALUE_BYTES_MAX
    nrs_buf_t *into;       // the result is appended; the caller cuts it off again on failure
    nrs_problem_t *reterr; // may be NULL
} nrs_canon_t;

// A step: append the canonical form of `text`. Errors: NRS_E_FORMAT, NRS_E_LIMIT, with *reterr.
typedef nrs_err_t
nrs_canon_step_t(nrs_canon_t *self);

// Say why not. Returns NRS_E_FORMAT. The reason never quotes the value.
nrs_err_t
nrs_canon_refuse(nrs_canon_t *self, const char *why);

// --- indicator_refang.c --------------------------------------------------------------------------

typedef enum nrs_trim {
    NRS_TRIM_BLANKS, // free text keeps its quotes
    NRS_TRIM_QUOTES, // also quotes and angle brackets around the value
} nrs_trim_t;

// Cut blanks (ASCII, U+00A0, U+3000, zero-width) and, if asked, quotes from both ends.
nrs_bytes_t
nrs_canon_trim(nrs_bytes_t text, nrs_trim_t trim);
// Undo what people do to make an indicator harmless. The result is `text` itself, or stands in
// `room`.
nrs_bytes_t
nrs_refang_host(nrs_bytes_t text, uint8_t room[NRS_VALUE_BYTES_MAX]);
// The same for the scheme and the authority of a URL; the path and what follows stay as they are.
nrs_bytes_t
nrs_refang_url(nrs_bytes_t text, uint8_t room[NRS_VALUE_BYTES_MAX]);

// --- indicator_host.c ----------------------------------------------------------------------------

// Append a host name as A-label; a name that ends in a number must be an IPv4 address. `loose` also
// takes the forms that browsers take (octal, hexadecimal, fewer than four parts). *ret_address: it
// was one.
nrs_err_t
nrs_canon_host(nrs_canon_t *self, nrs_bytes_t host, bool loose, bool *ret_address);
nrs_canon_step_t nrs_canon_domain;
nrs_canon_step_t nrs_canon_address; // ipv4, ipv6 and cidr
nrs_canon_step_t nrs_canon_email;

// --- indicator_url.c -----------------------------------------------------------------------------

nrs_canon_step_t nrs_canon_url;

// --- indicator_token.c ---------------------------------------------------------------------------

nrs_canon_step_t nrs_canon_plain;
nrs_canon_step_t nrs_canon_hash;
nrs_canon_step_t nrs_canon_ssdeep;
nrs_canon_step_t nrs_canon_tlsh;
nrs_canon_step_t nrs_canon_certificate;
nrs_canon_step_t nrs_canon_asn;
nrs_canon_step_t nrs_canon_cve;
nrs_canon_step_t nrs_canon_attack;
nrs_canon_step_t nrs_canon_crypto;

// --- indicator_number.c --------------------------------------------------------------------------

nrs_canon_step_t nrs_canon_phone;
nrs_canon_step_t nrs_canon_bank;
nrs_canon_step_t nrs_canon_card;

// --- ASCII, without the locale -------------------------------------------------------------------

static inline bool
nrs_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}
static inline uint8_t
nrs_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}
static inline uint8_t
nrs_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}
static inline bool
nrs_is_alpha(uint8_t c)
{
    return nrs_lower(c) >= 'a' && nrs_lower(c) <= 'z';
}
static inline bool
nrs_is_alnum(uint8_t c)
{
    return nrs_is_alpha(c) || nrs_is_digit(c);
}
// 0..15, or -1.
static inline int
nrs_hex_digit(uint8_t c)
{
    uint8_t low = nrs_lower(c);
    return nrs_is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}
static inline nrs_bytes_t
nrs_bytes_from(nrs_bytes_t text, size_t start)
{
    return nrs_bytes(text.data + start, text.size - start);
}
// Does `text` begin with `word` (lower case), compared without case?
static inline bool
nrs_has_prefix(nrs_bytes_t text, const char *word)
{
    size_t i = 0;
    while (word[i] && i < text.size && nrs_lower(text.data[i]) == (uint8_t)word[i])
        i++;
    return word[i] == 0;
}

#endif
