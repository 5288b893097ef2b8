/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h: what main() and the commands share. A command gets its words without its own name and
 * returns the exit status; main() prints err.text where it is not empty.
 */
#ifndef WEIR_CMD_H
#define WEIR_CMD_H

#include <stdbool.h>
#include "opts.h"

enum { CMD_DONE = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

struct context {
	const char *netns;		/* weir -n NAME; NULL: host */
	bool json;			/* -j, before or after the command */
	struct err err;
};

/* the words that the commands parse by; help and completion come from the same */
extern const char *const attach_directions[], *const show_parts[];	/* NULL-terminated */
extern const struct opts_key attach_keys[], run_keys[], replay_keys[], show_flows_keys[],
	show_watch_keys[];
extern const unsigned int attach_n_keys, run_n_keys, replay_n_keys, show_flows_n_keys,
	show_watch_n_keys;

int cmd_attach(struct context *context, int argc, char **argv);
int cmd_detach(struct context *context, int argc, char **argv);
int cmd_apply(struct context *context, int argc, char **argv);
int cmd_class(struct context *context, int argc, char **argv);
int cmd_match(struct context *context, int argc, char **argv);
int cmd_run(struct context *context, int argc, char **argv);
int cmd_signal(struct context *context, int argc, char **argv);
int cmd_show(struct context *context, int argc, char **argv);
int cmd_replay(struct context *context, int argc, char **argv);
int cmd_check(struct context *context, int argc, char **argv);
int cmd_monitor(struct context *context, int argc, char **argv);
int cmd_top(struct context *context, int argc, char **argv);
int cmd_version(struct context *context, int argc, char **argv);

/*
 * As cmd_attach(), for an agent, which saw without the lock that a hook is lost, or that a device
 * is back. -EALREADY: there is nothing to put back any more.
 */
int attach_back(struct context *context, bool lost, int argc, char **argv);

#endif
