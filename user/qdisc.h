/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qdisc.h: rtnetlink through libmnl: what is at a device's root, put fq there, put back what was
 * there; clsact and its filters. The only module that speaks rtnetlink for qdiscs. Acts in the
 * network namespace that the caller is in.
 */
#ifndef WEIR_QDISC_H
#define WEIR_QDISC_H

#include <stdbool.h>
#include <weir/abi.h>
#include "filter.h"

/* Keeps what is noted in dev, before anything is changed. */
struct qdisc_keeper {
	int (*keep)(const struct weir_dev *dev, void *arg, struct err *err);
	void *arg;
};

/*
 * Puts fq at the root (under mq: at every leaf) where what is there is the kernel's default or a
 * classless qdisc that can be put back, and notes in dev what that was; the keeper, which may be
 * NULL, is told of it first. 1: another's fq was there: err is empty, or says what it drops;
 * -EBUSY: a configured qdisc that weir will not touch; -ENOENT: this kernel has no fq.
 */
int qdisc_fq_put(__u32 ifindex, struct weir_dev *dev, const struct qdisc_keeper *keeper,
		 struct err *err);

/* Puts back what qdisc_fq_put noted; leaves alone what another has put there since. */
int qdisc_fq_restore(__u32 ifindex, const struct weir_dev *dev, struct err *err);

/*
 * Does the root, or every mq leaf, keep departure times (fq, etf)? And is the root the kernel's
 * default (may be NULL)?
 */
int qdisc_keeps_edt(__u32 ifindex, bool *ret_yes, bool *ret_default, struct err *err);

/*
 * The clsact qdisc: 1 made, 0 was there (for the ingress hook an `ingress` qdisc will do).
 * Removed only when it is clsact and holds no filter.
 */
int qdisc_clsact_make(__u32 ifindex, enum weir_hook hook, struct err *err);
int qdisc_clsact_remove_if_empty(__u32 ifindex, struct err *err);

/* The filters at that hook of clsact beside a priority; none where there is no clsact. */
int qdisc_clsact_others(__u32 ifindex, enum weir_hook hook, __u32 priority,
			struct filter_count *ret, struct err *err);

#endif
