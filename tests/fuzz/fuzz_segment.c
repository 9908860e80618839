// A segment that was only peeked at is read without leaving its bytes; with its checksum put right it is sound or refused.
#include "common/segment.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
s_read(const nrs_segment_t *segment)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < segment->head.count; i++) {
        nrs_bytes_t event = nrs_segment_event(segment, i, NULL);
        for (size_t at = 0; at < event.size; at++)
            sum += event.data[at];
        NRS_ASSERT(event.size <= segment->payload.size);
    }
    return sum;
}

// The checksum of proto/segment.md, written here a second time.
static void
s_seal(uint8_t *bytes, size_t size)
{
    uint8_t sum[96];
    nrs_hash128_t body = nrs_hash128(nrs_bytes(bytes + 96, size - 96), 0);
    memcpy(sum, bytes, 80);
    nrs_put_le64(sum + 80, body.low);
    nrs_put_le64(sum + 88, body.high);
    nrs_hash128_t whole = nrs_hash128(nrs_bytes(sum, sizeof sum), 0);
    nrs_put_le64(bytes + 80, whole.low);
    nrs_put_le64(bytes + 88, whole.high);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_segment_t segment;
    if (nrs_segment_peek(nrs_bytes(data, size), &segment))
        return 0;
    size_t sum = s_read(&segment);
    uint8_t *sealed = nrs_alloc0(size, 1);
    memcpy(sealed, data, size);
    s_seal(sealed, size);
    if (nrs_segment_open(nrs_bytes(sealed, size), &segment) == NRS_OK) {
        nrs_place_t before = { segment.head.epoch, segment.head.base, { 0, 0 } },
                    after = nrs_segment_after(&segment);
        NRS_ASSERT(s_read(&segment) == sum && after.offset > before.offset);
        NRS_ASSERT(nrs_segment_follows(&segment, &before) == NRS_OK &&
                   nrs_segment_follows(&segment, &after) != NRS_OK);
    }
    free(sealed);
    return 0;
}
