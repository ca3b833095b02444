/* merge.c -- rings of decoded records under a tournament.
 *
 * The tournament is a complete binary tree of lane numbers; the lane that gave a record plays its
 * way up again, one match a level. A lane that cannot play (empty) has the worst entry.
 */
#include "monitor/source/merge.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "monitor/source/ahead.h"
#include "monitor/source/merge_lane.h"

enum {
	BATCH = AHEAD_RECORDS,          /* messages of one take */
	SLACK_ALL = 4096,               /* records beyond the windows, shared by all rings ... */
	SLACK_MIN = 8,                  /* ... but so many at least for each */
	TAKE_BYTES = 4 * 1024 * 1024,   /* large messages: about this much is decoded ahead */
	TAKE_MIN = 4,
	POLL_MIN = 256,                 /* records between two looks at partitions that ended */
};
#define NONE UINT32_MAX

struct entry {
	int64_t key;
	uint32_t rank;                  /* by topic and partition; NONE: the lane does not play */
};

struct merge {
	struct source *source;
	struct decoder *decoder;
	int64_t stall_ms, watermark;
	struct merge_lane **lane;
	struct entry *entry;            /* [lanes] */
	uint32_t *rank;                 /* [lanes] */
	uint32_t lanes;
	uint32_t *tree, leaves;         /* tree[1] is the winner; leaf of lane i: tree[leaves + i] */
	uint32_t *blocked, blocks;
	uint32_t slack;
	uint32_t given;                 /* lane whose head the caller holds */
	uint32_t since_poll;
	uint32_t stalls_untold;
	bool flowing;                   /* the last result was a record */
	uint32_t pinned;                /* lane whose message has further rows: they come next */
	struct ahead *ahead;            /* NULL: messages are decoded when they are needed */
	struct message batch[BATCH];
};

/* -- tournament -------------------------------------------------------------------------------- */

static inline uint32_t
winner(const struct merge *m, uint32_t a, uint32_t b)
{
	if (b >= m->lanes)
		return a;
	const struct entry *x = &m->entry[a], *y = &m->entry[b];
	if (x->key != y->key)
		return x->key < y->key ? a : b;
	return x->rank <= y->rank ? a : b;
}

static void
play(struct merge *m, uint32_t lane)
{
	for (uint32_t node = (m->leaves + lane) / 2; node; node /= 2) {
		const uint32_t left = m->tree[2 * node], right = m->tree[2 * node + 1];
		m->tree[node] = left < m->lanes ? winner(m, left, right) : right;
	}
}

static void
enter(struct merge *m, uint32_t lane)
{
	const struct merge_lane *l = m->lane[lane];
	struct entry e = { INT64_MAX, NONE };

	if (l->count) {
		e.key = l->candidates ? l->candidate[l->first].ts : INT64_MIN;
		e.rank = m->rank[lane];
	}
	if (e.key == m->entry[lane].key && e.rank == m->entry[lane].rank)
		return;
	m->entry[lane] = e;
	play(m, lane);
}

/* -- lanes ------------------------------------------------------------------------------------- */

static void
block(struct merge *m, uint32_t lane)
{
	struct merge_lane *l = m->lane[lane];

	if (l->blocked_at != NONE)
		return;
	l->blocked_at = m->blocks;
	l->blocked_ms = 0;
	m->blocked[m->blocks++] = lane;
}

static void
unblock(struct merge *m, uint32_t lane)
{
	struct merge_lane *l = m->lane[lane];

	if (l->blocked_at == NONE)
		return;
	const uint32_t last = m->blocked[--m->blocks];
	m->blocked[l->blocked_at] = last;
	m->lane[last]->blocked_at = l->blocked_at;
	l->blocked_at = NONE;
}

/* How many messages may be decoded at once: about TAKE_BYTES. */
static uint32_t
batch_of(const struct merge_lane *l, uint32_t most)
{
	uint32_t n = most > BATCH ? BATCH : most;

	while (n > TAKE_MIN && n * l->large > TAKE_BYTES)
		n /= 2;
	return n;
}

