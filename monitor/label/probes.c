/* probes.c -- see probes.h. */
#include "monitor/label/probes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "monitor/decode/record.h"
#include "monitor/label/labels_inside.h"
#include "monitor/stream/comparison.h"

enum { STATE_VERSION = 1, PROBES_PART = 1024, PROBE_BYTES = 13, RING_MIN = 1024 };
#define NONE UINT32_MAX
_Static_assert(LIMIT_PROBES_WAITING % RING_MIN == 0 && LIMIT_PROBES_WAITING % PROBES_PART == 0,
               "whole parts");

struct probe {
	uint64_t of;     /* key of the clean prediction in the journal, 0: forgotten */
	uint16_t family; /* index into the probes of its version */
	uint16_t class;
	bool flipped;
};

/* Twin number n is in place n % size; size grows to LIMIT_PROBES_WAITING before a place is used again. */
struct probes {
	struct probe *ring;   /* [size] */
	uint32_t *next, *first; /* [size] places of a chain; by hash of `of`, its first place */
	uint32_t size;
	uint64_t tail;        /* twins so far */
	uint64_t saved_until; /* those before it are in the database as they are ... */
	uint64_t saving_until; /* ... when the transaction lands */
	uint64_t deleted, deleting; /* parts before it have left the database */
	bool dirty;
};

void
probes_destroy(struct probes *p)
{
	if (!p)
		return;
	free(p->ring);
	free(p->next);
	free(p->first);
	free(p);
}

size_t
probes_bytes(const struct probes *p)
{
	return p ? sizeof *p + p->size * (sizeof *p->ring + sizeof *p->next + sizeof *p->first) : 0;
}

/* -- the ring ------------------------------------------------------------------------------------------ */

static uint32_t *
chain(const struct probes *p, uint64_t of)
{
	return &p->first[(of ^ of >> 32) % p->size];
}

static void
link_place(struct probes *p, uint32_t at)
{
	uint32_t *first = chain(p, p->ring[at].of);

	p->next[at] = *first;
	*first = at;
}

static void
unlink_place(struct probes *p, uint32_t at)
{
	uint32_t *link = chain(p, p->ring[at].of);

	while (*link != at)
		link = &p->next[*link];
	*link = p->next[at];
}

/* The oldest number that is in the ring. */
static uint64_t
head(const struct probes *p)
{
	return p->tail > LIMIT_PROBES_WAITING ? p->tail - LIMIT_PROBES_WAITING : 0;
}

static void
grow_to(struct probes *p, uint32_t size)
{
	free(p->next);
	free(p->first);
	p->ring = realloc(p->ring, size * sizeof *p->ring);
	must(p->ring != NULL);
	p->next = must_calloc(size, sizeof *p->next);
	p->first = must_calloc(size, sizeof *p->first);
	memset(p->first, 0xff, size * sizeof *p->first);
	p->size = size;
	for (uint64_t n = head(p); n < p->tail; n++)
		link_place(p, (uint32_t)(n % size));
}

static struct probes *
of_labels(struct labels *l)
{
	if (!l->twins_waiting) {
		l->twins_waiting = must_calloc(1, sizeof *l->twins_waiting);
		grow_to(l->twins_waiting, RING_MIN);
	}
	return l->twins_waiting;
}

/* NONE: there is none. */
static uint32_t
find(const struct probes *p, uint64_t of, uint32_t family)
{
	uint32_t at = p ? *chain(p, of) : NONE;

	while (at != NONE && (p->ring[at].of != of || p->ring[at].family != family))
		at = p->next[at];
	return at;
}

static void
append(struct probes *p, const struct probe *probe)
{
	uint32_t at;

	if (p->tail == p->size && p->size < LIMIT_PROBES_WAITING)
		grow_to(p, p->size * 2);
	at = (uint32_t)(p->tail % p->size);
	if (p->tail >= p->size)
		unlink_place(p, at);
	p->ring[at] = *probe;
	p->tail++;
	link_place(p, at);
	p->dirty = true;
}

void
probes_forget(struct labels *l, uint64_t key)
{
	struct probes *p = l->twins_waiting;
	uint64_t from = p ? head(p) - head(p) % PROBES_PART : 0;
	uint32_t at;

	if (!p)
		return;
	for (uint32_t family = 0; family < LIMIT_PROBES; family++)
		while ((at = find(p, key, family)) != NONE) {
			unlink_place(p, at);
			p->ring[at] = (struct probe){ .of = 0 };
			link_place(p, at);
			p->dirty = true;
		}
	/* what has left the ring may still be in the first part */
	p->saved_until = p->saved_until < from ? p->saved_until : from;
}

