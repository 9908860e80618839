// Values of a fixed shape: hashes, CVE, ATT&CK, ASN, cryptocurrency addresses; and texts that are
// kept as they are.

#include "common/indicator_parts.h"

nrs_err_t
nrs_canon_plain(nrs_canon_t *self)
{
    nrs_buf_put(self->into, self->text.data, self->text.size);
    return NRS_OK;
}

static void
s_put_lower(nrs_buf_t *into, nrs_bytes_t text)
{
    uint8_t *room = nrs_buf_reserve(into, text.size);
    for (size_t i = 0; i < text.size; i++)
        room[i] = nrs_lower(text.data[i]);
    into->size += text.size;
}

static void
s_put_upper(nrs_buf_t *into, nrs_bytes_t text)
{
    uint8_t *room = nrs_buf_reserve(into, text.size);
    for (size_t i = 0; i < text.size; i++)
        room[i] = nrs_upper(text.data[i]);
    into->size += text.size;
}

static bool
s_all_hex(nrs_bytes_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (nrs_hex_digit(text.data[i]) < 0)
            return false;
    }
    return text.size > 0;
}

// How many digits stand at `start`.
static size_t
s_digits(nrs_bytes_t text, size_t start)
{
    size_t n = 0;
    while (start + n < text.size && nrs_is_digit(text.data[start + n]))
        n++;
    return n;
}

// --- hashes --------------------------------------------------------------------------------------

static size_t
s_hash_digits(uint64_t kind)
{
    switch (kind) {
    case NRS_KIND_MD5:
        return 32;
    case NRS_KIND_SHA1:
        return 40;
    case NRS_KIND_SHA256:
        return 64;
    default:
        return 128;
    }
}

// A length that contradicts the label is refused rather than relabelled: one of the two is wrong,
// and nobody knows which.
nrs_err_t
nrs_canon_hash(nrs_canon_t *self)
{
    if (self->text.size != s_hash_digits(self->kind))
        return nrs_canon_refuse(self, "the length does not fit this kind of hash");
    if (!s_all_hex(self->text))
        return nrs_canon_refuse(self, "a hash has hexadecimal digits only");
    s_put_lower(self->into, self->text);
    return NRS_OK;
}

// blocksize ":" chunk ":" chunk, the chunks in base 64.
nrs_err_t
nrs_canon_ssdeep(nrs_canon_t *self)
{
    nrs_bytes_t text = self->text;
    size_t at = s_digits(text, 0);
    size_t colons = 0;
    bool good = at > 0 && at <= 10 && text.size <= 148 && at < text.size && text.data[at] == ':';
    for (size_t i = at; good && i < text.size; i++) {
        colons += text.data[i] == ':';
        good = nrs_is_alnum(text.data[i]) || memchr("+/:", text.data[i], 3);
    }
    if (!good || colons != 2)
        return nrs_canon_refuse(self, "an ssdeep hash is blocksize:chunk:chunk");
    return nrs_canon_plain(self);
}

// 70 digits, since version 4 behind "T1"; written upper-case, as its own tools do.
nrs_err_t
nrs_canon_tlsh(nrs_canon_t *self)
{
    nrs_bytes_t digits =
        nrs_has_prefix(self->text, "t1") ? nrs_bytes_from(self->text, 2) : self->text;
    if (digits.size != 70 || !s_all_hex(digits))
        return nrs_canon_refuse(self,
                                "a TLSH has 70 hexadecimal digits, with or without T1 before them");
    nrs_buf_put_text(self->into, "T1");
    s_put_upper(self->into, digits);
    return NRS_OK;
}

// Hexadecimal, with or without colons between the bytes.
nrs_err_t
nrs_canon_certificate(nrs_canon_t *self)
{
    size_t start = self->into->size;
    for (size_t i = 0; i < self->text.size; i++) {
        uint8_t c = nrs_lower(self->text.data[i]);
        if (c == ':' && i % 3 == 2)
            continue;
        if (nrs_hex_digit(c) < 0)
            return nrs_canon_refuse(self, "a certificate's hash has hexadecimal digits only");
        nrs_buf_put(self->into, &c, 1);
    }
    size_t digits = self->into->size - start;
    if (digits != 40 && digits != 64)
        return nrs_canon_refuse(self, "a certificate's hash is a SHA-1 or a SHA-256");
    return NRS_OK;
}

// --- names and numbers ---------------------------------------------------------------------------

// "AS64496", "ASN 64496", "64496".
nrs_err_t
nrs_canon_asn(nrs_canon_t *self)
{
    size_t at = nrs_has_prefix(self->text, "asn") ? 3 : nrs_has_prefix(self->text, "as") ? 2 : 0;
    while (at > 0 && at < self->text.size && self->text.data[at] == ' ')
        at++;
    size_t count = s_digits(self->text, at);
    uint64_t number = 0;
    for (size_t i = at; i < at + count && number <= UINT32_MAX; i++)
        number = number * 10 + (uint64_t)(self->text.data[i] - '0');
    if (count == 0 || at + count != self->text.size || number == 0 || number > UINT32_MAX)
        return nrs_canon_refuse(self, "an autonomous system is a number from 1 to 4294967295");
    nrs_buf_printf(self->into, "%u", (unsigned)number);
    return NRS_OK;
}

// CVE-YYYY-NNNN, four digits or more at the end.
nrs_err_t
nrs_canon_cve(nrs_canon_t *self)
{
    nrs_bytes_t text = self->text;
    bool good = text.size >= 13 && text.size <= 28 && nrs_has_prefix(text, "cve-") &&
                s_digits(text, 4) == 4 && text.data[8] == '-' && s_digits(text, 9) >= 4 &&
                9 + s_digits(text, 9) == text.size;
    if (!good)
        return nrs_canon_refuse(self, "a CVE id is CVE-, a year, and four digits or more");
    s_put_upper(self->into, text);
    return NRS_OK;
}

// Tnnnn or Tnnnn.nnn.
nrs_err_t
nrs_canon_attack(nrs_canon_t *self)
{
    nrs_bytes_t text = self->text;
    bool good =
        nrs_has_prefix(text, "t") && s_digits(text, 1) == 4 &&
        (text.size == 5 || (text.size == 9 && text.data[5] == '.' && s_digits(text, 6) == 3));
    if (!good)
        return nrs_canon_refuse(
            self, "an ATT&CK technique is T and four digits, and perhaps a dot and three");
    s_put_upper(self->into, text);
    return NRS_OK;
}

// --- cryptocurrency addresses --------------------------------------------------------------------

// Only the shape: there are more currencies than checksums we could know. The two forms that ignore
// case are lowered, so that one address has one key: hexadecimal (EIP-55) and bech32 (BIP 173).
nrs_err_t
nrs_canon_crypto(nrs_canon_t *self)
{
    nrs_bytes_t text = self->text;
    bool good = text.size >= 20 && text.size <= 128;
    for (size_t i = 0; good && i < text.size; i++)
        good = nrs_is_alnum(text.data[i]) || memchr(":_-", text.data[i], 3);
    if (!good)
        return nrs_canon_refuse(self, "a cryptocurrency address has 20 to 128 letters and digits");
    bool hex = text.size == 42 && nrs_has_prefix(text, "0x") && s_all_hex(nrs_bytes_from(text, 2));
    if (hex || nrs_has_prefix(text, "bc1") || nrs_has_prefix(text, "ltc1"))
        s_put_lower(self->into, text);
    else
        nrs_buf_put(self->into, text.data, text.size);
    return NRS_OK;
}
