/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * police.h: where there is no queue to wait in: how deep a phantom queue may be, and what is marked
 * or dropped. Pure, a part of decide.h.
 */
#ifndef WEIR_POLICE_H
#define WEIR_POLICE_H

#include <weir/level.h>
#include "facts.h"

#define WEIR_BURST_BYTES 131072
#define WEIR_BURST_MIN_NS 20000000ULL
#define WEIR_BURST_MAX_NS 500000000ULL

/*
 * How deep a phantom queue is: as configured, else 128 KiB, about what Cubic needs for 95 % of the
 * rate up to 20 ms at 50 Mbit/s (its depth is N^2/76 packets for N in flight), in bounds of time.
 */
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

/*
 * Policing: an ECN-capable packet may go sixteen times as deep, since it is marked long before. In
 * a fair class that is over its rate (debt beyond the mean of its buckets'), each bucket's depth
 * shrinks alike, so that the class's excess is dropped from those that are furthest ahead.
 */
static __always_inline void weir_limits_police(struct weir_facts *f,
					       const struct weir_class *class, __u64 npb)
{
	f->burst = weir_burst(class, npb);
	f->limit = f->burst;
	/* a marked flow's ACKs and FIN are Not-ECT: they meet the debt of its data */
	if (weir_markable(f, class) || (f->flags & WEIR_F_MARKED && f->flags & WEIR_F_CONTROL))
		f->limit *= 16;
	f->limit_bucket = f->limit;
	f->limit_class = weir_burst(class, f->npb_class);
	if (!(class->flags & WEIR_CLASS_FAIR))
		return;
	f->limit_class *= 8;
	/* some milliseconds are bursts, not an excess */
	if (f->debt_class > f->mean_bucket + WEIR_EXCESS_MIN_NS && f->mean_bucket)
		f->limit_bucket = ((f->limit >> 10) * (f->mean_bucket >> 10) /
				   ((f->debt_class >> 10) + 1)) << 10;
}

/*
 * A phantom queue. ECT(0) by AVQ's rule: a marked packet is not charged to the soft clock, so
 * that one overshoot is not answered for several round trips; the hard clock charges everything,
 * and its limit drops what does not answer.
 */
static __always_inline void weir_verdict_police(struct weir_facts *f, __u64 debt,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u64 npb = f->npb_bucket ? f->npb_bucket : f->npb_class, mark_at;

	if (!weir_markable(f, class) || !bucket)
		return;
	/* the nearer the hard clock comes to its limit, the earlier the mark */
	/* a slow start is ended early; then windows come in bursts, on top of what Cubic needs */
	mark_at = bucket->flags & WEIR_BUCKET_MARKED ? 8 * f->burst : f->burst;
	if (class->mark_at_ns && (class->action == WEIR_POLICE || class->set & WEIR_SET_MARK_AT))
		mark_at = class->mark_at_ns;
	mark_at = debt < f->limit ?
		  (mark_at >> 10) * ((f->limit - debt) >> 10) / ((f->limit >> 10) + 1) << 10 : 0;
	if (f->ecn == WEIR_ECT1) {
		if (f->random < weir_l4s(debt, f->packet_ns))
			weir_set_mark(f, WEIR_R_MARKED_L4S);
	} else if (weir_debt(bucket->soft, f->now) > weir_max(mark_at, 2 * f->packet_ns)) {
		bucket->flags |= WEIR_BUCKET_MARKED;
		weir_set_mark(f, WEIR_R_MARKED);
	} else {
		weir_charge(&bucket->soft, f->now, weir_cost(f->bytes, npb));
	}
}

#endif
