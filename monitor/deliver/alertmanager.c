/* alertmanager.c -- Prometheus Alertmanager, API v2, which is told states, not events.
 *
 * Alertmanager forgets an alert that is not sent again and keeps nothing across some restarts, so all that
 * fire are sent every `resend`, each valid for four times as long, and those that ended for 15 minutes
 * more. Labels identify an alert: they hold what does not change while it fires. A batch that is refused
 * (400) is split until the one that is wrong stands alone; Alertmanager has stored the others meanwhile,
 * and takes them twice without harm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/alert/alert.h"
#include "monitor/clock.h"
#include "monitor/command/cli.h"
#include "monitor/deliver/deliver_inside.h"
#include "monitor/deliver/post.h"
#include "monitor/log.h"

enum { BATCH = 64, VALID_RESENDS = 4, RESOLVED_KEPT_MS = 15 * 60000, WAIT_MS = 1000 };

struct states {
	struct outbox_message *message;
	size_t n, capacity;
	bool complete;
};

static int
keep(void *context, struct outbox_message *m)
{
	struct states *s = context;

	if (s->n == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 64;
		struct outbox_message *grown = realloc(s->message, capacity * sizeof *grown);

		if (!grown) {
			outbox_message_finish(m);
			s->complete = false;
			return 1;
		}
		s->message = grown;
		s->capacity = capacity;
	}
	s->message[s->n++] = *m;
	return 0;
}

static void
put(FILE *out, const char **separator, const char *name, const char *text, size_t length)
{
	if (!length)
		return;
	fprintf(out, "%s\"%s\":", *separator, name);
	cli_json_text(out, text, length);
	*separator = ",";
}

static void
put_field(FILE *out, const char **separator, const char *name, const struct outbox_message *m,
          enum outbox_field field)
{
	put(out, separator, name, m->field[field], strlen(m->field[field]));
}

static void
put_alert(FILE *out, const struct outbox_message *m, int64_t now_ms, int64_t resend_ms)
{
	const char *separator = "", *severity = m->opening && *m->opening ? m->opening : m->field[FIELD_SEVERITY];
	int64_t end = !m->resolved ? now_ms + VALID_RESENDS * resend_ms : m->done_ms ? m->done_ms : now_ms;
	int64_t start = m->opened_ms < 0 ? 0 : m->opened_ms < end ? m->opened_ms : end - 1;
	char text[64];
	size_t length;
	const char *summary = sink_summary(m, &length);

	if (start > now_ms)
		start = now_ms - 1;
	fprintf(out, "{\"labels\":{");
	snprintf(text, sizeof text, "driftd_%.40s", m->field[FIELD_KIND]);
	put(out, &separator, "alertname", text, strlen(text));
	put_field(out, &separator, "kind", m, FIELD_KIND);
	put_field(out, &separator, "model", m, FIELD_MODEL);
	put_field(out, &separator, "version", m, FIELD_VERSION);
	put_field(out, &separator, "segment", m, FIELD_SEGMENT);
	put_field(out, &separator, "stream", m, FIELD_STREAM);
	put_field(out, &separator, "topic", m, FIELD_TOPIC);
	put_field(out, &separator, "partition", m, FIELD_PARTITION);
	put(out, &separator, "severity", severity, strlen(severity));
	fprintf(out, "},\"annotations\":{");
	separator = "";
	put(out, &separator, "summary", summary, length);
	put_field(out, &separator, "description", m, FIELD_TEXT);
	put_field(out, &separator, "harm", m, FIELD_HARM);
	put_field(out, &separator, "since", m, FIELD_SINCE);
	put_field(out, &separator, "promise", m, FIELD_PROMISE);
	put_field(out, &separator, "severity_now", m, FIELD_SEVERITY);
	put_field(out, &separator, "episode", m, FIELD_EPISODE);
	put(out, &separator, "alert", m->alert_id, strlen(m->alert_id));
	time_text(start, text, sizeof text);
	fprintf(out, "},\"startsAt\":\"%s\"", text);
	time_text(end, text, sizeof text);
	fprintf(out, ",\"endsAt\":\"%s\"}", text);
}

static void
post_batch(struct sink *s, struct post *post, const struct outbox_message *m, size_t n, struct reply *r,
           long *status)
{
	char *body = NULL;
	size_t length = 0;
	int64_t now = clock_wall_ms();
	FILE *out = open_memstream(&body, &length);

	if (!out) {
		reply_set(r, REPLY_LATER, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		fputc(i ? ',' : '[', out);
		put_alert(out, &m[i], now, s->config->resend_ms);
	}
	fputc(']', out);
	if (fclose(out))
		reply_set(r, REPLY_LATER, "out of memory");
	else
		post_send(post, body, length, NULL, r, status);
	free(body);
}

/* Sends m[0..n), splitting what is refused; marks what waited. The result of what may be tried again, else
 * REPLY_TAKEN. */