/* -- outcomes ------------------------------------------------------------------------------------------ */

bool
probes_pair(struct labels *l, const struct version *v, const struct record *r, struct probe_pair *out)
{
	uint64_t number[TWINS_MAX + 1];
	uint32_t n = twins_of(l, r->probe_of_keyed, number);

	for (uint32_t i = 0; i < n; i++) {
		const struct journal_row *row = journal_get(l->journal, number[i]);

		if (row->group != v->number || !(row->flags & JOURNAL_CLASS))
			continue;
		out->number = number[i];
		out->class = labels_cell_class(l, r, &r->klass);
		out->flipped = out->class != row->klass;
		return out->class < LIMIT_CLASSES;
	}
	return false;
}

/* Has a label, not a score, of a class. */
static bool
has_label(const struct journal_row *row)
{
	return row->flags & JOURNAL_DONE && row->flags & JOURNAL_CLASS && !(row->flags & JOURNAL_SCORED);
}

/* The same perturbation of two versions. */
static const struct probe *
counterpart(struct labels *l, const struct version *v, uint32_t family, const struct journal_row *of)
{
	const struct version *w = labels_version(l, of->group);
	const char *field = v->probe[family].flips->field;
	uint32_t at = NONE;

	for (uint32_t i = 0; w && i < w->probe_families; i++)
		if (!strcmp(w->probe[i].flips->field, field))
			at = find(l->twins_waiting, of->id, i);
	return at == NONE ? NULL : &l->twins_waiting->ring[at];
}

/* Each other version that has told the id and of which this twin is there too. `label` NONE: do they flip;
 * else: are they wrong? */
static void
compare(struct labels *l, struct version *v, uint32_t family, uint64_t number, const struct probe *mine,
        uint32_t label)
{
	uint64_t row[TWINS_MAX + 1];
	uint32_t n = l->model->comparisons && l->twins ? twins_of(l, twins_id(l, number), row) : 0;
	bool done = label != NONE;

	for (uint32_t i = 0; i < n; i++) {
		const struct journal_row *other = journal_get(l->journal, row[i]);
		const struct probe *theirs = row[i] == number ? NULL : counterpart(l, v, family, other);

		if (!theirs || (done && !has_label(other)))
			continue;
		comparison_pair(l->model, v, done ? mine->class != label : mine->flipped,
		                labels_version(l, other->group), done ? theirs->class != label : theirs->flipped,
		                done ? COMPARED_PROBE_ERROR : COMPARED_PROBE_FLIP);
	}
}

static void
count(struct labels *l, uint64_t number, const struct probe *probe)
{
	const struct journal_row *row = journal_get(l->journal, number);
	struct version *v = labels_version(l, row->group);
	struct probe_family *f = &v->probe[probe->family];
	uint32_t label = (uint32_t)row->u.done.label;
	bool clean_right = !(row->flags & JOURNAL_WRONG), right = probe->class == label;

	f->labelled++;
	f->clean_right += clean_right;
	f->right += right;
	f->both_right += clean_right && right;
	l->twins_waiting->dirty = true;
	compare(l, v, probe->family, number, probe, label);
}

/* Its outcome becomes a value of the stream of errors. */
static void
judge(struct labels *l, uint64_t number, const struct probe *probe)
{
	const struct journal_row *row = journal_get(l->journal, number);
	const struct common *common = l->model->common;
	struct version *v = labels_version(l, row->group);
	struct probe_family *family = &v->probe[probe->family];
	struct { int64_t ts; uint64_t number; } key = { row->ts, number };
	struct row_facts f = {
		.watermark_ms = common->watermark_ms, .time_ms = row->ts, .partition = l->partition,
		.offset = l->offset, .row = l->row, .sequence = common->sequence,
		.order = XXH64(&key, sizeof key, 1 + (uint64_t)probe->family),
	};
	bool wrong = probe->class != (uint32_t)row->u.done.label;
	uint32_t at;

	if (!family->errors)
		family->errors = model_stream(l->model, v->probes, STREAM_PROBE_ERROR, STREAM_BINARY,
		                              family->flips->field, family->flips->field_length, v);
	if (!family->errors)
		return;
	at = rows_append(l->model, v->probes, &f);
	for (uint32_t i = 0; i < v->probes->streams; i++)
		v->probes->stream[i]->value[at] = (double)NAN;
	family->errors->value[at] = wrong;
}

