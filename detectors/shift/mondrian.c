/* mondrian.c -- conformal with a reference for each key: hours of a week, machines, ... (contract
 * 11)
 *
 * Edges, counts and growth of contract 4 within the record's key (odd values of the key's reference
 * are edges, even ones counts), one set of bets over all keys:
 *   p = (G + U (E + 1)) / (N + 1) among the key's values;  R <- (g + R) L(p);  S as in contract 4
 * A key without a reference has one bin, so its p is U. (Vovk, Lindsay, Nouretdinov and Gammerman
 * 2003, Mondrian conformal.) Cost: that of conformal; memory: 6 KiB a key at 256 bins.
 *
 * Without any reference the first `warmup` records, with their keys, become one. That happens here
 * and not in the runner, whose warm-up keeps no keys. The tables are then made at the end of the
 * warm-up: only then is it known how many keys there are.
 */
#include <assert.h>

#include "config/option.h"
#include "detectors/kit/bets.h"
#include "detectors/kit/bins.h"
#include "detectors/kit/carve.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/kit/rank_change.h"
#include "detectors/kit/reference.h"
#include "detectors/kit/rng.h"
#include "detectors/kit/sort.h"
#include "detectors/registry.h"

static const char name[] = "mondrian";
enum { BINS_MAX = 4096, WARMUP_MAX = 1000000, KEYS_MAX = 65536 };

struct mondrian_options {
	uint32_t bins, cap, warmup;
};

/* What a reference gives, and the state of the test. */
struct keyed {
	uint32_t keys;
	uint64_t reference_n; /* values counted from the reference */
	struct bins *bins;    /* [keys] */
	struct jumper jumper;
	struct lanes lanes;
};

struct mondrian {
	struct mondrian_options o;
	uint64_t seed, stream;
	const bets_row *table;
	/* state */
	uint64_t n;
	struct keyed *keyed;  /* NULL while warming up */
	uint32_t warm_n;
	bool own_reference;   /* the reference was a warm-up, so it is state too */
	double *warm_value;   /* [warmup] without a reference */
	uint32_t *warm_key;   /* [warmup] */
};

static const struct option options_table[] = {
	OPT_U32(struct mondrian_options, bins, "bins", "256", 2, BINS_MAX,
	        "equal-mass bins of each key's reference"),
	OPT_U32(struct mondrian_options, cap, "cap", "0", 0, 4294967295.0,
	        "a key's reference grows up to this many values; 0: without end"),
	OPT_U32(struct mondrian_options, warmup, "warmup", "1000", 2, WARMUP_MAX,
	        "without a reference the first records are one: this many"),
	OPT_END,
};

static uint32_t
keys_of(const struct reference *ref)
{
	return !ref || ref->n == 0 ? 0 : ref->key ? ref->keys : 1;
}

static struct keyed *
layout(struct carve *c, uint32_t bins, uint32_t keys, struct bins **all, void **lanes)
{
	struct keyed *self = carve_take(c, sizeof *self);

	*all = carve_take(c, keys * sizeof **all);
	for (uint32_t k = 0; k < keys; k++) {
		struct bins one = { 0 };

		bins_carve(&one, c, bins);
		if (*all)
			(*all)[k] = one;
	}
	*lanes = carve_take(c, lanes_bytes(BETS_LANES, 1));
	return self;
}

static size_t
keyed_bytes(const struct mondrian_options *o, uint32_t keys)
{
	struct carve c = { 0 };
	struct bins *bins;
	void *lanes;

	layout(&c, o->bins, keys, &bins, &lanes);
	return c.used;
}

/* One key: its odd values fix the edges, its even ones are counted. */
static void
learn(struct keyed *self, uint32_t bins, const struct reference *ref, uint32_t key, double *scratch)
{
	struct bins *b = &self->bins[key];
	uint32_t n = 0, odd = 0;

	for (uint32_t i = 0; i < ref->n; i++)
		if ((ref->key ? ref->key[i] : 0) == key && n++ % 2 == 0)
			scratch[odd++] = ref->value[i];
	sort_doubles(scratch, odd);
	bins_init(b, bins, scratch, odd);
	n = 0;
	for (uint32_t i = 0; i < ref->n; i++)
		if ((ref->key ? ref->key[i] : 0) == key && n++ % 2 == 1)
			bins_add(b, bins_find(b, ref->value[i]), 1);
	self->reference_n += b->total;
}

