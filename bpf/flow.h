/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow.h: the flow cache and the buckets: one lookup for an established flow; a new one is let in
 * by the doorkeeper when it is seen a second time, so that a flood of one-packet flows evicts
 * nobody. Owns the entries' birth and their class; the clocks in them belong to charge.h.
 */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "classify.h"
#include "window.h"

#define WEIR_DOOR_MS 10000		/* a fingerprint older than this is forgotten */
#define WEIR_TABLE_NS 2000000000ULL	/* a table is not replaced in less than this */
#define WEIR_EEXIST 17
#define WEIR_SOCK_RAW 3

/* what a new entry starts as: too large for the stack */
const volatile struct weir_flow blank_flow = {
	.bucket = { .window = ~0U },	/* none: its first packet is seen as such */
};

static __always_inline __u64 weir_hash(const struct weir_flow_key *key)
{
	const __u32 *words = (const __u32 *)key;
	__u64 h = 0x9e3779b97f4a7c15ULL;
	int i;

	for (i = 0; i < (int)sizeof(*key) / 4; i++)
		h = (h ^ words[i]) * 0xff51afd7ed558ccdULL;
	return h ^ (h >> 32);
}

/* has this flow knocked before? */
static __always_inline int weir_door(const struct weir_flow_key *key, __u64 now)
{
	__u64 hash = weir_hash(key);
	__u32 at = hash & (WEIR_DOOR_SLOTS - 1), fingerprint = (__u32)(hash >> 24) | 1;
	__u32 now_ms = now / 1000000;
	struct weir_door *slot = bpf_map_lookup_elem(&door, &at);

	if (!slot)
		return 1;
	if (slot->fingerprint == fingerprint && now_ms - slot->seen_ms < WEIR_DOOR_MS)
		return 1;
	slot->fingerprint = fingerprint;
	slot->seen_ms = now_ms;
	return 0;
}

/*
 * Makes an entry, where the table admits one: 1; 0: another CPU just did; -1: there is none. A
 * table that has been filled evicts one for each; how fast is bounded, an eighth of the table at
 * once, then half of it in a second. So what is evicted has been silent for most of a second, and
 * the burst that it comes back with is one that it has earned; and more flows than the table holds
 * cannot push each other out at every packet: who is not let in passes under its class, as
 * "no-flow".
 */
static __always_inline int weir_table_add(void *map, enum weir_table_index which, __u32 entries,
					  const void *key, const void *blank, __u64 now)
{
	__u64 cost = entries ? WEIR_TABLE_NS / entries : 0;
	__u32 at = which;
	struct weir_table *table = bpf_map_lookup_elem(&tables, &at);
	long rc = -1;

	if (!table || !entries)
		return -1;
	if (table->made < entries)
		cost = 0;
	if (!cost || weir_charge_within(&table->tat, now, cost, WEIR_TABLE_NS / 8))
		rc = bpf_map_update_elem(map, key, blank, BPF_NOEXIST);
	if (rc == -WEIR_EEXIST) {
		if (cost)
			weir_refund(&table->tat, cost);
		return 0;
	}
	__sync_fetch_and_add(rc ? &table->refused : &table->made, 1);
	return rc ? -1 : 1;
}

/* does the device keep departure times? */
static __always_inline __u32 weir_device_flags(const struct weir_flow_key *key)
{
	struct weir_dev_key at = { .ifindex = key->ifindex, .hook = key->hook };
	const struct weir_dev *dev = bpf_map_lookup_elem(&devices, &at);

	return dev ? dev->flags : 0;
}

/*
 * The local TCP socket that sends this packet, or NULL; ingress packets have none. A raw one is the
 * kernel's own, by which it answers for connections that are not there: to whoever asks.
 */
static __always_inline struct bpf_sock *weir_socket(struct __sk_buff *skb,
						    const struct weir_packet *p)
{
	struct bpf_sock *sk;

	if (p->key.hook != WEIR_EGRESS || p->key.proto != IPPROTO_TCP)
		return NULL;
	sk = skb->sk;
	if (!sk)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == IPPROTO_TCP && sk->type != WEIR_SOCK_RAW ? sk : NULL;
}

/* WEIR_FLOW_LOCAL or 0: a SYN-ACK has no socket yet, but what follows it has */
static __always_inline __u32 weir_local(struct __sk_buff *skb, const struct weir_packet *p)
{
	struct bpf_sock *sk = skb->sk;

	if (weir_socket(skb, p))
		return WEIR_FLOW_LOCAL;
	return p->key.hook == WEIR_EGRESS && p->key.proto == IPPROTO_TCP && sk &&
	       sk->state == BPF_TCP_NEW_SYN_RECV ? WEIR_FLOW_LOCAL : 0;
}

