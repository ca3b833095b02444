/* test_decode_fields.c -- what fields mean. */
#include <xxhash.h>

#include "tests/test_decode.h"

void
decode_every_field(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: credit\n    segments: [country]\n");
	give(&s, "{\"id\":\"a1\",\"ts\":1700000000123,\"model\":\"credit\",\"version\":\"7\","
	         "\"features\":{\"income\":51000.0,\"purpose\":\"car\",\"age\":null},"
	         "\"segment\":{\"country\":\"NL\"},\"prediction\":{\"class\":\"good\",\"score\":0.83,"
	         "\"probs\":{\"good\":0.83,\"bad\":0.17},\"value\":3.1,\"lower\":2.2,\"upper\":4.4,"
	         "\"level\":0.9,\"set\":[\"good\",\"bad\"]},\"conformal\":{\"n_cal\":500},"
	         "\"label\":\"good\",\"score\":0.42,\"probe_of\":\"a0\"}");
	assert_accepted(&s);
	const struct record *r = &s.r;
	assert_int_equal(r->parts, RECORD_FEATURES | RECORD_PREDICTION | RECORD_LABEL |
	                               RECORD_PROBE | RECORD_HAS_TS | RECORD_HAS_ID);
	assert_int_equal(r->ts, 1700000000123);
	assert_int_equal(r->offset, 7);
	assert_text(&s, r->id, "a1");
	assert_text(&s, r->version, "7");
	assert_text(&s, r->segment[0], "NL");
	assert_number(feature_of(&s, "income"), 51000);
	assert_int_equal(feature_of(&s, "purpose")->tag, CELL_TEXT);
	assert_text(&s, feature_of(&s, "purpose")->text, "car");
	assert_int_equal(feature_of(&s, "age")->tag, CELL_NULL);
	assert_int_equal(r->klass.tag, CELL_TEXT);
	assert_text(&s, r->klass.text, "good");
	assert_number(&r->top_score, .83);
	assert_number(&r->value, 3.1);
	assert_number(&r->lower, 2.2);
	assert_number(&r->upper, 4.4);
	assert_number(&r->level, .9);
	assert_number(&r->n_cal, 500);
	assert_number(&r->nonconformity, .42);
	assert_int_equal(r->probs, 2);
	assert_int_equal(r->classes, 2);
	assert_text(&s, r->class_name[1], "bad");
	assert_true(r->prob[0] == .83 && r->prob[1] == .17);
	assert_true(r->has_set);
	assert_int_equal(r->sets, 2);
	assert_text(&s, r->set[1].text, "bad");
	assert_text(&s, r->label.text, "good");
	assert_int_equal(r->fields_unknown + r->fields_type + r->fields_nonfinite, 0);
	scene_close(&s);
}

void
decode_aliases(void **state)
{
	static const char *const ids[] = { "id", "record_id", "prediction_id", "inference_id" };
	static const char *const times[] = { "ts", "timestamp", "event_time" };
	static const char *const labels[] = { "label", "y_true", "target", "actual", "ground_truth" };
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    segments: [country]\n");
	for (size_t i = 0; i < 5; i++) {
		char text[512];
		snprintf(text, sizeof(text),
		         "{\"%s\":\"x\",\"%s\":5,\"model\":\"m\",\"model_version\":3,"
		         "\"group\":{\"country\":\"NL\"},\"%s\":\"up\",\"y_pred\":\"down\","
		         "\"y_pred_proba\":[0.4,0.6],\"nonconformity\":0.5}",
		         ids[i % 4], times[i % 3], labels[i]);
		give(&s, text);
		assert_accepted(&s);
		assert_text(&s, s.r.id, "x");
		assert_int_equal(s.r.ts, 5);
		assert_text(&s, s.r.version, "3");
		assert_text(&s, s.r.segment[0], "NL");
		assert_text(&s, s.r.label.text, "up");
		assert_text(&s, s.r.klass.text, "down");
		assert_int_equal(s.r.probs, 2);
		assert_number(&s.r.nonconformity, .5);
		assert_int_equal(s.r.fields_unknown, 0);
	}
	scene_close(&s);
}

void
decode_best_alias(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give(&s, "{\"prediction_id\":\"p\",\"id\":\"i\",\"ts\":1,\"timestamp\":2,\"model\":\"m\","
	         "\"target\":1,\"label\":2,\"features\":{}}");
	assert_accepted(&s);
	assert_text(&s, s.r.id, "i");
	assert_int_equal(s.r.ts, 1);
	assert_number(&s.r.label, 2);
	/* null is no value. */
	give(&s, "{\"id\":null,\"record_id\":\"r\",\"ts\":1,\"model\":\"m\",\"features\":{}}");
	assert_text(&s, s.r.id, "r");
	scene_close(&s);
}

