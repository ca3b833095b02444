/* test_season.c -- seasons: found where there is one and not where records merely hang together; then the
 * promise is stationary, and a shift within it is seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/kit/season.h"
#include "tests/fixture.h"
#include "tests/history.h"
#include "tests/tests.h"

extern const struct CMUnitTest season_tests[];

enum { DAYS = 14, PER_DAY = 96, N = DAYS * PER_DAY };

struct made {
	double value[N];
	int32_t hour[N];
};

/* Sine of the day, weekend, noise with memory `rho` and a level of each day of its own. */
static void
make(struct made *m, double day, double weekend, double rho, double level, uint64_t *seed)
{
	double noise = history_normal(seed), own = 0;

	for (int i = 0; i < N; i++) {
		int hour = i / (PER_DAY / 24);

		if (i % PER_DAY == 0)
			own = level * history_normal(seed);
		noise = rho * noise + sqrt(1 - rho * rho) * history_normal(seed);
		m->hour[i] = hour;
		m->value[i] = noise + own + day * sin(hour * 6.283185307179586 / 24) +
		              (hour / 24 % 7 < 2 ? weekend : 0);
	}
}

static int
found(double day, double weekend, double rho, double level, int runs, bool week)
{
	static struct made m;
	uint64_t seed = 5;
	int n = 0;

	for (int i = 0; i < runs; i++) {
		struct season_found f;

		make(&m, day, weekend, rho, level, &seed);
		assert_true(season_find(m.value, m.hour, N, &f));
		n += week ? f.week : f.day;
	}
	return n;
}

/* At a level of .005, 9 of 400 and more have a probability below .001; .01 for the week: 13. */
static void
no_season_is_found_in_noise_that_hangs_together(void **state)
{
	static const double rho[] = { 0, 0.5, 0.9, 0.98 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_in_range(found(0, 0, rho[i], 0, 400, false), 0, 8);
		assert_in_range(found(0, 0, rho[i], 0.5, 400, false), 0, 8);
	}
	assert_in_range(found(0, 0, 0, 0.3, 400, true), 0, 12);
	assert_in_range(found(0, 0, 0.5, 0, 400, true), 0, 12);
}

static void
a_season_is_found(void **state)
{
	(void)state;
	assert_in_range(found(0.4, 0, 0, 0, 100, false), 95, 100);
	assert_in_range(found(1, 0, 0.9, 0.5, 100, false), 80, 100);
	assert_in_range(found(0, 2, 0.5, 0.1, 100, true), 95, 100);
	assert_in_range(found(0, 1, 0, 0, 200, false), 0, 5); /* weekends are no season of the day */
}

static void
phases_are_those_of_the_calendar(void **state)
{
	(void)state;
	assert_int_equal(season_phase(SEASON_DAY, 25), 1);
	assert_int_equal(season_phase(SEASON_DAY, -1), 23);
	assert_int_equal(season_phase(SEASON_WEEK, -1), 167);
	assert_int_equal(season_phase(SEASON_WEEKDAY, -1), 6);
	assert_int_equal(season_phase(SEASON_WEEKDAY, 24 * 7 + 25), 1);
	assert_int_equal(season_phase(SEASON_NONE, 77), 0);
}

/* -- in the daemon ------------------------------------------------------------------------------------ */

enum { REPLAY_DAYS = 24, STEP_MS = 120000, CHANGE_DAY = 19 };

/* Four weeks of 720 records a day; `kept` and `moved` have the same season, `moved` rises by `shift`. */
static void
write_season(struct history *w, double shift)
{
	uint64_t seed = 3;

	for (int i = 0; i < REPLAY_DAYS * 720; i++) {
		double season = 2 * sin((i % 720) * 6.283185307179586 / 720);

		fprintf(w->records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"kept\":%.5f,\"moved\":%.5f,\"flat\":%.5f,"
		        "\"kind\":\"%s\"}}\n", 1699920000000LL + (long long)i * STEP_MS, season + history_normal(&seed),
		        season + history_normal(&seed) + (i >= CHANGE_DAY * 720 ? shift : 0), history_normal(&seed),
		        history_uniform(&seed) < 0.5 + 0.2 * season ? "day" : "night");
	}
}

#define HEAD "alerts: {budget: 0.1 per day}\nmodels:\n  - name: m\n"

