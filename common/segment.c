#include "common/segment.h"

#include <stdio.h>

// Byte positions in the head (proto/segment.md, "Fields").
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_CODEC = 5,
    AT_FLAGS = 6,
    AT_STREAM = 8,
    AT_INSTANCE = 16,
    AT_LANE = 18,
    AT_EPOCH = 20,
    AT_BASE = 24,
    AT_SPAN = 32,
    AT_COUNT = 36,
    AT_FIRST_MS = 40,
    AT_LAST_MS = 48,
    AT_BLOCKS = 56,
    AT_RESERVED = 58,
    AT_PAYLOAD_BYTES = 60,
    AT_PREVIOUS = 64,
    AT_CHECKSUM = 80,
};

static const char s_magic[4] = "NRSG";

uint64_t
nrs_segment_stream(const char *realm, const char *topic)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s/%s", realm, topic);
    NRS_ASSERT(length > 0 && length < (int)sizeof text);
    return nrs_hash64(nrs_bytes(text, (size_t)length), 0);
}

static nrs_hash128_t
s_get_hash(const uint8_t *p)
{
    return (nrs_hash128_t){ nrs_get_le64(p), nrs_get_le64(p + 8) };
}

static void
s_put_hash(uint8_t *p, nrs_hash128_t hash)
{
    nrs_put_le64(p, hash.low);
    nrs_put_le64(p + 8, hash.high);
}

static bool
s_same_hash(nrs_hash128_t a, nrs_hash128_t b)
{
    return a.low == b.low && a.high == b.high;
}

// The head up to the checksum, then the hash of what follows the head.
static nrs_hash128_t
s_checksum(nrs_bytes_t bytes)
{
    uint8_t sum[AT_CHECKSUM + 16];
    memcpy(sum, bytes.data, AT_CHECKSUM);
    nrs_bytes_t body = nrs_bytes(bytes.data + NRS_SEGMENT_HEAD_BYTES,
                                 bytes.size - NRS_SEGMENT_HEAD_BYTES);
    s_put_hash(sum + AT_CHECKSUM, nrs_hash128(body, 0));
    return nrs_hash128(nrs_bytes(sum, sizeof sum), 0);
}

static nrs_segment_head_t
s_read_head(const uint8_t *p)
{
    return (nrs_segment_head_t){
        .flags = nrs_get_le16(p + AT_FLAGS),
        .stream = nrs_get_le64(p + AT_STREAM),
        .instance = nrs_get_le16(p + AT_INSTANCE),
        .lane = nrs_get_le16(p + AT_LANE),
        .epoch = nrs_get_le32(p + AT_EPOCH),
        .base = nrs_get_le64(p + AT_BASE),
        .span = nrs_get_le32(p + AT_SPAN),
        .count = nrs_get_le32(p + AT_COUNT),
        .first_ms = (int64_t)nrs_get_le64(p + AT_FIRST_MS),
        .last_ms = (int64_t)nrs_get_le64(p + AT_LAST_MS),
        .previous = s_get_hash(p + AT_PREVIOUS),
        .checksum = s_get_hash(p + AT_CHECKSUM),
    };
}

// Ends grow up to the payload's size, offsets grow below the span.
static bool
s_index_ok(const nrs_segment_t *self)
{
    uint32_t end = 0;
    int64_t offset = -1;
    bool sparse = self->head.flags & NRS_SEGMENT_SPARSE;
    for (uint32_t i = 0; i < self->head.count; i++) {
        const uint8_t *entry = self->index + (size_t)i * NRS_SEGMENT_INDEX_BYTES;
        uint32_t next_offset = nrs_get_le32(entry), next_end = nrs_get_le32(entry + 4);
        if (next_end < end || next_offset <= offset || next_offset >= self->head.span)
            return false;
        if (!sparse && next_offset != i)
            return false;
        end = next_end;
        offset = next_offset;
    }
    return end == self->payload.size && (sparse || self->head.span == self->head.count);
}

nrs_err_t
nrs_segment_peek(nrs_bytes_t bytes, nrs_segment_t *ret_segment)
{
    if (bytes.size < NRS_SEGMENT_HEAD_BYTES || bytes.size > NRS_SEGMENT_BYTES_MAX ||
        memcmp(bytes.data, s_magic, sizeof s_magic) != 0)
        return NRS_E_FORMAT;
    if (bytes.data[AT_VERSION] != NRS_SEGMENT_VERSION || bytes.data[AT_CODEC] != 0)
        return NRS_E_VERSION;
    nrs_segment_t segment = { .head = s_read_head(bytes.data), .bytes = bytes };
    uint64_t payload = nrs_get_le32(bytes.data + AT_PAYLOAD_BYTES);
    uint64_t index = (uint64_t)segment.head.count * NRS_SEGMENT_INDEX_BYTES;
    uint64_t before = NRS_SEGMENT_HEAD_BYTES + NRS_SEGMENT_BLOCK_BYTES;
    // Version 1 has one block, unsealed: key 0, all events, the whole payload.
    if (nrs_get_le16(bytes.data + AT_BLOCKS) != 1 || before + index + payload != bytes.size ||
        segment.head.span == 0 || segment.head.base + segment.head.span < segment.head.base)
        return NRS_E_FORMAT;
    const uint8_t *block = bytes.data + NRS_SEGMENT_HEAD_BYTES;
    if (nrs_get_le64(block) != 0 || nrs_get_le32(block + 8) != segment.head.count ||
        nrs_get_le32(block + 12) != payload)
        return NRS_E_FORMAT;
    segment.index = bytes.data + before;
    segment.payload = nrs_bytes(segment.index + index, (size_t)payload);
    *ret_segment = segment;
    return NRS_OK;
}

