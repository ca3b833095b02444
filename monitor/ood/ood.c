/* ood.c -- records into rows of scores, and verdicts into streams. See ood.h. */
#include "monitor/ood/ood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "monitor/decode/record.h"
#include "monitor/log.h"
#include "monitor/ood/ood_inside.h"
#include "monitor/ood/verdict_topic.h"
#include "monitor/stream/model.h"

struct ood *
ood_create(struct model *m, struct version *v)
{
	struct ood *o = must_calloc(1, sizeof *o);

	o->model = m;
	o->version = v;
	o->learn_from_ms = INT64_MIN;
	o->knn = SCORER_MAX;
	v->ood = v->rows->ood = o;
	return o;
}

void
ood_destroy(struct ood *o)
{
	if (!o)
		return;
	ood_forget_panel(o);
	ood_sample_finish(&o->sample);
	ood_windows_finish(&o->windows);
	for (int i = 0; i < OOD_INPUTS; i++)
		free(o->input[i]);
	free(o->waiting);
	free(o->verdict);
	free(o->feature);
	free(o->row);
	free(o);
}

size_t
ood_bytes(const struct ood *o)
{
	size_t waiting = o->waiting ? OOD_BATCH * (sizeof *o->waiting + sizeof *o->verdict + o->columns * 8ul) : 0;

	return sizeof *o + ood_sample_bytes(&o->sample) + waiting +
	       (o->ready ? (size_t)o->held * (o->columns + 2) * sizeof(double) : 0);
}

void
ood_make_room(struct ood *o)
{
	if (o->waiting)
		return;
	o->waiting = must_calloc(OOD_BATCH, sizeof *o->waiting);
	o->verdict = must_calloc(OOD_BATCH, sizeof *o->verdict);
	for (int i = 0; i < OOD_INPUTS; i++)
		if (o->width[i])
			o->input[i] = must_calloc((size_t)OOD_BATCH * o->width[i], sizeof(double));
}

/* -- what records are made of ------------------------------------------------------------------------- */

static bool
probs_fine(const struct record *r)
{
	return r->probs && !(r->parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE));
}

/* Flags of the configured scores together; 0: auto. */
static unsigned
listed(const struct ood_config *c)
{
	unsigned flags = 0;

	for (size_t i = 0; i < c->scores.n; i++)
		flags |= score_find(c->scores.text[i])->flags;
	return flags;
}

bool
ood_concerns(const struct model *m, const struct record *r)
{
	const struct ood_config *c = &m->config->ood;

	if (c->off)
		return false;
	if (r->dimension || r->logits || (listed(c) & SCORE_SHARES && probs_fine(r)))
		return true;
	return (c->features || listed(c) & SCORE_FEATURES) && r->parts & RECORD_FEATURES;
}

/* Numeric features that have been seen so far; how many, into out when there is room. */
static uint32_t
numeric_features(const struct model *m, struct stream **out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->streams && n < SCORE_WIDTH_MAX; i++) {
		struct stream *s = m->stream[i];

		if (s->kind != STREAM_FEATURE || s->type != STREAM_NUMERIC || s->segment)
			continue;
		if (out)
			out[n] = s;
		n++;
	}
	return n;
}

/* Which scores suit such rows: all that are configured, or the default panel. 0: they do not. */
static uint32_t
choose_scores(const struct ood_config *c, const uint32_t *width, const struct score **score)
{
	static const double some;
	struct score_rows shape = {
		.classes = width[OOD_LOGITS] ? width[OOD_LOGITS] : width[OOD_PROBS],
		.dimension = width[OOD_EMBEDDING], .features = width[OOD_FEATURES],
		.logits = width[OOD_LOGITS] ? &some : NULL, .probs = width[OOD_PROBS] ? &some : NULL,
		.embedding = width[OOD_EMBEDDING] ? &some : NULL, .feature = width[OOD_FEATURES] ? &some : NULL,
	};

	if (!c->scores.n)
		return panel_default(&shape, score);
	for (size_t i = 0; i < c->scores.n; i++) {
		score[i] = score_find(c->scores.text[i]);
		if (!score_has_input(score[i], &shape))
			return 0;
	}
	return (uint32_t)c->scores.n;
}

