/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backlog_maps.h: the maps of bpf/backlog.bpf.c beside the datapath's flows.
 */
#ifndef WEIR_BACKLOG_MAPS_H
#define WEIR_BACKLOG_MAPS_H

#include <weir/backlog.h>
#include "flows_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weir_seen);
} seen SEC(".maps");

#endif
