/* schema.c -- the tables, as migrations, and the settings of the file.
 *
 * History is keyed by time first: rows of a commit then land on a few pages at the end of the tree,
 * which is fifty times cheaper than one page a stream. Tables with large values keep their rowid, so
 * that the key's tree stays small.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sys/random.h>

#include "storage/schema.h"
#include "storage/store_impl.h"

#define STRICT_KEYED ") STRICT, WITHOUT ROWID;"
#define STRICT_ROWS ") STRICT;"
#define COUNT_COLUMN(name) ", " #name " INTEGER NOT NULL"
#define REAL_COLUMN(name) ", " #name " REAL"
#define TEXT_COLUMN(name) ", " #name " TEXT"

static const char tables_identity[] =
	"CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value ANY" STRICT_KEYED
	"CREATE TABLE documentation(name TEXT NOT NULL, column TEXT NOT NULL, meaning TEXT NOT NULL"
	STRICT_ROWS
	"CREATE TABLE models(model_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" first_ms INTEGER NOT NULL" STRICT_ROWS
	"CREATE TABLE streams(stream_id INTEGER PRIMARY KEY, model_id INTEGER NOT NULL,"
	" segment TEXT NOT NULL, kind TEXT NOT NULL, field TEXT NOT NULL, version TEXT NOT NULL,"
	" type TEXT NOT NULL, first_ms INTEGER NOT NULL,"
	" name TEXT AS (kind || ':' || field || iif(version = '', '', '@' || version)) VIRTUAL,"
	" UNIQUE(model_id, segment, kind, field, version)" STRICT_ROWS
	"CREATE TABLE detectors(detector_id INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL,"
	" method TEXT NOT NULL, role TEXT NOT NULL, params TEXT, fingerprint INTEGER, promise TEXT,"
	" share REAL, step INTEGER, used INTEGER, statistic REAL, spent REAL, spent_apart REAL,"
	" alarms INTEGER, alarms_apart INTEGER, effect REAL, effect_low REAL, effect_high REAL,"
	" effect_unit TEXT, since_ms INTEGER, old_value REAL, new_value REAL, material INTEGER,"
	" season TEXT"
	STRICT_ROWS
	"CREATE TABLE refs(ref_id INTEGER PRIMARY KEY, model_id INTEGER NOT NULL,"
	" version TEXT NOT NULL, source TEXT NOT NULL, hash INTEGER NOT NULL, from_ms INTEGER,"
	" to_ms INTEGER, rows INTEGER NOT NULL, rate_per_s REAL, active INTEGER NOT NULL" STRICT_ROWS
	"CREATE TABLE version_comparisons(model_id INTEGER NOT NULL, version TEXT NOT NULL,"
	" other TEXT NOT NULL, figure TEXT NOT NULL, matched TEXT NOT NULL, n INTEGER NOT NULL, mean REAL,"
	" other_mean REAL, difference REAL, difference_low REAL, difference_high REAL, unit TEXT NOT NULL,"
	" higher INTEGER NOT NULL, lower INTEGER NOT NULL, evidence REAL, updated_ms INTEGER NOT NULL,"
	" PRIMARY KEY(model_id, version, other, figure, matched)" STRICT_KEYED
	"CREATE TABLE robustness(stream_id INTEGER PRIMARY KEY, error_id INTEGER, labelled INTEGER NOT NULL,"
	" clean_right INTEGER NOT NULL, right INTEGER NOT NULL, both_right INTEGER NOT NULL,"
	" reference_flip_rate REAL, reference_error REAL" STRICT_ROWS
	"CREATE TABLE uncertainty_forms(model_id INTEGER NOT NULL, version TEXT NOT NULL, form TEXT NOT NULL,"
	" members INTEGER, monte_carlo_error REAL, PRIMARY KEY(model_id, version)" STRICT_KEYED
	"CREATE TABLE separability(stream_id INTEGER PRIMARY KEY, other_id INTEGER NOT NULL,"
	" rank_correlation REAL, n INTEGER NOT NULL" STRICT_ROWS
	"CREATE UNIQUE INDEX refs_active ON refs(model_id, version) WHERE active;";

static const char tables_progress[] =
	"CREATE TABLE offsets(topic TEXT NOT NULL, partition INTEGER NOT NULL,"
	" next_offset INTEGER NOT NULL, anchor_offset INTEGER NOT NULL, anchor_hash INTEGER NOT NULL,"
	" end_offset INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY(topic, partition)"
	STRICT_KEYED
	"CREATE TABLE gaps(gap_id INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
	" partition INTEGER NOT NULL, from_offset INTEGER NOT NULL, to_offset INTEGER NOT NULL,"
	" reason TEXT NOT NULL, at_ms INTEGER" STRICT_ROWS
	"CREATE TABLE state(owner TEXT NOT NULL, id INTEGER NOT NULL, data BLOB NOT NULL,"
	" PRIMARY KEY(owner, id)" STRICT_KEYED
	"CREATE TABLE chunks(owner TEXT NOT NULL, id INTEGER NOT NULL, part INTEGER NOT NULL,"
	" chunk INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(owner, id, part, chunk)" STRICT_KEYED
	"CREATE TABLE counters(model_id INTEGER NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL,"
	" PRIMARY KEY(model_id, name)" STRICT_KEYED
	"CREATE TABLE rejected(slot INTEGER PRIMARY KEY, number INTEGER NOT NULL,"
	" topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,"
	" reason TEXT NOT NULL, detail TEXT, sample ANY" STRICT_ROWS
	"CREATE TABLE runs(run_id INTEGER PRIMARY KEY, event TEXT NOT NULL, detail TEXT,"
	" wall_ms INTEGER NOT NULL" STRICT_ROWS
	"CREATE TABLE commands(command_id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL,"
	" target TEXT NOT NULL, arguments TEXT NOT NULL, created_ms INTEGER NOT NULL, result TEXT,"
	" finished_ms INTEGER" STRICT_ROWS;

/* The partial indexes find what is old enough to be rolled up, finished or dropped without passing
 * over the rows that stay; they are in order of time, so a new row costs a few bytes at their end. */
