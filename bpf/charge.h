/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * charge.h: a packet's job: gather the facts, move the bucket's clock and the class's clock, and
 * afterwards the state that the verdict moves. Owns the clocks and the reports to the level;
 * decides nothing (decide.h does).
 */
#ifndef WEIR_CHARGE_H
#define WEIR_CHARGE_H

#include <weir/level.h>
#include "flow.h"
#include "decide.h"

/* a socket that does not follow after this is not relied upon */
#define WEIR_ACTUATE_NS 1000000000ULL

/* when an agent last cut the rate; now, where the timer has not yet seen its first one */
static __always_inline __u64 weir_cut_at(const struct weir_class_state *state, __u64 now)
{
	return state->rate_bps ? state->cut_at : now;
}

/* Since when a flow's socket could have followed: nobody has asked one older than the rate. */
static __always_inline __u64 weir_asked_since(const struct weir_class *class,
					      const struct weir_class_state *state,
					      const struct weir_flow *flow, __u64 now)
{
	if (!(class->flags & WEIR_CLASS_LEASED))
		return flow->first_seen_ns;
	return weir_max(flow->first_seen_ns, weir_cut_at(state, now));
}

/* one packet on its way: the numbers, and where its state lives */
struct weir_job {
	struct weir_packet packet;
	struct weir_facts facts;
	const struct weir_class *class;
	struct weir_class_state *state;
	struct weir_flow *flow;		/* NULL: newcomer or no entry */
	struct weir_bucket *bucket;	/* NULL: charged to the class alone */
	__u64 *tat;			/* the bucket's clock, or one that many share; or NULL */
	__u64 cost_bucket, cost_class;
	__u32 slot;
	enum weir_reason why_no_flow;
};

/* the class of job->slot, and whether there is one */
static __always_inline int weir_class_get(struct weir_job *job, __u32 generation)
{
	__u32 at = (generation & 1) * WEIR_MAX_CLASSES + job->slot;

	job->class = bpf_map_lookup_elem(&classes, &at);
	job->state = bpf_map_lookup_elem(&class_state, &job->slot);
	return job->class && job->state && job->class->flags & WEIR_CLASS_USED;
}

