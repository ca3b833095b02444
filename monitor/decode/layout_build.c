/* layout_build.c -- the standard names and their aliases, replaced by the configured paths.
 *
 * Explicit paths first (objects before what may stand in them), then the standard names where
 * nothing was configured. A path may lead through an object that has a meaning of its own, such
 * as a label that stands among the features: both use the same context.
 */
#include "monitor/decode/layout_build.h"

#include <string.h>

#include "config/config.h"
#include "config/limits.h"
#include "monitor/decode/record.h"

/* Parent of the fields of the root. */
enum { ROOT = FIELD_NONE };

static const struct standard {
	const char *name; /* in the configuration */
	uint8_t field, parent;
	const char *key[6]; /* best first */
} standards[] = {
	{ "features", FIELD_FEATURES, ROOT, { "features" } },
	{ "segment", FIELD_SEGMENT, ROOT, { "segment", "group" } },
	{ "prediction", FIELD_PREDICTION, ROOT, { "prediction", "y_pred" } },
	{ "conformal", FIELD_CONFORMAL, ROOT, { "conformal" } },
	{ "members", FIELD_MEMBERS, ROOT, { "members" } },
	{ "nig", FIELD_NIG, ROOT, { "nig" } },
	{ "id", FIELD_ID, ROOT, { "id", "record_id", "prediction_id", "inference_id" } },
	{ "ts", FIELD_TS, ROOT, { "ts", "timestamp", "event_time" } },
	{ "model", FIELD_MODEL, ROOT, { "model" } },
	{ "version", FIELD_VERSION, ROOT, { "version", "model_version" } },
	{ "probe_of", FIELD_PROBE_OF, ROOT, { "probe_of" } },
	{ "perturbation", FIELD_PERTURBATION, ROOT, { "perturbation" } },
	{ "severity", FIELD_SEVERITY, ROOT, { "severity" } },
	{ "label", FIELD_LABEL, ROOT, { "label", "y_true", "target", "actual", "ground_truth" } },
	{ "score", FIELD_NONCONFORMITY, ROOT, { "score", "nonconformity" } },
	{ "prediction.class", FIELD_CLASS, FIELD_PREDICTION, { "class" } },
	{ "prediction.probs", FIELD_PROBS, FIELD_PREDICTION, { "probs" } },
	{ "prediction.probs", FIELD_PROBS, ROOT, { "", "y_pred_proba" } },
	{ "prediction.score", FIELD_TOP_SCORE, FIELD_PREDICTION, { "score" } },
	{ "prediction.value", FIELD_VALUE, FIELD_PREDICTION, { "value" } },
	{ "prediction.lower", FIELD_LOWER, FIELD_PREDICTION, { "lower" } },
	{ "prediction.upper", FIELD_UPPER, FIELD_PREDICTION, { "upper" } },
	{ "prediction.level", FIELD_LEVEL, FIELD_PREDICTION, { "level" } },
	{ "prediction.set", FIELD_SET, FIELD_PREDICTION, { "set" } },
	{ "prediction.classes", FIELD_CLASSES, FIELD_PREDICTION, { "classes" } },
	{ "conformal.n_cal", FIELD_N_CAL, FIELD_CONFORMAL, { "n_cal" } },
	{ "conformal.qhat", FIELD_QHAT, FIELD_CONFORMAL, { "qhat" } },
	{ "members.probs", FIELD_MEMBER_PROBS, FIELD_MEMBERS, { "probs" } },
	{ "members.logits", FIELD_MEMBER_LOGITS, FIELD_MEMBERS, { "logits" } },
	{ "members.mu", FIELD_MEMBER_MU, FIELD_MEMBERS, { "mu" } },
	{ "members.var", FIELD_MEMBER_VAR, FIELD_MEMBERS, { "var" } },
	{ "dirichlet", FIELD_DIRICHLET, ROOT, { "dirichlet" } },
	{ "nig.nu", FIELD_NIG_NU, FIELD_NIG, { "nu" } },
	{ "nig.alpha", FIELD_NIG_ALPHA, FIELD_NIG, { "alpha" } },
	{ "nig.beta", FIELD_NIG_BETA, FIELD_NIG, { "beta" } },
	{ "samples", FIELD_DRAWS, ROOT, { "samples", "nested" } },
	{ "quantiles", FIELD_QUANTILES, ROOT, { "quantiles" } },
	{ "logits", FIELD_LOGITS, ROOT, { "logits" } },
	{ "embedding", FIELD_EMBEDDING, ROOT, { "embedding" } },
	{ "prediction.sd", FIELD_SD, FIELD_PREDICTION, { "sd" } },
	{ "prediction.var", FIELD_VAR, FIELD_PREDICTION, { "var" } },
};
enum { STANDARDS = sizeof(standards) / sizeof(standards[0]) };

