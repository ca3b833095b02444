/* source_file.c -- JSON Lines files as partitions.
 *
 * Lines are handed out where they lie in the read buffer; only the unfinished line at the end of
 * the buffer is ever moved. A resumed file is read from its first line, since a line number says
 * nothing about bytes: lines before the position cost one memchr each.
 */
#include "monitor/source/source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/limits.h"
#include "monitor/source/inflate.h"
#include "monitor/source/source_event.h"

enum {
	CHUNK_BYTES = 256 * 1024,             /* one read ... */
	CHUNK_BYTES_MIN = 16 * 1024,          /* ... when there are many files ... */
	CHUNK_BYTES_ALL = 64 * 1024 * 1024,   /* ... that share this much */
	LINE_BYTES = LIMIT_RECORD_BYTES + 1,  /* kept of one line: one too many tells that it was cut */
};

struct file {
	struct inflate in;
	char *path, *topic;
	uint32_t profile;
	uint8_t *buffer;
	size_t capacity, begin, scanned, end; /* unread bytes [begin, end); no LF in [begin, scanned) */
	size_t cut;           /* bytes of the line at `begin` that were thrown away */
	int64_t line;         /* number of the line at `begin` */
	int64_t next;         /* first line that is delivered */
	int64_t anchor;       /* line that must have this hash, -1 none (left) */
	uint64_t anchor_hash;
	uint32_t epoch;
	bool ended;
};

struct source_file {
	struct source base;
	struct decoder *decoder;
	struct file *file;
	uint32_t files;
	size_t chunk;
	struct event_queue events;
};

static struct source_file *
self(struct source *s)
{
	return (struct source_file *)s;
}

static const struct source_file *
self_const(const struct source *s)
{
	return (const struct source_file *)s;
}

/* Starts again at line 0: what is there now is not what was read before. */
static void
recreated(struct source_file *s, uint32_t index)
{
	struct file *f = &s->file[index];
	struct source_event *e = event_add(&s->events, SOURCE_GAP, index);

	e->from = f->next;
	e->reason = "recreated";
	snprintf(e->text, sizeof e->text,
	         "%.120s: line %lld is not the one that was read before; reading from the first line",
	         f->topic, (long long)f->anchor);
	f->ended = false;
	if (inflate_rewind(&f->in)) {
		e = event_add(&s->events, SOURCE_ERROR, index);
		e->reason = "io";
		e->fatal = true;
		snprintf(e->text, sizeof e->text, "%.120s: cannot be rewound", f->topic);
		f->ended = true;
	}
	f->begin = f->scanned = f->end = f->cut = 0;
	f->line = f->next = 0;
	f->anchor = -1;
	f->epoch++;
}

/* Reads on behind `end`. False: nothing is there now (standard input), or `ended` was set. */
static bool
fill(struct source_file *s, uint32_t index)
{
	struct file *f = &s->file[index];

	if (f->begin) {
		memmove(f->buffer, f->buffer + f->begin, f->end - f->begin);
		f->end -= f->begin;
		f->scanned -= f->begin;
		f->begin = 0;
	}
	if (f->end > LINE_BYTES) { /* all of it one line: its head is kept, its tail thrown away */
		f->cut += f->end - LINE_BYTES;
		f->end = f->scanned = LINE_BYTES;
	}
	if (f->capacity - f->end < s->chunk) {
		f->capacity = 2 * f->capacity;
		if (f->capacity > LINE_BYTES + 2 * s->chunk)
			f->capacity = LINE_BYTES + 2 * s->chunk;
		if (f->capacity < f->end + s->chunk)
			f->capacity = f->end + s->chunk;
		f->buffer = source_realloc(f->buffer, f->capacity, 1);
	}
	const char *error = NULL;
	const ssize_t n = inflate_read(&f->in, f->buffer + f->end, f->capacity - f->end, &error);
	if (n > 0)
		f->end += (size_t)n;
	if (n > 0 || n == INFLATE_AGAIN)
		return n > 0;
	f->ended = true;
	if (n < 0) {
		struct source_event *e = event_add(&s->events, SOURCE_ERROR, index);
		e->reason = "io";
		snprintf(e->text, sizeof e->text, "%.100s: %.100s after line %lld", f->topic, error,
		         (long long)f->line);
		f->begin = f->scanned = f->end; /* the unfinished line is not all there */
	}
	return false;
}

