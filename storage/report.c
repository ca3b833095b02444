/* report.c -- `driftd status` and `driftd alerts`. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "storage/print.h"
#include "storage/report.h"
#include "storage/sparkline.h"
#include "storage/store_impl.h"

struct section {
	const char *name;       /* key in JSON */
	bool single;            /* one row */
	const char *title;      /* text before the table, NULL: none */
	const char *none;       /* instead of an empty table */
	const char *sql, *json; /* json NULL: the same query */
};

#define TOTAL(names) "(SELECT ifnull(sum(n), 0) FROM counters WHERE name GLOB '" names "')"
#define LIST_ROWS "20"

/* The last 24 windows: the highest share of a threshold, up to the alarm, of streams that are not void; the
 * last 14 days: coverage from .5 to 1. */
#define SPARK_DRIFT                                                                                \
	"(SELECT sparkline(x, 0, 1) FROM (SELECT window_ms, x FROM (SELECT t.window_ms,"           \
	" max(t.statistic) AS x FROM statistics t JOIN streams s ON s.stream_id = t.stream_id"     \
	" WHERE s.model_id = m.model_id AND EXISTS (SELECT 1 FROM detectors d WHERE"              \
	" d.stream_id = s.stream_id AND d.role = 'paging' AND d.promise NOT LIKE 'void%')"         \
	" GROUP BY t.window_ms ORDER BY t.window_ms DESC LIMIT 24)"  \
	" ORDER BY window_ms))"
#define SPARK_COVERAGE                                                                             \
	"(SELECT sparkline(x, 0.5, 1) FROM (SELECT window_ms, x FROM (SELECT l.window_ms,"         \
	" 1.0 * sum(l.covered) / sum(l.intervals) AS x FROM label_statistics l JOIN streams s"     \
	" ON s.stream_id = l.stream_id WHERE s.model_id = m.model_id AND s.segment = ''"           \
	" AND l.width_ms >= 86400000 AND l.intervals > 0 GROUP BY l.window_ms"                     \
	" ORDER BY l.window_ms DESC LIMIT 14) ORDER BY window_ms))"

static const struct section status[] = {
	{ "summary", true, NULL, "",
	  "SELECT " TOTAL("records") " AS records, " TOTAL("rejected_*") " AS rejected,"
	  " (SELECT sum(lag) FROM lag) AS lag, (SELECT count(*) FROM lag) AS partitions,"
	  " (SELECT sum(lost) FROM lag) AS lost, (SELECT watermark FROM budget) AS watermark,"
	  " (SELECT count(*) FROM alerts_open) AS alerts_open", NULL },
	{ "models", false, "Models", "none yet",
	  "SELECT m.name AS model, (SELECT count(*) FROM streams s WHERE s.model_id = m.model_id)"
	  " AS streams, j.predictions, j.matched_ids AS labelled, (SELECT count(*) FROM streams s"
	  " JOIN alerts a ON a.stream_id = s.stream_id WHERE s.model_id = m.model_id"
	  " AND a.state <> 'resolved') AS alerts, " SPARK_DRIFT " AS worst_statistic, " SPARK_COVERAGE
	  " AS coverage_by_day FROM models m JOIN joins j ON j.model = m.name ORDER BY m.name",
	  "SELECT m.name AS model, (SELECT count(*) FROM streams s WHERE s.model_id = m.model_id)"
	  " AS streams, j.predictions, j.matched_ids AS labelled, (SELECT count(*) FROM streams s"
	  " JOIN alerts a ON a.stream_id = s.stream_id WHERE s.model_id = m.model_id"
	  " AND a.state <> 'resolved') AS alerts FROM models m JOIN joins j ON j.model = m.name"
	  " ORDER BY m.name" },
	{ "budget", true, "Budget: expected false alarms", "",
	  "SELECT printf('%.4g in %.4g days', promised, period_days) AS promised, allowance, spent,"
	  " unspent, alarms, judged_true, judged_false, unjudged, provisional, void, provisional_alarms + "
	  "void_alarms AS alarms_apart"
	  " FROM budget", "SELECT * FROM budget" },
	{ "alerts", false, "Open alerts", "none",
	  "SELECT substr(alert_id, 1, 8) AS alert, severity, kind, model, segment, stream, since,"
	  " effect FROM alerts_open LIMIT " LIST_ROWS, "SELECT * FROM alerts_open" },
	{ "few", false, "Members or samples that are too few to tell the spread of one record", "none",
	  "SELECT m.name AS model, f.version, f.form, f.members, printf('%.0f %%', 100 * f.monte_carlo_error)"
	  " AS monte_carlo_error FROM uncertainty_forms f JOIN models m ON m.model_id = f.model_id"
	  " WHERE f.monte_carlo_error > 0.5 ORDER BY m.name, f.version LIMIT " LIST_ROWS,
	  "SELECT m.name AS model, f.version, f.form, f.members, f.monte_carlo_error FROM uncertainty_forms f"
	  " JOIN models m ON m.model_id = f.model_id WHERE f.monte_carlo_error > 0.5 ORDER BY m.name, f.version" },
	{ "void", false, "Streams whose promise is void", "none",
	  "SELECT model, segment, stream, method, why FROM drift_now WHERE promise = 'void'"
	  " ORDER BY model, stream, method LIMIT " LIST_ROWS,
	  "SELECT model, version, segment, stream, method, why FROM drift_now"
	  " WHERE promise = 'void' ORDER BY model, stream, method" },
};

