/* kafka_tail.c -- reads topics with the daemon's own source and says what happened, for tests
 * against a real broker.
 *
 *   kafka_tail BROKERS GLOB STATE [follow]
 *
 * STATE holds "topic partition next anchor hash epoch" a line; it is read at the start, if it is
 * there, and written at the end. Ends when every partition is at its end; with `follow` not before
 * standard input has ended, too. On standard output: a line for each event at once ("gap TOPIC/N
 * FROM TO REASON", "new TOPIC/N FROM", "error REASON TEXT"), for each end of a partition that was
 * reached ("end TOPIC/N NEXT"), and for each partition when it stops ("read TOPIC/N MESSAGES FIRST
 * LAST HASH EPOCH"). An end is what the broker said last: behind a broker that is away there may be
 * more, so a test waits for the "end" it expects before it closes standard input.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diag.h"
#include "monitor/decode/decode.h"
#include "monitor/source/source.h"

enum { PARTS_MAX = 64 };

struct part {
	uint64_t messages, hash;
	int64_t first, last, told_end;
	uint64_t anchor_hash;
	int64_t anchor;
	bool end;
};

static struct part part[PARTS_MAX];
static struct resume resume[PARTS_MAX];
static size_t resumes;

static void
read_state(const char *path)
{
	FILE *f = fopen(path, "r");
	struct resume r;
	char topic[200];

	while (f && resumes < PARTS_MAX &&
	       fscanf(f, "%199s %" SCNd32 " %" SCNd64 " %" SCNd64 " %" SCNx64 " %" SCNu32, topic,
	              &r.partition, &r.next_offset, &r.anchor_offset, &r.anchor_hash, &r.epoch) == 6) {
		r.topic = strdup(topic);
		resume[resumes++] = r;
	}
	if (f)
		fclose(f);
}

static const struct resume *
resume_of(const char *topic, int32_t number)
{
	for (size_t i = 0; i < resumes; i++)
		if (!strcmp(resume[i].topic, topic) && resume[i].partition == number)
			return &resume[i];
	return NULL;
}

static void
write_state(const struct source *s, const char *path)
{
	FILE *f = fopen(path, "w");
	const uint32_t parts = s->vtable->partitions(s);

	for (uint32_t i = 0; f && i < parts && i < PARTS_MAX; i++) {
		int32_t number;
		const char *topic = s->vtable->topic(s, i, &number);
		const struct resume *r = resume_of(topic, number);
		const bool any = part[i].messages > 0;
		fprintf(f, "%s %d %" PRId64 " %" PRId64 " %" PRIx64 " %u\n", topic, (int)number,
		        s->vtable->position(s, i), any ? part[i].anchor : r ? r->anchor_offset : -1,
		        any ? part[i].anchor_hash : r ? r->anchor_hash : 0, s->vtable->epoch(s, i));
		printf("read %s/%d %" PRIu64 " %" PRId64 " %" PRId64 " %" PRIx64 " %u\n", topic, (int)number,
		       part[i].messages, part[i].first, part[i].last, part[i].hash, s->vtable->epoch(s, i));
	}
	if (f)
		fclose(f);
}

static void
tell(struct source *s)
{
	struct source_event e;

	while (s->vtable->event(s, &e)) {
		int32_t number = 0;
		const char *topic =
			e.kind == SOURCE_ERROR ? "" : s->vtable->topic(s, e.partition, &number);
		if (e.kind == SOURCE_GAP)
			printf("gap %s/%d %" PRId64 " %" PRId64 " %s\n", topic, (int)number, e.from, e.to, e.reason);
		else if (e.kind == SOURCE_PARTITION)
			printf("new %s/%d %" PRId64 "\n", topic, (int)number, e.from);
		else
			printf("error %s %s\n", e.reason, e.text);
		fflush(stdout);
	}
}

static void
tell_end(const struct source *s, uint32_t i)
{
	int32_t number;
	const char *topic = s->vtable->topic(s, i, &number);
	const int64_t next = s->vtable->position(s, i);

	if (part[i].told_end == next)
		return;
	part[i].told_end = next;
	printf("end %s/%d %" PRId64 "\n", topic, (int)number, next);
	fflush(stdout);
}

/* Takes what is there; false: nothing was. */
static bool
take_all(struct source *s)
{
	struct message m[256];
	bool any = false;

	for (uint32_t i = 0; i < s->vtable->partitions(s) && i < PARTS_MAX; i++) {
		struct part *p = &part[i];
		enum partition_state state;
		const size_t n = s->vtable->take(s, i, m, 256, &state);
		for (size_t k = 0; k < n; k++) {
			if (!p->messages++)
				p->first = m[k].offset;
			p->last = p->anchor = m[k].offset;
			p->anchor_hash = message_hash(&m[k]);
			p->hash = XXH64(&p->anchor_hash, sizeof p->anchor_hash, p->hash);
		}
		p->end = state == PARTITION_END;
		if (p->end)
			tell_end(s, i);
		any = any || n;
		if (n)
			s->vtable->committed(s, i, p->last + 1);
	}
	return any;
}

static bool
at_end(const struct source *s)
{
	const uint32_t parts = s->vtable->partitions(s);

	for (uint32_t i = 0; i < parts && i < PARTS_MAX; i++)
		if (!part[i].end)
			return false;
	return parts > 0;
}

static bool
standard_input_ended(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	char byte;

	return poll(&p, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

/* New topics and partitions are looked for every second rather than every 30. */
static void
refresh(struct source *s)
{
	static time_t last;
	const time_t now = time(NULL);

	if (now == last)
		return;
	last = now;
	source_kafka_refresh(s);
}

int
main(int argc, char **argv)
{
	static const uint8_t key[16] = { 0 };
	struct config *config;
	struct decoder *decoder;
	struct source *s;
	struct diag d = { "" };
	char text[512];

	if (argc < 4) {
		fputs("usage: kafka_tail BROKERS GLOB STATE [follow]\n", stderr);
		return 64;
	}
	bool follow = argc > 4;
	snprintf(text, sizeof text,
	         "database: none.db\nkafka: {brokers: \"%s\", group: driftd}\n"
	         "topics: {records: [\"%s\"]}\nmodels: auto\n", argv[1], argv[2]);
	for (size_t i = 0; i < PARTS_MAX; i++)
		part[i] = (struct part){ .first = -1, .last = -1, .anchor = -1, .told_end = -1 };
	read_state(argv[3]);
	if (config_parse(&config, text, strlen(text), "kafka_tail", stderr, &d) ||
	    decoder_create(&decoder, config, key, &d) ||
	    source_kafka_open(&s, config, decoder, resume, resumes, &d)) {
		fprintf(stderr, "kafka_tail: %s\n", d.text);
		return 1;
	}
	for (;;) {
		const bool any = take_all(s);
		tell(s);
		if (any)
			continue;
		if (!follow && at_end(s))
			break;
		s->vtable->wait(s, 1000, follow ? 0 : -1);
		refresh(s);
		if (follow && standard_input_ended())
			follow = false;
	}
	write_state(s, argv[3]);
	s->vtable->close(s);
	decoder_destroy(decoder);
	config_free(config);
	for (size_t i = 0; i < resumes; i++)
		free((char *)(uintptr_t)resume[i].topic);
	return 0;
}
