/* delay.c -- see delay.h. */
#include "monitor/command/delay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/special.h"
#include "detectors/run_length/paths.h"

enum {
	CATEGORIES = 5,
	SEED = 1, /* of the simulation; the seed of the configuration has nothing to do with it */
};

/* A test with what it is compared with. */
struct trial {
	const struct delay_case *of;
	const struct detector *detector;
	void *self;
	struct reference ref;
	double *value;
	uint32_t *code;
	double share[CATEGORIES]; /* after the change */
	uint64_t drawn;
};

static const char *const category_text[CATEGORIES] = { "a", "b", "c", "d", "e" };
static const uint32_t category_length[CATEGORIES] = { 1, 1, 1, 1, 1 };

static double
category_share(uint32_t i)
{
	double sum = 0;

	for (uint32_t k = 0; k < CATEGORIES; k++)
		sum += 1.0 / (k + 1);
	return 1 / ((i + 1) * sum);
}

static void
change_shares(double share[CATEGORIES], double kept)
{
	double top = category_share(0);

	share[0] = top * kept;
	for (uint32_t i = 1; i < CATEGORIES; i++)
		share[i] = category_share(i) * (1 - share[0]) / (1 - top);
}

/* Value number i of an ideal reference of n. */
static void
reference_value(const struct delay_case *c, struct trial *t, uint32_t i, uint32_t n)
{
	double p = (i + 0.5) / n, sum = 0;
	uint32_t k = 0;

	switch (c->kind) {
	case DELAY_SHIFT:
		t->value[i] = special_normal_quantile(p);
		break;
	case DELAY_CATEGORY:
		for (k = 0; k < CATEGORIES - 1; k++)
			if (p < (sum += category_share(k)))
				break;
		t->code[i] = k;
		break;
	default:
		t->value[i] = p < c->from;
	}
}

static int
make_reference(const struct delay_case *c, struct trial *t, struct diag *d)
{
	uint32_t n = c->reference < DELAY_REFERENCE_MAX ? c->reference : DELAY_REFERENCE_MAX;

	if (c->kind == DELAY_CATEGORY)
		t->code = calloc(n, sizeof *t->code);
	else
		t->value = calloc(n, sizeof *t->value);
	if (!t->code && !t->value)
		return diag_set(d, ERR_IO, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		reference_value(c, t, i, n);
	t->ref = (struct reference){ .n = n, .value = t->value, .code = t->code, .days = 1, .keys = 1 };
	if (t->code) {
		t->ref.categories = CATEGORIES;
		t->ref.text = category_text;
		t->ref.text_len = category_length;
	}
	return 0;
}

static void
trial_finish(struct trial *t)
{
	if (t->self)
		t->detector->destroy(t->self);
	free(t->value);
	free(t->code);
}

static int
trial_init(struct trial *t, const struct delay_case *c, struct diag *d)
{
	static const char *const name[] = { "tolerant", "tolerant-binary", "tolerant-categorical",
		                            "sr-bernoulli" };
	bool known = c->kind == DELAY_KNOWN_RATE;
	char text[40];
	void *own;
	int err = 0;

	*t = (struct trial){ .of = c, .detector = detector_find(name[c->kind]) };
	own = calloc(1, t->detector->options_size + 1);
	if (!own)
		return diag_set(d, ERR_IO, "out of memory");
	option_defaults(t->detector->options, own);
	snprintf(text, sizeof text, "%.17g", known ? c->from : c->min_effect);
	err = option_set(option_find(t->detector->options, known ? "p0" : "min_effect"), own, text, d);
	if (!err && !known)
		err = make_reference(c, t, d);
	if (!err)
		err = t->detector->create(&t->self, own, known ? NULL : &t->ref, 1, SEED, 1, d);
	change_shares(t->share, c->to);
	option_finish(t->detector->options, own);
	free(own);
	return err;
}

/* Records after the change; there are none before it. */
static void
draw(void *context, bool changed, uint32_t rows, double *value, uint32_t *code)
{
	struct trial *t = context;

	(void)changed;
	for (uint32_t i = 0; i < rows; i++) {
		double u = rng_uniform(SEED, 2, ++t->drawn), sum = 0;
		uint32_t k = 0;

		if (t->of->kind == DELAY_SHIFT)
			value[i] = special_normal_quantile(u) + t->of->to;
		else
			value[i] = u < t->of->to;
		while (k < CATEGORIES - 1 && u >= (sum += t->share[k]))
			k++;
		code[i] = k;
	}
}

int
delay_fill(struct delay_table *table, const struct delay_case *c, struct diag *d)
{
	struct paths_length length[DELAY_GRID];
	double threshold[DELAY_GRID] = { 1e3 };
	struct trial t;
	int err = trial_init(&t, c, d);

	*table = (struct delay_table){ .of = *c };
	for (uint32_t i = 1; i < DELAY_GRID; i++)
		threshold[i] = 10 * threshold[i - 1];
	if (!err)
		paths_delay(&(struct paths){ t.detector, t.self, draw, &t }, 0, DELAY_PATHS,
		            DELAY_RECORDS_MAX, threshold, DELAY_GRID, length);
	for (uint32_t i = 0; !err && i < DELAY_GRID; i++)
		table->records[i] = length[i].mean;
	trial_finish(&t);
	return err;
}

double
delay_at(const struct delay_table *t, double threshold)
{
	double at = log10(threshold) - 3, records;
	int low = at < 0 ? 0 : at >= DELAY_GRID - 2 ? DELAY_GRID - 2 : (int)at;

	if (!(threshold > 0))
		return (double)NAN;
	records = t->records[low] + (at - low) * (t->records[low + 1] - t->records[low]);
	return records < 1 ? 1 : records;
}
