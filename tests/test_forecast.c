/* test_forecast.c -- forecasts of quantiles, samples and a standard deviation: from the record to CRPS, pinball
 * loss, PIT and the coverage of every level. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/rng.h"
#include "detectors/metric/metric_pit.h"
#include "monitor/pipeline.h"
#include "tests/history.h"
#include "tests/test_decode.h"

extern const struct CMUnitTest forecast_tests[];

static void
near(double got, double expected, double tolerance)
{
	if (!(fabs(got - expected) <= tolerance))
		fail_msg("%.17g is not %.17g", got, expected);
}

static void
quantiles_are_a_prediction_of_their_own(void **state)
{
	static const char all[] = "\"quantiles\":{\"0.95\":9,\"0.05\":1,\"0.5\":4,\"0.25\":2,\"0.75\":6}";
	char text[200];
	struct scene s;

	(void)state;
	scene_open(&s, HEAD "models:\n  - name: m\n");
	give_rest(&s, all);
	assert_accepted(&s);
	assert_true(s.r.parts & RECORD_PREDICTION);
	assert_int_equal(s.r.forecast, FORECAST_QUANTILES);
	assert_int_equal(s.r.forecasts, 5);
	near(s.r.forecast_level[1], .25, 0);
	near(s.r.forecast_value[4], 9, 0);
	near(s.r.value.number, 4, 0);
	near(s.r.lower.number, 1, 0);
	near(s.r.upper.number, 9, 0);
	assert_true(s.r.level.number == 0.9); /* though 0.95 - 0.05 is not */
	/* the record's own level chooses the pair; its own interval and value stay */
	snprintf(text, sizeof text, "%s,\"prediction\":{\"level\":0.5,\"value\":5}", all);
	give_rest(&s, text);
	near(s.r.lower.number, 2, 0);
	near(s.r.upper.number, 6, 0);
	near(s.r.value.number, 5, 0);
	snprintf(text, sizeof text, "%s,\"prediction\":{\"level\":0.8,\"lower\":0,\"upper\":7}", all);
	give_rest(&s, text);
	near(s.r.lower.number, 0, 0);
	near(s.r.upper.number, 7, 0);
	snprintf(text, sizeof text, "%s,\"prediction\":{\"level\":0.8}", all); /* no such pair */
	give_rest(&s, text);
	assert_int_equal(s.r.lower.tag, CELL_ABSENT);
	give_rest(&s, "\"quantiles\":{\"0.1\":1,\"1.5\":2},\"prediction\":{\"value\":1}");
	assert_accepted(&s);
	assert_int_equal(s.r.forecast, FORECAST_NONE);
	scene_close(&s);
	scene_open(&s, HEAD "models:\n  - {name: m, coverage: {level: 0.5}}\n");
	give_rest(&s, all);
	near(s.r.lower.number, 2, 0);
	near(s.r.upper.number, 6, 0);
	scene_close(&s);
}

static void
samples_and_deviations_are_forecasts_too(void **state)
{
	static char text[1500];
	struct scene s;
	size_t used;

	(void)state;
	scene_open(&s, HEAD "models:\n  - name: m\n");
	give_rest(&s, "\"samples\":[3,1,2],\"prediction\":{\"value\":2}");
	assert_int_equal(s.r.forecast, FORECAST_SAMPLES);
	near(s.r.forecast_value[0], 1, 0);
	near(s.r.forecast_value[2], 3, 0);
	give_rest(&s, "\"prediction\":{\"value\":2,\"sd\":3}");
	assert_int_equal(s.r.forecast, FORECAST_NORMAL);
	near(s.r.forecast_value[0], 3, 0);
	give_rest(&s, "\"prediction\":{\"value\":3},\"members\":{\"mu\":[1,2,6],\"var\":[0.5,1,1.5]}");
	assert_int_equal(s.r.forecast, FORECAST_NORMAL);
	near(s.r.forecast_value[0], sqrt(8), 1e-12);
	give_rest(&s, "\"prediction\":{\"value\":2,\"sd\":-3}");
	assert_int_equal(s.r.forecast, FORECAST_NONE);
	give_rest(&s, "\"prediction\":{\"value\":2}");
	assert_int_equal(s.r.forecast, FORECAST_NONE);
	used = (size_t)sprintf(text, "\"prediction\":{\"value\":1},\"samples\":[0");
	for (int i = 0; i < LIMIT_FORECAST; i++) /* one more than is kept */
		used += (size_t)sprintf(text + used, ",%d", i);
	sprintf(text + used, "]");
	give_rest(&s, text);
	assert_accepted(&s);
	assert_int_equal(s.r.forecast, FORECAST_NONE);
	scene_close(&s);
}

