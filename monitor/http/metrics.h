/* metrics.h -- the process in Prometheus' text format, and its health in JSON. */
#ifndef MONITOR_HTTP_METRICS_H
#define MONITOR_HTTP_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct deliver;
struct live_figures;

enum { METRICS_SERIES_MAX = 20000 }; /* of one family */

void metrics_process(FILE *out);
void metrics_live(FILE *out, const struct live_figures *f, const struct deliver *d);
void metrics_deliver(FILE *out, struct deliver *d);

/* {"status":"ok"|"failing","checks":{...}}. now_ms: monotonic. */
bool health_live(FILE *out, const struct live_figures *f, int64_t now_ms);
bool health_ready(FILE *out, const struct live_figures *f, int64_t now_ms);

#endif