static const char tables_history[] =
	"CREATE TABLE statistics(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL,"
	" width_ms INTEGER NOT NULL, n INTEGER NOT NULL, missing INTEGER NOT NULL, mean REAL, sd REAL,"
	" min REAL, max REAL, q05 REAL, q25 REAL, q50 REAL, q75 REAL, q90 REAL, q95 REAL, psi REAL,"
	" psi_null95 REAL, sigma_shift REAL, statistic REAL, PRIMARY KEY(window_ms, stream_id)"
	STRICT_KEYED
	"CREATE INDEX statistics_fine ON statistics(window_ms) WHERE width_ms > 0 AND width_ms < 3600000;"
	"CREATE INDEX statistics_hour ON statistics(window_ms)"
	" WHERE width_ms >= 3600000 AND width_ms < 86400000;"
	"CREATE TABLE histograms(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL,"
	" counts TEXT NOT NULL, PRIMARY KEY(window_ms, stream_id)" STRICT_KEYED
	"CREATE TABLE reference_cells(stream_id INTEGER NOT NULL, cell INTEGER NOT NULL, above REAL,"
	" upto REAL, category TEXT, n INTEGER NOT NULL, PRIMARY KEY(stream_id, cell)" STRICT_KEYED;

static const char tables_labels[] =
	"CREATE TABLE label_statistics(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL,"
	" width_ms INTEGER NOT NULL, final INTEGER NOT NULL" LABEL_COUNTS(COUNT_COLUMN) LABEL_SUMS(REAL_COLUMN)
	LABEL_ARRAYS(TEXT_COLUMN) LABEL_FIGURES(REAL_COLUMN)
	", PRIMARY KEY(window_ms, stream_id, width_ms)" STRICT_KEYED
	"CREATE INDEX label_days ON label_statistics(stream_id, window_ms)"
	" WHERE width_ms >= 86400000;"
	"CREATE INDEX label_open ON label_statistics(stream_id, window_ms) WHERE final = 0;"
	"CREATE INDEX label_fine ON label_statistics(window_ms)"
	" WHERE final = 1 AND width_ms > 0 AND width_ms < 3600000;"
	"CREATE INDEX label_hour ON label_statistics(window_ms)"
	" WHERE final = 1 AND width_ms >= 3600000 AND width_ms < 86400000;";

