/* metrics.c -- see metrics.h. */
#include "monitor/http/metrics.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <sqlite3.h>

#include "monitor/clock.h"
#include "monitor/deliver/deliver.h"
#include "monitor/live.h"
#include "storage/exposition.h"

enum { HEARTBEAT_MS = 60000, COMMIT_MS = 60000, OUTAGE_MS = 60000 };

static void
one(FILE *out, const char *name, const char *type, const char *help, double value)
{
	exposition_head(out, name, type, help);
	fprintf(out, "%s %.17g\n", name, value);
}

static double
seconds(int64_t wall_ms)
{
	return (double)wall_ms / 1000;
}

/* -- the process -------------------------------------------------------------------------------------- */

/* The start of this process since 1970: field 22 of /proc/self/stat counts from the boot, whose time the
 * unit's ProcSubset=pid hides, but clocks tell. */
static double
start_time(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	struct timespec wall, up;
	char text[1024] = "";
	double ticks = 0;

	if (f) {
		text[fread(text, 1, sizeof text - 1, f)] = 0;
		fclose(f);
	}
	char *p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		ticks = strtod(p, NULL);
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(wall.tv_sec - up.tv_sec) + (double)(wall.tv_nsec - up.tv_nsec) / 1e9 +
	       ticks / (double)sysconf(_SC_CLK_TCK);
}

static double
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char text[128] = "", *end;

	if (f) {
		text[fread(text, 1, sizeof text - 1, f)] = 0;
		fclose(f);
	}
	(void)strtoull(text, &end, 10);
	return (double)strtoull(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

void
metrics_process(FILE *out)
{
	struct rusage usage = { 0 };
	struct rlimit files = { 0 };

	exposition_head(out, "driftd_build_info", "gauge", "1; versions as labels.");
	fprintf(out, "driftd_build_info{version=\"" DRIFTD_VERSION "\",librdkafka=\"%s\",sqlite=\"%s\"} 1\n",
	        rd_kafka_version_str(), sqlite3_libversion());
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &files);
	one(out, "process_cpu_seconds_total", "counter", "Processor time.",
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
	one(out, "process_open_fds", "gauge", "Open files.", open_files());
	one(out, "process_max_fds", "gauge", "Files that may be open.", (double)files.rlim_cur);
	one(out, "process_start_time_seconds", "gauge", "Start of the process.", start_time());
}

/* -- the pipeline ------------------------------------------------------------------------------------- */

/* Cumulative, as the format wants it; the last bucket is +Inf. `labels`: ends with a comma, or "". */
static void
histogram(FILE *out, const char *name, const char *labels, const double *bound, const uint64_t *bucket, int n,
          double sum)
{
	uint64_t count = 0;

	for (int i = 0; i < n; i++) {
		count += bucket[i];
		fprintf(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, bound[i], (unsigned long long)count);
	}
	count += bucket[n];
	fprintf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, (unsigned long long)count);
	int length = (int)strlen(labels);
	fprintf(out, length ? "%s_sum{%.*s} %.17g\n" : "%s_sum%.*s %.17g\n", name, length ? length - 1 : 0,
	        labels, sum);
	fprintf(out, length ? "%s_count{%.*s} %llu\n" : "%s_count%.*s %llu\n", name, length ? length - 1 : 0, labels,
	        (unsigned long long)count);
}

/* Threads tell the time by the monotonic clock. */
static void
heartbeat(FILE *out, const char *thread, int64_t monotonic_ms)
{
	fprintf(out, "driftd_loop_heartbeat_timestamp_seconds{thread=\"%s\"} %.17g\n", thread,
	        seconds(clock_wall_ms() - clock_monotonic_ms() + monotonic_ms));
}

