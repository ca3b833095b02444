/* store_alerts.c -- detectors' standing, alerts and their events, outbox, rejected, runs, commands. */
#include <stdint.h>

#include "config/limits.h"
#include "storage/store_impl.h"

int store_put_detector(struct store *s, const struct detector_row *row)
{
	const struct value value[] = {
		value_int(row->detector_id), value_text(row->params), value_count(row->fingerprint),
		value_text(row->promise), value_real(row->share), value_int(row->step),
		value_count(row->used), value_real(row->statistic), value_real(row->spent),
		value_real(row->spent_apart), value_int(row->alarms), value_int(row->alarms_apart),
		value_real(row->effect), value_real(row->effect_low), value_real(row->effect_high),
		value_text(row->effect_unit), value_time(row->since_ms), value_real(row->old_value),
		value_real(row->new_value), value_int(row->material),
		value_text(row->season ? row->season : ""),
	};

	return store_run(s, SLOT_DETECTOR_PUT,
	                 "UPDATE detectors SET (params, fingerprint, promise, share, step, used,"
	                 " statistic, spent, spent_apart, alarms, alarms_apart, effect, effect_low,"
	                 " effect_high, effect_unit, since_ms, old_value, new_value, material, season)"
	                 " = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
	                 " ?18, ?19, ?20, ?21) WHERE detector_id = ?1", value, COUNT(value));
}

#define ALERT_COLUMNS                                                                              \
	"episode_id, stream_id, kind, severity, promise, method, state, resolved_by, opened_ms,"   \
	" started_ms, updated_ms, resolved_ms, statistic, effect, effect_low, effect_high,"        \
	" effect_unit, old_value, new_value, promise_words, dependence, explanation, harm, text,"  \
	" moved, diagnosis, topic, partition, offset"
#define ALERT_VALUES                                                                               \
	"?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,"   \
	" ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30"

enum { ALERT_PLACE = 3 }; /* topic, partition, offset come last */

static int run_alert(struct store *s, enum slot slot, const char *sql, const struct alert_row *row,
                     size_t left_out)
{
	const struct value value[] = {
		value_text(row->alert_id), value_text(row->episode_id), value_int(row->stream_id),
		value_text(row->kind), value_text(row->severity), value_text(row->promise),
		value_text(row->method), value_text(row->state), value_text(row->resolved_by),
		value_time(row->opened_ms), value_time(row->started_ms), value_time(row->updated_ms),
		value_time(row->resolved_ms), value_real(row->statistic), value_real(row->effect),
		value_real(row->effect_low), value_real(row->effect_high),
		value_text(row->effect_unit), value_real(row->old_value), value_real(row->new_value),
		value_text(row->promise_words), value_text(row->dependence),
		value_text(row->explanation), value_text(row->harm), value_text(row->text),
		value_text(row->moved), value_text(row->diagnosis),
		value_text(row->topic), value_int(row->partition), value_int(row->offset),
	};

	return store_run(s, slot, sql, value, COUNT(value) - left_out);
}

/* A plain INSERT: the same id twice is a bug of ours and must stop the program, not be papered over. */
int store_insert_alert(struct store *s, const struct alert_row *row)
{
	return run_alert(s, SLOT_ALERT_ADD,
	                 "INSERT INTO alerts(alert_id, " ALERT_COLUMNS ") VALUES(?1, " ALERT_VALUES ")",
	                 row, 0);
}

/* What the row does not say (NULL, NaN, INT64_MIN) stays; where the alert was opened always does. */
int store_update_alert(struct store *s, const struct alert_row *row)
{
	int err = run_alert(s, SLOT_ALERT_UPDATE,
	                    "UPDATE alerts SET "
	                    "episode_id = coalesce(?2, episode_id), stream_id = coalesce(?3, "
	                    "stream_id), kind = coalesce(?4, kind), severity = coalesce(?5, "
	                    "severity), promise = coalesce(?6, promise), method = coalesce(?7, "
	                    "method), state = coalesce(?8, state), resolved_by = coalesce(?9, "
	                    "resolved_by), opened_ms = coalesce(?10, opened_ms), started_ms = "
	                    "coalesce(?11, started_ms), updated_ms = coalesce(?12, updated_ms), "
	                    "resolved_ms = coalesce(?13, resolved_ms), statistic = coalesce(?14, "
	                    "statistic), effect = coalesce(?15, effect), effect_low = coalesce(?16, "
	                    "effect_low), effect_high = coalesce(?17, effect_high), effect_unit = "
	                    "coalesce(?18, effect_unit), old_value = coalesce(?19, old_value), "
	                    "new_value = coalesce(?20, new_value), promise_words = coalesce(?21, "
	                    "promise_words), dependence = coalesce(?22, dependence), explanation = "
	                    "coalesce(?23, explanation), harm = coalesce(?24, harm), text = "
	                    "coalesce(?25, text), moved = coalesce(?26, moved), diagnosis = coalesce(?27, "
	                    "diagnosis)"
	                    " WHERE alert_id = ?1", row, ALERT_PLACE);

	if (!err && sqlite3_changes(s->db) == 0) {
		struct diag d;

		err = diag_set(&d, ERR_INVALID, "there is no alert %s to update", row->alert_id);
		store_poison(s, err, &d);
	}
	return err;
}

