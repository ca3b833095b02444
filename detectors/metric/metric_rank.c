/* metric_rank.c -- `bh` (Benjamini and Hochberg 1995), `e-bh` (Wang and Ramdas 2022) and `atc`, the
 * accuracy that a threshold on confidence predicts without labels (Garg et al. 2022).
 *
 *   atc: threshold = reference confidence number floor(err n + .5) from 0 in ascending order (at
 *   most
 *        n-1), err the error rate of the reference; accuracy = share of the target at or above it
 */
#include "detectors/metric/metric_rank.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/metric/metric.h"

size_t
metric_bh_rejections(const double *sorted, size_t n, double alpha)
{
	for (size_t k = n; k > 0; k--)
		if (sorted[k - 1] <= alpha * (double)k / (double)n)
			return k;
	return 0;
}

size_t
metric_e_bh_rejections(const double *sorted, size_t n, double alpha)
{
	for (size_t k = n; k > 0; k--)
		if (sorted[n - k] >= (double)n / (alpha * (double)k))
			return k;
	return 0;
}

struct fdr_options {
	double alpha;
};

struct fdr_state {
	struct fdr_options o;
	struct metric_series kept;
};

static const struct option fdr_options[] = {
	OPT_F64(struct fdr_options, alpha, "alpha", "0.1", 1e-12, 1.0,
	        "Expected share of false discoveries."),
	OPT_END,
};

static const struct metric_field bh_fields[] = {
	{ "p", METRIC_NUMBER, METRIC_REQUIRED, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static const struct metric_field e_bh_fields[] = {
	{ "e", METRIC_NUMBER, METRIC_REQUIRED, 0.0, HUGE_VAL },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
fdr_create(void **out, const void *options, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct fdr_state), options, sizeof(struct fdr_options), d);
}

static void
fdr_destroy(void *self)
{
	struct fdr_state *s = self;

	if (s == NULL)
		return;
	metric_series_finish(&s->kept);
	free(s);
}

static int
fdr_add(void *self, const struct metric_row *row, struct diag *d)
{
	struct fdr_state *s = self;

	return metric_series_push(&s->kept, row->in[0].number, d);
}

static size_t
bh_values(void *self, struct metric_value *out)
{
	struct fdr_state *s = self;

	metric_sort(s->kept.value, s->kept.n);
	out[0] = (struct metric_value){
		"rejections", (double)metric_bh_rejections(s->kept.value, s->kept.n, s->o.alpha)
	};
	return 1;
}

static size_t
e_bh_values(void *self, struct metric_value *out)
{
	struct fdr_state *s = self;

	metric_sort(s->kept.value, s->kept.n);
	out[0] = (struct metric_value){
		"rejections", (double)metric_e_bh_rejections(s->kept.value, s->kept.n, s->o.alpha)
	};
	return 1;
}

struct atc_state {
	struct metric_series reference, target;
	double errors;
};

static const struct option atc_options[] = { OPT_END };

static const struct metric_field atc_fields[] = {
	{ "conf", METRIC_NUMBER, METRIC_REQUIRED, -HUGE_VAL, HUGE_VAL },
	{ "y", METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
atc_create(void **out, const void *options, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct atc_state), options, 0, d);
}

static void
atc_destroy(void *self)
{
	struct atc_state *s = self;

	if (s == NULL)
		return;
	metric_series_finish(&s->reference);
	metric_series_finish(&s->target);
	free(s);
}

static int
atc_add(void *self, const struct metric_row *row, struct diag *d)
{
	struct atc_state *s = self;
	const struct metric_input *y = &row->in[1];
	int err;

	if (!y->given)
		return metric_series_push(&s->target, row->in[0].number, d);
	if (y->number > 0.0 && y->number < 1.0)
		return diag_set(d, ERR_INVALID, "y is %g, expected 0 or 1", y->number);
	err = metric_series_push(&s->reference, row->in[0].number, d);
	if (err == 0)
		s->errors += 1.0 - y->number;
	return err;
}

static size_t
atc_values(void *self, struct metric_value *out)
{
	struct atc_state *s = self;
	double threshold = (double)NAN, above = 0.0;
	size_t n = s->reference.n;

	if (n > 0) {
		/* err n is the number of errors: a whole number, so .5 only guards rounding. */
		size_t at = (size_t)floor(s->errors + 0.5);

		metric_sort(s->reference.value, n);
		threshold = s->reference.value[at < n ? at : n - 1];
	}
	for (size_t i = 0; i < s->target.n; i++)
		above += s->target.value[i] >= threshold ? 1.0 : 0.0;
	out[0] = (struct metric_value){ "threshold", threshold };
	out[1] = (struct metric_value){
		"accuracy", n > 0 && s->target.n > 0 ? above / (double)s->target.n : (double)NAN
	};
	return 2;
}

extern const struct metric metric_atc, metric_bh, metric_e_bh;

const struct metric metric_atc = {
	.name = "atc",
	.summary = "accuracy without labels: rows with conf and y calibrate, others are judged",
	.source = "Garg et al. 2022",
	.fields = atc_fields,
	.options = atc_options,
	.create = atc_create,
	.destroy = atc_destroy,
	.add = atc_add,
	.values = atc_values,
};

const struct metric metric_bh = {
	.name = "bh",
	.summary = "Benjamini-Hochberg rejections among p-values p",
	.source = "Benjamini and Hochberg 1995",
	.fields = bh_fields,
	.options = fdr_options,
	.options_size = sizeof(struct fdr_options),
	.create = fdr_create,
	.destroy = fdr_destroy,
	.add = fdr_add,
	.values = bh_values,
};

const struct metric metric_e_bh = {
	.name = "e-bh",
	.summary = "e-BH rejections among e-values e",
	.source = "Wang and Ramdas 2022",
	.fields = e_bh_fields,
	.options = fdr_options,
	.options_size = sizeof(struct fdr_options),
	.create = fdr_create,
	.destroy = fdr_destroy,
	.add = fdr_add,
	.values = e_bh_values,
};
