// SPDX-License-Identifier: GPL-2.0-only
/*
 * rtnl.c: talks rtnetlink, a socket for each request. Knows no qdisc and no link.
 */
#include <linux/rtnetlink.h>
#include "rtnl.h"

#define ANSWER_BYTES 32768

static void mnl_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

int rtnl_talk(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	_cleanup_(mnl_close) struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_cleanup_free_ char *buf = malloc(ANSWER_BYTES);
	unsigned int port;
	ssize_t n;
	int rc;

	if (!buf)
		return -ENOMEM;
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	port = mnl_socket_get_portid(nl);
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, ANSWER_BYTES);
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, n, nlh->nlmsg_seq, port, cb, arg);
		if (rc < 0)
			return -errno;
	} while (rc > MNL_CB_STOP);
	return 0;
}

struct tcmsg *rtnl_tc(void *buf, __u16 type, __u16 flags, __u32 ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tcm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_ifindex = ifindex;
	return tcm;
}
