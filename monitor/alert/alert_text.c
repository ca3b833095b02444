/* alert_text.c -- an alert in five lines: what, since when, how big, who, harm; then the next command. And
 * which alerts are one episode. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/alert/alert.h"
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

/* Text of records inside JSON: quotes, backslashes and control bytes escaped, cut at 64 bytes. */
static size_t
json_text(const char *text, uint32_t length, char *out, size_t size)
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
			at += json_text(s->categories->text[code], s->categories->length[code], out + at,
			                size - at);
			break;
		}
	return at + (size_t)snprintf(out + at, size - at, "\"");
}

static void
size_text(const struct news *n, char *out, size_t size)
{
	const struct effect *e = &n->effect;
	const char *unit = n->stream->type == STREAM_NUMERIC ? " sigma" : " points";

	if (isnan(e->size))
		snprintf(out, size, "size not known yet");
	else if (isnan(e->low))
		snprintf(out, size, "%+.3g%s", e->size, unit);
	else
		snprintf(out, size, "%+.3g%s (95 %%: %.3g to %.3g), %s %.5g -> %.5g", e->size, unit, e->low,
		         e->high, n->stream->type == STREAM_NUMERIC ? "mean" : "share", e->old_value,
		         e->new_value);
}

void
alert_promise_words(const struct common *common, enum promise promise, char *out, size_t size)
{
	double days = (double)common->config->budget_period_ms / 86400000.0;

	if (promise == PROMISE_CERTIFIED)
		snprintf(out, size, "at most %.3g false alarms per %.4g days over everything",
		         common->config->budget_alarms, days);
	else
		snprintf(out, size, "no promise (%s)", promise_text(promise));
}

static char *
text_of(const struct common *common, const struct news *n)
{
	static const char *const verb[] = { "changed", "got worse", "is back", "is acknowledged" };
	const struct stream *s = n->stream;
	char size[200], since[32], promise[160], *text = must_calloc(1400, 1);

	size_text(n, size, sizeof size);
	time_text(n->started_ms, since, sizeof since);
	alert_promise_words(common, n->promise, promise, sizeof promise);
	snprintf(text, 1400,
	         "what:  %.100s %.200s %s (%s, %s)\nsince: %s\nsize:  %s\nwho:   model %.100s%s%.60s; %s\n"
	         "harm:  %s\nnext:  driftd alerts %s %.8s",
	         s->model->name, s->name, verb[n->kind], kind_table[s->kind].alert,
	         n->method ? n->method : "-", since, size, s->model->name,
	         s->version_length ? ", version " : "", s->version, promise, n->harm,
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
	return order ? order : (x->event > y->event) - (x->event < y->event);
}

/* The open episode of the same model whose estimated start is nearest, within one window (at least an
 * hour): one cause, one message. What is open is what the news up to this one say, so that the answer does
 * not depend on when commits happen. */
static const char *
episode_of(const struct news *n)
{
	const struct model *m = n->stream->model;
	int64_t reach = m->config->windows.width_ms > 3600000 ? m->config->windows.width_ms : 3600000;
	const char *found = NULL;
	int64_t nearest = INT64_MAX;

	for (uint32_t i = 0; i < m->streams; i++) {
		const struct stream *s = m->stream[i];
		int64_t apart = s->settled_ms - n->started_ms;

		apart = apart < 0 ? -apart : apart;
		if (s == n->stream || !s->settled_open || apart > reach || apart >= nearest)
			continue;
		nearest = apart;
		found = s->episode_id;
	}
	return found;
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
		struct stream *s = n->stream;

		if (n->kind == NEWS_OPEN) {
			const char *episode = episode_of(n);

			memcpy(s->episode_id, episode ? episode : n->alert_id, sizeof s->episode_id);
			s->settled_open = true;
			s->settled_ms = n->started_ms;
		} else if (n->kind == NEWS_OVER) {
			s->settled_open = false;
		}
		memcpy(n->episode_id, s->episode_id, sizeof n->episode_id);
		n->deliver = common->config->send == SEND_ALL || n->promise == PROMISE_CERTIFIED ||
		             kind_table[s->kind].always_delivered ||
		             (s->kind == STREAM_COVERAGE && !isnan(s->known_p0));
		n->text = text_of(common, n);
	}
	out->news_sorted = out->news_count;
}
