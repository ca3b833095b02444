#include "monitor/decode/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Four hex digits, or UINT32_MAX. */
static uint32_t
hex4(const char *s, const char *end)
{
	uint32_t code = 0;

	if (end - s < 4)
		return UINT32_MAX;
	for (int i = 0; i < 4; i++) {
		char c = s[i];
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (uint32_t)(c - 'A') + 10;
		else
			return UINT32_MAX;
		code = code << 4 | digit;
	}
	return code;
}

/* Never longer than the escapes it comes from. */
static char *
put_code(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* One \uXXXX, or a pair of them; `s` is behind the u. */
static enum text_status
unicode_escape(const char **s, const char *end, char **out)
{
	uint32_t code = hex4(*s, end);

	if (code == UINT32_MAX)
		return TEXT_BAD_ESCAPE;
	*s += 4;
	if (code >= 0xdc00 && code < 0xe000)
		return TEXT_SURROGATE;
	if (code >= 0xd800 && code < 0xdc00) {
		uint32_t low = end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u'
		                       ? hex4(*s + 2, end)
		                       : UINT32_MAX;
		if (low < 0xdc00 || low >= 0xe000)
			return TEXT_SURROGATE;
		*s += 6;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*out = put_code(*out, code);
	return TEXT_FINE;
}

enum text_status
text_unescape(const char *s, const char *end, char *out, size_t *length, const char **bad)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *start = out;
	enum text_status result = TEXT_FINE;

	while (s < end) {
		if (*s != '\\') {
			*out++ = *s++;
			continue;
		}
		*bad = s++;
		const char *simple = s < end && *s != '\0' ? strchr(from, *s) : NULL;
		if (simple != NULL) {
			*out++ = to[simple - from];
			s++;
			continue;
		}
		if (s == end || *s++ != 'u')
			return TEXT_BAD_ESCAPE;
		enum text_status status = unicode_escape(&s, end, &out);
		if (status == TEXT_BAD_ESCAPE)
			return status;
		if (status == TEXT_SURROGATE)
			result = status;
	}
	*length = (size_t)(out - start);
	return result;
}

/* Bytes of the character at `s`, 0 if it is not UTF-8. */
static size_t
character(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > left || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

size_t
text_utf8_error(const char *s, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t n = character((const unsigned char *)s + i, length - i);
		if (n == 0)
			return i;
		i += n;
	}
	return length;
}

void
text_printable(const char *s, size_t length, size_t bytes, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < length && i < bytes && used + 5 <= size; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c >= 0x20 && c < 0x7f && c != '\\')
			out[used++] = (char)c;
		else
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
	}
	out[used] = '\0';
}
