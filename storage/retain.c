/* retain.c -- rollup of statistics and retention (semantics 5).
 *
 * Windows become hours, hours become days, each only as a whole and only when the whole hour or day is
 * older than what is kept; always windows -> hours -> days, also when everything is old. So the final
 * tables do not depend on how often, or with how many rows a call, this runs.
 */
#include <stdlib.h>

#include "storage/merge.h"

enum {
	/* Free pages kept for the next commits (4 MiB), and pages given back a call. */
	FREE_PAGES_KEPT = 1024,
	FREE_PAGES_BITE = 64,
};

struct level {
	int64_t width_ms;       /* of the result */
	enum slot next, streams;
	const char *next_sql, *streams_sql;
};
#define FINE "width_ms > 0 AND width_ms < 3600000" /* windows of records are kept */
#define HOURS "width_ms >= 3600000 AND width_ms < 86400000"
static const struct level levels[] = {
	{ HOUR_MS, SLOT_ROLL_NEXT, SLOT_ROLL_STREAMS,
	  "SELECT min(window_ms) FROM statistics INDEXED BY statistics_fine WHERE " FINE
	  " AND window_ms < ?",
	  "SELECT stream_id, count(*) FROM statistics INDEXED BY statistics_fine WHERE " FINE
	  " AND window_ms >= ? AND window_ms < ? GROUP BY stream_id ORDER BY stream_id" },
	{ DAY_MS, SLOT_ROLL_NEXT_DAY, SLOT_ROLL_STREAMS_DAY,
	  "SELECT min(window_ms) FROM statistics INDEXED BY statistics_hour WHERE " HOURS
	  " AND window_ms < ?",
	  "SELECT stream_id, count(*) FROM statistics INDEXED BY statistics_hour WHERE " HOURS
	  " AND window_ms >= ? AND window_ms < ? GROUP BY stream_id ORDER BY stream_id" },
};

/* Start of the oldest hour (day) with something to merge. *found false: none before `limit`. */
static int next_start(struct store *s, const struct level *level, int64_t limit, bool *found,
                      int64_t *start)
{
	const struct value value[] = { value_int(limit) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, level->next, level->next_sql, value, COUNT(value), &d);
	int step, err;

	*found = false;
	if (!q)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(q);
	if (step == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL) {
		*found = true;
		*start = store_floor(sqlite3_column_int64(q, 0), level->width_ms);
	}
	err = store_query_end(s, q, step, &d);
	return err ? store_poison(s, err, &d) : 0;
}

/* The streams [first, last] of [start, end) whose rows fit into what is left of this call; one stream
 * at least when nothing was done yet, so that there is always progress. */
static int choose_streams(struct store *s, const struct level *level, int64_t start, int64_t end,
                          uint32_t rows_max, uint32_t *rows, uint32_t *first, uint32_t *last)
{
	const struct value value[] = { value_int(start), value_int(end) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, level->streams, level->streams_sql, value, COUNT(value), &d);
	uint32_t before = *rows;
	int step = SQLITE_DONE, err;

	*first = *last = 0;
	if (!q)
		return store_poison(s, ERR_IO, &d);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		uint32_t stream = (uint32_t)sqlite3_column_int64(q, 0);
		uint32_t count = (uint32_t)sqlite3_column_int64(q, 1);

		if (*rows && (count > rows_max || *rows > rows_max - count))
			break;
		if (*rows == before)
			*first = stream;
		*last = stream;
		*rows += count;
	}
	err = store_query_end(s, q, step, &d);
	return err ? store_poison(s, err, &d) : 0;
}

/* Merges the rows of streams [first, last] into out[0..*count), at most one a row read; the caller frees
 * their histograms. */