/* a flow's class and the generation that it is of: read and written as one, by all CPUs */
union weir_flow_head {
	__u64 whole;
	struct {
		__u32 generation;
		__u16 class_slot;
		__u16 flags;
	};
};

static __always_inline volatile __u64 *weir_flow_head(struct weir_flow *flow)
{
	return (volatile __u64 *)&flow->generation;
}

/* its socket follows: said beside another CPU that may give the flow its class just now */
static __always_inline void weir_flow_actuated(struct weir_flow *flow)
{
	union weir_flow_head actuated = { .flags = WEIR_FLOW_ACTUATED };

	if (!(flow->flags & WEIR_FLOW_ACTUATED))
		__sync_fetch_and_or(weir_flow_head(flow), actuated.whole);
}

/* the flow's class and what its device and sender can do, under this generation */
static __always_inline void weir_flow_classify(struct __sk_buff *skb, const struct weir_packet *p,
					       struct weir_flow *flow, __u32 generation, __u32 slot)
{
	__u32 flags = weir_local(skb, p), at;
	union weir_flow_head head;

	/* the kernel takes a departure time for IP alone, not behind a tag in the frame */
	if ((skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6)) &&
	    weir_device_flags(&p->key) & WEIR_DEV_EDT)
		flags |= WEIR_FLOW_EDT;
	at = (generation & 1) * WEIR_MAX_CLASSES + slot;
	weir_window_move(flow, bpf_map_lookup_elem(&classes, &at),
			 bpf_map_lookup_elem(&class_state, &slot), slot,
			 flow->generation == generation);
	head.generation = generation;
	head.class_slot = slot;
	head.flags = flags | (flow->flags & WEIR_FLOW_ACTUATED);
	/* asked anew, or taken back: what the socket was asked is of another policy */
	flow->sk_rate = flow->sk_rate != 0;
	flow->mark = skb->mark;
	flow->dscp = p->dscp;
	*weir_flow_head(flow) = head.whole;
}

/*
 * A connection with the addresses and ports of one before it: what the limits have learned of that
 * one's sender, at the level of then, and what its socket was asked are not its own. Its clock and
 * its counters go on.
 */
static __always_inline void weir_flow_anew(struct weir_flow *flow, __u64 now)
{
	flow->bucket.depth_us = 0;
	flow->bucket.low_us = 0;
	flow->bucket.flags &= ~(WEIR_BUCKET_MARKED | WEIR_BUCKET_SEQ);
	flow->flags &= ~WEIR_FLOW_ACTUATED;
	flow->first_seen_ns = now;
}

/*
 * A flow that is not in the table, or whose class is of an older policy; or one that a SYN begins
 * anew. Makes the entry where the doorkeeper lets it in (a local socket's always: nobody can spoof
 * it). Returns 0, or the reason why there is no entry; *slot is its class either way. A global
 * function: the verifier looks at it once, not once for each way that leads here.
 */
__attribute__((noinline)) int weir_flow_new(struct __sk_buff *skb, struct weir_packet *p, __u64 now,
					    __u32 generation, __u32 *slot)
{
	struct weir_class_stats *stats;
	struct weir_flow_key key;
	struct weir_flow *flow;
	__u32 at;
	int made;

	if (!p || !slot)
		return WEIR_R_NO_FLOW;
	key = p->key;			/* kernel 6.1 wants a map's key on the stack */
	/* a packet inside belongs to the class of the outer, which is known */
	if (!(key.flags & WEIR_KEY_INNER))
		*slot = weir_classify(skb, p, generation);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow) {
		if (p->flags & WEIR_P_SYN)
			weir_flow_anew(flow, now);
		weir_flow_classify(skb, p, flow, generation, *slot);
		return 0;
	}
	if (!weir_socket(skb, p) && !weir_door(&key, now))
		return WEIR_R_NEWCOMER;
	made = weir_table_add(&flows, WEIR_TABLE_FLOWS, WEIR_ENTRIES(flows), &key,
			      (const void *)&blank_flow, now);
	flow = made < 0 ? NULL : bpf_map_lookup_elem(&flows, &key);
	if (!flow)
		return WEIR_R_NO_FLOW;
	if (made) {
		at = *slot;
		stats = bpf_map_lookup_elem(&class_stats, &at);
		if (stats)
			stats->flows++;
		flow->first_seen_ns = now;
		flow->rate_at_ns = now;
	}
	weir_flow_classify(skb, p, flow, generation, *slot);
	return 0;
}

