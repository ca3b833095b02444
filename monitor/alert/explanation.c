/* explanation.c -- see explanation.h. A column is searched only when its alert opens or is told again. */
#include "monitor/alert/explanation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/alert/alert.h"
#include "monitor/label/explain.h"
#include "monitor/label/labels.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

#define LEVEL 0.05
enum { RECORDS_MIN = 100, OUTPUT_NAMES = EXPLAIN_OUTPUTS };

/* An edge just below a value that is common makes a cell of that value alone: it is told by that value. */
static bool
just_below(double edge, double *value)
{
	char low[40], up[40];

	*value = nextafter(edge, (double)INFINITY);
	snprintf(low, sizeof low, "%.9g", edge);
	snprintf(up, sizeof up, "%.9g", *value);
	return strtod(up, NULL) == *value && strtod(low, NULL) != edge;
}

static void
range_words(const struct explain_column *c, struct finding *f, char *out, size_t size)
{
	bool first = f->c.first == 0, last = f->c.last + 1 >= c->cells;
	double from = first ? (double)NAN : c->edge[f->c.first - 1], to = last ? (double)NAN : c->edge[f->c.last];
	double value, next;

	f->above = from;
	f->to = to;
	if (!first && just_below(from, &value)) {
		if (!last && value == to)
			snprintf(out, size, " = %.9g", to);
		else if (last)
			snprintf(out, size, " at least %.9g", value);
		else
			snprintf(out, size, " %.9g to %.9g", value, to);
	} else if (first && !last) {
		if (just_below(to, &next))
			snprintf(out, size, " below %.9g", next);
		else
			snprintf(out, size, " at most %.9g", to);
	} else if (!first && last) {
		snprintf(out, size, " above %.9g", from);
	} else {
		snprintf(out, size, " above %.9g to %.9g", from, to);
	}
}

static void
category_words(const struct explain_column *c, uint32_t cell, char *out, size_t size)
{
	const struct categories *names = c->stream->categories;
	uint32_t found = UINT32_MAX, n = 0;

	for (uint32_t code = 0; code < names->n && code < c->codes; code++)
		if (c->cell_of[code] == cell) {
			found = code;
			n++;
		}
	if (n == 1)
		snprintf(out, size, " = %.*s", (int)(names->length[found] < 64 ? names->length[found] : 64),
		         names->text[found]);
	else
		snprintf(out, size, n ? ": rare categories" : ": new categories");
}

static void
name_place(const struct explain_column *c, uint32_t column, struct finding *f)
{
	const struct stream *s = c->stream;
	static const char *const output[OUTPUT_NAMES] = { "predicted value", "width", "score", "predicted class" };
	size_t at;

	f->stream_id = s->id;
	f->above = f->to = (double)NAN;
	if (column < EXPLAIN_OUTPUTS)
		snprintf(f->field, sizeof f->field, "%s", strcmp(s->field, "set_size") ? output[column] : "set size");
	else
		snprintf(f->field, sizeof f->field, "%.*s", (int)(s->field_length < 64 ? s->field_length : 64),
		         s->field);
	at = (size_t)snprintf(f->place, sizeof f->place, "%s", f->field);
	if (f->c.first == c->cells)
		snprintf(f->place + at, sizeof f->place - at, " missing");
	else if (c->categorical)
		category_words(c, f->c.first, f->place + at, sizeof f->place - at);
	else
		range_words(c, f, f->place + at, sizeof f->place - at);
}

/* -- searching ---------------------------------------------------------------------------------------- */

/* The counts that are looked at, the cell of missing values last; false: too little is known there. */
static bool
column_counts(const struct explain *e, const struct explain_column *c, uint32_t column, bool after,
              struct cell_count *out)
{
	const struct cell_count *one = explain_cells(e, after ? EXPLAIN_AFTER : EXPLAIN_NEWER, column);
	const struct cell_count *two = explain_cells(e, EXPLAIN_OLDER, column);
	uint64_t n = 0;

	for (uint32_t i = 0; i <= c->cells; i++) {
		uint32_t slot = i < c->cells ? i : EXPLAIN_MISSING;

		out[i] = one[slot];
		if (!after) {
			out[i].n += two[slot].n;
			out[i].hits += two[slot].hits;
		}
		n += out[i].n;
	}
	return n >= RECORDS_MIN;
}

static double
rate_before(const struct explain *e, const struct explain_column *c, uint32_t column, const struct finding *f)
{
	const struct cell_count *before = explain_cells(e, EXPLAIN_BEFORE, column);
	uint64_t n = 0, hits = 0;

	for (uint32_t i = f->c.first; i <= f->c.last; i++) {
		uint32_t slot = i < c->cells ? i : EXPLAIN_MISSING;

		n += before[slot].n;
		hits += before[slot].hits;
	}
	return n >= RECORDS_MIN ? (double)hits / (double)n : (double)NAN;
}

