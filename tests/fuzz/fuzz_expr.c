// fuzz_expr.c - any text is refused with a column inside it, or compiles; its canonical spelling
// compiles to itself
#include "common/expr.h"

static void
s_ask(nrs_expr_t *expr)
{
    static const uint8_t id[NRS_ID_BYTES] = { 1 };
    nrs_buf_t bytes = { 0 };
    nrs_origin_t origin = { .id = nrs_bytes(id, sizeof id),
                            .kind = NRS_KIND_URL,
                            .observed_at = 1700000000000u,
                            .value = nrs_text("https://a.example.com/?q"),
                            .port = 443,
                            .count = 2,
                            .claim = nrs_text("phishing"),
                            .tags = { 1, { nrs_text("jp") } } };
    nrs_event_begin(&bytes, &origin);
    nrs_event_t event;
    NRS_ASSERT(nrs_event_open(nrs_buf_bytes(&bytes), &event) == NRS_OK);
    if (nrs_expr_match(expr, &event, 1700000001000))
        NRS_ASSERT(nrs_expr_kinds(expr) >> NRS_KIND_URL & 1);
    nrs_buf_free(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NRS_AUTO(nrs_expr) expr = NULL;
    NRS_AUTO(nrs_expr) again = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_expr_compile(nrs_bytes(data, size), &problem, &expr)) {
        NRS_ASSERT(problem.column > 0 && problem.column <= size + 1 && problem.text[0]);
        return 0;
    }
    s_ask(expr);
    if (nrs_expr_compile(nrs_text(nrs_expr_text(expr)), NULL, &again) == NRS_OK)
        NRS_ASSERT(strcmp(nrs_expr_text(expr), nrs_expr_text(again)) == 0);
    else
        NRS_ASSERT(size > NRS_EXPR_BYTES_MAX / 16); // only full names can have made it too long
    return 0;
}
