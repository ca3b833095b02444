/* exposition.h -- what the database says of itself, in Prometheus' text format (0.0.4).
 *
 * Every family is a query: its last column is the value, the others are labels. Label values may come from
 * records and are escaped. At most `series_max` lines of one family; what is left out is a metric of its
 * own. */
#ifndef STORAGE_EXPOSITION_H
#define STORAGE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct diag;
struct sqlite3;

int exposition_write(struct sqlite3 *db, FILE *out, uint32_t series_max, struct diag *d);
/* name="value" as a label, escaped. */
void exposition_label(FILE *out, const char *name, const char *value, size_t length);

#endif
