/* store_state.c -- offsets, gaps, states, meta, counters, chunks and references. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/store_impl.h"

#ifdef DRIFTD_BROKEN_COMMIT
/* A build that the kill tests must catch: offsets land apart from what belongs to them. */
static void commit_apart(struct store *s)
{
	sqlite3_exec(s->db, "COMMIT; BEGIN IMMEDIATE", NULL, NULL, NULL);
}
#else
static void commit_apart(struct store *s)
{
	(void)s;
}
#endif

int store_put_offset(struct store *s, const struct offset_row *row)
{
	const struct value value[] = {
		value_text(row->topic), value_int(row->partition), value_int(row->next_offset),
		value_int(row->anchor_offset), value_count(row->anchor_hash),
		value_int(row->end_offset), value_int(row->epoch),
	};
	int err;

	commit_apart(s);
	err = store_run(s, SLOT_OFFSET_PUT,
	                "INSERT OR REPLACE INTO offsets(topic, partition, next_offset, anchor_offset,"
	                " anchor_hash, end_offset, epoch) VALUES(?, ?, ?, ?, ?, ?, ?)",
	                value, COUNT(value));
	commit_apart(s);
	return err;
}

int store_each_offset(struct store *s, int (*visit)(void *ctx, const struct offset_row *row),
                      void *ctx)
{
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_OFFSET_EACH,
	                              "SELECT topic, partition, next_offset, anchor_offset,"
	                              " anchor_hash, end_offset, epoch FROM offsets"
	                              " ORDER BY topic, partition", NULL, 0, &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const struct offset_row row = {
			.topic = store_column_text(q, 0),
			.partition = sqlite3_column_int(q, 1),
			.next_offset = sqlite3_column_int64(q, 2),
			.anchor_offset = sqlite3_column_int64(q, 3),
			.anchor_hash = (uint64_t)sqlite3_column_int64(q, 4),
			.end_offset = sqlite3_column_int64(q, 5),
			.epoch = (uint32_t)sqlite3_column_int64(q, 6),
		};
		stop = visit(ctx, &row);
	}
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}

