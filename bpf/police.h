/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * police.h: where there is no queue to wait in: how deep a phantom queue may be, and what is marked
 * or dropped. Pure, a part of decide.h.
 */
#ifndef WEIR_POLICE_H
#define WEIR_POLICE_H

#include <weir/level.h>
#include "facts.h"

#define WEIR_BURST_BYTES 131072		/* beside what is delayed */
#define WEIR_RISE_BYTES (16 * WEIR_MTU)	/* action police: where learning starts from */
#define WEIR_BURST_MIN_NS 20000000ULL
#define WEIR_BURST_MAX_NS 500000000ULL
#define WEIR_BURST_LEASED_NS 10000000ULL	/* a class under control: this at least */

/*
 * How many bytes a phantom queue beside what is delayed has at a rate: Cubic's need for 95 % at a
 * round trip of 100 ms (its depth is N^2/76 packets for N in flight), which is WEIR_BURST_BYTES at
 * 10 Mbit/s and goes with the rate's square below; and sixteen packets for its trains. Deeper, it
 * is of use to nobody: what does not answer fills it, has it on top of its share when it comes, and
 * is silent for as long when the depth shrinks with an excess of the class.
 */
#define WEIR_BURST_NPB (800ULL << WEIR_NPB_SHIFT)
static __always_inline __u32 weir_burst_bytes(__u64 npb)
{
	__u64 part, bytes;

	if (npb <= WEIR_BURST_NPB)
		return WEIR_BURST_BYTES;
	part = (WEIR_BURST_NPB << 16) / npb;
	bytes = WEIR_BURST_BYTES * part >> 16;
	bytes = bytes * part >> 16;
	return bytes > WEIR_RISE_BYTES ? bytes : WEIR_RISE_BYTES;
}

/* one that was set makes a plain token bucket: no deeper, and no drop before it is full */
static __always_inline int weir_burst_set(const struct weir_class *class)
{
	return class->burst_ns || class->burst_bytes;
}

/* how deep a phantom queue is: as set, else the time of so many bytes, in bounds */
static __always_inline __u64 weir_burst(const struct weir_class *class, __u64 npb, __u32 bytes)
{
	__u64 ns;

	/* as weir_cost(), in two parts: up to 16 MiB, more than a packet's 1 MiB, would wrap */
	if (class->burst_bytes)
		return (class->burst_bytes * (npb >> 10) >> (WEIR_NPB_SHIFT - 10)) +
		       (class->burst_bytes * (npb & 1023) >> WEIR_NPB_SHIFT);
	if (class->burst_ns)
		return class->burst_ns;
	ns = weir_cost(bytes, npb);
	return ns < WEIR_BURST_MIN_NS ? WEIR_BURST_MIN_NS :
	       ns > WEIR_BURST_MAX_NS ? WEIR_BURST_MAX_NS : ns;
}

/*
 * Beside what is delayed or paced. Where an agent moves the rate, a depth of so many bytes would be
 * another time with each step, and a rise would silence whoever is as far ahead as the old depth
 * allowed (UDP had 20 of 50 mbit). There it is a time: what passes at once waits at the consumer,
 * so that it is the signal's target.
 */
static __always_inline __u64 weir_burst_beside(const struct weir_facts *f,
					       const struct weir_class *class, __u64 npb)
{
	__u64 ns = class->set & WEIR_SET_TARGET_TIME ? class->target : WEIR_BURST_MIN_NS;

	if (weir_burst_set(class) || !(f->flags & WEIR_F_LEASED))
		return weir_burst(class, npb, weir_burst_bytes(npb));
	return ns < WEIR_BURST_LEASED_NS ? WEIR_BURST_LEASED_NS :
	       ns > WEIR_BURST_MAX_NS ? WEIR_BURST_MAX_NS : ns;
}

/*
 * Beside what is delayed or paced: 128 KiB, less below 10 Mbit/s. An ECN-capable packet may go
 * sixteen times as deep, since it is marked long before. In a fair class that is over its rate
 * (debt beyond the mean of its buckets'), each bucket's depth shrinks alike, so that the class's
 * excess is dropped from those that are furthest ahead, and not from those who wait.
 */
static __always_inline void weir_limits_beside(struct weir_facts *f,
					       const struct weir_class *class, __u64 npb)
{
	f->from = weir_burst_beside(f, class, npb);
	f->limit = f->from;
	/* a marked flow's ACKs and FIN are Not-ECT: they meet the debt of its data */
	if (weir_markable(f, class) || (f->flags & WEIR_F_MARKED && f->flags & WEIR_F_CONTROL))
		f->limit *= 16;
	f->limit_bucket = f->limit;
	f->limit_class = weir_burst_beside(f, class, f->npb_class);
	if (!(class->flags & WEIR_CLASS_FAIR))
		return;
	f->limit_class *= 8;
	/* some milliseconds are bursts, not an excess */
	if (f->debt_class > f->mean_bucket + WEIR_EXCESS_MIN_NS && f->mean_bucket)
		f->limit_bucket = ((f->limit >> 10) * (f->mean_bucket >> 10) /
				   ((f->debt_class >> 10) + 1)) << 10;
}

