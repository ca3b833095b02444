/* sparkline.c -- see sparkline.h. At most SPARKS bars; NULL is a blank. */
#include "storage/sparkline.h"

#include <string.h>

#include <sqlite3.h>

enum { SPARKS = 60, BYTES = 3 /* of a bar in UTF-8 */ };

struct spark {
	int n;
	char text[SPARKS * BYTES];
	int length;
};

static void step(sqlite3_context *context, int n, sqlite3_value **value)
{
	static const char *const bar[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
		"\u2587", "\u2588" };
	struct spark *s = sqlite3_aggregate_context(context, (int)sizeof *s);
	double x = sqlite3_value_double(value[0]), low = sqlite3_value_double(value[1]);
	double share = (x - low) / (sqlite3_value_double(value[2]) - low);
	const char *text = " ";

	(void)n;
	if (!s || s->n == SPARKS)
		return;
	if (sqlite3_value_type(value[0]) != SQLITE_NULL)
		text = bar[share >= 1 ? 7 : share > 0 ? (int)(share * 8) : 0];
	memcpy(s->text + s->length, text, strlen(text));
	s->length += (int)strlen(text);
	s->n++;
}

static void finish(sqlite3_context *context)
{
	struct spark *s = sqlite3_aggregate_context(context, 0);

	sqlite3_result_text(context, s ? s->text : "", s ? s->length : 0, SQLITE_TRANSIENT);
}

int sparkline_install(sqlite3 *db)
{
	return sqlite3_create_function(db, "sparkline", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, NULL,
	                               step, finish);
}
