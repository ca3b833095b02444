/* test_store_retain.c -- promises of rollup and retention. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/test_store.h"

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };

/* cmocka's own compares floats. */
static void
near(double got, double expected, double tolerance)
{
	if (!(fabs(got - expected) <= tolerance))
		fail_msg("%.17g is not %.17g", got, expected);
}

void
scratch_window(struct scratch *s, uint32_t stream, int64_t window_ms, int64_t width_ms,
               const double *x, uint64_t n)
{
	struct statistics_row row = { .window_ms = window_ms, .width_ms = width_ms,
		                      .stream_id = stream, .n = n, .missing = 1, .psi = .2,
		                      .psi_null95 = .1, .statistic = n ? x[0] : (double)NAN };
	double m2 = 0;
	char histogram[64];

	row.min = row.max = row.mean = row.sd = (double)NAN;
	row.q05 = row.q25 = row.q50 = row.q75 = row.q90 = row.q95 = row.sigma_shift = (double)NAN;
	if (n) {
		row.mean = 0;
		for (uint64_t i = 0; i < n; i++) {
			row.min = fmin(row.min, x[i]);
			row.max = fmax(row.max, x[i]);
			row.mean += x[i] / (double)n;
		}
		for (uint64_t i = 0; i < n; i++)
			m2 += (x[i] - row.mean) * (x[i] - row.mean);
		row.sd = n > 1 ? sqrt(m2 / (double)(n - 1)) : (double)NAN;
		row.q50 = row.mean;
		row.q05 = row.q25 = row.min;
		row.q75 = row.q90 = row.q95 = row.max;
		row.sigma_shift = row.mean / 2;
	}
	snprintf(histogram, sizeof histogram, "[%d,%d,%d]", (int)n, (int)(n / 2), 1);
	row.histogram = n ? histogram : NULL;
	assert_int_equal(store_put_statistics(s->store, &row), 0);
}

struct label_row
scratch_labels(uint32_t stream, int64_t window_ms, int64_t width_ms, uint64_t n, uint64_t covered)
{
	return (struct label_row){
		.window_ms = window_ms, .width_ms = width_ms, .stream_id = stream,
		.predictions = 2 * n, .labelled = n, .intervals = n, .covered = covered,
		.below = n - covered, .width_sum = 2. * (double)n, .winkler_sum = 3. * (double)n,
		.widths = n, .winklers = n, .errors_n = n, .abs_error_sum = (double)n, .sq_error_sum = 4. * (double)n,
	};
}

static double
uniform(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) * 0x1p-53;
}

/* 3 days of 5-minute windows, of two streams, and windows of records of a third, around 1970. */
static void
put_history(struct scratch *s, uint32_t first)
{
	uint64_t seed = 1;
	double x[4];

	for (int64_t t = -2ll * DAY; t < DAY; t += 300000) {
		for (uint32_t i = 0; i < 3; i++) {
			uint64_t n = (uint64_t)(uniform(&seed) * 5);

			for (uint64_t k = 0; k < n; k++)
				x[k] = uniform(&seed) * 10 - 3;
			scratch_window(s, first + i, i == 2 ? t + (int64_t)(uniform(&seed) * 299999) : t,
			           i == 2 ? 0 : 300000, x, n);
		}
	}
}

void
store_any_retention_cadence_gives_the_same_tables(void **state)
{
	/* step of the watermark, rows a call */
	static const int64_t cadence[][2] = { { 6ll * DAY, 1000000 }, { 420000, 7 }, { HOUR, 100 },
		                              { 5ll * HOUR + 7, 1 },  { DAY, 50 } };
	uint64_t expected = 0;

	(void)state;
	for (size_t c = 0; c < sizeof cadence / sizeof cadence[0]; c++) {
		struct scratch s;
		uint32_t first;
		uint64_t hash;
		int changes;

		scratch_open(&s);
		first = scratch_stream(&s, "feature", "a", "numeric");
		scratch_stream(&s, "feature", "b", "numeric");
		scratch_stream(&s, "feature", "c", "numeric");
		scratch_begin(&s);
		put_history(&s, first);
		for (int64_t now = -2ll * DAY; now < 4ll * DAY; now += cadence[c][0])
			assert_int_equal(store_retain(s.store, now, 6ll * HOUR, 2ll * DAY,
			                              (uint32_t)cadence[c][1]), 0);
		do { /* then until nothing is left to do */
			changes = sqlite3_total_changes(store_handle(s.store));
			store_retain(s.store, 4ll * DAY, 6ll * HOUR, 2ll * DAY, (uint32_t)cadence[c][1]);
		} while (sqlite3_total_changes(store_handle(s.store)) != changes);
		scratch_commit(&s);
		hash = scratch_hash(store_handle(s.store));
		if (c == 0)
			expected = hash;
		assert_true(hash == expected);
		/* two streams in three days; windows of records (the third) are kept as they are */
		assert_int_equal(scratch_int(store_handle(s.store),
		                             "SELECT count(*) FROM statistics WHERE width_ms > 0"), 6);
		assert_int_equal(scratch_int(store_handle(s.store),
		                             "SELECT count(*) FROM histograms JOIN statistics"
		                             " USING (window_ms, stream_id) WHERE width_ms > 0"), 6);
		scratch_close(&s);
	}
}

