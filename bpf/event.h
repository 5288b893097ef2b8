/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h: what the kernel tells: what holds a class back, leases, a flow table under pressure.
 * A packet that is held back leaves a time stamp; the rest is the timer's: it compares what it
 * finds with what was told last and is the only writer of the ring, so that nothing here is
 * locked, and no packet waits. What went on for less than a tick is seen all the same: stamps stay.
 */
#ifndef WEIR_BPF_EVENT_H
#define WEIR_BPF_EVENT_H

#include "charge.h"

#define WEIR_HELD_STEP_NS 16000000ULL	/* the stamp is this exact */
#define WEIR_HELD_NS 200000000ULL	/* without a packet that is held back, a class is free */
#define WEIR_PASS_NS 16000000ULL	/* the timer looks no more often */

const volatile __u32 max_flows = 131072;	/* size of map "flows" */

/*
 * Stamps the class where the packet was held back: more than two packets ahead of its clock (a
 * paced socket: of its small debt); policed, where it was marked, dropped or nearly so.
 */
static __always_inline void weir_hold(struct weir_job *job)
{
	struct weir_class_state *state = job->state;
	const struct weir_facts *f = &job->facts;
	__u64 debt = f->debt_bucket, free = weir_since(state->held_at, f->now);

	if (!(f->debt_bucket | f->debt_class) || free < WEIR_HELD_STEP_NS)
		return;
	if (!(job->class->flags & WEIR_CLASS_FAIR))
		debt = weir_max(debt, f->debt_class);
	if (f->means == WEIR_BY_POLICE ?
	    !f->mark && f->reason != WEIR_R_SPARED && f->reason < WEIR_R_FIRST_DROP :
	    debt <= f->ahead)
		return;
	if (free > WEIR_HELD_NS)
		state->held_since = f->now;
	state->held_at = f->now;
}

/* Puts the event at the head of the ring: its number is there only while the rest of it is. */
__attribute__((noinline)) int weir_event_put(const struct weir_event *event)
{
	struct weir_event_state *head;
	struct weir_event *to;
	__u32 zero = 0, at;
	__u64 seq;

	head = bpf_map_lookup_elem(&event_state, &zero);
	if (!event || !head)
		return -1;
	seq = head->seq + 1;
	at = seq % WEIR_EVENTS;
	to = bpf_map_lookup_elem(&events, &at);
	if (!to)
		return -1;
	__sync_lock_test_and_set(&to->seq, 0);
	to->at_ns = event->at_ns;
	to->value = event->value;
	to->more = event->more;
	__builtin_memcpy(to->class, event->class, sizeof(to->class));
	to->kind = event->kind;
	to->class_slot = event->class_slot;
	to->left_out = event->left_out;
	__sync_lock_test_and_set(&to->seq, seq);
	head->seq = seq;
	return 0;
}

/* the rate where no agent sets one: a class under control that has none has its maximum */
static __always_inline __u64 weir_rate_alone(const struct weir_class *class)
{
	return class->rate_bps ? class->rate_bps : class->max_bps;
}

/* is there a lease, and when does it end? */
static __always_inline const struct weir_lease *weir_lease_of(const struct weir_class *class,
							      __u32 slot)
{
	const struct weir_lease *lease = NULL;

	if (class->flags & WEIR_CLASS_LEASED)
		lease = bpf_map_lookup_elem(&leases, &slot);
	return lease && lease->npb_rate ? lease : NULL;
}

static __always_inline int weir_recent(__u64 stamp, __u64 now)
{
	return stamp && (__s64)(now - stamp) < (__s64)WEIR_HELD_NS;
}

/* what holds the class back: a state of event.h's list */
static __always_inline __u16 weir_held_by(const struct weir_class *class,
					  const struct weir_class_state *state, int leased,
					  __u64 rate, __u64 now)
{
	int by_class;

	if (!weir_recent(state->held_at, now))
		return WEIR_E_FREE;
	if (class->action == WEIR_OBSERVE)
		return WEIR_E_OBSERVED;
	/* a fair class is stamped where its level is less than the cap */
	by_class = class->flags & WEIR_CLASS_FAIR ? weir_recent(state->limited_at, now) :
						    weir_debt(state->tat, now) > 0;
	if (!rate || (class->npb_flow && !by_class))
		return WEIR_E_FLOWS;
	return leased ? WEIR_E_LEASE : WEIR_E_CLASS;
}

