/* metric.c -- the table of metrics, and what they share. */
#include "detectors/metric/metric.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"

extern const struct metric metric_atc, metric_bh, metric_bootstrap, metric_brier, metric_cbpe,
	metric_clopper_pearson, metric_crps, metric_e_bh, metric_ece, metric_p0, metric_pit,
	metric_winkler;

const struct metric *const metric_table[] = {
	&metric_atc,
	&metric_bh,
	&metric_bootstrap,
	&metric_brier,
	&metric_cbpe,
	&metric_clopper_pearson,
	&metric_crps,
	&metric_e_bh,
	&metric_ece,
	&metric_p0,
	&metric_pit,
	&metric_winkler,
	NULL,
};

const struct metric *
metric_find(const char *name)
{
	for (size_t i = 0; metric_table[i] != NULL; i++)
		if (strcmp(metric_table[i]->name, name) == 0)
			return metric_table[i];
	return NULL;
}

int
metric_series_push(struct metric_series *s, double value, struct diag *d)
{
	if (s->n == s->capacity) {
		size_t capacity = s->capacity == 0 ? 256 : 2 * s->capacity;
		double *grown = NULL;

		if (capacity <= SIZE_MAX / sizeof *grown)
			grown = realloc(s->value, capacity * sizeof *grown);
		if (grown == NULL)
			return diag_set(d, ERR_IO, "no memory for %zu numbers", capacity);
		s->value = grown;
		s->capacity = capacity;
	}
	s->value[s->n++] = value;
	return 0;
}

void
metric_series_finish(struct metric_series *s)
{
	free(s->value);
	*s = (struct metric_series){ NULL, 0, 0 };
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
metric_sort(double *value, size_t n)
{
	if (n > 1)
		qsort(value, n, sizeof *value, ascending);
}

int
metric_state(void **out, size_t size, const void *options, size_t options_size, struct diag *d)
{
	*out = calloc(1, size);
	if (*out == NULL)
		return diag_set(d, ERR_IO, "no memory for %zu bytes", size);
	if (options_size > 0)
		memcpy(*out, options, options_size);
	return 0;
}
