/* journal_forget.c -- takes out what belongs to one id, in memory and in chunks that were written long ago.
 *
 * The row stays, for rows are numbered, but under an id that nothing else has and without its values: done
 * and handed on, so that nobody waits for it or counts it again. Sums that it is part of stay as they are.
 */
#include "monitor/label/journal_inside.h"

#include <stdlib.h>

#include "config/diag.h"
#include "storage/store.h"

/* An id of nobody: the finalizer of SplitMix64 is a bijection, and real ids are keyed hashes. */
static uint64_t
nobody(uint64_t number)
{
	uint64_t z = number + 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
wipe(struct journal_row *row, uint64_t number)
{
	row->id = nobody(number);
	memset(&row->u, 0, sizeof row->u);
	row->klass = UINT16_MAX;
	/* JOURNAL_PROBS says how the chunk of probabilities is laid out. */
	row->flags = (uint16_t)((row->flags & JOURNAL_PROBS) | JOURNAL_DONE | JOURNAL_SEEN);
}

static void
wipe_row(struct journal *j, uint64_t number)
{
	struct journal_block *b = &j->blocks[journal_ring_place(j, number)];
	struct journal_row *row = journal_row_at(j, number);
	size_t i = number & (journal_block_rows(j) - 1);
	uint32_t place = journal_ring_place(j, number) << j->shift | (uint32_t)i;
	struct journal_original *original = journal_disk_stashed(&j->disk, j->chunk_rows, number);

	journal_index_remove(&j->index, row->id, place);
	if (!(row->flags & JOURNAL_DONE)) {
		b->done++;
		j->done++;
	}
	if (row->flags & JOURNAL_PROBS)
		memset(b->probs + i * j->config.probs, 0, j->config.probs * sizeof *b->probs);
	if (row->bins)
		memset(b->bins + i * b->bins_width, 0, row->bins);
	wipe(row, number);
	journal_index_insert(&j->index, row->id, place);
	if (original) {
		memset(original->u, 0, sizeof original->u);
		original->flags = row->flags;
	}
}

/* -- logs: what is in one record that must go -------------------------------------------------------- */

struct forget {
	uint64_t id, number; /* number UINT64_MAX: no row */
	bool orphans;        /* which of the two logs */
	bool changed;
};

static void
wipe_records(struct forget *f, uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count;) {
		uint64_t first = words[i];

		if (f->orphans) {
			size_t n = journal_orphans_words(first);

			if (n == 4 && i + 3 < count && words[i + 1] == f->id) {
				words[i + 1] = nobody(first);
				words[i + 3] = 0;
				f->changed = true;
			}
			i += n;
		} else {
			size_t n = first & JOURNAL_DONE ? 3 : 1;

			if (n == 3 && i + 2 < count && first >> 16 == f->number) {
				words[i] = first & ~(uint64_t)JOURNAL_OUTCOME;
				words[i + 1] = words[i + 2] = 0;
				f->changed = true;
			}
			i += n;
		}
	}
}

static void
wipe_log(struct journal_log *l, struct forget f)
{
	for (size_t i = 0; i < l->words_count; i++)
		l->words[i] = le64toh(l->words[i]);
	wipe_records(&f, l->words, l->words_count);
	for (size_t i = 0; i < l->words_count; i++)
		l->words[i] = htole64(l->words[i]);
}

uint64_t
journal_forget(struct journal *j, uint64_t id, bool *orphan)
{
	uint64_t number = journal_find(j, id);
	struct orphan o;

	*orphan = journal_orphan_take(j, id, &o);
	if (number != UINT64_MAX)
		wipe_row(j, number);
	wipe_log(&j->outcomes, (struct forget){ .id = id, .number = number });
	wipe_log(&j->orphans.log, (struct forget){ .id = id, .orphans = true });
	return number;
}

/* -- chunks ------------------------------------------------------------------------------------------ */

struct chunks {
	struct forget forget;
	struct changed {
		uint32_t part, chunk;
		size_t length;
		uint8_t *blob;
	} *item;
	size_t n;
};

static int
look(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct chunks *c = ctx;
	uint64_t *words = malloc(length ? length : 1);
	struct changed *item;

	if (!words)
		return ERR_IO;
	journal_le64_copy(words, blob, length / 8);
	c->forget.changed = false;
	wipe_records(&c->forget, words, length / 8);
	item = c->forget.changed ? realloc(c->item, (c->n + 1) * sizeof *item) : NULL;
	if (!item) {
		free(words);
		return c->forget.changed ? ERR_IO : 0;
	}
	c->item = item;
	journal_le64_copy(words, words, length / 8);
	c->item[c->n++] = (struct changed){ part, chunk, length, (uint8_t *)words };
	return 0;
}

