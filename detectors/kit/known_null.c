/* known_null.c -- see known_null.h. R <- (g + R) L of the record's own copy; S = mean R of that
 * copy. */
#include "detectors/kit/known_null.h"

#include "config/diag.h"
#include "detectors/detector.h"
#include "detectors/kit/codec.h"

static uint32_t
padded(uint32_t bets)
{
	return (bets + 7) / 8 * 8;
}

static void *
layout(struct carve *c, size_t size, uint32_t bets, uint32_t phases, double **factor,
       double **extra, uint32_t extras, void **lanes)
{
	void *self = carve_take(c, size);

	*factor = carve_take(c, (size_t)LANES_BLOCK * padded(bets) * sizeof(double));
	for (uint32_t i = 0; i < extras; i++) {
		double *array = carve_take(c, padded(bets) * sizeof(double));

		if (extra)
			extra[i] = array;
	}
	*lanes = carve_take(c, lanes_bytes(padded(bets), phases));
	return self;
}

size_t
known_null_bytes(size_t size, uint32_t bets, uint32_t phases, uint32_t extras)
{
	struct carve c = { 0 };
	double *factor;
	void *lanes;

	layout(&c, size, bets, phases, &factor, NULL, extras, &lanes);
	return c.used;
}

void *
known_null_create(size_t size, const char *name, known_null_fill *fill, uint32_t bets,
                  uint32_t phases, double **extra, uint32_t extras)
{
	struct carve c = { carve_memory(known_null_bytes(size, bets, phases, extras)), 0 };
	struct known_null *self;
	double *factor;
	void *lanes;

	if (!c.base)
		return NULL;
	self = layout(&c, size, bets, phases, &factor, extra, extras, &lanes);
	self->fill = fill;
	self->name = name;
	self->factor = factor;
	lanes_init(&self->lanes, lanes, padded(bets), phases, bets);
	return self;
}

uint32_t
known_null_update(void *instance, const struct column *column, uint32_t from, double threshold,
                  struct reading *out)
{
	struct known_null *self = instance;
	double add[LANES_BLOCK][LANES_SUMS], statistic[LANES_BLOCK];

	while (from < column->n) {
		uint32_t rows = LANES_BLOCK - self->lanes.block_n, done;
		struct lanes_rows in = { .factor = self->factor, .stride = self->lanes.n,
			.gain = column->gain ? column->gain + from : NULL,
			.phase = column->phase ? column->phase + from : NULL,
			.time_ms = column->time_ms ? column->time_ms + from : NULL,
			.add = (const double (*)[LANES_SUMS])add };

		rows = rows < column->n - from ? rows : column->n - from;
		self->fill(self, column->value + from, rows, self->factor, add);
		done = lanes_run(&self->lanes, &in, 0, rows, threshold, statistic);
		for (uint32_t i = 0; i < done; i++)
			out[from + i] = (struct reading){ .statistic = statistic[i],
				.alarm = statistic[i] >= threshold };
		self->n += done;
		from += done;
		if (out[from - 1].alarm)
			break;
	}
	return from;
}

bool
known_null_use(void *instance, enum isa isa)
{
	return lanes_use(&((struct known_null *)instance)->lanes, isa);
}

void
known_null_reset(void *instance)
{
	lanes_reset(&((struct known_null *)instance)->lanes);
}

void
known_null_skip(void *instance, uint64_t n)
{
	((struct known_null *)instance)->n += n;
}

void
known_null_save(const void *instance, struct codec *out)
{
	const struct known_null *self = instance;

	codec_put_u64(out, self->n);
	lanes_save(&self->lanes, out);
}

int
known_null_load(void *instance, struct codec *in, struct diag *d)
{
	struct known_null *self = instance;

	self->n = codec_get_u64(in);
	if (lanes_load(&self->lanes, in) || self->lanes.records > self->n)
		return diag_set(d, ERR_CORRUPT, "%s: impossible state", self->name);
	return 0;
}
