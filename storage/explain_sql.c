/* explain_sql.c -- `driftd explain --sql`: the documentation of tables and views without a database. */
#include <stdio.h>
#include <string.h>

#include "storage/print.h"
#include "storage/report.h"
#include "storage/schema.h"
#include "storage/store_impl.h"

#define ROWS                                                                                       \
	"SELECT d.name, d.column, d.meaning, ifnull(s.type, '') AS type FROM documentation d"      \
	" LEFT JOIN sqlite_schema s ON s.name = d.name WHERE ?1 IS NULL OR d.name = ?1"            \
	" ORDER BY ifnull(s.type, '') = 'table', d.name, d.rowid"

static int missing(const char *name, struct diag *d)
{
	return diag_set(d, ERR_MISSING, "there is no table or view '%.80s'; `driftd explain --sql` prints all",
	                name);
}

static int known(sqlite3 *db, const char *name, struct diag *d)
{
	const struct value value = value_text(name);
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM documentation WHERE ?1 IS NULL OR name = ?1", -1, &q, NULL) !=
	    SQLITE_OK || store_bind(q, &value, 1) != SQLITE_OK)
		err = store_sqlite_error(db, "read", d);
	else if (sqlite3_step(q) != SQLITE_ROW)
		err = missing(name, d);
	sqlite3_finalize(q);
	return err;
}

static int print(sqlite3 *db, FILE *out, const char *name, struct diag *d)
{
	const struct value value = value_text(name);
	sqlite3_stmt *q = NULL;
	bool any = false;
	int step;

	if (sqlite3_prepare_v2(db, ROWS, -1, &q, NULL) != SQLITE_OK || store_bind(q, &value, 1) != SQLITE_OK)
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
	return step == SQLITE_DONE ? 0 : store_sqlite_error(db, "read", d);
}

int report_documentation(FILE *out, const char *name, bool json, struct diag *d)
{
	sqlite3 *db = NULL;
	int err = sqlite3_open(":memory:", &db) == SQLITE_OK ? 0 : diag_set(d, ERR_IO, "out of memory");

	if (!err)
		err = schema_migrate(db, true, NULL, d);
	if (!err)
		err = known(db, name, d);
	if (!err)
		err = json ? print_json(db, out, ROWS, name, false, d) : print(db, out, name, d);
	if (!err && json)
		fputc('\n', out);
	sqlite3_close(db);
	return err;
}
