/* reproduce_trace.h -- the records that carried most of an alert's evidence, as
 * `driftd reproduce` tells them. */
#ifndef MONITOR_COMMAND_REPRODUCE_TRACE_H
#define MONITOR_COMMAND_REPRODUCE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

struct diag;
struct sqlite3;
struct trace;

/* What to look for: *out is zeroed, and set from the alert's rows. The texts belong to *out. */
int reproduce_trace(struct trace *out, struct sqlite3 *db, const char *alert_id, struct diag *d);
void reproduce_trace_finish(struct trace *t);
/* `values`: those of the records may be shown. JSON: an array. Alerts that no test opened have no records. */
void reproduce_trace_print(const struct trace *t, FILE *out, bool json, bool values);

#endif
