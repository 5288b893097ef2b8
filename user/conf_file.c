// SPDX-License-Identifier: GPL-2.0-only
/*
 * conf_file.c: reads a policy's text, and no more than one can have.
 */
#include <fcntl.h>
#include <string.h>
#include "conf_file.h"

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

int conf_file_read(const char *word, const char **ret_name, char **ret_text, size_t *ret_size,
		   struct err *err)
{
	const char *name = strcmp(word, "-") ? word : "stdin";
	_cleanup_close_ int opened = -1;
	int r;

	if (!*word)
		return err_set(err, ENOENT, "'': want the name of a file");
	if (name == word) {
		opened = open(word, O_RDONLY | O_CLOEXEC);
		r = opened < 0 ? -errno : read_all(opened, ret_text, ret_size);
	} else {
		r = read_all(STDIN_FILENO, ret_text, ret_size);
	}
	if (r)
		return err_set(err, -r, "%s: %s", name, r == -EFBIG ?
			       "larger than 4 MiB; want a policy" : strerror(-r));
	*ret_name = name;
	return 0;
}
