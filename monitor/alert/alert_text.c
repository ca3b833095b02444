/* alert_text.c -- an alert in a few lines: what, since when, how big, who, harm; where something can be said
 * of it, which kind of uncertainty (diagnosis.h); then the next command. And which alerts are one episode. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/alert/alert.h"
#include "monitor/alert/explanation.h"
#include "monitor/stream/model.h"

void
time_text(int64_t ms, char *out, int size)
{
	int64_t s = ms / 1000 - (ms % 1000 < 0);
	time_t t = (time_t)s;
	struct tm utc;
	char text[40];

	if (ms == INT64_MIN || !gmtime_r(&t, &utc)) {
		snprintf(out, (size_t)size, "-");
		return;
	}
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, (size_t)size, "%s.%03dZ", text, (int)(ms - s * 1000));
}

size_t
alert_json_text(const char *text, uint32_t length, char *out, size_t size)
{
	size_t at = 0;

	for (uint32_t i = 0; i < length && i < 64 && at + 8 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (i + 4 >= 64 && (c & 0xc0) == 0xc0)
			break; /* never half a character */
		if (c < 0x20)
			at += (size_t)snprintf(out + at, size - at, "\\u%04x", c);
		else {
			if (c == '"' || c == '\\')
				out[at++] = '\\';
			out[at++] = (char)c;
		}
	}
	out[at] = 0;
	return at;
}

size_t
alert_cell_json(const struct stream *s, uint32_t cell, char *out, size_t size)
{
	const struct cells *c = s->cells;
	size_t at;

	if (!c->categorical) {
		double low = cell ? c->edge[cell - 1] : c->low, high = cell < c->edges ? c->edge[cell] : c->high;

		return (size_t)snprintf(out, size, "\"above\":%.9g,\"to\":%.9g", low, high);
	}
	at = (size_t)snprintf(out, size, "\"category\":\"");
	for (uint32_t code = 0; code < s->categories->n; code++)
		if (cells_of_code(c, code) == cell) {
			at += alert_json_text(s->categories->text[code], s->categories->length[code], out + at,
			                size - at);
			break;
		}
	return at + (size_t)snprintf(out + at, size - at, "\"");
}

/* Misses of intervals on one side. */
static bool
is_tail(const struct stream *s)
{
	return s->kind == STREAM_COVERAGE && s->field_length && !stream_is_contract(s);
}

/* Rates as shares, their change in points of a hundred; coverage and accuracy are told as such, not as misses
 * and errors. */
static void
rate_text(const struct news *n, char *out, size_t size)
{
	const struct effect *e = &n->effect;
	const struct stream *s = n->stream;
	bool estimated = s->kind == STREAM_CONFIDENCE;
	bool falls = estimated || (s->kind == STREAM_COVERAGE && !is_tail(s));
	const char *name = estimated ? "accuracy estimated without labels" : falls ? "coverage" :
	                   s->kind == STREAM_ERROR ? "error rate" : "share";
	double from = falls ? 1 - e->old_value : e->old_value, to = falls ? 1 - e->new_value : e->new_value;
	double sign, low, high;

	if (limited_shown(s, e->old_value, &from, &falls) && limited_shown(s, e->new_value, &to, &falls)) {
		limited_shown(s, e->old_value + e->low, &low, &falls);
		limited_shown(s, e->old_value + e->high, &high, &falls);
		snprintf(out, size, "limit %.4g, now %.4g (95 %%: %.4g to %.4g)", from, to, fmin(low, high),
		         fmax(low, high));
		return;
	}
	sign = falls ? -100 : 100;
	low = falls ? e->high : e->low;
	high = falls ? e->low : e->high;
	if (kind_table[s->kind].class == CLASS_QUALITY) {
		snprintf(out, size, "%.3g %% -> %.3g %%, %+.3g points (95 %%: %.3g to %.3g)", 100 * from, 100 * to,
		         sign * e->size, sign * low, sign * high);
		return;
	}
	snprintf(out, size, "%s %.4g -> %.4g, %+.3g points (95 %%: %.3g to %.3g)", name, from, to, sign * e->size,
	         sign * low, sign * high);
}

static void
size_text(const struct news *n, char *out, size_t size)
{
	const struct effect *e = &n->effect;
	bool numeric = n->stream->type == STREAM_NUMERIC && isnan(n->stream->known_p0);

	if (isnan(e->size))
		snprintf(out, size, "not known yet");
	else if (!numeric && !isnan(e->low))
		rate_text(n, out, size);
	else if (isnan(e->low) || (numeric && isnan(e->old_value)))
		snprintf(out, size, "%+.3g%s", numeric ? e->size : 100 * e->size, numeric ? " sigma" : " points");
	else
		snprintf(out, size, "mean %.5g -> %.5g, %+.3g sigma (95 %%: %.3g to %.3g)", e->old_value,
		         e->new_value, e->size, e->low, e->high);
}

