/* ood_fit.c -- from the rows of a reference to a panel and its ranks, and what people should know of it.
 *
 * The rows are in the order of their records. The 1st, 3rd, ... are fitted. Of the others the 1st, 3rd, ...
 * rank each score, the rest rank the verdict (detectors/ood/panel.h).
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "config/option.h"
#include "monitor/alert/outbound.h"
#include "monitor/log.h"
#include "monitor/ood/ood_inside.h"
#include "monitor/stream/model.h"

enum { RECOMMENDED_ROWS = 2000, CLASS_ROWS_MIN = 5, HOURS_MS = 3600000 };
static const double discovery_alpha = 0.1;

/* Every other row, input by input. */
struct half {
	struct score_rows rows;
	double *value[OOD_INPUTS];
	uint32_t *label;
};

static void
half_finish(struct half *h)
{
	for (int i = 0; i < OOD_INPUTS; i++)
		free(h->value[i]);
	free(h->label);
}

static void
half_init(struct half *h, const struct ood *o, const uint32_t *label, uint32_t from)
{
	const struct ood_sample *s = &o->sample;
	uint32_t n = s->held > from ? (s->held - from + 1) / 2 : 0;
	size_t at = 0;

	*h = (struct half){ .rows = { .n = n } };
	h->label = must_calloc(n + 1, sizeof *h->label);
	for (uint32_t r = 0; r < n; r++)
		h->label[r] = label[from + 2 * r];
	for (int i = 0; i < OOD_INPUTS; at += o->width[i++]) {
		if (!o->width[i])
			continue;
		h->value[i] = must_calloc((size_t)n * o->width[i] + 1, sizeof(double));
		for (uint32_t r = 0; r < n; r++)
			memcpy(h->value[i] + (size_t)r * o->width[i],
			       s->value + (size_t)(from + 2 * r) * s->width + at, o->width[i] * sizeof(double));
	}
	h->rows.classes = ood_has(o, OOD_LOGITS) ? o->width[OOD_LOGITS] : o->width[OOD_PROBS];
	h->rows.dimension = o->width[OOD_EMBEDDING];
	h->rows.features = o->width[OOD_FEATURES];
	h->rows.logits = h->value[OOD_LOGITS];
	h->rows.probs = h->value[OOD_PROBS];
	h->rows.embedding = h->value[OOD_EMBEDDING];
	h->rows.feature = h->value[OOD_FEATURES];
	h->rows.label = h->label;
}

/* Dense codes of the labels in order of appearance; one class where any row has none, or there are more than
 * a model has. Their number, 0: none. */
static uint32_t
code_labels(const struct ood *o, uint32_t *label)
{
	uint64_t *seen = must_calloc(LIMIT_CLASSES, sizeof *seen);
	uint32_t classes = 0, i;

	for (i = 0; i < o->sample.held; i++) {
		uint64_t hash = o->sample.row[i].label;
		uint32_t c = 0;

		while (c < classes && seen[c] != hash)
			c++;
		if (!hash || c == LIMIT_CLASSES)
			break;
		if (c == classes)
			seen[classes++] = hash;
		label[i] = c;
	}
	free(seen);
	if (i == o->sample.held)
		return classes;
	for (i = 0; i < o->sample.held; i++)
		label[i] = SCORE_NO_LABEL;
	return 0;
}

