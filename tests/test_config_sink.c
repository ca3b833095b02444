/* test_config_sink.c -- suite `config`: alerts.sinks and http. */
#include "tests/test_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#define SINKS(text) "alerts:\n  sinks:\n  - " text "\n"

void
every_sink_reaches_its_fields(void **state)
{
	struct config *c = config_accept("alerts:\n  mode: shadow\n  sinks:\n"
	                                 "  - webhook: {url: 'http://a/b', format: slack, models: [c*], kinds: [drift, gap],"
	                                 " severity: warning, quiet: '22:00-07:30', timeout: 2s}\n"
	                                 "  - alertmanager: {url: 'https://am', resend: 30s, name: am}\n"
	                                 "  - webhook: {url: 'http://c'}\n"
	                                 "  - kafka: {topic: t}\n  - command: {command: [sh, -c, 'x y']}\n  - log:\n");
	const struct sink_config *s = c->sink;

	(void)state;
	assert_int_equal(c->sinks, 6);
	assert_int_equal(c->alert_mode, ALERTS_SHADOW);
	assert_string_equal(s[0].name, "webhook");
	assert_string_equal(s[1].name, "am");
	assert_string_equal(s[2].name, "webhook-2");
	assert_int_equal(s[0].type, SINK_WEBHOOK);
	assert_int_equal(s[0].format, SINK_SLACK);
	assert_string_equal(s[0].models.text[0], "c*");
	assert_int_equal(s[0].kinds.n, 2);
	assert_int_equal(s[0].severity, SINK_WARNING);
	assert_int_equal(s[0].quiet_from, 22 * 60);
	assert_int_equal(s[0].quiet_to, 7 * 60 + 30);
	assert_true(s[0].timeout_ms == 2000 && s[1].resend_ms == 30000 && s[2].timeout_ms == 15000);
	assert_int_equal(s[2].quiet_from, s[2].quiet_to);
	assert_string_equal(s[3].topic, "t");
	assert_string_equal(s[4].command.text[2], "x y");
	assert_int_equal(s[5].type, SINK_LOG);
	config_free(c);
}

void
a_sink_that_cannot_work_is_refused(void **state)
{
	(void)state;
	config_refuse(SINKS("webhok: {url: 'http://a'}"), "f:3:5: unknown sink 'webhok' (did you mean 'webhook'?)");
	config_refuse(SINKS("webhook: {}"), "f:3:5: webhook: `url` is missing");
	config_refuse(SINKS("pagerduty:"), "f:3:5: pagerduty: `routing_key` is missing");
	config_refuse(SINKS("webhook: {url: 'ftp://a'}"), "f:3:20: url: expected http://");
	config_refuse(SINKS("webhook: {url: 'http://'}"), "f:3:20: url: expected http://");
	config_refuse(SINKS("webhook: {url: 'http://a b'}"), "f:3:20: url: expected http://");
	config_refuse(SINKS("webhook: {url: 'http://a', kinds: [drif]}"), "f:3:39: kinds: there is no kind 'drif' (did "
	              "you mean 'drift'?)");
	config_refuse(SINKS("log: {quiet: '9-10'}"), "f:3:18: quiet: expected two times");
	config_refuse(SINKS("log: {quiet: '09:00-09:00'}"), "f:3:18: quiet: expected two times");
	config_refuse(SINKS("log: {name: x}\n  - log: {name: x}"), "f:4:5: sinks: two are called 'x'");
	config_refuse(SINKS("log: {topic: x}"), "f:3:11: unknown key 'topic' in 'log'");
	config_refuse("alerts: {sinks: log}", "f:1:17: sinks: expected a list");
	config_refuse("alerts: {sinks: [log]}", "f:1:18: sinks: expected one sink an entry");
}

void
secrets_of_sinks_come_from_elsewhere(void **state)
{
	char path[] = "/tmp/driftd-secret-XXXXXX", text[300];
	int fd = mkstemp(path);
	struct config *c;

	(void)state;
	assert_true(fd >= 0 && write(fd, "hush\n", 5) == 5);
	config_refuse(SINKS("webhook: {url: 'http://a', secret: plain}"), "f:3:40: secret: a secret does not stand here");
	snprintf(text, sizeof text, SINKS("webhook: {url: 'http://a', secret_file: %s, token: '${FILE:%s}'}"), path, path);
	c = config_accept(text);
	assert_string_equal(c->sink[0].secret, "hush");
	assert_string_equal(c->sink[0].token, "hush");
	config_free(c);
	setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
	snprintf(text, sizeof text, SINKS("pagerduty: {routing_key_file: %s}"), strrchr(path, '/') + 1);
	c = config_accept(text);
	assert_string_equal(c->sink[0].routing_key, "hush");
	config_free(c);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_true(pwrite(fd, "hu\nsh\n", 6, 0) == 6);
	snprintf(text, sizeof text, SINKS("webhook: {url: 'http://a', token_file: %s}"), path);
	config_refuse(text, "f:3:44: token_file: the secret is empty or holds control characters");
	assert_int_equal(fchmod(fd, 0644), 0);
	config_refuse(text, "f:3:44: token_file: everybody may read");
	close(fd);
	unlink(path);
}

void
http_beyond_this_machine_needs_a_token(void **state)
{
	char path[] = "/tmp/driftd-token-XXXXXX", text[200];
	int fd = mkstemp(path);
	struct config *c = config_accept("http: {listen: 'localhost:9465', hosts: [a.example]}");

	(void)state;
	assert_true(fd >= 0 && write(fd, "token\n", 6) == 6);
	assert_string_equal(c->http.host, "127.0.0.1");
	assert_int_equal(c->http.port, 9465);
	assert_null(c->http.token);
	assert_string_equal(c->http.hosts.text[0], "a.example");
	config_free(c);
	c = config_accept("http: {listen: '[::1]:0'}");
	assert_string_equal(c->http.host, "[::1]");
	config_free(c);
	c = config_accept("{}");
	assert_null(c->http.host);
	config_free(c);
	config_refuse("http: {listen: '0.0.0.0:9465'}", "f:1:7: http: 0.0.0.0 is reachable from elsewhere");
	config_refuse("http: {listen: '[::]:9465'}", "f:1:7: http: [::] is reachable from elsewhere");
	config_refuse("http: {listen: 9465}", "f:1:16: listen: '9465' is not ADDRESS:PORT");
	config_refuse("http: {listen: 'a.example:80'}", "f:1:16: listen: 'a.example:80' is not ADDRESS:PORT");
	config_refuse("http: {listen: '127.0.0.1:65536'}", "f:1:16: listen: '127.0.0.1:65536' is not ADDRESS:PORT");
	snprintf(text, sizeof text, "http: {listen: '0.0.0.0:9465', token_file: %s}", path);
	c = config_accept(text);
	assert_string_equal(c->http.token, "token");
	config_free(c);
	close(fd);
	unlink(path);
}