static void
each_of(struct labels *l, uint64_t number, void (*take)(struct labels *, uint64_t, const struct probe *))
{
	const struct journal_row *row = journal_get(l->journal, number);
	const struct version *v = labels_version(l, row->group);
	uint64_t of = row->id;

	if (!l->twins_waiting || !v || !has_label(row))
		return;
	for (uint32_t family = 0; family < v->probe_families; family++) {
		uint32_t at = find(l->twins_waiting, of, family);

		if (at != NONE)
			take(l, number, &l->twins_waiting->ring[at]);
	}
}

void
probes_labelled(struct labels *l, uint64_t number)
{
	each_of(l, number, count);
}

void
probes_judge(struct labels *l, uint64_t number)
{
	each_of(l, number, judge);
}

void
probes_add(struct labels *l, struct version *v, uint32_t family, const struct record *r,
           const struct probe_pair *pair)
{
	const struct journal_row *row = journal_get(l->journal, pair->number);
	struct probe probe = { row->id, (uint16_t)family, (uint16_t)pair->class, pair->flipped };
	struct probes *p = of_labels(l);

	if (find(p, probe.of, family) != NONE)
		return;
	append(p, &probe);
	compare(l, v, family, pair->number, &probe, NONE);
	if (!has_label(row))
		return;
	count(l, pair->number, &probe);
	if (!(row->flags & JOURNAL_SEEN))
		return;
	l->partition = r->partition;
	l->offset = r->offset;
	l->row = r->row;
	judge(l, pair->number, &probe);
}

/* -- state --------------------------------------------------------------------------------------------- */

static void
save_state(const struct labels *l, struct codec *c)
{
	codec_put_u16(c, STATE_VERSION);
	codec_put_u64(c, l->twins_waiting->tail);
	codec_put_u32(c, l->model->versions);
	for (uint32_t i = 0; i < l->model->versions; i++) {
		const struct version *v = l->model->version[i];

		codec_put_u32(c, v->probe_families);
		for (uint32_t k = 0; k < v->probe_families; k++) {
			codec_put_u64(c, v->probe[k].labelled);
			codec_put_u64(c, v->probe[k].clean_right);
			codec_put_u64(c, v->probe[k].right);
			codec_put_u64(c, v->probe[k].both_right);
		}
	}
}

static double
baseline(const struct stream *s)
{
	return s ? s->baseline : (double)NAN;
}

static bool
same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* Rows of table robustness that are not there as they are. */
static int
put_families(struct labels *l, struct store *store)
{
	int err = 0;

	for (uint32_t i = 0; i < l->model->versions; i++) {
		const struct version *v = l->model->version[i];

		for (uint32_t k = 0; k < v->probe_families && !err; k++) {
			struct probe_family *f = &v->probe[k];
			double flips = baseline(f->flips), errors = baseline(f->errors);

			if (f->put && f->put_labelled == f->labelled && same(flips, f->put_flips) &&
			    same(errors, f->put_errors))
				continue;
			err = store_put_robustness(store, &(struct robustness_row){
				.stream_id = f->flips->id, .error_id = f->errors ? f->errors->id : 0,
				.labelled = f->labelled, .clean_right = f->clean_right, .right = f->right,
				.both_right = f->both_right, .reference_flip_rate = flips,
				.reference_error = errors });
			f->put = false; /* until it has landed */
			f->put_labelled = f->labelled;
			f->put_flips = flips;
			f->put_errors = errors;
		}
	}
	return err;
}

static int
put_part(const struct probes *p, struct store *store, uint32_t model_id, uint64_t from)
{
	uint8_t bytes[PROBES_PART * PROBE_BYTES];
	struct codec c = { .data = bytes, .size = sizeof bytes };

	for (uint64_t n = from; n < p->tail && n < from + PROBES_PART; n++) {
		struct probe none = { 0 }, *x = n < head(p) ? &none : &p->ring[n % p->size];

		codec_put_u64(&c, x->of);
		codec_put_u16(&c, x->family);
		codec_put_u16(&c, x->class);
		codec_put_u8(&c, x->flipped);
	}
	return store_put_chunk(store, "probes", model_id, (uint32_t)(from / PROBES_PART), 0, bytes, c.at);
}

