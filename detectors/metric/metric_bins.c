/* metric_bins.c -- `ece` and `brier`: expected calibration error (Naeini, Cooper and Hauskrecht
 * 2015; debiased: Kumar, Liang and Ma 2019) and Murphy's (1973) decomposition of the Brier score.
 *
 *   brier = mean (p - y)^2 = reliability - resolution + uncertainty + within
 *
 * `within` is what the bins do not see (Stephenson, Coelho and Jolliffe 2008).
 */
#include "detectors/metric/metric_bins.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/metric/metric.h"

uint32_t
metric_bin_of(double p, uint32_t bins)
{
	uint32_t b = (uint32_t)(p * bins);

	return b < bins ? b : bins - 1;
}

void
metric_bin_add(struct metric_bin *bin, uint32_t bins, double p, double y)
{
	struct metric_bin *b = &bin[metric_bin_of(p, bins)];

	b->n += 1.0;
	b->p += p;
	b->y += y;
}

void
metric_calibration(const struct metric_bin *bin, uint32_t bins, struct metric_calibration *out)
{
	double n = 0.0, y = 0.0;

	for (uint32_t b = 0; b < bins; b++) {
		n += bin[b].n;
		y += bin[b].y;
	}
	if (n <= 0.0) {
		double none = (double)NAN;

		*out = (struct metric_calibration){ none, none, none, none, none, none };
		return;
	}
	y /= n;
	*out = (struct metric_calibration){ .uncertainty = y * (1.0 - y) };
	for (uint32_t b = 0; b < bins; b++) {
		double share = bin[b].n / n, rate, gap;

		if (bin[b].n <= 0.0)
			continue;
		rate = bin[b].y / bin[b].n;
		gap = bin[b].p / bin[b].n - rate;
		out->ece += share * fabs(gap);
		out->mce = fmax(out->mce, fabs(gap));
		out->reliability += share * gap * gap;
		out->resolution += share * (rate - y) * (rate - y);
		if (bin[b].n > 1.0)
			out->ece2_debiased +=
				share * (gap * gap - rate * (1.0 - rate) / (bin[b].n - 1.0));
	}
}

struct bins_options {
	uint32_t bins;
};

struct bins_state {
	struct bins_options o;
	double n, squares; /* sum of (p - y)^2 */
	struct metric_bin bin[];
};

static const struct option bins_options[] = {
	OPT_U32(struct bins_options, bins, "bins", "15", 1, METRIC_BINS_MAX,
	        "Number of equal-width bins of [0, 1]."),
	OPT_END,
};

static const struct metric_field bins_fields[] = {
	{ "p", METRIC_NUMBER, METRIC_REQUIRED, 0.0, 1.0 },
	{ "y", METRIC_NUMBER, METRIC_REQUIRED, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
bins_create(void **out, const void *options, uint64_t seed, struct diag *d)
{
	const struct bins_options *o = options;
	size_t size = sizeof(struct bins_state) + o->bins * sizeof(struct metric_bin);

	(void)seed;
	return metric_state(out, size, o, sizeof *o, d);
}

static int
bins_add(void *self, const struct metric_row *row, struct diag *d)
{
	struct bins_state *s = self;
	double p = row->in[0].number, y = row->in[1].number;

	if (y > 0.0 && y < 1.0)
		return diag_set(d, ERR_INVALID, "y is %g, expected 0 or 1", y);
	s->n += 1.0;
	s->squares += (p - y) * (p - y);
	metric_bin_add(s->bin, s->o.bins, p, y);
	return 0;
}

static size_t
brier_values(void *self, struct metric_value *out)
{
	struct bins_state *s = self;
	struct metric_calibration c;
	double brier = s->n > 0.0 ? s->squares / s->n : (double)NAN;

	metric_calibration(s->bin, s->o.bins, &c);
	out[0] = (struct metric_value){ "brier", brier };
	out[1] = (struct metric_value){ "reliability", c.reliability };
	out[2] = (struct metric_value){ "resolution", c.resolution };
	out[3] = (struct metric_value){ "uncertainty", c.uncertainty };
	out[4] = (struct metric_value){
		"within", brier - (c.reliability - c.resolution + c.uncertainty)
	};
	return 5;
}

static size_t
ece_values(void *self, struct metric_value *out)
{
	struct bins_state *s = self;
	struct metric_calibration c;

	metric_calibration(s->bin, s->o.bins, &c);
	out[0] = (struct metric_value){ "ece", c.ece };
	out[1] = (struct metric_value){ "mce", c.mce };
	out[2] = (struct metric_value){ "ece2_debiased", c.ece2_debiased };
	return 3;
}

extern const struct metric metric_brier, metric_ece;

const struct metric metric_brier = {
	.name = "brier",
	.summary = "Brier score of p for y (0 or 1) and its decomposition",
	.source = "Murphy 1973; Stephenson, Coelho and Jolliffe 2008",
	.fields = bins_fields,
	.options = bins_options,
	.options_size = sizeof(struct bins_options),
	.create = bins_create,
	.destroy = free,
	.add = bins_add,
	.values = brier_values,
};

const struct metric metric_ece = {
	.name = "ece",
	.summary = "expected, largest and debiased squared calibration error of p for y (0 or 1)",
	.source = "Naeini, Cooper and Hauskrecht 2015; Kumar, Liang and Ma 2019",
	.fields = bins_fields,
	.options = bins_options,
	.options_size = sizeof(struct bins_options),
	.create = bins_create,
	.destroy = free,
	.add = bins_add,
	.values = ece_values,
};
