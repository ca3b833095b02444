/* test_probes.c -- perturbed twins and the labels of what they are twins of: robust accuracy. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/limits.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest probes_tests[];

enum { STEP_MS = 600000 };
static const long long begin_ms = 1700000000000LL;

#define CONFIGURATION                                                                              \
	"id_hash_key: 00112233445566778899aabbccddeeff\n"                                          \
	"models:\n  - name: m\n    reference: {from: first, records: 1000, span: 8d}\n"

static long long
at(int i)
{
	return begin_ms + (long long)i * STEP_MS;
}

static void
put_clean(struct history *w, int i, const char *version, char class)
{
	fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%s\",\"prediction\":{\"class\":"
	        "\"%c\"}}\n", i, at(i), version, class);
}

static void
put_twin(struct history *w, int i, int when, const char *version, int severity, char class)
{
	fprintf(w->records, "{\"id\":\"r%d~%d\",\"ts\":%lld,\"model\":\"m\",\"version\":\"%s\",\"probe_of\":\"r%d\","
	        "\"perturbation\":\"fgsm\",\"severity\":%d,\"prediction\":{\"class\":\"%c\"}}\n", i, severity, at(when),
	        version, i, severity, class);
}

static void
put_label(struct history *w, int i, int when)
{
	fprintf(w->labels, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"label\":\"a\"}\n", i, at(when) + 1);
}

static char
wrong_with(uint64_t *seed, double chance)
{
	return history_uniform(seed) < chance ? 'b' : 'a';
}

struct count {
	int labelled, clean_right, right, both;
};

static void
add(struct count *c, char clean, char twin)
{
	c->labelled++;
	c->clean_right += clean == 'a';
	c->right += twin == 'a';
	c->both += clean == 'a' && twin == 'a';
}

static void
check_count(const struct history *w, const char *version, int severity, const struct count *c)
{
	char sql[400];

	snprintf(sql, sizeof sql, "SELECT labelled = %d AND abs(clean_accuracy - %d.0 / labelled) < 1e-12 AND"
	         " abs(robust_accuracy - %d.0 / labelled) < 1e-12 AND abs(lost_share - 1 + %d.0 / %d) < 1e-12"
	         " FROM robustness_total WHERE version = '%s' AND perturbation = 'fgsm/%d'", c->labelled,
	         c->clean_right, c->right, c->both, c->clean_right, version, severity);
	assert_int_equal(history_count(w, sql), 1);
}

/* Two versions tell every id; a twin at once and another of severity 2 after the label has come; labels of nine in
 * ten. From `change` on twins of version 2 are more often wrong, as often another class as before. */
static void
write_history(struct history *w, int records, int change, struct count c[2][2])
{
	uint64_t seed = 7;

	memset(c, 0, 4 * sizeof c[0][0]);
	history_open(w, CONFIGURATION);
	for (int i = 0; i < records; i++) {
		bool labelled = i % 10;

		for (int v = 0; v < 2; v++) {
			const char *version = v ? "2" : "1";
			char clean = wrong_with(&seed, 0.1), twin = wrong_with(&seed, i >= change && v ? 0.5 : 0.2);

			put_clean(w, i, version, clean);
			put_twin(w, i, i, version, 1, twin);
			put_twin(w, i, i, version, 1, 'b'); /* again: flips count, the accuracy has had it */
			if (labelled)
				add(&c[v][0], clean, twin);
			if (i >= 30 && i % 7 == 0) {
				/* of one that has its label since */
				twin = wrong_with(&seed, 0.4);
				put_twin(w, i - 30, i, version, 2, twin);
			}
		}
		if (labelled)
			put_label(w, i, i + 12);
	}
	history_written(w);
}

