/* uncertainty_inside.h -- what the files of uncertainty.h share. */
#ifndef DETECTORS_UNCERTAINTY_UNCERTAINTY_INSIDE_H
#define DETECTORS_UNCERTAINTY_UNCERTAINTY_INSIDE_H

struct uncertainty;

/* No figure, no note. */
void uncertainty_none(struct uncertainty *out);

#endif
