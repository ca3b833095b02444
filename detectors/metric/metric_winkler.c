/* metric_winkler.c -- `winkler`: means of the interval score (Winkler 1972; Gneiting and Raftery
 * 2007, eq. 43), of the width, and of the indicator lo <= y <= hi.
 *
 *   score = (hi - lo) + 2/alpha (lo - y)+ + 2/alpha (y - hi)+
 */
#include "detectors/metric/metric_winkler.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "config/option.h"
#include "detectors/metric/metric.h"

struct winkler_options {
	double alpha;
};

struct winkler_state {
	struct winkler_options o;
	double n, score, width, covered; /* sums */
};

static const struct option options[] = {
	OPT_F64(struct winkler_options, alpha, "alpha", "0.1", 1e-12, 1.0,
	        "The intervals promise to hold all but this share."),
	OPT_END,
};

static const struct metric_field fields[] = {
	{ "lo", METRIC_NUMBER, METRIC_REQUIRED, -HUGE_VAL, HUGE_VAL },
	{ "hi", METRIC_NUMBER, METRIC_REQUIRED, -HUGE_VAL, HUGE_VAL },
	{ "y", METRIC_NUMBER, METRIC_REQUIRED, -HUGE_VAL, HUGE_VAL },
	{ NULL, METRIC_NUMBER, METRIC_OPTIONAL, 0.0, 0.0 },
};

static int
create(void **out, const void *opts, uint64_t seed, struct diag *d)
{
	(void)seed;
	return metric_state(out, sizeof(struct winkler_state), opts, sizeof(struct winkler_options),
	                    d);
}

static int
add(void *self, const struct metric_row *row, struct diag *d)
{
	struct winkler_state *s = self;
	double lo = row->in[0].number, hi = row->in[1].number, y = row->in[2].number;

	if (lo > hi)
		return diag_set(d, ERR_INVALID, "lo is %g, above hi = %g", lo, hi);
	s->n += 1.0;
	s->score += metric_winkler_score(lo, hi, y, s->o.alpha);
	s->width += hi - lo;
	s->covered += lo <= y && y <= hi ? 1.0 : 0.0;
	return 0;
}

static size_t
values(void *self, struct metric_value *out)
{
	const struct winkler_state *s = self;
	double share = s->n > 0.0 ? 1.0 / s->n : (double)NAN;

	out[0] = (struct metric_value){ "winkler", s->score * share };
	out[1] = (struct metric_value){ "width", s->width * share };
	out[2] = (struct metric_value){ "coverage", s->covered * share };
	return 3;
}

extern const struct metric metric_winkler;

const struct metric metric_winkler = {
	.name = "winkler",
	.summary = "interval score, width and coverage of [lo, hi] for y",
	.source = "Winkler 1972; Gneiting and Raftery 2007, eq. 43",
	.fields = fields,
	.options = options,
	.options_size = sizeof(struct winkler_options),
	.create = create,
	.destroy = free,
	.add = add,
	.values = values,
};
