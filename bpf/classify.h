/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * classify.h: which class a packet belongs to: the rules of the live bank in order, the first
 * match wins, class 0 ("default") where none does. Runs on a flow's first packet and again after
 * a policy change, or where a packet's mark or DSCP is another; changes nothing.
 */
#ifndef WEIR_CLASSIFY_H
#define WEIR_CLASSIFY_H

#include "maps.h"
#include "skb.h"

struct weir_match_context {
	struct __sk_buff *skb;
	const struct weir_packet *packet;
	__u32 base;			/* of the bank in map "rules" */
	__u32 slot;			/* the answer */
};

/* IPv4 is kept as ::ffff:a.b.c.d: a shorter prefix than that, ::/0 say, means IPv6 alone */
static __always_inline int weir_in_prefixes(const struct weir_flow_key *key, const __u8 addr[16],
					    const struct weir_prefix *list, __u32 n)
{
	const __u64 *a = (const __u64 *)addr;
	__u32 i;

	for (i = 0; i < WEIR_PREFIXES; i++) {
		const __u64 *want = (const __u64 *)list[i].addr;
		const __u64 *mask = (const __u64 *)list[i].mask;

		if (i < n && (key->family != 4 || list[i].mask[11] == 0xff) &&
		    (a[0] & mask[0]) == want[0] && (a[1] & mask[1]) == want[1])
			return 1;
	}
	return 0;
}

static __always_inline int weir_in_ranges(__u16 port, const struct weir_range *list, __u32 n)
{
	__u32 i;

	for (i = 0; i < WEIR_PORT_RANGES; i++)
		if (i < n && port >= list[i].lo && port <= list[i].hi)
			return 1;
	return 0;
}

static __always_inline int weir_has_ports(const struct weir_flow_key *key)
{
	return !(key->flags & WEIR_KEY_FRAG) &&
	       (key->proto == IPPROTO_TCP || key->proto == IPPROTO_UDP ||
		key->proto == IPPROTO_UDPLITE || key->proto == IPPROTO_SCTP);
}

static __always_inline int weir_rule_matches(const struct weir_rule *rule,
					     const struct weir_match_context *m)
{
	const struct weir_packet *p = m->packet;
	const struct weir_flow_key *key = &p->key;
	__u32 fields = rule->fields;
	int i, ok;

	if ((fields & WEIR_M_DEV) && rule->ifindex != key->ifindex)
		return 0;
	if ((fields & WEIR_M_HOOK) && rule->hook != key->hook)
		return 0;
	if (fields & WEIR_M_PROTO) {
		for (i = 0, ok = 0; i < WEIR_PROTOS; i++)
			ok |= i < rule->n_proto && rule->proto[i] == key->proto;
		if (!ok)
			return 0;
	}
	if ((fields & (WEIR_M_SPORT | WEIR_M_DPORT)) && !weir_has_ports(key))
		return 0;
	if ((fields & WEIR_M_DPORT) &&
	    !weir_in_ranges(bpf_ntohs(key->dport), rule->dport, rule->n_dport))
		return 0;
	if ((fields & WEIR_M_SPORT) &&
	    !weir_in_ranges(bpf_ntohs(key->sport), rule->sport, rule->n_sport))
		return 0;
	if ((fields & WEIR_M_DST) && !weir_in_prefixes(key, key->dst, rule->dst, rule->n_dst))
		return 0;
	if ((fields & WEIR_M_SRC) && !weir_in_prefixes(key, key->src, rule->src, rule->n_src))
		return 0;
	if ((fields & WEIR_M_DSCP) && !(rule->dscp >> (p->dscp & 63) & 1))
		return 0;
	if ((fields & WEIR_M_MARK) && (m->skb->mark & rule->mark_mask) != rule->mark)
		return 0;
	if ((fields & WEIR_M_CGROUP) &&
	    (key->hook != WEIR_EGRESS ||
	     bpf_skb_ancestor_cgroup_id(m->skb, rule->cgroup_level) != rule->cgroup_id))
		return 0;
	return 1;
}

static long weir_match_one(__u32 index, void *context)
{
	struct weir_match_context *m = context;
	__u32 at = m->base + index;
	const struct weir_rule *rule = bpf_map_lookup_elem(&rules, &at);

	if (!rule)
		return 1;
	if (!weir_rule_matches(rule, m))
		return 0;
	m->slot = rule->class_slot;
	return 1;
}

static __always_inline __u32 weir_classify(struct __sk_buff *skb, const struct weir_packet *p,
					   __u32 generation)
{
	__u32 bank = generation & 1;
	struct weir_match_context m = {
		.skb = skb, .packet = p, .base = bank * WEIR_MAX_RULES,
	};
	const struct weir_policy *live = bpf_map_lookup_elem(&policy, &bank);

	if (live && live->n_rules)
		bpf_loop(live->n_rules, weir_match_one, &m, 0);
	return m.slot;
}

#endif