static int merge_rows(struct store *s, int64_t start, int64_t width, uint32_t first, uint32_t last,
                      struct statistics_row *out, size_t *count)
{
	const struct value value[] = { value_int(start), value_int(start + width), value_int(width),
		                       value_int(first), value_int(last) };
	struct diag d;
	struct merge m = { 0 };
	sqlite3_stmt *q = store_query(s, SLOT_ROLL_ROWS,
	                              "SELECT " MERGE_COLUMNS
	                              " FROM statistics s LEFT JOIN histograms h ON"
	                              " h.window_ms = s.window_ms AND h.stream_id = s.stream_id"
	                              " WHERE s.window_ms >= ?1 AND s.window_ms < ?2"
	                              " AND s.width_ms BETWEEN 1 AND ?3 AND s.stream_id BETWEEN ?4 AND ?5"
	                              " ORDER BY s.stream_id, s.window_ms", value, COUNT(value), &d);
	int step = SQLITE_DONE, err = 0, end;

	*count = 0;
	if (!q)
		return store_poison(s, ERR_IO, &d);
	while (!err && (step = sqlite3_step(q)) == SQLITE_ROW) {
		uint32_t stream = (uint32_t)sqlite3_column_int64(q, 0);

		if (m.parts && stream != m.stream_id)
			err = merge_finish(&m, start, width, &out[(*count)++]);
		m.stream_id = stream;
		if (!err)
			err = merge_add(&m, q);
	}
	if (!err && m.parts)
		err = merge_finish(&m, start, width, &out[(*count)++]);
	merge_release(&m);
	if (err)
		diag_set(&d, err, "out of memory");
	end = store_query_end(s, q, step, err ? NULL : &d);
	err = err ? err : end;
	return err ? store_poison(s, err, &d) : 0;
}

/* Replaces the rows that were merged by their merges. */
static int replace_rows(struct store *s, int64_t start, int64_t width, uint32_t first, uint32_t last,
                        const struct statistics_row *row, size_t rows)
{
	const struct value value[] = { value_int(start), value_int(start + width), value_int(width),
		                       value_int(first), value_int(last) };
	int err;

	/* Histograms first: whose they are is told by the rows. */
	err = store_run(s, SLOT_ROLL_COUNTS_DELETE,
	                "DELETE FROM histograms WHERE window_ms >= ?1 AND window_ms < ?2 AND EXISTS"
	                " (SELECT 1 FROM statistics s WHERE s.window_ms = histograms.window_ms"
	                " AND s.stream_id = histograms.stream_id AND s.width_ms BETWEEN 1 AND ?3)"
	                " AND stream_id BETWEEN ?4 AND ?5", value, COUNT(value));
	if (!err)
		err = store_run(s, SLOT_ROLL_DELETE,
		                "DELETE FROM statistics WHERE window_ms >= ?1 AND window_ms < ?2"
		                " AND width_ms BETWEEN 1 AND ?3 AND stream_id BETWEEN ?4 AND ?5", value,
		                COUNT(value));
	for (size_t i = 0; !err && i < rows; i++)
		err = store_put_statistics(s, &row[i]);
	return err;
}

static int roll(struct store *s, const struct level *level, int64_t limit, uint32_t rows_max,
                uint32_t *rows)
{
	while (*rows < rows_max) {
		struct statistics_row *out;
		uint32_t first, last, before = *rows;
		int64_t start = 0;
		size_t count = 0;
		bool found;
		int err = next_start(s, level, limit, &found, &start);

		if (err || !found)
			return err;
		err = choose_streams(s, level, start, start + level->width_ms, rows_max, rows, &first,
		                     &last);
		if (err || *rows == before) {
			*rows = err ? *rows : rows_max; /* the next group does not fit any more */
			return err;
		}
		out = calloc(*rows - before, sizeof *out);
		if (!out) {
			struct diag d;

			return store_poison(s, diag_set(&d, ERR_IO, "out of memory"), &d);
		}
		err = merge_rows(s, start, level->width_ms, first, last, out, &count);
		if (!err)
			err = replace_rows(s, start, level->width_ms, first, last, out, count);
		for (size_t i = 0; i < *rows - before; i++)
			free((void *)(uintptr_t)out[i].histogram);
		free(out);
		if (err)
			return err;
	}
	return 0;
}

struct label_key {
	int64_t window_ms, width_ms, stream_id;
};

