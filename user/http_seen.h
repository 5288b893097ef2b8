/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http_seen.h: what the agent shows over HTTP: /metrics, /api/v1/..., the page and its events.
 * Reads only. Bounded in clients, in looks at the maps per second and in memory, whatever comes.
 */
#ifndef WEIR_HTTP_SEEN_H
#define WEIR_HTTP_SEEN_H

#include "http.h"

struct http_seen;

/* Adds its routes. netns as `weir -n` has it, NULL: host. No thread is made until one asks. */
int http_seen_open(struct http_seen **ret, struct event_base *base, struct http *http,
		   const char *netns);

/* To be called after http_close(): until then requests are under way. NULL is allowed. */
void http_seen_close(struct http_seen *seen);

#endif
