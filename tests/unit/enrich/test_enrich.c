// The stage itself, with an output that keeps what it is given: the four nrs_out_ calls it makes
// are answered here.

#include "services/enrich/enrich.h"
#include "services/enrich/enrich_config.h"
#include "tests/fixtures/mmdb_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

struct nrs_out {
    nrs_txn_t *txn;
    nrs_buf_t event; // the last one that went on
    bool brief;
};

int64_t
nrs_out_now(const nrs_out_t *out)
{
    (void)out;
    return 1;
}

nrs_txn_t *
nrs_out_txn(nrs_out_t *out)
{
    return out->txn;
}

nrs_err_t
nrs_out_append(nrs_out_t *out, nrs_event_t *in, nrs_layer_t layer, const void *values)
{
    out->event.size = 0;
    out->brief = false;
    nrs_event_append(&out->event, in->bytes, layer, values);
    return NRS_OK;
}

nrs_err_t
nrs_out_append_short(nrs_out_t *out, nrs_event_t *in, const nrs_context_t *context)
{
    out->event.size = 0;
    out->brief = true;
    nrs_event_append_short(&out->event, in, context);
    return NRS_OK;
}

// main.c is not here, and the runtime is not needed.
int
nrs_stage_main(const nrs_stage_t *stage, int argc, char **argv)
{
    (void)stage, (void)argc, (void)argv;
    return 1;
}

typedef struct s_stage {
    char dir[64];
    char list[96], country[96];
    nrs_world_made_t made;
    nrs_store_t *store;
    nrs_metrics_t *metrics;
    nrs_config_t *config;
    enrich_options_t options;
    void *me;
    nrs_out_t out;
} s_stage_t;

static void
s_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
s_write_country(const char *path)
{
    mmdb_file_t *file = nrs_new0(mmdb_file_t);
    mmdb_file_add(file, "192.0.2.0/24");
    mmdb_put_map(&file->data, 1);
    mmdb_put_text(&file->data, "country_code");
    mmdb_put_text(&file->data, "ZZ");
    mmdb_file_write(file, path);
    free(file);
}

static nrs_err_t
s_open_stage(s_stage_t *self, nrs_problem_t *problem)
{
    nrs_stage_context_t context = {
        .config = self->config,
        .options = &self->options,
        .store = self->store,
        .world = &self->made.world,
        .metrics = self->metrics,
    };
    return enrich_stage.open(&context, problem, &self->me);
}

