/* schema.h -- tables, views and their documentation; part of storage/ only.
 *
 * Tables change by migrations, forward only. Views and documentation are this program's reading of the
 * tables: they are written anew whenever their text differs from what the database holds.
 */
#ifndef STORAGE_SCHEMA_H
#define STORAGE_SCHEMA_H

#include <stdbool.h>

struct diag;
struct sqlite3;

/* Whose database is it? *fresh: an empty file, ours to fill. ERR_CORRUPT foreign, ERR_NEWER newer. */
int schema_check(struct sqlite3 *db, bool *fresh, struct diag *d);
/* Settings of a connection that writes. ERR_IO when the file cannot have a write-ahead log. */
int schema_writer(struct sqlite3 *db, bool fresh, struct diag *d);
/* Brings tables, then views, to this program's version; one transaction each. `id_hash_key`: 32 hex
 * digits or NULL, used by a fresh database only. */
int schema_migrate(struct sqlite3 *db, bool fresh, const char *id_hash_key, struct diag *d);
/* views.c: writes views and documentation if they differ; inside a transaction. */
int views_install(struct sqlite3 *db, struct diag *d);

/* One sentence for people. column "": the table or view itself. name "*": every table and view that has
 * such a column and no sentence of its own for it. */
struct documentation {
	const char *name, *column, *meaning;
};
/* Each ended by a NULL name. */
extern const struct documentation documentation_table[], documentation_labels[], documentation_ood[];

#endif
