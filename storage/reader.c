/* reader.c -- the short connections of the command line: reading, and leaving a command. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "storage/schema.h"
#include "storage/store_impl.h"

enum {
	READ_BUSY_MS = 5000,
	COMMAND_BUSY_MS = 10000,
};

static int check_ours(sqlite3 *db, struct diag *d)
{
	bool fresh;
	int err = schema_check(db, &fresh, d);

	if (!err && fresh)
		err = diag_set(d, ERR_CORRUPT, "%s holds no schema: it is empty",
		               sqlite3_db_filename(db, "main"));
	return err;
}

static int open_checked(sqlite3 **out, const char *name, int flags, int busy_ms, struct diag *d)
{
	int rc = sqlite3_open_v2(name, out, flags, NULL), err;

	if (!*out)
		return diag_set(d, ERR_IO, "out of memory");
	sqlite3_busy_timeout(*out, busy_ms);
	if (rc != SQLITE_OK)
		err = store_sqlite_error(*out, "open", d);
	else
		err = check_ours(*out, d);
	if (err) {
		sqlite3_close(*out);
		*out = NULL;
	}
	return err;
}

/* file:PATH?immutable=1 with everything but plain characters escaped. NULL: out of memory. */
static char *immutable_name(const char *path)
{
	char *name = malloc(3 * strlen(path) + sizeof "file:?immutable=1");
	size_t at = 5;

	if (!name)
		return NULL;
	memcpy(name, "file:", 5);
	for (const char *p = path; *p; p++)
		at += (size_t)snprintf(name + at, 4, strchr("%?#", *p) ? "%%%02x" : "%c", *p);
	memcpy(name + at, "?immutable=1", sizeof "?immutable=1");
	return name;
}

/* Nobody writes when the lock is free of a pid and the WAL is empty: only then may it be taken for
 * immutable. */
static bool at_rest(const char *path)
{
	const char *const suffix[] = { "-wal", ".lock" };
	bool rest = true;

	for (size_t i = 0; i < COUNT(suffix); i++) {
		size_t size = strlen(path) + 8;
		char *full = malloc(size);
		struct stat st;

		if (!full)
			return false;
		snprintf(full, size, "%s%s", path, suffix[i]);
		rest = rest && (stat(full, &st) != 0 || st.st_size == 0);
		free(full);
	}
	return rest;
}

int store_open_reader(sqlite3 **out, const char *path, struct diag *d)
{
	char *name;
	int err;

	*out = NULL;
	if (access(path, F_OK))
		return diag_set(d, errno == ENOENT ? ERR_MISSING : ERR_IO, "cannot open %s: %s", path,
		                strerror(errno));
	err = open_checked(out, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, READ_BUSY_MS, d);
	if (err == ERR_IO && at_rest(path)) {
		/* A directory we may not write in, after a stop that left no WAL behind. */
		name = immutable_name(path);
		if (!name)
			return diag_set(d, ERR_IO, "out of memory");
		err = open_checked(out, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
		                   SQLITE_OPEN_URI, READ_BUSY_MS, d);
		free(name);
	}
	if (!err)
		sqlite3_exec(*out, "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
		             "PRAGMA cache_size = -32768", NULL, NULL, NULL);
	return err;
}

int store_open_beside(sqlite3 **out, const char *path, int busy_ms, struct diag *d)
{
	int on = 1, err;

	*out = NULL;
	if (access(path, F_OK))
		return diag_set(d, errno == ENOENT ? ERR_MISSING : ERR_IO, "cannot open %s: %s", path,
		                strerror(errno));
	err = open_checked(out, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, busy_ms, d);
	if (err)
		return err;
	sqlite3_file_control(*out, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	/* Checkpoints are the daemon's: they take longer than what is done here. */
	sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_exec(*out, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
	             "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	return 0;
}

int store_insert_command(const char *path, const char *command, const char *target,
                         const char *arguments, int64_t wall_ms, int64_t *command_id, struct diag *d)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int err = store_open_beside(&db, path, COMMAND_BUSY_MS, d);

	if (err)
		return err;
	if (sqlite3_prepare_v2(db, "INSERT INTO commands(command, target, arguments, created_ms)"
	                       " VALUES(?, ?, ?, ?)", -1, &q, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(q, 1, command, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(q, 2, target, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(q, 3, arguments, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(q, 4, wall_ms) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE)
		err = store_sqlite_error(db, "write a command to", d);
	if (command_id)
		*command_id = sqlite3_last_insert_rowid(db);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return err;
}