void
metrics_live(FILE *out, const struct live_figures *f, const struct deliver *d)
{
	exposition_head(out, "driftd_commit_duration_seconds", "histogram", "Time of a commit.");
	histogram(out, "driftd_commit_duration_seconds", "", live_seconds, f->seconds_bucket, LIVE_BUCKETS,
	          f->commit_seconds);
	exposition_head(out, "driftd_commit_records", "histogram", "Records of a commit.");
	histogram(out, "driftd_commit_records", "", live_records, f->records_bucket, LIVE_BUCKETS,
	          (double)(f->records - f->uncommitted));
	one(out, "driftd_last_commit_timestamp_seconds", "gauge", "Last commit.", seconds(f->commit_wall_ms));
	one(out, "driftd_uncommitted_records", "gauge", "Records processed since the last commit.",
	    (double)f->uncommitted);
	exposition_head(out, "driftd_loop_heartbeat_timestamp_seconds", "gauge", "Last turn of a thread's loop.");
	heartbeat(out, "pipeline", f->heartbeat_ms);
	heartbeat(out, "http", clock_monotonic_ms());
	heartbeat(out, "delivery", deliver_heartbeat_ms(d));
	one(out, "driftd_kafka_outage", "gauge", "1 while no broker can be reached.", f->outage_ms != 0);
	one(out, "driftd_kafka_errors_total", "counter", "Error events of the Kafka client.",
	    (double)f->kafka_errors);
	if (f->kafka_brokers) {
		exposition_head(out, "driftd_kafka_brokers", "gauge", "Brokers that the cluster names.");
		fprintf(out, "driftd_kafka_brokers{state=\"known\"} %u\n", f->kafka_brokers);
	}
	one(out, "driftd_db_busy_total", "counter", "Commits that found the database locked by another program.",
	    (double)f->busy);
	one(out, "driftd_db_full_total", "counter", "Commits that found the disk full.", (double)f->full);
	exposition_head(out, "driftd_db_errors_total", "counter", 
	                "Commits that failed and were tried again, by reason.");
	fprintf(out, "driftd_db_errors_total{code=\"busy\"} %llu\ndriftd_db_errors_total{code=\"full\"} %llu\n",
	        (unsigned long long)f->busy, (unsigned long long)f->full);
	exposition_head(out, "driftd_db_checkpoint_duration_seconds", "histogram",
	                "Time to move the write-ahead log into the database, within a commit.");
	histogram(out, "driftd_db_checkpoint_duration_seconds", "", live_seconds, f->checkpoint_bucket, LIVE_BUCKETS,
	          f->checkpoint_seconds);
	exposition_head(out, "driftd_db_size_bytes", "gauge", "Size of the database and of its write-ahead log.");
	fprintf(out, "driftd_db_size_bytes{file=\"main\"} %lld\ndriftd_db_size_bytes{file=\"wal\"} %lld\n",
	        (long long)f->database_bytes, (long long)f->wal_bytes);
	if (f->free_bytes >= 0)
		one(out, "driftd_disk_free_bytes", "gauge", "Free beside the database.", (double)f->free_bytes);
	one(out, "driftd_config_last_reload_successful", "gauge", "0: the configuration file is not valid any more.",
	    f->reload_successful);
	one(out, "driftd_config_last_reload_success_timestamp_seconds", "gauge",
	    "When the present configuration was loaded.", seconds(f->reload_wall_ms));
}

/* -- delivery ----------------------------------------------------------------------------------------- */

struct column {
	const char *name, *type, *help;
	double (*value)(const struct deliver_status *s, int64_t now_ms);
};

static double
pending(const struct deliver_status *s, int64_t now_ms)
{
	(void)now_ms;
	return (double)s->gauge.pending;
}

static double
dead(const struct deliver_status *s, int64_t now_ms)
{
	(void)now_ms;
	return (double)s->gauge.dead;
}

static double
oldest(const struct deliver_status *s, int64_t now_ms)
{
	return s->gauge.oldest_ms && now_ms > s->gauge.oldest_ms ? (double)(now_ms - s->gauge.oldest_ms) / 1000 : 0;
}

