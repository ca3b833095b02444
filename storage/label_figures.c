/* label_figures.c -- figures of a row of label_statistics from its sums. See labels.h. */
#include "storage/labels.h"

#include <math.h>
#include <stddef.h>

#include "detectors/kit/special.h"
#include "detectors/metric/metric_binomial.h"
#include "detectors/metric/metric_bins.h"
#include "detectors/shift/cs_bernoulli.h"

#define ALPHA 0.05

static double
share(double part, uint64_t n)
{
	return n ? part / (double)n : (double)NAN;
}

/* Exact (Clopper-Pearson): holds for any number of labels. */
static void
limits(uint64_t k, uint64_t n, double *low, double *high)
{
	*low = *high = (double)NAN;
	if (n && k <= n)
		metric_clopper_pearson_limits((double)k, (double)n, ALPHA, low, high);
}

/* As if all labels that have not come were misses; as if none were. */
static void
coverage_bounds(const struct label_row *row, struct label_figures *out)
{
	uint64_t open = row->predictions > row->labelled ? row->predictions - row->labelled : 0;

	if (!row->intervals)
		return;
	out->coverage_worst = share((double)row->covered, row->intervals + open);
	out->coverage_best = share((double)(row->covered + open), row->intervals + open);
}

static double
ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0; /* the convention of scikit-learn */
}

/* Precision, recall and F1: means over the classes that occur; of two classes also those of the second. */
static void
classes(const struct label_row *row, struct label_figures *out)
{
	double p_sum = 0, r_sum = 0, f_sum = 0;
	uint32_t n = 0, last = 0;

	for (uint32_t k = 0; k < LABEL_CLASSES; k++) {
		double tp = row->class_tp[k], fp = row->class_fp[k], fn = row->class_fn[k];

		if (tp + fp + fn <= 0)
			continue;
		n++;
		last = k;
		p_sum += ratio(tp, tp + fp);
		r_sum += ratio(tp, tp + fn);
		f_sum += ratio(2 * tp, 2 * tp + fp + fn);
	}
	if (!n)
		return;
	out->precision_macro = p_sum / n;
	out->recall_macro = r_sum / n;
	out->f1_macro = f_sum / n;
	if (last == 1) {
		double tp = row->class_tp[1], fp = row->class_fp[1], fn = row->class_fn[1];

		out->precision = ratio(tp, tp + fp);
		out->recall = ratio(tp, tp + fn);
		out->f1 = ratio(2 * tp, 2 * tp + fp + fn);
	}
}

/* Of the confidence as a forecast of being right (Murphy 1973; debiased: Kumar, Liang, Ma 2019). */
static void
calibration(const struct label_row *row, struct label_figures *out)
{
	struct metric_bin bin[LABEL_BINS];
	struct metric_calibration c;
	double gaps = 0;

	for (int b = 0; b < LABEL_BINS; b++) {
		bin[b] = (struct metric_bin){ row->ece_n[b], row->ece_confidence[b], row->ece_correct[b] };
		gaps += fabs(bin[b].y - bin[b].p);
	}
	metric_calibration(bin, LABEL_BINS, &c);
	out->ece15 = isnan(c.ece) ? (double)NAN : share(gaps, row->probs_n);
	out->ece_debiased = sqrt(fmax(c.ece2_debiased, isnan(c.ece2_debiased) ? (double)NAN : 0));
	out->mce = c.mce;
	out->reliability = c.reliability;
	out->resolution = c.resolution;
	out->uncertainty = c.uncertainty;
}

static void
numbers(const struct label_row *row, struct label_figures *out)
{
	double spread;

	if (!row->errors_n)
		return;
	spread = row->label_sq_sum - row->label_sum * row->label_sum / (double)row->errors_n;
	out->bias = share(row->error_sum, row->errors_n);
	out->mae = share(row->abs_error_sum, row->errors_n);
	out->rmse = sqrt(share(row->sq_error_sum, row->errors_n));
	if (row->errors_n > 1 && spread > 1e-12 * row->label_sq_sum)
		out->r2 = 1 - row->sq_error_sum / spread;
}

