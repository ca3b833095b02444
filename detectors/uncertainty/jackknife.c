/* jackknife.c -- see jackknife.h. */
#include "detectors/uncertainty/jackknife.h"

#include <math.h>
#include <string.h>

size_t
uncertainty_jackknife_work(const struct uncertainty_draws *d)
{
	return (d->members + 1) * d->columns + d->members + uncertainty_work(d->members, d->columns);
}

static enum uncertainty_fault
figures(const struct uncertainty_draws *d, double *work, struct uncertainty *out)
{
	switch (d->kind) {
	case DRAWN_PROBS:
	case DRAWN_LOGITS:
		return uncertainty_members(d->row, d->members, d->columns, d->kind == DRAWN_LOGITS, work, out);
	case DRAWN_NORMALS: return uncertainty_normals(d->row, d->variance, d->members, out);
	case DRAWN_NESTED: return uncertainty_nested(d->row, d->members, d->columns, out);
	case DRAWN_SAMPLES: return uncertainty_samples(d->row, d->members, out);
	}
	return UNCERTAINTY_EMPTY;
}

/* The first member makes room for the next in turn: after m steps the rest is without member m. */
static void
step(const struct uncertainty_draws *d, size_t m, double *row, double *variance)
{
	memcpy(row + m * d->columns, d->row + m * d->columns, d->columns * sizeof *row);
	if (d->variance)
		variance[m] = d->variance[m];
}

void
uncertainty_jackknife(const struct uncertainty_draws *d, double *work, double error[UNCERTAINTY_FIGURES])
{
	double *row = work, *variance = row + d->members * d->columns, *rest = variance + d->members;
	double n = 0, mean[UNCERTAINTY_FIGURES] = { 0 }, squares[UNCERTAINTY_FIGURES] = { 0 };
	struct uncertainty_draws without = *d;
	struct uncertainty u;

	for (int f = 0; f < UNCERTAINTY_FIGURES; f++)
		error[f] = (double)NAN;
	if (d->members < 3)
		return;
	without.row = row;
	without.variance = d->variance ? variance : NULL;
	without.members = d->members - 1;
	for (size_t i = 1; i < d->members; i++) {
		memcpy(row + (i - 1) * d->columns, d->row + i * d->columns, d->columns * sizeof *row);
		if (d->variance)
			variance[i - 1] = d->variance[i];
	}
	for (size_t m = 0; m < d->members; m++) {
		if (figures(&without, rest, &u))
			return;
		n++;
		for (int f = 0; f < UNCERTAINTY_FIGURES; f++) {
			double off = u.value[f] - mean[f];

			mean[f] += off / n;
			squares[f] += off * (u.value[f] - mean[f]);
		}
		if (m + 1 < d->members)
			step(d, m, row, variance);
	}
	for (int f = 0; f < UNCERTAINTY_FIGURES; f++)
		error[f] = sqrt((n - 1) / n * squares[f]);
}

double
uncertainty_relative_error(size_t members)
{
	return members < 2 ? (double)NAN : sqrt(2.0 / (double)(members - 1));
}
