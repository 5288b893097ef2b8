// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot_rates.c: what follows from two pictures of an instance: rates per second, percentiles
 * of the delay, and what holds a class back. Pure: no libbpf, no clock, no log.
 */
#include <string.h>
#include <weir/aqm.h>
#include <weir/bucket.h>
#include "snapshot.h"

#define NOW_NS (2 * SNAPSHOT_ACTIVE_NS)	/* what is longer ago says nothing of now */
#define CONN_NS 200000000ULL		/* a refused connection is told of for so long */
#define AIM_NS 4000000ULL		/* the debt that the datapath steers a paced socket to */

const char *const snapshot_state_names[SNAPSHOT_STATE_COUNT] = {
#define X(e, name, text) [SNAPSHOT_##e] = name,
	SNAPSHOT_STATES(X)
#undef X
};

static const char *const state_texts[SNAPSHOT_STATE_COUNT] = {
#define X(e, name, text) [SNAPSHOT_##e] = text,
	SNAPSHOT_STATES(X)
#undef X
};

bool snapshot_step_stands(const struct weir_decision *step, const struct weir_class *class,
			  const struct weir_lease *lease, __u64 now_ns)
{
	if (!class->signal[0] || step->at_ns + WEIR_DECISION_OLD_NS <= now_ns ||
	    strncmp(step->class, class->name, WEIR_NAME_LEN) || step->reason >= WEIR_C_COUNT)
		return false;
	/* of the signal that the class followed before its configuration changed */
	if (step->target != class->target ||
	    !(step->flags & WEIR_D_TIME) != !(class->set & WEIR_SET_TARGET_TIME))
		return false;
	return !step->new_bps || step->flags & WEIR_D_OBSERVE || !lease ||
	       lease->expires_ns > now_ns;
}

const char *snapshot_state_text(const struct snapshot_class *class)
{
	if (class->state == SNAPSHOT_UNLIMITED && class->conf.conn_rate &&
	    class->conf.action != WEIR_OBSERVE)
		return "no rate is set; new connections beyond conn-rate are dropped";
	return state_texts[class->state];
}

const char *const snapshot_sort_names[SNAPSHOT_SORT_COUNT] = {
	[SNAPSHOT_BY_RATE] = "rate", [SNAPSHOT_BY_BYTES] = "bytes",
	[SNAPSHOT_BY_PACKETS] = "packets", [SNAPSHOT_BY_MARKED] = "marked",
	[SNAPSHOT_BY_DROPPED] = "dropped", [SNAPSHOT_BY_DELAY] = "delay",
	[SNAPSHOT_BY_LAST] = "last",
};

const struct snapshot_class *snapshot_class_find(const struct snapshot *snapshot,
						 const char *name)
{
	for (unsigned int i = 0; snapshot && i < snapshot->n_classes; i++)
		if (!strcmp(snapshot->classes[i].conf.name, name))
			return &snapshot->classes[i];
	return NULL;
}

__u64 snapshot_flow_value(const struct snapshot_flow *flow, enum snapshot_sort sort)
{
	switch (sort) {
	case SNAPSHOT_BY_BYTES:
		return flow->flow.bytes;
	case SNAPSHOT_BY_PACKETS:
		return flow->flow.packets;
	case SNAPSHOT_BY_MARKED:
		return flow->flow.marked;
	case SNAPSHOT_BY_DROPPED:
		return flow->flow.dropped;
	case SNAPSHOT_BY_DELAY:
		return flow->flow.delayed ? flow->flow.delay_ns / flow->flow.delayed : 0;
	case SNAPSHOT_BY_LAST:
		return flow->flow.last_seen_ns;
	default:
		return flow->rate_bps;
	}
}

/*
 * By the measure of the datapath: two full packets ahead of the clock, or, where the socket is
 * paced and held at a small debt on purpose, half of that. Where nothing waits a burst is let
 * through: not of a flow that has never lost or been marked a packet.
 */
bool snapshot_flow_ahead(const struct weir_flow *flow, const struct weir_class *class,
			 __u64 level_bps)
{
	bool waits = class->action != WEIR_POLICE &&
		     flow->flags & (WEIR_FLOW_EDT | WEIR_FLOW_ACTUATED);
	__u64 cap = class->flow_rate_bps, packet_ns;

	if (class->per != WEIR_PER_FLOW || !(waits || flow->dropped || flow->marked))
		return false;
	if (level_bps && (!cap || level_bps < cap))
		cap = level_bps;
	if (!cap || flow->bucket.tat <= flow->last_seen_ns)
		return false;
	packet_ns = weir_cost(WEIR_MTU, weir_npb(cap));
	return flow->bucket.tat - flow->last_seen_ns >
	       (flow->flags & WEIR_FLOW_ACTUATED ? (AIM_NS + packet_ns) / 2 : 2 * packet_ns);
}

__u64 snapshot_percentile(const __u64 hist[WEIR_HIST], unsigned int percent)
{
	__u64 all = 0, before = 0, rank, start, end;
	unsigned int i;

	for (i = 0; i < WEIR_HIST; i++)
		all += hist[i];
	if (!all)
		return 0;
	rank = (all * percent + 99) / 100;
	for (i = 0; i < WEIR_HIST - 1 && before + hist[i] < rank; i++)
		before += hist[i];
	if (!i)
		return 0;
	start = snapshot_hist_end_ns(i - 1);
	end = snapshot_hist_end_ns(i);
	return start + (__u64)((double)(end - start) * (rank - before) / hist[i]);
}

