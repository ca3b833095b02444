/* labels_mature.c -- when outcomes reach the coverage and error streams.
 *
 * A label that comes early is not a fair sample: mistakes are often found later (or sooner) than the rest.
 * So outcomes are taken window by window, when 95 % of a window's predictions have their label or `wait`
 * has passed, each window as it matures. Once the rank correlation of delay and outcome over the last 1000
 * outcomes says nothing (p > .01) they are taken as they arrive; back again when the link appears or when
 * labels come twice as fast.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/diag.h"
#include "detectors/kit/special.h"
#include "detectors/metric/metric_binomial.h"
#include "monitor/label/labels_inside.h"

enum { TEST_EVERY = 50 };
/* Chance that any coverage of a calibration is below its p0 at all (delta of contract 15). */
#define P0_ERROR 0.01

struct label_window *
label_window(struct labels *l, uint64_t serial)
{
	uint64_t base = l->window_base;
	uint64_t at = serial - (uint32_t)base; /* rows hold the low 32 bits */

	at &= UINT32_MAX;
	return at < l->windows ? &l->window[at] : NULL;
}

/* The null of a coverage is known where the calibration has a known size (contract 3, 15). */
static bool
promise_level(const struct labels *l, struct stream *s, double n_cal, double level)
{
	const struct model_config *c = l->model->config;

	if (!s || !(n_cal > 0) || !(level > 0 && level < 1))
		return false;
	s->known_p0 = metric_p0_value(n_cal, 1 - level, P0_ERROR, segment_families(c), c->coverage_tolerance);
	s->known_level = level;
	if (!(s->known_p0 > 0 && s->known_p0 < 1))
		s->known_p0 = (double)NAN;
	return !isnan(s->known_p0);
}

static void
start(struct labels *l, struct stream *s)
{
	struct common *common = l->model->common;

	common->at_ms = common->watermark_ms;
	if (!common->fitting)
		stream_start_tests(s, NULL);
}

/* Scores that the version's threshold was made of, as far as it is known; NaN. */
static double
calibration_size(const struct labels *l, const struct version *v)
{
	const struct model_config *c = l->model->config;

	return c->coverage_calibration > 0 ? (double)c->coverage_calibration :
	       c->coverage_calibration == CALIBRATION_FROM_RECORD ? v->n_cal : (double)NAN;
}

/* Has the group ever had the coverage that was promised? Judged as if its share of the calibration were its
 * own: nobody promised it more than such a calibration could keep. An empty set never covers. */
static void
contract_stream(struct labels *l, struct version *v, double level)
{
	const struct version *all = model_version(l->model, NULL, v->text, v->length);
	double n_cal = all ? floor(calibration_size(l, all) * v->segment->share) : (double)NAN;

	if (!(metric_p0_rank(n_cal, 1 - level) >= 1) || !strcmp(v->segment->text, "set_size=0"))
		return;
	v->contract = model_stream(l->model, v->outcomes, STREAM_COVERAGE, STREAM_BINARY, COVERAGE_CONTRACT,
	                           sizeof COVERAGE_CONTRACT - 1, v);
	if (promise_level(l, v->contract, n_cal, level))
		start(l, v->contract);
}

/* Without a known null a coverage is compared with the reference, and so are its tails: an interval that
 * fails on one side fails there first. A group is compared with its own past, as nobody promised it the level
 * that all have together, and beside that with the level. */
static void
coverage_streams(struct labels *l, struct version *v, bool interval, double level)
{
	v->coverage = model_stream(l->model, v->outcomes, STREAM_COVERAGE, STREAM_BINARY, "", 0, v);
	if (v->segment)
		contract_stream(l, v, level);
	else if (promise_level(l, v->coverage, calibration_size(l, v), level)) {
		start(l, v->coverage);
		return;
	}
	if (!interval)
		return;
	v->below = model_stream(l->model, v->outcomes, STREAM_COVERAGE, STREAM_BINARY, "below", 5, v);
	v->above = model_stream(l->model, v->outcomes, STREAM_COVERAGE, STREAM_BINARY, "above", 5, v);
}

static const char *const score_name[] = { [SCORE_NONE] = "", [SCORE_CRPS] = "crps",
	                                  [SCORE_NONCONFORMITY] = "nonconformity", [SCORE_WINKLER] = "winkler" };

