/* inflate.h -- bytes of a file, gunzipped when the file is gzip (by content, any number of
 * members).
 *
 * zlib's inflate rather than its gz* functions: those block on a pipe, take a cut-off stream for
 * an end on some paths, and do not tell a rewound pipe from a file.
 */
#ifndef MONITOR_SOURCE_INFLATE_H
#define MONITOR_SOURCE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct diag;
struct z_stream_s;

struct inflate {
	int fd;
	bool stream;                      /* a pipe or terminal: may have nothing now, cannot be rewound */
	bool checked;                     /* whether it is gzip is known */
	bool at_end;                      /* of the input */
	bool in_member;                   /* inside a gzip member: an end of input here is a cut */
	const char *damage;               /* error to be told after the bytes before it */
	struct z_stream_s *z;             /* NULL: plain */
	uint8_t *input;                   /* compressed bytes, or the first bytes of a plain file */
	size_t input_begin, input_end;
	uint64_t bytes_read, bytes_total; /* of the file; total 0 when unknown */
};

/* "-" is standard input. ERR_MISSING: no such file. */
int inflate_open(struct inflate *f, const char *path, struct diag *d);
enum { INFLATE_AGAIN = -2 };
/* Bytes read (> 0), 0 at the end, INFLATE_AGAIN when a stream has nothing now, -1 with *error
 * set. */
ssize_t inflate_read(struct inflate *f, void *out, size_t size, const char **error);
/* To the first byte. 0, or -1 for a stream. */
int inflate_rewind(struct inflate *f);
void inflate_close(struct inflate *f); /* zeroed is fine */

#endif
