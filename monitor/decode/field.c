/* field.c -- the fields of a record that have a meaning of their own: prediction, set, label,
 * ids. */
#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/embedding.h"
#include "monitor/decode/logits.h"
#include "monitor/decode/text.h"
#include "monitor/decode/walk.h"
#include "monitor/grow.h"

/* Items of an array: false in *more at its end. `item` counts from 0. */
bool
field_next_item(struct walk *w, uint32_t item, bool *more)
{
	char c = w->text[*w->token];

	*more = true;
	if (item == 0) {
		w->token++; /* the bracket */
		if (w->text[*w->token] != ']')
			return true;
		c = ']';
	}
	if (c != ',' && c != ']')
		return walk_refuse(w, REJECT_JSON_SYNTAX, *w->token, "wanted ',' or ']'");
	w->token++;
	*more = c == ',';
	return true;
}

static bool
too_many(struct walk *w, const char *what)
{
	return walk_refuse(w, REJECT_TOO_MANY_FIELDS, *w->token, "more than %d %s", LIMIT_CLASSES,
	                   what);
}

static bool
set_value(struct walk *w)
{
	struct record *r = w->out;
	bool more, wrong = false;

	r->sets = 0;
	r->has_set = false;
	if (w->text[*w->token] != '[') {
		struct cell cell = { 0 };
		if (!value_cell(w, &cell, VALUE_DIGITS))
			return false;
		if (cell.tag == CELL_TEXT || cell.tag == CELL_NUMBER)
			r->fields_type++;
		return true;
	}
	for (uint32_t n = 0;; n++) {
		if (!field_next_item(w, n, &more))
			return false;
		if (!more)
			break;
		if (n == LIMIT_CLASSES)
			return too_many(w, "labels in a set");
		r->set = grow(r->set, &r->set_capacity, (size_t)n + 1, sizeof(*r->set));
		memset(&r->set[n], 0, sizeof(r->set[n]));
		if (!value_cell(w, &r->set[n], VALUE_DIGITS))
			return false;
		wrong |= r->set[n].tag != CELL_TEXT && r->set[n].tag != CELL_NUMBER;
		r->sets = n + 1;
	}
	r->has_set = !wrong;
	if (wrong) {
		r->sets = 0;
		r->fields_type++;
	}
	return true;
}

static bool
one_prob(struct walk *w, uint32_t n, bool *wrong)
{
	struct record *r = w->out;
	struct cell cell = { 0 };

	if (n == LIMIT_CLASSES)
		return too_many(w, "probabilities");
	r->prob = grow(r->prob, &r->prob_capacity, (size_t)n + 1, sizeof(*r->prob));
	if (!value_cell(w, &cell, VALUE_NUMERIC))
		return false;
	*wrong |= cell.tag != CELL_NUMBER;
	r->prob[n] = cell.number;
	r->probs = n + 1;
	return true;
}

static bool
prob_name(struct walk *w, uint32_t n)
{
	struct record *r = w->out;

	if (w->text[w->token[0]] != '"')
		return walk_refuse(w, REJECT_JSON_SYNTAX, w->token[0], "wanted a key");
	if (w->text[w->token[1]] != ':')
		return walk_refuse(w, REJECT_JSON_SYNTAX, w->token[1], "wanted ':'");
	if (n == LIMIT_CLASSES)
		return too_many(w, "probabilities");
	r->class_name = grow(r->class_name, &r->class_capacity, (size_t)n + 1,
	                     sizeof(*r->class_name));
	if (!value_strict_string(w, w->token, &r->class_name[n]))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (r->class_name[i].length == r->class_name[n].length &&
		    memcmp(record_text(r, r->class_name[i]), record_text(r, r->class_name[n]),
		           r->class_name[n].length) == 0)
			return walk_refuse(w, REJECT_DUPLICATE_KEY, w->token[0],
			                   "duplicate class in the probabilities");
	r->classes = n + 1;
	w->token += 2;
	return true;
}

