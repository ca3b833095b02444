/* residuals.h -- what errors y - prediction hang on: the features, the size of the prediction, the errors
 * before.
 *
 * Model discrepancy and structure, label by label. Errors, over the standard deviation that the prediction
 * claims where it claims one, are centred and scaled by those just before them, so that a step of their
 * mean or scale is soon forgotten, and clipped at RESIDUALS_CLIP. Each label gives products whose mean is 0
 * when nothing hangs together and grows when something does (prequential: what it is multiplied with was
 * known before it):
 *   slope            error x standardised prediction (the score of Cox's recalibration at slope 1)
 *   features         error x what the columns of its record let expect, from the means of their groups
 *   spread           the same of squares: heteroscedasticity
 *   autocorrelation  error x the latest error at least a horizon older
 *   volatility       the same of squares
 * The horizon of a forecast is not longer than the shortest delay of a label: what it forecasts must have
 * happened by then. Errors closer than that overlap and correlate by construction. Tables of the last
 * RESIDUALS_BLOCK to twice as many labels give one-look figures. Work of a label: one step a column, at
 * most RESIDUALS_LAGS more. Pure.
 */
#ifndef DETECTORS_UNCERTAINTY_RESIDUALS_H
#define DETECTORS_UNCERTAINTY_RESIDUALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

enum {
	RESIDUALS_GROUPS = 8,       /* of a column's cells; one more for missing values */
	RESIDUALS_SLOTS = RESIDUALS_GROUPS + 1,
	RESIDUALS_NONE = 255,       /* a column whose group is not known */
	RESIDUALS_NEAR = 100,       /* errors are taken about the mean of so many ... */
	RESIDUALS_NEAR_SQUARES = 50, /* ... and over the scale of so many */
	RESIDUALS_BLOCK = 500,
	RESIDUALS_WARMUP = 100,     /* labels before anything is said */
	RESIDUALS_LAGS = 128,
};
#define RESIDUALS_CLIP 4.0

enum residual_product {
	RESIDUAL_SLOPE, RESIDUAL_FEATURES, RESIDUAL_SPREAD, RESIDUAL_AUTOCORRELATION, RESIDUAL_VOLATILITY,
	RESIDUAL_PRODUCTS
};

struct residual {
	double error;               /* y - prediction; of a class: 1 or 0 less its probability */
	double standard;            /* over the standard deviation that the prediction claims; else the error */
	double prediction;          /* the value; of a class: logit of the probability */
	double weight;              /* variance of y by the prediction: p (1 - p) of a class, 1 of a number */
	int64_t ts, delay_ms;       /* of the prediction; from it to its label */
	const uint8_t *group;       /* [columns] < RESIDUALS_SLOTS, or RESIDUALS_NONE */
	uint32_t columns;
};

struct residuals;

struct residuals *residuals_create(uint32_t columns_max); /* NULL: no memory */
void residuals_destroy(struct residuals *r); /* NULL is fine */
size_t residuals_bytes(const struct residuals *r);
/* NaN: not known yet, or does not arise. */
void residuals_add(struct residuals *r, const struct residual *x, double out[RESIDUAL_PRODUCTS]);
/* The groups of a column mean something else from now on. */
void residuals_forget(struct residuals *r, uint32_t column);

/* One look at the last labels: a coefficient, its statistic, and the two-sided p (not corrected). */
struct residual_figure {
	double n, value, statistic, p_value; /* NaN: not defined */
};
uint32_t residuals_columns(const struct residuals *r);
/* Correlation of the error with the number of the column's group; t. */
struct residual_figure residuals_linear(const struct residuals *r, uint32_t column);
/* Share of the errors' variance between the groups; F. `squares`: of the squared errors. */
struct residual_figure residuals_groups(const struct residuals *r, uint32_t column, bool squares);
/* Correlation at the lag; z. `squares`: of the squared errors. */
struct residual_figure residuals_lagged(const struct residuals *r, bool squares);
/* Recalibration y = a + b prediction (of a class: of the logits, one Newton step from a = 0, b = 1): value
 * b or a, statistic z of b - 1 or a. */
struct residual_figure residuals_slope(const struct residuals *r);
struct residual_figure residuals_intercept(const struct residuals *r);
int64_t residuals_horizon(const struct residuals *r); /* ms; INT64_MAX before the first label */

void residuals_save(const struct residuals *r, struct codec *out);
bool residuals_load(struct residuals *r, struct codec *in); /* false: damaged */

#endif
