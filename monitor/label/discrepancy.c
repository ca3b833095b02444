/* discrepancy.c -- see discrepancy.h. */
#include "monitor/label/discrepancy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric_pit.h"
#include "detectors/uncertainty/residuals.h"
#include "monitor/decode/record.h"
#include "monitor/label/labels_inside.h"

static const struct {
	enum stream_kind kind;
	const char *name;
} table[DISCREPANCIES] = {
	[DISCREPANCY_BIAS] = { STREAM_DISCREPANCY, "bias" },
	[DISCREPANCY_SLOPE] = { STREAM_DISCREPANCY, "slope" },
	[DISCREPANCY_SCALE] = { STREAM_DISCREPANCY, "scale" },
	[DISCREPANCY_PIT_BIAS] = { STREAM_DISCREPANCY, "pit_bias" },
	[DISCREPANCY_PIT_SPREAD] = { STREAM_DISCREPANCY, "pit_spread" },
	[DISCREPANCY_PIT_SKEW] = { STREAM_DISCREPANCY, "pit_skew" },
	[DISCREPANCY_PIT_TAILS] = { STREAM_DISCREPANCY, "pit_tails" },
	[DISCREPANCY_FEATURES] = { STREAM_STRUCTURE, "features" },
	[DISCREPANCY_SPREAD] = { STREAM_STRUCTURE, "spread" },
	[DISCREPANCY_AUTOCORRELATION] = { STREAM_STRUCTURE, "autocorrelation" },
	[DISCREPANCY_VOLATILITY] = { STREAM_STRUCTURE, "volatility" },
};

enum stream_kind
discrepancy_kind(enum discrepancy k)
{
	return table[k].kind;
}

const char *
discrepancy_name(enum discrepancy k)
{
	return table[k].name;
}

void
discrepancy_none(double out[DISCREPANCIES])
{
	for (int k = 0; k < DISCREPANCIES; k++)
		out[k] = (double)NAN;
}

uint32_t
discrepancy_expected(const struct model *m)
{
	for (uint32_t i = 0; m->labels && i < m->versions; i++)
		if (!m->version[i]->segment && (m->version[i]->value || m->version[i]->score))
			return DISCREPANCIES;
	return 0;
}

/* -- figures of one label ----------------------------------------------------------------------------- */

/* Standard deviation that a forecast claims: of quantiles that of the normal between the outer two. */
static double
claimed_scale(const struct forecast_shape *shape, const double *number)
{
	uint32_t last = shape->n ? shape->n - 1 : 0;
	double mean = 0, squares = 0;

	switch (shape->kind) {
	case FORECAST_NORMAL: return number[0];
	case FORECAST_QUANTILES:
		return (number[last] - number[0]) / (special_normal_quantile(shape->level[last]) -
		                                     special_normal_quantile(shape->level[0]));
	case FORECAST_SAMPLES:
		for (uint32_t i = 0; i < shape->n; i++)
			mean += number[i] / shape->n;
		for (uint32_t i = 0; i < shape->n; i++)
			squares += (number[i] - mean) * (number[i] - mean);
		return sqrt(squares / (shape->n - 1.0));
	default: return (double)NAN;
	}
}

/* What a number forecast with its distribution says by itself; `error` label - value. */
static void
judge_forecast(const struct forecast_shape *shape, const double *number, double error, double pit,
               double out[DISCREPANCIES])
{
	double scale = claimed_scale(shape, number), polynomial[METRIC_PIT_ORDER];

	if (scale > 0 && isfinite(error / scale * (error / scale)))
		out[DISCREPANCY_SCALE] = error / scale * (error / scale);
	if (isnan(pit))
		return;
	metric_pit_polynomials(pit, polynomial);
	for (int j = 0; j < METRIC_PIT_ORDER; j++)
		out[DISCREPANCY_PIT_BIAS + j] = polynomial[j];
}

void
discrepancy_of_record(const struct record *r, double out[DISCREPANCIES])
{
	struct forecast_shape shape = { FORECAST_NONE, 0, { 0 } };
	double error = r->label.number - r->value.number;
	uint64_t key = r->id_ts_order;

	if (r->label.tag != CELL_NUMBER || r->value.tag != CELL_NUMBER || !isfinite(error))
		return;
	out[DISCREPANCY_BIAS] = error;
	if (forecast_fits(&shape, r))
		judge_forecast(&shape, r->forecast_value, error,
		               forecast_score(&shape, r->forecast_value, r->value.number, r->label.number, key).pit,
		               out);
}

