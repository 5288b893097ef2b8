/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qdisc.h: rtnetlink through libmnl: what is at a device's root, put fq there, put back what was
 * there, what a link is. The only module that speaks rtnetlink for qdiscs and links. Acts in the
 * network namespace that the caller is in.
 */
#ifndef WEIR_QDISC_H
#define WEIR_QDISC_H

#include <stdbool.h>
#include <weir/abi.h>
#include "util.h"

struct qdisc_link {
	__u32 ifindex;
	unsigned short type;		/* ARPHRD_* */
	bool up;
	char name[16];			/* the real one, where an alternative name was asked for */
};

/* -ENODEV where there is no such link. */
int qdisc_link_get(const char *name, struct qdisc_link *ret_link, struct err *err);

/* Makes a link of that kind and name, for a probe in a namespace of its own. */
int qdisc_link_make(const char *kind, const char *name, struct err *err);

/*
 * Puts fq at the root (under mq: at every leaf) where what is there is the kernel's default or a
 * classless qdisc that can be put back, and notes in dev what that was. 1: fq was there already;
 * -EBUSY: a configured qdisc that weir will not touch; -ENOENT: this kernel has no fq.
 */
int qdisc_fq_put(__u32 ifindex, struct weir_dev *dev, struct err *err);

/* Puts back what qdisc_fq_put noted; leaves alone what another has put there since. */
int qdisc_fq_restore(__u32 ifindex, const struct weir_dev *dev, struct err *err);

/* Does the root, or every mq leaf, keep departure times (fq, etf)? */
int qdisc_keeps_edt(__u32 ifindex, bool *ret_yes, struct err *err);

/*
 * The clsact qdisc: 1 made, 0 was there (for the ingress hook an `ingress` qdisc will do).
 * Removed only when it is clsact and holds no filter.
 */
int qdisc_clsact_make(__u32 ifindex, enum weir_hook hook, struct err *err);
int qdisc_clsact_remove_if_empty(__u32 ifindex, struct err *err);

#endif
