/* config_key.h -- the tables behind the configuration; used by config/ alone.
 *
 * One row reads, checks, defaults, dumps and documents one key. A row without `read` and `child` is
 * a plain option. Offsets are into the struct that the whole table is for ("target" below). */
#ifndef CONFIG_CONFIG_KEY_H
#define CONFIG_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config/config.h"
#include "config/option.h"
#include "config/yaml.h"

enum { CONFIG_ERRORS_MAX = 20 };

/* One reading of one file: where mistakes go. */
struct config_reading {
	const char *name;     /* of the file */
	FILE *errors;         /* or NULL */
	struct diag *first;   /* or NULL */
	unsigned count;       /* mistakes so far; those after CONFIG_ERRORS_MAX are not shown */
	int err;              /* the first one's code */
	bool silent;          /* a section is read again, its mistakes have been told */
};

struct config_key;
/* 0, or an error that has been reported to r. */
typedef int config_key_read_fn(struct config_reading *r, const struct config_key *k,
                               const struct yaml_node *n, void *target);
/* Writes the value for the hash: no two values alike, no secrets. */
typedef void config_key_write_fn(FILE *out, const struct config_key *k, const void *target);

struct config_key {
	struct option option;
	const struct config_key *child; /* keys of a section; may stand beside `read` */
	config_key_read_fn *read;
	config_key_write_fn *write;     /* needed beside `read` where there is no `child` */
	const char *type;               /* in words, for documentation; NULL: the option's */
	const char *unset;              /* what holds where there is no default, in words */
	bool list;                      /* a list whose entries are the children; told apart from the file */
};

#define CONFIG_KEY(row) { .option = row }
/* A text or other option that may be missing; `words` says what holds then. */
#define CONFIG_UNSET(row, words) { .option = row, .unset = words }
#define CONFIG_SECTION(nm, keys, hlp) { .option = { .name = nm, .help = hlp }, .child = keys }
/* `nm`: a key with its own functions rd and wr. low, high: counts of a list, or as they like. */
#define CONFIG_OWN(S, f, nm, rd, wr, fb, lo, hi, words, hlp)                                       \
	{ .option = { nm, OPTION_TEXT, offsetof(S, f), fb, lo, hi, NULL, hlp }, .read = rd,           \
		.write = wr, .type = words }
/* The same without a default; `words` says what holds then. */
#define CONFIG_OWN_UNSET(S, f, nm, rd, wr, lo, hi, ty, words, hlp)                                 \
	{ .option = { nm, OPTION_TEXT, offsetof(S, f), NULL, lo, hi, NULL, hlp }, .read = rd,         \
		.write = wr, .type = ty, .unset = words }
#define CONFIG_END { .option = OPT_END }

extern const struct config_key config_keys[];       /* target: struct config */
extern const struct config_key config_window_keys[]; /* target: struct model_config */
extern const struct config_key config_ood_keys[];
/* Target: struct model_config; `name` is first. */
extern const struct config_key config_model_keys[];

