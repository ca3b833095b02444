/* label_detail.c -- what a day knows beyond sums: counts by score, for the ROC curve, and replicas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "detectors/metric/metric_auc.h"
#include "detectors/metric/metric_bootstrap.h"
#include "storage/labels.h"
#include "storage/store_impl.h"

_Static_assert((int)LABEL_AUC_BINS == (int)METRIC_AUC_BINS, "bins of the ROC curve");
_Static_assert((int)LABEL_REPLICAS == (int)METRIC_REPLICAS, "replicas of the bootstrap");

enum { DETAIL_VERSION = 2, LABELS_MIN = 100 /* no interval below */ };
#define ALPHA 0.05

void
label_detail_add(struct label_detail *to, const struct label_detail *from)
{
	for (int i = 0; i < LABEL_AUC_BINS; i++) {
		to->right[i] += from->right[i];
		to->wrong[i] += from->wrong[i];
		to->positive[i] += from->positive[i];
		to->negative[i] += from->negative[i];
	}
	for (int k = 0; k < REPLICA_SUMS; k++)
		for (int b = 0; b < LABEL_REPLICAS; b++)
			to->replica[k][b] += from->replica[k][b];
	label_levels_add(to, from);
}

/* Limits of sum / weight over the replicas. */
static void
limits(const struct label_detail *d, enum label_replica weight, enum label_replica sum, bool root,
       double *low, double *high)
{
	double mean[LABEL_REPLICAS];
	uint32_t n = 0;

	for (int b = 0; b < LABEL_REPLICAS; b++)
		if (d->replica[weight][b] > 0) {
			double m = d->replica[sum][b] / d->replica[weight][b];

			mean[n++] = root ? sqrt(fmax(m, 0)) : m;
		}
	metric_bootstrap_limits(mean, n, LABEL_REPLICAS, ALPHA, low, high);
}

/* Bins of equal mass instead of equal width (Nixon et al. 2019), less what chance adds (Kumar, Liang, Ma
 * 2019): as root mean square. A bin of the counts is never cut, so masses are nearly equal. */
static double
adaptive_calibration(const struct label_detail *d)
{
	double all = 0, sum = 0, n = 0, right = 0, confidence = 0, seen = 0;
	uint32_t bins = 1;

	for (int i = 0; i < LABEL_AUC_BINS; i++)
		all += (double)d->right[i] + d->wrong[i];
	if (all < 2)
		return (double)NAN;
	for (uint32_t i = 0; i < LABEL_AUC_BINS; i++) {
		double here = (double)d->right[i] + d->wrong[i];

		n += here;
		seen += here;
		right += d->right[i];
		confidence += here * metric_auc_middle(i);
		if (seen < all * bins / LABEL_BINS || n <= 0)
			continue;
		while (seen >= all * bins / LABEL_BINS && bins < LABEL_BINS)
			bins++;
		if (n > 1) {
			double accuracy = right / n, gap = accuracy - confidence / n;

			sum += n / all * (gap * gap - accuracy * (1 - accuracy) / (n - 1));
		}
		n = right = confidence = 0;
	}
	return sqrt(fmax(sum, 0));
}

void
label_detail_figures(const struct label_detail *d, const struct label_row *row, struct label_figures *out)
{
	out->ece_adaptive = adaptive_calibration(d);
	out->error_auroc = metric_auc(d->right, d->wrong);
	out->auroc = metric_auc(d->positive, d->negative);
	if (row->errors_n >= LABELS_MIN) {
		limits(d, REPLICA_ERRORS, REPLICA_ERROR, false, &out->bias_low, &out->bias_high);
		limits(d, REPLICA_ERRORS, REPLICA_ABS_ERROR, false, &out->mae_low, &out->mae_high);
		limits(d, REPLICA_ERRORS, REPLICA_SQ_ERROR, true, &out->rmse_low, &out->rmse_high);
	}
	if (row->probs_n >= LABELS_MIN) {
		limits(d, REPLICA_PROBS, REPLICA_BRIER, false, &out->brier_low, &out->brier_high);
		limits(d, REPLICA_PROBS, REPLICA_NLL, false, &out->nll_low, &out->nll_high);
	}
	if (row->intervals >= LABELS_MIN && !isnan(out->winkler))
		limits(d, REPLICA_INTERVALS, REPLICA_WINKLER, false, &out->winkler_low, &out->winkler_high);
	if (row->forecasts >= LABELS_MIN)
		limits(d, REPLICA_FORECASTS, REPLICA_CRPS, false, &out->crps_low, &out->crps_high);
}

/* -- as a blob ---------------------------------------------------------------------------------------- */

