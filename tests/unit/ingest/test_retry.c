// A dead letter once more: taken when it can be read now, kept with a reason otherwise.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/ingest/ingest_retry.h"
#include "tests/unit/ingest/batches.h"

static void
test_retry_takes_what_can_be_read_and_keeps_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *source, *bytes;
        uint64_t total;
        size_t reports, dead;
    } cases[] = {
        { "list", "a.example", 0, 1, 0 },
        { "list", "!!", 0, 0, 1 },
        { "list", "a.exam", 100000, 0, 1 },
        { "json", "{\"name\":\"a.example\"}", 0, 1, 0 }, // a record alone, not a document
        { "csv", "a.example,x", 0, 0, 1 },
        { "tweets", "x,a.example", 0, 1, 0 },
        { "stix", "{\"type\":\"url\",\"value\":\"http://a.example/\"}", 0, 0, 1 },
        { "gone", "a.example", 0, 0, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        batches_t batches;
        batches_open(&batches,
                     "sources:\n"
                     "  list: { member: guard, format: list }\n"
                     "  json: { member: guard, format: json, records: a.b, map: { value: name } }\n"
                     "  csv: { member: guard, format: csv, map: { value: v } }\n"
                     "  tweets: { member: guard, format: csv, header: [u, v], map: { value: v } }\n"
                     "  stix: { member: guard, format: stix }\n");
        nrs_dead_kept_t dead = { .id = 1,
                                 .reason = nrs_text("value"),
                                 .source = nrs_text(cases[i].source),
                                 .place = nrs_text("in:1"),
                                 .bytes = nrs_text(cases[i].bytes),
                                 .bytes_total = cases[i].total };
        batches_begin(&batches);
        assert_int_equal(ingest_retry(batches.inputs.sources, &dead, &batches.batch), NRS_OK);
        batches_commit(&batches);
        assert_int_equal(batches.out.reports, cases[i].reports);
        assert_int_equal(batches.out.dead, cases[i].dead);
        batches_close(&batches);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        test_retry_takes_what_can_be_read_and_keeps_the_rest) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
