/* test_decode.c -- models and event times, and the list of all promises of the decoder. */
#include "tests/test_decode.h"

static void
models_of_a_topic(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: one\n    topics: {records: [alone], labels: [late]}\n"
	                    "  - name: two\n  - name: three\n");
	give(&s, "{\"ts\":1,\"features\":{}}");
	assert_refused(&s, REJECT_MISSING_MODEL);
	give(&s, "{\"ts\":1,\"model\":null,\"features\":{}}");
	assert_refused(&s, REJECT_MISSING_MODEL);
	give(&s, "{\"ts\":1,\"model\":\"three\",\"features\":{}}");
	assert_accepted(&s);
	assert_int_equal(s.r.model, 2);
	give(&s, "{\"ts\":1,\"features\":{}}"); /* the last one is no reason to guess */
	assert_refused(&s, REJECT_MISSING_MODEL);
	give(&s, "{\"ts\":1,\"model\":{},\"features\":{}}");
	assert_refused(&s, REJECT_FIELD_TYPE);
	s.profile = decoder_profile(s.f.decoder, "alone");
	assert_int_equal(s.profile, decoder_profile(s.f.decoder, "alone"));
	give(&s, "{\"ts\":1,\"features\":{}}");
	assert_accepted(&s);
	assert_int_equal(s.r.model, 0);
	/* A record that names another one belongs to that. */
	give(&s, "{\"ts\":1,\"model\":\"two\",\"features\":{}}");
	assert_int_equal(s.r.model, 1);
	give(&s, "{\"ts\":1,\"features\":{}}");
	assert_accepted(&s);
	assert_int_equal(s.r.model, 0);
	s.profile = decoder_profile(s.f.decoder, "late");
	give(&s, "{\"id\":1,\"ts\":1,\"label\":1}");
	assert_int_equal(s.r.model, 0);
	scene_close(&s);
}

static void
the_only_model(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	give(&s, "{\"ts\":1,\"features\":{\"x\":1}}");
	assert_accepted(&s);
	assert_int_equal(s.r.model, 0);
	give(&s, "{\"ts\":1,\"features\":{\"x\":1},\"model\":\"n\"}");
	assert_refused(&s, REJECT_UNKNOWN_MODEL);
	scene_close(&s);
}

static void
unknown_models(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	give(&s, "{\"ts\":1,\"model\":\"<b>\\n\\u00e9\",\"features\":{\"x\":1}}");
	assert_refused(&s, REJECT_UNKNOWN_MODEL);
	assert_string_equal(s.r.detail, "<b>\\x0a\\xc3\\xa9");
	give(&s, "{\"ts\":1,\"model\":"
	         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	         "\"features\":{}}");
	assert_refused(&s, REJECT_UNKNOWN_MODEL);
	assert_int_equal(strlen(s.r.detail), 64);
	assert_int_equal(decoder_slots(s.f.decoder, 0), 0);
	scene_close(&s);
}

static void
a_model_behind_its_features(void **state)
{
	struct scene s;
	uint32_t length;
	(void)state;

	scene_open(&s, NULL);
	for (int i = 0; i < 10; i++) {
		char text[256];
		snprintf(text, sizeof(text),
		         i % 2 ? "{\"features\":{\"x\":%d,\"y\":\"q\"},\"id\":\"a\",\"ts\":%d,\"model\":\"odd\"}"
		               : "{\"features\":{\"z\":%d,\"x\":\"p\"},\"id\":\"b\",\"ts\":%d,\"model\":\"even\"}",
		         i, i);
		give(&s, text);
		assert_accepted(&s);
		assert_int_equal(s.r.model, i % 2);
		assert_int_equal(s.r.slots, 2);
		assert_number(&s.r.cell[0], i);
		assert_int_equal(s.r.cell[1].tag, CELL_TEXT);
		assert_int_equal(s.r.ts, i);
	}
	assert_int_equal(decoder_models(s.f.decoder), 2);
	assert_string_equal(decoder_slot_name(s.f.decoder, 0, 0, &length), "z");
	assert_string_equal(decoder_slot_name(s.f.decoder, 1, 0, &length), "x");
	scene_close(&s);
}

static void
models_with_their_own_paths(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: a\n  - name: b\n    ts_unit: s\n"
	                    "    fields: {model: meta.model, ts: meta.at}\n");
	for (int i = 0; i < 3; i++) {
		give(&s, "{\"ts\":5,\"model\":\"a\",\"features\":{\"x\":1,\"x2\":2}}");
		assert_accepted(&s);
		assert_int_equal(s.r.model, 0);
		assert_int_equal(s.r.ts, 5);
		give(&s, "{\"features\":{\"y\":1},\"meta\":{\"at\":5,\"model\":\"b\"}}");
		assert_accepted(&s);
		assert_int_equal(s.r.model, 1);
		assert_int_equal(s.r.ts, 5000);
		give(&s, "{\"features\":{\"y\":1},\"meta\":{\"at\":5,\"model\":\"c\"}}");
		assert_refused(&s, REJECT_UNKNOWN_MODEL);
	}
	assert_int_equal(decoder_slots(s.f.decoder, 0), 2);
	assert_int_equal(decoder_slots(s.f.decoder, 1), 1);
	scene_close(&s);
}