/* One a version: the score that its first labelled prediction had. */
static void
score_stream(struct labels *l, struct version *v, enum label_score of)
{
	v->label_score = model_stream(l->model, v->outcomes, STREAM_SCORE, STREAM_NUMERIC, score_name[of],
	                              strlen(score_name[of]), v);
}

/* A null that is known is that of one level: misses of a lower one are more by design. */
static double
miss_against(const struct stream *s, double miss, double level)
{
	return !isnan(s->known_p0) && level < s->known_level ? (double)NAN : miss;
}

void
labels_outcome_row(struct labels *l, struct version *v, const struct row_facts *f,
                   const struct label_outcome *o, double level)
{
	uint32_t at;

	if (!v->coverage && !isnan(o->miss))
		coverage_streams(l, v, !isnan(o->below), level);
	if (!v->error && !isnan(o->wrong))
		v->error = model_stream(l->model, v->outcomes, STREAM_ERROR, STREAM_BINARY, "", 0, v);
	if (!v->label_score && !v->segment && o->score_of)
		score_stream(l, v, o->score_of);
	for (enum limited k = 0; k < LIMITED && !v->segment; k++) /* limits are stated for all */
		if (!isnan(o->loss[k]))
			limited_stream(l, v, k);
	discrepancy_streams(l, v, o->discrepancy);
	if (!v->outcomes->streams)
		return;
	at = rows_append(l->model, v->outcomes, f);
	if (v->coverage)
		v->coverage->value[at] = miss_against(v->coverage, o->miss, level);
	if (v->below)
		v->below->value[at] = o->below;
	if (v->above)
		v->above->value[at] = o->above;
	if (v->contract)
		v->contract->value[at] = miss_against(v->contract, o->miss, level);
	if (v->error)
		v->error->value[at] = o->wrong;
	if (v->label_score)
		v->label_score->value[at] = strcmp(v->label_score->field, score_name[o->score_of]) ? (double)NAN : o->score;
	for (enum limited k = 0; k < LIMITED; k++)
		if (v->limited[k])
			v->limited[k]->value[at] = o->loss[k];
	discrepancy_put_row(v, at, o->discrepancy);
}

void
labels_outcome_segments(struct labels *l, const struct version *v, uint16_t combination,
                        const struct row_facts *f, const struct label_outcome *o, double level)
{
	struct segment *segment[SEGMENT_KEYS_MAX];
	uint32_t n = segments_in(l->model, combination, segment);
	struct row_facts own = *f;

	own.bins = NULL;
	own.bins_n = 0;
	own.combination = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct version *g = model_version(l->model, segment[i], v->text, v->length);

		if (g)
			labels_outcome_row(l, g, &own, o, level);
	}
}

static void
remember(struct labels *l, const struct journal_row *row, bool has_miss, bool has_wrong)
{
	struct recent *r = &l->recent[l->recent_at];

	*r = (struct recent){
		.delay = (double)row->u.done.delay_ms,
		.arrival_ms = row->ts + row->u.done.delay_ms,
		.miss = (row->flags & JOURNAL_MISS) != 0,
		.wrong = (row->flags & JOURNAL_WRONG) != 0,
		.has_miss = has_miss,
		.has_wrong = has_wrong,
	};
	l->recent_at = (l->recent_at + 1) % RECENT_LABELS;
	if (l->recents < RECENT_LABELS)
		l->recents++;
	l->since_tested++;
}

