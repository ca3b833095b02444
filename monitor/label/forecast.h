/* forecast.h -- forecasts that wait for their labels: what the journal keeps of them, and their scores.
 *
 * A model's forecasts have one shape, that of its first: quantiles at given levels, a sample of a given size,
 * or a standard deviation. Their numbers stand in the payload of the journal's row, in the place of
 * probabilities, so a model has one or the other. Forecasts of another shape are counted (`forecast_changed`)
 * and not scored.
 */
#ifndef MONITOR_LABEL_FORECAST_H
#define MONITOR_LABEL_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "config/limits.h"

struct codec;
struct record;

struct forecast_shape {
	uint8_t kind;                 /* enum forecast_kind (record.h); FORECAST_NONE: none was seen yet */
	uint32_t n;
	double level[LIMIT_FORECAST]; /* of quantiles, ascending */
};

struct forecast_score {
	double crps;    /* continuous ranked probability score; of quantiles: twice the mean pinball loss */
	double pinball; /* mean over the quantiles; NaN: none */
	double pit;     /* probability integral transform, in (0, 1) */
};

/* Is the record's forecast of this shape? A shape of none becomes that of the record. */
bool forecast_fits(struct forecast_shape *shape, const struct record *r);
/* `number` [shape->n] as kept, `value` the point prediction (of FORECAST_NORMAL: its mean), y the label.
 * `key` makes the place within a step of the forecast, the same whenever it is asked for. All NaN without a
 * shape. */
struct forecast_score forecast_score(const struct forecast_shape *shape, const double *number,
                                     double value, double y, uint64_t key);
void forecast_save(const struct forecast_shape *shape, struct codec *out);
bool forecast_load(struct forecast_shape *shape, struct codec *in); /* false: damaged */

#endif
