/* journal_load.c -- everything back from disk, in one pass over each owner's chunks.
 *
 * Rows are copied into their blocks and the index is built over them; outcomes are applied in the
 * order in which they were taken, with the same code. Both walk memory at random, so both prefetch.
 * What does not fit the state is damage: ERR_CORRUPT, and the caller throws the journal away.
 */
#include "monitor/label/journal_inside.h"

#include <math.h>
#include <stdlib.h>

#include "config/diag.h"
#include "storage/store.h"

struct load {
	struct journal *j;
	struct diag *d;
	uint32_t block_rows, chunk_rows, probs_rows, probs; /* as they were written */
	uint64_t next;                               /* row expected next */
	uint64_t orphans;                            /* orphans held at the last save */
	struct journal_row row[JOURNAL_CHUNK_ROWS];  /* of a chunk, in little-endian form */
};

static int
damaged(const struct load *l, const char *owner, uint32_t part, uint32_t chunk)
{
	return diag_set(l->d, ERR_CORRUPT,
	                "the database is damaged: table chunks, owner %s, model %u, part %u, chunk %u "
	                "does not fit the label journal",
	                owner, l->j->config.model_id, part, chunk);
}

static int
no_memory(const struct load *l)
{
	return diag_set(l->d, ERR_IO, "no memory for the label journal of model %u",
	                l->j->config.model_id);
}

static int
load_rows(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct load *l = ctx;
	struct journal *j = l->j;
	uint64_t from = (uint64_t)part * l->block_rows + (uint64_t)chunk * l->chunk_rows;
	uint64_t until = from + journal_unpack_rows(l->row, blob, length);
	const struct journal_row *row = l->row;

	if (until > j->end || until <= l->next || from != l->next - l->next % l->chunk_rows ||
	    until - from > l->chunk_rows)
		return damaged(l, "journal", part, chunk);
	row += l->next - from; /* those before had left */
	while (l->next < until) { /* the blocks of memory may be smaller than the chunks */
		struct journal_block *b = journal_block_open(j, l->next, false);
		uint64_t room = journal_block_rows(j) - (l->next & (journal_block_rows(j) - 1));
		size_t n = (size_t)(until - l->next < room ? until - l->next : room);
		struct journal_row *to;

		if (b == NULL)
			return no_memory(l);
		to = journal_row_at(j, l->next);
		journal_rows_copy(to, row, n);
		for (size_t i = 0; i < n; i++) {
			if (to[i].ts > b->ts_max)
				b->ts_max = to[i].ts;
			if (to[i].flags & JOURNAL_DONE) {
				b->done++;
				j->done++;
			}
			if ((to[i].flags & JOURNAL_PROBS) && l->probs == 0)
				return damaged(l, "journal", part, chunk);
			if (j->config.probs == 0)
				to[i].flags &= (uint16_t)~JOURNAL_PROBS;
		}
		row += n;
		l->next += n;
	}
	return 0;
}

static int
load_probs(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct load *l = ctx;
	struct journal *j = l->j;
	size_t row_bytes = l->probs * sizeof(double);
	uint64_t from = (uint64_t)part * l->block_rows + (uint64_t)chunk * l->probs_rows;
	uint32_t common = l->probs < j->config.probs ? l->probs : j->config.probs;

	for (uint64_t n = from < j->first ? j->first : from; n < from + l->probs_rows && n < j->end; n++) {
		struct journal_block *b;
		double *to;

		if (!(journal_row_at(j, n)->flags & JOURNAL_PROBS))
			continue;
		if (length < row_bytes)
			return damaged(l, "journal-probs", part, chunk);
		b = journal_block_open(j, n, true);
		if (b == NULL)
			return no_memory(l);
		to = b->probs + (n & (journal_block_rows(j) - 1)) * j->config.probs;
		journal_le64_copy(to, blob, common);
		for (uint32_t k = common; k < j->config.probs; k++)
			to[k] = (double)NAN;
		blob += row_bytes;
		length -= row_bytes;
		l->next++; /* here: rows with probabilities found */
	}
	return length == 0 ? 0 : damaged(l, "journal-probs", part, chunk);
}

/* Bytes of bins of the rows that are still here, from `from` to the end of its chunk. */
static size_t
bins_of_chunk(const struct load *l, uint64_t from)
{
	size_t n = 0;

	for (uint64_t i = from; i < from - from % l->chunk_rows + l->chunk_rows && i < l->j->end; i++)
		n += journal_row_at(l->j, i)->bins;
	return n;
}

