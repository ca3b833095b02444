/* journal.c -- rows in a ring of blocks.
 *
 * Rows first .. end-1 are kept. Row number n is at place (n mod block) of block n / block, and the
 * blocks from that of `first` on are in the ring in order, beginning at `head`; the index holds the
 * place in the ring, 32 bits. A block is a mapping of its own: it costs memory as its rows are
 * written, and all of it comes back when the block is dropped.
 *
 * `first` is normally the first row of a block. It is in the middle of one after the youngest
 * block, not yet full, has expired: then first = end, and the next row goes on where the numbers
 * stopped.
 */
#include "monitor/label/journal_inside.h"

#include <assert.h>
#include <stdlib.h>

#include "config/diag.h"

enum {
	BLOCKS_MIN = 8,       /* a small capacity is cut into blocks too: at most 1/8 leaves at once */
	BINS_STEP = 4,        /* bins of a block are allocated by so many a row */
	NUMBER_BITS = 48,     /* of a row number in the log of outcomes */
};

unsigned
journal_shift(uint32_t capacity)
{
	unsigned shift = 0;

	while (((uint64_t)2 << shift) * BLOCKS_MIN <= capacity &&
	       ((uint32_t)2 << shift) <= LIMIT_JOURNAL_BLOB_ROWS)
		shift++;
	return shift;
}

bool
journal_ring_create(struct journal *j, uint64_t rows_max)
{
	uint32_t blocks = (uint32_t)((rows_max + journal_block_rows(j) - 1) >> j->shift) + 1;

	free(j->blocks);
	j->ring = blocks;
	j->head = 0;
	j->blocks = calloc(blocks, sizeof(*j->blocks));
	journal_index_finish(&j->index);
	journal_index_init(&j->index, blocks << j->shift, (uint32_t)rows_max);
	return j->blocks != NULL;
}

int
journal_create(struct journal **out, const struct journal_config *config, struct diag *d)
{
	struct journal *j;

	*out = NULL;
	if (config->capacity == 0 || config->capacity > JOURNAL_CAPACITY_MAX)
		return diag_set(d, ERR_LIMIT, "labels.capacity is %u, must be 1 .. %u", config->capacity,
		                (unsigned)JOURNAL_CAPACITY_MAX);
	if (config->keep_ms < 0)
		return diag_set(d, ERR_INVALID, "labels cannot be waited for less than 0 ms");
	j = calloc(1, sizeof(*j));
	if (j == NULL)
		return diag_set(d, ERR_IO, "no memory for a label journal");
	j->config = *config;
	j->shift = journal_shift(config->capacity);
	j->chunk_rows = JOURNAL_CHUNK_ROWS;
	if (j->chunk_rows > journal_block_rows(j))
		j->chunk_rows = journal_block_rows(j);
	journal_log_init(&j->outcomes, "outcomes");
	journal_orphans_init(&j->orphans, config->capacity < 16 ? 1 : config->capacity / 16);
	if (!journal_ring_create(j, config->capacity)) {
		journal_destroy(j);
		return diag_set(d, ERR_IO, "no memory for a label journal of %u rows", config->capacity);
	}
	*out = j;
	return 0;
}

static void
close_block(struct journal *j, struct journal_block *b)
{
	journal_pages_unmap(b->rows, sizeof(*b->rows) << j->shift);
	journal_pages_unmap(b->probs, ((size_t)j->config.probs * sizeof(*b->probs)) << j->shift);
	journal_pages_unmap(b->bins, (size_t)b->bins_width << j->shift);
	*b = (struct journal_block){ 0 };
}

void
journal_destroy(struct journal *j)
{
	if (j == NULL)
		return;
	for (uint32_t i = 0; j->blocks != NULL && i < j->ring; i++)
		close_block(j, &j->blocks[i]);
	free(j->blocks);
	journal_index_finish(&j->index);
	journal_log_finish(&j->outcomes);
	journal_orphans_finish(&j->orphans);
	journal_disk_finish(&j->disk);
	free(j);
}

int
journal_set_probs(struct journal *j, uint32_t probs)
{
	if (probs == 0 || probs > LIMIT_CLASSES)
		return ERR_LIMIT;
	if (j->config.probs == 0)
		j->config.probs = probs;
	return j->config.probs == probs ? 0 : ERR_LIMIT;
}

