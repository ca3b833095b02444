/* test_private.c -- what of a record gets beyond the decoder with `privacy:`. */
#include "monitor/decode/privacy.h"
#include "tests/test_decode.h"
#include "tests/tests.h"

#define RECORD                                                                                     \
	"{\"id\":\"a1\",\"ts\":1700000000123,\"model\":\"credit\",\"features\":{\"income\":51000.5,"  \
	"\"purpose\":\"car\",\"known\":true},\"segment\":{\"country\":\"NL\"},\"prediction\":"        \
	"{\"class\":\"good\"}}"
#define MODELS "models:\n  - name: credit\n    segments: [country]\n"

static bool
is_hash(const struct record *r, struct text t)
{
	return t.length == PRIVACY_TEXT - 1 && record_text(r, t)[0] == '#';
}

static void
hash_leaves_no_text_of_a_value(void **state)
{
	struct scene plain, hash;
	(void)state;

	scene_open(&plain, HEAD MODELS);
	scene_open(&hash, HEAD "privacy: {values: hash}\n" MODELS);
	give(&plain, RECORD);
	give(&hash, RECORD);
	assert_accepted(&hash);
	assert_text(&plain, plain.r.id, "a1");
	assert_true(is_hash(&hash.r, hash.r.id));
	assert_true(is_hash(&hash.r, feature_of(&hash, "purpose")->text));
	assert_true(is_hash(&hash.r, feature_of(&hash, "known")->text));
	assert_true(is_hash(&hash.r, hash.r.segment[0]));
	assert_number(feature_of(&hash, "income"), 51000.5);
	assert_text(&hash, hash.r.klass.text, "good");
	/* Who it is, and in which order it stands, does not depend on it. */
	assert_true(hash.r.id_keyed == plain.r.id_keyed && hash.r.id_order == plain.r.id_order);
	scene_close(&plain);
	scene_close(&hash);
}

static void
equal_texts_have_equal_hashes(void **state)
{
	struct scene s;
	char first[PRIVACY_TEXT];
	(void)state;

	scene_open(&s, HEAD "privacy: {values: hash}\n" MODELS);
	give(&s, RECORD);
	uint64_t hash = feature_of(&s, "purpose")->hash;
	memcpy(first, record_text(&s.r, feature_of(&s, "purpose")->text), PRIVACY_TEXT - 1);
	give(&s, RECORD);
	assert_true(feature_of(&s, "purpose")->hash == hash);
	assert_memory_equal(first, record_text(&s.r, feature_of(&s, "purpose")->text), PRIVACY_TEXT - 1);
	scene_close(&s);
}

static void
bin_hides_ids_and_rejected_records_alone(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "privacy: {values: bin}\n" MODELS);
	give(&s, RECORD);
	assert_true(is_hash(&s.r, s.r.id));
	assert_text(&s, feature_of(&s, "purpose")->text, "car");
	assert_text(&s, s.r.segment[0], "NL");
	give(&s, "{\"id\": \"a1\", \"features\": ");
	assert_int_not_equal(s.r.reject, REJECT_NONE);
	assert_int_equal(s.r.raw_length, 0);
	scene_close(&s);
}

const struct CMUnitTest private_tests[] = {
	TEST("private/hash_leaves_no_text_of_a_value", hash_leaves_no_text_of_a_value),
	TEST("private/equal_texts_have_equal_hashes", equal_texts_have_equal_hashes),
	TEST("private/bin_hides_ids_and_rejected_records_alone", bin_hides_ids_and_rejected_records_alone),
	TESTS_END,
};
