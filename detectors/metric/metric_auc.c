/* metric_auc.c -- see metric_auc.h. Hanley and McNeil 1982: the area is the Mann-Whitney statistic. */
#include "detectors/metric/metric_auc.h"

#include <math.h>

#define OCTAVES 40.0

uint32_t
metric_auc_bin(double p)
{
	double odds = p < 1 ? log2(p / (1 - p)) : OCTAVES; /* -inf at 0 */
	double at = (odds + OCTAVES) * (METRIC_AUC_BINS / (2 * OCTAVES));

	return at >= METRIC_AUC_BINS ? METRIC_AUC_BINS - 1 : at > 0 ? (uint32_t)at : 0;
}

double
metric_auc_middle(uint32_t bin)
{
	double odds = (bin + 0.5) * (2 * OCTAVES / METRIC_AUC_BINS) - OCTAVES;

	return 1 / (1 + exp2(-odds));
}

double
metric_auc(const uint32_t *high, const uint32_t *low)
{
	double above = 0, lows = 0, highs = 0;

	for (uint32_t b = 0; b < METRIC_AUC_BINS; b++) {
		above += high[b] * (lows + 0.5 * low[b]);
		lows += low[b];
		highs += high[b];
	}
	return highs > 0 && lows > 0 ? above / (highs * lows) : (double)NAN;
}
