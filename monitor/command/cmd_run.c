/* cmd_run.c -- the daemon: signals, pace of commits, what happens when the disk or a reader is in the way. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/command/commands.h"
#include "monitor/deliver/deliver.h"
#include "monitor/http/http.h"
#include "monitor/live.h"
#include "monitor/log.h"
#include "monitor/notes.h"
#include "monitor/notify.h"
#include "monitor/ood/verdict_topic.h"
#include "monitor/pipeline.h"
#include "monitor/source/source.h"
#include "storage/store.h"

static const char help[] =
	"usage: driftd run CONFIG [OPTION]...\n\n"
	"Reads the configured topics, watches them and keeps everything in the configured database, in the\n"
	"foreground. SIGTERM and SIGINT: commit and stop; a second one: stop at once (safe: what was not\n"
	"committed is read again). SIGHUP: check the configuration, commit, start again with it.\n"
	"A full disk, and a program that holds a lock on the database, are waited for.\n\n"
	"      --until-end             stop when every partition has been read to its end\n"
	"      --bootstrap-file FILE   write the embedded broker's address into this file\n"
	"      --debug                 more log\n\n"
	"Exit status: 0 stopped cleanly; 64 usage; 65 database foreign or corrupt; 66 no such file; 74 I/O\n"
	"error; 75 already running; 78 configuration invalid or database of a newer version.\n"
	"Another terminal: driftd status DB, driftd alerts DB, sqlite3 DB 'SELECT * FROM drift_now'\n";

enum { METRICS_MS = 5000, STEP_RECORDS = 4096, COMMIT_MIN_MS = 1000, COMMIT_MAX_MS = 30000, RETRY_MS = 5000,
       DRAIN_MS = 5000, /* for messages that are due when we stop */
       CLOCK_STEP_MS = 1000,
       WAL_WARN_BYTES = 128 << 20 };
#define COMMIT_BYTES_PER_MS 8389 /* 8 MiB/s */

struct run {
	const char *config_path, *bootstrap_file;
	bool until_end;
	char **argv;
	struct config *config;
	struct store *store;
	struct pipeline *pipeline;
	struct source *source;
	struct deliver *deliver;
	struct verdict_topic *verdicts; /* NULL: none are sent */
	struct http *http;
	struct live live;              /* for other threads ... */
	struct live_figures figures;   /* ... and what it will be told next */
	uint64_t committed_records;
	int64_t clock_difference_ms;   /* wall - monotonic, when last seen; 0 not yet */
	int64_t told_ms;               /* monotonic; when the metrics of the pipeline were, 0 never */
	int64_t watchdog_ms, fed_ms;   /* how often systemd wants to hear of us, and when it did */
	int signal_fd;
	bool stop, reload;
	bool started;                  /* the start is noted in the database */
};

static int
parse(struct run *r, int argc, char **argv)
{
	static const struct option long_option[] = {
		{ "until-end", no_argument, NULL, 'u' }, { "bootstrap-file", required_argument, NULL, 'b' },
		{ "debug", no_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	*r = (struct run){ .argv = argv, .live = { .lock = PTHREAD_MUTEX_INITIALIZER } };
	optind = 1;
	while ((c = getopt_long(argc, argv, "h", long_option, NULL)) != -1)
		switch (c) {
		case 'u':
			r->until_end = true;
			break;
		case 'b':
			r->bootstrap_file = optarg;
			break;
		case 'd':
			log_set_level(LOG_DEBUG);
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			fputs("`driftd run --help` tells more\n", stderr);
			return EXIT_USAGE;
		}
	if (argc - optind != 1) {
		fputs("driftd run: one CONFIG is needed; `driftd run --help` tells more\n", stderr);
		return EXIT_USAGE;
	}
	r->config_path = argv[optind];
	return 0;
}

/* Before the first thread: librdkafka's inherit the mask, so signals come only through the descriptor. The
 * mask outlives an exec: what comes while a reload is under way waits for the next program. */
static int
signals(struct run *r, struct diag *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an I/O error */
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return r->signal_fd < 0 ? diag_set(d, ERR_IO, "signalfd: %s", strerror(errno)) : 0;
}

static void
read_signals(struct run *r)
{
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof info) == sizeof info) {
		struct config *fresh;

		if (info.ssi_signo != SIGHUP) {
			if (r->stop && !r->reload)
				_exit(0); /* nothing is half done: the open transaction never happened */
			r->reload = false;
			log_event(LOG_INFO, "stop", "signal %u: committing and stopping", info.ssi_signo);
			r->stop = true;
		} else if (r->stop) {
			continue; /* a reload reads the file anyway, and an end is the end */
		} else if (config_load(&fresh, r->config_path, stderr, NULL) == 0) {
			config_free(fresh);
			log_event(LOG_INFO, "reload", "%s is valid: committing and starting again with it",
			          r->config_path);
			r->stop = r->reload = true;
		} else {
			log_event(LOG_ERROR, "reload", "%s is not valid; going on with the present one",
			          r->config_path);
			r->figures.reload_successful = false;
		}
	}
}

