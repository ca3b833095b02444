/* registry.c -- the table of detectors, sorted by name. */
#include "detectors/registry.h"

#include <math.h>
#include <string.h>

const struct detector *const detector_table[] = {
	&aci_detector,
	&adwin_detector,
	&bh_detector,
	&binary_detector,
	&categorical_detector,
	&conformal_detector,
	&cs_bernoulli_detector,
	&cs_mean_detector,
	&cusum_detector,
	&decaying_detector,
	&dtaci_detector,
	&e1_detector,
	&e2_detector,
	&ewma_detector,
	&focus_detector,
	&hddm_a_detector,
	&level_detector,
	&martingale_detector,
	&mondrian_detector,
	&page_hinkley_detector,
	&projections_detector,
	&sf_ogd_detector,
	&sr_bernoulli_detector,
	&sr_mean_detector,
	&sr_normal_detector,
	&tolerant_detector,
	&tolerant_binary_detector,
	&tolerant_categorical_detector,
	&window_p_detector,
	NULL,
};

const struct detector *
detector_find(const char *name)
{
	for (const struct detector *const *d = detector_table; *d; d++)
		if (strcmp((*d)->name, name) == 0)
			return *d;
	return NULL;
}

bool
detector_change_start(const struct lanes *l, double since[LANES_SUMS], struct change *out)
{
	double g = 0.0, start = 0.0;
	uint32_t lane;

	*out = (struct change){ 0 };
	lane = lanes_best(l, &g, &start, &out->start_ms, since);
	if (lane == UINT32_MAX)
		return false;
	out->records = l->records - (uint64_t)start;
	out->log_evidence = log(g);
	out->cell = lane;
	return out->records > 0;
}