/* Reports file:line:column: sentence; returns err. */
int config_reading_error(struct config_reading *r, int err, const struct yaml_node *at,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same at the node's key. */
int config_reading_error_key(struct config_reading *r, int err, const struct yaml_node *at,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

int config_key_read(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                    void *target);
/* Reads every key of mapping n; `what` names the section, NULL the file itself. */
int config_key_section(struct config_reading *r, const struct config_key *table,
                       const struct yaml_node *n, const char *what, void *target);
/* Rows that are read by code elsewhere, in its own order, into another target. */
config_key_read_fn config_key_deferred;
/* 0, or ERR_IO for want of memory. */
int config_key_defaults(const struct config_key *table, void *target);
void config_key_dump(FILE *out, const struct config_key *table, const char *prefix,
                     const void *target);
/* Frees all OPTION_TEXT options of plain rows. */
void config_key_finish(const struct config_key *table, void *target);
const struct config_key *config_key_find(const struct config_key *table, const char *name);
const char *config_key_nearest(const struct config_key *table, const char *name);
/* The full path of the first key called exactly `name`, wherever it is. */
bool config_key_elsewhere(const struct config_key *table, const char *name, const char *prefix,
                          char *out, size_t size);
/* The node's text: a scalar, not empty, not null, no ${..}, no control characters; else NULL,
 * reported. */
const char *config_key_text(struct config_reading *r, const struct config_key *k,
                            const struct yaml_node *n);
void config_key_write_text(FILE *out, const char *text); /* with its length in front */

/* Readers and writers that several keys share (config_value.c). */
config_key_read_fn config_value_read_strings, config_value_read_topics, config_value_read_fields;
config_key_read_fn config_value_read_features, config_value_read_budget, config_value_read_id_key;
config_key_read_fn config_value_read_fallback_only, config_value_read_on_gap;
config_key_read_fn config_value_read_ts_unit, config_value_read_level;
config_key_read_fn config_value_read_calibration, config_value_read_no_data;
config_key_write_fn config_value_write_strings, config_value_write_fields;
config_key_write_fn config_value_write_features, config_value_write_budget;
config_key_write_fn config_value_write_nothing, config_value_write_on_gap;
config_key_write_fn config_value_write_f64, config_value_write_i64;
extern const char *const config_value_feature_types[];
int config_strings_add(struct strings *s, const char *text, size_t length); /* 0 or ERR_IO */
void config_strings_free(struct strings *s);
void config_fields_free(struct field_config *field, size_t n);
void config_features_free(struct feature_config *feature, size_t n);

/* streams (config_streams.c). */
config_key_read_fn config_streams_read;
config_key_write_fn config_streams_write;
void config_streams_free(struct own_stream_config *own, size_t n);
/* Splits a path at its dots; `\.` is a dot within a key and `\\` a backslash. `what` names the key. */
int config_split_path(struct config_reading *r, const struct yaml_node *n, const char *what, const char *text,
                      struct strings *path);

/* detectors (config_detectors.c). */
config_key_read_fn config_detectors_read;
config_key_write_fn config_detectors_write;
void config_detectors_free(struct tests_config *list, size_t n);

/* kafka.brokers and kafka.properties (config_kafka.c). */
config_key_read_fn config_kafka_read_brokers, config_kafka_read_properties;
config_key_write_fn config_kafka_write_properties, config_kafka_write_brokers;
/* What can be judged only when the whole section is read. */
void config_kafka_check(struct config_reading *r, const struct kafka_config *kafka);
void config_kafka_free(struct kafka_config *kafka);

/* Secrets (config_secret.c); *out is malloc()ed. ${ENV:NAME} or ${FILE:path} as the whole value of n,
 * anything else stands for itself. */
int config_secret_expand(struct config_reading *r, const struct yaml_node *n, char **out);
/* The whole file at `path` but one newline at its end. */
int config_secret_file(struct config_reading *r, const struct yaml_node *n, const char *path, char **out);

/* It will stand in a header: a text that is empty or holds control characters is reported and freed. */
int config_secret_check_line(struct config_reading *r, const struct yaml_node *n, char **text);

/* http (config_http.c); its check needs the whole section. */
extern const struct config_key config_http_keys[];
void config_http_check(struct config_reading *r, const struct yaml_node *root, const struct config *c);
void config_http_free(struct http_config *http);

/* alerts.sinks of `root` into c (config_sink.c). One row a type, its children the keys of a sink. */
extern const struct config_key config_sink_types[];
void config_sink_read_all(struct config_reading *r, const struct yaml_node *root, struct config *c);
void config_sink_free(struct sink_config *sink);

/* windows, fields, defaults and models of `root` into c (config_model.c). */
void config_model_read_all(struct config_reading *r, const struct yaml_node *root,
                           struct config *c);
void config_model_free(struct model_config *m);

#endif
