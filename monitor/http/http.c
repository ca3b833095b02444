/* http.c -- see http.h. */
#include "monitor/http/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>
#include <sqlite3.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/deliver/deliver.h"
#include "monitor/http/metrics.h"
#include "monitor/http/pages.h"
#include "monitor/live.h"
#include "monitor/log.h"
#include "storage/exposition.h"
#include "storage/store.h"

enum {
	CONNECTIONS = 64, CONNECTIONS_ADDRESS = 8, IDLE_S = 5, POOL_BYTES = 16 * 1024, CODES = 8,
	SWEEP_MS = 500,
	RENDER_MS = 5000,        /* age of what /metrics says, while somebody asks ... */
	RENDER_IDLE_MS = 60000,  /* ... and while nobody has asked for ... */
	IDLE_AFTER_MS = 300000,  /* ... so long */
};

enum { ROUTES = 6 };

struct text {
	char *bytes;
	size_t length;
};

struct answer {
	unsigned code;
	const char *type;
	const char *policy; /* Content-Security-Policy; NULL: nothing at all is allowed */
	struct text text;   /* bytes are given away, unless they are lent */
	bool lent;
};

/* `rest`: what follows the path of the route. */
typedef void answer_fn(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a);

struct route {
	const char *path; /* the whole, or with a / at its end the beginning */
	answer_fn *answer;
	bool open;        /* without a token: it tells nothing */
};

struct connection { /* descriptor -1: free */
	int fd;
	int64_t since_ms;
};

struct http {
	const struct config *config;
	struct live *live;
	struct deliver *deliver;
	struct MHD_Daemon *daemon;
	struct sqlite3 *db;        /* of the thread that renders */
	struct pages *pages;       /* of the thread of the server */
	char address[80];
	pthread_t renderer;
	bool rendering;            /* the thread runs */
	atomic_bool stop;
	pthread_mutex_t lock;      /* the rest of this */
	pthread_cond_t change;
	struct text metrics;
	int64_t rendered_ms, asked_ms;
	struct connection connection[CONNECTIONS];
	uint64_t overdue;          /* connections closed at their deadline */
	uint64_t requests[ROUTES + 1][CODES]; /* by route, or other; and by code of `codes` */
};

static const unsigned codes[CODES] = { 200, 401, 404, 405, 413, 421, 500, 503 };

/* -- what is rendered -------------------------------------------------------------------------------- */

static answer_fn answer_metrics, answer_live, answer_ready, answer_document, answer_data;

static const struct route routes[ROUTES] = {
	{ "/metrics", answer_metrics, false }, { "/health/live", answer_live, false },
	{ "/health/ready", answer_ready, false }, { "/health", answer_ready, false },
	{ "/data/", answer_data, false }, { "/", answer_document, true },
};

static void
write_own(struct http *h, FILE *out)
{
	uint64_t requests[ROUTES + 1][CODES], overdue;

	pthread_mutex_lock(&h->lock);
	memcpy(requests, h->requests, sizeof requests);
	overdue = h->overdue;
	pthread_mutex_unlock(&h->lock);
	exposition_head(out, "driftd_http_requests_total", "counter", "Answers, by path and status.");
	for (size_t r = 0; r <= ROUTES; r++)
		for (size_t c = 0; c < CODES; c++)
			if (requests[r][c])
				fprintf(out, "driftd_http_requests_total{path=\"%s\",code=\"%u\"} %llu\n",
				        r < ROUTES ? routes[r].path : "other", codes[c],
				        (unsigned long long)requests[r][c]);
	exposition_head(out, "driftd_http_connections_rejected_total", "counter",
	                "Connections that were closed, by reason.");
	fprintf(out, "driftd_http_connections_rejected_total{reason=\"deadline\"} %llu\n",
	        (unsigned long long)overdue);
}

