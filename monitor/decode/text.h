/* text.h -- JSON strings: escapes, and what is wrong with UTF-8. */
#ifndef MONITOR_DECODE_TEXT_H
#define MONITOR_DECODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum text_status {
	TEXT_FINE,
	TEXT_BAD_ESCAPE, /* *bad is where */
	TEXT_SURROGATE,  /* \ud800 without its other half: no UTF-8 for it */
};

/* The characters between the quotes, [s, end), into out, which has end - s bytes. */
enum text_status text_unescape(const char *s, const char *end, char *out, size_t *length,
                               const char **bad);
/* A word with a bit set if one of its first n bytes (all from 8 on) is a backslash. */
static inline uint64_t
text_backslash(uint64_t word, size_t n)
{
	if (n < 8)
		word &= UINT64_MAX >> (64 - 8 * n);
	word ^= 0x5c5c5c5c5c5c5c5cu;
	return (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
}

/* Is there a backslash among the n characters at `s`? Reads up to seven bytes more. */
static inline bool
text_has_escape(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word;
		memcpy(&word, s + i, sizeof(word));
		if (text_backslash(word, n - i) != 0)
			return true;
	}
	return false;
}

/* Copies n characters, unless there is a backslash among them. Reads and writes up to seven
 * bytes more. */
static inline bool
text_copy_plain(char *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word;
		memcpy(&word, s + i, sizeof(word));
		memcpy(out + i, &word, sizeof(word));
		if (text_backslash(word, n - i) != 0)
			return false;
	}
	return true;
}

/* Position of the first byte that is not UTF-8 (RFC 3629), or `length`. */
size_t text_utf8_error(const char *s, size_t length);
/* Control characters and what is not ASCII as \xNN, cut at `bytes` of input, NUL-terminated. */
void text_printable(const char *s, size_t length, size_t bytes, char *out, size_t size);

#endif
