/* metric_auc.h -- area under the ROC curve from counts of two kinds by bin of a probability.
 *
 * METRIC_AUC_BINS bins of equal width in the log odds of p, from 2^-40 to 2^40: finer where probabilities of
 * classifiers lie. Pairs in one bin count half, so the error is at most half the share of such pairs. */
#ifndef DETECTORS_METRIC_METRIC_AUC_H
#define DETECTORS_METRIC_METRIC_AUC_H

#include <stdint.h>

enum { METRIC_AUC_BINS = 8192 };

uint32_t metric_auc_bin(double p); /* p in [0, 1] */
double metric_auc_middle(uint32_t bin); /* the probability in the middle of a bin */
/* P(p of a high > p of a low) + half of P(equal); NaN when there is none of a kind. */
double metric_auc(const uint32_t *high, const uint32_t *low);

#endif
