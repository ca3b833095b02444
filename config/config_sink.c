/* config_sink.c -- alerts.sinks: where alerts go, which ones, and when. */
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"
#include "config/limits.h"

#define S struct sink_config
#define DAY 86400000.0

enum { URL_BYTES_MAX = 2048, WORDS_MAX = 64 };

static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const formats[] = { "json", "slack", NULL };
static const char *const kinds[] = { "drift", "coverage", "performance", "calibration", "ood", "uncertainty",
	"discrepancy", "confidence", "quality", "no_data", "gap", "system", NULL };

static config_key_read_fn read_secret, read_secret_file, read_url, read_kinds, read_quiet;
static config_key_write_fn write_nothing;

/* Never dumped: sinks do not change what is found. */
static void
write_nothing(FILE *out, const struct config_key *k, const void *target)
{
	(void)out, (void)k, (void)target;
}

#define SECRET(field, nm, words, hlp)                                                              \
	CONFIG_OWN_UNSET(S, field, nm, read_secret, write_nothing, 0, 0, "${ENV:NAME} or ${FILE:path}",  \
	                 words, hlp),                                                             \
	CONFIG_OWN_UNSET(S, field, nm "_file", read_secret_file, write_nothing, 0, 0,              \
	                 "path, or name of a systemd credential", words,                          \
	                 "File that holds `" nm "`; nobody but owner and group may read it.")
#define URL(fb, words, hlp)                                                                        \
	{ .option = { "url", OPTION_TEXT, offsetof(S, url), fb, 0, 0, NULL, hlp }, .read = read_url,   \
		.write = write_nothing, .type = "http:// or https:// address, ${ENV:NAME} or ${FILE:path}", \
		.unset = words }
#define COMMON                                                                                     \
	CONFIG_UNSET(OPT_TEXT(S, name, "name", NULL, "What the sink is called in tables, metrics and "   \
	                                             "logs."), "its type, numbered from the second on"), \
	CONFIG_OWN_UNSET(S, models, "models", config_value_read_strings, write_nothing, 1, 256,        \
	                 "list of names with * and ?", "all", "Only alerts of these models."),         \
	CONFIG_OWN_UNSET(S, kinds, "kinds", read_kinds, write_nothing, 1, 16, "list of kinds", "all",  \
	                 "Only these kinds: drift, coverage, performance, calibration, ood, uncertainty, " \
	                 "discrepancy, confidence, quality, no_data, gap, system."),                   \
	CONFIG_KEY(OPTION_ROW(S, severity, "severity", OPTION_ENUM, enum sink_severity, "info", 0, 0,  \
	                      severities, "The least severity that is sent here.")),                   \
	CONFIG_OWN_UNSET(S, quiet_from, "quiet", read_quiet, write_nothing, 0, 0, "HH:MM-HH:MM",        \
	                 "none", "Hours of the local day (TZ) in which only critical alerts are sent; "  \
	                         "the others wait for their end.")
#define HTTP                                                                                       \
	CONFIG_UNSET(OPT_TEXT(S, proxy, "proxy", NULL, "HTTP proxy; the environment's is not used."),   \
	             "none"),                                                                         \
	CONFIG_UNSET(OPT_TEXT(S, ca_file, "ca_file", NULL, "Certificates to trust, PEM."),             \
	             "the system's")
#define TIMEOUT(fb)                                                                                \
	CONFIG_KEY(OPT_DURATION(S, timeout_ms, "timeout", fb, 100, 600000, "Longest time of one try."))

static const struct config_key webhook_keys[] = {
	URL(NULL, "must be given", "Where each message is posted."),
	SECRET(secret, "secret", "no signature", "Key of the HMAC-SHA256 signature (header "
	                                         "webhook-signature)."),
	SECRET(token, "token", "none", "Sent as Authorization: Bearer."),
	CONFIG_KEY(OPTION_ROW(S, format, "format", OPTION_ENUM, enum sink_format, "json", 0, 0, formats,
	                      "json: the whole message, its `text` included; slack: nothing but `text`.")),
	TIMEOUT("15s"), HTTP, COMMON, CONFIG_END,
};

static const struct config_key alertmanager_keys[] = {
	URL(NULL, "must be given", "Its root; each member of a cluster is a sink of its own."),
	SECRET(token, "token", "none", "Sent as Authorization: Bearer."),
	CONFIG_KEY(OPT_DURATION(S, resend_ms, "resend", "1m", 1000, 3600000,
	                        "How often firing alerts are sent again.")),
	TIMEOUT("15s"), HTTP, COMMON, CONFIG_END,
};