/* NULL when memory fails. */
static struct keyed *
keyed_create(const struct mondrian_options *o, const struct reference *ref)
{
	uint32_t keys = keys_of(ref);
	struct carve c = { carve_memory(keyed_bytes(o, keys)), 0 };
	double *scratch = malloc((ref->n + (size_t)1) * sizeof *scratch);
	struct keyed *self;
	struct bins *bins;
	void *lanes;

	if (!c.base || !scratch) {
		free(c.base);
		free(scratch);
		return NULL;
	}
	self = layout(&c, o->bins, keys, &bins, &lanes);
	self->keys = keys;
	self->bins = bins;
	for (uint32_t k = 0; k < keys; k++)
		learn(self, o->bins, ref, k, scratch);
	jumper_reset(&self->jumper);
	lanes_init(&self->lanes, lanes, BETS_LANES, 1, BETS_REAL);
	free(scratch);
	return self;
}

static size_t
mondrian_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	const struct mondrian_options *o = options;
	size_t bytes = sizeof(struct mondrian) + keyed_bytes(o, keys_of(ref));

	(void)phases;
	if (keys_of(ref) == 0)
		bytes += o->warmup * (sizeof(double) + sizeof(uint32_t));
	return bytes;
}

static void
mondrian_destroy(void *instance)
{
	struct mondrian *self = instance;

	if (!self)
		return;
	free(self->keyed);
	free(self->warm_value);
	free(self->warm_key);
	free(self);
}

static int
mondrian_create(void **out, const void *options, const struct reference *ref, uint32_t phases,
                uint64_t seed, uint64_t stream, struct diag *d)
{
	const struct mondrian_options *o = options;
	struct mondrian *self = calloc(1, sizeof *self);
	bool fine = self != NULL;

	assert(phases == 1);
	if (fine) {
		self->o = *o;
		self->seed = seed;
		self->stream = stream;
		self->table = bets_table();
		self->own_reference = keys_of(ref) == 0;
	}
	if (fine && self->own_reference) {
		self->warm_value = calloc(o->warmup, sizeof *self->warm_value);
		self->warm_key = calloc(o->warmup, sizeof *self->warm_key);
		fine = self->warm_value && self->warm_key;
	} else if (fine) {
		self->keyed = keyed_create(o, ref);
		fine = self->keyed != NULL;
	}
	if (!fine) {
		mondrian_destroy(self);
		return diag_set(d, ERR_IO, "%s: out of memory", name);
	}
	*out = self;
	return 0;
}

/* So many tables a warm-up makes at most; keys from there on count as ones without reference. */
static uint32_t
warm_keys_max(const struct mondrian *self)
{
	return self->o.warmup < KEYS_MAX ? self->o.warmup : KEYS_MAX;
}

/* The collected values as a reference; the rest of the program ends when memory does. */
static void
start(struct mondrian *self)
{
	struct reference ref = { .n = self->warm_n, .value = self->warm_value,
		.key = self->warm_key, .days = 1, .keys = 1 };

	for (uint32_t i = 0; i < self->warm_n; i++)
		if (self->warm_key[i] >= ref.keys && self->warm_key[i] < warm_keys_max(self))
			ref.keys = self->warm_key[i] + 1;
	self->keyed = keyed_create(&self->o, &ref);
	assert(self->keyed);
}

static void
warm(struct mondrian *self, uint32_t key, double x)
{
	self->warm_value[self->warm_n] = x;
	self->warm_key[self->warm_n++] = key < warm_keys_max(self) ? key : warm_keys_max(self);
	if (self->warm_n == self->o.warmup)
		start(self);
}

static inline __attribute__((always_inline)) double
rank(struct mondrian *self, uint32_t key, double x)
{
	double p = rng_uniform(self->seed, self->stream, ++self->n);
	struct bins *b = key < self->keyed->keys ? &self->keyed->bins[key] : NULL;
	uint32_t bin;

	if (!b)
		return p;
	bin = bins_find(b, x);
	p = bins_p(b, bin, p);
	bins_grow(b, bin, self->o.cap);
	return p;
}

static inline __attribute__((always_inline)) uint32_t
update(void *instance, const struct column *column, uint32_t from, double threshold, struct reading *out)
{
	struct mondrian *self = instance;

	for (uint32_t i = from; i < column->n; i++) {
		uint32_t key = column->key ? column->key[i] : 0;
		double x = column->value[i], add[LANES_SUMS] = { 0.0, plain_cut(x), 0.0 }, p, s;
		_Alignas(64) double factor[BETS_LANES];

		out[i] = (struct reading){ .statistic = (double)NAN };
		if (!self->keyed) {
			warm(self, key, x);
			continue;
		}
		p = add[0] = rank(self, key, x);
		if (self->keyed->lanes.block_n == 0)
			jumper_scale(&self->keyed->jumper);
		bets_factors(self->table, p, jumper_step(&self->keyed->jumper, p), factor);
		s = lanes_step(&self->keyed->lanes, factor, column->gain ? column->gain[i] : 1.0, 0,
		               column->time_ms ? column->time_ms[i] : 0, add)
		    * self->keyed->lanes.weight;
		out[i] = (struct reading){ .statistic = s, .alarm = s >= threshold };
		if (out[i].alarm)
			return i + 1;
	}
	return column->n;
}

