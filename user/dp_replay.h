/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dp_replay.h: a private instance of the datapath in virtual time: nothing pinned, attached to
 * nothing, gone with the process. Takes batches of packets; the verdicts stand in the same slots
 * afterwards. The only module beside dp.c that includes a skeleton.
 */
#ifndef WEIR_DP_REPLAY_H
#define WEIR_DP_REPLAY_H

#include <weir/abi.h>
#include <weir/replay.h>
#include "policy.h"

struct dp_replay;

/*
 * Loads the datapath and stores the policy in it. Packets count for device 1 and that hook; below
 * it fq is taken to be. max_flows: see dp.h.
 */
int dp_replay_open(struct dp_replay **ret_replay, const struct policy *policy, enum weir_hook hook,
		   __u32 max_flows, struct err *err);
void dp_replay_close(struct dp_replay *replay);

/* WEIR_REPLAY_BATCH of them. */
struct weir_replay_slot *dp_replay_slots(struct dp_replay *replay);

/* Runs slots 0..n-1; -errno. */
int dp_replay_run(struct dp_replay *replay, unsigned int n);

/*
 * Runs slot 0 with the packet's whole bytes, an Ethernet frame, of which a slot has the beginning:
 * the datapath sees where they end.
 */
int dp_replay_run_alone(struct dp_replay *replay, const void *frame, size_t size);

/* What the timer does every 4 ms: moves the levels of the fair classes. */
int dp_replay_tick(struct dp_replay *replay, __u64 now_ns);

#endif