int
probes_put(struct labels *l, struct store *store)
{
	struct codec c = { .measure = true, .size = SIZE_MAX };
	struct probes *p = l->twins_waiting;
	int err = 0;

	if (!p)
		return 0;
	err = put_families(l, store);
	p->deleting = head(p) / PROBES_PART;
	for (uint64_t n = p->deleted; n < p->deleting && !err; n++)
		err = store_delete_part(store, "probes", l->model->id, (uint32_t)n);
	for (uint64_t n = p->saved_until - p->saved_until % PROBES_PART; n < p->tail && !err; n += PROBES_PART)
		if (n / PROBES_PART >= p->deleting)
			err = put_part(p, store, l->model->id, n);
	p->saving_until = p->tail;
	if (err || !p->dirty)
		return err;
	save_state(l, &c);
	c = (struct codec){ .data = common_bytes(l->model->common, c.at), .size = c.at };
	save_state(l, &c);
	return store_put_state(store, "probes", l->model->id, c.data, c.at);
}

void
probes_saved(struct labels *l, bool landed)
{
	struct probes *p = l->twins_waiting;

	if (!p || !landed)
		return;
	p->dirty = false;
	p->saved_until = p->saving_until;
	p->deleted = p->deleting;
	for (uint32_t i = 0; i < l->model->versions; i++)
		for (uint32_t k = 0; k < l->model->version[i]->probe_families; k++)
			l->model->version[i]->probe[k].put = true;
}

static int
load_state(struct labels *l, struct codec *c)
{
	uint32_t versions;

	if (codec_get_u16(c) != STATE_VERSION)
		return ERR_CORRUPT;
	l->twins_waiting->tail = codec_get_u64(c);
	versions = codec_get_u32(c);
	if (versions > l->model->versions || l->twins_waiting->tail >> 40)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < versions && !c->bad; i++) {
		const struct version *v = l->model->version[i];
		uint32_t families = codec_get_u32(c);

		if (families > v->probe_families)
			return ERR_CORRUPT;
		for (uint32_t k = 0; k < families; k++) {
			v->probe[k].labelled = codec_get_u64(c);
			v->probe[k].clean_right = codec_get_u64(c);
			v->probe[k].right = codec_get_u64(c);
			v->probe[k].both_right = codec_get_u64(c);
		}
	}
	return c->bad ? ERR_CORRUPT : 0;
}

static int
load_part(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	struct probes *p = ((struct labels *)ctx)->twins_waiting;
	uint8_t bytes[PROBES_PART * PROBE_BYTES];
	struct codec c = { .data = bytes, .size = length };
	uint64_t n = (uint64_t)part * PROBES_PART, end = n + length / PROBE_BYTES;

	if (length > sizeof bytes || length % PROBE_BYTES || chunk || end > p->tail)
		return ERR_CORRUPT;
	memcpy(bytes, blob, length);
	for (; n < end; n++) {
		struct probe x = { .of = codec_get_u64(&c) };

		x.family = codec_get_u16(&c);
		x.class = codec_get_u16(&c);
		x.flipped = codec_get_u8(&c);
		if (n >= head(p))
			p->ring[n % p->size] = x;
	}
	return 0;
}

int
probes_load(struct labels *l, struct store *store, struct diag *d)
{
	uint32_t size = RING_MIN;
	struct probes *p;
	struct codec c;
	uint8_t *blob;
	size_t length;
	int err = store_get_state(store, "probes", l->model->id, &blob, &length, d);

	if (err || !blob)
		return err;
	probes_destroy(l->twins_waiting);
	p = l->twins_waiting = must_calloc(1, sizeof *p);
	c = (struct codec){ .data = blob, .size = length };
	err = load_state(l, &c);
	free(blob);
	while (size < LIMIT_PROBES_WAITING && size < p->tail)
		size *= 2;
	p->ring = must_calloc(size, sizeof *p->ring);
	p->size = size;
	if (!err)
		err = store_each_chunk(store, "probes", l->model->id, load_part, l, d);
	if (err) {
		p->tail = 0;
		grow_to(p, size);
		return diag_set(d, err, "model %s: its perturbed twins are damaged", l->model->name);
	}
	grow_to(p, size);
	p->saved_until = p->saving_until = p->tail;
	p->deleted = p->deleting = head(p) / PROBES_PART;
	return 0;
}