static void
the_place_of_a_label_in_its_forecast_is_uniform(void **state)
{
	static const double level[] = { .05, .25, .5, .75, .95 }, normal[] = { -1.6448536269514722, -.6744897501960817, 0,
		                                                           .6744897501960817, 1.6448536269514722 };
	enum { N = 20000 };
	uint64_t seed = 5;
	double sum[METRIC_PIT_ORDER] = { 0 }, polynomial[METRIC_PIT_ORDER], chi2 = 0;

	(void)state;
	near(metric_pit_quantiles(level, normal, 5, .3, .25), .5 + .25 * .25, 1e-15);
	near(metric_pit_quantiles(level, normal, 5, -9, .5), .025, 1e-15);
	near(metric_pit_quantiles(level, normal, 5, 9, .5), .975, 1e-15);
	for (uint64_t i = 1; i <= N; i++) {
		double u = metric_pit_quantiles(level, normal, 5, history_normal(&seed), rng_uniform(1, 0, i));

		metric_pit_polynomials(u, polynomial);
		for (int k = 0; k < METRIC_PIT_ORDER; k++)
			sum[k] += polynomial[k];
	}
	for (int k = 0; k < METRIC_PIT_ORDER; k++)
		chi2 += sum[k] * sum[k] / N;
	assert_true(chi2 < 18.47); /* .999 quantile of chi-square with 4 degrees of freedom */
}

/* -- through the pipeline ------------------------------------------------------------------------------ */

static const char configuration[] =
	"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"models:\n"
	"  - {name: q}\n"
	"  - {name: s}\n"
	"  - {name: n, labels: {revision: last}}\n";

enum { N = 400, STEP_MS = 600000 };
static const double start = 1700000000000.0;

static const double level[] = { .1, .25, .5, .75, .9 };
static const double place[] = { -1.2815515655446004, -.6744897501960817, 0, .6744897501960817, 1.2815515655446004 };

static double
quantile_score(double mean, double y)
{
	double sum = 0;

	for (int k = 0; k < 5; k++) {
		double q = mean + place[k];

		sum += y < q ? (1 - level[k]) * (q - y) : level[k] * (y - q);
	}
	return sum / 5;
}

/* Three models; returns the mean scores as they are defined. */
static void
write_forecasts(struct history *w, double *pinball, double *crps_normal, double *crps_sample, double *covered_half)
{
	uint64_t seed = 9;

	*pinball = *crps_normal = *crps_sample = *covered_half = 0;
	for (int i = 0; i < N; i++) {
		double mean = floor(100 * history_normal(&seed)) / 64, y = mean + history_normal(&seed), z;
		long long ts = (long long)start + (long long)i * STEP_MS;

		fprintf(w->records, "{\"id\":\"q%d\",\"ts\":%lld,\"model\":\"q\",\"quantiles\":{", i, ts);
		for (int k = 0; k < 5; k++)
			fprintf(w->records, "%s\"%g\":%.17g", k ? "," : "", level[k], mean + place[k]);
		fprintf(w->records, "}}\n");
		fprintf(w->records, "{\"id\":\"s%d\",\"ts\":%lld,\"model\":\"s\",\"prediction\":{\"value\":0},"
		                    "\"samples\":[%.17g,%.17g,%.17g]}\n", i, ts, mean - 1, mean + 1, mean);
		fprintf(w->records, "{\"id\":\"n%d\",\"ts\":%lld,\"model\":\"n\",\"prediction\":{\"value\":%.17g,"
		                    "\"sd\":1}}\n", i, ts, mean);
		fprintf(w->labels, "{\"id\":\"q%d\",\"ts\":%lld,\"model\":\"q\",\"label\":%.17g}\n", i, ts + 3600000, y);
		fprintf(w->labels, "{\"id\":\"s%d\",\"ts\":%lld,\"model\":\"s\",\"label\":%.17g}\n", i, ts + 3600000, y);
		if (i % 5 == 0) /* wrong at first */
			fprintf(w->labels, "{\"id\":\"n%d\",\"ts\":%lld,\"model\":\"n\",\"label\":%.17g}\n", i,
			        ts + 3600000, y + 7);
		fprintf(w->labels, "{\"id\":\"n%d\",\"ts\":%lld,\"model\":\"n\",\"label\":%.17g}\n", i,
		        ts + 3600001, y);
		z = y - mean;
		*pinball += quantile_score(mean, y) / N;
		*crps_normal += (z * erf(z / sqrt(2)) + sqrt(2 / M_PI) * exp(-z * z / 2) - 1 / sqrt(M_PI)) / N;
		*crps_sample += ((fabs(z + 1) + fabs(z - 1) + fabs(z)) / 3 - 4.0 / 9) / N;
		*covered_half += (fabs(z) <= place[3]) / (double)N;
	}
}