void
decode_paths(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "fields: {id: meta.request.id, ts: 'meta.at', prediction: out,\n"
	                    "  prediction.value: out.stats.mean, label: features.target, model: who}\n"
	                    "models: auto\n");
	give(&s, "{\"meta\":{\"other\":{\"a\":[1]},\"request\":{\"id\":\"q\"},\"at\":9},\"who\":\"m\","
	         "\"out\":{\"stats\":{\"sd\":1,\"mean\":2.5},\"lower\":1},\"id\":\"no\",\"label\":\"no\","
	         "\"features\":{\"x\":1,\"target\":\"yes\",\"y\":2}}");
	assert_accepted(&s);
	assert_text(&s, s.r.id, "q");
	assert_int_equal(s.r.ts, 9);
	assert_number(&s.r.value, 2.5);
	assert_number(&s.r.lower, 1);
	assert_text(&s, s.r.label.text, "yes");
	assert_int_equal(s.r.slots, 2);
	assert_number(feature_of(&s, "y"), 2);
	/* The names that were replaced mean nothing any more. */
	assert_int_equal(s.r.fields_unknown, 4);
	scene_close(&s);
}

void
decode_flat_features(void **state)
{
	static char feature_key[] = "features", payload[] = "payload", prediction[] = "prediction";
	struct scene s;
	struct field_config f[2] = { { feature_key, { 0, NULL } }, { prediction, { 0, NULL } } };
	char *path[1] = { payload };
	(void)state;

	/* An empty path is the record itself. */
	scene_open(&s, NULL);
	struct config c = *s.f.config;
	static const uint8_t key[16];
	for (int shared = 0; shared < 2; shared++) {
		struct decoder *d;
		struct record r;
		record_init(&r);
		if (shared)
			f[0].path = f[1].path = (struct strings){ 1, path };
		c.defaults.field = f;
		c.defaults.fields = shared ? 2 : 1;
		assert_int_equal(decoder_create(&d, &c, key, NULL), 0);
		const char *text = shared ? "{\"ts\":1,\"model\":\"m\",\"payload\":{\"x\":2,\"class\":\"a\"}}"
		                          : "{\"ts\":1,\"x\":2,\"model\":\"m\",\"members\":[1],"
		                            "\"prediction\":{\"class\":\"a\"}}";
		struct message m = { .value = (const uint8_t *)text, .value_length = strlen(text),
			             .kafka_ms = INT64_MIN, .profile = decoder_profile(d, "x") };
		decode(d, &m, &r);
		assert_int_equal(r.reject, REJECT_NONE);
		assert_int_equal(r.parts & (RECORD_FEATURES | RECORD_PREDICTION),
		                 RECORD_FEATURES | RECORD_PREDICTION);
		assert_int_equal(r.slots, 1);
		assert_number(&r.cell[0], 2);
		record_finish(&r);
		decoder_destroy(d);
	}
	scene_close(&s);
}

void
decode_escaped_keys(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give(&s, "{\"\\u0074s\":1,\"mod\\u0065l\":\"m\",\"f\\u0065atures\":{\"\\u0061\":1,"
	         "\"k\\\\b\":2,\"k\\b\":3,\"\\ud83d\\ude00\":4,\"\":5}}");
	assert_accepted(&s);
	assert_number(feature_of(&s, "a"), 1);
	assert_number(feature_of(&s, "k\\b"), 2);
	assert_number(feature_of(&s, "k\b"), 3);
	assert_number(feature_of(&s, "\xf0\x9f\x98\x80"), 4);
	assert_number(feature_of(&s, ""), 5);
	/* The same keys otherwise written, and a long one. */
	give(&s, "{\"ts\":1,\"model\":\"m\",\"features\":{\"a\":6,\"k\\u0008\":7,\"k\\u005cb\":8,"
	         "\"\xf0\x9f\x98\x80\":9,\"a_name_of_more_than_sixteen_bytes\":10}}");
	assert_accepted(&s);
	assert_number(feature_of(&s, "a"), 6);
	assert_number(feature_of(&s, "k\b"), 7);
	assert_number(feature_of(&s, "k\\b"), 8);
	assert_number(feature_of(&s, "\xf0\x9f\x98\x80"), 9);
	give(&s, "{\"ts\" : 1 , \"model\" : \"m\" , \"features\" : { \"a\" : 6 , \"k\\u0008\":7.5 ,"
	         "\"a_name_of_more_than_sixteen_byteZ\":11,\"a_name_of_more_than_sixteen_bytes\":12 } }");
	assert_accepted(&s);
	assert_number(feature_of(&s, "a_name_of_more_than_sixteen_byteZ"), 11);
	assert_number(feature_of(&s, "a_name_of_more_than_sixteen_bytes"), 12);
	assert_int_equal(decoder_slots(s.f.decoder, 0), 7);
	scene_close(&s);
}

