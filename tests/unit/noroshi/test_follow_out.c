// What `noroshi follow` prints: JSON lines, counts, and only what was asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/noroshi/follow_out.h"
#include "tests/fixtures/scratch.h"
#include "tests/fixtures/segments.h"

typedef struct desk {
    follow_out_options_t options;
    nrs_expr_t *where;
    follow_out_t *out;
    nrs_segment_build_t build;
    nrs_place_t place;
    nrs_buf_t room;
    int screen; // stdout while the output is written to a file
    char printed[4096];
} desk_t;

static int
s_setup(void **state)
{
    desk_t *self = nrs_new0(desk_t);
    self->options = (follow_out_options_t){
        .form = FOLLOW_JSON, .realm = "live", .centre = "C", .topic = "enriched"
    };
    self->place = (nrs_place_t){ .epoch = 7, .offset = 100 };
    *state = self;
    return 0;
}

static int
s_teardown(void **state)
{
    desk_t *self = *state;
    follow_out_destroy(&self->out);
    nrs_expr_destroy(&self->where);
    nrs_segment_build_free(&self->build);
    nrs_buf_free(&self->room);
    free(self);
    return 0;
}

static void
s_where(desk_t *self, const char *text)
{
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_expr_compile(nrs_text(text), &problem, &self->where), NRS_OK);
    self->options.where = self->where;
}

static void
s_add(desk_t *self, uint64_t kind, const char *value)
{
    segments_add(&self->build, kind, value, NRS_TLP_GREEN);
}

// Put what was added out as one segment of lane 2.
static nrs_err_t
s_put(desk_t *self)
{
    if (!self->out)
        self->out = follow_out_new(&self->options);
    nrs_segment_t segment = segments_end(&self->build, nrs_segment_stream("live", "enriched"), 2,
                                         &self->place, &self->room);
    return follow_out_segment(self->out, &segment);
}

// End the output; what went to stdout by then is returned.
static const char *
s_end(desk_t *self)
{
    const char *path = scratch_path("stdout");
    FILE *file = fopen(path, "w+");
    assert_non_null(file);
    fflush(stdout);
    self->screen = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    nrs_err_t err = follow_out_end(self->out);
    fflush(stdout);
    dup2(self->screen, STDOUT_FILENO);
    close(self->screen);
    rewind(file);
    self->printed[fread(self->printed, 1, sizeof self->printed - 1, file)] = 0;
    fclose(file);
    assert_int_equal(err, NRS_OK);
    return self->printed;
}

static unsigned
s_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

// --- stories -------------------------------------------------------------------------------------

static void
test_follow_prints_an_event_a_line_with_its_place(void **state)
{
    desk_t *self = *state;
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_URL, "http://b.example/\"\n");
    assert_int_equal(s_put(self), NRS_OK);
    const char *text = s_end(self);
    assert_int_equal(s_lines(text), 2);
    static const char first[] =
        "{\"topic\":\"enriched\",\"lane\":2,\"epoch\":7,\"offset\":100,\"event\":{";
    assert_memory_equal(text, first, sizeof first - 1);
    assert_non_null(strstr(text, "\"a.example\""));
    assert_non_null(strstr(text, "\"offset\":101"));
    assert_non_null(strstr(text, "http://b.example/\\\"\\n"));
    assert_int_equal(follow_out_shown(self->out), 2);
}

static void
test_follow_prints_only_what_is_asked_for(void **state)
{
    desk_t *self = *state;
    s_where(self, "kind == \"url\"");
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_URL, "http://b.example/");
    assert_int_equal(s_put(self), NRS_OK);
    const char *text = s_end(self);
    assert_int_equal(s_lines(text), 1);
    assert_non_null(strstr(text, "\"offset\":101"));
}

static void
test_follow_stops_after_so_many_events(void **state)
{
    desk_t *self = *state;
    self->options.count_max = 3;
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_DOMAIN, "b.example");
    assert_int_equal(s_put(self), NRS_OK);
    s_add(self, NRS_KIND_DOMAIN, "c.example");
    s_add(self, NRS_KIND_DOMAIN, "d.example");
    assert_int_equal(s_put(self), NRS_E_LIMIT);
    const char *text = s_end(self);
    assert_int_equal(s_lines(text), 3);
    assert_null(strstr(text, "d.example"));
}

