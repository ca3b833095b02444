/* forecast.c -- see forecast.h. */
#include "monitor/decode/forecast.h"

#include <math.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/grow.h"

/* Levels that were written in decimal: 0.05 belongs to 0.95 whatever 1 - 0.95 is in binary. */
static const double level_tolerance = 1e-9;

static bool
is_list(const struct vector *v)
{
	return v->shape == VECTOR_LIST && v->columns > 0 && v->columns <= LIMIT_FORECAST;
}

static void
reserve(struct record *r, uint32_t n)
{
	r->forecast_level = grow(r->forecast_level, &r->level_capacity, n, sizeof(double));
	r->forecast_value = grow(r->forecast_value, &r->value_capacity, n, sizeof(double));
}

/* Behind those before it with a smaller level: they usually come in order. */
static void
insert(struct record *r, uint32_t at, double level, double value)
{
	while (at > 0 && r->forecast_level[at - 1] > level) {
		r->forecast_level[at] = r->forecast_level[at - 1];
		r->forecast_value[at] = r->forecast_value[at - 1];
		at--;
	}
	r->forecast_level[at] = level;
	r->forecast_value[at] = value;
}

static bool
take_quantiles(const struct forms *f, struct record *r)
{
	const struct vector *level = &f->vector[FORM_LEVELS], *value = &f->vector[FORM_LEVEL_VALUES];

	if (!is_list(level) || !is_list(value) || level->columns != value->columns)
		return false;
	reserve(r, level->columns);
	for (uint32_t i = 0; i < level->columns; i++)
		insert(r, i, f->numbers.value[level->at + i], f->numbers.value[value->at + i]);
	for (uint32_t i = 0; i < level->columns; i++)
		if (!(r->forecast_level[i] > 0 && r->forecast_level[i] < 1) ||
		    (i > 0 && r->forecast_level[i] <= r->forecast_level[i - 1]))
			return false;
	r->forecasts = level->columns;
	return true;
}

static bool
take_samples(const struct forms *f, struct record *r)
{
	const struct vector *draw = &f->vector[FORM_DRAWS];

	if (!is_list(draw) || draw->columns < 2)
		return false;
	reserve(r, draw->columns);
	for (uint32_t i = 0; i < draw->columns; i++)
		insert(r, i, f->numbers.value[draw->at + i], 0);
	memcpy(r->forecast_value, r->forecast_level, draw->columns * sizeof(double));
	r->forecasts = draw->columns;
	return true;
}

static double
deviation(const struct forms *f, const struct record *r)
{
	const struct cell *sd = &f->cell[FORM_SD], *var = &f->cell[FORM_VAR];

	if (sd->tag == CELL_NUMBER)
		return sd->number;
	if (var->tag == CELL_NUMBER)
		return sqrt(var->number); /* NaN when negative */
	return r->form == FORM_NORMAL_MEMBERS && r->form_fault == FORM_FINE ?
	       sqrt(r->uncertainty.value[UNCERTAINTY_VAR_TOTAL]) : (double)NAN;
}

static bool
take_normal(const struct forms *f, struct record *r)
{
	double sd = deviation(f, r);

	if (!(sd > 0 && sd < HUGE_VAL) || r->value.tag != CELL_NUMBER)
		return false;
	reserve(r, 1);
	r->forecast_value[0] = sd;
	r->forecasts = 1;
	return true;
}

/* -- quantiles as the prediction itself ----------------------------------------------------------------- */

static void
set_number(struct cell *cell, double number)
{
	*cell = (struct cell){ .tag = CELL_NUMBER, .number = number };
}

/* The central pair of a level (NaN: the widest); false when there is none. */
static bool
central_pair(const struct record *r, double level, uint32_t *low, uint32_t *high)
{
	for (uint32_t i = 0; i < r->forecasts; i++)
		for (uint32_t j = r->forecasts; j-- > i + 1;) {
			double between = r->forecast_level[j] - r->forecast_level[i];

			if (fabs(r->forecast_level[i] + r->forecast_level[j] - 1) > level_tolerance ||
			    fabs(between - level) > level_tolerance)
				continue;
			*low = i;
			*high = j;
			return true;
		}
	return false;
}

static void
predict(struct record *r, double level)
{
	uint32_t low, high;

	for (uint32_t i = 0; i < r->forecasts && r->value.tag == CELL_ABSENT; i++)
		if (fabs(r->forecast_level[i] - 0.5) <= level_tolerance)
			set_number(&r->value, r->forecast_value[i]);
	if (isnan(level) && r->level.tag == CELL_NUMBER)
		level = r->level.number;
	if (r->lower.tag != CELL_ABSENT || r->upper.tag != CELL_ABSENT || !central_pair(r, level, &low, &high))
		return;
	set_number(&r->lower, r->forecast_value[low]);
	set_number(&r->upper, r->forecast_value[high]);
	if (r->level.tag == CELL_ABSENT) { /* 0.95 - 0.05 is 0.9 */
		level = r->forecast_level[high] - r->forecast_level[low];
		set_number(&r->level, nearbyint(level * 1e9) / 1e9);
	}
}

void
forecast_finish(const struct forms *f, double level, struct record *out)
{
	if (!f->any)
		return;
	if (take_quantiles(f, out)) {
		out->forecast = FORECAST_QUANTILES;
		if (out->probs == 0 && !out->has_set && out->klass.tag == CELL_ABSENT)
			predict(out, level);
	} else if (take_samples(f, out)) {
		out->forecast = FORECAST_SAMPLES;
	} else if (take_normal(f, out)) {
		out->forecast = FORECAST_NORMAL;
	}
}
