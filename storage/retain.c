/* retain.c -- rollup of statistics and retention.
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

/* A step from windows to hours, or from hours to days. The partial index of what is to be merged gives the
 * few begins of windows in a span without passing over its rows, and a stream is then sought in each. */
struct level {
	int64_t width_ms; /* of the result */
	enum slot next, rows;
	const char *next_sql, *rows_sql;
};
#define FINE "width_ms > 0 AND width_ms < 3600000" /* windows of records are kept */
#define HOURS "width_ms >= 3600000 AND width_ms < 86400000"
#define NEXT(index, filter)                                                                        \
	"SELECT min(window_ms) FROM statistics INDEXED BY " index " WHERE " filter                 \
	" AND window_ms < ?"
/* Rows of [?1, ?2) up to the width ?3 of the result, of the first ?4 ids of streams with something to
 * merge. A row of that width is there only when a late window is added to its hour. */
#define ROWS(index, filter)                                                                        \
	"WITH RECURSIVE begins(t) AS (SELECT min(window_ms) FROM statistics INDEXED BY " index     \
	" WHERE " filter " AND window_ms >= ?1 AND window_ms < ?2 UNION ALL"                       \
	" SELECT (SELECT min(window_ms) FROM statistics INDEXED BY " index " WHERE " filter        \
	" AND window_ms > begins.t AND window_ms < ?2) FROM begins WHERE begins.t IS NOT NULL),"   \
	" first(id) AS (SELECT min((SELECT min(stream_id) FROM statistics INDEXED BY " index       \
	" WHERE " filter " AND window_ms = begins.t)) FROM begins)"                                \
	" SELECT " MERGE_COLUMNS ", s.window_ms, s.width_ms < ?3 FROM first"                       \
	" CROSS JOIN (SELECT t FROM begins UNION SELECT ?1) b CROSS JOIN statistics s"             \
	" LEFT JOIN histograms h ON h.window_ms = s.window_ms AND h.stream_id = s.stream_id"       \
	" WHERE s.window_ms = b.t AND s.stream_id >= first.id AND s.stream_id < first.id + ?4"     \
	" AND s.width_ms BETWEEN 1 AND ?3 ORDER BY s.stream_id, s.window_ms"
static const struct level levels[] = {
	{ HOUR_MS, SLOT_ROLL_NEXT, SLOT_ROLL_ROWS, NEXT("statistics_fine", FINE),
	  ROWS("statistics_fine", FINE) },
	{ DAY_MS, SLOT_ROLL_NEXT_DAY, SLOT_ROLL_ROWS_DAY, NEXT("statistics_hour", HOURS),
	  ROWS("statistics_hour", HOURS) },
};

struct row_key {
	int64_t window_ms;
	uint32_t stream_id;
};

