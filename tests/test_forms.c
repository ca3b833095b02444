/* test_forms.c -- how unsure a prediction is: from the fields of a record to its figures, and to the streams
 * of its version. */
#include "detectors/uncertainty/uncertainty.h"
#include "monitor/stream/version_uncertainty.h"
#include "tests/history.h"
#include "tests/test_decode.h"

static double
figure(const struct scene *s, enum uncertainty_figure f)
{
	return s->r.uncertainty.value[f];
}

#define assert_form(s, form_, members_, columns_)                                                  \
	do {                                                                                       \
		assert_accepted(s);                                                                \
		assert_int_equal((s)->r.form, form_);                                              \
		assert_int_equal((s)->r.form_fault, FORM_FINE);                                    \
		assert_int_equal((s)->r.members, members_);                                        \
		assert_int_equal((s)->r.columns, columns_);                                        \
	} while (0)
#define assert_close(got, expected)                                                                \
	do {                                                                                       \
		if (!(fabs((got) - (expected)) < 1e-12))                                           \
			fail_msg("%.17g is not %.17g", got, expected);                             \
	} while (0)

static void
every_form_is_read(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	give_rest(&s, "\"prediction\":{\"class\":\"x\"},"
	              "\"members\":{\"probs\":[[0.7,0.2,0.1],[0.1,0.8,0.1],[6e-1,0.3,0.1]]}");
	assert_form(&s, FORM_CLASS_MEMBERS, 3, 3);
	assert_close(figure(&s, UNCERTAINTY_MI), .16869929839145983);
	give_rest(&s, "\"members\":[[0.7,0.2,0.1],[0.1,0.8,0.1],[0.6,0.3,0.1]]");
	assert_form(&s, FORM_CLASS_MEMBERS, 3, 3);
	assert_close(figure(&s, UNCERTAINTY_EPKL), .3823976273353951);
	give_rest(&s, "\"members\":{\"logits\":[[1,2],[2,-1]]}");
	assert_form(&s, FORM_CLASS_MEMBERS, 2, 2);
	give_rest(&s, "\"members\":{\"mu\":[1,2,6],\"var\":[0.5,1,1.5]}");
	assert_form(&s, FORM_NORMAL_MEMBERS, 3, 0);
	assert_close(figure(&s, UNCERTAINTY_VAR_TOTAL), 8.0);
	give_rest(&s, "\"members\":{\"mu\":[1,2,6]}");
	assert_form(&s, FORM_MEAN_MEMBERS, 3, 0);
	give_rest(&s, "\"members\":[1,2,6]");
	assert_form(&s, FORM_MEAN_MEMBERS, 3, 0);
	assert_close(figure(&s, UNCERTAINTY_VAR_EPISTEMIC), 7.0);
	give_rest(&s, "\"dirichlet\":[10,1,1.0]");
	assert_form(&s, FORM_DIRICHLET, 0, 3);
	assert_close(figure(&s, UNCERTAINTY_VACUITY), .25);
	give_rest(&s, "\"nig\":{\"gamma\":0,\"nu\":2.5,\"alpha\":3.5,\"beta\":1.25}");
	assert_form(&s, FORM_NIG, 0, 0);
	assert_close(figure(&s, UNCERTAINTY_VAR_TOTAL), .7);
	give_rest(&s, "\"samples\":[[0,2],[10,14],[5,5]]");
	assert_form(&s, FORM_NESTED, 3, 2);
	assert_close(figure(&s, UNCERTAINTY_VAR_ALEATORIC), 10.0 / 3);
	give_rest(&s, "\"samples\":[1,2,6,-0.0]");
	assert_form(&s, FORM_SAMPLES, 0, 0);
	give_rest(&s, "\"quantiles\":{\"0.05\":-1.5,\"0.5\":0.1,\"0.95\":2.0}");
	assert_form(&s, FORM_QUANTILES, 0, 0);
	assert_close(figure(&s, UNCERTAINTY_VAR_TOTAL), 1.1319352477463476);
	give_rest(&s, "\"prediction\":{\"value\":1,\"sd\":3}");
	assert_form(&s, FORM_VARIANCE, 0, 0);
	assert_close(figure(&s, UNCERTAINTY_VAR_TOTAL), 9.0);
	give_rest(&s, "\"prediction\":{\"value\":1,\"var\":3}");
	assert_form(&s, FORM_VARIANCE, 0, 0);
	assert_int_equal(s.r.fields_unknown + s.r.fields_type, 0);
	/* the first form decides; nothing of an earlier record is left */
	give_rest(&s, "\"samples\":[1,2],\"dirichlet\":[1,2],\"prediction\":{\"sd\":1},\"members\":{\"mu\":[1,3]}");
	assert_form(&s, FORM_MEAN_MEMBERS, 2, 0);
	give_rest(&s, "\"prediction\":{\"value\":1}");
	assert_accepted(&s);
	assert_int_equal(s.r.form, FORM_NONE);
	scene_close(&s);
}