static uint32_t
room(struct merge_lane *l)
{
	if (l->count == l->capacity && !lane_resize(l, l->capacity + LIMIT_LOOKAHEAD))
		return 0; /* no memory: the lane stays pending, and the stall tells */
	return batch_of(l, l->capacity - l->count);
}

static void
saw_length(struct merge_lane *l, size_t length)
{
	if (length > l->large)
		l->large = length;
}

/* Decodes up to `max` messages that are there now into the ring, or takes those that were decoded ahead;
 * returns their number. */
static size_t
take(struct merge *m, uint32_t lane, uint32_t max, enum partition_state *state)
{
	struct merge_lane *l = m->lane[lane];
	struct message *batch = m->batch;
	uint32_t held = m->ahead ? ahead_held(m->ahead, lane) : 0;
	size_t n;

	if (held) {
		for (n = 0; n < held && n < max; n++) {
			struct record **r = &l->ring[lane_place(l, l->count)];
			size_t length;

			*r = ahead_take(m->ahead, lane, *r, &length, state);
			saw_length(l, length);
			lane_push(l);
		}
		return n;
	}
	if (m->ahead)
		batch = ahead_messages(m->ahead);
	n = m->source->vtable->take(m->source, lane, batch, max, state);
	decoder_lock(m->decoder);
	for (size_t i = 0; i < n; i++) {
		saw_length(l, batch[i].value_length);
		decode(m->decoder, &batch[i], l->ring[lane_place(l, l->count)]);
		lane_push(l);
	}
	decoder_unlock(m->decoder);
	return n;
}

/* Begins to decode what follows a full window. */
static void
start_ahead(struct merge *m, uint32_t lane)
{
	struct merge_lane *l = m->lane[lane];
	enum partition_state state = PARTITION_PENDING;
	struct message *batch;
	size_t n;

	if (!m->ahead || ahead_held(m->ahead, lane) || !lane_full(l) || l->state == PARTITION_END)
		return;
	batch = ahead_messages(m->ahead);
	n = m->source->vtable->take(m->source, lane, batch, batch_of(l, BATCH), &state);
	if (n)
		ahead_start(m->ahead, lane, (uint32_t)n, state);
	else
		l->state = state;
}

/* Takes messages until the window is full or nothing more is there now. */
static void
refill(struct merge *m, uint32_t lane)
{
	struct merge_lane *l = m->lane[lane];

	while (!lane_full(l)) {
		enum partition_state state = PARTITION_PENDING;
		const uint32_t max = room(l);
		const size_t n = max ? take(m, lane, max, &state) : 0;

		l->large -= l->large / 16;
		l->state = state;
		lane_extend(l);
		if (!n || state == PARTITION_END)
			break;
	}
	start_ahead(m, lane);
	if (lane_full(l) || l->state == PARTITION_END) {
		l->stalled = false;
		unblock(m, lane);
	} else if (!l->stalled) {
		block(m, lane);
	}
	enter(m, lane);
}

struct place {
	const char *topic;
	int32_t number;
	uint32_t lane;
};

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	const int c = strcmp(x->topic, y->topic);

	return c ? c : (x->number > y->number) - (x->number < y->number);
}

/* Gives every lane its rank and lets all of them play. */
static void
seat(struct merge *m, struct place *place)
{
	for (uint32_t i = 0; i < m->lanes; i++) {
		place[i].lane = i;
		place[i].topic = m->source->vtable->topic(m->source, i, &place[i].number);
	}
	qsort(place, m->lanes, sizeof *place, by_place);
	for (uint32_t i = 0; i < m->lanes; i++)
		m->rank[place[i].lane] = i;
	for (uint32_t i = 0; i < m->leaves; i++)
		m->tree[m->leaves + i] = i;
	for (uint32_t i = 0; i < m->lanes; i++)
		m->entry[i] = (struct entry){ INT64_MAX, NONE };
	for (uint32_t node = m->leaves - 1; node; node--)
		m->tree[node] = m->tree[2 * node];
	for (uint32_t i = 0; i < m->lanes; i++)
		enter(m, i);
}

