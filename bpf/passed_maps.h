/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * passed_maps.h: the map of bpf/passed.bpf.c: the datapath's own, found by its pin; only the shape
 * is repeated here.
 */
#ifndef WEIR_PASSED_MAPS_H
#define WEIR_PASSED_MAPS_H

#include <weir/passed.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_MAX_CLASSES);
	__type(key, __u32);
	__type(value, struct weir_class_stats);
} class_stats SEC(".maps");

#endif