static void
what_is_wrong_with_a_form_is_told_apart(void **state)
{
	static const struct {
		const char *rest;
		enum form_fault fault;
	} wrong[] = {
		{ "\"members\":{\"probs\":[[0.5,0.5],[1]]}", FORM_RAGGED },
		{ "\"members\":{\"probs\":[[0.5,0.5],0.1]}", FORM_RAGGED },
		{ "\"members\":{\"probs\":[[0.5,0.5],[0.5,\"a\"]]}", FORM_RAGGED },
		{ "\"members\":{\"probs\":[[0.5,0.5],[NaN,1]]}", FORM_RAGGED },
		{ "\"members\":{\"probs\":[0.5,0.5]}", FORM_RAGGED },
		{ "\"members\":{\"mu\":[1,2],\"var\":[1]}", FORM_RAGGED },
		{ "\"members\":\"many\"", FORM_RAGGED },
		{ "\"members\":[]", FORM_EMPTY },
		{ "\"members\":{\"probs\":[[]]}", FORM_EMPTY },
		{ "\"samples\":[]", FORM_EMPTY },
		{ "\"quantiles\":{}", FORM_EMPTY },
		{ "\"quantiles\":{\"low\":1}", FORM_RAGGED },
		{ "\"quantiles\":{\"0.1\":1,\"0.8\":2}", FORM_RANGE },
		{ "\"quantiles\":{\"0.1\":2,\"0.9\":1}", FORM_RANGE },
		{ "\"nig\":{\"nu\":1,\"alpha\":2}", FORM_RAGGED },
		{ "\"nig\":{\"nu\":1,\"alpha\":2,\"beta\":-1}", FORM_RANGE },
		{ "\"dirichlet\":[1,0]", FORM_RANGE },
		{ "\"members\":{\"mu\":[1,2],\"var\":[1,-1]}", FORM_RANGE },
		{ "\"members\":{\"probs\":[[-0.1,1.1]]}", FORM_RANGE },
		{ "\"members\":{\"probs\":[[0.5,0.4],[0.5,0.5]]}", FORM_PROB_SUM },
		{ "\"prediction\":{\"sd\":-1}", FORM_RANGE },
		{ "\"samples\":[1e300,-1e300]", FORM_RANGE },
	};
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		give_rest(&s, wrong[i].rest);
		assert_accepted(&s);
		if (s.r.form == FORM_NONE || s.r.form_fault != wrong[i].fault)
			fail_msg("%s: form %d, fault %d", wrong[i].rest, s.r.form, s.r.form_fault);
	}
	/* a broken grammar refuses the record, as anywhere */
	give_rest(&s, "\"members\":{\"probs\":[[0.5,0.5],[0.5 0.5]]}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	give_rest(&s, "\"samples\":[1,2,}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	give_rest(&s, "\"quantiles\":{\"0.1\":1,\"0.9\"}");
	assert_refused(&s, REJECT_JSON_SYNTAX);
	scene_close(&s);
}

