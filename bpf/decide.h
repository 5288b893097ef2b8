/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide.h: from numbers to a verdict, by the gentlest means that this packet allows: its socket
 * is paced, it is delayed (EDT), marked CE, dropped. Pure: no map, no packet, no clock. Asked only
 * where a clock was ahead of the packet: first the limits of the means, then the verdict, which
 * also moves the bucket's AQM state. A global function: the verifier reads it once, and its results
 * are "any number".
 */
#ifndef WEIR_DECIDE_H
#define WEIR_DECIDE_H

#include "police.h"

/*
 * A paced socket is held at a small debt, not at none: what it misses while its CPU is busy it can
 * then make up for, and a sender that is held back can be told from one that wants no more.
 */
#define WEIR_AIM_NS 4000000ULL
#define WEIR_HORIZON_NS 9000000000ULL	/* fq drops, unseen, what would leave 10 s from now */

/* the debt that a paced socket is steered to */
static __always_inline __u64 weir_aim(__u64 npb)
{
	return WEIR_AIM_NS + weir_cost(WEIR_MTU, npb);
}

/*
 * Where there is no queue, police's law is for TCP in a class that paces, too: forwarded, arriving
 * or of a socket that is not paced. It answers to one drop; a depth beyond which all is refused
 * starves it.
 */
static __always_inline int weir_rises(const struct weir_facts *f, const struct weir_class *class,
				      __u8 proto)
{
	return class->action == WEIR_POLICE ||
	       (proto == IPPROTO_TCP && !(f->flags & (WEIR_F_EDT | WEIR_F_SOCKET)));
}

/*
 * The means, and the debt that each clock may have before the packet is refused. Control packets
 * may go twice as deep; so may, at the class's clock, a bucket that is within its own rate.
 */
static __always_inline void weir_limits(struct weir_facts *f, const struct weir_class *class,
					const struct weir_bucket *bucket, __u64 held)
{
	__u64 npb = f->npb_bucket ? f->npb_bucket : f->npb_class;
	__u32 control, within;

	f->packet_ns = weir_cost(WEIR_MTU, npb);
	f->aim = weir_aim(npb);
	f->ahead = (f->flags & (WEIR_F_SOCKET | WEIR_F_EDT)) == WEIR_F_SOCKET ? f->aim / 2 :
									   2 * f->packet_ns;
	if (class->action != WEIR_POLICE && (f->flags & WEIR_F_EDT || !(f->flags & WEIR_F_FLOW)))
		f->means = WEIR_BY_EDT;
	else if (class->action != WEIR_POLICE && f->flags & WEIR_F_SOCKET)
		f->means = WEIR_BY_SOCKET;
	else
		f->means = WEIR_BY_POLICE;
	if (f->means == WEIR_BY_POLICE) {
		if (f->flags & WEIR_F_RISE)
			weir_limits_rise(f, class, bucket, npb);
		else
			weir_limits_beside(f, class, npb);
		/* a clock that many strangers share, at a small part of the rate */
		if (!bucket)
			f->limit_bucket = weir_max(f->limit_bucket, 8 * f->packet_ns);
	} else {
		f->limit = weir_max(class->drop_at_ns,
				    weir_max(8 * f->packet_ns, 2 * weir_cost(f->bytes, npb)));
		f->limit_bucket = f->limit;
		/* the kernel bounds what a local socket has in fq (TSQ): a drop frees nothing */
		if ((f->flags & (WEIR_F_SOCKET | WEIR_F_EDT)) == (WEIR_F_SOCKET | WEIR_F_EDT))
			f->limit_bucket *= 4;
		f->limit_class = f->limit_bucket;
	}
	/* what is lost again costs a time-out; a burst that was set is for everything */
	control = f->flags & WEIR_F_CONTROL ||
		  (f->flags & WEIR_F_AGAIN && f->limit < WEIR_BURST_MAX_NS / 2 &&
		   !weir_burst_set(class));
	within = bucket && f->npb_bucket && !f->debt_bucket;
	f->limit_bucket <<= control;
	f->limit_class <<= control | within;
	if (f->means == WEIR_BY_EDT) {
		f->limit_bucket = weir_min(f->limit_bucket + held, WEIR_HORIZON_NS);
		f->limit_class = weir_min(f->limit_class, WEIR_HORIZON_NS);
	}
}

/*
 * The classic law's probability; moves the PI state at most every 16 ms. Drops aim at half of
 * drop-at and see a GSO packet as one, which a drop loses whole; marks aim at mark-at and count
 * its segments.
 */
static __always_inline __u32 weir_classic(struct weir_facts *f, const struct weir_class *class,
					  struct weir_bucket *bucket, int markable)
{
	__u64 target = markable ? weir_mark_target(class->mark_at_ns, f->packet_ns) :
				  weir_drop_target(class->drop_at_ns, f->packet_ns);
	__u32 delay_us = f->delay / 1000, now_us = f->now / 1000;
	__u32 elapsed_us = now_us - bucket->pi_at_us;
	__u64 p;

	/* else it is another CPU's clock reading that was a little ahead */
	if (elapsed_us >= WEIR_PI_UPDATE_NS / 1000 && elapsed_us < 0xffff0000) {
		bucket->pi_p = weir_pi(bucket->pi_p, bucket->pi_delay_us, delay_us, target / 1000,
				       elapsed_us * 1000ULL);
		bucket->pi_delay_us = delay_us;
		bucket->pi_at_us = now_us;
	}
	p = weir_square(bucket->pi_p);
	if (markable)
		p *= f->segments;
	return p > 0xffffffff ? 0xffffffff : p;
}

