/* reproduce_trace.c -- see reproduce_trace.h. */
#include "monitor/command/reproduce_trace.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/alert/alert.h"
#include "monitor/command/cli.h"
#include "monitor/stream/trace.h"

static const char question[] =
	"SELECT m.name, s.segment, s.kind, s.field, s.version, a.method, a.topic, a.partition, a.offset,"
	" a.started_ms FROM alerts a JOIN streams s ON s.stream_id = a.stream_id JOIN models m"
	" ON m.model_id = s.model_id WHERE a.alert_id = ?1";

static char *
text(sqlite3_stmt *q, int column)
{
	const unsigned char *t = sqlite3_column_text(q, column);

	return strdup(t ? (const char *)t : "");
}

int
reproduce_trace(struct trace *out, sqlite3 *db, const char *alert_id, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int err = 0;

	memset(out, 0, sizeof *out);
	if (sqlite3_prepare_v2(db, question, -1, &q, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(q, 1, alert_id, -1, SQLITE_STATIC) != SQLITE_OK)
		err = diag_set(d, ERR_IO, "cannot read the alert: %s", sqlite3_errmsg(db));
	else if (sqlite3_step(q) == SQLITE_ROW) {
		out->model = text(q, 0);
		out->segment = text(q, 1);
		out->kind = text(q, 2);
		out->field = text(q, 3);
		out->version = text(q, 4);
		out->method = text(q, 5);
		out->topic = text(q, 6);
		out->partition = sqlite3_column_int(q, 7);
		out->offset = sqlite3_column_int64(q, 8);
		out->from_ms = sqlite3_column_int64(q, 9);
		if (!out->model || !out->segment || !out->kind || !out->field || !out->version || !out->method ||
		    !out->topic)
			err = diag_set(d, ERR_IO, "out of memory");
	}
	sqlite3_finalize(q);
	return err;
}

void
reproduce_trace_finish(struct trace *t)
{
	const char *const texts[] = { t->model, t->segment, t->kind, t->field, t->version, t->method, t->topic };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free((char *)(uintptr_t)texts[i]);
}

static void
print_json(const struct traced_record *r, FILE *out, bool values)
{
	char time[40];

	time_text(r->time_ms, time, sizeof time);
	fputs("{\"topic\":", out);
	cli_json_text(out, r->topic, strlen(r->topic));
	fprintf(out, ",\"partition\":%d,\"offset\":%" PRId64 ",\"time\":\"%s\",\"value\":", r->partition,
	        r->offset, time);
	if (!values)
		fputs("null", out);
	else if (r->category[0])
		cli_json_text(out, r->category, strlen(r->category));
	else
		cli_json_number(out, r->value);
	fprintf(out, ",\"factor\":%.6g}", exp(r->growth));
}

static void
print_line(const struct traced_record *r, FILE *out, bool values)
{
	char time[40];

	time_text(r->time_ms, time, sizeof time);
	fprintf(out, "  %8.4g  %s  ", exp(r->growth), time);
	cli_text(out, r->topic, strlen(r->topic));
	fprintf(out, "/%d/%" PRId64, r->partition, r->offset);
	if (values && r->category[0]) {
		fputs("  ", out);
		cli_text(out, r->category, strlen(r->category));
	} else if (values && !isnan(r->value)) {
		fprintf(out, "  %.6g", r->value);
	}
	fputc('\n', out);
}

void
reproduce_trace_print(const struct trace *t, FILE *out, bool json, bool values)
{
	double told = 0;

	for (uint32_t i = 0; i < t->n; i++)
		told += t->record[i].growth;
	if (json) {
		fputc('[', out);
		for (uint32_t i = 0; i < t->n; i++) {
			fputs(i ? "," : "", out);
			print_json(&t->record[i], out, values);
		}
		fputc(']', out);
		return;
	}
	if (!t->n)
		return;
	fprintf(out, "\nrecords that carried most of it: of %" PRIu64 " that were used since the change began, "
	        "these %u made %.0f %% of the growth\n    factor  event time                record\n", t->records,
	        t->n, 100 * told / t->growth);
	for (uint32_t i = 0; i < t->n; i++)
		print_line(&t->record[i], out, values);
}
