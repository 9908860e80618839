// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "common/json.h"

#include <stdlib.h>

// Parse a copy that has the padding that simdjson wants, and nothing more.
typedef struct s_text {
    uint8_t *bytes;
    nrs_json_t *json;
    nrs_json_value_t root;
    nrs_err_t err;
} s_text_t;

static void
s_parse(s_text_t *self, nrs_bytes_t text)
{
    self->bytes = nrs_alloc0(text.size + NRS_JSON_PADDING, 1);
    memcpy(self->bytes, text.data, text.size);
    self->json = nrs_json_new();
    self->err = nrs_json_parse(self->json, nrs_bytes(self->bytes, text.size), &self->root);
}

static void
s_free(s_text_t *self)
{
    nrs_json_destroy(&self->json);
    free(self->bytes);
}

static void
test_json_refuses_what_is_no_json_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        nrs_err_t err;
        const char *reason;
    } cases[] = {
        { "", NRS_E_FORMAT, "json" },
        { "{", NRS_E_FORMAT, "json" },
        { "{\"a\":1}}", NRS_E_FORMAT, "json" },
        { "{\"a\":1} {\"b\":2}", NRS_E_FORMAT, "json" },
        { "{'a':1}", NRS_E_FORMAT, "json" },
        { "{\"a\":01}", NRS_E_FORMAT, "json" },
        { "{\"a\":\"\t\"}", NRS_E_FORMAT, "json" },
        { "{\"a\":\"\\ud800\"}", NRS_E_FORMAT, "json" },
        { "{\"a\":\"\xc0\xaf\"}", NRS_E_FORMAT, "utf8" },
        { "nul", NRS_E_FORMAT, "json" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_text_t text;
        s_parse(&text, nrs_text(cases[i].text));
        assert_int_equal(text.err, cases[i].err);
        assert_string_equal(nrs_json_reason(text.json), cases[i].reason);
        assert_true(nrs_json_problem(text.json)[0] != 0);
        s_free(&text);
    }
}

static void
test_json_refuses_nesting_beyond_the_limit(void **state)
{
    (void)state;
    char nested[2 * NRS_JSON_DEPTH_MAX + 2] = { 0 };
    for (size_t depth = NRS_JSON_DEPTH_MAX - 1; depth <= NRS_JSON_DEPTH_MAX + 1; depth += 2) {
        memset(nested, '[', depth);
        memset(nested + depth, ']', depth);
        s_text_t text;
        s_parse(&text, nrs_bytes(nested, 2 * depth));
        assert_int_equal(text.err, depth < NRS_JSON_DEPTH_MAX ? NRS_OK : NRS_E_LIMIT);
        s_free(&text);
    }
}

static void
test_json_picks_paths_and_dotted_names(void **state)
{
    (void)state;
    nrs_json_paths_t *paths = nrs_json_paths_new();
    static const char *const names[] = { "a", "b.c", "x.y", "missing", "b", "n" };
    nrs_json_value_t values[6];
    size_t slot = 99;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(nrs_json_paths_add(paths, nrs_text(names[i]), &slot), NRS_OK);
        assert_int_equal(slot, i);
    }
    assert_int_equal(nrs_json_paths_add(paths, nrs_text("b.c"), &slot), NRS_OK);
    assert_int_equal(slot, 1); // the same path, the same slot
    assert_int_equal(nrs_json_paths_add(paths, nrs_text("a..b"), &slot), NRS_E_FORMAT);
    assert_int_equal(nrs_json_paths_add(paths, nrs_text(""), &slot), NRS_E_FORMAT);
    s_text_t text;
    s_parse(
        &text,
        nrs_text("{\"a\":\"\\u3042\",\"b\":{\"c\":-5},\"x.y\":true,\"a\":\"last\",\"n\":null}"));
    nrs_json_pick(&text.root, paths, values);
    assert_true(nrs_bytes_is(values[0].text, "last"));
    assert_int_equal(values[1].type, NRS_JSON_INT);
    assert_int_equal((int64_t)values[1].as.number, -5);
    assert_int_equal(values[2].type, NRS_JSON_BOOL);
    assert_int_equal(values[3].type, NRS_JSON_ABSENT);
    assert_int_equal(values[4].type, NRS_JSON_OBJECT);
    assert_int_equal(values[5].type, NRS_JSON_NULL);
    nrs_json_value_t last = nrs_json_get(&text.root, nrs_text("a"));
    assert_true(nrs_bytes_is(last.text, "last"));
    s_free(&text);
    nrs_json_paths_destroy(&paths);
}

static void
test_json_paths_have_a_limit(void **state)
{
    (void)state;
    nrs_json_paths_t *paths = nrs_json_paths_new();
    size_t slot;
    for (size_t i = 0; i < NRS_JSON_SLOTS_MAX; i++) {
        char name[8] = { 'p', (char)('a' + i / 26), (char)('a' + i % 26) };
        assert_int_equal(nrs_json_paths_add(paths, nrs_text(name), &slot), NRS_OK);
    }
    assert_int_equal(nrs_json_paths_add(paths, nrs_text("more"), &slot), NRS_E_LIMIT);
    nrs_json_paths_destroy(&paths);
}

static void
test_json_prints_what_it_read(void **state)
{
    (void)state;
    static const char given[] = "{\"a\": [1, -2, 1.5, \"x\\n\", null, true], \"b\": {} }";
    static const char want[] = "{\"a\":[1,-2,1.5,\"x\\n\",null,true],\"b\":{}}";
    s_text_t text;
    nrs_buf_t printed = { 0 };
    s_parse(&text, nrs_text(given));
    assert_int_equal(text.err, NRS_OK);
    nrs_json_print(&text.root, &printed);
    assert_string_equal(nrs_buf_cstr(&printed), want);
    nrs_buf_free(&printed);
    s_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_refuses_what_is_no_json_and_says_why),
        cmocka_unit_test(test_json_refuses_nesting_beyond_the_limit),
        cmocka_unit_test(test_json_picks_paths_and_dotted_names),
        cmocka_unit_test(test_json_paths_have_a_limit),
        cmocka_unit_test(test_json_prints_what_it_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