static enum reply_result
send_states(struct sink *s, struct post *post, const struct outbox_message *m, size_t n)
{
	int64_t start = clock_monotonic_ms(), next_ms;
	struct reply r = { .result = REPLY_LATER };
	long status = 0;

	post_batch(s, post, m, n, &r, &status);
	if (r.result == REPLY_REFUSED && n > 1) {
		enum reply_result first = send_states(s, post, m, n / 2);
		enum reply_result second = send_states(s, post, m + n / 2, n - n / 2);

		return first != REPLY_TAKEN ? first : second;
	}
	if (r.result != REPLY_TAKEN && atomic_load(&s->deliver->cancel))
		return r.result;
	for (size_t i = 0; i < n; i++) {
		struct outbox_message now = m[i];

		now.first_ms = 0; /* a state is never too old to be told */
		enum outbox_result result = deliver_judge(s, &now, &r, &next_ms);
		if (m[i].pending)
			deliver_mark(s, &m[i], result, result != OUTBOX_RETRY, next_ms, r.error);
		if (result == OUTBOX_DEAD)
			log_event(LOG_ERROR, "dead_letter", "sink %s: alert %.8s is refused: %s",
			          s->config->name,
			          m[i].alert_id, r.error);
	}
	deliver_count(s, r.result == REPLY_TAKEN ? OUTBOX_SENT : r.result == REPLY_REFUSED ? OUTBOX_DEAD
	              : OUTBOX_RETRY,
	              (double)(clock_monotonic_ms() - start) / 1000);
	if (r.result == REPLY_LATER || r.result == REPLY_DENIED)
		log_often(LOG_WARN, s->config->name, "sink %s: %s; trying again", s->config->name, r.error);
	return r.result == REPLY_REFUSED ? REPLY_TAKEN : r.result;
}

/* Everything there is to tell. */
static enum reply_result
send_all(struct sink *s, struct post *post)
{
	struct states states = { .complete = true };
	enum reply_result result = REPLY_TAKEN;
	struct diag d = { "" };
	int err;

	pthread_mutex_lock(&s->deliver->database);
	err = outbox_each_alert(s->deliver->outbox, s->config->name, clock_wall_ms() - RESOLVED_KEPT_MS, keep,
	                        &states,
	                        &d);
	pthread_mutex_unlock(&s->deliver->database);
	if (err || !states.complete) {
		log_often(LOG_WARN, "outbox", "%s; trying again", err ? d.text : "out of memory");
		result = REPLY_LATER;
	}
	for (size_t i = 0; i < states.n && result == REPLY_TAKEN; i += BATCH)
		result = send_states(s, post, states.message + i, states.n - i < BATCH ? states.n - i
		                     : BATCH);
	for (size_t i = 0; i < states.n; i++)
		outbox_message_finish(&states.message[i]);
	free(states.message);
	return result;
}

void
alertmanager_run(struct sink *s)
{
	struct deliver *d = s->deliver;
	struct post *post;
	struct diag diag = { "" };
	uint64_t seen = 0, routed = UINT64_MAX;
	int64_t next = 0;

	if (post_open(&post, s->config, "/api/v2/alerts", "application/json", &d->world, &diag)) {
		log_event(LOG_ERROR, "sink", "%s", diag.text);
		return;
	}
	for (;;) {
		bool stopping = atomic_load(&d->stop), news = seen != routed;

		if (clock_monotonic_ms() >= next || (news && !s->failures)) {
			routed = seen;
			enum reply_result result = send_all(s, post);
			s->failures = result == REPLY_TAKEN ? 0 : s->failures + 1;
			next = clock_monotonic_ms() + (result == REPLY_TAKEN ? s->config->resend_ms
			                                                     : deliver_backoff(s,
			                                                                       s->failures - 1));
		} else if (stopping) {
			break;
		}
		if (atomic_load(&d->cancel) || (stopping && s->failures))
			break;
		deliver_wait(d, &seen, WAIT_MS);
	}
	post_close(post);
}
