/* journal_naive.c -- a label journal without index, blocks or disk, and random calls on both. */
#include <stdlib.h>
#include <string.h>

#include "monitor/label/journal_inside.h"
#include "tests/journal_world.h"
#include "tests/tests.h"

enum { PROBS = 3, BINS_MAX = 11, KEEP_MS = 20000, SILENCE_MS = 100000 };

struct random {
	uint64_t seed, n;
};

static uint64_t
below(struct random *r, uint64_t limit)
{
	return world_mix(r->seed * 0x51ED270B + r->n++) % limit;
}

/* -- the naive journal ------------------------------------------------------------------------- */

struct naive {
	struct journal_row *rows; /* every row ever appended */
	double (*probs)[PROBS];
	uint8_t (*bins)[BINS_MAX];
	uint64_t first, end, block, capacity;
	struct journal_counts counts;
	struct orphan *orphans;   /* every orphan ever added */
	bool *held;
	uint64_t orphan_first, orphan_end;
};

static void
naive_begin(struct naive *n, uint32_t capacity, uint64_t calls)
{
	*n = (struct naive){ .block = 1, .capacity = capacity };
	while (n->block * 2 * 8 <= capacity && n->block < 65536)
		n->block *= 2;
	n->rows = calloc(calls, sizeof *n->rows);
	n->probs = calloc(calls, sizeof *n->probs);
	n->bins = calloc(calls, sizeof *n->bins);
	n->orphans = calloc(calls, sizeof *n->orphans);
	n->held = calloc(calls, sizeof *n->held);
	assert_true(n->rows && n->probs && n->bins && n->orphans && n->held);
}

static void
naive_end(struct naive *n)
{
	free(n->rows);
	free(n->probs);
	free(n->bins);
	free(n->orphans);
	free(n->held);
}

static void
naive_drop(struct naive *n, uint64_t *unlabelled)
{
	do {
		*unlabelled += !(n->rows[n->first].flags & JOURNAL_DONE);
		n->first++;
	} while (n->first < n->end && n->first % n->block != 0);
}

static void
naive_append(struct naive *n, const struct journal_row *row, const double *probs, const uint8_t *bins)
{
	if (n->end - n->first == n->capacity)
		naive_drop(n, &n->counts.evicted);
	n->rows[n->end] = *row;
	if (probs) {
		n->rows[n->end].flags |= JOURNAL_PROBS;
		memcpy(n->probs[n->end], probs, sizeof n->probs[0]);
	}
	memcpy(n->bins[n->end], bins, row->bins);
	n->end++;
}

static void
naive_done(struct naive *n, uint64_t number, double label, int64_t delay, uint16_t outcome)
{
	struct journal_row *r = &n->rows[number];
	double value = r->flags & JOURNAL_DONE    ? r->u.done.value
	             : r->flags & JOURNAL_INTERVAL ? r->u.interval.value
	                                           : r->u.klass.top;

	r->u.done.label = label;
	r->u.done.value = value;
	r->u.done.delay_ms = delay;
	r->flags = (uint16_t)((r->flags & ~JOURNAL_OUTCOME) | JOURNAL_DONE | outcome);
}

static void
naive_orphan_leave(struct naive *n, uint64_t i)
{
	n->held[i] = false;
	n->counts.orphans--;
	while (n->orphan_first < n->orphan_end && !n->held[n->orphan_first])
		n->orphan_first++;
}

static void
naive_expire(struct naive *n, int64_t before)
{
	for (bool old = true; old && n->first < n->end;) {
		for (uint64_t i = n->first; i < n->end && (i == n->first || i % n->block != 0); i++)
			old = old && n->rows[i].ts < before;
		if (old)
			naive_drop(n, &n->counts.expired);
	}
	while (n->orphan_first < n->orphan_end && n->orphans[n->orphan_first].ts < before) {
		n->counts.orphans_expired++;
		naive_orphan_leave(n, n->orphan_first);
	}
}

