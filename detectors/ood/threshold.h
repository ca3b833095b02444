/* threshold.h -- a score above which a stated share of records like the reference lies, and how far the true
 * share may be off.
 *
 * With the (m+1)-th largest of n calibration scores as threshold, the share of such records above it is
 * Beta(m+1, n-m) over the draws of the calibration. Nominal: m = round(alpha n). PAC: the largest m with
 * P(share <= alpha) >= 1 - delta.
 */
#ifndef DETECTORS_OOD_THRESHOLD_H
#define DETECTORS_OOD_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "detectors/ood/panel.h"

struct threshold {
	bool possible;    /* false: so few scores allow no such threshold; the rest is 0 */
	uint32_t m;       /* calibration scores above it, but for ties */
	double score;     /* a record is called out of distribution when its score is larger */
	double low, high; /* central 95 % of the true share */
};

/* alpha, delta in (0, 1). */
struct threshold threshold_nominal(const struct calibration *c, double alpha);
struct threshold threshold_pac(const struct calibration *c, double alpha, double delta);

#endif
