/* codec.h -- a bounded little-endian cursor over bytes: the only way state is written and read.
 * A cursor that runs over its end sets `bad` and from then on writes nothing and reads zeros, so
 * callers check once. f64 is stored as its IEEE bits. */
#ifndef DETECTORS_KIT_CODEC_H
#define DETECTORS_KIT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
	uint8_t *data;   /* caller's; written only by codec_put_* */
	size_t size;     /* bytes that may be used */
	size_t at;       /* next byte */
	bool bad;
	bool measure;    /* count bytes in `at`, write nothing: data may be NULL */
};

void codec_put_u8(struct codec *c, uint8_t v);
void codec_put_u16(struct codec *c, uint16_t v);
void codec_put_u32(struct codec *c, uint32_t v);
void codec_put_u64(struct codec *c, uint64_t v);
void codec_put_i64(struct codec *c, int64_t v);
void codec_put_f64(struct codec *c, double v);
void codec_put_f64s(struct codec *c, const double *v, size_t n);
void codec_put_u32s(struct codec *c, const uint32_t *v, size_t n);
void codec_put_bytes(struct codec *c, const void *v, size_t n);

uint8_t codec_get_u8(struct codec *c);
uint16_t codec_get_u16(struct codec *c);
uint32_t codec_get_u32(struct codec *c);
uint64_t codec_get_u64(struct codec *c);
int64_t codec_get_i64(struct codec *c);
double codec_get_f64(struct codec *c);
void codec_get_f64s(struct codec *c, double *v, size_t n);
void codec_get_u32s(struct codec *c, uint32_t *v, size_t n);
void codec_get_bytes(struct codec *c, void *v, size_t n);

/* CRC-32C (Castagnoli), as in RFC 3720. */
uint32_t codec_crc32c(const void *data, size_t n);

#endif
