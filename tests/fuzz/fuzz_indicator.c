// fuzz_indicator - any bytes as any kind: the canonical form is valid, bounded, and its own
// canonical form
// Shape:    the first byte is the kind, its top bit whether to refang; the rest is the value.

#include "common/indicator.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint64_t kind = data[0] & 0x3f, settled = 0;
    bool refang = data[0] & 0x80;
    nrs_bytes_t given = nrs_bytes(data + 1, size - 1);
    nrs_buf_t first = { 0 }, second = { 0 };
    NRS_IGNORE(nrs_indicator_guess(given) +
               nrs_indicator_kind_word(given)); // only that they come back
    if (!nrs_indicator_canonical(kind, given, refang, &first, &kind, NULL)) {
        NRS_ASSERT(first.size > 0 && first.size <= 8192 && nrs_utf8_ok(nrs_buf_bytes(&first)));
        NRS_ASSERT(
            !nrs_indicator_canonical(kind, nrs_buf_bytes(&first), false, &second, &settled, NULL));
        NRS_ASSERT(kind == settled &&
                   nrs_bytes_equal(nrs_buf_bytes(&first), nrs_buf_bytes(&second)));
        nrs_bytes_t host = nrs_indicator_host(kind, nrs_buf_bytes(&first));
        bool named = kind == NRS_KIND_URL || kind == NRS_KIND_EMAIL || kind == NRS_KIND_DOMAIN;
        NRS_ASSERT(named == (host.size > 0) && host.size <= 253);
    }
    nrs_buf_free(&first);
    nrs_buf_free(&second);
    return 0;
}
