/* outbox.c -- routing, the next delivery, its mark; see outbox.h. */
#include "storage/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "storage/outbox_sql.h"
#include "storage/store_impl.h"

enum { ROUTE_ROWS = 200 };

struct outbox {
	sqlite3 *db;
};

int outbox_sql_run(sqlite3 *db, const char *sql, const struct value *value, size_t values, uint64_t *changed,
                   struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK ||
	    store_bind(q, value, values) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE)
		err = store_sqlite_error(db, "write deliveries to", d);
	else if (changed)
		*changed = (uint64_t)sqlite3_changes64(db);
	sqlite3_finalize(q);
	return err;
}

int outbox_open(struct outbox **out, const char *path, struct diag *d)
{
	struct outbox *o = calloc(1, sizeof *o);
	int err;

	*out = NULL;
	if (!o)
		return diag_set(d, ERR_IO, "out of memory");
	err = store_open_beside(&o->db, path, OUTBOX_BUSY_MS, d);
	if (err) {
		outbox_close(o);
		return err;
	}
	*out = o;
	return 0;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	sqlite3_close(o->db);
	free(o);
}

static int query(struct outbox *o, sqlite3_stmt **q, const char *sql, const struct value *value,
                 size_t values, struct diag *d)
{
	*q = NULL;
	if (sqlite3_prepare_v2(o->db, sql, -1, q, NULL) == SQLITE_OK &&
	    store_bind(*q, value, values) == SQLITE_OK)
		return 0;
	sqlite3_finalize(*q);
	*q = NULL;
	return store_sqlite_error(o->db, "read the outbox of", d);
}

static int query_end(struct outbox *o, sqlite3_stmt *q, int step, struct diag *d)
{
	int err = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : store_sqlite_error(o->db, "read the outbox "
	                                                                                    "of", d);

	sqlite3_finalize(q);
	return err;
}