/* Label rows are kept by the pipeline for window, hour and day at once, so there is nothing to merge: final
 * ones older than kept are dropped, oldest first. Rows that still wait for labels stay. */
static int drop_labels(struct store *s, enum slot slot, const char *sql, int64_t limit,
                       uint32_t rows_max, uint32_t *rows)
{
	const struct value value[] = { value_int(limit), value_int((int64_t)rows_max - *rows) };
	struct label_key *key;
	struct diag d;
	sqlite3_stmt *q;
	size_t keys = 0;
	int step, err;

	if (*rows >= rows_max)
		return 0;
	key = calloc(rows_max - *rows, sizeof *key);
	if (!key)
		return store_poison(s, diag_set(&d, ERR_IO, "out of memory"), &d);
	q = store_query(s, slot, sql, value, COUNT(value), &d);
	if (!q) {
		free(key);
		return store_poison(s, ERR_IO, &d);
	}
	while ((step = sqlite3_step(q)) == SQLITE_ROW)
		key[keys++] = (struct label_key){ sqlite3_column_int64(q, 0),
			                          sqlite3_column_int64(q, 1),
			                          sqlite3_column_int64(q, 2) };
	err = store_query_end(s, q, step, &d);
	if (err)
		store_poison(s, err, &d);
	for (size_t i = 0; !err && i < keys; i++) {
		const struct value at[] = { value_int(key[i].window_ms), value_int(key[i].stream_id),
			                    value_int(key[i].width_ms) };

		err = store_run(s, SLOT_LABEL_DROP,
		                "DELETE FROM label_statistics WHERE window_ms = ? AND stream_id = ?"
		                " AND width_ms = ?", at, COUNT(at));
	}
	*rows += (uint32_t)keys;
	free(key);
	return err;
}

/* Gives a few free pages back to the file system. */
static int shrink(struct store *s)
{
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_FREE_PAGES, "PRAGMA freelist_count", NULL, 0, &d);
	int64_t pages = 0;
	int step, err;

	if (!q)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		pages = sqlite3_column_int64(q, 0);
	err = store_query_end(s, q, step, &d);
	if (err || pages < FREE_PAGES_KEPT + FREE_PAGES_BITE)
		return err ? store_poison(s, err, &d) : 0;
	q = store_query(s, SLOT_VACUUM, "PRAGMA incremental_vacuum(64)", NULL, 0, &d);
	if (!q)
		return store_poison(s, ERR_IO, &d);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) { /* one page a step */ }
	err = store_query_end(s, q, step, &d);
	return err ? store_poison(s, err, &d) : 0;
}

int store_retain(struct store *s, int64_t now_ms, int64_t keep_fine_ms, int64_t keep_hour_ms,
                 uint32_t rows_max)
{
	/* Days are made of hours only: an hour must be made before its day is. */
	int64_t keep_hour = keep_hour_ms > keep_fine_ms ? keep_hour_ms : keep_fine_ms;
	int64_t fine = store_floor(store_ago(now_ms, keep_fine_ms), HOUR_MS);
	int64_t hour = store_floor(store_ago(now_ms, keep_hour), DAY_MS);
	uint32_t rows = 0;
	int err;

	if (s->error)
		return s->error;
	err = roll(s, &levels[0], fine, rows_max, &rows);
	if (!err)
		err = roll(s, &levels[1], hour, rows_max, &rows);
	if (!err)
		err = drop_labels(s, SLOT_LABEL_OLD,
		                  "SELECT window_ms, width_ms, stream_id FROM label_statistics"
		                  " INDEXED BY label_fine WHERE final = 1 AND " FINE
		                  " AND window_ms < ? ORDER BY window_ms LIMIT ?",
		                  fine, rows_max, &rows);
	if (!err)
		err = drop_labels(s, SLOT_LABEL_OLD_HOUR,
		                  "SELECT window_ms, width_ms, stream_id FROM label_statistics"
		                  " INDEXED BY label_hour WHERE final = 1 AND " HOURS
		                  " AND window_ms < ? ORDER BY window_ms LIMIT ?",
		                  hour, rows_max, &rows);
	return err ? err : shrink(s);
}