int store_put_gap(struct store *s, const char *topic, int32_t partition, int64_t from, int64_t to,
                  const char *reason, int64_t at_ms)
{
	const struct value value[] = { value_text(topic), value_int(partition), value_int(from),
		                       value_int(to), value_text(reason), value_time(at_ms) };

	return store_run(s, SLOT_GAP_PUT,
	                 "INSERT INTO gaps(topic, partition, from_offset, to_offset, reason, at_ms)"
	                 " VALUES(?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

static int put_sealed(struct store *s, enum slot slot, const char *sql, struct value *value,
                      size_t values, const void *blob, size_t length)
{
	int err;

	if (s->error)
		return s->error;
	err = store_seal(s, blob, length, &value[values - 1]);
	if (err) {
		struct diag d;

		diag_set(&d, err, "out of memory");
		return store_poison(s, err, &d);
	}
	return store_run(s, slot, sql, value, values);
}

int store_put_state(struct store *s, const char *owner, uint32_t id, const void *blob, size_t length)
{
	struct value value[3] = { value_text(owner), value_int(id) };

	return put_sealed(s, SLOT_STATE_PUT,
	                  "INSERT INTO state(owner, id, data) VALUES(?, ?, ?)"
	                  " ON CONFLICT(owner, id) DO UPDATE SET data = excluded.data",
	                  value, COUNT(value), blob, length);
}

/* The payload of the query's one row, malloc()ed; ends the query. */
static int take_sealed(struct store *s, sqlite3_stmt *q, const char *name, uint8_t **blob, size_t *length,
                       struct diag *d)
{
	const uint8_t *payload;
	int step = sqlite3_step(q), err = 0, end;

	if (step == SQLITE_ROW) {
		err = store_unseal(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0),
		                   &payload, length, name, d);
		if (!err) {
			*blob = malloc(*length ? *length : 1);
			if (*blob)
				memcpy(*blob, payload, *length);
			else
				err = diag_set(d, ERR_IO, "out of memory");
		}
		if (err)
			*length = 0;
	}
	end = store_query_end(s, q, step, err ? NULL : d);
	return err ? err : end;
}

int store_get_state(struct store *s, const char *owner, uint32_t id, uint8_t **blob, size_t *length,
                    struct diag *d)
{
	const struct value value[] = { value_text(owner), value_int(id) };
	sqlite3_stmt *q = store_query(s, SLOT_STATE_GET,
	                              "SELECT data FROM state WHERE owner = ? AND id = ?", value,
	                              COUNT(value), d);
	char name[128];

	*blob = NULL;
	*length = 0;
	if (!q)
		return ERR_IO;
	snprintf(name, sizeof name, "state of %s %" PRIu32, owner, id);
	return take_sealed(s, q, name, blob, length, d);
}

int store_delete_state(struct store *s, const char *owner, uint32_t id)
{
	const struct value value[] = { value_text(owner), value_int(id) };

	return store_run(s, SLOT_STATE_DELETE, "DELETE FROM state WHERE owner = ? AND id = ?", value,
	                 COUNT(value));
}

static int put_meta(struct store *s, const char *key, struct value v)
{
	const struct value value[] = { value_text(key), v };

	return store_run(s, SLOT_META_PUT, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
	                 value, COUNT(value));
}

int store_put_meta(struct store *s, const char *key, const char *text)
{
	return put_meta(s, key, value_text(text));
}

int store_put_meta_i64(struct store *s, const char *key, int64_t v)
{
	return put_meta(s, key, value_int(v));
}

int store_get_meta(struct store *s, const char *key, char *text, size_t size)
{
	const struct value value[] = { value_text(key) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_META_GET, "SELECT value FROM meta WHERE key = ?", value,
	                              COUNT(value), &d);
	int step, err;
	bool found;

	if (!q)
		return ERR_IO;
	step = sqlite3_step(q);
	found = step == SQLITE_ROW;
	if (found)
		snprintf(text, size, "%s", store_column_text(q, 0));
	err = store_query_end(s, q, step, &d);
	return err ? err : found ? 0 : ERR_MISSING;
}

void store_id_hash_key(struct store *s, uint8_t key[16])
{
	char hex[33] = "";

	memset(key, 0, 16);
	if (store_get_meta(s, "id_hash_key", hex, sizeof hex) || strlen(hex) != 32)
		return;
	for (size_t i = 0; i < 16; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		key[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

int store_put_counter(struct store *s, uint32_t model_id, const char *name, uint64_t n)
{
	const struct value value[] = { value_int(model_id), value_text(name), value_count(n) };

	return store_run(s, SLOT_COUNTER_PUT,
	                 "INSERT OR REPLACE INTO counters(model_id, name, n) VALUES(?, ?, ?)", value,
	                 COUNT(value));
}

int store_each_counter(struct store *s,
                       int (*visit)(void *ctx, uint32_t model_id, const char *name, uint64_t n),
                       void *ctx)
{
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_COUNTER_EACH,
	                              "SELECT model_id, name, n FROM counters"
	                              " ORDER BY model_id, name", NULL, 0, &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW)
		stop = visit(ctx, (uint32_t)sqlite3_column_int64(q, 0), store_column_text(q, 1),
		             (uint64_t)sqlite3_column_int64(q, 2));
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}

int store_put_chunk(struct store *s, const char *owner, uint32_t id, uint32_t part, uint32_t chunk,
                    const void *blob, size_t length)
{
	struct value value[5] = { value_text(owner), value_int(id), value_int(part),
		                  value_int(chunk) };

	return put_sealed(s, SLOT_CHUNK_PUT,
	                  "INSERT OR REPLACE INTO chunks(owner, id, part, chunk, data) VALUES(?, ?, ?, ?, ?)",
	                  value, COUNT(value), blob, length);
}

int store_get_chunk(struct store *s, const char *owner, uint32_t id, uint32_t part, uint32_t chunk,
                    uint8_t **blob, size_t *length, struct diag *d)
{
	const struct value value[] = { value_text(owner), value_int(id), value_int(part), value_int(chunk) };
	sqlite3_stmt *q = store_query(s, SLOT_CHUNK_GET,
	                              "SELECT data FROM chunks WHERE owner = ? AND id = ? AND part = ?"
	                              " AND chunk = ?", value, COUNT(value), d);
	char name[160];

	*blob = NULL;
	*length = 0;
	if (!q)
		return ERR_IO;
	snprintf(name, sizeof name, "chunk %" PRIu32 ".%" PRIu32 " of %s %" PRIu32, part, chunk, owner, id);
	return take_sealed(s, q, name, blob, length, d);
}

int store_each_chunk(struct store *s, const char *owner, uint32_t id,
                     int (*visit)(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob,
                                  size_t length),
                     void *ctx, struct diag *d)
{
	const struct value value[] = { value_text(owner), value_int(id) };
	sqlite3_stmt *q = store_query(s, SLOT_CHUNK_EACH,
	                              "SELECT part, chunk, data FROM chunks"
	                              " WHERE owner = ? AND id = ? ORDER BY part, chunk", value,
	                              COUNT(value), d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		uint32_t part = (uint32_t)sqlite3_column_int64(q, 0);
		uint32_t chunk = (uint32_t)sqlite3_column_int64(q, 1);
		const uint8_t *payload;
		size_t length;
		char name[160];

		snprintf(name, sizeof name, "chunk %" PRIu32 ".%" PRIu32 " of %s %" PRIu32, part, chunk,
		         owner, id);
		stop = store_unseal(sqlite3_column_blob(q, 2), (size_t)sqlite3_column_bytes(q, 2),
		                    &payload, &length, name, d);
		if (!stop)
			stop = visit(ctx, part, chunk, payload, length);
	}
	err = store_query_end(s, q, step, stop ? NULL : d);
	return stop ? stop : err;
}

int store_delete_part(struct store *s, const char *owner, uint32_t id, uint32_t part)
{
	const struct value value[] = { value_text(owner), value_int(id), value_int(part) };

	return store_run(s, SLOT_PART_DELETE,
	                 "DELETE FROM chunks WHERE owner = ? AND id = ? AND part = ?", value,
	                 COUNT(value));
}

int store_put_ref(struct store *s, struct ref_row *row)
{
	int err = 0;

	if (!row->ref_id)
		row->ref_id = ++s->last_id[IDENTITY_REF];
	if (row->active) {
		const struct value retire[] = { value_int(row->model_id), value_text(row->version),
			                        value_int(row->ref_id) };

		err = store_run(s, SLOT_REF_RETIRE,
		                "UPDATE refs SET active = 0 WHERE active AND model_id = ?"
		                " AND version = ? AND ref_id <> ?", retire, COUNT(retire));
	}
	const struct value value[] = {
		value_int(row->ref_id), value_int(row->model_id), value_text(row->version),
		value_text(row->source), value_count(row->hash), value_time(row->from_ms),
		value_time(row->to_ms), value_count(row->rows), value_real(row->rate_per_s),
		value_int(row->active),
	};
	return err ? err
	           : store_run(s, SLOT_REF_PUT,
	                       "INSERT INTO refs(ref_id, model_id, version, source, hash, from_ms,"
	                       " to_ms, rows, rate_per_s, active)"
	                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
	                       " ON CONFLICT(ref_id) DO UPDATE SET (model_id, version, source, hash,"
	                       " from_ms, to_ms, rows, rate_per_s, active)"
	                       " = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", value, COUNT(value));
}

static int64_t column_time(sqlite3_stmt *q, int column)
{
	return sqlite3_column_type(q, column) == SQLITE_NULL ? INT64_MIN
	                                                     : sqlite3_column_int64(q, column);
}

int store_each_ref(struct store *s, uint32_t model_id, int (*visit)(void *ctx, const struct ref_row *),
                   void *ctx)
{
	const struct value value[] = { value_int(model_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_REF_EACH,
	                              "SELECT ref_id, version, source, hash, from_ms, to_ms, rows,"
	                              " rate_per_s, active FROM refs WHERE model_id = ?"
	                              " ORDER BY ref_id", value, COUNT(value), &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const struct ref_row row = {
			.ref_id = (uint32_t)sqlite3_column_int64(q, 0),
			.model_id = model_id,
			.version = store_column_text(q, 1),
			.source = store_column_text(q, 2),
			.hash = (uint64_t)sqlite3_column_int64(q, 3),
			.from_ms = column_time(q, 4),
			.to_ms = column_time(q, 5),
			.rows = (uint64_t)sqlite3_column_int64(q, 6),
			.rate_per_s = store_column_real(q, 7),
			.active = sqlite3_column_int(q, 8) != 0,
		};
		stop = visit(ctx, &row);
	}
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}
