/* outbox_command.c -- `driftd outbox list|requeue|drop`. */
#include <stdio.h>

#include "storage/outbox.h"
#include "storage/outbox_sql.h"
#include "storage/print.h"

enum { COMMAND_BUSY_MS = 10000 };

#define WALL(column) "strftime('%Y-%m-%dT%H:%M:%SZ', " column " / 1000, 'unixepoch')"
#define LIST                                                                                       \
	" FROM outbox o LEFT JOIN deliveries d USING(outbox_id) WHERE "                            \
	"iif(?1 IS NULL, ifnull(d.state, o.state) IN ('pending', 'dead'), ifnull(d.state, o.state) = ?1)" \
	" ORDER BY o.outbox_id, d.sink"

int outbox_list(sqlite3 *db, FILE *out, const char *state, bool json, struct diag *d)
{
	static const char table[] = "SELECT o.outbox_id AS message, substr(o.alert_id, 1, 8) AS alert, "
	                            "o.event,"
	                            " ifnull(d.sink, '-') AS sink, ifnull(d.state, o.state) AS state,"
	                            " ifnull(d.attempts, 0) AS attempts, " WALL("d.next_wall_ms") " AS "
	                                                                                          "next_try, "
	                            WALL("d.done_wall_ms") " AS done, d.error" LIST;
	static const char whole[] = "SELECT o.outbox_id, o.alert_id, o.event, d.sink, ifnull(d.state, "
	                            "o.state) AS state,"
	                            " ifnull(d.attempts, 0) AS attempts, d.first_wall_ms, d.next_wall_ms,"
	                            " d.done_wall_ms, d.error, o.body" LIST;
	int err;

	if (!json)
		return print_table(db, out, table, state, "no such messages", d);
	err = print_json(db, out, whole, state, false, d);
	fputc('\n', out);
	return err;
}

static int change(const char *path, const char *sql, const struct value *value, size_t values, uint64_t *n,
                  struct diag *d)
{
	sqlite3 *db;
	int err = store_open_beside(&db, path, COMMAND_BUSY_MS, d);

	if (err)
		return err;
	err = outbox_sql_run(db, sql, value, values, n, d);
	sqlite3_close(db);
	return err;
}

int outbox_requeue(const char *path, int64_t outbox_id, const char *sink, uint64_t *n, struct diag *d)
{
	const struct value value[] = { value_int(outbox_id), value_text(sink) };

	return change(path, "UPDATE deliveries SET state = 'pending', attempts = 0, first_wall_ms = NULL,"
	              " next_wall_ms = NULL, done_wall_ms = NULL WHERE state = 'dead' AND (?1 = 0 OR "
	              "outbox_id = ?1)"
	              " AND (?2 IS NULL OR sink = ?2)", value, COUNT(value), n, d);
}

int outbox_drop(const char *path, int64_t outbox_id, const char *sink, int64_t now_ms, uint64_t *n,
                struct diag *d)
{
	const struct value value[] = { value_int(outbox_id), value_text(sink), value_int(now_ms) };

	return change(path, "UPDATE deliveries SET state = 'dead', done_wall_ms = ?3, error = 'dropped by "
	                    "command'"
	              " WHERE state = 'pending' AND (?1 = 0 OR outbox_id = ?1) AND (?2 IS NULL OR sink = "
	              "?2)", value,
	              COUNT(value), n, d);
}
