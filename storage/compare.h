/* compare.h -- does another database hold the same alert, to the last bit? */
#ifndef STORAGE_COMPARE_H
#define STORAGE_COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct diag;
struct sqlite3;

/* What an alert was when it opened: its stream, evidence, effect, times and the record that opened it.
 * Prints a line a figure to `out`, or {"figure", "then", "now", "same"} with commas between; *different:
 * how many are not the same, doubles by their bits.
 * ERR_MISSING: `b` has no such alert. */
int compare_alert(struct sqlite3 *a, struct sqlite3 *b, const char *alert_id, FILE *out, bool json,
                  unsigned *different, struct diag *d);
/* What else a second reading needs of the first: the key of the id hash (33 bytes), references that were
 * fitted apart, and commands executed before the alert opened. */
struct compare_needs {
	char id_hash_key[33];
	int64_t fitted, commands;
};
int compare_needs(struct sqlite3 *db, const char *alert_id, struct compare_needs *out, struct diag *d);

#endif