static void
test_follow_counts_values_the_most_frequent_first(void **state)
{
    desk_t *self = *state;
    self->options.form = FOLLOW_COUNT;
    self->options.json = true;
    self->options.count_by = NRS_ORIGIN_kind;
    s_add(self, NRS_KIND_URL, "http://a.example/");
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_DOMAIN, "b.example");
    assert_int_equal(s_put(self), NRS_OK);
    s_add(self, NRS_KIND_IPV4, "192.0.2.1");
    s_add(self, NRS_KIND_DOMAIN, "c.example");
    assert_int_equal(s_put(self), NRS_OK);
    assert_string_equal(s_end(self), "{\"value\":\"domain\",\"events\":3}\n"
                                     "{\"value\":\"ipv4\",\"events\":1}\n"
                                     "{\"value\":\"url\",\"events\":1}\n");
}

static void
test_follow_counts_what_has_no_value_as_a_dash(void **state)
{
    desk_t *self = *state;
    self->options.form = FOLLOW_COUNT;
    self->options.json = true;
    self->options.count_by = NRS_CONTEXT_country;
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_DOMAIN, "b.example");
    assert_int_equal(s_put(self), NRS_OK);
    assert_string_equal(s_end(self), "{\"value\":\"-\",\"events\":2}\n");
}

static void
test_follow_counts_many_different_values(void **state)
{
    enum { values = 5000 }; // its table grows three times
    desk_t *self = *state;
    self->options.form = FOLLOW_COUNT;
    self->options.count_by = NRS_ORIGIN_value;
    self->options.json = true;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < values; i++) {
            char value[32];
            snprintf(value, sizeof value, "h%d.example", i % (round ? 10 : values));
            s_add(self, NRS_KIND_DOMAIN, value);
            if (i % 100 == 99)
                assert_int_equal(s_put(self), NRS_OK);
        }
    assert_int_equal(follow_out_shown(self->out), 2 * values);
    const char *text = s_end(self); // its beginning
    static const char first[] = "{\"value\":\"h0.example\",\"events\":501}\n";
    static const char eleventh[] = "{\"value\":\"h10.example\",\"events\":1}\n";
    assert_memory_equal(text, first, sizeof first - 1);
    assert_ptr_equal(strstr(text, eleventh), text + 10 * (sizeof first - 1));
}

static void
test_follow_counts_for_people_in_a_table(void **state)
{
    desk_t *self = *state;
    self->options.form = FOLLOW_COUNT;
    self->options.count_by = NRS_ORIGIN_value;
    s_add(self, NRS_KIND_DOMAIN, "\x1b[2Jevil.example"); // a terminal must not obey it
    assert_int_equal(s_put(self), NRS_OK);
    const char *text = s_end(self);
    assert_int_equal(s_lines(text), 2);
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "evil.example"));
}

static void
test_follow_quiet_prints_nothing_and_counts(void **state)
{
    desk_t *self = *state;
    self->options.form = FOLLOW_QUIET;
    s_add(self, NRS_KIND_DOMAIN, "a.example");
    s_add(self, NRS_KIND_DOMAIN, "b.example");
    assert_int_equal(s_put(self), NRS_OK);
    assert_string_equal(s_end(self), "");
    assert_int_equal(follow_out_shown(self->out), 2);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_follow_prints_an_event_a_line_with_its_place),
        STORY(test_follow_prints_only_what_is_asked_for),
        STORY(test_follow_stops_after_so_many_events),
        STORY(test_follow_counts_values_the_most_frequent_first),
        STORY(test_follow_counts_what_has_no_value_as_a_dash),
        STORY(test_follow_counts_many_different_values),
        STORY(test_follow_counts_for_people_in_a_table),
        STORY(test_follow_quiet_prints_nothing_and_counts),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
