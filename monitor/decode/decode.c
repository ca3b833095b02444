/* decode.c -- messages into records: which model a message belongs to, and the walks that it takes.
 *
 * The model of a record may stand behind its features, so the walk starts with the model that the
 * last record of the topic had. When the record turns out to name another one, it is walked again
 * with that model's layout. Keys that the wrong walk has added are taken back.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/decoder_inside.h"
#include "monitor/decode/privacy.h"
#include "monitor/decode/refuse.h"
#include "monitor/decode/text.h"
#include "monitor/grow.h"
#include "monitor/source/source.h"

/* Bytes of an unknown name that are shown. */
enum { NAME_SHOWN = 64 };

/* Empties the record but for what does not come from the value. */
static void
clear_again(struct record *out)
{
	const struct record kept = *out;

	record_clear(out);
	out->kafka_ms = kept.kafka_ms;
	out->offset = kept.offset;
	out->message_hash = kept.message_hash;
	out->bytes = kept.bytes;
	out->partition = kept.partition;
	out->row = kept.row;
	out->more = kept.more;
	out->parts = kept.parts & RECORD_BOM;
}

/* Once in 2^32 walks. */
static void
restart_generation(struct decoder *d)
{
	for (uint32_t i = 0; i < d->models; i++)
		layout_unsee(&d->model[i]->layout);
	for (size_t i = 0; i < d->config->patterns; i++)
		layout_unsee(&d->pattern[i].layout);
	layout_unsee(&d->nameless.layout);
	d->generation = 1;
}

/* One walk with the layout of a model; `out` is emptied of what an earlier walk has left. */
static enum walk_result
walk_with(struct decoder *d, struct walk *w, struct model *m, const uint32_t *token,
          uint32_t tokens)
{
	struct record *out = w->out;

	if (w->used)
		clear_again(out);
	w->used = true;
	if (++d->generation == 0)
		restart_generation(d);
	size_t segments = m->config->segments.n;
	if (segments > out->segment_capacity)
		out->segment = grow(out->segment, &out->segment_capacity, segments,
		                    sizeof(*out->segment));
	for (size_t i = 0; i < segments; i++)
		out->segment[i] = (struct text){ 0, 0 };
	w->model = m;
	w->generation = d->generation;
	w->named = w->bare_value = false;
	w->id_wrong = w->prediction_wrong = false;
	w->name = (struct text){ 0, 0 };
	w->ts = w->classes = NULL;
	w->forms->any = false;
	memset(w->rank, 0, sizeof(w->rank));
	return walk_record(w, token, tokens);
}

static bool
unknown_model(struct walk *w, struct text name, enum reject reason, const char *why)
{
	char printable[NAME_SHOWN * 4 + 1];

	text_printable(record_text(w->out, name), name.length, NAME_SHOWN, printable,
	               sizeof(printable));
	return walk_refuse(w, reason, UINT32_MAX, "%s%s", why, printable);
}

/* The model that a name in out->text stands for; DECODER_NO_MODEL after a refusal. */
static uint32_t
named_model(struct decoder *d, struct walk *w)
{
	const char *name = record_text(w->out, w->name);
	uint32_t number = decoder_find_model(d, name, w->name.length);

	if (number != DECODER_NO_MODEL)
		return number;
	if (!config_model_for(d->config, name, w->name.length))
		unknown_model(w, w->name, REJECT_UNKNOWN_MODEL, "");
	else if (w->name.length == 0 || w->name.length > LIMIT_TEXT_BYTES)
		unknown_model(w, w->name, REJECT_UNKNOWN_MODEL, "name is empty or too long: ");
	else if (d->models == LIMIT_MODELS)
		unknown_model(w, w->name, REJECT_MODELS_MAX, "too many models: ");
	else
		return decoder_add_model(d, name, w->name.length);
	return DECODER_NO_MODEL;
}

/* Looks for the name at every place where a configured model has it. DECODER_NO_MODEL: refused. */
static uint32_t
search_model(struct decoder *d, struct walk *w, const struct profile *profile,
             const uint32_t *token, uint32_t tokens)
{
	w->only_model = true;
	for (uint32_t i = 0; i <= d->paths; i++) {
		struct model *m = i < d->paths ? d->path[i] : &d->nameless;
		enum walk_result result = walk_with(d, w, m, token, tokens);
		layout_rollback(&m->layout);
		if (result == WALK_REFUSED)
			return DECODER_NO_MODEL;
		if (w->named) {
			w->only_model = false;
			return named_model(d, w);
		}
	}
	w->only_model = false;
	if (profile->fallback == DECODER_NO_MODEL)
		walk_refuse(w, REJECT_MISSING_MODEL, UINT32_MAX,
		            "no model in the record, and its topic has several or none");
	return profile->fallback;
}

/* Is the walk's outcome final for this model, whether accepted or refused? */
static bool
is_settled(const struct decoder *d, const struct walk *w, const struct profile *profile,
           uint32_t number, enum walk_result result)
{
	if (result == WALK_OTHER_MODEL)
		return false;
	if (w->named)
		return true;
	if (result == WALK_REFUSED &&
	    (w->out->reject == REJECT_JSON_SYNTAX || w->out->reject == REJECT_TOO_DEEP))
		return true;
	return result == WALK_DONE && number == profile->fallback && d->paths <= 1;
}