/* Arrays for `n` lanes; those that are there stay as they are. */
static bool
grow(struct merge *m, uint32_t n)
{
	uint32_t leaves = 1;

	while (leaves < n)
		leaves *= 2;
	struct merge_lane **lane = reallocarray(m->lane, n, sizeof *lane);
	if (lane)
		m->lane = lane;
	struct entry *entry = reallocarray(m->entry, n, sizeof *entry);
	if (entry)
		m->entry = entry;
	uint32_t *rank = reallocarray(m->rank, n, sizeof *rank);
	if (rank)
		m->rank = rank;
	uint32_t *blocked = reallocarray(m->blocked, n, sizeof *blocked);
	if (blocked)
		m->blocked = blocked;
	uint32_t *tree = reallocarray(m->tree, 2 * (size_t)leaves, sizeof *tree);
	if (tree) {
		m->tree = tree;
		m->leaves = leaves;
	}
	return lane && entry && rank && blocked && tree;
}

/* Takes up partitions that the source has found since. */
static int
adopt(struct merge *m)
{
	const uint32_t n = m->source->vtable->partitions(m->source);
	struct place *place;

	if (n <= m->lanes)
		return 0;
	place = calloc(n, sizeof *place);
	if (!place || !grow(m, n)) {
		free(place);
		return ERR_IO;
	}
	m->slack = SLACK_ALL / n;
	if (m->slack > BATCH)
		m->slack = BATCH;
	if (m->slack < SLACK_MIN)
		m->slack = SLACK_MIN;
	const uint32_t before = m->lanes;
	while (m->lanes < n && (m->lane[m->lanes] = lane_create(LIMIT_LOOKAHEAD + m->slack)))
		m->lanes++;
	seat(m, place);
	for (uint32_t i = before; i < m->lanes; i++)
		block(m, i);
	free(place);
	return m->lanes < n ? ERR_IO : 0;
}

/* -- interface --------------------------------------------------------------------------------- */

int
merge_create(struct merge **out, struct source *source, struct decoder *decoder, int64_t stall_ms,
             struct diag *d)
{
	struct merge *m = calloc(1, sizeof *m);

	*out = NULL;
	if (!m)
		return diag_set(d, ERR_IO, "out of memory");
	m->source = source;
	m->decoder = decoder;
	m->stall_ms = stall_ms;
	m->watermark = INT64_MIN;
	m->given = m->pinned = NONE;
	if (adopt(m)) {
		merge_destroy(m);
		return diag_set(d, ERR_IO, "out of memory");
	}
	if (source->vtable->ahead && m->lanes <= AHEAD_LANES)
		m->ahead = ahead_create(decoder); /* without a thread: one after the other */
	*out = m;
	return 0;
}

void
merge_destroy(struct merge *m)
{
	if (!m)
		return;
	ahead_destroy(m->ahead);
	for (uint32_t i = 0; i < m->lanes; i++)
		lane_destroy(m->lane[i]);
	free(m->lane);
	free(m->entry);
	free(m->rank);
	free(m->tree);
	free(m->blocked);
	free(m);
}

/* Partitions that ended may have grown, stalled ones may be back. */
static void
poll_idle(struct merge *m)
{
	(void)adopt(m); /* without memory: tried again at the next look */
	m->since_poll = 0;
	for (uint32_t i = 0; i < m->lanes; i++)
		if (m->lane[i]->blocked_at == NONE && !lane_full(m->lane[i]))
			refill(m, i);
}

static void
serve_blocked(struct merge *m, int64_t now_ms)
{
	for (uint32_t i = m->blocks; i--;) {
		const uint32_t lane = m->blocked[i];
		struct merge_lane *l = m->lane[lane];

		refill(m, lane);
		if (l->blocked_at == NONE || !now_ms)
			continue;
		if (!l->blocked_ms)
			l->blocked_ms = now_ms;
		if (now_ms - l->blocked_ms < m->stall_ms)
			continue;
		l->stalled = true;
		if (!l->told)
			m->stalls_untold++;
		l->told = true;
		unblock(m, lane);
	}
}

