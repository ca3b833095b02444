/* test_limited.c -- figures with a stated limit: what the configuration allows, and what it says of mistakes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/label/limited.h"
#include "tests/tests.h"

extern const struct CMUnitTest limited_tests[];

static int
load(const char *performance, struct config **out, struct diag *d)
{
	char path[] = "/tmp/driftd-limited-XXXXXX";
	int fd = mkstemp(path), err;
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fprintf(f, "models: [{name: m, performance: %s}]\n", performance);
	fclose(f);
	err = config_load(out, path, NULL, d);
	unlink(path);
	return err;
}

static void
a_limit_is_a_mean_loss(void **state)
{
	struct config *c;
	struct diag d = { "" };
	const struct model_config *m;

	(void)state;
	assert_int_equal(load("{accuracy: {at_least: 0.9}, mae: {at_most: 20, bound: 400}, brier: {at_most: 0.5},"
	                      " calibration: {at_most: 0.04}, coverage: {at_least: 0.88, at_most: 0.96}}", &c, &d), 0);
	m = config_model(c, "m", 1);
	assert_true(fabs(limited_mean(m, LIMITED_ACCURACY) - 0.1) < 1e-12);
	assert_true(limited_mean(m, LIMITED_MAE) == 0.05 && limited_mean(m, LIMITED_BRIER) == 0.25);
	assert_true(limited_mean(m, LIMITED_OVERCONFIDENT) == 0.52 && limited_mean(m, LIMITED_UNDERCONFIDENT) == 0.52);
	assert_true(fabs(limited_mean(m, LIMITED_COVERAGE) - 0.12) < 1e-12);
	assert_true(limited_mean(m, LIMITED_OVERCOVERAGE) == 0.96);
	assert_true(isnan(limited_mean(m, LIMITED_RECALL)) && isnan(limited_mean(m, LIMITED_ERROR_RATE)));
	assert_int_equal(limited_count(m), 7);
	config_free(c);
}

static void
limits_that_cannot_be_judged_are_refused(void **state)
{
	static const char *const bad[] = { "{mae: {at_most: 20}}", "{mae: {bound: 20}}", "{accuracy: {at_most: 0.9}}",
		                           "{accuracy: {at_least: 1.5}}", "{rmse: {at_most: 2}}" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct config *c = NULL;
		struct diag d = { "" };

		assert_int_not_equal(load(bad[i], &c, &d), 0);
		assert_true(strlen(d.text) > 10);
	}
}

const struct CMUnitTest limited_tests[] = {
	TEST("limited/a_limit_is_a_mean_loss", a_limit_is_a_mean_loss),
	TEST("limited/limits_that_cannot_be_judged_are_refused", limits_that_cannot_be_judged_are_refused),
	TESTS_END,
};
