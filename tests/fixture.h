/* fixture.h -- what tests of sources and of the merge share: a decoder, a pseudo-random
 * sequence. */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/decode/decode.h"
#include "tests/tests.h"

struct fixture {
	struct config *config;
	struct decoder *decoder;
};

/* Any model, any topic whose name begins with t; brokers embedded. */
static inline void
fixture_open(struct fixture *f, const char *text)
{
	static const uint8_t key[16] = { 1, 2, 3 };
	static const char standard[] = "database: none.db\n"
	                               "kafka: {brokers: embedded, group: driftd}\n"
	                               "topics: {records: [\"t*\"]}\n"
	                               "models: auto\n";
	struct diag d = { "" };

	text = text ? text : standard;
	if (config_parse(&f->config, text, strlen(text), "test.yaml", stderr, &d) ||
	    decoder_create(&f->decoder, f->config, key, &d) || decoder_profile(f->decoder, "t"))
		fail_msg("%s", d.text);
}

static inline void
fixture_close(struct fixture *f)
{
	decoder_destroy(f->decoder);
	config_free(f->config);
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t
fixture_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#endif