void
store_a_rollup_is_exactly_additive(void **state)
{
	struct scratch s;
	uint32_t stream;
	double x[240], mean = 0, m2 = 0, low = 10, high = -10;
	uint64_t seed = 5;
	sqlite3 *db;
	char text[512];

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "feature", "a", "numeric");
	for (int i = 0; i < 240; i++) {
		x[i] = uniform(&seed);
		mean += x[i] / 240;
		low = fmin(low, x[i]);
		high = fmax(high, x[i]);
	}
	for (int i = 0; i < 240; i++)
		m2 += (x[i] - mean) * (x[i] - mean);
	scratch_begin(&s);
	for (int w = 0; w < 12; w++) /* windows of 0, 20, 40, ... values, the last has all the rest */
		scratch_window(&s, stream, -HOUR + w * 300000, 300000, x + (w ? (w - 1) * 20 : 0),
		           w == 0 ? 0 : w == 11 ? 40 : 20);
	assert_int_equal(store_retain(s.store, 2ll * DAY - 1, 2ll * DAY, 30ll * DAY, 100), 0);
	assert_int_equal(scratch_int(store_handle(s.store), "SELECT count(*) FROM statistics"), 12);
	assert_int_equal(store_retain(s.store, 2ll * DAY, 2ll * DAY, 30ll * DAY, 100), 0);
	scratch_commit(&s);
	db = store_handle(s.store);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM statistics"), 1);
	assert_int_equal(scratch_int(db, "SELECT window_ms FROM statistics"), -HOUR);
	assert_int_equal(scratch_int(db, "SELECT width_ms FROM statistics"), HOUR);
	assert_int_equal(scratch_int(db, "SELECT n FROM statistics"), 240);
	assert_int_equal(scratch_int(db, "SELECT missing FROM statistics"), 12);
	near(scratch_real(db, "SELECT mean FROM statistics"), mean, 1e-14);
	near(scratch_real(db, "SELECT sd FROM statistics"), sqrt(m2 / 239), 1e-14);
	near(scratch_real(db, "SELECT min FROM statistics"), low, 0);
	near(scratch_real(db, "SELECT max FROM statistics"), high, 0);
	near(scratch_real(db, "SELECT q50 FROM statistics"), mean, .05);
	near(scratch_real(db, "SELECT sigma_shift FROM statistics"), mean / 2, 1e-14);
	assert_string_equal(scratch_text(db, "SELECT counts FROM histograms", text), "[240,120,11]");
	assert_string_equal(scratch_text(db, "SELECT psi FROM statistics", text), "NULL");
	assert_int_equal(scratch_int(db, "SELECT n FROM statistics_total"), 240);
	scratch_close(&s);
}

void
store_labels_that_may_still_come_keep_their_row(void **state)
{
	struct scratch s;
	uint32_t stream;
	struct label_row row;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	stream = scratch_stream(&s, "labels", "", "labels");
	scratch_begin(&s);
	for (int64_t t = 0; t < 2ll * DAY; t += 300000) {
		row = scratch_labels(stream, t, 300000, 1, 1);
		store_put_label_row(s.store, &row);
		if (t % HOUR == 0) {
			row.width_ms = HOUR;
			store_put_label_row(s.store, &row);
		}
		if (t % DAY == 0) {
			row.width_ms = DAY;
			store_put_label_row(s.store, &row);
		}
	}
	db = store_handle(s.store);
	store_retain(s.store, 100ll * DAY, DAY, 2ll * DAY, 100000);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics"), 576 + 48 + 2);
	store_finish_label_rows(s.store, 99, DAY); /* another model */
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics WHERE final"), 0);
	store_finish_label_rows(s.store, 1, DAY);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics WHERE final"),
	                 288 + 24 + 1);
	store_retain(s.store, 2ll * DAY, DAY, 2ll * DAY, 100); /* bounded, oldest first */
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics"), 526);
	assert_int_equal(scratch_int(db, "SELECT min(window_ms) FROM label_statistics"
	                                 " WHERE width_ms = 300000"), 30000000);
	store_retain(s.store, 2ll * DAY, DAY, 2ll * DAY, 10000);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics"), 288 + 48 + 2);
	store_retain(s.store, 4ll * DAY, DAY, 2ll * DAY, 10000);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM label_statistics"), 288 + 24 + 2);
	scratch_commit(&s);
	scratch_close(&s);
}

/* A model with windows of an hour, whose ids lie between those of one with windows of 5 minutes. */
void
store_a_rollup_leaves_wider_windows_alone(void **state)
{
	struct scratch s;
	uint32_t first;
	double x[] = { 1, 2 };
	char text[512];
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	first = scratch_stream(&s, "feature", "a0", "numeric");
	for (char f[] = "a1"; f[1] <= '9'; f[1]++)
		scratch_stream(&s, "feature", f, "numeric");
	scratch_begin(&s);
	for (uint32_t i = 0; i < 10; i++)
		for (int64_t t = 0; t < HOUR; t += 300000) {
			bool fine = i == 0 || i == 9;

			if (fine ? t < 600000 : t == 0)
				scratch_window(&s, first + i, t, fine ? 300000 : HOUR, x, 2);
		}
	assert_int_equal(store_retain(s.store, 3ll * DAY, 2ll * DAY, 30ll * DAY, 1000), 0);
	scratch_commit(&s);
	db = store_handle(s.store);
	assert_string_equal(scratch_text(db, "SELECT group_concat(n) FROM (SELECT n FROM statistics"
	                                     " ORDER BY stream_id)", text), "4,2,2,2,2,2,2,2,2,4");
	assert_int_equal(scratch_int(db, "SELECT sum(psi IS NULL) FROM statistics"), 2);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM histograms"), 10);
	scratch_close(&s);
}
