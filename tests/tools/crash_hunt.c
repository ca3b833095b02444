/* crash_hunt.c -- looks for places where a commit or a crash changes what the database says in the end.
 *
 *     crash_hunt [-s SEEDS] [-e EVERY,..] [-r FROM-TO] [-c COMMANDS] [-v] CONFIG FILE...
 *
 * Files are replayed under a configuration in one go; then again and again with something done at many places:
 * a commit, a commit and a crash (everything in memory is dropped, the database opened again), a crash without a
 * commit, a clean stop, a commit that fails for want of space and is tried again. Places are every k-th record,
 * the records around each edge of a window, and random ones; besides, steps of one record are compared with
 * steps of 4096. All tables but runs, outbox, deliveries and commands are compared; the first row that differs
 * is shown by column and stream, and the shortest run of places that makes it differ is looked for.
 *
 *   -s SEEDS     random histories (default 3)
 *   -e K,K,..    places after every K records (default 7,50,333; those of 1 and the edges: within -r)
 *   -r FROM-TO   records where each one is a place (default: 150 from the middle)
 *   -c N         people's commands at N places: ack, resolve, rebaseline, expect (default 0)
 *   -v           says what it is about to do
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/log.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"

enum action { COMMIT = 1, CRASH = 2, STOP = 4, FULL = 8 };
struct place {
	uint64_t at; /* after so many records */
	unsigned action;
};
struct plan {
	struct place *place;
	size_t n, capacity;
	uint32_t step;
};
struct hunt {
	struct config *config;
	char **file;
	size_t files, commands;
	uint64_t records;                 /* in all of them */
	char expected[256], got[256];     /* databases */
	struct store *store;
	struct pipeline *pipeline;
	struct source *source;
	uint64_t command_at[64];
	size_t commanded;
	uint64_t full;                    /* commits that failed */
	unsigned failures, runs;
	bool verbose;
};

static uint64_t
draw(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void
give_up(const char *what, const struct diag *d)
{
	fprintf(stderr, "crash_hunt: %s: %s\n", what, d->text);
	exit(2);
}

/* -- one run ------------------------------------------------------------------------------------------ */

static void
remove_database(const char *path)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	char name[300];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffix[i]);
		unlink(name);
	}
}

static void drop(struct hunt *h);

/* False: the database that was left does not open again, and the reason was printed. */
static bool
start(struct hunt *h, const char *database, bool fresh)
{
	struct diag d = { "" };
	size_t resumes;
	const struct resume *resume;
	int err;

	h->store = NULL;
	h->pipeline = NULL;
	h->source = NULL;
	if (fresh)
		remove_database(database);
	err = store_open(&h->store, database, fresh ? STORE_CREATE : STORE_APPEND, h->config->id_hash_key, &d);
	if (!err)
		err = pipeline_create(&h->pipeline, h->config, h->store, &d);
	if (!err)
		err = pipeline_fit_configured(h->pipeline, &d);
	if (err) {
		printf("    the start after it fails: %s\n", d.text);
		drop(h);
		return false;
	}
	resume = pipeline_resume(h->pipeline, &resumes);
	if (source_file_open(&h->source, h->file, h->files, pipeline_decoder(h->pipeline), resume, resumes, &d) ||
	    pipeline_attach(h->pipeline, h->source, &d))
		give_up("start", &d);
	return true;
}

static void
drop(struct hunt *h)
{
	pipeline_destroy(h->pipeline);
	if (h->source)
		h->source->vtable->close(h->source);
	store_close(h->store);
}

static void
commit(struct hunt *h)
{
	struct diag d = { "" };

	if (pipeline_commit(h->pipeline, &d))
		give_up("commit", &d);
}

