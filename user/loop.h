/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop.h: the agent's process: one thread, one event loop; its life from start to end.
 */
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include "cmd.h"

struct loop_options {
	const char *listen;		/* ADDR:PORT; NULL: serve nothing */
	const char *conf;		/* applied at the start and on SIGHUP; NULL: none */
	bool observe;			/* say what would be done, do nothing */
};

/* Runs until SIGTERM or SIGINT. */
int loop_run(struct context *context, const struct loop_options *options);

#endif