/* in virtual time the dice are a function of the packet, so that a replay repeats to the byte */
static __always_inline __u32 weir_random(const struct weir_facts *f)
{
	__u64 h;

	if (!test_clock)
		return bpf_get_prandom_u32();
	h = (f->now ^ f->bytes) * 0x9e3779b97f4a7c15ULL;
	return (__u32)((h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ULL >> 32);
}

#define WEIR_NEWCOMERS_SHIFT 8		/* what they have of a busy class, together: 1/256 */
#define WEIR_BUSY_NS 1000000ULL		/* a class with a larger debt is busy */
#define WEIR_NPB_MAX (1ULL << 43)	/* times WEIR_BYTES_MAX stays below 2^63 */

/* is the class's rate in use, or most of it by its buckets? */
static __always_inline int weir_busy(const struct weir_class_state *state, __u64 now)
{
	return weir_debt(state->tat, now) > WEIR_BUSY_NS ||
	       state->used_bps > state->rate_bps - state->rate_bps / 16;
}

/*
 * No bucket of its own. First packets take what is left over of a class's rate: while the class is
 * busy they have 1/256 of it between them, so that a flood of them takes no more than that from the
 * established. What the tables have no room for shares the level of one.
 */
static __always_inline void weir_rates_shared(struct weir_job *job, __u64 level)
{
	struct weir_facts *f = &job->facts;

	if (job->why_no_flow == WEIR_R_NEWCOMER) {
		if (!weir_busy(job->state, f->now))
			return;
		job->tat = &job->state->newcomer_tat;
		f->npb_bucket = f->npb_class << WEIR_NEWCOMERS_SHIFT;
		if (f->npb_bucket > WEIR_NPB_MAX)
			f->npb_bucket = WEIR_NPB_MAX;
	} else if (level) {
		job->tat = &job->state->rest_tat;
		f->npb_bucket = level;
	}
}

/* the rates in force: a lease beats the configuration while it lasts, the level caps a bucket */
static __always_inline void weir_rates(struct weir_job *job)
{
	const struct weir_class *class = job->class;
	struct weir_facts *f = &job->facts;
	__u64 level = 0;

	job->tat = job->bucket ? &job->bucket->tat : NULL;
	f->npb_class = class->npb_rate;
	f->npb_bucket = job->tat ? class->npb_flow : 0;
	if (class->flags & WEIR_CLASS_LEASED) {
		const struct weir_lease *lease = bpf_map_lookup_elem(&leases, &job->slot);

		if (lease && lease->npb_rate && lease->expires_ns > f->now)
			f->npb_class = lease->npb_rate;
	}
	if (class->flags & WEIR_CLASS_FAIR && f->npb_class) {
		level = weir_max(job->state->npb_level, f->npb_class);
		if (job->tat)
			f->npb_bucket = weir_max(f->npb_bucket, level);
	}
	if (!job->tat)
		weir_rates_shared(job, level);
}

/* conn-rate counts the packets that open a TCP connection, whatever rates the class has */
static __always_inline int weir_conn_refused(const struct weir_job *job)
{
	__u32 per_second = job->class->conn_rate;

	if (!per_second || !(job->packet.flags & WEIR_P_SYN))
		return 0;
	return !weir_charge_within(&job->state->conn_tat, job->facts.now,
				   weir_event_cost(per_second), weir_event_limit(per_second));
}

#define WEIR_SEQ_WINDOW (16 << 20)	/* no sender goes back further */

/*
 * WEIR_F_AGAIN where it is a retransmission. A bucket remembers the end of what it has seen while
 * in debt, which is when it matters. Where several flows share one, they hardly ever agree on a
 * number: no. A global function: the verifier reads it once.
 */
__attribute__((noinline)) int weir_again(const struct weir_packet *p,
					 const struct weir_class *class, struct weir_bucket *bucket)
{
	__u32 end, behind;

	if (!p || !class || !bucket || class->action != WEIR_POLICE ||
	    p->key.proto != IPPROTO_TCP ||
	    p->flags & (WEIR_P_CONTROL | WEIR_P_FIRST | WEIR_P_LATER))
		return 0;
	end = bpf_ntohl(p->seq) + p->len - p->headers;
	behind = bucket->seq - end;
	if (behind < WEIR_SEQ_WINDOW)
		return WEIR_F_AGAIN;
	bucket->seq = end;
	return 0;
}

static __always_inline void weir_gather(struct weir_job *job, __u32 can)
{
	const struct weir_class *class = job->class;
	struct weir_facts *f = &job->facts;
	__u32 flags = 0, flow_flags;

	weir_rates(job);
	f->ecn = job->packet.ecn;
	if (job->flow) {
		flow_flags = job->flow->flags;
		flags = WEIR_F_FLOW;
		if (class->action != WEIR_POLICE)
			flags |= flow_flags & WEIR_FLOW_EDT;
		/* a socket that does not follow after a second is not relied upon */
		if (flow_flags & WEIR_FLOW_LOCAL && class->flags & WEIR_CLASS_SOCKET &&
		    can & WEIR_CAN_SOCKET &&
		    (flow_flags & WEIR_FLOW_ACTUATED ||
		     weir_since(weir_asked_since(class, job->state, job->flow, f->now), f->now) <
			     WEIR_ACTUATE_NS))
			flags |= WEIR_F_SOCKET |
				 (flow_flags & WEIR_FLOW_ACTUATED ? WEIR_F_ACTUATED : 0);
	}
	if (job->bucket && job->bucket->flags & WEIR_BUCKET_MARKED)
		flags |= WEIR_F_MARKED;
	f->mean_bucket = job->state->mean_bucket;
	if (job->packet.flags & WEIR_P_CONTROL)
		flags |= WEIR_F_CONTROL;
	if (job->packet.flags & WEIR_P_SMALL)
		flags |= WEIR_F_SMALL;
	f->flags = flags;
}

/*
 * A bucket's first packet in a window reports the window before; see level.h. Two CPUs may
 * report one bucket twice in the same instant; the level bears that.
 */
static __always_inline void weir_window_report(struct weir_job *job)
{
	struct weir_class_state *state = job->state;
	struct weir_bucket *bucket = job->bucket;
	__u32 window = state->window;
	struct weir_window *sum = &state->windows[window & 1];
	__u64 used = bucket->bytes - bucket->win_bytes;

	if (bucket->window == window - 1 && used) {
		__sync_fetch_and_add(&sum->bytes, used);
		__sync_fetch_and_add(&sum->active, 1);
		if (job->facts.npb_bucket > job->class->npb_flow &&
		    (bucket->flags & WEIR_BUCKET_LIMITED || used > state->limited_bytes))
			__sync_fetch_and_add(&sum->limited, 1);
		else
			__sync_fetch_and_add(&sum->free_bytes, used);
	}
	bucket->window = window;
	bucket->win_bytes = bucket->bytes;
	bucket->flags &= ~WEIR_BUCKET_LIMITED;
}

/* the level holds the bucket back: said at once */
static __always_inline void weir_window_limited(struct weir_job *job)
{
	struct weir_class_state *state = job->state;
	struct weir_window *sum = &state->windows[state->window & 1];
	__u32 n;

	if (job->bucket->flags & WEIR_BUCKET_LIMITED ||
	    job->facts.npb_bucket <= job->class->npb_flow)
		return;
	job->bucket->flags |= WEIR_BUCKET_LIMITED;
	n = __sync_fetch_and_add(&sum->now_limited, 1) + 1;
	/* more than before: each one's share is less from this packet on, not from the next tick */
	if (n > state->limited && job->facts.npb_class * n > state->npb_level)
		state->npb_level = job->facts.npb_class * n;
	state->limited_at = job->facts.now;
}

/* a moving average over what limited buckets let pass; a lost update does no harm */
static __always_inline void weir_mean_debt(struct weir_job *job)
{
	struct weir_class_state *state = job->state;
	struct weir_facts *f = &job->facts;

	state->mean_bucket += ((__s64)f->debt_bucket - (__s64)state->mean_bucket) >> 5;
}

/*
 * Where an agent moves the rate: what a socket owes is bytes, and each new rate makes another time
 * of them, or it would sleep off a cut long after the rate is back. It owes no more than some
 * packets' time, and just after a cut no more than what it is steered to: what it sent by the older
 * rate has arrived and been answered for; else it would be silent for seconds, and its drops for
 * longer. A global function: the verifier reads it once.
 */
#define WEIR_OWED_PACKETS 4
#define WEIR_OWED_CUT_PACKETS 2
#define WEIR_CUT_NS 50000000ULL		/* sockets go on by the older rate */
__attribute__((noinline)) int weir_owed(struct weir_bucket *bucket,
					const struct weir_class_state *state,
					const struct weir_facts *f)
{
	__u64 tat, owed, most, was;

	if (!bucket || !state || !f || (f->flags & (WEIR_F_SOCKET | WEIR_F_EDT)) != WEIR_F_SOCKET)
		return 0;
	was = bucket->npb;
	bucket->npb = f->npb_bucket;
	tat = *(volatile __u64 *)&bucket->tat;
	owed = weir_debt(tat, f->now + WEIR_AIM_NS);
	if (!owed)
		return 0;
	if (weir_since(weir_cut_at(state, f->now), f->now) < WEIR_CUT_NS)
		most = weir_cost(WEIR_OWED_CUT_PACKETS * WEIR_MTU, f->npb_bucket);
	else
		most = weir_cost(WEIR_OWED_PACKETS * WEIR_MTU + f->bytes, f->npb_bucket);
	if (was && was != f->npb_bucket)
		owed = ((owed < 1ULL << 38 ? owed : 1ULL << 38) *
			weir_ratio(f->npb_bucket, was)) >> WEIR_RATIO_SHIFT;
	owed = f->now + WEIR_AIM_NS + (owed < most ? owed : most);
	if (owed != tat)
		__sync_val_compare_and_swap(&bucket->tat, tat, owed);
	return 0;
}

/* Moves both clocks; weir_settle() takes back what the verdict refuses. */
static __always_inline void weir_charge_job(struct weir_job *job)
{
	struct weir_facts *f = &job->facts;
	int fair = job->bucket && job->class->flags & WEIR_CLASS_FAIR;

	if (fair && job->bucket->window != job->state->window)
		weir_window_report(job);
	if (f->npb_bucket && job->tat) {
		if (job->class->flags & WEIR_CLASS_LEASED)
			weir_owed(job->bucket, job->state, f);
		job->cost_bucket = weir_cost_mean(f->bytes, f->npb_bucket, f->now);
		f->debt_bucket = weir_charge(job->tat, f->now, job->cost_bucket);
	}
	if (f->npb_class) {
		job->cost_class = weir_cost_mean(f->bytes, f->npb_class, f->now);
		f->debt_class = weir_charge(&job->state->tat, f->now, job->cost_class);
	}
	f->reason = f->npb_bucket | f->npb_class ? WEIR_R_CONFORM : WEIR_R_UNLIMITED;
}

/*
 * What a delayed packet of a fair class costs its bucket beyond its bytes. Where the levels add up,
 * the class's debt is the mean of its buckets' debts. Where they add up to too much (many starts at
 * once), all clocks that are ahead run slower in proportion. It is the cost that is stretched and
 * not the wait, which in a train of packets would grow by that factor with each of them.
 */
static __always_inline __u64 weir_stretch(const struct weir_facts *f, __u64 cost)
{
	__u64 more;

	if (!f->delay || !(f->mean_bucket >> 10) || f->debt_class <= f->mean_bucket ||
	    f->debt_class <= f->debt_bucket || f->debt_bucket <= 2 * f->packet_ns)
		return 0;
	more = cost * ((f->debt_class - f->mean_bucket) >> 10) / (f->mean_bucket >> 10);
	return more < f->debt_class - f->debt_bucket ? more : f->debt_class - f->debt_bucket;
}

/* the verdict has its say on the clocks: a drop takes its charge back, a wait moves the bucket's */
static __always_inline void weir_settle(struct weir_job *job)
{
	struct weir_facts *f = &job->facts;
	__u64 more;

	if (job->bucket && job->class->flags & WEIR_CLASS_FAIR && f->debt_bucket > f->ahead) {
		weir_window_limited(job);
		if (f->reason < WEIR_R_FIRST_DROP || f->reason == WEIR_R_DROP_AQM)
			weir_mean_debt(job);
	}
	if (f->reason >= WEIR_R_FIRST_DROP) {
		if (job->cost_bucket && job->tat)
			weir_refund(job->tat, job->cost_bucket);
		if (job->cost_class)
			weir_refund(&job->state->tat, job->cost_class);
	} else if (job->cost_bucket && job->tat) {
		more = f->advance;
		if (job->class->flags & WEIR_CLASS_FAIR)
			more += weir_stretch(f, job->cost_bucket);
		if (more)
			__sync_fetch_and_add(job->tat, more);
	}
}

#endif
