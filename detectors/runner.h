/* runner.h -- one detector on one stream, with the rules that all detectors share: missing values,
 * warm-up, thinning (contract 11), phases (11a), gains (2) and the metered budget.
 *
 * The filters of the command line and the daemon use the same code; they differ in where g comes
 * from (a column, or the meter) and in what they do at an alarm (reset at once, or an episode).
 */
#ifndef DETECTORS_RUNNER_H
#define DETECTORS_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"
#include "detectors/detector.h"

struct reference;
struct runner;

/* Options that every detector may take beside its own. */
struct runner_options {
	double threshold;   /* c; command line 1e4, daemon 1 */
	bool metered;       /* filter only: lines are `g,rest` */
	bool days, keyed;   /* filter only, contract 4b */
	uint32_t thin;      /* step or OPTION_AUTO; 1 */
	uint32_t phases;    /* copies or OPTION_AUTO; 1 */
	uint32_t warmup;    /* OPTION_AUTO: 1000, or 2000 for phases: auto */
	bool ranks_within;  /* thin: auto of days and keys looks at ranks less means (WITHIN_RANKS), not at
	                     * values less means as contract 4b has it: no option of filters */
};
extern const struct option runner_option_table[]; /* ended by OPT_END */

/* A budget that is metered by event time: g = min(rate dt, 1e-3), dt = the watermark's advance since
 * the stream's last used record, at most dt_max; a late record has g = 0, and so has the first. */
struct meter {
	double rate;       /* b / P: alarms per millisecond */
	int64_t dt_max_ms; /* P / 50 */
};

enum promise {
	PROMISE_PROVISIONAL,    /* the reference is not complete, or k is not found yet */
	PROMISE_CERTIFIED,
	PROMISE_VOID_DEPENDENT, /* contract 11: no step found */
	PROMISE_UNBUDGETED,     /* of the daemon: tuned by a threshold, false alarms are not bounded */
	PROMISE_VOID_SHORT,     /* contract 4b: fewer than cycle + 6 days or 200 thinned values */
};
const char *promise_text(enum promise p); /* "provisional", "certified", "void: dependent", ... */

/* All records of one stream in merged order. */
struct records {
	uint32_t n;
	uint32_t width;
	const double *value;       /* [n * width] NaN = missing; NULL for categories */
	const uint32_t *code;      /* [n] RUNNER_MISSING = missing */
	const uint32_t *key;       /* [n] or NULL; a key >= reference keys has no reference: not used */
	const double *gain;        /* [n] given gains; NULL: the meter's, or 1 without a meter */
	const int64_t *watermark_ms; /* [n] with a meter */
	const double *advance_ms;  /* [n] watermark_ms less the one before it, or NULL; [0] is not read */
	const uint8_t *late;       /* [n] or NULL; 1 = g is 0 */
	const int64_t *time_ms;    /* [n] or NULL */
	/* Texts of the codes so far, read only when a warm-up of categories ends (ties of frequency go
	 * by bytes); NULL: ties go by code. */
	uint32_t categories;
	const char *const *text;   /* [categories] */
	const uint32_t *text_len;  /* [categories] */
};
#define RUNNER_MISSING UINT32_MAX

/* Columns for packing used records; one for all runners of a thread. */
struct runner_scratch;
struct runner_scratch *runner_scratch_create(uint32_t rows, uint32_t width);
void runner_scratch_destroy(struct runner_scratch *s);

/* Creates the runner. With a reference the detector exists at once; without one (and
 * DETECTOR_WARMS_UP, or phases: auto) it starts after the warm-up. The reference is not kept.
 * `own` are the detector's own options (copied). The thinning rule looks at the whole reference. */
int runner_create(struct runner **out, const struct detector *det, const void *own,
                  const struct runner_options *o, const struct reference *ref, uint64_t seed,
                  uint64_t stream, struct diag *d);
void runner_destroy(struct runner *r); /* NULL is fine */
/* From now on g is metered; rate 0 = nothing is spent and nothing can cross. */
void runner_set_meter(struct runner *r, const struct meter *m);

/* Consumes records [from, n) until an alarm. out[i] is written for each consumed one (statistic NaN =
 * empty: missing, warm-up, between thinned records); out may be NULL. Returns the next record. *alarm
 * says whether the record before it crossed (S >= c). Nothing is reset. */
uint32_t runner_update(struct runner *r, const struct records *rec, uint32_t from,
                       struct runner_scratch *s, struct reading *out, bool *alarm);
void runner_reset(struct runner *r); /* contract 2: after an alarm */
/* While suspended (open episode, `expect`), records are counted (contract 1's n) but not evaluated, and
 * no g is spent; dt starts anew at the first record used afterwards. */
void runner_suspend(struct runner *r, bool on);

struct runner_status {
	enum promise promise;
	uint32_t step;         /* k of thinning or phases */
	bool warming_up;
	double statistic;      /* S of the last used record; NaN before */
	double statistic_max;  /* since runner_window() */
	double spent;          /* sum of g so far */
	uint64_t used;         /* records used so far */
	uint64_t used_window;  /* since runner_window() */
};
void runner_status(const struct runner *r, struct runner_status *out);
void runner_window(struct runner *r); /* a window was closed: statistic_max starts anew */
/* False when the detector cannot tell. */
bool runner_change(const struct runner *r, struct change *out);
const struct detector *runner_detector(const struct runner *r);
/* The detector itself, for what only its own header knows; NULL while it warms up. */
void *runner_instance(const struct runner *r);
size_t runner_bytes(const struct runner *r);

/* Once, after the update that ended a warm-up: the values it collected, to be stored by the caller,
 * who passes them as the reference when it makes this runner again. True at most once; the arrays are
 * valid until the next call with this runner. */
bool runner_take_warmup(struct runner *r, struct reference *out);

void runner_save(const struct runner *r, struct codec *out);
/* Into a runner made by runner_create with the same arguments. ERR_CORRUPT otherwise. */
int runner_load(struct runner *r, struct codec *in, struct diag *d);

#endif
