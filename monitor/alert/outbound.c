/* outbound.c -- see outbound.h. */
#include "monitor/alert/outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/command/commands.h"
#include "monitor/decode/record.h"

static void
out_of_memory(void)
{
	fputs("driftd: out of memory; stopping. Nothing is lost: the next start goes on from the last "
	      "commit\n", stderr);
	exit(EXIT_INTERNAL);
}

void
must(bool ok)
{
	if (!ok)
		out_of_memory();
}

void *
must_calloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *
must_grow(void *array, size_t *capacity, size_t need, size_t size)
{
	size_t more = *capacity ? *capacity : 8, bytes;

	if (need <= *capacity)
		return array;
	while (more < need)
		more *= 2;
	if (__builtin_mul_overflow(more, size, &bytes) || !(array = realloc(array, bytes)))
		out_of_memory();
	memset((char *)array + *capacity * size, 0, (more - *capacity) * size);
	*capacity = more;
	return array;
}

char *
must_strndup(const char *text, size_t length)
{
	char *copy = must_calloc(length + 1, 1);

	memcpy(copy, text, length);
	return copy;
}

struct news *
outbound_news(struct outbound *o)
{
	o->news = must_grow(o->news, &o->news_capacity, o->news_count + 1, sizeof *o->news);
	return memset(&o->news[o->news_count++], 0, sizeof *o->news);
}

struct statistics_out *
outbound_statistics(struct outbound *o)
{
	o->statistics = must_grow(o->statistics, &o->statistics_capacity, o->statistics_count + 1,
	                          sizeof *o->statistics);
	return memset(&o->statistics[o->statistics_count++], 0, sizeof *o->statistics);
}

struct rejected_out *
outbound_rejected(struct outbound *o, const struct record *r, uint64_t number)
{
	struct rejected_out *out;

	if (o->rejected_count == LIMIT_REJECTED_ROWS) { /* the table would forget the oldest anyway */
		free(o->rejected[0].sample);
		memmove(o->rejected, o->rejected + 1, (o->rejected_count - 1) * sizeof *o->rejected);
		o->rejected_count--;
	}
	o->rejected = must_grow(o->rejected, &o->rejected_capacity, o->rejected_count + 1,
	                        sizeof *o->rejected);
	out = memset(&o->rejected[o->rejected_count++], 0, sizeof *out);
	out->number = number;
	out->partition = r->partition;
	out->offset = r->offset;
	out->reason = reject_text(r->reject);
	memcpy(out->detail, r->detail, sizeof out->detail);
	out->detail[sizeof out->detail - 1] = 0;
	out->sample_length = r->raw_length;
	if (r->raw_length) {
		out->sample = must_calloc(r->raw_length, 1);
		memcpy(out->sample, r->raw, r->raw_length);
	}
	return out;
}

struct gap_out *
outbound_gap(struct outbound *o)
{
	o->gap = must_grow(o->gap, &o->gap_capacity, o->gaps + 1, sizeof *o->gap);
	return memset(&o->gap[o->gaps++], 0, sizeof *o->gap);
}

struct silence_out *
outbound_silence(struct outbound *o)
{
	o->silence = must_grow(o->silence, &o->silence_capacity, o->silences + 1, sizeof *o->silence);
	return memset(&o->silence[o->silences++], 0, sizeof *o->silence);
}

void
outbound_clear(struct outbound *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->news_count; i++) {
		free(o->news[i].explanation);
		free(o->news[i].findings);
		free(o->news[i].alerts);
		free(o->news[i].text);
	}
	for (size_t i = 0; i < o->statistics_count; i++)
		free((void *)(uintptr_t)o->statistics[i].row.histogram);
	for (size_t i = 0; i < o->rejected_count; i++)
		free(o->rejected[i].sample);
	for (size_t i = 0; i < o->gaps; i++)
		if (!o->gap[i].put)
			o->gap[kept++] = o->gap[i];
	o->gaps = kept;
	o->news_count = o->news_sorted = o->statistics_count = o->rejected_count = o->silences = 0;
	o->alert = false;
}

void
outbound_finish(struct outbound *o)
{
	outbound_clear(o);
	free(o->news);
	free(o->statistics);
	free(o->rejected);
	free(o->gap);
	free(o->silence);
	memset(o, 0, sizeof *o);
}