/* Sizes that the record has of what the configuration wants. */
static void
sizes(const struct model *m, const struct record *r, uint32_t *width)
{
	const struct ood_config *c = &m->config->ood;
	unsigned flags = listed(c);
	bool tables = flags & SCORE_FEATURES || (c->features && !r->dimension);

	memset(width, 0, OOD_INPUTS * sizeof *width);
	width[OOD_LOGITS] = r->logits;
	width[OOD_EMBEDDING] = r->dimension;
	if (flags & SCORE_SHARES && !r->logits && probs_fine(r))
		width[OOD_PROBS] = r->probs;
	if (tables && r->parts & RECORD_FEATURES)
		width[OOD_FEATURES] = numeric_features(m, NULL);
}

static void
settle_shape(struct ood *o)
{
	o->columns = 0;
	for (int i = 0; i < OOD_INPUTS; i++)
		o->columns += o->width[i];
	o->row = must_calloc(o->columns, sizeof *o->row);
	o->knn = SCORER_MAX;
	for (uint32_t i = 0; i < o->scores; i++)
		o->knn = !strcmp(o->score[i]->name, "knn") ? i : o->knn;
	ood_sample_init(&o->sample, o->columns, o->model->config->ood.records);
	o->shaped = true;
}

/* The first record with something to score decides. */
static bool
shape(struct ood *o, const struct record *r)
{
	sizes(o->model, r, o->width);
	o->scores = choose_scores(&o->model->config->ood, o->width, o->score);
	if (!o->scores)
		return false;
	o->feature = must_calloc(o->width[OOD_FEATURES], sizeof(struct stream *));
	if (o->width[OOD_FEATURES])
		numeric_features(o->model, o->feature);
	settle_shape(o);
	o->dirty = true;
	return true;
}

/* After a restart the scores are chosen again. */
bool
ood_shape_again(struct ood *o)
{
	o->scores = choose_scores(&o->model->config->ood, o->width, o->score);
	if (o->scores)
		settle_shape(o);
	return o->scores != 0;
}

/* -- records ------------------------------------------------------------------------------------------ */

static bool
span_over(const struct ood *o, int64_t watermark_ms)
{
	return o->learn_from_ms != INT64_MIN && o->sample.held >= LIMIT_OOD_MIN &&
	       watermark_ms - o->learn_from_ms >= o->model->config->reference_span_ms;
}

/* Panels of many versions are memory, too: the oldest makes room. Its streams and windows stay as they are.
 * */
static void
make_place(struct model *m)
{
	struct ood *oldest = NULL;
	uint32_t ready = 0;

	for (uint32_t i = m->versions; i-- > 0;)
		if (m->version[i]->ood && m->version[i]->ood->ready) {
			oldest = m->version[i]->ood;
			ready++;
		}
	if (ready <= LIMIT_OOD_VERSIONS)
		return;
	rows_flush(m, oldest->version->rows);
	ood_flush(oldest);
	ood_forget_panel(oldest);
	ood_sample_finish(&oldest->sample);
	ood_sample_init(&oldest->sample, oldest->columns, m->config->ood.records);
	oldest->ready = false;
	oldest->retired = true;
	oldest->held = 0;
	oldest->generation++;
	oldest->dirty = m->dirty = true;
	log_event(LOG_WARN, "ood", "%.*s version '%.*s' is not scored any more: %d later versions are",
	          (int)m->name_length, m->name, (int)oldest->version->length, oldest->version->text,
	          LIMIT_OOD_VERSIONS);
}

static void
begin(struct ood *o)
{
	struct common *c = o->model->common;

	rows_flush(o->model, o->version->rows);
	c->at_ms = c->watermark_ms;
	ood_learned(o, "first");
	if (!o->ready)
		return;
	stream_fitted(o->panel_stream, NULL);
	if (o->support)
		stream_fitted(o->support, NULL);
	o->panel_stream->dirty = true;
	if (o->support)
		o->support->dirty = true;
	make_place(o->model);
}

/* References of many versions at once are memory that whoever names versions could ask for. */
static bool
refused(struct model *m)
{
	uint32_t learning = 0;

	for (uint32_t i = 0; i < m->versions; i++)
		learning += m->version[i]->ood && m->version[i]->ood->panel_stream && !m->version[i]->ood->ready;
	if (learning < LIMIT_OOD_LEARNING)
		return false;
	m->counter[COUNT_OOD_REFUSED]++;
	log_often(LOG_WARN, "ood", "%.*s: %d versions learn what is in distribution for them already; others are "
	          "not scored until one of these has", (int)m->name_length, m->name, LIMIT_OOD_LEARNING);
	return true;
}

