// SPDX-License-Identifier: GPL-2.0-only
/*
 * psi.c: reads the stall time of /proc/pressure/RESOURCE or of a cgroup's RESOURCE.pressure. The
 * averages in these files are of 10 s and more; the stall time between two looks is of now.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "hook.h"
#include "psi.h"
#include "signals.h"

/* a descriptor, or -errno */
static int open_file(const char *words)
{
	const char *path;
	const char *resource = signal_psi_names[signal_psi_of(words, &path)];
	char file[WEIR_PATH_LEN + 32];
	_cleanup_close_ int root = -1;
	int fd;

	if (!path) {
		snprintf(file, sizeof(file), "/proc/pressure/%s", resource);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	root = hook_cgroup_open();
	if (root < 0)
		return root;
	snprintf(file, sizeof(file), "%s/%s.pressure", path + strspn(path, "/"), resource);
	fd = openat(root, file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int psi_read(const char *words, __u64 *ret_us)
{
	_cleanup_close_ int fd = open_file(words);
	unsigned long long us;
	char text[256], *total;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	total = strstr(text, "total=");
	if (!total || sscanf(total, "total=%llu", &us) != 1)
		return -EINVAL;
	*ret_us = us;
	return 0;
}
