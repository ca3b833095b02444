/* test_store.c -- promises of the database: what survives, what is refused, what is noticed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <xxhash.h>

#include "tests/test_store.h"

#define KEY "000102030405060708090a0b0c0d0e0f"

static void
must(int err, const struct diag *d)
{
	if (err)
		fail_msg("error %d: %s", err, d->text);
}

void
scratch_open(struct scratch *s)
{
	const char *base = getenv("TMPDIR");
	struct diag d;

	snprintf(s->directory, sizeof s->directory, "%s/driftd-store-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof s->path, "%s/t.db", s->directory);
	must(store_open(&s->store, s->path, STORE_CREATE, KEY, &d), &d);
}

void
scratch_again(struct scratch *s)
{
	struct diag d;

	store_close(s->store);
	must(store_open(&s->store, s->path, STORE_APPEND, NULL, &d), &d);
}

void
scratch_close(struct scratch *s)
{
	DIR *dir;
	struct dirent *e;
	char path[600];

	store_close(s->store);
	dir = opendir(s->directory);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", s->directory, e->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(s->directory);
}

void
scratch_begin(struct scratch *s)
{
	struct diag d;

	must(store_begin(s->store, &d), &d);
}

void
scratch_commit(struct scratch *s)
{
	struct diag d;

	must(store_commit(s->store, &d), &d);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return q;
}

int64_t
scratch_int(sqlite3 *db, const char *sql)
{
	return (int64_t)scratch_real(db, sql);
}

double
scratch_real(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *q = prepare(db, sql);
	double x;

	if (sqlite3_step(q) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	x = sqlite3_column_double(q, 0);
	sqlite3_finalize(q);
	return x;
}

const char *
scratch_text(sqlite3 *db, const char *sql, char text[512])
{
	sqlite3_stmt *q = prepare(db, sql);
	const char *got;

	strcpy(text, "-");
	if (sqlite3_step(q) == SQLITE_ROW) {
		got = (const char *)sqlite3_column_text(q, 0);
		snprintf(text, 512, "%s", got ? got : "NULL");
	}
	sqlite3_finalize(q);
	return text;
}

uint64_t
scratch_hash(sqlite3 *db)
{
	sqlite3_stmt *tables = prepare(db, "SELECT name FROM sqlite_schema WHERE type = 'table'"
	                                   " AND name <> 'meta' AND name NOT LIKE 'sqlite%'"
	                                   " ORDER BY name");
	uint64_t hash = 0;
	char sql[256];

	while (sqlite3_step(tables) == SQLITE_ROW) {
		snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2",
		         (const char *)sqlite3_column_text(tables, 0));
		sqlite3_stmt *q = prepare(db, sql);
		while (sqlite3_step(q) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(q); c++) {
				double x = sqlite3_column_double(q, c);
				int type = sqlite3_column_type(q, c);

				hash = XXH64(&type, sizeof type, hash);
				if (type == SQLITE_FLOAT)
					hash = XXH64(&x, sizeof x, hash);
				else if (type != SQLITE_NULL) {
					const void *b = sqlite3_column_blob(q, c);

					hash = XXH64(b, (size_t)sqlite3_column_bytes(q, c), hash);
				}
			}
		sqlite3_finalize(q);
	}
	sqlite3_finalize(tables);
	return hash;
}

uint32_t
scratch_stream(struct scratch *s, const char *kind, const char *field, const char *type)
{
	struct stream_key key = { .segment = "", .kind = kind, .field = field,
		                  .field_length = strlen(field), .version = "7",
		                  .version_length = 1 };
	uint32_t id = 0;

	assert_int_equal(store_model_id(s->store, "credit", 6, 0, &key.model_id), 0);
	assert_int_equal(store_stream_id(s->store, &key, type, 0, &id), 0);
	return id;
}

/* The state says how far the offsets are, and a large chunk makes the commit span many pages. */
static void
put_step(struct store *store, int64_t n)
{
	static uint8_t filler[40000];
	struct offset_row row = { .topic = "t", .partition = 0, .next_offset = n,
		                  .anchor_offset = n - 1, .end_offset = -1 };

	memset(filler, (int)n, sizeof filler);
	memcpy(filler, &n, sizeof n);
	store_put_state(store, "detector", 1, filler, sizeof filler);
	store_put_chunk(store, "journal", 1, 0, (uint32_t)n, filler, sizeof filler);
	store_put_offset(store, &row);
}

