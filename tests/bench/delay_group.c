/* delay_group.c -- see delay_group.h. */
#include "tests/bench/delay_group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/records.h"

enum {
	ROWS = 256,
	ARL_STREAMS = 8,        /* fresh references behind a measured rate of false alarms */
	ARL_ALARMS = 40,        /* so many decide a peer's threshold: 16 %, about 1 % of a delay */
	ARL_RECORDS_MAX = 4000000,
	ARL_FLOOR_ALARMS = 10,  /* fewer are told as a floor */
	KNOB_STEPS = 16,
};

const struct delay_peer delay_peers[DELAY_PEERS] = {
	{ "ADWIN", "adwin", "delta", 1e-15, 1, true, true, false, false },
	{ "Page-Hinkley", "page-hinkley", "lambda", 0.1, 1e5, false, true, true, false },
	{ "HDDM-A", "hddm-a", "drift", 1e-30, 1, true, true, true, true },
	{ "CUSUM", "cusum", "h", 0.5, 1000, false, false, false, false },
	{ "EWMA", "ewma", "L", 1, 100, false, false, false, false },
};

/* One detector on one stream of one seed. */
struct path {
	struct bench_stream stream;
	struct runner *runner;
	struct runner_scratch *scratch;
	double low, high; /* values scaled from here to [0, 1]; low = high: as they are */
	double value[ROWS * STREAM_WIDTH];
	uint32_t code[ROWS], key[ROWS];
};

/* Where values of a law lie but for rare ones. */
static void
range(const struct bench_kind *k, double *low, double *high)
{
	static const double ends[][2] = { [LAW_NORMAL] = { -4, 4 }, [LAW_EXPONENTIAL] = { 0, 8 },
		[LAW_T2] = { -10, 10 }, [LAW_UNIFORM] = { 0, 1 }, [LAW_THREE] = { 1, 3 }, [LAW_ZEROS] = { 0, 5 },
		[LAW_BERNOULLI] = { 0, 1 }, [LAW_MISS] = { 0, 1 }, [LAW_ZIPF] = { 0, 1 }, [LAW_VECTOR] = { 0, 1 } };

	*low = ends[k->law][0] - k->season;
	*high = ends[k->law][1] + k->season;
}

/* Up to n more records; the number taken when it alarms, else n. */
static uint32_t
feed(struct path *p, bool keyed, uint32_t n, bool *alarm)
{
	uint32_t w = trial_width(p->stream.kind), done = 0;

	*alarm = false;
	while (done < n && !*alarm) {
		uint32_t rows = n - done < ROWS ? n - done : ROWS;
		bool codes = p->stream.kind->law == LAW_ZIPF;
		struct records rec = { .n = rows, .width = w, .value = codes ? NULL : p->value,
			.code = codes ? p->code : NULL, .key = keyed ? p->key : NULL };
		struct bench_made r;

		for (uint32_t i = 0; i < rows; i++) {
			bench_stream_next(&p->stream, &r);
			if (p->high > p->low)
				r.value[0] = fmin(fmax((r.value[0] - p->low) / (p->high - p->low), 0), 1);
			memcpy(p->value + (size_t)i * w, r.value, w * sizeof *p->value);
			p->code[i] = r.code;
			p->key[i] = r.key;
		}
		done += runner_update(p->runner, &rec, 0, p->scratch, NULL, alarm);
	}
	return done;
}

/* The same, going on after alarms; counts them. The rest of the records of an alarm's batch is dropped: they are
 * independent of it, or the stream's state is theirs. */
static uint32_t
feed_on(struct path *p, bool keyed, uint64_t n)
{
	uint32_t alarms = 0;

	for (uint64_t done = 0; done < n;) {
		bool alarm;

		done += feed(p, keyed, n - done < 1u << 30 ? (uint32_t)(n - done) : 1u << 30, &alarm);
		if (alarm) {
			alarms++;
			runner_reset(p->runner);
		}
	}
	return alarms;
}

static void
path_begin(struct path *p, const struct delay_group *g, const struct bench_kind *kind, uint64_t seed,
           const struct trial_test *test, const struct delay_peer *peer)
{
	struct trial_reference m;

	bench_stream_init(&p->stream, kind, seed, g->per_day / STREAM_DAY_MS);
	p->low = p->high = 0;
	if (peer && peer->unit)
		range(kind, &p->low, &p->high);
	p->scratch = trial_must(runner_scratch_create(ROWS, trial_width(kind)));
	if (g->n_ref == 0 || (peer && peer->learns)) {
		p->stream.monitored = true;
		p->runner = trial_runner(test, NULL, g->threshold, seed);
		if (peer)
			feed_on(p, false, g->n_ref);
		return;
	}
	trial_reference_make(&m, &p->stream, g->n_ref, !peer && test->keyed, !peer && g->days);
	p->runner = trial_runner(test, &m.ref, g->threshold, seed);
	if (g->per_step && !peer) {
		struct runner_status status;

		runner_status(p->runner, &status);
		runner_destroy(p->runner);
		p->runner = trial_runner(test, &m.ref, g->threshold / status.step, seed);
	}
	trial_reference_free(&m);
}

