/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * filter.h: what filters there are on clsact, and the one that hook.c cannot make with libbpf: a
 * program whose match sends the packet to another device. Acts in the network namespace that the
 * caller is in.
 */
#ifndef WEIR_FILTER_H
#define WEIR_FILTER_H

#include <stdbool.h>
#include <weir/abi.h>
#include "util.h"

#define FILTER_LAST 0xffff		/* the lowest place, where the queue's filter is */

struct filter_count {
	size_t before, at, behind;	/* of a lower, the same and a higher priority */
};

/* The filters at a hook; the device has clsact or ingress. 0, or the kernel's -errno. */
int filter_count(__u32 ifindex, enum weir_hook hook, __u32 priority, struct filter_count *ret);

/* The ids of the BPF programs among them; how many, 0 also where there is no clsact. */
size_t filter_programs(__u32 ifindex, enum weir_hook hook, __u32 *ids, size_t max);

/*
 * At ingress, behind all others: what the program matches goes to the device `to`. -EEXIST where
 * it is there, unless it is to be replaced, which is at once.
 */
int filter_queue_put(__u32 ifindex, int prog_fd, __u32 to, bool replace, struct err *err);

/* 0 also where there is none. */
int filter_queue_del(__u32 ifindex, struct err *err);

#endif