/* The same with wider vectors: the same bits, in three quarters of the time. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t
update_avx2(void *instance, const struct column *column, uint32_t from, double threshold, struct reading *out)
{
	return update(instance, column, from, threshold, out);
}
#endif

static uint32_t
mondrian_update(void *instance, const struct column *column, uint32_t from, double threshold,
                struct reading *out)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return update_avx2(instance, column, from, threshold, out);
#endif
	return update(instance, column, from, threshold, out);
}

static void
mondrian_reset(void *instance)
{
	struct mondrian *self = instance;

	if (!self->keyed)
		return;
	lanes_reset(&self->keyed->lanes);
	jumper_reset(&self->keyed->jumper);
}

static void
mondrian_skip(void *instance, uint64_t n)
{
	struct mondrian *self = instance;

	if (self->keyed)
		self->n += n;
}

static void
mondrian_change(const void *instance, struct change *out)
{
	const struct mondrian *self = instance;
	double since[LANES_SUMS];
	int direction;

	*out = (struct change){ 0 };
	if (!self->keyed || !detector_change_start(&self->keyed->lanes, since, out))
		return;
	direction = bets_direction(out->cell);
	out->cell = 0;
	rank_change(since[0], out);
	out->up = direction ? direction > 0 : out->effect > 0.0;
	out->old_value = (double)NAN;
	out->new_value = since[1] / (double)out->records;
}

static void
mondrian_save(const void *instance, struct codec *out)
{
	const struct mondrian *self = instance;

	if (self->own_reference) {
		codec_put_u32(out, self->warm_n);
		codec_put_f64s(out, self->warm_value, self->warm_n);
		codec_put_u32s(out, self->warm_key, self->warm_n);
	}
	if (!self->keyed)
		return;
	codec_put_u64(out, self->n);
	for (uint32_t k = 0; k < self->keyed->keys; k++)
		bins_save(&self->keyed->bins[k], out);
	jumper_save(&self->keyed->jumper, out);
	lanes_save(&self->keyed->lanes, out);
}

/* The collected values; makes the tables anew when they are complete. */
static bool
load_warm(struct mondrian *self, struct codec *in)
{
	bool fine;

	free(self->keyed);
	self->keyed = NULL;
	self->warm_n = codec_get_u32(in);
	fine = !in->bad && self->warm_n <= self->o.warmup;
	self->warm_n = fine ? self->warm_n : 0;
	codec_get_f64s(in, self->warm_value, self->warm_n);
	codec_get_u32s(in, self->warm_key, self->warm_n);
	for (uint32_t i = 0; i < self->warm_n; i++)
		fine = fine && isfinite(self->warm_value[i])
		       && self->warm_key[i] <= warm_keys_max(self);
	if (fine && !in->bad && self->warm_n == self->o.warmup)
		start(self);
	return fine && !in->bad;
}

static int
mondrian_load(void *instance, struct codec *in, struct diag *d)
{
	struct mondrian *self = instance;
	struct keyed *k;
	uint64_t total = 0;
	bool fine = true;

	if (self->own_reference && !load_warm(self, in))
		return plain_loaded(false, name, d);
	k = self->keyed;
	if (!k) {
		self->n = 0;
		return 0;
	}
	self->n = codec_get_u64(in);
	for (uint32_t i = 0; i < k->keys; i++) {
		fine = bins_load(&k->bins[i], in) && fine;
		total += k->bins[i].total;
	}
	fine = jumper_load(&k->jumper, in) && fine;
	fine = lanes_load(&k->lanes, in) == 0 && fine;
	return plain_loaded(fine && !in->bad && k->lanes.records <= self->n
	                            && total >= k->reference_n
	                            && total - k->reference_n <= k->lanes.records,
	                    name, d);
}

const struct detector mondrian_detector = {
	.name = name,
	.summary = "any change of the law of a number, given a key such as the hour of the week",
	.source = "contract 11; Vovk, Lindsay, Nouretdinov, Gammerman 2003",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_METERED | DETECTOR_KEY_VALUE,
	.options = options_table,
	.options_size = sizeof(struct mondrian_options),
	.bytes = mondrian_bytes,
	.create = mondrian_create,
	.destroy = mondrian_destroy,
	.update = mondrian_update,
	.reset = mondrian_reset,
	.skip = mondrian_skip,
	.change = mondrian_change,
	.save = mondrian_save,
	.load = mondrian_load,
};
