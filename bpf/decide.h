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

#include <weir/aqm.h>
#include <weir/bucket.h>
#include <weir/level.h>

/*
 * A paced socket is held at a small debt, not at none: what it misses while its CPU is busy it can
 * then make up for, and a sender that is held back can be told from one that wants no more.
 */
#define WEIR_AIM_NS 4000000ULL

#define WEIR_BURST_BYTES (16 * WEIR_MTU)
#define WEIR_BURST_MIN_NS 20000000ULL
#define WEIR_BURST_MAX_NS 500000000ULL

/* how a packet may be slowed */
enum weir_means {
	WEIR_BY_EDT,			/* a later departure, kept by fq */
	WEIR_BY_SOCKET,			/* at once; its socket slows down */
	WEIR_BY_POLICE,			/* a phantom queue */
};

#define WEIR_F_EDT 0x01			/* departure times are kept below */
#define WEIR_F_SOCKET 0x02		/* a local TCP socket that follows weir */
#define WEIR_F_FLOW 0x04		/* has an entry */
#define WEIR_F_CONTROL 0x20		/* the packet is a control packet (parse.h) */
#define WEIR_F_SMALL 0x40
#define WEIR_F_MARKED 0x80		/* police: the bucket was marked before */
#define WEIR_F_AGAIN 0x100		/* police: TCP sends it a second time */

/* all that counts for one packet; times in ns, npb in 2^-20 ns per byte */
struct weir_facts {
	__u64 now;
	__u64 npb_bucket;		/* rates in force; 0: none */
	__u64 npb_class;
	__u32 bytes, segments;
	__u32 flags;			/* WEIR_F_* */
	__u32 ecn;			/* codepoint */

	/* from the charge */
	__u64 debt_bucket, debt_class;	/* before this packet */
	__u64 mean_bucket;		/* of the class's buckets that are ahead */
	__u32 random;

	/* from weir_limits() */
	__u32 means;
	__u64 packet_ns;		/* a full packet's time at the rate */
	__u64 aim;			/* weir_aim() */
	__u64 ahead;			/* a bucket with a larger debt is limited */
	__u64 limit;			/* before the exceptions below */
	__u64 burst;			/* police: no signal below this debt */
	__u64 limit_bucket;		/* debts beyond which the packet is refused */
	__u64 limit_class;

	/* the verdict */
	__u32 reason;
	__u32 mark;			/* set CE */
	__u64 delay;			/* from now to the departure */
	__u64 advance;			/* ns by which the bucket's clock waits for the class */
};

/* the debt that a paced socket is steered to */
static __always_inline __u64 weir_aim(__u64 npb)
{
	return WEIR_AIM_NS + weir_cost(WEIR_MTU, npb);
}

static __always_inline __u64 weir_max(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* one that was set makes a plain token bucket: no deeper, and no drop before it is full */
static __always_inline int weir_burst_set(const struct weir_class *class)
{
	return class->burst_ns || class->burst_bytes;
}

/* How deep a phantom queue is: as set, else what a bucket starts to learn from (aqm.h). */
static __always_inline __u64 weir_burst(const struct weir_class *class, __u64 npb)
{
	__u64 ns;

	if (class->burst_bytes)
		return weir_cost(class->burst_bytes, npb);
	if (class->burst_ns)
		return class->burst_ns;
	ns = weir_cost(WEIR_BURST_BYTES, npb);
	return ns < WEIR_BURST_MIN_NS ? WEIR_BURST_MIN_NS :
	       ns > WEIR_BURST_MAX_NS ? WEIR_BURST_MAX_NS : ns;
}

static __always_inline int weir_markable(const struct weir_facts *f,
					 const struct weir_class *class)
{
	return (class->flags & WEIR_CLASS_ECN) && (f->ecn == WEIR_ECT0 || f->ecn == WEIR_ECT1);
}

/*
 * Policing. Nothing is signalled (weir_verdict_police) below f->burst: what the bucket learned, or
 * sixteen packets before its first signal, so that a slow start ends early. Four times as deep is
 * what does not answer refused; what can be marked goes deeper, as a mark loses nothing, and
 * before the first mark deepest: that overshoot is the largest. A flow that ignores CE would fill
 * all of it and fall silent (64 flows, a third of them BBR, 16 times: Jain 0.75, 8 times: 0.98).
 *
 * A fair class is held by its buckets' depths and the level; its own clock is the backstop: a depth
 * that shrank with the class's excess refused whole windows.
 */
static __always_inline void weir_limits_police(struct weir_facts *f,
					       const struct weir_class *class,
					       const struct weir_bucket *bucket, __u64 npb)
{
	int set = weir_burst_set(class), fair = (class->flags & WEIR_CLASS_FAIR) != 0;
	__u64 base = weir_burst(class, npb);

	if (set)
		f->burst = base;
	else if (bucket && bucket->depth_us)
		f->burst = weir_max(bucket->depth_us * 1000ULL, base);
	else
		f->burst = 16 * f->packet_ns;
	f->limit = set ? base : 4 * weir_max(f->burst, base);
	/* a marked flow's ACKs and FIN are Not-ECT: they meet the debt of its data */
	if (weir_markable(f, class) || (f->flags & WEIR_F_MARKED && f->flags & WEIR_F_CONTROL))
		f->limit *= set ? 16 : f->flags & WEIR_F_MARKED ? 2 : 4;
	f->limit_class = weir_burst(class, f->npb_class);
	if (set) {
		f->limit_class <<= 3 * fair;
	} else {
		f->limit = f->limit < WEIR_BURST_MAX_NS ? f->limit : WEIR_BURST_MAX_NS;
		f->limit_class = fair ? WEIR_BURST_MAX_NS : 4 * f->limit_class;
	}
	f->limit_bucket = f->limit;
	/* among flows that are paced, and swing little, the excess is of those that are policed */
	if (class->action != WEIR_POLICE && fair && f->mean_bucket &&
	    f->debt_class > f->mean_bucket + WEIR_EXCESS_MIN_NS)
		f->limit_bucket = ((f->limit >> 10) * (f->mean_bucket >> 10) /
				   ((f->debt_class >> 10) + 1)) << 10;
}

/*
 * The means, and the debt that each clock may have before the packet is refused. Control packets
 * may go twice as deep; so may, at the class's clock, a bucket that is within its own rate.
 */
static __always_inline void weir_limits(struct weir_facts *f, const struct weir_class *class,
					const struct weir_bucket *bucket)
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
		weir_limits_police(f, class, bucket, npb);
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
	__u64 elapsed = f->now - bucket->pi_at, p;
	__u32 delay_us = f->delay / 1000;

	if (elapsed >= WEIR_PI_UPDATE_NS) {
		bucket->pi_p = weir_pi(bucket->pi_p, bucket->pi_delay_us, delay_us, target / 1000,
				       elapsed);
		bucket->pi_delay_us = delay_us;
		bucket->pi_at = f->now;
	}
	p = weir_square(bucket->pi_p);
	if (markable)
		p *= f->segments;
	return p > 0xffffffff ? 0xffffffff : p;
}

