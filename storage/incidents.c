/* incidents.c -- see incidents.h. */
#include "storage/incidents.h"

#include <math.h>

#include "storage/print.h"
#include "storage/store_impl.h"

static int run(sqlite3 *db, const char *sql, const struct value *value, size_t values, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK || store_bind(q, value, values) != SQLITE_OK ||
	    sqlite3_step(q) != SQLITE_DONE)
		err = store_sqlite_error(db, "compare incidents in", d);
	sqlite3_finalize(q);
	return err;
}

static const char tables[] =
	"DROP TABLE IF EXISTS temp.incident; DROP TABLE IF EXISTS temp.alarm; DROP TABLE IF EXISTS temp.rule;"
	"CREATE TEMP TABLE incident(number INTEGER PRIMARY KEY, name TEXT, model TEXT, start_ms INTEGER,"
	" end_ms INTEGER);"
	"CREATE TEMP TABLE rule(number INTEGER PRIMARY KEY, name TEXT);"
	"CREATE TEMP TABLE alarm(rule INTEGER, model TEXT, at_ms INTEGER);";

/* What delivery would have sent: the outbox has it, as a shadow. */
static const char ours[] =
	"INSERT INTO alarm SELECT 0, ifnull(m.name, ''), a.opened_ms FROM alerts a LEFT JOIN streams s"
	" USING(stream_id) LEFT JOIN models m USING(model_id) WHERE a.alert_id IN (SELECT alert_id FROM outbox"
	" WHERE event = 'open') AND a.stream_id <> 0";

/* `over` of each window of each stream, made into alarms: over, and the window before not. */
#define RISES(over)                                                                                \
	"INSERT INTO alarm SELECT DISTINCT ?2, model, at_ms FROM (SELECT m.name AS model,"         \
	" w.window_ms + w.width_ms AS at_ms, w.over, lag(w.over, 1, 0) OVER (PARTITION BY w.stream_id" \
	" ORDER BY w.window_ms) AS before FROM (" over ") w JOIN streams s USING(stream_id)"       \
	" JOIN models m USING(model_id) WHERE s.type = 'numeric') WHERE over AND NOT before"

static const char psi[] = RISES("SELECT window_ms, stream_id, width_ms, psi >= ?1 AS over FROM statistics"
                                " WHERE psi IS NOT NULL");

/* p <= alpha where D^2 >= -ln(alpha / 2) / 2 * (n + m) / (n m), the first term of Kolmogorov's series. ?1
 * is the factor in front. */
static const char ks[] = RISES(
	"SELECT c.window_ms, c.stream_id, t.width_ms, max((1.0 * c.n / c.n_all - 1.0 * c.m / c.m_all)"
	" * (1.0 * c.n / c.n_all - 1.0 * c.m / c.m_all)) >= ?1 * (c.n_all + c.m_all) / (1.0 * c.n_all * c.m_all)"
	" AS over FROM (SELECT h.window_ms, h.stream_id, sum(j.value) OVER up AS n, sum(r.n) OVER up AS m,"
	" sum(j.value) OVER whole AS n_all, sum(r.n) OVER whole AS m_all FROM histograms h, json_each(h.counts) j"
	" JOIN reference_cells r ON r.stream_id = h.stream_id AND r.cell = j.key"
	" WINDOW up AS (PARTITION BY h.window_ms, h.stream_id ORDER BY j.key),"
	" whole AS (PARTITION BY h.window_ms, h.stream_id)) c"
	" JOIN statistics t ON t.window_ms = c.window_ms AND t.stream_id = c.stream_id"
	" WHERE c.n_all > 0 AND c.m_all > 0 GROUP BY c.window_ms, c.stream_id");