/* Keys are class names: {"good": 0.8, "bad": 0.2}. */
static bool
prob_object(struct walk *w, bool *wrong)
{
	w->token++;
	if (w->text[*w->token] == '}') {
		w->token++;
		return true;
	}
	for (uint32_t n = 0;; n++) {
		if (!prob_name(w, n) || !one_prob(w, n, wrong))
			return false;
		char c = w->text[*w->token];
		if (c != ',' && c != '}')
			return walk_refuse(w, REJECT_JSON_SYNTAX, *w->token, "wanted ',' or '}'");
		w->token++;
		if (c == '}')
			return true;
	}
}

/* One number is the probability of the second of two classes, as binary classifiers report it. */
static bool
prob_single(struct walk *w)
{
	struct cell cell = { 0 };

	if (!value_cell(w, &cell, VALUE_NUMERIC) || cell.tag != CELL_NUMBER)
		return w->out->reject == REJECT_NONE;
	w->out->prob = grow(w->out->prob, &w->out->prob_capacity, 2, sizeof(*w->out->prob));
	w->out->prob[0] = 1 - cell.number;
	w->out->prob[1] = cell.number;
	w->out->probs = 2;
	return true;
}

static bool
probs_value(struct walk *w)
{
	struct record *r = w->out;
	bool wrong = false, more;
	char open = w->text[*w->token];

	r->probs = r->classes = 0;
	if (open == '{') {
		if (!prob_object(w, &wrong))
			return false;
	} else if (open == '[') {
		for (uint32_t n = 0;; n++) {
			if (!field_next_item(w, n, &more))
				return false;
			if (!more)
				break;
			if (!one_prob(w, n, &wrong))
				return false;
		}
	} else {
		return prob_single(w);
	}
	if (wrong)
		r->probs = r->classes = 0;
	return true;
}

static bool
numeric(struct walk *w, struct cell *cell)
{
	memset(cell, 0, sizeof(*cell));
	return value_cell(w, cell, VALUE_NUMERIC);
}

static bool
named(struct walk *w, struct cell *cell)
{
	memset(cell, 0, sizeof(*cell));
	return value_cell(w, cell, VALUE_DIGITS);
}

static bool
form_vector(struct walk *w, enum form_vector v)
{
	forms_begin(w->forms);
	return vector_value(w, &w->forms->numbers, &w->forms->vector[v]);
}

static bool
form_cell(struct walk *w, enum form_cell c)
{
	forms_begin(w->forms);
	return value_cell(w, &w->forms->cell[c], VALUE_NUMERIC);
}

static bool
form_levels(struct walk *w)
{
	struct forms *f = w->forms;

	forms_begin(f);
	return vector_levels(w, &f->numbers, &f->vector[FORM_LEVELS], &f->vector[FORM_LEVEL_VALUES]);
}

/* A prediction that is no object: a number is a value (or a class, see finish.c), a text a
 * class. */
static bool
bare_prediction(struct walk *w)
{
	struct cell cell = { 0 };
	char c = w->text[*w->token];

	if (c == '{' || c == '[') {
		w->prediction_wrong = true;
		w->out->fields_type++;
		return walk_skip(w);
	}
	if (!value_cell(w, &cell, VALUE_DIGITS))
		return false;
	if (cell.tag == CELL_TEXT) {
		w->out->klass = cell;
	} else if (cell.tag != CELL_NULL) {
		w->out->value = cell;
		w->bare_value = true;
	}
	return true;
}

static bool
id_value(struct walk *w)
{
	bool there;

	if (!value_name(w, &w->out->id, &there, &w->id_wrong))
		return false;
	w->out->parts &= ~(uint32_t)RECORD_HAS_ID;
	if (there)
		w->out->parts |= RECORD_HAS_ID;
	return true;
}

static bool
is_model(const struct walk *w, struct text name)
{
	return name.length == w->model->length && w->model->name != NULL &&
	       memcmp(record_text(w->out, name), w->model->name, name.length) == 0;
}

/* Stops the walk (no refusal) when the name is not the model that was expected. */
static bool
model_value(struct walk *w)
{
	uint32_t at = *w->token;
	const char *s = w->text + at + 1;
	bool there, wrong = false;

	/* The usual case copies nothing. */
	if (w->model->length > 0 && s[-1] == '"' && at + w->model->length + 2 <= w->length &&
	    memcmp(s, w->model->name, w->model->length) == 0 && s[w->model->length] == '"' &&
	    !w->only_model && !text_has_escape(s, w->model->length)) {
		w->token++;
		w->named = true;
		return true;
	}
	if (!value_name(w, &w->name, &there, &wrong))
		return false;
	if (wrong)
		return walk_refuse(w, REJECT_FIELD_TYPE, at, "the model is not a text");
	w->named = there;
	if (w->only_model)
		return !there;
	return !there || w->confirmed || is_model(w, w->name);
}

