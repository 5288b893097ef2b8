/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debt.h: what a clock owes when its rate moves. Debts are bytes: a clock keeps them as time at the
 * rate that made them, and here that time becomes another. Moves clocks, knows no packet; charge.h
 * calls it beside the charge.
 */
#ifndef WEIR_DEBT_H
#define WEIR_DEBT_H

#include "decide.h"

/* when an agent last cut the rate; now, where the timer has not yet seen its first one */
static __always_inline __u64 weir_cut_at(const struct weir_class_state *state, __u64 now)
{
	return state->rate_bps ? state->cut_at : now;
}

/* a packet meets a cut before the timer does */
static __always_inline void weir_cut_note(struct weir_class_state *state,
					  const struct weir_facts *f)
{
	__u32 was = state->slowest;

	if (was && weir_slow(f->npb_class) > was + was / 4)
		state->cut_at = f->now;
}

/*
 * Where an agent moves the rate, it answers for what the class has let pass: more than a sign that
 * the levels add up to too much is not kept.
 */
#define WEIR_EXCESS_LEASED_NS 50000000ULL
static __always_inline void weir_class_forgive(struct weir_class_state *state, __u64 now)
{
	__u64 tat = *(volatile __u64 *)&state->tat;
	__u64 most = now + state->mean_bucket + WEIR_EXCESS_LEASED_NS;

	if (tat > most)
		__sync_val_compare_and_swap(&state->tat, tat, most);
}

/*
 * Where an agent moves the rate: what a socket owes is bytes, and each new rate makes another time
 * of them, or it would sleep off a cut long after the rate is back. It owes no more than some
 * packets' time, and just after a cut no more than what it is steered to: what it sent by the older
 * rate has arrived and been answered for; else it would be silent for seconds, and its drops for
 * longer. Nor does the class until then, which the timer alone would come too late for. A global
 * function: the verifier reads it once.
 */
#define WEIR_OWED_PACKETS 4
#define WEIR_OWED_CUT_PACKETS 2
#define WEIR_CUT_NS 50000000ULL		/* sockets go on by the older rate */
__attribute__((noinline)) int weir_owed(struct weir_bucket *bucket,
					struct weir_class_state *state,
					const struct weir_facts *f)
{
	__u64 tat, owed, most, was;
	int cut;

	if (!bucket || !state || !f || (f->flags & (WEIR_F_SOCKET | WEIR_F_EDT)) != WEIR_F_SOCKET)
		return 0;
	weir_cut_note(state, f);
	cut = weir_since(weir_cut_at(state, f->now), f->now) < WEIR_CUT_NS;
	if (cut)
		weir_class_forgive(state, f->now);
	was = (__u64)bucket->slowest << WEIR_SLOW_SHIFT;
	bucket->slowest = weir_slow(f->npb_bucket);
	tat = *(volatile __u64 *)&bucket->tat;
	owed = weir_debt(tat, f->now + WEIR_AIM_NS);
	if (!owed)
		return 0;
	if (cut)
		most = weir_cost(WEIR_OWED_CUT_PACKETS * WEIR_MTU, f->npb_bucket);
	else
		most = weir_cost(WEIR_OWED_PACKETS * WEIR_MTU + f->bytes, f->npb_bucket);
	if (was && was >> WEIR_SLOW_SHIFT != weir_slow(f->npb_bucket))
		owed = ((owed < 1ULL << 38 ? owed : 1ULL << 38) *
			weir_ratio(f->npb_bucket, was)) >> WEIR_RATIO_SHIFT;
	owed = f->now + WEIR_AIM_NS + (owed < most ? owed : most);
	if (owed != tat)
		__sync_val_compare_and_swap(&bucket->tat, tat, owed);
	return 0;
}

/* what was set of a bucket, whatever the level is; weir_owed() wants to know the very rate */
static __always_inline __u64 weir_npb_set(const struct weir_facts *f,
					  const struct weir_class *class)
{
	return f->flags & WEIR_F_LEASED ? f->npb_bucket :
					  weir_max(class->npb_flow, f->npb_class);
}

/*
 * What a clock owes is bytes. Where the rate that was set has at least doubled since, they are
 * worth their time at the rate of now: not where a level has risen, which is for what comes.
 * Returns the debt of a packet that met `debt`.
 */
static __always_inline __u64 weir_outgrown(__u64 *tat, __u32 *slowest, __u64 now, __u64 npb,
					   __u64 debt)
{
	__u64 was = *slowest, ratio, old, owed;

	if (was < 2 * (__u64)weir_slow(npb) || debt >= 1ULL << 46)
		return debt;
	*slowest = weir_slow(npb);
	ratio = weir_ratio(weir_slow(npb), was);
	old = *(volatile __u64 *)tat;
	owed = weir_debt(old, now);
	if (owed < 1ULL << 46)
		__sync_val_compare_and_swap(tat, old, now + (owed * ratio >> WEIR_RATIO_SHIFT));
	return debt * ratio >> WEIR_RATIO_SHIFT;
}

/*
 * The same of a clock that many share: at once, also where an agent moves the rate, since nothing
 * else shortens what it owes. A global function: it is seldom called, and the verifier reads it
 * once.
 */
__attribute__((noinline)) int weir_shared_outgrown(struct weir_class_state *state, int newcomers,
						   __u64 now, __u64 npb)
{
	__u32 *slowest;
	__u64 *tat;

	if (!state)
		return 0;
	tat = newcomers ? &state->newcomer_tat : &state->rest_tat;
	slowest = newcomers ? &state->newcomer_slowest : &state->rest_slowest;
	*slowest = weir_slowest(*slowest, weir_debt(*tat, now), npb);
	weir_outgrown(tat, slowest, now, npb, 0);
	return 0;
}

/* of a packet that was refused; 1: its debts are other ones now */
static __always_inline int weir_debts_outgrown(struct weir_facts *f,
					       const struct weir_class *class,
					       struct weir_bucket *bucket,
					       struct weir_class_state *state)
{
	__u64 debts = f->debt_bucket + f->debt_class;

	if (f->reason == WEIR_R_DROP_CLASS)
		f->debt_class = weir_outgrown(&state->tat, &state->slowest, f->now, f->npb_class,
					      f->debt_class);
	else if (bucket)
		f->debt_bucket = weir_outgrown(&bucket->tat, &bucket->slowest, f->now,
					       weir_npb_set(f, class), f->debt_bucket);
	if (f->debt_bucket + f->debt_class == debts)
		return 0;
	if (bucket)
		bucket->pi_p = 0;	/* it answers for the wait that was */
	return 1;
}

#endif
