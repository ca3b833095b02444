/* journal_pack.c -- chunks of rows and of bins take fewer bytes on disk than in memory.
 *
 * Rows of a chunk agree in most of their bytes (the high bytes of times, group, level, window). Packed, a
 * chunk is a word that says which of the 56 bytes differ between rows (bit i: byte i) and, in its highest
 * byte, how many rows there are less one; then the first row whole; then of every row the bytes that differ.
 *
 * Bins are small numbers: a byte says how many bits b the largest takes, then groups of eight take b bytes.
 */
#include "monitor/label/journal_inside.h"

enum { WORDS = sizeof(struct journal_row) / 8, STEPS_MAX = 4 * WORDS, HEAD = 8 + sizeof(struct journal_row) };

struct step { /* neighbouring bytes of one word that differ */
	uint8_t word, shift, bytes;
};

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

static void
store64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof v);
}

/* The last bytes of a blob: what is not there is zero. */
static uint64_t
load_tail(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return le64toh(v);
}

static uint64_t
low_bytes(unsigned n)
{
	return n < 8 ? ((uint64_t)1 << 8 * n) - 1 : UINT64_MAX;
}

static unsigned
make_steps(uint64_t differ, struct step step[STEPS_MAX])
{
	unsigned n = 0;

	for (unsigned word = 0; word < WORDS; word++)
		for (unsigned bits = differ >> 8 * word & 0xff; bits;) {
			unsigned low = (unsigned)__builtin_ctz(bits);
			unsigned run = (unsigned)__builtin_ctz(~(bits >> low));

			step[n++] = (struct step){ (uint8_t)word, (uint8_t)(8 * low), (uint8_t)run };
			bits &= ~(((1u << run) - 1) << low);
		}
	return n;
}

static uint64_t
bytes_that_differ(const uint8_t *rows, size_t n)
{
	uint64_t first[WORDS], any[WORDS] = { 0 }, differ = 0;

	for (unsigned w = 0; w < WORDS; w++)
		first[w] = load64(rows + 8 * w);
	for (size_t i = 1; i < n; i++)
		for (unsigned w = 0; w < WORDS; w++)
			any[w] |= load64(rows + 8 * (i * WORDS + w)) ^ first[w];
	for (unsigned i = 0; i < 8 * WORDS; i++)
		differ |= (uint64_t)((any[i / 8] >> 8 * (i % 8) & 0xff) != 0) << i;
	return differ;
}

size_t
journal_pack_rows(uint8_t *out, const void *rows, size_t n)
{
	const uint8_t *row = rows;
	uint64_t differ = bytes_that_differ(row, n);
	struct step step[STEPS_MAX];
	unsigned steps = make_steps(differ, step);
	uint8_t *at = out + HEAD;

	store64(out, differ | (uint64_t)(n - 1) << 8 * WORDS);
	memcpy(out + 8, row, sizeof(struct journal_row));
	for (size_t i = 0; i < n; i++, row += sizeof(struct journal_row))
		for (unsigned k = 0; k < steps; k++) {
			store64(at, load64(row + 8 * step[k].word) >> step[k].shift);
			at += step[k].bytes;
		}
	return (size_t)(at - out);
}

static void
unpack_row(uint8_t *to, const uint64_t common[WORDS], const struct step *step, unsigned steps,
           const uint8_t *at, size_t left)
{
	uint64_t word[WORDS];

	memcpy(word, common, sizeof word);
	for (unsigned k = 0; k < steps; k++) {
		uint64_t v = left >= 8 ? load64(at) : load_tail(at, left);

		word[step[k].word] |= (v & low_bytes(step[k].bytes)) << step[k].shift;
		at += step[k].bytes;
		left -= step[k].bytes;
	}
	for (unsigned w = 0; w < WORDS; w++)
		store64(to + 8 * w, word[w]);
}

size_t
journal_unpack_rows(void *rows, const uint8_t *blob, size_t length)
{
	const uint8_t *at = blob + HEAD;
	struct step step[STEPS_MAX];
	uint64_t common[WORDS], head;
	size_t n, width;
	unsigned steps;

	if (length < HEAD)
		return 0;
	head = load64(blob);
	n = (size_t)(head >> 8 * WORDS) + 1;
	head &= low_bytes(WORDS);
	width = (size_t)__builtin_popcountll(head);
	if (n > JOURNAL_CHUNK_ROWS || length - HEAD != n * width)
		return 0;
	steps = make_steps(head, step);
	for (unsigned w = 0; w < WORDS; w++)
		common[w] = load64(blob + 8 + 8 * w);
	for (unsigned k = 0; k < steps; k++)
		common[step[k].word] &= ~(low_bytes(step[k].bytes) << step[k].shift);
	for (size_t i = 0; i < n; i++, at += width)
		unpack_row((uint8_t *)rows + i * sizeof(struct journal_row), common, step, steps, at,
		           length - (size_t)(at - blob));
	return n;
}

/* -- bins -------------------------------------------------------------------------------------- */

/* Eight bytes below 2^b become 8 b bits, in three rounds: pairs, fours, all. */
static uint64_t
squeeze(uint64_t v, unsigned b)
{
	unsigned s = 8 - b;

	v = (v & 0x00ff00ff00ff00ff) | (v >> s & 0xff00ff00ff00ff00 >> s);
	v = (v & 0x0000ffff0000ffff) | (v >> 2 * s & 0xffff0000ffff0000 >> 2 * s);
	return (v & 0x00000000ffffffff) | (v >> 4 * s & 0xffffffff00000000 >> 4 * s);
}

static uint64_t
spread(uint64_t v, unsigned b)
{
	unsigned s = 8 - b;
	uint64_t four = ((uint64_t)1 << 4 * b) - 1, two = (((uint64_t)1 << 2 * b) - 1) * 0x0000000100000001,
	         one = (((uint64_t)1 << b) - 1) * 0x0001000100010001;

	v = (v & four) | (v << 4 * s & four << 32);
	v = (v & two) | (v << 2 * s & two << 16);
	return (v & one) | (v << s & one << 8);
}

size_t
journal_pack_bins(uint8_t *out, const uint8_t *bins, size_t n)
{
	unsigned any = 0, b;
	uint8_t *at = out + 1;

	for (size_t i = 0; i < n; i++)
		any |= bins[i];
	b = any ? 32 - (unsigned)__builtin_clz(any) : 1;
	*out = (uint8_t)b;
	for (size_t i = 0; i < n; i += 8, at += b)
		store64(at, squeeze(n - i >= 8 ? load64(bins + i) : load_tail(bins + i, n - i), b));
	return (size_t)(at - out);
}

bool
journal_unpack_bins(uint8_t *bins, size_t n, const uint8_t *blob, size_t length)
{
	size_t groups = (n + 7) / 8;
	unsigned b = length ? *blob : 0;

	if (b < 1 || b > 8 || length - 1 != groups * b)
		return false;
	blob++;
	length--;
	for (size_t i = 0; i < n; i += 8, blob += b, length -= b) {
		uint64_t v = spread(length >= 8 ? load64(blob) : load_tail(blob, length), b);
		uint64_t le = htole64(v);

		memcpy(bins + i, &le, n - i < 8 ? n - i : 8);
	}
	return true;
}
