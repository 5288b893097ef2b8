/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * act.h: carries a verdict out: departure time, CE, what is asked of the local socket (sock.h does
 * it). The only place that writes an skb.
 */
#ifndef WEIR_ACT_H
#define WEIR_ACT_H

#include "charge.h"

/*
 * The departure that is asked for already, in the same clock: by TCP's own pacing, or by SO_TXTIME.
 * That has no type before kernel 6.11, as a time of arrival has none, and times of other clocks:
 * arrivals are not asked here, and no uptime has 60 bits (36 years), as those have since 2006.
 */
static __always_inline __u64 weir_asked_departure(const struct __sk_buff *skb, int hook)
{
	__u32 type = skb->tstamp_type;

	if (type == BPF_SKB_TSTAMP_DELIVERY_MONO || test_clock)
		return skb->tstamp;
	return hook == WEIR_EGRESS && !type && !(skb->tstamp >> 60) ? skb->tstamp : 0;
}

/*
 * Sets CE where the parser says. The kernel's helper trusts the skb's own network header, which is
 * wrong behind a VLAN tag in the frame and inside a tunnel, and refuses bytes that a clone shares:
 * there the bits are set by hand. IPv4's checksum makes up for them; IPv6 has none, so that a
 * checksum over the packet has to follow.
 */
static __always_inline int weir_set_ce(struct __sk_buff *skb, const struct weir_packet *p)
{
	__u32 l3 = p->l3, v4 = !(p->flags & WEIR_P_V6);
	__u8 old[2], new[2];

	if ((l3 == ETH_HLEN || l3 == 0) && bpf_skb_ecn_set_ce(skb) == 1)
		return 1;
	if (bpf_skb_load_bytes(skb, l3, old, 2))
		return 0;
	new[0] = old[0];
	new[1] = old[1] | (v4 ? 0x03 : 0x30);
	if (v4 && bpf_l3_csum_replace(skb, l3 + 10, *(__u16 *)old, *(__u16 *)new, 2))
		return 0;
	return !bpf_skb_store_bytes(skb, l3 + 1, &new[1], 1, v4 ? 0 : BPF_F_RECOMPUTE_CSUM);
}

/* A mark that could not be set is no mark. */
static __always_inline void weir_act(struct __sk_buff *skb, struct weir_job *job, int hook)
{
	struct weir_facts *f = &job->facts;
	__u64 departure = f->now + f->delay;

	if (f->mark && !weir_set_ce(skb, &job->packet)) {
		f->mark = 0;
		f->reason = f->delay ? WEIR_R_DELAYED : WEIR_R_CONFORM;
	}
	if (f->delay && departure > weir_asked_departure(skb, hook))
		bpf_skb_set_tstamp(skb, departure, BPF_SKB_TSTAMP_DELIVERY_MONO);
}

/* where what arrives here is delayed; 0: nowhere, or somebody has deleted it */
static __always_inline __u32 weir_ifb(struct __sk_buff *skb, __u32 *flags)
{
	struct weir_dev_key at = { .ifindex = skb->ifindex, .hook = WEIR_INGRESS };
	const struct weir_dev *dev = bpf_map_lookup_elem(&devices, &at);
	__u32 mtu = 0;

	if (!dev || !dev->ifb_ifindex || bpf_check_mtu(skb, dev->ifb_ifindex, &mtu, 0, 0) < 0)
		return 0;
	*flags = dev->flags;
	return dev->ifb_ifindex;
}

#define WEIR_CB_QUEUE 2			/* of cb[]: low half of the departure in the ifb */

/*
 * What arrives is delayed in the device's ifb (fq below it keeps the departure just set), and comes
 * back past this hook. Every packet of a class that delays goes that way, or one that need not
 * wait would overtake those that do.
 */