/* Of forecasts: PIT moments are N(0, 1) when it is uniform (Neyman 1937). */
static void
forecasts(const struct label_row *row, struct label_figures *out)
{
	double root = sqrt((double)row->forecasts), neyman;

	out->pinball = share(row->pinball_sum, row->quantiles);
	if (!row->forecasts)
		return;
	out->crps = share(row->crps_sum, row->forecasts);
	out->pit_mean = share(row->pit_sum, row->forecasts);
	out->pit_bias = row->pit1_sum / root;
	out->pit_spread = row->pit2_sum / root;
	out->pit_skew = row->pit3_sum / root;
	out->pit_tails = row->pit4_sum / root;
	neyman = out->pit_bias * out->pit_bias + out->pit_spread * out->pit_spread +
	         out->pit_skew * out->pit_skew + out->pit_tails * out->pit_tails;
	out->pit_p_value = special_chi2_tail(neyman, 4);
}

void
label_figures(const struct label_row *row, struct label_figures *out)
{
	double none = (double)NAN;

#define X(name) out->name = none;
	LABEL_FIGURES(X)
#undef X
	out->labelled_share = share((double)row->labelled, row->predictions);
	out->mean_delay_s = share(row->delay_sum, row->labelled);
	out->coverage = share((double)row->covered, row->intervals);
	limits(row->covered, row->intervals, &out->coverage_low, &out->coverage_high);
	if (row->intervals && row->covered <= row->intervals)
		cs_bernoulli_limits((double)row->covered, (double)row->intervals, ALPHA, &out->coverage_anytime_low,
		                    &out->coverage_anytime_high);
	coverage_bounds(row, out);
	out->below_share = share((double)row->below, row->intervals);
	out->above_share = share((double)row->above, row->intervals);
	out->mean_width = share(row->width_sum, row->widths);
	out->winkler = share(row->winkler_sum, row->winklers);
	numbers(row, out);
	out->accuracy = share((double)row->correct, row->class_n);
	out->error_rate = 1 - out->accuracy;
	limits(row->correct, row->class_n, &out->accuracy_low, &out->accuracy_high);
	classes(row, out);
	out->mean_confidence = share(row->confidence_sum, row->probs_n);
	out->brier = share(row->brier_sum, row->probs_n);
	out->nll = share(row->nll_sum, row->probs_n);
	calibration(row, out);
	forecasts(row, out);
}

void
label_calibrator(const struct label_row *past, double accuracy[LABEL_BINS])
{
	for (int b = 0; b < LABEL_BINS; b++)
		accuracy[b] = past->ece_n[b] ? (double)past->ece_correct[b] / past->ece_n[b] :
		                               (b + 0.5) / LABEL_BINS;
}

double
label_estimated_accuracy(const struct label_row *row, const double accuracy[LABEL_BINS])
{
	double right = 0;

	for (int b = 0; b < LABEL_BINS; b++)
		right += row->scored_n[b] * accuracy[b];
	return share(right, row->scored);
}

void
label_row_add(struct label_row *row, const struct label_row *from)
{
#define X(name) row->name += from->name;
	LABEL_COUNTS(X)
	LABEL_SUMS(X)
#undef X
	for (int b = 0; b < LABEL_BINS; b++) {
		row->ece_n[b] += from->ece_n[b];
		row->ece_correct[b] += from->ece_correct[b];
		row->scored_n[b] += from->scored_n[b];
		row->ece_confidence[b] += from->ece_confidence[b];
	}
	for (int k = 0; k < LABEL_CLASSES; k++) {
		row->class_tp[k] += from->class_tp[k];
		row->class_fp[k] += from->class_fp[k];
		row->class_fn[k] += from->class_fn[k];
	}
	for (int b = 0; b < LABEL_PIT_BINS; b++)
		row->pit_n[b] += from->pit_n[b];
}
