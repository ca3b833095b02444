/* codec.c -- see codec.h. Bytes are moved one by one: correct on any byte order and alignment, and
 * compilers turn the loops into single loads and stores on little-endian machines. */
#include "detectors/kit/codec.h"

#include <string.h>

/* Where to write n bytes, or NULL (measuring, or beyond the end). */
static uint8_t *
put_room(struct codec *c, size_t n)
{
	uint8_t *p;

	if (c->bad)
		return NULL;
	if (c->measure) {
		c->at += n;
		return NULL;
	}
	if (n > c->size - c->at) {
		c->bad = true;
		return NULL;
	}
	p = c->data + c->at;
	c->at += n;
	return p;
}

static const uint8_t *
get_room(struct codec *c, size_t n)
{
	const uint8_t *p;

	if (c->bad || n > c->size - c->at) {
		c->bad = true;
		return NULL;
	}
	p = c->data + c->at;
	c->at += n;
	return p;
}

static void
store_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void
put_le(struct codec *c, uint64_t v, size_t n)
{
	uint8_t *p = put_room(c, n);

	if (p)
		store_le(p, v, n);
}

static uint64_t
get_le(struct codec *c, size_t n)
{
	const uint8_t *p = get_room(c, n);

	return p ? load_le(p, n) : 0;
}

static uint64_t
f64_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static double
f64_of(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

void
codec_put_u8(struct codec *c, uint8_t v)
{
	put_le(c, v, 1);
}

void
codec_put_u16(struct codec *c, uint16_t v)
{
	put_le(c, v, 2);
}

void
codec_put_u32(struct codec *c, uint32_t v)
{
	put_le(c, v, 4);
}

void
codec_put_u64(struct codec *c, uint64_t v)
{
	put_le(c, v, 8);
}

void
codec_put_i64(struct codec *c, int64_t v)
{
	put_le(c, (uint64_t)v, 8);
}

void
codec_put_f64(struct codec *c, double v)
{
	put_le(c, f64_bits(v), 8);
}

void
codec_put_f64s(struct codec *c, const double *v, size_t n)
{
	uint8_t *p = put_room(c, 8 * n);

	for (size_t i = 0; p && i < n; i++)
		store_le(p + 8 * i, f64_bits(v[i]), 8);
}

void
codec_put_u32s(struct codec *c, const uint32_t *v, size_t n)
{
	uint8_t *p = put_room(c, 4 * n);

	for (size_t i = 0; p && i < n; i++)
		store_le(p + 4 * i, v[i], 4);
}

void
codec_put_bytes(struct codec *c, const void *v, size_t n)
{
	uint8_t *p = put_room(c, n);

	if (p && n)
		memcpy(p, v, n);
}

uint8_t
codec_get_u8(struct codec *c)
{
	return (uint8_t)get_le(c, 1);
}

uint16_t
codec_get_u16(struct codec *c)
{
	return (uint16_t)get_le(c, 2);
}

uint32_t
codec_get_u32(struct codec *c)
{
	return (uint32_t)get_le(c, 4);
}

uint64_t
codec_get_u64(struct codec *c)
{
	return get_le(c, 8);
}

int64_t
codec_get_i64(struct codec *c)
{
	uint64_t bits = get_le(c, 8);
	int64_t v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

double
codec_get_f64(struct codec *c)
{
	return f64_of(get_le(c, 8));
}

void
codec_get_f64s(struct codec *c, double *v, size_t n)
{
	const uint8_t *p = n > SIZE_MAX / 8 ? NULL : get_room(c, 8 * n);

	if (n > SIZE_MAX / 8)
		c->bad = true;
	for (size_t i = 0; i < n; i++)
		v[i] = p ? f64_of(load_le(p + 8 * i, 8)) : 0.0;
}

void
codec_get_u32s(struct codec *c, uint32_t *v, size_t n)
{
	const uint8_t *p = n > SIZE_MAX / 4 ? NULL : get_room(c, 4 * n);

	if (n > SIZE_MAX / 4)
		c->bad = true;
	for (size_t i = 0; i < n; i++)
		v[i] = p ? (uint32_t)load_le(p + 4 * i, 4) : 0;
}

void
codec_get_bytes(struct codec *c, void *v, size_t n)
{
	const uint8_t *p = get_room(c, n);

	if (n == 0)
		return;
	if (p)
		memcpy(v, p, n);
	else
		memset(v, 0, n);
}

#if defined __x86_64__
/* The instruction of SSE 4.2 computes this very polynomial, 8 bytes at a time. */
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(const uint8_t *p, size_t n)
{
	uint64_t crc = 0xFFFFFFFF;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; n > 0; p++, n--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}
#endif

uint32_t
codec_crc32c(const void *data, size_t n)
{
	/* Reflected polynomial 0x82F63B78, four bits at a time. */
	static const uint32_t nibble[16] = {
		0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
		0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
		0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
	};
	const uint8_t *p = data;
	uint32_t crc = 0xFFFFFFFF;

#if defined __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(p, n);
#endif

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return ~crc;
}