static __always_inline int weir_queue(struct __sk_buff *skb, const struct weir_job *job, int next)
{
	const struct weir_facts *f = &job->facts;
	__u32 flags = 0, ifb;

	if (job->class->action != WEIR_PACE || !(f->flags & WEIR_F_EDT) ||
	    !(f->npb_bucket | f->npb_class))
		return next;
	ifb = weir_ifb(skb, &flags);
	if (ifb && flags & WEIR_DEV_TCX)
		return bpf_redirect(ifb, 0);
	if (!ifb)
		return next;
	if (!f->delay && !weir_asked_departure(skb, WEIR_INGRESS))
		bpf_skb_set_tstamp(skb, f->now, BPF_SKB_TSTAMP_DELIVERY_MONO);
	skb->cb[WEIR_CB_QUEUE] = (__u32)skb->tstamp;
	return next;
}

/*
 * Beside filters another filter's action does it, the last one's: kernels before 6.4, which have no
 * tcx, lose what a program sends to an ifb. A departure alone tells nothing: a local TCP sender's
 * packets keep theirs on their way through a veth. What weir_queue() leaves beside it does.
 */
static __always_inline int weir_queued(struct __sk_buff *skb)
{
	__u64 departure = weir_asked_departure(skb, WEIR_INGRESS);

	return departure && skb->cb[WEIR_CB_QUEUE] == (__u32)departure ? -1 : 0;
}

/* in virtual time the verdict is told in what is left of cb[], for a replay to read */
static __always_inline void weir_tell(struct __sk_buff *skb, const struct weir_job *job)
{
	const struct weir_facts *f = &job->facts;

	if (!test_clock)
		return;
	skb->cb[0] = (__u32)f->delay;
	skb->cb[1] = f->delay >> 32;
	skb->cb[3] = f->bytes;
	skb->cb[4] = job->slot | f->reason << 16 | f->mark << 24;
}

/* payload's share of the wire bytes, over the last 64 KiB or so */
static __always_inline void weir_socket_ratio(struct weir_job *job)
{
	const struct weir_packet *p = &job->packet;
	struct weir_flow *flow = job->flow;
	__u32 payload = p->len > p->headers ? p->len - p->headers : 0;
	__s64 ratio;
	__u32 weight;

	if (p->flags & WEIR_P_CONTROL && flow->sk_ratio)
		return;
	ratio = payload ? ((__u64)payload << 16) / job->facts.bytes : (1448ULL << 16) / WEIR_MTU;
	weight = job->facts.bytes < 65536 ? job->facts.bytes : 65536;
	if (!flow->sk_ratio || flow->sk_ratio > 65536)
		flow->sk_ratio = ratio;
	else
		flow->sk_ratio += ((ratio - (__s64)flow->sk_ratio) * weight) >> 16;
}

#define WEIR_WISH_LEASED WEIR_MTU	/* where an agent moves the rate: a burst in 2 s */

/*
 * A cut finds all sockets at the ends of their bursts, and they all sleep for the same time. So
 * that they do not go on in step, each is steered to a debt of its own, up to a burst apart.
 */
static __always_inline __u64 weir_phase(const struct weir_flow *flow, __u64 npb)
{
	__u32 part = (__u32)(flow->first_seen_ns >> 4) * 0x9e3779b1U >> 22;

	return weir_cost(2 * WEIR_MTU, npb) * part >> 10;
}

/*
 * The pacing rate to ask for, payload bytes/s: rate * (1 - (debt - aim) / span), so that what went
 * too fast or too slow is made good within some spans, whatever the socket makes of the wish. A
 * span is several bursts long: TCP takes the wish for the pause after its next burst. A global
 * function: the verifier reads it once.
 */
