/* episodes.h -- which alerts are one episode, and which of their news are told.
 *
 * Alerts whose estimated starts lie within one window (at least an hour) and that share a model, or the
 * topic that their opening records came from, have one cause: one message opens the episode, later ones
 * update it when it gets worse or reaches something graver, and it is resolved with the last of its alerts.
 * All messages of an episode are about its lead, the first alert that may be delivered, so that sinks find
 * again what they opened; each lists the alerts that are open. What is decided depends on the news alone, in
 * their order.
 */
#ifndef MONITOR_ALERT_EPISODES_H
#define MONITOR_ALERT_EPISODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alert_row;
struct codec;
struct common;
struct news;

struct open_episode {
	char id[33];
	char lead[33];             /* alert that its messages are about; "" while nothing was told */
	uint32_t lead_stream;      /* id of its stream */
	int64_t opened_ms, started_ms; /* of the lead */
	uint32_t open, messages;   /* alerts that are open; messages so far */
	uint8_t gravest;           /* severity told: 0 none, 1 info, 2 warning, 3 critical */
	uint32_t kinds;            /* kinds of streams told, a bit each */
};

struct episodes {
	struct open_episode *item;
	size_t n, capacity;
	bool dirty;
};

/* Gives the news its episode and decides whether and as what it is told. In the order of news. */
void episodes_settle(struct common *common, struct news *n);
void episodes_finish(struct episodes *e);
void episodes_save(const struct episodes *e, struct codec *out);
int episodes_load(struct episodes *e, struct codec *in);

#endif