/* Keeps the largest gains, in order. */
static void
insert(struct finding *sorted, uint32_t *n, uint32_t max, const struct finding *f)
{
	uint32_t at;

	if (*n == max && sorted[max - 1].c.gain >= f->c.gain)
		return;
	at = *n < max ? (*n)++ : max - 1;
	for (; at > 0 && sorted[at - 1].c.gain < f->c.gain; at--)
		sorted[at] = sorted[at - 1];
	sorted[at] = *f;
}

static uint32_t
version_number(const struct stream *s)
{
	const struct model *m = s->model;

	for (uint32_t i = 0; i < m->versions; i++)
		if (!m->version[i]->segment && m->version[i]->length == s->version_length &&
		    !memcmp(m->version[i]->text, s->version, s->version_length))
			return i;
	return 0;
}

/* Hits of one column or key: what was searched, and what was found. */
static void
search(const struct cell_count *count, uint32_t cells, bool ordered, struct findings *out, struct finding *f)
{
	out->columns++;
	out->searched += concentration_searched(cells, ordered);
	if (!concentration_find(count, cells, ordered, &f->c))
		f->c.n_all = 0;
	if (f->c.n_all > out->records)
		out->records = f->c.n_all;
}

/* -- segments ----------------------------------------------------------------------------------------- */

static void
name_segment(const struct stream *s, const struct segment *segment, const struct segment_key *key,
             struct finding *f)
{
	const struct model *m = s->model;
	size_t name = strlen(key->name);

	f->stream_id = s->id;
	for (uint32_t i = 0; i < m->streams; i++)
		if (m->stream[i]->segment == segment && !strcmp(m->stream[i]->name, s->name))
			f->stream_id = m->stream[i]->id;
	f->above = f->to = (double)NAN;
	snprintf(f->field, sizeof f->field, "%.64s", key->name);
	snprintf(f->place, sizeof f->place, "%.64s = %.*s", key->name,
	         (int)(segment->length - name - 1 < 64 ? segment->length - name - 1 : 64),
	         segment->text + name + 1);
}

/* The segments of one key as cells; a record without a value of the key is in none of them. */
static void
search_key(const struct stream *s, uint32_t key, bool after, struct findings *out, uint32_t *found)
{
	const struct segments *all = s->model->segments;
	const struct explain *e = s->explain;
	struct cell_count *count = must_calloc(all->n + 1u, sizeof *count); /* the last: of missing values */
	uint32_t *number = must_calloc(all->n + 1u, sizeof *number), cells = 0;
	struct finding f = { 0 };
	uint64_t n = 0;

	for (uint32_t i = 0; i < all->n && i < e->segments; i++) {
		const struct cell_count *c = e->segment[i];

		if (all->segment[i]->key != key)
			continue;
		number[cells] = i;
		count[cells] = c[after ? EXPLAIN_AFTER : EXPLAIN_NEWER];
		count[cells].n += after ? 0 : c[EXPLAIN_OLDER].n;
		count[cells].hits += after ? 0 : c[EXPLAIN_OLDER].hits;
		n += count[cells++].n;
	}
	if (n >= RECORDS_MIN && cells > 1) {
		search(count, cells + 1, false, out, &f);
		if (f.c.n_all && f.c.first < cells) {
			const struct cell_count *before = &e->segment[number[f.c.first]][EXPLAIN_BEFORE];

			name_segment(s, all->segment[number[f.c.first]], &all->key[key], &f);
			f.old_rate = before->n >= RECORDS_MIN ? (double)before->hits / before->n : (double)NAN;
			insert(out->finding, found, FINDINGS_MAX, &f);
		}
	}
	free(count);
	free(number);
}

bool
explanation_find(const struct stream *s, bool after, struct findings *out)
{
	const struct explain *e = s->explain;
	const struct segments *segments = s->model->segments;
	const struct explain_columns *columns = s->model->labels ? labels_explained(s->model->labels) : NULL;
	uint32_t version = version_number(s), found = 0;
	struct cell_count count[EXPLAIN_SLOTS + 1];
	uint32_t kept = 0;
	bool one_class = !strcmp(s->field, "precision") || !strcmp(s->field, "recall"); /* known without a search */

	*out = (struct findings){ .after = after };
	if (!e || !columns)
		return false;
	out->records = after ? e->after : e->block;
	for (uint32_t i = 0; i < e->used; i++) {
		const struct explain_column *c = explain_column(columns, version, i);
		struct finding f = { 0 };

		if (i == EXPLAIN_CLASS && one_class)
			continue;
		if (!c || !column_counts(e, c, i, after, count))
			continue;
		search(count, c->cells + 1, !c->categorical, out, &f);
		if (!f.c.n_all)
			continue;
		name_place(c, i, &f);
		f.old_rate = rate_before(e, c, i, &f);
		insert(out->finding, &found, FINDINGS_MAX, &f);
	}
	for (uint32_t k = 0; segments && k < segments->keys; k++)
		if (segments->key[k].source == SEGMENT_FIELD)
			search_key(s, k, after, out, &found);
	for (uint32_t i = 0; i < found; i++) { /* only what stands out of all that was searched */
		concentration_limits(&out->finding[i].c, LEVEL, out->searched);
		if (out->finding[i].c.p <= LEVEL)
			out->finding[kept++] = out->finding[i];
	}
	out->n = kept;
	return out->columns > 0;
}