static void
render(struct http *h)
{
	struct live_figures figures;
	struct text text = { NULL, 0 };
	struct diag d = { "" };
	char *pipeline;
	FILE *out = open_memstream(&text.bytes, &text.length);
	int err;

	if (!out)
		return;
	live_read(h->live, &figures);
	pipeline = live_text(h->live);
	metrics_process(out);
	metrics_live(out, &figures, h->deliver);
	if (pipeline)
		fputs(pipeline, out);
	free(pipeline);
	metrics_deliver(out, h->deliver);
	write_own(h, out);
	err = exposition_write(h->db, out, METRICS_SERIES_MAX, &d);
	if (err)
		log_often(LOG_WARN, "metrics", "%s", d.text);
	if (fclose(out)) {
		free(text.bytes);
		return;
	}
	pthread_mutex_lock(&h->lock);
	free(h->metrics.bytes);
	h->metrics = text;
	h->rendered_ms = clock_monotonic_ms();
	pthread_mutex_unlock(&h->lock);
}

/* libmicrohttpd's own limit is about silence: a client that sends a byte now and then would stay for ever. */
static void
close_overdue(struct http *h, int64_t now)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (h->connection[i].fd >= 0 && now - h->connection[i].since_ms > HTTP_DEADLINE_MS) {
			shutdown(h->connection[i].fd, SHUT_RDWR);
			h->connection[i].fd = -1;
			h->overdue++;
		}
}

