/* confidence.h -- accuracy before labels come, from the confidence of predictions alone.
 *
 * Average thresholded confidence (Garg et al. 2022): from the first CONFIDENCE_LABELS labelled
 * predictions (of a fitted reference, else as they come) the threshold below which as large a share of
 * confidences lies as predictions were wrong. Afterwards the share of predictions at or above it
 * estimates accuracy; that a prediction lies below is a binary stream (confidence:accuracy) of its
 * own. It knows nothing of labels: when the meaning of the features changes and confidence does not
 * (concept change) it stays quiet.
 */
#ifndef MONITOR_LABEL_CONFIDENCE_H
#define MONITOR_LABEL_CONFIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct model;
struct store;
struct version;

enum { CONFIDENCE_LABELS = 1000 };

struct confidence {
	double threshold;           /* NaN while it is learnt */
	double seen[CONFIDENCE_LABELS]; /* highest probabilities of labelled predictions */
	uint32_t n, wrong;
	bool dirty;
};

/* A labelled prediction; confidence NaN: it has no probabilities. May make the stream. */
void confidence_learn(struct model *m, struct version *v, double confidence, bool wrong);
/* Column of the stream for a prediction: 0, 1, or NaN. */
double confidence_below(const struct version *v, double confidence);
int confidence_put(const struct model *m, const struct version *v, struct store *store);
int confidence_load(const struct model *m, struct version *v, struct store *store, struct diag *d);

#endif
