/* page.c -- the queries behind the page and `driftd report`. See page.h.
 *
 * `statistics` is keyed by window first, so one stream or model is read by going from window to window
 * (a seek each) instead of passing over the rows of all other models. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/page.h"
#include "storage/print.h"
#include "storage/report.h"
#include "storage/store_impl.h"

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* Begins of all windows, each found by a seek. */
#define WINDOWS                                                                                    \
	"WITH RECURSIVE w(ms) AS (SELECT min(window_ms) FROM statistics UNION ALL"                 \
	" SELECT (SELECT min(window_ms) FROM statistics WHERE window_ms > w.ms) FROM w"            \
	" WHERE w.ms IS NOT NULL) "
/* The stream ids of a model lie close together. */
#define IDS                                                                                        \
	"ids AS MATERIALIZED (SELECT s.stream_id AS id FROM streams s JOIN models m"               \
	" ON m.model_id = s.model_id WHERE m.name = ?1),"                                          \
	" ends AS MATERIALIZED (SELECT min(id) AS low, max(id) AS high FROM ids)"

struct part {
	const char *name;
	const char *sql; /* ?1: the argument */
	enum { PART_ROWS, PART_ONE, PART_COLUMNS } shape;
};

/* {"name":value,...} of all parts. */
static int parts_put(sqlite3 *db, FILE *out, const struct part *part, size_t parts, const char *argument,
                     struct diag *d)
{
	int err = 0;

	for (size_t i = 0; i < parts && !err; i++) {
		fprintf(out, "%c\"%s\":", i ? ',' : '{', part[i].name);
		err = part[i].shape == PART_COLUMNS ?
			print_columns(db, out, part[i].sql, argument, d) :
			print_json(db, out, part[i].sql, argument, part[i].shape == PART_ONE, d);
	}
	fputc('}', out);
	return err;
}

#define ALERT_LIST                                                                                 \
	"SELECT alert_id, opened, since, resolved, model, version, segment, stream, kind,"         \
	" severity, promise, state, effect, effect_low, effect_high, effect_unit, old_value,"      \
	" new_value, harm FROM alerts_history"

static const struct part overview[] = {
	{ "summary",
	  "SELECT (SELECT ifnull(sum(n), 0) FROM counters WHERE name = 'records') AS records,"
	  " (SELECT ifnull(sum(n), 0) FROM counters WHERE name GLOB 'rejected_*') AS rejected,"
	  " (SELECT sum(lag) FROM lag) AS lag, (SELECT sum(lost) FROM lag) AS lost,"
	  " (SELECT watermark FROM budget) AS watermark, (SELECT since FROM budget) AS since",
	  PART_ONE },
	{ "budget", "SELECT * FROM budget", PART_ONE },
	{ "models",
	  "WITH a AS (SELECT s.model_id AS id, count(*) FILTER (WHERE a.severity <> 'info') AS open,"
	  " count(*) FILTER (WHERE a.severity = 'info') AS notes FROM alerts a"
	  " JOIN streams s ON s.stream_id = a.stream_id WHERE a.state <> 'resolved' GROUP BY 1),"
	  " d AS (SELECT s.model_id AS id, count(*) AS tests, sum(d.promise = 'certified') AS certified,"
	  " sum(d.promise LIKE 'void%') AS void, sum(d.promise = 'provisional') AS provisional,"
	  " max(d.statistic) AS statistic, total(d.spent) AS spent FROM detectors d"
	  " JOIN streams s ON s.stream_id = d.stream_id WHERE d.role = 'paging' GROUP BY 1),"
	  " n AS (SELECT model_id AS id, count(*) AS streams FROM streams GROUP BY 1),"
	  " c AS (SELECT model, coverage, coverage_low, coverage_high, n, labelled_share,"
	  " row_number() OVER (PARTITION BY model ORDER BY since DESC, n DESC) AS pick"
	  " FROM coverage_now WHERE segment = ''),"
	  " p AS (SELECT model, accuracy, mae, labelled_share,"
	  " row_number() OVER (PARTITION BY model ORDER BY since DESC, n DESC) AS pick"
	  " FROM performance_now WHERE segment = '')"
	  " SELECT m.name AS model, CASE WHEN a.open > 0 THEN 'triggered' WHEN j.predictions = 0"
	  " AND ifnull(d.tests, 0) = 0 THEN 'no data' WHEN ifnull(d.certified, 0) = 0"
	  " THEN 'provisional' ELSE 'healthy' END AS state, ifnull(a.open, 0) AS alerts,"
	  " ifnull(a.notes, 0) AS notes, n.streams, d.tests, d.certified, d.provisional, d.void,"
	  " d.statistic, d.spent, j.predictions, j.matched_ids AS labelled, j.waiting, c.coverage,"
	  " c.coverage_low, c.coverage_high, c.n AS coverage_n, c.labelled_share, p.accuracy, p.mae"
	  " FROM models m LEFT JOIN a ON a.id = m.model_id LEFT JOIN d ON d.id = m.model_id"
	  " LEFT JOIN n ON n.id = m.model_id LEFT JOIN joins j ON j.model = m.name"
	  " LEFT JOIN c ON c.model = m.name AND c.pick = 1"
	  " LEFT JOIN p ON p.model = m.name AND p.pick = 1"
	  " ORDER BY ifnull(a.open, 0) DESC, ifnull(a.notes, 0) DESC, m.name", PART_ROWS },
	{ "alerts", ALERT_LIST " WHERE state <> 'resolved' LIMIT " TEXT(PAGE_ALERTS), PART_ROWS },
};

