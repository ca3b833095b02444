/* number_tables.h -- constants of number_avx2.h, out of the compiler's sight: it would build them
 * anew for each number. */
#ifndef MONITOR_DECODE_NUMBER_TABLES_H
#define MONITOR_DECODE_NUMBER_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct number_tables {
	/* [a] takes out the dot at place a of sixteen and moves what is left of it by one to the
	 * right; [16] leaves the characters as they are. A dot at the last place would be one
	 * without digits behind it: [15] keeps it, and it is no digit. [17] does take it out, for
	 * the first part of a longer number. */
	uint8_t shuffle[18][16];
	uint8_t zero[16], nine[16];     /* '0'; 9 */
	uint8_t dot[16];                /* '.' less '0' */
	uint8_t two[16];                /* 10, 1, ... */
	uint16_t four[8], eight[8];     /* 100, 1, ...; 10000, 1, ... */
	double sixteen[2];              /* 1e8, 1 */
	double sign[2][2];              /* 0, -0 */
	uint8_t keep[32];               /* from n on: the last n of 16 bytes */
	double power[17];               /* [a]: 10 to the digits behind place a; [16]: 1 */
} __attribute__((aligned(16)));
_Static_assert(offsetof(struct number_tables, sign) % 16 == 0, "vectors are loaded from there");
extern const struct number_tables number_tables;

#endif
