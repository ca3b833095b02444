/* own.c -- see own.h. */
#include "monitor/stream/own.h"

#include <math.h>
#include <string.h>

#include "monitor/decode/record.h"
#include "monitor/stream/model.h"

/* NULL: the configuration has no such stream any more. */
static const struct own_stream_config *
config_of(const struct stream *s)
{
	const struct model_config *c = s->model->config;

	for (size_t i = 0; i < c->owns; i++)
		if (!strcmp(c->own[i].name, s->field))
			return &c->own[i];
	return NULL;
}

static bool
is_limit(const struct stream *s)
{
	return s->kind == STREAM_AT_MOST || s->kind == STREAM_AT_LEAST;
}

static double
loss(const struct stream *s, const struct own_stream_config *own, double value)
{
	double x = (value - own->low) / (own->high - own->low);

	if (isnan(value))
		return value;
	x = x < 0 ? 0 : x > 1 ? 1 : x;
	return s->kind == STREAM_AT_MOST ? x : 1 - x;
}

void
own_restate(struct stream *s)
{
	const struct own_stream_config *own = is_limit(s) ? config_of(s) : NULL;
	double limit = !own ? (double)NAN : s->kind == STREAM_AT_MOST ? own->at_most : own->at_least;

	if (isnan(limit))
		return; /* gone from the configuration: no values either */
	s->known_p0 = loss(s, own, limit);
	s->known_level = 1 - s->known_p0;
}

bool
own_limited(const struct stream *s)
{
	const struct own_stream_config *own = s->kind == STREAM_OWN ? config_of(s) : NULL;

	return own && (!isnan(own->at_most) || !isnan(own->at_least));
}

bool
own_shown(const struct stream *s, double mean, double *shown, bool *falls)
{
	const struct own_stream_config *own = is_limit(s) ? config_of(s) : NULL;

	if (!own)
		return false;
	*falls = s->kind == STREAM_AT_LEAST;
	*shown = *falls ? own->high - mean * (own->high - own->low) : own->low + mean * (own->high - own->low);
	return true;
}

void
own_losses(struct stream *s, const struct rows *rows)
{
	const struct own_stream_config *own = config_of(s);

	for (uint32_t i = 0; i < rows->n; i++)
		s->value[i] = own && s->source ? loss(s, own, s->source->value[i]) : (double)NAN;
}

void
own_bind(struct model *m, struct stream *s)
{
	const struct own_stream_config *own = config_of(s);

	if (s->kind == STREAM_OWN && own)
		m->own_stream[own - m->config->own] = s;
	for (uint32_t i = 0; is_limit(s) && i < m->own->streams; i++)
		if (m->own->stream[i]->kind == STREAM_OWN && !strcmp(m->own->stream[i]->field, s->field))
			s->source = m->own->stream[i];
}

static void
make_limit(struct model *m, struct stream *of, enum stream_kind kind, double limit)
{
	struct stream *s = isnan(limit) ? NULL :
		model_stream(m, m->own, kind, STREAM_NUMERIC, of->field, of->field_length, NULL);

	if (!s)
		return;
	s->source = of;
	own_restate(s);
	m->common->at_ms = m->common->watermark_ms;
	if (!m->common->fitting)
		stream_start_tests(s, NULL);
}

static struct stream *
make_own(struct model *m, size_t number, const struct cell *c)
{
	const struct own_stream_config *own = &m->config->own[number];
	bool text = c->tag == CELL_TEXT;
	struct stream *s;

	if (c->tag != CELL_NUMBER && !text)
		return NULL;
	if (own->type != FEATURE_FROM_JSON)
		text = own->type == FEATURE_CATEGORICAL;
	s = model_stream(m, m->own, STREAM_OWN, text ? STREAM_CATEGORICAL : STREAM_NUMERIC, own->name,
	                 strlen(own->name), NULL);
	m->own_stream[number] = s;
	if (!s || s->code)
		return s;
	make_limit(m, s, STREAM_AT_MOST, own->at_most);
	make_limit(m, s, STREAM_AT_LEAST, own->at_least);
	return s;
}

void
own_take(struct model *m, const struct record *r, const struct row_facts *f)
{
	size_t owns = m->config->owns;
	uint32_t at;

	for (size_t i = 0; i < owns; i++)
		if (!m->own_stream[i] && r->cell[i].tag != CELL_ABSENT)
			make_own(m, i, &r->cell[i]);
	at = rows_append(m, m->own, f);
	for (uint32_t i = 0; i < m->own->streams; i++) { /* also of those that are no longer configured */
		struct stream *s = m->own->stream[i];

		if (s->code)
			s->code[at] = RUNNER_MISSING;
		else
			s->value[at] = (double)NAN;
	}
	for (size_t i = 0; i < owns; i++)
		if (m->own_stream[i])
			model_cell(m, m->own_stream[i], at, r, &r->cell[i]);
}