/* a counter that went back was cleared in between: all of it is new */
static __u64 grown(__u64 now, __u64 before)
{
	return now >= before ? now - before : now;
}

static __u64 per_second(__u64 count, __u64 span_ns)
{
	return span_ns ? ((unsigned __int128)count * 1000000000 + span_ns - 1) / span_ns : 0;
}

/* every member is a __u64; where the slot held another class before, all of it is new */
static struct weir_class_stats stats_grown(const struct snapshot_class *class,
					   const struct snapshot_class *before)
{
	struct weir_class_stats ret = class->total;

	if (!before || before->slot != class->slot)
		return ret;
	for (unsigned int i = 0; i < sizeof(ret) / sizeof(__u64); i++)
		((__u64 *)&ret)[i] = grown(((const __u64 *)&class->total)[i],
					   ((const __u64 *)&before->total)[i]);
	return ret;
}

/* packets that its rates held back in one way or another */
static __u64 held_of(const struct weir_class_stats *by)
{
	__u64 held = by->delayed + by->marked + by->packets[WEIR_R_SOCKET] +
		     by->packets[WEIR_R_SPARED];

	for (unsigned int i = WEIR_R_FIRST_DROP; i < WEIR_R_COUNT; i++)
		held += i == WEIR_R_DROP_CONN ? 0 : by->packets[i];
	return held;
}

/* were connections refused? Of one picture: conn-rate was used up a moment ago */
static bool conn_held(const struct snapshot_class *class, const struct weir_class_stats *by,
		      __u64 now_ns)
{
	__u32 rate = class->conf.conn_rate;

	if (by)
		return by->packets[WEIR_R_DROP_CONN];
	return rate && class->moved.conn_tat + CONN_NS > now_ns + weir_event_limit(rate);
}

static bool recent(__u64 at_ns, __u64 now_ns)
{
	return at_ns && at_ns + SNAPSHOT_ACTIVE_NS > now_ns;
}

/*
 * by is what happened since the picture before, NULL where there is none, or it is too old to tell
 * of now: then what the datapath has noted of itself must do.
 */
static enum snapshot_state state_of(const struct snapshot_class *class,
				    const struct weir_class_stats *by, __u64 now_ns)
{
	const struct weir_class_state *moved = &class->moved;
	bool by_level = moved->limited && recent(moved->limited_at, now_ns);
	bool observed = class->conf.action == WEIR_OBSERVE;
	enum snapshot_state refused = !conn_held(class, by, now_ns) ? SNAPSHOT_FREE :
				      observed ? SNAPSHOT_OBSERVED : SNAPSHOT_CONN;
	bool full;

	if (!class->limit_bps && !class->conf.flow_rate_bps)
		return refused == SNAPSHOT_FREE ? SNAPSHOT_UNLIMITED : refused;
	if (by ? !class->rates.packets : !recent(moved->last_ns, now_ns))
		return SNAPSHOT_IDLE;
	/* a burst that is let through is ahead of its clock, too */
	if (!recent(moved->held_at, now_ns) && !(by && held_of(by)))
		return refused;
	if (observed)
		return SNAPSHOT_OBSERVED;
	/* below nine tenths of its rate a class does not hold anything back: its caps do */
	full = by ? by->packets[WEIR_R_DROP_CLASS] ||
		    class->rates.passed_bps / 9 >= class->limit_bps / 10 : moved->tat > now_ns;
	if (class->limit_bps && (by_level || !class->conf.flow_rate_bps || full))
		return class->leased ? SNAPSHOT_LEASE : SNAPSHOT_CLASS;
	return SNAPSHOT_FLOWS;
}

static void class_compare(struct snapshot_class *class, const struct snapshot_class *before,
			  __u64 span_ns, __u64 now_ns)
{
	struct weir_class_stats by = stats_grown(class, before);
	__u64 passed = 0, dropped = 0, packets = 0, drops = 0, measured = 0;
	struct snapshot_rates *rates = &class->rates;

	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		packets += by.packets[i];
		if (i < WEIR_R_FIRST_DROP) {
			passed += by.bytes[i];
		} else {
			dropped += by.bytes[i];
			drops += by.packets[i];
		}
	}
	/* its drops are what would have been dropped */
	if (class->conf.action == WEIR_OBSERVE)
		passed += dropped;
	rates->passed_bps = per_second(passed * 8, span_ns);
	rates->dropped_bps = per_second(dropped * 8, span_ns);
	rates->packets = per_second(packets, span_ns);
	rates->marked = per_second(by.marked, span_ns);
	rates->delayed = per_second(by.delayed, span_ns);
	rates->dropped = per_second(drops, span_ns);
	for (unsigned int i = 0; i < WEIR_HIST; i++)
		measured += by.delay_hist[i];
	rates->has_delay = measured > 0;
	rates->p50_ns = snapshot_percentile(by.delay_hist, 50);
	rates->p99_ns = snapshot_percentile(by.delay_hist, 99);
	class->state = state_of(class, span_ns && span_ns <= NOW_NS ? &by : NULL, now_ns);
}

void snapshot_compare(struct snapshot *snapshot, const struct snapshot *before)
{
	snapshot->span_ns = before && before->now_ns < snapshot->now_ns ?
			    snapshot->now_ns - before->now_ns : 0;
	for (unsigned int i = 0; i < snapshot->n_classes; i++) {
		struct snapshot_class *class = &snapshot->classes[i];

		class_compare(class, snapshot_class_find(before, class->conf.name),
			      snapshot->span_ns, snapshot->now_ns);
	}
}
