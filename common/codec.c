#include "common/codec.h"

#include <msgpack/pack.h>

// --- write: msgpack-c packs, our buffer takes the bytes ------------------------------------------

static int
s_write(void *data, const char *bytes, size_t length)
{
    nrs_buf_put(data, bytes, length);
    return 0;
}

static inline msgpack_packer
s_packer(nrs_buf_t *into)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, into, s_write);
    return packer;
}

void
nrs_pack_nil(nrs_buf_t *into)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_nil(&packer);
}

void
nrs_pack_bool(nrs_buf_t *into, bool value)
{
    msgpack_packer packer = s_packer(into);
    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void
nrs_pack_uint(nrs_buf_t *into, uint64_t value)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_uint64(&packer, value);
}

void
nrs_pack_str(nrs_buf_t *into, nrs_bytes_t text)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_str(&packer, text.size);
    msgpack_pack_str_body(&packer, text.data, text.size);
}

void
nrs_pack_bin(nrs_buf_t *into, nrs_bytes_t data)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_bin(&packer, data.size);
    msgpack_pack_bin_body(&packer, data.data, data.size);
}

void
nrs_pack_array(nrs_buf_t *into, uint32_t count)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_array(&packer, count);
}

void
nrs_pack_map(nrs_buf_t *into, uint32_t count)
{
    msgpack_packer packer = s_packer(into);
    msgpack_pack_map(&packer, count);
}

void
nrs_pack_fixed(nrs_buf_t *into, uint64_t value, unsigned width)
{
    msgpack_packer packer = s_packer(into);
    switch (width) {
    case 2:
        msgpack_pack_fix_uint16(&packer, (uint16_t)value);
        break;
    case 4:
        msgpack_pack_fix_uint32(&packer, (uint32_t)value);
        break;
    default:
        NRS_ASSERT(width == 8);
        msgpack_pack_fix_uint64(&packer, value);
    }
}

// --- read ----------------------------------------------------------------------------------------

// What a first byte from 0xc0 on announces: the item, the bytes of the number or length behind it, and
// for EXT one type byte more. A length that follows is of content; that of a fixext is in `fixed`.
typedef struct s_shape {
    uint8_t item;
    uint8_t width;
    uint8_t fixed;
} s_shape_t;

static const s_shape_t s_shapes[0x20] = {
    [0x00] = { NRS_ITEM_NIL, 0, 0 },   [0x01] = { NRS_ITEM_BAD, 0, 0 },
    [0x02] = { NRS_ITEM_BOOL, 0, 0 },  [0x03] = { NRS_ITEM_BOOL, 0, 1 },
    [0x04] = { NRS_ITEM_BIN, 1, 0 },   [0x05] = { NRS_ITEM_BIN, 2, 0 },
    [0x06] = { NRS_ITEM_BIN, 4, 0 },   [0x07] = { NRS_ITEM_EXT, 1, 0 },
    [0x08] = { NRS_ITEM_EXT, 2, 0 },   [0x09] = { NRS_ITEM_EXT, 4, 0 },
    [0x0a] = { NRS_ITEM_FLOAT, 4, 0 }, [0x0b] = { NRS_ITEM_FLOAT, 8, 0 },
    [0x0c] = { NRS_ITEM_UINT, 1, 0 },  [0x0d] = { NRS_ITEM_UINT, 2, 0 },
    [0x0e] = { NRS_ITEM_UINT, 4, 0 },  [0x0f] = { NRS_ITEM_UINT, 8, 0 },
    [0x10] = { NRS_ITEM_INT, 1, 0 },   [0x11] = { NRS_ITEM_INT, 2, 0 },
    [0x12] = { NRS_ITEM_INT, 4, 0 },   [0x13] = { NRS_ITEM_INT, 8, 0 },
    [0x14] = { NRS_ITEM_EXT, 0, 1 },   [0x15] = { NRS_ITEM_EXT, 0, 2 },
    [0x16] = { NRS_ITEM_EXT, 0, 4 },   [0x17] = { NRS_ITEM_EXT, 0, 8 },
    [0x18] = { NRS_ITEM_EXT, 0, 16 },  [0x19] = { NRS_ITEM_STR, 1, 0 },
    [0x1a] = { NRS_ITEM_STR, 2, 0 },   [0x1b] = { NRS_ITEM_STR, 4, 0 },
    [0x1c] = { NRS_ITEM_ARRAY, 2, 0 }, [0x1d] = { NRS_ITEM_ARRAY, 4, 0 },
    [0x1e] = { NRS_ITEM_MAP, 2, 0 },   [0x1f] = { NRS_ITEM_MAP, 4, 0 },
};

static uint64_t
s_number(const uint8_t *p, unsigned width)
{
    switch (width) {
    case 1:
        return p[0];
    case 2:
        return nrs_get_be16(p);
    case 4:
        return nrs_get_be32(p);
    case 8:
        return nrs_get_be64(p);
    default:
        return 0;
    }
}

static uint64_t
s_sign_extend(uint64_t number, unsigned width)
{
    unsigned shift = 64 - 8 * width;
    return (uint64_t)((int64_t)(number << shift) >> shift);
}

static const nrs_head_t s_bad = { NRS_ITEM_BAD, 0, { NULL, 0 } };

// Content of `length` bytes follows at `at`.
static nrs_head_t
s_content(nrs_walk_t *walk, const uint8_t *at, nrs_item_t item, uint64_t length)
{
    if (length > (uint64_t)(walk->end - at))
        return s_bad;
    walk->at = at + length;
    return (nrs_head_t){ item, length, { at, (size_t)length } };
}