/* Documented, and skipped without being called unknown. */
static const struct {
	uint8_t parent, kind;
	const char *key;
} known[] = {
	{ ROOT, ENTRY_KNOWN, "epsilon" },
	{ ROOT, ENTRY_KNOWN, "source" },
	{ FIELD_NIG, ENTRY_KNOWN, "gamma" },
	{ FIELD_CONFORMAL, ENTRY_KNOWN, "method" },
	{ FIELD_CONFORMAL, ENTRY_KNOWN, "sigma" },
};

static bool
is_object(uint8_t field)
{
	return field >= FIELD_FEATURES;
}

static uint32_t
find_or_add(struct layout *l, uint32_t context, const char *key)
{
	uint32_t number = layout_peek(l, context, key, strlen(key));

	if (number == 0) {
		number = layout_add(l, context, key, strlen(key));
		l->context[context].entry[number].kind = ENTRY_FIELD;
	}
	return number;
}

/* The context of the object under an entry. */
static uint32_t
descend(struct layout *l, uint32_t context, uint32_t number)
{
	if (l->context[context].entry[number].child == 0) {
		uint32_t child = layout_context(l);
		l->context[context].entry[number].child = (uint16_t)child;
	}
	return l->context[context].entry[number].child;
}

static void
mark_object(struct layout *l, uint8_t field, uint32_t context)
{
	l->object[field] = (uint16_t)context;
	l->context[context].features |= field == FIELD_FEATURES;
	l->context[context].segments |= field == FIELD_SEGMENT;
}

/* Makes the entry mean the field; the first to claim a place keeps it. Two objects may share
 * one: flat payloads. */
static void
claim(struct layout *l, uint32_t context, uint32_t number, uint8_t field, uint8_t rank)
{
	struct entry *e = &l->context[context].entry[number];

	if (e->field != FIELD_NONE) {
		if (is_object(field) && is_object(e->field) && l->object[field] == 0)
			mark_object(l, field, e->child);
		return;
	}
	e->field = field;
	e->rank = rank;
	if (!is_object(field))
		return;
	if (l->object[field] == 0)
		mark_object(l, field, descend(l, context, number));
	else if (e->child == 0)
		e->child = l->object[field];
}

static void
add_path(struct layout *l, uint8_t field, const struct strings *path)
{
	uint32_t context = 0;

	if (path->n == 0) { /* the root itself: flat records */
		if (is_object(field))
			mark_object(l, field, 0);
		return;
	}
	for (size_t i = 0; i + 1 < path->n; i++)
		context = descend(l, context, find_or_add(l, context, path->text[i]));
	claim(l, context, find_or_add(l, context, path->text[path->n - 1]), field, 0);
}

/* The last configured path of a field: a model's own comes after the top-level ones. */
static const struct strings *
configured(const struct model_config *m, const char *name)
{
	const struct strings *path = NULL;

	for (size_t i = 0; i < m->fields; i++)
		if (strcmp(m->field[i].name, name) == 0)
			path = &m->field[i].path;
	return path;
}

static void
add_explicit(struct layout *l, const struct model_config *m, bool objects)
{
	for (size_t i = 0; i < STANDARDS; i++) {
		const struct strings *path = configured(m, standards[i].name);
		bool again = i > 0 && standards[i].field == standards[i - 1].field;
		if (path != NULL && !again && is_object(standards[i].field) == objects)
			add_path(l, standards[i].field, path);
	}
}

static void
add_standard(struct layout *l, const struct model_config *m)
{
	for (size_t i = 0; i < STANDARDS; i++) {
		const struct standard *s = &standards[i];
		if (configured(m, s->name) != NULL)
			continue;
		uint32_t parent = l->object[s->parent];
		for (uint8_t k = 0; k < 6 && s->key[k] != NULL; k++)
			if (s->key[k][0] != '\0')
				claim(l, parent, find_or_add(l, parent, s->key[k]), s->field, k);
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint32_t parent = l->object[known[i].parent];
		if (layout_peek(l, parent, known[i].key, strlen(known[i].key)) != 0)
			continue;
		uint32_t number = layout_add(l, parent, known[i].key, strlen(known[i].key));
		l->context[parent].entry[number].kind = known[i].kind;
	}
}

/* Own streams have the first slots, and may stand anywhere: where a feature stands, or a standard field, that
 * meaning wins and the stream stays empty. */
