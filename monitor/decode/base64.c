/* base64.c -- see base64.h. RFC 4648, sections 4 and 5; IEEE 754 binary16 and binary32. */
#include "monitor/decode/base64.h"

#include <math.h>
#include <string.h>

static size_t
without_padding(const char *text, size_t length)
{
	size_t pads = 0;

	while (pads < 2 && length > pads && text[length - pads - 1] == '=')
		pads++;
	return length - pads;
}

size_t
base64_count(const char *text, size_t length, enum base64_float type)
{
	size_t characters = without_padding(text, length), bytes = characters * 6 / 8;

	if (characters % 4 == 1 || bytes % (size_t)type != 0)
		return SIZE_MAX;
	return bytes / (size_t)type;
}

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

static double
from_f32(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof f);
	return (double)f;
}

static double
from_f16(uint32_t bits)
{
	uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
	double x = exponent == 31 ? (fraction != 0 ? (double)NAN : (double)INFINITY)
	           : exponent == 0 ? ldexp((double)fraction, -24)
	           : ldexp((double)(fraction + 1024), (int)exponent - 25);

	return bits >> 15 != 0 ? -x : x;
}

int
base64_decode(const char *text, size_t length, enum base64_float type, double *out)
{
	uint32_t held = 0, word = 0;
	int bits = 0, bytes = 0;

	length = without_padding(text, length);
	for (size_t i = 0; i < length; i++) {
		int value = digit(text[i]);

		if (value < 0)
			return 0;
		held = held << 6 | (uint32_t)value;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		word |= (held >> bits & 255) << (8 * bytes++);
		if (bytes < (int)type)
			continue;
		*out++ = type == BASE64_F32 ? from_f32(word) : from_f16(word);
		word = 0;
		bytes = 0;
	}
	return 1;
}
