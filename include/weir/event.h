/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h: the one list of events that the kernel tells, and when one may be told: a state that
 * flutters is told at most once a second (after four at once), and how many changes were left out
 * comes with the next. Pure: no helper, map or clock. `monitor` and the manual come from the list.
 * The order is ABI: append only, and raise WEIR_ABI otherwise.
 */
#ifndef WEIR_EVENT_H
#define WEIR_EVENT_H

#include <linux/types.h>

/*
 * X(ENUM, "name", "what it means, in words"). The first five are states: what holds a class back,
 * in the words of `show` and `top`.
 */
#define WEIR_EVENT_KINDS(X) \
	X(FREE, "free", "nothing holds it back any more") \
	X(FLOWS, "flow-rate", "some of its buckets run at their own cap (flow-rate)") \
	X(CLASS, "class-rate", "its buckets share the class's rate") \
	X(LEASE, "lease", "its buckets share the rate that the agent has set") \
	X(OBSERVED, "observed", "above its rate, but the action is observe: nothing is held back") \
	X(LEASE_BEGIN, "lease-begin", "the agent has set its rate") \
	X(LEASE_END, "lease-end", "the agent has given the rate back; the configured one holds") \
	X(LEASE_EXPIRED, "lease-expired", "no agent has renewed the rate; the configured one holds") \
	X(TABLE_FILLING, "table-filling", "seven eighths of the flow table have been used") \
	X(TABLE_FULL, "table-full", "new flows take the place of those that were silent longest") \
	X(TABLE_CHURN, "table-churn", "new flows would replace the whole table in under 16 s; a larger " \
	  "one: attach ... flows N") \
	X(TABLE_CALM, "table-calm", "few new flows again") \
	X(NO_ENTRY, "no-entry", "flows that no entry could be made for; charged to their class alone")

enum weir_event_kind {
#define X(e, name, text) WEIR_E_##e,
	WEIR_EVENT_KINDS(X)
#undef X
	WEIR_E_COUNT
};

#define WEIR_EVENT_NS 1000000000ULL	/* one a second ... */
#define WEIR_EVENT_BURST_NS (4 * WEIR_EVENT_NS)	/* ... after so many at once */

/* what was last told of one state; 16 bytes, all zero at first */
struct weir_told {
	__u64 tat;			/* budget: a virtual clock, as in bucket.h */
	__u32 left_out;			/* changes since the last event */
	__u16 told;			/* enum weir_event_kind */
	__u16 last;			/* the state when it was last looked at */
};

/*
 * The state is looked at. Returns 1 where it is to be told now; *left_out then counts the changes
 * since the last event that were not told. A state that went and came back is no event.
 */
static inline __attribute__((always_inline)) int weir_told_next(struct weir_told *t, __u16 state,
								 __u64 now, __u32 *left_out)
{
	__u64 base = t->tat > now ? t->tat : now;

	if (state != t->last) {
		t->last = state;
		t->left_out++;
	}
	if (state == t->told || base - now >= WEIR_EVENT_BURST_NS)
		return 0;
	t->tat = base + WEIR_EVENT_NS;
	t->told = state;
	*left_out = t->left_out - 1;
	t->left_out = 0;
	return 1;
}

#endif
