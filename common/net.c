#include "common/net.h"

#include <stdio.h>

static const uint8_t s_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

// Four decimal parts without leading zeros, nothing behind them.
static bool
s_parse_v4(const uint8_t *at, const uint8_t *end, uint8_t into[4])
{
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (at == end || *at++ != '.'))
            return false;
        const uint8_t *from = at;
        unsigned number = 0;
        while (at < end && at - from < 3 && *at >= '0' && *at <= '9')
            number = number * 10 + (unsigned)(*at++ - '0');
        if (at == from || number > 255 || (*from == '0' && at - from > 1))
            return false;
        into[part] = (uint8_t)number;
    }
    return at == end;
}

static int
s_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// One to four hexadecimal digits; returns where they end, NULL when there are none or too many.
static const uint8_t *
s_parse_group(const uint8_t *at, const uint8_t *end, uint8_t into[2])
{
    unsigned number = 0;
    int digits = 0;
    while (at < end && s_hex(*at) >= 0 && digits < 5) {
        number = number << 4 | (unsigned)s_hex(*at++);
        digits++;
    }
    if (digits == 0 || digits > 4)
        return NULL;
    into[0] = (uint8_t)(number >> 8);
    into[1] = (uint8_t)number;
    return at;
}

// Groups before the "::" stay where they are; those behind it move to the end.
static bool
s_spread(uint8_t into[16], size_t filled, size_t gap)
{
    if (gap == SIZE_MAX)
        return filled == 16;
    if (filled > 14)
        return false; // "::" stands for one group at least
    size_t tail = filled - gap;
    memmove(into + 16 - tail, into + gap, tail);
    memset(into + gap, 0, 16 - filled);
    return true;
}

// The groups of an IPv6 address while they are read.
typedef struct s_groups {
    uint8_t bytes[16];
    size_t filled;
    size_t gap; // bytes in front of the "::"; SIZE_MAX: none so far
} s_groups_t;

// One group, or the dotted IPv4 address that may stand for the last two. Returns where it ends, or
// NULL.
static const uint8_t *
s_parse_piece(const uint8_t *at, const uint8_t *end, s_groups_t *groups)
{
    if (groups->filled == 16)
        return NULL;
    uint8_t *into = groups->bytes + groups->filled;
    const uint8_t *next = s_parse_group(at, end, into);
    if (next && next < end && *next == '.') {
        if (groups->filled > 12 || !s_parse_v4(at, end, into))
            return NULL;
        groups->filled += 4;
        return end;
    }
    groups->filled += next ? 2 : 0;
    return next;
}

static bool
s_parse_v6(const uint8_t *at, const uint8_t *end, uint8_t into[16])
{
    s_groups_t groups = { .gap = SIZE_MAX };
    if (end - at >= 2 && at[0] == ':' && at[1] == ':') {
        groups.gap = 0;
        at += 2;
    }
    while (at < end) {
        at = s_parse_piece(at, end, &groups);
        if (at == end)
            break;
        if (!at || *at++ != ':' || at == end)
            return false;
        if (*at != ':')
            continue;
        if (groups.gap != SIZE_MAX)
            return false;
        groups.gap = groups.filled;
        at++;
    }
    if (!s_spread(groups.bytes, groups.filled, groups.gap))
        return false;
    memcpy(into, groups.bytes, 16);
    return true;
}

nrs_err_t
nrs_address_parse(nrs_bytes_t text, nrs_address_t *ret_address)
{
    if (text.size < 2 || text.size >= NRS_ADDRESS_TEXT_BYTES)
        return NRS_E_FORMAT;
    nrs_address_t address = { .v4 = true };
    const uint8_t *end = text.data + text.size;
    memcpy(address.bytes, s_mapped, sizeof s_mapped);
    if (!s_parse_v4(text.data, end, address.bytes + 12)) {
        if (!s_parse_v6(text.data, end, address.bytes))
            return NRS_E_FORMAT;
        address.v4 = memcmp(address.bytes, s_mapped, sizeof s_mapped) == 0;
    }
    *ret_address = address;
    return NRS_OK;
}