/* From the loop itself: a deadlock starves it, a broker that is away or a locked database does not. */
static void
feed_watchdog(struct run *r)
{
	int64_t now = clock_monotonic_ms();

	if (!r->watchdog_ms || now - r->fed_ms < r->watchdog_ms / 2)
		return;
	r->fed_ms = now;
	notify_send("WATCHDOG=1");
}

static bool
interrupted(void *context)
{
	struct run *r = context;

	read_signals(r);
	r->figures.heartbeat_ms = clock_monotonic_ms(); /* looking back over a long past is work, not a deadlock */
	live_publish(&r->live, &r->figures);
	feed_watchdog(r);
	return r->stop;
}

static int
note_run(struct run *r, const char *event, const char *detail, struct diag *d)
{
	int err = store_begin(r->store, d);

	if (err)
		return err;
	(void)store_put_run(r->store, event, detail, clock_wall_ms());
	return store_commit(r->store, d);
}

static int
tell_bootstrap(struct run *r, struct diag *d)
{
	const char *address = source_kafka_bootstrap(r->source);
	FILE *f;

	if (!address)
		return 0;
	printf("bootstrap.servers=%s\n", address);
	fflush(stdout);
	log_event(LOG_INFO, "embedded", "embedded broker at %s", address);
	if (!r->bootstrap_file)
		return 0;
	f = fopen(r->bootstrap_file, "w");
	if (!f || fprintf(f, "%s\n", address) < 0 || fclose(f))
		return diag_set(d, ERR_IO, "%s: %s", r->bootstrap_file, strerror(errno));
	return 0;
}

/* The wall clock is used in `runs`, `outbox` and `commands` alone; who reads them should know of a step. */
static void
watch_clock(struct run *r)
{
	int64_t difference = clock_wall_ms() - clock_monotonic_ms(), step = difference - r->clock_difference_ms;

	if (r->clock_difference_ms && (step > CLOCK_STEP_MS || step < -CLOCK_STEP_MS))
		pipeline_note(r->pipeline, "clock_jump", "the wall clock moved by %.3f s; nothing but times of runs, "
		              "deliveries and commands uses it", (double)step / 1000);
	r->clock_difference_ms = difference;
}

/* What the other threads are told, once a turn of the loop. */
static void
publish(struct run *r, const struct pipeline_status *st)
{
	r->figures.heartbeat_ms = clock_monotonic_ms();
	r->figures.records = st->records;
	r->figures.uncommitted = st->records - r->committed_records;
	watch_clock(r);
	live_publish(&r->live, &r->figures);
	feed_watchdog(r);
}

/* What the pipeline knows of topics, models and features, for /metrics. */
static void
tell_metrics(struct run *r)
{
	int64_t now = clock_monotonic_ms();
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (!r->config->http.host || (r->told_ms && now - r->told_ms < METRICS_MS))
		return;
	r->told_ms = now;
	out = open_memstream(&text, &length);
	if (!out)
		return;
	pipeline_metrics(r->pipeline, out);
	source_kafka_metrics(r->source, out);
	if (fclose(out))
		free(text);
	else
		live_set_text(&r->live, text);
}

/* After a commit: the rest of it. */
static void
note_landed(struct run *r, int64_t began_ms)
{
	struct live_figures *f = &r->figures;
	struct source_kafka_counts counts;
	struct pipeline_status st;
	uint64_t free_bytes = store_free_bytes(r->store);
	double seconds = 0;

	pipeline_status(r->pipeline, &st);
	source_kafka_counts(r->source, &counts);
	f->commit_ms = clock_monotonic_ms();
	f->commit_wall_ms = clock_wall_ms();
	f->commit_failing = false;
	live_commit(f, (double)(f->commit_ms - began_ms) / 1000, st.records - r->committed_records);
	r->committed_records = st.records;
	f->partitions = r->source->vtable->partitions(r->source);
	f->outage_ms = !counts.outage ? 0 : f->outage_ms ? f->outage_ms : f->commit_ms;
	f->kafka_errors = counts.errors;
	f->kafka_brokers = counts.brokers;
	live_checkpoint(f, store_checkpoints(r->store, &seconds), seconds);
	f->wal_bytes = store_wal_bytes(r->store);
	f->database_bytes = store_database_bytes(r->store);
	f->free_bytes = free_bytes == UINT64_MAX ? -1 : (int64_t)free_bytes;
	publish(r, &st);
	tell_metrics(r);
}

