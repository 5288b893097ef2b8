// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c: `weir run [conf FILE] [listen ADDR:PORT] [observe]`: the words of the agent.
 */
#include "http.h"
#include "loop.h"
#include "opts.h"

static int text_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	*(const char **)((char *)target + key->offset) = word;
	return 0;
}

static int observe_set(const struct opts_key *key, const char *word, void *target,
		       struct err *err)
{
	((struct loop_options *)target)->observe = true;
	return 0;
}

const struct opts_key run_keys[] = {
	{ "conf", "FILE", "applied at the start and on SIGHUP", .set = text_set,
	  .offset = offsetof(struct loop_options, conf) },
	{ "listen", "ADDR:PORT", "serve HTTP; a PORT alone is on 127.0.0.1", .set = text_set,
	  .offset = offsetof(struct loop_options, listen) },
	{ "observe", "", "say what would be done, do nothing", .flags = OPTS_ALONE,
	  .set = observe_set },
};
const unsigned int run_n_keys = ARRAY_SIZE(run_keys);

int cmd_run(struct context *context, int argc, char **argv)
{
	struct loop_options options = {};
	struct http_address address;

	if (opts_parse(run_keys, run_n_keys, argc, argv, &options, &context->err)) {
		err_prefix(&context->err, "run: ");
		return CMD_USAGE;
	}
	if (options.listen && http_address_parse(options.listen, &address, &context->err))
		return CMD_USAGE;
	return loop_run(context, &options) ? CMD_FAILED : CMD_DONE;
}
