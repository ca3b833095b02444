/* test_cli.c -- suite `cli`: the program as people call it. Runs the binary that DRIFTD names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "config/diag.h"
#include "monitor/command/commands.h"
#include "monitor/decode/jsonl.h"
#include "storage/store.h"
#include "tests/tests.h"

extern const struct CMUnitTest cli_tests[];

enum { OUTPUT = 65536, ARGUMENTS = 16 };
#define ALERT_ONE "aaaa0000111122223333444455556666"
#define ALERT_TWO "aaaa9999111122223333444455556666"
#define ALERT_OVER "bbbb0000111122223333444455556666"

struct place {
	char directory[128], database[160], yaml[160];
	char out[OUTPUT], err[OUTPUT];
};

/* -- running ------------------------------------------------------------------------------------- */

static void
read_back(const char *path, char text[OUTPUT])
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, OUTPUT - 1, f);
	text[n] = 0;
	fclose(f);
}

static void
redirect(const char *path, int to)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(120);
	close(fd);
}

/* The exit status; arguments end with NULL. Output into p->out and p->err. */
static int
driftd(struct place *p, const char *const *argument)
{
	const char *binary = getenv("DRIFTD");
	char out[160], err[160], *argv[ARGUMENTS + 2];
	int status, n = 0;
	pid_t pid;

	if (!binary)
		fail_msg("%s", "DRIFTD does not say which binary to run; `make test` sets it");
	snprintf(out, sizeof out, "%s/out", p->directory);
	snprintf(err, sizeof err, "%s/err", p->directory);
	argv[n++] = strdup(binary);
	for (; argument[n - 1]; n++)
		argv[n] = strdup(argument[n - 1]);
	argv[n] = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		redirect(out, STDOUT_FILENO);
		redirect(err, STDERR_FILENO);
		execv(binary, argv);
		_exit(121);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	for (int i = 0; i < n; i++)
		free(argv[i]);
	read_back(out, p->out);
	read_back(err, p->err);
	return WEXITSTATUS(status);
}

#define RUN(p, ...) driftd(p, (const char *const[]){ __VA_ARGS__, NULL })

static void
contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* -- a database ---------------------------------------------------------------------------------- */

static void
must(int err, const struct diag *d)
{
	if (err)
		fail_msg("error %d: %s", err, d->text);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
place_open(struct place *p)
{
	const char *base = getenv("TMPDIR");

	memset(p, 0, sizeof *p);
	snprintf(p->directory, sizeof p->directory, "%.80s/driftd-cli-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->database, sizeof p->database, "%s/t.db", p->directory);
	snprintf(p->yaml, sizeof p->yaml, "%s/t.yaml", p->directory);
}

static void
place_close(struct place *p)
{
	DIR *dir = opendir(p->directory);
	char path[512];
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", p->directory, e->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(p->directory);
}

static void
put_alert(struct store *s, const char *id, const char *state, uint32_t stream)
{
	struct alert_row row = { .stream_id = stream, .kind = "drift", .severity = "warning",
		                 .promise = "certified", .method = "tolerant", .state = state,
		                 .opened_ms = 1000, .started_ms = 900, .updated_ms = 1000,
		                 .resolved_ms = INT64_MIN, .statistic = 1.5, .effect = 0.4,
		                 .effect_unit = "sigma", .text = "income moved", .topic = "t" };

	memcpy(row.alert_id, id, 33);
	memcpy(row.episode_id, id, 33);
	assert_int_equal(store_insert_alert(s, &row), 0);
}

/* Models credit, credit-eu, churn; two open alerts that begin alike, one that is over. */
static void
make_database(struct place *p)
{
	static const char *const model[] = { "credit", "credit-eu", "churn" };
	struct stream_key key = { .segment = "", .kind = "feature", .field = "income", .version = "",
		                  .field_length = 6 };
	struct store *s;
	struct diag d;
	uint32_t id[3], stream;

	must(store_open(&s, p->database, STORE_CREATE, NULL, &d), &d);
	must(store_begin(s, &d), &d);
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_model_id(s, model[i], strlen(model[i]), 0, &id[i]), 0);
	key.model_id = id[0];
	assert_int_equal(store_stream_id(s, &key, "numeric", 0, &stream), 0);
	put_alert(s, ALERT_ONE, "open", stream);
	put_alert(s, ALERT_TWO, "open", stream);
	put_alert(s, ALERT_OVER, "resolved", stream);
	assert_int_equal(store_put_counter(s, id[0], "records", 100001), 0);
	assert_int_equal(store_put_counter(s, id[0], "predictions", 100000), 0);
	assert_int_equal(store_put_meta_i64(s, "watermark_ms", 10000000), 0);
	must(store_commit(s, &d), &d);
	store_close(s);
}

/* The last command as "command|target|arguments", or "-". */
static const char *
last_command(struct place *p, char text[512])
{
	sqlite3 *db;
	sqlite3_stmt *q;
	struct diag d;

	strcpy(text, "-");
	must(store_open_reader(&db, p->database, &d), &d);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT command || '|' || target || '|' || arguments"
	                                    " FROM commands ORDER BY command_id DESC LIMIT 1", -1, &q,
	                                    NULL), SQLITE_OK);
	if (sqlite3_step(q) == SQLITE_ROW)
		snprintf(text, 512, "%s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	sqlite3_close(db);
	return text;
}

