/* store.c -- opening, locking, the one transaction, closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <assert.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "storage/schema.h"
#include "storage/store_impl.h"

enum {
	BUSY_MS = 5000,       /* how long a foreign write lock is waited for */
	BUSY_CLOSE_MS = 250,  /* a reader must not delay the end of the process */
};
/* Above this size the start after an unclean stop checks all tables but `chunks`, whose rows carry a
 * checksum that is verified when they are read; reading them twice would cost seconds. */
#define QUICK_CHECK_BYTES (256ll * 1024 * 1024)

/* Absolute and without symbolic links, so that two names of one database share a lock. */
static char *resolve(const char *path, struct diag *d)
{
	char *real = realpath(path, NULL), *copy, *slash, *directory, *result = NULL;
	size_t size;

	if (real || errno != ENOENT) {
		if (!real)
			diag_set(d, ERR_IO, "cannot open %s: %s", path, strerror(errno));
		return real;
	}
	copy = strdup(path);
	if (!copy)
		goto out;
	slash = strrchr(copy, '/');
	if (slash)
		*slash = 0;
	directory = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (directory) {
		size = strlen(directory) + strlen(path) + 2;
		result = malloc(size);
		if (result)
			snprintf(result, size, "%s/%s", directory, slash ? slash + 1 : copy);
		free(directory);
	}
	free(copy);
out:
	if (!result)
		diag_set(d, ERR_IO, "cannot create %s: %s", path, strerror(errno));
	return result;
}

static char *with_suffix(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *result = malloc(size);

	if (result)
		snprintf(result, size, "%s%s", path, suffix);
	return result;
}

/* Takes PATH.lock and writes our pid into it. *unclean: the holder before us did not get to empty it. */
static int lock(struct store *s, bool *unclean, bool *created, struct diag *d)
{
	char *path = with_suffix(s->path, ".lock"), pid[32] = "";
	ssize_t got;
	int err = 0, length;

	if (!path)
		return diag_set(d, ERR_IO, "out of memory");
	*created = access(path, F_OK) != 0;
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (s->lock < 0) {
		err = diag_set(d, ERR_IO, "cannot open %s: %s", path, strerror(errno));
		goto out;
	}
	if (flock(s->lock, LOCK_EX | LOCK_NB)) {
		int reason = errno;

		got = pread(s->lock, pid, sizeof pid - 1, 0);
		pid[got > 0 ? got : 0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		close(s->lock);
		s->lock = -1;
		err = reason == EWOULDBLOCK
		      ? diag_set(d, ERR_RUNNING, "%s is in use by another driftd (pid %s)", s->path,
		                 pid[0] ? pid : "unknown")
		      : diag_set(d, ERR_IO, "cannot lock %s: %s", path, strerror(reason));
		goto out;
	}
	*unclean = pread(s->lock, pid, 1, 0) == 1;
	length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(s->lock, 0) || pwrite(s->lock, pid, (size_t)length, 0) != length)
		err = errno == ENOSPC || errno == EDQUOT
		      ? diag_set(d, ERR_FULL, "cannot write %s: %s", path, strerror(errno))
		      : diag_set(d, ERR_IO, "cannot write %s: %s", path, strerror(errno));
out:
	free(path);
	return err;
}

static int check_exists(const struct store *s, enum store_mode mode, bool *exists, struct diag *d)
{
	struct stat st;

	*exists = stat(s->path, &st) == 0;
	if (mode == STORE_CREATE && *exists)
		return diag_set(d, ERR_INVALID, "%s exists already", s->path);
	if (mode == STORE_APPEND && !*exists)
		return diag_set(d, ERR_MISSING, "%s does not exist", s->path);
	if (*exists && !S_ISREG(st.st_mode))
		return diag_set(d, ERR_INVALID, "%s is not a regular file", s->path);
	return 0;
}

/* SQLite would create with 0644; its -wal and -shm take the mode of the database. */
static int create_file(const struct store *s, struct diag *d)
{
	int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0)
		return diag_set(d, ERR_IO, "cannot create %s: %s", s->path, strerror(errno));
	close(fd);
	return 0;
}

