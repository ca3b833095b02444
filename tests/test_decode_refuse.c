/* test_decode_refuse.c -- what is refused, with which words, and that it leaves no trace. */
#include "tests/test_decode.h"

void
decode_duplicates(void **state)
{
	static const char *const twice[] = {
		"\"id\":\"b\",\"features\":{}",
		"\"\\u0069d\":\"b\",\"features\":{}",
		"\"label\":1,\"label\":1",
		"\"features\":{},\"features\":{}",
		"\"features\":{\"x\":1,\"x\":2}",
		"\"features\":{\"x\":1,\"y\":1,\"x\":\"2\"}",
		"\"features\":{\"x\":null,\"x\":null}",
		"\"features\":{\"x\":1,\"\\u0078\":2}",
		"\"prediction\":{\"value\":1,\"lower\":1,\"value\":1}",
		"\"prediction\":{\"probs\":{\"a\":0.5,\"a\":0.5}}",
		"\"segment\":{\"country\":1,\"country\":2},\"features\":{}",
		"\"conformal\":{\"n_cal\":1,\"n_cal\":2},\"features\":{}",
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    segments: [country]\n");
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
			give_rest(&s, twice[i]);
			assert_refused(&s, REJECT_DUPLICATE_KEY);
			assert_detail(&s, "duplicate");
		}
		give_rest(&s, "\"features\":{\"x\":1,\"y\":2}"); /* now the keys are predicted */
		assert_accepted(&s);
	}
	/* Twice what means nothing, and one field under two names, are fine. */
	give_rest(&s, "\"zz\":1,\"zz\":2,\"epsilon\":[],\"epsilon\":1,\"record_id\":\"q\",\"features\":{}");
	assert_accepted(&s);
	scene_close(&s);
}

void
decode_unknown_fields(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	for (int round = 0; round < 2; round++) {
		give_rest(&s, "\"a\":{\"b\":[1,{\"c\":null},\"\\ud800\"],\"d\":{}},\"e\":NaN,\"f\":[],"
		              "\"g\":-Infinity,\"h\":1e999,\"i\":true,\"features\":{\"x\":1},\"j\":\"\"");
		assert_accepted(&s);
		assert_int_equal(s.r.fields_unknown, 7);
	}
	/* More different keys than are remembered: still skipped, still counted. */
	for (int i = 0; i < 2000; i++) {
		char rest[64];
		snprintf(rest, sizeof(rest), "\"u%d\":[%d],\"features\":{\"x\":%d}", i, i, i);
		give_rest(&s, rest);
		assert_accepted(&s);
		assert_int_equal(s.r.fields_unknown, 1);
		assert_number(feature_of(&s, "x"), i);
	}
	assert_true(decoder_bytes(s.f.decoder) < 1 << 20);
	scene_close(&s);
}

void
decode_utf8(void **state)
{
	static const char *const wrong[] = { "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80",
		                             "\xe2\x82" };
	struct scene s;
	char rest[128];
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    segments: [country]\n");
	for (size_t i = 0; i < 5; i++) {
		snprintf(rest, sizeof(rest), "\"features\":{\"x\":\"%s\"}", wrong[i]);
		give_rest(&s, rest);
		assert_refused(&s, REJECT_UTF8);
		assert_detail(&s, "byte 46");
	}
	static const char *const lone[] = {
		"\"features\":{\"x\":\"\\ud800\"}",
		"\"features\":{\"x\":\"\\udc00a\"}",
		"\"features\":{\"x\":\"\\ud800\\ud800\"}",
		"\"label\":\"\\ud800\"",
		"\"prediction\":{\"class\":\"\\ud800\"}",
		"\"prediction\":{\"set\":[\"\\ud800\"]}",
		"\"prediction\":{\"probs\":{\"\\ud800\":1}}",
		"\"version\":\"\\ud800\",\"features\":{}",
		"\"segment\":{\"country\":\"\\ud800\"},\"features\":{}",
	};
	for (size_t i = 0; i < sizeof(lone) / sizeof(lone[0]); i++) {
		give_rest(&s, lone[i]);
		assert_refused(&s, REJECT_UTF8);
	}
	give(&s, "{\"id\":\"\\ud800\",\"ts\":1,\"model\":\"m\",\"features\":{}}");
	assert_refused(&s, REJECT_UTF8);
	give_rest(&s, "\"features\":{\"x\":\"\\ud83d\\ude00\",\"\\ud800\":1},\"note\":\"\\ud800\"");
	assert_accepted(&s);
	assert_text(&s, feature_of(&s, "x")->text, "\xf0\x9f\x98\x80");
	scene_close(&s);
}