/* Days of the model's labels, or hours while there are at most 15 days of them. */
#define LABEL_ROWS                                                                                 \
	"WITH ids AS (SELECT s.stream_id AS id, s.version FROM streams s JOIN models m"            \
	" ON m.model_id = s.model_id WHERE m.name = ?1 AND s.type = 'labels' AND s.segment = ''),"  \
	" span AS (SELECT min(window_ms) AS a, max(window_ms) AS b FROM label_statistics l"        \
	" JOIN ids ON ids.id = l.stream_id WHERE l.width_ms >= 86400000)"

static const struct part model[] = {
	{ "coverage",
	  LABEL_ROWS " SELECT * FROM (SELECT l.window_ms AS ms, ids.version, l.coverage,"
	  " l.coverage_low, l.coverage_high, l.predictions, l.labelled, l.labelled_share,"
	  " l.mean_width AS width, l.accuracy, l.mae, l.brier FROM span, ids JOIN label_statistics l"
	  " ON l.stream_id = ids.id WHERE iif(span.b - span.a > 1296000000, l.width_ms >= 86400000,"
	  " l.width_ms >= 3600000 AND l.width_ms < 86400000 AND l.window_ms >= span.a)"
	  " ORDER BY l.window_ms DESC LIMIT " TEXT(PAGE_COLUMNS) ") ORDER BY ms, version",
	  PART_COLUMNS },
	{ "labels", "SELECT * FROM joins WHERE model = ?1", PART_ONE },
	{ "streams",
	  "SELECT s.stream_id, s.name, s.kind, s.field, s.version, s.segment, s.type, d.method,"
	  " d.statistic, d.effect, d.effect_low, d.effect_high, d.effect_unit, d.promise, d.step,"
	  " d.used, d.share FROM streams s JOIN models m ON m.model_id = s.model_id"
	  " LEFT JOIN detectors d ON d.stream_id = s.stream_id AND d.role = 'paging'"
	  " WHERE m.name = ?1 AND s.type <> 'labels'"
	  " ORDER BY ifnull(d.statistic, -1) DESC, s.stream_id LIMIT " TEXT(PAGE_STREAMS),
	  PART_ROWS },
	/* the highest share of the threshold that a stream used in each of some equal spans */
	{ "heat",
	  WINDOWS ", " IDS ", span AS MATERIALIZED (SELECT min(ms) AS a, max(1, (max(ms) - min(ms))"
	  " / (" TEXT(PAGE_HEAT_COLUMNS) " - 1) + 1) AS bucket FROM w)"
	  " SELECT span.a + (t.window_ms - span.a) / span.bucket * span.bucket AS ms, t.stream_id,"
	  " max(t.statistic) AS statistic, sum(t.n) AS n, sum(t.missing) AS missing"
	  " FROM span, ends, w CROSS JOIN statistics t ON t.window_ms = w.ms"
	  " AND t.stream_id BETWEEN ends.low AND ends.high"
	  " WHERE t.stream_id IN (SELECT id FROM ids) GROUP BY 1, 2 ORDER BY 1, 2", PART_COLUMNS },
	{ "alerts", ALERT_LIST " WHERE model = ?1 LIMIT " TEXT(PAGE_ALERTS), PART_ROWS },
};

