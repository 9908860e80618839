#include "common/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_metrics_print_the_exposition_format(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_metrics) metrics = nrs_metrics_new();
    nrs_metric_t *format =
        nrs_metrics_counter(metrics, "x_dead_total", "reason=\"format\"", "Dead letters.");
    nrs_metric_t *lag = nrs_metrics_gauge(metrics, "x_lag", NULL, "One line\nand a \\.");
    nrs_metric_t *size = nrs_metrics_counter(metrics, "x_dead_total", "reason=\"size\"", "Dead.");
    nrs_metric_add(format, 2);
    nrs_metric_add(format, 3);
    nrs_metric_set(lag, 18446744073709551615u);
    nrs_metric_add(size, 1);
    nrs_buf_t text = { 0 };
    nrs_metrics_print(metrics, &text);
    assert_string_equal(nrs_buf_cstr(&text), "# HELP x_dead_total Dead letters.\n"
                                             "# TYPE x_dead_total counter\n"
                                             "x_dead_total{reason=\"format\"} 5\n"
                                             "x_dead_total{reason=\"size\"} 1\n"
                                             "# HELP x_lag One line\\nand a \\\\.\n"
                                             "# TYPE x_lag gauge\n"
                                             "x_lag 18446744073709551615\n");
    nrs_buf_free(&text);
}

static void
test_metrics_give_the_same_metric_for_the_same_name(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_metrics) metrics = nrs_metrics_new();
    nrs_metric_t *one = nrs_metrics_counter(metrics, "x_total", NULL, "X.");
    nrs_metric_t *other = nrs_metrics_counter(metrics, "x_total", "a=\"b\"", "X.");
    assert_ptr_not_equal(one, other);
    assert_ptr_equal(nrs_metrics_counter(metrics, "x_total", "", "X."), one);
    assert_ptr_equal(nrs_metrics_counter(metrics, "x_total", "a=\"b\"", "X."), other);
    nrs_metric_add(one, 4);
    assert_int_equal(nrs_metric_value(one), 4);
    assert_int_equal(nrs_metric_value(other), 0);
}

static void
test_metrics_histogram_counts_into_buckets(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_metrics) metrics = nrs_metrics_new();
    nrs_metric_t *took = nrs_metrics_histogram(metrics, "x_seconds", "a=\"b\"", "Took.");
    static const double seconds[] = { 0.0001, 0.00011, 0.25, 11, -1, NAN };
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        nrs_metric_observe(took, seconds[i]);
    assert_int_equal(nrs_metric_value(took), 6);
    nrs_buf_t text = { 0 };
    nrs_metrics_print(metrics, &text);
    static const char *const lines[] = {
        "# TYPE x_seconds histogram\n",
        "x_seconds_bucket{a=\"b\",le=\"0.0001\"} 3\n",
        "x_seconds_bucket{a=\"b\",le=\"0.00025\"} 4\n",
        "x_seconds_bucket{a=\"b\",le=\"0.1\"} 4\n",
        "x_seconds_bucket{a=\"b\",le=\"0.25\"} 5\n",
        "x_seconds_bucket{a=\"b\",le=\"10\"} 5\n",
        "x_seconds_bucket{a=\"b\",le=\"+Inf\"} 6\n",
        "x_seconds_sum{a=\"b\"} 11.250210000\n",
        "x_seconds_count{a=\"b\"} 6\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(nrs_buf_cstr(&text), lines[i]))
            fail_msg("%s is missing from\n%s", lines[i], nrs_buf_cstr(&text));
    nrs_buf_free(&text);
}

static void
test_metrics_histogram_without_labels_has_no_stray_braces(void **unused)
{
    (void)unused;
    NRS_AUTO(nrs_metrics) metrics = nrs_metrics_new();
    nrs_metric_observe(nrs_metrics_histogram(metrics, "x_seconds", NULL, "Took."), INFINITY);
    nrs_buf_t text = { 0 };
    nrs_metrics_print(metrics, &text);
    assert_non_null(strstr(nrs_buf_cstr(&text), "x_seconds_bucket{le=\"10\"} 0\n"));
    assert_non_null(strstr(nrs_buf_cstr(&text), "\nx_seconds_count 1\n"));
    nrs_buf_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_print_the_exposition_format),
        cmocka_unit_test(test_metrics_give_the_same_metric_for_the_same_name),
        cmocka_unit_test(test_metrics_histogram_counts_into_buckets),
        cmocka_unit_test(test_metrics_histogram_without_labels_has_no_stray_braces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