/* An outcome goes to its streams; from then on the row is marked seen. */
static void
hand_on(struct labels *l, uint64_t number)
{
	const struct journal_row *row = journal_get(l->journal, number);
	const struct common *common = l->model->common;
	struct version *v = labels_version(l, row->group);
	struct { int64_t ts; uint64_t number; } key = { row->ts, number };
	double level = row->level < l->levels ? l->level[row->level] : (double)NAN;
	bool scored = row->flags & JOURNAL_SCORED;
	bool has_miss = scored || row->flags & (JOURNAL_INTERVAL | JOURNAL_SET);
	bool has_wrong = row->flags & JOURNAL_CLASS && !scored;
	struct row_facts f = {
		.watermark_ms = common->watermark_ms,
		.time_ms = row->ts,
		.partition = l->partition,
		.offset = l->offset, .row = l->row,
		.sequence = common->sequence,
		.order = XXH64(&key, sizeof key, 0),
	};
	struct label_outcome o;
	uint8_t bins[EXPLAIN_OUTPUTS + LIMIT_EXPLAINED];

	if (row->bins) {
		explain_rows_read(l->explain_rows, &l->explained, l->journal, number);
		memcpy(bins, journal_bins(l->journal, number), row->bins);
		explain_mask(&l->explained, row->group, number, bins, row->bins);
		f.bins = bins;
		f.bins_n = row->bins;
	}
	f.combination = row->segments;
	remember(l, row, has_miss, has_wrong);
	labels_row_outcome(l, number, &o);
	if (v && !v->segment)
		discrepancy_take(l, v, number, bins, row->bins, o.discrepancy);
	if (v)
		labels_outcome_row(l, v, &f, &o, level);
	if (v)
		labels_outcome_segments(l, v, row->segments, &f, &o, level);
	journal_seen(l->journal, number);
	probes_judge(l, number);
}

static void
hand_on_window(struct labels *l, const struct label_window *w, uint64_t end)
{
	for (uint64_t n = w->first_row; n < end; n++) {
		const struct journal_row *row = journal_get(l->journal, n);

		if (row && row->flags & JOURNAL_DONE && !(row->flags & JOURNAL_SEEN))
			hand_on(l, n);
	}
}

static uint64_t
window_end(const struct labels *l, const struct label_window *w)
{
	const struct label_window *end = l->window + l->windows;

	for (const struct label_window *next = w + 1; next < end; next++)
		if (next->predictions)
			return next->first_row;
	return journal_end(l->journal);
}

/* -- does the delay of a label tell its outcome? ------------------------------------------------------ */

struct ranked {
	double delay;
	uint8_t outcome;
};

static int
by_delay(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->delay, y = ((const struct ranked *)b)->delay;

	return (x > y) - (x < y);
}

/* Spearman's rank correlation with mid-ranks; two-sided p by its normal limit rho sqrt(n - 1). */
static double
link_p_value(const struct labels *l, double *correlation)
{
	struct ranked r[RECENT_LABELS];
	uint32_t n = l->recents, ones = 0;
	double rank_of_ones = 0, ties = 0, variance, rho;

	for (uint32_t i = 0; i < n; i++) {
		r[i] = (struct ranked){ l->recent[i].delay, l->recent[i].miss | l->recent[i].wrong };
		ones += r[i].outcome;
	}
	qsort(r, n, sizeof *r, by_delay);
	for (uint32_t i = 0, j; i < n; i = j) {
		double mid, t;

		for (j = i; j < n && r[j].delay == r[i].delay; j++)
			;
		mid = (i + j + 1) / 2.0;
		t = j - i;
		ties += t * t * t - t;
		for (uint32_t k = i; k < j; k++)
			rank_of_ones += r[k].outcome ? mid : 0;
	}
	/* variance of the delays' ranks (times n) and of a 0/1 variable */
	variance = ((double)n * n * n - n - ties) / 12;
	*correlation = (double)NAN;
	if (!ones || ones == n || variance <= 0)
		return 1;
	rho = (rank_of_ones - ones * (n + 1) / 2.0) /
	      sqrt(variance * ones * (1 - (double)ones / n));
	*correlation = rho;
	return 2 * special_normal_cdf(-fabs(rho) * sqrt(n - 1.0));
}

/* Milliseconds that the last RECENT_LABELS arrivals span. */
static double
recent_span(const struct labels *l)
{
	int64_t first = INT64_MAX, last = INT64_MIN;

	for (uint32_t i = 0; i < l->recents; i++) {
		first = l->recent[i].arrival_ms < first ? l->recent[i].arrival_ms : first;
		last = l->recent[i].arrival_ms > last ? l->recent[i].arrival_ms : last;
	}
	return (double)last - (double)first;
}

static void
choose_order(struct labels *l)
{
	double rho;

	if (l->recents < RECENT_LABELS || l->since_tested < TEST_EVERY)
		return;
	l->since_tested = 0;
	if (!l->arrival_order) {
		if (link_p_value(l, &rho) <= 0.01)
			return;
		l->arrival_order = true;
		l->volume_ms = recent_span(l);
		for (size_t i = 0; i < l->windows; i++) /* what has arrived and waits */
			if (!l->window[i].taken && l->window[i].predictions)
				hand_on_window(l, &l->window[i], window_end(l, &l->window[i]));
	} else if (link_p_value(l, &rho) <= 0.01 || recent_span(l) * 2 < l->volume_ms) {
		l->arrival_order = false;
	}
}

