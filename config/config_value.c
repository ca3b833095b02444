/* config_value.c -- the values that are more than one number or word. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

const char *const config_value_feature_types[] = { [FEATURE_FROM_JSON] = "auto",
	[FEATURE_NUMERIC] = "numeric", [FEATURE_CATEGORICAL] = "categorical",
	[FEATURE_IGNORE] = "ignore", NULL };

static const struct {
	const char *name;
	int64_t ms;
} periods[] = { { "minute", 60000 }, { "hour", 3600000 }, { "day", 86400000 },
	{ "week", 604800000 }, { "month", 30 * (int64_t)86400000 },
	{ "year", 365 * (int64_t)86400000 } };
static const char *const period_names[] = { "minute", "hour", "day", "week", "month", "year",
	NULL };

static void *
place(const struct config_key *k, void *target)
{
	return (char *)target + k->option.offset;
}

static const void *
place_const(const struct config_key *k, const void *target)
{
	return (const char *)target + k->option.offset;
}

static int
out_of_memory(struct config_reading *r, const struct yaml_node *n)
{
	return config_reading_error(r, ERR_IO, n, "out of memory");
}

int
config_strings_add(struct strings *s, const char *text, size_t length)
{
	char **grown = realloc(s->text, (s->n + 1) * sizeof *grown);

	if (!grown)
		return ERR_IO;
	s->text = grown;
	s->text[s->n] = strndup(text, length);
	if (!s->text[s->n])
		return ERR_IO;
	s->n++;
	return 0;
}

void
config_strings_free(struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->text[i]);
	free(s->text);
	*s = (struct strings){ 0 };
}

/* A name in a list or in front of a feature: any text of a sane length. */
static const char *
read_name(struct config_reading *r, const struct config_key *k, const struct yaml_node *n)
{
	const char *text = config_key_text(r, k, n);

	if (text && strlen(text) > LIMIT_TEXT_BYTES) {
		config_reading_error(r, ERR_INVALID, n, "%s: a name of more than %d bytes", k->option.name,
		                     LIMIT_TEXT_BYTES);
		return NULL;
	}
	return text;
}

/* option.low to option.high distinct names; the list replaces an inherited one. */
int
config_value_read_strings(struct config_reading *r, const struct config_key *k,
                          const struct yaml_node *n, void *target)
{
	const char *name = k->option.name;
	struct strings *s = place(k, target);

	config_strings_free(s);
	if (n->kind != YAML_SEQUENCE)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected a list, as in [a, b]", name);
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		const char *text = read_name(r, k, c);
		if (!text)
			return ERR_INVALID;
		for (size_t i = 0; i < s->n; i++)
			if (!strcmp(s->text[i], text))
				return config_reading_error(r, ERR_INVALID, c, "%s: '%.80s' twice", name, text);
		if (config_strings_add(s, text, strlen(text)))
			return out_of_memory(r, c);
	}
	if ((double)s->n < k->option.low)
		return config_reading_error(r, ERR_INVALID, n, "%s: an empty list", name);
	if ((double)s->n > k->option.high)
		return config_reading_error(r, ERR_INVALID, n, "%s: %zu entries; at most %.0f", name, s->n,
		                            k->option.high);
	return 0;
}

int
config_value_read_topics(struct config_reading *r, const struct config_key *k,
                         const struct yaml_node *n, void *target)
{
	/* What Kafka allows in a name, and our two wildcards. */
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                              "._-*?";
	int err = 0;

	for (const struct yaml_node *c = n->kind == YAML_SEQUENCE ? n->child : NULL; c; c = c->next)
		if (c->kind == YAML_SCALAR && c->scalar[strspn(c->scalar, allowed)])
			err = config_reading_error(r, ERR_INVALID, c, "%s: '%.80s' cannot be a topic (letters, "
			                           "digits, . _ - and the wildcards * and ?)", k->option.name,
			                           c->scalar);
	return err ? err : config_value_read_strings(r, k, n, target);
}

void
config_value_write_strings(FILE *out, const struct config_key *k, const void *target)
{
	const struct strings *s = place_const(k, target);

	for (size_t i = 0; i < s->n; i++)
		config_key_write_text(out, s->text[i]);
}

/* Words through option_set, for its messages; -1 when there is no such word. */
static int
read_word(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
          const char *const *words)
{
	struct option row = { .name = k->option.name, .type = OPTION_ENUM, .choices = words };
	const char *text = config_key_text(r, k, n);
	struct diag d;
	int index;

	if (!text)
		return -1;
	if (option_set(&row, &index, text, &d)) {
		config_reading_error(r, ERR_INVALID, n, "%s", d.text);
		return -1;
	}
	return index;
}