/* a real queue: L4S by a ramp, ECT(0) and Not-ECT by PI2 */
static __always_inline void weir_queue_law(struct weir_facts *f,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u32 p;

	if (!bucket)
		return;
	if (f->ecn == WEIR_ECT1 && weir_markable(f, class)) {
		if (f->random < weir_l4s(f->delay, f->packet_ns))
			weir_set_mark(f, WEIR_R_MARKED_L4S);
		return;
	}
	p = weir_classic(f, class, bucket, weir_markable(f, class));
	if (!p || f->random >= p)
		return;
	if (weir_markable(f, class))
		weir_set_mark(f, WEIR_R_MARKED);
	else if (f->ecn == WEIR_NOT_ECT &&
		 !(f->flags & (WEIR_F_CONTROL | WEIR_F_SMALL | WEIR_F_SOCKET | WEIR_F_AGAIN)))
		f->reason = WEIR_R_DROP_AQM;
}

/*
 * An agent that has let too much through holds all but small packets until the consumer is done
 * with it: a departure that a low rate has set would still stand when the rate is back. Who waits
 * for its end goes within a packet's time, not at once. The hold is no queue: no law sees it, nor
 * what is left (held) of one that the agent has ended early, since departures still stand.
 */
static __always_inline void weir_verdict_edt(struct weir_facts *f, __u64 debt, __u64 held,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 departs, phase = 0;

	/* each bucket's clock keeps its packets in order */
	if (f->npb_bucket)
		phase = f->packet_ns * (f->random >> 22) >> 10;
	if (f->from && !(f->flags & (WEIR_F_SMALL | WEIR_F_CONTROL)))
		debt = weir_max(debt, weir_min(f->from + phase, WEIR_HORIZON_NS) + class->burst_ns);
	if (debt <= class->burst_ns)
		return;
	departs = debt - class->burst_ns;
	f->delay = departs > held ? departs - held : 0;
	if (f->reason == WEIR_R_CONFORM)
		f->reason = WEIR_R_DELAYED;
	/* held back by the class: the bucket's clock waits with its packet, or it earned credit */
	if (debt > f->debt_bucket)
		f->advance = debt - f->debt_bucket;
	if (!(f->flags & WEIR_F_SOCKET) || f->delay > f->limit / 2)
		weir_queue_law(f, class, bucket);
	f->delay = departs;
}

/*
 * How long a packet waits, from both debts. A bucket within two packets of its clock never waits
 * for its class. One that is further ahead waits in proportion: where the levels add up, the
 * class's debt is the mean of its buckets' debts and the factor is one; where they add up to too
 * much (many starts at once), all are stretched alike, and nobody pays for another's backlog.
 */
static __always_inline __u64 weir_fair_debt(const struct weir_facts *f,
					    const struct weir_class *class)
{
	__u64 debt = f->debt_bucket, mean = f->mean_bucket >> 10, stretched;

	if (!(class->flags & WEIR_CLASS_FAIR))
		return weir_max(f->debt_bucket, f->debt_class);
	if (!f->npb_bucket)
		return f->debt_class;
	if (debt <= 2 * f->packet_ns || f->debt_class <= debt)
		return debt;
	/* a delayed packet's bucket is charged for it instead: weir_stretch() */
	if (f->means == WEIR_BY_EDT && mean)
		return debt;
	if (!mean)
		return f->debt_class;
	stretched = (((debt >> 10) * (f->debt_class >> 10)) / mean) << 10;
	return stretched < debt ? debt : stretched > f->debt_class ? f->debt_class : stretched;
}

/*
 * The verdict, where a rate is set. f->reason is what it is where no clock is ahead. held: how long
 * departures of a hold still stand.
 */
__attribute__((noinline)) int weir_decide(struct weir_facts *f, const struct weir_class *class,
					 struct weir_bucket *bucket, __u64 held)
{
	__u64 debt;

	if (!f || !class)
		return -1;
	weir_limits(f, class, bucket, held);
	if (f->debt_bucket > f->limit_bucket) {
		f->reason = f->means == WEIR_BY_POLICE ? WEIR_R_DROP_RATE : WEIR_R_DROP_HORIZON;
		return 0;
	}
	if (f->debt_class > f->limit_class) {
		f->reason = WEIR_R_DROP_CLASS;
		return 0;
	}
	debt = weir_fair_debt(f, class);
	if (f->means == WEIR_BY_POLICE && f->npb_bucket)
		debt = f->debt_bucket;
	if (debt > f->limit + (f->means == WEIR_BY_EDT ? held : 0))
		f->reason = WEIR_R_SPARED;
	if (f->means == WEIR_BY_EDT && f->flags & WEIR_F_EDT) {
		weir_verdict_edt(f, debt, held, class, bucket);
	} else if (f->means == WEIR_BY_POLICE) {
		weir_verdict_police(f, debt, class, bucket);
	} else {
		if (debt > 2 * f->aim && f->flags & WEIR_F_FLOW)
			f->reason = WEIR_R_SOCKET;
		/* one that follows an agent's rate owes for what it sent by an older one: marks
		 * would take its window, until it waited for delayed ACKs, a packet in 50 ms */
		if (debt > f->limit / 2 && weir_markable(f, class) &&
		    !(f->flags & WEIR_F_ACTUATED && f->flags & WEIR_F_LEASED))
			weir_set_mark(f, WEIR_R_MARKED);
	}
	return 0;
}

#endif
