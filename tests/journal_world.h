/* journal_world.h -- a journal with a database in a folder of its own, for tests. */
#ifndef TESTS_JOURNAL_WORLD_H
#define TESTS_JOURNAL_WORLD_H

#include "monitor/label/journal.h"
#include "storage/store.h"

struct world {
	char folder[64], path[96];
	struct store *store;
	struct journal *j;
	struct journal_config config;
};
void world_begin(struct world *w, uint32_t capacity, int64_t keep_ms);
void world_end(struct world *w);
void world_start(struct world *w, enum store_mode mode); /* opens and loads ... */
void world_stop(struct world *w);                        /* ... and back, without a commit */
void world_commit(struct world *w);
void world_fail_to_commit(struct world *w);
void world_restart(struct world *w);

/* Everything a journal has in the database, as bytes. */
struct dump {
	uint8_t *bytes; /* the caller frees it */
	size_t size;
};
struct dump world_dump(struct world *w);

uint64_t world_mix(uint64_t n); /* SplitMix64 */

/* Random calls on a journal and on a naive one, which must agree after every call. Commits, failed
 * commits and restarts come once in `commit_every` calls (0: only at the end), at moments from
 * another random source. Returns what is in the database afterwards. */
struct dump journal_naive_run(uint32_t capacity, uint64_t seed, uint64_t calls,
                              uint64_t commit_every, bool restarts);

#endif