void
decode_tags(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"features\":{\"n\":-0.5e3,\"i\":12,\"t\":\"NaN\",\"b\":true,\"f\":false,\"z\":null,"
	              "\"x\":NaN,\"y\":-Infinity,\"w\":Infinity,\"v\":1e400,\"u\":-1e400,\"s\":1e-400,"
	              "\"o\":{\"a\":[1,{}]},\"l\":[],\"m\":-0}");
	assert_accepted(&s);
	assert_number(feature_of(&s, "n"), -500);
	assert_false(feature_of(&s, "n")->integral);
	assert_number(feature_of(&s, "i"), 12);
	assert_true(feature_of(&s, "i")->integral);
	assert_text(&s, feature_of(&s, "t")->text, "NaN");
	assert_text(&s, feature_of(&s, "b")->text, "true");
	assert_text(&s, feature_of(&s, "f")->text, "false");
	assert_int_equal(feature_of(&s, "f")->tag, CELL_TEXT);
	assert_int_equal(feature_of(&s, "z")->tag, CELL_NULL);
	for (const char *p = "xywvu"; *p != '\0'; p++)
		assert_int_equal(feature_of(&s, (char[]){ *p, '\0' })->tag, CELL_NONFINITE);
	assert_number(feature_of(&s, "s"), 0);
	assert_number(feature_of(&s, "m"), -0.0);
	assert_int_equal(feature_of(&s, "o")->tag, CELL_BAD_TYPE);
	assert_int_equal(feature_of(&s, "l")->tag, CELL_BAD_TYPE);
	assert_int_equal(feature_of(&s, "absent")->tag, CELL_ABSENT);
	assert_int_equal(s.r.fields_nonfinite, 5);
	assert_int_equal(s.r.fields_type, 2);
	/* What the next record does not name is absent there. */
	give_rest(&s, "\"features\":{\"i\":1}");
	assert_int_equal(feature_of(&s, "n")->tag, CELL_ABSENT);
	assert_int_equal(s.r.slots, 15);
	scene_close(&s);
}

void
decode_configured_types(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    segments: [zip]\n    fields: {segment: features}\n"
	                    "    features: {n: numeric, c: categorical, x: ignore}\n");
	assert_int_equal(decoder_slots(s.f.decoder, 0), 4);
	assert_int_equal(decoder_slot_type(s.f.decoder, 0, 1), FEATURE_CATEGORICAL);
	give_rest(&s, "\"features\":{\"n\":\"3\",\"c\":4711,\"x\":{\"y\":1},\"zip\":1234}");
	assert_accepted(&s);
	assert_int_equal(feature_of(&s, "n")->tag, CELL_BAD_TYPE);
	assert_int_equal(feature_of(&s, "c")->tag, CELL_TEXT);
	assert_text(&s, feature_of(&s, "c")->text, "4711");
	assert_int_equal(feature_of(&s, "c")->hash, XXH64("4711", 4, 0));
	assert_int_equal(feature_of(&s, "x")->tag, CELL_ABSENT);
	assert_text(&s, s.r.segment[0], "1234"); /* a feature and a segment */
	assert_number(feature_of(&s, "zip"), 1234);
	assert_int_equal(s.r.fields_type, 1);
	give_rest(&s, "\"features\":{\"n\":true,\"c\":2.5,\"x\":1}");
	assert_int_equal(feature_of(&s, "n")->tag, CELL_BAD_TYPE);
	assert_text(&s, feature_of(&s, "c")->text, "2.5");
	give_rest(&s, "\"features\":{\"n\":3,\"c\":NaN}");
	assert_number(feature_of(&s, "n"), 3);
	assert_int_equal(feature_of(&s, "c")->tag, CELL_NONFINITE);
	scene_close(&s);
}

