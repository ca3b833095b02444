/* dtaci.c -- adaptive conformal inference with several steps at once (contract 9; Gibbs and
 * Candes 2024). Expert k has level a_k, step gamma_k and weight w_k; K experts.
 *
 *   value in force: a = sum w a_k / sum w;  miss = beta < a
 *   loss(beta, t) = alpha (beta - t) - min(0, beta - t)
 *   w_k <- w_k exp(-eta loss(beta, a_k));  w_k <- (1 - sigma) w_k / sum w + sigma / K
 *   a_k <- a_k + gamma_k (alpha - [beta < a_k])
 *
 * The reading is a, the alarm is the miss.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "dtaci";

struct dtaci_options {
	struct option_list gammas;
	double alpha, eta, sigma;
};

struct dtaci {
	struct dtaci_options o;
	/* state */
	double a[OPTION_LIST_MAX], w[OPTION_LIST_MAX];
};

static const struct option options_table[] = {
	OPT_F64(struct dtaci_options, alpha, "alpha", "0.1", 0.0, 1.0, "share of misses to reach"),
	OPT_LIST(struct dtaci_options, gammas, "gammas",
	         "0.001,0.002,0.004,0.008,0.016,0.032,0.064,0.128", 0.0, 1e3,
	         "steps of the experts"),
	OPT_F64(struct dtaci_options, eta, "eta", "2.72", 0.0, 1e3,
	        "how fast a bad expert loses its weight"),
	OPT_F64(struct dtaci_options, sigma, "sigma", "0.001", 0.0, 1.0,
	        "share of all weight that is spread evenly at each record"),
	OPT_END,
};

static void
begin(struct dtaci *self, const struct dtaci_options *o, const struct reference *ref)
{
	(void)ref;
	self->o = *o;
	for (uint32_t k = 0; k < self->o.gammas.n; k++) {
		self->a[k] = self->o.alpha;
		self->w[k] = 1.0 / self->o.gammas.n;
	}
}

/* Weights after the record. All of them may vanish when a level is far outside [0, 1]. */
static void
reweigh(struct dtaci *self, double beta)
{
	uint32_t experts = self->o.gammas.n;
	double sum = 0.0;

	for (uint32_t k = 0; k < experts; k++) {
		double away = beta - self->a[k];

		self->w[k] *= exp(-self->o.eta * (self->o.alpha * away - (away < 0.0 ? away : 0.0)));
		sum += self->w[k];
	}
	for (uint32_t k = 0; k < experts; k++)
		self->w[k] = sum > 0.0 ? (1.0 - self->o.sigma) * self->w[k] / sum
		                                 + self->o.sigma / experts
		                       : 1.0 / experts;
}

static void
step(void *instance, double beta, double g, double threshold, struct reading *out)
{
	struct dtaci *self = instance;
	double sum = 0.0, level = 0.0;

	(void)g;
	(void)threshold;
	for (uint32_t k = 0; k < self->o.gammas.n; k++) {
		sum += self->w[k];
		level += self->w[k] * self->a[k];
	}
	out->statistic = level / sum;
	out->alarm = beta < out->statistic;
	reweigh(self, beta);
	for (uint32_t k = 0; k < self->o.gammas.n; k++)
		self->a[k] += self->o.gammas.value[k]
		              * (self->o.alpha - (beta < self->a[k] ? 1.0 : 0.0));
}

PLAIN_DETECTOR(dtaci)

static void
dtaci_save(const void *instance, struct codec *out)
{
	const struct dtaci *self = instance;

	codec_put_f64s(out, self->a, self->o.gammas.n);
	codec_put_f64s(out, self->w, self->o.gammas.n);
}

static int
dtaci_load(void *instance, struct codec *in, struct diag *d)
{
	struct dtaci *self = instance;
	double sum = 0.0;
	bool fine = true;

	codec_get_f64s(in, self->a, self->o.gammas.n);
	codec_get_f64s(in, self->w, self->o.gammas.n);
	for (uint32_t k = 0; k < self->o.gammas.n; k++) {
		/* A level leaves [0, 1] by at most one step. */
		fine = fine && plain_between(self->a[k], -2e3, 2e3)
		       && plain_between(self->w[k], 0.0, 1.0 + 1e-9);
		sum += self->w[k];
	}
	return plain_loaded(fine && !in->bad && plain_between(sum, 0.999, 1.001), name, d);
}

const struct detector dtaci_detector = {
	.name = name,
	.summary = "aci with several steps that compete (recalibrator)",
	.source = "contract 9; Gibbs and Candes 2024",
	.kind = COLUMN_UNIT,
	.flags = DETECTOR_DECIDES,
	.options = options_table,
	.options_size = sizeof(struct dtaci_options),
	.bytes = dtaci_bytes,
	.create = dtaci_create,
	.destroy = free,
	.accepts = plain_is_probability,
	.update = dtaci_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = dtaci_save,
	.load = dtaci_load,
};
