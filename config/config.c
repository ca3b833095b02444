/* config.c -- the keys of the whole file; load, hash, free. */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

static const char *const modes[] = { "live", "shadow", NULL };
static const char *const sends[] = { "certified", "all", NULL };

static const char *const formats[] = { "driftd", "kserve", "seldon-v2", "sagemaker-capture", "debezium",
	NULL };
static config_key_read_fn read_id, read_tenant;
static config_key_write_fn write_id;
static const char *const privacies[] = { "plain", "bin", "hash", NULL };

#define DAY 86400000.0
#define C struct config


static const struct config_key kafka_keys[] = {
	CONFIG_OWN(C, kafka.brokers, "brokers", config_kafka_read_brokers, config_kafka_write_brokers,
	           "embedded", 0, 0, "embedded or host:port,host:port",
	           "Where Kafka is; embedded runs a broker inside this process, for a first try."),
	CONFIG_KEY(OPT_TEXT(C, kafka.group, "group", "driftd",
	                    "Group under which offsets are committed for lag tools; never read.")),
	CONFIG_OWN_UNSET(C, kafka.property, "properties", config_kafka_read_properties,
	                 config_kafka_write_properties, 0, 0, "mapping of librdkafka's names to values",
	                 "librdkafka's own",
	                 "Handed to librdkafka as they are; ${ENV:NAME} and ${FILE:path} for secrets."),
	CONFIG_KEY(OPT_U32(C, kafka.embedded_partitions, "embedded_partitions", "1", 1,
	                   LIMIT_PARTITIONS, "Partitions of a topic of the embedded broker.")),
	CONFIG_END,
};

static const struct config_key topic_keys[] = {
	CONFIG_OWN(C, topics_records, "records", config_value_read_topics, config_value_write_strings,
	           "[inference.*]", 1, 1000, "list of topic names with * and ?",
	           "Topics with predictions."),
	CONFIG_OWN(C, topics_labels, "labels", config_value_read_topics, config_value_write_strings,
	           "[labels.*]", 0, 1000, "list of topic names with * and ?", "Topics with labels."),
	CONFIG_KEY(OPTION_ROW(C, format, "format", OPTION_ENUM, enum record_format, "driftd", 0, 0, formats,
	                      "What is written around records: CloudEvents of KServe, V2 bodies of Seldon Core 2, "
	                      "SageMaker data capture, change events of Debezium.")),
	CONFIG_OWN_UNSET(C, columns, "columns", config_value_read_strings, config_value_write_strings, 1,
	                 LIMIT_FEATURES, "list of names", "f0, f1, ...",
	                 "Names of the features, in order, where an envelope has values without names."),
	CONFIG_OWN(C, id_header, "id", read_id, write_id, "record", 0, 0, "record | key | header NAME",
	           "Where the id of a record is that has none itself: the message's key or a header."),
	CONFIG_END,
};

static const struct config_key alert_keys[] = {
	CONFIG_OWN(C, budget_alarms, "budget", config_value_read_budget, config_value_write_budget,
	           "1 per week", 0, 0,
	           "NUMBER per minute | hour | day | week | month | year | DURATION",
	           "False alarms to expect over all models, features, groups and detectors."),
	CONFIG_KEY(OPTION_ROW(C, send, "send", OPTION_ENUM, enum send, "certified", 0, 0, sends,
	                      "Which alerts are delivered: those whose promise holds, or all.")),
	CONFIG_KEY(OPTION_ROW(C, alert_mode, "mode", OPTION_ENUM, enum alert_mode, "live", 0, 0, modes,
	                      "shadow does everything but deliver: messages are kept in table `outbox`, marked.")),
	{ .option = { .name = "sinks", .fallback = "[]",
	              .help = "Where alerts are delivered, each entry one of the following; at least once, "
	                      "in order for each alert." },
		.read = config_key_deferred,
		.child = config_sink_types,
		.type = "list of sinks",
		.list = true },
	CONFIG_END,
};