void
decode_listed_features(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    features: [a, b]\n");
	for (int i = 0; i < 2; i++) {
		give_rest(&s, "\"features\":{\"b\":1,\"c\":2,\"d\":[1,2],\"a\":3}");
		assert_accepted(&s);
		assert_int_equal(s.r.slots, 2);
		assert_number(&s.r.cell[0], 3);
		assert_number(&s.r.cell[1], 1);
		assert_int_equal(s.r.fields_unknown, 2);
	}
	scene_close(&s);
}

void
decode_ids(void **state)
{
	struct scene s;
	struct text first;
	(void)state;

	scene_open(&s, NULL);
	give(&s, "{\"id\":9007199254740993,\"ts\":1,\"model\":\"m\",\"label\":1}");
	assert_text(&s, s.r.id, "9007199254740993");
	uint64_t keyed = s.r.id_keyed;
	give(&s, "{\"id\":\"9007199254740993\",\"ts\":1,\"model\":\"m\",\"label\":1}");
	assert_true(s.r.id_keyed == keyed);
	give(&s, "{\"id\":\"a~\\u0000b\",\"ts\":1,\"model\":\"m\",\"label\":1}");
	assert_accepted(&s);
	first = s.r.id;
	assert_int_equal(first.length, 4);
	assert_memory_equal(record_text(&s.r, first), "a~\0b", 4);
	keyed = s.r.id_keyed;
	give(&s, "{\"id\":\"a~\\u0000c\",\"ts\":1,\"model\":\"m\",\"label\":1}");
	assert_true(s.r.id_keyed != keyed);
	/* Without an id, and with one of another type: fine but for labels. */
	give(&s, "{\"ts\":1,\"model\":\"m\",\"features\":{}}");
	assert_accepted(&s);
	assert_false(s.r.parts & RECORD_HAS_ID);
	give(&s, "{\"id\":[1],\"ts\":1,\"model\":\"m\",\"features\":{}}");
	assert_accepted(&s);
	assert_false(s.r.parts & RECORD_HAS_ID);
	assert_int_equal(s.r.fields_type, 2);
	scene_close(&s);
}

void
decode_hashes(void **state)
{
	static const uint8_t key[16] = { 1, 2, 3 }; /* of the fixture */
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give(&s, "{\"id\":\"abc\",\"ts\":77,\"model\":\"m\",\"label\":1}");
	assert_true(s.r.id_keyed == siphash13(key, "abc", 3));
	assert_true(s.r.id_order == XXH64("abc", 3, 0));
	assert_true(s.r.id_ts_order == XXH64("abc", 3, 77));
	scene_close(&s);
}

void
decode_siphash(void **state)
{
	/* hash(bytes(range(n))) of CPython 3.11 with PYTHONHASHSEED=0, an independent
	 * SipHash-1-3. */
	static const struct {
		size_t n;
		uint64_t hash;
	} vectors[] = {
		{ 1, 0x68a914128e01e473u },  { 2, 0x010bac45c41e3669u },
		{ 3, 0x4d4c9a4a8ef6e0adu },  { 7, 0x2f098ab0c751325au },
		{ 8, 0xead411e67ebe2eeau },  { 9, 0x75927f9d95124362u },
		{ 15, 0xf30eb725bb91c9eau }, { 16, 0x8972188433a5c5b7u },
		{ 31, 0x169739443111d49bu }, { 64, 0x75e05fd5bbc870c6u },
	};
	uint8_t zero[16] = { 0 }, bytes[64];
	(void)state;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(siphash13(zero, bytes, vectors[i].n) == vectors[i].hash);
	assert_true(siphash13(bytes, bytes, 0) == 0xabac0158050fc4dcu);
}

void
decode_segments(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    segments: [a, b]\n  - name: one\n"
	                    "    segments: [only]\n");
	give_rest(&s, "\"segment\":{\"c\":1,\"b\":7,\"a\":null},\"features\":{}");
	assert_accepted(&s);
	assert_int_equal(s.r.segment[0].length, 0);
	assert_text(&s, s.r.segment[1], "7");
	assert_int_equal(s.r.fields_unknown, 0);
	give_rest(&s, "\"segment\":{\"a\":true},\"features\":{}");
	assert_text(&s, s.r.segment[0], "true");
	assert_int_equal(s.r.segment[1].length, 0);
	give_rest(&s, "\"segment\":\"x\",\"features\":{}");
	assert_accepted(&s);
	assert_int_equal(s.r.fields_type, 1);
	give(&s, "{\"ts\":1,\"model\":\"one\",\"group\":\"x\",\"features\":{}}");
	assert_accepted(&s);
	assert_text(&s, s.r.segment[0], "x");
	scene_close(&s);
}
