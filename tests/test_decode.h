/* test_decode.h -- one decoder, one profile, one record: what the tests of the decoder share. */
#ifndef TESTS_TEST_DECODE_H
#define TESTS_TEST_DECODE_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "monitor/decode/record.h"
#include "tests/fixture.h"

#define HEAD                                                                                       \
	"database: none.db\nkafka: {brokers: embedded, group: driftd}\n"                           \
	"topics: {records: [\"t*\"]}\n"

struct scene {
	struct fixture f;
	uint32_t profile;
	struct record r;
};

/* `yaml` NULL: any model. */
static inline void
scene_open(struct scene *s, const char *yaml)
{
	fixture_open(&s->f, yaml);
	s->profile = decoder_profile(s->f.decoder, "topic");
	record_init(&s->r);
}

static inline void
scene_close(struct scene *s)
{
	record_finish(&s->r);
	fixture_close(&s->f);
}

static inline struct record *
give_bytes(struct scene *s, const void *bytes, size_t length, int64_t kafka_ms)
{
	/* A copy that ends where the message ends: reading further is an error that is seen. */
	uint8_t *copy = malloc(length + 1);
	if (copy == NULL)
		abort();
	if (length != 0)
		memcpy(copy, bytes, length);
	uint8_t *tight = realloc(copy, length ? length : 1);
	struct message m = { .value = tight, .value_length = length, .offset = 7,
		             .kafka_ms = kafka_ms, .profile = s->profile };
	decode(s->f.decoder, &m, &s->r);
	free(tight);
	return &s->r;
}

static inline struct record *
give(struct scene *s, const char *text)
{
	return give_bytes(s, text, strlen(text), INT64_MIN);
}

/* A record of model m with a ts and what else is said. */
static inline struct record *
give_rest(struct scene *s, const char *rest)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"id\":\"a\",\"ts\":1,\"model\":\"m\",%s}", rest);
	return give(s, text);
}

/* What a field of the features holds. */
static inline const struct cell *
feature_of(const struct scene *s, const char *name)
{
	static const struct cell absent;
	uint32_t length;

	for (uint32_t i = 0; i < s->r.slots; i++) {
		const char *slot = decoder_slot_name(s->f.decoder, s->r.model, i, &length);
		if (length == strlen(name) && memcmp(slot, name, length) == 0)
			return &s->r.cell[i];
	}
	return &absent;
}

#define assert_accepted(s)                                                                         \
	do {                                                                                       \
		if ((s)->r.reject != REJECT_NONE)                                                  \
			fail_msg("refused: %s, %s", reject_text((s)->r.reject), (s)->r.detail);    \
	} while (0)
#define assert_refused(s, reason)                                                                  \
	do {                                                                                       \
		if ((s)->r.reject != (reason))                                                     \
			fail_msg("%s (%s), not %s", reject_text((s)->r.reject), (s)->r.detail,     \
			         reject_text(reason));                                             \
	} while (0)
#define assert_text(s, t, expected)                                                                \
	do {                                                                                       \
		assert_int_equal((t).length, strlen(expected));                                    \
		assert_memory_equal(record_text(&(s)->r, t), expected, (t).length);                \
	} while (0)
#define assert_detail(s, part)                                                                     \
	do {                                                                                       \
		if (strstr((s)->r.detail, part) == NULL)                                           \
			fail_msg("the detail is \"%s\"", (s)->r.detail);                           \
	} while (0)
/* To the bit. */
#define assert_number(cell_, expected)                                                             \
	do {                                                                                       \
		const double number_ = (expected);                                                 \
		assert_int_equal((cell_)->tag, CELL_NUMBER);                                       \
		assert_memory_equal(&(cell_)->number, &number_, sizeof(number_));                  \
	} while (0)

/* test_decode_fields.c, test_decode_refuse.c, test_decode_random.c */
void decode_every_field(void **);
void decode_aliases(void **);
void decode_best_alias(void **);
void decode_paths(void **);
void decode_flat_features(void **);
void decode_escaped_keys(void **);
void decode_tags(void **);
void decode_configured_types(void **);
void decode_listed_features(void **);
void decode_ids(void **);
void decode_hashes(void **);
void decode_siphash(void **);
void decode_class_text(void **);
void decode_probs(void **);
void decode_prob_order(void **);
void decode_prob_flags(void **);
void decode_bare_predictions(void **);
void decode_sets(void **);
void decode_labels(void **);
void decode_segments(void **);
void decode_data_sets(void **);

void decode_duplicates(void **);
void decode_unknown_fields(void **);
void decode_utf8(void **);
void decode_depth(void **);
void decode_limits(void **);
void decode_formats(void **);
void decode_syntax(void **);
void decode_mark(void **);
void decode_nothing_known(void **);
void decode_no_trace(void **);
void decode_raw(void **);

void decode_strtod(void **);
void decode_dom(void **);
void decode_order_free(void **);
void decode_mutations(void **);

#endif
