/* deliver.c -- threads, routing, marks; see deliver.h. */
#include "monitor/deliver/deliver.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <curl/curl.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/deliver/deliver_inside.h"
#include "monitor/log.h"

#define DAY_MS INT64_C(86400000)
enum {
	WAIT_MS = 1000,               /* between looks at the outbox when nobody wakes us */
	GAUGE_MS = 5000,
	TRIM_MS = 600000,
	BUSY_MS = 200,
	BACKOFF_MS = 1000, BACKOFF_MAX_MS = 300000, DENIED_MS = 300000,
	FAILURES_IN_A_ROW = 10,       /* beyond: one try at a time, then a pause of the whole sink */
};
#define KEEP_MS (30 * DAY_MS)         /* finished messages */
#define GIVE_UP_MS DAY_MS

const double deliver_bucket_s[DELIVER_BUCKETS] = { .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 15 };

/* -- waiting and counting -------------------------------------------------------------------------------- */

static void
wait_locked(struct deliver *d, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&d->change, &d->lock, &until);
}

void
deliver_wait(struct deliver *d, uint64_t *seen, int64_t ms)
{
	int64_t until = clock_monotonic_ms() + ms, now;

	pthread_mutex_lock(&d->lock);
	while (d->routed == *seen && !atomic_load(&d->stop) && (now = clock_monotonic_ms()) < until)
		wait_locked(d, until - now);
	*seen = d->routed;
	pthread_mutex_unlock(&d->lock);
}

void
deliver_count(struct sink *s, enum outbox_result result, double seconds)
{
	size_t i = 0;

	while (i < DELIVER_BUCKETS && seconds > deliver_bucket_s[i])
		i++;
	pthread_mutex_lock(&s->deliver->lock);
	s->ok += result == OUTBOX_SENT;
	s->retry += result == OUTBOX_RETRY;
	s->dead += result == OUTBOX_DEAD;
	s->bucket[i]++;
	s->seconds += seconds;
	pthread_mutex_unlock(&s->deliver->lock);
}

int64_t
deliver_backoff(struct sink *s, uint32_t attempt)
{
	int64_t most = attempt < 9 ? (int64_t)BACKOFF_MS << attempt : BACKOFF_MAX_MS;

	/* xorshift64 (Marsaglia 2003): only so that senders do not knock in step. */
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	return 1 + (int64_t)(s->random % (uint64_t)most);
}

enum outbox_result
deliver_judge(struct sink *s, const struct outbox_message *m, const struct reply *r, int64_t *next_ms)
{
	int64_t now = clock_wall_ms(), pause = deliver_backoff(s, m->attempts);

	*next_ms = 0;
	if (r->result == REPLY_TAKEN)
		return OUTBOX_SENT;
	if (r->result == REPLY_REFUSED || (m->first_ms && now - m->first_ms > GIVE_UP_MS))
		return OUTBOX_DEAD;
	if (r->result == REPLY_DENIED)
		pause = DENIED_MS;
	if (r->after_ms > pause)
		pause = r->after_ms;
	*next_ms = now + pause;
	return OUTBOX_RETRY;
}

void
deliver_mark(struct sink *s, const struct outbox_message *m, enum outbox_result result, bool up_to,
             int64_t next_ms, const char *error)
{
	struct deliver *d = s->deliver;
	uint64_t seen = UINT64_MAX;
	struct diag diag = { "" };

	for (;;) {
		pthread_mutex_lock(&d->database);
		int err = outbox_mark(d->outbox, s->config->name, m, result, up_to, clock_wall_ms(), next_ms,
		                      error && *error ? error : NULL, &diag);
		pthread_mutex_unlock(&d->database);
		if (!err || atomic_load(&d->cancel))
			return;
		log_often(LOG_WARN, "deliver_mark", "sink %s: %s; trying again", s->config->name, diag.text);
		if (atomic_load(&d->stop))
			poll(NULL, 0, BUSY_MS);
		else
			deliver_wait(d, &seen, BUSY_MS);
	}
}

/* -- a sink of events ------------------------------------------------------------------------------------ */

/* In the sink's quiet hours, by the local clock. */
static bool
quiet(const struct sink_config *c)
{
	time_t now = time(NULL);
	struct tm local;
	int minute;

	if (c->quiet_from == c->quiet_to || !localtime_r(&now, &local))
		return false;
	minute = local.tm_hour * 60 + local.tm_min;
	return c->quiet_from < c->quiet_to ? minute >= c->quiet_from && minute < c->quiet_to
	                                   : minute >= c->quiet_from || minute < c->quiet_to;
}

