/* pipeline_refit.c -- a span of the past as the reference (`driftd rebaseline --from --to`): the topics are
 * read once more through a source of its own, so that nobody's positions move. Only records that were
 * processed count, so the reference is a function of them and of the command, whatever arrives meanwhile;
 * nothing else is read until it is done. Killed in between, the command is still waiting. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/limits.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"
#include "monitor/source/merge.h"

/* A topic that does not appear again within so many waits of a second has been deleted. */
enum { WAIT_MS = 1000, WAITS_MAX = 30, LOOK_RECORDS = 4096 };

/* How far a partition was processed, now or before the last restart. */
static int64_t
processed_until(void *context, const char *topic, int32_t partition)
{
	const struct pipeline *p = context;

	for (size_t i = 0; i < p->positions; i++) {
		int32_t number = 0;

		if (p->position[i].next < 0)
			continue;
		if (!strcmp(p->source->vtable->topic(p->source, (uint32_t)i, &number), topic) && number == partition)
			return p->position[i].next;
	}
	for (size_t i = 0; i < p->resume.n; i++)
		if (p->resume.item[i].partition == partition && !strcmp(p->resume.item[i].topic, topic))
			return p->resume.item[i].next_offset;
	return 0;
}

/* Are all the partitions there that were processed? */
static bool
found_all(const struct pipeline *p, const struct source *source)
{
	uint32_t found = 0, expected = 0, n = source->vtable->partitions(source);
	int32_t number = 0;

	for (size_t i = 0; i < p->positions; i++)
		expected += p->position[i].next > 0;
	for (uint32_t i = 0; i < n; i++) {
		const char *topic = source->vtable->topic(source, i, &number);

		found += processed_until((void *)(uintptr_t)p, topic, number) > 0;
	}
	return found >= expected;
}

static int
troubles(struct source *source, struct diag *d)
{
	struct source_event e;
	int err = 0;

	while (source->vtable->event(source, &e))
		if (e.kind == SOURCE_ERROR && e.fatal && !err)
			err = diag_set(d, ERR_IO, "%s", e.text);
	return err;
}

static int
read_span(struct pipeline *p, struct model *m, struct source *source, struct merge *merge, int64_t from_ms,
          int64_t to_ms, struct diag *d)
{
	uint64_t records = 0;
	uint32_t waits = 0;
	int err = 0;

	while (!err) {
		const struct record *r;
		int64_t watermark_ms;
		enum merge_result result = merge_next(merge, 0, &r, &watermark_ms);

		if (result == MERGE_RECORD) {
			waits = 0;
			if (!r->reject && r->model == m->number && r->ts >= from_ms && r->ts < to_ms)
				model_fit_record(m, r);
			if (++records % LOOK_RECORDS == 0 && p->interrupted && p->interrupted(p->interrupt_context))
				return ERR_BUSY;
			continue;
		}
		if (result == MERGE_END && (found_all(p, source) || waits == WAITS_MAX))
			break;
		source->vtable->wait(source, WAIT_MS, -1);
		waits += result == MERGE_END || !source->vtable->partitions(source);
		if (waits > WAITS_MAX)
			err = diag_set(d, ERR_IO, "the topics cannot be read again");
		if (!err)
			err = troubles(source, d);
		if (p->interrupted && p->interrupted(p->interrupt_context))
			return ERR_BUSY;
	}
	log_event(LOG_INFO, "rebaseline", "%llu records looked at, %llu of them in the span",
	          (unsigned long long)records, (unsigned long long)m->ref.rows);
	return err;
}

/* What reading again must not change: it is not the first time. */
struct kept {
	struct ref_row ref;
	uint64_t counter[COUNTERS];
};

int
pipeline_refit(struct pipeline *p, struct model *m, int64_t from_ms, int64_t to_ms, struct ref_row *span,
               struct diag *d)
{
	struct source *again = NULL, *source = NULL;
	struct merge *merge = NULL;
	struct kept kept = { .ref = m->ref };
	int err;

	if (!p->source || !p->source->vtable->again)
		return diag_set(d, ERR_INVALID, "this source cannot be read a second time");
	err = p->source->vtable->again(p->source, &again, d);
	if (!err && (err = source_bounded_open(&source, again, processed_until, p, d)))
		again->vtable->close(again);
	if (!err)
		err = merge_create(&merge, source, p->common.decoder, p->config->merge_stall_ms, d);
	memcpy(kept.counter, m->counter, sizeof kept.counter);
	model_flush(m);
	m->ref.rows = m->ref.hash = 0;
	p->common.fitting = p->common.refitting = true;
	if (!err)
		err = read_span(p, m, source, merge, from_ms, to_ms, d);
	model_flush(m); /* still into the references */
	p->common.fitting = p->common.refitting = false;
	memcpy(m->counter, kept.counter, sizeof kept.counter);
	*span = m->ref;
	m->ref = kept.ref;
	merge_destroy(merge);
	if (source)
		source->vtable->close(source);
	return err;
}