#define SUM(what, n, model) "SELECT sum(" what " * " n ") / sum(" n ") FROM performance_daily WHERE model = '" model "'"

static void
scores_are_their_definitions(void **state)
{
	struct history w;
	double pinball, crps, sample, half;

	(void)state;
	history_open(&w, configuration);
	write_forecasts(&w, &pinball, &crps, &sample, &half);
	history_written(&w);
	history_run(&w, 3, 50, 20, 15); /* commits and crashes between */
	near(history_real(&w, SUM("pinball", "n", "q")), pinball, 1e-12);
	near(history_real(&w, SUM("crps", "n", "q")), 2 * pinball, 1e-12);
	near(history_real(&w, SUM("crps", "n", "n")), crps, 1e-12);
	near(history_real(&w, SUM("crps", "n", "s")), sample, 1e-12);
	near(history_real(&w, "SELECT sum(revised) FROM (SELECT n AS revised FROM counters WHERE name = 'revised')"),
	     N / 5, 0);
	near(history_real(&w, "SELECT sum(n * coverage) / sum(n) FROM coverage_levels_daily WHERE nominal = 0.5"), half,
	     1e-12);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM coverage_by_level"), 2);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM quantiles_now"), 5);
	assert_int_equal(history_count(&w, "SELECT sum(n) FROM coverage_now WHERE model = 'q'"), N);
	assert_true(history_real(&w, "SELECT min(share_low <= quantile AND quantile <= share_high) FROM quantiles_now") > 0);
	assert_true(history_real(&w, "SELECT pit_p_value FROM performance_now WHERE model = 'n'") > .001);
	assert_true(history_real(&w, "SELECT pit_p_value FROM performance_now WHERE model = 'q'") > .001);
	history_close(&w);
}

static void
forecasts_of_another_shape_are_counted(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, configuration);
	for (int i = 0; i < 40; i++) {
		long long ts = (long long)start + (long long)i * STEP_MS;

		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"q\",\"prediction\":{\"value\":0},\"quantiles\":{\"0.1\":0,\"%s\":1}}\n", i, ts,
		        i % 4 == 3 ? "0.8" : "0.9");
		fprintf(w.labels, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"q\",\"label\":0.5}\n", i, ts + 1);
	}
	history_written(&w);
	history_run(&w, 3, 7, 30, 30);
	assert_int_equal(history_count(&w, "SELECT n FROM counters WHERE name = 'forecast_changed'"), 10);
	assert_int_equal(history_count(&w, "SELECT sum(forecasts) FROM label_statistics WHERE width_ms >= 86400000"), 30);
	history_close(&w);
}

/* `revision` may be another one at the next start: rows that wait keep what they have, and what they lack is not
 * corrected. */
