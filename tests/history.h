/* history.h -- the whole path over files in a folder of its own: what the tests of the pipeline share.
 *
 * A test opens a history with a configuration, writes records and labels into it, and runs the pipeline over
 * them in one go, in steps of its own, or with commits and crashes at random places.
 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct config;
struct pipeline;
struct source;
struct store;

struct history {
	char folder[64], record[96], label[96], database[96];
	FILE *records, *labels; /* to be written to, until history_written or history_close */
	struct config *config;
};

void history_open(struct history *w, const char *configuration);
void history_written(struct history *w);
void history_close(struct history *w);
/* Another configuration from the next start on. */
void history_configure(struct history *w, const char *configuration);

struct running {
	struct store *store;
	struct pipeline *pipeline;
	struct source *source;
};
/* `fresh`: a new database. */
void history_start(struct running *r, const struct history *w, bool fresh);
void history_step(struct running *r, uint32_t records);
void history_commit(struct running *r);
/* To the end, with a last commit. */
void history_end(struct running *r);
/* Drops everything in memory, as a crash does. */
void history_drop(struct running *r);
/* A new database, records to the end; commit, crash: chances of each after every step, in 1/100. */
void history_run(const struct history *w, uint64_t seed, uint32_t step, int commit, int crash);

/* The records so far under `configuration`, into a new database, to the end; may be called again. */
void history_replay(struct history *w, const char *configuration);
/* The same with a crash after a commit of the first `after` records, then a start with the second. */
void history_replay_with(struct history *w, const char *first, const char *then, uint32_t after);

/* The one number that a query gives, or -1; its one text into out. */
int64_t history_count(const struct history *w, const char *sql);
double history_real(const struct history *w, const char *sql); /* NAN: NULL or no row */
const char *history_text(const struct history *w, const char *sql, char *out, size_t size);
/* Hash of each table by content, in the order of their names; all but runs, outbox, deliveries and
 * commands. */
enum { HISTORY_TABLES = 64 };
struct tables {
	size_t n;
	char name[HISTORY_TABLES][64];
	uint64_t hash[HISTORY_TABLES];
};
void history_tables(const struct history *w, struct tables *out);
/* The tables are `expected`, else the test fails with the name of one that is not, and the seed. */
void history_same(const struct history *w, const struct tables *expected, uint64_t seed);

double history_uniform(uint64_t *seed);
double history_normal(uint64_t *seed);

#endif