static int begin(sqlite3 *db, struct diag *d)
{
	return store_exec(db, "BEGIN", d);
}

static void end(sqlite3 *db)
{
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

static int flush(FILE *out, int err, struct diag *d)
{
	if (!err && (fflush(out) || ferror(out)))
		return diag_set(d, ERR_IO, "cannot write the report");
	return err;
}

int report_status(sqlite3 *db, FILE *out, bool json, struct diag *d)
{
	int err = sparkline_install(db) == SQLITE_OK ? begin(db, d) : store_sqlite_error(db, "read", d);

	if (err)
		return err;
	for (size_t i = 0; !err && i < COUNT(status); i++) {
		const struct section *s = &status[i];

		if (json) {
			fprintf(out, "%c\"%s\":", i ? ',' : '{', s->name);
			err = print_json(db, out, s->json ? s->json : s->sql, NULL, s->single, d);
			continue;
		}
		if (s->title)
			fprintf(out, "\n%s\n", s->title);
		err = print_table(db, out, s->sql, NULL, s->none, d);
	}
	if (json)
		fputs("}\n", out);
	end(db);
	return flush(out, err, d);
}

/* The full id of the only alert that begins so. */
static int complete_id(sqlite3 *db, const char *given, char id[33], struct diag *d)
{
	sqlite3_stmt *q = NULL;
	char prefix[33] = "";
	size_t length = strlen(given);
	int found = 0, step;

	if (length == 0 || length > 32 || strspn(given, "0123456789abcdefABCDEF") != length)
		return diag_set(d, ERR_INVALID, "\"%.40s\" is not an alert id: up to 32 hex digits",
		                given);
	for (size_t i = 0; i < length; i++)
		prefix[i] = (char)tolower((unsigned char)given[i]);
	if (sqlite3_prepare_v2(db, "SELECT alert_id FROM alerts WHERE alert_id >= ?1"
	                       " AND alert_id < ?1 || 'g' LIMIT 2", -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	sqlite3_bind_text(q, 1, prefix, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		snprintf(id, 33, "%s", store_column_text(q, 0));
		found++;
	}
	sqlite3_finalize(q);
	if (step != SQLITE_DONE)
		return store_sqlite_error(db, "read", d);
	if (found > 1)
		return diag_set(d, ERR_INVALID, "several alerts begin with %s", prefix);
	return found ? 0 : diag_set(d, ERR_MISSING, "no alert begins with %s", prefix);
}

#define EVENTS                                                                                     \
	"SELECT sequence, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,"      \
	" event, statistic, effect, text FROM alert_events WHERE alert_id = ?1 ORDER BY sequence"

static int report_one(sqlite3 *db, FILE *out, const char *given, bool json, struct diag *d)
{
	static const char sql[] = "SELECT * FROM alerts_history WHERE alert_id = ?1";
	char id[33] = "";
	int err = complete_id(db, given, id, d);

	if (err)
		return err;
	if (json) {
		fputs("{\"alert\":", out);
		err = print_json(db, out, sql, id, true, d);
		fputs(",\"events\":", out);
		if (!err)
			err = print_json(db, out, EVENTS, id, false, d);
		fputs("}\n", out);
		return err;
	}
	err = print_record(db, out, sql, id, d);
	fputs("\nEvents\n", out);
	return err ? err : print_table(db, out, EVENTS, id, "none", d);
}

int report_alerts(sqlite3 *db, FILE *out, const struct alert_query *query, bool json,
                  struct diag *d)
{
	const char *view = query->history ? "alerts_history" : "alerts_open";
	char sql[512];
	int err = begin(db, d);

	if (err)
		return err;
	if (query->id) {
		err = report_one(db, out, query->id, json, d);
	} else if (json) {
		snprintf(sql, sizeof sql, "SELECT * FROM %s%s", view,
		         query->all ? "" : " LIMIT " LIST_ROWS);
		err = print_json(db, out, sql, NULL, false, d);
		fputc('\n', out);
	} else {
		snprintf(sql, sizeof sql, "SELECT substr(alert_id, 1, 8) AS alert, opened, severity,"
		         " kind, model, segment, stream, %s, since, effect FROM %s%s",
		         query->history ? "state" : "promise", view,
		         query->all ? "" : " LIMIT " LIST_ROWS);
		err = print_table(db, out, sql, NULL, "no alerts", d);
	}
	end(db);
	return flush(out, err, d);
}