static int transaction(struct outbox *o, int (*work)(struct outbox *o, void *context, struct diag *d),
                       void *context, struct diag *d)
{
	int err = store_exec(o->db, "BEGIN IMMEDIATE", d);

	if (err)
		return err;
	err = work(o, context, d);
	if (!err)
		err = store_exec(o->db, "COMMIT", d);
	if (err && !sqlite3_get_autocommit(o->db))
		sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/* -- routing --------------------------------------------------------------------------------------------- */

struct routing {
	const char *const *sink;
	size_t sinks;
	bool (*wants)(void *context, size_t sink, const struct outbox_route *route);
	void *context;
	int64_t now_ms;
	int rows, deliveries;
};

/* Was this alert announced to the sink, and did the announcement not fail for good? */
static bool announced(struct outbox *o, const char *alert_id, const char *sink)
{
	const struct value value[] = { value_text(alert_id), value_text(sink) };
	sqlite3_stmt *q;
	bool found = false;

	if (!query(o, &q, "SELECT 1 FROM outbox x JOIN deliveries y USING(outbox_id) WHERE x.alert_id = ?1"
	           " AND y.sink = ?2 AND x.event IN ('open', 'updated') LIMIT "
	           "1", value, COUNT(value), NULL)) {
		found = sqlite3_step(q) == SQLITE_ROW;
		sqlite3_finalize(q);
	}
	return found;
}

static int route_one(struct outbox *o, struct routing *r, sqlite3_stmt *q, struct diag *d)
{
	const char *event = store_column_text(q, 2);
	const struct outbox_route route = { event, store_column_text(q, 3), store_column_text(q, 4),
		                            store_column_text(q, 5) };
	bool news = !strcmp(event, "open") || !strcmp(event, "updated"), any = false;
	int64_t id = sqlite3_column_int64(q, 0);
	int err = 0;

	for (size_t i = 0; i < r->sinks && !err; i++) {
		const struct value value[] = { value_int(id), value_text(r->sink[i]), value_time(r->now_ms) };
		bool known = announced(o, store_column_text(q, 1), r->sink[i]);

		if (!known && !(news && r->wants(r->context, i, &route)))
			continue;
		err = outbox_sql_run(o->db, "INSERT OR IGNORE INTO deliveries(outbox_id, sink, next_wall_ms)"
		                     " VALUES(?, ?, ?)", value, COUNT(value), NULL, d);
		any = true;
		r->deliveries++;
	}
	const struct value value[] = { value_int(id), value_text(any ? "routed" : "unwanted") };
	return err ? err : outbox_sql_run(o->db, "UPDATE outbox SET state = ?2 WHERE outbox_id = ?1", value,
	                                  COUNT(value), NULL, d);
}

#define BODY(field) "ifnull(json_extract(o.body, '$." field "'), '')"

static int route_rows(struct outbox *o, void *context, struct diag *d)
{
	struct routing *r = context;
	const struct value limit = value_int(ROUTE_ROWS);
	sqlite3_stmt *q;
	int step = SQLITE_DONE;
	int err = query(o, &q, "SELECT outbox_id, alert_id, event, " BODY("model") ", " BODY("kind") ", "
	                BODY("severity") " FROM outbox o WHERE state = 'pending' ORDER BY outbox_id LIMIT "
	                                 "?", &limit, 1,
	                d);

	if (err)
		return err;
	while (!err && (step = sqlite3_step(q)) == SQLITE_ROW) {
		err = route_one(o, r, q, d);
		r->rows++;
	}
	if (err) {
		sqlite3_finalize(q);
		return err;
	}
	return query_end(o, q, step, d);
}

int outbox_route(struct outbox *o, const char *const *sink, size_t sinks,
                 bool (*wants)(void *context, size_t sink, const struct outbox_route *route), void *context,
                 int64_t now_ms, bool *more, bool *any, struct diag *d)
{
	struct routing r = { sink, sinks, wants, context, now_ms, 0, 0 };
	int64_t waiting = 0;
	int err = store_scalar(o->db, "SELECT EXISTS(SELECT 1 FROM outbox WHERE state = 'pending')", &waiting,
	                       d);

	*more = false;
	if (err || !waiting)
		return err;
	err = transaction(o, route_rows, &r, d);
	*more = !err && r.rows == ROUTE_ROWS;
	*any = *any || (!err && r.deliveries);
	return err;
}

int outbox_route_again(struct outbox *o, struct diag *d)
{
	return outbox_sql_run(o->db, "UPDATE outbox SET state = 'pending' WHERE state IN ('routed', 'unwanted') AND"
	                      " outbox_id IN (SELECT max(x.outbox_id) FROM alerts a JOIN outbox x USING(alert_id)"
	                      " WHERE a.state <> 'resolved' AND x.event IN ('open', 'updated') GROUP BY a.alert_id)",
	                      NULL, 0, NULL, d);
}

int outbox_forget_sinks(struct outbox *o, const char *const *sink, size_t sinks, int64_t now_ms,
                        struct diag *d)
{
	const struct value none = value_int(0);
	sqlite3_stmt *q;
	char *gone[64];
	size_t n = 0;
	int step = SQLITE_DONE;
	int err = query(o, &q, "SELECT DISTINCT sink FROM deliveries WHERE state = 'pending'", &none, 0, d);

	if (err)
		return err;
	while (n < COUNT(gone) && (step = sqlite3_step(q)) == SQLITE_ROW) {
		bool known = false;

		for (size_t i = 0; i < sinks; i++)
			known = known || !strcmp(sink[i], store_column_text(q, 0));
		if (!known && !(gone[n++] = strdup(store_column_text(q, 0))))
			n--;
	}
	err = query_end(o, q, step, d);
	for (size_t i = 0; i < n; i++) {
		const struct value value[] = { value_text(gone[i]), value_time(now_ms) };

		if (!err)
			err = outbox_sql_run(o->db, "UPDATE deliveries SET state = 'dead', done_wall_ms = ?2,"
			                     " error = 'the sink is not configured any more'"
			                     " WHERE state = 'pending' AND sink = "
			                     "?1", value, COUNT(value), NULL, d);
		free(gone[i]);
	}
	return err;
}

/* -- the next one, and its mark -------------------------------------------------------------------------- */

#define MESSAGE                                                                                    \
	"d.outbox_id, o.alert_id, o.event, o.body, d.attempts, ifnull(d.first_wall_ms, 0),"         \
	" ifnull(d.done_wall_ms, 0), d.state,"                                                      \
	" (SELECT opened_ms FROM alerts a WHERE a.alert_id = o.alert_id), "                         \
	BODY("id") ", " BODY("episode") ", " BODY("model") ", " BODY("version") ", "                \
	BODY("segment") ", " BODY("stream") ", " BODY("kind") ", " BODY("severity") ", "            \
	BODY("since") ", " BODY("harm") ", " BODY("promise") ", " BODY("topic") ", "                \
	BODY("partition") ", " BODY("text")

/* Columns of MESSAGE, and behind it. */
enum { COLUMN_FIELDS = 9, COLUMN_OPENING = COLUMN_FIELDS + OUTBOX_FIELDS };

static int take(sqlite3_stmt *q, struct outbox_message *m, struct diag *d)
{
	bool all = true;

	*m = (struct outbox_message){
		.outbox_id = sqlite3_column_int64(q, 0),
		.alert_id = strdup(store_column_text(q, 1)),
		.event = strdup(store_column_text(q, 2)),
		.body = strdup(store_column_text(q, 3)),
		.attempts = (uint32_t)sqlite3_column_int64(q, 4),
		.first_ms = sqlite3_column_int64(q, 5),
		.done_ms = sqlite3_column_int64(q, 6),
		.pending = !strcmp(store_column_text(q, 7), "pending"),
		.opened_ms = sqlite3_column_type(q, 8) == SQLITE_NULL ? INT64_MIN : sqlite3_column_int64(q,
		                                                                                         8),
	};
	for (int i = 0; i < OUTBOX_FIELDS; i++)
		all = (m->field[i] = strdup(store_column_text(q, COLUMN_FIELDS + i))) && all;
	if (!all || !m->alert_id || !m->event || !m->body) {
		outbox_message_finish(m);
		return diag_set(d, ERR_IO, "out of memory");
	}
	m->resolved = !strcmp(m->event, "resolved");
	return 0;
}

void outbox_message_finish(struct outbox_message *m)
{
	free(m->alert_id);
	free(m->event);
	free(m->body);
	for (int i = 0; i < OUTBOX_FIELDS; i++)
		free(m->field[i]);
	free(m->opening);
	memset(m, 0, sizeof *m);
}

int outbox_next(struct outbox *o, const char *sink, int64_t now_ms, bool only_critical,
                struct outbox_message *out, struct diag *d)
{
	const struct value value[] = { value_text(sink), value_int(now_ms), value_int(only_critical) };
	sqlite3_stmt *q;
	int step, err;

	memset(out, 0, sizeof *out);
	err = query(o, &q, "SELECT " MESSAGE " FROM deliveries d JOIN outbox o USING(outbox_id)"
	            " WHERE d.sink = ?1 AND d.state = 'pending' AND (ifnull(d.next_wall_ms, 0) <= ?2"
	            " OR d.next_wall_ms > ?2 + 7200000)" /* no pause is that long: the clock was set back */
	            " AND (NOT ?3 OR json_extract(o.body, '$.severity') = 'critical')"
	            " AND NOT EXISTS (SELECT 1 FROM outbox p JOIN deliveries e USING(outbox_id) WHERE"
	            " p.alert_id = o.alert_id AND p.outbox_id < o.outbox_id AND e.sink = ?1"
	            " AND e.state = 'pending') ORDER BY d.outbox_id LIMIT 1", value, COUNT(value), d);
	if (err)
		return err;
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		err = take(q, out, d);
	else if (step == SQLITE_DONE)
		err = ERR_MISSING;
	if (err) {
		sqlite3_finalize(q);
		return err;
	}
	return query_end(o, q, step, d);
}

int outbox_each_alert(struct outbox *o, const char *sink, int64_t resolved_after_ms,
                      int (*visit)(void *context, struct outbox_message *m), void *context, struct diag *d)
{
	const struct value value[] = { value_text(sink), value_int(resolved_after_ms) };
	sqlite3_stmt *q;
	int step = SQLITE_DONE, stop = 0;
	int err = query(o, &q, "SELECT " MESSAGE ", (SELECT json_extract(body, '$.severity') FROM outbox"
	                " WHERE outbox_id = last.first_id) FROM (SELECT max(y.outbox_id) AS last_id,"
	                " min(y.outbox_id) AS first_id FROM deliveries y JOIN outbox x USING(outbox_id)"
	                " WHERE y.sink = ?1 AND y.state <> 'dead' GROUP BY x.alert_id) last"
	                " JOIN deliveries d ON d.outbox_id = last.last_id AND d.sink = ?1"
	                " JOIN outbox o ON o.outbox_id = last.last_id WHERE o.event <> 'resolved'"
	                " OR d.state = 'pending' OR d.done_wall_ms >= ?2 ORDER BY "
	                "d.outbox_id", value, COUNT(value),
	                d);

	if (err)
		return err;
	while (!stop && !err && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct outbox_message m;

		err = take(q, &m, d);
		if (err)
			break;
		m.opening = strdup(store_column_text(q, COLUMN_OPENING));
		stop = visit(context, &m); /* owns m */
	}
	if (err) {
		sqlite3_finalize(q);
		return err;
	}
	return query_end(o, q, step, d);
}

int outbox_mark(struct outbox *o, const char *sink, const struct outbox_message *m, enum outbox_result result,
                bool up_to, int64_t now_ms, int64_t next_ms, const char *error, struct diag *d)
{
	static const char *const state[] = { "sent", "pending", "dead" };
	const struct value value[] = {
		value_text(sink), value_int(m->outbox_id), value_text(state[result]), value_int(now_ms),
		result == OUTBOX_RETRY ? value_int(next_ms) : value_text(NULL),
		result == OUTBOX_RETRY ? value_text(NULL) : value_int(now_ms), value_text(error),
		value_int(up_to), value_text(m->alert_id),
	};

	return outbox_sql_run(o->db, "UPDATE deliveries SET state = ?3, attempts = attempts + 1,"
	                      " first_wall_ms = ifnull(first_wall_ms, ?4), next_wall_ms = ?5, done_wall_ms = "
	                      "?6,"
	                      " error = ?7 WHERE sink = ?1 AND state = 'pending' AND (outbox_id = ?2 OR (?8 "
	                      "AND"
	                      " outbox_id IN (SELECT outbox_id FROM outbox WHERE alert_id = ?9 AND outbox_id "
	                      "< ?2)))",
	                      value, COUNT(value), NULL, d);
}

int outbox_gauge(struct outbox *o, const char *sink, struct outbox_gauge *out, struct diag *d)
{
	const struct value value = value_text(sink);
	sqlite3_stmt *q;
	int step, err = query(o, &q, "SELECT (SELECT count(*) FROM deliveries WHERE sink = ?1 AND state = "
	                             "'pending'),"
	                      " (SELECT count(*) FROM deliveries WHERE sink = ?1 AND state = 'dead'),"
	                      " ifnull((SELECT min(first_wall_ms) FROM deliveries WHERE sink = ?1"
	                      " AND state = 'pending'), 0)", &value, 1, d);

	if (err)
		return err;
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		*out = (struct outbox_gauge){ (uint64_t)sqlite3_column_int64(q, 0),
			                      (uint64_t)sqlite3_column_int64(q, 1), sqlite3_column_int64(q,
			                                                                                 2) };
	return query_end(o, q, step, d);
}

/* -- bounds ---------------------------------------------------------------------------------------------- */

struct trimming {
	int64_t now_ms, keep_ms;
	uint32_t rows_max;
};

static int trim(struct outbox *o, void *context, struct diag *d)
{
	const struct trimming *t = context;
	const struct value old = value_int(t->now_ms - t->keep_ms);
	const struct value over[] = { value_int(t->rows_max), value_int(t->now_ms) };
	/* What is pending, or firing still, stays. */
	int err = outbox_sql_run(o->db, "DELETE FROM outbox WHERE outbox_id IN (SELECT x.outbox_id FROM "
	                                "outbox x"
	                         " WHERE x.state <> 'pending' AND NOT EXISTS (SELECT 1 FROM deliveries y"
	                         " WHERE y.outbox_id = x.outbox_id AND (y.state = 'pending' OR "
	                         "y.done_wall_ms > ?1))"
	                         " AND EXISTS (SELECT 1 FROM deliveries y WHERE y.outbox_id = x.outbox_id)"
	                         " AND EXISTS (SELECT 1 FROM alerts a WHERE a.alert_id = x.alert_id"
	                         " AND a.state = 'resolved') LIMIT 1000)", &old, 1, NULL, d);

	if (!err)
		err = outbox_sql_run(o->db, "UPDATE deliveries SET state = 'dead', done_wall_ms = ?2, error "
		                            "= 'overflow'"
		                     " WHERE state = 'pending' AND outbox_id <= (SELECT outbox_id FROM outbox"
		                     " ORDER BY outbox_id DESC LIMIT 1 OFFSET "
		                     "?1)", over, COUNT(over), NULL, d);
	if (!err)
		err = outbox_sql_run(o->db, "DELETE FROM outbox WHERE state <> 'pending' AND outbox_id <= "
		                            "(SELECT"
		                     " outbox_id FROM outbox ORDER BY outbox_id DESC LIMIT 1 OFFSET ?1 * "
		                     "2)", over, 1,
		                     NULL, d);
	return err ? err : outbox_sql_run(o->db, "DELETE FROM deliveries WHERE outbox_id NOT IN"
	                                  " (SELECT outbox_id FROM outbox)", NULL, 0, NULL, d);
}

int outbox_trim(struct outbox *o, int64_t now_ms, int64_t keep_ms, uint32_t rows_max, struct diag *d)
{
	struct trimming t = { now_ms, keep_ms, rows_max };

	return transaction(o, trim, &t, d);
}
