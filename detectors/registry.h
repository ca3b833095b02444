/* registry.h -- the detectors by symbol, for registry.c, and what several of them share. */
#ifndef DETECTORS_REGISTRY_H
#define DETECTORS_REGISTRY_H

#include <stdbool.h>

#include "detectors/detector.h"
#include "detectors/kit/lanes.h"

extern const struct detector aci_detector;
extern const struct detector adwin_detector;
extern const struct detector bh_detector;
extern const struct detector binary_detector;
extern const struct detector categorical_detector;
extern const struct detector conformal_detector;
extern const struct detector cs_bernoulli_detector;
extern const struct detector cs_mean_detector;
extern const struct detector cusum_detector;
extern const struct detector decaying_detector;
extern const struct detector dtaci_detector;
extern const struct detector e1_detector;
extern const struct detector e2_detector;
extern const struct detector ewma_detector;
extern const struct detector focus_detector;
extern const struct detector hddm_a_detector;
extern const struct detector level_detector;
extern const struct detector martingale_detector;
extern const struct detector mondrian_detector;
extern const struct detector page_hinkley_detector;
extern const struct detector projections_detector;
extern const struct detector sf_ogd_detector;
extern const struct detector sr_bernoulli_detector;
extern const struct detector sr_mean_detector;
extern const struct detector sr_normal_detector;
extern const struct detector tolerant_detector;
extern const struct detector tolerant_binary_detector;
extern const struct detector tolerant_categorical_detector;
extern const struct detector window_p_detector;

/* Fills records, start_ms, log_evidence and (in `cell`) the lane of the change, and the sums
 * since its start; everything else is zeroed. False, with all of *out zero, when no bet speaks of
 * one. */
bool detector_change_start(const struct lanes *l, double since[LANES_SUMS], struct change *out);

#endif
