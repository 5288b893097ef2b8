/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * facts.h: all that counts for one packet's verdict, and the few words that both decide.h and
 * police.h have for it. Pure: no map, no packet, no clock.
 */
#ifndef WEIR_FACTS_H
#define WEIR_FACTS_H

#include <weir/aqm.h>
#include <weir/bucket.h>

/* how a packet may be slowed */
enum weir_means {
	WEIR_BY_EDT,			/* a later departure, kept by fq */
	WEIR_BY_SOCKET,			/* at once; its socket slows down */
	WEIR_BY_POLICE,			/* a phantom queue */
};

#define WEIR_F_EDT 0x01			/* departure times are kept below */
#define WEIR_F_SOCKET 0x02		/* a local TCP socket that follows weir */
#define WEIR_F_FLOW 0x04		/* has an entry */
#define WEIR_F_ACTUATED 0x08		/* ... and has shown it */
#define WEIR_F_RISE 0x10			/* where there is no queue: action police's law */
#define WEIR_F_CONTROL 0x20		/* the packet is a control packet (parse.h) */
#define WEIR_F_SMALL 0x40
#define WEIR_F_MARKED 0x80		/* police: the bucket was marked before */
#define WEIR_F_AGAIN 0x100		/* TCP sends it a second time */
#define WEIR_F_LEASED 0x200		/* the class's rate is an agent's */

/* all that counts for one packet; times in ns, npb in 2^-20 ns per byte */
struct weir_facts {
	__u64 now;
	__u64 npb_bucket;		/* rates in force; 0: none */
	__u64 npb_class;
	__u32 bytes, segments;
	__u32 flags;			/* WEIR_F_* */
	__u32 ecn;			/* codepoint */

	/* from the charge */
	__u64 cost_bucket, cost_class;	/* what was charged */
	__u64 debt_bucket, debt_class;	/* before this packet */
	__u64 mean_bucket;		/* of the class's buckets that are ahead */
	__u32 random;

	/* from weir_limits() */
	__u32 means;
	__u64 packet_ns;		/* a full packet's time at the rate */
	__u64 aim;			/* weir_aim() */
	__u64 ahead;			/* a bucket with a larger debt is limited */
	__u64 limit;			/* before the exceptions below */
	__u64 from;			/* police: no signal below this debt; EDT: no departure */
	__u64 limit_bucket;		/* debts beyond which the packet is refused */
	__u64 limit_class;

	/* the verdict */
	__u32 reason;
	__u32 mark;			/* set CE */
	__u64 delay;			/* from now to the departure */
	__u64 advance;			/* ns by which the bucket's clock waits for the class */
};

static __always_inline __u64 weir_max(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static __always_inline __u64 weir_min(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __always_inline int weir_markable(const struct weir_facts *f,
					 const struct weir_class *class)
{
	return (class->flags & WEIR_CLASS_ECN) && (f->ecn == WEIR_ECT0 || f->ecn == WEIR_ECT1);
}

static __always_inline void weir_set_mark(struct weir_facts *f, __u32 reason)
{
	f->mark = 1;
	f->reason = reason;
}

#endif
