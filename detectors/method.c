/* method.c -- which detectors the configuration may name for which types of streams, and whether the budget
 * covers them (config/method.h). Detectors of vectors, of windows of p-values and those that adapt a level
 * are no tests of one stream and not here. */
#include "config/method.h"

#include <string.h>

#include "detectors/detector.h"

static const struct rule {
	const char *name;
	unsigned types;
	enum method_budget budget;
	const char *must[3];
} rules[] = {
	{ "adwin", METHOD_NUMERIC | METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "binary", METHOD_BINARY, METHOD_SHOWS, { NULL } },
	{ "categorical", METHOD_CATEGORICAL, METHOD_SHOWS, { NULL } },
	{ "conformal", METHOD_NUMERIC, METHOD_SHOWS, { NULL } },
	{ "cusum", METHOD_NUMERIC | METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "e1", METHOD_NUMERIC, METHOD_SHOWS, { NULL } },
	{ "e2", METHOD_NUMERIC, METHOD_PAGES, { NULL } },
	{ "ewma", METHOD_NUMERIC | METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "focus", METHOD_NUMERIC | METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "hddm-a", METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "martingale", METHOD_NUMERIC, METHOD_PAGES, { NULL } },
	{ "mondrian", METHOD_NUMERIC, METHOD_SHOWS, { NULL } },
	{ "page-hinkley", METHOD_NUMERIC | METHOD_BINARY, METHOD_UNBUDGETED, { NULL } },
	{ "sr-bernoulli", METHOD_BINARY, METHOD_PAGES, { "p0", NULL } },
	{ "sr-mean", METHOD_NUMERIC | METHOD_BINARY, METHOD_PAGES, { "m", NULL } },
	{ "sr-normal", METHOD_NUMERIC, METHOD_PAGES, { "mu", "sigma", NULL } },
	{ "tolerant", METHOD_NUMERIC, METHOD_PAGES, { NULL } },
	{ "tolerant-binary", METHOD_BINARY, METHOD_PAGES, { NULL } },
	{ "tolerant-categorical", METHOD_CATEGORICAL, METHOD_PAGES, { NULL } },
};

enum { RULES = sizeof rules / sizeof rules[0] };

bool
method_find(const char *name, struct method *out)
{
	const struct detector *det = detector_find(name);

	for (size_t i = 0; det && i < RULES; i++) {
		if (strcmp(rules[i].name, name))
			continue;
		*out = (struct method){
			.name = rules[i].name,
			.summary = det->summary,
			.types = rules[i].types,
			.budget = rules[i].budget,
			.options = det->options,
			.options_size = det->options_size,
		};
		memcpy(out->must, rules[i].must, sizeof out->must);
		return true;
	}
	return false;
}

const char *const *
method_names(void)
{
	static const char *names[RULES + 1];

	for (size_t i = 0; i < RULES; i++)
		names[i] = rules[i].name;
	return names;
}
