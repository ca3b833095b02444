/* delay_group.h -- delays of one detector on one stream for several changes, and beside them those of other
 * detectors that alarm as often on the same stream when nothing changes.
 */
#ifndef TESTS_BENCH_DELAY_GROUP_H
#define TESTS_BENCH_DELAY_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/stream.h"
#include "tests/bench/trial.h"

enum { DELAY_CASES_MAX = 8, DELAY_PEERS = 5, DELAY_BEFORE = 1000 };

struct delay_mean {
	double mean, error; /* records from the change to the alarm, of the paths that found it */
	double missed;      /* share that did not within records_max */
	uint32_t paths;
};

struct delay_case {
	const char *what;
	double expected, expected_missed;      /* the table's; NaN */
	double shift, scale, to;               /* of struct bench_kind */
	int to_which;
};

/* Detectors that page by a threshold of no stated meaning. */
struct delay_peer {
	const char *name, *method, *knob;
	double low, high; /* of the knob, on a log scale */
	bool falls;       /* a larger knob alarms more often */
	bool learns;      /* from the stream: it is fed the reference as records */
	bool sided;       /* takes `side` */
	bool unit;        /* wants values in [0, 1] */
};
extern const struct delay_peer delay_peers[DELAY_PEERS];

struct delay_group {
	const char *table;         /* where the expected figures are from */
	const char *stream;        /* for people */
	struct trial_test test;
	struct bench_kind kind;    /* before the change */
	uint32_t n_ref;            /* 0: the null is known */
	double per_day;            /* records */
	bool days;                 /* the reference knows its days */
	double threshold;
	bool per_step;             /* divided by the step of thinning: the same budget a record */
	uint32_t records_max, runs_then; /* paths behind the table's figures */
	bool peers, peers_up;      /* peers that look upwards only */
	bool other_bet;            /* the table's detector is not the one that is shipped */
	struct delay_case change[DELAY_CASES_MAX];
	uint32_t changes;
	/* to be done */
	uint32_t runs, peer_runs;
	uint64_t seed;
	bool on;
	/* results */
	double arl;                /* records to a false alarm, measured; a floor when arl_floor */
	bool arl_floor;
	struct delay_mean ours[DELAY_CASES_MAX], peer[DELAY_CASES_MAX][DELAY_PEERS];
	double knob[DELAY_PEERS], peer_arl[DELAY_PEERS];
};

void delay_group_run(struct delay_group *g);

#endif
