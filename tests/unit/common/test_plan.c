#include "common/flow.h"
#include "common/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static nrs_err_t
s_read(const char *text, nrs_problem_t *reterr, nrs_plan_t **ret_plan)
{
    NRS_AUTO(nrs_config) config = NULL;
    nrs_err_t err = nrs_config_parse(nrs_text(text), "/srv/noroshi.yaml", reterr, &config);
    return err ? err : nrs_plan_read(&config, reterr, ret_plan);
}

static nrs_plan_t *
s_plan(const char *text)
{
    nrs_plan_t *plan = NULL;
    nrs_problem_t problem = { 0 };
    if (s_read(text, &problem, &plan))
        fail_msg("%u:%u: %s", problem.line, problem.column, problem.text);
    return plan;
}

// What must hold for every plan that was read.
static void
s_assert_sane(const nrs_plan_t *plan)
{
    uint64_t all = plan->lanes == 64 ? UINT64_MAX : (UINT64_C(1) << plan->lanes) - 1;
    const char *stage;
    for (size_t i = 0; nrs_flow_at(i); i++) {
        stage = nrs_flow_at(i)->stage;
        uint64_t owned = 0;
        const nrs_instance_t *instance = NULL;
        while ((instance = nrs_plan_next(plan, stage, instance))) {
            assert_int_equal(owned & instance->lanes, 0);
            owned |= instance->lanes;
            assert_ptr_equal(nrs_plan_instance(plan, instance->name), instance);
            assert_non_null(instance->follow);
            assert_non_null(instance->tap);
            assert_non_null(instance->ask);
            assert_true((strcmp(stage, "ingest") == 0) == (instance->submit != NULL));
            assert_true((strcmp(stage, "relay") == 0) == (instance->release != NULL));
            assert_int_equal(instance->data[0], '/');
        }
        assert_true(owned == all);
    }
}

static void
test_plan_needs_only_its_version(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_plan) plan = s_plan("noroshi: 1\n");
    s_assert_sane(plan);
    assert_string_equal(plan->realm, "live");
    assert_string_equal(plan->home, "/srv/var");
    assert_int_equal(plan->lanes, 16);
    assert_int_equal(plan->instance_count, 4);
    static const char *const names[] = { "ingest-1", "enrich-1", "classify-1", "relay-1" };
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(plan->instances[i].name, names[i]);
        assert_int_equal(plan->instances[i].number, i + 1);
    }
    const nrs_instance_t *ingest = nrs_plan_instance(plan, "ingest-1");
    assert_string_equal(ingest->data, "/srv/var/data/ingest-1");
    assert_string_equal(ingest->follow, "ipc:///srv/var/run/ingest-1.follow");
    assert_string_equal(ingest->submit, "ipc:///srv/var/run/ingest-1.submit");
    assert_null(ingest->metrics);
    assert_null(ingest->options);
    assert_false(ingest->curve);
    assert_null(nrs_plan_instance(plan, "ingest-2"));
}

static void
test_plan_takes_what_the_file_says(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_plan)
    plan = s_plan("noroshi: 1\nrealm: drill-3\ncentre: \xe7\x8b\xbc\xe7\x85\x99\n"
                  "home: /h\nlanes: 64\n"
                  "stages:\n"
                  "  relay: {release: 'tcp://*:7461', number: 9}\n"
                  "  enrich:\n"
                  "    curve: true\n"
                  "    options: {geo: x}\n"
                  "    instances:\n"
                  "      - {name: far, lanes: 0-31, follow: 'tcp://192.0.2.1:1',\n"
                  "         metrics: '127.0.0.1:0'}\n"
                  "      - {lanes: [32-62, 63], tap: 'ipc://t', data: d,\n"
                  "         metrics: '127.0.0.1:0'}\n");
    s_assert_sane(plan);
    assert_string_equal(plan->realm, "drill-3");
    assert_int_equal(plan->instance_count, 5);
    const nrs_instance_t *far = nrs_plan_instance(plan, "far");
    assert_string_equal(far->follow, "tcp://192.0.2.1:1");
    assert_true(far->curve);
    assert_int_equal(far->number, 2);
    assert_true(far->lanes == 0xffffffffu);
    assert_string_equal(nrs_config_text(nrs_config_get(far->options, "geo")), "x");
    const nrs_instance_t *near = nrs_plan_next(plan, "enrich", far);
    assert_string_equal(near->name, "enrich-2");
    assert_int_equal(near->number, 102);
    assert_string_equal(near->tap, "ipc:///srv/t");
    assert_string_equal(near->data, "/srv/d");
    assert_null(nrs_plan_next(plan, "enrich", near));
    assert_string_equal(nrs_plan_instance(plan, "relay-1")->release, "tcp://*:7461");
    assert_int_equal(nrs_plan_instance(plan, "relay-1")->number, 9);
}

