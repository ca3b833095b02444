/* concentration.c -- see concentration.h. Cost: cells^2 / 2 likelihoods for a variable with an order. */
#include "detectors/coverage/concentration.h"

#include <math.h>

#include "detectors/kit/special.h"
#include "detectors/metric/metric_binomial.h"

uint32_t
concentration_searched(uint32_t cells, bool ordered)
{
	return ordered && cells ? cells * (cells - 1) / 2 + 1 : cells;
}

/* Log likelihood of `hits` of n at their own rate. */
static double
likelihood(double n, double hits)
{
	double rest = n - hits;

	return (hits > 0 ? hits * log(hits / n) : 0) + (rest > 0 ? rest * log(rest / n) : 0);
}

static double
gain(uint64_t n, uint64_t hits, uint64_t n_all, uint64_t hits_all)
{
	double in = (double)n, in_hits = (double)hits, out = (double)(n_all - n),
	       out_hits = (double)(hits_all - hits);

	if (n == 0 || n == n_all || in_hits * out <= out_hits * in)
		return 0;
	return likelihood(in, in_hits) + likelihood(out, out_hits) - likelihood(in + out, in_hits + out_hits);
}

static void
figures(struct concentration *c)
{
	double all = (double)c->n_all, all_hits = (double)c->hits_all, n = (double)c->n, hits = (double)c->hits;

	c->rate = n > 0 ? hits / n : (double)NAN;
	c->outside = all > n ? (all_hits - hits) / (all - n) : (double)NAN;
	c->lift = all_hits > 0 ? c->rate * all / all_hits : (double)NAN;
	c->low = c->high = (double)NAN;
}

static void
totals(const struct cell_count *count, uint32_t cells, struct concentration *out)
{
	*out = (struct concentration){ 0 };
	for (uint32_t i = 0; i < cells; i++) {
		out->n_all += count[i].n;
		out->hits_all += count[i].hits;
	}
}

bool
concentration_find(const struct cell_count *count, uint32_t cells, bool ordered, struct concentration *out)
{
	totals(count, cells, out);
	for (uint32_t first = 0; first < cells; first++) {
		uint64_t n = 0, hits = 0;

		for (uint32_t last = first; last < (ordered && first + 1 < cells ? cells - 1 : first + 1); last++) {
			double g;

			n += count[last].n;
			hits += count[last].hits;
			g = gain(n, hits, out->n_all, out->hits_all);
			if (g <= out->gain)
				continue;
			out->gain = g;
			out->first = first;
			out->last = last;
			out->n = n;
			out->hits = hits;
		}
	}
	figures(out);
	return out->gain > 0;
}

static double
log_choose(double n, double k)
{
	return -log(n + 1) - special_ln_beta(n - k + 1, k + 1);
}

/* P(at least `hits` of the n inside | hits_all of n_all anywhere): hypergeometric. */
static double
fisher(const struct concentration *c)
{
	double all = (double)c->n_all, all_hits = (double)c->hits_all, n = (double)c->n, x = (double)c->hits;
	double term = exp(log_choose(all_hits, x) + log_choose(all - all_hits, n - x) - log_choose(all, n));
	double sum = 0;

	for (; term > sum * 1e-16 && x <= n && x <= all_hits; x++) {
		sum += term;
		term *= (all_hits - x) * (n - x) / ((x + 1) * (all - all_hits - n + x + 1));
	}
	return fmin(sum, 1);
}

void
concentration_limits(struct concentration *c, double alpha, double searched)
{
	c->p = 1;
	if (c->n == 0)
		return;
	c->p = fmin(1, fisher(c) * fmax(searched, 1));
	metric_clopper_pearson_limits((double)c->hits, (double)c->n, alpha / fmax(searched, 1), &c->low,
	                              &c->high);
}
