// Host names, addresses and e-mail addresses.

#include "common/idn.h"
#include "common/indicator_parts.h"
#include "common/net.h"

enum { LOCAL_PART_BYTES_MAX = 64 }; // RFC 5321, section 4.5.3.1.1
enum { ADDRESS_TEXT_MAX = 46 };     // nrs_address_print()

// --- IPv4 as browsers read it --------------------------------------------------------------------

// Does the last label read as a number? Then the host is an address or nothing (WHATWG URL,
// section 3.5).
static bool
s_ends_in_number(nrs_bytes_t host)
{
    const uint8_t *dot = memrchr(host.data, '.', host.size);
    nrs_bytes_t label = nrs_bytes_from(host, dot ? (size_t)(dot + 1 - host.data) : 0);
    if (label.size == 0 || !nrs_is_digit(label.data[0]))
        return false;
    bool hex = label.size >= 2 && label.data[0] == '0' && label.data[1] == 'x';
    for (size_t i = hex ? 2 : 1; i < label.size; i++) {
        if (hex ? nrs_hex_digit(label.data[i]) < 0 : !nrs_is_digit(label.data[i]))
            return false;
    }
    return true;
}

// One part: decimal, 0octal or 0xhexadecimal, below 2^32.
static bool
s_loose_part(nrs_bytes_t part, uint64_t *ret_number)
{
    unsigned base = 10;
    size_t i = 0;
    if (part.size >= 2 && part.data[0] == '0') {
        base = nrs_lower(part.data[1]) == 'x' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    uint64_t number = 0;
    for (; i < part.size; i++) {
        int digit = nrs_hex_digit(part.data[i]);
        if (digit < 0 || (unsigned)digit >= base || number > UINT32_MAX)
            return false;
        number = number * base + (unsigned)digit;
    }
    *ret_number = number;
    return part.size > 0 && number <= UINT32_MAX;
}

// One to four parts; the last one fills what the others leave (0x7f.1 is 127.0.0.1).
static bool
s_loose_ipv4(nrs_bytes_t host, nrs_address_t *ret_address)
{
    uint64_t parts[4];
    size_t count = 0;
    for (nrs_bytes_t rest = host;; count++) {
        const uint8_t *dot = memchr(rest.data, '.', rest.size);
        nrs_bytes_t part = nrs_bytes(rest.data, dot ? (size_t)(dot - rest.data) : rest.size);
        if (count == 4 || !s_loose_part(part, &parts[count]))
            return false;
        if (!dot)
            break;
        rest = nrs_bytes_from(rest, part.size + 1);
    }
    uint64_t number = parts[count];
    if (number >> (8 * (4 - count)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (parts[i] > 255)
            return false;
        number |= parts[i] << (24 - 8 * i);
    }
    *ret_address = (nrs_address_t){ .bytes = { [10] = 0xff, [11] = 0xff }, .v4 = true };
    nrs_put_be32(ret_address->bytes + 12, (uint32_t)number);
    return true;
}

// --- hosts ---------------------------------------------------------------------------------------

static nrs_err_t
s_name_problem(nrs_canon_t *self, nrs_err_t err)
{
    if (err == NRS_E_LIMIT)
        return nrs_problem_set(self->reterr, err, NULL, 0, 0,
                               "the host name has more than 253 bytes, or a label more than 63");
    return nrs_canon_refuse(
        self, "the host name has an empty label or a character that names cannot have");
}

nrs_err_t
nrs_canon_host(nrs_canon_t *self, nrs_bytes_t host, bool loose, bool *ret_address)
{
    size_t start = self->into->size;
    *ret_address = false;
    nrs_err_t err = nrs_idn_ascii(host, self->into);
    if (err)
        return s_name_problem(self, err);

    nrs_bytes_t name = nrs_bytes_from(nrs_buf_bytes(self->into), start);
    if (!s_ends_in_number(name))
        return NRS_OK;
    nrs_address_t address;
    bool known = loose ? s_loose_ipv4(name, &address) : !nrs_address_parse(name, &address);
    if (!known)
        return nrs_canon_refuse(self, "the host ends in a number and is no IPv4 address");
    char text[ADDRESS_TEXT_MAX];
    size_t length = nrs_address_print(&address, text);
    self->into->size = start;
    nrs_buf_put(self->into, text, length);
    *ret_address = true;
    return NRS_OK;
}

// "*.example.com" and ".example.com" are ways to write "example.com and what is below it".
static nrs_bytes_t
s_without_wildcard(nrs_bytes_t name)
{
    if (name.size > 2 && name.data[0] == '*' && name.data[1] == '.')
        return nrs_bytes_from(name, 2);
    return name.size > 1 && name.data[0] == '.' ? nrs_bytes_from(name, 1) : name;
}

static nrs_bytes_t
s_without_stops(nrs_bytes_t text)
{
    while (text.size > 0 && memchr(".,;", text.data[text.size - 1], 3))
        text.size--;
    return text;
}

nrs_err_t
nrs_canon_domain(nrs_canon_t *self)
{
    nrs_bytes_t name = s_without_wildcard(s_without_stops(self->text));
    size_t start = self->into->size;
    bool address = false;
    nrs_err_t err = nrs_canon_host(self, name, false, &address);
    if (err)
        return err;
    nrs_bytes_t made = nrs_bytes_from(nrs_buf_bytes(self->into), start);
    if (address)
        self->kind = NRS_KIND_IPV4; // "host" columns carry both
    else if (!memchr(made.data, '.', made.size))
        return nrs_canon_refuse(self, "a domain has at least two labels");
    return NRS_OK;
}

// --- addresses -----------------------------------------------------------------------------------

// ::ffff:192.0.2.1 is 192.0.2.1 (RFC 4291, section 2.5.5.2): one key for one host.
static void
s_unmap(nrs_address_t *address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (memcmp(address->bytes, mapped, sizeof mapped) == 0)
        address->v4 = true;
}

static void
s_put_address(nrs_canon_t *self, nrs_address_t *address)
{
    char text[ADDRESS_TEXT_MAX];
    s_unmap(address);
    nrs_buf_put(self->into, text, nrs_address_print(address, text));
    self->kind = address->v4 ? NRS_KIND_IPV4 : NRS_KIND_IPV6;
}

static nrs_err_t
s_put_prefix(nrs_canon_t *self, nrs_bytes_t text)
{
    nrs_prefix_t prefix;
    if (nrs_prefix_parse(text, &prefix))
        return nrs_canon_refuse(self, "not an address and a prefix length");
    bool whole = prefix.bits == (prefix.address.v4 ? 32 : 128);
    if (whole) {
        s_put_address(self, &prefix.address);
        return NRS_OK;
    }
    char name[ADDRESS_TEXT_MAX];
    nrs_buf_put(self->into, name, nrs_address_print(&prefix.address, name));
    nrs_buf_printf(self->into, "/%u", prefix.bits);
    self->kind = NRS_KIND_CIDR;
    return NRS_OK;
}

nrs_err_t
nrs_canon_address(nrs_canon_t *self)
{
    nrs_bytes_t text = s_without_stops(self->text);
    if (text.size > 2 && text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = nrs_bytes(text.data + 1, text.size - 2);
    if (memchr(text.data, '/', text.size))
        return s_put_prefix(self, text);
    nrs_address_t address;
    if (nrs_address_parse(text, &address))
        return nrs_canon_refuse(self, "not an IP address; a port belongs into a field of its own");
    s_put_address(self, &address);
    return NRS_OK;
}

// --- e-mail addresses ----------------------------------------------------------------------------

// Quoted local parts are refused: no feed has them, and they hide other addresses.
static bool
s_local_part_ok(nrs_bytes_t local)
{
    if (local.size == 0 || local.size > LOCAL_PART_BYTES_MAX)
        return false;
    for (size_t i = 0; i < local.size; i++) {
        if (local.data[i] <= ' ' || memchr("\"(),:;<>[\\]@", local.data[i], 12))
            return false;
    }
    return true;
}

// "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321, section 4.1.3).
static nrs_err_t
s_put_literal(nrs_canon_t *self, nrs_bytes_t text)
{
    nrs_bytes_t inner = nrs_bytes(text.data + 1, text.size - 2);
    bool v6 = nrs_has_prefix(inner, "ipv6:");
    nrs_address_t address;
    if (nrs_address_parse(v6 ? nrs_bytes_from(inner, 5) : inner, &address) || address.v4 == v6)
        return nrs_canon_refuse(self, "the e-mail address has no valid address literal");
    char name[ADDRESS_TEXT_MAX];
    nrs_buf_put_text(self->into, v6 ? "[IPv6:" : "[");
    nrs_buf_put(self->into, name, nrs_address_print(&address, name));
    nrs_buf_put_text(self->into, "]");
    return NRS_OK;
}

nrs_err_t
nrs_canon_email(nrs_canon_t *self)
{
    nrs_bytes_t text = s_without_stops(self->text);
    if (nrs_has_prefix(text, "mailto:"))
        text = nrs_bytes_from(text, 7);
    const uint8_t *at = text.size ? memrchr(text.data, '@', text.size) : NULL;
    if (!at)
        return nrs_canon_refuse(self, "an e-mail address has an @");
    nrs_bytes_t local = nrs_bytes(text.data, (size_t)(at - text.data));
    nrs_bytes_t host = nrs_bytes_from(text, local.size + 1);
    if (!s_local_part_ok(local))
        return nrs_canon_refuse(self, "the part before the @ is empty, too long or not plain");
    nrs_buf_put(self->into, text.data, local.size + 1);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        return s_put_literal(self, host);

    size_t start = self->into->size;
    bool address = false;
    nrs_err_t err = nrs_canon_host(self, host, false, &address);
    if (err)
        return err;
    nrs_bytes_t made = nrs_bytes_from(nrs_buf_bytes(self->into), start);
    if (address || !memchr(made.data, '.', made.size))
        return nrs_canon_refuse(self, "the part behind the @ is no domain name");
    return NRS_OK;
}
