// segment.h - a run of consecutive events of one lane: the unit on disk, on the wire and in a backup
// Shape:    proto/segment.md, version 1.
// Units:    times are UTC milliseconds since 1970-01-01.
// Cost:     opening hashes the whole segment once (XXH3, about 1.5 us for 64 KiB) and allocates nothing.

#ifndef NRS_SEGMENT_H
#define NRS_SEGMENT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/hash.h"

enum {
    NRS_SEGMENT_VERSION = 1,
    NRS_SEGMENT_BYTES_MAX = 65520, // 16 LMDB pages less their header: no page is half empty
    NRS_SEGMENT_HEAD_BYTES = 96,
    NRS_SEGMENT_BLOCK_BYTES = 16,
    NRS_SEGMENT_INDEX_BYTES = 8, // for each event
};

enum nrs_segment_flags {
    NRS_SEGMENT_SPARSE = 1, // made for a filter: offsets are missing inside, and the chain cannot be checked
};

// Where a reader is in a lane: the next offset it wants, and the checksum of the segment before it.
typedef struct nrs_place {
    uint32_t epoch;
    uint64_t offset;
    nrs_hash128_t chain; // zero: unknown, or nothing before
} nrs_place_t;

// What a segment's head says.
typedef struct nrs_segment_head {
    uint16_t flags;
    uint64_t stream;   // nrs_segment_stream() of realm and topic
    uint16_t instance; // number of the instance that wrote it
    uint16_t lane;
    uint32_t epoch;
    uint64_t base;     // offset of the first event (SPARSE: of where the run begins)
    uint32_t span;     // offsets that it covers: the next segment begins at base + span
    uint32_t count;    // events in it
    int64_t first_ms;  // when its first and its last event were appended
    int64_t last_ms;
    nrs_hash128_t previous; // checksum of the segment before; zero for the first
    nrs_hash128_t checksum;
} nrs_segment_head_t;

// A view over a segment's bytes, which it borrows.
typedef struct nrs_segment {
    nrs_segment_head_t head;
    nrs_bytes_t bytes;
    const uint8_t *index;
    nrs_bytes_t payload;
} nrs_segment_t;

uint64_t
nrs_segment_stream(const char *realm, const char *topic);

// Read and verify everything. Errors: NRS_E_FORMAT, NRS_E_VERSION, NRS_E_CORRUPT (checksum).
NRS_MUST_CHECK nrs_err_t
nrs_segment_open(nrs_bytes_t bytes, nrs_segment_t *ret_segment);
// Read without the checksum and the index: for bytes that this process has verified or made, or whose head is all that
// is wanted.
NRS_MUST_CHECK nrs_err_t
nrs_segment_peek(nrs_bytes_t bytes, nrs_segment_t *ret_segment);
// The i-th event and its offset (`ret_offset` may be NULL). i < head.count. Empty where bytes that were only peeked at
// have a damaged index.
nrs_bytes_t
nrs_segment_event(const nrs_segment_t *self, uint32_t i, uint64_t *ret_offset);
// Does it follow `place` in the same lane? NRS_OK, NRS_E_REWOUND (another epoch, another chain, or an offset that
// does not fit). The chain is compared when both sides know it.
NRS_MUST_CHECK nrs_err_t
nrs_segment_follows(const nrs_segment_t *self, const nrs_place_t *place);
// The place behind it.
nrs_place_t
nrs_segment_after(const nrs_segment_t *self);

// --- building ------------------------------------------------------------------------------------

// Events being put together; a plain value, zeroed to begin with.
typedef struct nrs_segment_build {
    nrs_buf_t index;   // 8 bytes an event
    nrs_buf_t payload;
    uint32_t count;
    uint32_t span;
} nrs_segment_build_t;

void
nrs_segment_build_free(nrs_segment_build_t *self);
// Append one event by writing it to self->payload, then calling this with the payload's size before; `skipped`
// offsets before it are left out (SPARSE), usually 0.
void
nrs_segment_build_added(nrs_segment_build_t *self, size_t payload_before, uint32_t skipped);
// Bytes of the whole segment as it stands.
size_t
nrs_segment_build_bytes(const nrs_segment_build_t *self);
// Write it to `room` of that many bytes; head->span, count and checksum are filled in. The build is empty afterwards.
void
nrs_segment_build_write(nrs_segment_build_t *self, nrs_segment_head_t *head, uint8_t *room);

#endif
