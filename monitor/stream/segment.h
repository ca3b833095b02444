/* segment.h -- the records of a model by the values of keys (country=NL): each value a family of streams.
 *
 * A key is one of `segments`, a field of the record, or one of `coverage: {groups: [class, set_size]}`, which
 * is made of the prediction. Its values are counted until LIMIT_WARMUP records have had one; then the
 * `segments_max` most frequent ones (ties in byte order) are watched for good, and every other value is
 * `__other__`. A fit counts all its records first. Segments have outputs, outcomes and, where
 * `segments: {features: true}` says so, features; groups have outcomes only. There are no cross products.
 *
 * Which segments a record belongs to is one number, its combination: what the journal keeps of them.
 */
#ifndef MONITOR_STREAM_SEGMENT_H
#define MONITOR_STREAM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct categories;
struct codec;
struct model;
struct model_config;
struct record;
struct rows;
struct stream;
struct version;

/* One value of one key. */
struct segment {
	char *text;            /* key=value */
	size_t length;
	uint32_t key;          /* UINT32_MAX: a key that is no longer configured */
	double share;          /* of the records that its value was chosen by */
	struct rows *features; /* NULL unless they are watched */
	struct stream **slot;  /* [slots] of the decoder */
	size_t slots, slot_capacity;
	uint32_t mirrored;     /* so many streams of the model's features have been looked at */
};

enum segment_source { SEGMENT_FIELD, SEGMENT_CLASS, SEGMENT_SET_SIZE };

struct segment_key {
	const char *name;
	enum segment_source source;
	uint32_t field;                 /* SEGMENT_FIELD: number among the record's */
	struct categories *values;      /* in order of appearance */
	uint64_t *count;                /* [LIMIT_CATEGORIES + 1] */
	uint64_t counted;
	bool chosen;
	struct segment **of;            /* [LIMIT_CATEGORIES + 1] by code; NULL: __other__ */
	struct segment *other;
};

struct segments {
	struct segment_key *key;
	uint32_t keys;
	struct segment **segment;       /* [n] all of them */
	uint32_t n;
	size_t capacity;
	struct segment **now;           /* [keys] of the record that is being taken, NULL none */
	uint16_t (*combination)[8];     /* [combinations] segment + 1 by key, 0 none */
	uint32_t combinations, last;
	size_t combination_capacity;
};

enum { SEGMENT_KEYS_MAX = 8 };

struct segments *segments_create(const struct model *m); /* NULL: the model has none */
void segments_destroy(struct segments *s);               /* NULL is fine */
/* Counts the record's values; `choose`: and chooses where enough have been counted. */
void segments_count(struct model *m, const struct record *r, bool choose);
void segments_choose(struct model *m); /* now, whatever was counted */
/* The record's segments into `now`; their combination, 0 for none. */
uint16_t segments_of(struct model *m, const struct record *r);
/* Numbers, among the model's segments, of those of a combination: how many. A number keeps its meaning. */
uint32_t segment_numbers(const struct model *m, uint16_t combination, uint16_t out[SEGMENT_KEYS_MAX]);
/* Segments of a combination: into out[SEGMENT_KEYS_MAX], how many. */
uint32_t segments_in(const struct model *m, uint16_t combination, struct segment *out[SEGMENT_KEYS_MAX]);
bool segment_has_outputs(const struct model *m, const struct segment *s);
/* The segment called so: after a restart its key may be gone. */
struct segment *segment_find(struct model *m, const char *text, size_t length);
/* All records, and the families of every key at most: what shares of the budget are kept for. */
uint32_t segment_families(const struct model_config *config);
/* Groups that may have a test of their coverage against the level promised, beside that of their past. */
uint32_t segment_contracts(const struct model_config *config);

void segments_save(const struct segments *s, struct codec *out); /* NULL is fine */
int segments_load(struct model *m, struct codec *in);

#endif
