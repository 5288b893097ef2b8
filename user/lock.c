// SPDX-License-Identifier: GPL-2.0-only
/*
 * lock.c: the agents' files in /run/weir: made and taken away by who holds the lock alone. What is
 * sent through the socket is push.c's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "lock.h"
#include "push.h"

#define PATH_MAX_BYTES 128

static void path_of(const char *name, char path[PATH_MAX_BYTES])
{
	snprintf(path, PATH_MAX_BYTES, PUSH_DIR "/%s.lock", name);
}

/* its descriptor, -errno where it cannot be opened; *ret_held: whether it could be locked */
static int lock_file(const char *path, int flags, bool *ret_held)
{
	struct stat ours, theirs;
	int fd;

	/*
	 * Who may open it may hold it. One that ends takes its file away: what is locked must be
	 * what is there.
	 */
	for (;;) {
		fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
		if (fd < 0)
			return -errno;
		*ret_held = !flock(fd, LOCK_EX | LOCK_NB);
		if (!*ret_held || (!fstat(fd, &ours) && !stat(path, &theirs) &&
				   ours.st_ino == theirs.st_ino))
			return fd;
		close(fd);
	}
}

int lock_take(const char *name, struct err *err)
{
	char path[PATH_MAX_BYTES], pid[16] = "";
	_cleanup_close_ int fd = -1;
	bool held;
	ssize_t n;
	mode_t mask;
	int ret;

	/* who may push, the socket's own mode says */
	mask = umask(0022);
	ret = mkdir(PUSH_DIR, 0755) && errno != EEXIST ? errno : 0;
	umask(mask);
	if (ret)
		return err_set(err, ret, PUSH_DIR ": cannot make it: %s", strerror(ret));
	path_of(name, path);
	fd = lock_file(path, O_CREAT, &held);
	if (fd < 0)
		return err_set(err, -fd, "%s: %s", path, strerror(-fd));
	if (!held) {
		n = pread(fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		return err_set(err, EBUSY, "%s: an agent is running already (process %s)", name,
			       pid[0] ? pid : "unknown");
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, n, 0) != n)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	ret = fd;
	fd = -1;
	return ret;
}

void lock_drop(const char *name, int fd)
{
	char path[PATH_MAX_BYTES];

	if (!push_path(name, path, sizeof(path)))
		unlink(path);
	path_of(name, path);
	unlink(path);
	close(fd);
}

void lock_sweep(const char *name)
{
	char path[PATH_MAX_BYTES];
	bool held;
	int fd;

	path_of(name, path);
	fd = lock_file(path, 0, &held);
	if (fd >= 0 && held)
		lock_drop(name, fd);
	else if (fd >= 0)
		close(fd);
}