/* -- explain, status, alerts --------------------------------------------------------------------- */

static void
every_command_answers_help(void **state)
{
	static const char *const name[] = {
		"run", "check", "fit", "replay", "status", "alerts", "report", "ack", "resolve", "rebaseline", "forget",
		"expect", "detect", "distance", "metric", "score", "arl", "explain",
		"outbox", "backup", "export", "reproduce", "refs",
	};
	struct place p;

	(void)state;
	place_open(&p);
	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
		char usage[64];

		assert_int_equal(RUN(&p, name[i], "--help"), EXIT_FINE);
		snprintf(usage, sizeof usage, "usage: driftd %s", name[i]);
		contains(p.out, usage);
		assert_string_equal(p.err, "");
	}
	assert_int_equal(RUN(&p, "nonsense"), EXIT_USAGE);
	place_close(&p);
}

static void
arl_goes_from_a_threshold_to_records_and_back(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	assert_int_equal(RUN(&p, "arl", "cusum", "-p", "h=5"), EXIT_FINE);
	contains(p.out, "465.444");
	assert_int_equal(RUN(&p, "arl", "cusum", "-p", "arl=465.4435", "--json"), EXIT_FINE);
	contains(p.out, "\"threshold\":4.99999");
	contains(p.out, "\"arl\":465.4435,");
	assert_int_equal(RUN(&p, "arl", "sr-mean", "-p", "m=.1", "-p", "arl=200", "-p", "sd=.1"), EXIT_FINE);
	contains(p.out, "at least         200,");
	assert_int_equal(RUN(&p, "arl", "cusum", "-p", "h=5", "-p", "arl=100"), EXIT_BAD_LINES);
	assert_int_equal(RUN(&p, "arl", "sr-mean", "-p", "m=.1", "-p", "sd=.4"), EXIT_BAD_LINES);
	contains(p.err, "at most 0.3");
	assert_int_equal(RUN(&p, "arl", "sr-bernoulli", "-p", "p0=.1", "-p", "change=2"), EXIT_BAD_LINES);
	assert_int_equal(RUN(&p, "arl", "cusum", "-p", "k=0", "-p", "h=9999"), EXIT_BAD_LINES);
	assert_int_equal(RUN(&p, "arl", "adwin"), EXIT_BAD_LINES);
	assert_string_equal(p.out, "");
	assert_int_equal(RUN(&p, "detect", "cusum", "--json"), EXIT_BAD_LINES);
	place_close(&p);
}