static int
start_http(struct run *r, struct diag *d)
{
	int err;

	if (!r->config->http.host)
		return 0;
	err = http_start(&r->http, r->config, &r->live, r->deliver, d);
	if (err)
		return err;
	printf("http=%s\n", http_address(r->http));
	fflush(stdout);
	log_event(LOG_INFO, "http", "page at http://%s/, metrics at /metrics", http_address(r->http));
	return 0;
}

static int
start(struct run *r, struct diag *d)
{
	const struct resume *resume;
	struct pipeline_status st;
	size_t resumes;
	char detail[64];
	int err;

	notify_send("EXTEND_TIMEOUT_USEC=600000000"); /* a reference may be fitted from files */
	err = store_open(&r->store, r->config->database, STORE_DAEMON, r->config->id_hash_key, d);

	if (!err)
		err = pipeline_create(&r->pipeline, r->config, r->store, d);
	if (!err)
		err = pipeline_fit_configured(r->pipeline, d);
	if (err)
		return err;
	resume = pipeline_resume(r->pipeline, &resumes);
	err = source_kafka_open(&r->source, r->config, pipeline_decoder(r->pipeline), resume, resumes, d);
	if (!err)
		err = pipeline_attach(r->pipeline, r->source, d);
	pipeline_on_long_work(r->pipeline, interrupted, r);
	if (!err)
		err = tell_bootstrap(r, d);
	if (!err) {
		const char *embedded = source_kafka_bootstrap(r->source);

		err = deliver_start(&r->deliver, r->config, embedded ? embedded : r->config->kafka.brokers, d);
	}
	if (!err && verdict_topic_wanted(r->config)) {
		const char *embedded = source_kafka_bootstrap(r->source);

		err = verdict_topic_open(&r->verdicts, r->config, embedded ? embedded : r->config->kafka.brokers, d);
		if (!err)
			pipeline_on_verdict(r->pipeline, verdict_topic_send, r->verdicts);
	}
	r->figures.reload_successful = true;
	r->figures.reload_wall_ms = clock_wall_ms();
	if (!err) {
		pipeline_status(r->pipeline, &st);
		r->committed_records = st.records;
		publish(r, &st);
		err = start_http(r, d);
	}
	snprintf(detail, sizeof detail, "pid %d, version " DRIFTD_VERSION, (int)getpid());
	if (!err)
		err = note_run(r, "start", detail, d);
	r->started = !err;
	if (!err) {
		pipeline_status(r->pipeline, &st);
		r->watchdog_ms = notify_watchdog_ms();
		notify_send("READY=1\nSTATUS=%u models, %u streams", st.models, st.streams);
		log_event(LOG_INFO, "start", "database %s, %u models, %u streams, %zu MiB of memory",
		          r->config->database, st.models, st.streams, st.bytes >> 20);
	}
	return err;
}

/* Is it something that ends by itself? */
static bool
passes(int err)
{
	return err == ERR_BUSY || err == ERR_FULL;
}

/* A full disk or a reader with the write lock is waited for, and nothing is read meanwhile; a database that
 * was moved or an I/O error ends the process (what the disk holds is consistent, memory is not trusted). */
static int
commit(struct run *r, struct diag *d)
{
	for (;;) {
		int64_t began_ms = clock_monotonic_ms();
		int err = store_check_moved(r->store, d);

		if (!err)
			err = pipeline_commit(r->pipeline, d);
		if (!err) {
			note_landed(r, began_ms);
			deliver_wake(r->deliver);
		}
		if (!passes(err))
			return err;
		r->figures.busy += err == ERR_BUSY;
		r->figures.full += err == ERR_FULL;
		r->figures.commit_failing = true;
		r->figures.heartbeat_ms = clock_monotonic_ms();
		live_publish(&r->live, &r->figures);
		feed_watchdog(r);
		log_often(LOG_WARN, err == ERR_BUSY ? "database_busy" : "disk_full",
		          "%s; trying again, nothing is read meanwhile", d->text);
		r->source->vtable->wait(r->source, err == ERR_BUSY ? 100 : RETRY_MS, r->signal_fd);
		read_signals(r);
		if (r->stop && !r->reload)
			return err;
	}
}