static int quick_check(sqlite3 *db, const char *sql, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK || sqlite3_step(q) != SQLITE_ROW)
		err = store_sqlite_error(db, "check", d);
	else if (strcmp(store_column_text(q, 0), "ok") != 0)
		err = diag_set(d, ERR_CORRUPT, "%s is damaged: %s (keep the file as it is;"
		               " `sqlite3 FILE .recover` reads what can be read)",
		               sqlite3_db_filename(db, "main"), store_column_text(q, 0));
	sqlite3_finalize(q);
	return err;
}

static int check_after_crash(struct store *s, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	struct stat st;
	int err = 0;

	if (stat(s->path, &st) == 0 && st.st_size <= QUICK_CHECK_BYTES)
		return quick_check(s->db, "PRAGMA quick_check(1)", d);
	if (sqlite3_prepare_v2(s->db, "SELECT 'PRAGMA quick_check(' || name || ')' FROM sqlite_schema"
	                       " WHERE type = 'table' AND name <> 'chunks'", -1, &q, NULL) != SQLITE_OK)
		return store_sqlite_error(s->db, "check", d);
	while (!err && sqlite3_step(q) == SQLITE_ROW)
		err = quick_check(s->db, store_column_text(q, 0), d);
	sqlite3_finalize(q);
	return err;
}

static void remember_file(const char *path, struct store_file *file)
{
	struct stat st;

	if (stat(path, &st) == 0)
		*file = (struct store_file){ st.st_dev, st.st_ino };
}

enum { CHECKPOINT_PAGES = 4000 };

/* What SQLite does by itself after a commit that leaves a long log, timed. */
static int checkpoint(void *context, sqlite3 *db, const char *name, int pages)
{
	struct store *s = context;
	struct timespec begin, end;

	if (pages < CHECKPOINT_PAGES)
		return SQLITE_OK;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	s->checkpoints++;
	s->checkpoint_seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	return SQLITE_OK;
}

static int open_database(struct store *s, const char *id_hash_key, bool unclean, bool *foreign,
                         struct diag *d)
{
	bool fresh;
	int err;

	unclean = unclean || store_wal_bytes(s) > 0;
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return s->db ? store_sqlite_error(s->db, "open", d)
		             : diag_set(d, ERR_IO, "out of memory");
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	err = schema_check(s->db, &fresh, d);
	if (err) {
		*foreign = true;
		return err;
	}
	/* Closing after an error must not touch the evidence; store_close checkpoints by itself. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if ((err = schema_writer(s->db, fresh, d)))
		return err;
	if (!fresh && unclean && (err = check_after_crash(s, d)))
		return err;
	if ((err = schema_migrate(s->db, fresh, id_hash_key, d)))
		return err;
	if ((err = store_identity_open(s, d)))
		return err;
	remember_file(s->path, &s->database);
	remember_file(s->wal_path, &s->wal);
	sqlite3_wal_hook(s->db, checkpoint, s);
	return 0;
}

static void unlink_with(const char *path, const char *suffix)
{
	char *full = with_suffix(path, suffix);

	if (full)
		unlink(full);
	free(full);
}

int store_open(struct store **out, const char *path, enum store_mode mode, const char *id_hash_key,
               struct diag *d)
{
	bool exists = true, unclean = false, foreign = false, lock_created = false;
	struct store *s = calloc(1, sizeof *s);
	int err;

	*out = NULL;
	if (!s)
		return diag_set(d, ERR_IO, "out of memory");
	s->lock = -1;
	s->path = resolve(path, d);
	s->wal_path = s->path ? with_suffix(s->path, "-wal") : NULL;
	if (!s->wal_path) {
		err = ERR_IO;
		goto fail;
	}
	if ((err = check_exists(s, mode, &exists, d)) ||
	    (err = lock(s, &unclean, &lock_created, d)))
		goto fail;
	/* Once more under the lock: another instance may have created or removed it meanwhile. */
	if ((err = check_exists(s, mode, &exists, d)) || (!exists && (err = create_file(s, d))))
		goto fail;
	err = open_database(s, id_hash_key, unclean && exists, &foreign, d);
	if (!err) {
		*out = s;
		return 0;
	}
fail:
	if (s->lock >= 0 && !unclean && ftruncate(s->lock, 0)) { /* the pid is only a hint */ }
	if (s->lock >= 0 && foreign && lock_created)
		unlink_with(s->path, ".lock");
	sqlite3_close(s->db);
	if (s->lock >= 0 && !exists) { /* we made it, and it holds nothing */
		unlink_with(s->path, "");
		unlink_with(s->path, "-wal");
		unlink_with(s->path, "-shm");
	}
	s->db = NULL;
	store_close(s);
	return err;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db) {
		store_rollback(s);
		for (size_t i = 0; i < SLOTS; i++)
			sqlite3_finalize(s->statement[i]);
		sqlite3_busy_timeout(s->db, BUSY_CLOSE_MS);
		sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		int rc = sqlite3_close(s->db);
		assert(rc == SQLITE_OK);
		/* The empty lock file says that the stop was clean. */
		if (s->lock >= 0 && ftruncate(s->lock, 0)) { /* then the next start checks: harmless */ }
	}
	if (s->lock >= 0)
		close(s->lock);
	store_identity_close(s);
	free(s->recent);
	free(s->scratch);
	free(s->wal_path);
	free(s->path);
	free(s);
}

