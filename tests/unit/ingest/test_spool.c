// The spool: what becomes of files, and that a restart repeats nothing.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/ingest/ingest_spool.h"
#include "tests/unit/ingest/batches.h"

static const char s_sources[] = "sources:\n"
                                "  list: { member: guard, format: list }\n"
                                "  csv: { member: guard, format: csv, map: { value: v } }\n";

typedef struct s_site {
    batches_t batches;
    ingest_config_t config;
    char root[128];
    ingest_spool_t *spool;
} s_site_t;

static void
s_start(s_site_t *self)
{
    nrs_problem_t problem = { .text[0] = 0 };
    ingest_spool_options_t options = { &self->config, self->batches.inputs.sources,
                                       self->batches.store, &self->batches.batch };
    assert_int_equal(ingest_spool_open(&options, &problem, &self->spool), NRS_OK);
}

static void
s_open(s_site_t *self)
{
    memset(self, 0, sizeof *self);
    batches_open(&self->batches, s_sources);
    snprintf(self->root, sizeof self->root, "%s/spool", self->batches.dir);
    self->config = (ingest_config_t){
        .spool = self->root, .spool_period_ms = 30000, .line_max = 4096, .document_max = 4096
    };
    s_start(self);
}

static void
s_close(s_site_t *self)
{
    ingest_spool_destroy(&self->spool);
    batches_close(&self->batches);
}

static const char *
s_path(const s_site_t *self, const char *name, char into[256])
{
    snprintf(into, 256, "%s/%s", self->root, name);
    return into;
}

static bool
s_there(const s_site_t *self, const char *name)
{
    char path[256];
    return access(s_path(self, name, path), F_OK) == 0;
}