static void
explain_prints_a_configuration_that_check_accepts(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	assert_int_equal(RUN(&p, "explain"), EXIT_FINE);
	write_text(p.yaml, p.out);
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_FINE);
	assert_int_equal(RUN(&p, "explain", "alerts.budget"), EXIT_FINE);
	contains(p.out, "budget:");
	assert_int_equal(RUN(&p, "explain", "alerts.bugdet"), EXIT_USAGE);
	contains(p.err, "budget");
	assert_int_equal(RUN(&p, "explain", "a", "b"), EXIT_USAGE);
	place_close(&p);
}

static void
status_and_alerts_say_what_is_wrong_by_their_exit(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	assert_int_equal(RUN(&p, "status", p.database), EXIT_NO_INPUT);
	contains(p.err, "No such file");
	write_text(p.database, "this is not a database, but it is long enough to be read as one ...");
	assert_int_equal(RUN(&p, "status", p.database), EXIT_CORRUPT);
	unlink(p.database);
	make_database(&p);
	assert_int_equal(RUN(&p, "status", p.database), EXIT_FINE);
	contains(p.out, "credit-eu");
	assert_null(strchr(p.out, '\033')); /* not a terminal */
	assert_int_equal(RUN(&p, "status", "--json", p.database), EXIT_FINE);
	assert_int_equal(p.out[0], '{');
	assert_int_equal(RUN(&p, "status", p.database, "--jsn"), EXIT_USAGE);
	contains(p.err, "did you mean --json");
	assert_int_equal(RUN(&p, "alerts", p.database), EXIT_FINE);
	contains(p.out, "aaaa0000");
	assert_null(strstr(p.out, "bbbb0000"));
	assert_int_equal(RUN(&p, "alerts", p.database, "--all"), EXIT_FINE);
	contains(p.out, "bbbb0000");
	assert_int_equal(RUN(&p, "alerts", p.database, "aaaa0"), EXIT_FINE);
	contains(p.out, "income moved");
	assert_int_equal(RUN(&p, "alerts", p.database, "aaaa"), EXIT_USAGE);
	assert_int_equal(RUN(&p, "alerts", p.database, "cc"), EXIT_NO_INPUT);
	place_close(&p);
}

static void
a_report_is_one_file_and_never_half_of_one(void **state)
{
	struct place p;
	char page[200];
	struct stat st;

	(void)state;
	place_open(&p);
	snprintf(page, sizeof page, "%s/page.html", p.directory);
	assert_int_equal(RUN(&p, "report", p.database, "-o", page), EXIT_NO_INPUT);
	assert_int_not_equal(stat(page, &st), 0);
	make_database(&p);
	assert_int_equal(RUN(&p, "report", p.database, "-o", page), EXIT_FINE);
	contains(p.out, page);
	assert_int_equal(stat(page, &st), 0);
	assert_true(st.st_size > 100000); /* the chart library is in it */
	assert_int_equal(RUN(&p, "report", p.database, "-o", "/nowhere/page.html"), EXIT_DISK);
	unlink(page);
	place_close(&p);
}

/* -- control ------------------------------------------------------------------------------------- */

static void
a_command_names_its_target_in_full(void **state)
{
	struct place p;
	char text[512];

	(void)state;
	place_open(&p);
	make_database(&p);
	assert_int_equal(RUN(&p, "ack", p.database, "AAAA0", "--note", "say \"hi\"\\\n"), EXIT_FINE);
	contains(p.out, "next commit");
	assert_string_equal(last_command(&p, text),
	                    "ack|" ALERT_ONE "|{\"note\":\"say \\\"hi\\\"\\\\\\u000a\"}");
	assert_int_equal(RUN(&p, "resolve", p.database, "aaaa9"), EXIT_FINE);
	assert_string_equal(last_command(&p, text), "resolve|" ALERT_TWO "|{}");
	assert_int_equal(RUN(&p, "rebaseline", p.database, "aaaa0"), EXIT_FINE);
	assert_string_equal(last_command(&p, text), "rebaseline|" ALERT_ONE "|{}");
	/* A name in full comes before the beginning of a longer one. */
	assert_int_equal(RUN(&p, "rebaseline", p.database, "credit", "--records", "500"), EXIT_FINE);
	assert_string_equal(last_command(&p, text), "rebaseline|credit|{\"records\":500}");
	contains(p.out, "the next 500 values");
	assert_int_equal(RUN(&p, "rebaseline", p.database, "ch", "--from=1000", "--to", "2000"),
	                 EXIT_FINE);
	assert_string_equal(last_command(&p, text),
	                    "rebaseline|churn|{\"from_ms\":1000,\"to_ms\":2000}");
	place_close(&p);
}

