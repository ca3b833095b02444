/* check_delay.c -- how long changes of a few sizes take to be found at a class's g. See check.h. */
#include <math.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/diag.h"
#include "detectors/metric/metric_binomial.h"
#include "monitor/command/check.h"

enum { COVERAGE_DEFAULT_PERCENT = 90 };

static int
delay_table(struct check *c, const struct delay_case *of, size_t *at, struct diag *d)
{
	struct delay_table *grown;

	for (*at = 0; *at < c->delays; ++*at) {
		const struct delay_case *k = &c->delay[*at].of;

		if (k->kind == of->kind && k->from == of->from && k->to == of->to &&
		    k->min_effect == of->min_effect && k->reference == of->reference)
			return 0;
	}
	grown = realloc(c->delay, (c->delays + 1) * sizeof *grown);
	if (!grown)
		return diag_set(d, ERR_IO, "out of memory");
	c->delay = grown;
	return delay_fill(&c->delay[c->delays++], of, d);
}

static int
change(struct check *c, struct check_model *m, struct check_class *class,
       const struct delay_case *of,
       const char *words, double size, struct diag *d)
{
	struct check_change *out = &class->change[class->changes];
	size_t at;
	int err = 0;

	*out = (struct check_change){ .words = words, .size = size };
	class->changes++;
	out->forgiven = (of->kind == DELAY_SHIFT && of->to <= of->min_effect) ||
	                (of->kind == DELAY_RATE &&
	                 of->to - of->from <= of->min_effect * sqrt(of->from * (1 - of->from)));
	if (out->forgiven)
		return 0;
	err = delay_table(c, of, &at, d);
	for (uint32_t r = 0; r < m->rates && !err; r++)
		out->records[r] = delay_at(&c->delay[at], 1 / class->g[r]);
	return err;
}

static int
value_changes(struct check *c, struct check_model *m, struct check_class *class, struct diag *d)
{
	static const char *const words[] = { "level moves by 0.25 sigma", "level moves by 0.5 sigma",
		                             "level moves by 1 sigma" };
	static const double shift[] = { 0.25, 0.5, 1 };
	struct delay_case of = { .min_effect = m->config->min_effect,
		                 .reference = m->config->reference_records };
	int err = 0;

	for (int i = 0; i < 3 && !err && class->type[STREAM_NUMERIC]; i++) {
		of.kind = DELAY_SHIFT;
		of.to = shift[i];
		err = change(c, m, class, &of, words[i], shift[i], d);
	}
	if (!err && class->type[STREAM_CATEGORICAL]) {
		of.kind = DELAY_CATEGORY;
		of.to = 0.5;
		err = change(c, m, class, &of, "top of 5 categories halves", 0.5, d);
	}
	return err;
}

static int
gap_changes(struct check *c, struct check_model *m, struct check_class *class, struct diag *d)
{
	struct delay_case of = { DELAY_RATE, 0.01, 0.03, m->config->min_effect,
		                 m->config->reference_records };
	int err = change(c, m, class, &of, "missing values, 1 % -> 3 %", 0.03, d);

	of.to = 0.1;
	return err ? err : change(c, m, class, &of, "missing values, 1 % -> 10 %", 0.1, d);
}

/* Coverage is judged against its promise when the size of the calibration is known. */
static int
coverage_changes(struct check *c, struct check_model *m, struct check_class *class, struct diag *d)
{
	const struct model_config *config = m->config;
	double miss = isnan(config->coverage_level) ? 1 - COVERAGE_DEFAULT_PERCENT / 100.0 :
	                                              1 - config->coverage_level;
	double calibration = config->coverage_calibration > 0 ? (double)config->coverage_calibration :
	                                                        CHECK_CALIBRATION;
	struct delay_case of = { DELAY_KNOWN_RATE, miss, 0, config->min_effect,
	                        config->reference_records };
	int err;

	if (config->coverage_calibration != CALIBRATION_UNKNOWN)
		of.from = metric_p0_value(calibration, miss, 0.01, 1, config->coverage_tolerance);
	if (config->coverage_calibration == CALIBRATION_UNKNOWN || !(of.from > 0 && of.from < 1)) {
		of.kind = DELAY_RATE;
		of.from = miss;
	}
	of.to = fmin(1.5 * miss, 1);
	err = change(c, m, class, &of, "misses of coverage x 1.5", 1.5, d);
	of.to = fmin(2 * miss, 1);
	return err ? err : change(c, m, class, &of, "misses of coverage x 2", 2, d);
}

static int
label_changes(struct check *c, struct check_model *m, struct check_class *class, struct diag *d)
{
	struct delay_case of = { DELAY_RATE, 0.1, 0.15, m->config->min_effect,
	                        m->config->reference_records };
	int err = class->coverage ? coverage_changes(c, m, class, d) : 0;

	if (err || !class->error)
		return err;
	err = change(c, m, class, &of, "wrong classes, 10 % -> 15 %", 0.15, d);
	of.to = 0.2;
	return err ? err : change(c, m, class, &of, "wrong classes, 10 % -> 20 %", 0.2, d);
}

int
check_delays(struct check *c, struct check_model *m, struct diag *d)
{
	int err = 0;

	for (int i = 0; i < SHARE_CLASSES && !err; i++) {
		struct check_class *class = &m->class[i];

		if (!class->streams)
			continue;
		err = i == CLASS_LABELS ? label_changes(c, m, class, d) :
		      i == CLASS_QUALITY ? gap_changes(c, m, class, d) : value_changes(c, m, class, d);
	}
	return err;
}