int
config_value_read_fallback_only(struct config_reading *r, const struct config_key *k,
                                const struct yaml_node *n, void *target)
{
	const char *const words[] = { k->option.fallback, NULL };

	(void)target;
	return read_word(r, k, n, words) < 0 ? ERR_INVALID : 0;
}

int
config_value_read_on_gap(struct config_reading *r, const struct config_key *k,
                         const struct yaml_node *n, void *target)
{
	static const char *const words[] = { "continue", "stop", NULL };
	int word = read_word(r, k, n, words);

	if (word < 0)
		return ERR_INVALID;
	*(bool *)place(k, target) = word;
	return 0;
}

void
config_value_write_on_gap(FILE *out, const struct config_key *k, const void *target)
{
	fputs(*(const bool *)place_const(k, target) ? "stop" : "continue", out);
}

int
config_value_read_ts_unit(struct config_reading *r, const struct config_key *k,
                          const struct yaml_node *n, void *target)
{
	static const char *const words[] = { "s", "ms", "us", "ns", NULL };
	static const double ms[] = { 1000, 1, 1e-3, 1e-6 };
	int word = read_word(r, k, n, words);

	if (word < 0)
		return ERR_INVALID;
	*(double *)place(k, target) = ms[word];
	return 0;
}

/* A number of the row's range, where the words that may stand instead have been looked for. */
static int
read_number(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
            enum option_type type, void *target)
{
	struct option row = k->option;
	const char *text = config_key_text(r, k, n);
	struct diag d;

	if (!text)
		return ERR_INVALID;
	if (n->quoted)
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' is a text; write it without "
		                            "quotes", k->option.name, text);
	row.type = type;
	int err = option_set(&row, target, text, &d);
	return err ? config_reading_error(r, err, n, "%s (expected: %s)", d.text, k->type) : 0;
}

int
config_value_read_level(struct config_reading *r, const struct config_key *k,
                        const struct yaml_node *n, void *target)
{
	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "from-record")) {
		*(double *)place(k, target) = (double)NAN;
		return 0;
	}
	return read_number(r, k, n, OPTION_F64, target);
}

int
config_value_read_calibration(struct config_reading *r, const struct config_key *k,
                              const struct yaml_node *n, void *target)
{
	int64_t *value = place(k, target);

	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "from-record"))
		*value = CALIBRATION_FROM_RECORD;
	else if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "unknown"))
		*value = CALIBRATION_UNKNOWN;
	else
		return read_number(r, k, n, OPTION_I64, target);
	return 0;
}

int
config_value_read_no_data(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                          void *target)
{
	int64_t *value = place(k, target);

	if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "auto"))
		*value = NO_DATA_AUTO;
	else if (n->kind == YAML_SCALAR && !strcmp(n->scalar, "off"))
		*value = 0;
	else
		return read_number(r, k, n, OPTION_DURATION, target);
	return 0;
}

void
config_value_write_f64(FILE *out, const struct config_key *k, const void *target)
{
	fprintf(out, "%a", *(const double *)place_const(k, target));
}

void
config_value_write_i64(FILE *out, const struct config_key *k, const void *target)
{
	fprintf(out, "%lld", (long long)*(const int64_t *)place_const(k, target));
}

void
config_value_write_nothing(FILE *out, const struct config_key *k, const void *target)
{
	(void)out, (void)k, (void)target;
}

int
config_value_read_id_key(struct config_reading *r, const struct config_key *k,
                         const struct yaml_node *n, void *target)
{
	char **key = place(k, target);
	const char *text = config_key_text(r, k, n);

	if (!text)
		return ERR_INVALID;
	/* The text itself is a secret and stays out of the message. */
	if (strlen(text) != 32 || text[strspn(text, "0123456789abcdefABCDEF")])
		return config_reading_error(r, ERR_INVALID, n, "%s: expected 32 hexadecimal digits",
		                            k->option.name);
	free(*key);
	*key = strdup(text);
	return *key ? 0 : out_of_memory(r, n);
}

