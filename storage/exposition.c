/* exposition.c -- see exposition.h. Counters are those of the database: they go on across restarts. */
#include "storage/exposition.h"

#include <math.h>
#include <string.h>

#include "storage/store_impl.h"

struct family {
	const char *name, *type, *help, *sql;
};

#define MODEL_COUNTER(value)                                                                       \
	"SELECT m.name AS model, c.n FROM counters c JOIN models m USING(model_id) WHERE c.name = '" value "'"
#define PLACE "model, version, segment, stream"

static const struct family families[] = {
	{ "records_processed_total", "counter", "Records that reached a model.",
	  "SELECT m.name AS model, CASE c.name WHEN 'label_lines' THEN 'label' WHEN 'probes' THEN 'probe'"
	  " ELSE 'prediction' END AS kind, c.n FROM counters c JOIN models m USING(model_id)"
	  " WHERE c.name IN ('predictions', 'label_lines', 'probes')" },
	{ "records_rejected_total", "counter", "Records that could not be used, by reason.",
	  "SELECT substr(name, 10) AS reason, n FROM counters WHERE model_id = 0 AND name GLOB 'rejected_*'" },
	{ "fields_invalid_total", "counter", "Fields that could not be used, by reason.",
	  "SELECT m.name AS model, substr(c.name, 8) AS reason, c.n FROM counters c JOIN models m USING(model_id)"
	  " WHERE c.name IN ('fields_type', 'fields_nonfinite')" },
	{ "late_events_total", "counter", "Records older than the window that was open.", MODEL_COUNTER("late") },
	{ "category_overflow_total", "counter", "Values beyond the categories that are told apart.",
	  MODEL_COUNTER("category_overflow") },
	{ "kafka_consumer_lag_records", "gauge", "Records that are not processed yet.",
	  "SELECT topic, partition, lag FROM lag WHERE lag IS NOT NULL" },
	{ "kafka_position_records", "gauge", "Offset of the next record.",
	  "SELECT topic, partition, next_offset FROM lag" },
	{ "kafka_partitions", "gauge", "Partitions that are read.",
	  "SELECT topic, count(*) FROM offsets GROUP BY topic" },
	{ "kafka_offset_gaps_total", "counter", "Spans of records that could not be read.",
	  "SELECT topic, count(*) FROM gaps GROUP BY topic" },
	{ "kafka_records_skipped_total", "counter", "Records that could not be read, by reason.",
	  "SELECT topic, reason, sum(max(to_offset - from_offset, 0)) FROM gaps GROUP BY topic, reason" },
	{ "event_time_lag_seconds", "gauge", "Age of the event time up to which everything is processed.",
	  "SELECT (julianday('now') - 2440587.5) * 86400 - value / 1000.0 FROM meta WHERE key = 'watermark_ms'" },
	{ "watermark_timestamp_seconds", "gauge", "Event time up to which everything is processed.",
	  "SELECT value / 1000.0 FROM meta WHERE key = 'watermark_ms'" },
	{ "join_pending", "gauge", "Predictions that wait for a label.", MODEL_COUNTER("waiting") },
	{ "join_orphan_labels", "gauge", "Labels that wait for their prediction.", MODEL_COUNTER("orphans") },
	{ "join_matched_total", "counter", "Predictions that have a label.", MODEL_COUNTER("matched_ids") },
	{ "join_expired_total", "counter", "Predictions that left without a label, in time.",
	  MODEL_COUNTER("expired") },
	{ "join_evicted_total", "counter", "Predictions that left without a label, for want of room.",
	  MODEL_COUNTER("evicted") },
	{ "join_late_labels_total", "counter", "Labels later than the configured wait.",
	  MODEL_COUNTER("labels_late") },
	{ "join_delay_seconds", "histogram", "Delay of labels: their event time less that of their prediction.",
	  "SELECT part, model, le, value FROM (WITH d AS (SELECT m.name AS model, sum(l.within_hour) AS hour,"
	  " sum(l.within_day) AS day, sum(l.within_week) AS week, sum(l.labelled) AS n,"
	  " sum(l.mean_delay_s * l.labelled) AS s FROM streams s JOIN label_statistics l"
	  " ON l.stream_id = s.stream_id AND l.width_ms >= 86400000 JOIN models m ON m.model_id = s.model_id"
	  " WHERE s.segment = '' AND l.mean_delay_s IS NOT NULL GROUP BY m.model_id)"
	  " SELECT '_bucket' AS part, model, '3600' AS le, hour AS value, 1 AS at FROM d UNION ALL"
	  " SELECT '_bucket', model, '86400', day, 2 FROM d UNION ALL"
	  " SELECT '_bucket', model, '604800', week, 3 FROM d UNION ALL"
	  " SELECT '_bucket', model, '+Inf', n, 4 FROM d UNION ALL"
	  " SELECT '_sum', model, NULL, s, 5 FROM d UNION ALL SELECT '_count', model, NULL, n, 6 FROM d"
	  ") ORDER BY model, at" },
	{ "join_duplicates_total", "counter", "Predictions and labels that came again.",
	  "SELECT m.name AS model, iif(c.name = 'repeat_lines', 'label', 'prediction') AS kind, c.n FROM counters c"
	  " JOIN models m USING(model_id) WHERE c.name IN ('repeat_lines', 'duplicate_predictions')" },
	{ "coverage_ratio", "gauge", "Share of recent labels inside their interval or set.",
	  "SELECT model, version, segment, coverage FROM coverage_now" },
	{ "coverage_target_ratio", "gauge", "Coverage that was promised, where it is one level.",
	  "SELECT model, version, segment, max(nominal) FROM coverage_by_level GROUP BY 1, 2, 3 HAVING"
	  " count(DISTINCT nominal) = 1" },
	{ "state_resets_total", "counter", "Tests that began again because something of them changed.",
	  "SELECT count(*) FROM runs WHERE event = 'state_reset'" },
	{ "merge_stalls_total", "counter", "Partitions that were not waited for any longer.",
	  "SELECT count(*) FROM runs WHERE event = 'merge_stall'" },
	{ "clock_jumps_total", "counter", "Steps of the wall clock.",
	  "SELECT count(*) FROM runs WHERE event = 'clock_jump'" },
	{ "starts_total", "counter", "Starts of the daemon on this database.",
	  "SELECT count(*) FROM runs WHERE event = 'start'" },
	{ "drift_statistic", "gauge", "Share of the alarm threshold that the evidence uses; 1 raises an alarm.",
	  "SELECT " PLACE ", method AS detector, role, statistic FROM drift_now WHERE statistic IS NOT NULL" },
	{ "drift_active", "gauge", "1 for a stream with an open alert.",
	  "SELECT DISTINCT " PLACE ", ifnull(method, '') AS detector, 1 FROM alerts_open WHERE stream <> ''" },
	{ "alerts_raised_total", "counter", "Alerts so far.",
	  "SELECT ifnull(m.name, '') AS model, a.kind, count(*) FROM alerts a LEFT JOIN streams s USING(stream_id)"
	  " LEFT JOIN models m USING(model_id) GROUP BY 1, 2" },
	{ "alerts_firing", "gauge", "Alerts that are not resolved.",
	  "SELECT model, kind, severity, count(*) FROM alerts_open GROUP BY 1, 2, 3" },
	{ "budget_allowance_alarms", "gauge", "False alarms allowed so far.",
	  "SELECT allowance FROM budget WHERE allowance IS NOT NULL" },
	{ "budget_spent_alarms", "gauge", "False alarms to be expected of what certified detectors did so far.",
	  "SELECT spent FROM budget WHERE spent IS NOT NULL" },
};