static int
load_bins(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct load *l = ctx;
	struct journal *j = l->j;
	uint64_t from = (uint64_t)part * l->block_rows + (uint64_t)chunk * l->chunk_rows;
	uint64_t until = from + l->chunk_rows;
	size_t left;
	uint8_t *bins, *at;
	int err = 0;

	from = from < j->first ? j->first : from;
	left = bins_of_chunk(l, from);
	bins = at = malloc(left + 1);
	if (bins == NULL)
		return no_memory(l);
	if (!journal_unpack_bins(bins, left, blob, length))
		err = damaged(l, "journal-bins", part, chunk);
	for (uint64_t n = from; !err && n < until && n < j->end; n++) {
		uint16_t width = journal_row_at(j, n)->bins;
		struct journal_block *b = &j->blocks[journal_ring_place(j, n)];

		if (width == 0)
			continue;
		if (!journal_block_widen(j, b, width)) {
			err = no_memory(l);
			continue;
		}
		memcpy(b->bins + (n & (journal_block_rows(j) - 1)) * b->bins_width, at, width);
		at += width;
		l->next++; /* here: rows with bins found */
	}
	free(bins);
	return err;
}

/* -- logs -------------------------------------------------------------------------------------- */

static size_t
outcome_words(uint64_t first_word)
{
	return first_word & JOURNAL_DONE ? 3 : 1;
}

static void
apply_outcome(struct journal *j, const uint64_t *record)
{
	uint64_t number = record[0] >> 16;

	if (number < j->first)
		return;
	if (record[0] & JOURNAL_DONE)
		journal_apply_done(j, number, journal_double_of(record[1]), (int64_t)record[2],
		                   record[0] & (JOURNAL_OUTCOME | JOURNAL_SEEN));
	else
		journal_apply_seen(j, number);
}

static int
load_outcomes(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct load *l = ctx;
	struct journal *j = l->j;
	uint64_t words[3 * JOURNAL_LOG_CHUNK];
	size_t count = length / 8, i = 0;
	uint32_t records = 0;
	uint64_t key = 0;

	if (length % 8 != 0 || count > 3 * JOURNAL_LOG_CHUNK)
		return damaged(l, "outcomes", part, chunk);
	journal_le64_copy(words, blob, count);
	for (; i < count; i += outcome_words(words[i])) {
		uint64_t number = words[i] >> 16;

		if (number >= j->end)
			return damaged(l, "outcomes", part, chunk);
		if (key < number + 1)
			key = number + 1;
		if (number >= j->first) {
			__builtin_prefetch(&journal_row_at(j, number)->u, 1);
			__builtin_prefetch(&journal_row_at(j, number)->flags, 1);
		}
		records++;
	}
	if (i != count || !journal_log_restore(&j->outcomes, part, chunk, blob, length, records, key))
		return damaged(l, "outcomes", part, chunk);
	for (i = 0; i < count; i += outcome_words(words[i]))
		apply_outcome(j, words + i);
	return 0;
}

static int
load_orphans(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct load *l = ctx;
	struct journal_orphans *o = &l->j->orphans;
	uint64_t words[4 * JOURNAL_LOG_CHUNK + 4] = { 0 };
	size_t count = length / 8, i = 0;
	uint32_t records = 0;
	uint64_t key = 0;

	if (length % 8 != 0 || count > 4 * JOURNAL_LOG_CHUNK)
		return damaged(l, "orphans", part, chunk);
	journal_le64_copy(words, blob, count);
	for (; i < count; i += journal_orphans_words(words[i])) {
		if (!journal_orphans_replay(o, words + i))
			return damaged(l, "orphans", part, chunk);
		if (key < (words[i] >> 8) + 1)
			key = (words[i] >> 8) + 1;
		records++;
	}
	if (i != count || !journal_log_restore(&o->log, part, chunk, blob, length, records, key))
		return damaged(l, "orphans", part, chunk);
	return 0;
}

/* -- state ------------------------------------------------------------------------------------- */

