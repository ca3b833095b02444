/* honesty_stream.h -- the streams of bench-honesty: nothing changes on any of them, but they are what
 * real systems send. A pure function of (kind, seed); records in order of event time. */
#ifndef TESTS_BENCH_HONESTY_STREAM_H
#define TESTS_BENCH_HONESTY_STREAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HONESTY_WIDTH = 5, HONESTY_CATEGORIES = 50, HONESTY_KEYS = 24 };
#define HONESTY_DAY_MS 86400000.0

enum honesty_law {
	LAW_NORMAL, LAW_EXPONENTIAL, LAW_T2, LAW_UNIFORM,
	LAW_THREE,     /* 1, 2, 3 with .6, .3, .1 */
	LAW_ZEROS,     /* 99 % zeros, else exponential */
	LAW_BERNOULLI, /* `rate`; with `ar` its records hang together (a normal AR(1) above a bound) */
	LAW_ZIPF,      /* 50 categories, shares 1/k */
	LAW_VECTOR,    /* five normal values with correlation .5 */
};

/* What is added to the plain law; 0 = nothing of it. */
struct honesty_kind {
	const char *name;
	enum honesty_law law;
	double rate;       /* LAW_BERNOULLI */
	double ar, ma;     /* x_t = ar x_{t-1} + e_t + ma e_{t-1}, scaled to variance 1 */
	double season;     /* amplitude of a daily sine */
	double day_sd;     /* sd of an effect that each day draws anew */
	double day_night;  /* ratio of the record rates; Poisson arrivals */
	double bursts;     /* share of records that are sent `copies` times in a row */
	uint32_t copies;
	double edge;       /* after the reference values move by this: the edge of a tolerant null */
	uint32_t sampled;  /* the reference is a random one in so many records, as the daemon learns it */
};

struct honesty_record {
	double value[HONESTY_WIDTH];
	uint32_t code, key; /* key: hour of the day */
	int32_t day;
	int64_t ts_ms;
};

struct honesty_stream {
	const struct honesty_kind *kind;
	double per_ms; /* mean records a millisecond */
	bool monitored; /* the reference is over */
	/* state */
	uint64_t seed, drawn, records;
	double spare, arrival_ms, state[HONESTY_WIDTH], noise, effect, copied;
	bool has_spare, begun;
	int32_t day;
	uint32_t copies_left;
};

void honesty_stream_init(struct honesty_stream *s, const struct honesty_kind *k, uint64_t seed,
                         double per_ms);
void honesty_stream_next(struct honesty_stream *s, struct honesty_record *r);
/* A random one of `of` records; part of the same sequence. */
bool honesty_stream_pick(struct honesty_stream *s, uint32_t of);

#endif