/* levels arrays around nothing; the record itself is one level. */
static void
give_nested(struct scene *s, const char *before, int levels, char open, const char *after)
{
	char *text = malloc((size_t)levels * 8 + 256), *p = text;

	p += sprintf(p, "{\"ts\":1,\"model\":\"m\",%s", before);
	for (int i = 0; i < levels; i++)
		p += sprintf(p, open == '[' ? "[" : i + 1 < levels ? "{\"a\":" : "{");
	for (int i = 0; i < levels; i++)
		*p++ = open == '[' ? ']' : '}';
	p += sprintf(p, "%s", after);
	give_bytes(s, text, (size_t)(p - text), INT64_MIN);
	free(text);
}

void
decode_depth(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	for (const char *open = "[{"; *open != '\0'; open++) {
		give_nested(&s, "\"features\":{},\"x\":", LIMIT_DEPTH - 1, *open, "}");
		assert_accepted(&s);
		give_nested(&s, "\"features\":{},\"x\":", LIMIT_DEPTH, *open, "}");
		assert_refused(&s, REJECT_TOO_DEEP);
		give_nested(&s, "\"features\":{\"x\":", LIMIT_DEPTH - 2, *open, "}}");
		assert_accepted(&s);
		give_nested(&s, "\"features\":{\"x\":", LIMIT_DEPTH - 1, *open, "}}");
		assert_refused(&s, REJECT_TOO_DEEP);
		give_nested(&s, "\"x\":", 200000, *open, "}");
		assert_refused(&s, REJECT_TOO_DEEP);
	}
	give_nested(&s, "\"prediction\":{\"classes\":", LIMIT_DEPTH - 2, '[',
	            ",\"value\":1}}");
	assert_accepted(&s);
	give_nested(&s, "\"prediction\":{\"classes\":", LIMIT_DEPTH - 1, '[',
	            ",\"value\":1}}");
	assert_refused(&s, REJECT_TOO_DEEP);
	scene_close(&s);
}

/* n items like `item` (a format with one %d), in a record. */
static void
give_many(struct scene *s, const char *before, const char *item, int n, const char *after)
{
	char *text = malloc((size_t)n * 16 + 256), *p = text;

	p += sprintf(p, "{\"ts\":1,\"model\":\"m\",%s", before);
	for (int i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ',';
		if (item[0] == '"')
			p += sprintf(p, "\"f%d\":%d", i, i);
		else
			p += sprintf(p, "%d", i);
	}
	p += sprintf(p, "%s", after);
	give_bytes(s, text, (size_t)(p - text), INT64_MIN);
	free(text);
}