static int64_t
state_number(struct store *store)
{
	uint8_t *blob;
	size_t length;
	struct diag d;
	int64_t n = 0;

	must(store_get_state(store, "detector", 1, &blob, &length, &d), &d);
	if (blob)
		memcpy(&n, blob, sizeof n);
	free(blob);
	return n;
}

static void
assert_consistent(struct store *store, int64_t *steps)
{
	int64_t n = state_number(store);
	sqlite3 *db = store_handle(store);

	assert_int_equal(scratch_int(db, "SELECT ifnull(max(next_offset), 0) FROM offsets"), n);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM chunks"), n);
	*steps = n;
}

static void
copy_file(const char *from, const char *to, size_t bytes_max)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char buffer[4096];
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while (bytes_max &&
	       (n = fread(buffer, 1, bytes_max < sizeof buffer ? bytes_max : sizeof buffer, in)) > 0) {
		fwrite(buffer, 1, n, out);
		bytes_max -= n;
	}
	fclose(in);
	fclose(out);
}

static void
a_torn_commit_is_invisible(void **state)
{
	struct scratch s, copy;
	char from[400], to[400];
	struct diag d;
	int64_t wal, steps, last = -1;

	(void)state;
	scratch_open(&s);
	for (int64_t n = 1; n <= 8; n++) {
		scratch_begin(&s);
		put_step(s.store, n);
		scratch_commit(&s);
	}
	wal = store_wal_bytes(s.store);
	assert_true(wal > 100000);
	scratch_open(&copy);
	for (int64_t cut = 0; cut <= 40; cut++) { /* the WAL ends anywhere, as after a power cut */
		store_close(copy.store);
		copy_file(s.path, copy.path, SIZE_MAX);
		snprintf(from, sizeof from, "%s-wal", s.path);
		snprintf(to, sizeof to, "%s-wal", copy.path);
		copy_file(from, to, (size_t)(wal * cut / 40));
		snprintf(to, sizeof to, "%s-shm", copy.path);
		unlink(to);
		must(store_open(&copy.store, copy.path, STORE_DAEMON, NULL, &d), &d);
		assert_consistent(copy.store, &steps);
		assert_true(steps >= last);
		last = steps;
	}
	assert_int_equal(last, 8);
	scratch_close(&copy);
	scratch_close(&s);
}

