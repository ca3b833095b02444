/* refs_list.c -- `driftd refs list`. See refs.h. */
#include "storage/print.h"
#include "storage/refs.h"
#include "storage/store_impl.h"

#define TIME(ms) "strftime('%Y-%m-%dT%H:%M:%SZ', " ms " / 1000.0, 'unixepoch')"

static const char streams[] =
	"SELECT m.name AS model, r.ref_id, r.source, " TIME("r.from_ms") " AS since, " TIME("r.to_ms")
	" AS until, r.rows, r.rate_per_s, iif(r.active, 'in use', 'past') AS state FROM refs r"
	" JOIN models m ON m.model_id = r.model_id ORDER BY m.name, r.ref_id DESC";
static const char ood[] =
	"SELECT model, version, source, since, until, rows, fitted, ranked, classes, inputs, scores, alpha, kind,"
	" threshold, rate_low, rate_high, discoveries_min FROM ood_reference";
static const char notes[] =
	"SELECT model, version, notes FROM ood_reference WHERE notes <> ''";

static int
list_json(sqlite3 *db, FILE *out, struct diag *d)
{
	int err;

	fputs("{\"streams\":", out);
	err = print_json(db, out, streams, NULL, false, d);
	if (!err) {
		fputs(",\"ood\":", out);
		err = print_json(db, out, "SELECT * FROM ood_reference", NULL, false, d);
	}
	fputs("}\n", out);
	return err;
}

int
refs_list(sqlite3 *db, FILE *out, bool json, struct diag *d)
{
	int err;

	if (json)
		return list_json(db, out, d);
	fputs("Streams: what their records are compared with\n", out);
	err = print_table(db, out, streams, NULL, "none yet", d);
	if (err)
		return err;
	fputs("\nOut-of-distribution scores\n", out);
	err = print_table(db, out, ood, NULL, "none yet", d);
	if (err)
		return err;
	return print_table(db, out, notes, NULL, "", d);
}
