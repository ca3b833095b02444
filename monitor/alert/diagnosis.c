/* diagnosis.c -- see diagnosis.h. */
#include "monitor/alert/diagnosis.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "detectors/kit/special.h"
#include "monitor/alert/alert.h"
#include "monitor/stream/model.h"
#include "monitor/stream/version_uncertainty.h"

#define MOVED_PERCENTILES 10.0
#define MOVED_EVIDENCE 0.1
#define SEPARABLE 0.9
#define ALIKE_RATES 10.0

static const char *const names[DIAGNOSIS_KINDS] = {
	[DIAGNOSIS_INPUTS] = "inputs",         [DIAGNOSIS_OOD] = "ood",
	[DIAGNOSIS_EPISTEMIC] = "epistemic",   [DIAGNOSIS_ALEATORIC] = "aleatoric",
	[DIAGNOSIS_TOTAL] = "total",           [DIAGNOSIS_DISCREPANCY] = "discrepancy",
	[DIAGNOSIS_STRUCTURE] = "structure",   [DIAGNOSIS_COVERAGE] = "coverage",
	[DIAGNOSIS_PERFORMANCE] = "performance", [DIAGNOSIS_ROBUSTNESS] = "robustness",
};

/* DIAGNOSIS_KINDS: a stream that says nothing of uncertainty. */
static enum diagnosis_kind
kind_of(const struct stream *s)
{
	const char *kind = NULL;

	switch (s->kind) {
	case STREAM_FEATURE:
	case STREAM_JOINT: return DIAGNOSIS_INPUTS;
	case STREAM_OOD: return DIAGNOSIS_OOD;
	case STREAM_COVERAGE: return DIAGNOSIS_COVERAGE;
	case STREAM_ERROR:
	case STREAM_PERFORMANCE: return DIAGNOSIS_PERFORMANCE;
	case STREAM_PROBE:
	case STREAM_PROBE_ERROR: return DIAGNOSIS_ROBUSTNESS;
	case STREAM_CALIBRATION:
	case STREAM_DISCREPANCY: return DIAGNOSIS_DISCREPANCY;
	case STREAM_STRUCTURE: return DIAGNOSIS_STRUCTURE;
	case STREAM_UNCERTAINTY:
		for (uint32_t f = 0; f < UNCERTAINTY_FIGURES && !kind; f++)
			if (!strcmp(s->field, uncertainty_names[f]))
				kind = version_uncertainty_kind((enum uncertainty_figure)f);
		return !kind ? DIAGNOSIS_KINDS : *kind == 'e' ? DIAGNOSIS_EPISTEMIC :
		       *kind == 'a' ? DIAGNOSIS_ALEATORIC : DIAGNOSIS_TOTAL;
	default: return DIAGNOSIS_KINDS;
	}
}

/* A window with values of it has ended. Streams begin somewhere in a batch, and whether that was before the
 * row of an alert depends on where the batch was cut. */
static bool
stands(const struct stream *s)
{
	return s->pace_windows > 0;
}

static bool
of_version(const struct stream *s, const struct version *v)
{
	return s->version_length == v->length && !memcmp(s->version, v->text, v->length);
}

static bool
version_stands(const struct version *v, const struct model *m)
{
	for (uint32_t i = 0; i < m->streams; i++)
		if (!m->stream[i]->segment && stands(m->stream[i]) && of_version(m->stream[i], v) &&
		    kind_table[m->stream[i]->kind].class != CLASS_INPUTS)
			return true;
	return false;
}

/* The version that an alert is about: its own, or of inputs the latest. */
static const struct version *
version_of(const struct stream *s)
{
	const struct model *m = s->model;
	const struct version *found = NULL;
	bool own = kind_table[s->kind].class != CLASS_INPUTS && kind_table[s->kind].class != CLASS_QUALITY;

	for (uint32_t i = 0; i < m->versions; i++) {
		const struct version *v = m->version[i];

		if (!v->segment && (own ? of_version(s, v) : version_stands(v, m)))
			found = v;
	}
	return found;
}