static void
numbers_are_limited(void **state)
{
	static char text[2 * LIMIT_NUMBERS + 100];
	struct scene s;
	size_t used;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n");
	for (int more = 0; more < 2; more++) {
		used = (size_t)sprintf(text, "{\"ts\":1,\"model\":\"m\",\"samples\":[");
		for (int i = 0; i < LIMIT_NUMBERS + more; i++)
			used += (size_t)sprintf(text + used, "%s%d", i ? "," : "", i % 2);
		sprintf(text + used, "]}");
		give(&s, text);
		if (more)
			assert_refused(&s, REJECT_TOO_MANY_FIELDS);
		else
			assert_form(&s, FORM_SAMPLES, 0, 0);
	}
	scene_close(&s);
}

static void
members_stand_where_the_configuration_says(void **state)
{
	struct scene s;
	(void)state;

	scene_open(&s, HEAD "models:\n  - name: m\n    fields: {members.probs: out.ensemble, samples: draws}\n");
	give_rest(&s, "\"out\":{\"ensemble\":[[0.5,0.5],[0.9,0.1]]}");
	assert_form(&s, FORM_CLASS_MEMBERS, 2, 2);
	give_rest(&s, "\"draws\":[1,2]");
	assert_form(&s, FORM_SAMPLES, 0, 0);
	scene_close(&s);
}

/* -- streams ---------------------------------------------------------------------------------- */

static const char configuration[] =
	"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 1 per day}\n"
	"models:\n"
	"  - name: m\n"
	"    reference: {from: first, records: 600, span: 8d}\n"
	"    labels: off\n";

enum { STEP_MS = 600000 };

static void
write_members(struct history *w, int i, int members, double spread, uint64_t *seed)
{
	fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"members\":{\"mu\":[", i,
	        1700000000000LL + (long long)i * STEP_MS);
	for (int k = 0; k < members; k++)
		fprintf(w->records, "%s%.6f", k ? "," : "", 10 + spread * history_normal(seed));
	fprintf(w->records, "],\"var\":[");
	for (int k = 0; k < members; k++)
		fprintf(w->records, "%s%.6f", k ? "," : "", 2 + .2 * history_uniform(seed));
	fprintf(w->records, "]}}\n");
}

static void
another_number_of_members_is_counted_and_left_out(void **state)
{
	struct history w;
	uint64_t seed = 3;
	(void)state;

	history_open(&w, configuration);
	for (int i = 0; i < 400; i++)
		write_members(&w, i, i % 10 == 9 ? 7 : 5, 1, &seed);
	history_written(&w);
	history_run(&w, 5, 40, 30, 20); /* with commits and crashes: the number outlives them */
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'uncertainty_changed'"), 40);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE kind = 'uncertainty'"), 3);
	assert_int_equal(history_count(&w, "SELECT sum(n) FROM statistics JOIN streams USING (stream_id)"
	                                   " WHERE name = 'uncertainty:var_total'"), 360);
	assert_int_equal(history_count(&w, "SELECT sum(missing) FROM statistics JOIN streams USING (stream_id)"
	                                   " WHERE name = 'uncertainty:var_total'"), 40);
	history_close(&w);
}

/* The view and the daemon must call a figure the same. */
static void
the_view_knows_the_kinds_of_the_figures(void **state)
{
	static const char *const forms[] = {
		"\"members\":[[0.4,0.6],[0.6,0.4]]", "\"members\":{\"mu\":[1,6],\"var\":[1,2]}",
		"\"dirichlet\":[1,6]",
	};
	struct history w;
	char sql[160], kind[32];
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n");
	for (int i = 0; i < 30; i++) {
		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%d,\"model\":\"m\",\"version\":\"%d\",", i, i, i % 3);
		fprintf(w.records, "%s", forms[i % 3]);
		fprintf(w.records, "}\n");
	}
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	for (int f = 0; f < UNCERTAINTY_FIGURES; f++) {
		const char *known = version_uncertainty_kind((enum uncertainty_figure)f);
		bool is_stream = false;

		for (int form = 0; form < FORMS; form++)
			is_stream |= version_uncertainty_streams((enum uncertainty_form)form) >> f & 1;
		assert_true(is_stream == (known != NULL));
		if (!known)
			continue;
		snprintf(sql, sizeof sql, "SELECT kind FROM uncertainty_now WHERE stream GLOB 'uncertainty:%s@*'",
		         uncertainty_names[f]);
		history_text(&w, sql, kind, sizeof kind);
		assert_string_equal(kind, known);
	}
	history_close(&w);
}

