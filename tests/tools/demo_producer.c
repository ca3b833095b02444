/* demo_producer.c -- plays predictions and their labels into Kafka in order of event time, as a producer of
 * one's own would, but quickly.
 *
 *   demo_producer BROKERS DATABASE DAYS_PER_SECOND FILE TOPIC FILE TOPIC
 *
 * FILE is JSON Lines, plain or gzip; partition 0 of each TOPIC is filled. Of the two files the line with the
 * smaller `ts` is next; within a file the order stays. An embedded broker keeps only the last 5 MiB of a
 * partition and drops what is older, read or not, so no more than BACKLOG_MAX bytes are sent beyond what
 * DATABASE, the daemon's, says it has processed. Ends when it has processed everything.
 *
 * Exit status: 0; 1 the broker or the daemon does not answer; 64 usage; 66 a file is missing or not JSON
 * Lines.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>
#include <sqlite3.h>
#include <zlib.h>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression" /* RD_KAFKA_V_* are such */
#endif

enum {
	LINE_BYTES = 1 << 16,
	BACKLOG_MAX = 2 << 20,
	POLL_MS = 50,
	PATIENCE_MS = 30000, /* without any progress of the daemon */
	EXIT_BROKER = 1, EXIT_USAGE = 64, EXIT_FILE = 66,
};
#define DAY_MS 86400000.0

struct play {
	const char *path, *topic;
	gzFile file;
	char line[LINE_BYTES];
	size_t length;      /* of the line that is next, 0: none */
	int64_t ts;         /* of it */
	uint64_t *bytes;    /* [sent + 1] bytes of the first i messages */
	size_t sent, room;
	uint64_t processed; /* messages, by the daemon's account */
};

static rd_kafka_t *producer;
static sqlite3 *database;
static sqlite3_stmt *position;

static void
fail(int status, const char *what, const char *why)
{
	fprintf(stderr, "demo_producer: %s: %s\n", what, why);
	exit(status);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -- files -------------------------------------------------------------------------------------------- */

static void
next_line(struct play *p)
{
	const char *ts;
	int error;

	p->length = 0;
	if (!gzgets(p->file, p->line, sizeof p->line)) {
		const char *text = gzerror(p->file, &error);

		if (error != Z_OK && error != Z_STREAM_END)
			fail(EXIT_FILE, p->path, text);
		return;
	}
	ts = strstr(p->line, "\"ts\":");
	if (!ts)
		fail(EXIT_FILE, p->path, "a line without \"ts\"");
	p->ts = strtoll(ts + strlen("\"ts\":"), NULL, 10);
	p->length = strcspn(p->line, "\n");
}

static void
play_open(struct play *p, const char *path, const char *topic)
{
	*p = (struct play){ .path = path, .topic = topic, .file = gzopen(path, "rb"), .room = 1 << 16 };
	if (!p->file)
		fail(EXIT_FILE, path, "cannot be read");
	p->bytes = calloc(p->room, sizeof *p->bytes);
	if (!p->bytes)
		fail(EXIT_BROKER, path, "out of memory");
	next_line(p);
}

/* -- what the daemon has processed -------------------------------------------------------------------- */

/* As any other reader would ask. A topic has no row before the daemon's first commit. */
static void
ask_database(const char *path, struct play *p)
{
	if (!database && sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		fail(EXIT_BROKER, path, sqlite3_errmsg(database));
	if (!position) {
		sqlite3_busy_timeout(database, 5000);
		if (sqlite3_prepare_v2(database, "SELECT next_offset FROM lag WHERE topic = ?1", -1,
		                       &position, NULL) != SQLITE_OK)
			fail(EXIT_BROKER, path, sqlite3_errmsg(database));
	}
	sqlite3_bind_text(position, 1, p->topic, -1, SQLITE_STATIC);
	if (sqlite3_step(position) == SQLITE_ROW)
		p->processed = (uint64_t)sqlite3_column_int64(position, 0);
	sqlite3_reset(position);
}

static uint64_t
backlog(const struct play *p)
{
	size_t processed = p->processed < p->sent ? (size_t)p->processed : p->sent;

	return p->bytes[p->sent] - p->bytes[processed];
}

/* Until every file's backlog is at most `most` bytes. */
static void
wait_backlog(const char *path, struct play *play, size_t plays, uint64_t most)
{
	int64_t since = now_ms();

	for (size_t i = 0; i < plays; i++)
		while (backlog(&play[i]) > most) {
			uint64_t before = play[i].processed;

			rd_kafka_poll(producer, POLL_MS);
			ask_database(path, &play[i]);
			if (play[i].processed > before)
				since = now_ms();
			else if (now_ms() - since > PATIENCE_MS)
				fail(EXIT_BROKER, play[i].topic, "the daemon has processed nothing for 30 s");
		}
}

/* -- sending ------------------------------------------------------------------------------------------ */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (m->err)
		fail(EXIT_BROKER, "not delivered", rd_kafka_err2str(m->err));
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
		fail(EXIT_BROKER, name, text);
}

static void
connect_to(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];

	set(conf, "bootstrap.servers", brokers);
	set(conf, "max.in.flight.requests.per.connection", "1"); /* a repeat must not change the order */
	set(conf, "linger.ms", "5");
	set(conf, "message.timeout.ms", "20000");
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	if (!producer)
		fail(EXIT_BROKER, brokers, text);
}

