/* refs_ood.c -- `driftd refs diff`: the references of out-of-distribution scores of two versions. */
#include <stdlib.h>
#include <string.h>

#include "storage/print.h"
#include "storage/refs.h"
#include "storage/store_impl.h"

/* A property a row; ?1 is the JSON array [model, from, to]. */
#define OF(i) "(SELECT o.* FROM ood_reference o WHERE o.model = json_extract(?1, '$[0]')" \
	" AND o.version = json_extract(?1, '$[" i "]'))"
#define PROPERTY(name) \
	"SELECT '" name "' AS property, CAST(a." name " AS TEXT) AS was, CAST(b." name " AS TEXT) AS now FROM a, b"
static const char diff[] =
	"WITH a AS " OF("1") ", b AS " OF("2") ", rows AS (" PROPERTY("source") " UNION ALL " PROPERTY("since")
	" UNION ALL " PROPERTY("until") " UNION ALL " PROPERTY("rows") " UNION ALL " PROPERTY("fitted")
	" UNION ALL " PROPERTY("ranked") " UNION ALL " PROPERTY("classes") " UNION ALL " PROPERTY("inputs")
	" UNION ALL " PROPERTY("scores") " UNION ALL " PROPERTY("alpha") " UNION ALL " PROPERTY("kind")
	" UNION ALL " PROPERTY("delta") " UNION ALL " PROPERTY("threshold") " UNION ALL " PROPERTY("rate_low")
	" UNION ALL " PROPERTY("rate_high") " UNION ALL " PROPERTY("discoveries_min") " UNION ALL "
	PROPERTY("notes") ") SELECT property, was, now FROM rows WHERE was IS NOT now";

static int
count(sqlite3 *db, const char *names, int64_t *n, struct diag *d)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM ood_reference WHERE model = json_extract(?1, '$[0]')"
	                       " AND version IN (json_extract(?1, '$[1]'), json_extract(?1, '$[2]'))", -1, &q, NULL)
	    != SQLITE_OK)
		return store_sqlite_error(db, "read", d);
	sqlite3_bind_text(q, 1, names, -1, SQLITE_STATIC);
	*n = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_finalize(q);
	return 0;
}

int
refs_ood_diff(sqlite3 *db, FILE *out, const char *model, const char *from, const char *to, bool json,
              struct diag *d)
{
	char *names = NULL;
	size_t length;
	FILE *text = open_memstream(&names, &length);
	int64_t n = 0;
	int err;

	if (!text)
		return diag_set(d, ERR_IO, "out of memory");
	fputc('[', text);
	print_json_text(text, model, strlen(model));
	fputc(',', text);
	print_json_text(text, from, strlen(from));
	fputc(',', text);
	print_json_text(text, to, strlen(to));
	fputc(']', text);
	if (fclose(text)) {
		free(names);
		return diag_set(d, ERR_IO, "out of memory");
	}
	err = count(db, names, &n, d);
	if (!err && n < (strcmp(from, to) ? 2 : 1))
		err = diag_set(d, ERR_MISSING, "model %.80s has no reference of out-of-distribution scores for version "
		               "'%.80s' or '%.80s'", model, from, to);
	if (!err)
		err = json ? print_json(db, out, diff, names, false, d) :
		             print_table(db, out, diff, names, "the same", d);
	free(names);
	return err;
}
