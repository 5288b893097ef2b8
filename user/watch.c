// SPDX-License-Identifier: GPL-2.0-only
/*
 * watch.c: listens to rtnetlink. With qdisc.c the only module that speaks it; asks nothing,
 * changes nothing.
 */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "watch.h"

#define BYTES 32768

struct watch {
	struct mnl_socket *socket;
	char buf[BYTES];
};

int watch_open(struct watch **ret, struct err *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r = 0;

	if (!watch)
		return err_set(err, ENOMEM, "out of memory");
	watch->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->socket ||
	    mnl_socket_bind(watch->socket, RTMGRP_LINK | RTMGRP_TC, MNL_SOCKET_AUTOPID) < 0) {
		r = err_set(err, errno, "cannot watch devices: %s", strerror(errno));
		watch_close(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->socket)
		mnl_socket_close(watch->socket);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return mnl_socket_get_fd(watch->socket);
}

bool watch_read(struct watch *watch)
{
	bool changed = false;
	ssize_t n;

	while ((n = mnl_socket_recvfrom(watch->socket, watch->buf, BYTES)) != 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)watch->buf;
		int left = n;

		if (n < 0 && errno == ENOBUFS) {
			changed = true;
			continue;
		}
		if (n < 0)
			break;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			changed |= nlh->nlmsg_type != NLMSG_DONE && nlh->nlmsg_type != NLMSG_ERROR;
	}
	return changed;
}
