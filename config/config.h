/* config.h -- the checked configuration: what a human wrote, as plain numbers and names.
 *
 * config_load reports every error of the file (at most 20), each as file:line:column with the
 * nearest known name, in one diag or on the stream `errors`. Immutable once loaded; owns all its
 * strings. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/limits.h"
#include "config/method.h"

struct diag;

struct strings {
	size_t n;
	char **text;
};

struct property {
	char *name, *value; /* value with ${ENV:..} and ${FILE:..} expanded */
	char *written;      /* as in the file: the only form that may be logged or hashed */
	int line, column;
};

struct kafka_config {
	char *brokers;            /* "embedded" or host:port,... */
	char *group;              /* for lag tools only */
	struct property *property;
	size_t properties;
	uint32_t embedded_partitions; /* partitions of a topic of the embedded broker; default 1 */
};

enum feature_type { FEATURE_FROM_JSON, FEATURE_NUMERIC, FEATURE_CATEGORICAL, FEATURE_IGNORE };
struct feature_config {
	char *name;
	enum feature_type type;
};

/* Where a field of a record stands in the JSON: `name` is the field's standard name (id, ts, model,
 * version, features, segment, prediction, prediction.class, prediction.probs, prediction.score,
 * prediction.value, prediction.lower, prediction.upper, prediction.level, prediction.set,
 * prediction.classes, label, score, conformal.n_cal, conformal.qhat, probe_of), `path` its keys from the
 * root, each unescaped. A model's own path replaces an inherited one: no name stands twice. */
struct field_config {
	char *name;
	struct strings path;
};

enum { NO_DATA_AUTO = -1 };
enum revision { REVISION_FIRST, REVISION_LAST };
enum recalibrate { RECALIBRATE_OFF, RECALIBRATE_ACI, RECALIBRATE_DTACI };
enum coverage_calibration { CALIBRATION_FROM_RECORD = -1, CALIBRATION_UNKNOWN = 0 };

struct window_config {
	int64_t width_ms;  /* > 0, or 0 when `records` rules */
	uint32_t records;
};

/* What a test of a stream is for. */
enum test_role {
	TEST_PAGING,     /* opens alerts, spends a share of the budget */
	TEST_EVIDENCE,   /* only shown */
	TEST_UNBUDGETED, /* notes alarms of severity info that no budget covers */
};
const char *test_role_text(enum test_role role); /* "paging", "evidence", "unbudgeted" */

struct test_config {
	struct method method;
	enum test_role role;
	bool role_given;
	void *options;           /* of method.options: defaults and what the file says */
	uint64_t given;          /* bit i: row i of method.options stands in the file */
};
struct tests_config {            /* one line of `detectors:` */
	char *pattern;           /* numeric, binary, categorical; or a glob over names of streams */
	struct test_config test[LIMIT_TESTS];
	size_t tests;
};

/* Limits of figures of performance; 0: none. */
struct performance_limits {
	double coverage_min, coverage_max;   /* at_least, at_most */
	double accuracy, precision, recall;  /* at_least */
	double error_rate, brier;            /* at_most */
	double mae, mae_bound;               /* at_most; errors beyond the bound count as the bound */
	double calibration;                  /* |confidence - accuracy| at most */
};

/* `streams: {loss: {path: metrics.loss, at_most: 0.3, range: [0, 1]}}` */
struct own_stream_config {
	char *name;
	struct strings path;             /* keys from the root, unescaped */
	enum feature_type type;
	double at_most, at_least;        /* limits of the mean; NaN: none */
	double low, high;                /* where values lie; others are cut */
};

enum ood_threshold { OOD_NOMINAL, OOD_PAC };
struct ood_config {
	bool off;
	struct strings scores;           /* empty: those that suit the records */
	bool features;                   /* numeric features count where there is no embedding */
	uint32_t records, bank;          /* of the reference; that knn compares with, 0: all */
	double alpha, delta;
	enum ood_threshold threshold;
	char *by;                        /* class or a key of segment; NULL: all together */
	uint32_t extremes;               /* records of a window that are kept */
	char *verdicts;                  /* topic that each verdict is sent to; NULL: none */
};

