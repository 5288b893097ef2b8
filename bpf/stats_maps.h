/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats_maps.h: the map of counters: the datapath counts in it, bpf/passed.bpf.c, which finds it by
 * its pin, sums up.
 */
#ifndef WEIR_STATS_MAPS_H
#define WEIR_STATS_MAPS_H

#include <weir/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_MAX_CLASSES);
	__type(key, __u32);
	__type(value, struct weir_class_stats);
} class_stats SEC(".maps");

#endif
