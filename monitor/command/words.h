/* words.h -- texts as small numbers, in order of first appearance. */
#ifndef MONITOR_COMMAND_WORDS_H
#define MONITOR_COMMAND_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct words {
	uint32_t n, room;
	const char **text;   /* [n] copies, NUL-terminated too */
	uint32_t *length;    /* [n] */
	uint32_t *slot;      /* [slots] number + 1; 0 = empty */
	uint32_t slots;      /* a power of two, at least twice n */
};

/* The number of the text, which is added if it is new; UINT32_MAX when memory fails. */
uint32_t words_code(struct words *w, const char *text, size_t length);
void words_finish(struct words *w); /* a zeroed struct is empty and needs no init */

#endif
