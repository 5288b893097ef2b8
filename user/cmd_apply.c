// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_apply.c: `weir apply FILE|-`: a whole policy from a file in place of the one in force.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "change.h"
#include "conf.h"

#define FILE_MAX_BYTES (4U << 20)	/* a full policy takes about a megabyte */

/* all of fd; the caller frees */
static int read_all(int fd, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = malloc(FILE_MAX_BYTES + 1);
	size_t size = 0;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	while (size <= FILE_MAX_BYTES) {
		n = read(fd, text + size, FILE_MAX_BYTES + 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		size += n;
	}
	if (size > FILE_MAX_BYTES)
		return -EFBIG;
	*ret_text = text;
	*ret_size = size;
	text = NULL;
	return 0;
}

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
	_cleanup_close_ int opened = -1;
	const char *name;
	size_t size;
	int r;

	if (argc != 1) {
		err_set(&context->err, EINVAL, "apply: want one FILE, or - for the standard input");
		return CMD_USAGE;
	}
	name = strcmp(argv[0], "-") ? argv[0] : "stdin";
	if (strcmp(argv[0], "-")) {
		opened = open(name, O_RDONLY | O_CLOEXEC);
		r = opened < 0 ? -errno : read_all(opened, &text, &size);
	} else {
		r = read_all(STDIN_FILENO, &text, &size);
	}
	if (r) {
		err_set(&context->err, -r, "%s: %s", name, r == -EFBIG ?
			"larger than 4 MB; want a policy" : strerror(-r));
		return CMD_FAILED;
	}
	return apply(context, name, text, size) ? CMD_FAILED : CMD_DONE;
}