static bool
is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* Takes the state over and makes room; nothing is read from chunks yet. */
static int
begin(struct load *l, const uint64_t w[JOURNAL_STATE_WORDS])
{
	struct journal *j = l->j;
	uint64_t rows = w[4] - w[3];

	if (w[0] != JOURNAL_STATE_VERSION || !is_power_of_two(w[1]) || w[1] > LIMIT_JOURNAL_BLOB_ROWS ||
	    w[2] > LIMIT_CLASSES || w[4] < w[3] || rows > JOURNAL_CAPACITY_MAX || w[4] >> 48 != 0 ||
	    w[9] > UINT32_MAX || w[15] > UINT32_MAX)
		return diag_set(l->d, ERR_CORRUPT, "the database is damaged: state journal of model %u",
		                j->config.model_id);
	if (w[2] != 0 && !j->config.probs_fixed && journal_set_probs(j, (uint32_t)w[2]) != 0)
		return diag_set(l->d, ERR_LIMIT, "model %u has records with %u and with %u probabilities",
		                j->config.model_id, (unsigned)w[2], j->config.probs);
	l->block_rows = (uint32_t)w[1];
	l->chunk_rows = l->block_rows < JOURNAL_CHUNK_ROWS ? l->block_rows : JOURNAL_CHUNK_ROWS;
	l->probs = (uint32_t)w[2];
	if (l->probs == 0)
		j->config.probs = 0;
	l->probs_rows = journal_disk_probs_rows(l->probs, l->chunk_rows);
	j->first = w[3];
	j->end = w[4];
	j->evicted = w[6];
	j->expired = w[7];
	j->with_bins = w[16];
	j->orphans.head = w[10];
	j->orphans.tail = w[11];
	l->orphans = w[12];
	j->orphans.expired = w[13];
	journal_log_restart(&j->outcomes, (uint32_t)w[9]);
	journal_log_restart(&j->orphans.log, (uint32_t)w[15]);
	/* More rows than the configuration allows now: they leave with the next append. */
	if (!journal_ring_create(j, rows > j->config.capacity ? rows : j->config.capacity) ||
	    !journal_orphans_restart(&j->orphans))
		return no_memory(l);
	j->disk.saved = j->disk.sent = j->end;
	j->disk.first_saved = j->disk.first_sent = j->first;
	/* another capacity, or another width: all is written anew */
	if (l->block_rows != journal_block_rows(j) || (l->probs && l->probs != j->config.probs)) {
		j->disk.stale_from = j->first / l->block_rows;
		j->disk.stale_to = (j->end + l->block_rows - 1) / l->block_rows;
		j->disk.saved = j->disk.sent = j->first;
	}
	j->disk.stash_chunk = j->disk.saved / j->chunk_rows;
	return 0;
}

static int
each(struct load *l, struct store *store, const char *owner,
     int (*visit)(void *, uint32_t, uint32_t, const uint8_t *, size_t))
{
	return store_each_chunk(store, owner, l->j->config.model_id, visit, l, l->d);
}

static int
read_all(struct load *l, struct store *store, const uint64_t w[JOURNAL_STATE_WORDS])
{
	struct journal *j = l->j;
	uint64_t with_probs = 0, with_bins = 0;
	int error;

	l->next = j->first;
	if ((error = each(l, store, "journal", load_rows)) != 0)
		return error;
	if (l->next != j->end)
		return damaged(l, "journal", (uint32_t)(l->next / l->block_rows), 0);
	for (uint64_t n = j->first; l->probs > 0 && n < j->end; n++)
		with_probs += (journal_row_at(j, n)->flags & JOURNAL_PROBS) != 0;
	l->next = 0;
	if (with_probs > 0 && (error = each(l, store, "journal-probs", load_probs)) != 0)
		return error;
	if (l->next != with_probs)
		return damaged(l, "journal-probs", 0, 0);
	for (uint64_t n = j->first; j->with_bins > 0 && n < j->end; n++)
		with_bins += journal_row_at(j, n)->bins != 0;
	l->next = 0;
	if (with_bins > 0 && (error = each(l, store, "journal-bins", load_bins)) != 0)
		return error;
	if (l->next != with_bins)
		return damaged(l, "journal-bins", 0, 0);
	if (!journal_reindex(j))
		return no_memory(l);
	if ((error = each(l, store, "outcomes", load_outcomes)) != 0)
		return error;
	if (j->outcomes.count != w[8] || j->done != w[5])
		return damaged(l, "outcomes", j->outcomes.front, 0);
	if ((error = each(l, store, "orphans", load_orphans)) != 0)
		return error;
	if (j->orphans.log.count != w[14] || j->orphans.held != l->orphans ||
	    !journal_orphans_restored(&j->orphans))
		return damaged(l, "orphans", j->orphans.log.front, 0);
	journal_log_restored(&j->outcomes);
	journal_log_restored(&j->orphans.log);
	return j->failed ? no_memory(l) : 0;
}

int
journal_load(struct journal *j, struct store *store, struct diag *d)
{
	struct load l = { .j = j, .d = d };
	uint64_t words[JOURNAL_STATE_WORDS];
	uint8_t *blob = NULL;
	size_t length = 0;
	int error = store_get_state(store, "journal", j->config.model_id, &blob, &length, d);

	if (error != 0 || blob == NULL)
		return error;
	if (length != sizeof(words))
		error = diag_set(d, ERR_CORRUPT, "the database is damaged: state journal of model %u",
		                 j->config.model_id);
	else
		journal_le64_copy(words, blob, JOURNAL_STATE_WORDS);
	if (error == 0)
		error = begin(&l, words);
	if (error == 0)
		error = read_all(&l, store, words);
	if (error == 0) {
		memcpy(j->disk.state_saved, blob, sizeof(j->disk.state_saved));
		memcpy(j->disk.state_sent, blob, sizeof(j->disk.state_sent));
		j->disk.state_is_saved = j->disk.stale_from == j->disk.stale_to;
	}
	free(blob);
	return error;
}
