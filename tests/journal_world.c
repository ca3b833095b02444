/* journal_world.c -- see journal_world.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "monitor/label/journal_inside.h"
#include "tests/journal_world.h"
#include "tests/tests.h"

uint64_t
world_mix(uint64_t n)
{
	uint64_t z = (n + 1) * 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

void
world_start(struct world *w, enum store_mode mode)
{
	struct diag d = { "" };

	assert_int_equal(store_open(&w->store, w->path, mode, NULL, &d), 0);
	assert_int_equal(journal_create(&w->j, &w->config, &d), 0);
	assert_int_equal(journal_load(w->j, w->store, &d), 0);
}

void
world_stop(struct world *w)
{
	journal_destroy(w->j);
	store_close(w->store);
}

void
world_begin(struct world *w, uint32_t capacity, int64_t keep_ms)
{
	*w = (struct world){ .config = { .capacity = capacity, .keep_ms = keep_ms, .model_id = 3 } };
	snprintf(w->folder, sizeof w->folder, "/tmp/driftd-journal-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof w->path, "%s/test.db", w->folder);
	world_start(w, STORE_CREATE);
}

void
world_end(struct world *w)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
	char name[128];

	world_stop(w);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(name, sizeof name, "%s%s", w->path, suffixes[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(w->folder), 0);
}

void
world_commit(struct world *w)
{
	struct diag d = { "" };

	assert_int_equal(store_begin(w->store, &d), 0);
	assert_int_equal(journal_save(w->j, w->store), 0);
	assert_int_equal(store_commit(w->store, &d), 0);
	journal_saved(w->j);
	assert_int_equal(journal_dirty_bytes(w->j), 0);
	assert_true(w->j->disk.stashes_count <= 1); /* of the chunk that is not full */
}

void
world_fail_to_commit(struct world *w)
{
	struct diag d = { "" };

	assert_int_equal(store_begin(w->store, &d), 0);
	assert_int_equal(journal_save(w->j, w->store), 0);
	store_rollback(w->store);
	journal_unsave(w->j);
}

void
world_restart(struct world *w)
{
	world_commit(w);
	world_stop(w);
	world_start(w, STORE_APPEND);
	assert_true(w->j->disk.stashes_count <= 1 || w->j->disk.stale_to > 0);
}

static void
dump_add(struct dump *d, const void *bytes, size_t n)
{
	d->bytes = realloc(d->bytes, d->size + n);
	assert_non_null(d->bytes);
	memcpy(d->bytes + d->size, bytes, n);
	d->size += n;
}

static int
dump_chunk(void *ctx, uint32_t part, uint32_t chunk, const uint8_t *blob, size_t length)
{
	uint64_t key[3] = { part, chunk, length };

	dump_add(ctx, key, sizeof key);
	dump_add(ctx, blob, length);
	return 0;
}

struct dump
world_dump(struct world *w)
{
	static const char *const owners[] = { "journal", "journal-probs", "journal-bins", "outcomes", "orphans" };
	struct dump out = { NULL, 0 };
	struct diag d;
	uint8_t *state;
	size_t length;

	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
		dump_add(&out, owners[i], strlen(owners[i]));
		assert_int_equal(store_each_chunk(w->store, owners[i], 3, dump_chunk, &out, &d), 0);
	}
	assert_int_equal(store_get_state(w->store, "journal", 3, &state, &length, &d), 0);
	dump_add(&out, state, length);
	free(state);
	return out;
}
