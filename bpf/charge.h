/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * charge.h: a packet's job: gather the facts, move the bucket's clock and the class's clock, and
 * afterwards the state that the verdict moves. Owns the clocks; decides nothing (decide.h does).
 */
#ifndef WEIR_CHARGE_H
#define WEIR_CHARGE_H

#include "flow.h"
#include "debt.h"
#include "window.h"

/* a socket that does not follow after this is not relied upon */
#define WEIR_ACTUATE_NS 1000000000ULL

/* Since when a flow's socket could have followed: nobody has asked one older than the rate. */
static __always_inline __u64 weir_asked_since(__u32 leased, const struct weir_class_state *state,
					      const struct weir_flow *flow, __u64 now)
{
	if (!leased)
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
		f->npb_bucket = weir_min(f->npb_class << WEIR_NEWCOMERS_SHIFT, WEIR_NPB_MAX);
		weir_shared_outgrown(job->state, 1, f->now, f->npb_bucket);
	} else if (level) {
		job->tat = &job->state->rest_tat;
		f->npb_bucket = level;
		weir_shared_outgrown(job->state, 0, f->now, f->npb_class);
	}
}

/*
 * The rates in force: a lease beats the configuration while it lasts, the level caps a bucket.
 * Returns WEIR_F_LEASED or 0.
 */
static __always_inline __u32 weir_rates(struct weir_job *job)
{
	const struct weir_class *class = job->class;
	struct weir_facts *f = &job->facts;
	__u64 level = 0;
	__u32 leased = 0;

	job->tat = job->bucket ? &job->bucket->tat : NULL;
	f->npb_class = class->npb_rate;
	f->npb_bucket = job->tat ? class->npb_flow : 0;
	if (class->flags & WEIR_CLASS_LEASED) {
		const struct weir_lease *lease = bpf_map_lookup_elem(&leases, &job->slot);

		if (lease && lease->npb_rate && lease->expires_ns > f->now) {
			f->npb_class = lease->npb_rate;
			f->from = weir_debt(lease->hold_until_ns, f->now);
			leased = WEIR_F_LEASED;
		}
	}
	if (class->flags & WEIR_CLASS_FAIR && f->npb_class) {
		level = weir_max(job->state->npb_level, f->npb_class);
		if (job->tat)
			f->npb_bucket = weir_max(f->npb_bucket, level);
	}
	if (!job->tat)
		weir_rates_shared(job, level);
	return leased;
}

/* conn-rate counts the packets that open a TCP connection, whatever rates the class has */
static __always_inline int weir_conn_refused(const struct weir_job *job)
{
	__u32 per_second = job->class->conn_rate;

	if (!per_second || !(job->packet.flags & WEIR_P_OPENS))
		return 0;
	return !weir_charge_within(&job->state->conn_tat, job->facts.now,
				   weir_event_cost(per_second), weir_event_limit(per_second));
}

static __always_inline void weir_gather(struct weir_job *job, __u32 can)
{
	const struct weir_class *class = job->class;
	struct weir_facts *f = &job->facts;
	__u32 flags = 0, flow_flags, leased = weir_rates(job);

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
		     weir_since(weir_asked_since(leased, job->state, job->flow, f->now), f->now) <
			     WEIR_ACTUATE_NS))
			flags |= WEIR_F_SOCKET |
				 (flow_flags & WEIR_FLOW_ACTUATED ? WEIR_F_ACTUATED : 0);
	}
	if (job->bucket && job->bucket->flags & WEIR_BUCKET_MARKED)
		flags |= WEIR_F_MARKED;
	f->mean_bucket = job->state->mean_bucket;
	if (job->packet.flags & WEIR_P_CONTROL)
		flags |= WEIR_F_CONTROL;
	/* a branch would double the verifier's ways */
	flags |= ((__s64)job->packet.len - WEIR_SMALL_BYTES - 1) >> 63 & WEIR_F_SMALL;
	f->flags = flags | leased;
}

/*
 * Moves both clocks; weir_settle() takes back what is refused. Not a call, nor is there any but the
 * parser's on a packet's usual way: each costs as much as all of this where the CPU needs its
 * returns made safe.
 */
static __always_inline void weir_charge_job(struct weir_job *job)
{
	struct weir_facts *f = &job->facts;
	__u64 idle;

	if (job->bucket && job->class->flags & WEIR_CLASS_FAIR &&
	    weir_window_news(f, job->bucket, job->state))
		weir_window_note(f, job->class, job->bucket, job->state);
	if (f->npb_bucket && job->tat) {
		if (f->flags & WEIR_F_LEASED)
			weir_owed(job->bucket, job->state, f);
		f->cost_bucket = weir_cost_mean(f->bytes, f->npb_bucket, f->now);
		f->debt_bucket = weir_charge(job->tat, f->now, f->cost_bucket);
	}
	if (f->npb_class) {
		f->cost_class = weir_cost_mean(f->bytes, f->npb_class, f->now);
		idle = f->now - *(volatile __u64 *)&job->state->tat;
		f->debt_class = weir_charge(&job->state->tat, f->now, f->cost_class);
		/* where there was a debt, also one that another CPU just took back, nothing: a
		 * branch would double the verifier's ways */
		job->state->idle_ns += idle & ~((__s64)(idle | -f->debt_class) >> 63);
	}
	f->reason = f->npb_bucket | f->npb_class ? WEIR_R_CONFORM : WEIR_R_UNLIMITED;
}