static void
expect_takes_both_kinds_of_time(void **state)
{
	struct place p;
	char text[512];

	(void)state;
	place_open(&p);
	make_database(&p);
	assert_int_equal(RUN(&p, "expect", p.database, "credit-eu", "--from", "2023-11-14T22:13:20Z",
	                     "--to", "1700086400000", "--streams", "feature:*", "--reason", "sale"),
	                 EXIT_FINE);
	assert_string_equal(last_command(&p, text),
	                    "expect|credit-eu|{\"from_ms\":1700000000000,\"to_ms\":1700086400000,"
	                    "\"streams\":\"feature:*\",\"reason\":\"sale\"}");
	place_close(&p);
}

static void
what_cannot_be_meant_is_not_inserted(void **state)
{
	static const struct {
		const char *argument[ARGUMENTS], *says;
	} bad[] = {
		{ { "aaaa" }, "several alerts" },
		{ { "bbbb" }, "resolved already" },
		{ { "cccc" }, "driftd alerts" },
		{ { "" }, "no alert begins" },
	}, expect[] = {
		{ { "credt", "--from", "1", "--to", "2", "--reason", "x" }, "did you mean credit" },
		{ { "c", "--from", "1", "--to", "2", "--reason", "x" }, "several models" },
		{ { "credit", "--from", "1", "--reason", "x" }, "--to is missing" },
		{ { "credit", "--from", "2", "--to", "2", "--reason", "x" }, "is not after" },
		{ { "credit", "--from", "yesterday", "--to", "2", "--reason", "x" }, "is no instant" },
		{ { "credit", "--from", "1", "--to", "2023-02-29T00:00:00Z", "--reason", "x" },
		  "is no instant" },
		{ { "credit", "--from", "1", "--to", "2" }, "--reason TEXT is missing" },
		{ { ALERT_ONE, "--from", "1", "--to", "2", "--reason", "x" }, "no model is called" },
		{ { "credit" }, "--from is missing" },
	};
	struct place p;
	char text[512];

	(void)state;
	place_open(&p);
	make_database(&p);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(RUN(&p, "ack", p.database, bad[i].argument[0]), EXIT_USAGE);
		contains(p.err, bad[i].says);
	}
	for (size_t i = 0; i < sizeof expect / sizeof expect[0]; i++) {
		const char *argument[ARGUMENTS] = { "expect", p.database };

		for (int k = 0; expect[i].argument[k]; k++)
			argument[k + 2] = expect[i].argument[k];
		assert_int_equal(driftd(&p, argument), EXIT_USAGE);
		contains(p.err, expect[i].says);
	}
	assert_int_equal(RUN(&p, "rebaseline", p.database, "credit", "--records", "5"), EXIT_USAGE);
	assert_int_equal(RUN(&p, "rebaseline", p.database, "credit", "--records", "500", "--from", "1",
	                     "--to", "2"), EXIT_USAGE);
	assert_int_equal(RUN(&p, "resolve", p.database), EXIT_USAGE);
	contains(p.err, "usage: driftd resolve");
	assert_string_equal(last_command(&p, text), "-");
	unlink(p.database);
	assert_int_equal(RUN(&p, "ack", p.database, "aaaa0"), EXIT_NO_INPUT);
	place_close(&p);
}

static int
finish(void *ctx, const struct command_row *row)
{
	return store_finish_command(ctx, row->command_id, "done: 1 streams", 1);
}

