/* version_probe.c -- see version_probe.h. */
#include "monitor/stream/version_probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/record.h"
#include "monitor/label/probes.h"
#include "monitor/stream/model.h"

struct rows *
version_probes(struct version *v)
{
	if (!v->probes) {
		v->probes = must_calloc(1, sizeof *v->probes);
		v->probe = must_calloc(LIMIT_PROBES, sizeof *v->probe);
	}
	return v->probes;
}

void
version_probe_bind(struct version *v, struct stream *s)
{
	if (s->kind == STREAM_PROBE && v->probe_families < LIMIT_PROBES)
		v->probe[v->probe_families++].flips = s;
	for (uint32_t i = 0; i < v->probe_families && s->kind == STREAM_PROBE_ERROR; i++)
		if (!strcmp(v->probe[i].flips->field, s->field))
			v->probe[i].errors = s;
}

/* "fgsm/2"; texts are cut so that the name of the stream stays one. */
static size_t
family(const struct record *r, char out[LIMIT_TEXT_BYTES])
{
	int half = LIMIT_TEXT_BYTES / 2 - 2;
	int name = (int)r->perturbation.length < half ? (int)r->perturbation.length : half;
	int severity = (int)r->severity.length < half ? (int)r->severity.length : half;

	return (size_t)snprintf(out, LIMIT_TEXT_BYTES, "%.*s%s%.*s", name,
	                        record_text(r, r->perturbation), severity ? "/" : "", severity,
	                        record_text(r, r->severity));
}

/* Its number in the version; LIMIT_PROBES: there are too many. */
static uint32_t
family_of(struct model *m, struct version *v, const struct record *r)
{
	struct rows *rows = version_probes(v);
	char field[LIMIT_TEXT_BYTES];
	size_t length = family(r, field);
	struct stream *s = NULL;

	for (uint32_t i = 0; i < v->probe_families; i++)
		if (v->probe[i].flips->field_length == length && !memcmp(v->probe[i].flips->field, field, length))
			return i;
	if (v->probe_families < LIMIT_PROBES)
		s = model_stream(m, rows, STREAM_PROBE, STREAM_BINARY, field, length, v);
	if (!s) {
		m->counter[COUNT_STREAMS_REFUSED] += v->probe_families == LIMIT_PROBES;
		return LIMIT_PROBES;
	}
	version_probe_bind(v, s);
	return v->probe_families - 1;
}

void
version_probe_take(struct model *m, const struct record *r, struct row_facts *f)
{
	struct version *v = model_version(m, NULL, record_text(r, r->version), r->version.length);
	struct probe_pair pair;
	uint32_t at, family;

	m->counter[COUNT_PROBES]++;
	if (!m->labels || !probes_pair(m->labels, v, r, &pair)) {
		m->counter[COUNT_PROBES_UNPAIRED]++;
		return;
	}
	/* Windows of a number of records count records, not their twins. */
	if (m->config->windows.width_ms || !m->window_open)
		model_enter_window(m, r->ts);
	f->late = r->ts < m->window_ms;
	family = family_of(m, v, r);
	if (family == LIMIT_PROBES)
		return;
	at = rows_append(m, v->probes, f);
	for (uint32_t i = 0; i < v->probes->streams; i++)
		v->probes->stream[i]->value[at] = (double)NAN;
	v->probe[family].flips->value[at] = pair.flipped;
	probes_add(m->labels, v, family, r, &pair);
}
