/* honesty_cell.c -- see honesty_cell.h. */
#include "tests/bench/honesty_cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/special.h"
#include "tests/bench/records.h"

enum {
	ROWS = 4096,
	REFERENCE_DAYS = 14,  /* the default span of a learned reference */
	TRIES = 3,            /* so many times the references asked for, when some are void */
	RECORDS_MAX = 400,    /* of one reference, in units of those that its share takes without thinning */
};
static const double over_tail = 1e-3;

struct made {
	struct reference ref;
	double *value;
	uint32_t *code, *day, *key;
};

struct batch {
	double value[ROWS * HONESTY_WIDTH];
	uint32_t code[ROWS], key[ROWS];
	int64_t ts_ms[ROWS];
};

static void *
must(void *p)
{
	if (!p)
		bench_die("memory", "used up");
	return p;
}

static uint32_t
width(const struct honesty_cell *c)
{
	return c->kind->law == LAW_VECTOR ? HONESTY_WIDTH : 1;
}

/* Days and keys numbered by first appearance; a key is known by its hour. */
static void
make_reference(struct made *m, const struct honesty_cell *c, struct honesty_stream *s)
{
	static const char digits[HONESTY_CATEGORIES][3] = {
		"00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16",
		"17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33",
		"34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46", "47", "48", "49" };
	static const char *text[HONESTY_CATEGORIES];
	static uint32_t length[HONESTY_CATEGORIES];
	bool codes = c->kind->law == LAW_ZIPF, sampled = c->kind->sampled > 1;
	uint32_t n = 0, w = width(c), days = 0;
	struct honesty_record r = { 0 };
	int32_t last = -1;

	*m = (struct made){ .value = must(calloc((size_t)c->n_ref * w, sizeof *m->value)),
		.code = must(calloc(c->n_ref, sizeof *m->code)), .day = must(calloc(c->n_ref, sizeof *m->day)),
		.key = must(calloc(c->n_ref, sizeof *m->key)) };
	while (n < c->n_ref) {
		honesty_stream_next(s, &r);
		if (sampled && !honesty_stream_pick(s, c->kind->sampled))
			continue;
		memcpy(m->value + (size_t)n * w, r.value, w * sizeof *m->value);
		m->code[n] = r.code;
		m->key[n] = r.key;
		days += r.day != last;
		last = r.day;
		m->day[n++] = days - 1;
	}
	s->monitored = true;
	for (uint32_t i = 0; i < HONESTY_CATEGORIES; i++) {
		text[i] = digits[i];
		length[i] = 2;
	}
	m->ref = (struct reference){ .n = n, .value = codes ? NULL : m->value, .code = codes ? m->code : NULL,
		.day = m->day, .days = days, .key = c->test->keyed ? m->key : NULL,
		.keys = c->test->keyed ? HONESTY_KEYS : 1, .width = w,
		.categories = codes ? HONESTY_CATEGORIES : 0, .text = text, .text_len = length };
}

static void
made_free(struct made *m)
{
	free(m->value);
	free(m->code);
	free(m->day);
	free(m->key);
}

/* "a=1,b=2" into the detector's options. */
static void *
own_options(const struct honesty_cell *c)
{
	const struct detector *det = c->test->detector;
	void *own = must(calloc(1, det->options_size + 1));
	char text[128], *at = text, *pair;
	struct diag d;

	option_defaults(det->options, own);
	snprintf(text, sizeof text, "%s", c->test->params);
	while ((pair = strsep(&at, ",")) && *pair) {
		char *equals = strchr(pair, '=');

		*equals = 0;
		if (option_set(option_find(det->options, pair), own, equals + 1, &d))
			bench_die(c->test->label, d.text);
	}
	return own;
}

static struct runner *
make_runner(const struct honesty_cell *c, const struct reference *ref, double per_ms, uint64_t seed)
{
	struct runner_options o = { 0 };
	struct runner *runner;
	struct diag d;
	void *own = own_options(c);

	option_defaults(runner_option_table, &o);
	o.threshold = 1;
	o.thin = c->test->thin;
	o.phases = c->test->phases;
	o.ranks_within = true; /* as the daemon has it */
	if (runner_create(&runner, c->test->detector, own, &o, ref, seed, 1, &d))
		bench_die(c->test->label, d.text);
	/* One allowed alarm in the time of gamma records, which is also the period. */
	runner_set_meter(runner, &(struct meter){ per_ms / c->gamma, (int64_t)(c->gamma / per_ms / 50) });
	option_finish(c->test->detector->options, own);
	free(own);
	return runner;
}

static void
fill_batch(struct batch *b, const struct honesty_cell *c, struct honesty_stream *s)
{
	uint32_t w = width(c);
	struct honesty_record r;

	for (uint32_t i = 0; i < ROWS; i++) {
		honesty_stream_next(s, &r);
		memcpy(b->value + (size_t)i * w, r.value, w * sizeof *b->value);
		b->code[i] = r.code;
		b->key[i] = r.key;
		b->ts_ms[i] = r.ts_ms;
	}
}

/* Until `share` of the budget is spent. */
static void
monitor(struct honesty_cell *c, struct runner *runner, struct honesty_stream *s, double share)
{
	struct batch *b = must(malloc(sizeof *b));
	struct runner_scratch *scratch = must(runner_scratch_create(ROWS, width(c)));
	struct runner_status status;
	uint64_t most = (uint64_t)(RECORDS_MAX * share * c->gamma) + ROWS, done = 0;
	bool codes = c->kind->law == LAW_ZIPF;

	do {
		struct records rec = { .n = ROWS, .width = width(c), .value = codes ? NULL : b->value,
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
	double per_ms = c->n_ref * fmax(1, c->kind->sampled) / (REFERENCE_DAYS * HONESTY_DAY_MS);
	uint32_t tries = 0;

	while (tries < c->references * TRIES && c->spent < 0.999 * c->expected) {
		uint64_t seed = c->seed + 1000003 * (uint64_t)++tries;
		struct honesty_stream s;
		struct runner_status status;
		struct runner *runner;
		struct made m;

		honesty_stream_init(&s, c->kind, seed, per_ms);
		make_reference(&m, c, &s);
		runner = make_runner(c, &m.ref, per_ms, seed);
		made_free(&m);
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
	return low > 1 ? HONESTY_OVER : HONESTY_OK;
}