static const struct config_key privacy_keys[] = {
	CONFIG_KEY(OPTION_ROW(C, privacy, "values", OPTION_ENUM, enum privacy_values, "plain", 0, 0, privacies,
	                      "plain: values as they come. bin: numbers as cells of the reference, ids as keyed "
	                      "hashes, nothing kept of rejected records. hash: the same, and categories and "
	                      "segments as keyed hashes. Decided before the first record: use a new database.")),
	CONFIG_END,
};

static const struct config_key retention_keys[] = {
	CONFIG_KEY(OPT_DURATION(C, keep_fine_ms, "window", "2d", 3600000, 36500 * DAY,
	                        "How long the rows of single windows are kept.")),
	CONFIG_KEY(OPT_DURATION(C, keep_hour_ms, "hour", "30d", 3600000, 36500 * DAY,
	                        "How long the rows of an hour are kept.")),
	CONFIG_OWN(C, keep_hour_ms, "day", config_value_read_fallback_only, config_value_write_nothing,
	           "forever", 0, 0, "forever", "The rows of a day are always kept."),
	CONFIG_END,
};

const struct config_key config_keys[] = {
	CONFIG_KEY(OPT_TEXT(C, database, "database", "driftd.db", "The SQLite file of all results.")),
	CONFIG_OWN_UNSET(C, tenant, "tenant", read_tenant, config_value_write_nothing, 0, 0,
	                 "name of letters, digits, . _ -", "one database for everybody",
	                 "Whose database this is: a configuration of another tenant is refused, and the page and "
	                 "metrics need a token of their own. One process a tenant (driftd@NAME.service)."),
	CONFIG_SECTION("kafka", kafka_keys, "Where records come from."),
	CONFIG_SECTION("topics", topic_keys, "What is read; records are told apart by their content."),
	{ .option = { .name = "fields", .help = "Where fields stand in the JSON, for all models; keys "
	                                        "joined with dots, \\. for a dot in a key." },
		.read = config_key_deferred,
		.type = "mapping of standard names to paths",
		.unset = "where the standard record has them" },
	CONFIG_SECTION("alerts", alert_keys, "How often you accept to be woken for nothing."),
	CONFIG_SECTION("http", config_http_keys, "Metrics and health for other programs, read-only."),
	{ .option = { .name = "windows", .help = "What one row of statistics covers, for all models." },
		.read = config_key_deferred,
		.child = config_window_keys },
	CONFIG_SECTION("privacy", privacy_keys, "What is kept and shown of single records, everywhere."),
	CONFIG_SECTION("retention", retention_keys, "How long statistics are kept."),
	CONFIG_KEY(OPT_DURATION(C, merge_stall_ms, "merge_stall", "30s", 100, 3600000,
	                        "How long a silent partition may hold up the others.")),
	CONFIG_KEY(OPTION_ROW(C, seed, "seed", OPTION_I64, uint64_t, "1", 0, 9007199254740992.0, NULL,
	                      "Seed of every random choice; the same seed gives the same results.")),
	{ .option = { "id_hash_key", OPTION_TEXT, offsetof(C, id_hash_key), NULL, 0, 0, NULL,
	              "Secret key of the hash of ids." },
		.read = config_value_read_id_key,
		.write = config_value_write_nothing,
		.type = "32 hexadecimal digits",
		.unset = "drawn when the database is created" },
	{ .option = { .name = "no_data", .help = "How long no record of a model may come, for all models." },
		.read = config_key_deferred,
		.type = "auto, off or a duration",
		.unset = "auto" },
	CONFIG_OWN(C, on_gap_stop, "on_gap", config_value_read_on_gap, config_value_write_on_gap,
	           "continue", 0, 0, "continue | stop",
	           "After records were lost: record the gap and go on, or stop."),
	{ .option = { .name = "defaults",
	              .help = "What holds for a model that does not say otherwise." },
		.read = config_key_deferred,
		.child = config_model_keys + 1 },
	{ .option = { .name = "models", .fallback = "auto",
	              .help = "`auto` watches every model that appears. A list, or a mapping of names to keys, "
	                      "watches those alone, each with any key of `defaults`. A name with * or ? "
	                      "stands for every model that it matches and none matches better: a name "
	                      "without them first, then the most other characters." },
		.read = config_key_deferred,
		.child = config_model_keys,
		.type = "auto, a list or a mapping" },
	CONFIG_KEY(OPT_U32(C, models_max, "models_max", "256", 1, LIMIT_MODELS,
	                   "Models that are watched at most; records of further ones are counted and left out.")),
	CONFIG_END,
};

