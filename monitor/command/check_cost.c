/* check_cost.c -- arithmetic on what is known before the first record. See check.h.
 *
 * Memory is an upper bound where a part has one, bytes of the disk are estimates.
 */
#include <math.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/limits.h"
#include "config/option.h"
#include "detectors/detector.h"
#include "detectors/kit/learner.h"
#include "detectors/ood/score.h"
#include "monitor/command/check.h"
#include "monitor/decode/record.h"
#include "monitor/label/explain.h"
#include "monitor/label/journal.h"
#include "monitor/ood/ood_sample.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"
#include "monitor/source/merge_lane.h"
#include "monitor/stream/joint.h"
#include "monitor/stream/rows.h"
#include "monitor/stream/segment.h"
#include "storage/labels.h"

enum {
	/* State of a stream in a commit (both tests, window, episode), measured; text of categories
	 * apart. */
	STATE_NUMERIC = 7700,
	STATE_BINARY = 3600,
	STATE_CATEGORICAL = 9000,
	STATE_MODEL = 2000,
	STATE_LABELS = 17000,
	STATE_EXPLAINED = 350,    /* of a model, for each column of its explanations ... */
	STATE_CONCENTRATION = 1020, /* ... and the same of a stream of labels */
	STATE_JOINT = 2000, /* of one of its scores: bins, bets */
	/* A row of `statistics` with its histogram, and of `label_statistics`. */
	ROW_BYTES = 320,
	LABEL_ROW_BYTES = 600,
	/* A journal row, packed, and the outcome of a label. Bins are below 32 nearly always. */
	JOURNAL_BYTES = 40,
	BIN_BITS = 5,
	OUTCOME_BYTES = 32,
	JOURNAL_MEMORY = 64,
	ORPHAN_PART = 16,           /* orphans are so much less than predictions */
	RECORD_BUFFERS = 2048,      /* text and cells of an ordinary record */
	QUEUE_BYTES = 16 << 20,     /* of the client, over all partitions ... */
	QUEUE_BYTES_MIN = 64 << 10, /* ... and for each at least */
	CACHE_BYTES = 32 << 20,     /* of SQLite */
	COMMIT_BYTES_S = 8 << 20,   /* states are written at most so fast */
	COMMIT_S_MAX = 30,
	DAY_S = 86400,
	YEAR_DAYS = 365,
	LABEL_DAYS = 3,
	TAILS = 3,                  /* streams of labels of an interval: coverage, below, above */
	PROGRAM_BYTES = 18 << 20,   /* code, libraries, a decoder; measured */
	EMBEDDING_WIDTH = 512,      /* where records may come with one: nobody knows */
	WAITING_ROWS = 600,         /* of a row of statistics that waits for its commit */
};

static double
detector_memory(const char *method)
{
	const struct detector *detector = detector_find(method);
	void *own = calloc(1, detector->options_size + 1);
	size_t bytes = 0;

	if (own) {
		option_defaults(detector->options, own);
		bytes = detector->bytes(own, NULL, 1);
		option_finish(detector->options, own);
	}
	free(own);
	return (double)bytes;
}

/* The reference is kept in memory to make the tests again; while it is learned there is a log
 * beside it. */
static double
stream_memory(const struct check_model *m, int type)
{
	static const char *const method[CHECK_TYPES][2] = { { "tolerant", "conformal" },
		{ "tolerant-binary", "binary" }, { "tolerant-categorical", "categorical" } };
	double bytes = sizeof(struct stream) + ROWS_MAX * sizeof(double) +
	               2.0 * m->config->reference_records * sizeof(struct learned);

	if (type != STREAM_BINARY)
		bytes += sizeof(struct cells) + LIMIT_WARMUP * sizeof(double);
	bytes += LIMIT_WARMUP * (sizeof(struct learned) + 2 * sizeof(double)); /* of the evidence: kept, and used */
	return bytes + detector_memory(method[type][0]) + detector_memory(method[type][1]);
}

