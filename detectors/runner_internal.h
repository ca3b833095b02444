/* runner_internal.h -- struct runner for its own files: runner.c, runner_reference.c,
 * runner_state.c. */
#ifndef DETECTORS_RUNNER_INTERNAL_H
#define DETECTORS_RUNNER_INTERNAL_H

#include "detectors/kit/reference.h"
#include "detectors/runner.h"

enum runner_stage {
	RUNNER_WARMING, /* the first values become the reference */
	RUNNER_RUNNING,
	RUNNER_FAILED,  /* memory failed when the warm-up ended: every reading is empty */
};

enum { RUNNER_SPENT = 4 }; /* sums side by side: their order does not depend on cuts */

struct runner {
	const struct detector *detector;
	struct runner_options options;
	void *own;           /* the detector's options, copied */
	uint64_t seed, stream;
	struct meter meter;
	bool metered;        /* g comes from the meter */

	void *instance;      /* NULL while warming up */
	size_t instance_bytes;
	uint32_t thin, phases; /* steps in force; 1 = none */
	uint32_t tile;       /* records that are looked at together; no state: cuts change nothing */
	uint32_t keys;       /* KEYED: keys of the reference */
	bool *key_known;     /* KEYED: [keys] has values after thinning; NULL = all */
	enum promise promise;

	/* warm-up; `taken` values are kept until the call after runner_take_warmup() */
	double *warm_value;  /* [warmup * width] */
	uint32_t *warm_code; /* [warmup] */
	uint32_t warm_n, warm_width, warmup;
	bool warm_ready, warm_taken;
	const char *const *warm_text; /* of the stream when it ended */
	const uint32_t *warm_text_len;
	uint32_t warm_categories;

	/* state */
	enum runner_stage stage;
	uint32_t position;   /* of the next usable record among `thin` ones */
	uint64_t used, used_window;
	double statistic, statistic_max;
	double spent[RUNNER_SPENT]; /* by the number of the used record modulo RUNNER_SPENT */
	bool suspended;
	bool has_last;       /* last_ms is the watermark of the last used record */
	int64_t last_ms;
};

/* Finds steps and promise for the reference and creates the instance from it. */
int runner_start(struct runner *r, const struct reference *ref, struct diag *d);
/* The warm-up's values as a reference. */
struct reference runner_warm_reference(const struct runner *r);
/* Room for a warm-up of rows of `width` values; false when memory fails. */
bool runner_warm_room(struct runner *r, uint32_t width);

#endif