/* False: the row says nothing of an error. */
static bool
residual_of_class(const struct labels *l, const struct journal_row *row, const double *probs,
                  struct residual *x)
{
	double p = 0, y;

	if (!probs || !(row->flags & JOURNAL_CLASS))
		return false;
	y = !(row->flags & JOURNAL_WRONG);
	for (uint32_t k = 0; k < l->probs; k++)
		p = fmax(p, probs[k]);
	if (l->probs == 2 && l->class_prob[1] < 2 && row->klass < 2) {
		p = probs[l->class_prob[1]];
		y = (row->klass == 1) == !(row->flags & JOURNAL_WRONG);
	}
	p = fmin(fmax(p, 1e-6), 1 - 1e-6);
	x->error = y - p;
	x->prediction = log(p / (1 - p));
	x->weight = p * (1 - p);
	x->standard = x->error / sqrt(x->weight); /* Pearson's residual */
	return true;
}

static bool
residual_of_number(const struct labels *l, const struct journal_row *row, const double *payload,
                   struct residual *x, double out[DISCREPANCIES])
{
	double y = row->u.done.label, value = row->u.done.value;
	const double *number = labels_payload_forecast(l, payload);

	x->error = x->standard = y - value;
	x->prediction = value;
	x->weight = 1;
	if (!isfinite(x->error))
		return false;
	if (!number)
		return true;
	judge_forecast(&l->forecast, number, x->error,
	               forecast_score(&l->forecast, number, value, y, label_row_key(row)).pit, out);
	if (!isnan(out[DISCREPANCY_SCALE]))
		x->standard = copysign(sqrt(out[DISCREPANCY_SCALE]), x->error);
	return true;
}

/* Cells of a column in RESIDUALS_GROUPS groups; of a category the frequent ones apart. */
static uint8_t
group_of(const struct explain_column *column, uint8_t bin)
{
	if (!column || bin == EXPLAIN_UNKNOWN)
		return RESIDUALS_NONE;
	if (bin >= EXPLAIN_MISSING)
		return RESIDUALS_GROUPS;
	if (column->categorical)
		return bin < RESIDUALS_GROUPS ? bin : RESIDUALS_GROUPS - 1;
	return (uint8_t)(bin < column->cells ? bin * RESIDUALS_GROUPS / column->cells : RESIDUALS_GROUPS - 1);
}

void
discrepancy_take(struct labels *l, struct version *v, uint64_t number, const uint8_t *bins, uint32_t n,
                 double out[DISCREPANCIES])
{
	const struct journal_row *row = journal_get(l->journal, number);
	const double *payload = journal_probs(l->journal, number);
	uint8_t group[EXPLAIN_OUTPUTS + LIMIT_EXPLAINED];
	struct residual x = { .ts = row->ts, .delay_ms = row->u.done.delay_ms, .group = group, .columns = n };
	double product[RESIDUAL_PRODUCTS];

	if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE) ?
	    !residual_of_number(l, row, payload, &x, out) :
	    !residual_of_class(l, row, labels_payload_probs(l, payload), &x))
		return;
	if (!v->residuals)
		v->residuals = residuals_create(EXPLAIN_OUTPUTS + l->model->config->labels_explain);
	must(v->residuals != NULL);
	for (uint32_t i = 0; i < n; i++)
		group[i] = group_of(explain_column(&l->explained, v->number, i), bins[i]);
	residuals_add(v->residuals, &x, product);
	v->residuals_dirty = true;
	out[DISCREPANCY_BIAS] = x.error;
	out[DISCREPANCY_SLOPE] = product[RESIDUAL_SLOPE];
	out[DISCREPANCY_FEATURES] = product[RESIDUAL_FEATURES];
	out[DISCREPANCY_SPREAD] = product[RESIDUAL_SPREAD];
	out[DISCREPANCY_AUTOCORRELATION] = product[RESIDUAL_AUTOCORRELATION];
	out[DISCREPANCY_VOLATILITY] = product[RESIDUAL_VOLATILITY];
}

