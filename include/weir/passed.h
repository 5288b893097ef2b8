/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * passed.h: what bpf/passed.bpf.c tells the agent, in memory that both share. No pinned map: no
 * part of the ABI.
 */
#ifndef WEIR_PASSED_H
#define WEIR_PASSED_H

#include "abi.h"

#define WEIR_PASSED_MAX 64		/* classes at once */

/* What weir has let pass of a class, on the wire. */
struct weir_passed {
	__u64 bytes, packets;
};

/* What is asked for: so many classes from that slot on. */
struct weir_passed_ask {
	__u32 slot, n;
};

#endif
