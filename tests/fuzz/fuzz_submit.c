// headers of the submit protocol: what decodes is encoded to what decodes to the same
#include <stdlib.h>

#include "common/submit.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_submit_request_t request, request_again;
    nrs_submit_reply_t reply, reply_again;
    nrs_buf_t header = { 0 };
    if (nrs_submit_decode_request(nrs_bytes(data, size), &request) == NRS_OK) {
        nrs_submit_encode_request(&request, &header);
        if (nrs_submit_decode_request(nrs_buf_bytes(&header), &request_again) ||
            !nrs_bytes_equal(request.source, request_again.source) ||
            request.sequence != request_again.sequence)
            abort();
    }
    nrs_buf_reset(&header);
    if (nrs_submit_decode_reply(nrs_bytes(data, size), &reply) == NRS_OK) {
        nrs_submit_encode_reply(&reply, &header);
        if (nrs_submit_decode_reply(nrs_buf_bytes(&header), &reply_again) ||
            reply.rejection_count != reply_again.rejection_count ||
            reply.known != reply_again.known)
            abort();
    }
    nrs_buf_free(&header);
    return 0;
}