static void
twins_are_right_or_wrong_with_the_label_of_their_prediction(void **state)
{
	static struct tables expected;
	struct count c[2][2];
	struct history w;

	(void)state;
	write_history(&w, 2400, 9999, c);
	history_run(&w, 1, 512, 100, 0);
	check_count(&w, "1", 1, &c[0][0]);
	check_count(&w, "2", 1, &c[1][0]);
	/* two versions, twins of the same ids */
	assert_int_equal(history_count(&w, "SELECT n FROM versions_now WHERE figure = 'probe_error' AND matched = 'id'"),
	                 c[0][0].labelled + history_count(&w, "SELECT labelled FROM robustness_total WHERE version = '1'"
	                                                      " AND perturbation = 'fgsm/2'"));
	assert_true(fabs(history_real(&w, "SELECT mean FROM versions_now WHERE figure = 'probe_error'") - 0.22) < 0.03);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM counters WHERE name = 'probes_unpaired'"), 0);
	/* the curve of the reference */
	assert_true(fabs(history_real(&w, "SELECT reference_accuracy FROM robustness_total WHERE version = '1' AND"
	                                  " perturbation = 'fgsm/1'") - 0.8) < 0.05);
	assert_true(fabs(history_real(&w, "SELECT reference_flip_rate FROM robustness_total WHERE version = '1' AND"
	                                  " perturbation = 'fgsm/1'") - (0.26 + 0.9) / 2) < 0.05);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 6; seed++) {
		history_run(&w, seed, 61, 20, 10);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

static void
robust_accuracy_that_falls_is_told(void **state)
{
	struct count c[2][2];
	struct history w;
	char text[400];

	(void)state;
	write_history(&w, 4000, 2500, c);
	history_run(&w, 1, 512, 100, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) WHERE name ="
	                                   " 'probe_error:fgsm/1@2' AND alerts.kind = 'robustness' AND started_ms >"
	                                   " 1700000000000 + 2300 * 600000"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts JOIN streams USING (stream_id) WHERE name LIKE"
	                                   " '%@1'"), 0);
	assert_non_null(strstr(history_text(&w, "SELECT diagnosis FROM alerts JOIN streams USING (stream_id) WHERE name ="
	                                        " 'probe_error:fgsm/1@2'", text, sizeof text), "robustness affected"));
	assert_string_equal(history_text(&w, "SELECT verdict FROM versions_now WHERE figure = 'probe_error'", text,
	                                 sizeof text), "higher");
	history_close(&w);
}

/* More twins than there is room for: the oldest are not judged, before a restart and after it. */
static void
the_last_twins_wait(void **state)
{
	enum { TWINS = LIMIT_PROBES_WAITING + 3000 };
	static struct tables expected;
	struct history w;

	(void)state;
	history_open(&w, "id_hash_key: 00112233445566778899aabbccddeeff\nmodels: auto\n");
	for (int i = 0; i < TWINS / 8; i++) {
		put_clean(&w, i, "", 'a');
		for (int severity = 0; severity < 8; severity++)
			put_twin(&w, i, i, "", severity, 'a');
	}
	for (int i = 0; i < TWINS / 8; i++)
		put_label(&w, i, TWINS / 8);
	history_written(&w);
	history_run(&w, 1, 4096, 100, 0);
	assert_int_equal(history_count(&w, "SELECT sum(labelled) FROM robustness_total"), LIMIT_PROBES_WAITING);
	assert_int_equal(history_count(&w, "SELECT sum(pairs) FROM robustness_total"), TWINS);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM chunks WHERE owner = 'probes'"),
	                 (TWINS + 1023) / 1024 - (TWINS - LIMIT_PROBES_WAITING) / 1024);
	history_tables(&w, &expected);
	history_run(&w, 3, 4096, 30, 20);
	history_same(&w, &expected, 3);
	history_close(&w);
}

const struct CMUnitTest probes_tests[] = {
	TEST("probes/twins_are_right_or_wrong_with_the_label_of_their_prediction",
	     twins_are_right_or_wrong_with_the_label_of_their_prediction),
	TEST("probes/robust_accuracy_that_falls_is_told", robust_accuracy_that_falls_is_told),
	TEST("probes/the_last_twins_wait", the_last_twins_wait),
	TESTS_END,
};
