/* summary_text.c -- see summary_text.h. Each part is a query over a documented view, printed as a table or
 * as JSON, so the same figures can be had with the sqlite3 command. */
#include "monitor/command/summary_text.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "storage/store.h"

struct part {
	const char *name, *title, *sql;
};

static const struct part parts[] = {
	{ "records", "records", "SELECT m.name AS model, max(iif(c.name = 'records', c.n, 0)) AS records,"
	  " max(iif(c.name = 'predictions', c.n, 0)) AS predictions,"
	  " max(iif(c.name = 'duplicate_predictions', c.n, 0)) AS duplicates,"
	  " max(iif(c.name = 'late', c.n, 0)) AS late FROM models m LEFT JOIN counters c"
	  " ON c.model_id = m.model_id GROUP BY m.model_id ORDER BY m.name" },
	{ "rejected", "rejected", "SELECT substr(name, 10) AS reason, n FROM counters"
	  " WHERE model_id = 0 AND name LIKE 'rejected%' ORDER BY n DESC" },
	{ "joins", "labels", "SELECT * FROM joins WHERE label_lines > 0" },
	{ "performance", "performance", "SELECT * FROM performance_total" },
	{ "alerts", "alerts", "SELECT stream, kind, severity, opened, since, effect, effect_unit,"
	  " state FROM alerts_history ORDER BY opened, stream" },
	{ "budget", "budget", "SELECT * FROM budget" },
};

static void
json_string(const char *text)
{
	putchar('"');
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20)
			printf("\\u%04x", c);
		else {
			if (c == '"' || c == '\\')
				putchar('\\');
			putchar(c);
		}
	}
	putchar('"');
}

static void
json_value(sqlite3_stmt *q, int column)
{
	switch (sqlite3_column_type(q, column)) {
	case SQLITE_NULL:
		fputs("null", stdout);
		break;
	case SQLITE_INTEGER:
		printf("%lld", (long long)sqlite3_column_int64(q, column));
		break;
	case SQLITE_FLOAT:
		printf("%.17g", sqlite3_column_double(q, column));
		break;
	default:
		json_string((const char *)sqlite3_column_text(q, column));
	}
}

static void
plain_value(sqlite3_stmt *q, int column)
{
	if (sqlite3_column_type(q, column) == SQLITE_FLOAT)
		printf("%.6g", sqlite3_column_double(q, column));
	else {
		const char *text = (const char *)sqlite3_column_text(q, column);

		for (; text && *text; text++) /* text of records: no control bytes on a terminal */
			putchar((unsigned char)*text < 0x20 ? '?' : *text);
	}
}

static int
print_part(sqlite3 *db, const struct part *part, bool json, uint32_t *rows, struct diag *d)
{
	sqlite3_stmt *q;
	int step;

	*rows = 0;
	if (sqlite3_prepare_v2(db, part->sql, -1, &q, NULL) != SQLITE_OK)
		return diag_set(d, ERR_IO, "%s: %s", part->name, sqlite3_errmsg(db));
	if (json)
		printf("\"%s\":[", part->name);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		if (json)
			fputs(*rows ? ",{" : "{", stdout);
		else if (!*rows)
			printf("%s\n", part->title);
		for (int i = 0; i < sqlite3_column_count(q); i++) {
			if (json) {
				printf("%s\"%s\":", i ? "," : "", sqlite3_column_name(q, i));
				json_value(q, i);
			} else if (sqlite3_column_type(q, i) != SQLITE_NULL) {
				printf("  %s ", sqlite3_column_name(q, i));
				plain_value(q, i);
			}
		}
		fputs(json ? "}" : "\n", stdout);
		++*rows;
	}
	if (json)
		putchar(']');
	sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : diag_set(d, ERR_IO, "%s: %s", part->name, sqlite3_errmsg(db));
}

int
summary_print(const char *path, bool json, uint32_t *alerts, struct diag *d)
{
	sqlite3 *db;
	int err = store_open_reader(&db, path, d);

	*alerts = 0;
	if (err)
		return err;
	if (json)
		putchar('{');
	for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++) {
		uint32_t rows;

		if (json && i)
			putchar(',');
		err = print_part(db, &parts[i], json, &rows, d);
		if (!strcmp(parts[i].name, "alerts")) {
			*alerts = rows;
			if (!json && !rows)
				puts("alerts\n  none");
		}
	}
	if (json)
		puts("}");
	else if (!err)
		printf("next: driftd alerts %s; sqlite3 %s \"SELECT * FROM drift_now\"\n", path, path);
	sqlite3_close(db);
	return err;
}
