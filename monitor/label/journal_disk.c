/* journal_disk.c -- what a commit writes.
 *
 * owner "journal"        rows as they were appended, packed; part = block, chunk = JOURNAL_CHUNK_ROWS rows
 * owner "journal-probs"  the probabilities of those rows that have some, one after the other
 * owner "journal-bins"   the bins of the rows of a chunk, as many as each has, one after the other, packed
 * owner "outcomes"       log: row number << 16 | flags; with JOURNAL_DONE also label and delay
 * owner "orphans"        log, see journal_orphans.c
 * state "journal"        the small facts: where things begin and end, counters
 *
 * A row that was labelled before its chunk is whole on disk is written from the stash. Rows of a
 * chunk that left before it was written are zeros; they leave together, by block, so no other run
 * has them.
 */
#include "monitor/label/journal_inside.h"

#include <stdlib.h>

#include "config/diag.h"
#include "storage/store.h"

void
journal_rows_copy(void *to, const void *from, size_t rows)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(to, from, rows * sizeof(struct journal_row));
#else
	for (size_t i = 0; i < rows; i++) {
		struct journal_row r;
		uint64_t words[5];

		memcpy(&r, (const char *)from + i * sizeof(r), sizeof(r));
		journal_le64_copy(words, &r, 5);
		memcpy(&r, words, sizeof(words));
		r.window = htole32(r.window);
		r.group = htole16(r.group);
		r.klass = htole16(r.klass);
		r.level = htole16(r.level);
		r.flags = htole16(r.flags);
		r.bins = htole16(r.bins);
		r.segments = htole16(r.segments);
		memcpy((char *)to + i * sizeof(r), &r, sizeof(r));
	}
#endif
}

/* -- the stash --------------------------------------------------------------------------------- */

void
journal_disk_finish(struct journal_disk *k)
{
	for (size_t i = 0; i < k->stashes_count; i++)
		free(k->stashes[i]);
	free(k->stashes);
	*k = (struct journal_disk){ 0 };
}

static struct journal_stash *
stash_of(const struct journal_disk *k, uint64_t chunk)
{
	uint64_t i = chunk - k->stash_chunk;

	return i < k->stashes_count ? k->stashes[i] : NULL;
}

static struct journal_stash *
open_stash(struct journal_disk *k, uint64_t chunk)
{
	size_t i = (size_t)(chunk - k->stash_chunk);

	if (i >= k->stashes_size) {
		size_t size = i < 32 ? 64 : i * 2;
		struct journal_stash **p = realloc(k->stashes, size * sizeof(struct journal_stash *));

		if (p == NULL)
			return NULL;
		k->stashes = p;
		k->stashes_size = size;
	}
	while (k->stashes_count <= i)
		k->stashes[k->stashes_count++] = NULL;
	if (k->stashes[i] == NULL)
		k->stashes[i] = calloc(1, sizeof(struct journal_stash));
	return k->stashes[i];
}

struct journal_original *
journal_disk_stashed(const struct journal_disk *k, uint32_t chunk_rows, uint64_t number)
{
	uint64_t chunk = number / chunk_rows, i = number % chunk_rows;
	struct journal_stash *s = chunk < k->stash_chunk ? NULL : stash_of(k, chunk);

	return s != NULL && s->mask[i / 64] >> i % 64 & 1 ? &s->rows[i] : NULL;
}

void
journal_disk_stash(struct journal *j, uint64_t number, const struct journal_row *row)
{
	struct journal_disk *k = &j->disk;
	uint64_t chunk = number / j->chunk_rows;
	uint64_t i = number % j->chunk_rows;
	struct journal_stash *s;

	if (chunk < k->saved / j->chunk_rows)
		return; /* whole on disk */
	s = open_stash(k, chunk);
	if (s == NULL) {
		j->failed = true;
		return;
	}
	if (s->mask[i / 64] >> i % 64 & 1)
		return;
	s->mask[i / 64] |= (uint64_t)1 << i % 64;
	memcpy(s->rows[i].u, &row->u, sizeof(s->rows[i].u));
	s->rows[i].flags = row->flags;
}

/* Frees what belongs to chunks that are whole on disk now. */
static void
unstash(struct journal *j)
{
	struct journal_disk *k = &j->disk;
	uint64_t chunk = k->saved / j->chunk_rows;
	size_t gone = 0;

	for (; gone < k->stashes_count && k->stash_chunk + gone < chunk; gone++)
		free(k->stashes[gone]);
	k->stashes_count -= gone;
	if (k->stashes_count > 0)
		memmove(k->stashes, k->stashes + gone,
		        k->stashes_count * sizeof(struct journal_stash *));
	k->stash_chunk = chunk;
}

/* -- rows -------------------------------------------------------------------------------------- */

