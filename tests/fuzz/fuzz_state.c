/* fuzz_state.c -- the state of a detector, as it comes from a database: any bytes are a state that it could have
 * written, or are refused with a sentence; what was accepted is written again as it was, and the stream goes on.
 *
 * Bytes: the detector, the way it is run, how many records it has seen (2), whether the state is cut short; then
 * what is changed in the state that it wrote: place (2) and new byte, again and again. */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "detectors/kit/codec.h"
#include "tests/detector_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t state[STATE_BYTES], again[STATE_BYTES];
	static struct reading out[STREAM];
	static struct runner_scratch *scratch;
	static struct data *made[64];
	static size_t detectors;
	const struct data *t;
	const struct detector *det;
	const struct way *way;
	struct diag d = { "" };
	struct runner *r, *from;
	struct codec in;
	size_t n;

	while (!scratch && detector_table[detectors])
		detectors++;
	if (!scratch)
		scratch = runner_scratch_create(STREAM, WIDTH);
	if (size < 5 || detectors > 64)
		return 0;
	det = detector_table[data[0] % detectors];
	way = &ways[data[1] % WAYS];
	if (way->needs && (det->flags & way->needs) != way->needs)
		return 0;
	if (!made[data[0] % detectors])
		made[data[0] % detectors] = data_create(det);
	t = made[data[0] % detectors];
	from = make(det, way, way->warms ? NULL : &t->reference);
	feed(from, t, 0, (data[2] | (uint32_t)data[3] << 8) % STREAM, scratch, out);
	n = state_of(from, state);
	runner_destroy(from);
	if (data[4] & 1)
		n = data[4] >> 1 < n ? n - (data[4] >> 1) : 0;
	for (size_t i = 5; i + 2 < size && n; i += 3)
		state[(data[i] | (size_t)data[i + 1] << 8) % n] = data[i + 2];
	r = make(det, way, way->warms ? NULL : &t->reference);
	in = (struct codec){ .data = state, .size = n };
	if (runner_load(r, &in, &d) == 0) {
		n = state_of(r, again);
		if (n != in.at || memcmp(again, state, n))
			abort();
		feed(r, t, 0, 200, scratch, out);
	} else if (!d.text[0]) {
		abort();
	}
	runner_destroy(r);
	return 0;
}