/* what rules ask of a packet and is no part of its flow's key is another */
static __always_inline int weir_flow_differs(const struct __sk_buff *skb,
					     const struct weir_packet *p,
					     const struct weir_flow *flow, __u32 fields)
{
	return (fields & WEIR_M_MARK && flow->mark != skb->mark) ||
	       (fields & WEIR_M_DSCP && flow->dscp != p->dscp);
}

/*
 * The time, where it is not known yet, and the packet's flow, or NULL: *slot and *why then tell its
 * class and the reason.
 */
static __always_inline struct weir_flow *weir_flow_get(struct __sk_buff *skb, struct weir_packet *p,
						       __u64 *now, __u32 generation, __u32 fields,
						       __u32 *slot, enum weir_reason *why)
{
	struct weir_flow *flow = bpf_map_lookup_elem(&flows, &p->key);
	union weir_flow_head head = {};

	if (flow)
		head.whole = *weir_flow_head(flow);
	/* one inside is of its outer's class, which may be another tunnel's now */
	if (!flow || ((head.generation ^ generation) | (p->flags & WEIR_P_SYN)) ||
	    weir_flow_differs(skb, p, flow, fields) ||
	    (p->key.flags & WEIR_KEY_INNER && head.class_slot != *slot)) {
		if (!*now)
			*now = weir_now(skb, 0);
		*why = weir_flow_new(skb, p, *now, generation, slot);
		if (*why)
			return NULL;
		flow = bpf_map_lookup_elem(&flows, &p->key);
		if (!flow)
			*why = WEIR_R_NO_FLOW;
		return flow;
	}
	if (!*now)
		*now = weir_now(skb, (head.flags & (WEIR_FLOW_LOCAL | WEIR_FLOW_EDT)) ==
				     WEIR_FLOW_LOCAL);
	*slot = head.class_slot;
	*why = WEIR_R_UNLIMITED;
	return flow;
}

static __always_inline void weir_mask(__u8 id[16], const __u8 addr[16], __u32 family, __u32 plen4,
				      __u32 plen6)
{
	__u32 bits = family == 4 ? 96 + plen4 : plen6;
	__u32 *to = (__u32 *)id;
	const __u32 *from = (const __u32 *)addr;
	__u32 i;

	for (i = 0; i < 4; i++) {
		__u32 n = bits > 32 * i ? bits - 32 * i : 0;

		to[i] = n >= 32 ? from[i] : n ? from[i] & bpf_htonl(~0U << (32 - n)) : 0;
	}
}

/* Fills key->id; global, so that its many ways stay out of the caller's. */
__attribute__((noinline)) int weir_bucket_id(struct __sk_buff *skb, const struct weir_packet *p,
					     struct weir_bucket_key *key, __u32 plen4, __u32 plen6)
{
	if (!p || !key)
		return -1;
	switch (key->per) {
	case WEIR_PER_SRC:
		key->tunnel = p->key.tunnel;
		weir_mask(key->id, p->key.src, p->key.family, plen4, plen6);
		break;
	case WEIR_PER_DST:
		key->tunnel = p->key.tunnel;
		weir_mask(key->id, p->key.dst, p->key.family, plen4, plen6);
		break;
	case WEIR_PER_DSCP:
		key->id[0] = p->dscp;
		break;
	case WEIR_PER_CGROUP:
		if (p->key.hook == WEIR_EGRESS)
			*(__u64 *)key->id = bpf_skb_cgroup_id(skb);
		break;
	}
	return 0;
}

/*
 * The bucket that the packet is charged to: the flow's own, or the one its class's key names. Only
 * an established flow makes one: a flood of forged addresses evicts nobody's.
 */
static __always_inline struct weir_bucket *weir_bucket_get(struct __sk_buff *skb,
							   const struct weir_packet *p,
							   const struct weir_class *class,
							   struct weir_flow *flow, __u32 slot,
							   __u64 now)
{
	struct weir_bucket_key key = {
		.class_slot = slot, .per = class->per, .hook = p->key.hook,
		.ifindex = p->key.ifindex,
	};
	struct weir_bucket *bucket;

	if (class->per == WEIR_PER_FLOW)
		return flow ? &flow->bucket : NULL;
	weir_bucket_id(skb, p, &key, class->plen4, class->plen6);
	bucket = bpf_map_lookup_elem(&buckets, &key);
	if (bucket || !flow)
		return bucket;
	if (weir_table_add(&buckets, WEIR_TABLE_BUCKETS, WEIR_ENTRIES(buckets), &key,
			   (const void *)&blank_flow.bucket, now) < 0)
		return NULL;
	return bpf_map_lookup_elem(&buckets, &key);
}

#endif
