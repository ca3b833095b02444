/* detector_fixture.h -- synthetic streams for every detector, and the ways to run it. */
#ifndef TESTS_DETECTOR_FIXTURE_H
#define TESTS_DETECTOR_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detectors/detector.h"
#include "detectors/kit/reference.h"
#include "detectors/runner.h"

enum { REFERENCE = 1200, STREAM = 1500, CHANGE_AT = 500, WIDTH = 4, STATE_BYTES = 1 << 20 };

/* Synthetic records of any kind; the law changes at CHANGE_AT, some records are missing. */
struct data {
	double value[STREAM * WIDTH], reference_value[REFERENCE * WIDTH];
	uint32_t code[STREAM], reference_code[REFERENCE], key[STREAM], reference_key[REFERENCE],
		reference_day[REFERENCE];
	int64_t watermark_ms[STREAM], time_ms[STREAM];
	uint8_t late[STREAM];
	struct records records;
	struct reference reference;
};

struct data *data_create(const struct detector *det);

/* One way to run a detector. */
struct way {
	const char *name;
	unsigned needs;  /* flags of the detector; 0 = every detector */
	uint32_t thin, phases;
	bool metered, warms;
};
enum { WAYS = 5 };
extern const struct way ways[WAYS];

struct runner *make(const struct detector *det, const struct way *way, const struct reference *ref);
/* Writes the state to bytes[STATE_BYTES]; its size. */
size_t state_of(const struct runner *r, uint8_t *bytes);
/* Records [from, to), all alarms reset; the readings of records are in out[0 .. STREAM). */
void feed(struct runner *r, const struct data *t, uint32_t from, uint32_t to,
          struct runner_scratch *s, struct reading *out);

#endif