static void
revision_may_change_between_runs(void **state)
{
	static const char first[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"models: [{name: q}, {name: s}, {name: n}, {name: c}, {name: i}]\n";
	static const char last[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
		"defaults: {labels: {revision: last}}\nmodels: [{name: q}, {name: s}, {name: n}, {name: c}, {name: i}]\n";
	const char *const word[] = { first, last };
	struct history w;
	struct running r;
	struct pipeline_status st;
	double pinball, ignored;

	(void)state;
	history_open(&w, first);
	write_forecasts(&w, &pinball, &ignored, &ignored, &ignored);
	for (int i = 0; i < N; i++) {
		long long ts = (long long)start + (long long)(N + i) * STEP_MS;

		fprintf(w.records, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"c\",\"prediction\":{\"class\":\"b\",\"probs\":"
		        "{\"a\":0.25,\"b\":0.75},\"set\":[\"b\"],\"level\":0.9}}\n", i, ts);
		fprintf(w.records, "{\"id\":\"i%d\",\"ts\":%lld,\"model\":\"i\",\"prediction\":{\"value\":0,\"lower\":-1,"
		        "\"upper\":1,\"level\":0.9}}\n", i, ts);
		for (int k = 0; k < 2; k++) {
			fprintf(w.labels, "{\"id\":\"c%d\",\"ts\":%lld,\"model\":\"c\",\"label\":\"%s\"}\n", i,
			        ts + 3600000 + k, k ? "a" : "b");
			fprintf(w.labels, "{\"id\":\"i%d\",\"ts\":%lld,\"model\":\"i\",\"label\":%d}\n", i,
			        ts + 3600000 + k, 3 * k);
		}
	}
	history_written(&w);
	for (int k = 0; k < 2; k++) {
		int64_t revised;

		history_configure(&w, word[k]);
		history_start(&r, &w, true);
		do {
			history_step(&r, 50);
			pipeline_status(r.pipeline, &st);
		} while (st.records < 3700);
		history_commit(&r);
		history_drop(&r);
		history_configure(&w, word[1 - k]);
		for (int i = 0; i < 3; i++) { /* what was written anew is read back */
			history_start(&r, &w, false);
			history_step(&r, 50);
			history_commit(&r);
			history_drop(&r);
		}
		history_start(&r, &w, false);
		history_end(&r);
		history_drop(&r);
		near(history_real(&w, SUM("pinball", "n", "q")), pinball, 1e-12);
		near(history_real(&w, SUM("brier", "n", "c")), .125 + history_real(&w, SUM("(1 - accuracy)", "n", "c")),
		     1e-12);
		revised = history_count(&w, "SELECT sum(n) FROM counters WHERE name = 'revised' AND model_id = (SELECT"
		                        " model_id FROM models WHERE name = 'i')");
		assert_in_range(revised, 20, N - 20);
		assert_int_equal(history_count(&w, "SELECT sum(intervals - covered) FROM label_statistics l JOIN streams"
		                               " USING (stream_id) JOIN models m USING (model_id) WHERE m.name = 'i' AND"
		                               " width_ms >= 86400000"), revised);
		assert_int_equal(history_count(&w, "SELECT sum(class_n - correct) FROM label_statistics l JOIN streams"
		                               " USING (stream_id) JOIN models m USING (model_id) WHERE m.name = 'c' AND"
		                               " width_ms >= 86400000"),
		                 history_count(&w, "SELECT sum(n) FROM counters WHERE name = 'revised' AND model_id ="
		                               " (SELECT model_id FROM models WHERE name = 'c')"));
	}
	history_close(&w);
}

/* Each kind of score is a stream; of these, that of forecasts gets worse. */
static void
a_score_that_gets_worse_is_alerted(void **state)
{
	enum { LABELS = 4000, CHANGED = 2500 };
	struct history w;
	uint64_t seed = 8;
	char text[200];

	(void)state;
	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nalerts: {budget: 1 per day, send: all}\n"
	             "defaults: {joint: {projections: 0}, labels: {wait: 2d, explain: 0},"
	             " reference: {from: first, records: 1500, span: 12d}}\n"
	             "models:\n  - name: q\n  - {name: i, labels: {revision: last}}\n");
	for (int i = 0; i < LABELS; i++) {
		double y = history_normal(&seed), z = history_normal(&seed);
		long long ts = (long long)start + (long long)i * STEP_MS;

		fprintf(w.records, "{\"id\":\"q%d\",\"ts\":%lld,\"model\":\"q\",\"quantiles\":{\"0.25\":-0.67,\"0.5\":0,\"0.75\":0.67}}\n",
		        i, ts);
		fprintf(w.labels, "{\"id\":\"q%d\",\"ts\":%lld,\"model\":\"q\",\"label\":%.5f}\n", i, ts + 9000,
		        y * (i < CHANGED ? 1 : 1.6));
		fprintf(w.records, "{\"id\":\"i%d\",\"ts\":%lld,\"model\":\"i\",\"prediction\":{\"value\":0,\"lower\":-1.645,"
		                   "\"upper\":1.645,\"level\":0.9}}\n", i, ts);
		fprintf(w.labels, "{\"id\":\"i%d\",\"ts\":%lld,\"model\":\"i\",\"label\":%.5f}\n", i, ts + 9000, z);
	}
	history_written(&w);
	history_run(&w, 2, 1500, 30, 20);
	history_text(&w, "SELECT group_concat(name, ' ') FROM (SELECT s.name FROM streams s WHERE kind = 'score' ORDER BY name)",
	             text, sizeof text);
	assert_string_equal(text, "score:crps score:winkler");
	history_text(&w, "SELECT group_concat(s.name) FROM alerts a JOIN streams s USING (stream_id) WHERE s.kind = 'score'",
	             text, sizeof text);
	assert_string_equal(text, "score:crps");
	assert_true(history_real(&w, "SELECT a.new_value / a.old_value FROM alerts a JOIN streams s USING (stream_id) WHERE"
	                         " s.kind = 'score'") > 1.1);
	/* the streams' means are those of the labels */
	near(history_real(&w, "SELECT sum(h.n * h.mean) / sum(h.n) FROM statistics h JOIN streams s USING (stream_id) WHERE"
	                  " s.name = 'score:winkler'"),
	     history_real(&w, "SELECT sum(winkler_sum) / sum(winklers) FROM label_statistics l JOIN streams s USING"
	                  " (stream_id) JOIN models m USING (model_id) WHERE m.name = 'i' AND width_ms = 86400000"), .02);
	history_close(&w);
}

/* -- nonconformity scores, and intervals without end --------------------------------------------------- */

static const char scored[] =
	"id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 1 per day, send: all}\n"
	"defaults: {joint: {projections: 0}, labels: {wait: 2d, explain: 0}, coverage: {calibration: 5000}}\n"
	"models:\n"
	"  - {name: a, coverage: {level: 0.9, threshold: 2}}\n"
	"  - {name: b}\n";

/* Half of the scores come before their prediction; a fifth of those of `a` come with it. */
static void
a_score_above_its_threshold_is_a_miss(void **state)
{
	enum { SCORES = 4000, CHANGED = 3000 };
	struct history w;
	uint64_t seed = 4;
	int misses[2] = { 0, 0 };

	(void)state;
	history_open(&w, scored);
	for (int i = 0; i < SCORES; i++) {
		long long ts = (long long)start + (long long)i * STEP_MS;

		for (int m = 0; m < 2; m++) {
			double limit = m ? 1 + i % 3 : 2, rate = m && i >= CHANGED ? .4 : .08;
			double score = history_uniform(&seed) < rate ? limit + .5 : limit - .5;
			bool inside = !m && i % 5 == 0, early = i % 2 == 0 && !inside;

			misses[m] += score > limit;
			fprintf(w.records, "{\"id\":\"%d%d\",\"ts\":%lld,\"model\":\"%c\",\"features\":{\"x\":1}", m, i, ts, 'a' + m);
			if (m)
				fprintf(w.records, ",\"prediction\":{\"value\":1,\"level\":0.9},\"conformal\":{\"qhat\":%g}", limit);
			else if (!inside)
				fprintf(w.records, ",\"prediction\":{\"class\":\"x\"}");
			fprintf(w.records, inside ? ",\"score\":%g}\n" : "}\n", score);
			if (!inside)
				fprintf(w.labels, "{\"id\":\"%d%d\",\"ts\":%lld,\"model\":\"%c\",\"nonconformity\":%g}\n", m, i,
				        early ? ts - 5000 : ts + 5000, 'a' + m, score);
		}
	}
	history_written(&w);
	history_run(&w, 6, 900, 30, 20);
	assert_int_equal(history_count(&w, "SELECT sum(intervals) FROM label_statistics JOIN streams USING (stream_id) JOIN"
	                               " models USING (model_id) WHERE width_ms = 86400000 AND models.name = 'a'"), SCORES);
	for (int m = 0; m < 2; m++) {
		char sql[200];

		snprintf(sql, sizeof sql, "SELECT sum(l.intervals - l.covered) FROM label_statistics l JOIN streams s USING"
		         " (stream_id) JOIN models m USING (model_id) WHERE l.width_ms = 86400000 AND m.name = '%c'", 'a' + m);
		assert_int_equal(history_count(&w, sql), misses[m]);
	}
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) JOIN models USING"
	                               " (model_id) WHERE streams.kind = 'coverage' AND models.name = 'b'"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) JOIN models USING"
	                               " (model_id) WHERE streams.kind = 'coverage' AND models.name = 'a'"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM streams WHERE name = 'score:nonconformity'"), 2);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM coverage_now WHERE width IS NULL AND winkler IS NULL"), 2);
	history_close(&w);
}