/* -- streams ------------------------------------------------------------------------------------------ */

void
discrepancy_streams(struct labels *l, struct version *v, const double value[DISCREPANCIES])
{
	for (int k = 0; k < DISCREPANCIES && !v->segment; k++)
		if (!v->discrepancy[k] && !isnan(value[k]))
			v->discrepancy[k] = model_stream(l->model, v->outcomes, table[k].kind, STREAM_NUMERIC,
			                                 table[k].name, strlen(table[k].name), v);
}

void
discrepancy_put_row(struct version *v, uint32_t at, const double value[DISCREPANCIES])
{
	for (int k = 0; k < DISCREPANCIES; k++)
		if (v->discrepancy[k])
			v->discrepancy[k]->value[at] = value[k];
}

void
discrepancy_forget(struct version *v, uint32_t column)
{
	if (!v->residuals)
		return;
	residuals_forget(v->residuals, column);
	v->residuals_dirty = true;
}

/* -- table and state ---------------------------------------------------------------------------------- */

static int
put_figure(struct store *store, const struct version *v, const char *measure, const char *field,
           const struct residual_figure *f)
{
	struct residual_row row = { v->label_stream_id, measure, field, f->n, f->value, f->statistic, f->p_value };

	return isnan(f->value) ? 0 : store_put_residual(store, &row);
}

static int
put_columns(const struct labels *l, const struct version *v, struct store *store)
{
	int err = 0;

	for (uint32_t i = 0; i < residuals_columns(v->residuals) && !err; i++) {
		const struct explain_column *column = explain_column(&l->explained, v->number, i);
		struct residual_figure linear, groups, squares;

		if (!column)
			continue;
		linear = residuals_linear(v->residuals, i);
		groups = residuals_groups(v->residuals, i, false);
		squares = residuals_groups(v->residuals, i, true);
		if (!column->categorical)
			err = put_figure(store, v, "linear", column->stream->name, &linear);
		if (!err)
			err = put_figure(store, v, "groups", column->stream->name, &groups);
		if (!err)
			err = put_figure(store, v, "spread", column->stream->name, &squares);
	}
	return err;
}

static int
put_figures(const struct labels *l, const struct version *v, struct store *store)
{
	const struct residual_figure slope = residuals_slope(v->residuals),
	                             intercept = residuals_intercept(v->residuals),
	                             lagged = residuals_lagged(v->residuals, false),
	                             squares = residuals_lagged(v->residuals, true);
	int err = store_clear_residuals(store, v->label_stream_id);

	if (!err)
		err = put_figure(store, v, "slope", "", &slope);
	if (!err)
		err = put_figure(store, v, "intercept", "", &intercept);
	if (!err)
		err = put_figure(store, v, "autocorrelation", "", &lagged);
	if (!err)
		err = put_figure(store, v, "volatility", "", &squares);
	return err ? err : put_columns(l, v, store);
}

int
discrepancy_put(struct labels *l, struct version *v, struct store *store)
{
	struct codec out = { .measure = true, .size = SIZE_MAX };
	int err;

	if (!v->residuals || !v->residuals_dirty)
		return 0;
	err = put_figures(l, v, store);
	if (err)
		return err;
	residuals_save(v->residuals, &out);
	out = (struct codec){ .data = common_bytes(l->model->common, out.at), .size = out.at };
	residuals_save(v->residuals, &out);
	return store_put_state(store, "residuals", v->label_stream_id, out.data, out.at);
}

int
discrepancy_load(struct labels *l, struct version *v, struct store *store, struct diag *d)
{
	uint8_t *blob;
	size_t length;
	struct codec in;
	bool fine;
	int err = store_get_state(store, "residuals", v->label_stream_id, &blob, &length, d);

	if (err || !blob)
		return err;
	in = (struct codec){ .data = blob, .size = length };
	v->residuals = residuals_create(EXPLAIN_OUTPUTS + l->model->config->labels_explain);
	must(v->residuals != NULL);
	fine = residuals_load(v->residuals, &in);
	free(blob);
	return fine ? 0 : diag_set(d, ERR_CORRUPT, "model %s: the state of its errors is damaged", l->model->name);
}
