// What a tap says: the topic text up to the first line feed, then the body.
#include "services/noroshi/tapline.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *feed = size ? memchr(data, '\n', size) : NULL;
    if (!feed)
        return 0;
    size_t length = (size_t)(feed - data);
    tapline_t line;
    if (tapline_decode(nrs_bytes(data, length), nrs_bytes(feed + 1, size - length - 1), &line))
        return 0;
    nrs_buf_t out = { 0 };
    tapline_print(&line, true, true, 120, &out);
    tapline_json(&line, &out);
    nrs_buf_free(&out);
    return 0;
}