static void
a_killed_process_leaves_its_last_commit(void **state)
{
	struct scratch s;
	struct diag d;
	int64_t steps;
	int status;
	pid_t child;

	(void)state;
	scratch_open(&s);
	store_close(s.store);
	s.store = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (store_open(&s.store, s.path, STORE_DAEMON, NULL, &d))
			_exit(1);
		for (int64_t n = 1; n <= 3; n++) {
			store_begin(s.store, &d);
			put_step(s.store, n);
			if (n < 3)
				store_commit(s.store, &d);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	must(store_open(&s.store, s.path, STORE_DAEMON, NULL, &d), &d);
	assert_consistent(s.store, &steps);
	assert_int_equal(steps, 2);
	scratch_close(&s);
}

static void
a_second_instance_is_refused(void **state)
{
	struct scratch s;
	struct store *other;
	struct diag d;
	char pid[32], link[400];

	(void)state;
	scratch_open(&s);
	assert_int_equal(store_open(&other, s.path, STORE_DAEMON, NULL, &d), ERR_RUNNING);
	snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
	assert_non_null(strstr(d.text, pid));
	snprintf(link, sizeof link, "%s/link.db", s.directory); /* another name, the same database */
	assert_int_equal(symlink(s.path, link), 0);
	assert_int_equal(store_open(&other, link, STORE_DAEMON, NULL, &d), ERR_RUNNING);
	store_close(s.store);
	must(store_open(&s.store, link, STORE_DAEMON, NULL, &d), &d);
	scratch_close(&s);
}

static void
a_foreign_database_is_refused(void **state)
{
	struct scratch s;
	struct store *other;
	struct diag d;
	struct stat before, after;
	sqlite3 *db;
	char path[400], lock[420];
	FILE *f;

	(void)state;
	scratch_open(&s);
	snprintf(path, sizeof path, "%s/foreign.db", s.directory);
	snprintf(lock, sizeof lock, "%s.lock", path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE alerts(x)", NULL, NULL, NULL);
	sqlite3_close(db);
	stat(path, &before);
	assert_int_equal(store_open(&other, path, STORE_DAEMON, NULL, &d), ERR_CORRUPT);
	assert_non_null(strstr(d.text, "another program"));
	assert_int_equal(store_open_reader(&db, path, &d), ERR_CORRUPT);
	stat(path, &after);
	assert_true(before.st_size == after.st_size && before.st_mtime == after.st_mtime);
	assert_int_equal(access(lock, F_OK), -1);
	f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", f);
	fclose(f);
	assert_int_equal(store_open(&other, path, STORE_DAEMON, NULL, &d), ERR_CORRUPT);
	scratch_close(&s);
}

static void
a_newer_schema_is_refused(void **state)
{
	struct scratch s;
	struct diag d;
	sqlite3 *db;

	(void)state;
	scratch_open(&s);
	sqlite3_exec(store_handle(s.store), "PRAGMA user_version = 99", NULL, NULL, NULL);
	store_close(s.store);
	assert_int_equal(store_open(&s.store, s.path, STORE_DAEMON, NULL, &d), ERR_NEWER);
	assert_non_null(strstr(d.text, "99"));
	assert_int_equal(store_open_reader(&db, s.path, &d), ERR_NEWER);
	assert_int_equal(store_insert_command(s.path, "ack", "", "{}", 0, NULL, &d), ERR_NEWER);
	scratch_close(&s);
}

static void
modes_of_opening_hold(void **state)
{
	struct scratch s;
	struct store *other;
	struct diag d;
	struct stat st;
	sqlite3 *db;
	char path[400];
	uint8_t key[16];

	(void)state;
	scratch_open(&s);
	assert_int_equal(store_open(&other, s.path, STORE_CREATE, NULL, &d), ERR_INVALID);
	snprintf(path, sizeof path, "%s/none.db", s.directory);
	assert_int_equal(store_open(&other, path, STORE_APPEND, NULL, &d), ERR_MISSING);
	assert_int_equal(store_open_reader(&db, path, &d), ERR_MISSING);
	assert_int_equal(store_open(&other, path, STORE_CREATE, "zz", &d), ERR_INVALID);
	assert_int_equal(access(path, F_OK), -1); /* nothing half made is left */
	snprintf(path, sizeof path, "%s/no/such.db", s.directory);
	assert_int_equal(store_open(&other, path, STORE_DAEMON, NULL, &d), ERR_IO);
	stat(s.path, &st);
	assert_int_equal(st.st_mode & 07 & ~(mode_t)0, 0);
	scratch_again(&s);
	store_id_hash_key(s.store, key);
	for (int i = 0; i < 16; i++)
		assert_int_equal(key[i], i);
	assert_int_equal(scratch_int(store_handle(s.store), "PRAGMA auto_vacuum"), 2);
	assert_int_equal(scratch_int(store_handle(s.store), "PRAGMA synchronous"), 1);
	assert_true(store_free_bytes(s.store) > 0);
	scratch_close(&s);
}

static void
a_corrupt_state_blob_is_named(void **state)
{
	struct scratch s;
	struct diag d;
	uint8_t *blob;
	size_t length;

	(void)state;
	scratch_open(&s);
	scratch_begin(&s);
	store_put_state(s.store, "detector", 7, "some state", 10);
	store_put_state(s.store, "detector", 8, NULL, 0);
	scratch_commit(&s);
	must(store_get_state(s.store, "detector", 7, &blob, &length, &d), &d);
	assert_int_equal(length, 10);
	assert_memory_equal(blob, "some state", 10);
	free(blob);
	must(store_get_state(s.store, "detector", 8, &blob, &length, &d), &d);
	assert_non_null(blob);
	assert_int_equal(length, 0);
	free(blob);
	must(store_get_state(s.store, "detector", 9, &blob, &length, &d), &d);
	assert_null(blob);
	const char *const damage[] = {
		"UPDATE state SET data = CAST(replace(data, 'some', 'sOme') AS BLOB) WHERE id = 7",
		"UPDATE state SET data = substr(data, 1, 25) WHERE id = 7",
		"UPDATE state SET data = x'00' WHERE id = 7",
	};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sqlite3_exec(store_handle(s.store), damage[i], NULL, NULL, NULL),
		                 SQLITE_OK);
		assert_int_equal(store_get_state(s.store, "detector", 7, &blob, &length, &d),
		                 ERR_CORRUPT);
		assert_non_null(strstr(d.text, "detector 7"));
		assert_null(blob);
	}
	scratch_close(&s);
}