/* Everything behind the token list. */
static void
decode_tokens(struct decoder *d, struct walk *w, struct profile *profile, const uint32_t *token,
              uint32_t tokens)
{
	uint32_t number = profile->last, models = d->models;
	enum walk_result result = WALK_OTHER_MODEL;
	struct model *m = NULL;

	w->named = false;
	if (number != DECODER_NO_MODEL) {
		m = d->model[number];
		result = walk_with(d, w, m, token, tokens);
	}
	if (number == DECODER_NO_MODEL || !is_settled(d, w, profile, number, result)) {
		if (m != NULL && m->layout.grew)
			layout_rollback(&m->layout);
		number = w->named ? named_model(d, w)
		                  : search_model(d, w, profile, token, tokens);
		if (number == DECODER_NO_MODEL)
			return;
		m = d->model[number];
		w->confirmed = true;
		result = walk_with(d, w, m, token, tokens);
	}
	assert(result != WALK_OTHER_MODEL);
	if (result == WALK_DONE && finish_record(w, d->hash_key)) {
		w->out->model = number;
		privacy_hide(d->config->privacy, d->hash_key, (uint32_t)m->config->segments.n, w->out);
		profile->last = number;
		if (m->layout.grew)
			layout_commit(&m->layout);
		return;
	}
	if (d->models > models)
		decoder_drop_model(d);
	else if (m->layout.grew)
		layout_rollback(&m->layout);
}

/* The message behind FRONT readable bytes, with BACK of them after it; a byte order mark is left
 * out. */
static char *
fill_buffer(struct decoder *d, const struct message *m, size_t *length, bool *mark)
{
	const uint8_t *s = m->value;

	*length = m->value_length;
	*mark = *length >= 3 && s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf;
	if (*mark) {
		s += 3;
		*length -= 3;
	}
	if (*length > d->buffer_size || d->buffer == NULL) {
		size_t size = *length < 8192 ? 8192 : 2 * *length;
		free(d->buffer);
		d->buffer = grow_new(DECODER_FRONT + size + DECODER_BACK);
		d->buffer_size = size;
	}
	char *text = d->buffer + DECODER_FRONT;
	memcpy(text, s, *length);
	memset(text + *length, 0, JSON_PADDING);
	return text;
}

/* Keeps the start of the message, where that may be kept; nothing else of a refused record can be trusted. */
static void
finish_refused(struct record *out, const struct message *m, enum privacy_values privacy)
{
	const struct record was = *out;

	clear_again(out);
	out->reject = was.reject;
	memcpy(out->detail, was.detail, sizeof(out->detail));
	out->ts = was.parts & RECORD_HAS_TS ? was.ts : was.kafka_ms;
	if (privacy != PRIVACY_PLAIN)
		return;
	out->raw_length = m->value_length < LIMIT_REJECTED_BYTES ? (uint32_t)m->value_length
	                                                         : LIMIT_REJECTED_BYTES;
	char *raw = record_reserve_text(out, LIMIT_REJECTED_BYTES);
	if (out->raw_length != 0)
		memcpy(raw, m->value, out->raw_length);
	out->raw = raw;
	out->text_length = out->raw_length;
}

static void
decode_value(struct decoder *d, const struct message *m, struct record *out)
{
	const uint32_t *token;
	uint32_t tokens;
	size_t length;
	bool mark;
	const char *text = fill_buffer(d, m, &length, &mark);

	if (mark)
		out->parts |= RECORD_BOM;
	size_t blanks = text[0] == '{' ? 0 : strspn(text, " \t\r\n");
	if (blanks < length && text[blanks] != '{' &&
	    refuse_format(out, text + blanks, length - blanks))
		return;
	enum json_status status = json_index(d->json, text, length, &token, &tokens);
	if (status != JSON_FINE) {
		refuse_status(out, status, text, length);
		return;
	}
	/* The rest is set for each walk. */
	struct walk w;
	w.text = text;
	w.length = (uint32_t)length;
	w.out = out;
	w.object = d->object;
	w.forms = &d->forms;
	w.message = m;
	w.used = w.only_model = w.confirmed = false;
	decode_tokens(d, &w, &d->profile[m->profile], token, tokens);
}

void
decode(struct decoder *d, const struct message *m, struct record *out)
{
	assert(m->profile < d->profiles);
	record_clear(out);
	out->kafka_ms = m->kafka_ms;
	out->offset = m->offset;
	out->partition = m->partition;
	out->message_hash = m->hashed ? m->hash : message_hash(m);
	out->bytes = m->value_length;
	out->row = m->row;
	out->more = m->more;
	if (m->value == NULL || m->value_length == 0) {
		out->reject = REJECT_EMPTY;
		snprintf(out->detail, sizeof(out->detail),
		         m->value == NULL ? "a tombstone" : "no bytes");
	} else if (m->refused) {
		out->reject = REJECT_ENVELOPE;
		snprintf(out->detail, sizeof(out->detail), "%s", m->refused);
	} else if (m->value_length > LIMIT_RECORD_BYTES) {
		out->reject = REJECT_TOO_LARGE;
		snprintf(out->detail, sizeof(out->detail), "%zu bytes, the limit is %d",
		         m->value_length, LIMIT_RECORD_BYTES);
	} else {
		decode_value(d, m, out);
	}
	if (out->reject != REJECT_NONE)
		finish_refused(out, m, d->config->privacy);
}