static const struct part stream[] = {
	{ "stream",
	  "SELECT s.stream_id, m.name AS model, s.name, s.kind, s.field, s.version, s.segment, s.type"
	  " FROM streams s JOIN models m ON m.model_id = s.model_id WHERE s.stream_id = ?1",
	  PART_ONE },
	{ "tests", "SELECT method, role, promise, statistic, effect, effect_low, effect_high, effect_unit,"
	  " old_value, new_value, share, used, step FROM detectors"
	  " WHERE stream_id = ?1 ORDER BY role DESC, method", PART_ROWS },
	{ "cells", "SELECT above, upto, category, n FROM reference_cells WHERE stream_id = ?1"
	  " ORDER BY cell", PART_COLUMNS },
	{ "counts", "SELECT window_ms AS ms, counts FROM histograms WHERE stream_id = ?1"
	  " ORDER BY window_ms DESC LIMIT 1", PART_ONE },
	{ "series",
	  WINDOWS ", rows AS (SELECT t.* FROM w CROSS JOIN statistics t ON t.window_ms = w.ms"
	  " AND t.stream_id = ?1) SELECT * FROM (SELECT window_ms AS ms, n, missing, mean, q05, q50,"
	  " q95, psi, sigma_shift, statistic FROM rows ORDER BY window_ms DESC"
	  " LIMIT " TEXT(PAGE_COLUMNS) ") ORDER BY ms", PART_COLUMNS },
};

static const struct part alert[] = {
	{ "alert", "SELECT * FROM alerts_history WHERE alert_id = ?1", PART_ONE },
	{ "events",
	  "SELECT sequence, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at, event,"
	  " statistic, effect, text FROM alert_events WHERE alert_id = ?1 ORDER BY sequence",
	  PART_ROWS },
	{ "stream", "SELECT stream_id FROM alerts WHERE alert_id = ?1", PART_ONE },
	{ "series",
	  WINDOWS ", a AS MATERIALIZED (SELECT stream_id AS id, opened_ms FROM alerts WHERE alert_id = ?1),"
	  " rows AS (SELECT t.*, a.opened_ms FROM a, w CROSS JOIN statistics t ON t.window_ms = w.ms"
	  " AND t.stream_id = a.id) SELECT * FROM (SELECT window_ms AS ms, n, mean, statistic,"
	  " sigma_shift FROM rows ORDER BY abs(window_ms - opened_ms)"
	  " LIMIT " TEXT(PAGE_ALERT_COLUMNS) ") ORDER BY ms", PART_COLUMNS },
};

int page_overview(sqlite3 *db, FILE *out, struct diag *d)
{
	return parts_put(db, out, overview, COUNT(overview), NULL, d);
}