nrs_err_t
nrs_segment_open(nrs_bytes_t bytes, nrs_segment_t *ret_segment)
{
    nrs_segment_t segment;
    nrs_err_t err = nrs_segment_peek(bytes, &segment);
    if (err)
        return err;
    if (!s_same_hash(s_checksum(bytes), segment.head.checksum))
        return NRS_E_CORRUPT;
    if (!s_index_ok(&segment))
        return NRS_E_FORMAT;
    *ret_segment = segment;
    return NRS_OK;
}

nrs_bytes_t
nrs_segment_event(const nrs_segment_t *self, uint32_t i, uint64_t *ret_offset)
{
    NRS_ASSERT(i < self->head.count);
    const uint8_t *entry = self->index + (size_t)i * NRS_SEGMENT_INDEX_BYTES;
    uint32_t start = i == 0 ? 0 : nrs_get_le32(entry - NRS_SEGMENT_INDEX_BYTES + 4);
    uint32_t end = nrs_get_le32(entry + 4);
    if (ret_offset)
        *ret_offset = self->head.base + nrs_get_le32(entry);
    if (start > end || end > self->payload.size)
        return NRS_NONE; // only in bytes that nobody has verified
    return nrs_bytes(self->payload.data + start, end - start);
}

nrs_err_t
nrs_segment_follows(const nrs_segment_t *self, const nrs_place_t *place)
{
    const nrs_segment_head_t *head = &self->head;
    if (head->epoch != place->epoch || head->base != place->offset)
        return NRS_E_REWOUND;
    static const nrs_hash128_t unknown = { 0, 0 };
    bool chained = !(head->flags & NRS_SEGMENT_SPARSE) && !s_same_hash(place->chain, unknown);
    return chained && !s_same_hash(place->chain, head->previous) ? NRS_E_REWOUND : NRS_OK;
}

nrs_place_t
nrs_segment_after(const nrs_segment_t *self)
{
    nrs_place_t place = { self->head.epoch, self->head.base + self->head.span, self->head.checksum };
    if (self->head.flags & NRS_SEGMENT_SPARSE) // made for one reader: its checksum is in nobody's history
        place.chain = (nrs_hash128_t){ 0, 0 };
    return place;
}

// --- building ------------------------------------------------------------------------------------

void
nrs_segment_build_free(nrs_segment_build_t *self)
{
    nrs_buf_free(&self->index);
    nrs_buf_free(&self->payload);
    *self = (nrs_segment_build_t){ 0 };
}

void
nrs_segment_build_added(nrs_segment_build_t *self, size_t payload_before, uint32_t skipped)
{
    NRS_ASSERT(self->payload.size > payload_before);
    uint8_t *entry = nrs_buf_reserve(&self->index, NRS_SEGMENT_INDEX_BYTES);
    nrs_put_le32(entry, self->span + skipped);
    nrs_put_le32(entry + 4, (uint32_t)self->payload.size);
    self->index.size += NRS_SEGMENT_INDEX_BYTES;
    self->span += skipped + 1;
    self->count++;
}

size_t
nrs_segment_build_bytes(const nrs_segment_build_t *self)
{
    return NRS_SEGMENT_HEAD_BYTES + NRS_SEGMENT_BLOCK_BYTES + self->index.size + self->payload.size;
}

void
nrs_segment_build_write(nrs_segment_build_t *self, nrs_segment_head_t *head, uint8_t *room)
{
    size_t bytes = nrs_segment_build_bytes(self);
    NRS_ASSERT(bytes <= NRS_SEGMENT_BYTES_MAX);
    head->span = self->span;
    head->count = self->count;
    memset(room, 0, NRS_SEGMENT_HEAD_BYTES + NRS_SEGMENT_BLOCK_BYTES);
    memcpy(room + AT_MAGIC, s_magic, sizeof s_magic);
    room[AT_VERSION] = NRS_SEGMENT_VERSION;
    nrs_put_le16(room + AT_FLAGS, head->flags);
    nrs_put_le64(room + AT_STREAM, head->stream);
    nrs_put_le16(room + AT_INSTANCE, head->instance);
    nrs_put_le16(room + AT_LANE, head->lane);
    nrs_put_le32(room + AT_EPOCH, head->epoch);
    nrs_put_le64(room + AT_BASE, head->base);
    nrs_put_le32(room + AT_SPAN, head->span);
    nrs_put_le32(room + AT_COUNT, head->count);
    nrs_put_le64(room + AT_FIRST_MS, (uint64_t)head->first_ms);
    nrs_put_le64(room + AT_LAST_MS, (uint64_t)head->last_ms);
    nrs_put_le16(room + AT_BLOCKS, 1);
    nrs_put_le32(room + AT_PAYLOAD_BYTES, (uint32_t)self->payload.size);
    s_put_hash(room + AT_PREVIOUS, head->previous);
    uint8_t *block = room + NRS_SEGMENT_HEAD_BYTES;
    nrs_put_le32(block + 8, self->count);
    nrs_put_le32(block + 12, (uint32_t)self->payload.size);
    uint8_t *index = block + NRS_SEGMENT_BLOCK_BYTES;
    if (self->count > 0) { // else there may be no memory yet to copy from
        memcpy(index, self->index.data, self->index.size);
        memcpy(index + self->index.size, self->payload.data, self->payload.size);
    }
    head->checksum = s_checksum(nrs_bytes(room, bytes));
    s_put_hash(room + AT_CHECKSUM, head->checksum);
    nrs_buf_reset(&self->index);
    nrs_buf_reset(&self->payload);
    self->count = 0;
    self->span = 0;
}
