/* explain_sql.c -- `driftd explain --sql`: the documentation of tables and views without a database. */
#include <stdio.h>
#include <string.h>

#include "storage/report.h"
#include "storage/schema.h"
#include "storage/store_impl.h"

static int print(sqlite3 *db, FILE *out, const char *name, struct diag *d)
{
	const struct value value = value_text(name);
	sqlite3_stmt *q = NULL;
	bool any = false;
	int step;

	if (sqlite3_prepare_v2(db, "SELECT d.name, d.column, d.meaning, ifnull(s.type, '') FROM documentation d"
	                       " LEFT JOIN sqlite_schema s ON s.name = d.name WHERE ?1 IS NULL OR d.name = ?1"
	                       " ORDER BY ifnull(s.type, '') = 'table', d.name, "
	                       "d.rowid", -1, &q, NULL) != SQLITE_OK ||
	    store_bind(q, &value, 1) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		const char *column = store_column_text(q, 1), *meaning = store_column_text(q, 2);

		if (!*column)
			fprintf(out, "%s%s (%s)\n    %s\n", any ? "\n" : "", store_column_text(q, 0),
			        store_column_text(q, 3), meaning);
		else
			fprintf(out, "    %-18s %s\n", column, meaning);
		any = true;
	}
	sqlite3_finalize(q);
	if (step != SQLITE_DONE)
		return store_sqlite_error(db, "read", d);
	return any ? 0 : diag_set(d, ERR_MISSING, "there is no table or view '%.80s'; `driftd explain --sql` prints "
	                          "all", name);
}

int report_documentation(FILE *out, const char *name, struct diag *d)
{
	sqlite3 *db = NULL;
	int err = sqlite3_open(":memory:", &db) == SQLITE_OK ? 0 : diag_set(d, ERR_IO, "out of memory");

	if (!err)
		err = schema_migrate(db, true, NULL, d);
	if (!err)
		err = print(db, out, name, d);
	sqlite3_close(db);
	return err;
}