/* The next whole line of the buffer, without its LF or CRLF; false when there is none. */
static bool
next_line(struct file *f, const uint8_t **line, size_t *length)
{
	const uint8_t *start = f->buffer + f->begin;
	const uint8_t *lf = f->end > f->scanned
	                          ? memchr(f->buffer + f->scanned, '\n', f->end - f->scanned)
	                          : NULL;
	size_t n;

	if (lf) {
		n = (size_t)(lf - start);
		f->begin += n + 1;
	} else if (f->ended && f->end > f->begin) {
		n = f->end - f->begin;
		f->begin = f->end;
	} else {
		f->scanned = f->end;
		return false;
	}
	f->scanned = f->begin;
	if (f->cut || n > LINE_BYTES)
		n = LINE_BYTES;
	else if (n && start[n - 1] == '\r')
		n--;
	f->cut = 0;
	f->line++;
	*line = start;
	*length = n;
	return true;
}

/* Is this line, which was read before the restart, the anchor, and another one? */
static bool
differs(struct file *f, const struct message *m)
{
	if (m->offset != f->anchor)
		return false;
	f->anchor = -1;
	return message_hash(m) != f->anchor_hash;
}

static size_t
take_lines(struct source_file *s, uint32_t index, struct message *out, size_t max)
{
	struct file *f = &s->file[index];
	size_t n = 0;
	const uint8_t *line;
	size_t length;

	while (n < max && next_line(f, &line, &length)) {
		const struct message m = {
			.value = line, .value_length = length, .offset = f->line - 1,
			.kafka_ms = INT64_MIN, .partition = index, .profile = f->profile,
		};
		if (m.offset < f->next) {
			if (differs(f, &m)) {
				recreated(s, index);
				return 0;
			}
			continue;
		}
		f->next = f->line;
		if (length)
			out[n++] = m;
	}
	return n;
}

static size_t
file_take(struct source *base, uint32_t index, struct message *out, size_t max,
          enum partition_state *state)
{
	struct source_file *s = self(base);
	struct file *f = &s->file[index];
	size_t n = 0;

	while (max && !n) {
		n = take_lines(s, index, out, max);
		if (n || (f->end == f->begin && f->ended))
			break;
		if (!fill(s, index) && !f->ended)
			break;
	}
	const bool end = f->ended && f->end == f->begin;
	if (end && f->anchor >= f->line) { /* the file is shorter than what was read of it */
		recreated(s, index);
		*state = PARTITION_PENDING;
		return n;
	}
	*state = end ? PARTITION_END : PARTITION_PENDING;
	return n;
}

/* Only standard input and pipes can make us wait. */
static void
file_wait(struct source *base, int timeout_ms, int wake_fd)
{
	struct source_file *s = self(base);
	struct pollfd p[16];
	nfds_t n = 0;

	if (wake_fd >= 0)
		p[n++] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
	for (uint32_t i = 0; i < s->files && n < sizeof p / sizeof p[0]; i++) {
		const struct file *f = &s->file[i];
		if (f->ended)
			continue;
		if (!f->in.stream || f->scanned < f->end)
			return;
		p[n++] = (struct pollfd){ .fd = f->in.fd, .events = POLLIN };
	}
	poll(p, n, timeout_ms);
}

static bool
file_event(struct source *base, struct source_event *out)
{
	return event_take(&self(base)->events, out);
}

static uint32_t
file_partitions(const struct source *base)
{
	return self_const(base)->files;
}

static const char *
file_topic(const struct source *base, uint32_t index, int32_t *number)
{
	*number = 0;
	return self_const(base)->file[index].topic;
}

static int64_t
file_position(const struct source *base, uint32_t index)
{
	return self_const(base)->file[index].next;
}

static int64_t
file_end_offset(const struct source *base, uint32_t index)
{
	const struct file *f = &self_const(base)->file[index];
	return f->ended && f->begin == f->end ? f->line : -1;
}

static uint32_t
file_epoch(const struct source *base, uint32_t index)
{
	return self_const(base)->file[index].epoch;
}

static void
file_close(struct source *base)
{
	struct source_file *s = self(base);

	if (!s)
		return;
	for (uint32_t i = 0; i < s->files; i++) {
		inflate_close(&s->file[i].in);
		free(s->file[i].path);
		free(s->file[i].topic);
		free(s->file[i].buffer);
	}
	event_finish(&s->events);
	free(s->file);
	free(s);
}

/* Defined below: opening fills in the vtable that names it. */
static int file_again(const struct source *base, struct source **out, struct diag *d);

