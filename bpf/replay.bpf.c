// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay.bpf.c: drives the datapath through a batch of packets in one system call: each run of a
 * BPF_PROG_TEST_RUN with repeat takes the next packet, makes it the skb's, and calls the very
 * program that is attached to devices, by a tail call from a function of its own, so that it comes
 * back here. An object apart: the datapath does not know it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <weir/replay.h>
#include "replay_maps.h"

/*
 * Shared with user space, which sets `at` to 0 and reads it after an interrupted call. With `alone`
 * the packet came with the call itself.
 */
__u32 at, alone;
struct weir_replay_slot slots[WEIR_REPLAY_BATCH];

/* The value is the called program's: for a constant here a verifier would know no other. */
static __noinline int weir_replay_call(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &program, 0);
	return skb->cb[4];
}

/*
 * The slot's bytes become the packet's. The kernel derives the protocol once, when it makes the
 * skb; changing it moves room for 20 bytes in or out, behind what is looked at. A packet that is
 * not IP keeps what is there: nothing but its bytes is asked.
 */
static __always_inline long weir_replay_load(struct __sk_buff *skb,
					     const struct weir_replay_slot *slot)
{
	__be16 type = *(const __be16 *)&slot->data[2 * ETH_ALEN];
	long failed = 0;

	if (type != skb->protocol &&
	    (type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6)))
		failed = bpf_skb_change_proto(skb, type, 0);
	return failed ? failed : bpf_skb_store_bytes(skb, 0, slot->data, WEIR_REPLAY_DATA, 0);
}

SEC("tc")
int weir_replay(struct __sk_buff *skb)
{
	struct weir_replay_slot *slot = &slots[at++ & (WEIR_REPLAY_BATCH - 1)];
	__u32 verdict;

	slot->error = alone ? 0 : weir_replay_load(skb, slot);
	if (slot->error)
		return 0;
	skb->tstamp = 0;
	skb->cb[0] = (__u32)slot->now_ns;
	skb->cb[1] = slot->now_ns >> 32;
	skb->cb[2] = slot->len;
	skb->cb[3] = slot->len;
	skb->cb[4] = slot->reason << 16 | WEIR_REPLAY_UNTOLD;
	verdict = weir_replay_call(skb);
	slot->verdict = verdict;
	slot->departure_ns = skb->tstamp;
	slot->told = skb->cb[4];
	slot->bytes = skb->cb[3];
	slot->delay_ns = slot->told & WEIR_REPLAY_UNTOLD ? 0 : (__u64)skb->cb[1] << 32 | skb->cb[0];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
