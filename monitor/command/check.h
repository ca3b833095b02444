/* check.h -- what `driftd check` finds out, shared by its files:
 *   cmd_check.c    the command
 *   check_plan.c   models, streams, shares, thresholds
 *   check_delay.c  expected delays
 *   check_cost.c   memory, bytes written, bytes kept
 *   check_kafka.c  topics that the cluster has
 *   check_print.c  all of it as text
 *   check_json.c   all of it as JSON
 */
#ifndef MONITOR_COMMAND_CHECK_H
#define MONITOR_COMMAND_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/command/delay.h"
#include "monitor/stream/plan.h"
#include "monitor/stream/stream.h"

struct config;
struct diag;
struct model_config;
struct sqlite3;

enum {
	CHECK_RATES_MAX = 3,     /* 1, 10, 100 records a second where the rate is not known */
	CHECK_CHANGES = 4,       /* sizes of change a class is asked about */
	CHECK_FEATURES = 20,     /* assumed where neither configuration nor database know better */
	CHECK_CALIBRATION = 1000, /* assumed where it comes with the records */
	CHECK_TYPES = 3,         /* enum stream_type */
};

/* How long a change takes to be found. */
struct check_change {
	const char *words;
	double size;                     /* as in `words`, for JSON */
	bool forgiven;                   /* within the tolerance: not meant to be found */
	double records[CHECK_RATES_MAX]; /* NaN: more than DELAY_RECORDS_MAX */
};

struct check_class {
	uint32_t streams;                /* 0: the model has none */
	uint32_t type[CHECK_TYPES];
	bool coverage, error;            /* which of them CLASS_LABELS has */
	double share;                    /* alarms a period for each of them */
	double step;                     /* every step-th record is used (mean) */
	double rate[CHECK_RATES_MAX];    /* used records a second */
	double g[CHECK_RATES_MAX];       /* of a record */
	struct check_change change[CHECK_CHANGES];
	uint32_t changes;
};

struct check_model {
	char *name;                      /* without control characters; NULL: whichever model appears */
	const struct model_config *config;
	bool known;                      /* streams are those of the database, not expected */
	bool assumed;                    /* CHECK_FEATURES features were assumed */
	uint32_t streams, type[CHECK_TYPES];
	uint32_t rates;                  /* of the arrays of a class: 1 (known) or CHECK_RATES_MAX */
	double rate[CHECK_RATES_MAX];    /* records a second of event time */
	double predictions;              /* of a record */
	double labelled;                 /* of a prediction */
	bool joint;                      /* has the two joint streams, beside those of the class of inputs */
	uint32_t residuals;              /* streams of errors, beside those of the class of labels */
	struct check_class class[SHARE_CLASSES];
};

/* Bytes; "a day" at check.rate[i] records a second for each model whose rate is not known. */
struct check_cost {
	double journal, streams, lookahead, broker, cache, program, memory; /* in memory, at most; their sum */
	double ood_width, ood_drawn, ood_scored; /* numbers of a record that is scored for being out of
	                                  * distribution; memory of a version while its reference is drawn,
	                                  * afterwards; width 0: no model may have them */
	bool ood_known;                  /* and in `memory`: features are scored; else an embedding may come */
	double commit;                   /* of a commit in which everything has changed */
	double interval_s;               /* between commits under load */
	double day[CHECK_RATES_MAX];     /* written */
	double kept[CHECK_RATES_MAX];    /* in the file after a year */
};

struct check_topic {
	char *name;
	int32_t partitions;
	bool labels;                     /* matched by the labels' patterns only */
};

struct check {
	const struct config *config;
	struct sqlite3 *db;              /* NULL: there is none yet */
	double records;                  /* in the database */
	char watermark[32];              /* "" unknown */
	double state_bytes;              /* a stream, from the database; 0 unknown */
	uint32_t partitions;             /* from the cluster or the database; 0 unknown */
	struct plan plan;
	struct check_model *model;
	size_t models;
	uint32_t rates;                  /* 1 when every model's rate is known */
	struct delay_table *delay;       /* cases done so far */
	size_t delays;
	struct check_cost cost;
	bool asked;                      /* the cluster was asked ... */
	char unreachable[200];           /* ... and why it did not answer; "" it did */
	struct check_topic *topic;
	size_t topics;
	char **warning;
	size_t warnings;
};

extern const double check_rates[CHECK_RATES_MAX];

/* Each 0, or an error with its sentence. */
int check_plan(struct check *c, struct diag *d);
int check_delays(struct check *c, struct check_model *m, struct diag *d); /* called by check_plan */
int check_topics(struct check *c, int timeout_ms, struct diag *d); /* not reached is no error */
void check_cost(struct check *c);
int check_warn(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_print(const struct check *c);
void check_print_json(const struct check *c);
void check_finish(struct check *c);

#endif
