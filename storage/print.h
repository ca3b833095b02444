/* print.h -- results of queries as text or JSON; part of storage/ only. */
#ifndef STORAGE_PRINT_H
#define STORAGE_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <sqlite3.h>

struct diag;

/* All rows as a table with a head; nothing but `none` when there is no row. `argument` is ?1 or NULL. */
int print_table(sqlite3 *db, FILE *out, const char *sql, const char *argument, const char *none,
                struct diag *d);
/* Every row as lines `name  value`, leaving out NULL and empty ones; several lines are indented. */
int print_record(sqlite3 *db, FILE *out, const char *sql, const char *argument, struct diag *d);
/* Rows as a JSON array of objects; `single`: the first row as an object, or null. `<` is escaped, so
 * that the text may stand in a page. */
int print_json(sqlite3 *db, FILE *out, const char *sql, const char *argument, bool single,
               struct diag *d);
void print_json_text(FILE *out, const char *text, size_t length); /* with its quotes */
/* Rows as {"columns":[name...],"rows":[[value...]...]}: for long series. */
int print_columns(sqlite3 *db, FILE *out, const char *sql, const char *argument, struct diag *d);

#endif