__attribute__((noinline)) __u64 weir_socket_wish(const struct weir_facts *f,
						 const struct weir_class *class,
						 const struct weir_flow *flow)
{
	__u64 cost, aim, span, wish, debt, off, npb;
	__u32 leased;

	if (!f || !class || !flow)
		return 0;
	npb = f->npb_bucket ? f->npb_bucket : f->npb_class;
	leased = (f->flags & WEIR_F_LEASED) != 0;
	cost = weir_cost(f->bytes, npb);
	aim = weir_aim(npb) + leased * weir_phase(flow, npb);
	span = weir_max(class->drop_at_ns / 4, 4 * weir_max(aim, cost)) >> 10;
	wish = ((1000000000ULL << WEIR_NPB_SHIFT) / npb * flow->sk_ratio) >> 16;
	debt = f->npb_bucket ? f->debt_bucket : f->debt_class;
	/* fq paces what it sends, headers included, and keeps departure times: it only needs not
	 * to be slower, and what waits in it is no debt to be made good */
	if (f->flags & WEIR_F_EDT)
		return (1000000000ULL << WEIR_NPB_SHIFT) / npb * 33 / 32;
	if (debt > aim) {
		off = (debt - aim) >> 10;
		/* TCP fixes the pause after a burst when it sends it: a low wish lasts, and the
		 * longer where an agent has just cut the rate */
		if (off > span >> (1 + leased))
			off = span >> (1 + leased);
		wish -= wish * off / span;
	} else {
		off = (aim - debt) >> 10;
		if (off > span >> (4 + leased))
			off = span >> (4 + leased);
		wish += wish * off / span;
	}
	/* no later rate wakes a socket that sleeps */
	return weir_max(wish, leased ? WEIR_WISH_LEASED : 1);
}

/*
 * A packet may be of two classes, at two devices: the smaller rate holds, as long as both go on
 * asking. Unless this one is asked for anew, since its flow's class is another now.
 */
static __always_inline int weir_asked_less(const struct weir_sock *asked,
					   const struct weir_job *job, __u64 wish)
{
	/* with nothing asked, or nothing wished, minus one is the most that there is */
	return asked->class_slot != job->slot && asked->rate - 1 < wish - 1 &&
	       weir_asked_ago(asked->asked_at, job->facts.now) < WEIR_ASKED_STANDS &&
	       job->flow->sk_rate != 1;
}

/*
 * Asks the packet's own socket for the rate in force, or takes back what was asked where there is
 * none: also by the class of another device, which its packets leave by no more. sock.h carries it
 * into the socket at the next ACK. The storage is only looked up when the wish moved by 1/512, and
 * every 67 ms.
 */
#define WEIR_ASK_AGAIN_SHIFT 26
static __always_inline void weir_socket_pace(struct __sk_buff *skb, struct weir_job *job)
{
	struct weir_flow *flow = job->flow;
	const struct weir_facts *f = &job->facts;
	__u64 npb = f->npb_bucket ? f->npb_bucket : f->npb_class, wish = 0, moved;
	struct bpf_sock *sk;
	struct weir_sock *asked;

	if (npb && job->class->flags & WEIR_CLASS_SOCKET && job->class->action != WEIR_OBSERVE) {
		weir_socket_ratio(job);
		wish = weir_socket_wish(f, job->class, flow);
	}
	moved = wish > flow->sk_rate ? wish - flow->sk_rate : flow->sk_rate - wish;
	/* until the socket follows, look: a wish that never changes would not tell */
	if (!((f->now ^ flow->last_seen_ns) >> WEIR_ASK_AGAIN_SHIFT) &&
	    (flow->flags & WEIR_FLOW_ACTUATED || !wish ? moved <= flow->sk_rate >> 9 :
	     moved == 0 && f->now - flow->first_seen_ns > WEIR_ACTUATE_NS))
		return;
	sk = weir_socket(skb, &job->packet);
	if (!sk)
		return;
	asked = bpf_sk_storage_get(&sockets, sk, NULL, wish ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!asked)
		return;
	if (weir_asked_less(asked, job, wish)) {
		flow->sk_rate = wish;
		return;
	}
	asked->rate = wish;
	asked->asked_at = f->now >> WEIR_ASKED_SHIFT;
	asked->class_slot = job->slot;
	/* the level may move before the next packet: sock.h looks at it once more */
	asked->level = wish && job->class->flags & WEIR_CLASS_FAIR && !(f->flags & WEIR_F_EDT) &&
		       npb > job->class->npb_flow ? weir_slow(npb) : 0;
	if (f->flags & WEIR_F_LEASED)
		asked->flags |= WEIR_SK_LEASED;
	else
		asked->flags &= ~WEIR_SK_LEASED;
	flow->sk_rate = wish;
	if (asked->flags & WEIR_SK_APPLIED)
		weir_flow_actuated(flow);
}

#endif