void exposition_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_label(FILE *out, const char *name, const char *value, size_t length)
{
	fprintf(out, "%s=\"", name);
	for (size_t i = 0; i < length; i++)
		if (value[i] == '\n')
			fputs("\\n", out);
		else if (value[i] == '"' || value[i] == '\\')
			fprintf(out, "\\%c", value[i]);
		else if (value[i])
			fputc(value[i], out);
	fputc('"', out);
}

static void write_row(FILE *out, const char *name, sqlite3_stmt *q)
{
	int values = sqlite3_column_count(q), first = !strcmp(sqlite3_column_name(q, 0), "part");
	char separator = '{';

	fprintf(out, "driftd_%s%s", name, first ? store_column_text(q, 0) : "");
	for (int i = first; i + 1 < values; i++) {
		const char *text = store_column_text(q, i);

		if (sqlite3_column_type(q, i) == SQLITE_NULL)
			continue;
		fputc(separator, out);
		separator = ',';
		exposition_label(out, sqlite3_column_name(q, i), text, (size_t)sqlite3_column_bytes(q, i));
	}
	fprintf(out, "%s %.17g\n", separator == ',' ? "}" : "", sqlite3_column_double(q, values - 1));
}

static int write_family(sqlite3 *db, FILE *out, const struct family *f, uint32_t series_max,
                        uint64_t *left_out, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	uint32_t n = 0;
	int step;

	if (sqlite3_prepare_v2(db, f->sql, -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		if (!n++) {
			char full[64];

			snprintf(full, sizeof full, "driftd_%s", f->name);
			exposition_head(out, full, f->type, f->help);
		}
		if (n <= series_max)
			write_row(out, f->name, q);
	}
	*left_out += n > series_max ? n - series_max : 0;
	sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : store_sqlite_error(db, "read", d);
}

int exposition_write(sqlite3 *db, FILE *out, uint32_t series_max, struct diag *d)
{
	uint64_t left_out = 0;
	int err = store_exec(db, "BEGIN", d);

	if (err)
		return err;
	for (size_t i = 0; i < COUNT(families) && !err; i++)
		err = write_family(db, out, &families[i], series_max, &left_out, d);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	exposition_head(out, "driftd_series_left_out", "gauge", "Lines beyond the limit of a family.");
	fprintf(out, "driftd_series_left_out %llu\n", (unsigned long long)left_out);
	return err;
}
