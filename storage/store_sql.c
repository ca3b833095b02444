/* store_sql.c -- statements, bound values, errors of SQLite as ours, and the frame of blobs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <assert.h>

#include "detectors/kit/codec.h"
#include "storage/store_impl.h"

struct value value_int(int64_t v)
{
	return (struct value){ .type = VALUE_INTEGER, .integer = v };
}

struct value value_count(uint64_t v)
{
	return (struct value){ .type = VALUE_INTEGER, .integer = (int64_t)v };
}

struct value value_time(int64_t ms)
{
	return ms == INT64_MIN ? (struct value){ .type = VALUE_NULL } : value_int(ms);
}

struct value value_real(double v)
{
	return isnan(v) ? (struct value){ .type = VALUE_NULL }
	                : (struct value){ .type = VALUE_REAL, .real = v };
}

struct value value_bytes(const char *text, size_t length)
{
	/* No pointer means NULL to SQLite, and an empty text may well come as one. */
	return (struct value){ .type = VALUE_TEXT, .bytes = text ? text : "", .length = length };
}

struct value value_text(const char *text)
{
	return text ? value_bytes(text, strlen(text)) : (struct value){ .type = VALUE_NULL };
}

struct value value_blob(const void *bytes, size_t length)
{
	return (struct value){ .type = VALUE_BLOB, .bytes = bytes ? bytes : "", .length = length };
}

static int map_error(sqlite3 *db)
{
	int disk = sqlite3_system_errno(db);

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_IO; /* an error without a code: memory ran out before there was one */
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
	case SQLITE_MISUSE:
		return ERR_INVALID;
	case SQLITE_IOERR: /* a full disk met while the index of the WAL grows comes as this */
		return disk == ENOSPC || disk == EDQUOT ? ERR_FULL : ERR_IO;
	default:
		return ERR_IO;
	}
}

int store_sqlite_error(sqlite3 *db, const char *doing, struct diag *d)
{
	int err = map_error(db);
	const char *path = sqlite3_db_filename(db, "main");
	const char *hint = "";

	if (err == ERR_BUSY)
		hint = " (another program holds a write lock on it)";
	else if (err == ERR_CORRUPT)
		hint = " (keep the file as it is; `sqlite3 FILE .recover` reads what can be read)";
	return diag_set(d, err, "cannot %s %s: %s%s", doing, path ? path : "database",
	                sqlite3_errmsg(db), hint);
}

int store_bind(sqlite3_stmt *statement, const struct value *value, size_t values)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < values && rc == SQLITE_OK; i++) {
		const struct value *v = &value[i];
		int at = (int)i + 1;

		switch (v->type) {
		case VALUE_NULL:
			rc = sqlite3_bind_null(statement, at);
			break;
		case VALUE_INTEGER:
			rc = sqlite3_bind_int64(statement, at, v->integer);
			break;
		case VALUE_REAL:
			rc = sqlite3_bind_double(statement, at, v->real);
			break;
		case VALUE_TEXT:
			rc = sqlite3_bind_text64(statement, at, v->bytes, v->length, SQLITE_STATIC,
			                         SQLITE_UTF8);
			break;
		case VALUE_BLOB:
			rc = sqlite3_bind_blob64(statement, at, v->bytes, v->length, SQLITE_STATIC);
			break;
		}
	}
	return rc;
}

sqlite3_stmt *store_query(struct store *s, enum slot slot, const char *sql,
                          const struct value *value, size_t values, struct diag *d)
{
	sqlite3_stmt **statement = &s->statement[slot];

	if (!*statement && sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
	                                      NULL) != SQLITE_OK) {
		store_sqlite_error(s->db, "use", d);
		return NULL;
	}
	assert(!sqlite3_stmt_busy(*statement));
	assert((size_t)sqlite3_bind_parameter_count(*statement) == values);
	if (store_bind(*statement, value, values) != SQLITE_OK) {
		store_sqlite_error(s->db, "use", d);
		sqlite3_clear_bindings(*statement);
		return NULL;
	}
	return *statement;
}

