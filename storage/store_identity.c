/* store_identity.c -- integer ids of models, streams and detectors.
 *
 * An id may be asked for outside a transaction, and a transaction may be rolled back after the caller
 * took an id from it. So every id given out is remembered until a commit that holds its row has
 * succeeded, and store_begin writes the rows that are still owed.
 */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "storage/store_impl.h"

enum { IDENTITY_VALUES = 8 };

struct pending {
	uint64_t hash;
	enum identity kind;
	uint32_t id;
	struct value value[IDENTITY_VALUES]; /* texts live in `texts` */
	char *texts;
};

/* Values: the natural key, then the rest of the row; the id is bound last when the row is added. */
struct identity_sql {
	enum slot get_slot, add_slot;
	size_t keys, values;
	const char *get, *add, *last;
};
static const struct identity_sql identity_sql[IDENTITIES] = {
	[IDENTITY_MODEL] = { SLOT_MODEL_GET, SLOT_MODEL_ADD, 1, 2,
	                     "SELECT model_id FROM models WHERE name = ?1",
	                     "INSERT INTO models(name, first_ms, model_id) VALUES(?1, ?2, ?3)",
	                     "SELECT ifnull(max(model_id), 0) FROM models" },
	[IDENTITY_STREAM] = { SLOT_STREAM_GET, SLOT_STREAM_ADD, 5, 7,
	                      "SELECT stream_id FROM streams WHERE model_id = ?1 AND segment = ?2"
	                      " AND kind = ?3 AND field = ?4 AND version = ?5",
	                      "INSERT INTO streams(model_id, segment, kind, field, version, type,"
	                      " first_ms, stream_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	                      "SELECT ifnull(max(stream_id), 0) FROM streams" },
	[IDENTITY_REF] = { .last = "SELECT ifnull(max(ref_id), 0) FROM refs" },
};

int store_identity_open(struct store *s, struct diag *d)
{
	for (size_t i = 0; i < IDENTITIES; i++) {
		int64_t last;
		int err = store_scalar(s->db, identity_sql[i].last, &last, d);

		if (err)
			return err;
		s->last_id[i] = (uint32_t)last;
	}
	return 0;
}

static uint64_t hash_key(enum identity kind, const struct value *value, size_t keys)
{
	uint64_t hash = (uint64_t)kind;

	for (size_t i = 0; i < keys; i++) {
		hash = XXH64(&value[i].integer, sizeof value[i].integer, hash);
		hash = XXH64(value[i].bytes, value[i].length, hash + value[i].length);
	}
	return hash;
}

static bool same_key(const struct value *a, const struct value *b, size_t keys)
{
	for (size_t i = 0; i < keys; i++) {
		if (a[i].integer != b[i].integer || a[i].length != b[i].length)
			return false;
		if (a[i].length && memcmp(a[i].bytes, b[i].bytes, a[i].length))
			return false;
	}
	return true;
}

static int remember(struct store *s, uint64_t hash, enum identity kind, const struct value *value,
                    uint32_t id)
{
	size_t values = identity_sql[kind].values, bytes = 1;
	struct pending *p;

	if (s->pendings == s->pendings_size) {
		size_t size = s->pendings_size ? 2 * s->pendings_size : 64;
		struct pending *grown = realloc(s->pending, size * sizeof *grown);

		if (!grown)
			return ERR_IO;
		s->pending = grown;
		s->pendings_size = size;
	}
	p = &s->pending[s->pendings];
	*p = (struct pending){ .hash = hash, .kind = kind, .id = id };
	for (size_t i = 0; i < values; i++)
		bytes += value[i].length;
	p->texts = malloc(bytes);
	if (!p->texts)
		return ERR_IO;
	char *to = p->texts;
	for (size_t i = 0; i < values; i++) {
		p->value[i] = value[i];
		if (value[i].type != VALUE_TEXT)
			continue;
		p->value[i].bytes = to;
		memcpy(to, value[i].bytes, value[i].length);
		to += value[i].length;
	}
	s->pendings++;
	return 0;
}

static int write_row(struct store *s, const struct pending *p)
{
	const struct identity_sql *sql = &identity_sql[p->kind];
	struct value value[IDENTITY_VALUES];

	memcpy(value, p->value, sizeof value);
	value[sql->values] = value_int(p->id);
	return store_run(s, sql->add_slot, sql->add, value, sql->values + 1);
}

/* The id is good even in a poisoned transaction: its row is owed to the next one. */
static int identify(struct store *s, enum identity kind, const struct value *value, uint32_t *id)
{
	const struct identity_sql *sql = &identity_sql[kind];
	uint64_t hash = hash_key(kind, value, sql->keys);
	struct diag d;
	sqlite3_stmt *query;
	int step, err;

	for (size_t i = 0; i < s->pendings; i++) {
		const struct pending *p = &s->pending[i];

		if (p->hash == hash && p->kind == kind && same_key(p->value, value, sql->keys)) {
			*id = p->id;
			return 0;
		}
	}
	query = store_query(s, sql->get_slot, sql->get, value, sql->keys, &d);
	if (!query)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(query);
	*id = step == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(query, 0) : 0;
	err = store_query_end(s, query, step, &d);
	if (err)
		return store_poison(s, err, &d);
	if (*id)
		return 0;
	*id = s->last_id[kind] + 1;
	if (remember(s, hash, kind, value, *id)) {
		diag_set(&d, ERR_IO, "out of memory");
		return store_poison(s, ERR_IO, &d);
	}
	s->last_id[kind] = *id;
	if (s->in_transaction)
		write_row(s, &s->pending[s->pendings - 1]);
	return 0;
}

int store_model_id(struct store *s, const char *name, size_t length, int64_t first_ms, uint32_t *id)
{
	const struct value value[] = { value_bytes(name, length), value_int(first_ms) };

	return identify(s, IDENTITY_MODEL, value, id);
}

int store_stream_id(struct store *s, const struct stream_key *key, const char *type,
                    int64_t first_ms, uint32_t *id)
{
	const struct value value[] = {
		value_int(key->model_id),
		value_bytes(key->segment, key->segment_length),
		value_text(key->kind),
		value_bytes(key->field, key->field_length),
		value_bytes(key->version, key->version_length),
		value_text(type),
		value_int(first_ms),
	};

	return identify(s, IDENTITY_STREAM, value, id);
}

int store_detector_id(struct store *s, uint32_t id, uint32_t stream_id, const char *method,
                      const char *role)
{
	const struct value value[] = { value_int(id), value_int(stream_id), value_text(method),
		                       value_text(role) };

	return store_run(s, SLOT_DETECTOR_ADD,
	                 "INSERT INTO detectors(detector_id, stream_id, method, role) VALUES(?, ?, ?, ?)"
	                 " ON CONFLICT(detector_id) DO UPDATE SET method = excluded.method,"
	                 " role = excluded.role WHERE method <> excluded.method"
	                 " OR role <> excluded.role", value, COUNT(value));
}

int store_drop_detector(struct store *s, uint32_t id)
{
	const struct value value[] = { value_int(id) };

	return store_run(s, SLOT_DETECTOR_DROP, "DELETE FROM detectors WHERE detector_id = ?", value, 1);
}

int store_identity_begin(struct store *s)
{
	for (size_t i = 0; i < s->pendings && !s->error; i++)
		write_row(s, &s->pending[i]);
	return s->error;
}

void store_identity_committed(struct store *s)
{
	for (size_t i = 0; i < s->pendings; i++)
		free(s->pending[i].texts);
	s->pendings = 0;
}

void store_identity_close(struct store *s)
{
	store_identity_committed(s);
	free(s->pending);
	s->pending = NULL;
	s->pendings_size = 0;
}

int store_each_stream(struct store *s, uint32_t model_id,
                      int (*visit)(void *ctx, const struct stream_row *row), void *ctx)
{
	const struct value value[] = { value_int(model_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_STREAM_EACH,
	                              "SELECT stream_id, segment, kind, field, version, type, first_ms"
	                              " FROM streams WHERE model_id = ?1 ORDER BY stream_id",
	                              value, COUNT(value), &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const struct stream_row row = {
			.stream_id = (uint32_t)sqlite3_column_int64(q, 0),
			.key = {
				.model_id = model_id,
				.segment = store_column_text(q, 1),
				.segment_length = (size_t)sqlite3_column_bytes(q, 1),
				.kind = store_column_text(q, 2),
				.field = store_column_text(q, 3),
				.field_length = (size_t)sqlite3_column_bytes(q, 3),
				.version = store_column_text(q, 4),
				.version_length = (size_t)sqlite3_column_bytes(q, 4),
			},
			.type = store_column_text(q, 5),
			.first_ms = sqlite3_column_int64(q, 6),
		};
		stop = visit(ctx, &row);
	}
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}

int store_each_model(struct store *s,
                     int (*visit)(void *ctx, uint32_t model_id, const char *name, size_t length),
                     void *ctx)
{
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_MODEL_EACH,
	                              "SELECT model_id, name FROM models ORDER BY model_id", NULL, 0,
	                              &d);
	int step = SQLITE_DONE, stop = 0, err;

	if (!q)
		return ERR_IO;
	while (!stop && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const char *name = store_column_text(q, 1);

		stop = visit(ctx, (uint32_t)sqlite3_column_int64(q, 0), name,
		             (size_t)sqlite3_column_bytes(q, 1));
	}
	err = store_query_end(s, q, step, &d);
	return stop ? stop : err;
}
