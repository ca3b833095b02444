/* score_runs.c -- see score_runs.h. */
#include "tests/score_runs.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/ood/panel.h"

double
binomial_tail(uint32_t n, double p, uint32_t k)
{
	double sum = 0.0;

	for (uint32_t i = k; i <= n; i++)
		sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p)
		           + (n - i) * log1p(-p));
	return sum;
}

/* Score i of a run; the first n are its reference. */
static double
score_at(const struct score_run *run, uint32_t i)
{
	double u = rng_uniform(run->seed + 1, 77, i + 1u), angle, z;

	if (!(run->share > 0.0))
		return u;
	angle = 2.0 * 3.14159265358979323846 * rng_uniform(run->seed + 1, 78, i + 1u);
	z = sqrt(-2.0 * log(u)) * cos(angle);
	return i >= run->n && rng_uniform(run->seed + 1, 79, i + 1u) < run->share ? z + run->shift : z;
}

static void *
prepare(const struct detector *det, const struct score_run *run, double *value)
{
	const char *const parameter[][2] = { { "form", "ville" }, { "bins", run->bins ? run->bins : "4096" } };
	_Alignas(max_align_t) unsigned char options[1024] = { 0 };
	struct reference ref = { .n = run->n, .value = value, .days = 1, .keys = 1 };
	struct diag d;
	void *self;

	option_defaults(det->options, options);
	for (int i = 0; i < 2; i++) {
		const struct option *row = option_find(det->options, parameter[i][0]);

		if (row != NULL && option_set(row, options, parameter[i][1], &d) != 0)
			abort();
	}
	for (uint32_t i = 0; i < run->n; i++)
		value[i] = score_at(run, i);
	if (det->create(&self, options, &ref, 1, 1, run->seed, &d) != 0)
		abort();
	return self;
}

uint32_t
score_run_detector(const char *name, const struct score_run *run)
{
	enum { BATCH = 1000 };
	const struct detector *det = detector_find(name);
	double *value = score_array(run->n > BATCH ? run->n : BATCH, 1);
	void *self = prepare(det, run, value);
	struct reading out[BATCH];
	uint32_t alarm = 0;

	for (uint32_t from = 0; from < run->records && alarm == 0; from += BATCH) {
		struct column column = { .n = BATCH, .width = 1, .value = value };

		for (uint32_t i = 0; i < BATCH; i++)
			value[i] = score_at(run, run->n + from + i);
		det->update(self, &column, 0, 1.0 / SCORE_RUN_ALPHA, out);
		for (uint32_t i = 0; i < BATCH && alarm == 0; i++)
			if (out[i].alarm)
				alarm = from + i + 1;
	}
	det->destroy(self);
	free(value);
	return alarm;
}

uint32_t
score_run_naive(const struct score_run *run)
{
	static const double kappa[] = { .3, .5, .7, .8, .9, .95, .98, .99 };
	enum { BETS = sizeof kappa / sizeof *kappa };
	const double goal = log(1.0 / SCORE_RUN_ALPHA);
	double *score = score_array(run->n, 1), capital[BETS] = { 0 };
	struct calibration c;
	uint32_t alarm = 0;

	for (uint32_t i = 0; i < run->n; i++)
		score[i] = score_at(run, i);
	calibration_init(&c, score, run->n);
	for (uint32_t i = 0; i < run->records && alarm == 0; i++) {
		double s = score_at(run, run->n + i), u = rng_uniform(run->seed, 5, i + 1u);
		/* no score equals another: p = (above + U) / (n + 1) */
		double log_p = log(calibration_p(&c, s) - (1.0 - u) / (run->n + 1.0));
		double most = (double)-INFINITY, sum = 0.0;

		for (int k = 0; k < BETS; k++) {
			capital[k] += log(kappa[k]) + (kappa[k] - 1.0) * log_p;
			most = capital[k] > most ? capital[k] : most;
		}
		for (int k = 0; k < BETS && most >= goal; k++) /* the mean is not above the largest */
			sum += exp(capital[k] - most);
		if (most >= goal && most + log(sum / BETS) >= goal)
			alarm = i + 1;
	}
	calibration_finish(&c);
	return alarm;
}