void
journal_fix_probs(struct journal *j, uint32_t probs)
{
	assert(j->end == 0 && probs <= LIMIT_CLASSES);
	j->config.probs = probs;
	j->config.probs_fixed = true;
}

uint32_t
journal_probs_width(const struct journal *j)
{
	return j->config.probs;
}

/* -- finding ----------------------------------------------------------------------------------- */

static const struct journal_row *
row_at_place(const struct journal *j, uint32_t place)
{
	return &j->blocks[place >> j->shift].rows[place & (journal_block_rows(j) - 1)];
}

static uint64_t
number_at_place(const struct journal *j, uint32_t place)
{
	uint32_t block = place >> j->shift;
	uint64_t ahead = block >= j->head ? block - j->head : block + j->ring - j->head;

	return (((j->first >> j->shift) + ahead) << j->shift) + (place & (journal_block_rows(j) - 1));
}

static uint32_t
place_of(const struct journal *j, uint64_t number)
{
	return (journal_ring_place(j, number) << j->shift) +
	       (uint32_t)(number & (journal_block_rows(j) - 1));
}

uint64_t
journal_find(const struct journal *j, uint64_t id)
{
	struct journal_probe p = journal_index_start(&j->index, id);
	uint32_t place;

	while ((place = journal_index_next(&j->index, &p)) != UINT32_MAX)
		if (row_at_place(j, place)->id == id)
			return number_at_place(j, place);
	return UINT64_MAX;
}

void
journal_prefetch(const struct journal *j, uint64_t id)
{
	journal_index_prefetch(&j->index, id);
}

void
journal_prefetch_row(const struct journal *j, uint64_t id)
{
	struct journal_probe p = journal_index_start(&j->index, id);
	uint32_t place = journal_index_next(&j->index, &p);

	if (place != UINT32_MAX) { /* 56 bytes lie in two lines more often than not */
		const char *row = (const char *)row_at_place(j, place);

		__builtin_prefetch(row, 1);
		__builtin_prefetch(row + sizeof(struct journal_row) - 1, 1);
	}
}

const struct journal_row *
journal_get(const struct journal *j, uint64_t number)
{
	return number < j->first || number >= j->end ? NULL : journal_row_at(j, number);
}

const double *
journal_probs(const struct journal *j, uint64_t number)
{
	const struct journal_row *row = journal_get(j, number);

	if (row == NULL || !(row->flags & JOURNAL_PROBS))
		return NULL;
	return j->blocks[journal_ring_place(j, number)].probs +
	       (number & (journal_block_rows(j) - 1)) * j->config.probs;
}

static uint8_t *
bins_at(const struct journal *j, uint64_t number)
{
	const struct journal_row *row = journal_get(j, number);
	const struct journal_block *b;

	if (row == NULL || row->bins == 0)
		return NULL;
	b = &j->blocks[journal_ring_place(j, number)];
	return b->bins + (number & (journal_block_rows(j) - 1)) * b->bins_width;
}

const uint8_t *
journal_bins(const struct journal *j, uint64_t number)
{
	return bins_at(j, number);
}

uint8_t *
journal_bins_room(struct journal *j, uint64_t number)
{
	return bins_at(j, number);
}

uint64_t
journal_first(const struct journal *j)
{
	return j->first;
}

uint64_t
journal_end(const struct journal *j)
{
	return j->end;
}

/* -- appending and dropping -------------------------------------------------------------------- */

bool
journal_reindex(struct journal *j)
{
	if (!journal_index_resize(&j->index, (uint32_t)(j->end - j->first)))
		return false;
	for (uint64_t n = j->first; n < j->end; n++) {
		if (n + JOURNAL_AHEAD < j->end)
			journal_index_prefetch(&j->index, journal_row_at(j, n + JOURNAL_AHEAD)->id);
		journal_index_insert(&j->index, journal_row_at(j, n)->id, place_of(j, n));
	}
	return true;
}

