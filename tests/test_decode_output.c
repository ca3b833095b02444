/* test_decode_output.c -- predictions, probabilities, sets, labels. */
#include <xxhash.h>

#include "tests/test_decode.h"

void
decode_class_text(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = { { "5", "5" },         { "\"5\"", "5" },     { "5.0", "5" },
		      { "5e0", "5" },       { "-0", "0" },        { "-3", "-3" },
		      { "true", "true" },   { "2.5", "2.5" },     { "9007199254740993", "9007199254740993" },
		      { "1e3", "1000" },    { "\"a\\u00e9\"", "a\xc3\xa9" } };
	struct scene s;
	char rest[64];
	(void)state;

	scene_open(&s, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(rest, sizeof(rest), "\"label\":%s", cases[i].json);
		give_rest(&s, rest);
		assert_accepted(&s);
		assert_text(&s, s.r.label.text, cases[i].text);
		assert_true(s.r.label.hash == XXH64(cases[i].text, strlen(cases[i].text), 0));
		snprintf(rest, sizeof(rest), "\"prediction\":{\"class\":%s}", cases[i].json);
		give_rest(&s, rest);
		assert_text(&s, s.r.klass.text, cases[i].text);
	}
	give_rest(&s, "\"label\":17.0");
	assert_number(&s.r.label, 17);
	assert_false(s.r.label.integral);
	give_rest(&s, "\"label\":17");
	assert_true(s.r.label.integral);
	scene_close(&s);
}

void
decode_probs(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"prediction\":{\"class\":1,\"probs\":[0.0,1.2e-09,0.9999999988, 0]}");
	assert_accepted(&s);
	assert_int_equal(s.r.probs, 4);
	assert_true(s.r.prob[1] == 1.2e-09 && s.r.prob[3] == 0);
	assert_int_equal(s.r.classes, 0);
	assert_int_equal(s.r.parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE), 0);
	/* Anything but numbers: no probabilities at all. */
	give_rest(&s, "\"prediction\":{\"class\":1,\"probs\":[0.5,\"0.5\"]}");
	assert_accepted(&s);
	assert_int_equal(s.r.probs, 0);
	assert_int_equal(s.r.fields_type, 1);
	give_rest(&s, "\"prediction\":{\"class\":1,\"probs\":[0.5,NaN]}");
	assert_int_equal(s.r.probs, 0);
	assert_int_equal(s.r.fields_nonfinite, 1);
	give_rest(&s, "\"prediction\":{\"class\":1,\"probs\":[[0.5],{}]}");
	assert_int_equal(s.r.probs, 0);
	give_rest(&s, "\"prediction\":{\"class\":1,\"probs\":[]}");
	assert_accepted(&s);
	assert_int_equal(s.r.probs, 0);
	give_rest(&s, "\"y_pred_proba\":0.25");
	assert_accepted(&s);
	assert_int_equal(s.r.probs, 2);
	assert_true(s.r.prob[0] == .75 && s.r.prob[1] == .25);
	scene_close(&s);
}

void
decode_prob_order(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    classes: [a, b, c]\n  - name: free\n");
	give_rest(&s, "\"prediction\":{\"probs\":{\"c\":0.5,\"a\":0.2,\"b\":0.3}}");
	assert_accepted(&s);
	assert_true(s.r.prob[0] == .2 && s.r.prob[1] == .3 && s.r.prob[2] == .5);
	assert_text(&s, s.r.class_name[0], "a");
	give_rest(&s, "\"prediction\":{\"classes\":[\"b\",\"a\",\"c\"],\"probs\":[0.3,0.2,0.5]}");
	assert_true(s.r.prob[0] == .2 && s.r.prob[1] == .3 && s.r.prob[2] == .5);
	/* Other names than the configured ones: as they came, with their names. */
	give_rest(&s, "\"prediction\":{\"probs\":{\"c\":0.5,\"a\":0.2,\"d\":0.3}}");
	assert_true(s.r.prob[0] == .5);
	assert_text(&s, s.r.class_name[2], "d");
	/* classes of the record order those of its object. */
	give(&s, "{\"ts\":1,\"model\":\"free\",\"prediction\":{\"probs\":{\"x\":0.9,\"y\":0.1},"
	         "\"classes\":[\"y\",\"x\"]}}");
	assert_accepted(&s);
	assert_true(s.r.prob[0] == .1 && s.r.prob[1] == .9);
	assert_text(&s, s.r.class_name[0], "y");
	give(&s, "{\"ts\":1,\"model\":\"free\",\"prediction\":{\"probs\":[0.9,0.1],"
	         "\"classes\":[7,8]}}");
	assert_text(&s, s.r.class_name[1], "8");
	give(&s, "{\"ts\":1,\"model\":\"free\",\"prediction\":{\"probs\":[0.9,0.1],"
	         "\"classes\":[7,8,9]}}");
	assert_accepted(&s);
	assert_int_equal(s.r.classes, 0);
	assert_int_equal(s.r.fields_type, 1);
	scene_close(&s);
}