/* -- telling ------------------------------------------------------------------------------------------ */

void
explanation_row(const struct findings *f, uint32_t rank, struct explanation_row *out)
{
	const struct finding *x = &f->finding[rank];
	const struct concentration *c = &x->c;

	*out = (struct explanation_row){
		.phase = f->after ? "after the alert" : "descriptive",
		.stream_id = x->stream_id, .field = x->field, .place = x->place, .above = x->above, .up_to = x->to,
		.n = c->n, .hits = c->hits, .rate = c->rate, .rate_low = c->low, .rate_high = c->high,
		.outside_rate = c->outside, .old_rate = x->old_rate, .lift = c->lift, .p_value = c->p,
		.hits_share = c->hits_all ? (double)c->hits / (double)c->hits_all : (double)NAN,
		.records_share = c->n_all ? (double)c->n / (double)c->n_all : (double)NAN,
		.records = f->records, .searched = f->searched,
	};
}

static size_t
put_number(char *out, size_t size, const char *name, double v)
{
	return (size_t)(isnan(v) ? snprintf(out, size, ",\"%s\":null", name) :
	                           snprintf(out, size, ",\"%s\":%.6g", name, v));
}

char *
explanation_json(const struct findings *f)
{
	size_t size = 1024 * (FINDINGS_MAX + 1), at;
	char *text = must_calloc(size, 1);

	at = (size_t)snprintf(text, size, "{\"phase\":\"%s\",\"records\":%llu,\"columns\":%u,\"searched\":%u,"
	                      "\"places\":[", f->after ? "after the alert" : "descriptive",
	                      (unsigned long long)f->records, f->columns, f->searched);
	for (uint32_t i = 0; i < f->n; i++) {
		struct explanation_row row;

		explanation_row(f, i, &row);
		at += (size_t)snprintf(text + at, size - at, "%s{\"place\":\"", i ? "," : "");
		at += alert_json_text(row.place, (uint32_t)strlen(row.place), text + at, size - at);
		at += (size_t)snprintf(text + at, size - at, "\",\"n\":%llu,\"hits\":%llu",
		                       (unsigned long long)row.n, (unsigned long long)row.hits);
		at += put_number(text + at, size - at, "rate", row.rate);
		at += put_number(text + at, size - at, "rate_low", row.rate_low);
		at += put_number(text + at, size - at, "rate_high", row.rate_high);
		at += put_number(text + at, size - at, "outside_rate", row.outside_rate);
		at += put_number(text + at, size - at, "old_rate", row.old_rate);
		at += put_number(text + at, size - at, "lift", row.lift);
		at += put_number(text + at, size - at, "hits_share", row.hits_share);
		at += put_number(text + at, size - at, "records_share", row.records_share);
		at += put_number(text + at, size - at, "p_value", row.p_value);
		at += (size_t)snprintf(text + at, size - at, "}");
	}
	snprintf(text + at, size - at, "]}");
	return text;
}

void
explanation_words(const struct stream *s, const struct findings *f, char *out, size_t size)
{
	const char *hit = !strcmp(s->field, "overcoverage") ? "inside" :
	                  s->kind == STREAM_COVERAGE || !strcmp(s->field, "coverage") ? "missed" : "wrong";
	size_t at = 0;

	if (!f->n) {
		snprintf(out, size, "everywhere alike, as far as %u features, outputs and segments tell", f->columns);
		return;
	}
	for (uint32_t i = 0; i < f->n && i < 3 && at < size; i++) {
		const struct finding *x = &f->finding[i];

		at += (size_t)snprintf(out + at, size - at, "%s%s (%.0f %% of records): %.3g %s",
		                       i ? "; " : "", x->place, 100.0 * (double)x->c.n / (double)x->c.n_all,
		                       x->c.rate, hit);
		if (at < size && !isnan(x->old_rate))
			at += (size_t)snprintf(out + at, size - at, ", before %.3g", x->old_rate);
		if (at < size)
			at += (size_t)snprintf(out + at, size - at, ", elsewhere %.3g", x->c.outside);
	}
}