/* Takes the oldest block out: its rows, or those before `end` if it is the youngest one too. */
void
journal_drop_block(struct journal *j, uint64_t *unlabelled)
{
	struct journal_block *b = &j->blocks[j->head];
	uint64_t until = ((j->first >> j->shift) + 1) << j->shift;

	if (until > j->end)
		until = j->end;
	for (uint64_t n = j->first; n < until; n++) {
		if (n + JOURNAL_AHEAD < until)
			journal_index_prefetch(&j->index, journal_row_at(j, n + JOURNAL_AHEAD)->id);
		journal_index_remove(&j->index, journal_row_at(j, n)->id, place_of(j, n));
	}
	*unlabelled += until - j->first - b->done;
	j->done -= b->done;
	close_block(j, b);
	if (until >> j->shift != j->first >> j->shift)
		j->head = j->head + 1 == j->ring ? 0 : j->head + 1;
	j->first = until;
}

/* Large pages save most of the faults, but all of one is taken at once: not of a model with few rows. */
static bool
wants_large_pages(const struct journal *j)
{
	return j->end >= journal_block_rows(j);
}

struct journal_block *
journal_block_open(struct journal *j, uint64_t number, bool probs)
{
	struct journal_block *b = &j->blocks[journal_ring_place(j, number)];

	if (b->rows == NULL) {
		b->rows = journal_pages_map(sizeof(*b->rows) << j->shift, wants_large_pages(j));
		if (b->rows == NULL)
			return NULL;
		b->ts_max = INT64_MIN;
	}
	if (probs && b->probs == NULL) {
		b->probs = journal_pages_map(((size_t)j->config.probs * sizeof(*b->probs)) << j->shift,
		                             wants_large_pages(j));
		if (b->probs == NULL)
			return NULL;
	}
	return b;
}

bool
journal_block_widen(struct journal *j, struct journal_block *b, uint32_t bins)
{
	uint32_t width = (bins + BINS_STEP - 1) / BINS_STEP * BINS_STEP;
	uint8_t *wide;

	if (bins <= b->bins_width)
		return true;
	wide = journal_pages_map((size_t)width << j->shift, wants_large_pages(j));
	if (wide == NULL)
		return false;
	for (size_t i = 0; b->bins_width > 0 && i < journal_block_rows(j); i++)
		memcpy(wide + i * width, b->bins + i * b->bins_width, b->bins_width);
	journal_pages_unmap(b->bins, (size_t)b->bins_width << j->shift);
	b->bins = wide;
	b->bins_width = width;
	return true;
}

uint64_t
journal_append(struct journal *j, const struct journal_row *row, const double *probs,
               const uint8_t *bins)
{
	uint64_t number = j->end;
	struct journal_block *b;
	struct journal_row *to;

	assert(probs == NULL || j->config.probs > 0);
	while (j->end - j->first >= j->config.capacity)
		journal_drop_block(j, &j->evicted);
	if (number >> NUMBER_BITS != 0 || number >> j->shift >= UINT32_MAX)
		return UINT64_MAX; /* centuries */
	b = journal_block_open(j, number, probs != NULL);
	if (b == NULL || !journal_block_widen(j, b, row->bins) ||
	    (journal_index_is_full(&j->index) && !journal_reindex(j)))
		return UINT64_MAX;
	to = journal_row_at(j, number);
	*to = *row;
	to->flags = (uint16_t)((row->flags & ~JOURNAL_PROBS) | (probs != NULL ? JOURNAL_PROBS : 0));
	if (probs != NULL)
		memcpy(b->probs + (number & (journal_block_rows(j) - 1)) * j->config.probs, probs,
		       j->config.probs * sizeof(*probs));
	j->with_bins += row->bins > 0;
	if (row->bins > 0 && bins != NULL)
		memcpy(b->bins + (number & (journal_block_rows(j) - 1)) * b->bins_width, bins, row->bins);
	if (row->ts > b->ts_max)
		b->ts_max = row->ts;
	if (row->flags & JOURNAL_DONE) {
		b->done++;
		j->done++;
	}
	journal_index_insert(&j->index, row->id, place_of(j, number));
	j->end++;
	return number;
}

static int64_t
before_ms(int64_t watermark_ms, int64_t keep_ms)
{
	return watermark_ms < INT64_MIN + keep_ms ? INT64_MIN : watermark_ms - keep_ms;
}

void
journal_expire(struct journal *j, int64_t watermark_ms)
{
	int64_t before = before_ms(watermark_ms, j->config.keep_ms);

	while (j->first < j->end && j->blocks[j->head].ts_max < before)
		journal_drop_block(j, &j->expired);
	journal_orphans_expire(&j->orphans, before);
}