static void
s_start(s_stage_t *self)
{
    *self = (s_stage_t){ 0 };
    strcpy(self->dir, "/tmp/noroshi-enrich-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    snprintf(self->list, sizeof self->list, "%s/good", self->dir);
    snprintf(self->country, sizeof self->country, "%s/country.mmdb", self->dir);
    s_write(self->list, "good.example\n192.0.2.128/25\n");
    s_write_country(self->country);
    nrs_log_setup("enrich", "test", NRS_LOG_ERROR);
    nrs_world_made_init(&self->made, 0, 1);
    self->metrics = nrs_metrics_new();
    nrs_problem_t problem = { 0 };
    nrs_store_options_t store = { .path = self->dir, .bytes_max = 64 << 20 };
    assert_int_equal(nrs_store_open(&store, &problem, &self->store), NRS_OK);
    char text[512];
    snprintf(text, sizeof text,
             "country: %s\nrepeat_window: 1h\nmemory: 1MiB\nlists:\n  - { name: good, path: %s }\n",
             self->country, self->list);
    assert_int_equal(nrs_config_parse(nrs_text(text), "noroshi.yaml", &problem, &self->config),
                     NRS_OK);
    assert_int_equal(nrs_options_read(self->config, nrs_config_root(self->config),
                                      enrich_stage.options, &self->options, &problem),
                     NRS_OK);
    if (s_open_stage(self, &problem))
        fail_msg("%s: %s", problem.file, problem.text);
    assert_int_equal(nrs_txn_begin(self->store, true, &self->out.txn), NRS_OK);
}

static void
s_end(s_stage_t *self)
{
    enrich_stage.close(&self->me);
    assert_null(self->me);
    nrs_txn_destroy(&self->out.txn);
    nrs_buf_free(&self->out.event);
    nrs_config_destroy(&self->config);
    nrs_store_destroy(&self->store);
    nrs_metrics_destroy(&self->metrics);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", self->dir);
    assert_int_equal(system(command), 0);
}

typedef struct s_report {
    uint64_t kind;
    const char *value;
    uint64_t form;
    uint64_t received_at;
    const char *by;
    uint8_t id;
    uint64_t tlp;
} s_report_t;

// Apply one report; the context that went on (borrows from the output, until the next call).
static nrs_context_t
s_apply(s_stage_t *self, s_report_t report)
{
    uint8_t id[NRS_ID_BYTES] = { report.id };
    nrs_origin_t origin = {
        .id = nrs_bytes(id, sizeof id),
        .form = report.form ? report.form : NRS_FORM_REPORT,
        .kind = report.kind,
        .value = nrs_text(report.value),
        .observed_at = report.received_at,
        .received_at = report.received_at,
        .originator = nrs_text(report.by ? report.by : "one"),
        .tlp = report.tlp,
        .description = nrs_text("only in whole events"),
    };
    nrs_buf_t packed = { 0 };
    nrs_event_begin(&packed, &origin);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&packed), &event), NRS_OK);
    assert_int_equal(enrich_stage.apply(self->me, &event, &self->out), NRS_OK);
    nrs_buf_free(&packed);
    nrs_problem_t problem;
    assert_int_equal(nrs_event_check(nrs_buf_bytes(&self->out.event), &problem), NRS_OK);
    nrs_event_t made;
    nrs_context_t context;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&self->out.event), &made), NRS_OK);
    assert_int_equal(nrs_event_context(&made, &context), NRS_OK);
    return context;
}

static void
s_is(nrs_bytes_t text, const char *expected)
{
    if (!nrs_bytes_is(text, expected))
        fail_msg("%.*s, not %s", (int)text.size, text.size ? (const char *)text.data : "",
                 expected);
}

// What only whole events carry.
static nrs_bytes_t
s_description(const s_stage_t *self)
{
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&self->out.event), &event), NRS_OK);
    return nrs_event_text(&event, NRS_ORIGIN_description);
}

static void
test_enrich_tells_what_names_and_addresses_say(void **state)
{
    (void)state;
    static const struct {
        uint64_t kind;
        const char *value, *host, *domain, *suffix, *unicode, *ip, *country, *list;
    } cases[] = {
        { NRS_KIND_DOMAIN, "www.evil.co.jp", "www.evil.co.jp", "evil.co.jp", "co.jp", "", "", "",
          "" },
        { NRS_KIND_DOMAIN, "xn--bcher-kva.example", "xn--bcher-kva.example",
          "xn--bcher-kva.example", "example",
          "b\xc3\xbc"
          "cher.example",
          "", "", "" },
        { NRS_KIND_URL, "http://bank.test@www.evil.com:8080/x", "www.evil.com", "evil.com", "com",
          "", "", "", "" },
        { NRS_KIND_URL, "http://www.good.example/x", "www.good.example", "good.example", "example",
          "", "", "", "good" },
        { NRS_KIND_URL, "http://192.0.2.1/x", "", "", "", "", "192.0.2.1", "ZZ", "" },
        { NRS_KIND_URL, "http://[2001:db8::1]/x", "", "", "", "", "2001:db8::1", "", "" },
        { NRS_KIND_EMAIL, "a@evil.com", "evil.com", "evil.com", "com", "", "", "", "" },
        { NRS_KIND_EMAIL, "a@[192.0.2.200]", "", "", "", "", "192.0.2.200", "ZZ", "good" },
        { NRS_KIND_IPV4, "192.0.2.129", "", "", "", "", "192.0.2.129", "ZZ", "good" },
        { NRS_KIND_IPV4, "203.0.113.1", "", "", "", "", "203.0.113.1", "", "" },
        { NRS_KIND_CIDR, "192.0.2.192/26", "", "", "", "", "", "", "good" },
        { NRS_KIND_MD5, "0123456789abcdef0123456789abcdef", "", "", "", "", "", "", "" },
    };
    s_stage_t stage;
    s_start(&stage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_context_t context =
            s_apply(&stage, (s_report_t){ cases[i].kind, cases[i].value, .received_at = 1 });
        assert_false(stage.out.brief);
        s_is(context.host, cases[i].host);
        s_is(context.domain, cases[i].domain);
        s_is(context.suffix, cases[i].suffix);
        s_is(context.unicode, cases[i].unicode);
        s_is(context.ip, cases[i].ip);
        s_is(context.country, cases[i].country);
        assert_int_equal(context.lists.count, cases[i].list[0] ? 1 : 0);
        assert_int_equal(context.known_good, cases[i].list[0] ? 1 : 0);
        assert_int_equal(context.sightings, 1);
        assert_int_equal(context.repeat_of.size, 0);
    }
    s_end(&stage);
}