static const struct source_vtable file_vtable = {
	.take = file_take, .wait = file_wait, .event = file_event, .partitions = file_partitions,
	.topic = file_topic, .position = file_position, .end_offset = file_end_offset,
	.epoch = file_epoch, .again = file_again, .close = file_close, .ahead = true,
};

/* The last `parts` components of a path. */
static const char *
tail(const char *path, int parts)
{
	const char *p = path + strlen(path);

	while (p > path) {
		if (p[-1] == '/' && !--parts)
			break;
		p--;
	}
	return p;
}

/* Base name, parent/base, the whole path: the first that no file before this one has. */
static const char *
topic_name(const struct source_file *s, const char *path)
{
	for (int parts = 1; parts <= 3; parts++) {
		const char *name = parts < 3 ? tail(path, parts) : path;
		uint32_t i = 0;
		while (i < s->files && strcmp(s->file[i].topic, name))
			i++;
		if (i == s->files)
			return name;
	}
	return NULL;
}

static int
add_file(struct source_file *s, const char *path, struct decoder *decoder,
         const struct resume *resume, size_t resumes, struct diag *d)
{
	struct file *f = &s->file[s->files];
	const char *name = topic_name(s, path);
	int err;

	if (!name)
		return diag_set(d, ERR_INVALID, "%s: given twice", path);
	if ((err = inflate_open(&f->in, path, d)))
		return err;
	f->path = strdup(path);
	f->topic = strdup(name);
	f->capacity = 2 * s->chunk;
	f->buffer = source_alloc(f->capacity, 1);
	f->anchor = -1;
	if (!f->topic || !f->path)
		return diag_set(d, ERR_IO, "out of memory");
	f->profile = decoder_profile(decoder, f->topic);
	s->files++;
	for (size_t i = 0; i < resumes; i++) {
		if (strcmp(resume[i].topic, f->topic) || resume[i].partition)
			continue;
		f->next = resume[i].next_offset;
		f->epoch = resume[i].epoch;
		if (!strcmp(path, "-")) { /* cannot be rewound: more of the same sequence */
			f->line = f->next;
			continue;
		}
		f->anchor = resume[i].anchor_offset;
		f->anchor_hash = resume[i].anchor_hash;
	}
	return 0;
}

int
source_file_open(struct source **out, char *const *path, size_t paths, struct decoder *decoder,
                 const struct resume *resume, size_t resumes, struct diag *d)
{
	struct source_file *s;
	int err = 0;

	*out = NULL;
	if (!paths || paths > LIMIT_PARTITIONS)
		return diag_set(d, ERR_INVALID, "between 1 and %d files can be read together",
		                LIMIT_PARTITIONS);
	s = source_alloc(1, sizeof *s);
	s->base.vtable = &file_vtable;
	s->decoder = decoder;
	s->file = source_alloc(paths, sizeof *s->file);
	s->chunk = CHUNK_BYTES_ALL / paths;
	if (s->chunk > CHUNK_BYTES)
		s->chunk = CHUNK_BYTES;
	if (s->chunk < CHUNK_BYTES_MIN)
		s->chunk = CHUNK_BYTES_MIN;
	for (size_t i = 0; i < paths && !err; i++)
		err = add_file(s, path[i], decoder, resume, resumes, d);
	if (err) {
		file_close(&s->base);
		return err;
	}
	*out = &s->base;
	err = source_envelope_open(out, decoder_config(decoder), d);
	if (err) {
		file_close(&s->base);
		*out = NULL;
	}
	return err;
}

static int
file_again(const struct source *base, struct source **out, struct diag *d)
{
	const struct source_file *s = self_const(base);
	char **path = source_alloc(s->files, sizeof *path);
	int err = 0;

	for (uint32_t i = 0; i < s->files; i++) {
		path[i] = s->file[i].path;
		if (!strcmp(path[i], "-"))
			err = diag_set(d, ERR_INVALID, "standard input cannot be read a second time");
	}
	if (!err)
		err = source_file_open(out, path, s->files, s->decoder, NULL, 0, d);
	free(path);
	return err;
}

void
source_file_progress(const struct source *base, uint64_t *done, uint64_t *total)
{
	const struct source_file *s = self_const(source_inside(base));

	*done = *total = 0;
	for (uint32_t i = 0; i < s->files; i++) {
		*done += s->file[i].in.bytes_read;
		*total += s->file[i].in.bytes_total;
	}
}