/*
 * Action police. Nothing is signalled (weir_verdict_rise) below f->from: what the bucket learned,
 * or sixteen packets before its first signal, so that a slow start ends early. Twice as deep is
 * what does not answer refused (four times: 64 flows that come and go 0.93, twice: 0.95); what can
 * be marked goes deeper, as a mark loses nothing, and before the first mark deepest: that overshoot
 * is the largest. A flow that ignores CE would fill all of it and fall silent.
 *
 * A fair class is held by its buckets' depths and the level; its own clock is the backstop: a depth
 * that shrank with the class's excess refused whole windows.
 */
static __always_inline void weir_limits_rise(struct weir_facts *f, const struct weir_class *class,
					     const struct weir_bucket *bucket, __u64 npb)
{
	int set = weir_burst_set(class), fair = (class->flags & WEIR_CLASS_FAIR) != 0;
	__u64 base = weir_burst(class, npb, WEIR_RISE_BYTES);

	if (set)
		f->from = base;
	else if (bucket && bucket->depth_us)
		f->from = weir_max(bucket->depth_us * 1000ULL, base);
	else
		f->from = 16 * f->packet_ns;
	f->limit = set ? base : 2 * weir_max(f->from, base);
	/* a marked flow's ACKs and FIN are Not-ECT: they meet the debt of its data */
	if (weir_markable(f, class) || (f->flags & WEIR_F_MARKED && f->flags & WEIR_F_CONTROL))
		f->limit *= set ? 16 : f->flags & WEIR_F_MARKED ? 4 : 8;
	f->limit_class = weir_burst(class, f->npb_class, WEIR_RISE_BYTES);
	if (set) {
		f->limit_class <<= 3 * fair;
	} else {
		f->limit = f->limit < WEIR_BURST_MAX_NS ? f->limit : WEIR_BURST_MAX_NS;
		f->limit_class = fair ? WEIR_BURST_MAX_NS : 4 * f->limit_class;
	}
	f->limit_bucket = f->limit;
}

/*
 * Beside what is delayed or paced, ECT(0) by AVQ's rule: a marked packet is not charged to the soft
 * clock, so that one overshoot is not answered for several round trips; the hard clock charges
 * everything, and its limit drops what does not answer.
 */
static __always_inline void weir_verdict_beside(struct weir_facts *f, __u64 debt, __u64 npb,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 mark_at;

	/* the nearer the hard clock comes to its limit, the earlier the mark */
	/* a slow start is ended early; then windows come in bursts, on top of what Cubic needs */
	mark_at = bucket->flags & WEIR_BUCKET_MARKED ? 8 * f->from : f->from;
	if (class->set & WEIR_SET_MARK_AT)
		mark_at = class->mark_at_ns;
	mark_at = debt < f->limit ?
		  (mark_at >> 10) * ((f->limit - debt) >> 10) / ((f->limit >> 10) + 1) << 10 : 0;
	if (weir_debt(bucket->soft, f->now) > weir_max(mark_at, 2 * f->packet_ns)) {
		bucket->flags |= WEIR_BUCKET_MARKED;
		weir_set_mark(f, WEIR_R_MARKED);
	} else {
		weir_charge(&bucket->soft, f->now, weir_cost(f->bytes, npb));
	}
}

/*
 * Action police, one signal per rise (aqm.h): a mark where the packet can carry one, else a drop; a
 * drop as well beyond half of what marks are given.
 */
static __always_inline void weir_verdict_rise(struct weir_facts *f, __u64 debt, __u64 npb,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	int markable = weir_markable(f, class);
	__u64 top = f->from;

	if (f->flags & WEIR_F_CONTROL)
		return;
	if (markable && class->mark_at_ns)
		top = class->mark_at_ns;
	/*
	 * What is sent again gets no signal, but it is what finds how far the debt fell while a
	 * sender waited for its time-out.
	 */
	if (!markable && (f->flags & WEIR_F_AGAIN || weir_burst_set(class)))
		top = debt;
	if (!weir_rise(&bucket->depth_us, &bucket->low_us, debt / 1000, top / 1000,
		       weir_burst(class, npb, WEIR_RISE_BYTES) / 1000, f->packet_ns / 1000))
		return;
	if (markable && debt <= f->limit / 2) {
		bucket->flags |= WEIR_BUCKET_MARKED;
		weir_set_mark(f, WEIR_R_MARKED);
	} else {
		f->reason = WEIR_R_DROP_AQM;
	}
}

/* a phantom queue: ECT(1) by the ramp, all others by its action's law */
static __always_inline void weir_verdict_police(struct weir_facts *f, __u64 debt,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 npb = f->npb_bucket ? f->npb_bucket : f->npb_class;

	if (!bucket)
		return;
	if (f->ecn == WEIR_ECT1 && weir_markable(f, class)) {
		if (f->random < weir_l4s(debt, f->packet_ns))
			weir_set_mark(f, WEIR_R_MARKED_L4S);
	} else if (f->flags & WEIR_F_RISE) {
		weir_verdict_rise(f, debt, npb, class, bucket);
	} else if (weir_markable(f, class)) {
		weir_verdict_beside(f, debt, npb, class, bucket);
	}
}

#endif
