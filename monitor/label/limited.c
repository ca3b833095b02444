/* limited.c -- see limited.h. */
#include "monitor/label/limited.h"

#include <math.h>
#include <string.h>

#include "monitor/label/labels_inside.h"

static const struct {
	const char *name;
	enum stream_kind kind;
	bool rate; /* losses are 0 and 1 */
	bool falls;
} table[LIMITED] = {
	[LIMITED_COVERAGE] = { "coverage", STREAM_PERFORMANCE, true, true },
	[LIMITED_OVERCOVERAGE] = { "overcoverage", STREAM_PERFORMANCE, true, false },
	[LIMITED_ACCURACY] = { "accuracy", STREAM_PERFORMANCE, true, true },
	[LIMITED_ERROR_RATE] = { "error_rate", STREAM_PERFORMANCE, true, false },
	[LIMITED_PRECISION] = { "precision", STREAM_PERFORMANCE, true, true },
	[LIMITED_RECALL] = { "recall", STREAM_PERFORMANCE, true, true },
	[LIMITED_MAE] = { "mae", STREAM_PERFORMANCE, false, false },
	[LIMITED_BRIER] = { "brier", STREAM_PERFORMANCE, false, false },
	[LIMITED_OVERCONFIDENT] = { "overconfident", STREAM_CALIBRATION, false, false },
	[LIMITED_UNDERCONFIDENT] = { "underconfident", STREAM_CALIBRATION, false, false },
};

enum stream_kind
limited_kind(enum limited figure)
{
	return table[figure].kind;
}

const char *
limited_name(enum limited figure)
{
	return table[figure].name;
}

static double
stated(double limit, double mean)
{
	return limit > 0 && mean > 0 && mean < 1 ? mean : (double)NAN;
}

double
limited_mean(const struct model_config *config, enum limited figure)
{
	const struct performance_limits *p = &config->limits;

	switch (figure) {
	case LIMITED_COVERAGE: return stated(p->coverage_min, 1 - p->coverage_min);
	case LIMITED_OVERCOVERAGE: return stated(p->coverage_max, p->coverage_max);
	case LIMITED_ACCURACY: return stated(p->accuracy, 1 - p->accuracy);
	case LIMITED_ERROR_RATE: return stated(p->error_rate, p->error_rate);
	case LIMITED_PRECISION: return stated(p->precision, 1 - p->precision);
	case LIMITED_RECALL: return stated(p->recall, 1 - p->recall);
	case LIMITED_MAE: return p->mae_bound > 0 ? stated(p->mae, p->mae / p->mae_bound) : (double)NAN;
	case LIMITED_BRIER: return stated(p->brier, p->brier / 2); /* it lies in [0, 2] */
	case LIMITED_OVERCONFIDENT:
	case LIMITED_UNDERCONFIDENT: return stated(p->calibration, (1 + p->calibration) / 2);
	default: return (double)NAN;
	}
}

uint32_t
limited_count(const struct model_config *config)
{
	uint32_t n = 0;

	for (enum limited f = 0; f < LIMITED; f++)
		n += isnan(limited_mean(config, f)) ? 0 : 1;
	return n;
}

/* -- losses ------------------------------------------------------------------------------------------- */

static double
squares(const struct labels *l, const struct journal_row *row, const double *probs)
{
	uint16_t at = row->u.done.label < LIMIT_CLASSES ? l->class_prob[(uint32_t)row->u.done.label] : UINT16_MAX;
	double sum = 1;

	if (at >= l->probs)
		return (double)NAN;
	for (uint32_t k = 0; k < l->probs; k++)
		sum += probs[k] * probs[k];
	return (sum - 2 * probs[at]) / 2;
}

static double
confidence_gap(const struct labels *l, const struct journal_row *row, const double *probs)
{
	double top = 0;

	for (uint32_t k = 0; k < l->probs; k++)
		top = fmax(top, probs[k]);
	return top - !(row->flags & JOURNAL_WRONG);
}

double
limited_loss(const struct labels *l, const struct journal_row *row, const double *probs, enum limited figure)
{
	double none = (double)NAN, miss = (row->flags & JOURNAL_MISS) != 0;
	double wrong = (row->flags & JOURNAL_WRONG) != 0;
	bool scored = row->flags & JOURNAL_SCORED, covers = scored || row->flags & (JOURNAL_INTERVAL | JOURNAL_SET);
	bool class = !scored && row->flags & JOURNAL_CLASS;
	bool number = !scored && row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE);
	double error = fabs(row->u.done.label - row->u.done.value), gap;

	switch (figure) {
	case LIMITED_COVERAGE: return covers ? miss : none;
	case LIMITED_OVERCOVERAGE: return covers ? 1 - miss : none;
	case LIMITED_ACCURACY:
	case LIMITED_ERROR_RATE: return class ? wrong : none;
	case LIMITED_PRECISION: return class && row->klass == 1 ? wrong : none;
	case LIMITED_RECALL: return class && row->u.done.label == 1 ? wrong : none;
	case LIMITED_MAE: return number ? fmin(1, error / l->model->config->limits.mae_bound) : none;
	case LIMITED_BRIER: return probs && class ? squares(l, row, probs) : none;
	case LIMITED_OVERCONFIDENT:
	case LIMITED_UNDERCONFIDENT:
		if (!probs || !class)
			return none;
		gap = confidence_gap(l, row, probs);
		return (1 + (figure == LIMITED_OVERCONFIDENT ? gap : -gap)) / 2;
	default: return none;
	}
}

/* -- streams ------------------------------------------------------------------------------------------ */

struct stream *
limited_stream(struct labels *l, struct version *v, enum limited figure)
{
	struct common *common = l->model->common;
	struct stream *s = v->limited[figure];

	if (s)
		return s;
	s = v->limited[figure] = model_stream(l->model, v->outcomes, table[figure].kind,
	                                      table[figure].rate ? STREAM_BINARY : STREAM_NUMERIC,
	                                      table[figure].name, strlen(table[figure].name), v);
	if (!s)
		return NULL;
	s->known_p0 = limited_mean(l->model->config, figure);
	s->known_level = 1 - s->known_p0;
	common->at_ms = common->watermark_ms;
	if (!common->fitting)
		stream_start_tests(s, NULL);
	return s;
}

bool
limited_shown(const struct stream *s, double loss, double *shown, bool *falls)
{
	const struct performance_limits *p = &s->model->config->limits;
	enum limited f = 0;

	if (own_shown(s, loss, shown, falls))
		return true;
	while (f < LIMITED && (s->kind != table[f].kind || strcmp(s->field, table[f].name)))
		f++;
	if (f == LIMITED)
		return false;
	*falls = table[f].falls;
	*shown = f == LIMITED_MAE ? loss * p->mae_bound : f == LIMITED_BRIER ? 2 * loss :
	         table[f].kind == STREAM_CALIBRATION ? 2 * loss - 1 : table[f].falls ? 1 - loss : loss;
	return true;
}