static void
models_auto(void **state)
{
	struct scene s;
	char text[512];
	uint32_t length;
	(void)state;

	scene_open(&s, NULL);
	for (int i = 0; i < LIMIT_MODELS + 1; i++) {
		snprintf(text, sizeof(text), "{\"ts\":1,\"model\":%d,\"features\":{\"x\":%d}}", i, i);
		give(&s, text);
		if (i < LIMIT_MODELS) {
			assert_accepted(&s);
			assert_int_equal(s.r.model, i);
		} else {
			assert_refused(&s, REJECT_MODELS_MAX);
		}
	}
	assert_string_equal(decoder_model_name(s.f.decoder, 17, &length), "17");
	assert_int_equal(decoder_model(s.f.decoder, "17", 2), 17);
	assert_int_equal(decoder_model(s.f.decoder, "x", 1), UINT32_MAX);
	give(&s, "{\"ts\":1,\"model\":\"\",\"features\":{}}");
	assert_refused(&s, REJECT_UNKNOWN_MODEL);
	scene_close(&s);
}

static void
event_times(void **state)
{
	static const struct {
		const char *ts, *unit;
		int64_t ms;
	} cases[] = {
		{ "1700000000123", "ms", 1700000000123 },
		{ "-1600000000000", "ms", -1600000000000 },
		{ "0", "ms", 0 },
		{ "9007199254740993", "ms", 9007199254740993 },
		{ "1700000000123456789", "ms", 1700000000123456789 },
		{ "1700000000", "s", 1700000000000 },
		{ "1700000000.1239", "s", 1700000000123 },
		{ "-0.0001", "s", -1 },
		{ "1.7e9", "s", 1700000000000 },
		{ "1700000000123999", "us", 1700000000123 },
		{ "-1", "us", -1 },
		{ "1700000000123999999", "ns", 1700000000123 },
		{ "1e-30", "ns", 0 },
		{ "\"2023-11-14T22:13:20.123Z\"", "s", 1700000000123 },
		{ "\"2023-11-14t22:13:20z\"", "ms", 1700000000000 },
		{ "\"2023-11-15 00:13:20.123987+02:00\"", "ms", 1700000000123 },
		{ "\"1969-12-31T23:59:59.9-00:00\"", "ms", -100 },
		{ "\"2024-02-29T00:00:00Z\"", "ms", 1709164800000 },
		{ "\"0000-03-01T00:00:00Z\"", "ms", -62162035200000 },
		{ "\"2016-12-31T23:59:60Z\"", "ms", 1483228800000 },
	};
	char yaml[256], text[256];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s;
		snprintf(yaml, sizeof(yaml), HEAD "models:\n  - name: m\n    ts_unit: %s\n",
		         cases[i].unit);
		scene_open(&s, yaml);
		snprintf(text, sizeof(text), "{\"ts\":%s,\"features\":{}}", cases[i].ts);
		give(&s, text);
		assert_accepted(&s);
		assert_int_equal(s.r.ts, cases[i].ms);
		assert_true(s.r.parts & RECORD_HAS_TS);
		scene_close(&s);
	}
}

static void
unusable_times(void **state)
{
	static const char *const wrong[] = {
		"null", "true", "{}", "[1]", "\"\"", "\"1700000000000\"", "\"2023-11-14T22:13:20\"",
		"\"2023-02-29T00:00:00Z\"", "\"2023-13-01T00:00:00Z\"", "\"2023-11-14T24:00:00Z\"",
		"\"2023-11-14T22:13:20.Z\"", "\"2023-11-14T22:13:20+24:00\"", "\"2023-11-14T22:13:20Zx\"",
		"\"2023-11-14\"", "NaN", "1e400", "9223372036854775808", "-9223372036854775808",
	};
	struct scene s;
	char text[256];
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "{\"ts\":%s,\"features\":{}}", wrong[i]);
		give(&s, text);
		assert_refused(&s, REJECT_MISSING_TS);
		give_bytes(&s, text, strlen(text), 1234);
		assert_accepted(&s);
		assert_int_equal(s.r.ts, 1234);
		assert_false(s.r.parts & RECORD_HAS_TS);
		assert_int_equal(s.r.parts & RECORD_TS_RANGE, i >= 15 ? RECORD_TS_RANGE : 0);
	}
	give(&s, "{\"features\":{}}");
	assert_refused(&s, REJECT_MISSING_TS);
	scene_close(&s);
}

