/* distance.h -- how far a current sample lies from its reference (contract 12).
 *
 * Cells     counts of both samples over the same `count` cells (bins or categories). Cells that are
 *           empty in both samples are passed over; K is the number of the others.
 * Samples   ascending finite values, n of the reference and m of the current sample.
 * Undefined values are NaN: everything when a sample is empty, p-values where there is none.
 *
 * Pure functions; those that need scratch memory say so. All but the tables are O(cells) or O(n +
 * m).
 */
#ifndef DETECTORS_DISTANCE_DISTANCE_H
#define DETECTORS_DISTANCE_DISTANCE_H

#include <stdint.h>

enum distance_metric {
	DISTANCE_PSI,
	DISTANCE_PSI_CORRECTED,
	DISTANCE_JS,
	DISTANCE_JS_NATS,
	DISTANCE_HELLINGER,
	DISTANCE_TV,
	DISTANCE_KL,
	DISTANCE_CHI2,
	DISTANCE_G,
	DISTANCE_CELL_METRICS, /* the others need numbers */
	DISTANCE_KS = DISTANCE_CELL_METRICS,
	DISTANCE_WASSERSTEIN,
	DISTANCE_ENERGY,
	DISTANCE_CVM,
	DISTANCE_AD,
	DISTANCE_SIGMA_SHIFT,
	DISTANCE_METRICS,
};

struct distance {
	double value, p_value;
};

const char *distance_name(enum distance_metric metric); /* "psi", ... */

/* What a window of the daemon stores: one pass, one logarithm a cell. */
struct distance_psi {
	uint32_t cells;   /* K */
	double scale;     /* s = 1/n + 1/m */
	double psi;       /* smoothed by .5 a cell */
	double corrected; /* psi - s (K-1): its mean without a change is about 0 */
	double tv;        /* half the L1 distance of the raw proportions */
};
void distance_psi(const uint64_t *ref, const uint64_t *cur, uint32_t count,
                  struct distance_psi *out);

/* What depends on K alone; make one for each K that occurs. */
struct distance_table {
	uint32_t cells;
	double chi2_95;  /* .95 quantile of chi2 with K-1 degrees of freedom; 0 at K = 1 */
	double psi_max;  /* PSI at a shift of DISTANCE_SHIFT_MAX */
	double slope;    /* PSI = slope d^2 to first order at d = 0 */
	double *edge;    /* [K-1] inner edges of K equal-mass cells of N(0,1); caller's */
};
#define DISTANCE_SHIFT_MAX 5.0
/* cells >= 1; `edge` has cells - 1 doubles and outlives the table. O(cells). */
void distance_table_init(struct distance_table *t, uint32_t cells, double *edge);
/* PSI exceeds this in one window of twenty without a change. */
double distance_psi_null95(const struct distance_table *t, double scale);
/* The d in [0, DISTANCE_SHIFT_MAX] with PSI(N(0,1), N(d,1)) = `corrected` on the table's cells; 0
 * where corrected <= 0; NaN in, NaN out. A few passes over the cells; to 1e-12 of the exact root.
 * */
double distance_shift(const struct distance_table *t, double corrected);

/* psi .. g: out[DISTANCE_CELL_METRICS]. */
void distance_cells(const uint64_t *ref, const uint64_t *cur, uint32_t count, struct distance *out);

/* Largest distance of the two distribution functions. p-value by lattice paths (as if there were no
 * ties) when n m <= 10000, then `scratch` needs min(n, m) + 1 doubles; else Kolmogorov's limit. */
enum { DISTANCE_KS_EXACT_MAX = 10000, DISTANCE_KS_SCRATCH = 101 };
struct distance distance_ks(const double *ref, uint32_t n, const double *cur, uint32_t m,
                            double scratch[DISTANCE_KS_SCRATCH]);
/* Integral of |F - G|; square root of twice the integral of (F - G)^2. */
double distance_wasserstein(const double *ref, uint32_t n, const double *cur, uint32_t m);
double distance_energy(const double *ref, uint32_t n, const double *cur, uint32_t m);
/* Cramer-von Mises T with midranks and its limiting p-value. */
struct distance distance_cvm(const double *ref, uint32_t n, const double *cur, uint32_t m);
/* Anderson-Darling with midranks, standardised; NaN when all values are equal or n = m = 1. */
double distance_ad(const double *ref, uint32_t n, const double *cur, uint32_t m);

#endif