static void
members_that_drift_apart_raise_the_epistemic_stream_alone(void **state)
{
	struct history w;
	uint64_t seed = 11;
	char verdict[400];
	(void)state;

	history_open(&w, configuration);
	for (int i = 0; i < 4000; i++)
		write_members(&w, i, 5, i < 2500 ? .2 : .8, &seed);
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts_history WHERE kind = 'uncertainty' AND"
	                              " stream = 'uncertainty:var_epistemic'") >= 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts_history WHERE stream ="
	                                   " 'uncertainty:var_aleatoric'"), 0);
	/* the view says which kind it was, and where it stands in the reference */
	assert_true(history_real(&w, "SELECT percentile FROM uncertainty_now WHERE kind = 'epistemic'") > 90);
	assert_true(history_real(&w, "SELECT percentile FROM uncertainty_now WHERE kind = 'aleatoric'") < 90);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM uncertainty_now WHERE kind = 'epistemic' AND"
	                                   " state = 'open'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM uncertainty_now WHERE kind = 'aleatoric' AND"
	                                   " state = 'quiet'"), 1);
	history_text(&w, "SELECT verdict FROM uncertainty_verdicts WHERE stream = 'uncertainty:var_epistemic'"
	                 " ORDER BY opened LIMIT 1", verdict, sizeof verdict);
	assert_non_null(strstr(verdict, "inputs quiet, epistemic from percentile "));
	assert_non_null(strstr(verdict, ", aleatoric flat; first: uncertainty:var_"));
	history_text(&w, "SELECT diagnosis FROM alerts_history WHERE stream = 'uncertainty:var_epistemic' AND"
	                 " moved GLOB 'epistemic*' ORDER BY opened LIMIT 1", verdict, sizeof verdict);
	assert_non_null(strstr(verdict, "epistemic from the 50th to the "));
	assert_non_null(strstr(verdict, " percentile, aleatoric flat; first: uncertainty:var_"));
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE diagnosis IS NOT NULL AND"
	                                   " instr(text, 'kind:  ' || diagnosis) = 0"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM outbox o JOIN alerts a USING (alert_id) WHERE"
	                                   " a.moved IS NOT NULL AND o.body ->> '$.moved' IS NULL"), 0);
	/* members and noise were drawn apart */
	assert_true(fabs(history_real(&w, "SELECT rank_correlation FROM separability WHERE n >= 500")) < .15);
	assert_true(history_count(&w, "SELECT count(DISTINCT day) FROM uncertainty_daily") > 20);
	assert_true(history_real(&w, "SELECT avg(percentile) FROM uncertainty_daily WHERE kind = 'epistemic'"
	                             " AND day < '2023-11-28'") < 70);
	history_close(&w);
}

