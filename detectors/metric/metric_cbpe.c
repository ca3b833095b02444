/* metric_cbpe.c -- `cbpe`: confidence-based performance estimation, without labels (NannyML). With
 * p the calibrated probability of the positive class and yhat = [p >= threshold], the expected
 * counts are
 *
 *   TP = sum p [yhat]   FP = sum (1-p) [yhat]   FN = sum p [not yhat]   TN = sum (1-p) [not yhat]
 *
 * A ratio without denominator is undefined.
 */
#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/metric/metric.h"

struct cbpe_options {
	double threshold;
};

struct cbpe_state {
	struct cbpe_options o;
	double tp, fp, fn, tn;
};

static const struct option options[] = {
	OPT_F64(struct cbpe_options, threshold, "threshold", "0.5", 0.0, 1.0,
	        "The positive class is predicted from this probability on."),
	OPT_END,
};

static const struct metric_field fields[] = {
	{ "p", METRIC_NUMBER, METRIC_REQUIRED, 0.0, 1.0 },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
create(void **out, const void *opts, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct cbpe_state), opts, sizeof(struct cbpe_options), d);
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct cbpe_state *s = self;
	double p = row->in[0].number;

	(void)d;
	if (p >= s->o.threshold) {
		s->tp += p;
		s->fp += 1.0 - p;
	} else {
		s->fn += p;
		s->tn += 1.0 - p;
	}
	return 0;
}

static double
ratio(double part, double whole)
{
	return whole > 0.0 ? part / whole : (double)NAN;
}

static size_t
values(void *self, struct metric_value *out)
{
	const struct cbpe_state *s = self;
	double right = s->tp + s->tn;

	out[0] = (struct metric_value){ "accuracy", ratio(right, right + s->fp + s->fn) };
	out[1] = (struct metric_value){ "precision", ratio(s->tp, s->tp + s->fp) };
	out[2] = (struct metric_value){ "recall", ratio(s->tp, s->tp + s->fn) };
	out[3] = (struct metric_value){ "f1", ratio(2.0 * s->tp, 2.0 * s->tp + s->fp + s->fn) };
	return 4;
}

extern const struct metric metric_cbpe;

const struct metric metric_cbpe = {
	.name = "cbpe",
	.summary = "accuracy, precision, recall and F1 expected from probabilities p alone",
	.source = "NannyML: confidence-based performance estimation",
	.fields = fields,
	.options = options,
	.options_size = sizeof(struct cbpe_options),
	.create = create,
	.destroy = free,
	.add = add,
	.values = values,
};