#define STAGES "noroshi: 1\nstages:\n"

static void
test_plan_refuses_with_the_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } cases[] = {
        { "", 1, "noroshi is missing" },
        { "realm: live\n", 1, "noroshi is missing" },
        { "noroshi: 2\n", 1, "this program knows version 1" },
        { "noroshi: 1\nrelm: x\n", 2, "did you mean 'realm'?" },
        { "noroshi: 1\nrealm: Live!\n", 2, "lower-case letters" },
        { "noroshi: 1\nlanes: 65\n", 2, "out of range: 1 to 64" },
        { "noroshi: 1\nstages: [ingest]\n", 2, "must be a mapping" },
        { STAGES "  enrch: {}\n", 3, "there is no stage 'enrch'" },
        { STAGES "  enrich: {name: A}\n", 3, "'A' must be lower-case" },
        { STAGES "  enrich: {name: ingest-1}\n", 3, "two instances are named ingest-1" },
        { STAGES "  enrich: {number: 1}\n", 3, "both have the number 1" },
        { STAGES "  enrich: {lanes: 0-14}\n", 3, "nobody owns lanes 15" },
        { STAGES "  enrich: {lanes: [1, 3-5, 9-15]}\n", 3, "nobody owns lanes 0, 2, 6-8" },
        { STAGES "  enrich: {lanes: 0-16}\n", 3, "there is no lane 16; they go from 0 to 15" },
        { STAGES "  enrich: {lanes: 5-3}\n", 3, "write a lane" },
        { STAGES "  enrich: {lanes: x}\n", 3, "write a lane" },
        { STAGES "  enrich: {lanes: [0-15, 3]}\n", 3, "lane 3 stands here twice" },
        { STAGES "  enrich: {lanes: []}\n", 3, "one lane at least" },
        { STAGES "  enrich: {instances: []}\n", 3, "must be a list" },
        { STAGES "  enrich: {instances: {name: a}}\n", 3, "must be a list" },
        { STAGES "  enrich:\n    instances: [{name: a}, {name: b}]\n", 4, "each needs `lanes:`" },
        { STAGES "  enrich:\n    instances:\n    - {lanes: 0-8}\n    - {lanes: 8-15}\n", 6,
          "enrich-1 and enrich-2 both own lanes 8" },
        { STAGES "  enrich:\n    tap: ipc://t\n    instances: [{lanes: 0-7}, {lanes: 8-15}]\n", 4,
          "belongs to one instance" },
        { STAGES "  enrich: {follow: 'tcp://127.0.0.1:1'}\n", 3, "needs `curve: true`" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://*:1'}\n", 3, "a numeric address" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://0.0.0.0:1'}\n", 3, "numeric address" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://host:1'}\n", 3, "a numeric address" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://[::]:1'}\n", 3, "a numeric address" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://1.2.3.4:0'}\n", 3, "a numeric address" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://1.2.3.4:65536'}\n", 3, "numeric" },
        { STAGES "  enrich: {curve: true, follow: 'tcp://1.2.3.4'}\n", 3, "a numeric address" },
        { STAGES "  enrich: {follow: 'udp://1.2.3.4:1'}\n", 3, "neither ipc:// nor tcp://" },
        { STAGES "  enrich: {follow: 'ipc://'}\n", 3, "must name a file" },
        { STAGES "  enrich: {follow: 'ipc://@abstract'}\n", 3, "must name a file" },
        { STAGES "  enrich: {follow: ipc://x, tap: ipc://./x}\n", 3, "uses ipc:///srv/x twice" },
        { STAGES "  enrich: {tap: 'ipc:///srv/var/run/ingest-1.tap'}\n", 3, "both use ipc://" },
        { STAGES "  enrich: {data: var/data/ingest-1}\n", 3, "both keep their data in /srv/var" },
        { STAGES "  enrich: {submit: ipc://x}\n", 3, "enrich has no endpoint 'submit'" },
        { STAGES "  ingest: {metrics: '192.0.2.1:80'}\n", 3, "not a loopback address" },
        { STAGES "  ingest: {metrics: '127.0.0.1:9'}\n  relay: {release: 'tcp://127.0.0.1:9'}\n", 4,
          "both use" },
        { STAGES "  relay: {host: b}\n", 1, "on several hosts" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_problem_t problem = { 0 };
        nrs_plan_t *plan = NULL;
        nrs_err_t err = s_read(cases[i].text, &problem, &plan);
        if (err != NRS_E_CONFIG || problem.line != cases[i].line ||
            !strstr(problem.text, cases[i].says))
            fail_msg("%s: %s, %u:%u: %s", cases[i].text, nrs_err_name(err), problem.line,
                     problem.column, problem.text);
        assert_null(plan);
    }
}

static void
test_plan_says_what_to_do_about_a_long_socket_path(void **unused)
{
    (void)unused;
    nrs_buf_t text = { 0 };
    nrs_buf_put_text(&text, "noroshi: 1\nhome: /");
    for (int i = 0; i < 100; i++)
        nrs_buf_put_text(&text, "x");
    nrs_problem_t problem = { 0 };
    nrs_plan_t *plan = NULL;
    assert_int_equal(s_read(nrs_buf_cstr(&text), &problem, &plan), NRS_E_CONFIG);
    assert_non_null(strstr(problem.text, "/run/ingest-1.follow has 121 bytes"));
    assert_non_null(strstr(problem.text, "choose a shorter `home:`"));
    nrs_buf_free(&text);
}

static void
test_plan_lets_hosts_have_the_same_socket_files(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_plan)
    plan = s_plan(STAGES
                  "  ingest: {host: a, curve: true, follow: 'tcp://192.0.2.1:1', tap: ipc://t}\n"
                  "  enrich: {host: b, curve: true, follow: 'tcp://192.0.2.2:1', tap: ipc://t}\n"
                  "  classify: {host: b, curve: true, follow: 'tcp://192.0.2.2:2'}\n"
                  "  relay: {host: b, curve: true, follow: 'tcp://[2001:db8::1]:1'}\n");
    s_assert_sane(plan);
    assert_string_equal(nrs_plan_instance(plan, "enrich-1")->host, "b");
}