static void
deliver_one(struct sink *s, const struct outbox_message *m)
{
	int64_t start = clock_monotonic_ms(), next_ms;
	struct reply r = { .result = REPLY_LATER };
	enum outbox_result result;

	s->kind->send(s->self, m, &r);
	if (r.result != REPLY_TAKEN && atomic_load(&s->deliver->cancel))
		return; /* the try was cut short by us: it does not count */
	result = deliver_judge(s, m, &r, &next_ms);
	deliver_count(s, result, (double)(clock_monotonic_ms() - start) / 1000);
	deliver_mark(s, m, result, false, next_ms, r.error);
	s->failures = result == OUTBOX_RETRY ? s->failures + 1 : 0;
	if (result == OUTBOX_RETRY)
		log_often(LOG_WARN, s->config->name, "sink %s: message %lld was not taken: %s; trying again",
		          s->config->name, (long long)m->outbox_id, r.error);
	else if (result == OUTBOX_DEAD)
		log_event(LOG_ERROR, "dead_letter", "sink %s: message %lld is given up: %s; `driftd outbox "
		                                    "list %s`",
		          s->config->name, (long long)m->outbox_id, r.error, s->deliver->config->database);
}

static void
run_events(struct sink *s)
{
	struct deliver *d = s->deliver;
	uint64_t seen = 0;

	for (;;) {
		struct outbox_message m;
		struct diag diag = { "" };
		int err;

		pthread_mutex_lock(&d->database);
		err = outbox_next(d->outbox, s->config->name, clock_wall_ms(), quiet(s->config), &m, &diag);
		pthread_mutex_unlock(&d->database);
		if (!err) {
			deliver_one(s, &m);
			outbox_message_finish(&m);
		} else if (err != ERR_MISSING) {
			log_often(LOG_WARN, "outbox", "%s; trying again", diag.text);
		}
		if (atomic_load(&d->cancel) || (atomic_load(&d->stop) && (err || s->failures)))
			return;
		if (err)
			deliver_wait(d, &seen, WAIT_MS);
		else if (s->failures > FAILURES_IN_A_ROW)
			for (int64_t until = clock_monotonic_ms() + deliver_backoff(s,
			                                                            s->failures - FAILURES_IN_A_ROW);
			     clock_monotonic_ms() < until && !atomic_load(&d->stop);)
				deliver_wait(d, &seen, WAIT_MS);
	}
}

static void *
run_sink(void *context)
{
	struct sink *s = context;
	struct deliver *d = s->deliver;
	sigset_t pipe;

	/* A receiver that hangs up is an answer, not the end of the process. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	if (s->kind)
		run_events(s);
	else
		alertmanager_run(s);
	pthread_mutex_lock(&d->lock);
	d->running--;
	pthread_cond_broadcast(&d->change);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* -- routing --------------------------------------------------------------------------------------------- */

static bool
listed(const struct strings *list, const char *text, bool globs)
{
	for (size_t i = 0; i < list->n; i++)
		if (globs ? config_glob(list->text[i], text) : !strcmp(list->text[i], text))
			return true;
	return !list->n;
}

static enum sink_severity
severity_of(const char *text)
{
	return !strcmp(text, "critical") ? SINK_CRITICAL : !strcmp(text,
	                                                           "warning") ? SINK_WARNING : SINK_INFO;
}

static bool
wants(void *context, size_t sink, const struct outbox_route *route)
{
	const struct sink_config *c = ((const struct deliver *)context)->sink[sink].config;

	return severity_of(route->severity) >= c->severity && listed(&c->models, route->model, true) &&
	       listed(&c->kinds, route->kind, false);
}

static void
look_at_gauges(struct deliver *d)
{
	for (size_t i = 0; i < d->sinks; i++) {
		struct outbox_gauge gauge = { 0 };

		pthread_mutex_lock(&d->database);
		int err = outbox_gauge(d->outbox, d->name[i], &gauge, NULL);
		pthread_mutex_unlock(&d->database);
		pthread_mutex_lock(&d->lock);
		if (!err)
			d->sink[i].gauge = gauge;
		pthread_mutex_unlock(&d->lock);
	}
}

/* Everything that is new, to whom it belongs. */
static void
route(struct deliver *d)
{
	bool more = true, any = false;

	while (more && !atomic_load(&d->cancel)) {
		struct diag diag = { "" };

		pthread_mutex_lock(&d->database);
		int err = outbox_route(d->outbox, d->name, d->sinks, wants, d, clock_wall_ms(), &more, &any,
		                       &diag);
		pthread_mutex_unlock(&d->database);
		if (err)
			log_often(LOG_WARN, "outbox", "%s; trying again", diag.text);
	}
	if (!any)
		return;
	pthread_mutex_lock(&d->lock);
	d->routed++;
	pthread_cond_broadcast(&d->change);
	pthread_mutex_unlock(&d->lock);
}

static void *
run_router(void *context)
{
	struct deliver *d = context;
	int64_t gauge_ms = 0, trim_ms = clock_monotonic_ms();

	while (!atomic_load(&d->stop)) {
		int64_t now = clock_monotonic_ms();

		atomic_store(&d->heartbeat_ms, now);
		route(d);
		if (now - gauge_ms >= GAUGE_MS) {
			look_at_gauges(d);
			gauge_ms = now;
		}
		if (now - trim_ms >= TRIM_MS) {
			pthread_mutex_lock(&d->database);
			(void)outbox_trim(d->outbox, clock_wall_ms(), KEEP_MS, LIMIT_OUTBOX_ROWS, NULL);
			pthread_mutex_unlock(&d->database);
			trim_ms = now;
		}
		pthread_mutex_lock(&d->lock);
		if (!d->woken && !atomic_load(&d->stop))
			wait_locked(d, WAIT_MS);
		d->woken = false;
		pthread_mutex_unlock(&d->lock);
	}
	return NULL;
}

/* -- life ------------------------------------------------------------------------------------------------ */

static int
open_sinks(struct deliver *d, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < d->config->sinks && !err; i++) {
		struct sink *s = &d->sink[i];

		s->deliver = d;
		s->config = &d->config->sink[i];
		s->kind = sink_kind(s->config->type);
		if (getrandom(&s->random, sizeof s->random, 0) != (ssize_t)sizeof s->random || !s->random)
			s->random = (uint64_t)clock_wall_ms() | 1;
		if (s->kind)
			err = s->kind->open(&s->self, s->config, &d->world, diag);
		d->name[d->sinks++] = s->config->name;
	}
	return err;
}

