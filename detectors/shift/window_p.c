/* window_p.c -- the p-values of a windowed test as evidence (contract 11b), the only way from such
 * a test to an alert.
 *
 *   L = mean over kappa of k p^(k-1), 1e300 at p = 0 and at most;  R <- (g + R) L;  alarm when R >=
 *   c
 *
 * E[L | past] <= 1 as long as each p is valid given the past: windows that are disjoint and were
 * not chosen by looking. (Vovk and Wang 2021, calibrators.)
 */
#include "config/option.h"
#include "detectors/kit/known_null.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "window-p";
static const double factor_max = 1e300;

struct window_p_options {
	struct option_list kappa;
};

struct window_p {
	struct known_null base;
	struct window_p_options o;
	double ln_kappa[OPTION_LIST_MAX];
};

static const struct option options_table[] = {
	OPT_LIST(struct window_p_options, kappa, "kappa", ".3,.5,.7,.9", 1e-6, 1.0,
	         "powers of the bets: small ones bet on rare tiny p-values"),
	OPT_END,
};

static void
fill(const struct known_null *base, const double *value, uint32_t rows, double *factor,
     double (*add)[LANES_SUMS])
{
	const struct window_p *self = (const struct window_p *)base;
	const struct option_list *kappa = &self->o.kappa;

	for (uint32_t i = 0; i < rows; i++) {
		double p = value[i], ln_p = p > 0.0 ? log(p) : 0.0, sum = 0.0;

		for (uint32_t k = 0; k < kappa->n; k++)
			sum += fmin(exp(self->ln_kappa[k] + (kappa->value[k] - 1.0) * ln_p),
			            factor_max);
		factor[(size_t)i * base->lanes.n] = p > 0.0 ? fmin(sum / kappa->n, factor_max)
		                                            : factor_max;
		add[i][0] = p;
		add[i][1] = add[i][2] = 0.0;
	}
}

static size_t
window_p_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	(void)options;
	(void)ref;
	return known_null_bytes(sizeof(struct window_p), 1, phases, 0);
}

static int
window_p_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                uint64_t seed, uint64_t stream, struct diag *d)
{
	struct window_p *self = known_null_create(sizeof *self, name, fill, 1, phases, NULL, 0);

	(void)ref;
	(void)seed;
	(void)stream;
	if (!self)
		return diag_set(d, ERR_IO, "%s: out of memory", name);
	self->o = *(const struct window_p_options *)options;
	for (uint32_t k = 0; k < self->o.kappa.n; k++)
		self->ln_kappa[k] = log(self->o.kappa.value[k]);
	*out = self;
	return 0;
}

/* The effect is how far the mean p-value lies below 1/2, in points. */
static void
window_p_change(const void *instance, struct change *out)
{
	const struct window_p *self = instance;
	double since[LANES_SUMS], half;

	if (!detector_change_start(&self->base.lanes, since, out))
		return;
	out->cell = 0;
	out->up = true;
	out->old_value = 0.5;
	out->new_value = since[0] / (double)out->records;
	out->effect = out->old_value - out->new_value;
	half = 1.95996398454005423552 / sqrt(12.0 * (double)out->records);
	out->low = out->effect - half;
	out->high = out->effect + half;
}

const struct detector window_p_detector = {
	.name = name,
	.summary = "p-values of a test on disjoint windows that are too small too often",
	.source = "contract 11b; Vovk and Wang 2021",
	.kind = COLUMN_UNIT,
	.flags = DETECTOR_METERED,
	.options = options_table,
	.options_size = sizeof(struct window_p_options),
	.bytes = window_p_bytes,
	.create = window_p_create,
	.destroy = free,
	.accepts = plain_is_probability,
	.update = known_null_update,
	.reset = known_null_reset,
	.skip = known_null_skip,
	.change = window_p_change,
	.save = known_null_save,
	.load = known_null_load,
	.use = known_null_use,
};
