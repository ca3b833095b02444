/* replay_world.h -- records made up by a test, replayed with a configuration into a database to be asked. */
#ifndef TESTS_REPLAY_WORLD_H
#define TESTS_REPLAY_WORLD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct replay_world {
	char folder[64], record[96], database[96];
	FILE *out;              /* lines go here before replay_run */
};

void replay_open(struct replay_world *w);
void replay_close(struct replay_world *w);
/* The lines so far under `configuration`, into a fresh database; may be called again. */
void replay_run(struct replay_world *w, const char *configuration);
/* The same lines with crashes in between, each followed by a start with the next of two configurations. */
void replay_run_with(struct replay_world *w, const char *first, const char *then, uint32_t after);
/* First column of the first row; -1, NaN or "" without one. */
int64_t replay_int(const struct replay_world *w, const char *sql);
double replay_real(const struct replay_world *w, const char *sql);
const char *replay_text(const struct replay_world *w, const char *sql, char *out, size_t size);
/* Standard normal, from fixture_random. */
double replay_normal(uint64_t *seed);
double replay_uniform(uint64_t *seed);

#endif
