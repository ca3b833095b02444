/* store_judge.c -- what `driftd resolve` does beyond the streams: verdicts, and the end of alerts of the
 * system, which no record ends. See store.h. */
#include <stdint.h>

#include "storage/store_impl.h"

/* Alerts that a command names: by their id or their episode's. */
#define NAMED                                                                                      \
	"commands c JOIN alerts a ON a.alert_id = c.target OR a.episode_id = c.target"             \
	" WHERE c.command_id = ?1 AND c.command = 'resolve'"
#define VERDICT "json_extract(c.arguments, '$.verdict')"
#define SYSTEM "a.stream_id = 0 AND a.state <> 'resolved'"
#define WATERMARK "(SELECT value FROM meta WHERE key = 'watermark_ms')"

bool store_command_judges(struct store *s, int64_t command_id)
{
	const struct value value[] = { value_int(command_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_COMMAND_JUDGES, "SELECT 1 FROM " NAMED " AND (" VERDICT
	                              " IS NOT NULL OR (" SYSTEM ")) LIMIT 1", value, COUNT(value), &d);
	int step;

	if (!q)
		return false;
	step = sqlite3_step(q);
	(void)store_query_end(s, q, step, &d);
	return step == SQLITE_ROW;
}

int store_judge(struct store *s, int64_t command_id)
{
	const struct value value[] = { value_int(command_id) };
	int err = store_run(s, SLOT_JUDGE_VERDICT, "UPDATE alerts SET verdict = v.verdict FROM (SELECT a.alert_id,"
	                    " " VERDICT " AS verdict FROM " NAMED " AND " VERDICT " IS NOT NULL) v"
	                    " WHERE v.alert_id = alerts.alert_id", value, COUNT(value));

	if (!err)
		err = store_run(s, SLOT_JUDGE_EVENT, "INSERT INTO alert_events(alert_id, sequence, event, at_ms, text)"
		                " SELECT a.alert_id, (SELECT max(sequence) + 1 FROM alert_events e WHERE e.alert_id ="
		                " a.alert_id), 'resolved', " WATERMARK ", a.text FROM " NAMED " AND " SYSTEM, value,
		                COUNT(value));
	/* What was announced is told to be over. */
	if (!err)
		err = store_run(s, SLOT_JUDGE_OUTBOX, "INSERT INTO outbox(alert_id, event, body, state)"
		                " SELECT o.alert_id, 'resolved', json_set(o.body, '$.id', o.alert_id || '-' || (SELECT"
		                " max(sequence) FROM alert_events e WHERE e.alert_id = o.alert_id), '$.event', 'resolved',"
		                " '$.state', 'resolved', '$.resolved_by', 'command'),"
		                " iif(o.state = 'shadow', 'shadow', 'pending') FROM outbox o WHERE o.event = 'open'"
		                " AND o.alert_id IN (SELECT a.alert_id FROM " NAMED " AND " SYSTEM ")", value,
		                COUNT(value));
	if (!err)
		err = store_run(s, SLOT_JUDGE_RESOLVE, "UPDATE alerts SET state = 'resolved', resolved_by = 'command',"
		                " resolved_ms = " WATERMARK ", updated_ms = " WATERMARK " WHERE alert_id IN"
		                " (SELECT a.alert_id FROM " NAMED " AND " SYSTEM ")", value, COUNT(value));
	return err;
}
