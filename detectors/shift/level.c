/* level.c -- an alarm when a statistic that was made elsewhere reaches the threshold.
 *
 * For means of statistics of other detectors: with weights w that sum to 1 and gains g_i fixed before their
 * records, S = sum w_i S_i obeys E[S] <= E[sum w_i g_i], so an alarm at S >= c keeps the promise of section
 * 2 with the gain sum w_i g_i, provided that an alarm resets what the mean is made of (sequential tests of
 * a global null by averaging; a weighted mean of supermartingales is one). No state.
 */
#include "config/option.h"
#include "detectors/kit/codec.h"
#include "detectors/kit/plain.h"
#include "detectors/registry.h"

static const char name[] = "level";

struct level {
	uint64_t records;
};

static const struct option options_table[] = { OPT_END };

static size_t
level_bytes(const void *options, const struct reference *ref, uint32_t phases)
{
	(void)options;
	(void)ref;
	(void)phases;
	return sizeof(struct level);
}

static int
level_create(void **out, const void *options, const struct reference *ref, uint32_t phases, uint64_t seed,
             uint64_t stream, struct diag *d)
{
	(void)options;
	(void)ref;
	(void)phases;
	(void)seed;
	(void)stream;
	return plain_create(out, sizeof(struct level), name, d);
}

static void
step(void *instance, double x, double g, double threshold, struct reading *out)
{
	((struct level *)instance)->records++;
	(void)g;
	out->statistic = x;
	out->alarm = x >= threshold;
}

static uint32_t
level_update(void *self, const struct column *column, uint32_t from, double threshold, struct reading *out)
{
	return plain_update(self, column, from, threshold, out, step);
}

static bool
level_accepts(const void *options, double value)
{
	(void)options;
	return value >= 0.0;
}

static void
level_save(const void *instance, struct codec *out)
{
	codec_put_u64(out, ((const struct level *)instance)->records);
}

static int
level_load(void *instance, struct codec *in, struct diag *d)
{
	((struct level *)instance)->records = codec_get_u64(in);
	return plain_loaded(!in->bad, name, d);
}

const struct detector level_detector = {
	.name = name,
	.summary = "a statistic made elsewhere, such as a mean of several, that reaches the threshold",
	.source = "weighted means of supermartingales",
	.kind = COLUMN_NUMERIC,
	.flags = DETECTOR_METERED,
	.options = options_table,
	.options_size = 0,
	.bytes = level_bytes,
	.create = level_create,
	.destroy = free,
	.accepts = level_accepts,
	.update = level_update,
	.reset = plain_go_on,
	.skip = plain_skip,
	.save = level_save,
	.load = level_load,
};
