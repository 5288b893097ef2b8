/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http_seen.h: what the agent shows over HTTP: /metrics, /api/v1/..., the page and its events.
 * Reads only. Bounded in clients, in looks at the maps per second and in memory, whatever comes.
 */
#ifndef WEIR_HTTP_SEEN_H
#define WEIR_HTTP_SEEN_H

#include "util.h"

struct event_base;
struct evhttp;
struct http_seen;

/* Adds its routes to the server. netns as `weir -n` has it, NULL: host. */
int http_seen_start(struct event_base *base, struct evhttp *http, const char *netns,
		    struct http_seen **ret, struct err *err);

/* To be called before the server is freed. NULL is allowed. */
void http_seen_stop(struct http_seen *seen);

#endif
