/* bench_verdicts.c -- how long a record waits for its verdict: from the producer's send to the consumer that
 * gates by it, over a broker, with the daemon in between.
 *
 *   bench_verdicts DRIFTD [RATE [SECONDS [DIMENSION [BROKERS]]]]
 *
 * Fits a reference of 4000 embeddings with logits, starts the daemon, sends RATE records a second and reads the
 * topic of verdicts. Prints percentiles of the time between the two, and how many verdicts came. BROKERS:
 * host:port of a real broker with topics verdict-records and verdicts; without, librdkafka's mock.
 *
 * Exit status: 0; 1 p99 is 50 ms or more, or verdicts are missing.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression" /* RD_KAFKA_V_* are such */
#endif

#include "config/diag.h"
#include "monitor/source/embedded.h"

enum { REFERENCE = 4000, WARM_UP = 2, DIMENSION_MAX = 4096, CLASSES = 10 };
static const double limit_ms = 50;

static char folder[] = "/tmp/driftd-verdicts-XXXXXX";
static uint64_t seed = 1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double
uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) * 0x1p-53;
}

static size_t
write_record(char *to, size_t size, int i, int64_t ts, int dimension)
{
	int class = (int)(uniform() * CLASSES);
	size_t at = (size_t)snprintf(to, size, "{\"id\":\"%d\",\"ts\":%lld,\"model\":\"m\",\"prediction\":{\"class\":"
	                             "\"c%d\"},\"logits\":[", i, (long long)ts, class);

	for (int k = 0; k < CLASSES; k++)
		at += (size_t)snprintf(to + at, size - at, "%s%.4f", k ? "," : "", uniform() + (k == class ? 5 : 0));
	at += (size_t)snprintf(to + at, size - at, "],\"embedding\":[");
	for (int k = 0; k < dimension; k++)
		at += (size_t)snprintf(to + at, size - at, "%s%.4f", k ? "," : "",
		                       uniform() + uniform() - 1 + (k % CLASSES == class ? 2 : 0));
	return at + (size_t)snprintf(to + at, size - at, "]}");
}

static void
path(char *to, size_t size, const char *name)
{
	snprintf(to, size, "%s/%s", folder, name);
}