// Write beside the spool, then move in, as a sender should.
static void
s_drop_in(const s_site_t *self, const char *name, const char *text)
{
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/.new", self->root);
    FILE *stream = fopen(from, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
    assert_int_equal(rename(from, s_path(self, name, to)), 0);
}

// One batch. Returns whether there is more.
static bool
s_batch(s_site_t *self, bool commit)
{
    bool more = false;
    batches_begin(&self->batches);
    assert_int_equal(ingest_spool_step(self->spool, INPUTS_NOW_MS, &more), NRS_OK);
    if (!commit) {
        nrs_txn_destroy(&self->batches.out.txn);
        ingest_known_forget(self->batches.known);
        ingest_spool_failed(self->spool);
        return true;
    }
    batches_commit(&self->batches);
    ingest_spool_committed(self->spool);
    return more;
}

static void
s_run(s_site_t *self)
{
    while (s_batch(self, true))
        ;
}

static uint64_t
s_places(s_site_t *self)
{
    nrs_store_table_t table;
    nrs_txn_t *txn = NULL;
    assert_int_equal(nrs_store_table(self->batches.store, "spool", &table), NRS_OK);
    assert_int_equal(nrs_txn_begin(self->batches.store, false, &txn), NRS_OK);
    uint64_t count = nrs_txn_count(txn, table);
    nrs_txn_destroy(&txn);
    return count;
}

static void
test_spool_reads_what_is_there_and_what_comes(void **state)
{
    (void)state;
    s_site_t site;
    s_open(&site);
    s_drop_in(&site, "list/incoming/one.txt", "a.example\n!!\nb.example");
    s_run(&site);
    assert_true(s_there(&site, "list/done/one.txt"));
    assert_int_equal(site.batches.out.reports, 2);
    assert_int_equal(site.batches.out.dead, 1);
    assert_string_equal(site.batches.out.last_place, "one.txt:2");
    s_drop_in(&site, "csv/incoming/two.csv", "v\nc.example\n");
    nrs_wait_t wait = { .fd = ingest_spool_fd(site.spool) };
    assert_int_equal(nrs_bus_wait(&wait, 1, 10000), 1); // the system tells
    s_run(&site);
    assert_true(s_there(&site, "csv/done/two.csv"));
    assert_int_equal(site.batches.out.reports, 3);
    assert_int_equal(s_places(&site), 0); // nothing is left of files that are done
    s_close(&site);
}

static void
test_spool_puts_what_it_cannot_read_aside_with_the_reason(void **state)
{
    (void)state;
    s_site_t site;
    char path[256], reason[64] = "";
    s_open(&site);
    s_drop_in(&site, "csv/incoming/bad.csv", "w\nc.example\n");
    s_drop_in(&site, "list/incoming/.hidden", "a.example\n");
    s_run(&site);
    assert_true(s_there(&site, "csv/failed/bad.csv"));
    FILE *stream = fopen(s_path(&site, "csv/failed/bad.csv.reason", path), "r");
    assert_non_null(stream);
    assert_non_null(fgets(reason, sizeof reason, stream));
    fclose(stream);
    assert_string_equal(reason, "header\n");
    assert_true(s_there(&site, "list/incoming/.hidden"));
    s_close(&site);
}

// Stop after each batch of one record, with and without a commit before: every record is taken
// exactly once.
static void
test_spool_goes_on_after_a_restart_and_repeats_nothing(void **state)
{
    (void)state;
    s_site_t site;
    s_open(&site);
    site.batches.out.room = 1;
    s_drop_in(&site, "csv/incoming/a.csv", "v\na.example\nb.example\n!!\nc.example\n");
    bool more = true;
    for (unsigned i = 0; more && i < 100; i++) {
        size_t reports = site.batches.out.reports, dead = site.batches.out.dead;
        more = s_batch(&site, i % 2 == 1);
        if (i % 2 == 0) {
            site.batches.out.reports = reports;
            site.batches.out.dead = dead;
        }
        ingest_spool_destroy(&site.spool);
        s_start(&site);
    }
    s_run(&site);
    assert_int_equal(site.batches.out.reports, 3);
    assert_int_equal(site.batches.out.dead, 1);
    assert_true(s_there(&site, "csv/done/a.csv"));
    s_close(&site);
}

static void
test_spool_is_not_confused_by_a_file_that_comes_meanwhile(void **state)
{
    (void)state;
    s_site_t site;
    s_open(&site);
    site.batches.out.room = 1;
    s_drop_in(&site, "list/incoming/b.txt", "a.example\nb.example\n");
    assert_true(s_batch(&site, true));
    s_drop_in(&site, "csv/incoming/a.csv", "v\nc.example\n"); // comes first by its name
    assert_true(s_batch(&site, true));
    s_run(&site);
    assert_true(s_there(&site, "list/done/b.txt"));
    assert_true(s_there(&site, "csv/done/a.csv"));
    assert_int_equal(site.batches.out.reports, 3);
    assert_int_equal(site.batches.out.dead, 0);
    s_close(&site);
}

static void
test_spool_moves_a_file_that_was_read_before_the_crash(void **state)
{
    (void)state;
    s_site_t site;
    bool more = false;
    s_open(&site);
    s_drop_in(&site, "list/incoming/a.txt", "a.example\n");
    batches_begin(&site.batches);
    assert_int_equal(ingest_spool_step(site.spool, INPUTS_NOW_MS, &more), NRS_OK);
    batches_commit(&site.batches); // and the process dies before it moves the file
    assert_true(s_there(&site, "list/incoming/a.txt"));
    ingest_spool_destroy(&site.spool);
    s_start(&site);
    s_run(&site);
    assert_true(s_there(&site, "list/done/a.txt"));
    assert_int_equal(site.batches.out.reports, 1);
    s_close(&site);
}

static void
test_spool_keeps_a_file_while_dead_letters_are_full(void **state)
{
    (void)state;
    s_site_t site;
    s_open(&site);
    site.batches.out.dead = site.batches.out.dead_max = 1;
    s_drop_in(&site, "list/incoming/a.txt", "a.example\n!!\nb.example\n");
    s_run(&site);
    assert_true(s_there(&site, "list/incoming/a.txt"));
    assert_int_equal(site.batches.out.reports, 1);
    site.batches.out.dead_max = 0; // someone has looked at them
    ingest_spool_destroy(&site.spool);
    s_start(&site);
    s_run(&site);
    assert_true(s_there(&site, "list/done/a.txt"));
    assert_int_equal(site.batches.out.reports, 2);
    s_close(&site);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spool_reads_what_is_there_and_what_comes),
        cmocka_unit_test(test_spool_puts_what_it_cannot_read_aside_with_the_reason),
        cmocka_unit_test(test_spool_goes_on_after_a_restart_and_repeats_nothing),
        cmocka_unit_test(test_spool_is_not_confused_by_a_file_that_comes_meanwhile),
        cmocka_unit_test(test_spool_moves_a_file_that_was_read_before_the_crash),
        cmocka_unit_test(test_spool_keeps_a_file_while_dead_letters_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