static void
test_plan_leaves_the_file_and_all_mistakes_to_the_caller(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_config) config = NULL;
    nrs_problem_t problem = { 0 };
    nrs_plan_t *plan = NULL;
    assert_int_equal(nrs_config_parse(nrs_text("noroshi: 1\n"
                                               "lanes: 0\n"
                                               "stages:\n"
                                               "  ingest: {taps: x}\n"
                                               "  enrich: {lanes: y}\n"
                                               "  other: {}\n"),
                                      "x.yaml", NULL, &config),
                     NRS_OK);
    assert_int_equal(nrs_plan_read(&config, &problem, &plan), NRS_E_CONFIG);
    assert_non_null(config);
    assert_int_equal(problem.line, 2);
    unsigned lines = 0;
    for (size_t i = 0; nrs_config_mistake(config, i); i++)
        lines |= 1u << nrs_config_mistake(config, i)->line;
    assert_int_equal(lines, 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6);
}

static void
test_plan_opens_the_shipped_example(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_plan) plan = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_plan_open(NOROSHI_SOURCE_DIR "/deploy/noroshi.yaml", &problem, &plan))
        fail_msg("%u:%u: %s", problem.line, problem.column, problem.text);
    s_assert_sane(plan);
    assert_string_equal(plan->realm, "live");
    assert_int_equal(nrs_plan_open("/nonexistent.yaml", &problem, &plan), NRS_E_IO);
}

// Every key that the reader knows stands in the reference: an unknown key's message lists the known
// ones.
static void
test_plan_has_a_reference_of_every_key(void **unused)
{
    (void)unused;
    FILE *file = fopen(NOROSHI_SOURCE_DIR "/proto/noroshi_yaml.md", "re");
    assert_non_null(file);
    static char page[1 << 16];
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    static const char *const texts[] = { "noroshi: 1\nqqqqqqqqqqq: 1\n",
                                         STAGES "  enrich: {qqqqqqqqqqq: 1}\n" };
    for (size_t i = 0; i < 2; i++) {
        nrs_problem_t problem = { 0 };
        nrs_plan_t *plan = NULL;
        assert_int_equal(s_read(texts[i], &problem, &plan), NRS_E_CONFIG);
        char *keys = strstr(problem.text, "are: ");
        assert_non_null(keys);
        char *rest = NULL;
        for (char *key = strtok_r(keys + 5, ", ", &rest); key; key = strtok_r(NULL, ", ", &rest)) {
            char row[80];
            snprintf(row, sizeof row, "| `%s` |", key);
            if (!strstr(page, row))
                fail_msg("%s is not in the reference", key);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_needs_only_its_version),
        cmocka_unit_test(test_plan_takes_what_the_file_says),
        cmocka_unit_test(test_plan_refuses_with_the_place),
        cmocka_unit_test(test_plan_says_what_to_do_about_a_long_socket_path),
        cmocka_unit_test(test_plan_lets_hosts_have_the_same_socket_files),
        cmocka_unit_test(test_plan_leaves_the_file_and_all_mistakes_to_the_caller),
        cmocka_unit_test(test_plan_opens_the_shipped_example),
        cmocka_unit_test(test_plan_has_a_reference_of_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