static void
path_end(struct path *p)
{
	runner_destroy(p->runner);
	runner_scratch_destroy(p->scratch);
}

/* Delays over `runs` paths; one that alarms before its change does not count. */
static struct delay_mean
measure_delay(const struct delay_group *g, const struct bench_kind *kind, const struct trial_test *test,
              const struct delay_peer *peer, uint32_t runs)
{
	struct path *p = trial_must(malloc(sizeof *p));
	struct delay_mean out = { 0 };
	double squares = 0;
	uint32_t found = 0;

	for (uint32_t i = 0; i < runs; i++) {
		uint32_t records;
		bool alarm, early;

		path_begin(p, g, kind, g->seed + 7919 * (uint64_t)(i + 1), test, peer);
		feed(p, test->keyed, DELAY_BEFORE, &early);
		if (!early) {
			p->stream.changed = true;
			records = feed(p, test->keyed, g->records_max, &alarm);
			out.paths++;
			out.missed += !alarm;
			if (alarm) {
				double away = records - out.mean;

				found++;
				out.mean += away / found;
				squares += away * (records - out.mean);
			}
		}
		path_end(p);
	}
	out.error = found > 1 ? sqrt(squares / ((double)found * (found - 1.0))) : (double)NAN;
	out.mean = found ? out.mean : (double)NAN;
	out.missed /= out.paths;
	free(p);
	return out;
}

/* Records a false alarm over fresh references; INFINITY without an alarm. */
static double
measure_arl(const struct delay_group *g, const struct trial_test *test, const struct delay_peer *peer,
            uint64_t records, uint32_t *alarms)
{
	struct path *p = trial_must(malloc(sizeof *p));

	*alarms = 0;
	for (uint32_t i = 0; i < ARL_STREAMS; i++) {
		path_begin(p, g, &g->kind, g->seed + 104729 * (uint64_t)(i + 1), test, peer);
		*alarms += feed_on(p, test->keyed, records / ARL_STREAMS);
		path_end(p);
	}
	free(p);
	return *alarms ? (double)records / *alarms : (double)INFINITY;
}

/* Where the null is known, charts are told it too. */
static void
peer_test(struct trial_test *t, char text[128], const struct delay_group *g, const struct delay_peer *peer,
          double knob)
{
	double rate = g->kind.rate;
	char known[80] = "";

	if (g->n_ref == 0 && !peer->learns && rate > 0)
		snprintf(known, sizeof known, "mu=%.17g,sigma=%.17g,", rate, sqrt(rate * (1 - rate)));
	snprintf(text, 128, "%s%s%s=%.17g", known, !peer->sided ? "" : g->peers_up ? "side=up," : "side=both,",
	         peer->knob, knob);
	*t = (struct trial_test){ peer->name, detector_find(peer->method), text, 1, 1, false, false };
}

/* The knob at which the peer alarms as often as the group's detector; its own rate there. */
static void
calibrate(struct delay_group *g, uint32_t which)
{
	const struct delay_peer *peer = &delay_peers[which];
	double low = log(peer->low), high = log(peer->high), middle = low;
	uint64_t records = (uint64_t)fmin(ARL_ALARMS * g->arl, ARL_RECORDS_MAX);
	struct trial_test test;
	char text[128];
	uint32_t alarms;

	for (int i = 0; i < KNOB_STEPS; i++) {
		middle = 0.5 * (low + high);
		peer_test(&test, text, g, peer, exp(middle));
		g->peer_arl[which] = measure_arl(g, &test, peer, records, &alarms);
		if (fabs(log(g->peer_arl[which] / g->arl)) < 0.05)
			break;
		if ((g->peer_arl[which] < g->arl) == peer->falls)
			high = middle;
		else
			low = middle;
	}
	g->knob[which] = exp(middle);
}

void
delay_group_run(struct delay_group *g)
{
	uint32_t alarms = 0;
	struct trial_test test;
	char text[128];

	for (uint32_t i = 0; i < g->changes; i++) {
		struct bench_kind kind = g->kind;

		kind.shift = g->change[i].shift;
		kind.scale = g->change[i].scale;
		kind.to = g->change[i].to;
		kind.to_which = g->change[i].to_which;
		g->ours[i] = measure_delay(g, &kind, &g->test, NULL, g->runs);
	}
	if (!g->peers)
		return;
	g->arl = measure_arl(g, &g->test, NULL, (uint64_t)fmin(100 * g->threshold, ARL_RECORDS_MAX), &alarms);
	g->arl_floor = alarms < ARL_FLOOR_ALARMS;
	if (g->arl_floor)
		g->arl = fmin(100 * g->threshold, ARL_RECORDS_MAX) / ARL_FLOOR_ALARMS;
	for (uint32_t k = 0; k < DELAY_PEERS; k++) {
		calibrate(g, k);
		peer_test(&test, text, g, &delay_peers[k], g->knob[k]);
		for (uint32_t i = 0; i < g->changes; i++) {
			struct bench_kind kind = g->kind;

			kind.shift = g->change[i].shift;
			kind.scale = g->change[i].scale;
			kind.to = g->change[i].to;
			g->peer[i][k] = measure_delay(g, &kind, &test, &delay_peers[k], g->peer_runs);
		}
	}
}