int
labels_put_link(const struct labels *l, struct store *store)
{
	struct label_link link = { .model_id = l->model->id, .labels = l->recents,
		                   .taken = l->arrival_order ? "as they arrive" : "window by window" };

	if (l->recents < RECENT_LABELS) /* not tested below that */
		return 0;
	link.p_value = link_p_value(l, &link.correlation);
	return store_put_label_link(store, &link);
}

/* -- windows ------------------------------------------------------------------------------------------ */

static void
try_take(struct labels *l, struct label_window *w, int64_t watermark_ms)
{
	bool full = 100 * (uint64_t)w->labelled >= 95 * (uint64_t)w->predictions;

	if (!w->closed || w->taken || !w->predictions)
		return;
	if (w->first_row < journal_first(l->journal)) { /* rows have left: no fair sample any more */
		w->taken = true;
		return;
	}
	if (!full && watermark_ms - w->end_ms < l->model->config->labels_wait_ms)
		return;
	w->taken = true;
	hand_on_window(l, w, window_end(l, w));
	choose_order(l);
}

void
labels_arrived(struct labels *l, struct label_window *w, uint64_t number)
{
	w->labelled++;
	if (l->arrival_order) {
		hand_on(l, number);
		choose_order(l);
	} else {
		try_take(l, w, l->model->common->watermark_ms);
	}
}

void
labels_mature(struct labels *l, int64_t watermark_ms)
{
	if (l->mature_serial < l->window_base)
		l->mature_serial = l->window_base;
	for (; l->mature_serial < l->window_base + l->windows; l->mature_serial++) {
		struct label_window *w = &l->window[l->mature_serial - l->window_base];

		if (!w->closed || watermark_ms - w->end_ms < l->model->config->labels_wait_ms)
			break; /* windows end in order */
		try_take(l, w, watermark_ms);
	}
}

/* In whole parts of the database, so that a part is either there as it was or gone. */
void
labels_forget(struct labels *l)
{
	uint64_t first = journal_first(l->journal), base = l->window_base;
	size_t gone = 0;

	if (l->windows < WINDOWS_PART || l->window[WINDOWS_PART - 1].first_row >= first)
		return;
	while (gone + 1 < l->windows && window_end(l, &l->window[gone]) <= first)
		gone++;
	gone -= (base + gone) % WINDOWS_PART < gone ? (base + gone) % WINDOWS_PART : gone;
	if (!gone)
		return;
	memmove(l->window, l->window + gone, (l->windows - gone) * sizeof *l->window);
	l->windows -= gone;
	l->window_base += gone;
}

void
labels_window(struct labels *l, int64_t window_ms, int64_t width_ms, uint64_t serial)
{
	l->width_ms = width_ms;
	if (l->windows) {
		struct label_window *w = &l->window[l->windows - 1];

		w->closed = true;
		if (!width_ms)
			w->end_ms = window_ms;
		try_take(l, w, l->model->common->watermark_ms);
	} else {
		l->window_base = serial;
	}
	l->window = must_grow(l->window, &l->window_capacity, l->windows + 1, sizeof *l->window);
	labels_batch_ends(l);
	explain_publish(&l->explained, l->model, journal_end(l->journal));
	l->window[l->windows++] = (struct label_window){
		.window_ms = window_ms,
		.end_ms = width_ms ? window_ms + width_ms : INT64_MAX,
		.first_row = journal_end(l->journal),
	};
}

void
labels_advance(struct labels *l, int64_t watermark_ms)
{
	if (l->windows) { /* a window of time is over when the watermark has passed its end */
		struct label_window *w = &l->window[l->windows - 1];

		if (!w->closed && l->width_ms && watermark_ms >= w->end_ms) {
			w->closed = true;
			try_take(l, w, watermark_ms);
		}
	}
	labels_mature(l, watermark_ms);
	journal_expire(l->journal, watermark_ms);
	labels_forget(l);
}