int store_query_end(struct store *s, sqlite3_stmt *statement, int step, struct diag *d)
{
	int err = 0;

	if (step != SQLITE_DONE && step != SQLITE_ROW)
		err = store_sqlite_error(s->db, sqlite3_stmt_readonly(statement) ? "read" : "write to", d);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

int store_poison(struct store *s, int err, const struct diag *d)
{
	if (s->in_transaction && !s->error) {
		s->error = err;
		s->diag = *d;
	}
	return err;
}

int store_run(struct store *s, enum slot slot, const char *sql, const struct value *value,
              size_t values)
{
	struct diag d;
	sqlite3_stmt *statement;
	int err;

	assert(s->in_transaction);
	if (s->error)
		return s->error;
	statement = store_query(s, slot, sql, value, values, &d);
	if (!statement)
		return store_poison(s, map_error(s->db), &d);
	for (size_t i = 0; i < values; i++)
		s->bytes_put += value[i].length + sizeof(int64_t);
	err = store_query_end(s, statement, sqlite3_step(statement), &d);
	return err ? store_poison(s, err, &d) : 0;
}

int store_exec(sqlite3 *db, const char *sql, struct diag *d)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
	                                                            : store_sqlite_error(db, "use", d);
}

int store_scalar(sqlite3 *db, const char *sql, int64_t *value, struct diag *d)
{
	sqlite3_stmt *statement = NULL;
	int err = 0;

	*value = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		err = store_sqlite_error(db, "read", d);
	else
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return err;
}

const char *store_column_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? (const char *)text : "";
}

double store_column_real(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return (double)NAN;
	return sqlite3_column_double(statement, column);
}

int64_t store_floor(int64_t ms, int64_t unit)
{
	int64_t rest = ms % unit;

	if (rest < 0)
		rest += unit;
	return ms < INT64_MIN + rest ? INT64_MIN : ms - rest;
}

int64_t store_ago(int64_t ms, int64_t span)
{
	int64_t result;

	return __builtin_sub_overflow(ms, span, &result) ? INT64_MIN : result;
}

/* -- frames: magic u32, version u32, length u64, CRC-32C of the payload u32, payload ------------- */
enum {
	FRAME_MAGIC = 0x42465244, /* "DRFB" in the file */
	FRAME_VERSION = 1,
	FRAME_BYTES = 20,
};

int store_seal(struct store *s, const void *bytes, size_t length, struct value *out)
{
	size_t size;

	if (__builtin_add_overflow(length, (size_t)FRAME_BYTES, &size))
		return ERR_INVALID;
	if (size > s->scratch_size) {
		uint8_t *grown = realloc(s->scratch, size + size / 2);

		if (!grown)
			return ERR_IO;
		s->scratch = grown;
		s->scratch_size = size + size / 2;
	}
	struct codec c = { .data = s->scratch, .size = size };
	codec_put_u32(&c, FRAME_MAGIC);
	codec_put_u32(&c, FRAME_VERSION);
	codec_put_u64(&c, length);
	codec_put_u32(&c, codec_crc32c(bytes, length));
	codec_put_bytes(&c, bytes, length);
	assert(!c.bad && c.at == size);
	*out = value_blob(s->scratch, size);
	return 0;
}

int store_unseal(const void *frame, size_t size, const uint8_t **payload, size_t *length,
                 const char *name, struct diag *d)
{
	/* The cursor reads only; codec.h has one type for both directions. */
	union {
		const void *in;
		uint8_t *data;
	} bytes = { .in = frame };
	struct codec c = { .data = bytes.data, .size = frame ? size : 0 };
	uint32_t magic = codec_get_u32(&c), version = codec_get_u32(&c);
	uint64_t payload_length = codec_get_u64(&c);
	uint32_t crc = codec_get_u32(&c);

	if (c.bad || magic != FRAME_MAGIC)
		return diag_set(d, ERR_CORRUPT, "%s is damaged: no frame of ours", name);
	if (version > FRAME_VERSION)
		return diag_set(d, ERR_NEWER, "%s was written by a newer driftd (frame %u)", name,
		                version);
	if (payload_length != size - FRAME_BYTES)
		return diag_set(d, ERR_CORRUPT, "%s is damaged: %llu bytes expected, %zu found", name,
		                (unsigned long long)payload_length, size - FRAME_BYTES);
	*payload = bytes.data + FRAME_BYTES;
	*length = size - FRAME_BYTES;
	if (codec_crc32c(*payload, *length) != crc)
		return diag_set(d, ERR_CORRUPT, "%s is damaged: its checksum differs", name);
	return 0;
}