static const struct config_key pagerduty_keys[] = {
	SECRET(routing_key, "routing_key", "must be given", "Integration key of the service."),
	URL("https://events.pagerduty.com/v2/enqueue", NULL, "Address of the Events API v2."),
	TIMEOUT("15s"), HTTP, COMMON, CONFIG_END,
};

static const struct config_key kafka_keys[] = {
	CONFIG_UNSET(OPT_TEXT(S, topic, "topic", NULL, "Topic of the brokers in `kafka`; messages are "
	                                               "CloudEvents "
	                                               "in JSON, their key is the alert."), "must be given"),
	TIMEOUT("30s"), COMMON, CONFIG_END,
};

static const struct config_key command_keys[] = {
	CONFIG_OWN_UNSET(S, command, "command", config_value_read_strings, write_nothing, 1, WORDS_MAX,
	                 "list: program and arguments", "must be given",
	                 "Program that gets each message on its standard input; exit status 0 takes it."),
	TIMEOUT("30s"), COMMON, CONFIG_END,
};

static const struct config_key log_keys[] = { COMMON, CONFIG_END };

/* In the order of enum sink_type. */
const struct config_key config_sink_types[] = {
	CONFIG_SECTION("webhook", webhook_keys, "JSON by HTTP POST; also for Slack and its likes."),
	CONFIG_SECTION("alertmanager", alertmanager_keys, "Prometheus Alertmanager, API v2."),
	CONFIG_SECTION("pagerduty", pagerduty_keys, "PagerDuty, Events API v2."),
	CONFIG_SECTION("kafka", kafka_keys, "A topic."),
	CONFIG_SECTION("command", command_keys, "A program."),
	CONFIG_SECTION("log", log_keys, "Standard error."),
	CONFIG_END,
};

static char **
place(const struct config_key *k, void *target)
{
	return (void *)((char *)target + k->option.offset);
}

static int
read_secret(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	char **text = place(k, target);

	if (n->kind != YAML_SCALAR || !strstr(n->scalar, "${"))
		return config_reading_error(r, ERR_INVALID, n, "%s: a secret does not stand here: write "
		                                               "${ENV:NAME}, "
		                            "${FILE:path}, or `%s_file: "
		                            "path`", k->option.name, k->option.name);
	free(*text);
	*text = NULL;
	int err = config_secret_expand(r, n, text);
	return err ? err : config_secret_check_line(r, n, text);
}

static int
read_secret_file(struct config_reading *r, const struct config_key *k, const struct yaml_node *n,
                 void *target)
{
	char **text = place(k, target);
	const char *path = config_key_text(r, k, n);

	if (!path)
		return ERR_INVALID;
	free(*text);
	*text = NULL;
	int err = config_secret_file(r, n, path, text);
	return err ? err : config_secret_check_line(r, n, text);
}

static int
read_url(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	char *text = NULL, **url = place(k, target);
	int err = n->kind == YAML_SCALAR ? config_secret_expand(r, n, &text) : ERR_INVALID;
	size_t length = text ? strlen(text) : 0;

	if (n->kind == YAML_SCALAR && err)
		return err;
	bool http = text && (!strncmp(text, "http://", 7) || !strncmp(text, "https://", 8));
	for (size_t i = 0; http && i < length; i++)
		http = (unsigned char)text[i] > ' ' && text[i] != 127;
	if (!http || length > URL_BYTES_MAX || !strchr(text, ':')[3]) {
		free(text);
		return config_reading_error(r, ERR_INVALID, n, "%s: expected http://HOST... or "
		                                               "https://HOST... without "
		                            "blanks", k->option.name);
	}
	free(*url);
	*url = text;
	return 0;
}

static int
read_kinds(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	S *sink = target;
	int err = config_value_read_strings(r, k, n, target);

	for (size_t i = 0; !err && i < sink->kinds.n; i++) {
		const char *near = option_nearest_word(kinds, sink->kinds.text[i]);
		if (!near || strcmp(near, sink->kinds.text[i]))
			err = config_reading_error(r, ERR_INVALID, n, "%s: there is no kind '%.40s'%s%s%s",
			                           k->option.name,
			                           sink->kinds.text[i], near ? " (did you mean '" : "",
			                           near ? near : "", near ? "'?)" : "");
	}
	return err;
}

/* HH:MM as a minute of the day, or -1; *text moves behind it. */
static int
minute(const char **text)
{
	const char *p = *text;

	if (strspn(p, "0123456789") != 2 || p[2] != ':' || strspn(p + 3, "0123456789") != 2)
		return -1;
	*text = p + 5;
	int hour = (p[0] - '0') * 10 + p[1] - '0', m = (p[3] - '0') * 10 + p[4] - '0';
	return hour < 24 && m < 60 ? hour * 60 + m : -1;
}

