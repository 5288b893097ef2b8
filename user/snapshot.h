/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot.h: a picture of an instance: one pass over its maps, and, with the picture before, what
 * went on in between. `top`, metrics, the page and its interface all read from here, so that they
 * agree. Bounded: every class, but only the foremost flows. snapshot.c reads the maps;
 * snapshot_rates.c is pure and computes what is derived.
 */
#ifndef WEIR_SNAPSHOT_H
#define WEIR_SNAPSHOT_H

#include <stdbool.h>
#include <weir/abi.h>
#include "util.h"

struct instance;
struct maps;

/* a flow that was silent for this long has no rate and is not active */
#define SNAPSHOT_ACTIVE_NS 1000000000ULL

#define SNAPSHOT_DECISIONS 20

/* X(ENUM, "name", "what it means, in words"): what holds a class back now */
#define SNAPSHOT_STATES(X) \
	X(UNLIMITED, "unlimited", "no rate is set; packets are only counted") \
	X(IDLE, "idle", "nothing was sent") \
	X(FREE, "free", "below its rates; nothing holds it back") \
	X(FLOWS, "flow-rate", "some of its buckets run at their own cap (flow-rate)") \
	X(CLASS, "class-rate", "its buckets share the class's rate") \
	X(LEASE, "lease", "its buckets share the rate that the agent has set") \
	X(CONN, "conn-rate", "new TCP connections beyond conn-rate are dropped; the rest passes") \
	X(OBSERVED, "observed", "above its rate, but the action is observe: nothing is held back, the " \
	  "counters say what would be done")

enum snapshot_state {
#define X(e, name, text) SNAPSHOT_##e,
	SNAPSHOT_STATES(X)
#undef X
	SNAPSHOT_STATE_COUNT
};

extern const char *const snapshot_state_names[SNAPSHOT_STATE_COUNT];

/* what happened between two pictures, per second; a count below one per second shows as one */
struct snapshot_rates {
	__u64 passed_bps;		/* of observe, all */
	__u64 dropped_bps;
	__u64 packets, marked, delayed, dropped;
	bool has_delay;			/* a packet was measured: the percentiles are valid */
	__u64 p50_ns, p99_ns;
};

struct snapshot_class {
	unsigned int slot;
	struct weir_class conf;
	struct weir_class_state moved;
	struct weir_class_stats total;
	__u64 limit_bps;		/* the rate in force, leased or configured; 0: none */
	bool leased;			/* it is the lease's */
	__u64 level_bps;		/* 0: none */
	__u32 active;			/* flows seen within the last second */
	__u32 ahead;			/* of those, held back by their bucket's rate */
	__u64 offered_bps;		/* what they send, whether it passes or not */
	struct snapshot_rates rates;
	enum snapshot_state state;
	bool steered;			/* an agent looks after it, and has said: */
	struct weir_decision steering;
};

struct snapshot_flow {
	struct weir_flow_key key;
	struct weir_flow flow;
	__u64 rate_bps;			/* 0 where it is silent */
	char dev[16];			/* "-" where it is gone */
	char class_name[WEIR_NAME_LEN];	/* "-" where it is gone */
};

struct snapshot_device {
	struct weir_dev_key key;
	char name[16];			/* its current one; as attached where it is gone */
	bool gone;
	bool lost;			/* it is there, the program is not on its hook */
	__u32 flags;			/* WEIR_DEV_* */
};

struct snapshot {
	char instance[64];
	__u64 now_ns;			/* CLOCK_MONOTONIC, as the datapath's */
	__u64 unix_ms;
	__u64 span_ns;			/* since the picture before; 0: there is none */
	__u64 took_ns;			/* how long the pass took */
	__u64 cost_ns;			/* the process's CPU time meanwhile */
	__u32 generation;
	__u64 n_all_flows, max_flows, active;
	__u64 refused;			/* packets whose flow the table had no place for */
	struct snapshot_class *classes;	/* in order of their slots */
	unsigned int n_classes;
	struct snapshot_flow *flows;	/* foremost first */
	unsigned int n_flows;
	struct snapshot_device *devices;
	unsigned int n_devices;
	struct weir_decision decisions[SNAPSHOT_DECISIONS];	/* the agent's last, newest first */
	unsigned int n_decisions;
};

enum snapshot_sort {
	SNAPSHOT_BY_RATE, SNAPSHOT_BY_BYTES, SNAPSHOT_BY_PACKETS, SNAPSHOT_BY_MARKED,
	SNAPSHOT_BY_DROPPED, SNAPSHOT_BY_DELAY, SNAPSHOT_BY_LAST, SNAPSHOT_SORT_COUNT
};

extern const char *const snapshot_sort_names[SNAPSHOT_SORT_COUNT];

/* which flows to keep: the foremost max_flows of those wanted (NULL: all) */
struct snapshot_query {
	enum snapshot_sort sort;
	unsigned int max_flows;
	/* class_name: NULL where the class is gone */
	bool (*wanted)(const struct weir_flow_key *key, const char *class_name, const void *arg);
	const void *arg;
};

/* Looks at the maps; the instance's network namespace must be entered. before may be NULL. */
int snapshot_take(const struct maps *maps, const struct instance *instance,
		  const struct snapshot_query *query, const struct snapshot *before,
		  struct snapshot **ret, struct err *err);
void snapshot_free(struct snapshot *snapshot);
static inline void snapshot_freep(struct snapshot **snapshot)
{
	snapshot_free(*snapshot);
}

/*
 * How far apart, from begin to begin, such looks should be: together they then take a fifth of a
 * core at most, however many flows there are.
 */
#define SNAPSHOT_APART 5
static inline __u64 snapshot_apart_ns(const struct snapshot *snapshot)
{
	return snapshot->cost_ns * SNAPSHOT_APART;
}

/* The class of that name, NULL where there is none. */
const struct snapshot_class *snapshot_class_find(const struct snapshot *snapshot,
						 const char *name);

/* Fills in span_ns, rates and state of every class. Pure. */
void snapshot_compare(struct snapshot *snapshot, const struct snapshot *before);

/* The value of a flow that it is sorted by. Pure. */
__u64 snapshot_flow_value(const struct snapshot_flow *flow, enum snapshot_sort sort);

/*
 * Is it what an agent has to say of the class now? Not where it is old, of another class or target,
 * or where the rate that it gave has run out. lease NULL: none. Pure.
 */
bool snapshot_step_stands(const struct weir_decision *step, const struct weir_class *class,
			  const struct weir_lease *lease, __u64 now_ns);

/* The state of a class in words. Pure. */
const char *snapshot_state_text(const struct snapshot_class *class);

/* Was the flow ahead of its bucket's rate at its last packet? level_bps 0: none. Pure. */
bool snapshot_flow_ahead(const struct weir_flow *flow, const struct weir_class *class,
			 __u64 level_bps);

/*
 * A percentile (1 to 100) of a histogram of delays, within its bucket by proportion; 0 within the
 * first bucket, which is that of packets that were not delayed. Pure.
 */
__u64 snapshot_percentile(const __u64 hist[WEIR_HIST], unsigned int percent);

/* The delay that bucket i of the histogram ends below; the last has no end. */
static inline __u64 snapshot_hist_end_ns(unsigned int i)
{
	return 2048ULL << i;
}

#endif