enum season_choice { SEASON_CHOICE_AUTO, SEASON_CHOICE_NONE, SEASON_CHOICE_DAY, SEASON_CHOICE_WEEK };

struct model_config {
	char *name;                      /* NULL in `defaults` */
	struct strings topics_records, topics_labels; /* empty: the top-level ones */
	struct strings classes;          /* class order; may be empty */
	struct feature_config *feature;  /* empty: all, type from the JSON */
	size_t features;
	bool features_only_listed;       /* a list was given: other features are ignored */
	struct field_config *field;      /* remapped paths; top-level `fields` come first */
	size_t fields;
	struct strings segments;
	bool segment_features;           /* features are watched by segment, too */
	uint32_t segments_max;           /* values of a key */
	struct strings coverage_groups;  /* class, set_size */
	double ts_unit_ms;               /* 1 ms, 1000 s, .001 us, 1e-6 ns */
	double min_effect;               /* sigma-equivalents; 0.1 */
	uint32_t resolve_after;          /* records; 0 */
	int64_t no_data_ms;              /* silence that is allowed; 0: any; NO_DATA_AUTO */
	struct own_stream_config *own;   /* [owns] in the order of the file */
	size_t owns;
	struct tests_config *test_list;  /* [test_lists] later ones go before earlier ones */
	size_t test_lists;
	enum season_choice season;
	uint32_t thin;                   /* step, or OPTION_AUTO */
	char *reference_file;            /* `reference: {file: PATH}`, or NULL */
	uint32_t reference_records;      /* 10000 */
	int64_t reference_span_ms;       /* 14 d */
	uint32_t joint_projections;      /* random directions of the joint; 0: no joint streams */
	uint32_t joint_records_per_day;  /* of event time, that the joint uses at most */
	int64_t rebaseline_after_ms;     /* of an acknowledged episode; 0: never by itself */
	double coverage_level;           /* NaN: from the record */
	double coverage_tolerance;       /* 0.01 */
	int64_t coverage_calibration;    /* n_cal > 0, or enum coverage_calibration */
	double coverage_threshold;       /* of nonconformity scores; NaN: from the record (conformal.qhat) */
	enum recalibrate recalibrate;
	struct performance_limits limits;
	struct ood_config ood;
	bool labels_enabled;             /* `labels: off` keeps no journal */
	int64_t labels_wait_ms;          /* 60 d */
	int64_t labels_lateness_ms;      /* 365 d */
	uint32_t labels_capacity;        /* 4 000 000 */
	uint32_t labels_explain;         /* features that explanations look at: 64 */
	enum revision revision;
	struct window_config windows;
	int line;                        /* of the model's first key */
};

/* What tables, alerts and the page may show of single records; more in decode/privacy.h. */
enum privacy_values {
	PRIVACY_PLAIN,
	PRIVACY_BIN,  /* numbers as cells of the reference, ids as keyed hashes, no samples of rejected records */
	PRIVACY_HASH, /* the same, and texts (categories, segments) as keyed hashes */
};
/* How messages are wrapped (topics.format). */
enum record_format { FORMAT_DRIFTD, FORMAT_KSERVE, FORMAT_SELDON_V2, FORMAT_SAGEMAKER, FORMAT_DEBEZIUM };
enum send { SEND_CERTIFIED, SEND_ALL };
enum alert_mode { ALERTS_LIVE, ALERTS_SHADOW };

/* Where alerts go (alerts.sinks). Texts that do not belong to the type are NULL. */
enum sink_type { SINK_WEBHOOK, SINK_ALERTMANAGER, SINK_PAGERDUTY, SINK_KAFKA, SINK_COMMAND, SINK_LOG };
enum sink_severity { SINK_INFO, SINK_WARNING, SINK_CRITICAL };
enum sink_format { SINK_JSON, SINK_SLACK };
struct sink_config {
	enum sink_type type;
	char *name;               /* unique; the type, or the type and a number, unless given */
	char *url;                /* http(s); may hold a secret: never logged */
	char *secret;             /* webhook: key of the signature */
	char *token;              /* webhook, alertmanager: Authorization: Bearer */
	char *routing_key;        /* pagerduty */
	char *topic;              /* kafka */
	char *proxy, *ca_file;    /* http sinks */
	struct strings command;   /* program and its arguments */
	enum sink_format format;  /* webhook */
	int64_t timeout_ms;       /* of one delivery */
	int64_t resend_ms;        /* alertmanager */
	struct strings models;    /* globs; empty: all */
	struct strings kinds;     /* empty: all */
	enum sink_severity severity; /* and above */
	int quiet_from, quiet_to; /* minutes of the local day in which only critical ones go; equal: none */
};