/* Both clocks were idle: the packet is within every rate. */
static __always_inline void weir_conform(struct weir_job *job)
{
	const struct weir_facts *f = &job->facts;

	if (job->bucket)
		job->bucket->slowest = weir_slow(weir_npb_set(f, job->class));
	job->state->slowest = weir_slow(f->npb_class);
}

#define WEIR_SEQ_WINDOW (16 << 20)	/* no sender goes back further */

/*
 * WEIR_F_AGAIN where it is a retransmission: lost again, it would cost a time-out. A bucket
 * remembers the end of what it has seen while in debt, which is when it matters. Where several
 * flows share one, they hardly ever agree on a number: no. What a socket sends through fq is never
 * dropped early.
 */
static __always_inline int weir_again(const struct weir_facts *f, const struct weir_packet *p,
				      struct weir_bucket *bucket)
{
	__u32 end, behind;

	if (!bucket || (f->flags & (WEIR_F_RISE | WEIR_F_SOCKET)) == WEIR_F_SOCKET ||
	    p->key.proto != IPPROTO_TCP ||
	    p->flags & (WEIR_P_CONTROL | WEIR_P_FIRST | WEIR_P_LATER))
		return 0;
	end = bpf_ntohl(p->seq) + p->len - p->headers;
	behind = bucket->seq - end;
	if (bucket->flags & WEIR_BUCKET_SEQ && behind < WEIR_SEQ_WINDOW)
		return WEIR_F_AGAIN;
	bucket->flags |= WEIR_BUCKET_SEQ;
	bucket->seq = end;
	return 0;
}

/*
 * What a delayed packet of a fair class costs its bucket beyond its bytes. Where the levels add up,
 * the class's debt is the mean of its buckets' debts. Where they add up to too much (many starts at
 * once), all clocks that are ahead run slower in proportion. It is the cost that is stretched and
 * not the wait, which in a train of packets would grow by that factor with each of them.
 */
static __always_inline __u64 weir_stretch(const struct weir_facts *f)
{
	__u64 more;

	if (!f->delay || !(f->mean_bucket >> 10) || f->debt_class <= f->mean_bucket ||
	    f->debt_class <= f->debt_bucket || f->debt_bucket <= 2 * f->packet_ns)
		return 0;
	more = f->cost_bucket * ((f->debt_class - f->mean_bucket) >> 10) / (f->mean_bucket >> 10);
	return more < f->debt_class - f->debt_bucket ? more : f->debt_class - f->debt_bucket;
}

/*
 * Where an agent moves the rate, weir_owed() has the sockets, departures stand, and what is dropped
 * early owes little; but what is marked instead may be half a second ahead at a low rate, and would
 * sleep that off long after the rate is back.
 */
#define WEIR_RISE_MARKED (WEIR_F_RISE | WEIR_F_MARKED)

/*
 * The verdict of a packet that met a debt; once more where it was refused for one that a slower
 * rate made. Then what follows for the level and for the bucket's clock. A global function: the
 * verifier reads it once.
 */
__attribute__((noinline)) int weir_verdict(struct weir_facts *f, const struct weir_class *class,
					   struct weir_bucket *bucket,
					   struct weir_class_state *state,
					   const struct weir_packet *p)
{
	__u64 held, queued;
	int tries;

	if (!f || !class || !state || !p)
		return 0;
	/* no clock but a bucket's keeps its packets in order behind one that is held */
	if (!f->npb_bucket)
		f->from = 0;
	if (f->from && f->now + f->from > state->held_until)
		state->held_until = f->now + f->from;
	held = weir_debt(state->held_until, f->now);
	if (weir_rises(f, class, p->key.proto))
		f->flags |= WEIR_F_RISE;
	f->flags |= weir_again(f, p, bucket);
	if (bucket)
		bucket->slowest = weir_slowest(bucket->slowest, f->debt_bucket,
					       weir_npb_set(f, class));
	state->slowest = weir_slowest(state->slowest, f->debt_class, f->npb_class);
	for (tries = 0; tries < 2; tries++) {
		f->reason = WEIR_R_CONFORM;
		f->delay = 0;
		f->advance = 0;
		weir_decide(f, class, bucket, held);
		if (f->reason < WEIR_R_FIRST_DROP ||
		    (f->flags & WEIR_F_LEASED &&
		     (f->flags & WEIR_RISE_MARKED) != WEIR_RISE_MARKED) ||
		    !weir_debts_outgrown(f, class, bucket, state))
			break;
	}
	if (!bucket || !(class->flags & WEIR_CLASS_FAIR))
		return 0;
	/* who is held is not limited by the level: else all would be, at a small part each */
	queued = f->means == WEIR_BY_EDT ? weir_debt(f->debt_bucket, held) : f->debt_bucket;
	if (queued > f->ahead)
		weir_window_limited(f, class, bucket, state, queued);
	f->advance += weir_stretch(f);
	return 0;
}

/* the verdict has its say on the clocks: a drop takes its charge back, a wait moves the bucket's */
static __always_inline void weir_settle(struct weir_job *job)
{
	struct weir_facts *f = &job->facts;

	if (f->reason >= WEIR_R_FIRST_DROP) {
		if (f->cost_bucket && job->tat)
			weir_refund(job->tat, f->cost_bucket);
		if (f->cost_class)
			weir_refund(&job->state->tat, f->cost_class);
	} else if (f->advance && f->cost_bucket && job->tat) {
		__sync_fetch_and_add(job->tat, f->advance);
	}
}

#endif
