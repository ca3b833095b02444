/* cs_bernoulli.h -- limits for a rate that hold at every moment at once (contract 7). */
#ifndef DETECTORS_SHIFT_CS_BERNOULLI_H
#define DETECTORS_SHIFT_CS_BERNOULLI_H

/* Robbins' beta-binomial confidence sequence after `ones` of n > 0, prior Beta(1/2, 1/2): with probability
 * 1 - alpha the limits hold the rate however often they are looked at while n grows. */
void cs_bernoulli_limits(double ones, double n, double alpha, double *lower, double *upper);

#endif
