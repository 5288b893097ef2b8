/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay.h: what bpf/replay.bpf.c and user/dp_replay.c hand to each other: a batch of packets with
 * their times, and what the datapath made of each. Never pinned, so no part of the ABI.
 */
#ifndef WEIR_REPLAY_H
#define WEIR_REPLAY_H

#include <linux/types.h>

#define WEIR_REPLAY_BATCH 1024		/* packets; a power of two */
#define WEIR_REPLAY_DATA 192		/* bytes of each: all headers, also those in a tunnel */

#define WEIR_REPLAY_UNTOLD 0x80000000U	/* the packet passed before any verdict, for that reason */

struct weir_replay_slot {
	/* in */
	__u64 now_ns;
	__u32 len;			/* of the whole packet */
	__u32 reason;			/* in case that no verdict is reached: enum weir_reason */

	/* out */
	__u64 departure_ns;		/* 0: at once */
	__u64 delay_ns;
	__u32 bytes;			/* as charged */
	__u32 told;			/* slot | reason << 16 | mark << 24 | WEIR_REPLAY_UNTOLD */
	__u32 verdict;			/* TC_ACT_* */
	__s32 error;			/* -errno: could not be made an skb */

	__u8 data[WEIR_REPLAY_DATA];
};

#endif