void
decode_prob_flags(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"prediction\":{\"probs\":[0.5,0.5009]}");
	assert_int_equal(s.r.parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE), 0);
	give_rest(&s, "\"prediction\":{\"probs\":[0.5,0.502]}");
	assert_int_equal(s.r.parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE), RECORD_PROB_SUM);
	assert_true(s.r.prob[1] == .502);
	give_rest(&s, "\"prediction\":{\"probs\":[-0.25,1.25]}");
	assert_int_equal(s.r.parts & (RECORD_PROB_SUM | RECORD_PROB_RANGE), RECORD_PROB_RANGE);
	scene_close(&s);
}

void
decode_bare_predictions(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"prediction\":3.1");
	assert_accepted(&s);
	assert_number(&s.r.value, 3.1);
	assert_int_equal(s.r.klass.tag, CELL_ABSENT);
	give_rest(&s, "\"prediction\":\"good\"");
	assert_text(&s, s.r.klass.text, "good");
	give_rest(&s, "\"y_pred\":true");
	assert_text(&s, s.r.klass.text, "true");
	/* Beside probabilities a number is a class. */
	give_rest(&s, "\"y_pred\":1,\"y_pred_proba\":[0.2,0.8]");
	assert_text(&s, s.r.klass.text, "1");
	assert_int_equal(s.r.value.tag, CELL_ABSENT);
	give_rest(&s, "\"prediction\":[1,2]");
	assert_refused(&s, REJECT_FIELD_TYPE);
	give_rest(&s, "\"prediction\":[1,2],\"features\":{}");
	assert_accepted(&s);
	assert_int_equal(s.r.fields_type, 1);
	give_rest(&s, "\"prediction\":null");
	assert_refused(&s, REJECT_NOTHING_KNOWN);
	give_rest(&s, "\"prediction\":{\"value\":\"3\",\"lower\":1}");
	assert_accepted(&s);
	assert_int_equal(s.r.value.tag, CELL_BAD_TYPE);
	scene_close(&s);
}

void
decode_sets(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"prediction\":{\"set\":[1,\"b\",true],\"level\":0.9}");
	assert_accepted(&s);
	assert_true(s.r.has_set);
	assert_int_equal(s.r.sets, 3);
	assert_text(&s, s.r.set[0].text, "1");
	assert_text(&s, s.r.set[2].text, "true");
	give_rest(&s, "\"prediction\":{\"set\":[]}");
	assert_accepted(&s);
	assert_true(s.r.has_set);
	assert_int_equal(s.r.sets, 0);
	give_rest(&s, "\"prediction\":{\"set\":null,\"class\":1}");
	assert_false(s.r.has_set);
	assert_int_equal(s.r.fields_type, 0);
	give_rest(&s, "\"prediction\":{\"set\":[1,null],\"class\":1}");
	assert_accepted(&s);
	assert_false(s.r.has_set);
	assert_int_equal(s.r.fields_type, 1);
	scene_close(&s);
}

