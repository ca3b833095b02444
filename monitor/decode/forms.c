/* forms.c -- see forms.h. */
#include "monitor/decode/forms.h"

#include <math.h>
#include <string.h>

/* Sums of a member's probabilities may be off by this much, as those of a prediction. */
static const double sum_tolerance = 1e-3;

void
forms_release(struct forms *f)
{
	if (f == NULL)
		return;
	numbers_finish(&f->numbers);
	numbers_finish(&f->work);
}

size_t
forms_bytes(const struct forms *f)
{
	return ((size_t)f->numbers.capacity + f->work.capacity) * sizeof(double);
}

void
forms_begin(struct forms *f)
{
	if (f->any)
		return;
	f->any = true;
	f->numbers.n = 0;
	memset(f->vector, 0, sizeof(f->vector));
	memset(f->cell, 0, sizeof(f->cell));
}

static bool
there(const struct forms *f, enum form_vector v)
{
	return f->vector[v].shape != VECTOR_ABSENT;
}

static const double *
numbers(const struct forms *f, enum form_vector v)
{
	return f->numbers.value + f->vector[v].at;
}

static void
set(struct record *out, enum uncertainty_form form, uint32_t members, uint32_t columns)
{
	out->form = (uint8_t)form;
	out->members = out->draws = members;
	out->columns = columns;
}

/* Is the vector of the wanted shape? A record with another one is told so. */
static bool
shaped(const struct forms *f, enum form_vector v, enum vector_shape wanted, struct record *out)
{
	out->form_fault = FORM_FINE;
	if (f->vector[v].shape != wanted)
		out->form_fault = FORM_RAGGED;
	else if (f->vector[v].rows == 0 || f->vector[v].columns == 0)
		out->form_fault = FORM_EMPTY;
	return out->form_fault == FORM_FINE;
}

static void
judge(struct record *out, enum uncertainty_fault fault)
{
	out->form_fault = fault == UNCERTAINTY_FINE    ? FORM_FINE
	                  : fault == UNCERTAINTY_EMPTY ? FORM_EMPTY
	                                               : FORM_RANGE;
}

static void
class_members(struct forms *f, enum form_vector v, struct record *out)
{
	const struct vector *x = &f->vector[v];

	set(out, FORM_CLASS_MEMBERS, x->rows, x->columns);
	if (!shaped(f, v, VECTOR_ROWS, out))
		return;
	numbers_reserve(&f->work, uncertainty_work(x->rows, x->columns));
	judge(out, uncertainty_members(numbers(f, v), x->rows, x->columns, v == FORM_MEMBER_LOGITS,
	                               f->work.value, &out->uncertainty));
	if (out->form_fault == FORM_FINE && out->uncertainty.sum_error > sum_tolerance)
		out->form_fault = FORM_PROB_SUM;
}

static void
normal_members(struct forms *f, enum form_vector mu, struct record *out)
{
	bool with = mu == FORM_MEMBER_MU && there(f, FORM_MEMBER_VAR);

	set(out, with ? FORM_NORMAL_MEMBERS : FORM_MEAN_MEMBERS, f->vector[mu].columns, 0);
	if (!shaped(f, mu, VECTOR_LIST, out) || (with && !shaped(f, FORM_MEMBER_VAR, VECTOR_LIST, out)))
		return;
	if (with && f->vector[FORM_MEMBER_VAR].columns != f->vector[mu].columns) {
		out->form_fault = FORM_RAGGED;
		return;
	}
	judge(out, uncertainty_normals(numbers(f, mu), with ? numbers(f, FORM_MEMBER_VAR) : NULL,
	                               f->vector[mu].columns, &out->uncertainty));
}