static void *
run_renderer(void *context)
{
	struct http *h = context;

	while (!atomic_load(&h->stop)) {
		struct timespec until;
		int64_t now = clock_monotonic_ms();

		pthread_mutex_lock(&h->lock);
		close_overdue(h, now);
		int64_t age = now - h->asked_ms > IDLE_AFTER_MS ? RENDER_IDLE_MS : RENDER_MS;
		bool due = now - h->rendered_ms >= age;
		pthread_mutex_unlock(&h->lock);
		if (due)
			render(h);
		pthread_mutex_lock(&h->lock);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SWEEP_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (!atomic_load(&h->stop))
			pthread_cond_timedwait(&h->change, &h->lock, &until);
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

static void
answer_metrics(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a)
{
	(void)c, (void)rest;
	a->type = "text/plain; version=0.0.4; charset=utf-8";
	pthread_mutex_lock(&h->lock);
	h->asked_ms = clock_monotonic_ms();
	a->text.bytes = malloc(h->metrics.length + 1);
	if (a->text.bytes) {
		memcpy(a->text.bytes, h->metrics.bytes, h->metrics.length);
		a->text.length = h->metrics.length;
	} else {
		a->code = 500;
	}
	pthread_mutex_unlock(&h->lock);
}

static void
answer_health(struct http *h, struct answer *a,
              bool (*verdict)(FILE *out, const struct live_figures *f, int64_t now_ms))
{
	struct live_figures figures;
	FILE *out = open_memstream(&a->text.bytes, &a->text.length);

	a->type = "application/json";
	live_read(h->live, &figures);
	if (!out || !verdict(out, &figures, clock_monotonic_ms()))
		a->code = 503;
	if (out)
		fclose(out);
}

static void
answer_live(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a)
{
	(void)c, (void)rest;
	answer_health(h, a, health_live);
}

static void
answer_ready(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a)
{
	(void)c, (void)rest;
	answer_health(h, a, health_ready);
}

static void
answer_document(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a)
{
	(void)c, (void)rest;
	a->type = "text/html; charset=utf-8";
	a->policy = pages_policy(h->pages);
	a->text.bytes = (char *)(uintptr_t)pages_document(h->pages, &a->text.length);
	a->lent = true;
}

static void
answer_data(struct http *h, struct MHD_Connection *c, const char *rest, struct answer *a)
{
	a->code = pages_data(h->pages, rest, MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "id"),
	                     &a->text.bytes, &a->text.length);
	a->type = a->code == 200 ? "application/json" : "text/plain; charset=utf-8";
}

/* -- requests ---------------------------------------------------------------------------------------- */

/* A page that a browser was lured to may resolve its own name to us (DNS rebinding): such a Host is not
 * ours. */
static bool
host_allowed(const struct http *h, const char *host)
{
	static const char *const local[] = { "localhost", "127.0.0.1", "[::1]" };
	const char *colon = host ? strrchr(host, ':') : NULL;
	size_t length;

	if (!host)
		return false;
	length = colon && !strchr(colon, ']') ? (size_t)(colon - host) : strlen(host);
	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
		if (strlen(local[i]) == length && !strncasecmp(local[i], host, length))
			return true;
	for (size_t i = 0; i < h->config->http.hosts.n; i++)
		if (strlen(h->config->http.hosts.text[i]) == length &&
		    !strncasecmp(h->config->http.hosts.text[i], host, length))
			return true;
	return strlen(h->config->http.host) == length && !strncasecmp(h->config->http.host, host, length);
}

/* In a time that does not tell how much of it is right. */
static bool
token_right(const struct http *h, const char *given)
{
	const char *token = h->config->http.token;
	size_t length;
	unsigned char wrong;

	if (!token)
		return true;
	if (!given || strncasecmp(given, "Bearer ", 7) != 0)
		return false;
	given += 7;
	length = strlen(given);
	wrong = length != strlen(token);
	for (size_t i = 0; token[i]; i++)
		wrong |= (unsigned char)(token[i] ^ given[length ? i % length : 0]);
	return !wrong;
}

static const char *
header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static unsigned
refusal(const struct http *h, struct MHD_Connection *c, const char *method, bool open)
{
	const char *length = header(c, "Content-Length");

	if (!host_allowed(h, header(c, "Host")))
		return 421;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return 405;
	if (header(c, "Transfer-Encoding") || (length && strcmp(length, "0") != 0))
		return 413;
	return open || token_right(h, header(c, "Authorization")) ? 0 : 401;
}

static void
count(struct http *h, size_t route, unsigned code)
{
	size_t i = 0;

	while (i + 1 < CODES && codes[i] != code)
		i++;
	pthread_mutex_lock(&h->lock);
	h->requests[route][i]++;
	pthread_mutex_unlock(&h->lock);
}

static enum MHD_Result
send_answer(struct MHD_Connection *c, struct answer *a)
{
	static const char *const fixed[][2] = { { "Connection", "close" }, { "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" }, { "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Referrer-Policy", "no-referrer" } };
	static const char nothing[] = "default-src 'none'; frame-ancestors 'none'";
	struct MHD_Response *r;
	enum MHD_Result result;

	if (!a->text.bytes)
		a->text.bytes = calloc(1, 64);
	if (!a->text.bytes)
		return MHD_NO;
	if (!a->text.length)
		a->text.length = (size_t)snprintf(a->text.bytes, 64, "%u\n", a->code);
	r = MHD_create_response_from_buffer(a->text.length, a->text.bytes,
	                                    a->lent ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(a->lent ? NULL : a->text.bytes);
		return MHD_NO;
	}
	MHD_add_response_header(r, "Content-Security-Policy", a->policy ? a->policy : nothing);
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		MHD_add_response_header(r, fixed[i][0], fixed[i][1]);
	MHD_add_response_header(r, "Content-Type", a->type);
	if (a->code == 401)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
	if (a->code == 405)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	result = MHD_queue_response(c, a->code, r);
	MHD_destroy_response(r);
	return result;
}

/* What follows the path of a route; NULL: it is another one. */
static const char *
after(const char *url, const char *path)
{
	size_t length = strlen(path);

	if (!strcmp(url, path))
		return url + length;
	return length > 1 && path[length - 1] == '/' && !strncmp(url, path, length) ? url + length : NULL;
}

static enum MHD_Result
handle(void *context, struct MHD_Connection *c, const char *url, const char *method, const char *version,
       const char *upload, size_t *upload_size, void **request)
{
	struct http *h = context;
	struct answer a = { .type = "text/plain" };
	const char *rest = NULL;
	size_t route = 0;

	(void)version, (void)upload, (void)upload_size, (void)request;
	while (route < ROUTES && !(rest = after(url, routes[route].path)))
		route++;
	a.code = refusal(h, c, method, route < ROUTES && routes[route].open);
	if (!a.code && route == ROUTES)
		a.code = 404;
	if (!a.code) {
		a.code = 200;
		routes[route].answer(h, c, rest, &a);
	}
	count(h, route, a.code);
	return send_answer(c, &a);
}

/* As usual, but a path that hides a NUL stays as it came, so that it matches none of ours. */
static size_t
unescape(void *context, struct MHD_Connection *c, char *text)
{
	(void)context, (void)c;
	return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static void
connected(void *context, struct MHD_Connection *c, void **place, enum MHD_ConnectionNotificationCode what)
{
	struct http *h = context;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	pthread_mutex_lock(&h->lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED && info) {
		for (size_t i = 0; i < CONNECTIONS; i++)
			if (h->connection[i].fd < 0) {
				h->connection[i] = (struct connection){ info->connect_fd, clock_monotonic_ms() };
				*place = &h->connection[i];
				break;
			}
	} else if (what == MHD_CONNECTION_NOTIFY_CLOSED && *place) {
		((struct connection *)*place)->fd = -1;
		*place = NULL;
	}
	pthread_mutex_unlock(&h->lock);
}

/* -- life -------------------------------------------------------------------------------------------- */

static int
listen_at(struct http *h, struct diag *d)
{
	const struct http_config *c = &h->config->http;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)c->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->port) };
	const union MHD_DaemonInfo *info;
	char bare[64];
	bool is_six = c->host[0] == '[';

	snprintf(bare, sizeof bare, "%.*s", (int)strcspn(c->host + is_six, "]"), c->host + is_six);
	if (inet_pton(is_six ? AF_INET6 : AF_INET, bare, is_six ? (void *)&six.sin6_addr : &four.sin_addr) != 1)
		return diag_set(d, ERR_INVALID, "http.listen: %s is no address", c->host);
	h->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | (is_six ? MHD_USE_IPv6 : 0u),
	                             (uint16_t)c->port, NULL, NULL, handle, h,
	                             MHD_OPTION_SOCK_ADDR, is_six ? (void *)&six : (void *)&four,
	                             MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	                             MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_ADDRESS,
	                             MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
	                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
	                             MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
	                             MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
	                             MHD_OPTION_NOTIFY_CONNECTION, connected, h, MHD_OPTION_END);
	if (!h->daemon)
		return diag_set(d, ERR_IO, "cannot listen on %s:%d: is another program there?", c->host, c->port);
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
	snprintf(h->address, sizeof h->address, "%s:%u", c->host, info ? (unsigned)info->port : (unsigned)c->port);
	return 0;
}