static void
add_own(struct layout *l, const struct model_config *m)
{
	for (size_t i = 0; i < m->owns; i++) {
		const struct own_stream_config *own = &m->own[i];
		uint32_t slot = layout_slot(l, own->name, strlen(own->name), (uint8_t)own->type), context = 0;
		uint32_t number;
		struct entry *e;

		for (size_t k = 0; k + 1 < own->path.n; k++) {
			number = find_or_add(l, context, own->path.text[k]);
			e = &l->context[context].entry[number];
			if (e->kind == ENTRY_KNOWN)
				e->kind = ENTRY_FIELD; /* skipped until now */
			context = descend(l, context, number);
		}
		number = find_or_add(l, context, own->path.text[own->path.n - 1]);
		e = &l->context[context].entry[number];
		if (e->kind == ENTRY_FEATURE || e->field != FIELD_NONE || e->child != 0)
			continue;
		e->kind = ENTRY_FEATURE;
		e->index = slot;
		e->type = (uint8_t)own->type | ENTRY_OWN;
	}
	l->own = (uint32_t)m->owns;
}

static void
add_features(struct layout *l, const struct model_config *m)
{
	uint32_t context = l->object[FIELD_FEATURES];

	for (size_t i = 0; i < m->features; i++) {
		const char *name = m->feature[i].name;
		uint8_t type = (uint8_t)m->feature[i].type;
		uint32_t slot = layout_slot(l, name, strlen(name), type);
		uint32_t number = find_or_add(l, context, name);
		struct entry *e = &l->context[context].entry[number];
		if (e->kind != ENTRY_FIELD || e->field != FIELD_NONE || e->child != 0)
			continue; /* the place has another meaning: this feature never comes */
		e->kind = ENTRY_FEATURE;
		e->index = slot;
		e->type = type;
		e->quick = e->length < 15 && (type == FEATURE_FROM_JSON || type == FEATURE_NUMERIC);
	}
	l->only_listed = m->features_only_listed;
}

static void
add_segments(struct layout *l, const struct model_config *m)
{
	uint32_t context = l->object[FIELD_SEGMENT];

	for (size_t i = 0; i < m->segments.n; i++) {
		const char *name = m->segments.text[i];
		if (l->context[context].features && !l->only_listed &&
		    layout_peek(l, context, name, strlen(name)) == 0) {
			/* A feature that also cuts the stream into segments. */
			uint32_t slot = layout_slot(l, name, strlen(name), FEATURE_FROM_JSON);
			uint32_t number = layout_add(l, context, name, strlen(name));
			struct entry *e = &l->context[context].entry[number];
			e->kind = ENTRY_FEATURE;
			e->index = slot;
		}
		uint32_t number = find_or_add(l, context, name);
		struct entry *e = &l->context[context].entry[number];
		if (e->kind == ENTRY_FEATURE) {
			e->segment = (uint16_t)(i + 1);
			e->quick = false;
		} else if (e->field == FIELD_NONE && e->child == 0) {
			e->kind = ENTRY_SEGMENT;
			e->index = (uint32_t)i;
		}
	}
}

/* Numbers of a prediction that have one name only: the walk puts them into their cells by
 * itself. */
static void
mark_quick(struct layout *l)
{
	static const struct {
		uint8_t field;
		size_t offset;
	} cells[] = {
		{ FIELD_VALUE, offsetof(struct record, value) },
		{ FIELD_LOWER, offsetof(struct record, lower) },
		{ FIELD_UPPER, offsetof(struct record, upper) },
		{ FIELD_LEVEL, offsetof(struct record, level) },
		{ FIELD_TOP_SCORE, offsetof(struct record, top_score) },
		{ FIELD_N_CAL, offsetof(struct record, n_cal) },
		{ FIELD_QHAT, offsetof(struct record, qhat) },
	};

	for (uint32_t i = 0; i < l->contexts; i++)
		for (uint32_t k = 1; k < l->context[i].entries && !l->context[i].features; k++) {
			struct entry *e = &l->context[i].entry[k];
			for (size_t f = 0; f < sizeof(cells) / sizeof(cells[0]); f++) {
				if (e->kind != ENTRY_FIELD || e->field != cells[f].field)
					continue;
				size_t bytes = cells[f].offset - offsetof(struct record, klass);
				e->index = (uint32_t)(bytes / sizeof(struct cell));
				e->quick = e->length < 15 && e->child == 0;
			}
		}
}

void
layout_build(struct layout *l, const struct model_config *m, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	l->seed = seed;
	layout_context(l);
	add_explicit(l, m, true);
	add_explicit(l, m, false);
	add_standard(l, m);
	add_own(l, m);
	add_features(l, m);
	add_segments(l, m);
	mark_quick(l);
	layout_commit(l);
}

bool
layout_model_path_differs(const struct model_config *a, const struct model_config *b)
{
	const struct strings *p = configured(a, "model"), *q = configured(b, "model");

	if (p == NULL || q == NULL)
		return p != q;
	if (p->n != q->n)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->text[i], q->text[i]) != 0)
			return true;
	return false;
}
