/* siphash.c -- SipHash-1-3: a keyed hash that nobody can flood without the key.
 *
 * Aumasson and Bernstein 2012, "SipHash: a fast short-input PRF", section 2, with one
 * compression and three finalisation rounds as in the hash tables of Rust and Ruby.
 * Little-endian words, any host.
 */
#include <string.h>

#include "monitor/decode/decode.h"

static inline uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t
load64(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return word;
#else
	uint64_t word = 0;
	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)p[i] << 8 * i;
	return word;
#endif
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

uint64_t
siphash13(const uint8_t key[16], const void *data, size_t length)
{
	uint64_t k0 = load64(key), k1 = load64(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
		          k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	const uint8_t *p = data;
	size_t left = length;

	for (; left >= 8; left -= 8, p += 8) {
		uint64_t word = load64(p);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)length << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << 8 * i;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
