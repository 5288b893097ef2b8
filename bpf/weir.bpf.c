// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir.bpf.c: the entry points. Read weir_packet() from top to bottom: it is the way of a packet.
 * Everything it calls lives in the header named for its concern. Whatever goes wrong on the way,
 * the packet passes and is counted.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "maps.h"
#include "skb.h"
#include "inner.h"
#include "classify.h"
#include "flow.h"
#include "charge.h"
#include "decide.h"
#include "act.h"
#include "count.h"
#include "event.h"
#include "sock.h"
#include "timer.h"

/* go on to the next program of the chain: TCX_NEXT, which is TC_ACT_UNSPEC for clsact */
#define WEIR_NEXT (-1)

/* the charge, and the verdict where there is anything to decide */
static __always_inline void weir_judge(struct weir_job *job, __u32 can)
{
	struct weir_facts *f = &job->facts;

	if (weir_conn_refused(job)) {
		f->reason = WEIR_R_DROP_CONN;
		return;
	}
	weir_gather(job, can);
	weir_charge_job(job);
	/* else it is within every rate, and no phantom queue has to know of it */
	if (f->debt_bucket | f->debt_class | f->from || (f->ecn && f->reason == WEIR_R_CONFORM)) {
		f->random = weir_random(f);
		weir_verdict(f, job->class, job->bucket, job->state, &job->packet);
		weir_settle(job);
		weir_hold(job);
	} else {
		weir_conform(job);
	}
	if (!job->flow && f->reason <= WEIR_R_CONFORM)
		f->reason = job->why_no_flow;
}

static __always_inline int weir_packet(struct __sk_buff *skb, enum weir_hook hook, int l3)
{
	struct weir_job job = {};
	struct weir_facts *facts = &job.facts;
	const struct weir_control *live;
	__u32 zero = 0, generation;
	int reason;

	/* its own broadcast, as the host hears it: on no wire, and without an Ethernet header */
	if (hook == WEIR_INGRESS && skb->pkt_type == PACKET_LOOPBACK)
		return WEIR_NEXT;
	job.packet.len = weir_len(skb);
	job.packet.key.hook = hook;
	job.packet.key.ifindex = skb->ifindex;
	/* kept there until it is measured: the stack of 6.1 has no other place */
	if (l3)
		facts->bytes = weir_l3_at(skb);
	reason = weir_parse_skb(skb, &job.packet, l3 ? facts->bytes : 0,
				l3 ? skb->protocol : bpf_htons(ETH_P_TEB));
	if (reason != WEIR_R_CONFORM) {
		weir_count_class(0, reason, 1, job.packet.len);
		return WEIR_NEXT;
	}

	live = bpf_map_lookup_elem(&control, &zero);
	if (!live)
		return WEIR_NEXT;
	/* once: an apply in between would look the class up in the other bank */
	generation = *(const volatile __u32 *)&live->generation;
	weir_look_fragment(skb, &job.packet, &facts->now);
	job.flow = weir_flow_get(skb, &job.packet, &facts->now, generation, live->fields,
				 &job.slot, &job.why_no_flow);
	if (!weir_class_get(&job, generation)) {
		weir_count_class(0, WEIR_R_NO_POLICY, 1, job.packet.len);
		return WEIR_NEXT;
	}
	if (weir_look_inside(skb, &job.packet, facts->now, job.class->flags & WEIR_CLASS_INNER))
		job.flow = weir_flow_get(skb, &job.packet, &facts->now, generation, 0, &job.slot,
					 &job.why_no_flow);
	job.bucket = weir_bucket_get(skb, &job.packet, job.class, job.flow, job.slot, facts->now);
	weir_measure(skb, &job.packet, job.class, facts, l3 ? facts->bytes : 0);

	weir_judge(&job, live->can);
	if (job.class->action != WEIR_OBSERVE && facts->reason < WEIR_R_FIRST_DROP)
		weir_act(skb, &job, hook);
	if (job.flow && job.flow->flags & WEIR_FLOW_LOCAL)
		weir_socket_pace(skb, &job);
	weir_count(&job);
	weir_tell(skb, &job);
	if (job.class->action == WEIR_OBSERVE)
		return WEIR_NEXT;
	if (facts->reason >= WEIR_R_FIRST_DROP)
		return TC_ACT_SHOT;
	return hook == WEIR_INGRESS ? weir_queue(skb, &job, WEIR_NEXT) : WEIR_NEXT;
}

SEC("tc")
int weir_egress(struct __sk_buff *skb)
{
	return weir_packet(skb, WEIR_EGRESS, 0);
}

SEC("tc")
int weir_ingress(struct __sk_buff *skb)
{
	return weir_packet(skb, WEIR_INGRESS, 0);
}

/* devices without an Ethernet header: tun, wireguard, ipip */
SEC("tc")
int weir_egress_l3(struct __sk_buff *skb)
{
	return weir_packet(skb, WEIR_EGRESS, 1);
}

SEC("tc")
int weir_ingress_l3(struct __sk_buff *skb)
{
	return weir_packet(skb, WEIR_INGRESS, 1);
}

/* a classifier without a verdict of its own: matches what the filter's action is to queue */
SEC("tc")
int weir_waits(struct __sk_buff *skb)
{
	return weir_queued(skb);
}

SEC("sockops")
int weir_sockops(struct bpf_sock_ops *ctx)
{
	return weir_sockops_run(ctx);
}

SEC("iter/tcp")
int weir_sk_walk(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct weir_sock *asked;
	struct tcp_sock *sk;
	__u32 zero = 0, *mode, flags = 0;

	if (!common)
		return 0;
	sk = bpf_skc_to_tcp_sock(common);
	mode = bpf_map_lookup_elem(&walk, &zero);
	if (!sk || !mode)
		return 0;
	asked = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (*mode) {
		if (asked && (asked->flags & WEIR_SK_APPLIED)) {
			asked->rate = 0;
			WEIR_APPLY(sk, asked);
			WEIR_BOUND_WINDOW(sk, sk, asked);
		}
		return 0;
	}
	/* sock_ops callbacks for this socket too; an older kernel refuses: the rate is set here */
	if (!bpf_getsockopt(sk, WEIR_SOL_TCP, WEIR_TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, 4)) {
		flags |= BPF_SOCK_OPS_RTT_CB_FLAG;
		bpf_setsockopt(sk, WEIR_SOL_TCP, WEIR_TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, 4);
	}
	if (asked && asked->rate != asked->applied) {
		WEIR_APPLY(sk, asked);
		WEIR_BOUND_WINDOW(sk, sk, asked);
	}
	return 0;
}

/* started once by user space; goes on as long as map "timer" is pinned */
SEC("syscall")
int weir_timer(void *ctx)
{
	__u32 zero = 0;
	struct weir_timer *value = bpf_map_lookup_elem(&timer, &zero);

	if (!value)
		return 1;
	bpf_timer_init(&value->timer, &timer, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&value->timer, weir_timer_fire);
	return bpf_timer_start(&value->timer, 0, 0);
}

/* the same pass in virtual time: tests and replay say what time it is */
SEC("syscall")
int weir_level_at(const __u64 *now)
{
	weir_level_tick(*now);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
