/* number_tables.h -- constants of number_avx2.h, out of the compiler's sight: it would build them anew for
 * each number. */
#ifndef MONITOR_NUMBER_TABLES_H
#define MONITOR_NUMBER_TABLES_H

#include <stdint.h>

struct number_tables {
	/* [0] leaves the characters as they are; [p + 1] takes out the dot in front of the last p and moves
	 * what is left of it by one to the right. [1] would leave a number that ends with a dot: it keeps
	 * the dot, which is no digit. [17] does take it out, for the first part of a longer number. */
	uint8_t shuffle[18][16];
	uint8_t zero[16], dot[16], nine[16];      /* '0'; '.' - '0'; 9 */
	uint8_t two[16];                          /* 10, 1, ... */
	uint16_t four[8], eight[8];               /* 100, 1, ...; 10000, 1, ... */
	uint8_t keep[32];                         /* from n on: the last n of 16 bytes */
	double power[17];                         /* [p + 1] and [0]: 10^p, 1 */
} __attribute__((aligned(16)));
extern const struct number_tables number_tables;

#endif
