/* config_http.c -- http: where machines and browsers may ask, and who. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_key.h"
#include "config/diag.h"

static config_key_read_fn read_listen, read_token_file;

#define C struct config

const struct config_key config_http_keys[] = {
	CONFIG_OWN_UNSET(C, http.host, "listen", read_listen, config_value_write_nothing, 0, 0,
	                 "ADDRESS:PORT, as in 127.0.0.1:9465 or [::1]:9465", "no HTTP",
	                 "Where the page, /metrics and /health are; beyond this machine's own addresses a token is "
	                 "needed. Port 0 takes a free one."),
	CONFIG_OWN_UNSET(C, http.token, "token_file", read_token_file, config_value_write_nothing, 0, 0,
	                 "path, or name of a systemd credential", "everybody who reaches the address may read",
	                 "File with the token that requests must bring (Authorization: Bearer)."),
	CONFIG_OWN_UNSET(C, http.hosts, "hosts", config_value_read_strings, config_value_write_nothing, 1, 64,
	                 "list of names", "localhost and the address",
	                 "Names of this server in requests (Host), besides localhost and the address."),
	CONFIG_END,
};

static int
read_listen(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	struct http_config *http = &((C *)target)->http;
	const char *text = config_key_text(r, k, n), *colon = text ? strrchr(text, ':') : NULL;
	unsigned char address[16];
	char host[64], bare[64], *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : -1;

	if (!text)
		return ERR_INVALID;
	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
	if (!strcmp(host, "localhost"))
		snprintf(host, sizeof host, "127.0.0.1");
	bool six = host[0] == '[' && host[strlen(host) - 1] == ']';
	snprintf(bare, sizeof bare, "%.*s", (int)strlen(host) - 2 * six, host + six);
	if (!colon || !colon[1] || *end || port < 0 || port > 65535 ||
	    inet_pton(six ? AF_INET6 : AF_INET, bare, address) != 1)
		return config_reading_error(r, ERR_INVALID, n, "%s: '%.80s' is not ADDRESS:PORT with an address in "
		                            "digits", k->option.name, text);
	free(http->host);
	http->host = strdup(host);
	http->port = (int)port;
	http->loopback = six ? !strcmp(bare, "::1") : address[0] == 127;
	return http->host ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
}

static int
read_token_file(struct config_reading *r, const struct config_key *k, const struct yaml_node *n, void *target)
{
	struct http_config *http = &((C *)target)->http;
	const char *path = config_key_text(r, k, n);

	if (!path)
		return ERR_INVALID;
	free(http->token);
	http->token = NULL;
	int err = config_secret_file(r, n, path, &http->token);
	return err ? err : config_secret_check_line(r, n, &http->token);
}

void
config_http_check(struct config_reading *r, const struct yaml_node *root, const C *c)
{
	const struct yaml_node *n = yaml_get(root, "http");

	if (n && c->http.host && !c->http.loopback && !c->http.token)
		config_reading_error(r, ERR_INVALID, n, "http: %s is reachable from elsewhere: `token_file` is needed",
		                     c->http.host);
	else if (n && c->http.host && c->tenant && !c->http.token)
		config_reading_error(r, ERR_INVALID, n, "http: a `tenant` has a token of its own: `token_file` is "
		                     "needed");
}

void
config_http_free(struct http_config *http)
{
	free(http->host);
	free(http->token);
	config_strings_free(&http->hosts);
}