static int
start_threads(struct deliver *d, struct diag *diag)
{
	route(d); /* before the sinks' threads: what a stop has left goes at once */
	for (; d->started < d->sinks; d->started++) {
		pthread_mutex_lock(&d->lock);
		d->running++;
		pthread_mutex_unlock(&d->lock);
		if (pthread_create(&d->sink[d->started].thread, NULL, run_sink, &d->sink[d->started])) {
			d->running--;
			return diag_set(diag, ERR_IO, "cannot start a thread for sink %s",
			                d->name[d->started]);
		}
	}
	return 0;
}

static struct deliver *
create(const struct config *config, const char *bootstrap)
{
	struct deliver *d = calloc(1, sizeof *d);
	pthread_condattr_t monotonic;

	if (!d)
		return NULL;
	d->config = config;
	d->world = (struct sink_world){ config, bootstrap, &d->cancel };
	pthread_mutex_init(&d->database, NULL);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return d;
}

static void
destroy(struct deliver *d)
{
	for (size_t i = 0; i < d->sinks; i++)
		if (d->sink[i].kind && d->sink[i].self)
			d->sink[i].kind->close(d->sink[i].self);
	outbox_close(d->outbox);
	pthread_cond_destroy(&d->change);
	pthread_mutex_destroy(&d->lock);
	pthread_mutex_destroy(&d->database);
	curl_global_cleanup();
	free(d);
}

int
deliver_start(struct deliver **out, const struct config *config, const char *bootstrap, struct diag *diag)
{
	struct deliver *d;
	int err;

	*out = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(d = create(config, bootstrap)))
		return diag_set(diag, ERR_IO, "out of memory");
	err = outbox_open(&d->outbox, config->database, diag);
	if (!err)
		err = open_sinks(d, diag);
	if (!err)
		err = outbox_route_again(d->outbox, diag);
	if (!err)
		err = outbox_forget_sinks(d->outbox, d->name, d->sinks, clock_wall_ms(), diag);
	if (!err)
		err = start_threads(d, diag);
	if (!err && pthread_create(&d->router, NULL, run_router, d))
		err = diag_set(diag, ERR_IO, "cannot start the thread of delivery");
	if (!err) {
		*out = d;
		return 0;
	}
	atomic_store(&d->stop, true);
	atomic_store(&d->cancel, true);
	for (size_t i = 0; i < d->started; i++)
		pthread_join(d->sink[i].thread, NULL);
	destroy(d);
	return err;
}

void
deliver_wake(struct deliver *d)
{
	pthread_mutex_lock(&d->lock);
	d->woken = true;
	pthread_cond_broadcast(&d->change);
	pthread_mutex_unlock(&d->lock);
}

void
deliver_stop(struct deliver *d, int64_t drain_ms)
{
	int64_t until = clock_monotonic_ms() + drain_ms, now;

	if (!d)
		return;
	route(d); /* what the last commit has brought; a sink ends when nothing is due */
	pthread_mutex_lock(&d->lock);
	atomic_store(&d->stop, true);
	pthread_cond_broadcast(&d->change);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->router, NULL);
	pthread_mutex_lock(&d->lock);
	while (d->running && (now = clock_monotonic_ms()) < until)
		wait_locked(d, until - now);
	atomic_store(&d->cancel, true);
	pthread_cond_broadcast(&d->change);
	pthread_mutex_unlock(&d->lock);
	for (size_t i = 0; i < d->started; i++)
		pthread_join(d->sink[i].thread, NULL);
	destroy(d);
}

int64_t
deliver_heartbeat_ms(const struct deliver *d)
{
	return d ? atomic_load(&d->heartbeat_ms) : 0;
}

size_t
deliver_sinks(const struct deliver *d)
{
	return d->sinks;
}

void
deliver_status(struct deliver *d, size_t sink, struct deliver_status *out)
{
	const struct sink *s = &d->sink[sink];

	pthread_mutex_lock(&d->lock);
	*out = (struct deliver_status){ .name = s->config->name, .ok = s->ok, .retry = s->retry, .dead =
		s->dead,
		                        .seconds = s->seconds, .gauge = s->gauge };
	memcpy(out->bucket, s->bucket, sizeof out->bucket);
	pthread_mutex_unlock(&d->lock);
}