void
metrics_deliver(FILE *out, struct deliver *d)
{
	static const struct column column[] = {
		{ "driftd_alert_outbox_pending", "gauge", "Messages that wait for a sink.", pending },
		{ "driftd_alert_outbox_oldest_seconds", "gauge", "Time since the first try of the oldest that waits.",
		  oldest },
		{ "driftd_alert_dead_letters", "gauge", "Messages that were given up and are kept.", dead },
	};
	size_t sinks = deliver_sinks(d);
	struct deliver_status s;
	struct timespec wall;
	char label[160];

	if (!sinks)
		return;
	clock_gettime(CLOCK_REALTIME, &wall);
	exposition_head(out, "driftd_alert_deliveries_total", "counter",
	                "Tries by result, since the start of the process.");
	for (size_t i = 0; i < sinks; i++) {
		deliver_status(d, i, &s);
		const uint64_t n[] = { s.ok, s.retry, s.dead };
		static const char *const result[] = { "ok", "retry", "dead" };
		for (int k = 0; k < 3; k++) {
			fputs("driftd_alert_deliveries_total{", out);
			exposition_label(out, "sink", s.name, strlen(s.name));
			fprintf(out, ",result=\"%s\"} %llu\n", result[k], (unsigned long long)n[k]);
		}
	}
	for (size_t c = 0; c < sizeof column / sizeof column[0]; c++) {
		exposition_head(out, column[c].name, column[c].type, column[c].help);
		for (size_t i = 0; i < sinks; i++) {
			deliver_status(d, i, &s);
			fprintf(out, "%s{", column[c].name);
			exposition_label(out, "sink", s.name, strlen(s.name));
			fprintf(out, "} %.17g\n", column[c].value(&s, (int64_t)wall.tv_sec * 1000));
		}
	}
	exposition_head(out, "driftd_alert_delivery_duration_seconds", "histogram", "Time of a try.");
	for (size_t i = 0; i < sinks; i++) {
		deliver_status(d, i, &s);
		FILE *text = fmemopen(label, sizeof label, "w");
		if (!text)
			return;
		exposition_label(text, "sink", s.name, strlen(s.name));
		fputs(",", text);
		fclose(text);
		label[sizeof label - 1] = 0;
		histogram(out, "driftd_alert_delivery_duration_seconds", label, deliver_bucket_s, s.bucket,
		          DELIVER_BUCKETS, s.seconds);
	}
}

/* -- health ------------------------------------------------------------------------------------------- */

struct check {
	const char *name;
	bool fine;
};

static bool
verdict(FILE *out, const struct check *check, size_t n)
{
	bool fine = true;

	for (size_t i = 0; i < n; i++)
		fine = fine && check[i].fine;
	fprintf(out, "{\"status\":\"%s\",\"checks\":{", fine ? "ok" : "failing");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\"%s\":%s", i ? "," : "", check[i].name, check[i].fine ? "true" : "false");
	fputs("}}\n", out);
	return fine;
}

bool
health_live(FILE *out, const struct live_figures *f, int64_t now_ms)
{
	const struct check check[] = { { "loop_turns", now_ms - f->heartbeat_ms < HEARTBEAT_MS } };

	return verdict(out, check, 1);
}

bool
health_ready(FILE *out, const struct live_figures *f, int64_t now_ms)
{
	const struct check check[] = {
		{ "loop_turns", now_ms - f->heartbeat_ms < HEARTBEAT_MS },
		{ "database_writable", !f->commit_failing },
		{ "committed_lately", f->commit_ms && now_ms - f->commit_ms < COMMIT_MS },
		{ "partitions_assigned", f->partitions > 0 },
		{ "broker_reachable", !f->outage_ms || now_ms - f->outage_ms < OUTAGE_MS },
	};

	return verdict(out, check, sizeof check / sizeof check[0]);
}
