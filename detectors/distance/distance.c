/* distance.c -- distances of counts over cells (contract 12).
 *
 *   p_b, q_b    (count + .5) / (size + .5 K)                      smoothed
 *   psi         sum (q_b - p_b) ln(q_b / p_b)       ~ s chi2_{K-1} without a change
 *   kl          sum q_b ln(q_b / p_b)
 *   p, q        count / size                                      raw, for the rest
 *   tv          1/2 sum |p - q|
 *   hellinger   sqrt(1/2 sum (sqrt p - sqrt q)^2)   8 H^2 / s ~ chi2_{K-1}
 *   js_nats     sqrt(D), D = 1/2 sum p ln(p/c) + q ln(q/c), c = (p+q)/2;  8 D / s ~ chi2_{K-1}
 *   chi2, g     sum (O-E)^2 / E and 2 sum O ln(O/E) of the 2 x K table with rare cells merged
 *
 * (Yurdakul 2018 for psi's null distribution; s = 1/n + 1/m.)
 */
#include "detectors/distance/distance.h"

#include <math.h>

#include "detectors/kit/special.h"

/* A cell is rare when its smaller expected count is below this (Cochran's rule). */
static const double expected_min = 5.0;

static const char *const names[DISTANCE_METRICS] = {
	"psi", "psi_corrected", "js",          "js_nats", "hellinger", "tv", "kl",          "chi2",
	"g",   "ks",            "wasserstein", "energy",  "cvm",       "ad", "sigma_shift",
};

const char *
distance_name(enum distance_metric metric)
{
	return (unsigned)metric < DISTANCE_METRICS ? names[metric] : "";
}

struct sizes {
	uint32_t cells;
	double n, m;
};

static struct sizes
count_sizes(const uint64_t *ref, const uint64_t *cur, uint32_t count)
{
	struct sizes s = { 0, 0.0, 0.0 };

	for (uint32_t i = 0; i < count; i++) {
		s.cells += ref[i] != 0 || cur[i] != 0;
		s.n += (double)ref[i];
		s.m += (double)cur[i];
	}
	return s;
}

void
distance_psi(const uint64_t *ref, const uint64_t *cur, uint32_t count, struct distance_psi *out)
{
	struct sizes s = count_sizes(ref, cur, count);
	double total_p = s.n + 0.5 * s.cells, total_q = s.m + 0.5 * s.cells;
	double psi = 0.0, tv = 0.0;

	*out = (struct distance_psi){ s.cells, (double)NAN, (double)NAN, (double)NAN, (double)NAN };
	if (s.n <= 0.0 || s.m <= 0.0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		double p, q;

		if (ref[i] == 0 && cur[i] == 0)
			continue;
		p = ((double)ref[i] + 0.5) / total_p;
		q = ((double)cur[i] + 0.5) / total_q;
		psi += (q - p) * log(q / p);
		tv += fabs((double)ref[i] / s.n - (double)cur[i] / s.m);
	}
	out->scale = 1.0 / s.n + 1.0 / s.m;
	out->psi = psi;
	out->corrected = psi - out->scale * (s.cells - 1);
	out->tv = 0.5 * tv;
}

static double
chi2_p(double x, uint32_t df)
{
	return df == 0 ? 1.0 : special_chi2_tail(fmax(x, 0.0), df);
}

/* (1+d) ln(1+d), 0 at d = -1. */
static double
entropy_term(double d)
{
	return d <= -1.0 ? 0.0 : (1.0 + d) * log1p(d);
}

/* The 2 x K table. Observed counts of one cell join the sums; E is its expected count. */
struct table_sums {
	double chi2, g;
	uint32_t cells;
};

static void
table_add(struct table_sums *t, double ref, double cur, double share_n, double share_m)
{
	double expected[2] = { (ref + cur) * share_n, (ref + cur) * share_m };
	double seen[2] = { ref, cur };

	for (int i = 0; i < 2; i++) {
		t->chi2 += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
		if (seen[i] > 0.0)
			t->g += 2.0 * seen[i] * log(seen[i] / expected[i]);
	}
	t->cells++;
}

static struct table_sums
table_test(const uint64_t *ref, const uint64_t *cur, uint32_t count, const struct sizes *s)
{
	struct table_sums t = { 0.0, 0.0, 0 };
	double share_n = s->n / (s->n + s->m), share_m = s->m / (s->n + s->m);
	double rare_ref = 0.0, rare_cur = 0.0;

	for (uint32_t i = 0; i < count; i++) {
		double a = (double)ref[i], b = (double)cur[i];

		if (a + b <= 0.0)
			continue;
		if ((a + b) * fmin(s->n, s->m) / (s->n + s->m) < expected_min) {
			rare_ref += a;
			rare_cur += b;
		} else {
			table_add(&t, a, b, share_n, share_m);
		}
	}
	if (rare_ref + rare_cur > 0.0)
		table_add(&t, rare_ref, rare_cur, share_n, share_m);
	if (t.cells <= 1)
		t.chi2 = t.g = 0.0;
	t.g = fmax(t.g, 0.0);
	return t;
}

void
distance_cells(const uint64_t *ref, const uint64_t *cur, uint32_t count, struct distance *out)
{
	struct sizes s = count_sizes(ref, cur, count);
	struct distance_psi psi;
	struct table_sums table;
	double hellinger = 0.0, js = 0.0, kl = 0.0;
	uint32_t df = s.cells > 0 ? s.cells - 1 : 0;

	for (int i = 0; i < DISTANCE_CELL_METRICS; i++)
		out[i] = (struct distance){ (double)NAN, (double)NAN };
	if (s.n <= 0.0 || s.m <= 0.0)
		return;
	distance_psi(ref, cur, count, &psi);
	for (uint32_t i = 0; i < count; i++) {
		double p = (double)ref[i] / s.n, q = (double)cur[i] / s.m, d, r;

		if (p + q <= 0.0)
			continue;
		r = sqrt(p) - sqrt(q);
		hellinger += r * r;
		/* With d = (q-p)/(p+q) both terms of D are those of 1 +- d: no cell is negative. */
		d = (q - p) / (p + q);
		js += 0.25 * (p + q) * (entropy_term(d) + entropy_term(-d));
		p = ((double)ref[i] + 0.5) / (s.n + 0.5 * s.cells);
		q = ((double)cur[i] + 0.5) / (s.m + 0.5 * s.cells);
		kl += q * log(q / p);
	}
	js = fmax(js, 0.0);
	table = table_test(ref, cur, count, &s);
	out[DISTANCE_PSI] = (struct distance){ psi.psi, chi2_p(psi.psi / psi.scale, df) };
	out[DISTANCE_PSI_CORRECTED].value = psi.corrected;
	out[DISTANCE_JS_NATS] = (struct distance){ sqrt(js), chi2_p(8.0 * js / psi.scale, df) };
	out[DISTANCE_JS] = out[DISTANCE_JS_NATS];
	out[DISTANCE_JS].value = sqrt(js / log(2.0));
	out[DISTANCE_HELLINGER] = (struct distance){
		sqrt(0.5 * hellinger),
		chi2_p(4.0 * hellinger / psi.scale, df),
	};
	out[DISTANCE_TV].value = psi.tv;
	out[DISTANCE_KL].value = kl;
	out[DISTANCE_CHI2] = (struct distance){ table.chi2, chi2_p(table.chi2, table.cells - 1) };
	out[DISTANCE_G] = (struct distance){ table.g, chi2_p(table.g, table.cells - 1) };
}