static void
test_enrich_sends_repeats_on_as_short_updates(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    s_report_t report = { NRS_KIND_DOMAIN, "evil.example", .received_at = HOUR, .by = "one",
                          .id = 1 };
    assert_false(s_apply(&stage, report).repeat_of.size);
    report = (s_report_t){ NRS_KIND_DOMAIN, "evil.example", .received_at = HOUR + 1, .by = "two",
                           .id = 2 };
    nrs_context_t context = s_apply(&stage, report);
    assert_true(stage.out.brief);
    assert_int_equal(context.repeat_of.size, NRS_ID_BYTES);
    assert_int_equal(context.repeat_of.data[0], 1);
    assert_int_equal(context.sightings, 2);
    assert_int_equal(context.reporters, 2);
    assert_int_equal(context.first_seen_at, HOUR);
    assert_int_equal(context.last_seen_at, HOUR + 1);
    s_is(context.host, "evil.example"); // rules and scopes see the same facts as before
    s_is(s_description(&stage), "");
    report = (s_report_t){ NRS_KIND_DOMAIN, "evil.example", .received_at = 2 * HOUR, .by = "one",
                           .id = 3 };
    context = s_apply(&stage, report); // the window is over: whole again
    assert_false(stage.out.brief);
    assert_int_equal(context.repeat_of.size, 0);
    assert_int_equal(context.sightings, 3);
    s_is(context.host, "evil.example");
    s_end(&stage);
}

static void
test_enrich_shortens_no_report_that_is_given_more_openly(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    s_report_t report = { NRS_KIND_DOMAIN, "good.example", .received_at = 1, .tlp = NRS_TLP_AMBER };
    s_apply(&stage, report);
    nrs_context_t context = s_apply(&stage, report);
    assert_true(stage.out.brief);
    assert_int_equal(context.lists.count, 1);
    report.tlp = NRS_TLP_GREEN;
    context = s_apply(&stage, report);
    assert_false(stage.out.brief);
    assert_int_equal(context.repeat_of.size, 0);
    assert_int_equal(context.sightings, 3);
    s_is(s_description(&stage), "only in whole events");
    s_end(&stage);
}

static void
test_enrich_never_shortens_nor_counts_what_is_no_report(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    static const uint64_t forms[] = { NRS_FORM_WITHDRAWAL, NRS_FORM_CORRECTION, NRS_FORM_EXPIRY };
    for (int seen = 0; seen < 2; seen++) {
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            s_report_t report = { NRS_KIND_DOMAIN, "evil.example", forms[i], .received_at = 2 };
            nrs_context_t context = s_apply(&stage, report);
            assert_false(stage.out.brief);
            assert_int_equal(context.sightings, seen);
            s_is(context.host, "evil.example");
        }
        s_apply(&stage, (s_report_t){ NRS_KIND_DOMAIN, "evil.example", .received_at = 1 });
    }
    s_end(&stage);
}

