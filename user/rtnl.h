/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnl.h: one rtnetlink request and its answers, for qdisc.c, filter.c and link.c. Acts in the
 * network namespace that the caller is in.
 */
#ifndef WEIR_RTNL_H
#define WEIR_RTNL_H

#include <libmnl/libmnl.h>
#include <linux/types.h>
#include "util.h"

#define RTNL_BYTES 2048			/* room for a request */

/* Sends and takes every answer. 0, or the kernel's -errno. */
int rtnl_talk(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);

/* Begins a request about a device's qdiscs or filters in a buffer of RTNL_BYTES. */
struct tcmsg *rtnl_tc(void *buf, __u16 type, __u16 flags, __u32 ifindex);

#endif