/* -- outcomes ---------------------------------------------------------------------------------- */

void
journal_apply_done(struct journal *j, uint64_t number, double label, int64_t delay_ms,
                   uint16_t flags)
{
	struct journal_row *row = journal_row_at(j, number);
	double value = row->u.klass.top;

	journal_disk_stash(j, number, row);
	if (row->flags & JOURNAL_DONE)
		value = row->u.done.value;
	else if (row->flags & (JOURNAL_INTERVAL | JOURNAL_VALUE))
		value = row->u.interval.value;
	if (!(row->flags & JOURNAL_DONE)) {
		j->blocks[journal_ring_place(j, number)].done++;
		j->done++;
	}
	row->u.done.label = label;
	row->u.done.value = value;
	row->u.done.delay_ms = delay_ms;
	row->flags = (uint16_t)((row->flags & ~JOURNAL_OUTCOME) | JOURNAL_DONE | flags);
}

void
journal_apply_seen(struct journal *j, uint64_t number)
{
	struct journal_row *row = journal_row_at(j, number);

	journal_disk_stash(j, number, row);
	row->flags |= JOURNAL_SEEN;
}

void
journal_done(struct journal *j, uint64_t number, double label, int64_t delay_ms,
             uint16_t outcome_flags)
{
	uint16_t flags = outcome_flags & (JOURNAL_OUTCOME | JOURNAL_SEEN);
	uint64_t record[3] = { number << 16 | flags | JOURNAL_DONE, journal_word_of(label),
		               (uint64_t)delay_ms };

	assert(number >= j->first && number < j->end);
	journal_apply_done(j, number, label, delay_ms, flags);
	if (!journal_log_append(&j->outcomes, record, 3, number))
		j->failed = true;
}

void
journal_seen(struct journal *j, uint64_t number)
{
	uint64_t record = number << 16 | JOURNAL_SEEN;

	assert(number >= j->first && number < j->end);
	if (journal_row_at(j, number)->flags & JOURNAL_SEEN)
		return;
	journal_apply_seen(j, number);
	if (!journal_log_append(&j->outcomes, &record, 1, number))
		j->failed = true;
}

/* -- orphans and counts ------------------------------------------------------------------------ */

bool
journal_orphan_add(struct journal *j, const struct orphan *o)
{
	int added = journal_orphans_add(&j->orphans, o);

	if (added < 0)
		j->failed = true;
	return added > 0;
}

bool
journal_orphan_take(struct journal *j, uint64_t id, struct orphan *out)
{
	int taken = journal_orphans_take(&j->orphans, id, out);

	if (taken < 0)
		j->failed = true;
	return taken > 0;
}

void
journal_counts(const struct journal *j, struct journal_counts *out)
{
	*out = (struct journal_counts){
		.rows = j->end - j->first,
		.waiting = j->end - j->first - j->done,
		.done = j->done,
		.evicted = j->evicted,
		.expired = j->expired,
		.orphans = j->orphans.held,
		.orphans_expired = j->orphans.expired,
	};
}

size_t
journal_bytes(const struct journal *j)
{
	size_t bytes = sizeof(*j) + j->ring * sizeof(*j->blocks) + journal_index_bytes(&j->index) +
	               journal_log_bytes(&j->outcomes) + journal_orphans_bytes(&j->orphans) +
	               journal_disk_bytes(&j->disk);

	for (uint32_t i = 0; i < j->ring; i++) {
		const struct journal_block *b = &j->blocks[i];
		size_t rows = journal_block_rows(j);

		if (i == journal_ring_place(j, j->end)) /* pages behind the last row are not there yet */
			rows = j->end & (rows - 1);
		if (b->rows != NULL)
			bytes += journal_pages_round(rows * sizeof(*b->rows));
		if (b->probs != NULL)
			bytes += journal_pages_round(rows * j->config.probs * sizeof(*b->probs));
		if (b->bins != NULL)
			bytes += journal_pages_round(rows * b->bins_width);
	}
	return bytes;
}

void
journal_set_model(struct journal *j, uint32_t model_id)
{
	j->config.model_id = model_id;
}