static bool
concerns(const struct stream *s, const struct version *v)
{
	if (s->segment || kind_of(s) == DIAGNOSIS_KINDS)
		return false;
	if (kind_of(s) == DIAGNOSIS_INPUTS)
		return true;
	return v && of_version(s, v);
}

static double
evidence(const struct stream *s)
{
	double most = 0;

	for (uint32_t i = 0; i < s->pagers; i++)
		most = fmax(most, s->test[i].window_statistic);
	return most;
}

static double
away(double percentile)
{
	return isnan(percentile) ? -1 : fabs(percentile - 50);
}

void
diagnosis_look(const struct stream *s, struct standing *out)
{
	const struct model *m = s->model;
	const struct version *v = version_of(s);

	*out = (struct standing){ .version = v, .rank_correlation = (double)NAN };
	if (v)
		out->rank_correlation = version_uncertainty_separability(v);
	for (int k = 0; k < DIAGNOSIS_KINDS; k++)
		out->percentile[k] = (double)NAN;
	for (uint32_t i = 0; i < m->streams; i++) {
		const struct stream *x = m->stream[i];
		enum diagnosis_kind k = kind_of(x);
		double percentile;

		if (!stands(x) || !concerns(x, v))
			continue;
		percentile = x->type == STREAM_NUMERIC ? stream_percentile(x) : (double)NAN;
		if (x->kind != STREAM_JOINT)
			out->rate[k] = fmax(out->rate[k], stream_pace(x));
		out->evidence[k] |= away(percentile) >= MOVED_PERCENTILES && evidence(x) >= MOVED_EVIDENCE;
		if (!out->stream[k] || away(percentile) > away(out->percentile[k])) {
			out->stream[k] = x;
			out->percentile[k] = percentile;
		}
	}
}

/* The alert's own kind, by its effect since the change began: what the last hundred values show only later. A
 * normal shifted by d sigma has its mean at percentile 100 Phi(d / sqrt 2) of the one before. */
static double
own_percentile(const struct news *n, double standing)
{
	const struct effect *e = &n->effect;
	double percentile;

	if (n->stream->type != STREAM_NUMERIC || isnan(e->size) || !((e->new_value - e->old_value) * e->size > 0))
		return standing;
	percentile = 100 * special_normal_cdf(e->size / sqrt(2));
	return away(percentile) > away(standing) ? percentile : standing;
}

/* -- words -------------------------------------------------------------------------------------------- */

struct seen {
	struct standing at;
	bool open[DIAGNOSIS_KINDS];   /* one of its streams has an alert open */
	bool moved[DIAGNOSIS_KINDS];
	const struct stream *first;   /* of the alerts that are open: the one that was first */
};

static void
look_at_alerts(const struct news *n, struct seen *out)
{
	const struct model *m = n->stream->model;
	const struct version *v = n->standing.version;
	enum diagnosis_kind own = kind_of(n->stream);

	*out = (struct seen){ .at = n->standing };
	if (own < DIAGNOSIS_KINDS) {
		out->at.percentile[own] = own_percentile(n, n->standing.percentile[own]);
		if (!out->at.stream[own])
			out->at.stream[own] = n->stream;
	}
	for (uint32_t i = 0; i < m->streams; i++) {
		const struct stream *x = m->stream[i];
		bool open = x->settled_open || (n->kind == NEWS_OVER && x == n->stream);

		if (!open || !concerns(x, v))
			continue;
		out->open[kind_of(x)] = true;
		if (!out->first || x->settled_opened_ms < out->first->settled_opened_ms)
			out->first = x;
	}
	for (int k = 0; k < DIAGNOSIS_KINDS; k++)
		out->moved[k] = out->open[k] || n->standing.evidence[k];
}