static double
explained(const struct check_model *m)
{
	const struct check_class *inputs = &m->class[CLASS_INPUTS];
	double features = inputs->type[STREAM_NUMERIC] + inputs->type[STREAM_CATEGORICAL];
	double most = m->config->labels_enabled ? m->config->labels_explain : 0;

	return most > 0 ? EXPLAIN_OUTPUTS + fmin(features, most) : 0;
}

static double
journal_row(const struct check_model *m, double fixed, double bin_bits)
{
	return fixed + (double)m->config->classes.n * sizeof(double) + explained(m) * bin_bits / 8;
}

static double
journal_disk(const struct check_model *m)
{
	return journal_row(m, JOURNAL_BYTES, BIN_BITS);
}

/* Batches: of features, own streams and shares of segments; of outputs and outcomes of a version, for all
 * records and for each segment, whose features may have one too. */
static double
batch_memory(const struct check_model *m)
{
	const struct model_config *config = m->config;
	double segments = segment_families(config) - 1.0;
	double batches = 2 + (segments > 0) + 2 * (1 + segments) + (config->segment_features ? segments : 0);

	return batches * sizeof(struct rows) + ROWS_MAX * explained(m);
}

/* Days with labels still to come, and everything; what each stream of labels counts for explanations. */
static double
label_memory(const struct check_model *m)
{
	if (!m->config->labels_enabled)
		return 0;
	return LABEL_DAYS * segment_families(m->config) * (double)sizeof(struct label_detail) +
	       m->class[CLASS_LABELS].streams * explained(m) * EXPLAIN_PHASES * EXPLAIN_SLOTS *
	       sizeof(struct cell_count);
}

/* Of one version of the model that takes most. Beside the rows that are drawn stand their halves when they
 * are fitted; what remains is the bank of knn, two covariances with their factors, and the records of a
 * batch. */
static void
ood_memory(struct check *c)
{
	struct check_cost *cost = &c->cost;

	for (size_t i = 0; i < c->models; i++) {
		const struct check_model *m = &c->model[i];
		const struct ood_config *o = &m->config->ood;
		double features = o->features ? m->class[CLASS_INPUTS].type[STREAM_NUMERIC] : 0;
		double width = features > 0 ? features : EMBEDDING_WIDTH;
		double rows = fmin(o->records, LIMIT_OOD_BYTES / (width * sizeof(double)));
		double drawn = 2 * rows * (width * sizeof(double) + sizeof(struct ood_row));
		double bank = o->bank ? fmin(o->bank, rows / 2) : rows / 2;

		if (o->off || (cost->ood_known && features == 0) || (cost->ood_known == (features > 0) &&
		    drawn <= cost->ood_drawn))
			continue;
		cost->ood_known = features > 0;
		cost->ood_width = width;
		cost->ood_drawn = drawn;
		cost->ood_scored = ((bank + 4 * width + SCORER_ROWS) * width + rows) * sizeof(double);
	}
	if (cost->ood_known)
		cost->memory += cost->ood_drawn + cost->ood_scored;
}

static void
memory(struct check *c)
{
	struct check_cost *cost = &c->cost;
	double partitions = c->partitions ? c->partitions : 1;

	for (size_t i = 0; i < c->models; i++) {
		const struct check_model *m = &c->model[i];
		double rows = m->config->labels_capacity;

		if (m->config->labels_enabled)
			cost->journal += rows * journal_row(m, JOURNAL_MEMORY, 8) +
			                 rows / ORPHAN_PART * (sizeof(struct orphan) + sizeof(uint64_t));
		for (int t = 0; t < CHECK_TYPES; t++)
			if (m->type[t])
				cost->streams += m->type[t] * stream_memory(m, t);
		cost->streams += batch_memory(m);
		cost->journal += label_memory(m);
		if (m->joint)
			cost->streams += 2 * (sizeof(struct rows) + sizeof(struct stream)) +
			                 detector_memory("projections") +
			                 (ROWS_MAX + 2.0 * m->config->joint_projections + JOINT_OWN) *
			                 m->type[STREAM_NUMERIC] * sizeof(double);
	}
	cost->lookahead = partitions * (sizeof(struct merge_lane) + MERGE_WINDOW * (sizeof(struct record) +
	                                sizeof(struct slot) + RECORD_BUFFERS));
	cost->broker = fmax(QUEUE_BYTES, partitions * QUEUE_BYTES_MIN);
	cost->cache = CACHE_BYTES;
	cost->program = PROGRAM_BYTES + (double)ROLL_ROWS * WAITING_ROWS;
	cost->memory = cost->program + cost->journal + cost->streams + cost->lookahead + cost->broker + cost->cache;
	ood_memory(c);
}

