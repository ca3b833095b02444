/* exposition.h -- what the database says of itself, in Prometheus' text format (0.0.4).
 *
 * Every family is a query: its last column is the value, the others are labels (NULL: none). A first column
 * called `part` ends the name (_bucket, _sum, _count). Label values may come from
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
/* The two lines before the first of a family. */
void exposition_head(FILE *out, const char *name, const char *type, const char *help);
/* name="value" as a label, escaped. */
void exposition_label(FILE *out, const char *name, const char *value, size_t length);

#endif
