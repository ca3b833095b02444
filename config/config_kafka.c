/* config_kafka.c -- what goes through to librdkafka: which properties may.
 *
 * librdkafka reads integers with strtol and a cast, so 4294967297 would silently become 1: the
 * range is checked here. Its own errors (unknown name, bad value) come from rd_kafka_conf_set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"

enum { PROPERTIES_MAX = 200, KAFKA_INT_MAX = 2147483647 };

struct rule {
	const char *name; /* `*` at one end stands for anything */
	const char *why;
};

/* Offsets live in SQLite, together with the state: whatever would move or commit them is ours. */
static const struct rule refused[] = {
	{ "enable.auto.commit", "is forced to false: offsets are committed with the state" },
	{ "enable.auto.offset.store", "is forced to false: offsets are committed with the state" },
	{ "auto.offset.reset", "is forced to error: a gap is recorded, never jumped" },
	{ "enable.partition.eof", "is forced to true: the merge needs the end of a partition" },
	{ "check.crcs", "is forced to true" },
	{ "bootstrap.servers", "stands in kafka.brokers" },
	{ "metadata.broker.list", "stands in kafka.brokers" },
	{ "group.id", "stands in kafka.group" },
	{ "plugin.library.paths", "is refused: it loads code" },
	{ "interceptors", "is refused: it loads code" },
	{ "*_cb", "is refused: it is for programs" },
	{ "opaque", "is refused: it is for programs" },
	{ "default_topic_conf", "is refused: it is for programs" },
	{ "debug", "is refused: its output may hold secrets" },
	{ "enable.sasl.oauthbearer.unsecure.jwt", "is refused: such tokens prove nothing" },
};

/* Values that are never logged, hashed or stored as they are. */
static const char *const secret[] = { "*password", "*secret", "*.pem", "ssl.key*", "ssl_key*",
	"sasl.oauthbearer.config", NULL };
/* Texts that may well consist of many digits. */
static const char *const texts[] = { "client.id", "client.rack", "group.instance.id", "*username",
	"*.location", "sasl.oauthbearer.client.id", NULL };

static bool
in(const char *const *patterns, const char *name)
{
	for (size_t i = 0; patterns[i]; i++)
		if (config_glob(patterns[i], name))
			return true;
	return false;
}

int
config_kafka_read_brokers(struct config_reading *r, const struct config_key *k,
                          const struct yaml_node *n, void *target)
{
	struct config *c = target;
	const char *text = config_key_text(r, k, n);

	if (!text)
		return ERR_INVALID;
	for (const char *p = text; strcmp(text, "embedded"); p++) {
		size_t length = strcspn(p, ",");
		const char *colon = NULL;
		for (size_t i = 0; i < length; i++)
			if (p[i] == ':')
				colon = p + i;
		if (!length || colon == p || strcspn(p, " \t") < length)
			return config_reading_error(r, ERR_INVALID, n, "%s: '%.100s' is not `embedded` or "
			                            "host:port,host:port without blanks", k->option.name, text);
		if (colon && memchr(colon, ']', (size_t)(p + length - colon)))
			colon = NULL; /* [::1] without a port */
		char *end;
		long port = colon ? strtol(colon + 1, &end, 10) : 9092;
		if (colon && (end != p + length || end == colon + 1 || port < 1 || port > 65535))
			return config_reading_error(r, ERR_INVALID, n, "%s: '%.*s' has no port from 1 to 65535",
			                            k->option.name, (int)(length < 80 ? length : 80), p);
		p += length;
		if (!*p)
			break;
	}
	free(c->kafka.brokers);
	c->kafka.brokers = strdup(text);
	return c->kafka.brokers ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
}

void
config_kafka_write_brokers(FILE *out, const struct config_key *k, const void *target)
{
	(void)k;
	config_key_write_text(out, ((const struct config *)target)->kafka.brokers);
}

/* As librdkafka reads it: base by prefix, so 0x1FFFFFFFF counts as well. */
static bool
truncates(const char *value)
{
	char *end;

	errno = 0;
	long long v = strtoll(value, &end, 0);
	bool number = end != value && !*end;
	return number && (errno == ERANGE || v > KAFKA_INT_MAX || v < -KAFKA_INT_MAX - 1LL);
}

