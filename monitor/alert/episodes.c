/* episodes.c -- see episodes.h. */
#include "monitor/alert/episodes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/config.h"
#include "detectors/kit/codec.h"
#include "monitor/alert/alert.h"
#include "monitor/command/cli.h"
#include "monitor/stream/model.h"

enum { HOUR_MS = 3600000, LISTED = 50 };

static struct open_episode *
find(struct episodes *e, const char *id)
{
	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->item[i].id, id))
			return &e->item[i];
	return NULL;
}

/* The open alert whose estimated start is nearest, among those that share a cause. What is open is what the
 * news up to this one say, so that the answer does not depend on when commits happen. */
static const char *
episode_of(const struct common *common, const struct news *n)
{
	const struct model *own = n->stream->model;
	int64_t width = own->config->windows.width_ms, reach = width > HOUR_MS ? width : HOUR_MS;
	const char *found = NULL;
	int64_t nearest = INT64_MAX;

	for (size_t k = 0; k < common->models; k++) {
		const struct model *m = common->model[k];

		for (uint32_t i = 0; i < m->streams; i++) {
			const struct stream *s = m->stream[i];
			int64_t apart = s->settled_ms - n->started_ms;

			apart = apart < 0 ? -apart : apart;
			if (s == n->stream || !s->settled_open || apart > reach || apart >= nearest)
				continue;
			if (m != own && s->settled_topic != n->stream->settled_topic)
				continue;
			nearest = apart;
			found = s->episode_id;
		}
	}
	return found;
}

static uint8_t
grave(const struct news *n)
{
	const char *severity = alert_severity(n);

	return !strcmp(severity, "critical") ? 3 : !strcmp(severity, "warning") ? 2 : 1;
}

static bool
may_be_told(const struct common *common, const struct news *n)
{
	const struct stream *s = n->stream;

	if (n->kind == NEWS_EXPLAINED)
		return false; /* one change, one message */
	return common->config->send == SEND_ALL || n->promise == PROMISE_CERTIFIED ||
	       (kind_table[s->kind].always_delivered && n->kind != NEWS_NOTE) ||
	       !isnan(s->known_p0); /* a stated level is told even when the promise is void */
}

/* NULL: not told. */
static const char *
told_as(struct open_episode *e, const struct news *n, bool may)
{
	uint32_t kind = 1u << n->stream->kind;
	bool worse;

	switch (n->kind) {
	case NEWS_OPEN:
		worse = grave(n) > e->gravest || !(e->kinds & kind);
		if (!may || (e->lead[0] && !worse))
			return NULL;
		e->gravest = grave(n) > e->gravest ? grave(n) : e->gravest;
		e->kinds |= kind;
		if (e->lead[0])
			return "updated";
		memcpy(e->lead, n->alert_id, sizeof e->lead);
		e->lead_stream = n->stream->id;
		e->opened_ms = n->opened_ms;
		e->started_ms = n->started_ms;
		return "open";
	case NEWS_OVER:
		return e->lead[0] && !e->open ? "resolved" : NULL;
	case NEWS_WORSE:
		return may && e->lead[0] ? "updated" : NULL;
	case NEWS_ACKNOWLEDGED:
		return may && e->lead[0] ? "acknowledged" : NULL;
	default:
		return NULL;
	}
}

static void
list_alert(FILE *out, const struct stream *s, const char *separator)
{
	char since[40];

	time_text(s->settled_ms, since, sizeof since);
	fprintf(out, "%s{\"alert\":\"%s\",\"model\":", separator, s->settled_alert);
	cli_json_text(out, s->model->name, s->model->name_length);
	fputs(",\"version\":", out);
	cli_json_text(out, s->version, s->version_length);
	fputs(",\"segment\":", out);
	cli_json_text(out, stream_segment(s), strlen(stream_segment(s)));
	fputs(",\"stream\":", out);
	cli_json_text(out, s->name, strlen(s->name));
	fprintf(out, ",\"kind\":\"%s\",\"since\":\"%s\",\"effect\":", kind_table[s->kind].alert, since);
	cli_json_number(out, s->settled_effect);
	fprintf(out, ",\"effect_unit\":\"%s\"}", stream_unit(s));
}

/* The open alerts of the episode as JSON, malloc()ed; others: how many beside the news' own. */
static char *
list(const struct common *common, const struct news *n, uint32_t *others)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	uint32_t listed = 0;

	must(out != NULL);
	*others = 0;
	fputc('[', out);
	for (size_t k = 0; k < common->models; k++) {
		const struct model *m = common->model[k];

		for (uint32_t i = 0; i < m->streams; i++) {
			const struct stream *s = m->stream[i];

			if (!s->settled_open || strcmp(s->episode_id, n->episode_id))
				continue;
			*others += s != n->stream;
			if (listed++ < LISTED)
				list_alert(out, s, listed > 1 ? "," : "");
		}
	}
	fputc(']', out);
	must(fclose(out) == 0);
	return text;
}