void
decode_labels(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	give_rest(&s, "\"label\":\"UP\",\"nonconformity\":-0.5");
	assert_accepted(&s);
	assert_int_equal(s.r.parts, RECORD_LABEL | RECORD_HAS_ID | RECORD_HAS_TS);
	assert_number(&s.r.nonconformity, -.5);
	give(&s, "{\"ts\":1,\"model\":\"m\",\"label\":\"UP\"}");
	assert_refused(&s, REJECT_MISSING_ID);
	give(&s, "{\"id\":null,\"ts\":1,\"model\":\"m\",\"label\":\"UP\"}");
	assert_refused(&s, REJECT_MISSING_ID);
	give(&s, "{\"id\":{},\"ts\":1,\"model\":\"m\",\"label\":\"UP\"}");
	assert_refused(&s, REJECT_FIELD_TYPE);
	give_rest(&s, "\"label\":[1]");
	assert_refused(&s, REJECT_FIELD_TYPE);
	give_rest(&s, "\"label\":null");
	assert_refused(&s, REJECT_NOTHING_KNOWN);
	/* Inline, an id is not needed. */
	give(&s, "{\"ts\":1,\"model\":\"m\",\"features\":{\"x\":1},\"label\":0}");
	assert_accepted(&s);
	assert_int_equal(s.r.parts, RECORD_LABEL | RECORD_FEATURES | RECORD_HAS_TS);
	scene_close(&s);
}

void
decode_data_sets(void **state)
{
	/* One record of each shape that real producers sent, cut short. */
	static const char *const records[] = {
		"{\"id\":\"s00000\",\"ts\":1600000000000,\"model\":\"diamonds\",\"features\":{\"carat\":0.7,"
		"\"cut\":\"Ideal\",\"price\":null}}",
		"{\"id\":\"p0\",\"ts\":-1600000000000,\"model\":\"weather\",\"features\":{\"t\":-3.5},"
		"\"prediction\":{\"class\":\"rain\",\"score\":0.66,\"probs\":[0.34,0.66],"
		"\"set\":[\"rain\"],\"level\":0.9},\"members\":[[0.34,0.66],[0.3,0.7]]}",
		"{\"id\":\"b1\",\"ts\":1300000000000,\"model\":\"bike\",\"prediction\":{\"value\":17.0,"
		"\"lower\":-35.6,\"upper\":69.5,\"level\":0.9},\"members\":[16.1,18.2],\"label\":12}",
		"{\"id\":\"x~3\",\"ts\":1,\"model\":\"pymc\",\"prediction\":{\"value\":3.2,\"sd\":0.1},"
		"\"members\":{\"mu\":[1.5],\"var\":[0.2]},\"samples\":[[1.0,2.0],[3.0,4.0]]}",
		"{\"id\":\"x\",\"ts\":1,\"model\":\"d\",\"prediction\":{\"class\":3,\"probs\":[1e-09,0.999999999]},"
		"\"dirichlet\":[1.2,3.4],\"logits\":[-1,2],\"embedding\":{\"b64f32\":\"AAAA\"}}",
		"{\"id\":\"x\",\"ts\":1,\"model\":\"c\",\"prediction\":{\"value\":1,\"lower\":0,\"upper\":2,"
		"\"level\":0.9},\"conformal\":{\"method\":\"cqr\",\"qhat\":0.2,\"n_cal\":800}}",
		"{\"id\":\"x-1\",\"ts\":1,\"model\":\"a\",\"prediction\":{\"class\":3,\"probs\":[0.5,0.5]},"
		"\"probe_of\":\"x\",\"perturbation\":\"fgsm\",\"severity\":2,\"epsilon\":0.1,"
		"\"source\":\"bootstrap\"}",
		"{\"id\":\"x\",\"ts\":1,\"model\":\"sat\",\"embedding\":[0.1,-0.2,3]}",
	};
	struct scene s;
	(void)state;

	scene_open(&s, NULL);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
			give(&s, records[i]);
			assert_accepted(&s);
			assert_int_equal(s.r.fields_unknown, 0);
			assert_int_equal(s.r.fields_type, 0);
		}
	assert_int_equal(s.r.parts, RECORD_OTHER | RECORD_HAS_TS | RECORD_HAS_ID);
	assert_int_equal(decoder_models(s.f.decoder), 8);
	scene_close(&s);
}