struct words {
	char *text;
	size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void
say(struct words *w, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(w->text + w->at, w->size - w->at, format, list);
	va_end(list);
	if (n > 0)
		w->at = w->at + (size_t)n < w->size ? w->at + (size_t)n : w->size - 1;
}

static const char *
ordinal(int n)
{
	int ten = n % 100 / 10 == 1 ? 0 : n % 10;

	return ten == 1 ? "st" : ten == 2 ? "nd" : ten == 3 ? "rd" : "th";
}

static void
say_kind(struct words *w, const struct seen *s, enum diagnosis_kind k, const char *name)
{
	double percentile = s->at.percentile[k];
	int to = isnan(percentile) ? 0 : (int)lround(fmin(fmax(percentile, 0), 100));

	if (!s->at.stream[k])
		return;
	if (!s->moved[k])
		say(w, "%s%s flat", w->at ? ", " : "", name);
	else if (isnan(percentile))
		say(w, "%s%s moved", w->at ? ", " : "", name);
	else
		say(w, "%s%s from the 50th to the %d%s percentile", w->at ? ", " : "", name, to, ordinal(to));
}

/* Kinds of many streams: which of them says most. */
static void
name_kind(const struct seen *s, enum diagnosis_kind k, const char *kind, char name[64])
{
	const struct stream *most = s->at.stream[k];

	snprintf(name, 64, s->moved[k] && most && most->field_length ? "%s (%.24s)" : "%s", kind,
	         most ? most->field : "");
}

static bool
rose(const struct seen *s, enum diagnosis_kind k)
{
	return s->moved[k] && !(s->at.percentile[k] < 50);
}

/* What the kinds that moved mean together. */
static const char *
meaning(const struct seen *s)
{
	bool inputs = s->moved[DIAGNOSIS_INPUTS] || s->moved[DIAGNOSIS_OOD];
	bool unsure = s->moved[DIAGNOSIS_EPISTEMIC] || s->moved[DIAGNOSIS_ALEATORIC] || s->moved[DIAGNOSIS_TOTAL];
	bool worse = s->moved[DIAGNOSIS_COVERAGE] || s->moved[DIAGNOSIS_PERFORMANCE] ||
	             s->moved[DIAGNOSIS_DISCREPANCY];

	if (unsure && !rose(s, DIAGNOSIS_EPISTEMIC) && !rose(s, DIAGNOSIS_ALEATORIC) && !rose(s, DIAGNOSIS_TOTAL))
		return worse ? "the model grew surer while it got worse" : "the model grew surer";
	if (rose(s, DIAGNOSIS_EPISTEMIC) && rose(s, DIAGNOSIS_ALEATORIC))
		return inputs ? "inputs moved, the model extrapolates and expects noisier outcomes" :
		                "the model knows less and expects noisier outcomes";
	if (rose(s, DIAGNOSIS_EPISTEMIC))
		return inputs ? "inputs moved, the model extrapolates" :
		       s->at.stream[DIAGNOSIS_INPUTS] ? "the model knows less of inputs that look as before" :
		                                         "the model knows less of what it is asked";
	if (rose(s, DIAGNOSIS_ALEATORIC))
		return inputs ? "inputs moved to where outcomes are noisier" : "the model expects noisier outcomes";
	if (unsure)
		return inputs ? "inputs moved, the model is less sure" : "the model is less sure";
	if (s->moved[DIAGNOSIS_DISCREPANCY])
		return inputs ? "inputs moved, and outcomes are not what the model says of them" :
		                "outcomes are not what the model says of them: a wrong model and a miscalibrated "
		                "one look alike here";
	if (s->moved[DIAGNOSIS_STRUCTURE])
		return "errors follow a pattern that the model misses";
	if (worse)
		return inputs ? "inputs moved, the model is as sure as before, and wrong more often" :
		                "the model is as sure as before, and wrong more often";
	if (s->moved[DIAGNOSIS_ROBUSTNESS])
		return "small perturbations change more predictions";
	return inputs ? "inputs moved, the model is as sure as before" : "no kind of uncertainty moved";
}

/* Kinds whose values come far more often than another's. */
static bool
rates_differ(const struct seen *s, enum diagnosis_kind *often, enum diagnosis_kind *seldom)
{
	bool any = false;

	for (enum diagnosis_kind k = 0; k < DIAGNOSIS_KINDS; k++) {
		if (!(s->at.rate[k] > 0))
			continue;
		if (!any || s->at.rate[k] > s->at.rate[*often])
			*often = k;
		if (!any || s->at.rate[k] < s->at.rate[*seldom])
			*seldom = k;
		any = true;
	}
	return any && s->at.rate[*often] > ALIKE_RATES * s->at.rate[*seldom];
}

static bool
abstains(const struct seen *s, struct words *w)
{
	bool both = s->at.stream[DIAGNOSIS_EPISTEMIC] && s->at.stream[DIAGNOSIS_ALEATORIC];
	enum diagnosis_kind often = 0, seldom = 0;

	if (both && s->at.rank_correlation > SEPARABLE &&
	    (s->moved[DIAGNOSIS_EPISTEMIC] || s->moved[DIAGNOSIS_ALEATORIC])) {
		say(w, "kinds not separable here (epistemic and aleatoric rank records alike, correlation %.2f): ",
		    s->at.rank_correlation);
		return true;
	}
	if (!rates_differ(s, &often, &seldom))
		return false;
	say(w, "kinds not separable here (%s is seen %.0f times as often as %s): ", names[often],
	    s->at.rate[often] / s->at.rate[seldom], names[seldom]);
	return true;
}

static void
list_moved(const struct seen *s, char *out, size_t size)
{
	struct words w = { out, size, 0 };

	for (int k = 0; k < DIAGNOSIS_KINDS; k++)
		if (s->moved[k])
			say(&w, "%s%s", w.at ? "," : "", names[k]);
	if (!w.at)
		say(&w, "none");
}

static void
say_labelled(struct words *w, const struct seen *s, enum diagnosis_kind k)
{
	if (s->at.stream[k])
		say(w, ", %s %s", names[k], s->moved[k] ? "affected" : "not yet affected");
}

void
diagnosis_words(const struct news *n, char *moved, size_t moved_size, char *words, size_t size)
{
	struct words w = { words, size, 0 }, kinds;
	char text[560] = "", name[64];
	struct seen s;
	bool told = false, open = false;

	moved[0] = words[0] = 0;
	for (int k = 0; k < DIAGNOSIS_KINDS; k++)
		told |= k != DIAGNOSIS_INPUTS && k != DIAGNOSIS_OOD && n->standing.stream[k];
	if (!told)
		return;
	look_at_alerts(n, &s);
	for (int k = 0; k < DIAGNOSIS_KINDS; k++)
		open |= s.moved[k];
	if (!open) /* an alert of what says nothing of uncertainty, alone */
		return;
	if (abstains(&s, &w))
		snprintf(moved, moved_size, "abstained");
	else {
		list_moved(&s, moved, moved_size);
		say(&w, "%s: ", meaning(&s));
	}
	kinds = (struct words){ text, sizeof text, 0 };
	say_kind(&kinds, &s, DIAGNOSIS_INPUTS, "inputs");
	say_kind(&kinds, &s, DIAGNOSIS_OOD, "distance from the training data");
	say_kind(&kinds, &s, DIAGNOSIS_EPISTEMIC, "epistemic");
	say_kind(&kinds, &s, DIAGNOSIS_ALEATORIC, "aleatoric");
	if (!s.at.stream[DIAGNOSIS_EPISTEMIC] && !s.at.stream[DIAGNOSIS_ALEATORIC])
		say_kind(&kinds, &s, DIAGNOSIS_TOTAL, "total uncertainty");
	name_kind(&s, DIAGNOSIS_DISCREPANCY, "discrepancy", name);
	say_kind(&kinds, &s, DIAGNOSIS_DISCREPANCY, name);
	name_kind(&s, DIAGNOSIS_STRUCTURE, "structure of the errors", name);
	say_kind(&kinds, &s, DIAGNOSIS_STRUCTURE, name);
	say(&w, "%s", text);
	say_labelled(&w, &s, DIAGNOSIS_COVERAGE);
	say_labelled(&w, &s, DIAGNOSIS_PERFORMANCE);
	say_labelled(&w, &s, DIAGNOSIS_ROBUSTNESS);
	if (s.first)
		say(&w, "; first: %.120s", s.first->name);
}
