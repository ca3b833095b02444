/* test_logits.c -- suite `logits`: from the logits of a record to the stream of their energy. */
#include <math.h>
#include <string.h>

#include "config/limits.h"
#include "tests/history.h"
#include "tests/test_decode.h"

static void
logits_become_their_energy(void **state)
{
	static const struct {
		const char *rest;
		uint32_t n;
		double energy;
	} good[] = {
		{ "\"logits\":[2.04749,-0.956047,1.15562]", 3, -2.425583792521957 },
		{ "\"logits\":[1000,1000]", 2, -1000.6931471805599 },
		{ "\"logits\":[-5]", 1, 5 },
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		give_rest(&s, good[i].rest);
		assert_accepted(&s);
		assert_int_equal(s.r.logits, good[i].n);
		if (!(fabs(s.r.energy - good[i].energy) < 1e-12 * fabs(good[i].energy)))
			fail_msg("%.17g is not %.17g", s.r.energy, good[i].energy);
		assert_int_equal(s.r.fields_unknown + s.r.fields_type, 0);
	}
	/* beside members, which stay the form of the record */
	give_rest(&s, "\"logits\":[0,0],\"members\":[[0.4,0.6],[0.6,0.4]]");
	assert_accepted(&s);
	assert_int_equal(s.r.logits, 2);
	assert_int_equal(s.r.form, FORM_CLASS_MEMBERS);
	give_rest(&s, "\"members\":[[0.4,0.6],[0.6,0.4]],\"logits\":[0,0,0]");
	assert_int_equal(s.r.logits, 3);
	assert_int_equal(s.r.form_fault, FORM_FINE);
	give_rest(&s, "\"prediction\":{\"class\":\"x\"}");
	assert_int_equal(s.r.logits, 0);
	scene_close(&s);
}

static void
logits_that_are_none_are_counted(void **state)
{
	static const char *const bad[] = {
		"\"logits\":[]", "\"logits\":[[1,2]]", "\"logits\":[1,\"a\"]", "\"logits\":[1,NaN]",
		"\"logits\":[1,1e999]", "\"logits\":7",
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		give_rest(&s, bad[i]);
		assert_accepted(&s);
		assert_int_equal(s.r.logits, 0);
		if (s.r.fields_type == 0)
			fail_msg("%s is not counted", bad[i]);
	}
	give_rest(&s, "\"logits\":null");
	assert_accepted(&s);
	assert_int_equal(s.r.logits + s.r.fields_type, 0);
	give_rest(&s, "\"logits\":[1 2]");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	scene_close(&s);
}

/* Every tenth record has another number of logits. */
static void
write_records(struct history *w)
{
	uint64_t seed = 5;

	for (int i = 0; i < 400; i++)
		fprintf(w->records, "{\"id\":\"%d\",\"ts\":%d,\"model\":\"m\",\"prediction\":{\"class\":\"a\"},"
		        "\"logits\":[%.6f,%.6f%s]}\n", i, 1000 * i, history_normal(&seed),
		        3 + history_normal(&seed), i % 10 == 9 ? ",1" : "");
	history_written(w);
}

static void
another_number_of_logits_is_counted_and_left_out(void **state)
{
	static const char configuration[] =
		"id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n";
	static struct tables expected;
	struct history w;
	(void)state;

	history_open(&w, configuration);
	write_records(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	history_run(&w, 7, 40, 30, 20); /* with commits and crashes: the number outlives them */
	history_same(&w, &expected, 7);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'logits_changed'"), 40);
	assert_int_equal(history_count(&w, "SELECT sum(n) FROM statistics JOIN streams USING (stream_id)"
	                                   " WHERE name = 'ood:energy'"), 360);
	assert_int_equal(history_count(&w, "SELECT sum(missing) FROM statistics JOIN streams USING (stream_id)"
	                                   " WHERE name = 'ood:energy'"), 40);
	history_close(&w);
}

extern const struct CMUnitTest logits_tests[];
const struct CMUnitTest logits_tests[] = {
	TEST("logits/logits_become_their_energy", logits_become_their_energy),
	TEST("logits/logits_that_are_none_are_counted", logits_that_are_none_are_counted),
	TEST("logits/another_number_of_logits_is_counted_and_left_out",
	     another_number_of_logits_is_counted_and_left_out),
	TESTS_END,
};
