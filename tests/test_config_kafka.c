/* test_config_kafka.c -- suite `config`: what passes to librdkafka, and what is never shown. */
#include "tests/test_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

void
forced_and_denied_properties_are_refused(void **state)
{
	static const char *const names[][2] = { { "enable.auto.commit", "is forced" },
		{ "enable.auto.offset.store", "is forced" }, { "auto.offset.reset", "is forced" },
		{ "enable.partition.eof", "is forced" }, { "check.crcs", "is forced" },
		{ "bootstrap.servers", "stands in kafka.brokers" },
		{ "metadata.broker.list", "stands in kafka.brokers" },
		{ "group.id", "stands in kafka.group" },
		{ "plugin.library.paths", "is refused" }, { "rebalance_cb", "is refused" },
		{ "opaque", "is refused" }, { "debug", "is refused" },
		{ "enable.sasl.oauthbearer.unsecure.jwt", "is refused" } };
	char text[200], expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(text, sizeof text, "kafka:\n  properties:\n    %s: x\n", names[i][0]);
		snprintf(expected, sizeof expected, "f:3:5: kafka.properties: '%s' %s", names[i][0],
		         names[i][1]);
		config_refuse(text, expected);
	}
	config_refuse("kafka: {properties: {test.mock.num.brokers: 3}, brokers: 'a:1'}",
	       "f:1:22: kafka.properties: 'test.mock.num.brokers' is for `brokers: embedded`");
	config_free(config_accept("kafka: {properties: {test.mock.num.brokers: 3}}"));
	config_free(config_accept("kafka: {properties: {isolation.level: read_uncommitted}}"));
}

void
integers_that_librdkafka_would_truncate_are_refused(void **state)
{
	static const char *const bad[] = { "4294967297", "2147483648", "-2147483649", "0x1FFFFFFFF",
		"99999999999999999999999", "'4294967297'" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "kafka: {properties: {fetch.min.bytes: %s}}", bad[i]);
		config_refuse(text, "f:1:39: fetch.min.bytes: ");
	}
	config_free(config_accept("kafka: {properties: {fetch.min.bytes: 2147483647, "
	                          "client.id: 4294967297, sasl.password: 99999999999}}"));
}

void
secrets_are_expanded_but_never_written(void **state)
{
	char path[] = "/tmp/driftd-secret-XXXXXX", text[300];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "swordfish\n", 10), 10);
	close(fd);
	setenv("DRIFTD_TEST_SECRET", "hunter2", 1);
	snprintf(text, sizeof text, "kafka: {properties: {sasl.password: '${ENV:DRIFTD_TEST_SECRET}', "
	         "ssl.key.password: '${FILE:%s}', ssl.keystore.password: literal, "
	         "client.id: me}}", path);
	struct config *c = config_accept(text);
	const struct property *p = c->kafka.property;
	assert_int_equal(c->kafka.properties, 4);
	assert_string_equal(p[0].name, "sasl.password");
	assert_string_equal(p[0].value, "hunter2");
	assert_string_equal(p[0].written, "${ENV:DRIFTD_TEST_SECRET}");
	assert_int_equal(p[0].line, 1);
	assert_int_equal(p[0].column, 22);
	assert_string_equal(p[1].value, "swordfish");
	assert_null(strstr(p[1].written, "swordfish"));
	assert_string_equal(p[2].value, "literal");
	assert_string_equal(p[2].written, "(secret)");
	assert_string_equal(p[3].written, "me");
	uint64_t before = c->hash;
	config_free(c);
	setenv("DRIFTD_TEST_SECRET", "other", 1);
	assert_true(config_hash(text) == before);
	chmod(path, 0644);
	char *messages = config_refusal(text);
	assert_non_null(strstr(messages, "ssl.key.password: everybody may read"));
	assert_null(strstr(messages, "swordfish"));
	free(messages);
	unlink(path);
	unsetenv("DRIFTD_TEST_SECRET");
	messages = config_refusal(text);
	assert_non_null(strstr(messages, "sasl.password: the environment has no DRIFTD_TEST_SECRET"));
	assert_non_null(strstr(messages, "cannot read"));
	free(messages);
	assert_true(config_hash("kafka: {properties: {sasl.password: a}}") ==
	            config_hash("kafka: {properties: {sasl.password: b}}"));
	assert_true(config_hash("id_hash_key: 00112233445566778899aabbccddeeff") == config_hash("{}"));
}

void
a_secret_stands_for_the_whole_value(void **state)
{
	static const char *const bad[] = { "x${ENV:A}", "${ENV:A}x", "${ENV:${ENV:A}}", "${ENV:}",
		"${A}", "${ENV:A", "${ENV:A}${ENV:B}" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "kafka:\n  properties:\n    client.id: '%s'\n", bad[i]);
		config_refuse(text,
		              "f:3:16: client.id: ${ENV:NAME} and ${FILE:path} stand for a whole value");
	}
	config_refuse("kafka: {properties: {client.id: '${FILE:/}'}}",
	              "f:1:33: client.id: / is not a file");
}

/* Run from the root of the tree, as the Makefile does. */
void
the_example_is_accepted(void **state)
{
	static const char path[] = "config/driftd.example.yaml";
	struct config *c;

	(void)state;
	if (access(path, R_OK))
		skip();
	setenv("KAFKA_PASSWORD", "hunter2", 1);
	assert_int_equal(config_load(&c, path, stderr, NULL), 0);
	assert_int_equal(c->models, 2);
	assert_string_equal(c->defaults.field[1].path.text[1], "true.value");
	config_free(c);
	unsetenv("KAFKA_PASSWORD");
}
