/* logits.c -- see logits.h. */
#include "monitor/decode/logits.h"

#include <math.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/walk.h"
#include "monitor/grow.h"

static double
energy(const double *logit, uint32_t n)
{
	double max = logit[0], sum = 0.0;

	for (uint32_t i = 1; i < n; i++)
		max = logit[i] > max ? logit[i] : max;
	for (uint32_t i = 0; i < n; i++)
		sum += exp(logit[i] - max);
	return -(max + log(sum));
}

bool
logits_value(struct walk *w)
{
	struct numbers *numbers = &w->forms->numbers;
	struct record *r = w->out;
	struct vector x;

	forms_begin(w->forms); /* its buffer, which is given back below */
	r->logits = 0;
	r->parts |= RECORD_OTHER;
	if (!vector_value(w, numbers, &x))
		return false;
	numbers->n = x.at;
	if (x.shape == VECTOR_ABSENT)
		return true;
	if (x.shape != VECTOR_LIST || x.columns == 0 || x.columns > LIMIT_VECTOR) {
		r->fields_type++;
		return true;
	}
	r->logits = x.columns;
	r->logit = grow(r->logit, &r->logit_capacity, x.columns, sizeof(*r->logit));
	memcpy(r->logit, numbers->value + x.at, x.columns * sizeof(*r->logit));
	r->energy = energy(numbers->value + x.at, x.columns);
	return true;
}