static __always_inline void weir_events_class(const struct weir_class *class, __u32 slot,
					      const struct weir_class_state *state, __u64 now)
{
	struct weir_class_told *was = bpf_map_lookup_elem(&told, &slot);
	const struct weir_lease *lease = weir_lease_of(class, slot);
	int leased = lease && lease->expires_ns > now;
	struct weir_event event = { .class_slot = slot, .at_ns = now };
	__u16 kind;

	if (!was)
		return;
	event.value = leased ? lease->rate_bps : weir_rate_alone(class);
	if (class->flags & WEIR_CLASS_FAIR && event.value)
		event.more = state->level_bps;
	__builtin_memcpy(event.class, class->name, sizeof(event.class));
	kind = was->lease.last;
	if (leased)
		kind = WEIR_E_LEASE_BEGIN;
	else if (kind == WEIR_E_LEASE_BEGIN)
		kind = lease ? WEIR_E_LEASE_EXPIRED : WEIR_E_LEASE_END;
	if (weir_told_next(&was->lease, kind, now, &event.left_out)) {
		event.kind = kind;
		if (kind == WEIR_E_LEASE_EXPIRED && lease)
			event.at_ns = lease->expires_ns;
		weir_event_put(&event);
		event.at_ns = now;
	}
	kind = weir_held_by(class, state, leased, event.value, now);
	if (kind == WEIR_E_FLOWS)
		event.value = class->flow_rate_bps;
	if (kind == WEIR_E_FREE)
		event.at_ns = state->held_at;
	else if (was->held.told == WEIR_E_FREE)
		event.at_ns = state->held_since;
	if (weir_told_next(&was->held, kind, now, &event.left_out)) {
		event.kind = kind;
		weir_event_put(&event);
	}
}

/* the flow table: how full, how fast it turns over, and flows that got no entry */
static __always_inline void weir_events_table(struct weir_event_state *head, __u64 now)
{
	__u32 which = WEIR_TABLE_FLOWS;
	const struct weir_table *table = bpf_map_lookup_elem(&tables, &which);
	__u64 made, refused, size = max_flows, fresh;
	struct weir_event event = { .at_ns = now, .more = size };
	__u16 kind;

	if (!table)
		return;
	made = table->made;
	refused = table->refused;
	event.value = made;
	event.kind = kind = made >= size ? WEIR_E_TABLE_FULL :
			    made >= size - size / 8 ? WEIR_E_TABLE_FILLING : 0;
	if (weir_told_next(&head->size, kind, now, &event.left_out))
		weir_event_put(&event);
	event.value = refused - head->refused_told;
	event.kind = WEIR_E_NO_ENTRY;
	head->failure.told = 0;		/* a count is no state: it is told as often as it may */
	if (event.value && weir_told_next(&head->failure, WEIR_E_NO_ENTRY, now, &event.left_out)) {
		event.left_out = 0;
		head->refused_told = refused;
		weir_event_put(&event);
	}
	if (now - head->second_ns < WEIR_EVENT_NS)
		return;
	fresh = made - head->second_made;
	head->second_ns = now;
	head->second_made = made;
	event.value = fresh;
	kind = made > size && fresh * 16 > size ? WEIR_E_TABLE_CHURN :
	       head->churn.last ? WEIR_E_TABLE_CALM : 0;
	event.kind = kind;
	if (weir_told_next(&head->churn, kind, now, &event.left_out))
		weir_event_put(&event);
}

/* is it time to look? The table is looked at here, the classes by the caller. */
static __always_inline int weir_events_due(__u64 now)
{
	struct weir_event_state *head;
	__u32 zero = 0;

	head = bpf_map_lookup_elem(&event_state, &zero);
	if (!head || now - head->pass_ns < WEIR_PASS_NS)
		return 0;
	head->pass_ns = now;
	weir_events_table(head, now);
	return 1;
}

#endif