static int
read_tenant(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	C *c = target;
	const char *text = config_key_text(r, k, n);

	if (!text)
		return ERR_INVALID;
	if (text[strspn(text, allowed)] || strlen(text) > LIMIT_TENANT_BYTES)
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' is not a name of at most %d letters, "
		                            "digits, . _ -", k->option.name, text, LIMIT_TENANT_BYTES);
	free(c->tenant);
	c->tenant = strdup(text);
	return c->tenant ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
}

static int
read_id(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	static const char header[] = "header ";
	C *c = target;
	const char *text = config_key_text(r, k, n);

	if (!text)
		return ERR_INVALID;
	c->id_from_key = !strcmp(text, "key");
	free(c->id_header);
	c->id_header = NULL;
	if (c->id_from_key || !strcmp(text, "record"))
		return 0;
	if (strncmp(text, header, sizeof header - 1) || !text[sizeof header - 1])
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' is not `record`, `key` or `header NAME`",
		                            k->option.name, text);
	c->id_header = strdup(text + sizeof header - 1);
	return c->id_header ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
}

static void
write_id(FILE *out, const struct config_key *k, const void *target)
{
	const C *c = target;

	(void)k;
	config_key_write_text(out, c->id_header ? c->id_header : c->id_from_key ? "key" : "record");
}

static int
by_model_name(const void *a, const void *b)
{
	const struct model_config *const *p = a, *const *q = b;

	return strcmp((*p)->name, (*q)->name);
}

/* Over checked values, not over text: comments, order, `300s` for `5m` and defaults written out
 * make no difference. */
static int
hash(struct config *c)
{
	const struct model_config *sorted[LIMIT_MODELS];
	size_t models = c->models + c->patterns;
	char prefix[32], *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return ERR_IO;
	config_key_dump(out, config_keys, "", c);
	config_key_dump(out, config_model_keys, "defaults", &c->defaults);
	fprintf(out, "models=%s\n", c->models_auto ? "auto" : "");
	for (size_t i = 0; i < models; i++)
		sorted[i] = &c->model[i];
	qsort(sorted, models, sizeof sorted[0], by_model_name);
	for (size_t i = 0; i < models; i++) {
		snprintf(prefix, sizeof prefix, "models.%zu", i);
		config_key_dump(out, config_model_keys, prefix, sorted[i]);
	}
	int failed = ferror(out);
	failed |= fclose(out);
	if (!failed)
		c->hash = XXH64(text, bytes, 0);
	free(text);
	return failed ? ERR_IO : 0;
}

/* Fills c from the tree; everything wrong has been reported to r. */
static void
fill(struct config_reading *r, const struct yaml_node *root, struct config *c)
{
	if (config_key_defaults(config_keys, c)) {
		config_reading_error(r, ERR_IO, root, "out of memory");
		return;
	}
	if (root->kind == YAML_SCALAR && !*root->scalar) {
		config_reading_error(r, ERR_INVALID, root, "the file is empty");
		return;
	}
	config_key_section(r, config_keys, root, NULL, c);
	if (root->kind != YAML_MAPPING)
		return;
	config_model_read_all(r, root, c);
	config_kafka_check(r, &c->kafka);
	config_sink_read_all(r, root, c);
	config_http_check(r, root, c);
	const struct yaml_node *keep = yaml_get(root, "retention");
	if (keep && c->keep_hour_ms < c->keep_fine_ms)
		config_reading_error(r, ERR_INVALID, keep, "retention: `hour` is shorter than `window`");
	if (!r->err && hash(c))
		config_reading_error(r, ERR_IO, root, "out of memory");
}

