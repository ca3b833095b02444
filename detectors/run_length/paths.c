/* paths.c -- see paths.h. */
#include "detectors/run_length/paths.h"

#include <math.h>

/* Records of a chunk are always drawn in full, so what a path sees does not depend on thresholds. */
struct chunk {
	double value[PATHS_ROWS];
	uint32_t code[PATHS_ROWS];
	struct reading reading[PATHS_ROWS];
	struct column column;
};

static void
chunk_draw(struct chunk *c, const struct paths *p, bool changed, uint32_t rows)
{
	bool codes = p->detector->kind == COLUMN_CATEGORY;

	p->draw(p->context, changed, rows, c->value, c->code);
	c->column = (struct column){ .n = rows, .width = 1, .value = codes ? NULL : c->value,
		.code = codes ? c->code : NULL };
}

/* The largest statistic of the records before the change. */
static double
calm(const struct paths *p, struct chunk *c, uint32_t before)
{
	double most = 0;

	for (uint32_t at = 0, rows; at < before; at += rows) {
		rows = before - at < PATHS_ROWS ? before - at : PATHS_ROWS;
		chunk_draw(c, p, false, rows);
		p->detector->update(p->self, &c->column, 0, (double)INFINITY, c->reading);
		for (uint32_t r = 0; r < rows; r++)
			most = fmax(most, c->reading[r].statistic);
	}
	return most;
}

/* One path: the record after the change at which each threshold is reached, records_max: not at all. */
static double
path(const struct paths *p, uint32_t before, uint32_t records_max, const double *threshold,
     uint32_t thresholds, double *first)
{
	struct chunk c;
	uint32_t next = 0;
	double most;

	p->detector->reset(p->self);
	most = calm(p, &c, before);
	for (uint32_t i = 0; i < thresholds; i++)
		first[i] = records_max;
	while (next < thresholds && threshold[next] <= most)
		next++;
	for (uint32_t at = 0; at < records_max && next < thresholds; at += PATHS_ROWS) {
		chunk_draw(&c, p, true, PATHS_ROWS);
		p->detector->update(p->self, &c.column, 0, (double)INFINITY, c.reading);
		for (uint32_t r = 0; r < PATHS_ROWS; r++)
			while (next < thresholds && c.reading[r].statistic >= threshold[next])
				first[next++] = at + r + 1;
	}
	return most;
}

void
paths_delay(const struct paths *p, uint32_t before, uint32_t paths, uint32_t records_max,
            const double *threshold, uint32_t thresholds, struct paths_length *out)
{
	double first[PATHS_THRESHOLDS_MAX], squares[PATHS_THRESHOLDS_MAX] = { 0 };

	for (uint32_t i = 0; i < thresholds; i++)
		out[i] = (struct paths_length){ 0 };
	for (uint32_t k = 0; k < paths; k++) {
		double most = path(p, before, records_max, threshold, thresholds, first);

		for (uint32_t i = 0; i < thresholds; i++) {
			struct paths_length *o = &out[i];
			double away = first[i] - o->mean;

			if (most >= threshold[i])
				continue;
			o->paths++;
			o->missed += first[i] >= records_max;
			o->mean += away / o->paths;
			squares[i] += away * (first[i] - o->mean);
		}
		if (k + 1 == PATHS_HOPELESS && out[0].missed == PATHS_HOPELESS)
			break;
	}
	for (uint32_t i = 0; i < thresholds; i++) {
		struct paths_length *o = &out[i];

		o->error = o->paths > 1 ? sqrt(squares[i] / ((double)o->paths * (o->paths - 1.0))) : (double)NAN;
		if (2 * o->missed > o->paths || o->paths == 0)
			o->mean = o->error = (double)NAN;
	}
}

struct paths_length
paths_martingale_length(const struct paths *p, double threshold, uint32_t alarms)
{
	struct paths_length out = { 0 };
	double squares = 0;
	struct chunk c;

	p->detector->reset(p->self);
	while (out.paths < alarms) {
		uint32_t from = 0;

		chunk_draw(&c, p, false, PATHS_ROWS);
		while (from < PATHS_ROWS) {
			double statistic, away;

			from = p->detector->update(p->self, &c.column, from, threshold, c.reading);
			if (!c.reading[from - 1].alarm)
				break;
			p->detector->reset(p->self);
			statistic = c.reading[from - 1].statistic;
			away = statistic - out.mean;
			out.paths++;
			out.mean += away / out.paths;
			squares += away * (statistic - out.mean);
		}
	}
	out.error = alarms > 1 ? sqrt(squares / ((double)alarms * (alarms - 1.0))) : (double)NAN;
	return out;
}
