/* finish.c -- what can only be said once the whole record was read: its time, who it is, which
 * class each probability belongs to, and whether there is anything to use. */
#include <math.h>
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/forecast.h"
#include "monitor/decode/instant.h"
#include "monitor/decode/number.h"
#include "monitor/decode/walk.h"
#include "monitor/grow.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

static const int64_t day_ms = 86400000;
/* Sums of probabilities may be off by this much. */
static const double sum_tolerance = 1e-3;

/* The record's own time. */
static bool
own_time(struct walk *w, int64_t *ms, enum instant_status *status)
{
	const char *s = w->text + *w->ts;
	uint64_t whole;

	*status = INSTANT_WRONG;
	w->token = w->ts;
	if (*s == '"') {
		uint32_t before = w->out->text_length;
		struct text text;
		bool surrogate;
		if (!value_string(w, w->ts, &text, &surrogate))
			return false;
		*status = instant_text(record_text(w->out, text), text.length, ms);
		w->out->text_length = before;
	} else if (number_whole(s, w->text + w->ts[1], &whole) && w->model->ts_power == 0) {
		*ms = (int64_t)whole;
		*status = INSTANT_FINE;
		return true;
	} else if ((*s >= '0' && *s <= '9') || *s == '-') {
		struct number n;
		const char *end = number_scan(s, &n);
		if (end != NULL && walk_ends(w, end)) {
			*status = instant_number(&n, w->model->ts_power, ms);
			return true;
		}
	}
	if (*status != INSTANT_WRONG)
		return true;
	/* Malformed ones still have to be refused. */
	struct cell cell = { 0 };
	w->depth = 1;
	return value_cell(w, &cell, VALUE_PLAIN);
}

static bool
finish_time(struct walk *w)
{
	struct record *r = w->out;
	enum instant_status status = INSTANT_WRONG;
	int64_t ms = 0;
	bool kafka = r->kafka_ms != INT64_MIN;

	if (w->ts != NULL && !own_time(w, &ms, &status))
		return false;
	bool beyond = status == INSTANT_BEYOND ||
	              (status == INSTANT_FINE && kafka && r->kafka_ms < INT64_MAX - day_ms &&
	               ms > r->kafka_ms + day_ms);
	if (status == INSTANT_FINE && !beyond) {
		r->ts = ms;
		r->parts |= RECORD_HAS_TS;
		return true;
	}
	if (w->ts != NULL && status == INSTANT_WRONG &&
	    memcmp(w->text + *w->ts, "null", 4) != 0)
		r->fields_type++;
	if (kafka) {
		r->ts = r->kafka_ms;
		if (beyond || status == INSTANT_BEFORE)
			r->parts |= RECORD_TS_RANGE;
		return true;
	}
	if (w->ts == NULL)
		return walk_refuse(w, REJECT_MISSING_TS, UINT32_MAX, "no ts");
	return walk_refuse(w, REJECT_MISSING_TS, *w->ts,
	                   status == INSTANT_WRONG ? "ts is neither a number nor RFC 3339 text"
	                                           : "ts is out of range");
}

static void
finish_id(struct record *r, const uint8_t hash_key[16])
{
	if (!(r->parts & RECORD_HAS_ID))
		return;
	const char *id = record_text(r, r->id);
	r->id_keyed = siphash13(hash_key, id, r->id.length);
	r->id_order = XXH64(id, r->id.length, 0);
	r->id_ts_order = XXH64(id, r->id.length, (uint64_t)r->ts);
}

static bool
equal(const struct record *r, struct text a, const char *b, size_t length)
{
	return a.length == length && memcmp(record_text(r, a), b, length) == 0;
}

/* Moves the probability called `name` to place i; false when no later one is called so. */
static bool
move_to(struct record *r, uint32_t i, const char *name, size_t length)
{
	for (uint32_t k = i; k < r->classes; k++) {
		if (!equal(r, r->class_name[k], name, length))
			continue;
		struct text text = r->class_name[i];
		double p = r->prob[i];
		r->class_name[i] = r->class_name[k];
		r->prob[i] = r->prob[k];
		r->class_name[k] = text;
		r->prob[k] = p;
		return true;
	}
	return false;
}

/* Does every name of the configuration occur among those of the record? Usually in the same
 * order. */
