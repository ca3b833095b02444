/* confidence.c -- see confidence.h. */
#include "monitor/label/confidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/sort.h"
#include "monitor/stream/model.h"
#include "storage/store.h"

enum { STATE_VERSION = 1 };

/* The confidence number floor(err n + .5) from 0 in ascending order, at most the last. */
static double
threshold(const struct confidence *c)
{
	double sorted[CONFIDENCE_LABELS];
	uint32_t at = c->wrong < c->n ? c->wrong : c->n - 1; /* err n is a whole number: the wrong ones */

	memcpy(sorted, c->seen, c->n * sizeof *sorted);
	sort_doubles(sorted, c->n);
	return sorted[at];
}

void
confidence_learn(struct model *m, struct version *v, double confidence, bool wrong)
{
	struct confidence *c = v->confidence;

	if (isnan(confidence))
		return;
	if (!c) {
		c = v->confidence = must_calloc(1, sizeof *c);
		c->threshold = (double)NAN;
	}
	if (c->n == CONFIDENCE_LABELS)
		return;
	c->seen[c->n++] = confidence;
	c->wrong += wrong;
	c->dirty = true;
	if (c->n < CONFIDENCE_LABELS)
		return;
	c->threshold = threshold(c);
	v->below_confidence = model_stream(m, v->rows, STREAM_CONFIDENCE, STREAM_BINARY, "accuracy", 8, v);
}

double
confidence_below(const struct version *v, double confidence)
{
	return isnan(confidence) ? confidence : confidence < v->confidence->threshold;
}

int
confidence_put(const struct model *m, const struct version *v, struct store *store)
{
	const struct confidence *c = v->confidence;
	struct codec out = { .measure = true, .size = SIZE_MAX };

	if (!c || !c->dirty)
		return 0;
	for (int pass = 0; pass < 2; pass++) {
		if (pass)
			out = (struct codec){ .data = common_bytes(m->common, out.at), .size = out.at };
		codec_put_u16(&out, STATE_VERSION);
		codec_put_f64(&out, c->threshold);
		codec_put_u32(&out, c->n);
		codec_put_u32(&out, c->wrong);
		codec_put_f64s(&out, c->seen, isnan(c->threshold) ? c->n : 0);
	}
	return store_put_state(store, "confidence", v->label_stream_id, out.data, out.at);
}

int
confidence_load(const struct model *m, struct version *v, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	struct codec in;
	struct confidence *c;
	int err = store_get_state(store, "confidence", v->label_stream_id, &blob, &length, d);

	if (err || !blob)
		return err;
	in = (struct codec){ .data = blob, .size = length };
	err = codec_get_u16(&in) == STATE_VERSION ? 0 : ERR_CORRUPT;
	c = v->confidence = must_calloc(1, sizeof *c);
	c->threshold = codec_get_f64(&in);
	c->n = codec_get_u32(&in);
	c->wrong = codec_get_u32(&in);
	if (!err && c->n <= CONFIDENCE_LABELS)
		codec_get_f64s(&in, c->seen, isnan(c->threshold) ? c->n : 0);
	if (in.bad || c->n > CONFIDENCE_LABELS || c->wrong > c->n)
		err = ERR_CORRUPT;
	free(blob);
	return err ? diag_set(d, ERR_CORRUPT, "model %s: the state of its estimated accuracy is damaged",
	                      m->name) : 0;
}
