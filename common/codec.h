// codec.h - MessagePack: write through msgpack-c, read with a bounded walk that allocates nothing
// Shape:    https://github.com/msgpack/msgpack/blob/master/spec.md
// Cost:     writing one item is a copy of a few bytes; reading is O(bytes), depth at most NRS_WALK_DEPTH_MAX.

#ifndef NRS_CODEC_H
#define NRS_CODEC_H

#include "common/base.h"
#include "common/buf.h"

enum { NRS_WALK_DEPTH_MAX = 16 };

// --- write ---------------------------------------------------------------------------------------

void
nrs_pack_nil(nrs_buf_t *into);
void
nrs_pack_bool(nrs_buf_t *into, bool value);
void
nrs_pack_uint(nrs_buf_t *into, uint64_t value);
void
nrs_pack_str(nrs_buf_t *into, nrs_bytes_t text);
void
nrs_pack_bin(nrs_buf_t *into, nrs_bytes_t data);
void
nrs_pack_array(nrs_buf_t *into, uint32_t count);
void
nrs_pack_map(nrs_buf_t *into, uint32_t count);
// Unsigned of a fixed width of 2, 4 or 8 bytes, so that it can be overwritten in place later.
void
nrs_pack_fixed(nrs_buf_t *into, uint64_t value, unsigned width);

// --- read ----------------------------------------------------------------------------------------

typedef enum nrs_item {
    NRS_ITEM_END,   // no bytes left
    NRS_ITEM_NIL,
    NRS_ITEM_BOOL,
    NRS_ITEM_UINT,
    NRS_ITEM_INT,   // negative
    NRS_ITEM_FLOAT,
    NRS_ITEM_STR,
    NRS_ITEM_BIN,
    NRS_ITEM_ARRAY,
    NRS_ITEM_MAP,
    NRS_ITEM_EXT,
    NRS_ITEM_BAD,   // reserved byte, or the item does not end before the bytes do
} nrs_item_t;

// A place in borrowed bytes. Every call leaves it unmoved when it fails.
typedef struct nrs_walk {
    const uint8_t *at;
    const uint8_t *end;
} nrs_walk_t;

static inline nrs_walk_t
nrs_walk(nrs_bytes_t bytes)
{
    return (nrs_walk_t){ bytes.data, bytes.data + bytes.size };
}

// One item's head. For STR and BIN `bytes` is the content, for ARRAY and MAP `number` the count (which is
// never larger than the bytes that are left), for the numbers `number` the value (INT: two's complement).
typedef struct nrs_head {
    nrs_item_t item;
    uint64_t number;
    nrs_bytes_t bytes;
} nrs_head_t;

// Read one head and go past it (past the content too for STR, BIN and EXT). At END and BAD nothing moves.
nrs_head_t
nrs_walk_next(nrs_walk_t *walk);

// Go past one whole item. Errors: NRS_E_FORMAT, NRS_E_LIMIT (depth).
NRS_MUST_CHECK nrs_err_t
nrs_walk_skip(nrs_walk_t *walk);

// One item of a given type. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_walk_uint(nrs_walk_t *walk, uint64_t max, uint64_t *ret_number);
NRS_MUST_CHECK nrs_err_t
nrs_walk_str(nrs_walk_t *walk, size_t max, nrs_bytes_t *ret_text);
NRS_MUST_CHECK nrs_err_t
nrs_walk_bin(nrs_walk_t *walk, size_t max, nrs_bytes_t *ret_data);
NRS_MUST_CHECK nrs_err_t
nrs_walk_array(nrs_walk_t *walk, uint32_t max, uint32_t *ret_count);
// Is the next item nil? Then go past it.
bool
nrs_walk_nil(nrs_walk_t *walk);
// Is everything read?
static inline bool
nrs_walk_done(const nrs_walk_t *walk)
{
    return walk->at == walk->end;
}

#endif
