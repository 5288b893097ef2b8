/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * psi.h: pressure stall information of the machine or of a cgroup.
 */
#ifndef WEIR_PSI_H
#define WEIR_PSI_H

#include <linux/types.h>

/* How long some task has been stalled so far, in us; "psi RESOURCE [cgroup PATH]". */
int psi_read(const char *words, __u64 *ret_us);

#endif