static void
twins_are_compared_with_the_prediction_they_name(void **state)
{
	struct history w;
	uint64_t seed = 5;
	int flips = 0, pairs = 0;
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n"
	                 "defaults: {windows: {width: 1h}}\n");
	for (int i = 0; i < 600; i++) {
		bool flip = history_uniform(&seed) < .2, early = i % 50 == 49;
		long long ts = 1700000000000LL + (long long)i * STEP_MS;

		if (early) /* before its prediction: not paired */
			fprintf(w.records, "{\"id\":\"p%d\",\"ts\":%lld,\"model\":\"m\",\"probe_of\":%d,"
			        "\"perturbation\":\"noise\",\"severity\":1,\"prediction\":{\"class\":\"a\"}}\n", i, ts, i);
		fprintf(w.records, "{\"id\":%d,\"ts\":%lld,\"model\":\"m\",\"prediction\":{\"class\":\"a\"}}\n", i, ts);
		if (early)
			continue;
		fprintf(w.records, "{\"id\":\"p%d\",\"ts\":%lld,\"model\":\"m\",\"probe_of\":%d,\"perturbation\":"
		        "\"noise\",\"severity\":%d,\"prediction\":{\"class\":\"%s\"}}\n", i, ts + 1, i, 1 + i % 2,
		        flip ? "b" : "a");
		pairs += i % 2 == 0;
		flips += i % 2 == 0 && flip;
	}
	history_written(&w);
	history_run(&w, 9, 60, 30, 15);
	assert_int_equal(history_count(&w, "SELECT pairs FROM robustness_total WHERE perturbation = 'noise/1'"), pairs);
	assert_int_equal(history_count(&w, "SELECT flips FROM robustness_total WHERE perturbation = 'noise/1'"), flips);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'probes_unpaired'"), 12);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'predictions'"), 600);
	history_close(&w);
}

/* Five members, twenty, and samples whose number varies: the fewest count. */
static void
too_few_members_are_told(void **state)
{
	struct history w;
	char text[100];
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n");
	for (int i = 0; i < 200; i++) {
		long long ts = 1700000000000LL + (long long)i * 60000;

		fprintf(w.records, "{\"id\":\"f%d\",\"ts\":%lld,\"model\":\"five\",\"members\":{\"mu\":[1,2,3,4,%d]}}\n", i, ts, i % 9);
		fprintf(w.records, "{\"id\":\"s%d\",\"ts\":%lld,\"model\":\"flat\",\"samples\":[1,2,3,4,5,6%s]}\n", i, ts,
		        i % 2 ? ",7,8,9,10,11,12" : "");
		fprintf(w.records, "{\"id\":\"t%d\",\"ts\":%lld,\"model\":\"ten\",\"members\":{\"mu\":[1,2,3,4,5,6,7,8,9,%d]}}\n", i,
		        ts, i % 9);
		fprintf(w.records, "{\"id\":\"d%d\",\"ts\":%lld,\"model\":\"none\",\"dirichlet\":[1,2,%d]}\n", i, ts, 1 + i % 9);
	}
	history_written(&w);
	history_run(&w, 6, 20, 30, 20);
	assert_true(fabs(history_real(&w, "SELECT monte_carlo_error FROM uncertainty_now WHERE model = 'five' AND kind ="
	                                  " 'epistemic'") - sqrt(0.5)) < 1e-12);
	assert_string_equal(history_text(&w, "SELECT note FROM uncertainty_now WHERE model = 'five' AND kind = 'epistemic'",
	                                 text, sizeof text), "too few members");
	assert_string_equal(history_text(&w, "SELECT note || members FROM uncertainty_now WHERE model = 'flat' AND kind ="
	                                     " 'total'", text, sizeof text), "too few samples6");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM uncertainty_now WHERE model = 'ten' AND note IS NULL AND"
	                                   " monte_carlo_error > 0.4"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM uncertainty_now WHERE model = 'none' AND (members IS NOT"
	                                   " NULL OR monte_carlo_error IS NOT NULL)"), 0);
	assert_string_equal(history_text(&w, "SELECT form FROM uncertainty_forms JOIN models USING (model_id) WHERE name ="
	                                     " 'none'", text, sizeof text), "dirichlet");
	history_close(&w);
}