int
http_start(struct http **out, const struct config *config, struct live *live, struct deliver *deliver,
           struct diag *d)
{
	struct http *h = calloc(1, sizeof *h);
	pthread_condattr_t monotonic;
	int err;

	*out = NULL;
	if (!h)
		return diag_set(d, ERR_IO, "out of memory");
	h->config = config;
	h->live = live;
	h->deliver = deliver;
	for (size_t i = 0; i < CONNECTIONS; i++)
		h->connection[i].fd = -1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&h->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	err = store_open_reader(&h->db, config->database, d);
	if (!err)
		err = pages_create(&h->pages, config, d);
	if (!err) {
		h->asked_ms = clock_monotonic_ms();
		render(h);
		err = pthread_create(&h->renderer, NULL, run_renderer, h) ? diag_set(d, ERR_IO, "cannot start a thread")
		                                                         : 0;
		h->rendering = !err;
	}
	if (!err)
		err = listen_at(h, d);
	if (err) {
		http_stop(h);
		return err;
	}
	*out = h;
	return 0;
}

const char *
http_address(const struct http *h)
{
	return h->address;
}

void
http_stop(struct http *h)
{
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	pthread_mutex_lock(&h->lock);
	atomic_store(&h->stop, true);
	pthread_cond_broadcast(&h->change);
	pthread_mutex_unlock(&h->lock);
	if (h->rendering)
		pthread_join(h->renderer, NULL);
	pages_destroy(h->pages);
	sqlite3_close(h->db);
	free(h->metrics.bytes);
	pthread_cond_destroy(&h->change);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
