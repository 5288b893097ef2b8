/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inner.h: what only some packets need, behind one test of their flags: later fragments get the
 * ports of their first, and packets of a tunnel are looked into. Owns map "fragments"; decides
 * nothing and writes no skb.
 */
#ifndef WEIR_INNER_H
#define WEIR_INNER_H

#include "maps.h"
#include "skb.h"
#include "tunnel.h"

__attribute__((noinline)) int weir_fragment(struct weir_packet *p, __u64 now)
{
	struct weir_fragment first, *known;
	struct weir_flow_key key;

	if (!p)
		return 0;
	weir_fragment_key(p, &key);
	if (p->flags & WEIR_P_FIRST) {
		weir_fragment_note(&first, p, now);
		bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
		return 0;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (known)
		weir_fragment_follow(p, known, now);
	return 0;
}

/* a fragment: it reads the clock, which then is known */
static __always_inline void weir_look_fragment(struct __sk_buff *skb, struct weir_packet *p,
					       __u64 *now)
{
	if (!(p->flags & (WEIR_P_FIRST | WEIR_P_LATER)))
		return;
	*now = weir_now(skb, 0);
	weir_fragment(p, *now);
}

__attribute__((noinline)) int weir_find_inside(struct __sk_buff *skb, const struct weir_packet *p,
					       struct weir_inside *in)
{
	struct weir_cursor cursor = { .skb = skb };

	return p && in ? weir_tunnel(&cursor, p, in) : -1;
}

__attribute__((noinline)) int weir_enter(struct weir_packet *p, struct weir_inside *in, __u64 now)
{
	if (!p || !in)
		return 0;
	weir_tunnel_enter(p, in);
	if (p->flags & (WEIR_P_FIRST | WEIR_P_LATER))
		weir_fragment(p, now);
	return 1;
}

/*
 * A tunnel's packet: its segments get all their headers, and where `enter` says so the packet
 * inside takes p's place: then it returns 1. What is inside and cannot be parsed, or is not IP,
 * stays the outer's.
 */
static __always_inline int weir_look_inside(struct __sk_buff *skb, struct weir_packet *p,
					    __u64 now, int enter)
{
	struct weir_inside *in;
	__u32 zero = 0;

	if (!(p->flags & WEIR_P_TUNNEL) || !(enter || skb->gso_size))
		return 0;
	in = bpf_map_lookup_elem(&inside, &zero);
	if (!in || weir_find_inside(skb, p, in) ||
	    weir_parse_skb(skb, &in->packet, in->off, in->proto) != WEIR_R_CONFORM)
		return 0;
	weir_tunnel_headers(p, in);
	return enter ? weir_enter(p, in, now) : 0;
}

#endif