static void
times_ahead_of_kafka(void **state)
{
	static const char day[] = "{\"ts\":86401000,\"features\":{}}",
	                  more[] = "{\"ts\":86401001,\"features\":{}}",
	                  old[] = "{\"ts\":-5,\"features\":{}}";
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	give_bytes(&s, day, sizeof(day) - 1, 1000);
	assert_int_equal(s.r.ts, 86401000);
	give_bytes(&s, more, sizeof(more) - 1, 1000);
	assert_accepted(&s);
	assert_int_equal(s.r.ts, 1000);
	assert_int_equal(s.r.kafka_ms, 1000);
	assert_int_equal(s.r.parts & (RECORD_TS_RANGE | RECORD_HAS_TS), RECORD_TS_RANGE);
	give_bytes(&s, old, sizeof(old) - 1, 1000);
	assert_int_equal(s.r.ts, -5);
	give_bytes(&s, more, sizeof(more) - 1, INT64_MAX);
	assert_int_equal(s.r.ts, 86401001);
	scene_close(&s);
}

static void
names_of_refusals(void **state)
{
	(void)state;

	for (int i = 0; i < REJECT_COUNT; i++)
		assert_non_null(reject_text((enum reject)i));
	assert_string_equal(reject_text(REJECT_JSON_SYNTAX), "json_syntax");
	assert_string_equal(reject_text(REJECT_FIELD_TYPE), "field_type");
	record_finish(NULL);
	decoder_destroy(NULL);
}

const struct CMUnitTest decode_tests[] = {
	TEST("decode/every_field_is_read", decode_every_field),
	TEST("decode/an_alias_means_the_same_field", decode_aliases),
	TEST("decode/the_best_alias_counts_in_any_order", decode_best_alias),
	TEST("decode/a_field_may_stand_at_any_path", decode_paths),
	TEST("decode/features_may_stand_at_the_root_or_share_an_object", decode_flat_features),
	TEST("decode/an_escaped_key_is_the_same_key", decode_escaped_keys),
	TEST("decode/json_types_become_cells", decode_tags),
	TEST("decode/a_configured_type_rules_over_json", decode_configured_types),
	TEST("decode/features_that_are_not_listed_are_left_out", decode_listed_features),
	TEST("decode/ids_are_bytes_never_doubles", decode_ids),
	TEST("decode/hashes_of_ids_are_what_the_header_says", decode_hashes),
	TEST("decode/siphash_agrees_with_another_implementation", decode_siphash),
	TEST("decode/segments_are_read_as_configured", decode_segments),
	TEST("decode/classes_and_labels_are_text_with_numbers_as_digits", decode_class_text),
	TEST("decode/probabilities_are_read_exactly_or_not_at_all", decode_probs),
	TEST("decode/probabilities_stand_in_class_order", decode_prob_order),
	TEST("decode/probabilities_that_are_none_are_flagged_and_kept", decode_prob_flags),
	TEST("decode/a_bare_prediction_is_a_value_or_a_class", decode_bare_predictions),
	TEST("decode/a_set_may_be_empty", decode_sets),
	TEST("decode/a_label_needs_an_id", decode_labels),
	TEST("decode/records_of_real_producers_are_accepted", decode_data_sets),
	TEST("decode/a_topic_has_a_model_when_only_one_claims_it", models_of_a_topic),
	TEST("decode/the_only_model_need_not_be_named", the_only_model),
	TEST("decode/an_unknown_model_is_named_in_printable_form", unknown_models),
	TEST("decode/the_model_may_stand_behind_the_features", a_model_behind_its_features),
	TEST("decode/models_may_have_paths_and_units_of_their_own", models_with_their_own_paths),
	TEST("decode/models_auto_grows_up_to_its_limit", models_auto),
	TEST("decode/event_times_are_exact_in_every_unit", event_times),
	TEST("decode/an_unusable_time_falls_back_to_kafka", unusable_times),
	TEST("decode/a_time_a_day_ahead_of_kafka_is_not_used", times_ahead_of_kafka),
	TEST("decode/a_duplicate_key_is_refused", decode_duplicates),
	TEST("decode/unknown_fields_are_skipped_and_counted", decode_unknown_fields),
	TEST("decode/text_that_is_not_utf8_is_refused", decode_utf8),
	TEST("decode/nesting_stops_at_the_limit", decode_depth),
	TEST("decode/sizes_stop_at_their_limits", decode_limits),
	TEST("decode/other_formats_are_named", decode_formats),
	TEST("decode/malformed_records_are_refused_with_a_position", decode_syntax),
	TEST("decode/one_byte_order_mark_is_accepted", decode_mark),
	TEST("decode/a_record_must_hold_something", decode_nothing_known),
	TEST("decode/a_refused_record_leaves_no_trace", decode_no_trace),
	TEST("decode/a_refused_record_keeps_its_first_bytes", decode_raw),
	TEST("decode/refusals_have_public_names", names_of_refusals),
	TEST("decode/numbers_are_those_of_strtod", decode_strtod),
	TEST("decode/what_is_valid_for_the_dom_parser_is_valid_here", decode_dom),
	TEST("decode/a_record_does_not_depend_on_those_before", decode_order_free),
	TEST("decode/mutated_records_never_crash", decode_mutations),
	TESTS_END,
};
