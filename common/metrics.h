// metrics.h - counters, gauges and histograms, printed as Prometheus text (exposition format 0.0.4)
// Threads:  values may be added from any thread; registering belongs to one.

#ifndef NRS_METRICS_H
#define NRS_METRICS_H

#include "common/base.h"
#include "common/buf.h"

typedef struct nrs_metrics nrs_metrics_t;
typedef struct nrs_metric nrs_metric_t;

nrs_metrics_t *
nrs_metrics_new(void);
void
nrs_metrics_destroy(nrs_metrics_t **self_p);

// `name` in base units with `_total` for counters ("noroshi_events_total"); `labels` is what stands
// between the braces
// (`reason="format"`) or NULL. The texts are copied. Asking for the same name and labels again
// gives the same metric.
nrs_metric_t *
nrs_metrics_counter(nrs_metrics_t *self, const char *name, const char *labels, const char *help);
nrs_metric_t *
nrs_metrics_gauge(nrs_metrics_t *self, const char *name, const char *labels, const char *help);
// Seconds, in buckets from 100 us to 10 s.
nrs_metric_t *
nrs_metrics_histogram(nrs_metrics_t *self, const char *name, const char *labels, const char *help);

void
nrs_metric_add(nrs_metric_t *metric, uint64_t more);
void
nrs_metric_set(nrs_metric_t *metric, uint64_t value);
void
nrs_metric_observe(nrs_metric_t *metric, double seconds);
uint64_t
nrs_metric_value(const nrs_metric_t *metric);

void
nrs_metrics_print(const nrs_metrics_t *self, nrs_buf_t *into);

#endif
