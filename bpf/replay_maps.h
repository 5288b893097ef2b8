/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay_maps.h: the map of bpf/replay.bpf.c: the one program that it calls, put there by user
 * space. Never pinned.
 */
#ifndef WEIR_REPLAY_MAPS_H
#define WEIR_REPLAY_MAPS_H

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} program SEC(".maps");

#endif
