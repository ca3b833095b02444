/* test_embedding.c -- suite `embedding`: the three ways to write one, and everything that is none. */
#include "config/limits.h"
#include "tests/test_decode.h"

static void
an_embedding_is_a_list_or_base64(void **state)
{
	static const char *const good[] = {
		"\"embedding\":[1.5,-2,0.25]",
		"\"embedding\":{\"b64f32\":\"AADAPwAAAMAAAIA+\"}",
		"\"embedding\": { \"b64f32\" : \"AADAPwAAAMAAAIA-\" }",
		"\"embedding\":{\"b64f16\":\"AD4AwAA0\"}",
		"\"members\":[[0.4,0.6],[0.6,0.4]],\"embedding\":[1.5,-2,0.25],\"logits\":[1,2]",
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		give_rest(&s, good[i]);
		assert_accepted(&s);
		assert_int_equal(s.r.dimension, 3);
		assert_int_equal(s.r.embedding_fault, EMBEDDING_FINE);
		assert_true(s.r.embedding[0] == 1.5 && s.r.embedding[1] == -2 && s.r.embedding[2] == 0.25);
		assert_int_equal(s.r.fields_unknown + s.r.fields_type, 0);
	}
	assert_int_equal(s.r.logits, 2); /* side by side */
	assert_true(s.r.logit[0] == 1 && s.r.logit[1] == 2);
	give_rest(&s, "\"prediction\":{\"class\":\"x\"}");
	assert_int_equal(s.r.dimension, 0);
	assert_int_equal(s.r.embedding_fault, EMBEDDING_FINE);
	scene_close(&s);
}

static void
an_embedding_that_is_none_costs_no_record(void **state)
{
	static const struct {
		const char *rest;
		enum embedding_fault fault;
	} bad[] = {
		{ "\"embedding\":[]", EMBEDDING_LENGTH },
		{ "\"embedding\":{\"b64f32\":\"\"}", EMBEDDING_LENGTH },
		{ "\"embedding\":[1,NaN,2]", EMBEDDING_NONFINITE },
		{ "\"embedding\":[1,1e999]", EMBEDDING_NONFINITE },
		{ "\"embedding\":{\"b64f16\":\"AHwAAA\"}", EMBEDDING_NONFINITE },
		{ "\"embedding\":[1,\"a\"]", EMBEDDING_TYPE },
		{ "\"embedding\":[[1,2]]", EMBEDDING_TYPE },
		{ "\"embedding\":7", EMBEDDING_TYPE },
		{ "\"embedding\":{\"b64f32\":\"AADA\"}", EMBEDDING_TYPE },
		{ "\"embedding\":{\"b64f32\":\"AAD!PwAAAMA\"}", EMBEDDING_TYPE },
		{ "\"embedding\":{\"b64f32\":[1,2]}", EMBEDDING_TYPE },
		{ "\"embedding\":{\"b64f64\":\"AADAPw\"}", EMBEDDING_TYPE },
		{ "\"embedding\":{}", EMBEDDING_TYPE },
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		give_rest(&s, bad[i].rest);
		assert_accepted(&s);
		assert_int_equal(s.r.dimension, 0);
		if (s.r.embedding_fault != bad[i].fault)
			fail_msg("%s: fault %d", bad[i].rest, s.r.embedding_fault);
	}
	give_rest(&s, "\"embedding\":[0,0,-0.0]"); /* there, and told apart */
	assert_int_equal(s.r.dimension, 3);
	assert_int_equal(s.r.embedding_fault, EMBEDDING_ZERO);
	give_rest(&s, "\"embedding\":null");
	assert_int_equal(s.r.dimension + s.r.embedding_fault + s.r.fields_type, 0);
	give_rest(&s, "\"embedding\":{\"b64f32\":\"AADAPw\"");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	give_rest(&s, "\"embedding\":[1 2]");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	scene_close(&s);
}

static void
an_embedding_has_a_length_and_a_path(void **state)
{
	static char text[8 * (LIMIT_VECTOR + 1) + 64];
	struct scene s;
	size_t at = (size_t)sprintf(text, "{\"ts\":1,\"model\":\"m\",\"embedding\":[1");
	(void)state;

	for (int i = 1; i < LIMIT_VECTOR; i++)
		at += (size_t)sprintf(text + at, ",0.5");
	sprintf(text + at, "]}");
	scene_open(&s, HEAD "models:\n  - name: m\n");
	give(&s, text);
	assert_int_equal(s.r.dimension, LIMIT_VECTOR);
	sprintf(text + at, ",1]}");
	give(&s, text);
	assert_accepted(&s);
	assert_int_equal(s.r.embedding_fault, EMBEDDING_LENGTH);
	scene_close(&s);
	scene_open(&s, HEAD "fields: {embedding: out.vector}\nmodels:\n  - name: m\n");
	give_rest(&s, "\"out\":{\"vector\":{\"b64f16\":\"AD4AwAA0\"}}");
	assert_accepted(&s);
	assert_int_equal(s.r.dimension, 3);
	scene_close(&s);
}

extern const struct CMUnitTest embedding_tests[];
const struct CMUnitTest embedding_tests[] = {
	TEST("embedding/an_embedding_is_a_list_or_base64", an_embedding_is_a_list_or_base64),
	TEST("embedding/an_embedding_that_is_none_costs_no_record", an_embedding_that_is_none_costs_no_record),
	TEST("embedding/an_embedding_has_a_length_and_a_path", an_embedding_has_a_length_and_a_path),
	TESTS_END,
};