/* What the daemon does, in a process of its own: executes the first command that it sees. */
static pid_t
start_executor(const char *database)
{
	pid_t pid = fork();
	struct store *s;
	struct diag d;

	if (pid)
		return pid;
	if (store_open(&s, database, STORE_APPEND, NULL, &d))
		_exit(1);
	for (int i = 0; i < 1000; i++) {
		int64_t n = 0;
		sqlite3_stmt *q;

		usleep(10000);
		if (sqlite3_prepare_v2(store_handle(s), "SELECT count(*) FROM commands", -1, &q, NULL) !=
		    SQLITE_OK)
			_exit(2);
		if (sqlite3_step(q) == SQLITE_ROW)
			n = sqlite3_column_int64(q, 0);
		sqlite3_finalize(q);
		if (!n)
			continue;
		if (store_begin(s, &d) || store_each_command(s, finish, s) || store_commit(s, &d))
			_exit(3);
		store_close(s);
		_exit(0);
	}
	_exit(4);
}

static void
commands_tell_machines_what_they_did(void **state)
{
	struct place p;
	char text[OUTPUT];
	(void)state;

	place_open(&p);
	make_database(&p);
	assert_int_equal(RUN(&p, "ack", p.database, "AAAA0", "--json"), EXIT_FINE);
	contains(p.out, "{\"command\":\"ack\",\"target\":\"" ALERT_ONE "\",\"effect\":\"alert ");
	contains(p.out, ",\"daemon\":null,\"executed\":false,\"result\":null}\n");
	assert_int_equal(RUN(&p, "forget", p.database, "a\"1", "--json"), EXIT_FINE);
	contains(p.out, "{\"command\":\"forget\",\"target\":\"a\\\"1\",");
	assert_string_equal(last_command(&p, text), "forget|a\"1|{}");
	place_close(&p);
}

static void
wait_prints_the_result(void **state)
{
	struct place p;
	int status;
	pid_t pid;

	(void)state;
	place_open(&p);
	make_database(&p);
	pid = start_executor(p.database);
	assert_int_equal(RUN(&p, "ack", p.database, "aaaa0", "--wait"), EXIT_FINE);
	contains(p.out, "done: 1 streams\n");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	place_close(&p);
}

/* -- check --------------------------------------------------------------------------------------- */

static void
configure(struct place *p, const char *rest)
{
	char text[2048];

	snprintf(text, sizeof text, "database: %s\nkafka: {brokers: embedded}\n%s", p->database, rest);
	write_text(p->yaml, text);
}

/* The number at `key` of the JSON on standard output. */
static double
number(const struct place *p, const char *key)
{
	struct jsonl *json = jsonl_create();
	struct diag d = { "" };
	double x;

	assert_non_null(json);
	must(jsonl_parse(json, p->out, strlen(p->out), &d), &d);
	if (jsonl_number(json, key, &x) != JSONL_FOUND)
		fail_msg("no number %s in:\n%s", key, p->out);
	jsonl_destroy(json);
	return x;
}

static void
check_prints_a_plan_before_there_is_a_database(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	configure(&p, "models:\n  - name: credit\n    features: {income: numeric, purpose: categorical}\n"
	              "    labels: {capacity: 1000000}\n    coverage: {level: 0.9, calibration: 500}\n");
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_FINE);
	assert_string_equal(p.err, "");
	contains(p.out, "none yet");
	contains(p.out, "inputs: 2 streams");
	contains(p.out, "top of 5 categories halves");
	contains(p.out, "Next: driftd run");
	assert_int_not_equal(access(p.database, F_OK), 0); /* nothing was created */
	assert_int_equal(RUN(&p, "check", p.yaml, "--json"), EXIT_FINE);
	/* 1 M rows of 64 bytes, a byte for each of four outputs and the features, the ring of orphans (2.5 MB)
	 * and the details of the days that wait (3.5 MB) */
	assert_true(number(&p, "memory_bytes.journal") >= 70e6);
	assert_true(number(&p, "memory_bytes.journal") < 77e6);
	assert_true(number(&p, "memory_bytes.total") > number(&p, "memory_bytes.journal"));
	assert_true(number(&p, "budget.alarms") == 1);
	place_close(&p);
}