static __always_inline void weir_set_mark(struct weir_facts *f, __u32 reason)
{
	f->mark = 1;
	f->reason = reason;
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
		 !(f->flags & (WEIR_F_CONTROL | WEIR_F_SMALL | WEIR_F_SOCKET)))
		f->reason = WEIR_R_DROP_AQM;
}

static __always_inline void weir_verdict_edt(struct weir_facts *f, __u64 debt,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	if (debt <= class->burst_ns)
		return;
	f->delay = debt - class->burst_ns;
	if (f->reason == WEIR_R_CONFORM)
		f->reason = WEIR_R_DELAYED;
	/* held back by the class: the bucket's clock waits with its packet, or it earned credit */
	if (debt > f->debt_bucket)
		f->advance = debt - f->debt_bucket;
	if (!(f->flags & WEIR_F_SOCKET) || f->delay > f->limit / 2)
		weir_queue_law(f, class, bucket);
}

/*
 * A phantom queue: ECT(1) by the ramp, all others by one signal per rise (aqm.h): a mark where the
 * packet can carry one, else a drop; a drop as well beyond half of what marks are given.
 */
static __always_inline void weir_verdict_police(struct weir_facts *f, __u64 debt,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 npb = f->npb_bucket ? f->npb_bucket : f->npb_class, top = f->burst;
	int markable = weir_markable(f, class);

	if (!bucket)
		return;
	if (markable && f->ecn == WEIR_ECT1) {
		if (f->random < weir_l4s(debt, f->packet_ns))
			weir_set_mark(f, WEIR_R_MARKED_L4S);
		return;
	}
	if (f->flags & WEIR_F_CONTROL ||
	    (!markable && (f->flags & WEIR_F_AGAIN || weir_burst_set(class))))
		return;
	if (markable && class->mark_at_ns &&
	    (class->action == WEIR_POLICE || class->set & WEIR_SET_MARK_AT))
		top = class->mark_at_ns;
	if (!weir_rise(&bucket->depth_us, &bucket->low_us, debt / 1000, top / 1000,
		       weir_burst(class, npb) / 1000, f->packet_ns / 1000))
		return;
	if (markable && debt <= f->limit / 2) {
		bucket->flags |= WEIR_BUCKET_MARKED;
		weir_set_mark(f, WEIR_R_MARKED);
	} else {
		f->reason = WEIR_R_DROP_AQM;
	}
}

/*
 * How long a packet waits, from both debts: in a fair class for its bucket alone, and nobody pays
 * for another's backlog.
 */
static __always_inline __u64 weir_fair_debt(const struct weir_facts *f,
					    const struct weir_class *class)
{
	if (!(class->flags & WEIR_CLASS_FAIR))
		return weir_max(f->debt_bucket, f->debt_class);
	if (!f->npb_bucket)
		return f->debt_class;
	if (f->debt_bucket <= 2 * f->packet_ns || f->mean_bucket)
		return f->debt_bucket;
	return weir_max(f->debt_bucket, f->debt_class);
}

/* The verdict, where a rate is set. f->reason is what it is where no clock is ahead. */
__attribute__((noinline)) int weir_decide(struct weir_facts *f,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 debt;

	if (!f || !class)
		return -1;
	weir_limits(f, class, bucket);
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
	if (debt > f->limit)
		f->reason = WEIR_R_SPARED;
	if (f->means == WEIR_BY_EDT && f->flags & WEIR_F_EDT) {
		weir_verdict_edt(f, debt, class, bucket);
	} else if (f->means == WEIR_BY_POLICE) {
		weir_verdict_police(f, debt, class, bucket);
	} else {
		if (debt > 2 * f->aim && f->flags & WEIR_F_FLOW)
			f->reason = WEIR_R_SOCKET;
		if (debt > f->limit / 2 && weir_markable(f, class))
			weir_set_mark(f, WEIR_R_MARKED);
	}
	return 0;
}

#endif
