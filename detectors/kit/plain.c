/* plain.c -- see plain.h. */
#include "detectors/kit/plain.h"

bool
plain_is_probability(const void *options, double value)
{
	(void)options;
	return value >= 0.0 && value <= 1.0;
}