static void
check_uses_the_rate_of_the_database(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	make_database(&p);
	/* 100001 records in 10000 s; one stream alone has all of its model's 95 %, shared by classes:
	 * labels keep room. g = share / P * dt. */
	configure(&p, "alerts: {budget: 1 per week}\nmodels: [{name: credit, labels: off}]\n");
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_FINE);
	contains(p.out, "those of the database, 10 records a second");
	contains(p.out, "each 0.95 alarms in 7 d");
	contains(p.out, "6.37e+06"); /* 604800 s * 10 / .95 */
	assert_int_equal(RUN(&p, "check", p.yaml, "--json"), EXIT_FINE);
	contains(p.out, "\"exists\":true");
	place_close(&p);
}

static void
check_tells_every_error_and_exits_78(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	configure(&p, "databse: x\nmodels: 3\n");
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_CONFIG);
	contains(p.err, ":3:1: unknown key 'databse' (did you mean 'database'?)");
	contains(p.err, ":4:9: models:");
	assert_string_equal(p.out, "");
	unlink(p.yaml);
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_NO_INPUT);
	assert_int_equal(RUN(&p, "check"), EXIT_USAGE);
	place_close(&p);
}

static void
check_looks_at_the_database(void **state)
{
	struct place p;
	sqlite3 *db;
	struct store *s;
	struct diag d;

	(void)state;
	place_open(&p);
	make_database(&p);
	configure(&p, "models: auto\n");
	must(store_open(&s, p.database, STORE_APPEND, NULL, &d), &d);
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_FINE); /* a daemon runs */
	contains(p.out, "credit-eu");
	store_close(s);
	assert_int_equal(sqlite3_open(p.database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_CONFIG);
	contains(p.err, "newer");
	assert_int_equal(sqlite3_open(p.database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA application_id = 7", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_CORRUPT);
	snprintf(p.database, sizeof p.database, "%s/none/t.db", p.directory);
	configure(&p, "models: auto\n");
	assert_int_equal(RUN(&p, "check", p.yaml), EXIT_CANT_CREATE);
	place_close(&p);
}

static void
an_unreachable_broker_is_a_warning(void **state)
{
	struct place p;
	char text[512];

	(void)state;
	place_open(&p);
	/* A port that is refused at once: nothing listens on 1. */
	snprintf(text, sizeof text, "database: %s\nkafka: {brokers: '127.0.0.1:1'}\n"
	         "models: [{name: credit, reference: {span: 2d}}]\n", p.database);
	write_text(p.yaml, text);
	assert_int_equal(RUN(&p, "check", p.yaml, "--json", "--timeout", "200ms"), EXIT_FINE);
	contains(p.err, "does not answer");
	contains(p.err, "shorter than 7 days");
	contains(p.out, "\"asked\":true");
	assert_int_equal(RUN(&p, "check", p.yaml, "--require-broker", "--timeout", "200ms"),
	                 EXIT_DISK);
	place_close(&p);
}

#define CLI_TEST(name) TEST("cli/" #name, name)

const struct CMUnitTest cli_tests[] = {
	CLI_TEST(every_command_answers_help),
	CLI_TEST(arl_goes_from_a_threshold_to_records_and_back),
	CLI_TEST(explain_prints_a_configuration_that_check_accepts),
	CLI_TEST(status_and_alerts_say_what_is_wrong_by_their_exit),
	CLI_TEST(a_report_is_one_file_and_never_half_of_one),
	CLI_TEST(a_command_names_its_target_in_full),
	CLI_TEST(expect_takes_both_kinds_of_time),
	CLI_TEST(what_cannot_be_meant_is_not_inserted),
	CLI_TEST(commands_tell_machines_what_they_did),
	CLI_TEST(wait_prints_the_result),
	CLI_TEST(check_prints_a_plan_before_there_is_a_database),
	CLI_TEST(check_uses_the_rate_of_the_database),
	CLI_TEST(check_tells_every_error_and_exits_78),
	CLI_TEST(check_looks_at_the_database),
	CLI_TEST(an_unreachable_broker_is_a_warning),
	TESTS_END,
};