/* What is wrong with one record's uncertainty costs that record its figures, and nothing else. */
static void
bad_uncertainty_is_counted_and_the_rest_goes_on(void **state)
{
	static const struct {
		const char *model, *rest, *counter;
	} bad[] = {
		{ "ragged", "\"members\":{\"probs\":[[0.5,0.5],[1]]}", "uncertainty_ragged" },
		{ "empty", "\"members\":[]", "uncertainty_empty" },
		{ "one_member", "\"members\":{\"probs\":[[0.5,0.5]]}", "uncertainty_one" },
		{ "one_mean", "\"members\":{\"mu\":[3]}", "uncertainty_one" },
		{ "one_sample", "\"samples\":[4.5]", "uncertainty_one" },
		{ "zero", "\"members\":{\"probs\":[[0,1],[0.5,0.5]]}", "uncertainty_clipped" },
		{ "negative", "\"members\":{\"mu\":[1,2],\"var\":[1,-1]}", "uncertainty_range" },
		{ "deviation", "\"prediction\":{\"value\":1,\"sd\":-1}", "uncertainty_range" },
		{ "concentration", "\"dirichlet\":[1,0]", "uncertainty_range" },
		{ "gamma", "\"nig\":{\"gamma\":0,\"nu\":1,\"alpha\":0,\"beta\":1}", "uncertainty_range" },
		{ "sum", "\"members\":{\"probs\":[[0.5,0.4],[0.5,0.5]]}", "prob_sum" },
	};
	enum { KINDS = sizeof bad / sizeof bad[0], EACH = 20 };
	struct history w;
	char sql[240];
	(void)state;

	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n");
	for (int i = 0; i < EACH * KINDS; i++) {
		fprintf(w.records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"%s\",\"features\":{\"x\":%d},", i,
		        1700000000000LL + (long long)i * 60000, bad[i % KINDS].model, i);
		fprintf(w.records, "%s", bad[i % KINDS].rest);
		fprintf(w.records, "}\n");
	}
	history_written(&w);
	history_run(&w, 6, 20, 30, 20);
	for (int k = 0; k < KINDS; k++) {
		snprintf(sql, sizeof sql, "SELECT c.n FROM counters c JOIN models m USING (model_id) WHERE m.name = '%s'"
		         " AND c.name = '%s'", bad[k].model, bad[k].counter);
		if (history_count(&w, sql) != EACH)
			fail_msg("%s: %d of %d counted as %s", bad[k].rest, (int)history_count(&w, sql), EACH,
			         bad[k].counter);
		snprintf(sql, sizeof sql, "SELECT sum(x.n) FROM statistics x JOIN streams s USING (stream_id) JOIN models m"
		         " USING (model_id) WHERE m.name = '%s' AND s.name = 'feature:x'", bad[k].model);
		assert_int_equal(history_count(&w, sql), EACH);
	}
	assert_int_equal(history_count(&w, "SELECT count(*) FROM rejected"), 0);
	/* what every counter means is in the database itself */
	assert_int_equal(history_count(&w, "SELECT count(*) FROM documentation WHERE name = 'counters' AND column ="
	                                   " 'name' AND instr(meaning, 'uncertainty_one')"), 1);
	history_close(&w);
}

extern const struct CMUnitTest forms_tests[];
const struct CMUnitTest forms_tests[] = {
	TEST("forms/every_form_is_read", every_form_is_read),
	TEST("forms/what_is_wrong_with_a_form_is_told_apart", what_is_wrong_with_a_form_is_told_apart),
	TEST("forms/numbers_are_limited", numbers_are_limited),
	TEST("forms/members_stand_where_the_configuration_says", members_stand_where_the_configuration_says),
	TEST("forms/another_number_of_members_is_counted_and_left_out",
	     another_number_of_members_is_counted_and_left_out),
	TEST("forms/the_view_knows_the_kinds_of_the_figures", the_view_knows_the_kinds_of_the_figures),
	TEST("forms/members_that_drift_apart_raise_the_epistemic_stream_alone",
	     members_that_drift_apart_raise_the_epistemic_stream_alone),
	TEST("forms/too_few_members_are_told", too_few_members_are_told),
	TEST("forms/bad_uncertainty_is_counted_and_the_rest_goes_on", bad_uncertainty_is_counted_and_the_rest_goes_on),
	TEST("forms/twins_are_compared_with_the_prediction_they_name",
	     twins_are_compared_with_the_prediction_they_name),
	TESTS_END,
};
