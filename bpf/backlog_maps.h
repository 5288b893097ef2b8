/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backlog_maps.h: the maps of bpf/backlog.bpf.c. `flows` is the datapath's own, found by its pin;
 * only the shape is repeated here.
 */
#ifndef WEIR_BACKLOG_MAPS_H
#define WEIR_BACKLOG_MAPS_H

#include <weir/backlog.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct weir_flow_key);
	__type(value, struct weir_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weir_seen);
} seen SEC(".maps");

#endif
