/* store_forget.c -- an id in texts: `driftd forget`. See store.h. */
#include <stdio.h>
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

void store_forgotten(struct store *s)
{
	if (!s->forgets)
		return;
	s->forgets = false;
	/* The log holds the pages as they were. Readers may keep it for a while: then a later checkpoint ends it. */
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_exec(s->db, "PRAGMA secure_delete = FAST", NULL, NULL, NULL);
}