int store_put_alert_event(struct store *s, const char *alert_id, uint32_t sequence, const char *event,
                          int64_t at_ms, double statistic, double effect, const char *text)
{
	const struct value value[] = { value_text(alert_id), value_int(sequence), value_text(event),
		                       value_time(at_ms), value_real(statistic), value_real(effect),
		                       value_text(text) };

	return store_run(s, SLOT_EVENT_ADD,
	                 "INSERT INTO alert_events(alert_id, sequence, event, at_ms, statistic,"
	                 " effect, text) VALUES(?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

int store_put_explanation(struct store *s, const char *alert_id, uint32_t rank,
                          const struct explanation_row *row)
{
	const struct value value[] = {
		value_text(alert_id), value_int(rank), value_text(row->phase), value_int(row->stream_id),
		value_text(row->field), value_text(row->place), value_real(row->above), value_real(row->up_to),
		value_count(row->n), value_count(row->hits), value_real(row->rate), value_real(row->rate_low),
		value_real(row->rate_high), value_real(row->outside_rate), value_real(row->old_rate),
		value_real(row->lift), value_real(row->hits_share), value_real(row->records_share),
		value_real(row->p_value),		value_count(row->records), value_int(row->searched),
	};

	return store_run(s, SLOT_EXPLANATION_PUT,
	                 "INSERT OR REPLACE INTO explanations(alert_id, rank, phase, stream_id, field, place,"
	                 " above, up_to, n, hits, rate, rate_low, rate_high, outside_rate, old_rate, lift,"
	                 " hits_share, records_share, p_value, records, searched)"
	                 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value,
	                 COUNT(value));
}

int store_cut_explanation(struct store *s, const char *alert_id, uint32_t rank)
{
	const struct value value[] = { value_text(alert_id), value_int(rank) };

	return store_run(s, SLOT_EXPLANATION_CUT,
	                 "DELETE FROM explanations WHERE alert_id = ? AND rank > ?", value, COUNT(value));
}

int store_put_outbox(struct store *s, const char *alert_id, const char *event, const char *body, bool shadow)
{
	const struct value value[] = { value_text(alert_id), value_text(event), value_text(body),
		                       value_text(shadow ? "shadow" : "pending") };

	return store_run(s, SLOT_OUTBOX_ADD,
	                 "INSERT INTO outbox(alert_id, event, body, state) VALUES(?1, ?2, json_set(?3,"
	                 " '$.severity', (SELECT severity FROM alerts WHERE"
	                 " episode_id = (SELECT episode_id FROM alerts WHERE alert_id = ?1) ORDER BY"
	                 " severity = 'info', severity = 'warning' LIMIT 1)), ?4)", value,
	                 COUNT(value));
}

/* UTF-8 without NULs: what a person can read with the sqlite3 command. */
static bool is_readable(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t more = b[i] < 0x80 ? 0 : b[i] < 0xe0 ? 1 : b[i] < 0xf0 ? 2 : 3;
		uint32_t code = more ? b[i] & (0x3fu >> more) : b[i];

		if (b[i] == 0 || (b[i] >= 0x80 && b[i] < 0xc2) || b[i] > 0xf4 || more >= n - i)
			return false;
		for (size_t k = 1; k <= more; k++) {
			if ((b[i + k] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (b[i + k] & 0x3f);
		}
		if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
		    (more == 3 && (code < 0x10000 || code > 0x10ffff)))
			return false;
		i += more + 1;
	}
	return true;
}

int store_put_rejected(struct store *s, uint64_t number, const char *topic, int32_t partition,
                       int64_t offset, const char *reason, const char *detail, const void *sample,
                       size_t sample_length)
{
	const struct value value[] = {
		value_count(number % LIMIT_REJECTED_ROWS), value_count(number), value_text(topic),
		value_int(partition), value_int(offset), value_text(reason), value_text(detail),
		sample && is_readable(sample, sample_length) ? value_bytes(sample, sample_length)
		                                             : value_blob(sample, sample_length),
	};

	return store_run(s, SLOT_REJECTED_PUT,
	                 "INSERT OR REPLACE INTO rejected(slot, number, topic, partition, offset,"
	                 " reason, detail, sample) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", value,
	                 COUNT(value));
}

int store_put_run(struct store *s, const char *event, const char *detail, int64_t wall_ms)
{
	const struct value value[] = { value_text(event), value_text(detail), value_int(wall_ms) };

	return store_run(s, SLOT_RUN_ADD, "INSERT INTO runs(event, detail, wall_ms) VALUES(?, ?, ?)",
	                 value, COUNT(value));
}

int store_each_command(struct store *s, int (*visit)(void *ctx, const struct command_row *), void *ctx)
{
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_COMMAND_EACH,
	                              "SELECT command_id, command, target, arguments FROM commands"
	                              " WHERE finished_ms IS NULL ORDER BY command_id", NULL, 0, &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const struct command_row row = {
			.command_id = sqlite3_column_int64(q, 0),
			.command = store_column_text(q, 1),
			.target = store_column_text(q, 2),
			.arguments = store_column_text(q, 3),
		};
		stop = visit(ctx, &row);
	}
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}

int store_finish_command(struct store *s, int64_t command_id, const char *result, int64_t wall_ms)
{
	const struct value value[] = { value_text(result), value_int(wall_ms),
		                       value_int(command_id) };

	return store_run(s, SLOT_COMMAND_FINISH,
	                 "UPDATE commands SET result = ?, finished_ms = ? WHERE command_id = ?", value,
	                 COUNT(value));
}
