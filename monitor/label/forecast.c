/* forecast.c -- see forecast.h. */
#include "monitor/label/forecast.h"

#include <math.h>
#include <string.h>

#include "detectors/kit/codec.h"
#include "detectors/kit/rng.h"
#include "detectors/metric/metric_crps.h"
#include "detectors/metric/metric_pit.h"
#include "monitor/decode/record.h"

enum { SEED = 1 };

bool
forecast_fits(struct forecast_shape *shape, const struct record *r)
{
	if (r->forecast == FORECAST_NONE)
		return false;
	if (shape->kind == FORECAST_NONE) {
		shape->kind = r->forecast;
		shape->n = r->forecasts;
		if (r->forecast == FORECAST_QUANTILES)
			memcpy(shape->level, r->forecast_level, shape->n * sizeof *shape->level);
		return true;
	}
	return shape->kind == r->forecast && shape->n == r->forecasts &&
	       (shape->kind != FORECAST_QUANTILES ||
	        !memcmp(shape->level, r->forecast_level, shape->n * sizeof *shape->level));
}

struct forecast_score
forecast_score(const struct forecast_shape *shape, const double *number, double value, double y, uint64_t key)
{
	struct forecast_score s = { (double)NAN, (double)NAN, (double)NAN };
	double uniform = rng_uniform(SEED, 0, key), fair;

	switch (shape->kind) {
	case FORECAST_QUANTILES:
		s.crps = metric_crps_quantiles(shape->level, number, shape->n, y);
		s.pinball = s.crps / 2;
		s.pit = metric_pit_quantiles(shape->level, number, shape->n, y, uniform);
		break;
	case FORECAST_SAMPLES:
		s.crps = metric_crps_samples(number, shape->n, y, &fair);
		s.pit = metric_pit_samples(number, shape->n, y, uniform);
		break;
	case FORECAST_NORMAL:
		s.crps = metric_crps_normal(value, number[0], y);
		s.pit = metric_pit_normal(value, number[0], y);
		break;
	default:
		break;
	}
	return s;
}

void
forecast_save(const struct forecast_shape *shape, struct codec *out)
{
	codec_put_u8(out, shape->kind);
	codec_put_u16(out, (uint16_t)shape->n);
	codec_put_f64s(out, shape->level, shape->kind == FORECAST_QUANTILES ? shape->n : 0);
}

bool
forecast_load(struct forecast_shape *shape, struct codec *in)
{
	shape->kind = codec_get_u8(in);
	shape->n = codec_get_u16(in);
	if (shape->kind > FORECAST_NORMAL || shape->n > LIMIT_FORECAST)
		return false;
	codec_get_f64s(in, shape->level, shape->kind == FORECAST_QUANTILES ? shape->n : 0);
	return !in->bad;
}
