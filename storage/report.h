/* report.h -- what `driftd status` and `driftd alerts` print, from a connection of store_open_reader.
 *
 * Plain text in columns for a terminal, or one JSON value. Each report is one snapshot. Text that came
 * with records is printed without its control characters. Returns 0 or an error with its sentence.
 */
#ifndef STORAGE_REPORT_H
#define STORAGE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

struct diag;
struct sqlite3;

/* Records, watermark, lag, models, budget, open alerts, streams whose promise is void. */
int report_status(struct sqlite3 *db, FILE *out, bool json, struct diag *d);

/* Every table, view and column with its meaning, or those of `name`. ERR_MISSING: there is none. */
int report_documentation(FILE *out, const char *name, bool json, struct diag *d);

/* A table or view as CSV; ERR_MISSING: there is none of that name. */
int report_csv(struct sqlite3 *db, FILE *out, const char *name, struct diag *d);
/* The same as an array of objects. */
int report_json(struct sqlite3 *db, FILE *out, const char *name, struct diag *d);
/* The whole database as it is now into a new file; ERR_INVALID: it exists. */
int report_backup(struct sqlite3 *db, const char *path, struct diag *d);

struct alert_query {
	bool history;   /* resolved ones too */
	bool all;       /* every row, instead of the first 20 */
	const char *id; /* an alert id or its beginning: this one in detail. NULL: a list */
};
/* ERR_MISSING no such alert; ERR_INVALID the beginning fits several. */
int report_alerts(struct sqlite3 *db, FILE *out, const struct alert_query *query, bool json,
                  struct diag *d);

#endif
