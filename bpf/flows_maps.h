/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flows_maps.h: the table of flows: the datapath's own; bpf/backlog.bpf.c, which finds it by its
 * pin, looks sockets up in it. User space sets its size.
 */
#ifndef WEIR_FLOWS_MAPS_H
#define WEIR_FLOWS_MAPS_H

#include <weir/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct weir_flow_key);
	__type(value, struct weir_flow);
} flows SEC(".maps");

#endif
