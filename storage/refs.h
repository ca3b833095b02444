/* refs.h -- what `driftd refs` prints of the references of a database, from a connection of
 * store_open_reader. Returns 0 or an error with its sentence. */
#ifndef STORAGE_REFS_H
#define STORAGE_REFS_H

#include <stdbool.h>
#include <stdio.h>

struct diag;
struct sqlite3;

/* References of streams, then those of out-of-distribution scores; JSON: an object of two arrays. */
int refs_list(struct sqlite3 *db, FILE *out, bool json, struct diag *d);
/* Two versions of a model, property by property: where they differ. ERR_MISSING: one of them has none. */
int refs_ood_diff(struct sqlite3 *db, FILE *out, const char *model, const char *from, const char *to,
                  bool json, struct diag *d);

#endif
