/* export.c -- copies for people: a view as CSV (RFC 4180), the whole database as another one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/print.h"
#include "storage/report.h"
#include "storage/store_impl.h"

static void put_text(FILE *out, const char *text, size_t length)
{
	bool quote = false;

	for (size_t i = 0; i < length && !quote; i++)
		quote = strchr("\",\r\n", text[i]) != NULL; /* NUL too */
	if (!quote) {
		fwrite(text, 1, length, out);
		return;
	}
	fputc('"', out);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			fputc('"', out);
		fputc(text[i], out);
	}
	fputc('"', out);
}

/* Blobs are not for people: they come out empty. */
static void put_cell(FILE *out, sqlite3_stmt *q, int column)
{
	int type = sqlite3_column_type(q, column);

	if (type == SQLITE_FLOAT)
		fprintf(out, "%.17g", sqlite3_column_double(q, column));
	else if (type == SQLITE_INTEGER)
		fprintf(out, "%lld", (long long)sqlite3_column_int64(q, column));
	else if (type == SQLITE_TEXT)
		put_text(out, store_column_text(q, column), (size_t)sqlite3_column_bytes(q, column));
}

/* The name as the schema has it, so that it may stand in SQL. */
static int find(sqlite3 *db, const char *name, char *sql, size_t size, struct diag *d)
{
	const struct value value = value_text(name);
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, "SELECT printf('SELECT * FROM \"%w\"', name) FROM sqlite_schema WHERE name = ?1"
	                       " AND type IN ('table', 'view') AND name NOT LIKE "
	                       "'sqlite%'", -1, &q, NULL) != SQLITE_OK ||
	    store_bind(q, &value, 1) != SQLITE_OK)
		err = store_sqlite_error(db, "read", d);
	else if (sqlite3_step(q) != SQLITE_ROW)
		err = diag_set(d, ERR_MISSING, "there is no table or view '%.80s'; `driftd explain --sql` "
		                               "lists them", name);
	else
		snprintf(sql, size, "%s", store_column_text(q, 0));
	sqlite3_finalize(q);
	return err;
}

int report_csv(sqlite3 *db, FILE *out, const char *name, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	char sql[400];
	int columns, step, err = find(db, name, sql, sizeof sql, d);

	if (err)
		return err;
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	columns = sqlite3_column_count(q);
	for (int i = 0; i < columns; i++) {
		const char *title = sqlite3_column_name(q, i);

		if (i)
			fputc(',', out);
		put_text(out, title, strlen(title));
	}
	fputs("\r\n", out);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		for (int i = 0; i < columns; i++) {
			if (i)
				fputc(',', out);
			put_cell(out, q, i);
		}
		fputs("\r\n", out);
	}
	sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : store_sqlite_error(db, "read", d);
}

int report_json(sqlite3 *db, FILE *out, const char *name, struct diag *d)
{
	char sql[400];
	int err = find(db, name, sql, sizeof sql, d);

	if (!err)
		err = print_json(db, out, sql, NULL, false, d);
	if (!err)
		fputc('\n', out);
	return err;
}

int report_backup(sqlite3 *db, const char *path, struct diag *d)
{
	const struct value value = value_text(path);
	sqlite3_stmt *q = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640), err = 0;

	if (fd < 0)
		return diag_set(d, errno == EEXIST ? ERR_INVALID : ERR_IO, "cannot create %s: %s", path, strerror(errno));
	close(fd);
	/* One snapshot, beside a daemon that writes on. An empty file is taken as it is, with its mode. */
	if (sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &q, NULL) != SQLITE_OK ||
	    store_bind(q, &value, 1) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE)
		err = store_sqlite_error(db, "copy", d);
	sqlite3_finalize(q);
	if (!err) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd))
			err = diag_set(d, ERR_IO, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (err)
		unlink(path);
	return err;
}
