/* season.h -- does a reference repeat itself from day to day, or from week to week? Pure.
 *
 * Hours are counted from 1970-01-01 00:00 UTC. Days are the blocks of both tests, so that records which hang
 * together within a day do not pass for a season:
 * - day: profiles of the days (values by hour, less the day's mean) add up where there is a season, and go
 *   any way where there is none. From ten days on, the squared sum of the profiles is compared with that of
 *   999 random changes of their signs, level .005 (exact where a profile is as likely as its negative).
 *   With fewer days: a profile learnt on every second day times those of the others, one-sided t test over
 *   them, both ways round, each at level .005.
 * - week: F test of the days' means between days of the week against within them, at level .01.
 */
#ifndef DETECTORS_KIT_SEASON_H
#define DETECTORS_KIT_SEASON_H

#include <stdbool.h>
#include <stdint.h>

enum season {
	SEASON_NONE,
	SEASON_DAY,      /* phases are the 24 hours of the day */
	SEASON_WEEKDAY,  /* the 7 days of the week */
	SEASON_WEEK,     /* the 168 hours of the week */
};
enum { SEASON_PHASES_MAX = 168 };
const char *season_text(enum season s); /* "", "day", "weekday", "week" */
uint32_t season_phases(enum season s);  /* 1, 24, 7, 168 */
uint32_t season_phase(enum season s, int64_t hour);
/* Days of its cycle: 1 or 7. */
uint32_t season_cycle(enum season s);

struct season_found {
	bool day, week;
};
/* Values [n] with their hours, in any order. False: out of memory. */
bool season_find(const double *value, const int32_t *hour, uint32_t n, struct season_found *out);

#endif
