// Numbers that people write with blanks and hyphens, in ASCII or full width: telephones, bank
// accounts, cards.

#include "common/indicator_parts.h"

enum { PHONE_DIGITS_MIN = 3, PHONE_DIGITS_MAX = 15 }; // ITU-T E.164: 15; short codes have 3
enum { IBAN_BYTES_MIN = 15, IBAN_BYTES_MAX = 34 };    // ISO 13616
enum { ACCOUNT_DIGITS_MIN = 5, ACCOUNT_DIGITS_MAX = 34 };
enum { BIN_DIGITS_MIN = 6, BIN_DIGITS_MAX = 8 }; // ISO/IEC 7812
enum { TOKEN_BYTES_MAX = 64 };

// One character as the ASCII one it stands for: full-width forms U+FF01..U+FF5E lose their width;
// dashes U+2010..U+2015, U+2212, U+30FC and U+FF70 become '-'; U+3000 and U+00A0 become ' '.
// Returns its length.
static size_t
s_narrow(nrs_bytes_t text, uint8_t *ret_byte)
{
    const uint8_t *p = text.data;
    *ret_byte = p[0];
    if (text.size >= 2 && p[0] == 0xc2 && p[1] == 0xa0) {
        *ret_byte = ' ';
        return 2;
    }
    if (text.size < 3 || p[0] < 0xe0)
        return 1;
    unsigned code = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    if (code >= 0xff01 && code <= 0xff5e)
        *ret_byte = (uint8_t)(code - 0xfee0);
    else if ((code >= 0x2010 && code <= 0x2015) || code == 0x2212 || code == 0x30fc ||
             code == 0xff70)
        *ret_byte = '-';
    else if (code == 0x3000)
        *ret_byte = ' ';
    return 3;
}

// Copy to `room` without the bytes in `drop`. Returns the length, or 0 when it is empty or too
// long.
static size_t
s_squeeze(nrs_bytes_t text, const char *drop, uint8_t room[TOKEN_BYTES_MAX])
{
    size_t out = 0;
    for (size_t i = 0; i < text.size;) {
        uint8_t byte = 0;
        i += s_narrow(nrs_bytes_from(text, i), &byte);
        if (byte && strchr(drop, byte))
            continue;
        if (out == TOKEN_BYTES_MAX)
            return 0;
        room[out++] = nrs_upper(byte);
    }
    return out;
}

static bool
s_all_digits(nrs_bytes_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!nrs_is_digit(text.data[i]))
            return false;
    }
    return text.size > 0;
}

nrs_err_t
nrs_canon_phone(nrs_canon_t *self)
{
    uint8_t room[TOKEN_BYTES_MAX];
    nrs_bytes_t text =
        nrs_has_prefix(self->text, "tel:") ? nrs_bytes_from(self->text, 4) : self->text;
    size_t size = s_squeeze(text, " -./", room);
    // "+81 (0)3 ...": the trunk prefix in brackets is not dialled behind a country code.
    uint8_t *trunk = size > 0 && room[0] == '+' ? memmem(room, size, "(0)", 3) : NULL;
    if (trunk) {
        memmove(trunk, trunk + 3, size - 3 - (size_t)(trunk - room));
        size -= 3;
    }
    uint8_t bare[TOKEN_BYTES_MAX];
    size = s_squeeze(nrs_bytes(room, size), "()", bare);
    nrs_bytes_t number = nrs_bytes(bare, size);
    nrs_bytes_t digits = size > 0 && bare[0] == '+' ? nrs_bytes_from(number, 1) : number;
    if (!s_all_digits(digits) || digits.size < PHONE_DIGITS_MIN || digits.size > PHONE_DIGITS_MAX)
        return nrs_canon_refuse(self,
                                "a phone number has 3 to 15 digits, with or without + before them");
    nrs_buf_put(self->into, number.data, number.size);
    return NRS_OK;
}

// ISO 7064 mod 97-10 over the number with its first four characters moved to the end.
static bool
s_iban_ok(nrs_bytes_t text)
{
    unsigned rest = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[(i + 4) % text.size];
        if (!nrs_is_alnum(c))
            return false;
        unsigned value = nrs_is_digit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
        rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    }
    return rest == 1;
}

nrs_err_t
nrs_canon_bank(nrs_canon_t *self)
{
    uint8_t room[TOKEN_BYTES_MAX];
    nrs_bytes_t number = nrs_bytes(room, s_squeeze(self->text, " -", room));
    bool iban = number.size > 4 && nrs_is_alpha(room[0]) && nrs_is_alpha(room[1]) &&
                nrs_is_digit(room[2]) && nrs_is_digit(room[3]);
    if (iban &&
        (number.size < IBAN_BYTES_MIN || number.size > IBAN_BYTES_MAX || !s_iban_ok(number)))
        return nrs_canon_refuse(self, "the IBAN's check digits are wrong");
    bool account = s_all_digits(number) && number.size >= ACCOUNT_DIGITS_MIN &&
                   number.size <= ACCOUNT_DIGITS_MAX;
    if (!iban && !account)
        return nrs_canon_refuse(
            self, "a bank account is an IBAN, or 5 to 34 digits: bank, branch, kind, number");
    nrs_buf_put(self->into, number.data, number.size);
    return NRS_OK;
}

nrs_err_t
nrs_canon_card(nrs_canon_t *self)
{
    uint8_t room[TOKEN_BYTES_MAX];
    nrs_bytes_t number = nrs_bytes(room, s_squeeze(self->text, " -", room));
    if (!s_all_digits(number) || number.size < BIN_DIGITS_MIN || number.size > BIN_DIGITS_MAX)
        return nrs_canon_refuse(self,
                                "a card BIN has 6 to 8 digits; whole card numbers are not taken");
    nrs_buf_put(self->into, number.data, number.size);
    return NRS_OK;
}
