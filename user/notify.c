// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify.c: the datagram of sd_notify(3). What goes wrong here is nobody's trouble.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "log.h"
#include "notify.h"
#include "quantity.h"

static int notify_fd = -1;

void notify_open(void)
{
	if (notify_fd < 0 && getenv("NOTIFY_SOCKET"))
		notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;

	if (!n || (path[0] != '/' && path[0] != '@') || n >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, n);
	if (path[0] == '@')
		address.sun_path[0] = '\0';	/* of the abstract kind */
	if (sendto(notify_fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   offsetof(struct sockaddr_un, sun_path) + n) < 0)
		log_debug("NOTIFY_SOCKET %s: %s", path, strerror(errno));
}

__u64 notify_watchdog_us(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct err ignored;
	__u64 us, owner;

	if (!text || quantity_count(text, 1, 1ULL << 40, &us, &ignored))
		return 0;
	if (pid && (quantity_count(pid, 1, 1U << 31, &owner, &ignored) ||
		    owner != (__u64)getpid()))
		return 0;
	return us;
}