static void
intervals_without_end_cover_and_have_no_width(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "id_hash_key: 000102030405060708090a0b0c0d0e0f\nmodels: auto\n");
	for (int i = 0; i < 60; i++) {
		static const char *const ends[] = { "-1,\"upper\":1", "-Infinity,\"upper\":1", "-Infinity,\"upper\":1e999",
			                            "2,\"upper\":1", "NaN,\"upper\":1" };

		fprintf(w.records, "{\"id\":\"%d\",\"ts\":%d,\"model\":\"m\",\"prediction\":{\"value\":0,\"level\":0.9,\"lower\":%s}}\n",
		        i, i * 1000, ends[i % 5]);
		fprintf(w.labels, "{\"id\":\"%d\",\"ts\":%d,\"model\":\"m\",\"label\":%d}\n", i, i * 1000 + 1, i % 2 ? 0 : 5);
	}
	history_written(&w);
	history_run(&w, 2, 11, 30, 20);
	assert_int_equal(history_count(&w, "SELECT n FROM coverage_daily"), 48); /* NaN is no end */
	assert_int_equal(history_count(&w, "SELECT infinite FROM coverage_daily"), 24);
	assert_int_equal(history_count(&w, "SELECT empty_sets FROM coverage_daily"), 12);
	assert_int_equal(history_count(&w, "SELECT covered FROM label_statistics WHERE width_ms = 86400000"), 6 + 6 + 12);
	near(history_real(&w, "SELECT width FROM coverage_daily"), (2 * 12 - 12) / 24.0, 1e-12);
	history_close(&w);
}