static int fill(sqlite3 *db, const struct incident *incident, size_t incidents, const struct naive_rule *rule,
                size_t rules, struct diag *d)
{
	int err = store_exec(db, tables, d);

	for (size_t i = 0; i < incidents && !err; i++) {
		const struct value value[] = { value_text(incident[i].name), value_text(incident[i].model),
			                       value_int(incident[i].start_ms), value_int(incident[i].end_ms) };

		err = run(db, "INSERT INTO incident(name, model, start_ms, end_ms) VALUES(?, ?, ?, ?)", value,
		          COUNT(value), d);
	}
	if (!err)
		err = store_exec(db, "INSERT INTO rule VALUES(0, 'driftd')", d);
	if (!err)
		err = store_exec(db, ours, d);
	for (size_t i = 0; i < rules && !err; i++) {
		double x = rule[i].rule == NAIVE_KS ? -log(rule[i].threshold / 2) / 2 : rule[i].threshold;
		const struct value value[] = { value_real(x), value_int((int64_t)i + 1), value_text(rule[i].name) };

		err = run(db, "INSERT INTO rule SELECT ?2, ?3 WHERE ?1 IS NOT NULL", value, COUNT(value), d);
		if (!err)
			err = run(db, rule[i].rule == NAIVE_KS ? ks : psi, value, 2, d);
	}
	return err;
}

#define ISO(ms) "strftime('%Y-%m-%dT%H:%M:%SZ', " ms " / 1000.0, 'unixepoch')"
/* A window that ends where an incident starts knows nothing of it. */
#define OF_INCIDENT "(i.model = '' OR i.model = a.model) AND a.at_ms > i.start_ms AND a.at_ms <= i.end_ms"

static const char by_incident[] =
	"SELECT i.name AS incident, " ISO("i.start_ms") " AS start, i.model, r.name AS rule,"
	" iif(min(a.at_ms) IS NULL, 'missed', 'found') AS verdict,"
	" round((min(a.at_ms) - i.start_ms) / 3600000.0, 2) AS delay_hours FROM incident i CROSS JOIN rule r"
	" LEFT JOIN alarm a ON a.rule = r.number AND " OF_INCIDENT
	" GROUP BY i.number, r.number ORDER BY i.number, r.number";

/* Quiet: the time between the first and the last window that is in no incident, by parts between all edges.
 * */
static const char by_rule[] =
	"WITH span AS (SELECT min(window_ms) AS from_ms, max(window_ms + width_ms) AS to_ms FROM statistics),"
	" edge AS (SELECT start_ms AS ms FROM incident UNION SELECT end_ms FROM incident UNION SELECT "
	"from_ms FROM span"
	" UNION SELECT to_ms FROM span), part AS (SELECT ms AS from_ms, lead(ms) OVER (ORDER BY ms) AS to_ms "
	"FROM edge),"
	" quiet AS (SELECT total(p.to_ms - p.from_ms) / 604800000.0 AS weeks FROM part p, span s"
	" WHERE p.from_ms >= s.from_ms AND p.to_ms <= s.to_ms AND NOT EXISTS (SELECT 1 FROM incident i"
	" WHERE i.start_ms <= p.from_ms AND i.end_ms >= p.to_ms)), outside AS (SELECT rule, count(*) AS n "
	"FROM alarm a"
	" WHERE NOT EXISTS (SELECT 1 FROM incident i WHERE " OF_INCIDENT ") GROUP BY rule)"
	" SELECT r.name AS rule, (SELECT count(*) FROM incident i WHERE EXISTS (SELECT 1 FROM alarm a"
	" WHERE a.rule = r.number AND " OF_INCIDENT ")) AS found, (SELECT count(*) FROM incident) AS incidents,"
	" ifnull(o.n, 0) AS alerts_outside, round(q.weeks, 2) AS quiet_weeks,"
	" round(ifnull(o.n, 0) / nullif(q.weeks, 0), 3) AS alerts_per_quiet_week"
	" FROM rule r CROSS JOIN quiet q LEFT JOIN outside o ON o.rule = r.number ORDER BY r.number";

int incidents_report(sqlite3 *db, FILE *out, const struct incident *incident, size_t incidents,
                     const struct naive_rule *rule, size_t rules, bool json, struct diag *d)
{
	int err = fill(db, incident, incidents, rule, rules, d);

	if (err)
		return err;
	fputs(json ? "{\"incidents\":" : "incidents\n", out);
	err = json ? print_json(db, out, by_incident, NULL, false, d)
	           : print_table(db, out, by_incident, NULL, "none", d);
	fputs(json ? ",\"rules\":" : "\nrules\n", out);
	if (!err)
		err = json ? print_json(db, out, by_rule, NULL, false, d) : print_table(db, out, by_rule, NULL, "none", d);
	if (json)
		fputs("}\n", out);
	return err;
}
