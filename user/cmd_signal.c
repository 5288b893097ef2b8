// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_signal.c: `weir signal NAME VALUE [ttl TIME] [drain RATE]`: pushes a signal to the agent.
 * Needs no privilege beyond writing to its socket.
 */
#include <stdio.h>
#include <string.h>
#include "cmd.h"
#include "push.h"

int cmd_signal(struct context *context, int argc, char **argv)
{
	struct signal signal;
	char text[256] = "";
	size_t at = 0;

	for (int i = 0; i < argc; i++) {
		at += snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", argv[i]);
		if (at >= sizeof(text)) {
			err_set(&context->err, EINVAL, "signal: the words are too long");
			return CMD_USAGE;
		}
	}
	if (signal_parse(text, &signal, &context->err)) {
		err_prefix(&context->err, "signal: ");
		return CMD_USAGE;
	}
	if (push_send(context->netns ? context->netns : "host", text, &context->err)) {
		err_prefix(&context->err, "signal: ");
		return CMD_FAILED;
	}
	return CMD_DONE;
}
