/* metric_winkler.h -- the score of a prediction interval (contract 15). */
#ifndef DETECTORS_METRIC_METRIC_WINKLER_H
#define DETECTORS_METRIC_METRIC_WINKLER_H

/* Width of [lower, upper] plus 2/alpha for each unit that y lies outside: proper for the central
 * 1 - alpha interval. */
static inline double
metric_winkler_score(double lower, double upper, double y, double alpha)
{
	double score = upper - lower;

	if (y < lower)
		score += 2.0 / alpha * (lower - y);
	else if (y > upper)
		score += 2.0 / alpha * (y - upper);
	return score;
}

#endif