/* The period behind `per`: a word or a duration; 0 when it is neither. */
static int64_t
read_period(const char *text, const char *name, struct diag *d)
{
	struct option duration = { .name = name, .type = OPTION_DURATION, .low = 1000,
		.high = 3650 * 86400000.0 };
	int64_t ms;

	for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++)
		if (!strcmp(periods[i].name, text))
			return periods[i].ms;
	if (*text >= '0' && *text <= '9')
		return option_set(&duration, &ms, text, d) ? 0 : ms;
	const char *near = option_nearest_word(period_names, text);
	diag_set(d, ERR_INVALID, "%s: unknown period '%.40s'%s%s%s", name, text,
	         near ? " (did you mean '" : "", near ? near : " (minute hour day week month year, 10d",
	         near ? "'?)" : ")");
	return 0;
}

int
config_value_read_budget(struct config_reading *r, const struct config_key *k,
                         const struct yaml_node *n, void *target)
{
	struct option number = { .name = k->option.name, .type = OPTION_F64, .low = 1e-6,
		.high = 1e6 };
	char words[3][48] = { { 0 } };
	struct config *c = target;
	const char *text = config_key_text(r, k, n);
	struct diag d;
	double alarms;

	if (!text)
		return ERR_INVALID;
	size_t count = 0; /* of words; a fourth or a long one is too many */
	for (const char *p = text + strspn(text, " "); *p && count <= 3; p += strspn(p, " ")) {
		size_t length = strcspn(p, " ");
		if (count < 3 && length < sizeof words[0])
			memcpy(words[count], p, length);
		else
			count = 3;
		count++;
		p += length;
	}
	if (count != 3 || strcmp(words[1], "per"))
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.60s' is not like `1 per week` or "
		                            "`0.5 per 10d`", k->option.name, text);
	if (option_set(&number, &alarms, words[0], &d))
		return config_reading_error(r, ERR_INVALID, n, "%s", d.text);
	int64_t period = read_period(words[2], k->option.name, &d);
	if (!period)
		return config_reading_error(r, ERR_INVALID, n, "%s", d.text);
	c->budget_alarms = alarms;
	c->budget_period_ms = period;
	return 0;
}

void
config_value_write_budget(FILE *out, const struct config_key *k, const void *target)
{
	const struct config *c = target;

	(void)k;
	fprintf(out, "%a per %lld", c->budget_alarms, (long long)c->budget_period_ms);
}

void
config_features_free(struct feature_config *feature, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(feature[i].name);
	free(feature);
}

static int
add_feature(struct config_reading *r, const struct yaml_node *n, struct model_config *m,
            const char *name, enum feature_type type)
{
	char *copy = strdup(name);
	struct feature_config *grown = realloc(m->feature, (m->features + 1) * sizeof *grown);

	if (grown)
		m->feature = grown;
	if (!grown || !copy) {
		free(copy);
		return out_of_memory(r, n);
	}
	m->feature[m->features++] = (struct feature_config){ copy, type };
	return 0;
}

int
config_value_read_features(struct config_reading *r, const struct config_key *k,
                           const struct yaml_node *n, void *target)
{
	struct model_config *m = target;
	bool list = n->kind == YAML_SEQUENCE;
	int err = 0;

	if (n->kind == YAML_SCALAR || !n->child)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected names, as in [income, age] or "
		                            "{income: numeric}; leave the key out for all",
		                            k->option.name);
	config_features_free(m->feature, m->features);
	m->feature = NULL;
	m->features = 0;
	m->features_only_listed = list;
	for (const struct yaml_node *c = n->child; c && !err; c = c->next) {
		int type = FEATURE_FROM_JSON;
		const char *name = list ? read_name(r, k, c) : c->key;
		if (!name || (!list && (type = read_word(r, k, c, config_value_feature_types)) < 0))
			return ERR_INVALID;
		for (size_t i = 0; list && i < m->features; i++)
			if (!strcmp(m->feature[i].name, name))
				return config_reading_error(r, ERR_INVALID, c, "%s: '%.80s' twice",
				                            k->option.name, name);
		if (m->features == LIMIT_FEATURES)
			return config_reading_error(r, ERR_INVALID, c, "%s: more than %d", k->option.name,
			                            LIMIT_FEATURES);
		err = add_feature(r, c, m, name, (enum feature_type)type);
	}
	return err;
}

void
config_value_write_features(FILE *out, const struct config_key *k, const void *target)
{
	const struct model_config *m = target;

	(void)k;
	fputs(m->features_only_listed ? "only " : "", out);
	for (size_t i = 0; i < m->features; i++) {
		config_key_write_text(out, m->feature[i].name);
		fprintf(out, " %s ", config_value_feature_types[m->feature[i].type]);
	}
}