static int
read_quiet(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	S *sink = target;
	const char *text = config_key_text(r, k, n);

	if (!text)
		return ERR_INVALID;
	int from = minute(&text), to = -1;
	if (from >= 0 && *text == '-') {
		text++;
		to = minute(&text);
	}
	if (to < 0 || *text || from == to)
		return config_reading_error(r, ERR_INVALID, n, "%s: expected two times of the day, as in "
		                                               "22:00-07:00",
		                            k->option.name);
	sink->quiet_from = from;
	sink->quiet_to = to;
	return 0;
}

/* What the type cannot do without. */
static int
check_needed(struct config_reading *r, const struct yaml_node *n, const S *sink)
{
	const char *missing = NULL;

	if ((sink->type == SINK_WEBHOOK || sink->type == SINK_ALERTMANAGER) && !sink->url)
		missing = "url";
	if (sink->type == SINK_PAGERDUTY && !sink->routing_key)
		missing = "routing_key";
	if (sink->type == SINK_KAFKA && !sink->topic)
		missing = "topic";
	if (sink->type == SINK_COMMAND && !sink->command.n)
		missing = "command";
	return missing ? config_reading_error_key(r, ERR_INVALID, n, "%s: `%s` is missing", n->key,
	                                          missing) : 0;
}

static int
give_name(struct config_reading *r, const struct yaml_node *n, struct config *c, S *sink)
{
	char name[40];
	int number = 1;

	for (const S *other = c->sink; other < sink; other++) {
		number += other->type == sink->type;
		if (sink->name && other->name && !strcmp(sink->name, other->name))
			return config_reading_error_key(r, ERR_INVALID, n, "sinks: two are called '%.80s'",
			                                sink->name);
	}
	if (sink->name)
		return strlen(sink->name) <= 64 ? 0 : config_reading_error_key(r, ERR_INVALID, n,
		                                                             "name: more than 64 bytes");
	snprintf(name, sizeof name, number > 1 ? "%s-%d" : "%s", config_sink_types[sink->type].option.name,
	         number);
	sink->name = strdup(name);
	return sink->name ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
}

static void
read_sink(struct config_reading *r, const struct yaml_node *entry, struct config *c, S *sink)
{
	const struct yaml_node *n = entry->kind == YAML_MAPPING ? entry->child : NULL;
	const struct config_key *type;

	if (!n || n->next) {
		config_reading_error(r, ERR_INVALID, entry, "sinks: expected one sink an entry, as in `- "
		                                            "webhook: {url: "
		                     "...}`");
		return;
	}
	type = config_key_find(config_sink_types, n->key);
	if (!type) {
		const char *near = config_key_nearest(config_sink_types, n->key);
		config_reading_error_key(r, ERR_INVALID, n, "unknown sink '%.80s'%s%s%s", n->key,
		                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
		return;
	}
	sink->type = (enum sink_type)(type - config_sink_types);
	if (config_key_defaults(type->child, sink)) {
		config_reading_error(r, ERR_IO, n, "out of memory");
		return;
	}
	if (!config_key_section(r, type->child, n, type->option.name, sink) && !check_needed(r, n, sink))
		give_name(r, n, c, sink);
}

void
config_sink_read_all(struct config_reading *r, const struct yaml_node *root, struct config *c)
{
	const struct yaml_node *alerts = yaml_get(root, "alerts");
	const struct yaml_node *sinks = alerts && alerts->kind == YAML_MAPPING ? yaml_get(alerts,
	                                                                                  "sinks") : NULL;
	size_t n = 0;

	if (!sinks)
		return;
	if (sinks->kind != YAML_SEQUENCE) {
		config_reading_error(r, ERR_INVALID, sinks, "sinks: expected a list, as in `- webhook: {url: "
		                                            "...}`");
		return;
	}
	for (const struct yaml_node *e = sinks->child; e; e = e->next)
		n++;
	if (n > LIMIT_SINKS) {
		config_reading_error(r, ERR_LIMIT, sinks, "sinks: %zu sinks; at most %d", n, LIMIT_SINKS);
		return;
	}
	c->sink = calloc(n ? n : 1, sizeof *c->sink);
	if (!c->sink) {
		config_reading_error(r, ERR_IO, sinks, "out of memory");
		return;
	}
	for (const struct yaml_node *e = sinks->child; e; e = e->next)
		read_sink(r, e, c, &c->sink[c->sinks++]);
}

void
config_sink_free(S *sink)
{
	char *const text[] = { sink->name, sink->url, sink->secret, sink->token, sink->routing_key,
		sink->topic,
		               sink->proxy, sink->ca_file };

	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
		free(text[i]);
	config_strings_free(&sink->command);
	config_strings_free(&sink->models);
	config_strings_free(&sink->kinds);
}