static void
a_daily_season_is_silent_and_a_shift_within_it_is_not(void **state)
{
	struct history w;
	char text[400];

	(void)state;
	history_open(&w, "models: auto\n");
	write_season(&w, 0.5);
	history_replay(&w, HEAD);
	assert_string_equal(history_text(&w, "SELECT group_concat(field || ' ' || a.promise || ' ' || dependence)"
	                    " FROM alerts a JOIN streams s USING (stream_id) WHERE s.kind = 'feature'", text,
	                                sizeof text),
	                    "moved certified records used as they come, compared by hour of the day");
	assert_string_equal(history_text(&w, "SELECT group_concat(field || ' ' || method || ' ' || season || ' ' ||"
	                    " promise, ', ') FROM (SELECT * FROM detectors JOIN streams USING (stream_id)"
	                    " WHERE kind = 'feature' ORDER BY field, role DESC)", text, sizeof text),
	                    "flat tolerant  certified, flat conformal  certified, kept tolerant day certified, "
	                    "kept mondrian day certified, kind tolerant-categorical day certified, "
	                    "kind categorical  void: dependent, moved tolerant day certified, "
	                    "moved mondrian day certified");
	assert_true(fabs(history_real(&w, "SELECT effect FROM alerts WHERE promise = 'certified'") - 0.5) < 0.3);
	history_close(&w);
}

/* Before the season is known, in the reference's last hours, after it, and while an alert is open. */
static void
a_restart_keeps_the_phases(void **state)
{
	static const uint32_t after[] = { 5000, 10070, 10500, 15000, 17000 };
	struct history w;
	char text[1000], whole[1000];
	const char *sql = "SELECT group_concat(method || printf(' %.12g %d %.12g', statistic, used, spent))"
	                  " FROM (SELECT * FROM detectors ORDER BY detector_id)";

	(void)state;
	history_open(&w, "models: auto\n");
	write_season(&w, 0.5);
	history_replay(&w, HEAD);
	history_text(&w, sql, whole, sizeof whole);
	for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
		history_replay_with(&w, HEAD, HEAD, after[i]);
		assert_string_equal(history_text(&w, sql, text, sizeof text), whole);
	}
	history_close(&w);
}

static void
without_phases_a_season_has_no_promise(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_season(&w, 0);
	history_replay(&w, HEAD "    season: none\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors WHERE season <> ''"), 0);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors JOIN streams USING (stream_id) WHERE"
	                            " role = 'paging' AND field = 'kept' AND promise LIKE 'void%'"), 1);
	history_close(&w);
}

static void
a_declared_week_needs_two_weeks_of_reference(void **state)
{
	struct history w;

	(void)state;
	history_open(&w, "models: auto\n");
	write_season(&w, 0);
	history_replay(&w, HEAD "    season: week\n    reference: {span: 8d}\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM drift_now WHERE role = 'paging' AND season = 'week'"
	                            " AND promise = 'void' AND why = 'short'"), 10);
	history_replay(&w, HEAD "    season: week\n");
	assert_int_equal(history_count(&w, "SELECT count(*) FROM drift_now WHERE role = 'paging' AND season = 'week'"
	                            " AND promise = 'certified'"), 10);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM detectors WHERE json_extract(params, '$.cycle') = 7"),
	                 10);
	history_close(&w);
}

static void
an_episode_in_a_season_ends_when_the_shift_does(void **state)
{
	struct history w;
	uint64_t seed = 4;

	(void)state;
	history_open(&w, "models: auto\n");
	for (int i = 0; i < REPLAY_DAYS * 720; i++)
		fprintf(w.records, "{\"ts\":%lld,\"model\":\"m\",\"features\":{\"x\":%.5f}}\n",
		        1699920000000LL + (long long)i * STEP_MS,
		        2 * sin((i % 720) * 6.283185307179586 / 720) + history_normal(&seed) +
		        (i >= 16 * 720 && i < 18 * 720 ? 1 : 0));
	history_replay(&w, HEAD);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts WHERE state = 'resolved' AND resolved_by ="
	                            " 'evidence' AND resolved_ms < 1699920000000 + 22 * 86400000 AND resolved_ms >"
	                            " 1699920000000 + 18 * 86400000"), 1);
	assert_int_equal(history_count(&w, "SELECT count(*) FROM alerts"), 1);
	history_close(&w);
}

const struct CMUnitTest season_tests[] = {
	TEST("season/no_season_is_found_in_noise_that_hangs_together",
	     no_season_is_found_in_noise_that_hangs_together),
	TEST("season/a_season_is_found", a_season_is_found),
	TEST("season/phases_are_those_of_the_calendar", phases_are_those_of_the_calendar),
	TEST("season/a_daily_season_is_silent_and_a_shift_within_it_is_not",
	     a_daily_season_is_silent_and_a_shift_within_it_is_not),
	TEST("season/a_restart_keeps_the_phases", a_restart_keeps_the_phases),
	TEST("season/without_phases_a_season_has_no_promise", without_phases_a_season_has_no_promise),
	TEST("season/a_declared_week_needs_two_weeks_of_reference", a_declared_week_needs_two_weeks_of_reference),
	TEST("season/an_episode_in_a_season_ends_when_the_shift_does",
	     an_episode_in_a_season_ends_when_the_shift_does),
	TESTS_END,
};