static void
test_enrich_makes_a_dead_letter_of_an_event_without_id_or_value(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    nrs_buf_t packed = { 0 };
    nrs_origin_t origin = { .kind = NRS_KIND_DOMAIN, .value = nrs_text("evil.example") };
    nrs_event_begin(&packed, &origin);
    nrs_event_t event;
    assert_int_equal(nrs_event_open(nrs_buf_bytes(&packed), &event), NRS_OK);
    assert_int_equal(enrich_stage.apply(stage.me, &event, &stage.out), NRS_E_FORMAT);
    nrs_buf_free(&packed);
    s_end(&stage);
}

static void
test_enrich_keeps_the_old_lists_when_a_new_one_is_bad(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    nrs_problem_t problem = { 0 };
    s_report_t old = { NRS_KIND_DOMAIN, "a.good.example", .received_at = 1 };
    s_write(stage.list, "");
    assert_int_equal(enrich_stage.reload(stage.me, &problem), NRS_E_FORMAT);
    assert_string_equal(problem.file, stage.list);
    assert_true(s_apply(&stage, old).known_good);

    s_write(stage.list, "better.example\n");
    assert_int_equal(enrich_stage.reload(stage.me, &problem), NRS_OK);
    assert_false(
        s_apply(&stage, (s_report_t){ NRS_KIND_DOMAIN, "b.good.example", .received_at = 1 })
            .known_good);
    assert_true(s_apply(&stage, (s_report_t){ NRS_KIND_DOMAIN, "better.example", .received_at = 1 })
                    .known_good);
    s_end(&stage);
}

static void
test_enrich_does_not_start_with_a_file_that_it_cannot_read(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    void *first = stage.me;
    const char *good = stage.options.country;
    nrs_problem_t problem = { 0 };
    stage.options.country = "/nonexistent.mmdb";
    assert_int_equal(s_open_stage(&stage, &problem), NRS_E_IO);
    assert_string_equal(problem.file, "/nonexistent.mmdb");
    stage.options.country = good;
    stage.options.suffixes = "/nonexistent.dat";
    assert_int_equal(s_open_stage(&stage, &problem), NRS_E_IO);
    assert_string_equal(problem.file, "/nonexistent.dat");
    assert_ptr_equal(stage.me, first);
    s_end(&stage);
}

static void
test_enrich_saves_its_state_at_each_tick(void **state)
{
    (void)state;
    s_stage_t stage;
    s_start(&stage);
    s_report_t report = { NRS_KIND_DOMAIN, "evil.example", .received_at = 1, .id = 1 };
    s_apply(&stage, report);
    assert_int_equal(enrich_stage.tick(stage.me, &stage.out), NRS_OK);
    assert_int_equal(nrs_txn_commit(&stage.out.txn), NRS_OK);
    enrich_stage.close(&stage.me);
    nrs_problem_t problem = { 0 };
    assert_int_equal(s_open_stage(&stage, &problem), NRS_OK);
    assert_int_equal(nrs_txn_begin(stage.store, true, &stage.out.txn), NRS_OK);
    assert_int_equal(s_apply(&stage, report).sightings, 2);
    assert_true(stage.out.brief);
    s_end(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enrich_tells_what_names_and_addresses_say),
        cmocka_unit_test(test_enrich_sends_repeats_on_as_short_updates),
        cmocka_unit_test(test_enrich_shortens_no_report_that_is_given_more_openly),
        cmocka_unit_test(test_enrich_never_shortens_nor_counts_what_is_no_report),
        cmocka_unit_test(test_enrich_makes_a_dead_letter_of_an_event_without_id_or_value),
        cmocka_unit_test(test_enrich_keeps_the_old_lists_when_a_new_one_is_bad),
        cmocka_unit_test(test_enrich_does_not_start_with_a_file_that_it_cannot_read),
        cmocka_unit_test(test_enrich_saves_its_state_at_each_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
