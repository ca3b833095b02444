/* notes.h -- what a person may ask later of a run: rows of table `runs`, written by the next commit. */
#ifndef MONITOR_NOTES_H
#define MONITOR_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "storage/store.h"

enum { NOTES_MAX = 64 }; /* between two commits; what is beyond is counted */

struct notes {
	struct note {
		const char *event;  /* a literal */
		int64_t wall_ms;
		char detail[256];
	} note[NOTES_MAX];
	size_t n;
	uint64_t left_out;
};

/* Also a warning in the log. `event`: a literal like "merge_stall". */
void notes_add(struct notes *n, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Into the open transaction; they stay until notes_landed says that it is one. */
int notes_put(const struct notes *n, struct store *s);
void notes_landed(struct notes *n);

#endif