static uint64_t
naive_find_orphan(const struct naive *n, uint64_t id)
{
	for (uint64_t i = n->orphan_first; i < n->orphan_end; i++)
		if (n->held[i] && n->orphans[i].id == id)
			return i;
	return UINT64_MAX;
}

static bool
naive_orphan_add(struct naive *n, const struct orphan *o)
{
	if (naive_find_orphan(n, o->id) != UINT64_MAX)
		return false;
	if (n->orphan_end - n->orphan_first == n->capacity / 16) {
		n->counts.orphans_expired++;
		naive_orphan_leave(n, n->orphan_first);
	}
	n->held[n->orphan_end] = true;
	n->counts.orphans++;
	n->orphans[n->orphan_end++] = *o;
	return true;
}

static void
compare(const struct naive *n, const struct journal *j, bool rows_too)
{
	struct journal_counts c, e = n->counts;

	e.rows = n->end - n->first;
	for (uint64_t i = n->first; rows_too && i < n->end; i++) {
		const struct journal_row *r = journal_get(j, i);
		const double *p = journal_probs(j, i);

		assert_memory_equal(r, &n->rows[i], sizeof *r);
		assert_int_equal(journal_find(j, r->id), i);
		assert_true((p != NULL) == ((r->flags & JOURNAL_PROBS) != 0));
		assert_true(p == NULL || !memcmp(p, n->probs[i], sizeof n->probs[0]));
		assert_true((journal_bins(j, i) != NULL) == (r->bins > 0));
		assert_true(r->bins == 0 || !memcmp(journal_bins(j, i), n->bins[i], r->bins));
		e.done += (r->flags & JOURNAL_DONE) != 0;
	}
	journal_counts(j, &c);
	assert_int_equal(journal_first(j), n->first);
	assert_int_equal(journal_end(j), n->end);
	assert_int_equal(c.rows, e.rows);
	assert_int_equal(c.waiting + c.done, e.rows);
	assert_true(!rows_too || c.done == e.done);
	assert_int_equal(c.evicted, e.evicted);
	assert_int_equal(c.expired, e.expired);
	assert_int_equal(c.orphans, e.orphans);
	assert_int_equal(c.orphans_expired, e.orphans_expired);
	assert_null(journal_get(j, n->end));
	assert_true(n->first == 0 || journal_get(j, n->first - 1) == NULL);
}

/* -- random calls ------------------------------------------------------------------------------ */

struct calls {
	struct random random;
	int64_t ts;
	uint64_t probs_from; /* call from which on records have probabilities */
	uint64_t ids;        /* ids are drawn from so many */
	uint64_t n;
	uint64_t met;        /* orphans taken */
	uint64_t silences;   /* after which everything has expired */
};

static void
call_append(struct calls *c, struct journal *j, struct naive *n)
{
	double probs[PROBS] = { (double)c->n, 0.25, -1.0 }, *p = NULL;
	uint8_t bins[BINS_MAX] = { (uint8_t)c->n, 1, 2, 255, 4, (uint8_t)(c->n >> 8), 6, 7, 8, 9, 10 };
	struct journal_row row = { .id = world_mix(below(&c->random, c->ids)), .ts = c->ts,
		                   .window = (uint32_t)c->n, .klass = UINT16_MAX, .level = 7,
		                   .group = (uint16_t)below(&c->random, 9), .segments = 5 };

	if (c->n > c->probs_from && below(&c->random, 4) > 0) {
		assert_int_equal(journal_set_probs(j, PROBS), 0);
		p = probs;
	}
	if (below(&c->random, 2)) {
		row.flags = JOURNAL_INTERVAL;
		row.u.interval.value = (double)c->n;
		row.u.interval.lower = -1;
		row.u.interval.upper = 1;
	} else {
		row.flags = JOURNAL_CLASS | JOURNAL_SET;
		row.u.klass.set = c->n;
		row.u.klass.top = 0.5;
	}
	/* features come one after the other: the widest row is seen late */
	row.bins = (uint16_t)below(&c->random, c->n < 700 ? 2 : c->n < 1500 ? 6 : BINS_MAX + 1);
	if (journal_find(j, row.id) != UINT64_MAX)
		return;
	assert_int_equal(journal_append(j, &row, p, bins), n->end);
	naive_append(n, &row, p, bins);
}

