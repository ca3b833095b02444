/* store_removed.c -- alerts of models that the configuration names no more. See store.h. */
#include <stdint.h>

#include "storage/store_impl.h"

#define WATERMARK "(SELECT value FROM meta WHERE key = 'watermark_ms')"
/* Alerts that no record comes from belong to a model by their message alone. */
#define OPEN_OF_MODEL                                                                              \
	"a.state <> 'resolved' AND (a.stream_id IN (SELECT stream_id FROM streams WHERE model_id = ?1)" \
	" OR (a.kind = 'no_data' AND EXISTS(SELECT 1 FROM outbox o WHERE o.alert_id = a.alert_id AND"  \
	" json_extract(o.body, '$.model') = (SELECT name FROM models WHERE model_id = ?1))))"

uint32_t store_model_alerts(struct store *s, uint32_t model_id)
{
	const struct value value[] = { value_int(model_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_REMOVED_COUNT, "SELECT count(*) FROM alerts a WHERE " OPEN_OF_MODEL,
	                              value, COUNT(value), &d);
	uint32_t n = 0;
	int step;

	if (!q)
		return 0;
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		n = (uint32_t)sqlite3_column_int64(q, 0);
	(void)store_query_end(s, q, step, &d);
	return n;
}

int store_remove_alerts(struct store *s, uint32_t model_id)
{
	const struct value value[] = { value_int(model_id) };
	/* An episode that ends with them is told once, as the next message about its lead. */
	int err = store_run(s, SLOT_REMOVED_OUTBOX, "INSERT INTO outbox(alert_id, event, body, state)"
	                    " SELECT o.alert_id, 'resolved', json_set(o.body, '$.id', e.episode_id || '-' ||"
	                    " (CAST(substr(json_extract(o.body, '$.id'), length(e.episode_id) + 2) AS INTEGER) + 1),"
	                    " '$.event', 'resolved', '$.state', 'resolved', '$.resolved_by', 'removed',"
	                    " '$.at', strftime('%Y-%m-%dT%H:%M:%fZ', " WATERMARK " / 1000.0, 'unixepoch'),"
	                    " '$.alerts', json('[]')), iif(o.state = 'shadow', 'shadow', 'pending')"
	                    " FROM (SELECT x.episode_id, max(y.outbox_id) AS last_id FROM alerts x JOIN outbox y"
	                    " USING(alert_id) WHERE x.episode_id IN (SELECT a.episode_id FROM alerts a WHERE "
	                    OPEN_OF_MODEL ") AND NOT EXISTS(SELECT 1 FROM alerts a WHERE a.episode_id = x.episode_id"
	                    " AND a.state <> 'resolved' AND NOT (" OPEN_OF_MODEL ")) GROUP BY x.episode_id) e"
	                    " JOIN outbox o ON o.outbox_id = e.last_id", value, COUNT(value));

	if (!err)
		err = store_run(s, SLOT_REMOVED_EVENT, "INSERT INTO alert_events(alert_id, sequence, event, at_ms, text)"
		                " SELECT a.alert_id, (SELECT ifnull(max(sequence), 0) + 1 FROM alert_events e WHERE"
		                " e.alert_id = a.alert_id), 'resolved', " WATERMARK ", a.text FROM alerts a WHERE "
		                OPEN_OF_MODEL, value, COUNT(value));
	if (!err)
		err = store_run(s, SLOT_REMOVED_RESOLVE, "UPDATE alerts SET state = 'resolved', resolved_by = 'removed',"
		                " resolved_ms = " WATERMARK ", updated_ms = " WATERMARK " WHERE alert_id IN"
		                " (SELECT a.alert_id FROM alerts a WHERE " OPEN_OF_MODEL ")", value, COUNT(value));
	return err;
}

bool store_alert_removed(struct store *s, const char *alert_id)
{
	const struct value value[] = { value_text(alert_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_REMOVED_ALERT, "SELECT 1 FROM alerts WHERE alert_id = ?1 AND"
	                              " resolved_by = 'removed'", value, COUNT(value), &d);
	int step;

	if (!q)
		return false;
	step = sqlite3_step(q);
	(void)store_query_end(s, q, step, &d);
	return step == SQLITE_ROW;
}

uint32_t store_episode_open(struct store *s, const char *episode_id)
{
	const struct value value[] = { value_text(episode_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_REMOVED_EPISODE, "SELECT count(*) FROM alerts WHERE episode_id = ?1"
	                              " AND state <> 'resolved'", value, COUNT(value), &d);
	uint32_t n = 0;
	int step;

	if (!q)
		return 0;
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		n = (uint32_t)sqlite3_column_int64(q, 0);
	(void)store_query_end(s, q, step, &d);
	return n;
}