static void
send_line(struct play *p)
{
	rd_kafka_resp_err_t err;

	while ((err = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(p->topic), RD_KAFKA_V_PARTITION(0),
	                                RD_KAFKA_V_VALUE(p->line, p->length), RD_KAFKA_V_TIMESTAMP(p->ts),
	                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
	       RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(producer, POLL_MS);
	if (err)
		fail(EXIT_BROKER, p->topic, rd_kafka_err2str(err));
	if (p->sent + 1 == p->room) {
		p->room *= 2;
		p->bytes = realloc(p->bytes, p->room * sizeof *p->bytes);
		if (!p->bytes)
			fail(EXIT_BROKER, p->path, "out of memory");
	}
	p->bytes[p->sent + 1] = p->bytes[p->sent] + p->length;
	p->sent++;
}

static struct play *
earliest(struct play *play)
{
	if (!play[0].length || !play[1].length)
		return play[0].length ? &play[0] : play[1].length ? &play[1] : NULL;
	return play[1].ts < play[0].ts ? &play[1] : &play[0];
}

static void
run(const char *path, struct play *play, double days_per_second)
{
	struct play *p = earliest(play);
	int64_t begun = now_ms(), first = p ? p->ts : 0;

	for (; (p = earliest(play)); next_line(p)) {
		double due = (double)(p->ts - first) / DAY_MS / days_per_second * 1000;

		while ((double)(now_ms() - begun) < due)
			rd_kafka_poll(producer, POLL_MS);
		wait_backlog(path, play, 2, BACKLOG_MAX);
		send_line(p);
	}
	if (rd_kafka_flush(producer, PATIENCE_MS))
		fail(EXIT_BROKER, "flush", "the broker does not answer");
	wait_backlog(path, play, 2, 0);
}

int
main(int argc, char **argv)
{
	static struct play play[2];
	double days_per_second = argc == 8 ? strtod(argv[3], NULL) : 0;

	if (!(days_per_second > 0)) {
		fputs("usage: demo_producer BROKERS DATABASE DAYS_PER_SECOND FILE TOPIC FILE TOPIC\n",
		      stderr);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < 2; i++)
		play_open(&play[i], argv[4 + 2 * i], argv[5 + 2 * i]);
	connect_to(argv[1]);
	run(argv[2], play, days_per_second);
	sqlite3_finalize(position);
	sqlite3_close(database);
	rd_kafka_destroy(producer);
	for (size_t i = 0; i < 2; i++) {
		gzclose(play[i].file);
		free(play[i].bytes);
	}
	return 0;
}
