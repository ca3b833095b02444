/* alert_body.c -- what a sink is given: an alert and one thing that happened to it, as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/alert/alert.h"
#include "monitor/command/cli.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

static void
put_text(FILE *out, const char *name, const char *text, size_t length)
{
	fprintf(out, ",\"%s\":", name);
	cli_json_text(out, text, length);
}

static void
put_word(FILE *out, const char *name, const char *text)
{
	if (text)
		put_text(out, name, text, strlen(text));
}

static void
put_number(FILE *out, const char *name, double x)
{
	fprintf(out, ",\"%s\":", name);
	cli_json_number(out, x);
}

static void
put_time(FILE *out, const char *name, int64_t ms)
{
	char text[40];

	if (ms == INT64_MIN)
		return;
	time_text(ms, text, sizeof text);
	put_word(out, name, text);
}

/* The text of the news, and how many other alerts are open. */
static void
put_text_of(FILE *out, const struct alert_row *row, const struct news *n)
{
	size_t size = row->text ? strlen(row->text) + 80 : 0;
	char *text;

	if (!row->text)
		return;
	text = must_calloc(size, 1);
	snprintf(text, size, "%s", row->text);
	if (n && n->others)
		snprintf(text + strlen(text), size - strlen(text), "\nwith:  %u other open alert%s of this episode",
		         n->others, n->others > 1 ? "s" : "");
	put_word(out, "text", text);
	free(text);
}

char *
alert_body(const struct alert_row *row, const struct stream *s, const char *event, const struct news *n)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	must(out != NULL);
	fprintf(out, "{\"id\":\"%s-%u\",\"alert\":\"%s\",\"episode\":\"%s\",\"event\":\"%s\",\"state\":\"%s\"",
	        row->episode_id, n ? n->message : row->message ? row->message : 1, row->alert_id,
	        row->episode_id, event, row->state);
	if (s) {
		put_text(out, "model", s->model->name, s->model->name_length);
		put_text(out, "version", s->version, s->version_length);
		put_word(out, "segment", stream_segment(s));
		put_word(out, "stream", s->name);
	} else {
		put_word(out, "model", row->model ? row->model : "");
		fputs(",\"version\":\"\",\"segment\":\"\",\"stream\":\"\"", out);
		put_word(out, "topic", row->topic);
		fprintf(out, ",\"partition\":%d,\"offset\":%lld", row->partition, (long long)row->offset);
	}
	put_word(out, "kind", row->kind);
	put_word(out, "promise", row->promise);
	put_word(out, "promise_words", row->promise_words);
	put_word(out, "method", row->method);
	put_time(out, "opened", row->opened_ms);
	put_time(out, "since", row->started_ms);
	put_time(out, "at", row->updated_ms);
	put_word(out, "resolved_by", row->resolved_by);
	put_number(out, "statistic", row->statistic);
	put_number(out, "effect", row->effect);
	put_number(out, "effect_low", row->effect_low);
	put_number(out, "effect_high", row->effect_high);
	put_word(out, "effect_unit", row->effect_unit);
	put_number(out, "old_value", row->old_value);
	put_number(out, "new_value", row->new_value);
	put_word(out, "harm", row->harm);
	put_word(out, "moved", row->moved);
	put_word(out, "diagnosis", row->diagnosis);
	if (row->explanation)
		fprintf(out, ",\"explanation\":%s", row->explanation);
	if (n && n->alerts)
		fprintf(out, ",\"alerts\":%s", n->alerts);
	put_text_of(out, row, n);
	fputc('}', out);
	must(fclose(out) == 0);
	return text;
}
