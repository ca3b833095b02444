/* main.c -- all suites as one cmocka group, so that a run ends with one closing line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tests.h"

#define SUITES(X) \
	X(batches) \
	X(cli) \
	X(config) \
	X(config_detectors) \
	X(decode) \
	X(deliver) \
	X(dependence) \
	X(detectors) \
	X(distance) \
	X(envelope) \
	X(episodes) \
	X(explain) \
	X(forecast) \
	X(forget) \
	X(forms) \
	X(gaps) \
	X(joint) \
	X(journal) \
	X(kit) \
	X(limited) \
	X(embedding) \
	X(logits) \
	X(merge) \
	X(metrics) \
	X(models) \
	X(notes) \
	X(ood) \
	X(ood_alarms) \
	X(own) \
	X(pipeline) \
	X(private) \
	X(probes) \
	X(quality) \
	X(rebaseline) \
	X(residuals) \
	X(run_length) \
	X(score) \
	X(season) \
	X(segments) \
	X(silence) \
	X(source) \
	X(store) \
	X(tenant) \
	X(tolerant) \
	X(uncertainty) \
	X(verdicts) \
	X(versions)

#define DECLARE(name) extern const struct CMUnitTest name##_tests[];
SUITES(DECLARE)

#define ENTRY(name) name##_tests,
static const struct CMUnitTest *const suites[] = { SUITES(ENTRY) };

int
main(int argc, char **argv)
{
	static struct CMUnitTest all[2048];
	size_t n = 0;

	for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++)
		for (const struct CMUnitTest *t = suites[s]; t->name; t++) {
			if (n == sizeof all / sizeof all[0])
				return 1;
			all[n++] = *t;
		}
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < n; i++)
			puts(all[i].name);
		return 0;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests("driftd", all, n, NULL, NULL);
}