static int
put_rows(const struct journal *j, struct store *store, uint64_t from, uint64_t until, void *space,
         uint8_t *packed)
{
	const struct journal_row *rows = journal_row_at(j, from < j->first ? j->first : from);
	const struct journal_stash *s = stash_of(&j->disk, from / j->chunk_rows);
	struct journal_row *scratch = space;
	size_t n = (size_t)(until - from);

	if (s != NULL || from < j->first || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
		size_t dead = from < j->first ? (size_t)(j->first - from) : 0;

		memset(scratch, 0, dead * sizeof(*rows));
		memcpy(scratch + dead, rows, (n - dead) * sizeof(*rows));
		for (size_t i = dead; s != NULL && i < n; i++)
			if (s->mask[i / 64] >> i % 64 & 1) {
				memcpy(&scratch[i].u, s->rows[i].u, sizeof(s->rows[i].u));
				scratch[i].flags = (uint16_t)s->rows[i].flags;
			}
		journal_rows_copy(scratch, scratch, n);
		rows = scratch;
	}
	return store_put_chunk(store, "journal", j->config.model_id, (uint32_t)(from >> j->shift),
	                       (uint32_t)(from & (journal_block_rows(j) - 1)) / j->chunk_rows, packed,
	                       journal_pack_rows(packed, rows, n));
}

uint32_t
journal_disk_probs_rows(uint32_t probs, uint32_t chunk_rows)
{
	uint32_t rows = chunk_rows;

	while (rows > 1 && rows * probs > JOURNAL_PROBS_CHUNK)
		rows /= 2;
	return rows;
}

static int
put_probs(const struct journal *j, struct store *store, uint64_t from, uint64_t until,
          double *scratch)
{
	uint32_t rows = journal_disk_probs_rows(j->config.probs, j->chunk_rows);
	size_t n = 0;

	for (uint64_t i = from < j->first ? j->first : from; i < until; i++) {
		const double *p = journal_probs(j, i);

		if (p != NULL) {
			journal_le64_copy(scratch + n, p, j->config.probs);
			n += j->config.probs;
		}
	}
	if (n == 0)
		return 0;
	return store_put_chunk(store, "journal-probs", j->config.model_id, (uint32_t)(from >> j->shift),
	                       (uint32_t)(from & (journal_block_rows(j) - 1)) / rows, scratch, 8 * n);
}

static int
put_bins(const struct journal *j, struct store *store, uint64_t from, uint64_t until, uint8_t *scratch,
         uint8_t *packed)
{
	size_t n = 0;

	for (uint64_t i = from < j->first ? j->first : from; i < until; i++) {
		uint16_t bins = journal_row_at(j, i)->bins;

		if (bins > 0)
			memcpy(scratch + n, journal_bins(j, i), bins);
		n += bins;
	}
	if (n == 0)
		return 0;
	return store_put_chunk(store, "journal-bins", j->config.model_id, (uint32_t)(from >> j->shift),
	                       (uint32_t)(from & (journal_block_rows(j) - 1)) / j->chunk_rows, packed,
	                       journal_pack_bins(packed, scratch, n));
}

static int
delete_part(const struct journal *j, struct store *store, uint64_t part)
{
	int error = store_delete_part(store, "journal", j->config.model_id, (uint32_t)part);

	if (error == 0 && (j->config.probs > 0 || j->config.probs_fixed))
		error = store_delete_part(store, "journal-probs", j->config.model_id, (uint32_t)part);
	if (error == 0 && j->with_bins > 0)
		error = store_delete_part(store, "journal-bins", j->config.model_id, (uint32_t)part);
	return error;
}

/* Blocks that left since the last commit, as far as they had come to disk. */
static int
delete_parts(const struct journal *j, struct store *store)
{
	const struct journal_disk *k = &j->disk;
	uint64_t until = j->first >> j->shift;
	int error;

	for (uint64_t part = k->stale_from; part < k->stale_to; part++)
		if ((error = delete_part(j, store, part)) != 0)
			return error;
	if (j->first != k->first_saved && (j->first & (journal_block_rows(j) - 1)) != 0)
		until++; /* the youngest block expired half-full; the rest of it comes anew */
	for (uint64_t part = k->first_saved >> j->shift;
	     part < until && part << j->shift < k->saved; part++)
		if ((error = delete_part(j, store, part)) != 0)
			return error;
	return 0;
}

static size_t
bins_of_chunk_max(const struct journal *j, uint64_t from)
{
	size_t width = 0;

	for (uint64_t n = from; n < j->end; n = ((n >> j->shift) + 1) << j->shift)
		if (j->blocks[journal_ring_place(j, n)].bins_width > width)
			width = j->blocks[journal_ring_place(j, n)].bins_width;
	return width * j->chunk_rows;
}

