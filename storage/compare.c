/* compare.c -- see compare.h. */
#include "storage/compare.h"

#include <string.h>

#include "storage/print.h"
#include "storage/store_impl.h"

static const char opening[] =
	"SELECT ifnull(m.name, '') AS model, ifnull(s.name, '') AS stream, ifnull(s.segment, '') AS segment, a.kind,"
	" a.method, a.topic, a.partition, a.offset, a.opened_ms, a.started_ms, e.at_ms, a.statistic, e.effect,"
	" a.effect_unit, a.dependence FROM alerts a JOIN alert_events e ON e.alert_id = a.alert_id AND "
	"e.sequence = 1"
	" LEFT JOIN streams s ON s.stream_id = a.stream_id LEFT JOIN models m ON m.model_id = s.model_id"
	" WHERE a.alert_id = ?1";

static bool same(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
	double x, y;

	if (sqlite3_column_type(a, column) != sqlite3_column_type(b, column))
		return false;
	if (sqlite3_column_type(a, column) == SQLITE_FLOAT) {
		x = sqlite3_column_double(a, column);
		y = sqlite3_column_double(b, column);
		return memcmp(&x, &y, sizeof x) == 0;
	}
	return strcmp(store_column_text(a, column), store_column_text(b, column)) == 0;
}

static void put(FILE *out, sqlite3_stmt *q, int column)
{
	if (sqlite3_column_type(q, column) == SQLITE_FLOAT)
		fprintf(out, "%.17g", sqlite3_column_double(q, column));
	else
		fputs(store_column_text(q, column), out);
}

static void put_value(FILE *out, sqlite3_stmt *q, int column)
{
	int type = sqlite3_column_type(q, column);

	if (type == SQLITE_NULL)
		fputs("null", out);
	else if (type == SQLITE_TEXT)
		print_json_text(out, store_column_text(q, column), (size_t)sqlite3_column_bytes(q, column));
	else
		put(out, q, column);
}

static void put_json(FILE *out, sqlite3_stmt *then, sqlite3_stmt *now, int column, bool equal)
{
	fprintf(out, "%s{\"figure\":\"%s\",\"then\":", column ? "," : "", sqlite3_column_name(then, column));
	put_value(out, then, column);
	fputs(",\"now\":", out);
	put_value(out, now, column);
	fprintf(out, ",\"same\":%s}", equal ? "true" : "false");
}

static int find(sqlite3 *db, sqlite3_stmt **q, const char *alert_id, struct diag *d)
{
	const struct value value = value_text(alert_id);
	int step;

	*q = NULL;
	if (sqlite3_prepare_v2(db, opening, -1, q, NULL) != SQLITE_OK || store_bind(*q, &value, 1) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	step = sqlite3_step(*q);
	if (step == SQLITE_ROW)
		return 0;
	return step == SQLITE_DONE ? diag_set(d, ERR_MISSING, "there is no alert %s", alert_id)
	                           : store_sqlite_error(db, "read", d);
}

int compare_alert(sqlite3 *a, sqlite3 *b, const char *alert_id, FILE *out, bool json,
                  unsigned *different, struct diag *d)
{
	sqlite3_stmt *p = NULL, *q = NULL;
	int err = find(a, &p, alert_id, d);

	*different = 0;
	if (!err)
		err = find(b, &q, alert_id, d);
	for (int i = 0; !err && i < sqlite3_column_count(p); i++) {
		bool equal = same(p, q, i);

		if (json) {
			put_json(out, p, q, i, equal);
			*different += !equal;
			continue;
		}
		fprintf(out, "%-5s  %-12s ", equal ? "same" : "NOT", sqlite3_column_name(p, i));
		put(out, p, i);
		if (!equal) {
			fputs("  now ", out);
			put(out, q, i);
			++*different;
		}
		fputc('\n', out);
	}
	sqlite3_finalize(p);
	sqlite3_finalize(q);
	return err;
}

int compare_needs(sqlite3 *db, const char *alert_id, struct compare_needs *out, struct diag *d)
{
	const struct value value = value_text(alert_id);
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, "SELECT (SELECT value FROM meta WHERE key = 'id_hash_key'), (SELECT "
	                           "count(*) FROM refs"
	                       " WHERE source = 'fit'), (SELECT count(*) FROM commands WHERE finished_ms IS "
	                       "NOT NULL AND"
	                       " command IN ('rebaseline', 'expect', 'resolve'))"
	                       " FROM alerts WHERE alert_id = ?1", -1, &q, NULL) != SQLITE_OK ||
	    store_bind(q, &value, 1) != SQLITE_OK)
		err = store_sqlite_error(db, "read", d);
	else if (sqlite3_step(q) != SQLITE_ROW)
		err = diag_set(d, ERR_MISSING, "there is no alert %s", alert_id);
	if (!err) {
		snprintf(out->id_hash_key, sizeof out->id_hash_key, "%s", store_column_text(q, 0));
		out->fitted = sqlite3_column_int64(q, 1);
		out->commands = sqlite3_column_int64(q, 2);
	}
	sqlite3_finalize(q);
	return err;
}