static bool
probe_value(struct walk *w)
{
	bool there, wrong = false;

	if (!value_name(w, &w->out->probe_of, &there, &wrong))
		return false;
	if (there)
		w->out->parts |= RECORD_PROBE;
	return true;
}

/* segment: "NL" where one segment is configured. */
static bool
bare_segment(struct walk *w)
{
	if (w->model->config->segments.n == 1)
		return value_segment(w, 0);
	if (memcmp(w->text + *w->token, "null", 4) != 0)
		w->out->fields_type++;
	return walk_skip(w);
}

static bool
later(struct walk *w, const uint32_t **token)
{
	*token = w->token;
	return walk_skip(w);
}

static bool
wrong_object(struct walk *w)
{
	if (memcmp(w->text + *w->token, "null", 4) != 0)
		w->out->fields_type++;
	return walk_skip(w);
}

bool
field_value(struct walk *w, enum field field)
{
	struct record *r = w->out;
	bool there, wrong = false;

	switch (field) {
	case FIELD_ID:
		return id_value(w);
	case FIELD_TS:
		return later(w, &w->ts);
	case FIELD_MODEL:
		return model_value(w);
	case FIELD_VERSION:
		return value_name(w, &r->version, &there, &wrong);
	case FIELD_PROBE_OF:
		return probe_value(w);
	case FIELD_PERTURBATION:
		return value_name(w, &r->perturbation, &there, &wrong);
	case FIELD_SEVERITY:
		return value_name(w, &r->severity, &there, &wrong);
	case FIELD_LABEL:
		return named(w, &r->label);
	case FIELD_NONCONFORMITY:
		return numeric(w, &r->nonconformity);
	case FIELD_CLASS:
		return named(w, &r->klass);
	case FIELD_PROBS:
		return probs_value(w);
	case FIELD_TOP_SCORE:
		return numeric(w, &r->top_score);
	case FIELD_VALUE:
		return numeric(w, &r->value);
	case FIELD_LOWER:
		return numeric(w, &r->lower);
	case FIELD_UPPER:
		return numeric(w, &r->upper);
	case FIELD_LEVEL:
		return numeric(w, &r->level);
	case FIELD_SET:
		return set_value(w);
	case FIELD_CLASSES:
		return later(w, &w->classes);
	case FIELD_N_CAL:
		return numeric(w, &r->n_cal);
	case FIELD_QHAT:
		return numeric(w, &r->qhat);
	case FIELD_MEMBER_PROBS:
	case FIELD_MEMBER_LOGITS:
	case FIELD_MEMBER_MU:
	case FIELD_MEMBER_VAR:
		return form_vector(w, FORM_MEMBER_PROBS + (field - FIELD_MEMBER_PROBS));
	case FIELD_MEMBERS:
		return form_vector(w, FORM_BARE_MEMBERS);
	case FIELD_DIRICHLET:
		return form_vector(w, FORM_DIRICHLET_ALPHA);
	case FIELD_DRAWS:
		return form_vector(w, FORM_DRAWS);
	case FIELD_QUANTILES:
		return form_levels(w);
	case FIELD_NIG_NU:
	case FIELD_NIG_ALPHA:
	case FIELD_NIG_BETA:
		return form_cell(w, FORM_NIG_NU + (field - FIELD_NIG_NU));
	case FIELD_SD:
	case FIELD_VAR:
		return form_cell(w, FORM_SD + (field - FIELD_SD));
	case FIELD_LOGITS:
		return logits_value(w);
	case FIELD_EMBEDDING:
		return embedding_value(w);
	case FIELD_PREDICTION:
		return bare_prediction(w);
	case FIELD_SEGMENT:
		return bare_segment(w);
	case FIELD_FEATURES:
	case FIELD_CONFORMAL:
	case FIELD_NIG:
		return wrong_object(w);
	case FIELD_NONE:
	case FIELD_COUNT:
		break;
	}
	return walk_skip(w);
}