// Up to three decimal digits without a leading zero; -1 when it is not that.
static int
s_parse_bits(nrs_bytes_t text)
{
    if (text.size == 0 || text.size > 3 || (text.data[0] == '0' && text.size > 1))
        return -1;
    int bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        bits = bits * 10 + (text.data[i] - '0');
    }
    return bits;
}

// Bits from `from` (0..128) to the end become zeros or ones.
static void
s_fill(uint8_t bytes[16], unsigned from, uint8_t with)
{
    if (from >= 128)
        return;
    unsigned at = from / 8;
    uint8_t host = (uint8_t)(0xff >> (from % 8));
    bytes[at] = (uint8_t)((bytes[at] & ~host) | (with & host));
    memset(bytes + at + 1, with, 15 - at);
}

static unsigned
s_offset(const nrs_prefix_t *prefix)
{
    return prefix->bits + (prefix->address.v4 ? 96u : 0u);
}

nrs_err_t
nrs_prefix_parse(nrs_bytes_t text, nrs_prefix_t *ret_prefix)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    nrs_bytes_t head = slash ? nrs_bytes(text.data, (size_t)(slash - text.data)) : text;
    nrs_prefix_t prefix;
    nrs_err_t err = nrs_address_parse(head, &prefix.address);
    if (err)
        return err;
    int width = prefix.address.v4 ? 32 : 128;
    int bits = width;
    if (slash) {
        bits = s_parse_bits(nrs_bytes(slash + 1, text.size - head.size - 1));
        // A mapped address counts its bits from the front of the 128 (RFC 4291, section 2.3).
        if (prefix.address.v4 && memchr(head.data, ':', head.size))
            bits = bits > 128 ? -1 : bits - 96;
    }
    if (bits < 0 || bits > width)
        return NRS_E_FORMAT;
    prefix.bits = (uint8_t)bits;
    s_fill(prefix.address.bytes, s_offset(&prefix), 0);
    *ret_prefix = prefix;
    return NRS_OK;
}

void
nrs_prefix_last(const nrs_prefix_t *prefix, nrs_address_t *ret_address)
{
    *ret_address = prefix->address;
    s_fill(ret_address->bytes, s_offset(prefix), 0xff);
}

bool
nrs_prefix_holds(const nrs_prefix_t *prefix, const nrs_address_t *address)
{
    if (prefix->address.v4 != address->v4)
        return false;
    nrs_address_t network = *address;
    s_fill(network.bytes, s_offset(prefix), 0);
    return memcmp(network.bytes, prefix->address.bytes, 16) == 0;
}

// The longest run of two or more zero groups; the first of equals (RFC 5952, section 4.2).
static void
s_longest_gap(const uint8_t bytes[16], int *ret_from, int *ret_groups)
{
    int best_from = -1, best = 1;
    for (int i = 0; i < 8; i++) {
        int groups = 0;
        while (i + groups < 8 && bytes[2 * (i + groups)] == 0 && bytes[2 * (i + groups) + 1] == 0)
            groups++;
        if (groups > best) {
            best_from = i;
            best = groups;
        }
        if (groups > 0)
            i += groups - 1;
    }
    *ret_from = best_from;
    *ret_groups = best;
}

size_t
nrs_address_print(const nrs_address_t *address, char *into)
{
    const uint8_t *b = address->bytes;
    if (address->v4)
        return (size_t)snprintf(into, NRS_ADDRESS_TEXT_BYTES, "%u.%u.%u.%u", b[12], b[13], b[14],
                                b[15]);
    int gap, groups;
    s_longest_gap(b, &gap, &groups);
    size_t size = 0;
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            size += (size_t)snprintf(into + size, NRS_ADDRESS_TEXT_BYTES - size, "::");
            i += groups - 1;
            continue;
        }
        bool colon = i > 0 && i != gap + groups;
        unsigned group = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
        size += (size_t)snprintf(into + size, NRS_ADDRESS_TEXT_BYTES - size, "%s%x",
                                 colon ? ":" : "", group);
    }
    return size;
}
