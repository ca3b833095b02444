/* label_levels.c -- coverage level by level and quantile by quantile: parts of a day's detail, and the tables
 * label_levels and label_quantiles, which are made of them. */
#include <math.h>

#include "detectors/kit/codec.h"
#include "detectors/metric/metric_binomial.h"
#include "storage/labels.h"
#include "storage/store_impl.h"

#define ALPHA 0.05

static bool
same(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

struct label_interval *
label_interval(struct label_detail *d, double level)
{
	for (uint32_t i = 0; i < d->intervals; i++)
		if (same(d->interval[i].level, level))
			return &d->interval[i];
	if (d->intervals == LABEL_LEVELS)
		return NULL;
	d->interval[d->intervals].level = level;
	return &d->interval[d->intervals++];
}

struct label_quantile *
label_quantile(struct label_detail *d, double level)
{
	for (uint32_t i = 0; i < d->quantiles; i++)
		if (same(d->quantile[i].level, level))
			return &d->quantile[i];
	if (d->quantiles == LABEL_LEVELS)
		return NULL;
	d->quantile[d->quantiles].level = level;
	return &d->quantile[d->quantiles++];
}

void
label_levels_add(struct label_detail *to, const struct label_detail *from)
{
	for (uint32_t i = 0; i < from->intervals; i++) {
		const struct label_interval *x = &from->interval[i];
		struct label_interval *sum = label_interval(to, x->level);

		if (!sum)
			continue;
		sum->n += x->n;
		sum->covered += x->covered;
		sum->below += x->below;
		sum->above += x->above;
		sum->width_sum += x->width_sum;
		sum->winkler_sum += x->winkler_sum;
	}
	for (uint32_t i = 0; i < from->quantiles; i++) {
		const struct label_quantile *x = &from->quantile[i];
		struct label_quantile *sum = label_quantile(to, x->level);

		if (!sum)
			continue;
		sum->n += x->n;
		sum->below += x->below;
		sum->pinball_sum += x->pinball_sum;
	}
}

/* -- as part of the blob ------------------------------------------------------------------------------ */

void
label_levels_save(const struct label_detail *d, struct codec *out)
{
	codec_put_u16(out, (uint16_t)d->intervals);
	for (uint32_t i = 0; i < d->intervals; i++) {
		const struct label_interval *x = &d->interval[i];
		const double sum[] = { x->level, x->width_sum, x->winkler_sum };

		codec_put_u32(out, x->n);
		codec_put_u32(out, x->covered);
		codec_put_u32(out, x->below);
		codec_put_u32(out, x->above);
		codec_put_f64s(out, sum, COUNT(sum));
	}
	codec_put_u16(out, (uint16_t)d->quantiles);
	for (uint32_t i = 0; i < d->quantiles; i++) {
		const struct label_quantile *x = &d->quantile[i];
		const double sum[] = { x->level, x->pinball_sum };

		codec_put_u32(out, x->n);
		codec_put_u32(out, x->below);
		codec_put_f64s(out, sum, COUNT(sum));
	}
}

bool
label_levels_load(struct label_detail *d, struct codec *in)
{
	d->intervals = codec_get_u16(in);
	if (d->intervals > LABEL_LEVELS)
		return false;
	for (uint32_t i = 0; i < d->intervals; i++) {
		struct label_interval *x = &d->interval[i];

		x->n = codec_get_u32(in);
		x->covered = codec_get_u32(in);
		x->below = codec_get_u32(in);
		x->above = codec_get_u32(in);
		x->level = codec_get_f64(in);
		x->width_sum = codec_get_f64(in);
		x->winkler_sum = codec_get_f64(in);
	}
	d->quantiles = codec_get_u16(in);
	if (d->quantiles > LABEL_LEVELS)
		return false;
	for (uint32_t i = 0; i < d->quantiles; i++) {
		struct label_quantile *x = &d->quantile[i];

		x->n = codec_get_u32(in);
		x->below = codec_get_u32(in);
		x->level = codec_get_f64(in);
		x->pinball_sum = codec_get_f64(in);
	}
	return !in->bad;
}

/* -- as tables ---------------------------------------------------------------------------------------- */

/* Exact (Clopper-Pearson); false: a correction has left nothing. */
static bool
limits(uint32_t k, uint32_t n, double *low, double *high)
{
	if (!n || k > n)
		return false;
	metric_clopper_pearson_limits(k, n, ALPHA, low, high);
	return true;
}

static int
put_interval(struct store *s, uint32_t stream_id, int64_t window_ms, const struct label_interval *x)
{
	double low, high, n = x->n;
	bool scored = x->winkler_sum >= x->width_sum;

	if (!limits(x->covered, x->n, &low, &high))
		return 0;
	const struct value value[] = {
		value_int(stream_id), value_int(window_ms), value_real(x->level), value_int(x->n),
		value_int(x->covered), value_real(x->covered / n), value_real(low), value_real(high),
		value_real(x->below / n), value_real(x->above / n), value_real(x->width_sum / n),
		value_real(scored ? x->winkler_sum / n : (double)NAN),
	};

	return store_run(s, SLOT_LEVEL_PUT,
	                 "INSERT OR REPLACE INTO label_levels(stream_id, window_ms, level, n, covered, coverage,"
	                 " coverage_low, coverage_high, below, above, width, winkler)"
	                 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

static int
put_quantile(struct store *s, uint32_t stream_id, int64_t window_ms, const struct label_quantile *x)
{
	double low, high, n = x->n;

	if (!limits(x->below, x->n, &low, &high))
		return 0;
	const struct value value[] = {
		value_int(stream_id), value_int(window_ms), value_real(x->level), value_int(x->n),
		value_real(x->below / n), value_real(low), value_real(high), value_real(x->pinball_sum / n),
	};

	return store_run(s, SLOT_QUANTILE_PUT,
	                 "INSERT OR REPLACE INTO label_quantiles(stream_id, window_ms, level, n, share, share_low,"
	                 " share_high, pinball) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", value, COUNT(value));
}

int
store_put_label_levels(struct store *s, uint32_t stream_id, int64_t window_ms, const struct label_detail *d)
{
	int err = 0;

	for (uint32_t i = 0; i < d->intervals && !err; i++)
		err = put_interval(s, stream_id, window_ms, &d->interval[i]);
	for (uint32_t i = 0; i < d->quantiles && !err; i++)
		err = put_quantile(s, stream_id, window_ms, &d->quantile[i]);
	return err;
}

int
store_put_recent_levels(struct store *s, uint32_t stream_id, const struct label_detail *d)
{
	const struct value key[] = { value_int(stream_id), value_int(INT64_MIN) };
	int err = store_run(s, SLOT_LEVEL_CLEAR, "DELETE FROM label_levels WHERE stream_id = ? AND window_ms = ?",
	                    key, COUNT(key));

	if (!err)
		err = store_run(s, SLOT_QUANTILE_CLEAR,
		                "DELETE FROM label_quantiles WHERE stream_id = ? AND window_ms = ?", key,
		                COUNT(key));
	return err || !d ? err : store_put_label_levels(s, stream_id, INT64_MIN, d);
}