static void __attribute__((format(printf, 2, 3)))
note(struct ood *o, const char *format, ...)
{
	size_t at = strlen(o->notes);
	va_list args;

	if (at && at + 1 < sizeof o->notes)
		o->notes[at++] = '\n';
	va_start(args, format);
	vsnprintf(o->notes + at, sizeof o->notes - at, format, args);
	va_end(args);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Rows that calibrate and are copies of fitted ones: both end up at the same hash. */
static uint32_t
copies(const struct ood *o)
{
	const struct ood_sample *s = &o->sample;
	uint32_t fits = (s->held + 1) / 2, n = 0;
	uint64_t *hash = must_calloc(fits, sizeof *hash);

	for (uint32_t i = 0; i < fits; i++)
		hash[i] = XXH64(s->value + (size_t)(2 * i) * s->width, s->width * sizeof(double), 0);
	qsort(hash, fits, sizeof *hash, by_value);
	for (uint32_t i = 1; i < s->held; i += 2) {
		uint64_t h = XXH64(s->value + (size_t)i * s->width, s->width * sizeof(double), 0);

		n += bsearch(&h, hash, fits, sizeof *hash, by_value) != NULL;
	}
	free(hash);
	return n;
}

static void
tell_classes(struct ood *o, const struct half *fit, uint32_t classes)
{
	uint32_t *count = must_calloc(classes + 1, sizeof *count), small = 0;

	for (uint32_t r = 0; r < fit->rows.n && classes; r++)
		count[fit->label[r]]++;
	for (uint32_t c = 0; c < classes; c++)
		small += count[c] < CLASS_ROWS_MIN;
	free(count);
	if (small)
		note(o, "%u of %u classes have fewer than %d fitted records: their distances say little", small,
		     classes, CLASS_ROWS_MIN);
}

static void
tell(struct ood *o, const struct half *fit, uint32_t copied)
{
	struct ood_reference_row *r = &o->reference;
	uint32_t wide = o->width[OOD_EMBEDDING] ? o->width[OOD_EMBEDDING] : o->width[OOD_FEATURES];

	o->notes[0] = '\0';
	if (o->held < RECOMMENDED_ROWS)
		note(o, "%u records, of which %u rank the verdict: no p-value is below %.2g; %d or more are better",
		     o->held, r->ranked, 1 / (r->ranked + 1.0), RECOMMENDED_ROWS);
	if (r->ranked < LIMIT_REFERENCE_MIN)
		note(o, "fewer than %d records rank the verdict: ood:panel and ood:support learn from their own first "
		     "values and alarm later", LIMIT_REFERENCE_MIN);
	if (copied > r->ranked / 50)
		note(o, "%u of %u records that calibrate are copies of fitted ones: other records will look more "
		     "unlike than they are; remove repeats", copied, o->held / 2);
	if (fit->rows.n < wide / 2)
		note(o, "%u fitted records span fewer than half of %u dimensions: distances rest on shrinkage",
		     fit->rows.n, wide);
	tell_classes(o, fit, r->classes);
	if (!ood_has(o, OOD_EMBEDDING) && !ood_has(o, OOD_FEATURES))
		note(o, "weak: %s alone can miss inputs that look like nothing; send embeddings, or set "
		     "ood.features", ood_has(o, OOD_LOGITS) ? "logits" : "probabilities");
	if (isnan(r->threshold))
		note(o, "no threshold can keep %g with %u ranking records: raise ood.records or ood.alpha", r->alpha,
		     r->ranked);
	r->notes = o->notes;
}

static struct score_options
options(const struct ood *o)
{
	struct score_options out;

	memset(&out, 0, sizeof out);
	for (size_t i = 0; score_table[i]; i++)
		option_defaults(score_table[i]->options, &out);
	out.bank = o->model->config->ood.bank;
	return out;
}

static void
set_threshold(const struct ood *o, struct ood_ranks *r)
{
	const struct ood_config *c = &o->model->config->ood;

	r->threshold = c->threshold == OOD_PAC ? threshold_pac(&r->least, c->alpha, c->delta) :
	                                         threshold_nominal(&r->least, c->alpha);
}

/* Group by group, where enough records rank. */
static void
rank_groups(struct ood *o, const struct verdict *v, const uint64_t *group, uint32_t n)
{
	double *score = must_calloc(n + 1, sizeof *score);

	o->ranks = must_calloc(OOD_GROUPS, sizeof *o->ranks);
	o->rankings = 1;
	for (uint32_t r = 0; r < n; r++)
		score[r] = v[r].score;
	calibration_init(&o->ranks[0].least, score, n);
	set_threshold(o, &o->ranks[0]);
	for (uint32_t r = 0; r < n && o->rankings < OOD_GROUPS; r++) {
		uint32_t members = 0;

		if (!group[r] || ood_ranks_of(o, group[r]) != &o->ranks[0])
			continue;
		score = must_calloc(n + 1, sizeof *score);
		for (uint32_t k = r; k < n; k++)
			if (group[k] == group[r])
				score[members++] = v[k].score;
		if (members < OOD_GROUP_MIN) {
			free(score);
			continue;
		}
		o->ranks[o->rankings].group = group[r];
		calibration_init(&o->ranks[o->rankings].least, score, members);
		set_threshold(o, &o->ranks[o->rankings++]);
	}
}

void
ood_forget_panel(struct ood *o)
{
	panel_finish(&o->panel);
	scorer_finish(&o->explainer);
	for (uint32_t i = 0; i < o->rankings; i++)
		calibration_finish(&o->ranks[i].least);
	free(o->ranks);
	o->ranks = NULL;
	o->rankings = 0;
}

static void
describe(struct ood *o, const struct half *fit, uint32_t classes)
{
	static const char *const names[OOD_INPUTS] = { "logits", "probs", "embedding", "features" };
	const struct ood_config *c = &o->model->config->ood;
	struct ood_reference_row *r = &o->reference;
	const struct ood_sample *s = &o->sample;
	const struct ood_ranks *all = &o->ranks[0];
	double most = LIMIT_OOD_DISCOVERY / (discovery_alpha * (all->least.n + 1.0));
	size_t at = 0, inputs;

	r->stream_id = o->panel_stream->id;
	r->from_ms = INT64_MAX;
	r->to_ms = INT64_MIN;
	for (uint32_t i = 0; i < s->held; i++) {
		r->from_ms = s->row[i].ts < r->from_ms ? s->row[i].ts : r->from_ms;
		r->to_ms = s->row[i].ts > r->to_ms ? s->row[i].ts : r->to_ms;
	}
	for (int i = 0; i < OOD_INPUTS; i++)
		if (o->width[i])
			at += (size_t)snprintf(o->text + at, sizeof o->text - at, "%s%s[%u]", at ? " " : "", names[i],
			                       o->width[i]);
	inputs = at++;
	for (uint32_t i = 0; i < o->scores && at < sizeof o->text; i++)
		at += (size_t)snprintf(o->text + at, sizeof o->text - at, "%s%s", i ? " " : "", o->score[i]->name);
	r->inputs = o->text;
	r->scores = o->text + inputs + 1;
	r->rows = s->held;
	r->fitted = fit->rows.n;
	r->ranked = all->least.n;
	r->classes = classes;
	r->alpha = c->alpha;
	r->delta = c->threshold == OOD_PAC ? c->delta : (double)NAN;
	r->threshold = all->threshold.possible ? all->threshold.score : (double)NAN;
	r->rate_low = all->threshold.possible ? all->threshold.low : (double)NAN;
	r->rate_high = all->threshold.possible ? all->threshold.high : (double)NAN;
	r->discoveries_min = most > 1 ? (uint32_t)ceil(most) : 1;
	o->made_by = XXH64(r->scores, strlen(r->scores), c->bank);
	o->made_by = XXH64(r->inputs, strlen(r->inputs), o->made_by);
	r->hash = XXH64(s->value, (size_t)s->held * s->width * sizeof(double), s->held);
}

/* Verdicts of the rows that rank it: 4th, 8th, ... of the reference. malloc()ed. */
static struct verdict *
ranking_verdicts(struct ood *o, const struct half *calibration, uint64_t *group, uint32_t *n)
{
	struct verdict *v = must_calloc(calibration->rows.n + 1, sizeof *v);

	panel_run(&o->panel, &calibration->rows, v);
	*n = calibration->rows.n / 2;
	for (uint32_t r = 0; r < *n; r++) {
		v[r] = v[2 * r + 1];
		group[r] = o->sample.row[4 * r + 3].group;
	}
	return v;
}

static int
fit_panel(struct ood *o, const struct half *fit, const struct half *calibration, struct diag *d)
{
	const struct score *const ecod[] = { score_find("ecod") };
	struct score_options with = options(o);
	int err = panel_init(&o->panel, o->score, o->scores, &with, &fit->rows, &calibration->rows, d);

	if (!err && ood_has(o, OOD_FEATURES))
		err = scorer_init(&o->explainer, ecod, 1, &with, &fit->rows, &fit->rows, d);
	if (err)
		panel_finish(&o->panel);
	return err;
}

int
ood_build(struct ood *o, struct diag *d)
{
	uint32_t *label = must_calloc(o->sample.held + 1, sizeof *label);
	uint64_t *group = must_calloc(o->sample.held + 1, sizeof *group);
	uint32_t classes = code_labels(o, label), copied = copies(o), n;
	struct half fit, calibration;
	struct verdict *v;
	int err;

	half_init(&fit, o, label, 0);
	half_init(&calibration, o, label, 1);
	if (o->sample.held < LIMIT_OOD_MIN)
		err = diag_set(d, ERR_INVALID, "a reference of %u usable records: %d or more are needed, for every "
		               "fourth ranks the verdict", o->sample.held, LIMIT_OOD_MIN);
	else if (copied > calibration.rows.n / 2)
		err = diag_set(d, ERR_INVALID, "%u of the %u records that calibrate are copies of fitted ones: "
		               "p-values would call everything else out of distribution; remove repeats", copied,
		               calibration.rows.n);
	else
		err = fit_panel(o, &fit, &calibration, d);
	if (!err) {
		o->held = o->sample.held;
		v = ranking_verdicts(o, &calibration, group, &n);
		rank_groups(o, v, group, n);
		free(v);
		describe(o, &fit, classes);
		tell(o, &fit, copied);
		ood_make_room(o);
	}
	half_finish(&fit);
	half_finish(&calibration);
	free(label);
	free(group);
	return err;
}

/* -- streams ------------------------------------------------------------------------------------------ */

static void
teach(struct stream *s, const struct ood *o, const double *value, uint32_t n)
{
	size_t capacity = 0;

	if (!s)
		return;
	free(s->learner.log);
	s->learner.log = must_grow(NULL, &capacity, n, sizeof *s->learner.log);
	s->learner.log_capacity = (uint32_t)capacity;
	s->learner.logged = n;
	for (uint32_t r = 0; r < n; r++) {
		const struct ood_row *row = &o->sample.row[4 * r + 3];

		s->learner.log[r] = (struct learned){ row->order, value[r],
			                              (int32_t)(floor_to(row->ts, HOURS_MS) / HOURS_MS) };
	}
}

void
ood_teach_streams(struct ood *o)
{
	uint32_t *label = must_calloc(o->sample.held + 1, sizeof *label), n;
	uint64_t *group = must_calloc(o->sample.held + 1, sizeof *group);
	double *value;
	struct half calibration;
	struct verdict *v;

	half_init(&calibration, o, label, 1);
	v = ranking_verdicts(o, &calibration, group, &n);
	value = must_calloc(n + 1, sizeof *value);
	for (uint32_t r = 0; r < n; r++)
		value[r] = v[r].score;
	teach(o->panel_stream, o, value, n);
	for (uint32_t r = 0; r < n && o->knn < SCORER_MAX; r++)
		value[r] = v[r].member[o->knn] <= o->model->config->ood.alpha;
	teach(o->support, o, value, n);
	free(value);
	free(v);
	free(label);
	free(group);
	half_finish(&calibration);
}

void
ood_learned(struct ood *o, const char *source)
{
	struct diag d = { "" };
	const char *line, *end;

	ood_sample_sort(&o->sample);
	if (ood_build(o, &d)) {
		log_event(LOG_WARN, "ood", "%.*s version '%.*s': no out-of-distribution scores: %s",
		          (int)o->model->name_length, o->model->name, (int)o->version->length, o->version->text,
		          d.text);
		ood_refit(o); /* and from the next records */
		return;
	}
	o->ready = true;
	o->dirty = o->reference_changed = true;
	snprintf(o->name, sizeof o->name, "%s", source);
	o->reference.source = o->name;
	ood_teach_streams(o);
	for (line = o->notes; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		log_event(LOG_WARN, "ood", "%.*s version '%.*s': %.*s", (int)o->model->name_length, o->model->name,
		          (int)o->version->length, o->version->text, (int)(end - line), line);
	}
}