/* ERR_MISSING when `sql` has no row for the argument. */
static int must_exist(sqlite3 *db, const char *sql, const char *argument, const char *what, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int step;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	sqlite3_bind_text(q, 1, argument, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	sqlite3_finalize(q);
	if (step == SQLITE_ROW)
		return 0;
	if (step == SQLITE_DONE)
		return diag_set(d, ERR_MISSING, "there is no %s %.80s", what, argument);
	return store_sqlite_error(db, "read", d);
}

int page_model(sqlite3 *db, FILE *out, const char *name, struct diag *d)
{
	int err = must_exist(db, "SELECT 1 FROM models WHERE name = ?1", name, "model", d);

	return err ? err : parts_put(db, out, model, COUNT(model), name, d);
}

int page_stream(sqlite3 *db, FILE *out, long long stream_id, struct diag *d)
{
	char id[32];
	int err;

	snprintf(id, sizeof id, "%lld", stream_id);
	err = must_exist(db, "SELECT 1 FROM streams WHERE stream_id = ?1", id, "stream", d);
	return err ? err : parts_put(db, out, stream, COUNT(stream), id, d);
}

int page_alert(sqlite3 *db, FILE *out, const char *alert_id, struct diag *d)
{
	int err = must_exist(db, "SELECT 1 FROM alerts WHERE alert_id = ?1", alert_id, "alert", d);

	return err ? err : parts_put(db, out, alert, COUNT(alert), alert_id, d);
}

/* -- everything in one file ----------------------------------------------------------------------------- */

struct item {
	char *text; /* a name or id */
	struct item *next;
};

static void items_free(struct item *i)
{
	while (i) {
		struct item *next = i->next;

		free(i->text);
		free(i);
		i = next;
	}
}

/* First column of all rows, in order. */
static int items_read(sqlite3 *db, const char *sql, struct item **out, unsigned *n, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE;

	*out = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		struct item *i = calloc(1, sizeof *i);

		if (!i || !(i->text = strdup(store_column_text(q, 0)))) {
			free(i);
			sqlite3_finalize(q);
			return diag_set(d, ERR_IO, "out of memory");
		}
		*out = i;
		out = &i->next;
		++*n;
	}
	sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : store_sqlite_error(db, "read", d);
}

struct kind {
	const char *name;
	const char *sql; /* its items */
	int (*put)(sqlite3 *db, FILE *out, const char *item, struct diag *d);
};

static int put_stream(sqlite3 *db, FILE *out, const char *item, struct diag *d)
{
	return page_stream(db, out, strtoll(item, NULL, 10), d);
}

static const struct kind kinds[] = {
	{ "models", "SELECT name FROM models ORDER BY name", page_model },
	{ "streams",
	  "SELECT stream_id FROM (SELECT s.stream_id, row_number() OVER (PARTITION BY s.model_id"
	  " ORDER BY s.kind = 'missing', ifnull(d.statistic, -1) DESC, s.stream_id) AS place FROM streams s"
	  " LEFT JOIN detectors d ON d.stream_id = s.stream_id AND d.role = 'paging'"
	  " WHERE s.type <> 'labels') WHERE place <= " TEXT(PAGE_FILE_STREAMS)
	  " UNION SELECT * FROM (SELECT stream_id FROM alerts WHERE stream_id > 0"
	  " ORDER BY opened_ms DESC LIMIT " TEXT(PAGE_ALERTS) ")", put_stream },
	{ "alerts", "SELECT alert_id FROM alerts ORDER BY opened_ms DESC, alert_id LIMIT " TEXT(PAGE_ALERTS),
	  page_alert },
};
enum { KINDS = COUNT(kinds) };

int page_everything(sqlite3 *db, FILE *out, void (*progress)(void *, unsigned, unsigned), void *context,
                    struct diag *d)
{
	struct item *list[KINDS] = { NULL };
	unsigned all = 1, done = 0;
	int err = 0;

	for (int k = 0; k < KINDS && !err; k++)
		err = items_read(db, kinds[k].sql, &list[k], &all, d);
	fputs("{\"overview\":", out);
	if (!err)
		err = page_overview(db, out, d);
	for (int k = 0; k < KINDS && !err; k++) {
		fprintf(out, ",\"%s\":{", kinds[k].name);
		for (struct item *i = list[k]; i && !err; i = i->next) {
			if (i != list[k])
				fputc(',', out);
			print_json_text(out, i->text, strlen(i->text));
			fputc(':', out);
			err = kinds[k].put(db, out, i->text, d);
			if (progress)
				progress(context, ++done, all);
		}
		fputc('}', out);
	}
	fputc('}', out);
	for (int k = 0; k < KINDS; k++)
		items_free(list[k]);
	return err;
}