void
ood_prepare(struct model *m, struct version *v, const struct record *r)
{
	struct ood *o = v->ood;

	if (m->common->refitting || !ood_concerns(m, r))
		return;
	if (!o && refused(m))
		return;
	o = o ? o : ood_create(m, v);
	if (o->retired) {
		m->counter[COUNT_OOD_REFUSED]++;
		return;
	}
	if (!o->shaped && !shape(o, r))
		return;
	if (!o->panel_stream)
		o->panel_stream = model_stream(m, v->rows, STREAM_OOD, STREAM_NUMERIC, "panel", 5, v);
	if (o->panel_stream && !o->support && o->knn < SCORER_MAX)
		o->support = model_stream(m, v->rows, STREAM_OOD, STREAM_BINARY, "support", 7, v);
	if (o->panel_stream && !o->ready && !m->common->fitting && span_over(o, m->common->watermark_ms))
		begin(o);
}

static uint64_t
hash_of(const struct record *r, struct text t)
{
	uint64_t hash = t.length ? XXH64(record_text(r, t), t.length, 0) : 0;

	return t.length && !hash ? 1 : hash;
}

/* What its p-value is among. */
static uint64_t
group_of(const struct ood *o, const struct record *r)
{
	const struct model_config *c = o->model->config;

	if (!c->ood.by)
		return 0;
	if (!strcmp(c->ood.by, "class"))
		return hash_of(r, r->klass.text);
	for (size_t i = 0; i < c->segments.n; i++)
		if (!strcmp(c->segments.text[i], c->ood.by))
			return hash_of(r, r->segment[i]);
	return 0;
}

/* The record's numbers, input by input, into o->row. False: it is not made as the others, and counted. */
static bool
assemble(struct ood *o, const struct record *r)
{
	struct model *m = o->model;
	double *to = o->row;

	if (ood_has(o, OOD_EMBEDDING) && r->dimension && r->dimension != o->width[OOD_EMBEDDING]) {
		m->counter[COUNT_EMBEDDING_CHANGED]++;
		log_often(LOG_WARN, "embedding_changed", "%.*s: an embedding of %u numbers where the first of its "
		          "version had %u: not scored; send another version with another embedding",
		          (int)m->name_length, m->name, r->dimension, o->width[OOD_EMBEDDING]);
		return false;
	}
	if ((ood_has(o, OOD_LOGITS) && r->logits != o->width[OOD_LOGITS]) ||
	    (ood_has(o, OOD_PROBS) && (!probs_fine(r) || r->probs != o->width[OOD_PROBS])) ||
	    (ood_has(o, OOD_EMBEDDING) && !r->dimension) ||
	    (ood_has(o, OOD_FEATURES) && !(r->parts & RECORD_FEATURES))) {
		m->counter[COUNT_OOD_INCOMPLETE]++;
		return false;
	}
	for (uint32_t i = 0; i < o->width[OOD_LOGITS]; i++)
		*to++ = r->logit[i];
	for (uint32_t i = 0; i < o->width[OOD_PROBS]; i++)
		*to++ = r->prob[i];
	for (uint32_t i = 0; i < o->width[OOD_EMBEDDING]; i++)
		*to++ = r->embedding[i];
	for (uint32_t i = 0; i < o->width[OOD_FEATURES]; i++) {
		*to = o->feature[i]->value[m->features_at];
		if (isnan(*to++)) {
			m->counter[COUNT_OOD_INCOMPLETE]++;
			return false;
		}
	}
	return true;
}

static void
learn(struct ood *o, const struct record *r, const struct row_facts *f)
{
	bool labelled = r->parts & RECORD_LABEL && r->klass.text.length;
	struct ood_row row = {
		.order = f->order, .sequence = o->taken++, .ts = r->ts,
		.label = hash_of(r, labelled ? r->label.text : r->klass.text), .group = group_of(o, r),
	};

	if (o->learn_from_ms == INT64_MIN)
		o->learn_from_ms = f->watermark_ms;
	ood_sample_offer(&o->sample, &row, o->row);
	o->dirty = true;
}

