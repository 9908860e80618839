// CSV rows, quotes and headers, however they are cut
#include "tests/unit/ingest/inputs.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The first byte says in which pieces the rest comes; that must make no difference.
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static inputs_t inputs;
    if (!inputs.sources)
        inputs_open(&inputs, "sources:\n"
                             "  csv: { member: guard, format: csv, map: { value: v, kind: k, "
                             "observed_at: t, tags: g, port: p } }\n");
    if (size == 0)
        return 0;
    nrs_bytes_t bytes = nrs_bytes(data + 1, size - 1);
    inputs.room = 0;
    char *whole = nrs_strdup(inputs_read(&inputs, "csv", bytes, SIZE_MAX / 2));
    inputs.room = 2;
    if (strcmp(whole, inputs_read(&inputs, "csv", bytes, 1u + data[0] % 64u)) != 0)
        abort();
    free(whole);
    return 0;
}