static int
check_name(struct config_reading *r, const struct yaml_node *n)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (config_glob(refused[i].name, n->key))
			return config_reading_error_key(r, ERR_INVALID, n, "kafka.properties: '%.80s' %s",
			                                n->key, refused[i].why);
	if (n->kind != YAML_SCALAR)
		return config_reading_error(r, ERR_INVALID, n, "%.80s: expected one value, as librdkafka "
		                            "documents it", n->key);
	if (!n->quoted && (!*n->scalar || !strcmp(n->scalar, "~") || !strcmp(n->scalar, "null")))
		return config_reading_error(r, ERR_INVALID, n,
		                            "%.80s: no value; write '' for an empty text", n->key);
	return 0;
}

static int
read_property(struct config_reading *r, const struct yaml_node *n, struct kafka_config *kafka)
{
	struct property p = { .line = n->key_line, .column = n->key_column };
	int err = check_name(r, n);
	bool hide = in(secret, n->key);

	if (!err)
		err = config_secret_expand(r, n, &p.value);
	if (!err && !hide && !in(texts, n->key) && truncates(p.value))
		err = config_reading_error(r, ERR_INVALID, n, "%s: %.40s is outside what librdkafka can "
		                           "hold (-2147483648 to 2147483647)", n->key, n->scalar);
	if (err)
		goto out;
	bool literal = !strstr(n->scalar, "${");
	p.name = strdup(n->key);
	p.written = strdup(hide && literal ? "(secret)" : n->scalar);
	struct property *grown = realloc(kafka->property, (kafka->properties + 1) * sizeof *grown);
	if (grown)
		kafka->property = grown;
	if (!grown || !p.name || !p.written) {
		err = config_reading_error(r, ERR_IO, n, "out of memory");
		goto out;
	}
	kafka->property[kafka->properties++] = p;
	return 0;
out:
	free(p.name);
	free(p.value);
	free(p.written);
	return err;
}

int
config_kafka_read_properties(struct config_reading *r, const struct config_key *k,
                             const struct yaml_node *n, void *target)
{
	struct config *c = target;
	int err = 0;

	if (n->kind != YAML_MAPPING)
		return config_reading_error(r, ERR_INVALID, n,
		                            "%s: expected librdkafka's names with values", k->option.name);
	for (const struct yaml_node *p = n->child; p; p = p->next) {
		if (c->kafka.properties == PROPERTIES_MAX)
			return config_reading_error_key(r, ERR_INVALID, p, "%s: more than %d", k->option.name,
			                                PROPERTIES_MAX);
		int one = read_property(r, p, &c->kafka);
		if (one)
			err = one;
	}
	return err;
}

static int
by_name(const void *a, const void *b)
{
	const struct property *const *p = a, *const *q = b;

	return strcmp((*p)->name, (*q)->name);
}

void
config_kafka_write_properties(FILE *out, const struct config_key *k, const void *target)
{
	const struct kafka_config *kafka = &((const struct config *)target)->kafka;
	const struct property *sorted[PROPERTIES_MAX];

	(void)k;
	for (size_t i = 0; i < kafka->properties; i++)
		sorted[i] = &kafka->property[i];
	qsort(sorted, kafka->properties, sizeof sorted[0], by_name);
	for (size_t i = 0; i < kafka->properties; i++) {
		config_key_write_text(out, sorted[i]->name);
		config_key_write_text(out, sorted[i]->written);
	}
}

void
config_kafka_check(struct config_reading *r, const struct kafka_config *kafka)
{
	if (!kafka->brokers || !strcmp(kafka->brokers, "embedded"))
		return;
	for (size_t i = 0; i < kafka->properties; i++) {
		const struct property *p = &kafka->property[i];
		const struct yaml_node at = { .line = p->line, .column = p->column };
		if (config_glob("test.mock.*", p->name))
			config_reading_error(r, ERR_INVALID, &at,
			                     "kafka.properties: '%.80s' is for `brokers: embedded`", p->name);
	}
}

void
config_kafka_free(struct kafka_config *kafka)
{
	for (size_t i = 0; i < kafka->properties; i++) {
		free(kafka->property[i].name);
		free(kafka->property[i].value);
		free(kafka->property[i].written);
	}
	free(kafka->property);
	free(kafka->brokers);
}