static void
wait(struct ood *o, const struct record *r, const struct row_facts *f, uint32_t at)
{
	struct ood_waiting *w = &o->waiting[o->waitings];
	const double *from = o->row;

	*w = (struct ood_waiting){ .at = at, .combination = o->model->combination, .ts = r->ts,
		                   .sequence = f->sequence, .group = group_of(o, r) };
	if (r->parts & RECORD_HAS_ID) {
		w->id_length = r->id.length < sizeof w->id ? r->id.length : (uint32_t)sizeof w->id;
		while (w->id_length < r->id.length && w->id_length &&
		       (record_text(r, r->id)[w->id_length] & 0xc0) == 0x80)
			w->id_length--; /* no half characters */
		memcpy(w->id, record_text(r, r->id), w->id_length);
	}
	for (int i = 0; i < OOD_INPUTS; from += o->width[i++])
		if (o->width[i])
			memcpy(o->input[i] + (size_t)o->waitings * o->width[i], from, o->width[i] * sizeof *from);
	if (++o->waitings == OOD_BATCH)
		ood_flush(o);
}

void
ood_take(struct ood *o, const struct record *r, const struct row_facts *f, uint32_t at)
{
	if (o->panel_stream)
		o->panel_stream->value[at] = (double)NAN;
	if (o->support)
		o->support->value[at] = (double)NAN;
	if (o->model->common->refitting || o->retired || !o->panel_stream || !o->shaped ||
	    !ood_concerns(o->model, r) ||
	    !assemble(o, r))
		return;
	if (o->ready && !o->model->common->fitting)
		wait(o, r, f, at);
	else
		learn(o, r, f);
}

/* For those who gate by it. */
static void
send(const struct ood *o, const struct ood_waiting *w, const struct verdict *v)
{
	const struct model *m = o->model;
	const struct ood_ranks *ranks = ood_ranks_of(o, w->group);
	const char *name[SCORER_MAX];
	struct verdict_out out = {
		.topic = m->config->ood.verdicts, .model = m->name, .model_length = m->name_length,
		.version = o->version->text, .version_length = o->version->length, .id = w->id,
		.id_length = w->id_length, .ts = w->ts, .p = calibration_p(&ranks->least, v->score),
		.score = v->score, .out = ranks->threshold.possible && v->score > ranks->threshold.score,
		.scores = o->scores, .reason = v->reason, .name = name, .member = v->member,
	};

	for (uint32_t i = 0; i < o->scores; i++)
		name[i] = o->score[i]->name;
	m->common->verdict(m->common->verdict_context, &out);
}

void
ood_flush(struct ood *o)
{
	struct score_rows rows = {
		.n = o->waitings,
		.classes = o->width[OOD_LOGITS] ? o->width[OOD_LOGITS] : o->width[OOD_PROBS],
		.dimension = o->width[OOD_EMBEDDING], .features = o->width[OOD_FEATURES],
		.logits = o->input[OOD_LOGITS], .probs = o->input[OOD_PROBS],
		.embedding = o->input[OOD_EMBEDDING], .feature = o->input[OOD_FEATURES],
	};

	if (!o->waitings)
		return;
	panel_run(&o->panel, &rows, o->verdict);
	for (uint32_t i = 0; i < o->waitings; i++) {
		const struct ood_waiting *w = &o->waiting[i];
		const struct verdict *v = &o->verdict[i];

		o->panel_stream->value[w->at] = v->score;
		if (o->support)
			o->support->value[w->at] = v->member[o->knn] <= o->model->config->ood.alpha;
		if (o->model->common->verdict && o->model->config->ood.verdicts)
			send(o, w, v);
		ood_count(o, w, v, rows.feature ? rows.feature + (size_t)i * rows.features : NULL);
	}
	o->waitings = 0;
}

/* -- fits --------------------------------------------------------------------------------------------- */

void
ood_refit(struct ood *o)
{
	uint32_t records = o->model->config->ood.records;

	ood_flush(o);
	ood_forget_panel(o);
	o->ready = o->retired = false;
	o->generation++;
	o->held = 0;
	o->taken = 0;
	o->learn_from_ms = INT64_MIN;
	ood_sample_finish(&o->sample);
	if (o->shaped)
		ood_sample_init(&o->sample, o->columns, records);
	o->dirty = true;
}

void
ood_fitted(struct ood *o)
{
	if (o->shaped && o->panel_stream && o->sample.held)
		ood_learned(o, "fit");
	make_place(o->model);
}
