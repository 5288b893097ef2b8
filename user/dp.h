/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dp.h: the datapath's life: open the skeletons, size the maps, load, pin, start the timer, and
 * remove it all again. The only module that includes a skeleton. What this kernel lacks is left
 * out program by program (the capability bits of probe.h) and said.
 */
#ifndef WEIR_DP_H
#define WEIR_DP_H

#include <weir/abi.h>
#include "pin.h"

#define DP_FLOWS_DEFAULT 131072

struct dp_options {
	__u32 max_flows;		/* 0: DP_FLOWS_DEFAULT */
};

/* Loads and pins a new instance; -EEXIST where there is one. Nothing is left behind on failure. */
int dp_create(const struct instance *instance, const struct dp_options *options, struct err *err);

/* Gives sockets their own pacing back, then removes every pin of the instance. */
int dp_destroy(const struct instance *instance, struct err *err);

/* Pinned program of a hook, for attaching: "egress", "ingress", "egress_l3", "ingress_l3". */
int dp_program_fd(const struct instance *instance, enum weir_hook hook, bool l3, struct err *err);

/*
 * Walks the TCP sockets of the namespace that were there before weir: lets their pacing follow
 * from now on (kernel 6.12), or sets it once. Called after attach and after a policy change.
 */
int dp_sockets_walk(const struct instance *instance, struct err *err);

#endif
