// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_apply.c: `weir apply FILE|-`: a whole policy from a file in place of the one in force.
 */
#include "change.h"
#include "conf.h"
#include "conf_file.h"

static int apply(struct context *context, const char *name, const char *text, size_t size)
{
	struct err *err = &context->err;
	struct change change;
	struct policy *next;
	int r;

	r = change_begin(&change, context->netns, err);
	if (!r) {
		next = policy_new();
		free(change.next);
		change.next = next;
		r = next ? conf_text(next, name, text, size, err) :
			   err_set(err, ENOMEM, "out of memory");
	}
	if (!r) {
		r = change_commit(&change, err);
		if (r)
			err_prefix(err, "%s: ", name);
	}
	change_end(&change);
	return r;
}

int cmd_apply(struct context *context, int argc, char **argv)
{
	_cleanup_free_ char *text = NULL;
	const char *name;
	size_t size;

	if (argc != 1) {
		err_set(&context->err, EINVAL, "apply: want one FILE, or - for the standard input");
		return CMD_USAGE;
	}
	if (conf_file_read(argv[0], &name, &text, &size, &context->err))
		return CMD_FAILED;
	return apply(context, name, text, size) ? CMD_FAILED : CMD_DONE;
}