static int
save_rows(const struct journal *j, struct store *store)
{
	uint64_t from = j->disk.saved > j->first ? j->disk.saved : j->first;
	uint32_t step = j->chunk_rows, probs_step = journal_disk_probs_rows(j->config.probs, step);
	size_t size = step * sizeof(struct journal_row);
	size_t probs_size = (size_t)probs_step * j->config.probs * sizeof(double);
	size_t bins_size = bins_of_chunk_max(j, from);
	size_t packed_size = JOURNAL_PACKED_MAX > bins_size + 9 ? JOURNAL_PACKED_MAX : bins_size + 9;
	uint8_t *packed;
	void *scratch;
	int error = 0;

	if (from == j->end)
		return 0;
	size = size > probs_size ? size : probs_size;
	size = size > bins_size ? size : bins_size;
	scratch = malloc(size + packed_size);
	if (scratch == NULL)
		return ERR_IO;
	packed = (uint8_t *)scratch + size;
	for (uint64_t n = from - from % step; error == 0 && n < j->end; n += step)
		error = put_rows(j, store, n, n + step < j->end ? n + step : j->end, scratch, packed);
	if (j->config.probs > 0)
		for (uint64_t n = from - from % probs_step; error == 0 && n < j->end; n += probs_step)
			error = put_probs(j, store, n, n + probs_step < j->end ? n + probs_step : j->end,
			                  scratch);
	if (bins_size > 0)
		for (uint64_t n = from - from % step; error == 0 && n < j->end; n += step)
			error = put_bins(j, store, n, n + step < j->end ? n + step : j->end, scratch, packed);
	free(scratch);
	return error;
}

/* -- save -------------------------------------------------------------------------------------- */

static void
state_words(const struct journal *j, uint64_t words[JOURNAL_STATE_WORDS])
{
	const uint64_t w[JOURNAL_STATE_WORDS] = {
		JOURNAL_STATE_VERSION, journal_block_rows(j), j->config.probs,
		j->first, j->end, j->done, j->evicted, j->expired,
		j->outcomes.count, j->outcomes.front,
		j->orphans.head, j->orphans.tail, j->orphans.held, j->orphans.expired,
		j->orphans.log.count, j->orphans.log.front, j->with_bins,
	};

	journal_le64_copy(words, w, JOURNAL_STATE_WORDS);
}

int
journal_save(struct journal *j, struct store *store)
{
	struct journal_disk *k = &j->disk;
	uint32_t id = j->config.model_id;
	int error;

	if (j->failed)
		return ERR_IO;
	if ((error = delete_parts(j, store)) != 0 || (error = save_rows(j, store)) != 0 ||
	    (error = journal_log_save(&j->outcomes, store, id, j->first)) != 0 ||
	    (error = journal_log_save(&j->orphans.log, store, id, j->orphans.head)) != 0)
		return error;
	k->sending = true;
	k->sent = j->end;
	k->first_sent = j->first;
	state_words(j, k->state_sent);
	if (k->state_is_saved && memcmp(k->state_sent, k->state_saved, sizeof(k->state_sent)) == 0)
		return 0;
	return store_put_state(store, "journal", id, k->state_sent, sizeof(k->state_sent));
}

void
journal_saved(struct journal *j)
{
	struct journal_disk *k = &j->disk;

	if (!k->sending)
		return;
	k->sending = false;
	journal_log_saved(&j->outcomes);
	journal_log_saved(&j->orphans.log);
	k->saved = k->sent;
	k->first_saved = k->first_sent;
	k->stale_from = k->stale_to = 0;
	memcpy(k->state_saved, k->state_sent, sizeof(k->state_saved));
	k->state_is_saved = true;
	unstash(j);
}

void
journal_unsave(struct journal *j)
{
	j->disk.sending = false;
	journal_log_unsave(&j->outcomes);
	journal_log_unsave(&j->orphans.log);
	j->disk.sent = j->disk.saved;
	j->disk.first_sent = j->disk.first_saved;
}

uint64_t
journal_dirty_bytes(const struct journal *j)
{
	uint64_t from = j->disk.saved > j->first ? j->disk.saved : j->first;
	uint64_t row = sizeof(struct journal_row) + j->config.probs * sizeof(double);
	uint64_t words[JOURNAL_STATE_WORDS];

	state_words(j, words);
	if (j->disk.state_is_saved && memcmp(words, j->disk.state_saved, sizeof(words)) == 0)
		return 0;
	if (j->end > from)
		row += j->blocks[journal_ring_place(j, j->end - 1)].bins_width;
	return sizeof(words) + (j->end - from) * row + journal_log_dirty_bytes(&j->outcomes) +
	       journal_log_dirty_bytes(&j->orphans.log);
}

size_t
journal_disk_bytes(const struct journal_disk *k)
{
	size_t bytes = k->stashes_size * sizeof(struct journal_stash *);

	for (size_t i = 0; i < k->stashes_count; i++)
		bytes += k->stashes[i] == NULL ? 0 : sizeof(struct journal_stash);
	return bytes;
}