static const char tables_label_parts[] =
	"CREATE TABLE label_levels(stream_id INTEGER NOT NULL, window_ms INTEGER NOT NULL,"
	" level REAL NOT NULL, n INTEGER NOT NULL, covered INTEGER NOT NULL, coverage REAL, coverage_low REAL,"
	" coverage_high REAL, below REAL, above REAL, width REAL, winkler REAL,"
	" PRIMARY KEY(stream_id, window_ms, level)" STRICT_KEYED
	"CREATE TABLE label_quantiles(stream_id INTEGER NOT NULL, window_ms INTEGER NOT NULL,"
	" level REAL NOT NULL, n INTEGER NOT NULL, share REAL, share_low REAL, share_high REAL, pinball REAL,"
	" PRIMARY KEY(stream_id, window_ms, level)" STRICT_KEYED
	"CREATE TABLE residuals(stream_id INTEGER NOT NULL, measure TEXT NOT NULL, field TEXT NOT NULL,"
	" n INTEGER NOT NULL, value REAL, statistic REAL, p_value REAL,"
	" PRIMARY KEY(stream_id, measure, field)" STRICT_KEYED
	"CREATE TABLE recalibration(day_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL,"
	" method TEXT NOT NULL, nominal REAL, level REAL, adjustment REAL, labels INTEGER NOT NULL,"
	" covered INTEGER NOT NULL, covered_adapted INTEGER NOT NULL, everything INTEGER NOT NULL,"
	" PRIMARY KEY(day_ms, stream_id)" STRICT_KEYED
	"CREATE TABLE label_details(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL,"
	" data BLOB NOT NULL, PRIMARY KEY(stream_id, window_ms)" STRICT_KEYED
	"CREATE TABLE label_totals(stream_id INTEGER PRIMARY KEY, auroc REAL, error_auroc REAL" STRICT_ROWS
	"CREATE TABLE label_links(model_id INTEGER PRIMARY KEY, taken TEXT NOT NULL, labels INTEGER NOT NULL,"
	" correlation REAL, p_value REAL" STRICT_ROWS
	"CREATE TABLE label_recent(stream_id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL,"
	" predictions INTEGER NOT NULL, labelled INTEGER NOT NULL, intervals INTEGER NOT NULL,"
	" calibrator TEXT, estimated_accuracy REAL"
	LABEL_FIGURES(REAL_COLUMN) STRICT_ROWS;

static const char tables_ood[] =
	"CREATE TABLE ood_refs(stream_id INTEGER PRIMARY KEY, source TEXT NOT NULL, from_ms INTEGER,"
	" to_ms INTEGER, rows INTEGER NOT NULL, fitted INTEGER NOT NULL, ranked INTEGER NOT NULL,"
	" classes INTEGER NOT NULL, inputs TEXT NOT NULL, scores TEXT NOT NULL, alpha REAL NOT NULL, delta REAL,"
	" threshold REAL, rate_low REAL, rate_high REAL, discoveries_min INTEGER NOT NULL, hash INTEGER NOT NULL,"
	" notes TEXT NOT NULL" STRICT_ROWS
	"CREATE TABLE ood_windows(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL, segment TEXT NOT NULL,"
	" width_ms INTEGER NOT NULL, n INTEGER NOT NULL, flagged INTEGER NOT NULL, unsupported INTEGER NOT NULL,"
	" rate_low REAL, rate_high REAL, tested INTEGER NOT NULL, discoveries INTEGER NOT NULL,"
	" PRIMARY KEY(window_ms, stream_id, segment, width_ms)" STRICT_KEYED
	"CREATE INDEX ood_fine ON ood_windows(window_ms) WHERE width_ms < 3600000;"
	"CREATE INDEX ood_hour ON ood_windows(window_ms) WHERE width_ms >= 3600000 AND width_ms < 86400000;"
	"CREATE TABLE ood_extremes(window_ms INTEGER NOT NULL, stream_id INTEGER NOT NULL, rank INTEGER NOT NULL,"
	" id TEXT, ts_ms INTEGER NOT NULL, p REAL NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL,"
	" feature TEXT, members TEXT NOT NULL, PRIMARY KEY(window_ms, stream_id, rank)" STRICT_KEYED;

