/* test_joint.c -- what the numeric features show only together, and what the joint streams promise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "storage/store.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest joint_tests[];

enum { RECORDS = 14000, STEP_MS = 120000, CHANGE = 9000, FEATURES = 6 };
#define BEGIN_MS 1700000000000LL

static const char configuration[] = "id_hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"alerts: {budget: 0.02 per day, send: all}\nwindows: {width: 1h}\n"
	"models:\n  - name: m\n    reference: {from: first, records: 3000, span: 8d}\n";

enum change { NOTHING, CORRELATION, ALL_A_LITTLE };

/* x0 and x1 are correlated by .8 until CHANGE; then not, with the same marginals. */
static void
write_history(struct history *w, enum change change)
{
	uint64_t seed = 21;

	history_open(w, configuration);
	for (int i = 0; i < RECORDS; i++) {
		bool after = i >= CHANGE;
		double x[FEATURES];

		for (int k = 0; k < FEATURES; k++)
			x[k] = history_normal(&seed);
		if (!(after && change == CORRELATION))
			x[1] = 0.8 * x[0] + 0.6 * x[1];
		fprintf(w->records, "{\"id\":\"r%d\",\"ts\":%lld,\"model\":\"m\",\"features\":{", i,
		        BEGIN_MS + (long long)i * STEP_MS);
		for (int k = 0; k < FEATURES; k++)
			fprintf(w->records, "%s\"x%d\":%.6f", k ? "," : "", k,
			        x[k] + (after && change == ALL_A_LITTLE ? 0.3 : 0));
		fprintf(w->records, "}}\n");
	}
	history_written(w);
}

#define JOINT_ALERTS "FROM alerts a JOIN streams s USING (stream_id) WHERE s.kind = 'joint' AND s.field = 'projections'"

static void
a_broken_correlation_is_found_by_the_joint_alone(void **state)
{
	struct history w;
	char text[4096];

	(void)state;
	write_history(&w, CORRELATION);
	history_run(&w, 1, 4096, 0, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts a JOIN streams s USING (stream_id) WHERE"
	                               " s.kind <> 'joint'"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) " JOINT_ALERTS " AND a.promise = 'certified' AND"
	                               " a.offset BETWEEN 9000 AND 9400"), 1);
	/* the two features whose directions weigh most, by the direction of the alert */
	history_text(&w, "SELECT a.explanation " JOINT_ALERTS, text, sizeof text);
	assert_non_null(strstr(text, "\"features\":[{\"stream\":\"feature:x"));
	assert_non_null(strstr(text, "\"weight\":"));
	history_close(&w);
}

static void
nothing_opens_where_nothing_changes(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, NOTHING);
	history_run(&w, 1, 4096, 0, 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 0);
	assert_true(history_real(&w, "SELECT d.spent FROM detectors d JOIN streams s USING (stream_id) WHERE"
	                         " s.kind = 'joint' AND s.field = 'projections'") > 0);
	assert_true(history_real(&w, "SELECT d.spent FROM detectors d JOIN streams s USING (stream_id) WHERE"
	                         " s.kind = 'joint' AND s.field = 'mean'") > 0);
	history_close(&w);
}

/* They split the joint share, .3 of the class, equally; the others have .7. */
static void
the_shares_of_inputs_sum_to_their_class(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, NOTHING);
	history_run(&w, 1, 4096, 0, 0);
	assert_true(fabs(history_real(&w, "SELECT sum(d.share) FROM detectors d JOIN streams s USING (stream_id)"
	                              " WHERE s.kind = 'joint'") /
	                 history_real(&w, "SELECT sum(d.share) FROM detectors d JOIN streams s USING (stream_id)"
	                              " WHERE s.kind IN ('joint', 'feature')") - 0.3) < 1e-12);
	assert_true(fabs(history_real(&w, "SELECT sum(share) FROM detectors") - 0.95 * 0.02) < 1e-12);
	history_close(&w);
}

/* With an alarm the tests of the features begin anew, and its explanation has been told before. */
static void
features_that_all_move_a_little_cross_together(void **state)
{
	struct history w;

	(void)state;
	write_history(&w, ALL_A_LITTLE);
	history_run(&w, 1, 4096, 0, 0);
	assert_true(history_count(&w, "SELECT count(*) FROM alerts a JOIN streams s USING (stream_id) WHERE"
	                          " s.kind = 'joint' AND a.offset >= 9000") >= 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts a JOIN streams s USING (stream_id) WHERE"
	                               " a.offset < 9000"), 0);
	history_close(&w);
}

static void
crashes_change_nothing(void **state)
{
	static struct tables expected;
	struct history w;

	(void)state;
	write_history(&w, CORRELATION);
	history_run(&w, 1, 1u << 20, 0, 0);
	history_tables(&w, &expected);
	for (uint64_t seed = 2; seed < 4; seed++) {
		history_run(&w, seed, 900, 40, 15);
		history_same(&w, &expected, seed);
	}
	history_close(&w);
}

/* Its features learn anew in the middle of a window; the end of that window begins the joint again. */
static void
rebaseline_at(const struct history *w, uint32_t at, bool crash)
{
	struct diag d = { "" };
	struct running r;

	history_start(&r, w, true);
	history_step(&r, at);
	history_commit(&r);
	if (store_insert_command(w->database, "rebaseline", "m", "{\"records\":500}", 1, NULL, &d))
		fail_msg("%s", d.text);
	history_commit(&r);
	if (crash) {
		history_drop(&r);
		history_start(&r, w, false);
		history_step(&r, 7);
		history_commit(&r);
		history_drop(&r);
		history_start(&r, w, false);
	}
	history_end(&r);
	history_drop(&r);
}

static void
features_that_learn_anew_leave_a_state_that_loads(void **state)
{
	static struct tables expected;
	struct history w;

	(void)state;
	write_history(&w, NOTHING);
	rebaseline_at(&w, 8012, false);
	assert_true(history_count(&w, "SELECT d.used FROM detectors d JOIN streams s USING (stream_id) WHERE"
	                          " s.kind = 'joint' AND s.field = 'projections'") > 1000);
	history_tables(&w, &expected);
	rebaseline_at(&w, 8012, true);
	history_same(&w, &expected, 8012);
	history_close(&w);
}

#define PROMISE(name) TEST("joint/" #name, name)

const struct CMUnitTest joint_tests[] = {
	PROMISE(a_broken_correlation_is_found_by_the_joint_alone),
	PROMISE(nothing_opens_where_nothing_changes),
	PROMISE(the_shares_of_inputs_sum_to_their_class),
	PROMISE(features_that_all_move_a_little_cross_together),
	PROMISE(crashes_change_nothing),
	PROMISE(features_that_learn_anew_leave_a_state_that_loads),
	TESTS_END,
};