// A container of `count` items follows at `at`; each takes a byte at least.
static nrs_head_t
s_container(nrs_walk_t *walk, const uint8_t *at, nrs_item_t item, uint64_t count)
{
    uint64_t items = item == NRS_ITEM_MAP ? count * 2 : count;
    if (items > (uint64_t)(walk->end - at))
        return s_bad;
    walk->at = at;
    return (nrs_head_t){ item, count, { NULL, 0 } };
}

static nrs_head_t
s_number_head(nrs_walk_t *walk, const uint8_t *at, nrs_item_t item, uint64_t number)
{
    walk->at = at;
    return (nrs_head_t){ item, number, { NULL, 0 } };
}

// First bytes from 0xc0 to 0xdf.
static nrs_head_t
s_shaped(nrs_walk_t *walk, uint8_t first)
{
    s_shape_t shape = s_shapes[first - 0xc0];
    const uint8_t *at = walk->at + 1;
    if (shape.width > walk->end - at)
        return s_bad;
    uint64_t number = shape.width ? s_number(at, shape.width) : shape.fixed;
    at += shape.width;
    switch ((nrs_item_t)shape.item) {
    case NRS_ITEM_STR:
    case NRS_ITEM_BIN:
        return s_content(walk, at, shape.item, number);
    case NRS_ITEM_EXT: // its type byte counts as content
        return s_content(walk, at, shape.item, number + 1);
    case NRS_ITEM_ARRAY:
    case NRS_ITEM_MAP:
        return s_container(walk, at, shape.item, number);
    case NRS_ITEM_INT:
        number = s_sign_extend(number, shape.width);
        if ((int64_t)number >= 0)
            return s_number_head(walk, at, NRS_ITEM_UINT, number);
        return s_number_head(walk, at, NRS_ITEM_INT, number);
    case NRS_ITEM_BAD:
        return s_bad;
    default:
        return s_number_head(walk, at, shape.item, number);
    }
}

nrs_head_t
nrs_walk_next(nrs_walk_t *walk)
{
    if (walk->at == walk->end)
        return (nrs_head_t){ NRS_ITEM_END, 0, { NULL, 0 } };
    uint8_t first = *walk->at;
    if (first < 0x80)
        return s_number_head(walk, walk->at + 1, NRS_ITEM_UINT, first);
    if (first < 0x90)
        return s_container(walk, walk->at + 1, NRS_ITEM_MAP, first & 0x0f);
    if (first < 0xa0)
        return s_container(walk, walk->at + 1, NRS_ITEM_ARRAY, first & 0x0f);
    if (first < 0xc0)
        return s_content(walk, walk->at + 1, NRS_ITEM_STR, first & 0x1f);
    if (first < 0xe0)
        return s_shaped(walk, first);
    return s_number_head(walk, walk->at + 1, NRS_ITEM_INT, s_sign_extend(first, 1));
}

nrs_err_t
nrs_walk_skip(nrs_walk_t *walk)
{
    nrs_walk_t probe = *walk;
    uint64_t left[NRS_WALK_DEPTH_MAX]; // items still to come, in each container that is open
    unsigned depth = 0;
    for (;;) {
        nrs_head_t head = nrs_walk_next(&probe);
        if (head.item == NRS_ITEM_BAD || head.item == NRS_ITEM_END)
            return NRS_E_FORMAT;
        uint64_t inside = head.item == NRS_ITEM_ARRAY ? head.number
                          : head.item == NRS_ITEM_MAP ? head.number * 2
                                                      : 0;
        if (inside > 0) {
            if (depth == NRS_WALK_DEPTH_MAX)
                return NRS_E_LIMIT;
            left[depth++] = inside;
            continue;
        }
        while (depth > 0 && --left[depth - 1] == 0)
            depth--;
        if (depth == 0)
            break;
    }
    *walk = probe;
    return NRS_OK;
}

nrs_err_t
nrs_walk_uint(nrs_walk_t *walk, uint64_t max, uint64_t *ret_number)
{
    nrs_walk_t probe = *walk;
    nrs_head_t head = nrs_walk_next(&probe);
    if (head.item != NRS_ITEM_UINT || head.number > max)
        return NRS_E_FORMAT;
    *walk = probe;
    *ret_number = head.number;
    return NRS_OK;
}

static nrs_err_t
s_walk_content(nrs_walk_t *walk, nrs_item_t item, size_t max, nrs_bytes_t *ret_bytes)
{
    nrs_walk_t probe = *walk;
    nrs_head_t head = nrs_walk_next(&probe);
    if (head.item != item || head.bytes.size > max)
        return NRS_E_FORMAT;
    *walk = probe;
    *ret_bytes = head.bytes;
    return NRS_OK;
}

nrs_err_t
nrs_walk_str(nrs_walk_t *walk, size_t max, nrs_bytes_t *ret_text)
{
    return s_walk_content(walk, NRS_ITEM_STR, max, ret_text);
}

nrs_err_t
nrs_walk_bin(nrs_walk_t *walk, size_t max, nrs_bytes_t *ret_data)
{
    return s_walk_content(walk, NRS_ITEM_BIN, max, ret_data);
}

nrs_err_t
nrs_walk_array(nrs_walk_t *walk, uint32_t max, uint32_t *ret_count)
{
    nrs_walk_t probe = *walk;
    nrs_head_t head = nrs_walk_next(&probe);
    if (head.item != NRS_ITEM_ARRAY || head.number > max)
        return NRS_E_FORMAT;
    *walk = probe;
    *ret_count = (uint32_t)head.number;
    return NRS_OK;
}

bool
nrs_walk_nil(nrs_walk_t *walk)
{
    if (walk->at == walk->end || *walk->at != 0xc0)
        return false;
    walk->at++;
    return true;
}