static bool
same_classes(const struct record *r, const struct strings *names)
{
	if (names->n != r->classes)
		return false;
	for (uint32_t i = 0; i < r->classes; i++) {
		uint32_t k = i;
		size_t length = strlen(names->text[i]);
		for (uint32_t tried = 0; !equal(r, r->class_name[k], names->text[i], length);
		     tried++) {
			if (tried == r->classes)
				return false;
			k = k + 1 < r->classes ? k + 1 : 0;
		}
	}
	return true;
}

/* Names that came beside the probabilities, appended behind those that came as their keys. */
static bool
listed_names(struct walk *w, uint32_t *n)
{
	struct record *r = w->out;
	uint32_t first = r->classes;
	bool more, all = true;

	*n = 0;
	w->token = w->classes;
	w->depth = 2;
	if (w->text[*w->token] != '[') {
		r->fields_type += memcmp(w->text + *w->token, "null", 4) != 0;
		return walk_skip(w);
	}
	for (uint32_t i = 0;; i++) {
		struct cell cell = { 0 };
		if (!field_next_item(w, i, &more))
			return false;
		if (!more)
			break;
		if (i == LIMIT_CLASSES)
			return walk_refuse(w, REJECT_TOO_MANY_FIELDS, *w->token,
			                   "more than %d classes", LIMIT_CLASSES);
		if (!value_cell(w, &cell, VALUE_DIGITS))
			return false;
		all &= cell.tag == CELL_TEXT || cell.tag == CELL_NUMBER;
		r->class_name = grow(r->class_name, &r->class_capacity, (size_t)first + i + 1,
		                     sizeof(*r->class_name));
		r->class_name[first + i] = cell.text;
		*n = i + 1;
	}
	if (!all) {
		r->fields_type++;
		*n = 0;
	}
	return true;
}

static bool
finish_classes(struct walk *w)
{
	struct record *r = w->out;
	const struct strings *configured = &w->model->config->classes;
	uint32_t listed = 0;

	if (w->classes != NULL && !listed_names(w, &listed))
		return false;
	if (listed != 0 && r->probs != 0 && r->classes == 0) {
		if (listed == r->probs)
			r->classes = listed;
		else
			r->fields_type++;
	} else if (listed == r->classes) {
		for (uint32_t i = 0; i < listed; i++) {
			struct text name = r->class_name[r->classes + i];
			if (!move_to(r, i, record_text(r, name), name.length))
				break;
		}
	}
	if (r->classes != 0 && r->classes == r->probs && same_classes(r, configured))
		for (uint32_t i = 0; i < r->classes; i++)
			move_to(r, i, configured->text[i], strlen(configured->text[i]));
	double sum = 0;
	for (uint32_t i = 0; i < r->probs; i++) {
		sum += r->prob[i];
		if (r->prob[i] < 0 || r->prob[i] > 1)
			r->parts |= RECORD_PROB_RANGE;
	}
	if (r->probs != 0 && fabs(sum - 1) > sum_tolerance)
		r->parts |= RECORD_PROB_SUM;
	return true;
}

/* The id that stands beside the record (its key, a header), where it has none itself. */
static void
id_beside(struct walk *w)
{
	const struct message *m = w->message;
	struct record *r = w->out;
	size_t room = 0;

	if (r->parts & RECORD_HAS_ID || m->id_length == 0 || m->id_length > LIMIT_TEXT_BYTES)
		return;
	/* Ids are shown: printable ones of ASCII, or hexadecimal digits. */
	char *text = record_reserve_text(r, 2 * m->id_length + 1);
	for (size_t i = 0; i < m->id_length && room == i; i++)
		room += m->id[i] > ' ' && m->id[i] < 0x7f;
	if (room == m->id_length)
		memcpy(text, m->id, room);
	else
		for (room = 0; room < 2 * m->id_length; room++)
			text[room] = "0123456789abcdef"[(uint8_t)m->id[room / 2] >> (room % 2 ? 0 : 4) & 15];
	r->id = (struct text){ r->text_length, (uint32_t)room };
	r->text_length += (uint32_t)room;
	r->parts |= RECORD_HAS_ID;
}

