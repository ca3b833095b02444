/* version_ood.c -- see version_ood.h. */
#include "monitor/stream/version_ood.h"

#include <math.h>

#include "monitor/decode/record.h"
#include "monitor/stream/model.h"

double
version_ood_take(struct model *m, struct version *v, const struct record *r)
{
	if (r->logits == 0)
		return (double)NAN;
	if (v->logits == 0 && !m->common->refitting)
		v->logits = r->logits;
	if (v->logits != r->logits) {
		m->counter[COUNT_LOGITS_CHANGED]++;
		return (double)NAN;
	}
	if (!v->energy)
		v->energy = model_stream(m, v->rows, STREAM_OOD, STREAM_NUMERIC, "energy", 6, v);
	return r->energy;
}

void
version_ood_put(struct version *v, uint32_t at, double energy)
{
	if (v->energy)
		v->energy->value[at] = energy;
}