static double
label_state(const struct check_model *m)
{
	double streams = fmax(m->class[CLASS_LABELS].streams, TAILS);

	return m->config->labels_enabled ?
		STATE_LABELS + explained(m) * (STATE_EXPLAINED + STATE_CONCENTRATION * streams) : 0;
}

static double
state_bytes(const struct check *c, const struct check_model *m)
{
	double joint = m->joint ? (m->config->joint_projections + 1.0) * STATE_JOINT : 0;

	if (c->state_bytes > 0 && m->known)
		return (m->streams + 2 * m->joint) * c->state_bytes + STATE_MODEL;
	return joint + m->type[STREAM_NUMERIC] * (double)STATE_NUMERIC +
	       m->type[STREAM_BINARY] * (double)STATE_BINARY +
	       m->type[STREAM_CATEGORICAL] * (double)STATE_CATEGORICAL + STATE_MODEL +
	       label_state(m);
}

/* Windows of a model in a day. */
static double
windows(const struct check_model *m, double rate)
{
	const struct window_config *w = &m->config->windows;

	return w->width_ms ? DAY_S * 1000.0 / (double)w->width_ms : rate * DAY_S / fmax(w->records, 1);
}

static void
disk_of_model(struct check *c, const struct check_model *m, uint32_t r)
{
	const struct config *config = c->config;
	const struct model_config *mc = m->config;
	double rate = m->rate[m->rates == 1 ? 0 : r], predictions = rate * m->predictions * DAY_S;
	double commits = fmin(DAY_S / c->cost.interval_s, rate * DAY_S);
	double day = windows(m, rate), fine = fmin((double)config->keep_fine_ms / 864e5, YEAR_DAYS);
	double hours = fmin((double)config->keep_hour_ms / 864e5, YEAR_DAYS) * 24;
	double rows = day * fine + hours + YEAR_DAYS, kept;

	c->cost.day[r] += commits * state_bytes(c, m) + day * m->streams * ROW_BYTES;
	c->cost.kept[r] += rows * m->streams * ROW_BYTES + state_bytes(c, m) +
	                   m->streams * (double)mc->reference_records * 1.5 * sizeof(struct learned);
	if (!mc->labels_enabled)
		return;
	c->cost.day[r] += predictions * (journal_disk(m) + m->labelled * OUTCOME_BYTES) +
	                  3 * day * LABEL_ROW_BYTES;
	kept = fmin(predictions / 864e5 * (double)(mc->labels_wait_ms + mc->labels_lateness_ms),
	            mc->labels_capacity);
	c->cost.kept[r] += fmin(kept, predictions * YEAR_DAYS) *
	                           (journal_disk(m) + m->labelled * OUTCOME_BYTES) +
	                   rows * LABEL_ROW_BYTES;
}

void
check_cost(struct check *c)
{
	memory(c);
	for (size_t i = 0; i < c->models; i++)
		c->cost.commit += state_bytes(c, &c->model[i]);
	c->cost.interval_s = fmin(fmax(1, c->cost.commit / COMMIT_BYTES_S), COMMIT_S_MAX);
	for (uint32_t r = 0; r < c->rates; r++)
		for (size_t i = 0; i < c->models; i++)
			disk_of_model(c, &c->model[i], r);
}