void
alert_promise_words(const struct common *common, enum promise promise, char *out, size_t size)
{
	double days = (double)common->config->budget_period_ms / 86400000.0, n = common->config->budget_alarms;

	if (promise == PROMISE_CERTIFIED)
		snprintf(out, size, "at most %.3g false alarm%s per %.4g days over everything", n, n == 1 ? "" : "s",
		         days);
	else if (promise == PROMISE_UNBUDGETED)
		snprintf(out, size, "a threshold alone: no budget bounds the false alarms of this test");
	else
		snprintf(out, size, "no promise (%s)", promise_text(promise));
}

/* What happened, as one would say it: "coverage fell", "error rose". */
static void
what_text(const struct news *n, char *out, size_t size)
{
	static const char *const others[] = { "changed", "changed further", "is back", "is acknowledged",
		                              "changed", "may have changed" };
	static const char *const fell[] = { "fell", "fell further", "is back", "is acknowledged", "fell",
		                            "may have fallen" };
	static const char *const rose[] = { "rose", "rose further", "is back", "is acknowledged", "rose",
		                            "may have changed" };
	static const char *const under[] = { "is below its limit", "is further below its limit", "is back",
		                             "is acknowledged", "is below its limit" };
	static const char *const over[] = { "is above its limit", "is further above its limit", "is back",
		                            "is acknowledged", "is above its limit" };
	static const char *const promised[] = { "is below the level promised", "is further below the level promised",
		                                "is no longer watched", "is acknowledged", "is below the level promised",
		                                "may be below the level promised" };
	const struct stream *s = n->stream;
	double shown;
	bool falls;
	bool tail = is_tail(s);
	size_t at;
	const char *const *verb = s->kind == STREAM_COVERAGE && !tail ? fell :
	                          s->type == STREAM_BINARY ? rose : others;

	if (s->kind == STREAM_CONFIDENCE) {
		snprintf(out, size, "estimated accuracy %s, by confidence alone: blind to concept change", fell[n->kind]);
		return;
	}
	if (stream_is_contract(s)) {
		snprintf(out, size, "%.200s %s", s->name,
		         promised[n->kind]);
		return;
	}
	if (kind_table[s->kind].class == CLASS_QUALITY) {
		quality_words(s, n->cell, out, size);
		at = strlen(out);
		snprintf(out + at, size - at, " %s", (n->effect.size < 0 ? fell : rose)[n->kind]);
		return;
	}
	if (limited_shown(s, 0, &shown, &falls))
		verb = falls ? under : over;
	snprintf(out, size, "%.200s%s %s", s->name, tail ? " (labels outside on one side)" : "", verb[n->kind]);
}

static void
who_text(const struct news *n, char *out, size_t size)
{
	const struct stream *s = n->stream;
	int at = snprintf(out, size, "model %.100s%s%.60s%s%.200s", s->model->name,
	                  s->version_length ? ", version " : "", s->version, s->segment ? ", segment " : "",
	                  stream_segment(s));

	if (!n->findings || at < 0 || (size_t)at + 3 >= size)
		return;
	at += snprintf(out + at, size - (size_t)at, "; ");
	explanation_words(s, n->findings, out + at, size - (size_t)at);
}

static char *
text_of(const struct common *common, const struct news *n)
{
	enum { TEXT_SIZE = 3300 };
	const struct stream *s = n->stream;
	char what[320], size[200], since[32], promise[160], who[1100], *text = must_calloc(TEXT_SIZE, 1);

	what_text(n, what, sizeof what);
	size_text(n, size, sizeof size);
	time_text(n->started_ms, since, sizeof since);
	alert_promise_words(common, n->promise, promise, sizeof promise);
	who_text(n, who, sizeof who);
	snprintf(text, TEXT_SIZE,
	         "what:  %.100s %s (%s, %s; %s)\nsince: %s\nsize:  %s\nwho:   %s\nharm:  %s\n"
	         "%s%s%snext:  driftd alerts %s %.8s",
	         s->model->name, what, kind_table[s->kind].alert, n->method ? n->method : "-", promise, since, size,
	         who, n->harm, *n->diagnosis ? "kind:  " : "", n->diagnosis, *n->diagnosis ? "\n" : "",
	         common->config->database, n->alert_id);
	return text;
}

/* -- episodes --------------------------------------------------------------------------------------- */

static int
by_sequence(const void *a, const void *b)
{
	const struct news *x = a, *y = b;
	int order;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	order = strcmp(x->stream->model->name, y->stream->model->name);
	if (!order)
		order = strcmp(x->stream->name, y->stream->name);
	if (!order)
		order = (x->event > y->event) - (x->event < y->event);
	if (!order)
		order = (x->kind > y->kind) - (x->kind < y->kind);
	return order ? order : strcmp(x->alert_id, y->alert_id);
}

void
alert_settle(struct common *common, struct outbound *out)
{
	size_t from = out->news_sorted;

	if (from == out->news_count)
		return;
	qsort(out->news + from, out->news_count - from, sizeof *out->news, by_sequence);
	for (size_t i = from; i < out->news_count; i++) {
		struct news *n = &out->news[i];

		episodes_settle(common, n);
		if (n->kind != NEWS_NOTE)
			diagnosis_words(n, n->moved, sizeof n->moved, n->diagnosis, sizeof n->diagnosis);
		n->text = text_of(common, n);
	}
	out->news_sorted = out->news_count;
}
