/* stream_season.c -- see stream_season.h. */
#include "monitor/stream/stream_season.h"

#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "detectors/kit/cells.h"
#include "detectors/kit/reference.h"
#include "monitor/stream/model.h"

enum { HOUR_MS = 3600000, HOURS = 24, SEASON_CELLS = 5 /* categories that are looked at */ };

int32_t
hour_of(int64_t ms)
{
	return (int32_t)(floor_to(ms, HOUR_MS) / HOUR_MS);
}

void
stream_forget_season(struct stream *s)
{
	if (s->season)
		free(s->season->around);
	free(s->season);
	s->season = NULL;
	s->season_short = false;
}

/* One series of the reference: its values, or where one category stands. */
static void
look(const struct stream *s, uint32_t code, struct season_found *found)
{
	uint32_t n = s->references;
	double *value = must_calloc(n, sizeof *value);
	int32_t *hour = must_calloc(n, sizeof *hour);
	struct season_found one;

	for (uint32_t i = 0; i < n; i++) {
		value[i] = s->categories ? s->reference[i].value == code : s->reference[i].value;
		hour[i] = s->reference[i].hour;
	}
	must(season_find(value, hour, n, &one));
	found->day |= one.day;
	found->week |= one.week;
	free(value);
	free(hour);
}

/* The most frequent categories; the rare ones say too little. */
static void
look_at_categories(const struct stream *s, struct season_found *found)
{
	uint32_t *count = must_calloc(s->categories->n, sizeof *count);

	for (uint32_t i = 0; i < s->references; i++)
		count[(uint32_t)s->reference[i].value]++;
	for (int k = 0; k < SEASON_CELLS; k++) {
		uint32_t best = 0;

		for (uint32_t c = 1; c < s->categories->n; c++)
			if (count[c] > count[best])
				best = c;
		if (!s->categories->n || count[best] < LIMIT_REFERENCE_MIN)
			break;
		look(s, best, found);
		count[best] = 0;
	}
	free(count);
}

static enum season
season_of(const struct stream *s)
{
	enum season_choice choice = s->model->config->season;
	struct season_found found = { false, false };

	if (s->kind == STREAM_JOINT) /* a distance between vectors: its reference has no hours */
		return SEASON_NONE;
	if (choice == SEASON_CHOICE_NONE || choice == SEASON_CHOICE_DAY)
		return choice == SEASON_CHOICE_DAY ? SEASON_DAY : SEASON_NONE;
	if (choice == SEASON_CHOICE_WEEK)
		return SEASON_WEEK;
	if (s->categories)
		look_at_categories(s, &found);
	else
		look(s, 0, &found);
	return found.week ? found.day ? SEASON_WEEK : SEASON_WEEKDAY : found.day ? SEASON_DAY : SEASON_NONE;
}

/* From the first to the last day, both of which count. */
static int32_t
days_spanned(const struct stream *s)
{
	int32_t first = INT32_MAX, last = INT32_MIN;

	for (uint32_t i = 0; i < s->references; i++) {
		int32_t day = (int32_t)(floor_to(s->reference[i].hour, HOURS) / HOURS);

		first = day < first ? day : first;
		last = day > last ? day : last;
	}
	return s->references ? last - first + 1 : 0;
}

/* Means of the phases, and for numbers what is left of the values without them. */
static void
learn_usual(struct stream *s)
{
	struct stream_season *k = s->season;
	uint32_t n = s->references;
	double *rest = must_calloc(n, sizeof *rest), count[SEASON_PHASES_MAX] = { 0 };
	struct reference ref = { .n = n, .value = rest, .days = 1, .keys = 1 };

	memset(k->usual, 0, sizeof k->usual);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = k->key_of[season_phase(k->season, s->reference[i].hour)];

		rest[i] = s->reference[i].value;
		if (s->categories)
			rest[i] = cells_of_code(s->cells, (uint32_t)rest[i]) == k->watched;
		k->usual[key] += rest[i];
		count[key]++;
	}
	for (uint32_t key = 0; key < k->keys; key++)
		k->usual[key] /= count[key];
	if (s->type == STREAM_NUMERIC) {
		for (uint32_t i = 0; i < n; i++)
			rest[i] -= k->usual[k->key_of[season_phase(k->season, s->reference[i].hour)]];
		k->around = must_calloc(1, sizeof *k->around);
		cells_build(k->around, &ref, common_sort(s->model->common, n));
	}
	free(rest);
}

void
stream_learn_season(struct stream *s)
{
	enum season season = season_of(s);
	uint32_t phases = season_phases(season);
	struct stream_season *k;

	stream_forget_season(s);
	if (season == SEASON_NONE)
		return;
	s->season_short = days_spanned(s) < 2 * (int32_t)season_cycle(season);
	s->season = k = must_calloc(1, sizeof *k);
	k->season = season;
	for (uint32_t p = 0; p < phases; p++)
		k->key_of[p] = UINT32_MAX;
	for (uint32_t i = 0; i < s->references; i++) {
		uint32_t *key = &k->key_of[season_phase(season, s->reference[i].hour)];

		if (*key == UINT32_MAX)
			*key = k->keys++;
	}
	for (uint32_t p = 0; p < phases; p++)
		if (k->key_of[p] == UINT32_MAX)
			k->key_of[p] = k->keys;
	k->watched = UINT32_MAX;
	if (!s->categories)
		learn_usual(s);
}

void
stream_watch_cell(struct stream *s, uint32_t cell)
{
	if (!s->categories || s->season->watched == cell)
		return;
	s->season->watched = cell;
	learn_usual(s);
}

uint32_t
stream_key(const struct stream *s, const struct rows *rows, uint32_t i)
{
	return s->season->key_of[season_phase(s->season->season, hour_of(rows->time_ms[i]))];
}
