/* panel.h -- conformal p-values of scores, and the panel that makes one verdict of several.
 *
 * A p-value is (1 + #{calibration scores >= s}) / (n + 1): uniform or larger for a record like the
 * calibration rows, which the score was not fitted on (Vovk, Gammerman, Shafer 2005). The panel's members
 * are ranked against every other calibration row (half A, from the first on); q is the least of their
 * p-values, and the verdict ranks q against the q of half B, which keeps it a p-value whatever the members
 * have in common.
 */
#ifndef DETECTORS_OOD_PANEL_H
#define DETECTORS_OOD_PANEL_H

#include "detectors/ood/score.h"

/* Calibration scores in ascending order. */
struct calibration {
	double *score;
	uint32_t n;
};
/* Sorts the scores, which it keeps. */
void calibration_init(struct calibration *c, double *score, uint32_t n);
void calibration_finish(struct calibration *c);
double calibration_p(const struct calibration *c, double score); /* in (0, 1] */

struct verdict {
	double score;              /* -q: higher = more unlike */
	double p;
	uint32_t reason;           /* the member with the least p; the first of equals */
	double member[SCORER_MAX]; /* their p */
};

struct panel {
	struct scorer scorer;
	struct calibration member[SCORER_MAX]; /* half A */
	struct calibration least;              /* -q of half B */
	double *score[SCORER_MAX];             /* room: [SCORER_ROWS] */
};

/* Fits the scorer on `fit` and calibrates it. Errors as scorer_init(). */
int panel_init(struct panel *p, const struct score *const *score, uint32_t n, const struct score_options *o,
               const struct score_rows *fit, const struct score_rows *calibration, struct diag *d);
void panel_finish(struct panel *p);
void panel_run(struct panel *p, const struct score_rows *rows, struct verdict *out);
/* The scores that suit what the rows have: their number, at most SCORER_MAX; 0: nothing suits. */
uint32_t panel_default(const struct score_rows *rows, const struct score **out);

#endif