/* One go: the rows of some streams in one hour, or day. */
struct batch {
	const struct level *level;
	int64_t start;
	uint32_t rows_max, rows; /* of this call of store_retain */
	bool is_full;            /* the next stream does not fit any more */
	struct statistics_row *out;
	size_t outs, outs_size;
	struct row_key *key;     /* rows that `out` replaces */
	size_t keys, keys_size;
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

static int add_key(struct batch *b, int64_t window_ms, uint32_t stream_id)
{
	if (b->keys == b->keys_size) {
		size_t size = b->keys_size ? 2 * b->keys_size : 256;
		struct row_key *grown = realloc(b->key, size * sizeof *grown);

		if (!grown)
			return ERR_IO;
		b->key = grown;
		b->keys_size = size;
	}
	b->key[b->keys++] = (struct row_key){ window_ms, stream_id };
	return 0;
}

/* Takes the stream whose rows are in `m`, and whose keys are the last m->parts ones, if it fits; the first
 * one always fits, so that there is progress. A stream with nothing below the result's width has other
 * windows than its neighbours: it stays as it is. */
static int take_stream(struct batch *b, struct merge *m, bool is_finer)
{
	size_t parts = m->parts;

	if (is_finer && b->rows && (parts > b->rows_max || b->rows > b->rows_max - parts))
		b->is_full = true;
	if (!is_finer || b->is_full) {
		m->parts = 0;
		b->keys -= parts;
		return 0;
	}
	if (b->outs == b->outs_size) {
		size_t size = b->outs_size ? 2 * b->outs_size : 64;
		struct statistics_row *grown = realloc(b->out, size * sizeof *grown);

		if (!grown)
			return ERR_IO;
		b->out = grown;
		b->outs_size = size;
	}
	b->rows += (uint32_t)parts;
	return merge_finish(m, b->start, b->level->width_ms, &b->out[b->outs++]);
}

static int read_batch(struct store *s, struct batch *b)
{
	const struct level *level = b->level;
	const struct value value[] = { value_int(b->start), value_int(b->start + level->width_ms),
		                       value_int(level->width_ms), value_int(b->rows_max / 8 + 1) };
	struct diag d;
	struct merge m = { 0 };
	bool is_finer = false;
	sqlite3_stmt *q = store_query(s, level->rows, level->rows_sql, value, COUNT(value), &d);
	int step = SQLITE_DONE, err = 0, end;

	if (!q)
		return store_poison(s, ERR_IO, &d);
	while (!err && !b->is_full && (step = sqlite3_step(q)) == SQLITE_ROW) {
		uint32_t stream = (uint32_t)sqlite3_column_int64(q, 0);

		if (m.parts && stream != m.stream_id)
			err = take_stream(b, &m, is_finer);
		if (err || b->is_full)
			break;
		is_finer = (m.parts && is_finer) || sqlite3_column_int(q, MERGE_COUNT + 1);
		m.stream_id = stream;
		err = merge_add(&m, q);
		if (!err)
			err = add_key(b, sqlite3_column_int64(q, MERGE_COUNT), stream);
	}
	if (!err && !b->is_full && m.parts)
		err = take_stream(b, &m, is_finer);
	merge_release(&m);
	if (err)
		diag_set(&d, err, "out of memory");
	end = store_query_end(s, q, step, err ? NULL : &d);
	err = err ? err : end;
	return err ? store_poison(s, err, &d) : 0;
}

/* Replaces the rows that were merged by their merges. */
static int replace_rows(struct store *s, const struct batch *b)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->keys; i++) {
		const struct value key[] = { value_int(b->key[i].window_ms),
			                     value_int(b->key[i].stream_id) };

		err = store_run(s, SLOT_ROLL_COUNTS_DELETE,
		                "DELETE FROM histograms WHERE window_ms = ? AND stream_id = ?", key,
		                COUNT(key));
		if (!err)
			err = store_run(s, SLOT_ROLL_DELETE,
			                "DELETE FROM statistics WHERE window_ms = ? AND stream_id = ?",
			                key, COUNT(key));
	}
	for (size_t i = 0; !err && i < b->outs; i++)
		err = store_put_statistics(s, &b->out[i]);
	return err;
}

static void empty_batch(struct batch *b)
{
	for (size_t i = 0; i < b->outs; i++)
		merge_free_row(&b->out[i]);
	b->outs = b->keys = 0;
}

static int roll(struct store *s, const struct level *level, int64_t limit, uint32_t rows_max,
                uint32_t *rows)
{
	struct batch b = { .level = level, .rows_max = rows_max, .rows = *rows };
	bool found = true;
	int err = 0;

	while (!b.is_full && b.rows < rows_max) {
		err = next_start(s, level, limit, &found, &b.start);
		if (err || !found)
			break;
		err = read_batch(s, &b);
		if (!err)
			err = replace_rows(s, &b);
		empty_batch(&b);
		if (err)
			break;
	}
	/* What did not fit comes first in the next call: nothing later may be done before it. */
	*rows = b.is_full ? rows_max : b.rows;
	free(b.out);
	free(b.key);
	return err;
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
	if (!err)
		err = store_drop_ood(s, fine, hour);
	return err ? err : shrink(s);
}
