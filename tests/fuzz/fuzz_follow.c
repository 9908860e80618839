// What decodes as a message of follow is encoded to something that decodes to the same.
#include "common/follow.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_follow_message_t first, second;
    nrs_buf_t one = { 0 }, two = { 0 };
    if (nrs_follow_decode(nrs_bytes(data, size), &first))
        return 0;
    nrs_follow_encode(&first, &one);
    NRS_ASSERT(nrs_follow_decode(nrs_buf_bytes(&one), &second) == NRS_OK);
    NRS_ASSERT(second.verb == first.verb && second.lane_count == first.lane_count);
    nrs_follow_encode(&second, &two);
    NRS_ASSERT(nrs_bytes_equal(nrs_buf_bytes(&one), nrs_buf_bytes(&two)));
    NRS_ASSERT(one.size <= size); // ours is the shortest form
    nrs_buf_free(&one);
    nrs_buf_free(&two);
    return 0;
}