/* A note is resolved as it is made: a message of its own. */
static void
settle_note(struct common *common, struct news *n)
{
	memcpy(n->episode_id, n->alert_id, sizeof n->episode_id);
	if (may_be_told(common, n))
		n->told = "noted";
	n->message = n->event;
	memcpy(n->lead, n->alert_id, sizeof n->lead);
	n->lead_stream = n->stream->id;
	n->lead_opened_ms = n->opened_ms;
	n->lead_started_ms = n->started_ms;
}

void
episodes_settle(struct common *common, struct news *n)
{
	struct episodes *all = &common->episodes;
	struct stream *s = n->stream;
	struct open_episode *e;

	if (n->kind == NEWS_NOTE) {
		settle_note(common, n);
		return;
	}
	all->dirty = true;
	if (n->kind == NEWS_OPEN) {
		const char *topic, *episode;
		int32_t number = 0;

		topic = common->topic(common->context, n->partition, &number);
		s->settled_topic = XXH64(topic, strlen(topic), 0);
		episode = episode_of(common, n);
		memcpy(s->episode_id, episode ? episode : n->alert_id, sizeof s->episode_id);
		s->settled_open = true;
		s->settled_ms = n->started_ms;
		s->settled_opened_ms = n->opened_ms;
		memcpy(s->settled_alert, n->alert_id, sizeof s->settled_alert);
	} else if (n->kind == NEWS_OVER) {
		s->settled_open = false;
	}
	if (n->kind == NEWS_OPEN || n->kind == NEWS_WORSE) /* as episode.h keeps it */
		s->settled_effect = isnan(n->effect.size) ? 0 : fabs(n->effect.size);
	memcpy(n->episode_id, s->episode_id, sizeof n->episode_id);
	e = find(all, s->episode_id);
	if (!e) {
		all->item = must_grow(all->item, &all->capacity, all->n + 1, sizeof *all->item);
		e = &all->item[all->n++];
		*e = (struct open_episode){ .open = n->kind != NEWS_OPEN };
		memcpy(e->id, s->episode_id, sizeof e->id);
	}
	e->open += n->kind == NEWS_OPEN;
	e->open -= n->kind == NEWS_OVER && e->open;
	n->told = told_as(e, n, may_be_told(common, n));
	if (n->told) {
		n->message = ++e->messages;
		memcpy(n->lead, e->lead, sizeof n->lead);
		n->lead_stream = e->lead_stream;
		n->lead_opened_ms = e->opened_ms;
		n->lead_started_ms = e->started_ms;
		n->alerts = list(common, n, &n->others);
	}
	if (!e->open)
		*e = all->item[--all->n];
}

void
episodes_finish(struct episodes *e)
{
	free(e->item);
}

void
episodes_save(const struct episodes *e, struct codec *out)
{
	codec_put_u32(out, (uint32_t)e->n);
	for (size_t i = 0; i < e->n; i++) {
		const struct open_episode *o = &e->item[i];

		codec_put_bytes(out, o->id, sizeof o->id);
		codec_put_bytes(out, o->lead, sizeof o->lead);
		codec_put_u32(out, o->lead_stream);
		codec_put_i64(out, o->opened_ms);
		codec_put_i64(out, o->started_ms);
		codec_put_u32(out, o->open);
		codec_put_u32(out, o->messages);
		codec_put_u8(out, o->gravest);
		codec_put_u32(out, o->kinds);
	}
}

int
episodes_load(struct episodes *e, struct codec *in)
{
	uint32_t n = codec_get_u32(in);

	for (uint32_t i = 0; i < n && !in->bad; i++) {
		struct open_episode *o;

		e->item = must_grow(e->item, &e->capacity, e->n + 1, sizeof *e->item);
		o = &e->item[e->n++];
		*o = (struct open_episode){ .open = 0 };
		codec_get_bytes(in, o->id, sizeof o->id);
		codec_get_bytes(in, o->lead, sizeof o->lead);
		o->id[sizeof o->id - 1] = o->lead[sizeof o->lead - 1] = 0;
		o->lead_stream = codec_get_u32(in);
		o->opened_ms = codec_get_i64(in);
		o->started_ms = codec_get_i64(in);
		o->open = codec_get_u32(in);
		o->messages = codec_get_u32(in);
		o->gravest = codec_get_u8(in);
		o->kinds = codec_get_u32(in);
	}
	return in->bad ? -1 : 0;
}
