/* page.h -- what the page and `driftd report` show, as JSON, from a connection of store_open_reader.
 *
 * Each function writes one JSON value to `out` and is one snapshot when it is called inside a transaction
 * of the caller. Bounded: see the numbers below.
 * Returns 0 or an error with its sentence; ERR_MISSING when there is no such model, stream or alert.
 */
#ifndef STORAGE_PAGE_H
#define STORAGE_PAGE_H

#include <stdio.h>

struct diag;
struct sqlite3;

/* Plain numbers: they stand in SQL. */
#define PAGE_COLUMNS 730      /* points of a series */
#define PAGE_ALERT_COLUMNS 120 /* windows around an alert */
#define PAGE_HEAT_COLUMNS 60  /* spans of a heat map */
#define PAGE_ALERTS 200
#define PAGE_STREAMS 400      /* of a model */
#define PAGE_FILE_STREAMS 24  /* of a model, in one file: those that use most of their threshold */

/* {summary, budget, models, alerts}: all models with their state, and the open alerts. */
int page_overview(struct sqlite3 *db, FILE *out, struct diag *d);
/* {coverage, labels, streams, heat, alerts} of the model called `name`. */
int page_model(struct sqlite3 *db, FILE *out, const char *name, struct diag *d);
/* {stream, cells, counts, series, detectors} of a stream. */
int page_stream(struct sqlite3 *db, FILE *out, long long stream_id, struct diag *d);
/* {alert, events, series}: the alert, and its stream's statistic around it. */
int page_alert(struct sqlite3 *db, FILE *out, const char *alert_id, struct diag *d);
/* {overview, models: {name: ...}, streams: {id: ...}, alerts: {id: ...}}: everything that the pages show,
 * for one file. `progress` (may be NULL) is told parts done and in all. */
int page_everything(struct sqlite3 *db, FILE *out, void (*progress)(void *, unsigned, unsigned),
                    void *context, struct diag *d);

#endif
