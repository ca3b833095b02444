/* bets.c -- the table of the Beta bets (contract 4).
 *
 *   L(j; a, b) = 1024 (I_{(j+1)/1024}(a, b) - I_{j/1024}(a, b)),                    j < 512
 *              = 1024 (I_{1-j/1024}(b, a) - I_{1-(j+1)/1024}(b, a)),                j >= 512
 * One tail only would lose all digits of the last cells of (1, 4) and (4, 1). */
#include "detectors/kit/bets.h"

#include <math.h>
#include <threads.h>

#include "detectors/kit/codec.h"
#include "detectors/kit/special.h"

static const struct {
	double a, b;
	int direction;
} beta[BETS_BETA] = {
	{ 1, 1.3, 1 }, { 1, 2, 1 }, { 1, 4, 1 }, { 1.3, 1, -1 }, { 2, 1, -1 },
	{ 4, 1, -1 }, { .7, .7, 0 }, { 1.5, 1.5, 0 }, { 3, 3, 0 }, { .5, .5, 0 },
};

/* Written once, under the flag, before anybody reads it; a constant from then on. */
static bets_row cells[BETS_CELLS];
static once_flag cells_once = ONCE_FLAG_INIT;

static void
fill_cells(void)
{
	for (uint32_t k = 0; k < BETS_BETA; k++)
		for (uint32_t half = 0; half < 2; half++) {
			double a = half ? beta[k].b : beta[k].a, b = half ? beta[k].a : beta[k].b;
			double before = 0.0;

			for (uint32_t j = 0; j < BETS_CELLS / 2; j++) {
				double after = special_beta_cdf((j + 1.0) / BETS_CELLS, a, b);

				cells[half ? BETS_CELLS - 1 - j : j][k] =
					BETS_CELLS * (after - before);
				before = after;
			}
		}
}

const bets_row *
bets_table(void)
{
	call_once(&cells_once, fill_cells);
	return (const bets_row *)cells;
}

int
bets_direction(uint32_t lane)
{
	return lane < BETS_BETA ? beta[lane].direction : 0;
}

void
jumper_save(const struct jumper *j, struct codec *out)
{
	codec_put_f64s(out, j->w, 3);
	codec_put_f64(out, j->sum);
}

bool
jumper_load(struct jumper *j, struct codec *in)
{
	/* A step changes the sum by a factor between 1/2 and 3/2. */
	const double low = 1e-31, high = 1e18, rounding = 1e-9;

	codec_get_f64s(in, j->w, 3);
	j->sum = codec_get_f64(in);
	for (int e = 0; e < 3; e++)
		if (!(j->w[e] > 0.0 && j->w[e] < high))
			return false;
	return j->sum > low && fabs(j->w[0] + j->w[1] + j->w[2] - j->sum) < rounding * j->sum;
}