static int
put_log(const struct journal *j, struct store *store, const char *owner, struct forget f)
{
	struct chunks c = { .forget = f };
	uint32_t id = j->config.model_id;
	int err = store_each_chunk(store, owner, id, look, &c, NULL);

	for (size_t i = 0; i < c.n; i++) {
		if (!err)
			err = store_put_chunk(store, owner, id, c.item[i].part, c.item[i].chunk, c.item[i].blob,
			                      c.item[i].length);
		free(c.item[i].blob);
	}
	free(c.item);
	return err;
}

/* Rows from .. number that stand before it in its chunk of `rows` rows. */
static uint64_t
chunk_begin(const struct journal *j, uint64_t number, uint32_t rows)
{
	uint64_t from = number - number % rows;

	return from < j->first ? j->first : from;
}

struct place { /* of a row in the chunks of an owner */
	const char *owner;
	uint32_t part, chunk;
	uint64_t number;
	size_t at, n; /* its bytes in a chunk of them */
};

static struct place
place_of(const struct journal *j, const char *owner, uint64_t number, uint32_t rows, size_t at, size_t n)
{
	return (struct place){ owner, (uint32_t)(number >> j->shift),
		               (uint32_t)(number & (journal_block_rows(j) - 1)) / rows, number, at, n };
}

static int
wipe_probs(uint8_t *blob, size_t *length, const struct place *p)
{
	if (p->at + p->n <= *length)
		memset(blob + p->at, 0, p->n);
	return 0;
}

/* The bytes after the last bin are zeros, and stay. */
static int
wipe_bins(uint8_t *blob, size_t *length, const struct place *p)
{
	size_t n = *length > 1 && *blob ? (*length - 1) / *blob * 8 : 0;
	uint8_t *bins = malloc(n + 1);

	if (!bins)
		return ERR_IO;
	if (p->at + p->n <= n && journal_unpack_bins(bins, n, blob, *length)) {
		memset(bins + p->at, 0, p->n);
		*length = journal_pack_bins(blob, bins, n);
	}
	free(bins);
	return 0;
}

static int
wipe_packed_row(uint8_t *blob, size_t *length, const struct place *p)
{
	struct journal_row rows[JOURNAL_CHUNK_ROWS], row;
	size_t n = journal_unpack_rows(rows, blob, *length);

	if (p->at >= n)
		return 0;
	journal_rows_copy(&row, &rows[p->at], 1);
	wipe(&row, p->number);
	journal_rows_copy(&rows[p->at], &row, 1);
	*length = journal_pack_rows(blob, rows, n);
	return 0;
}

/* Reads the chunk, which may become longer, and writes it again. */
static int
put_wiped(const struct journal *j, struct store *store, const struct place *p,
          int (*wiped)(uint8_t *blob, size_t *length, const struct place *p))
{
	uint32_t id = j->config.model_id;
	uint8_t *blob = NULL, *room;
	size_t length = 0;
	int err = store_get_chunk(store, p->owner, id, p->part, p->chunk, &blob, &length, NULL);

	if (err || !blob)
		return err;
	room = realloc(blob, length + JOURNAL_PACKED_MAX);
	blob = room ? room : blob;
	err = room ? wiped(blob, &length, p) : ERR_IO;
	if (!err)
		err = store_put_chunk(store, p->owner, id, p->part, p->chunk, blob, length);
	free(blob);
	return err;
}

int
journal_forget_put(const struct journal *j, struct store *store, uint64_t id, uint64_t number)
{
	int err = put_log(j, store, "orphans", (struct forget){ .id = id, .orphans = true });

	if (err || number == UINT64_MAX || number < j->first)
		return err;
	uint32_t probs_rows = journal_disk_probs_rows(j->config.probs, j->chunk_rows);
	const struct journal_row *row = journal_row_at(j, number);
	size_t probs = 0, bins = 0;

	for (uint64_t n = chunk_begin(j, number, probs_rows); n < number; n++)
		probs += journal_row_at(j, n)->flags & JOURNAL_PROBS ? j->config.probs * sizeof(double) : 0;
	for (uint64_t n = chunk_begin(j, number, j->chunk_rows); n < number; n++)
		bins += journal_row_at(j, n)->bins;
	struct place in_rows = place_of(j, "journal", number, j->chunk_rows, (size_t)(number % j->chunk_rows), 1);
	struct place in_probs = place_of(j, "journal-probs", number, probs_rows, probs,
	                                 j->config.probs * sizeof(double));
	struct place in_bins = place_of(j, "journal-bins", number, j->chunk_rows, bins, row->bins);

	err = put_wiped(j, store, &in_rows, wipe_packed_row);
	if (!err && row->flags & JOURNAL_PROBS)
		err = put_wiped(j, store, &in_probs, wipe_probs);
	if (!err && row->bins)
		err = put_wiped(j, store, &in_bins, wipe_bins);
	return err ? err : put_log(j, store, "outcomes", (struct forget){ .id = id, .number = number });
}
