/* stream.h -- the streams of bench-honesty and bench-delay: what real systems send, made up. A pure function of
 * (kind, seed); records in order of event time. */
#ifndef TESTS_BENCH_STREAM_H
#define TESTS_BENCH_STREAM_H

#include <stdbool.h>
#include <stdint.h>

enum { STREAM_WIDTH = 10, STREAM_CATEGORIES = 50, STREAM_KEYS = 24 };
#define STREAM_DAY_MS 86400000.0

enum bench_law {
	LAW_NORMAL, LAW_EXPONENTIAL, LAW_T2, LAW_UNIFORM,
	LAW_THREE,     /* 1, 2, 3 with .6, .3, .1 */
	LAW_ZEROS,     /* 99 % zeros, else exponential */
	LAW_BERNOULLI, /* `rate`; with `ar` its records hang together (a normal AR(1) above a bound) */
	LAW_MISS,      /* 1 when a normal AR(1) is outside of the interval that holds all but `rate` */
	LAW_ZIPF,      /* shares 1/k of `categories` (0: 50) */
	LAW_VECTOR,    /* ten normal values, with correlation .5 where `correlated` */
};

/* What a vector changes to. */
enum bench_vector {
	VECTOR_MEANS,  /* all means by .25 */
	VECTOR_MEAN,   /* one mean by 1 */
	VECTOR_COMMON, /* correlation .5 between all */
	VECTOR_SCALE,  /* one scale x 2 */
	VECTOR_PAIR,   /* one pair with correlation .8 */
};

/* What categories change to. */
enum bench_shares {
	SHARES_MOVE,   /* 20 % of the most frequent become the second */
	SHARES_MIDDLE, /* the middle one doubles */
	SHARES_RARE,   /* the rarest x 5 */
	SHARES_TEMPER, /* share ^ .7 */
	SHARES_HALVE,  /* the most frequent keeps half, the rest in proportion */
};

/* What is added to the plain law; 0 = nothing of it. */
struct bench_kind {
	const char *name;
	enum bench_law law;
	double rate;       /* LAW_BERNOULLI, LAW_MISS */
	double ar, ma;     /* x_t = ar x_{t-1} + e_t + ma e_{t-1}, scaled to variance 1 */
	double season;     /* amplitude of a daily sine */
	double day_sd;     /* sd of an effect that each day draws anew */
	double day_night;  /* ratio of the record rates; Poisson arrivals */
	double bursts;     /* share of records that are sent `copies` times in a row */
	uint32_t copies;
	double edge;       /* after the reference values move by this: the edge of a tolerant null */
	uint32_t sampled;  /* the reference is a random one in so many records, as the daemon learns it */
	bool correlated;
	int tail;          /* 1: the value is its own upper p-value under N(0, 1); 2: that of its size |x| */
	uint32_t categories;
	/* after the change: values times `scale` (0: 1) plus `shift`; rate, or share of the non-zero, `to`; LAW_THREE
	 * becomes .5, .3, .2; vectors and categories by number */
	double shift, scale, to;
	int to_which;
};

struct bench_made {
	double value[STREAM_WIDTH];
	uint32_t code, key; /* key: hour of the day */
	int32_t day;
	int64_t ts_ms;
};

struct bench_stream {
	const struct bench_kind *kind;
	double per_ms;  /* mean records a millisecond */
	bool monitored; /* the reference is over */
	bool changed;
	double below[2][STREAM_CATEGORIES]; /* cumulative shares before and after */
	/* state */
	uint64_t seed, drawn, records;
	double spare, arrival_ms, state[STREAM_WIDTH], noise, effect, copied;
	bool has_spare, begun;
	int32_t day;
	uint32_t copies_left;
};

void bench_stream_init(struct bench_stream *s, const struct bench_kind *k, uint64_t seed, double per_ms);
void bench_stream_next(struct bench_stream *s, struct bench_made *r);
/* A random one of `of` records; part of the same sequence. */
bool bench_stream_pick(struct bench_stream *s, uint32_t of);

#endif