/* Every other interval is of the level .5 and misses as often as it says; those of .9 miss `late` of the time in
 * the second half. */
static int64_t
coverage_alerts(double late)
{
	enum { RECORDS = 8000 };
	uint64_t seed = 5;
	struct history w;
	int64_t alerts;

	history_open(&w, "models:\n  - name: m\n    coverage: {calibration: 5000}\n");
	for (int i = 0; i < RECORDS; i++) {
		double miss = i % 2 ? 0.5 : i < RECORDS / 2 ? 0.1 : late;

		fprintf(w.records, "{\"id\":\"r%d\",\"ts\":%lld,\"prediction\":{\"value\":0,\"lower\":-1,\"upper\":1,"
		        "\"level\":%s},\"label\":%d}\n", i, 1700000000000LL + i * 60000LL, i % 2 ? "0.5" : "0.9",
		        history_uniform(&seed) < miss ? 2 : 0);
	}
	history_written(&w);
	history_run(&w, 1, 1u << 20, 0, 0);
	alerts = history_count(&w, "SELECT count(*) FROM alerts JOIN streams s USING (stream_id) WHERE s.kind = 'coverage'");
	history_close(&w);
	return alerts;
}

static void
misses_of_a_lower_level_are_no_loss(void **state)
{
	(void)state;
	assert_int_equal(coverage_alerts(0.1), 0);
	assert_int_equal(coverage_alerts(0.25), 1);
}

const struct CMUnitTest forecast_tests[] = {
	TEST("forecast/revision_may_change_between_runs", revision_may_change_between_runs),
	TEST("forecast/misses_of_a_lower_level_are_no_loss", misses_of_a_lower_level_are_no_loss),
	TEST("forecast/quantiles_are_a_prediction_of_their_own", quantiles_are_a_prediction_of_their_own),
	TEST("forecast/samples_and_deviations_are_forecasts_too", samples_and_deviations_are_forecasts_too),
	TEST("forecast/the_place_of_a_label_in_its_forecast_is_uniform", the_place_of_a_label_in_its_forecast_is_uniform),
	TEST("forecast/scores_are_their_definitions", scores_are_their_definitions),
	TEST("forecast/forecasts_of_another_shape_are_counted", forecasts_of_another_shape_are_counted),
	TEST("forecast/a_score_that_gets_worse_is_alerted", a_score_that_gets_worse_is_alerted),
	TEST("forecast/a_score_above_its_threshold_is_a_miss", a_score_above_its_threshold_is_a_miss),
	TEST("forecast/intervals_without_end_cover_and_have_no_width", intervals_without_end_cover_and_have_no_width),
	TESTS_END,
};