static void
dirichlet(struct forms *f, struct record *out)
{
	uint32_t classes = f->vector[FORM_DIRICHLET_ALPHA].columns;

	set(out, FORM_DIRICHLET, 0, classes);
	if (shaped(f, FORM_DIRICHLET_ALPHA, VECTOR_LIST, out))
		judge(out, uncertainty_dirichlet(numbers(f, FORM_DIRICHLET_ALPHA), classes,
		                                 &out->uncertainty));
}

static void
normal_inverse_gamma(const struct forms *f, struct record *out)
{
	set(out, FORM_NIG, 0, 0);
	out->form_fault = FORM_RAGGED;
	for (int i = FORM_NIG_NU; i <= FORM_NIG_BETA; i++)
		if (f->cell[i].tag != CELL_NUMBER)
			return;
	judge(out, uncertainty_nig(f->cell[FORM_NIG_NU].number, f->cell[FORM_NIG_ALPHA].number,
	                           f->cell[FORM_NIG_BETA].number, &out->uncertainty));
}

/* Rows are told from a list; their numbers of outcomes and draws must not change, a plain sample's may. */
static void
draws(struct forms *f, struct record *out)
{
	const struct vector *x = &f->vector[FORM_DRAWS];

	if (x->shape == VECTOR_ROWS) {
		set(out, FORM_NESTED, x->rows, x->columns);
		if (shaped(f, FORM_DRAWS, VECTOR_ROWS, out))
			judge(out, uncertainty_nested(numbers(f, FORM_DRAWS), x->rows, x->columns,
			                              &out->uncertainty));
		return;
	}
	set(out, FORM_SAMPLES, 0, 0);
	out->draws = x->columns;
	if (shaped(f, FORM_DRAWS, VECTOR_LIST, out))
		judge(out, uncertainty_samples(numbers(f, FORM_DRAWS), x->columns, &out->uncertainty));
}

static void
quantiles(struct forms *f, struct record *out)
{
	set(out, FORM_QUANTILES, 0, 0);
	if (shaped(f, FORM_LEVEL_VALUES, VECTOR_LIST, out))
		judge(out, uncertainty_quantiles(numbers(f, FORM_LEVELS), numbers(f, FORM_LEVEL_VALUES),
		                                 f->vector[FORM_LEVELS].columns, &out->uncertainty));
}

static void
variance(const struct forms *f, struct record *out)
{
	const struct cell *sd = &f->cell[FORM_SD], *var = &f->cell[FORM_VAR];
	double v = var->tag == CELL_NUMBER ? var->number : copysign(sd->number * sd->number, sd->number);

	set(out, FORM_VARIANCE, 0, 0);
	judge(out, isinf(v) ? UNCERTAINTY_RANGE : uncertainty_variance(v, &out->uncertainty));
}

void
forms_finish(struct forms *f, struct record *out)
{
	static const enum form_vector named[] = { FORM_MEMBER_PROBS, FORM_MEMBER_LOGITS };

	if (!f->any)
		return;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (there(f, named[i])) {
			class_members(f, named[i], out);
			return;
		}
	if (there(f, FORM_MEMBER_MU))
		normal_members(f, FORM_MEMBER_MU, out);
	else if (f->vector[FORM_BARE_MEMBERS].shape == VECTOR_LIST)
		normal_members(f, FORM_BARE_MEMBERS, out);
	else if (there(f, FORM_BARE_MEMBERS))
		class_members(f, FORM_BARE_MEMBERS, out);
	else if (there(f, FORM_DIRICHLET_ALPHA))
		dirichlet(f, out);
	else if (f->cell[FORM_NIG_NU].tag || f->cell[FORM_NIG_ALPHA].tag || f->cell[FORM_NIG_BETA].tag)
		normal_inverse_gamma(f, out);
	else if (there(f, FORM_DRAWS))
		draws(f, out);
	else if (there(f, FORM_LEVEL_VALUES))
		quantiles(f, out);
	else if (f->cell[FORM_SD].tag == CELL_NUMBER || f->cell[FORM_VAR].tag == CELL_NUMBER)
		variance(f, out);
}