static int
build(struct config **out, struct yaml_node *root, const char *path, const char *name, FILE *errors,
      struct diag *d)
{
	struct config_reading r = { .name = name, .errors = errors, .first = d };
	struct config *c = calloc(1, sizeof *c);
	int err = 0;

	if (c && path)
		c->path = strdup(path);
	if (!c || (path && !c->path)) {
		err = diag_set(d, ERR_IO, "%s: out of memory", name);
		if (errors)
			fprintf(errors, "%s: out of memory\n", name);
	} else {
		fill(&r, root, c);
		err = r.err;
	}
	yaml_tree_free(root);
	if (err) {
		config_free(c);
		c = NULL;
	}
	*out = c;
	return err;
}

static int
no_tree(int err, FILE *errors, const struct diag *mine, struct diag *d)
{
	if (errors)
		fprintf(errors, "%s\n", mine->text);
	return diag_set(d, err, "%s", mine->text);
}

int
config_load(struct config **out, const char *path, FILE *errors, struct diag *d)
{
	struct yaml_node *root;
	struct diag mine;
	int err = yaml_load(&root, path, &mine);

	*out = NULL;
	return err ? no_tree(err, errors, &mine, d) : build(out, root, path, path, errors, d);
}

int
config_parse(struct config **out, const char *text, size_t length, const char *name, FILE *errors,
             struct diag *d)
{
	struct yaml_node *root;
	struct diag mine;
	int err = yaml_parse(&root, text, length, name, &mine);

	*out = NULL;
	return err ? no_tree(err, errors, &mine, d) : build(out, root, NULL, name, errors, d);
}

void
config_free(struct config *c)
{
	if (!c)
		return;
	config_key_finish(config_keys, c);
	config_kafka_free(&c->kafka);
	config_strings_free(&c->topics_records);
	config_strings_free(&c->topics_labels);
	config_strings_free(&c->columns);
	free(c->tenant);
	free(c->id_hash_key);;
	for (size_t i = 0; i < c->sinks; i++)
		config_sink_free(&c->sink[i]);
	free(c->sink);
	config_http_free(&c->http);
	config_model_free(&c->defaults);
	for (size_t i = 0; i < c->models + c->patterns; i++)
		config_model_free(&c->model[i]);
	free(c->model);
	free(c->path);
	free(c);
}

const struct model_config *
config_model(const struct config *c, const char *name, size_t length)
{
	for (size_t i = 0; i < c->models; i++)
		if (strlen(c->model[i].name) == length && !memcmp(c->model[i].name, name, length))
			return &c->model[i];
	return NULL;
}

/* Characters of a glob that stand for themselves. */
static size_t
specific(const char *pattern)
{
	size_t n = 0;

	for (; *pattern; pattern++)
		n += *pattern != '*' && *pattern != '?';
	return n;
}

const struct model_config *
config_model_for(const struct config *c, const char *name, size_t length)
{
	const struct model_config *best = config_model(c, name, length);
	char text[LIMIT_TEXT_BYTES + 1];

	if (best || length > LIMIT_TEXT_BYTES || memchr(name, 0, length))
		return best;
	memcpy(text, name, length);
	text[length] = 0;
	for (size_t i = c->models; i < c->models + c->patterns; i++) {
		const struct model_config *m = &c->model[i];

		if (!config_glob(m->name, text))
			continue;
		if (!best || specific(m->name) > specific(best->name) ||
		    (specific(m->name) == specific(best->name) && strcmp(m->name, best->name) < 0))
			best = m;
	}
	return best ? best : c->models_auto ? &c->defaults : NULL;
}

bool
config_model_is_listed(const struct config *c, const struct model_config *m)
{
	for (size_t i = 0; i < c->models; i++)
		if (m == &c->model[i])
			return true;
	return false;
}

bool
config_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	/* On a mismatch the last * takes one byte more; earlier ones never need to change. */
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
