// SPDX-License-Identifier: GPL-2.0-only
/*
 * die.c: preloaded into a weir command, kills it right behind the Nth of the calls that change
 * something outside of it: maps, pins, links, qdiscs, filters, devices, files. N is
 * WEIR_DIE_AFTER; a command that makes fewer of them runs to its end. So a test can try every
 * place at which a command may die, one after the other.
 */
#include <dlfcn.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void did(void)
{
	static long left = -1;

	if (left < 0) {
		const char *after = getenv("WEIR_DIE_AFTER");

		left = after ? strtol(after, NULL, 10) : 0;
	}
	if (left && !--left)
		kill(getpid(), SIGKILL);
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* libbpf comes to the kernel by syscall() */
static int changes(long command)
{
	switch (command) {
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_OBJ_PIN:
	case BPF_LINK_CREATE:
	case BPF_LINK_DETACH:
	case BPF_PROG_TEST_RUN:
		return 1;
	}
	return 0;
}

long syscall(long number, ...)
{
	long (*real)(long, ...) = next("syscall");
	long args[6], ret;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	ret = real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (number == SYS_bpf && changes(args[0]))
		did();
	return ret;
}

/* rtnetlink: done when the request has been sent */
#define WRAP(type, name, parameters, ...) \
	type name parameters \
	{ \
		type (*real) parameters = next(#name); \
		type ret = real(__VA_ARGS__); \
\
		did(); \
		return ret; \
	}

WRAP(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
		       socklen_t length), fd, buf, n, flags, to, length)
WRAP(ssize_t, send, (int fd, const void *buf, size_t n, int flags), fd, buf, n, flags)
WRAP(int, mkdir, (const char *path, mode_t mode), path, mode)
WRAP(int, rmdir, (const char *path), path)
WRAP(int, unlink, (const char *path), path)
WRAP(int, unlinkat, (int dir, const char *path, int flags), dir, path, flags)
WRAP(int, symlink, (const char *target, const char *path), target, path)
