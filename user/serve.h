/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serve.h: what the agent serves over HTTP of its own: /healthz, /api/v1/signals and
 * /api/v1/signals/NAME, the latter with ?follow as a stream of one event per sample.
 */
#ifndef WEIR_SERVE_H
#define WEIR_SERVE_H

#include "http.h"
#include "steer.h"

struct serve;

int serve_open(struct serve **ret, struct http *http, const struct steer *steer);
void serve_close(struct serve *serve);

/* After a step: to those who follow, what is new. */
void serve_step(struct serve *serve, __u64 now_ns);

#endif