struct http_config {
	char *host;               /* address in digits, [..] around IPv6; NULL: no HTTP */
	int port;                 /* 0: a free one */
	bool loopback;
	char *token;              /* or NULL */
	struct strings hosts;     /* further names of this server */
};

struct config {
	char *path;               /* of the file; NULL when parsed from memory */
	char *database;
	char *tenant;             /* whose it is; NULL: nobody's in particular */
	struct kafka_config kafka;
	struct strings topics_records, topics_labels; /* globs: * and ? */
	enum record_format format;
	struct strings columns;   /* names of values that come without; may be empty */
	bool id_from_key;         /* `id: key`: of records that have none themselves */
	char *id_header;          /* `id: header NAME`, or NULL */
	double budget_alarms;     /* `budget: 1 per week`: 1 ... */
	int64_t budget_period_ms; /* ... and a week; month: 30 d, year: 365 d, or a duration */
	enum send send;
	enum alert_mode alert_mode;
	struct sink_config *sink;
	size_t sinks;
	struct http_config http;
	int64_t merge_stall_ms;   /* 30 s */
	uint64_t seed;            /* 1 */
	char *id_hash_key;        /* 32 hex digits, or NULL: drawn when the database is created */
	bool on_gap_stop;         /* on_gap: continue (default) | stop */
	enum privacy_values privacy; /* privacy: {values: plain | bin | hash} */
	int64_t keep_fine_ms, keep_hour_ms;  /* retention: {window: 2d, hour: 30d, day: forever} */
	bool models_auto;              /* no list: `defaults` hold for whichever model appears */
	struct model_config defaults;  /* what a model has where it says nothing */
	struct model_config *model;    /* [models + patterns]: first those with a name of their own */
	size_t models;
	size_t patterns;               /* models behind them whose name is a glob, for any number of models */
	uint32_t models_max;           /* watched at most; 256 */
	uint64_t hash;            /* XXH64 of the checked values without secrets, sinks and http */
};

/* On error *out is NULL, every message goes to `errors` (if not NULL), the first is in `d`. */
int config_load(struct config **out, const char *path, FILE *errors, struct diag *d);
int config_parse(struct config **out, const char *text, size_t length, const char *name,
                 FILE *errors, struct diag *d);
void config_free(struct config *c); /* NULL is fine */
/* The model listed under this very name, or NULL. */
const struct model_config *config_model(const struct config *c, const char *name, size_t length);
/* What holds for a model: that of its name; else of the most specific glob (most characters besides * and ?,
 * then the first in byte order) that matches; else `defaults` with `models: auto`; else NULL: not watched. */
const struct model_config *config_model_for(const struct config *c, const char *name, size_t length);
/* Is it one of a name of its own, whose share of the budget is known beforehand? */
bool config_model_is_listed(const struct config *c, const struct model_config *m);
/* The tests of a stream by its name and type ("numeric", "binary", "categorical"): the last list whose glob
 * matches the name, else that of the type. */
const struct tests_config *config_stream_tests(const struct model_config *m, const char *stream,
                                               const char *type);
/* `driftd explain [KEY]`: documentation of every key from the same tables that parse it. 0, or
 * ERR_MISSING when there is no such key (then the nearest is named in d). */
int config_explain(FILE *out, const char *key, struct diag *d);
/* The same, and all below it, as a JSON array of {"key", "type", "default", "help"}. */
int config_explain_json(FILE *out, const char *key, struct diag *d);
/* Does `text` match the glob `pattern` (* and ?)? */
bool config_glob(const char *pattern, const char *text);

#endif