static const char tables_alerts[] =
	"CREATE TABLE alerts(alert_id TEXT NOT NULL PRIMARY KEY, episode_id TEXT NOT NULL,"
	" stream_id INTEGER NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, promise TEXT,"
	" method TEXT, state TEXT NOT NULL, resolved_by TEXT, verdict TEXT, opened_ms INTEGER, started_ms INTEGER,"
	" updated_ms INTEGER, resolved_ms INTEGER, statistic REAL, effect REAL, effect_low REAL,"
	" effect_high REAL, effect_unit TEXT, old_value REAL, new_value REAL, promise_words TEXT,"
	" dependence TEXT, explanation TEXT, harm TEXT, text TEXT, moved TEXT, diagnosis TEXT,"
	" topic TEXT, partition INTEGER,"
	" offset INTEGER" STRICT_ROWS
	"CREATE INDEX alerts_episode ON alerts(episode_id);"
	"CREATE INDEX alerts_unresolved ON alerts(opened_ms) WHERE state <> 'resolved';"
	"CREATE TABLE alert_events(alert_id TEXT NOT NULL, sequence INTEGER NOT NULL,"
	" event TEXT NOT NULL, at_ms INTEGER, statistic REAL, effect REAL, text TEXT,"
	" PRIMARY KEY(alert_id, sequence)" STRICT_KEYED
	"CREATE TABLE explanations(alert_id TEXT NOT NULL, rank INTEGER NOT NULL, phase TEXT NOT NULL,"
	" stream_id INTEGER NOT NULL, field TEXT NOT NULL, place TEXT NOT NULL, above REAL, up_to REAL,"
	" n INTEGER NOT NULL, hits INTEGER NOT NULL, rate REAL, rate_low REAL, rate_high REAL,"
	" outside_rate REAL, old_rate REAL, lift REAL, hits_share REAL, records_share REAL,"
	" p_value REAL, records INTEGER NOT NULL, searched INTEGER NOT NULL,"
	" PRIMARY KEY(alert_id, rank)" STRICT_KEYED
	"CREATE TABLE outbox(outbox_id INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL,"
	" event TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending'" STRICT_ROWS
	"CREATE INDEX outbox_pending ON outbox(outbox_id) WHERE state = 'pending';"
	"CREATE INDEX outbox_alert ON outbox(alert_id);"
	"CREATE TABLE deliveries(outbox_id INTEGER NOT NULL, sink TEXT NOT NULL,"
	" state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,"
	" first_wall_ms INTEGER, next_wall_ms INTEGER, done_wall_ms INTEGER, error TEXT,"
	" PRIMARY KEY(outbox_id, sink)" STRICT_KEYED
	"CREATE INDEX deliveries_pending ON deliveries(sink, outbox_id) WHERE state = 'pending';";

/* migrations[i] leads from schema i to i + 1. */
static const char *const migrations[STORE_SCHEMA_VERSION][7] = {
	{ tables_identity, tables_progress, tables_history, tables_labels, tables_label_parts,
	  tables_ood, tables_alerts },
};

int schema_check(sqlite3 *db, bool *fresh, struct diag *d)
{
	const char *path = sqlite3_db_filename(db, "main");
	int64_t application, version, objects;
	int err = store_scalar(db, "PRAGMA application_id", &application, d);

	if (!err)
		err = store_scalar(db, "PRAGMA user_version", &version, d);
	if (!err)
		err = store_scalar(db, "SELECT count(*) FROM sqlite_schema", &objects, d);
	if (err)
		return err;
	*fresh = application == 0 && version == 0 && objects == 0;
	if (*fresh)
		return 0;
	if (application != STORE_APPLICATION_ID)
		return diag_set(d, ERR_CORRUPT, "%s is an SQLite database of another program"
		                " (application_id %lld)", path, (long long)application);
	if (version > STORE_SCHEMA_VERSION)
		return diag_set(d, ERR_NEWER, "%s was written by a newer driftd: its schema is %lld,"
		                " this program knows up to %d", path, (long long)version,
		                STORE_SCHEMA_VERSION);
	return 0;
}