/* All that exists was given: nothing is left, and nothing is only stalled. */
static bool
at_end(const struct merge *m)
{
	for (uint32_t i = 0; i < m->lanes; i++)
		if (m->lane[i]->state != PARTITION_END)
			return false;
	return m->lanes > 0;
}

static void
give(struct merge *m, uint32_t lane, const struct record **out, int64_t *watermark_ms)
{
	struct merge_lane *l = m->lane[lane];
	if (m->entry[lane].key > m->watermark)
		m->watermark = m->entry[lane].key;
	if (!l->slot[l->head].usable)
		l->ring[l->head]->ts = m->watermark;
	m->given = lane;
	m->flowing = true;
	*out = l->ring[l->head];
	*watermark_ms = m->watermark;
}

enum merge_result
merge_next(struct merge *m, int64_t now_ms, const struct record **out, int64_t *watermark_ms)
{
	if (m->given != NONE) {
		struct merge_lane *l = m->lane[m->given];
		m->pinned = l->slot[l->head].more ? m->given : NONE;
		lane_advance(l);
		while (m->pinned != NONE && !l->count) /* what it has unwrapped is there without waiting */
			refill(m, m->pinned);
		if (l->state == PARTITION_PENDING && !l->stalled && !lane_full(l))
			refill(m, m->given);
		else
			enter(m, m->given);
		m->given = NONE;
	}
	if (m->pinned != NONE) {
		give(m, m->pinned, out, watermark_ms);
		return MERGE_RECORD;
	}
	if (!m->flowing || ++m->since_poll >= POLL_MIN + 4 * m->lanes)
		poll_idle(m);
	if (m->blocks)
		serve_blocked(m, now_ms);
	*out = NULL;
	*watermark_ms = m->watermark;
	m->flowing = false;
	if (m->blocks || !m->lanes)
		return MERGE_WAIT;

	const uint32_t lane = m->tree[1];
	if (m->entry[lane].rank == NONE)
		return at_end(m) ? MERGE_END : MERGE_WAIT;
	give(m, lane, out, watermark_ms);
	return MERGE_RECORD;
}

const struct record *
merge_later(const struct merge *m, uint32_t behind)
{
	const struct merge_lane *l = m->given == NONE ? NULL : m->lane[m->given];

	return l && behind < l->count ? l->ring[lane_place(l, behind)] : NULL;
}

uint32_t
merge_stalled(struct merge *m)
{
	for (uint32_t i = 0; m->stalls_untold && i < m->lanes; i++)
		if (m->lane[i]->told) {
			m->lane[i]->told = false;
			m->stalls_untold--;
			return i;
		}
	return NONE;
}

void
merge_set_watermark(struct merge *m, int64_t watermark_ms)
{
	m->watermark = watermark_ms;
}

int64_t
merge_position(const struct merge *m, uint32_t partition)
{
	const uint32_t given = m->given == partition;

	if (partition >= m->lanes)
		return -1;
	const struct merge_lane *l = m->lane[partition];
	if (l->count > given)
		return l->slot[lane_place(l, given)].offset;
	if (m->ahead && ahead_held(m->ahead, partition))
		return ahead_offset(m->ahead, partition);
	const int64_t position = m->source->vtable->position(m->source, partition);
	return position >= 0 ? position : given ? l->slot[l->head].offset + 1 : l->next;
}

size_t
merge_bytes(const struct merge *m)
{
	size_t bytes = sizeof *m + 2 * (size_t)m->leaves * sizeof *m->tree;

	bytes += m->ahead ? ahead_bytes(m->ahead) : 0;
	for (uint32_t i = 0; i < m->lanes; i++)
		bytes += sizeof(struct entry) + lane_bytes(m->lane[i]);
	return bytes;
}