/* What a person should see to before it stops the daemon. */
static void
watch_disk(const struct run *r)
{
	int64_t wal = store_wal_bytes(r->store);

	if (wal > WAL_WARN_BYTES)
		log_often(LOG_WARN, "wal", "%s-wal has %lld MiB: a reader holds a transaction; find it with "
		          "`fuser %s`", r->config->database, (long long)(wal >> 20), r->config->database);
	if (store_free_bytes(r->store) < STORE_FREE_MIN_BYTES)
		log_often(LOG_WARN, "disk", "less than %d MiB are free beside %s", STORE_FREE_MIN_BYTES >> 20,
		          r->config->database);
}

static int64_t
commit_interval(const struct pipeline_status *st)
{
	int64_t ms = (int64_t)(st->commit_bytes / COMMIT_BYTES_PER_MS);

	if (st->alert_waiting || ms < COMMIT_MIN_MS)
		return COMMIT_MIN_MS;
	return ms > COMMIT_MAX_MS ? COMMIT_MAX_MS : ms;
}

static int
loop(struct run *r, struct diag *d)
{
	int64_t committed = 0;
	int err = 0;

	while (!r->stop && !err) {
		int64_t now = clock_monotonic_ms();
		enum pipeline_step step = pipeline_step(r->pipeline, STEP_RECORDS, now);
		struct source_kafka_counts counts;
		struct pipeline_status st;

		if (step == PIPELINE_STOP) {
			err = commit(r, d);
			return err ? err : diag_set(d, ERR_IO, "stopped: see the messages above");
		}
		if (r->until_end && step == PIPELINE_END)
			break;
		source_kafka_counts(r->source, &counts);
		pipeline_silence(r->pipeline, now, step == PIPELINE_END, counts.outage);
		pipeline_status(r->pipeline, &st);
		publish(r, &st);
		now = clock_monotonic_ms();
		if (now - committed >= commit_interval(&st)) {
			err = commit(r, d);
			committed = clock_monotonic_ms();
			watch_disk(r);
		}
		read_signals(r);
		if (!r->stop && !err && (step == PIPELINE_WAIT || step == PIPELINE_END))
			r->source->vtable->wait(r->source, step == PIPELINE_WAIT ? 100 : 500, r->signal_fd);
	}
	return err;
}

static int
run(struct run *r, struct diag *d)
{
	int err = start(r, d);

	if (!err)
		err = loop(r, d);
	if (!err) {
		pipeline_put_open_windows(r->pipeline);
		err = commit(r, d);
	}
	if (!err)
		err = note_run(r, "stop", r->reload ? "reload" : "clean", d);
	if (passes(err) && r->stop) {
		log_event(LOG_WARN, "stop", "%s; what came since the last commit is read again", d->text);
		err = 0;
	}
	if (r->reload)
		notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_monotonic_ms() * 1000);
	else
		notify_send("STOPPING=1");
	http_stop(r->http);
	live_set_text(&r->live, NULL);
	deliver_stop(r->deliver, err ? 0 : DRAIN_MS);
	pipeline_destroy(r->pipeline);
	verdict_topic_close(r->verdicts);
	if (r->source)
		r->source->vtable->close(r->source);
	store_close(r->store);
	return err;
}

/* A database that is locked or a disk that is full at the start: waits a little, or for a signal. */
static bool
try_again(struct run *r, const struct diag *d)
{
	struct pollfd signal = { .fd = r->signal_fd, .events = POLLIN };

	log_event(LOG_WARN, "start", "%s; trying again", d->text);
	notify_send("WATCHDOG=1\nSTATUS=%.200s; trying again", d->text);
	poll(&signal, 1, RETRY_MS);
	read_signals(r);
	if (!r->stop || r->reload)
		return true;
	notify_send("STOPPING=1");
	return false;
}

int
cmd_run(int argc, char **argv)
{
	struct run r;
	struct diag d = { "" };
	int status = parse(&r, argc, argv), err;

	if (status)
		return status < 0 ? 0 : status;
	err = signals(&r, &d);
	if (!err) {
		err = config_load(&r.config, r.config_path, stderr, &d);
		if (err) {
			if (err == ERR_MISSING)
				fprintf(stderr, "driftd: %s\n", d.text);
			return exit_status(err);
		}
		err = run(&r, &d);
	}
	if (passes(err) && !r.started) {
		r.reload = try_again(&r, &d);
		err = 0;
	}
	if (err)
		log_event(LOG_ERROR, "exit", "%s", d.text);
	config_free(r.config);
	if (!err && r.reload)
		execv("/proc/self/exe", argv - 1);
	return exit_status(err);
}
