/* silence.c -- see silence.h. */
#include "monitor/stream/silence.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "detectors/kit/codec.h"
#include "monitor/alert/alert.h"
#include "monitor/decode/record.h"
#include "monitor/decode/text.h"
#include "monitor/stream/model.h"

enum { NAME_BYTES = 100, SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000 };

void
silence_init(struct silence *s)
{
	*s = (struct silence){ .first_ms = INT64_MIN, .last_ms = INT64_MIN, .source_partition = UINT32_MAX };
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
silence_allowed(const struct silence *s, int64_t configured)
{
	if (!configured)
		return INT64_MAX;
	if (configured != NO_DATA_AUTO)
		return configured;
	if (s->last_ms == INT64_MIN || s->last_ms - s->first_ms < SILENCE_ARMED_MS)
		return INT64_MAX;
	return later(SILENCE_FACTOR * later(s->longest_ms[0], s->longest_ms[1]), SILENCE_LEAST_MS);
}

void
silence_arrival(struct silence *s, int64_t kafka_ms)
{
	int64_t most = silence_allowed(s, NO_DATA_AUTO), gap;

	most = most < SILENCE_LONGEST_MS ? most : SILENCE_LONGEST_MS;
	if (kafka_ms < 0) /* there is none, as in a file */
		return;
	if (s->last_ms == INT64_MIN)
		s->first_ms = s->last_ms = s->period_ms = kafka_ms;
	if (kafka_ms <= s->last_ms)
		return;
	gap = kafka_ms - s->last_ms;
	s->last_ms = kafka_ms;
	if (kafka_ms - s->period_ms >= SILENCE_PERIOD_MS) {
		s->longest_ms[1] = s->longest_ms[0];
		s->longest_ms[0] = 0;
		s->period_ms = kafka_ms;
	}
	s->longest_ms[0] = later(s->longest_ms[0], gap < most ? gap : most);
}

static void
take_place(struct silence *s, const struct common *c)
{
	if (s->source_partition != UINT32_MAX)
		snprintf(s->topic, sizeof s->topic, "%s",
		         c->topic(c->context, s->source_partition, &s->partition));
}

static void
duration_words(int64_t ms, char *out, size_t size)
{
	if (ms >= 2 * HOUR_MS)
		snprintf(out, size, "%.3g hours", (double)ms / HOUR_MS);
	else if (ms >= 2 * MINUTE_MS)
		snprintf(out, size, "%.3g minutes", (double)ms / MINUTE_MS);
	else
		snprintf(out, size, "%.3g seconds", (double)ms / SECOND_MS);
}

/* What the next commit will write. */
static struct silence_out *
tell(struct model *m, bool over, int64_t at_ms)
{
	struct silence *s = &m->silence;
	struct silence_out *o = outbound_silence(&m->common->outbound);

	o->over = over;
	o->model = m->name;
	o->opened_ms = s->watermark_ms;
	o->at_ms = at_ms;
	memcpy(o->alert_id, s->alert_id, sizeof o->alert_id);
	memcpy(o->topic, s->topic, sizeof o->topic);
	o->partition = s->partition;
	o->offset = s->offset;
	m->dirty = m->common->outbound.alert = true;
	return o;
}

static void
open_alert(struct model *m, int64_t allowed)
{
	struct silence *s = &m->silence;
	char key[900], name[4 * NAME_BYTES + 1], since[32], words[40], usual[80] = "as configured";
	struct silence_out *o;
	XXH128_hash_t hash;
	int length;

	take_place(s, m->common);
	length = snprintf(key, sizeof key, "%.400s\x1fno_data\x1f%s\x1f%d\x1f%lld", m->name, s->topic,
	                  s->partition, (long long)s->offset);
	hash = XXH3_128bits(key, (size_t)length);
	snprintf(s->alert_id, sizeof s->alert_id, "%016llx%016llx", (unsigned long long)hash.high64,
	         (unsigned long long)hash.low64);
	s->open = true;
	o = tell(m, false, s->watermark_ms);
	text_printable(m->name, m->name_length, NAME_BYTES, name, sizeof name);
	time_text(s->watermark_ms, since, sizeof since);
	duration_words(allowed, words, sizeof words);
	if (m->config->no_data_ms == NO_DATA_AUTO) {
		char longest[40];

		duration_words(later(s->longest_ms[0], s->longest_ms[1]), longest, sizeof longest);
		snprintf(usual, sizeof usual, "longest gap of the last weeks: %s", longest);
	}
	snprintf(o->text, sizeof o->text,
	         "what:  no records of %s for %s (no_data, outside the budget)\nsince: %s\nsize:  %s; the"
	         " brokers can be reached and everything that they have was read\nwho:   model %s\n"
	         "harm:  nothing is judged meanwhile\nnext:  driftd alerts %.200s %.8s",
	         name, words, since, usual,
	         name,
	         m->common->config->database, s->alert_id);
}

void
silence_record(struct model *m, const struct record *r)
{
	struct silence *s = &m->silence;

	if (s->open) {
		char name[4 * NAME_BYTES + 1];
		struct silence_out *o = tell(m, true, later(m->common->watermark_ms, s->watermark_ms));

		text_printable(m->name, m->name_length, NAME_BYTES, name, sizeof name);
		snprintf(o->text, sizeof o->text, "what:  records of %s come again (no_data)", name);
		s->open = false;
	}
	silence_arrival(s, r->kafka_ms);
	s->records++;
	s->watermark_ms = m->common->watermark_ms;
	s->source_partition = r->partition;
	s->offset = r->offset;
}

void
silence_look(struct model *m, int64_t now_ms, bool ended, bool outage)
{
	struct silence *s = &m->silence;
	int64_t allowed = silence_allowed(s, m->config->no_data_ms);

	if (outage || !s->listening || s->heard != s->records) {
		s->listening = !outage;
		s->heard = s->records;
		s->heard_ms = now_ms;
		return;
	}
	if (!s->open && s->records && ended && !m->expecting && now_ms - s->heard_ms >= allowed)
		open_alert(m, allowed);
}

void
silence_save(const struct model *m, struct codec *c)
{
	struct silence s = m->silence;

	take_place(&s, m->common);
	codec_put_i64(c, s.first_ms);
	codec_put_i64(c, s.last_ms);
	codec_put_i64(c, s.period_ms);
	codec_put_i64(c, s.longest_ms[0]);
	codec_put_i64(c, s.longest_ms[1]);
	codec_put_u64(c, s.records);
	codec_put_i64(c, s.watermark_ms);
	codec_put_i64(c, s.offset);
	codec_put_u32(c, (uint32_t)s.partition);
	codec_put_u16(c, (uint16_t)strlen(s.topic));
	codec_put_bytes(c, s.topic, strlen(s.topic));
	codec_put_u8(c, s.open);
	codec_put_bytes(c, s.alert_id, sizeof s.alert_id);
}

void
silence_load(struct silence *s, struct codec *c)
{
	uint32_t length;

	silence_init(s);
	s->first_ms = codec_get_i64(c);
	s->last_ms = codec_get_i64(c);
	s->period_ms = codec_get_i64(c);
	s->longest_ms[0] = codec_get_i64(c);
	s->longest_ms[1] = codec_get_i64(c);
	s->records = codec_get_u64(c);
	s->watermark_ms = codec_get_i64(c);
	s->offset = codec_get_i64(c);
	s->partition = (int32_t)codec_get_u32(c);
	length = codec_get_u16(c);
	if (length >= sizeof s->topic) {
		c->bad = true;
		return;
	}
	codec_get_bytes(c, s->topic, length);
	s->open = codec_get_u8(c);
	codec_get_bytes(c, s->alert_id, sizeof s->alert_id);
	s->alert_id[sizeof s->alert_id - 1] = 0;
}
