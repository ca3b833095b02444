/* ood_window.h -- what a window, and its hour and day, know of the verdicts of a version.
 *
 * Rows of the hour and the day are put again whenever one of their windows closes, so nothing has to be
 * merged later. False discoveries are controlled over every LIMIT_OOD_DISCOVERY records in a row (Benjamini
 * and Hochberg 1995, at .1; Bates et al. 2023 for conformal p-values).
 */
#ifndef MONITOR_OOD_OOD_WINDOW_H
#define MONITOR_OOD_OOD_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "detectors/ood/score.h"

struct codec;
struct ood;
struct store;

struct ood_tally {
	uint64_t n, flagged, unsupported, tested, discoveries;
};
enum ood_level { OOD_WINDOW, OOD_HOUR, OOD_DAY, OOD_LEVELS };
struct ood_span {
	int64_t begin_ms;
	struct ood_tally *of;      /* [n] all records, then segment by segment */
	size_t n;
};

/* A record that is among the most unlike of its window. */
struct ood_extreme {
	double score, p;
	uint64_t sequence;
	int64_t ts;
	uint32_t reason, feature;  /* UINT32_MAX: none */
	double member[SCORER_MAX];
	uint32_t id_length;
	char id[LIMIT_TEXT_BYTES];
};

struct ood_windows {
	struct ood_span span[OOD_LEVELS];
	struct ood_extreme *extreme; /* [extremes] the most unlike first */
	uint32_t extremes;
	double *p;                   /* [LIMIT_OOD_DISCOVERY] */
	uint32_t ps;
	/* closed, to be put at the next commit */
	struct ood_closed *closed;
	size_t closes, closed_capacity;
	struct ood_kept *kept;
	size_t keeps, kept_capacity;
};

void ood_windows_finish(struct ood_windows *w);
int ood_windows_put(struct ood *o, struct store *store); /* what has closed since the last commit */
void ood_windows_save(const struct ood *o, struct codec *c);
int ood_windows_load(struct ood *o, struct codec *c);

#endif