static void
call_orphan(struct calls *c, struct journal *j, struct naive *n)
{
	struct orphan o = { world_mix(below(&c->random, c->ids)), c->ts, (double)c->n, c->n & 1 }, got;
	uint64_t i = naive_find_orphan(n, o.id);

	if (below(&c->random, 2)) {
		assert_int_equal(journal_orphan_add(j, &o), naive_orphan_add(n, &o));
		return;
	}
	assert_int_equal(journal_orphan_take(j, o.id, &got), i != UINT64_MAX);
	if (i == UINT64_MAX)
		return;
	assert_true(got.id == o.id && got.ts == n->orphans[i].ts &&
	            got.label == n->orphans[i].label && got.is_class == n->orphans[i].is_class);
	naive_orphan_leave(n, i);
	c->met++;
}

static void
call(struct calls *c, struct journal *j, struct naive *n)
{
	static const uint16_t outcomes[] = { 0, JOURNAL_MISS | JOURNAL_BELOW, JOURNAL_WRONG,
		                             JOURNAL_MISS | JOURNAL_ABOVE | JOURNAL_SEEN };
	uint64_t what = below(&c->random, 100), rows = n->end - n->first;
	uint64_t number = n->first + (rows ? below(&c->random, rows) : 0);
	uint16_t outcome = outcomes[below(&c->random, 4)];

	c->n++;
	c->ts += (int64_t)below(&c->random, 3);
	if (what < 50) {
		call_append(c, j, n);
	} else if (what < 75 && rows) {
		journal_done(j, number, (double)c->n, -5, outcome);
		naive_done(n, number, (double)c->n, -5, outcome);
	} else if (what < 83 && rows) {
		journal_seen(j, number);
		n->rows[number].flags |= JOURNAL_SEEN;
	} else if (what < 98) {
		call_orphan(c, j, n);
	} else {
		if (below(&c->random, 1000) == 0) {
			c->ts += SILENCE_MS;
			c->silences++;
		}
		journal_expire(j, c->ts);
		naive_expire(n, c->ts - KEEP_MS);
	}
}

/* Runs `calls` calls; commits, failed commits and restarts come from another random source. */
struct dump
journal_naive_run(uint32_t capacity, uint64_t seed, uint64_t calls, uint64_t commit_every,
                  bool restarts)
{
	struct world w;
	struct naive n;
	struct calls c = { .random = { .seed = seed }, .ids = capacity * 3, .probs_from = calls / 3 };
	struct random schedule = { .seed = seed + commit_every };
	struct dump dump;

	world_begin(&w, capacity, KEEP_MS);
	naive_begin(&n, capacity, calls);
	while (c.n < calls) {
		call(&c, w.j, &n);
		compare(&n, w.j, false);
		if (commit_every == 0 || below(&schedule, commit_every) != 0)
			continue;
		if (below(&schedule, 3) == 0)
			world_fail_to_commit(&w);
		else if (restarts && below(&schedule, 2) == 0)
			world_restart(&w);
		else
			world_commit(&w);
		compare(&n, w.j, true);
	}
	world_commit(&w);
	compare(&n, w.j, true);
	assert_true(n.counts.evicted > 0 && n.counts.orphans_expired > 0 && c.met > 0);
	if (calls > 300000) /* logs have lost their oldest parts, everything has expired once */
		assert_true(w.j->outcomes.front > 0 && w.j->orphans.log.front > 0 && c.silences > 0);
	dump = world_dump(&w);
	world_restart(&w);
	compare(&n, w.j, true);
	naive_end(&n);
	world_end(&w);
	return dump;
}
