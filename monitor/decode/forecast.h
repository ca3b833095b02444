/* forecast.h -- the distribution that a record forecasts for its numeric label, from the lists of its fields.
 *
 * The first that is there of quantiles, a flat sample, and a standard deviation (prediction.sd or .var, else
 * that of an ensemble of normal members: Lakshminarayanan et al. 2017, section 2.4).
 *
 * Quantiles are a prediction of their own: where the record has none, its median is the value, and a central
 * pair (levels q and 1 - q) the interval: the pair of the configured level, else of the record's, else the
 * widest, which then also says the level.
 */
#ifndef MONITOR_DECODE_FORECAST_H
#define MONITOR_DECODE_FORECAST_H

#include "monitor/decode/forms.h"

/* After forms_finish(). `level`: configured; NaN: none. */
void forecast_finish(const struct forms *f, double level, struct record *out);

#endif
