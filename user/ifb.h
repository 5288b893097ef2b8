/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ifb.h: the queue of what arrives: a device of kind ifb with fq at its root, one for each ingress
 * hook that can delay. The datapath sends packets there (bpf/act.h); they come back to the device
 * that they arrived at when it is time. Acts in the network namespace that the caller is in.
 */
#ifndef WEIR_IFB_H
#define WEIR_IFB_H

#include <weir/abi.h>
#include "maps.h"

/*
 * Makes it, and records each step before it is taken; prog_fd (dp_queue_fd) is of the program that
 * picks its packets beside a filter. On failure nothing of it remains; -ENOENT, -EOPNOTSUPP: this
 * kernel has no fq, or no ifb.
 */
int ifb_put(const struct maps *maps, const struct weir_dev_key *key, int prog_fd,
	    struct weir_dev *dev, struct err *err);

/* Deletes it and what waits in it, and forgets it in dev; recording that is the caller's. */
int ifb_remove(const struct weir_dev_key *key, struct weir_dev *dev, struct err *err);

/* How many filters it has at the hook, behind weir's own. */
unsigned int ifb_filters(const struct weir_dev *dev);

/* Is it there, up, and does it keep departure times? */
bool ifb_works(const struct weir_dev_key *key, const struct weir_dev *dev);

#endif
