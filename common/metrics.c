#include "common/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef enum s_kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM } s_kind_t;

// Upper bounds in nanoseconds and as they are printed, in seconds.
static const struct {
    uint64_t upto_ns;
    const char *text;
} s_buckets[] = {
    { 100000, "0.0001" },  { 250000, "0.00025" }, { 500000, "0.0005" },  { 1000000, "0.001" },
    { 2500000, "0.0025" }, { 5000000, "0.005" },  { 10000000, "0.01" },  { 25000000, "0.025" },
    { 50000000, "0.05" },  { 100000000, "0.1" },  { 250000000, "0.25" }, { 500000000, "0.5" },
    { 1000000000, "1" },   { 2500000000, "2.5" }, { 5000000000, "5" },   { 10000000000, "10" },
};
enum { BUCKETS = sizeof s_buckets / sizeof s_buckets[0] };

typedef struct s_histogram {
    _Atomic uint64_t counts[BUCKETS + 1]; // not cumulative; the last has what is beyond all bounds
    _Atomic uint64_t sum_ns;
} s_histogram_t;

struct nrs_metric {
    nrs_metric_t *next;
    s_kind_t kind;
    char *name, *labels, *help; // owned; labels "" when there are none
    _Atomic uint64_t value;     // of a histogram: unused
    s_histogram_t *histogram;   // owned; NULL for the others
};

struct nrs_metrics {
    nrs_metric_t *first; // metrics of one name stand together, as the format demands
};

// --- registering ---------------------------------------------------------------------------------

nrs_metrics_t *
nrs_metrics_new(void)
{
    return nrs_new0(nrs_metrics_t);
}

void
nrs_metrics_destroy(nrs_metrics_t **self_p)
{
    nrs_metrics_t *self = *self_p;
    if (!self)
        return;
    while (self->first) {
        nrs_metric_t *metric = self->first;
        self->first = metric->next;
        free(metric->name);
        free(metric->labels);
        free(metric->help);
        free(metric->histogram);
        free(metric);
    }
    free(self);
    *self_p = NULL;
}

static bool
s_name_ok(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    return name[0] >= 'a' && name[0] <= 'z' && name[strspn(name, letters)] == 0;
}

static nrs_metric_t *
s_metric(nrs_metrics_t *self, s_kind_t kind, const char *name, const char *labels, const char *help)
{
    NRS_ASSERT(self && s_name_ok(name) && help);
    labels = labels ? labels : "";
    nrs_metric_t **slot = &self->first;
    bool family = false;
    for (; *slot; slot = &(*slot)->next) {
        bool same = strcmp((*slot)->name, name) == 0;
        if (family && !same)
            break; // behind the last of its name
        family = same;
        NRS_ASSERT(!same || (*slot)->kind == kind);
        if (same && strcmp((*slot)->labels, labels) == 0)
            return *slot;
    }
    nrs_metric_t *metric = nrs_new0(nrs_metric_t);
    metric->kind = kind;
    metric->name = nrs_strdup(name);
    metric->labels = nrs_strdup(labels);
    metric->help = nrs_strdup(help);
    if (kind == KIND_HISTOGRAM)
        metric->histogram = nrs_new0(s_histogram_t);
    metric->next = *slot;
    *slot = metric;
    return metric;
}

nrs_metric_t *
nrs_metrics_counter(nrs_metrics_t *self, const char *name, const char *labels, const char *help)
{
    return s_metric(self, KIND_COUNTER, name, labels, help);
}

nrs_metric_t *
nrs_metrics_gauge(nrs_metrics_t *self, const char *name, const char *labels, const char *help)
{
    return s_metric(self, KIND_GAUGE, name, labels, help);
}

nrs_metric_t *
nrs_metrics_histogram(nrs_metrics_t *self, const char *name, const char *labels, const char *help)
{
    return s_metric(self, KIND_HISTOGRAM, name, labels, help);
}

// --- values --------------------------------------------------------------------------------------

// Relaxed throughout: each value stands for itself, and a reader that is a moment late is right
// enough.

void
nrs_metric_add(nrs_metric_t *metric, uint64_t more)
{
    NRS_ASSERT(metric->kind != KIND_HISTOGRAM);
    atomic_fetch_add_explicit(&metric->value, more, memory_order_relaxed);
}

void
nrs_metric_set(nrs_metric_t *metric, uint64_t value)
{
    NRS_ASSERT(metric->kind == KIND_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void
nrs_metric_observe(nrs_metric_t *metric, double seconds)
{
    NRS_ASSERT(metric->kind == KIND_HISTOGRAM);
    // Not a number and below zero count as 0, above a year as a year: the sum must stay a number.
    static const double longest = 366.0 * 24 * 3600;
    seconds = seconds > 0 ? (seconds < longest ? seconds : longest) : 0;
    uint64_t ns = (uint64_t)(seconds * 1e9 + 0.5);
    size_t i = 0;
    while (i < BUCKETS && ns > s_buckets[i].upto_ns)
        i++;
    atomic_fetch_add_explicit(&metric->histogram->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->histogram->sum_ns, ns, memory_order_relaxed);
}

uint64_t
nrs_metric_value(const nrs_metric_t *metric)
{
    if (metric->kind != KIND_HISTOGRAM)
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS; i++)
        count += atomic_load_explicit(&metric->histogram->counts[i], memory_order_relaxed);
    return count;
}

// --- printing ------------------------------------------------------------------------------------

static void
s_print_help(const nrs_metric_t *metric, nrs_buf_t *into)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    nrs_buf_printf(into, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c; c++) {
        if (*c == '\n')
            nrs_buf_put_text(into, "\\n");
        else if (*c == '\\')
            nrs_buf_put_text(into, "\\\\");
        else
            nrs_buf_put(into, c, 1);
    }
    nrs_buf_printf(into, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
}

static void
s_print_histogram(const nrs_metric_t *metric, nrs_buf_t *into)
{
    const char *labels = metric->labels, *comma = labels[0] ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        count += atomic_load_explicit(&metric->histogram->counts[i], memory_order_relaxed);
        nrs_buf_printf(into, "%s_bucket{%s%sle=\"%s\"} %llu\n", metric->name, labels, comma,
                       i < BUCKETS ? s_buckets[i].text : "+Inf", (unsigned long long)count);
    }
    uint64_t sum_ns = atomic_load_explicit(&metric->histogram->sum_ns, memory_order_relaxed);
    const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
    nrs_buf_printf(into, "%s_sum%s%s%s %llu.%09llu\n", metric->name, open, labels, close,
                   (unsigned long long)(sum_ns / 1000000000),
                   (unsigned long long)(sum_ns % 1000000000));
    nrs_buf_printf(into, "%s_count%s%s%s %llu\n", metric->name, open, labels, close,
                   (unsigned long long)count);
}

void
nrs_metrics_print(const nrs_metrics_t *self, nrs_buf_t *into)
{
    const char *family = "";
    for (const nrs_metric_t *metric = self->first; metric; metric = metric->next) {
        if (strcmp(family, metric->name) != 0)
            s_print_help(metric, into);
        family = metric->name;
        if (metric->kind == KIND_HISTOGRAM)
            s_print_histogram(metric, into);
        else if (metric->labels[0])
            nrs_buf_printf(into, "%s{%s} %llu\n", metric->name, metric->labels,
                           (unsigned long long)nrs_metric_value(metric));
        else
            nrs_buf_printf(into, "%s %llu\n", metric->name,
                           (unsigned long long)nrs_metric_value(metric));
    }
}
