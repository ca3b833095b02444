/* version_probe.c -- see version_probe.h. */
#include "monitor/stream/version_probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/record.h"
#include "monitor/label/labels.h"
#include "monitor/stream/model.h"

struct rows *
version_probes(struct version *v)
{
	if (!v->probes)
		v->probes = must_calloc(1, sizeof *v->probes);
	return v->probes;
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

static struct stream *
stream_of(struct model *m, struct version *v, const struct record *r)
{
	struct rows *rows = version_probes(v);
	char field[LIMIT_TEXT_BYTES];
	size_t length = family(r, field);

	for (uint32_t i = 0; i < rows->streams; i++)
		if (rows->stream[i]->field_length == length && !memcmp(rows->stream[i]->field, field, length))
			return rows->stream[i];
	if (rows->streams == LIMIT_PROBES) {
		m->counter[COUNT_STREAMS_REFUSED]++;
		return NULL;
	}
	return model_stream(m, rows, STREAM_PROBE, STREAM_BINARY, field, length, v);
}

void
version_probe_take(struct model *m, const struct record *r, struct row_facts *f)
{
	struct version *v = model_version(m, NULL, record_text(r, r->version), r->version.length);
	bool flipped = false;
	struct stream *s;
	uint32_t at;

	m->counter[COUNT_PROBES]++;
	if (!m->labels || !labels_probe(m->labels, v, r, &flipped)) {
		m->counter[COUNT_PROBES_UNPAIRED]++;
		return;
	}
	/* Windows of a number of records count records, not their twins. */
	if (m->config->windows.width_ms || !m->window_open)
		model_enter_window(m, r->ts);
	f->late = r->ts < m->window_ms;
	s = stream_of(m, v, r);
	if (!s)
		return;
	at = rows_append(m, v->probes, f);
	for (uint32_t i = 0; i < v->probes->streams; i++)
		v->probes->stream[i]->value[at] = (double)NAN;
	s->value[at] = flipped;
}
