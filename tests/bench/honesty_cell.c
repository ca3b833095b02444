/* honesty_cell.c -- see honesty_cell.h. */
#include "tests/bench/honesty_cell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/special.h"
#include "tests/bench/records.h"

enum {
	ROWS = 4096,
	REFERENCE_DAYS = 14,  /* the default span of a learned reference */
	TRIES = 3,            /* so many times the references asked for, when some are void */
	RECORDS_MAX = 400,    /* of one reference, in units of those that its share takes without thinning */
};
static const double over_tail = 1e-3;

struct batch {
	double value[ROWS * STREAM_WIDTH];
	uint32_t code[ROWS], key[ROWS];
	int64_t ts_ms[ROWS];
};

/* One allowed alarm in the time of gamma records, which is also the period. */
static struct runner *
make_runner(const struct honesty_cell *c, const struct reference *ref, double per_ms, uint64_t seed)
{
	struct runner *runner = trial_runner(c->test, ref, 1, seed);

	runner_set_meter(runner, &(struct meter){ per_ms / c->gamma, (int64_t)(c->gamma / per_ms / 50) });
	return runner;
}

static void
fill_batch(struct batch *b, const struct honesty_cell *c, struct bench_stream *s)
{
	uint32_t w = trial_width(c->kind);
	struct bench_made r;

	for (uint32_t i = 0; i < ROWS; i++) {
		bench_stream_next(s, &r);
		memcpy(b->value + (size_t)i * w, r.value, w * sizeof *b->value);
		b->code[i] = r.code;
		b->key[i] = r.key;
		b->ts_ms[i] = r.ts_ms;
	}
}

/* Until `share` of the budget is spent. */
static void
monitor(struct honesty_cell *c, struct runner *runner, struct bench_stream *s, double share)
{
	struct batch *b = trial_must(malloc(sizeof *b));
	struct runner_scratch *scratch = trial_must(runner_scratch_create(ROWS, trial_width(c->kind)));
	struct runner_status status;
	uint64_t most = (uint64_t)(RECORDS_MAX * share * c->gamma) + ROWS, done = 0;
	bool codes = c->kind->law == LAW_ZIPF;

	do {
		struct records rec = { .n = ROWS, .width = trial_width(c->kind), .value = codes ? NULL : b->value,
			.code = codes ? b->code : NULL, .key = c->test->keyed ? b->key : NULL,
			.watermark_ms = b->ts_ms, .time_ms = b->ts_ms };
		uint32_t from = 0;
		bool alarm;

		fill_batch(b, c, s);
		while (from < ROWS) {
			from = runner_update(runner, &rec, from, scratch, NULL, &alarm);
			if (alarm) {
				c->alarms++;
				runner_reset(runner);
			}
		}
		done += ROWS;
		runner_status(runner, &status);
	} while (status.spent < share && done < most);
	c->spent += status.spent;
	c->records += done;
	runner_scratch_destroy(scratch);
	free(b);
}

void
honesty_cell_run(struct honesty_cell *c)
{
	double per_ms = c->n_ref * fmax(1, c->kind->sampled) / (REFERENCE_DAYS * STREAM_DAY_MS);
	uint32_t tries = 0;

	while (tries < c->references * TRIES && c->spent < 0.999 * c->expected) {
		uint64_t seed = c->seed + 1000003 * (uint64_t)++tries;
		struct bench_stream s;
		struct runner_status status;
		struct runner *runner;
		struct trial_reference m;

		bench_stream_init(&s, c->kind, seed, per_ms);
		trial_reference_make(&m, &s, c->n_ref, c->test->keyed, true);
		runner = make_runner(c, &m.ref, per_ms, seed);
		trial_reference_free(&m);
		runner_status(runner, &status);
		c->dependent += status.promise == PROMISE_VOID_DEPENDENT;
		c->is_short += status.promise == PROMISE_VOID_SHORT;
		if (status.promise == PROMISE_CERTIFIED) {
			c->step_min = c->used && c->step_min < status.step ? c->step_min : status.step;
			c->step_max = c->step_max > status.step ? c->step_max : status.step;
			c->used++;
			monitor(c, runner, &s, c->expected / c->references);
		}
		runner_destroy(runner);
		if (tries >= c->references && c->used == 0)
			break;
	}
}

void
honesty_cell_limits(const struct honesty_cell *c, double tail, double *low, double *high)
{
	double k = (double)c->alarms;

	*low = k > 0 ? special_chi2_quantile(tail, 2 * k) / 2 / c->spent : 0;
	*high = special_chi2_quantile(1 - tail, 2 * k + 2) / 2 / c->spent;
}

enum honesty_verdict
honesty_cell_verdict(const struct honesty_cell *c)
{
	double low, high;

	if (c->used == 0)
		return HONESTY_VOID;
	honesty_cell_limits(c, over_tail, &low, &high);
	if (low > 1)
		return HONESTY_OVER;
	return low > fmax(1.5 * c->target, c->target + 0.1) ? HONESTY_WORSE : HONESTY_OK; /* target may be NaN */
}
