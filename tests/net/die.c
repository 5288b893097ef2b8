// SPDX-License-Identifier: GPL-2.0-only
/*
 * die.c: preloaded into a weir command, kills it right behind the Nth of the calls that change
 * something outside of it: maps, pins, links, qdiscs, filters, devices, files. N is
 * WEIR_DIE_AFTER; a command that makes fewer of them runs to its end. So a test can try every
 * place at which a command may die, one after the other. Or it has the Nth of them fail, where
 * WEIR_FAIL_AT says so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* is it the one whose number the variable has? */
static int is_due(const char *variable, long *left)
{
	if (*left < 0) {
		const char *number = getenv(variable);

		*left = number ? strtol(number, NULL, 10) : 0;
	}
	return *left && !--*left;
}

static void did(void)
{
	static long left = -1;

	if (is_due("WEIR_DIE_AFTER", &left))
		kill(getpid(), SIGKILL);
}

/* -1, with errno, where the kernel is not to be asked at all */
static int fails(void)
{
	static long left = -1;

	if (!is_due("WEIR_FAIL_AT", &left))
		return 0;
	errno = ENOMEM;
	return -1;
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
	case BPF_LINK_UPDATE:
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
	if (number == SYS_bpf && changes(args[0]) && fails())
		return -1;
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
		type ret = fails() ? -1 : real(__VA_ARGS__); \
\
		did(); \
		return ret; \
	}

WRAP(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
		       socklen_t length), fd, buf, n, flags, to, length)
WRAP(ssize_t, send, (int fd, const void *buf, size_t n, int flags), fd, buf, n, flags)
WRAP(int, rename, (const char *from, const char *to), from, to)
WRAP(int, mkdir, (const char *path, mode_t mode), path, mode)
WRAP(int, rmdir, (const char *path), path)
WRAP(int, unlink, (const char *path), path)
WRAP(int, unlinkat, (int dir, const char *path, int flags), dir, path, flags)
WRAP(int, symlink, (const char *target, const char *path), target, path)