static bool
is_there(const struct cell *cell)
{
	return cell->tag == CELL_NUMBER || cell->tag == CELL_TEXT;
}

/* Flat records have features without an object of that name. */
static bool
any_feature(const struct record *r, uint32_t own)
{
	for (uint32_t i = own; i < r->slots; i++)
		if (r->cell[i].tag != CELL_ABSENT)
			return true;
	return false;
}

/* A nonconformity score is what a label would say of an interval: alone it is a label, with features or a
 * prediction that have a threshold both. A score beside an interval or a set waits for the label. */
static uint32_t
scored_parts(const struct walk *w)
{
	const struct record *r = w->out;
	bool threshold = r->qhat.tag == CELL_NUMBER || !isnan(w->model->config->coverage_threshold);

	if (!(r->parts & (RECORD_FEATURES | RECORD_PREDICTION)))
		return r->parts & RECORD_HAS_ID ? RECORD_LABEL : 0;
	return threshold && !is_there(&r->lower) && !is_there(&r->upper) && !r->has_set ?
	       RECORD_PREDICTION | RECORD_LABEL : 0;
}

static bool
finish_parts(struct walk *w)
{
	struct record *r = w->out;

	if (!(r->parts & RECORD_FEATURES) && any_feature(r, w->model->layout.own))
		r->parts |= RECORD_FEATURES;
	if (w->bare_value && r->value.tag == CELL_NUMBER && !is_there(&r->klass) &&
	    (r->probs != 0 || r->has_set)) {
		r->klass = r->value;
		r->value = (struct cell){ 0 };
	}
	if (is_there(&r->klass) || is_there(&r->value) || is_there(&r->lower) ||
	    is_there(&r->upper) || is_there(&r->top_score) || r->probs != 0 || r->has_set)
		r->parts |= RECORD_PREDICTION;
	if (is_there(&r->label))
		r->parts |= RECORD_LABEL;
	else if (r->nonconformity.tag == CELL_NUMBER)
		r->parts |= scored_parts(w);
	if (w->message->update && !(r->parts & RECORD_LABEL))
		return walk_refuse(w, REJECT_UPDATE, UINT32_MAX, "the row was there before, and has no label yet");
	if (w->message->update)
		r->parts &= ~(uint32_t)(RECORD_FEATURES | RECORD_PREDICTION | RECORD_OWN | RECORD_OTHER);
	uint32_t parts = r->parts & (RECORD_FEATURES | RECORD_PREDICTION | RECORD_LABEL);
	bool wrong = r->label.tag == CELL_BAD_TYPE || w->prediction_wrong;
	if (parts == 0 && !(r->parts & RECORD_OWN) &&
	    (wrong || (!(r->parts & RECORD_OTHER) && r->form == FORM_NONE))) {
		if (r->label.tag == CELL_BAD_TYPE)
			return walk_refuse(w, REJECT_FIELD_TYPE, UINT32_MAX,
			                   "the label is an object or an array");
		if (w->prediction_wrong)
			return walk_refuse(w, REJECT_FIELD_TYPE, UINT32_MAX,
			                   "the prediction is an array");
		return walk_refuse(w, REJECT_NOTHING_KNOWN, UINT32_MAX,
		                   "no features, prediction or label");
	}
	if (parts == RECORD_LABEL && !(r->parts & RECORD_HAS_ID)) {
		if (w->id_wrong)
			return walk_refuse(w, REJECT_FIELD_TYPE, UINT32_MAX,
			                   "the id of a label is neither text nor number");
		return walk_refuse(w, REJECT_MISSING_ID, UINT32_MAX, "a label without an id");
	}
	return true;
}

bool
finish_record(struct walk *w, const uint8_t hash_key[16])
{
	if (!finish_classes(w) || !finish_time(w))
		return false;
	id_beside(w);
	forms_finish(w->forms, w->out);
	forecast_finish(w->forms, w->model->config->coverage_level, w->out);
	if (!finish_parts(w))
		return false;
	if (w->id_wrong)
		w->out->fields_type++;
	finish_id(w->out, hash_key);
	if (w->out->parts & RECORD_PROBE)
		w->out->probe_of_keyed = siphash13(hash_key, record_text(w->out, w->out->probe_of),
		                                   w->out->probe_of.length);
	return true;
}
