// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c: `weir run [conf FILE] [listen ADDR:PORT] [observe]`: the words of the agent.
 */
#include <string.h>
#include "http.h"
#include "loop.h"

static int parse(struct loop_options *options, int argc, char **argv, struct err *err)
{
	struct http_address address;

	for (int i = 0; i < argc; i++) {
		const char **value = !strcmp(argv[i], "listen") ? &options->listen :
				     !strcmp(argv[i], "conf") ? &options->conf : NULL;

		if (!strcmp(argv[i], "observe")) {
			if (options->observe)
				return err_set(err, EINVAL, "run: observe: given twice");
			options->observe = true;
			continue;
		}
		if (!value)
			return err_set(err, EINVAL, "run: unknown word '%s': want conf FILE, listen "
				       "ADDR:PORT or observe", argv[i]);
		if (*value)
			return err_set(err, EINVAL, "run: %s: given twice", argv[i]);
		if (i + 1 == argc)
			return err_set(err, EINVAL, "run: %s: a value is missing", argv[i]);
		*value = argv[++i];
	}
	return options->listen ? http_address_parse(options->listen, &address, err) : 0;
}

int cmd_run(struct context *context, int argc, char **argv)
{
	struct loop_options options = {};

	if (parse(&options, argc, argv, &context->err))
		return CMD_USAGE;
	return loop_run(context, &options) ? CMD_FAILED : CMD_DONE;
}
