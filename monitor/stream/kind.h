/* kind.h -- the kinds of streams: one line of a table says how a kind is called, which class of the budget
 * pays for it, what its alerts are called and in which unit its effects are told.
 */
#ifndef MONITOR_STREAM_KIND_H
#define MONITOR_STREAM_KIND_H

#include <stdbool.h>

#include "monitor/stream/plan.h"

enum stream_kind {
	STREAM_FEATURE,    /* feature:NAME */
	STREAM_MISSING,    /* missing:NAME, binary: was the field missing? */
	STREAM_PREDICTION, /* prediction:value|width|set_size|score|class */
	STREAM_OOD,        /* ood:energy, of the logits */
	STREAM_UNCERTAINTY, /* uncertainty:FIGURE, names of uncertainty.h */
	STREAM_PROBE,      /* probe:PERTURBATION/SEVERITY, binary: did the class of the twin flip? */
	STREAM_PROBE_ERROR, /* probe_error:PERTURBATION/SEVERITY, binary: was the twin's class wrong? */
	STREAM_COVERAGE,   /* coverage, binary: did the interval or set miss? coverage:below|above: on that side;
	                    * coverage:contract: the same as coverage, of a group, against the level promised */
	STREAM_ERROR,      /* error, binary: was the class wrong? */
	STREAM_PERFORMANCE, /* performance:FIGURE, its losses against a stated limit (label/limited.h) */
	STREAM_CONFIDENCE, /* confidence:accuracy, binary: below the threshold of label/confidence.h? */
	STREAM_SCORE,      /* score:crps|winkler|nonconformity of a labelled prediction */
	STREAM_CALIBRATION, /* calibration:overconfident|underconfident, likewise */
	STREAM_SEGMENT,    /* segment:KEY, categorical: the value of a key, so its shares of the records */
	STREAM_JOINT,      /* joint:projections|mean: the numeric features together */
	STREAM_OWN,      /* own:NAME, a value of the user's own (own.h) */
	STREAM_AT_MOST,  /* at_most:NAME, its losses against a stated limit */
	STREAM_AT_LEAST, /* at_least:NAME */
	STREAM_QUALITY,  /* quality:FAULT, of the records themselves (quality.h) */
	STREAM_DISCREPANCY, /* discrepancy:FIGURE of errors (label/discrepancy.h) */
	STREAM_STRUCTURE, /* structure:FIGURE, what errors hang on */
	STREAM_KINDS
};

/* Field of a group's coverage against the level promised. */
#define COVERAGE_CONTRACT "contract"

/* The set of rows of a model (rows.h) that has the values of a kind. */
enum kind_rows {
	ROWS_FEATURES,    /* the model's features, whatever the version */
	ROWS_PREDICTIONS, /* predictions of a version */
	ROWS_PROBES,      /* perturbed twins of predictions of a version */
	ROWS_OUTCOMES,    /* joined labels of a version */
	ROWS_RECORDS,     /* all records of the model */
	ROWS_JOINT,       /* of the joint (joint.h) */
	ROWS_ARRIVALS,    /* all records of the model, those that are told twice too */
	ROWS_OWN,         /* own streams, whatever the version */
	ROWS_SOURCE,      /* those of the stream that it is about (`source`) */
};

struct kind {
	const char *name;        /* first part of a stream's name, column `kind` of table `streams` */
	enum share_class class;
	const char *alert;       /* column `kind` of table `alerts` */
	const char *unit;        /* of effects; NULL: by the stream's type (stream_unit) */
	enum kind_rows rows;
	bool rises_only;         /* binary: only a rising rate is a change for the worse */
	/* Of errors, of perturbed twins: these share what PLAN_SINGLE leaves of their class. */
	bool residual;
	bool always_delivered;   /* alerts are sent whatever the promise says (data quality) */
};
extern const struct kind kind_table[STREAM_KINDS];

/* The kind called `name`, or STREAM_KINDS. */
enum stream_kind kind_find(const char *name);

#endif
