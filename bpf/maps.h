/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.h: every map of the datapath, and nothing else (those that other objects use are in headers
 * of their own); their values are described in include/weir/abi.h. All are pinned under their name
 * by user/dp.c, which also sets the size of the two LRU tables.
 */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

#include <weir/abi.h>
#include "flows_maps.h"
#include "stats_maps.h"

struct weir_inside;

#define WEIR_ARRAY_FLAGS(map, value_type, entries, flags) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, entries); \
		__uint(map_flags, flags); \
		__type(key, __u32); \
		__type(value, value_type); \
	} map SEC(".maps")
#define WEIR_ARRAY(map, value_type, entries) WEIR_ARRAY_FLAGS(map, value_type, entries, 0)
/* which the agent reads and writes with every step: memory, no calls */
#define WEIR_ARRAY_SHARED(map, value_type, entries) \
	WEIR_ARRAY_FLAGS(map, value_type, entries, BPF_F_MMAPABLE)

WEIR_ARRAY_SHARED(control, struct weir_control, 1);
WEIR_ARRAY(policy, struct weir_policy, 2);
WEIR_ARRAY(classes, struct weir_class, 2 * WEIR_MAX_CLASSES);
WEIR_ARRAY(rules, struct weir_rule, 2 * WEIR_MAX_RULES);
WEIR_ARRAY_SHARED(class_state, struct weir_class_state, WEIR_MAX_CLASSES);
WEIR_ARRAY_SHARED(leases, struct weir_lease, WEIR_MAX_CLASSES);
WEIR_ARRAY_SHARED(steering, struct weir_decision, WEIR_MAX_CLASSES);
WEIR_ARRAY_SHARED(decisions, struct weir_decision, WEIR_DECISIONS);
WEIR_ARRAY(events, struct weir_event, WEIR_EVENTS);
WEIR_ARRAY(event_state, struct weir_event_state, 1);
WEIR_ARRAY(told, struct weir_class_told, WEIR_MAX_CLASSES);
WEIR_ARRAY(door, struct weir_door, WEIR_DOOR_SLOTS);
WEIR_ARRAY(tables, struct weir_table, WEIR_TABLE_COUNT);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct weir_bucket_key);
	__type(value, struct weir_bucket);
} buckets SEC(".maps");

/* the kernel's own view of a map: user space has chosen the tables' sizes */
struct bpf_map {
	__u32 max_entries;
} __attribute__((preserve_access_index));
#define WEIR_ENTRIES(map) (((struct bpf_map *)&(map))->max_entries)

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_FRAGMENTS);
	__type(key, struct weir_flow_key);
	__type(value, struct weir_fragment);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct weir_dev_key);
	__type(value, struct weir_dev);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weir_sock);
} sockets SEC(".maps");

/* what the walk over existing sockets does: 0 lets their pacing follow, 1 gives it back */
WEIR_ARRAY(walk, __u32, 1);

/* apart from the state it moves: a value with a timer must never be written from user space */
struct weir_timer {
	struct bpf_timer timer;
};
WEIR_ARRAY(timer, struct weir_timer, 1);

/* a packet inside a tunnel does not fit on the stack beside the one around it */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_inside);
} inside SEC(".maps");

#endif