static void
a_full_disk_keeps_the_last_transaction(void **state)
{
	struct scratch s;
	struct diag d;
	uint32_t stream, again;
	int64_t steps;
	char sql[100];

	(void)state;
	scratch_open(&s);
	scratch_begin(&s);
	put_step(s.store, 1);
	scratch_commit(&s);
	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
	         (long long)scratch_int(store_handle(s.store), "PRAGMA page_count") + 5);
	scratch_int(store_handle(s.store), sql);
	scratch_begin(&s);
	stream = scratch_stream(&s, "feature", "income", "numeric");
	put_step(s.store, 2);
	scratch_stream(&s, "feature", "age", "numeric"); /* in a poisoned transaction */
	assert_int_equal(store_commit(s.store, &d), ERR_FULL);
	assert_non_null(strstr(d.text, "full"));
	assert_consistent(s.store, &steps);
	assert_int_equal(steps, 1);
	scratch_int(store_handle(s.store), "PRAGMA max_page_count = 100000");
	scratch_begin(&s); /* the caller's state is intact: the same again */
	put_step(s.store, 2);
	again = scratch_stream(&s, "feature", "income", "numeric");
	scratch_commit(&s);
	assert_int_equal(stream, again);
	scratch_again(&s);
	assert_int_equal(scratch_stream(&s, "feature", "age", "numeric"), stream + 1);
	assert_consistent(s.store, &steps);
	assert_int_equal(steps, 2);
	scratch_close(&s);
}

#define HERE(name) TEST("store/" #name, name),
#define THERE(name) TEST("store/" #name, store_##name),

const struct CMUnitTest store_tests[] = {
	HERE(a_torn_commit_is_invisible)
	HERE(a_killed_process_leaves_its_last_commit)
	HERE(a_second_instance_is_refused)
	HERE(a_foreign_database_is_refused)
	HERE(a_newer_schema_is_refused)
	HERE(modes_of_opening_hold)
	HERE(a_corrupt_state_blob_is_named)
	HERE(a_full_disk_keeps_the_last_transaction)
	STORE_ROW_TESTS(THERE)
	STORE_VIEW_TESTS(THERE)
	STORE_RETAIN_TESTS(THERE)
	TESTS_END,
};