void
decode_limits(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_many(&s, "\"features\":{", "\"", LIMIT_FEATURES + 1, "}}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);
	give_many(&s, "\"features\":{", "\"", LIMIT_FEATURES, "}}");
	assert_accepted(&s);
	assert_int_equal(decoder_slots(s.f.decoder, 0), LIMIT_FEATURES);
	/* No slot is left for another name. */
	give_rest(&s, "\"features\":{\"new\":1}");
	assert_accepted(&s);
	assert_int_equal(s.r.fields_unknown, 1);
	give_many(&s, "\"features\":{", "\"", LIMIT_FEATURES + 1, "}}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);
	give_many(&s, "\"features\":{},", "\"", 100000, "}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);
	give_many(&s, "\"prediction\":{\"probs\":[", "", LIMIT_CLASSES, "]}}");
	assert_accepted(&s);
	give_many(&s, "\"prediction\":{\"probs\":[", "", LIMIT_CLASSES + 1, "]}}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);
	give_many(&s, "\"prediction\":{\"set\":[", "", LIMIT_CLASSES + 1, "]}}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);
	give_many(&s, "\"prediction\":{\"probs\":{", "\"", LIMIT_CLASSES, "}}}");
	assert_accepted(&s);
	give_many(&s, "\"prediction\":{\"probs\":{", "\"", LIMIT_CLASSES + 1, "}}}");
	assert_refused(&s, REJECT_TOO_MANY_FIELDS);

	static const char start[] = "{\"ts\":1,\"model\":\"m\",\"features\":{},\"x\":\"";
	char *text = malloc(LIMIT_RECORD_BYTES + 1);
	memset(text, 'a', LIMIT_RECORD_BYTES + 1);
	memcpy(text, start, sizeof(start) - 1);
	memcpy(text + LIMIT_RECORD_BYTES - 2, "\"}", 2);
	give_bytes(&s, text, LIMIT_RECORD_BYTES, INT64_MIN);
	assert_accepted(&s);
	memcpy(text + LIMIT_RECORD_BYTES - 2, "a\"}", 3);
	give_bytes(&s, text, LIMIT_RECORD_BYTES + 1, INT64_MIN);
	assert_refused(&s, REJECT_TOO_LARGE);
	free(text);
	scene_close(&s);
}

void
decode_formats(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *hint;
	} cases[] = {
		{ "\0\0\0\0\x07\x02", 6, "Avro with a schema registry header (id 7)" },
		{ "\0", 1, "binary" },
		{ "\x1f\x8b\x08", 3, "gzip inside the value" },
		{ "\x28\xb5\x2f\xfd", 4, "zstd" },
		{ "Obj\x01", 4, "Avro file" },
		{ "\x08\x96\x01", 3, "protobuf" },
		{ "\x82\xa2ts", 4, "MessagePack" },
		{ "\xa2\x62ts", 4, "CBOR" },
		{ "\xff\xfe{\0", 4, "UTF-16" },
		{ "<a/>", 4, "XML" },
	};
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		give_bytes(&s, cases[i].bytes, cases[i].length, 5);
		assert_refused(&s, REJECT_NOT_JSON);
		assert_detail(&s, cases[i].hint);
		assert_int_equal(s.r.ts, 5);
	}
	struct message tombstone = { .kafka_ms = 5, .profile = s.profile };
	decode(s.f.decoder, &tombstone, &s.r);
	assert_refused(&s, REJECT_EMPTY);
	assert_detail(&s, "tombstone");
	give(&s, "");
	assert_refused(&s, REJECT_EMPTY);
	give(&s, " \n\t");
	assert_refused(&s, REJECT_EMPTY);
	scene_close(&s);
}

void
decode_syntax(void **state)
{
	static const struct {
		const char *text, *detail;
	} cases[] = {
		{ "[1]", "byte 0: the record is not an object" },
		{ "null", "not an object" },
		{ "hello", "not an object" },
		{ "{\"ts\":1", "the record ends" },
		{ "{\"ts\":1,\"model\":\"m\",\"features\":{\"x\":1}", "the record ends" },
		{ "{\"ts\":1,\"model\":\"m", "this string never ends" },
		{ "{\"ts\":1,\"a\":\"x\ny\"}", "control character 0x0a" },
		{ "{\"ts\":1,\"model\":\"m\",\"features\":{}} {}", "byte 35: something follows" },
		{ "{\"ts\":1,\"model\":\"m\",\"features\":{}}}", "something follows" },
		{ "{\"ts\":1,\"model\":\"m\",\"features\":{},}", "byte 34: wanted a key" },
		{ "{\"ts\":1,,\"model\":\"m\"}", "byte 8: wanted a key" },
		{ "{\"ts\" 1}", "byte 6: wanted ':'" },
		{ "{\"ts\":1 \"model\":\"m\"}", "wanted ',' or '}'" },
		{ "{'ts':1}", "wanted a key" },
		{ "{\"ts\":1,\"a\":}", "wanted a value" },
		{ "{\"ts\":1,\"a\":[1 2]}", "wanted ',' or ']'" },
		{ "{\"ts\":1,\"a\":[1}}", "wanted ',' or ']'" },
		{ "{\"ts\":1,\"a\":[1,]}", "wanted a value" },
		{ "{\"ts\":1,\"a\":nul}", "wanted a value" },
		{ "{\"ts\":1,\"a\":trueish}", "wanted a value" },
		{ "{\"ts\":1,\"a\":nan}", "wanted a value" },
		{ "{\"ts\":1,\"a\":/* */1}", "wanted a value" },
	};
	static const char *const numbers[] = { "01",   "1.",  ".5",   "+1",     "1e",      "1e+",
		                               "-",    "--1", "1.2.3", "1x",    "0x10",    "1_000",
		                               "-a",   "00",  "1e5.5", "12345678901234567890.",
		                               "1.5e", "-.5", "1,5x", "Inf",    "-Infinite", "1\"a\"" };
	struct scene s;
	char rest[128];
	(void)state;

	scene_open(&s, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		give(&s, cases[i].text);
		assert_refused(&s, REJECT_JSON_SYNTAX);
		assert_detail(&s, cases[i].detail);
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(rest, sizeof(rest), "\"features\":{\"x\":%s}", numbers[i]);
		give_rest(&s, rest);
		assert_refused(&s, REJECT_JSON_SYNTAX);
		snprintf(rest, sizeof(rest), "\"prediction\":{\"probs\":[%s ]}", numbers[i]);
		give_rest(&s, rest);
		assert_refused(&s, REJECT_JSON_SYNTAX);
	}
	give_rest(&s, "\"features\":{\"x\":\"\\x\"}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	give(&s, "{\"id\":\"a\",\"ts\":01,\"model\":\"m\",\"features\":{}}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	scene_close(&s);
}

void
decode_mark(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give(&s, "\xef\xbb\xbf {\"ts\":1,\"model\":\"m\",\"features\":{}}\r\n");
	assert_accepted(&s);
	assert_true(s.r.parts & RECORD_BOM);
	give(&s, "\xef\xbb\xbf\xef\xbb\xbf{\"ts\":1,\"model\":\"m\",\"features\":{}}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	give(&s, "\xef\xbb\xbf");
	assert_refused(&s, REJECT_EMPTY);
	scene_close(&s);
}

void
decode_nothing_known(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"x\":1");
	assert_refused(&s, REJECT_NOTHING_KNOWN);
	give(&s, "{}");
	assert_refused(&s, REJECT_MISSING_MODEL);
	give_rest(&s, "\"prediction\":{\"foo\":1}");
	assert_refused(&s, REJECT_NOTHING_KNOWN);
	scene_close(&s);
}

void
decode_no_trace(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"features\":{\"a\":1,\"b\":2}");
	size_t bytes = decoder_bytes(s.f.decoder);
	for (int i = 0; i < 5000; i++) {
		char text[256];
		snprintf(text, sizeof(text),
		         "{\"ts\":1,\"model\":\"%s\",\"features\":{\"a\":1,\"g%d\":2,\"h%d\":3},\"label\":]}",
		         i % 2 ? "m" : "n", i, i);
		give(&s, text);
		assert_refused(&s, REJECT_JSON_SYNTAX);
	}
	assert_int_equal(decoder_models(s.f.decoder), 1);
	assert_int_equal(decoder_slots(s.f.decoder, 0), 2);
	assert_true(decoder_bytes(s.f.decoder) < bytes + 4096);
	give_rest(&s, "\"features\":{\"b\":4,\"a\":3,\"c\":5}");
	assert_number(&s.r.cell[0], 3);
	assert_number(&s.r.cell[1], 4);
	assert_number(&s.r.cell[2], 5);
	scene_close(&s);
}

void
decode_raw(void **state)
{
	struct scene s;
	char text[2000];
	(void)state;

	scene_open(&s, NULL);
	static const char bad[] = "{\"ts\":1,\"model\":\"m\",\"features\":{\"a\":}}";
	give(&s, bad);
	assert_int_equal(s.r.raw_length, sizeof(bad) - 1);
	assert_memory_equal(s.r.raw, bad, sizeof(bad) - 1);
	assert_int_equal(s.r.offset, 7);
	assert_int_equal(s.r.slots, 0);
	memset(text, '[', sizeof(text));
	give_bytes(&s, text, sizeof(text), INT64_MIN);
	assert_int_equal(s.r.raw_length, LIMIT_REJECTED_BYTES);
	assert_memory_equal(s.r.raw, text, LIMIT_REJECTED_BYTES);
	scene_close(&s);
}