static int64_t
number_of(struct store *s, const char *sql)
{
	sqlite3_stmt *q;
	int64_t n = -1;

	if (sqlite3_prepare_v2(store_handle(s), sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* The database may not grow; whatever failed is tried again with room. */
static void
commit_without_room(struct hunt *h)
{
	struct diag d = { "" };
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
	         (long long)number_of(h->store, "PRAGMA page_count"));
	number_of(h->store, sql);
	h->full += pipeline_commit(h->pipeline, &d) != 0;
	number_of(h->store, "PRAGMA max_page_count = 1073741823");
	commit(h);
}

static uint64_t
records(const struct hunt *h)
{
	struct pipeline_status st;

	pipeline_status(h->pipeline, &st);
	return st.records;
}

/* The same commands at the same records in every run. */
static void
command(struct hunt *h, size_t number)
{
	static const char *const sql[] = {
		"INSERT INTO commands(created_ms, command, target, arguments) SELECT 0, 'ack', min(alert_id), '{}' FROM"
		" alerts WHERE state = 'open' HAVING count(*)",
		"INSERT INTO commands(created_ms, command, target, arguments) SELECT 0, 'rebaseline', min(alert_id),"
		" '{\"records\":200}' FROM alerts WHERE state <> 'resolved' HAVING count(*)",
		"INSERT INTO commands(created_ms, command, target, arguments) SELECT 0, 'expect', min(name),"
		" json_object('from_ms', (SELECT 0 + value FROM meta WHERE key = 'watermark_ms'), 'to_ms',"
		" (SELECT 3600000 + value FROM meta WHERE key = 'watermark_ms'), 'streams', '*') FROM models",
		"INSERT INTO commands(created_ms, command, target, arguments) SELECT 0, 'resolve', max(alert_id), '{}' FROM"
		" alerts WHERE state <> 'resolved' HAVING count(*)",
		"INSERT INTO commands(created_ms, command, target, arguments) SELECT 0, 'rebaseline', max(name), '{}'"
		" FROM models",
	};
	char *error = NULL;

	commit(h);
	if (sqlite3_exec(store_handle(h->store), sql[number % (sizeof sql / sizeof *sql)], NULL, NULL, &error)) {
		fprintf(stderr, "crash_hunt: %s\n", error);
		exit(2);
	}
	commit(h);
}

static bool
act(struct hunt *h, unsigned action, const char *database)
{
	if (action & STOP)
		pipeline_put_open_windows(h->pipeline);
	if (action & FULL)
		commit_without_room(h);
	else if (action & (COMMIT | STOP))
		commit(h);
	if (action & (CRASH | STOP)) {
		drop(h);
		return start(h, database, false);
	}
	return true;
}

/* False: it could not be run to its end. */
static bool
run(struct hunt *h, const struct plan *plan, size_t from, size_t to, const char *database)
{
	enum pipeline_step result = PIPELINE_MORE;
	size_t next = from, commanded = 0;

	if (!start(h, database, true))
		return false;
	while (result != PIPELINE_END) {
		uint64_t at = records(h), step = plan->step ? plan->step : 4096;

		while (next < to && plan->place[next].at < at)
			next++;
		if (commanded < h->commands && at >= h->command_at[commanded]) {
			command(h, commanded++);
			at = records(h);
		}
		if (next < to && plan->place[next].at == at) {
			if (!act(h, plan->place[next++].action, database))
				return false;
			result = PIPELINE_MORE;
			continue;
		}
		if (next < to && plan->place[next].at - at < step)
			step = plan->place[next].at - at;
		if (commanded < h->commands && h->command_at[commanded] - at < step)
			step = h->command_at[commanded] - at;
		result = pipeline_step(h->pipeline, (uint32_t)step, 0);
		if (result == PIPELINE_STOP)
			give_up("step", &(struct diag){ "stopped" });
	}
	h->records = records(h);
	pipeline_put_open_windows(h->pipeline);
	commit(h);
	drop(h);
	return true;
}

/* -- comparison --------------------------------------------------------------------------------------- */

static sqlite3_stmt *
ordered(sqlite3 *db, const char *table)
{
	char sql[160];
	sqlite3_stmt *q = NULL;

	snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2, 3, 4", table);
	for (char *last = strrchr(sql, '4'); sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK; last -= 3)
		last[-2] = 0; /* a table of fewer columns */
	return q;
}

static bool
same_value(sqlite3_stmt *a, sqlite3_stmt *b, int c)
{
	int type = sqlite3_column_type(a, c), bytes;

	if (type != sqlite3_column_type(b, c))
		return false;
	if (type == SQLITE_FLOAT) {
		double x = sqlite3_column_double(a, c), y = sqlite3_column_double(b, c);

		return memcmp(&x, &y, sizeof x) == 0;
	}
	bytes = sqlite3_column_bytes(a, c);
	return bytes == sqlite3_column_bytes(b, c) &&
	       (!bytes || memcmp(sqlite3_column_blob(a, c), sqlite3_column_blob(b, c), (size_t)bytes) == 0);
}

static void
print_value(sqlite3_stmt *q, int c)
{
	if (sqlite3_column_type(q, c) == SQLITE_FLOAT)
		printf("%.17g", sqlite3_column_double(q, c));
	else if (sqlite3_column_type(q, c) == SQLITE_BLOB)
		printf("blob of %d bytes", sqlite3_column_bytes(q, c));
	else if (sqlite3_column_type(q, c) == SQLITE_NULL)
		printf("NULL");
	else
		printf("%.200s", (const char *)sqlite3_column_text(q, c));
}

static void
print_stream(sqlite3 *db, int64_t id)
{
	sqlite3_stmt *q;

	sqlite3_prepare_v2(db, "SELECT m.name, s.segment, s.kind, s.field, s.version FROM streams s JOIN models m"
	                   " USING (model_id) WHERE stream_id = ?", -1, &q, NULL);
	sqlite3_bind_int64(q, 1, id);
	if (sqlite3_step(q) == SQLITE_ROW)
		printf(" [%s %s %s:%s@%s]", sqlite3_column_text(q, 0), sqlite3_column_text(q, 1),
		       sqlite3_column_text(q, 2), sqlite3_column_text(q, 3), sqlite3_column_text(q, 4));
	sqlite3_finalize(q);
}

static void
print_row(sqlite3 *db, const char *table, sqlite3_stmt *a, sqlite3_stmt *b)
{
	printf("    %s:", table);
	for (int c = 0; c < sqlite3_column_count(a); c++) {
		const char *name = sqlite3_column_name(a, c);
		bool same = b && same_value(a, b, c);

		if (b && same && c > 3)
			continue;
		printf(" %s=", name);
		print_value(a, c);
		if (!strcmp(name, "stream_id") || (!strcmp(table, "state") && !strcmp(name, "id")))
			print_stream(db, sqlite3_column_int64(a, c));
		if (b && !same) {
			if (sqlite3_column_type(a, c) == SQLITE_BLOB && sqlite3_column_type(b, c) == SQLITE_BLOB) {
				const uint8_t *x = sqlite3_column_blob(a, c), *y = sqlite3_column_blob(b, c);
				int n = sqlite3_column_bytes(a, c), m = sqlite3_column_bytes(b, c), at = 0;

				while (at < n && at < m && x[at] == y[at])
					at++;
				printf(" (differs from byte %d on)", at);
			}
			printf(" not ");
			print_value(b, c);
		}
	}
	printf("\n");
}

/* Prints the first rows that differ of each table; false: something differs. */
static bool
same_table(sqlite3 *x, sqlite3 *y, const char *table, bool print)
{
	sqlite3_stmt *a = ordered(x, table), *b = ordered(y, table);
	unsigned differ = 0;
	int more_a = sqlite3_step(a), more_b = sqlite3_step(b);

	while (more_a == SQLITE_ROW && more_b == SQLITE_ROW) {
		bool same = true;

		for (int c = 0; c < sqlite3_column_count(a) && same; c++)
			same = same_value(a, b, c);
		if (!same && ++differ <= 1 && print)
			print_row(x, table, a, b);
		more_a = sqlite3_step(a);
		more_b = sqlite3_step(b);
	}
	if (more_a != more_b) {
		differ++;
		if (print && differ <= 2) {
			printf("    %s a row that only the %s run has:\n", table,
			       more_a == SQLITE_ROW ? "undisturbed" : "disturbed");
			print_row(x, table, more_a == SQLITE_ROW ? a : b, NULL);
		}
	}
	if (differ && print)
		printf("    %s: %u rows differ\n", table, differ);
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	return !differ;
}

static bool
same(const struct hunt *h, bool print)
{
	sqlite3 *x, *y;
	sqlite3_stmt *list;
	bool equal = true;

	sqlite3_open(h->expected, &x);
	sqlite3_open(h->got, &y);
	sqlite3_prepare_v2(x, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('runs', 'outbox',"
	                   " 'deliveries', 'commands') AND name NOT LIKE 'sqlite%' ORDER BY name", -1, &list, NULL);
	while (sqlite3_step(list) == SQLITE_ROW)
		equal &= same_table(x, y, (const char *)sqlite3_column_text(list, 0), print);
	sqlite3_finalize(list);
	sqlite3_close(x);
	sqlite3_close(y);
	return equal;
}

/* -- plans -------------------------------------------------------------------------------------------- */

static void
place(struct plan *p, uint64_t at, unsigned action)
{
	if (p->n && p->place[p->n - 1].at > at)
		return;
	if (p->n == p->capacity) {
		p->capacity = p->capacity ? 2 * p->capacity : 1024;
		p->place = realloc(p->place, p->capacity * sizeof *p->place);
		if (!p->place)
			abort();
	}
	p->place[p->n++] = (struct place){ at, action };
}

/* The shortest run of places that makes a difference, by halves. */
static void
narrow(struct hunt *h, const struct plan *p)
{
	size_t from = 0, to = p->n;

	for (size_t low = 0; low + 1 < to;) { /* [0, to) differs, [0, low) does not */
		size_t middle = low + (to - low) / 2;

		if (run(h, p, 0, middle, h->got) && same(h, false))
			low = middle;
		else
			to = middle;
	}
	for (size_t high = to; from + 1 < high;) { /* [from, to) differs, [high, to) does not */
		size_t middle = from + (high - from) / 2;

		if (run(h, p, middle, to, h->got) && same(h, false))
			high = middle;
		else
			from = middle;
	}
	bool ran = run(h, p, from, to, h->got);
	printf("    places that suffice:");
	for (size_t i = from; i < to && i < from + 8; i++)
		printf(" %llu", (unsigned long long)p->place[i].at);
	printf(" (%zu)\n", to - from);
	if (ran)
		same(h, true);
}

static void
attempt(struct hunt *h, struct plan *p, const char *what)
{
	int64_t began = clock_monotonic_ms();

	if (h->verbose) {
		printf("  %s, %zu places\n", what, p->n);
		fflush(stdout);
	}
	h->runs++;
	if (!run(h, p, 0, p->n, h->got) || !same(h, false)) {
		h->failures++;
		printf("DIFFERS %s, %zu places\n", what, p->n);
		if (p->n)
			narrow(h, p);
		else
			same(h, true);
		fflush(stdout);
	} else if (h->verbose) {
		printf("    equal after %lld ms\n", (long long)(clock_monotonic_ms() - began));
	}
	p->n = 0;
	p->step = 0;
}

static const struct {
	unsigned action;
	const char *text;
} actions[] = {
	{ COMMIT, "a commit" },
	{ COMMIT | CRASH, "a commit and a crash" },
	{ CRASH, "a crash" },
	{ STOP, "a clean stop" },
	{ FULL | CRASH, "a full disk, a commit and a crash" },
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static void
every(struct hunt *h, struct plan *p, uint64_t k)
{
	for (size_t a = 0; a < ACTIONS; a++) {
		char what[80];

		/* crashes alone begin anew again and again: a commit in between lets them get on */
		for (uint64_t at = k, n = 0; at < h->records; at += k, n++)
			place(p, at, actions[a].action == CRASH ? n % 3 ? CRASH : COMMIT : actions[a].action);
		snprintf(what, sizeof what, "%s after every %llu records", actions[a].text, (unsigned long long)k);
		attempt(h, p, what);
	}
}

static void
each_of(struct hunt *h, struct plan *p, uint64_t from, uint64_t to)
{
	for (size_t a = 0; a < ACTIONS; a++) {
		char what[96];

		for (uint64_t at = from; at < to; at++)
			place(p, at, actions[a].action);
		snprintf(what, sizeof what, "%s after each record of %llu-%llu", actions[a].text,
		         (unsigned long long)from, (unsigned long long)to);
		attempt(h, p, what);
	}
}

/* Just before and just after the watermark enters a new window of five minutes or of the configuration. */
static void
edges(struct hunt *h, struct plan *p, int64_t width_ms, unsigned action, const char *what)
{
	enum pipeline_step result = PIPELINE_MORE;
	struct pipeline_status st;
	int64_t window = INT64_MIN;

	if (!start(h, h->got, true))
		return;
	while (result != PIPELINE_END) {
		result = pipeline_step(h->pipeline, 1, 0);
		pipeline_status(h->pipeline, &st);
		if (st.watermark_ms != INT64_MIN && st.watermark_ms / width_ms != window) {
			window = st.watermark_ms / width_ms;
			if (st.records > 1)
				place(p, st.records - 1, action);
			place(p, st.records, action);
		}
	}
	drop(h);
	if (p->n > 2000) { /* every so many of them */
		size_t by = p->n / 2000 + 1, n = 0;

		for (size_t i = 0; i + 1 < p->n; i += 2 * by) {
			p->place[n++] = p->place[i];
			p->place[n++] = p->place[i + 1];
		}
		p->n = n;
	}
	attempt(h, p, what);
}

static void
at_random(struct hunt *h, struct plan *p, uint64_t seed)
{
	char what[80];
	uint64_t gap = 1 + draw(&seed) % 1000;

	snprintf(what, sizeof what, "seed %llu: anything", (unsigned long long)seed);
	for (uint64_t at = 1 + draw(&seed) % gap; at < h->records; at += 1 + draw(&seed) % gap)
		place(p, at, actions[draw(&seed) % ACTIONS].action);
	p->step = 1 + (uint32_t)(draw(&seed) % 700);
	attempt(h, p, what);
}

static void
hunt(struct hunt *h, const char *ks, uint64_t seeds, uint64_t from, uint64_t to)
{
	struct plan p = { 0 };
	int64_t began = clock_monotonic_ms();

	if (!run(h, &p, 0, 0, h->expected))
		exit(2);
	if (h->commands) {
		for (size_t i = 0; i < h->commands; i++)
			h->command_at[i] = h->records * (i + 1) / (h->commands + 1);
		run(h, &p, 0, 0, h->expected);
	}
	printf("%llu records, %lld ms in one go\n", (unsigned long long)h->records,
	       (long long)(clock_monotonic_ms() - began));
	fflush(stdout);
	p.step = 1;
	attempt(h, &p, "steps of one record");
	for (const char *k = ks; *k; k += strcspn(k, ","), k += *k == ',')
		every(h, &p, strtoull(k, NULL, 10));
	if (to <= from) {
		from = h->records / 2;
		to = from + 150;
	}
	each_of(h, &p, from, to);
	edges(h, &p, 300000, COMMIT | CRASH, "a commit and a crash at windows of 5 minutes");
	edges(h, &p, 3600000, COMMIT | CRASH, "a commit and a crash at hours");
	edges(h, &p, 3600000, STOP, "a clean stop at hours");
	for (uint64_t seed = 1; seed <= seeds; seed++)
		at_random(h, &p, seed * 7919);
	free(p.place);
	printf("%u runs, %u differ; %llu commits failed on purpose\n", h->runs, h->failures,
	       (unsigned long long)h->full);
}

int
main(int argc, char **argv)
{
	struct hunt h = { 0 };
	struct diag d = { "" };
	char folder[128];
	const char *ks = "7,50,333";
	unsigned long long seeds = 3, from = 0, to = 0;
	int c;

	while ((c = getopt(argc, argv, "s:e:r:c:v")) != -1)
		switch (c) {
		case 's':
			seeds = strtoull(optarg, NULL, 10);
			break;
		case 'e':
			ks = optarg;
			break;
		case 'r':
			if (sscanf(optarg, "%llu-%llu", &from, &to) != 2)
				return 2;
			break;
		case 'c':
			h.commands = strtoul(optarg, NULL, 10) % 64;
			break;
		case 'v':
			h.verbose = true;
			break;
		default:
			return 2;
		}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: crash_hunt [-s SEEDS] [-e K,K] [-r FROM-TO] [-c COMMANDS] [-v] CONFIG FILE...\n");
		return 2;
	}
	log_set_level(LOG_ERROR);
	if (config_load(&h.config, argv[optind], stderr, &d))
		give_up(argv[optind], &d);
	h.file = argv + optind + 1;
	h.files = (size_t)(argc - optind - 1);
	for (size_t i = 0; i < h.commands; i++)
		h.command_at[i] = UINT64_MAX;
	snprintf(folder, sizeof folder, "%s/driftd-hunt-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		give_up(folder, &(struct diag){ "no folder" });
	snprintf(h.expected, sizeof h.expected, "%s/expected.db", folder);
	snprintf(h.got, sizeof h.got, "%s/got.db", folder);
	hunt(&h, ks, seeds, from, to);
	if (!h.failures) {
		remove_database(h.expected);
		remove_database(h.got);
		rmdir(folder);
	} else {
		printf("databases: %s\n", folder);
	}
	config_free(h.config);
	return h.failures ? 1 : 0;
}
