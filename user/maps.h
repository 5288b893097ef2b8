/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.h: the only module that calls bpf_map_*. Opens the pinned maps of an instance by path,
 * checks their shape against abi.h, and moves whole values in and out.
 */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

#include <stdbool.h>
#include <weir/passed.h>
#include "pin.h"
#include "policy.h"

struct maps {
	int control, policy, classes, rules, flows, buckets, class_state, class_stats, leases,
		steering, decisions, events, event_state, told, devices, door, tables;
	int n_cpus;
	__u32 max_flows;
	/* memory of the kernel's own, after maps_share(); NULL: reached by calls */
	const struct weir_control *control_shared;
	const struct weir_class_state *states_shared;
	struct weir_lease *leases_shared;
	struct weir_decision *steering_shared, *decisions_shared;
};

/* -ENOENT when nothing is attached; -EPROTO when a map lacks or has not this version's shape. */
int maps_open(struct maps *maps, const struct instance *instance, struct err *err);

/* Only the map of that name: enough to take hooks off where the others are not what they were. */
int maps_open_devices(struct maps *maps, const struct instance *instance, struct err *err);
void maps_close(struct maps *maps);

struct bpf_object;

/* The maps of an object that this process has loaded and nobody has pinned; closed as above. */
int maps_from_object(struct maps *ret_maps, const struct bpf_object *object, struct err *err);

/* Puts a program into entry 0 of a program array. */
int maps_program_put(int map_fd, int program_fd);

/* The live policy. */
int maps_policy_load(const struct maps *maps, struct policy *ret_policy, struct err *err);

/*
 * Makes `policy` the live one: fills the other bank, clears state and counters of slots that
 * change their class, then moves the generation with one store. All of it or nothing. Waits (by
 * membarrier, an RCU grace period) so that no packet still reads the bank that is written next.
 */
int maps_policy_store(const struct maps *maps, const struct policy *policy, struct err *err);

/* Counters of a class, summed over the CPUs, and its state. */
int maps_class_stats(const struct maps *maps, unsigned int slot, struct weir_class_stats *ret);
int maps_class_state(const struct maps *maps, unsigned int slot, struct weir_class_state *ret);

/* What passed of the n classes from slot on, WEIR_PASSED_MAX at most: all counters are copied. */
int maps_passed_get(const struct maps *maps, unsigned int slot, unsigned int n,
		    struct weir_passed ret[static n]);

/* The lease of a class; past its time it is void. */
int maps_lease_get(const struct maps *maps, unsigned int slot, struct weir_lease *ret);

/* For those who read and write with every step. Without it (no memory) all works, by calls. */
void maps_share(struct maps *maps);
void maps_unshare(struct maps *maps);

/* The lease of a class; what the agent decided last for the decision's own. */
int maps_lease_put(const struct maps *maps, unsigned int slot, const struct weir_lease *lease);
int maps_steering_put(const struct maps *maps, const struct weir_decision *decision);
/* What it decided last; -ENOENT: nothing yet, or it is at it. */
int maps_steering_get(const struct maps *maps, unsigned int slot, struct weir_decision *ret);

/* The states of the first n classes, by slot; the kernel may move them while they are read. */
int maps_class_states(const struct maps *maps, unsigned int n,
		      const struct weir_class_state **ret_states);

/* Number seq of the ring of decisions; -ENOENT: not there yet, -ENODATA: not there any more. */
int maps_decision_put(const struct maps *maps, const struct weir_decision *decision);
int maps_decision_get(const struct maps *maps, __u64 seq, struct weir_decision *ret);

/* The number of the last decision; 0: none. */
int maps_decision_last(const struct maps *maps, __u64 *ret_seq);

/* Number seq of the ring of events (-ENOENT: it is not there), and the number of the last. */
int maps_event_get(const struct maps *maps, __u64 seq, struct weir_event *ret);
int maps_event_last(const struct maps *maps, __u64 *ret_seq);

/* The live generation of the policy. */
int maps_generation(const struct maps *maps, __u32 *ret);

/* Calls fn for every flow (in batches); stops when it returns non-zero and returns that. */
typedef int (*maps_flow_fn)(const struct weir_flow_key *key, const struct weir_flow *flow,
			    void *arg);
int maps_flows_each(const struct maps *maps, maps_flow_fn fn, void *arg);

typedef int (*maps_device_fn)(const struct weir_dev_key *key, const struct weir_dev *dev,
			      void *arg);
int maps_devices_each(const struct maps *maps, maps_device_fn fn, void *arg);

/* Removes the entries of map "buckets" that are of these slots. */
int maps_buckets_drop(const struct maps *maps, const bool slots[WEIR_MAX_CLASSES]);

/* How fast entries of a table are made; and, by a pass over it, how many there are. */
int maps_table_get(const struct maps *maps, enum weir_table_index which, struct weir_table *ret);
int maps_table_count(const struct maps *maps, enum weir_table_index which, __u64 *ret);

int maps_device_get(const struct maps *maps, const struct weir_dev_key *key,
		    struct weir_dev *ret_dev);
int maps_device_put(const struct maps *maps, const struct weir_dev_key *key,
		    const struct weir_dev *dev);
int maps_device_del(const struct maps *maps, const struct weir_dev_key *key);

/* What this host offers (WEIR_CAN_*), for the datapath to know; a policy store leaves it alone. */
int maps_can_set(const struct maps *maps, __u32 can, struct err *err);
int maps_can_get(const struct maps *maps, __u32 *ret_can);

/* Map "walk": what the walk over sockets (dp.c) does with those it meets. */
enum maps_walk { MAPS_WALK_FOLLOW, MAPS_WALK_RELEASE };
int maps_walk_mode(const struct instance *instance, enum maps_walk mode, struct err *err);

#endif
