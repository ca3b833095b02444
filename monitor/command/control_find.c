/* control_find.c -- see control_find.h. */
#include "monitor/command/control_find.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "config/option.h"
#include "monitor/decode/text.h"

enum { ID_DIGITS = 32, SHOWN_BYTES = 60 };

/* Candidates: at most two are kept, that is enough to see that it is not one. */
struct candidates {
	int alerts, models;
	bool exact;        /* the model of exactly this name */
	char id[33], state[16];
	char *model;
};

static int
read_error(sqlite3 *db, struct diag *d)
{
	return diag_set(d, ERR_IO, "cannot read %s: %s", sqlite3_db_filename(db, "main"),
	                sqlite3_errmsg(db));
}

static int
find_alerts(sqlite3 *db, const char *given, struct candidates *c, struct diag *d)
{
	size_t length = strlen(given);
	sqlite3_stmt *q = NULL;
	int step;

	if (!length || length > ID_DIGITS || strspn(given, "0123456789abcdefABCDEF") != length)
		return 0;
	if (sqlite3_prepare_v2(db, "SELECT alert_id, state FROM alerts WHERE alert_id >= lower(?1)"
	                       " AND alert_id < lower(?1) || 'g' LIMIT 2", -1, &q, NULL) != SQLITE_OK)
		return read_error(db, d);
	sqlite3_bind_text(q, 1, given, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		c->alerts++;
		snprintf(c->id, sizeof c->id, "%s", (const char *)sqlite3_column_text(q, 0));
		snprintf(c->state, sizeof c->state, "%s", (const char *)sqlite3_column_text(q, 1));
	}
	sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : read_error(db, d);
}

static int
find_models(sqlite3 *db, const char *given, struct candidates *c, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int step;

	/* The exact name comes first. Names with NULs cannot be given on a command line. */
	if (sqlite3_prepare_v2(db,
	                       "SELECT name, name = ?1 FROM models WHERE substr(name, 1, length(?1)) = ?1"
	                       " AND instr(name, char(0)) = 0 ORDER BY name = ?1 DESC LIMIT 2", -1, &q,
	                       NULL) != SQLITE_OK)
		return read_error(db, d);
	sqlite3_bind_text(q, 1, given, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(q)) == SQLITE_ROW && !c->exact) {
		c->models++;
		c->exact = sqlite3_column_int(q, 1);
		free(c->model);
		c->model = strdup((const char *)sqlite3_column_text(q, 0));
		if (!c->model) {
			sqlite3_finalize(q);
			return diag_set(d, ERR_IO, "out of memory");
		}
	}
	sqlite3_finalize(q);
	return step == SQLITE_DONE || step == SQLITE_ROW ? 0 : read_error(db, d);
}

/* The model whose name is nearest to what was given, or how many there are. */
static int
no_such_model(sqlite3 *db, const char *path, const char *given, struct diag *d)
{
	char near[SHOWN_BYTES * 4 + 1] = "";
	unsigned best = 3;
	sqlite3_stmt *q = NULL;
	int rows = 0;

	if (sqlite3_prepare_v2(db, "SELECT name FROM models", -1, &q, NULL) != SQLITE_OK)
		return read_error(db, d);
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(q, 0);
		unsigned distance = option_distance(name, given);

		rows++;
		if (distance < best) {
			best = distance;
			text_printable(name, strlen(name), SHOWN_BYTES, near, sizeof near);
		}
	}
	sqlite3_finalize(q);
	if (!rows)
		return diag_set(d, ERR_INVALID, "%s knows no model yet: a model appears with its first record",
		                path);
	if (near[0])
		return diag_set(d, ERR_INVALID, "no model is called %.80s (did you mean %s?)", given, near);
	return diag_set(d, ERR_INVALID, "no model is called %.80s; `driftd status %s` lists them", given,
	                path);
}

static int
judge(sqlite3 *db, const char *path, const char *given, enum control_wanted wanted,
      const struct candidates *c, struct diag *d)
{
	const char *list = strcmp(c->state, "resolved") == 0 ? " --all" : "";

	if (c->exact)
		return 0;
	if (c->alerts + c->models > 1)
		return diag_set(d, ERR_INVALID, "%.80s is the beginning of several %s: give more of it", given,
		                !c->models ? "alerts" : !c->alerts ? "models" : "alerts and models");
	if (c->alerts == 1 && strcmp(c->state, "resolved") == 0 && !(wanted & CONTROL_RESOLVED))
		return diag_set(d, ERR_INVALID,
		                "alert %.8s is resolved already; `driftd alerts %s` lists the open "
		                "ones", c->id, path);
	if (c->alerts + c->models == 1)
		return 0;
	if (wanted == CONTROL_MODEL)
		return no_such_model(db, path, given, d);
	return diag_set(d, ERR_INVALID, "no alert%s begins with %.80s; `driftd alerts %s%s` lists them",
	                wanted & CONTROL_MODEL ? " and no model" : "", given, path, list);
}

int
control_find(sqlite3 *db, const char *path, const char *given, enum control_wanted wanted,
             struct control_target *out, struct diag *d)
{
	struct candidates c = { 0 };
	int err = 0;

	memset(out, 0, sizeof *out);
	if (wanted & CONTROL_MODEL && *given)
		err = find_models(db, given, &c, d);
	if (!err && wanted & CONTROL_ALERT)
		err = find_alerts(db, given, &c, d);
	if (!err)
		err = judge(db, path, given, wanted, &c, d);
	if (err) {
		free(c.model);
		return err;
	}
	out->is_model = c.exact || c.models == 1;
	if (out->is_model) {
		out->text = c.model;
		text_printable(c.model, strlen(c.model), SHOWN_BYTES, out->shown, sizeof out->shown);
		return 0;
	}
	out->text = strdup(c.id);
	snprintf(out->id, sizeof out->id, "%s", c.id);
	snprintf(out->shown, sizeof out->shown, "%.8s", c.id);
	return out->text ? 0 : diag_set(d, ERR_IO, "out of memory");
}

void
control_target_finish(struct control_target *t)
{
	free(t->text);
	t->text = NULL;
}
