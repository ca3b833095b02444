/* method.h -- what the configuration knows of a method that `detectors:` may name. The methods themselves
 * stand above config/ (detectors/method.c): here is only what a file is checked against.
 */
#ifndef CONFIG_METHOD_H
#define CONFIG_METHOD_H

#include <stdbool.h>
#include <stddef.h>

struct option;

enum { METHOD_NUMERIC = 1, METHOD_BINARY = 2, METHOD_CATEGORICAL = 4 }; /* types of streams */

enum method_budget {
	METHOD_PAGES,      /* its false alarms are bounded by the budget, and it is made to page */
	METHOD_SHOWS,      /* bounded too; shown beside one that pages, and pages where there is none */
	METHOD_UNBUDGETED, /* tuned by a threshold: no bound on its false alarms */
};

struct method {
	const char *name, *summary;
	unsigned types;               /* streams that it can watch: METHOD_NUMERIC | ... */
	enum method_budget budget;
	const struct option *options; /* its own, ended by OPT_END */
	size_t options_size;
	const char *must[3];          /* options that have to be given, ended by NULL */
};

/* Is it an out-of-distribution score with a reference, which `ood: {panel: ..}` may name? */
bool method_is_panel_score(const char *name);
/* False when no such method is for `detectors:`. */
bool method_find(const char *name, struct method *out);
const char *const *method_names(void); /* sorted, ended by NULL */

#endif