static int use_wal(sqlite3 *db, struct diag *d)
{
	sqlite3_stmt *q = NULL;
	int err = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &q, NULL) != SQLITE_OK ||
	    sqlite3_step(q) != SQLITE_ROW)
		err = store_sqlite_error(db, "use", d);
	else if (strcmp(store_column_text(q, 0), "wal") != 0)
		err = diag_set(d, ERR_IO, "cannot use %s: its file system does not support a"
		               " write-ahead log (journal_mode stays %s); a network file system will"
		               " not do", sqlite3_db_filename(db, "main"), store_column_text(q, 0));
	sqlite3_finalize(q);
	return err;
}

int schema_writer(sqlite3 *db, bool fresh, struct diag *d)
{
	int on = 1, err;

	/* Before the first page is written: afterwards the setting has no effect. */
	if (fresh && (err = store_exec(db, "PRAGMA auto_vacuum = INCREMENTAL", d)))
		return err;
	if ((err = use_wal(db, d)))
		return err;
	/* The WAL stays when the last connection closes, so that a reader who may not write in the
	 * directory can still open the database. */
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	/* The cache holds a large commit (10 MB) and the inner pages of every tree without spilling.
	 * secure_delete FAST: freed pages are not written again only to be zeroed. */
	return store_exec(db,
	                  "PRAGMA synchronous = NORMAL;"
	                  "PRAGMA journal_size_limit = 67108864;"
	                  "PRAGMA cache_size = -32768;"
	                  "PRAGMA temp_store = MEMORY;"
	                  "PRAGMA secure_delete = FAST;"
	                  "PRAGMA trusted_schema = OFF;"
	                  "PRAGMA cell_size_check = ON", d);
}

static int put_id_hash_key(sqlite3 *db, const char *id_hash_key, struct diag *d)
{
	char hex[33], sql[128];
	uint8_t key[16];

	if (id_hash_key) {
		if (strlen(id_hash_key) != 32 ||
		    strspn(id_hash_key, "0123456789abcdefABCDEF") != 32)
			return diag_set(d, ERR_INVALID, "the key of the id hash must be 32 hex digits");
		snprintf(hex, sizeof hex, "%s", id_hash_key);
	} else {
		if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
			return diag_set(d, ERR_IO, "cannot draw a random key");
		for (size_t i = 0; i < sizeof key; i++)
			snprintf(hex + 2 * i, 3, "%02x", key[i]);
	}
	snprintf(sql, sizeof sql, "INSERT INTO meta VALUES('id_hash_key', lower('%s'))", hex);
	return store_exec(db, sql, d);
}

static int migrate_one(sqlite3 *db, int64_t version, const char *id_hash_key, struct diag *d)
{
	char sql[128];
	int err = store_exec(db, "BEGIN IMMEDIATE", d);

	for (size_t i = 0; !err && i < COUNT(migrations[version]); i++)
		if (migrations[version][i])
			err = store_exec(db, migrations[version][i], d);
	if (!err && version == 0)
		err = put_id_hash_key(db, id_hash_key, d);
	snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
	         STORE_APPLICATION_ID, (int)version + 1);
	if (!err)
		err = store_exec(db, sql, d);
	if (err && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int schema_migrate(sqlite3 *db, bool fresh, const char *id_hash_key, struct diag *d)
{
	int64_t version;
	int err = store_scalar(db, "PRAGMA user_version", &version, d);

	if (!err && !fresh && version == 0)
		return diag_set(d, ERR_CORRUPT, "%s has no schema number",
		                sqlite3_db_filename(db, "main"));
	for (; !err && version < STORE_SCHEMA_VERSION; version++)
		err = migrate_one(db, version, id_hash_key, d);
	if (!err)
		err = store_exec(db, "BEGIN IMMEDIATE", d);
	if (!err)
		err = views_install(db, d);
	if (!err)
		err = store_exec(db, "COMMIT", d);
	if (err && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err ? diag_context(d, err, "while setting up the schema") : 0;
}