static pid_t
start(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void
prepare(char *driftd, const char *brokers, int dimension)
{
	char yaml[128], reference[128], database[128];
	static char line[DIMENSION_MAX * 10 + 512];
	FILE *f;
	int status;

	path(yaml, sizeof yaml, "c.yaml");
	path(reference, sizeof reference, "reference.jsonl");
	path(database, sizeof database, "d.db");
	f = fopen(yaml, "w");
	fprintf(f, "database: %s\nkafka: {brokers: \"%s\", group: bench}\ntopics: {records: [verdict-records], labels: "
	        "[]}\nmodels:\n  - {name: m, labels: off, ood: {verdicts: verdicts}}\n", database, brokers);
	fclose(f);
	f = fopen(reference, "w");
	for (int i = 0; i < REFERENCE; i++) {
		write_record(line, sizeof line, i, 1700000000000LL + i * 1000LL, dimension);
		fprintf(f, "%s\n", line);
	}
	fclose(f);
	char verb[] = "fit", *fit[] = { driftd, verb, yaml, reference, NULL };
	waitpid(start(fit), &status, 0);
	if (status != 0)
		exit((fprintf(stderr, "bench_verdicts: driftd fit failed\n"), 1));
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *brokers)
{
	static const char *const own[][2] = { { "linger.ms", "1" }, { "group.id", "gate" }, { "fetch.wait.max.ms", "5" },
		{ "auto.offset.reset", "earliest" }, { "log_level", "3" } };
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		rd_kafka_conf_set(conf, own[i][0], own[i][1], text, sizeof text);
	return rd_kafka_new(type, conf, text, sizeof text);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Verdicts that have come: their latency, by the number that the record carries. */
static void
take(rd_kafka_t *consumer, const double *sent, double *latency, int n, int *got, int wait_ms)
{
	rd_kafka_message_t *m;

	while ((m = rd_kafka_consumer_poll(consumer, wait_ms))) {
		char key[16] = "";
		int i = n;

		if (!m->err && m->key_len < sizeof key) {
			memcpy(key, m->key, m->key_len);
			i = atoi(key);
		}
		if (i < n && latency[i] < 0) {
			latency[i] = now() - sent[i];
			++*got;
		}
		rd_kafka_message_destroy(m);
		wait_ms = 0;
	}
}

static void
stream_records(const char *brokers, int rate, int n, int dimension, double *sent, double *latency, int *got)
{
	rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, brokers), *consumer = client(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	static char line[DIMENSION_MAX * 10 + 512];
	double begin;

	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_topic_partition_list_add(list, "verdicts", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(consumer, list);
	begin = now();
	for (int i = 0; i < n; i++) {
		double due = begin + i * 1e3 / rate;
		size_t length = write_record(line, sizeof line, i, (int64_t)time(NULL) * 1000, dimension);

		while (now() < due)
			take(consumer, sent, latency, n, got, 1);
		sent[i] = now();
		rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("verdict-records"), RD_KAFKA_V_PARTITION(0),
		                  RD_KAFKA_V_VALUE(line, length), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		                  RD_KAFKA_V_END);
		rd_kafka_poll(producer, 0);
		if (i % 8 == 0)
			take(consumer, sent, latency, n, got, 0);
	}
	for (double end = now() + 10000; *got < n && now() < end;)
		take(consumer, sent, latency, n, got, 50);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_flush(producer, 1000);
	rd_kafka_destroy(producer);
}

int
main(int argc, char **argv)
{
	int rate = argc > 2 ? atoi(argv[2]) : 5000, seconds = argc > 3 ? atoi(argv[3]) : 20;
	int dimension = argc > 4 ? atoi(argv[4]) : 64, n = rate * seconds, got = 0, late = 0, warm = rate * WARM_UP;
	const char *brokers = argc > 5 ? argv[5] : NULL;
	double *sent = calloc((size_t)n + 1, sizeof *sent), *latency = calloc((size_t)n + 1, sizeof *latency);
	struct embedded *e = NULL;
	struct diag d = { "" };
	char yaml[128], command[160];
	pid_t pid;

	if (argc < 2 || n <= warm || dimension < 1 || dimension > DIMENSION_MAX || !mkdtemp(folder))
		return fprintf(stderr, "usage: bench_verdicts DRIFTD [RATE [SECONDS [DIMENSION [BROKERS]]]]\n"), 64;
	if (!brokers && (embedded_start(&e, &d) || embedded_topic(e, "verdict-records", 1, &d) ||
	                 embedded_topic(e, "verdicts", 1, &d)))
		return fprintf(stderr, "bench_verdicts: %s\n", d.text), 1;
	brokers = brokers ? brokers : embedded_bootstrap(e);
	for (int i = 0; i < n; i++)
		latency[i] = -1;
	prepare(argv[1], brokers, dimension);
	path(yaml, sizeof yaml, "c.yaml");
	char verb[] = "run", *run[] = { argv[1], verb, yaml, NULL };
	pid = start(run);
	stream_records(brokers, rate, n, dimension, sent, latency, &got);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	/* what came while the daemon started is not what is measured */
	for (int i = warm; i < n; i++)
		if (latency[i] >= 0)
			latency[late++] = latency[i];
	qsort(latency, (size_t)late, sizeof *latency, ascending);
	printf("%d records a second, %d numbers: %d of %d verdicts; ms from record to verdict: p50 %.1f  p90 %.1f  "
	       "p99 %.1f  p99.9 %.1f  most %.1f\n", rate, dimension, got, n, latency[late / 2], latency[late * 9 / 10],
	       latency[late * 99 / 100], latency[(int)(late * .999)], latency[late - 1]);
	embedded_stop(e);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0 || got < n || latency[late * 99 / 100] >= limit_ms;
}
