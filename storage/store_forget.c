/* store_forget.c -- an id in texts: `driftd forget`. See store.h. */
#define _GNU_SOURCE /* memmem */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "storage/store_impl.h"

/* The id as a JSON string, or as a number between delimiters. Too many samples go rather than one too few. */
#define NAMED(column)                                                                              \
	"(instr(" column ", json_quote(?1)) > 0 OR (?1 NOT GLOB '*[^0-9]*' AND"                       \
	" ' ' || " column " || ' ' GLOB '*[^0-9a-zA-Z_.]' || ?1 || '[^0-9a-zA-Z_.]*'))"

int store_forget(struct store *s, int64_t command_id, const char *id, const char *hashed,
                 struct forgotten *out)
{
	const struct value who[] = { value_text(id) }, replace[] = { value_text(id), value_text(hashed) };
	const struct value command[] = { value_text(hashed), value_int(command_id) };
	struct diag d;
	int err;

	/* What is overwritten from now on leaves no copy in free pages; set back after the commit. */
	if (sqlite3_exec(s->db, "PRAGMA secure_delete = ON", NULL, NULL, NULL) != SQLITE_OK)
		return store_sqlite_error(s->db, "forget in", &d);
	s->forgets = true;
	err = store_run(s, SLOT_FORGET_REJECTED, "UPDATE rejected SET sample = NULL, detail = 'forgotten'"
	                " WHERE sample IS NOT NULL AND " NAMED("CAST(sample AS TEXT)"), who, COUNT(who));
	out->rejected += err ? 0 : (uint32_t)sqlite3_changes(s->db);
	if (!err)
		err = store_run(s, SLOT_FORGET_OUTBOX, "UPDATE outbox SET body ="
		                " replace(body, json_quote(?1), json_quote(?2))"
		                " WHERE instr(body, json_quote(?1)) > 0", replace, COUNT(replace));
	out->messages += err ? 0 : (uint32_t)sqlite3_changes(s->db);
	if (!err)
		err = store_run(s, SLOT_FORGET_OOD, "DELETE FROM ood_extremes WHERE id IN (?1, ?2)", replace,
		                COUNT(replace));
	out->extremes += err ? 0 : (uint32_t)sqlite3_changes(s->db);
	return err ? err : store_run(s, SLOT_FORGET_COMMAND, "UPDATE commands SET target = ? WHERE command_id = ?",
	                             command, COUNT(command));
}

/* -- what is left in free space ------------------------------------------------------------------------ */

/* When SQLite distributes the rows of a page over its neighbours, the gap keeps bytes of rows that have
 * moved: secure_delete does not reach them, so a row that was overwritten later may still stand there. */

static bool part_of_id(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("_.-", c) != NULL);
}

static bool has_text(const uint8_t *bytes, size_t n, const char *id)
{
	size_t length = strlen(id);
	const uint8_t *at = bytes, *end = bytes + n;

	while (length && (at = memmem(at, (size_t)(end - at), id, length)) != NULL) {
		if ((at == bytes || !part_of_id(at[-1])) && (at + length == end || !part_of_id(at[length])))
			return true;
		at++;
	}
	return false;
}

static bool has_trace(const uint8_t *bytes, size_t n, const struct trace_of *of)
{
	uint64_t keyed = htole64(of->keyed);

	return memmem(bytes, n, &keyed, sizeof keyed) != NULL || (of->id && has_text(bytes, n, of->id));
}

/* Reads through SQLite's own file: to close another descriptor would drop the locks of this process. */
static bool traces(sqlite3 *db, const struct trace_of *of, size_t n)
{
	enum { STEP = 1 << 20 };
	uint8_t *bytes = malloc(STEP);
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	bool found = !bytes || sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	             !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK;

	for (sqlite3_int64 at = 0; at < size && !found; at += STEP) {
		size_t length = (size_t)(size - at < STEP ? size - at : STEP);

		found = file->pMethods->xRead(file, bytes, (int)length, at) != SQLITE_OK;
		for (size_t i = 0; i < n && !found; i++)
			found = has_trace(bytes, length, &of[i]);
	}
	free(bytes);
	return found;
}

int store_forgotten(struct store *s, const struct trace_of *of, size_t n, struct diag *d)
{
	int err = 0;

	if (!s->forgets)
		return 0;
	s->forgets = false;
	/* The log holds the pages as they were. Readers may keep it for a while: then a later checkpoint ends it. */
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (traces(s->db, of, n)) {
		err = store_exec(s->db, "VACUUM", d);
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_exec(s->db, "PRAGMA secure_delete = FAST", NULL, NULL, NULL);
	return err;
}