sqlite3 *store_handle(struct store *s)
{
	return s->db;
}

int store_begin(struct store *s, struct diag *d)
{
	sqlite3_stmt *q;
	int err;

	assert(!s->in_transaction);
	q = store_query(s, SLOT_BEGIN, "BEGIN IMMEDIATE", NULL, 0, d);
	if (!q)
		return ERR_IO;
	err = store_query_end(s, q, sqlite3_step(q), d);
	if (err)
		return err;
	s->in_transaction = true;
	s->error = 0;
	s->bytes_put = 0;
	s->recents = 0;
	store_identity_begin(s); /* a failure poisons, store_commit tells */
	return 0;
}

void store_rollback(struct store *s)
{
	if (!s->in_transaction)
		return;
	s->in_transaction = false;
	s->error = 0;
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(s->db)) {
		sqlite3_stmt *q = store_query(s, SLOT_ROLLBACK, "ROLLBACK", NULL, 0, NULL);

		if (q)
			store_query_end(s, q, sqlite3_step(q), NULL);
	}
}

int store_commit(struct store *s, struct diag *d)
{
	sqlite3_stmt *q;
	int err;

	assert(s->in_transaction);
	if (!s->error)
		store_put_recent(s);
	if (s->error) {
		err = s->error;
		if (d)
			*d = s->diag;
		store_rollback(s);
		return err;
	}
	q = store_query(s, SLOT_COMMIT, "COMMIT", NULL, 0, d);
	err = q ? store_query_end(s, q, sqlite3_step(q), d) : ERR_IO;
	if (err) {
		store_rollback(s);
		return err;
	}
	s->in_transaction = false;
	store_identity_committed(s);
	return 0;
}

static bool same_file(const char *path, const struct store_file *file)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode;
}

int store_check_moved(struct store *s, struct diag *d)
{
	if (!same_file(s->path, &s->database))
		return diag_set(d, ERR_IO, "%s was moved, replaced or deleted while it was in use; what"
		                " was committed is in the old file", s->path);
	if (!same_file(s->wal_path, &s->wal))
		return diag_set(d, ERR_IO, "%s was moved, replaced or deleted while it was in use; the"
		                " last commits are lost with it", s->wal_path);
	return 0;
}

int64_t store_wal_bytes(struct store *s)
{
	struct stat st;

	return stat(s->wal_path, &st) == 0 ? (int64_t)st.st_size : 0;
}

uint64_t store_checkpoints(const struct store *s, double *seconds)
{
	*seconds = s->checkpoint_seconds;
	return s->checkpoints;
}

int64_t store_database_bytes(struct store *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 ? (int64_t)st.st_size : 0;
}

uint64_t store_bytes_put(const struct store *s)
{
	return s->bytes_put;
}

uint64_t store_free_bytes(const struct store *s)
{
	struct statvfs v;

	if (statvfs(s->path, &v))
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}