/* Only bins that have anything: a day of a few hundred labels has a few hundred. */
static void
save_counts(struct codec *out, const uint32_t *a, const uint32_t *b)
{
	uint16_t n = 0;

	for (int i = 0; i < LABEL_AUC_BINS; i++)
		n = (uint16_t)(n + (a[i] || b[i]));
	codec_put_u16(out, n);
	for (int i = 0; i < LABEL_AUC_BINS; i++) {
		if (!a[i] && !b[i])
			continue;
		codec_put_u16(out, (uint16_t)i);
		codec_put_u32(out, a[i]);
		codec_put_u32(out, b[i]);
	}
}

static bool
load_counts(struct codec *in, uint32_t *a, uint32_t *b)
{
	for (uint16_t n = codec_get_u16(in); n > 0 && !in->bad; n--) {
		uint16_t i = codec_get_u16(in);

		if (i >= LABEL_AUC_BINS)
			return false;
		a[i] = codec_get_u32(in);
		b[i] = codec_get_u32(in);
	}
	return !in->bad;
}

static bool
is_empty(const double *replica)
{
	for (int b = 0; b < LABEL_REPLICAS; b++)
		if (fabs(replica[b]) > 0 || isnan(replica[b]))
			return false;
	return true;
}

static void
save(const struct label_detail *d, struct codec *out)
{
	codec_put_u16(out, DETAIL_VERSION);
	save_counts(out, d->right, d->wrong);
	save_counts(out, d->positive, d->negative);
	for (int k = 0; k < REPLICA_SUMS; k++) {
		codec_put_u8(out, !is_empty(d->replica[k]));
		if (!is_empty(d->replica[k]))
			codec_put_f64s(out, d->replica[k], LABEL_REPLICAS);
	}
	label_levels_save(d, out);
}

static bool
load(struct label_detail *d, struct codec *in)
{
	memset(d, 0, sizeof *d);
	if (codec_get_u16(in) != DETAIL_VERSION || !load_counts(in, d->right, d->wrong) ||
	    !load_counts(in, d->positive, d->negative))
		return false;
	for (int k = 0; k < REPLICA_SUMS; k++)
		if (codec_get_u8(in))
			codec_get_f64s(in, d->replica[k], LABEL_REPLICAS);
	return label_levels_load(d, in) && !in->bad;
}

int
store_put_label_detail(struct store *s, int64_t window_ms, uint32_t stream_id,
                           const struct label_detail *d)
{
	struct codec out = { .measure = true, .size = SIZE_MAX };
	struct value value[] = { value_int(window_ms), value_int(stream_id), value_int(0) };
	struct diag diag;
	void *bytes;
	int err;

	save(d, &out);
	bytes = malloc(out.at);
	if (!bytes)
		return store_poison(s, diag_set(&diag, ERR_IO, "out of memory"), &diag);
	out = (struct codec){ .data = bytes, .size = out.at };
	save(d, &out);
	err = store_seal(s, bytes, out.at, &value[2]);
	if (!err)
		err = store_run(s, SLOT_DETAIL_PUT,
		                "INSERT OR REPLACE INTO label_details(window_ms, stream_id, data) VALUES(?, ?, ?)",
		                value, COUNT(value));
	free(bytes);
	return err;
}

int
store_get_label_detail(struct store *s, int64_t window_ms, uint32_t stream_id,
                           struct label_detail *out)
{
	const struct value key[] = { value_int(window_ms), value_int(stream_id) };
	struct diag d;
	sqlite3_stmt *q = store_query(s, SLOT_DETAIL_GET,
	                              "SELECT data FROM label_details WHERE window_ms = ? AND stream_id = ?", key,
	                              COUNT(key), &d);
	int step, err = 0;
	bool found;

	if (!q)
		return store_poison(s, ERR_IO, &d);
	step = sqlite3_step(q);
	found = step == SQLITE_ROW;
	if (found) {
		const uint8_t *payload;
		uint8_t *bytes;
		size_t length;

		err = store_unseal(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), &payload,
		                   &length, "label_details", &d);
		bytes = err ? NULL : malloc(length + 1);
		if (bytes) {
			struct codec in = { .data = memcpy(bytes, payload, length), .size = length };

			if (!load(out, &in))
				err = diag_set(&d, ERR_CORRUPT, "the database is damaged: label_details");
		}
		free(bytes);
	}
	if (err) {
		sqlite3_reset(q);
		return store_poison(s, err, &d);
	}
	err = store_query_end(s, q, step, &d);
	if (err)
		return store_poison(s, err, &d);
	return found ? 0 : ERR_MISSING;
}
